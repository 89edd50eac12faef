//! [MQTT-3.1.2-23] (3.1.1), [MQTT-3.1.2-20] (5.0): the time from one packet of the client to its next is at most the
//! keep-alive. A client is not bound while the story tells it to be silent (`stop_pinging`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::index::{EndId, Fact};
use super::report::{Breach, Report};
use super::table::Table;
use super::{Context, Rule, shown};
use crate::plan::{Action, Command, Invariant, NodeId, Plan, Step, StepId, StepKind};

pub(super) struct ClientInterval {
    /// The steps that tell clients to be silent (true) or no longer.
    orders: BTreeMap<StepId, Vec<(NodeId, bool)>>,
    /// The times during which each client has been told to be silent.
    silences: BTreeMap<NodeId, Vec<(Duration, Duration)>>,
    clients: Table<Client>,
}

struct Client {
    last_sent: Duration,
    is_broken: bool,
}

impl ClientInterval {
    pub(super) fn new(plan: &Plan) -> Self {
        let mut orders = BTreeMap::new();
        find_orders(&plan.steps, &mut orders);
        Self { orders, silences: BTreeMap::new(), clients: Table::default() }
    }

    /// Judges a stretch of time in which nothing was sent on the connection.
    fn judge(&mut self, id: EndId, now: Duration, is_over: bool, context: &Context<'_>, report: &mut Report) {
        let end = context.index.end(id);
        let (Some(keep_alive), Some((accepted, _))) = (end.keep_alive(), end.connack.as_ref()) else { return };
        let Some(client) = self.clients.get_mut(id).filter(|client| !client.is_broken) else { return };
        // Nothing may be sent before CONNACK has come.
        let due = (client.last_sent + keep_alive).max(accepted.since_origin());
        if now <= due + context.plan.tolerance {
            return;
        }
        let silences = self.silences.get(&end.node).map(Vec::as_slice).unwrap_or_default();
        let mut recent = silences.iter().rev().take_while(|(_, to)| *to > client.last_sent);
        if recent.any(|(from, _)| *from <= due) {
            return;
        }
        client.is_broken = true;
        let name = context.name(end.node);
        let what = if is_over { "none until then" } else { "the next one came then" };
        let expected = format!("{name} sends a packet by {} ({} after its last)", shown(due), shown(keep_alive));
        report.breach(Invariant::ClientKeepsItsInterval, Breach::new(expected, format!("{what}: {}", shown(now))));
    }
}

impl Rule for ClientInterval {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        match fact {
            Fact::Packet(seen) if seen.is_sent => {
                let end = context.index.end(seen.end);
                if end.is_broker || end.ended.is_some() {
                    return;
                }
                self.judge(seen.end, seen.at, false, context, report);
                let client =
                    self.clients.get_or_insert_with(seen.end, || Client { last_sent: seen.at, is_broken: false });
                client.last_sent = seen.at;
            }
            Fact::Ended { at, end } => {
                self.judge(*end, *at, true, context, report);
                self.clients.remove(*end);
            }
            Fact::Step { at, step } => {
                for (node, is_silent) in self.orders.get(step).into_iter().flatten() {
                    let silences = self.silences.entry(*node).or_default();
                    match (silences.last_mut().filter(|(_, to)| *to == Duration::MAX), is_silent) {
                        (None, true) => silences.push((*at, Duration::MAX)),
                        (Some((_, to)), false) => *to = *at,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn finish(&mut self, end: Duration, context: &Context<'_>, report: &mut Report) {
        let open: Vec<EndId> = self.clients.keys().collect();
        for id in open {
            self.judge(id, end, true, context, report);
        }
    }
}

fn find_orders(steps: &[Step], orders: &mut BTreeMap<StepId, Vec<(NodeId, bool)>>) {
    for step in steps {
        match &step.kind {
            StepKind::Node { nodes, actions } => {
                for command in actions.iter().filter_map(Action::command) {
                    let is_silent = match command {
                        Command::StopPinging => true,
                        Command::ResumePinging => false,
                        _ => continue,
                    };
                    orders.entry(step.id).or_default().extend(nodes.iter().map(|node| (*node, is_silent)));
                }
            }
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                find_orders(steps, orders)
            }
            _ => {}
        }
    }
}
