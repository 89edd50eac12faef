//! Single connections: `sensor#2` is the second that sensor opens in the run.

use crate::plan::{
    Action, Command, Expectation, Moment, Node as PlanNode, NodeFault, NodeId, NthConnection, Program, Step, StepKind,
    Verb,
};

use super::action::ACTIONS;
use super::keys::{Key, Takes, key};
use super::names::{Names, Role};
use super::reader::Reader;
use super::suggest::did_you_mean;
use super::tree::Node;

/// The key behind which an action or an expectation says on which connection.
pub(super) const CONNECTION: Key =
    key("connection", "beside an action of a raw peer: on which of its connections, `sensor#2`")
        .takes(Takes::Connection)
        .or("the latest");

/// What of a raw peer is done on a connection that is there already.
pub(super) const DONE_ON_ONE: [&str; 7] =
    ["send", "receive", "close", "disconnect", "publish", "subscribe", "unsubscribe"];

/// The name of a node, and the number of the connection if one is named.
pub(super) fn split(word: &str) -> Result<(&str, Option<u32>), String> {
    let Some((name, digits)) = word.split_once('#') else { return Ok((word, None)) };
    match digits.parse::<u32>() {
        Ok(number) if number > 0 => Ok((name, Some(number))),
        _ => Err(format!("`{word}` names no connection; they are counted from 1, as in `{name}#1`")),
    }
}

