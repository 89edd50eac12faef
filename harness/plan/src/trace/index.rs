//! The events of a finished run by node and by connection, so that nobody looks for them in all the others.

use std::borrow::Cow;

use super::find::{Finder, Occurrence, Perspective};
use super::{ConnectionId, ConnectionIndex, Event, EventKind, Transmission};
use crate::{EventRef, NodeId, Plan};

/// The events of a run by the nodes and the connections that they are about.
///
/// It does not hold the events: it names each by its place in the list that it was made of, from 0. That is a whole
/// trace, or what is kept of one.
#[derive(Clone, Debug)]
pub struct TraceIndex {
    /// The events that happen at each node.
    at: Vec<Vec<u32>>,
    /// The events at each node that name no other.
    alone: Vec<Vec<u32>>,
    /// The events about each node: those at it, and those at another node that it sent or is sent.
    about: Vec<Vec<u32>>,
    /// The events that concern every node.
    common: Vec<u32>,
    /// The instants that are named.
    marks: Vec<u32>,
    names: ConnectionIndex,
    /// All connections in the order of their identifiers.
    connections: Vec<IndexedConnection>,
}

/// The events of one connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedConnection {
    /// The connection.
    pub id: ConnectionId,
    /// The node that opened it, and the one to which.
    pub nodes: [NodeId; 2],
    /// The places of all events that happen on it, in order.
    pub events: Vec<u32>,
    /// The two ends, in the order of `nodes`.
    pub ends: [ConnectionEnd; 2],
}

/// The begin and end of a connection as one node saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// The place of the event by which it was opened or accepted. `None` if that never happened at this node.
    pub opened: Option<u32>,
    /// The place of the first event that ended it at this node: FIN, RST or a time-out, sent or received, or the death
    /// of the node. `None` if it was still open when the run ended.
    pub closed: Option<u32>,
}

