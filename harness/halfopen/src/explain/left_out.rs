//! What the times beside a story do not count, said plainly below it.

use std::time::Duration;

use super::seconds;
use crate::plan::{Action, LinkSettings, NetworkFault, NodeFault, Plan, Program, Step, StepKind};

#[derive(Debug, Default)]
struct Found {
    jitter: Duration,
    loss: bool,
    bandwidth: bool,
    clocks: bool,
    deaf: bool,
}

/// A line for each thing in a plan that the times leave out.
pub(super) fn left_out(plan: &Plan) -> Vec<String> {
    let mut found = Found::default();
    found.link(plan.network);
    plan.links.iter().for_each(|(_, _, link)| found.link(*link));
    found.steps(&plan.steps);
    found.steps(plan.conditions.sweep.as_ref().map_or(&[], |sweep| &sweep.fault));
    let mut lines = Vec::new();
    if !found.jitter.is_zero() {
        lines.push(format!("jitter: a packet takes up to {} longer", seconds(found.jitter)));
    }
    if found.loss {
        lines.push("loss: what is lost comes when TCP sends it again, 200ms later at least".to_owned());
    }
    if found.bandwidth {
        lines.push("bandwidth: how long bytes take to pass, and wait for those before them".to_owned());
    }
    if found.clocks {
        lines.push("clocks and pauses that change later in the story than the line at which a time stands".to_owned());
    }
    if found.deaf {
        lines.push("who reads nothing: what it would have answered or sent, and what it then does at once".to_owned());
    }
    let reconnects =
        |program: &Program| matches!(program, Program::Client(client) if client.options.reconnect.is_some());
    if plan.nodes.iter().any(|node| reconnects(&node.program)) {
        lines.push("connections that clients open anew by themselves".to_owned());
    }
    lines
}

impl Found {
    fn link(&mut self, link: LinkSettings) {
        self.jitter = self.jitter.max(link.jitter);
        self.loss |= link.loss > 0;
        self.bandwidth |= link.bandwidth.is_some();
    }

    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::Network(change) => {
                    if let NetworkFault::Set(change) = change.fault {
                        self.link(LinkSettings::default().changed(change));
                    }
                }
                StepKind::Node { actions, .. } => actions.iter().for_each(|action| self.action(action)),
                StepKind::Repeat { steps, .. } | StepKind::Every { steps, .. } => self.steps(steps),
                _ => {}
            }
        }
    }

    fn action(&mut self, action: &Action) {
        match action.fault() {
            Some(NodeFault::Pause(_) | NodeFault::Resume | NodeFault::ClockDrift(_) | NodeFault::ClockJump(_)) => {
                self.clocks = true
            }
            Some(NodeFault::StopReading) => self.deaf = true,
            _ => {}
        }
    }
}
