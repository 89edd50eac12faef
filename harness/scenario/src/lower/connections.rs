//! Single connections: `sensor#2` is the second that sensor opens in the run.

use super::Lower;
use crate::ast::{ConnectionName, Moment};
use crate::plan::{
    Action, Command, EventRef, Expectation, Node as PlanNode, NodeFault, NodeId, NthConnection, Program, Step,
    StepKind, Verb,
};
use crate::reference::see;
use crate::suggest::did_you_mean;

/// The reason why `sensor#last` is for steps alone.
const LATEST_LATER: &str =
    "which connection is the latest changes during a run; here it is named by its number, as in `sensor#2`";

impl Lower<'_> {
    /// The connections that a name stands for: of a group that of each member.
    pub(super) fn connection(&self, connection: &ConnectionName) -> Option<Vec<NthConnection>> {
        let (name, number) = (connection.client.as_str(), connection.number);
        let Some(clients) = self.known(name) else {
            if !self.is_silent(name) {
                let is_broker = |name: &&str| {
                    self.names.nodes.get(*name).is_some_and(|ids| ids.iter().any(|id| self.names.role(*id).is_broker()))
                };
                let clients = self.names.nodes.keys().map(String::as_str).filter(|name| !is_broker(name));
                self.error(&connection.place, format!("unknown node `{name}`{}", did_you_mean(name, clients)));
            }
            return None;
        };
        if let Some(message) = clients.iter().find_map(|id| self.no_opener(*id)) {
            self.error(&connection.place, message);
            return None;
        }
        let named: Vec<_> = clients.iter().map(|&client| NthConnection { client, number }).collect();
        self.names_connections(connection.place.span, &named);
        Some(named)
    }

    /// Reports a connection that neither end of what is expected has opened.
    pub(super) fn is_between(&self, connection: &ConnectionName, expectation: &Expectation) -> Option<()> {
        if connection.number == NthConnection::LATEST {
            self.error(&connection.place, LATEST_LATER);
            return None;
        }
        let peer = match expectation.verb {
            Verb::Closes { peer, .. } | Verb::Loses { peer, .. } | Verb::Attempts { peer } => Some(peer),
            _ => expectation.to.or(expectation.from),
        };
        let is_end = |id: NodeId| expectation.nodes.contains(&id) || peer == Some(id);
        let who = expectation.nodes.iter().copied().chain(peer).filter(|id| !self.names.role(*id).is_broker());
        let Some(stray) = expectation.on.iter().find(|on| !is_end(on.client)) else { return Some(()) };
        if peer.is_none() && expectation.nodes.iter().all(|id| self.names.role(*id).is_broker()) {
            return Some(());
        }
        let stray = format!("{}#{}", self.names.name(stray.client), stray.number);
        let who: Vec<_> = who.map(|id| self.names.name(id)).collect();
        self.error(&connection.place, format!("`{stray}` is no connection of `{}`", who.join("`, `")));
        None
    }

    /// Takes note of the connection that a moment speaks of.
    pub(super) fn of_moment(&self, written: &Moment, event: &EventRef) -> Option<()> {
        if let Some(connection) = event.connection() {
            if let Some(message) = self.no_opener(connection.client) {
                self.error(&written.place, message);
                return None;
            }
            if connection.number == NthConnection::LATEST {
                self.error(&written.place, LATEST_LATER);
                return None;
            }
            self.names_connections(written.place.span, &[connection]);
        }
        Some(())
    }

    /// Reports the connections that nobody opens in this story, as far as it can be known.
    pub(super) fn check_connections(&self, nodes: &[PlanNode], steps: &[&[Step]]) {
        for (named, span) in self.connections.borrow().iter() {
            let Some(most) = most_opened(named.client, nodes, steps) else { continue };
            let is_latest = named.number == NthConnection::LATEST && most > 0;
            if is_latest || u64::from(named.number) <= most {
                continue;
            }
            let name = self.names.name(named.client);
            let message = match most {
                0 => format!("`{name}` opens no connection in this script"),
                1 => format!("`{name}` opens one connection in this script; did you mean `{name}#1`?"),
                most => format!("`{name}` opens {most} connections in this script; did you mean `{name}#{most}`?"),
            };
            self.diagnostics().push(*span, message, Some(see("a connection")));
        }
    }

    /// Returns why no connection is named after this node, if none is.
    pub(super) fn no_opener(&self, id: NodeId) -> Option<String> {
        let names = self.names;
        if !names.role(id).is_broker() {
            return None;
        }
        let client = names.ids().find(|client| names.brokers_of(*client).any(|broker| broker == id));
        let hint = client.map(|client| format!(", as in `{}#1`", names.name(client))).unwrap_or_default();
        let name = names.name(id);
        Some(format!("`{name}` opens no connections; one is named after the client that opens it{hint}"))
    }
}

/// Returns how many connections a client opens at most; none if that depends on what happens.
fn most_opened(client: NodeId, nodes: &[PlanNode], steps: &[&[Step]]) -> Option<u64> {
    let (at_start, restarts) = match &nodes.get(client.0)?.program {
        Program::Client(program) if program.options.reconnect.is_some() => return None,
        Program::Client(program) => (u64::from(program.autostart), true),
        _ => (0, false),
    };
    let opened = steps.iter().map(|steps| opened_in(client, steps, restarts)).sum::<Option<u64>>()?;
    Some(at_start + opened)
}

fn opened_in(client: NodeId, steps: &[Step], restarts: bool) -> Option<u64> {
    let mut sum: u64 = 0;
    for step in steps {
        let more = match &step.kind {
            StepKind::Node { nodes, actions } if nodes.contains(&client) => {
                let opens = |action: &&Action| match (action.command(), action.fault()) {
                    (Some(command), _) => matches!(command, Command::Connect(_) | Command::Open),
                    (_, fault) => restarts && fault == Some(NodeFault::Restart),
                };
                actions.iter().filter(opens).count() as u64
            }
            StepKind::Repeat { times, steps } => times.saturating_mul(opened_in(client, steps, restarts)?),
            StepKind::Every { times, per_round, steps, .. } | StepKind::Whenever { times, per_round, steps, .. } => {
                match (opened_in(client, steps, restarts)?, times) {
                    (0, _) => 0,
                    (all, Some(_)) if per_round.is_some() => all,
                    (once, Some(times)) => times.saturating_mul(once),
                    (_, None) => return None,
                }
            }
            _ => 0,
        };
        sum = sum.saturating_add(more);
    }
    Some(sum)
}
