use std::time::Duration;

use crate::plan::{EventRef, NodeId, Plan};
use crate::trace::Event;
use crate::trace::find::{Finder, Occurrence, Perspective};

/// The events of a trace by the nodes that they are about, so that what is said of each member of a large group is not
/// looked for in the events of all the others.
pub(super) struct Subjects {
    /// For each node the places of its events, in order.
    of_node: Vec<Vec<u32>>,
    /// The places of those that concern all nodes.
    of_all: Vec<u32>,
}

impl Subjects {
    /// Sorts the events of a run; each stands with its index in the trace.
    pub(super) fn new(plan: &Plan, events: &[(usize, Event)]) -> Self {
        let mut subjects = Self { of_node: vec![Vec::new(); plan.nodes.len()], of_all: Vec::new() };
        for (place, (_, event)) in (0..).zip(events) {
            if Finder::is_seen_by_all(plan, event) {
                subjects.of_all.push(place);
                continue;
            }
            let [first, second] = event.nodes();
            for node in first.into_iter().chain(second.filter(|_| second != first)) {
                subjects.of_node[node.0].push(place);
            }
        }
        subjects
    }

    /// Returns what [`occurrences`](crate::trace::find::occurrences) does.
    pub(super) fn occurrences(
        &self,
        plan: &Plan,
        event: &EventRef,
        viewer: Perspective,
        events: &[(usize, Event)],
    ) -> Vec<Occurrence> {
        let mut finder = Finder::new(plan, event, viewer);
        let start = (*event == EventRef::Start).then_some(Occurrence { index: None, at: Duration::ZERO });
        let mut found: Vec<Occurrence> = start.into_iter().collect();
        let mut feed = |place: usize| {
            let (index, event) = &events[place];
            if finder.feed(event) {
                found.push(Occurrence { index: Some(*index), at: event.at });
            }
        };
        match Finder::new(plan, event, viewer).subject() {
            Some(node) => self.places(node).for_each(|place| feed(place as usize)),
            None => (0..events.len()).for_each(feed),
        }
        found
    }

    /// Returns the places of the events of a node and of those that concern all, in order.
    fn places(&self, node: NodeId) -> impl Iterator<Item = u32> {
        let mut own = self.of_node[node.0].iter().copied().peekable();
        let mut common = self.of_all.iter().copied().peekable();
        std::iter::from_fn(move || match (own.peek(), common.peek()) {
            (Some(one), Some(other)) if other < one => common.next(),
            (None, _) => common.next(),
            _ => own.next(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::plan::{NthConnection, Ordinal, PacketKind, Point};
    use crate::trace::find::occurrences;
    use crate::trace::fixture::{BROKER, SENSOR, Story, WATCHER, connect, plan};

    fn point(point: Point, of: NodeId, on: Option<NthConnection>) -> EventRef {
        EventRef::Point { ordinal: Ordinal::Nearest, point, of, at: None, on }
    }

    fn packet(from: Option<NodeId>, to: Option<NodeId>) -> EventRef {
        EventRef::Packet { ordinal: Ordinal::Nearest, packet: PacketKind::Any, from, to, at: None, on: None }
    }

    #[rstest]
    #[case::start(EventRef::Start)]
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
        let mut story = Story::new();
        story.connect(0, SENSOR, connect("sensor", 5));
        story.at(5).connect(1, WATCHER, connect("watcher", 5));
        story.at(10).change(BROKER, crate::plan::NodeFault::Crash);
        story.at(20).change(BROKER, crate::plan::NodeFault::Restart);
        story.at(30).connect(2, SENSOR, connect("sensor", 5));
        story.at(35).connect(3, WATCHER, connect("watcher", 5));
        story.at(40).change(SENSOR, crate::plan::NodeFault::PowerLoss);
        let trace = story.end(1000);
        let plan = plan();
        let viewer = Perspective::Node(viewer);
        let all: Vec<Occurrence> = occurrences(&plan, &event, viewer, &trace.events).collect();
        let events: Vec<(usize, Event)> = trace.events.iter().cloned().enumerate().collect();
        let sorted = Subjects::new(&plan, &events).occurrences(&plan, &event, viewer, &events);
        assert_eq!(sorted, all);
        assert!(!all.is_empty(), "the case says something");
    }
}
