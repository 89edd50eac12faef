use crate::plan::NodeId;
use crate::record::Recorder;
use crate::trace::{Event, EventKind, Item, Opened};

/// The events of the run by the node whose steps may wait for them, so that no wait looks at the events of others.
pub(super) struct Inboxes {
    /// For each node, the places of its events in the trace.
    places: Vec<Vec<usize>>,
    /// The nodes of all these events, in the order of the events.
    nodes: Vec<NodeId>,
    /// Number of events of the trace that have been sorted in.
    sorted: usize,
    /// Which connections have been opened.
    pub(super) opened: Opened,
}

impl Inboxes {
    /// Creates the inboxes of this many nodes.
    pub(super) fn new(nodes: usize) -> Self {
        Self { places: vec![Vec::new(); nodes], nodes: Vec::new(), sorted: 0, opened: Opened::default() }
    }

    /// Sorts in what has been recorded since the last call.
    pub(super) fn update(&mut self, recorder: &Recorder) {
        recorder.with_events(|events| {
            for (place, event) in events.iter().enumerate().skip(self.sorted) {
                self.opened.feed(event);
                if let Some(node) = node_of(event) {
                    self.places[node.0].push(place);
                    self.nodes.push(node);
                }
            }
            self.sorted = events.len();
        });
    }

    /// Returns an event of a node by its number among the node's events.
    pub(super) fn event<'a>(&self, events: &'a [Event], node: NodeId, number: usize) -> Option<&'a Event> {
        self.places[node.0].get(number).map(|place| &events[*place])
    }

    /// Returns the number of events of a node.
    pub(super) fn len(&self, node: NodeId) -> usize {
        self.places[node.0].len()
    }

    /// Returns the nodes of the events after the given number of events, and the number of all.
    pub(super) fn nodes_since(&self, seen: usize) -> (&[NodeId], usize) {
        (&self.nodes[seen..], self.nodes.len())
    }
}

/// Returns the node whose steps may wait for an event.
fn node_of(event: &Event) -> Option<NodeId> {
    match &event.kind {
        EventKind::Sent { from, item: Item::Open, .. } => Some(*from),
        EventKind::Established { node, .. } | EventKind::Node { node, .. } => Some(*node),
        EventKind::Received { to, .. } => Some(*to),
        _ => None,
    }
}
