use std::time::Duration;

use halfopen_protocol::{Packet, ReasonCode};

use crate::plan::{ClientState, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Item, NodeChange};

/// `is`: the state of a client over time, as it can know it itself. A half-open connection is one for its client.
#[derive(Clone, Debug)]
pub(crate) struct States {
    /// Changes, in order; the first is at 0.
    changes: Vec<(Duration, ClientState)>,
}

impl States {
    /// The states of `node` in the run with these events.
    pub(crate) fn new<'a>(node: NodeId, events: impl IntoIterator<Item = &'a Event>) -> Self {
        let mut changes = vec![(Duration::ZERO, ClientState::Disconnected)];
        let mut connected: Option<ConnectionId> = None;
        for event in events {
            let state = match &event.kind {
                EventKind::Received { connection, to, item: Item::Packet(Packet::ConnAck(connack)), .. }
                    if *to == node && connack.reason == ReasonCode::SUCCESS =>
                {
                    connected = Some(*connection);
                    ClientState::Connected
                }
                EventKind::Closing { connection, node: at, .. }
                | EventKind::Sent { connection, from: at, item: Item::Fin | Item::Rst, .. }
                | EventKind::Received { connection, to: at, item: Item::Fin | Item::Rst | Item::TimedOut, .. }
                    if *at == node && connected == Some(*connection) =>
                {
                    connected = None;
                    ClientState::Disconnected
                }
                EventKind::Node { node: at, change } if *at == node => {
                    connected = None;
                    match change {
                        NodeChange::Crashed | NodeChange::PowerLost => ClientState::Down,
                        NodeChange::Restarted => ClientState::Disconnected,
                    }
                }
                _ => continue,
            };
            // A dying process still sends FIN: that makes it no less dead.
            changes.push((event.at, state));
        }
        Self { changes }
    }

    /// The state at this time, after all that happened then.
    pub(crate) fn at(&self, at: Duration) -> ClientState {
        let after = self.changes.partition_point(|(changed, _)| *changed <= at);
        self.changes[after.max(1) - 1].1
    }

    /// When the node is first in `state` from `from` to `to`, both included; what was at `from` counts.
    pub(crate) fn first(&self, state: ClientState, from: Duration, to: Duration) -> Option<Duration> {
        if self.at(from) == state {
            return Some(from);
        }
        let later = |(changed, new): &&(Duration, ClientState)| *changed > from && *changed <= to && *new == state;
        self.changes.iter().find(later).map(|(changed, _)| *changed)
    }

    /// When the node is first in another state than `state` from `from` to `to`, both included.
    pub(crate) fn first_other(&self, state: ClientState, from: Duration, to: Duration) -> Option<Duration> {
        let mut other = [ClientState::Connected, ClientState::Disconnected, ClientState::Down]
            .into_iter()
            .filter(|&other| other != state)
            .filter_map(|other| self.first(other, from, to))
            .collect::<Vec<_>>();
        other.sort();
        other.first().copied()
    }

    /// When the node was first connected.
    pub(crate) fn first_connected(&self) -> Option<Duration> {
        self.changes.iter().find(|(_, state)| *state == ClientState::Connected).map(|(at, _)| *at)
    }
}

/// The word of the scenario language.
pub(crate) fn state_text(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "connected",
        ClientState::Disconnected => "disconnected",
        ClientState::Down => "down",
    }
}
