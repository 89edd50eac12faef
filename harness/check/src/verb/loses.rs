use std::collections::BTreeMap;

use halfopen_protocol::Packet;

use super::VerbMatch;
use super::closes::how_text;
use crate::plan::{CloseHow, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Transmission};

/// `loses`: the node sees its connection with the peer end before it ends it itself.
///
/// Who has a DISCONNECT from the peer has seen the end, and may close at once without waiting for the FIN behind it:
/// that is a loss in order, too.
#[derive(Clone, Debug)]
pub(crate) struct Loses {
    node: NodeId,
    peer: NodeId,
    how: Option<CloseHow>,
    /// Connections of the node.
    connections: BTreeMap<ConnectionId, State>,
    near: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Up,
    /// The peer has said goodbye.
    Left,
    Ended,
}

impl Loses {
    pub(super) fn new(node: NodeId, peer: NodeId, how: Option<CloseHow>) -> Self {
        Self { node, peer, how, connections: BTreeMap::new(), near: None }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<VerbMatch> {
        match &event.kind {
            EventKind::Established { connection, node } if *node == self.node => {
                self.connections.entry(*connection).or_insert(State::Up);
            }
            EventKind::Received { connection, from, to, item, .. } if *to == self.node && *from == self.peer => {
                if item.close().is_some() {
                    let was = self.connections.insert(*connection, State::Ended);
                    let is_loss = matches!(was, Some(State::Up | State::Left));
                    return is_loss.then(|| self.end(index, event, item.close())).flatten();
                }
                // What arrives shows that the connection is up, also where the engine does not say so.
                let state = self.connections.entry(*connection).or_insert(State::Up);
                if matches!(item.packet(), Some(Packet::Disconnect(_))) && *state == State::Up {
                    *state = State::Left;
                }
            }
            EventKind::Sent { connection, from: node, item: Transmission::Fin | Transmission::Rst, .. }
            | EventKind::Closing { connection, node, .. }
                if *node == self.node =>
            {
                let was = self.connections.insert(*connection, State::Ended);
                return (was == Some(State::Left)).then(|| self.end(index, event, Some(CloseHow::Fin))).flatten();
            }
            _ => {}
        }
        None
    }

    fn end(&mut self, index: usize, event: &Event, how: Option<CloseHow>) -> Option<VerbMatch> {
        if self.how.is_some() && self.how != how {
            self.near.get_or_insert_with(|| format!("an end{} at {:.3}", how_text(how), event.at.as_secs_f64()));
            return None;
        }
        Some(VerbMatch { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.as_deref()
    }
}
