use super::{EngineError, TICK};
use crate::plan::{
    Action, AnswerKind, Answers, CloseHow, Command, LinkChange, LinkSettings, NetworkChange, NetworkFault, NodeFault,
    NodeId, Plan, Position, Program, Step, StepKind,
};

/// Returns whether `turmoil::Sim` can tell this story with the meaning that the faults have here.
pub(super) fn check(plan: &Plan) -> Result<(), EngineError> {
    let uneven = |(from, to, link): &(NodeId, NodeId, _)| plan.link(*to, *from) != *link;
    if plan.links.iter().any(uneven) {
        return refuse(Position::default(), "a link that differs by direction");
    }
    if plan.network.latency < TICK || plan.links.iter().any(|(_, _, link)| link.latency < TICK) {
        return refuse(Position::default(), "a link without latency: a packet takes at least a tick");
    }
    if !plan.network.jitter.is_zero() || plan.links.iter().any(|(_, _, link)| !link.jitter.is_zero()) {
        return refuse(Position::default(), "jitter of its own seed");
    }
    let is_lossy = |link: &LinkSettings| link.loss > 0 || link.bandwidth.is_some() || link.idle_limit.is_some();
    if is_lossy(&plan.network) || plan.links.iter().any(|(_, _, link)| is_lossy(link)) {
        return refuse(Position::default(), "losses that only delay, or a bandwidth");
    }
    if !plan.middleboxes.is_empty() {
        return refuse(Position::default(), "a middlebox");
    }
    if plan.nodes.iter().any(|node| matches!(&node.program, Program::RawBroker(broker) if shuts(&broker.answers))) {
        return refuse(Position::default(), "a SYN that is refused or ignored by a host that listens");
    }
    check_steps(&plan.steps, plan)
}

/// Returns whether connections are refused or ignored.
fn shuts(answers: &Answers) -> bool {
    answers.open.iter().any(|answer| matches!(answer.kind, AnswerKind::Refuse | AnswerKind::Ignore))
}

fn check_steps(steps: &[Step], plan: &Plan) -> Result<(), EngineError> {
    for (place, step) in steps.iter().enumerate() {
        let rest = &steps[place + 1..];
        match &step.kind {
            StepKind::Node { nodes, actions } => {
                for (place, action) in actions.iter().enumerate() {
                    let comes_back =
                        |node: &NodeId| actions[place + 1..].iter().any(opens) || comes_back(*node, rest, plan);
                    check_action(action, nodes, plan.origins.step(step.id), nodes.iter().any(comes_back), plan)?;
                }
            }
            StepKind::Network(change) => check_change(change, plan.origins.step(step.id), rest, plan)?,
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                check_steps(steps, plan)?
            }
            StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) => {}
        }
    }
    Ok(())
}

fn check_action(
    action: &Action,
    nodes: &[NodeId],
    position: Position,
    comes_back: bool,
    plan: &Plan,
) -> Result<(), EngineError> {
    let is_broker = nodes.iter().any(|node| plan.node(*node).is_broker());
    match action {
        Action::Fault(fault) => check_fault(*fault, is_broker, position, comes_back),
        Action::Command { command: Command::Answer(answers), .. } if shuts(answers) => {
            refuse(position, "a SYN that is refused or ignored by a host that listens")
        }
        Action::Command { command: Command::Close(CloseHow::Rst), .. } => refuse(position, "an abort"),
        Action::Command { .. } => Ok(()),
        Action::Each(actions) => {
            let mut all = actions.iter();
            all.try_for_each(|(node, action)| check_action(action, &[*node], position, comes_back, plan))
        }
    }
}

fn check_fault(fault: NodeFault, is_broker: bool, position: Position, comes_back: bool) -> Result<(), EngineError> {
    match fault {
        NodeFault::Crash if is_broker => {
            refuse(position, "the crash of a broker: a host without a program does not even refuse connections")
        }
        NodeFault::PowerLoss if is_broker || comes_back => {
            refuse(position, "a power loss after which somebody connects: bytes and SYNs are lost for ever")
        }
        NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Shutdown | NodeFault::Restart | NodeFault::LoseDisk => {
            Ok(())
        }
        NodeFault::Pause(_) | NodeFault::Resume => {
            refuse(position, "a process that stands still while its kernel lives")
        }
        NodeFault::StopReading | NodeFault::ResumeReading => refuse(position, "a window that fills"),
        NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) | NodeFault::SetWallClock(_) => {
            refuse(position, "a clock of a node's own")
        }
    }
}

fn check_change(change: &NetworkChange, position: Position, rest: &[Step], plan: &Plan) -> Result<(), EngineError> {
    let links = &change.scope.links;
    match change.fault {
        _ if change.scope.connection.is_some() => refuse(position, "a fault of one connection of a link"),
        NetworkFault::HalfOpen { starting_with: Some(_) } => refuse(position, "`starting_with`"),
        NetworkFault::HalfOpen { .. } if links.iter().any(|(a, b)| connects(*a, *b, rest, plan)) => {
            refuse(position, "one connection forgotten while a new one works")
        }
        NetworkFault::HalfOpen { .. } => Ok(()),
        NetworkFault::Set(LinkChange {
            latency: Some(_),
            jitter: None,
            give_up: None,
            loss: None,
            bandwidth: None,
            idle_limit: None,
        }) if links.iter().all(|(from, to)| links.contains(&(*to, *from))) => Ok(()),
        NetworkFault::Set(_) => {
            refuse(position, "a link that differs by direction, jitter, losses, a bandwidth, or a give-up time")
        }
        NetworkFault::Reset { .. } => refuse(position, "an abort made by the path"),
        NetworkFault::Partition { .. } | NetworkFault::Heal => {
            refuse(position, "a partition that only delays: bytes are lost for ever")
        }
    }
}

/// Returns whether one of these, as far as it is a client, opens a connection later on.
fn connects(a: NodeId, b: NodeId, rest: &[Step], plan: &Plan) -> bool {
    comes_back(a, rest, plan) || comes_back(b, rest, plan)
}

fn comes_back(node: NodeId, rest: &[Step], plan: &Plan) -> bool {
    let reconnects = matches!(&plan.node(node).program, Program::Client(c) if c.options.reconnect.is_some());
    let is_told = rest.iter().any(|step| match &step.kind {
        StepKind::Node { nodes, actions } => nodes.contains(&node) && actions.iter().any(opens),
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            comes_back(node, steps, plan)
        }
        _ => false,
    });
    reconnects || is_told
}

fn opens(action: &Action) -> bool {
    action.fault() == Some(NodeFault::Restart) || matches!(action.command(), Some(Command::Connect(_) | Command::Open))
}

fn refuse(position: Position, what: &'static str) -> Result<(), EngineError> {
    Err(EngineError::NotExpressible { position, what })
}