impl TraceIndex {
    /// Sorts these events of a run of `plan`. They must begin with the first that the run has of each connection.
    pub fn new<'e>(plan: &Plan, events: impl IntoIterator<Item = &'e Event>) -> Self {
        let of_nodes = || vec![Vec::new(); plan.nodes.len()];
        let mut index = Self {
            at: of_nodes(),
            alone: of_nodes(),
            about: of_nodes(),
            common: Vec::new(),
            marks: Vec::new(),
            names: ConnectionIndex::default(),
            connections: Vec::new(),
        };
        for (place, event) in (0..).zip(events) {
            index.add(plan, place, event);
        }
        index
    }

    fn add(&mut self, plan: &Plan, place: u32, event: &Event) {
        self.names.feed(event);
        if matches!(event.kind, EventKind::Mark(_)) {
            self.marks.push(place);
        }
        if let Some(at) = event.node().and_then(|node| self.at.get_mut(node.0)) {
            at.push(place);
        }
        if let [Some(node), None] = event.nodes()
            && let Some(alone) = self.alone.get_mut(node.0)
        {
            alone.push(place);
        }
        if Finder::is_seen_by_all(plan, event) {
            self.common.push(place);
        } else {
            let [first, second] = event.nodes();
            for node in first.into_iter().chain(second.filter(|_| second != first)) {
                self.about[node.0].push(place);
            }
        }
        self.add_to_connections(place, event);
    }

    fn add_to_connections(&mut self, place: u32, event: &Event) {
        if let EventKind::Node { node, change } = &event.kind
            && change.ends_process()
        {
            return self.end_all(*node, place);
        }
        let Some(id) = event.connection() else { return };
        let at = match self.connections.binary_search_by_key(&id, |connection| connection.id) {
            Ok(at) => at,
            Err(at) => {
                let [Some(first), Some(second)] = event.nodes() else { return };
                let nodes = [first, second];
                let connection = IndexedConnection { id, nodes, events: Vec::new(), ends: Default::default() };
                self.connections.insert(at, connection);
                at
            }
        };
        let connection = &mut self.connections[at];
        connection.events.push(place);
        let (EventKind::Sent { item, .. } | EventKind::Received { item, .. }) = &event.kind else { return };
        let Some(end) = event.node().and_then(|node| connection.end_mut(node)) else { return };
        if *item == Transmission::Open {
            *end = ConnectionEnd { opened: Some(place), closed: None };
        } else if item.close().is_some() && end.opened.is_some() {
            end.closed.get_or_insert(place);
        }
    }

    /// The death of a node ends all of its connections, as it sees them.
    fn end_all(&mut self, node: NodeId, place: u32) {
        for end in self.connections.iter_mut().filter_map(|connection| connection.end_mut(node)) {
            if end.opened.is_some() {
                end.closed.get_or_insert(place);
            }
        }
    }

    /// Returns the places of the events that happen at a node, in order.
    pub fn at(&self, node: NodeId) -> &[u32] {
        self.at.get(node.0).map_or(&[], Vec::as_slice)
    }

    /// Returns the places of the events at a node that happen with this peer, or with nobody else, in order; of all at the
    /// node without a peer. Events at other nodes, or with other peers, may be among them.
    pub fn between(&self, node: NodeId, peer: Option<NodeId>) -> Cow<'_, [u32]> {
        let about = peer.and_then(|peer| self.about.get(peer.0));
        match about.filter(|about| about.len() < self.at(node).len()) {
            // A broker has events with many peers, and a client with few.
            Some(about) => merge(about, &self.alone[node.0]).collect(),
            None => Cow::Borrowed(self.at(node)),
        }
    }

    /// Returns what scenarios call the connections of the run.
    pub fn names(&self) -> &ConnectionIndex {
        &self.names
    }

    /// Returns all connections of the run, in the order in which they were opened.
    pub fn connections(&self) -> &[IndexedConnection] {
        &self.connections
    }

    /// Returns all occurrences of an event, as [`occurrences`](super::find::occurrences) does, by a look at the events
    /// of one node alone where that is enough. `event_at` returns the event at a place, and its index in the trace.
    pub fn occurrences<'e>(
        &self,
        plan: &Plan,
        event: &EventRef,
        viewer: Perspective,
        events: usize,
        event_at: impl Fn(usize) -> (usize, &'e Event),
    ) -> Vec<Occurrence> {
        let mut finder = Finder::new(plan, event, viewer);
        let start = (*event == EventRef::Start).then_some(Occurrence { index: None, at: std::time::Duration::ZERO });
        let mut found: Vec<Occurrence> = start.into_iter().collect();
        let subject = finder.subject();
        let mut feed = |place: usize| {
            let (index, event) = event_at(place);
            if finder.feed(event) {
                found.push(Occurrence { index: Some(index), at: event.at });
            }
        };
        match subject {
            // They are no events.
            None if matches!(event, EventRef::Start | EventRef::End) => {}
            None if matches!(event, EventRef::Mark(_)) => self.marks.iter().for_each(|place| feed(*place as usize)),
            Some(node) => self.about(node).for_each(|place| feed(place as usize)),
            None => (0..events).for_each(feed),
        }
        found
    }

    /// Returns the places of the events about a node and of those that concern all, in order.
    fn about(&self, node: NodeId) -> impl Iterator<Item = u32> {
        merge(&self.about[node.0], &self.common)
    }
}

/// Returns the places of both lists, in order.
fn merge<'a>(one: &'a [u32], other: &'a [u32]) -> impl Iterator<Item = u32> + use<'a> {
    let (mut one, mut other) = (one.iter().copied().peekable(), other.iter().copied().peekable());
    std::iter::from_fn(move || match (one.peek(), other.peek()) {
        (Some(first), Some(second)) if second < first => other.next(),
        (None, _) => other.next(),
        _ => one.next(),
    })
}

impl IndexedConnection {
    /// Returns the other node.
    pub fn peer_of(&self, node: NodeId) -> NodeId {
        if self.nodes[0] == node { self.nodes[1] } else { self.nodes[0] }
    }

    fn end_mut(&mut self, node: NodeId) -> Option<&mut ConnectionEnd> {
        self.nodes.iter().position(|other| *other == node).map(|side| &mut self.ends[side])
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::trace::find::occurrences;
    use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, WATCHER, connect, plan};
    use crate::{NodeFault, NthConnection, Ordinal, PacketKind, Point};

    fn point(point: Point, of: NodeId, on: Option<NthConnection>) -> EventRef {
        EventRef::Point { ordinal: Ordinal::Nearest, point, of, at: None, on }
    }

    fn packet(from: Option<NodeId>, to: Option<NodeId>) -> EventRef {
        EventRef::Packet { ordinal: Ordinal::Nearest, packet: PacketKind::Any, from, to, at: None, on: None }
    }

