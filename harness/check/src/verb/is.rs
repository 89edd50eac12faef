use halfopen_protocol::{Packet, ReasonCode};

use super::Timeline;
use crate::plan::{ClientState, NodeFault, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Transmission};

/// Returns the state of a client over time, as it can know it itself. A half-open connection is one for its client.
pub(super) fn timeline<'a>(wanted: ClientState, node: NodeId, events: impl IntoIterator<Item = &'a Event>) -> Timeline {
    let in_words = |state| (state == wanted, state_text(state).to_owned());
    let (is_wanted, text) = in_words(ClientState::Disconnected);
    let mut timeline = Timeline::new(is_wanted, text);
    let mut current: Option<ConnectionId> = None;
    for event in events {
        if let Some(state) = state_after(node, &mut current, &event.kind) {
            let (is_wanted, text) = in_words(state);
            timeline.change(event.at, is_wanted, text);
        }
    }
    timeline
}

/// Returns whether this is a CONNACK that accepts a connection.
pub(crate) fn accepts(item: &Transmission) -> bool {
    matches!(item.packet(), Some(Packet::ConnAck(connack)) if connack.reason == ReasonCode::SUCCESS)
}

/// Returns what an event makes of the state; `current` is the connection that is being opened or is up.
fn state_after(node: NodeId, current: &mut Option<ConnectionId>, event: &EventKind) -> Option<ClientState> {
    match event {
        EventKind::Sent { connection, from, item: Transmission::Open, .. } if *from == node => {
            *current = Some(*connection);
            Some(ClientState::Connecting)
        }
        EventKind::Received { connection, to, item, .. } if *to == node && accepts(item) => {
            *current = Some(*connection);
            Some(ClientState::Connected)
        }
        EventKind::Closing { connection, node: at, .. }
        | EventKind::Sent { connection, from: at, item: Transmission::Fin | Transmission::Rst, .. }
        | EventKind::Received {
            connection,
            to: at,
            item: Transmission::Fin | Transmission::Rst | Transmission::TimedOut,
            ..
        } if *at == node && *current == Some(*connection) => {
            *current = None;
            Some(ClientState::Disconnected)
        }
        // A dying process still sends FIN: that makes it no less dead.
        EventKind::Node { node: at, change } if change.ends_process() && *at == node => {
            *current = None;
            Some(ClientState::Down)
        }
        EventKind::Node { node: at, change: NodeFault::Restart } if *at == node => {
            *current = None;
            Some(ClientState::Disconnected)
        }
        _ => None,
    }
}

/// The word of the scenario language.
pub(crate) fn state_text(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "connected",
        ClientState::Connecting => "connecting",
        ClientState::Disconnected => "disconnected",
        ClientState::Down => "down",
    }
}
