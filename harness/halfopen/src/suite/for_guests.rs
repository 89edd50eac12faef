use crate::plan::{Action, BrokerProgram, Expectation, Mode, NodeFault, NodeId, Plan, Program, Step, StepKind, Verb};

/// The plan without what only the project's broker could say of itself.
///
/// # Errors
/// Why a guest cannot be judged by it.
pub(super) fn adapted(plan: &Plan, takes: &dyn Fn(&BrokerProgram) -> bool) -> Result<Plan, &'static str> {
    let is_too_much = |program: &Program| matches!(program, Program::Broker(program) if !takes(program));
    if plan.nodes.iter().any(|node| is_too_much(&node.program)) {
        return Err("it sets something on a broker that the guest does not take");
    }
    if changes_a_brokers_clock(&plan.steps, plan) {
        return Err("it changes the clock of a broker, and a guest has the world's");
    }
    let mut adapted = plan.clone();
    adapted.expectations = lines(&plan.expectations, plan);
    if adapted.expectations.is_empty() && !plan.expectations.is_empty() {
        return Err("it asks only what the project's broker says of itself");
    }
    Ok(adapted)
}

fn changes_a_brokers_clock(steps: &[Step], plan: &Plan) -> bool {
    let is_clock = |action: &Action| action.fault().is_some_and(NodeFault::is_of_clock);
    steps.iter().any(|step| match &step.kind {
        StepKind::Node { nodes, actions } => is_of_a_broker(nodes, plan) && actions.iter().any(is_clock),
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } => changes_a_brokers_clock(steps, plan),
        StepKind::Wait(_) | StepKind::At(_) | StepKind::Mark(_) | StepKind::Network(_) => false,
    })
}

fn lines(expectations: &[Expectation], plan: &Plan) -> Vec<Expectation> {
    expectations.iter().filter_map(|line| adapted_line(line, plan)).collect()
}

/// What is left of a line, if anything is.
fn adapted_line(line: &Expectation, plan: &Plan) -> Option<Expectation> {
    let mut line = line.clone();
    let is_none = line.mode == Mode::Never || line.count.is_some_and(|count| count.max == Some(0));
    match &mut line.verb {
        Verb::Closes { because, .. } if because.is_some() && is_of_a_broker(&line.nodes, plan) => {
            // That it never closes for one cause says nothing about the others.
            if is_none {
                return None;
            }
            *because = None;
        }
        Verb::Has(_) if is_of_a_broker(&line.nodes, plan) => return None,
        Verb::AnyOf(alternatives) => {
            for alternative in alternatives.iter_mut() {
                *alternative = lines(alternative, plan);
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
