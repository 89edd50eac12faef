use std::collections::BTreeSet;

use crate::plan::{
    Because, CloseHow, Command, Expectation, Mode, Node, NodeFault, NodeId, PacketKind, PacketPattern, Plan, Program,
    Step, StepKind, Verb,
};
use crate::programs::Role;
use halfopen_protocol::PacketType;
use std::time::Duration;

/// The abilities by which a program under test can be judged.
pub(crate) struct Abilities<'a> {
    /// The nodes that it runs on.
    pub(crate) nodes: BTreeSet<NodeId>,
    /// The role on these nodes.
    pub(crate) role: Role,
    /// Returns why it is not what these settings make, if it is not.
    pub(crate) does_not_take: &'a dyn Fn(&Program) -> Option<String>,
    /// True if its clock may go otherwise than the world's.
    pub(crate) has_clock: bool,
    /// The causes of closes that it states.
    pub(crate) reasons: BTreeSet<Because>,
}

/// Returns the nodes of a plan with the project's broker.
pub(crate) fn brokers(plan: &Plan) -> BTreeSet<NodeId> {
    plan.node_ids().filter(|node| matches!(plan.node(*node).program, Program::Broker(_))).collect()
}

/// A plan for a program under test.
pub(crate) struct Adapted {
    pub(crate) plan: Plan,
    /// Number of expectations that were left out, or of which the cause was.
    pub(crate) left_out: usize,
}

/// Returns the plan without what only the project's programs could say of themselves.
///
/// # Errors
/// Why a program under test cannot be judged by it.
pub(crate) fn adapted(plan: &Plan, abilities: &Abilities<'_>) -> Result<Adapted, String> {
    let Abilities { nodes, role, does_not_take, .. } = abilities;
    if let Some(why) = nodes.iter().find_map(|node| does_not_take(&plan.node(*node).program)) {
        return Err(why);
    }
    for step in nodes.iter().flat_map(|node| actions_of(&plan.steps, *node)) {
        match step {
            Done::Fault(NodeFault::LoseDisk) => {
                return Err("a broker loses its disk, and that of a program under test is its own".to_owned());
            }
            // No program under test has a date that can be set.
            Done::Fault(fault)
                if matches!(fault, NodeFault::SetWallClock(_)) || fault.is_of_clock() && !abilities.has_clock =>
            {
                return Err(format!("it changes the clock of a {role}, and a program under test has the world's"));
            }
            Done::Fault(_) => {}
            Done::Command(node, command) => {
                if let Some(why) = cannot_be_told(command, plan.node(node), does_not_take) {
                    return Err(why);
                }
            }
        }
    }
    let mut adapted = plan.clone();
    for node in nodes {
        adapted.nodes[node.0].played_by.get_or_insert_with(|| "a program under test".to_owned());
    }
    let mut left_out = 0;
    adapted.expectations = lines(plan, &plan.expectations, abilities, &mut left_out);
    if adapted.expectations.is_empty() && !plan.expectations.is_empty() {
        return Err(format!("it asks only what the project's {role} says of itself"));
    }
    Ok(Adapted { plan: adapted, left_out })
}

/// Something that a story does with a node.
enum Done<'p> {
    Fault(NodeFault),
    Command(NodeId, &'p Command),
}

/// Returns what the steps do with a node.
fn actions_of(steps: &[Step], node: NodeId) -> Vec<Done<'_>> {
    let mut done = Vec::new();
    for step in steps {
        match &step.kind {
            StepKind::Node { nodes, actions } if nodes.contains(&node) => {
                for action in actions.iter().filter_map(|action| action.of(node)) {
                    done.extend(action.fault().map(Done::Fault));
                    done.extend(action.command().map(|command| Done::Command(node, command)));
                }
            }
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                done.extend(actions_of(steps, node));
            }
            StepKind::Node { .. } | StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => {}
        }
    }
    done
}

/// Returns why a program under test cannot be told to do this, if it cannot.
fn cannot_be_told(
    command: &Command,
    node: &Node,
    does_not_take: &dyn Fn(&Program) -> Option<String>,
) -> Option<String> {
    match (command, &node.program) {
        (Command::Shutdown | Command::Configure(_), _) => {
            Some("it shuts a broker down or configures it while it runs".to_owned())
        }
        (Command::StopPinging | Command::ResumePinging, _) => {
            Some("it keeps a client from pinging, which only the project's can be told".to_owned())
        }
        (Command::Reauthenticate, _) => Some("it has a client authenticate again".to_owned()),
        (Command::Close(CloseHow::Rst), _) => Some("it has a client close by RST".to_owned()),
        (Command::Connect(connect), Program::Client(client)) => connect.with.values().find_map(|connect| {
            let mut client = client.clone();
            client.options.connect = connect.clone().into();
            does_not_take(&Program::Client(client))
        }),
        _ => None,
    }
}

