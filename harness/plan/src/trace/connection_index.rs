use std::collections::BTreeMap;

use super::{ConnectionId, Event, EventKind, Transmission};
use crate::{NodeId, NthConnection};

/// The names of connections as in scenarios: `sensor#2` is the second of its client.
///
/// It must see all events from the first of the run on.
#[derive(Clone, Debug, Default)]
pub struct ConnectionIndex {
    connections: BTreeMap<ConnectionId, NthConnection>,
    counts: BTreeMap<NodeId, u32>,
}

impl ConnectionIndex {
    /// Returns all that were opened in these events.
    pub fn of(events: &[Event]) -> Self {
        let mut opened = Self::default();
        events.iter().for_each(|event| opened.feed(event));
        opened
    }

    /// Looks at the next event.
    pub fn feed(&mut self, event: &Event) {
        if let EventKind::Sent { connection, from, item: Transmission::Open, .. } = &event.kind {
            let number = self.counts.entry(*from).or_default();
            *number += 1;
            self.connections.insert(*connection, NthConnection { client: *from, number: *number });
        }
    }

    /// Returns whether the connection has been opened.
    pub fn has(&self, connection: NthConnection) -> bool {
        self.counts.get(&connection.client).is_some_and(|count| *count >= connection.number)
    }

    /// Returns what scenarios call this connection.
    pub fn get(&self, connection: ConnectionId) -> Option<NthConnection> {
        self.connections.get(&connection).copied()
    }

    /// Returns whether an event may count where only what happens on one of these connections does: it happens on one
    /// of them, or on no connection at all. Everything does if there are none.
    pub fn is_on(&self, event: &Event, on: &[NthConnection]) -> bool {
        let Some(connection) = event.connection() else { return true };
        on.is_empty() || self.get(connection).is_some_and(|connection| on.contains(&connection))
    }
}

impl Event {
    /// Returns the node at which it happens, if it happens at one.
    pub fn node(&self) -> Option<NodeId> {
        match &self.kind {
            EventKind::Sent { from: node, .. }
            | EventKind::Received { to: node, .. }
            | EventKind::Established { node, .. }
            | EventKind::Closing { node, .. }
            | EventKind::Delivered { node, .. }
            | EventKind::Connected { node, .. }
            | EventKind::Holds { node, .. }
            | EventKind::Node { node, .. } => Some(*node),
            EventKind::Step { .. } | EventKind::Mark(_) | EventKind::StepFailed { .. } | EventKind::FaultHit { .. } => {
                None
            }
        }
    }

    /// Returns the nodes that it is about: where it happens, or where something comes from and goes to.
    pub fn nodes(&self) -> [Option<NodeId>; 2] {
        match &self.kind {
            EventKind::Sent { from, to, .. } | EventKind::Received { from, to, .. } => [Some(*from), Some(*to)],
            EventKind::Closing { node, peer, .. } => [Some(*node), Some(*peer)],
            EventKind::Node { node, .. }
            | EventKind::Established { node, .. }
            | EventKind::Delivered { node, .. }
            | EventKind::Connected { node, .. }
            | EventKind::Holds { node, .. } => [Some(*node), None],
            EventKind::Step { .. } | EventKind::Mark(_) | EventKind::StepFailed { .. } | EventKind::FaultHit { .. } => {
                [None, None]
            }
        }
    }

    /// The connection on which it happens, if it happens on one.
    pub fn connection(&self) -> Option<ConnectionId> {
        match &self.kind {
            EventKind::Sent { connection, .. }
            | EventKind::Received { connection, .. }
            | EventKind::Established { connection, .. }
            | EventKind::Closing { connection, .. } => Some(*connection),
            _ => None,
        }
    }
}
