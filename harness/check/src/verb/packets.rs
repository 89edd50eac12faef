use super::VerbMatch;
use super::near::Near;
use crate::plan::{NodeId, PacketPattern};
use crate::trace::{Event, EventKind, Transmission, differences, kind_matches, pattern_matches};

/// `receives` and `sends`: packets of one node. Several patterns are an order with others between, and count as one
/// when the last of them has come; the order begins again after that.
#[derive(Clone, Debug)]
pub(crate) struct Packets {
    node: NodeId,
    is_sent: bool,
    patterns: Vec<PacketPattern>,
    /// The other end, if only packets of one count.
    peer: Option<NodeId>,
    /// The pattern that is to be matched next.
    next: usize,
    near: Near,
}

impl Packets {
    pub(super) fn received(node: NodeId, patterns: Vec<PacketPattern>, from: Option<NodeId>) -> Self {
        Self { node, is_sent: false, patterns, peer: from, next: 0, near: Near::default() }
    }

    pub(super) fn sent(node: NodeId, patterns: Vec<PacketPattern>, to: Option<NodeId>) -> Self {
        Self { node, is_sent: true, patterns, peer: to, next: 0, near: Near::default() }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<VerbMatch> {
        let (is_sent, node, peer, item) = match &event.kind {
            EventKind::Sent { from, to, item, .. } => (true, *from, *to, item),
            EventKind::Received { from, to, item, .. } => (false, *to, *from, item),
            _ => return None,
        };
        let Transmission::Packet(packet) = item else { return None };
        if is_sent != self.is_sent || node != self.node || self.peer.is_some_and(|wanted| wanted != peer) {
            return None;
        }
        let pattern = self.patterns.get(self.next)?;
        if !pattern_matches(pattern, packet) {
            if kind_matches(pattern.packet, packet) {
                self.near.meets(&packet.packet_type().to_string(), event.at, &differences(&pattern.fields, packet));
            }
            return None;
        }
        self.next += 1;
        if self.next < self.patterns.len() {
            return None;
        }
        self.next = 0;
        Some(VerbMatch { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.text()
    }
}

/// "PUBLISH", or for an order "PUBLISH then PUBREL".
pub(super) fn text(patterns: &[PacketPattern]) -> String {
    patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" then ")
}