    #[rstest]
    #[case::start(EventRef::Start)]
    #[case::mark(EventRef::Mark("there".to_owned()))]
    #[case::any_packet(packet(None, None))]
    #[case::packet_from_a_client(packet(Some(SENSOR), None))]
    #[case::packet_to_a_client(packet(Some(BROKER), Some(SENSOR)))]
    #[case::packet_to_the_broker(packet(None, Some(BROKER)))]
    #[case::open(point(Point::Open, SENSOR, None))]
    #[case::close_of_a_client(point(Point::Close, SENSOR, None))]
    #[case::close_of_the_broker(point(Point::Close, BROKER, None))]
    #[case::close_of_one_connection(point(Point::Close, BROKER, Some(NthConnection { client: SENSOR, number: 1 })))]
    #[case::crash(point(Point::Crash, BROKER, None))]
    fn sorted_events_have_the_same_occurrences(
        #[case] event: EventRef,
        #[values(BROKER, SENSOR, WATCHER)] viewer: NodeId,
    ) {
        let mut story = TraceBuilder::new();
        story.connect(0, SENSOR, connect("sensor", 5));
        story.at(5).connect(1, WATCHER, connect("watcher", 5));
        story.at(10).change(BROKER, NodeFault::Crash);
        story.at(20).change(BROKER, NodeFault::Restart);
        story.at(30).connect(2, SENSOR, connect("sensor", 5));
        story.at(35).connect(3, WATCHER, connect("watcher", 5));
        story.at(36).mark("there");
        story.at(40).change(SENSOR, NodeFault::PowerLoss);
        let trace = story.end(1000);
        let plan = plan();
        let viewer = Perspective::Node(viewer);
        let all: Vec<Occurrence> = occurrences(&plan, &event, viewer, &trace.events).collect();
        let index = TraceIndex::new(&plan, &trace.events);
        let event_at = |place: usize| (place, &trace.events[place]);
        let sorted = index.occurrences(&plan, &event, viewer, trace.events.len(), event_at);
        assert_eq!(sorted, all);
        assert!(!all.is_empty(), "the case says something");
    }

    #[rstest]
    #[case::of_a_broker_with_one_client(BROKER, Some(SENSOR))]
    #[case::of_a_client_with_its_broker(WATCHER, Some(BROKER))]
    #[case::of_a_broker_with_all(BROKER, None)]
    fn events_between_two_nodes_are_all_that_name_both_or_one_alone(
        #[case] node: NodeId,
        #[case] peer: Option<NodeId>,
    ) {
        let mut story = TraceBuilder::new();
        story.connect(0, SENSOR, connect("sensor", 5));
        story.at(5).connect(1, WATCHER, connect("watcher", 5));
        story.at(10).change(BROKER, NodeFault::Crash);
        let trace = story.end(1000);
        let index = TraceIndex::new(&plan(), &trace.events);
        let is_between = |event: &Event| {
            let others = event.nodes().into_iter().flatten().filter(|other| *other != node);
            event.node() == Some(node) && others.map(Some).all(|other| peer.is_none() || other == peer)
        };
        let places = index.between(node, peer);
        assert!(places.is_sorted());
        let found: Vec<&Event> =
            places.iter().map(|place| &trace.events[*place as usize]).filter(|event| is_between(event)).collect();
        let all: Vec<&Event> = trace.events.iter().filter(|event| is_between(event)).collect();
        assert_eq!(found, all);
        assert!(!all.is_empty());
    }

    #[test]
    fn connections_have_their_events_and_both_of_their_ends() {
        let mut story = TraceBuilder::new();
        story.connect(0, SENSOR, connect("sensor", 5));
        story.at(5).connect(1, WATCHER, connect("watcher", 5));
        story.at(40).change(SENSOR, NodeFault::PowerLoss);
        let trace = story.end(1000);
        let index = TraceIndex::new(&plan(), &trace.events);
        let [first, second] = index.connections() else { panic!("two connections") };
        assert_eq!((first.nodes, second.nodes), ([SENSOR, BROKER], [WATCHER, BROKER]));
        let places = |id: u32| {
            let on = |(_, event): &(u32, &Event)| event.connection() == Some(ConnectionId(id));
            (0..).zip(&trace.events).filter(on).map(|(place, _)| place).collect::<Vec<u32>>()
        };
        assert_eq!((&first.events, &second.events), (&places(0), &places(1)));
        let dead = trace.events.iter().position(|event| matches!(event.kind, EventKind::Node { .. }));
        assert_eq!(first.ends.map(|end| end.closed), [dead.map(|place| place as u32), None], "the broker sees nothing");
        assert_eq!(second.ends.map(|end| end.closed), [None, None]);
        assert!(first.ends.iter().chain(&second.ends).all(|end| end.opened.is_some()), "{index:?}");
    }
}
