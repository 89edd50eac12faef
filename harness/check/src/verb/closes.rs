use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::{Packet, ReasonCode};

use super::VerbMatch;
use crate::plan::{Because, CloseHow, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Transmission};

/// `closes`: the node ends its connection with the peer before it sees the peer end it.
///
/// It is timed at the node's statement, which alone knows the cause, but counts only once FIN or RST has left: what a
/// program says is not what it does. A connection that was never up is ended by the statement alone, for then there is
/// nothing to send.
#[derive(Clone, Debug)]
pub(crate) struct Closes {
    node: NodeId,
    peer: NodeId,
    because: Option<Because>,
    how: Option<CloseHow>,
    /// Connections between the two that have not ended.
    open: BTreeMap<ConnectionId, Connection>,
    near: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Connection {
    is_up: bool,
    stated: Option<Stated>,
    /// The reason of a DISCONNECT, or of a CONNACK that refuses.
    said: Option<ReasonCode>,
}

#[derive(Clone, Copy, Debug)]
struct Stated {
    index: usize,
    at: Duration,
    because: Because,
}

impl Closes {
    pub(super) fn new(node: NodeId, peer: NodeId, because: Option<Because>, how: Option<CloseHow>) -> Self {
        Self { node, peer, because, how, open: BTreeMap::new(), near: None }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<VerbMatch> {
        match &event.kind {
            EventKind::Sent { connection, from, to, item, .. } if *from == self.node && *to == self.peer => {
                self.feed_sent(index, event.at, *connection, item)
            }
            EventKind::Received { connection, from, to, item, .. } if *to == self.node && *from == self.peer => {
                self.feed_received(*connection, item);
                None
            }
            EventKind::Established { connection, node } if *node == self.node => {
                if let Some(open) = self.open.get_mut(connection) {
                    open.is_up = true;
                }
                None
            }
            EventKind::Closing { node, peer, connection, because, .. } if *node == self.node && *peer == self.peer => {
                let open = self.open.get_mut(connection)?;
                open.stated.get_or_insert(Stated { index, at: event.at, because: *because });
                if open.is_up { None } else { self.end(*connection, index, event.at, None) }
            }
            _ => None,
        }
    }

    fn feed_sent(
        &mut self,
        index: usize,
        at: Duration,
        connection: ConnectionId,
        item: &Transmission,
    ) -> Option<VerbMatch> {
        match item {
            Transmission::Open => {
                self.open.insert(connection, Connection::default());
            }
            Transmission::Packet(packet) => match &**packet {
                Packet::Disconnect(disconnect) => self.say(connection, disconnect.reason),
                Packet::ConnAck(connack) if connack.reason != ReasonCode::SUCCESS => {
                    self.say(connection, connack.reason);
                }
                _ => {}
            },
            Transmission::Fin | Transmission::Rst => return self.end(connection, index, at, item.close()),
            Transmission::Bytes(_) | Transmission::WebSocket(_) | Transmission::TimedOut => {}
        }
        None
    }

    fn feed_received(&mut self, connection: ConnectionId, item: &Transmission) {
        match item {
            Transmission::Open => {
                self.open.insert(connection, Connection { is_up: true, ..Connection::default() });
            }
            Transmission::Packet(_) | Transmission::Bytes(_) | Transmission::WebSocket(_) => {
                if let Some(open) = self.open.get_mut(&connection) {
                    open.is_up = true;
                }
            }
            // The peer was first, unless the node has said before that it closes.
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut => {
                if self.open.get(&connection).is_some_and(|open| open.stated.is_none()) {
                    self.open.remove(&connection);
                }
            }
        }
    }

    fn say(&mut self, connection: ConnectionId, reason: ReasonCode) {
        if let Some(open) = self.open.get_mut(&connection) {
            open.said = Some(reason);
        }
    }

    fn end(
        &mut self,
        connection: ConnectionId,
        index: usize,
        at: Duration,
        how: Option<CloseHow>,
    ) -> Option<VerbMatch> {
        let ended = self.open.remove(&connection)?;
        let (index, at) = ended.stated.map_or((index, at), |stated| (stated.index, stated.at));
        let because = ended.stated.map(|stated| stated.because);
        if self.because.is_some() && self.because != because {
            let because =
                because.map_or("for no stated cause".to_owned(), |because| format!("because {}", because.word()));
            self.near.get_or_insert_with(|| format!("a close {because} at {:.3}", at.as_secs_f64()));
            return None;
        }
        if self.how.is_some() && self.how != how {
            self.near.get_or_insert_with(|| format!("a close{} at {:.3}", how_text(how), at.as_secs_f64()));
            return None;
        }
        Some(VerbMatch { index, at, said: ended.said })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.as_deref()
    }
}

/// " by fin", or nothing where it is not said.
pub(super) fn how_text(how: Option<CloseHow>) -> &'static str {
    match how {
        Some(CloseHow::Fin) => " by fin",
        Some(CloseHow::Rst) => " by rst",
        Some(CloseHow::Timeout) => " by timeout",
        None => "",
    }
}
