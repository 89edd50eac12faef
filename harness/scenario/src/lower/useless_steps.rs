//! What ends a fault that never began: `heal` where no link was parted, `resume_pinging` where nobody stopped.

use crate::plan::{
    Action, Command, NetworkChange, NetworkFault, NodeId, NthConnection, Origins, Scope, Step, StepKind, Sweep,
};

use super::links::Direction;
use crate::error::{Diagnostics, Span};

/// Reports each step that has nothing to end, wherever in the story it stands.
pub(super) fn check(steps: &[Step], sweep: Option<&Sweep>, origins: &Origins, diagnostics: &Diagnostics) {
    let mut begun = Begun::default();
    begun.collect(steps);
    begun.collect(sweep.map_or(&[], |sweep| &sweep.fault));
    begun.report(steps, origins, diagnostics);
}

#[derive(Default)]
struct Begun {
    /// Each with the number of the connection, if it is one alone.
    parted: Vec<(Direction, Option<u32>)>,
    silenced: Vec<NodeId>,
}

impl Begun {
    fn collect(&mut self, steps: &[Step]) {
        for step in steps {
            match &step.kind {
                StepKind::Network(change) => {
                    if let NetworkFault::Partition { .. } = change.fault {
                        self.parted.extend(change.scope.links.iter().map(|link| (*link, change.scope.connection)));
                    }
                }
                StepKind::Node { nodes, actions }
                    if has(actions, |command| matches!(command, Command::StopPinging)) =>
                {
                    self.silenced.extend(nodes);
                }
                StepKind::Repeat { steps, .. } | StepKind::Every { steps, .. } | StepKind::Whenever { steps, .. } => {
                    self.collect(steps);
                }
                _ => {}
            }
        }
    }

    /// A link heals with all of its connections, and a connection if it was parted alone.
    fn heals_nothing(&self, change: &NetworkChange) -> bool {
        let Scope { links, connection } = &change.scope;
        let is_meant = |(link, of): &(Direction, Option<u32>)| {
            let is_open = connection.is_none() || [*of, *connection].contains(&Some(NthConnection::LATEST));
            links.contains(link) && (is_open || of == connection)
        };
        change.fault == NetworkFault::Heal && !self.parted.iter().any(is_meant)
    }

    fn report(&self, steps: &[Step], origins: &Origins, diagnostics: &Diagnostics) {
        let say = |step: &Step, message: &str| {
            // The words that a step begins with are letters without a space, up to the colon.
            let width = step.text.chars().take_while(|c| *c != ':').count();
            let start = origins.step(step.id);
            let mut end = start;
            end.column += u32::try_from(width).unwrap_or(1);
            diagnostics.push(Span { start, end }, message, None);
        };
        for step in steps {
            match &step.kind {
                StepKind::Network(change) if self.heals_nothing(change) => {
                    let what = if change.scope.connection.is_some() { "this connection" } else { "this link" };
                    say(step, &format!("`heal` ends a `partition`, and the script has none of {what}"));
                }
                StepKind::Node { nodes, actions }
                    if has(actions, |command| matches!(command, Command::ResumePinging))
                        && !nodes.iter().any(|node| self.silenced.contains(node)) =>
                {
                    say(step, "`resume_pinging` ends `stop_pinging`, and the script has none of this node");
                }
                StepKind::Repeat { steps, .. } | StepKind::Every { steps, .. } | StepKind::Whenever { steps, .. } => {
                    self.report(steps, origins, diagnostics);
                }
                _ => {}
            }
        }
    }
}

fn has(actions: &[Action], wanted: impl Fn(&Command) -> bool) -> bool {
    actions.iter().filter_map(Action::command).any(wanted)
}