fn lines(
    plan: &Plan,
    expectations: &[Expectation],
    abilities: &Abilities<'_>,
    left_out: &mut usize,
) -> Vec<Expectation> {
    expectations.iter().filter_map(|line| adapted_line(plan, line, abilities, left_out)).collect()
}

/// Returns whether a client waits for PINGRESP as long as it likes.
fn has_own_ping_timeout(plan: &Plan, node: NodeId) -> bool {
    matches!(&plan.node(node).program, Program::Client(client) if client.options.ping_timeout.is_none())
}

/// Returns whether a line is about the PINGREQs of these clients, or the answers to them.
fn is_of_pings(line: &Expectation, clients: &BTreeSet<NodeId>) -> bool {
    let all = |patterns: &[PacketPattern], one: PacketType| {
        patterns.iter().all(|pattern| pattern.packet == PacketKind::Type(one))
    };
    let is_of_them = |node: &NodeId| clients.contains(node);
    match &line.verb {
        Verb::Sends(sent) if all(sent, PacketType::PingReq) => line.nodes.iter().any(is_of_them),
        Verb::Receives(received) if all(received, PacketType::PingResp) => line.nodes.iter().any(is_of_them),
        Verb::Sends(sent) if all(sent, PacketType::PingResp) => line.to.iter().any(is_of_them),
        Verb::Receives(received) if all(received, PacketType::PingReq) => line.from.iter().any(is_of_them),
        _ => false,
    }
}

/// Returns what holds also of a client that sends PINGREQ before it has to, as it may at any time (§3.1.2.10): a keep-alive is the
/// longest interval, not the only one. Nothing is left of a line that says that none is sent.
fn with_earlier_pings(mut line: Expectation) -> Option<Expectation> {
    if line.mode == Mode::Never {
        return None;
    }
    if let Some(count) = &mut line.count {
        count.max = None;
        if count.min == 0 {
            return None;
        }
    }
    if let Some(gap) = &mut line.gap {
        gap.min = Duration::ZERO;
    }
    line.timing = None;
    Some(line)
}

/// Returns what is left of a line, if anything is.
fn adapted_line(
    plan: &Plan,
    line: &Expectation,
    abilities: &Abilities<'_>,
    left_out: &mut usize,
) -> Option<Expectation> {
    let is_its_choice = match abilities.role {
        Role::Broker => line.only_builtin.is_of_broker(),
        Role::Client => line.only_builtin.is_of_client(),
    };
    if is_its_choice {
        *left_out += 1;
        return None;
    }
    let mut line = line.clone();
    if abilities.role == Role::Client && is_of_pings(&line, &abilities.nodes) {
        *left_out += 1;
        line = with_earlier_pings(line)?;
    }
    let is_of_it = line.nodes.iter().any(|node| abilities.nodes.contains(node));
    let is_none = line.mode == Mode::Never || line.count.is_some_and(|count| count.max == Some(0));
    match &mut line.verb {
        Verb::Closes { because, .. }
            if because.is_some_and(|because| !abilities.reasons.contains(&because)) && is_of_it =>
        {
            *left_out += 1;
            // That it never closes for one cause says nothing about the others.
            if is_none {
                return None;
            }
            // For how long it waits for PINGRESP is its own choice, if the scenario does not say.
            if *because == Some(Because::NoPingresp) && line.nodes.iter().any(|node| has_own_ping_timeout(plan, *node))
            {
                line.timing = None;
            }
            *because = None;
        }
        Verb::Has(_) if is_of_it => {
            *left_out += 1;
            return None;
        }
        Verb::AnyOf(alternatives) => {
            for alternative in alternatives.iter_mut() {
                *alternative = lines(plan, alternative, abilities, left_out);
            }
            // One of which nothing is left would be true of anything.
            if alternatives.iter().any(Vec::is_empty) {
                return None;
            }
        }
        _ => {}
    }
    Some(line)
}

#[cfg(test)]
mod tests;
