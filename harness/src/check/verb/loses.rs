use std::collections::BTreeMap;

use super::Match;
use super::closes::how_text;
use crate::plan::{CloseHow, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Item};

/// `loses`: the node sees its connection with the peer end before it ends it itself.
#[derive(Clone, Debug)]
pub(crate) struct Loses {
    node: NodeId,
    peer: NodeId,
    how: Option<CloseHow>,
    /// Connections of the node, and whether they are still up.
    connections: BTreeMap<ConnectionId, bool>,
    near: Option<String>,
}

impl Loses {
    pub(super) fn new(node: NodeId, peer: NodeId, how: Option<CloseHow>) -> Self {
        Self { node, peer, how, connections: BTreeMap::new(), near: None }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<Match> {
        match &event.kind {
            EventKind::Established { connection, node } if *node == self.node => {
                self.connections.entry(*connection).or_insert(true);
            }
            EventKind::Received { connection, from, to, item, .. } if *to == self.node && *from == self.peer => {
                if item.close().is_some() {
                    let was_up = self.connections.insert(*connection, false) == Some(true);
                    return was_up.then(|| self.end(index, event, item.close())).flatten();
                }
                // What arrives shows that the connection is up, also where the engine does not say so.
                self.connections.entry(*connection).or_insert(true);
            }
            EventKind::Sent { connection, from, item: Item::Fin | Item::Rst, .. } if *from == self.node => {
                self.connections.insert(*connection, false);
            }
            EventKind::Closing { node, connection, .. } if *node == self.node => {
                self.connections.insert(*connection, false);
            }
            _ => {}
        }
        None
    }

    fn end(&mut self, index: usize, event: &Event, how: Option<CloseHow>) -> Option<Match> {
        if self.how.is_some() && self.how != how {
            self.near.get_or_insert_with(|| format!("an end{} at {:.3}", how_text(how), event.at.as_secs_f64()));
            return None;
        }
        Some(Match { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.as_deref()
    }
}
