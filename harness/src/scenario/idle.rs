//! What ends a fault that never began: `heal` where no link was parted, `resume_pinging` where nobody stopped.

use crate::plan::{Action, NetworkChange, NodeId, Step, StepKind, Sweep};

use super::error::{Sink, Span};
use super::link::Direction;

/// Reports each step that has nothing to end, wherever in the story it stands.
pub(super) fn check(steps: &[Step], sweep: Option<&Sweep>, sink: &Sink) {
    let mut begun = Begun::default();
    begun.collect(steps);
    begun.collect(sweep.map_or(&[], |sweep| &sweep.fault));
    begun.report(steps, sink);
}

#[derive(Default)]
struct Begun {
    parted: Vec<Direction>,
    silenced: Vec<NodeId>,
}

impl Begun {
    fn collect(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::Network(NetworkChange::Partition { links, .. }) => self.parted.extend(links),
                StepKind::Node { nodes, actions } if has(actions, |action| matches!(action, Action::StopPinging)) => {
                    self.silenced.extend(nodes);
                }
                StepKind::Repeat { steps, .. } | StepKind::Every { steps, .. } => self.collect(steps),
                _ => {}
            }
        }
    }

    fn report(&self, steps: &[Step], sink: &Sink) {
        let say = |step: &Step, message: &str| {
            // The words that a step begins with are letters without a space, up to the colon.
            let width = step.text.chars().take_while(|c| *c != ':').count();
            let mut end = step.position;
            end.column += u32::try_from(width).unwrap_or(1);
            sink.push(Span { start: step.position, end }, message, None);
        };
        for step in steps {
            match &step.kind {
                StepKind::Network(NetworkChange::Heal(links))
                    if !links.iter().any(|link| self.parted.contains(link)) =>
                {
                    say(step, "`heal` ends a `partition`, and the story has none of this link");
                }
                StepKind::Node { nodes, actions }
                    if has(actions, |action| matches!(action, Action::ResumePinging))
                        && !nodes.iter().any(|node| self.silenced.contains(node)) =>
                {
                    say(step, "`resume_pinging` ends `stop_pinging`, and the story has none of this node");
                }
                StepKind::Repeat { steps, .. } | StepKind::Every { steps, .. } => self.report(steps, sink),
                _ => {}
            }
        }
    }
}

fn has(actions: &[Action], wanted: impl Fn(&Action) -> bool) -> bool {
    actions.iter().any(wanted)
}