impl Reader<'_> {
    /// `sensor#2`; of a group the second of each member.
    pub(super) fn connection(&self, node: &Node) -> Option<Vec<NthConnection>> {
        let text = self.scalar(node, "a connection, such as `sensor#2`")?;
        let (name, number) = match split(text) {
            Ok((name, Some(number))) => (name, number),
            Ok((name, None)) => {
                let hint =
                    if self.names.nodes.contains_key(name) { format!("`{name}#1`") } else { "`sensor#2`".into() };
                self.error(node, format!("expected a connection, such as {hint}, found `{text}`"));
                return None;
            }
            Err(message) => {
                self.error(node, message);
                return None;
            }
        };
        let Some(clients) = self.names.nodes.get(name) else {
            if !self.names.is_silent(name) {
                let clients = self.names.of_nodes().filter(|name| !self.is_broker(name));
                self.error(node, format!("unknown node `{name}`{}", did_you_mean(name, clients)));
            }
            return None;
        };
        if let Some(message) = clients.iter().find_map(|id| no_opener(self.names, *id)) {
            self.error(node, message);
            return None;
        }
        let named: Vec<_> = clients.iter().map(|&client| NthConnection { client, number }).collect();
        self.names_connections(node, &named);
        Some(named)
    }

    /// Reports a connection that neither end of what is expected has opened.
    pub(super) fn is_between(&self, node: &Node, expectation: &Expectation) -> Option<()> {
        let peer = match expectation.verb {
            Verb::Closes { peer, .. } | Verb::Loses { peer, .. } => Some(peer),
            _ => expectation.to.or(expectation.from),
        };
        let is_end = |id: NodeId| expectation.nodes.contains(&id) || peer == Some(id);
        let who = expectation.nodes.iter().copied().chain(peer).filter(|id| !self.names.role(*id).is_broker());
        let Some(stray) = expectation.on.iter().find(|on| !is_end(on.client)) else { return Some(()) };
        if peer.is_none() && expectation.nodes.iter().all(|id| self.names.role(*id).is_broker()) {
            return Some(());
        }
        let stray = format!("{}#{}", self.names.list[stray.client.0].0, stray.number);
        let who: Vec<_> = who.map(|id| self.names.list[id.0].0.as_str()).collect();
        self.error(node, format!("`{stray}` is no connection of `{}`", who.join("`, `")));
        None
    }

    fn is_broker(&self, name: &str) -> bool {
        self.names.nodes.get(name).is_some_and(|ids| ids.iter().any(|id| self.names.role(*id).is_broker()))
    }

    /// Remembers that they were spoken of, to be looked for when the whole story is known.
    pub(super) fn names_connections(&self, node: &Node, named: &[NthConnection]) {
        self.connections.borrow_mut().extend(named.iter().map(|one| (*one, node.span)));
    }

    /// The connection that a moment speaks of is remembered, too.
    pub(super) fn of_moment(&self, node: &Node, moment: Moment) -> Option<Moment> {
        if let Some(connection) = moment.event.connection() {
            if let Some(message) = no_opener(self.names, connection.client) {
                self.error(node, message);
                return None;
            }
            self.names_connections(node, &[connection]);
        }
        Some(moment)
    }

    /// An action done on the connection that stands beside it.
    pub(super) fn on_connection(
        &self,
        word: &Node,
        connection: &Node,
        nodes: &[NodeId],
        action: Action,
    ) -> Option<Action> {
        let name = word.text().unwrap_or_default();
        if !DONE_ON_ONE.contains(&name) {
            let known = ACTIONS.iter().map(|action| action.name).filter(|action| DONE_ON_ONE.contains(action));
            let known = super::suggest::one_of(known);
            self.error(connection, format!("`connection` belongs to {known}, not to `{name}`"));
            return None;
        }
        // None of those that may stand on a connection is a fault.
        let Action::Command { command, .. } = action else { return None };
        let on = self.connection(connection)?;
        for &node in nodes {
            let role = self.names.role(node);
            if !matches!(role, Role::RawClient | Role::RawBroker) {
                let role = role.with_article();
                self.error(connection, format!("`connection` is for raw peers; {role} has one connection at a time"));
                return None;
            }
            let is_own =
                |one: &NthConnection| one.client == node || self.names.broker_of.get(&one.client) == Some(&node);
            if !on.iter().any(is_own) {
                let text = connection.text().unwrap_or_default();
                self.error(connection, format!("`{}` is at no end of `{text}`", self.names.list[node.0].0));
                return None;
            }
        }
        Some(Action::Command { command, on })
    }

    /// Reports the connections that nobody opens in this story, as far as it can be known.
    pub(super) fn check_connections(&self, nodes: &[PlanNode], steps: &[&[Step]]) {
        for (named, span) in self.connections.borrow().iter() {
            let Some(most) = most_opened(named.client, nodes, steps) else { continue };
            if u64::from(named.number) <= most {
                continue;
            }
            let name = &self.names.list[named.client.0].0;
            let message = match most {
                0 => format!("`{name}` opens no connection in this story"),
                1 => format!("`{name}` opens one connection in this story; did you mean `{name}#1`?"),
                most => format!("`{name}` opens {most} connections in this story; did you mean `{name}#{most}`?"),
            };
            self.sink.push(*span, message, Some(super::reference::see("a connection")));
        }
    }
}

/// Why no connection is named after this node, if none is.
pub(super) fn no_opener(names: &Names, id: NodeId) -> Option<String> {
    if !names.role(id).is_broker() {
        return None;
    }
    let client = names.ids().find(|client| names.broker_of.get(client) == Some(&id));
    let hint = client.map(|client| format!(", as in `{}#1`", names.list[client.0].0)).unwrap_or_default();
    let name = &names.list[id.0].0;
    Some(format!("`{name}` opens no connections; one is named after the client that opens it{hint}"))
}

/// How many connections a client opens at most; none if that depends on what happens.
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
                let opens = |action: &&Action| match action {
                    Action::Command { command, .. } => matches!(command, Command::Connect(_) | Command::Open),
                    Action::Fault(fault) => restarts && *fault == NodeFault::Restart,
                };
                actions.iter().filter(opens).count() as u64
            }
            StepKind::Repeat { times, steps } => times.saturating_mul(opened_in(client, steps, restarts)?),
            StepKind::Every { times, steps, .. } => match (opened_in(client, steps, restarts)?, times) {
                (0, _) => 0,
                (once, Some(times)) => times.saturating_mul(once),
                (_, None) => return None,
            },
            _ => 0,
        };
        sum = sum.saturating_add(more);
    }
    Some(sum)
}
