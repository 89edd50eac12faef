use super::VerbMatch;
use crate::plan::NodeId;
use crate::trace::{Event, EventKind, Transmission};

/// `attempts`: the node tries to open a connection to the peer. An attempt counts when its first SYN is sent, whatever
/// becomes of it.
#[derive(Clone, Debug)]
pub(crate) struct Attempts {
    node: NodeId,
    peer: NodeId,
}

impl Attempts {
    pub(super) fn new(node: NodeId, peer: NodeId) -> Self {
        Self { node, peer }
    }

    pub(super) fn feed(&self, index: usize, event: &Event) -> Option<VerbMatch> {
        match &event.kind {
            EventKind::Sent { from, to, item: Transmission::Open, .. } if *from == self.node && *to == self.peer => {
                Some(VerbMatch { index, at: event.at, said: None })
            }
            _ => None,
        }
    }
}
