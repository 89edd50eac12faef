use std::collections::BTreeSet;

use crate::plan::{
    Action, Because, BrokerProgram, Command, Expectation, Mode, NodeFault, NodeId, Plan, Program, Step, StepKind, Verb,
};

/// The abilities by which a program under test can be judged.
pub(crate) struct Abilities<'a> {
    /// Returns why it is not the broker that these settings make, if it is not.
    pub(crate) does_not_take: &'a dyn Fn(&BrokerProgram) -> Option<String>,
    /// True if its clock may go otherwise than the world's.
    pub(crate) has_clock: bool,
    /// The causes of closes that it states.
    pub(crate) reasons: BTreeSet<Because>,
}

/// A plan for a program under test.
pub(crate) struct Adapted {
    pub(crate) plan: Plan,
    /// Number of expectations that were left out, or of which the cause was.
    pub(crate) left_out: usize,
}

/// Returns the plan without what only the project's broker could say of itself.
///
/// # Errors
/// Why a program under test cannot be judged by it.
pub(crate) fn adapted(plan: &Plan, abilities: &Abilities<'_>) -> Result<Adapted, String> {
    let does_not_take = |program: &Program| match program {
        Program::Broker(program) => (abilities.does_not_take)(program),
        _ => None,
    };
    if let Some(why) = plan.nodes.iter().find_map(|node| does_not_take(&node.program)) {
        return Err(why);
    }
    let is_clock = |fault: NodeFault| match fault {
        // No program under test has a date that can be set.
        NodeFault::SetWallClock(_) => true,
        fault => fault.is_of_clock() && !abilities.has_clock,
    };
    if befalls_a_broker(&plan.steps, plan, &is_clock) {
        return Err("it changes the clock of a broker, and a program under test has the world's".to_owned());
    }
    if befalls_a_broker(&plan.steps, plan, &|fault| fault == NodeFault::LoseDisk) {
        return Err("a broker loses its disk, and that of a program under test is its own".to_owned());
    }
    if commands_a_broker(&plan.steps) {
        return Err("it shuts a broker down or configures it while it runs".to_owned());
    }
    let mut adapted = plan.clone();
    let mut left_out = 0;
    adapted.expectations = lines(&plan.expectations, plan, &abilities.reasons, &mut left_out);
    if adapted.expectations.is_empty() && !plan.expectations.is_empty() {
        return Err("it asks only what the project's broker says of itself".to_owned());
    }
    Ok(Adapted { plan: adapted, left_out })
}

/// Returns whether the story tells a broker something: a program under test takes no commands.
fn commands_a_broker(steps: &[Step]) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Node { actions, .. } => actions
            .iter()
            .filter_map(Action::command)
            .any(|command| matches!(command, Command::Shutdown | Command::Configure(_))),
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            commands_a_broker(steps)
        }
        _ => false,
    })
}

/// Returns whether a fault of this kind happens to a broker.
fn befalls_a_broker(steps: &[Step], plan: &Plan, is_it: &dyn Fn(NodeFault) -> bool) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Node { nodes, actions } => {
            is_of_a_broker(nodes, plan) && actions.iter().filter_map(Action::fault).any(is_it)
        }
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            befalls_a_broker(steps, plan, is_it)
        }
        StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => false,
    })
}

fn lines(
    expectations: &[Expectation],
    plan: &Plan,
    reasons: &BTreeSet<Because>,
    left_out: &mut usize,
) -> Vec<Expectation> {
    expectations.iter().filter_map(|line| adapted_line(line, plan, reasons, left_out)).collect()
}

/// Returns what is left of a line, if anything is.
fn adapted_line(
    line: &Expectation,
    plan: &Plan,
    reasons: &BTreeSet<Because>,
    left_out: &mut usize,
) -> Option<Expectation> {
    let mut line = line.clone();
    let is_none = line.mode == Mode::Never || line.count.is_some_and(|count| count.max == Some(0));
    match &mut line.verb {
        Verb::Closes { because, .. }
            if because.is_some_and(|because| !reasons.contains(&because)) && is_of_a_broker(&line.nodes, plan) =>
        {
            *left_out += 1;
            // That it never closes for one cause says nothing about the others.
            if is_none {
                return None;
            }
            *because = None;
        }
        Verb::Has(_) if is_of_a_broker(&line.nodes, plan) => {
            *left_out += 1;
            return None;
        }
        Verb::AnyOf(alternatives) => {
            for alternative in alternatives.iter_mut() {
                *alternative = lines(alternative, plan, reasons, left_out);
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

fn is_of_a_broker(nodes: &[NodeId], plan: &Plan) -> bool {
    nodes.iter().any(|node| matches!(plan.node(*node).program, Program::Broker(_)))
}
