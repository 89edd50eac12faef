use halfopen_protocol::{Packet, PacketType};
use rstest::rstest;

use super::*;
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, WATCHER, connect, packet_from, plan, point, silent_client};
use crate::{Because, NodeFault, PacketKind};

const ANY: PacketKind = PacketKind::Any;

fn times(event: &EventRef, viewer: Perspective, events: &[Event]) -> Vec<u64> {
    occurrences(&plan(), event, viewer, events).map(|found| found.at.as_millis() as u64).collect()
}

fn close_of(node: NodeId) -> EventRef {
    point(Point::Close, node)
}

/// A sensor that connects at 0 and sends PINGREQ at 1 s and at 2 s.
fn pings() -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    story.at(1000).packet(0, SENSOR, BROKER, Packet::PingReq);
    story.at(2000).packet(0, SENSOR, BROKER, Packet::PingReq);
    story
}

#[rstest]
#[case::departure_at_the_sender(Perspective::Node(SENSOR), &[1000, 2000])]
#[case::arrival_at_the_receiver(Perspective::Node(BROKER), &[1010, 2010])]
#[case::a_third_sees_with_the_receivers_eyes(Perspective::Node(WATCHER), &[1010, 2010])]
#[case::the_story_sees_where_it_begins(Perspective::Script, &[1000, 2000])]
fn packet_is_timed_by_who_looks(#[case] viewer: Perspective, #[case] expected: &[u64]) {
    let event = packet_from(Ordinal::Nearest, PacketKind::Type(PacketType::PingReq), SENSOR);
    assert_eq!(times(&event, viewer, &pings().end(3000).events), expected);
}

#[rstest]
#[case::at_its_sender(Some(SENSOR), &[1000, 2000])]
#[case::at_its_receiver(Some(BROKER), &[1010, 2010])]
#[case::at_a_stranger(Some(WATCHER), &[])]
fn named_place_overrides_who_looks(#[case] at: Option<NodeId>, #[case] expected: &[u64]) {
    let packet = PacketKind::Type(PacketType::PingReq);
    for viewer in [Perspective::Script, Perspective::Node(BROKER), Perspective::Node(SENSOR)] {
        let event = EventRef::Packet { ordinal: Ordinal::Nearest, packet, from: None, to: None, at, on: None };
        assert_eq!(times(&event, viewer, &pings().end(3000).events), expected);
    }
}

#[test]
fn packets_of_others_do_not_count() {
    let mut story = pings();
    story.at(2500).packet(0, BROKER, SENSOR, Packet::PingResp);
    let events = story.end(3000).events;
    let from_broker = packet_from(Ordinal::Nearest, ANY, BROKER);
    assert_eq!(times(&from_broker, Perspective::Node(SENSOR), &events), [40, 2510]);
    let to_watcher =
        EventRef::Packet { ordinal: Ordinal::Nearest, packet: ANY, from: None, to: Some(WATCHER), at: None, on: None };
    assert_eq!(times(&to_watcher, Perspective::Script, &events), [0; 0]);
}

#[rstest]
#[case::broker_says_so_first(Perspective::Node(BROKER), 7530)]
#[case::sensor_sees_the_fin(Perspective::Node(SENSOR), 7540)]
#[case::watcher_sees_with_the_brokers_eyes(Perspective::Node(WATCHER), 7530)]
#[case::story_sees_where_it_begins(Perspective::Script, 7530)]
fn close_is_seen_once_by_who_looks(#[case] viewer: Perspective, #[case] expected: u64) {
    assert_eq!(times(&close_of(SENSOR), viewer, &silent_client().end(9000).events), [expected]);
}

#[test]
fn close_is_seen_where_it_is_said_to_be_seen() {
    let event =
        EventRef::Point { ordinal: Ordinal::Nearest, point: Point::Close, of: SENSOR, at: Some(BROKER), on: None };
    assert_eq!(times(&event, Perspective::Node(SENSOR), &silent_client().end(9000).events), [7530]);
}

#[test]
fn refused_connection_is_no_close() {
    let mut story = TraceBuilder::new();
    story.at(0).item_refused();
    assert_eq!(times(&close_of(SENSOR), Perspective::Node(SENSOR), &story.end(100).events), [0; 0]);
}

impl TraceBuilder {
    fn item_refused(&mut self) {
        self.lost(0, SENSOR, BROKER, Transmission::Open);
        self.at(10).item(0, BROKER, SENSOR, Transmission::Rst);
    }
}

#[test]
fn power_loss_ends_connections_in_the_eyes_of_who_lost_it() {
    let mut story = pings();
    story.at(2500).change(SENSOR, NodeFault::PowerLoss);
    story.at(9510).closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    let events = story.end(10_000).events;
    assert_eq!(times(&close_of(SENSOR), Perspective::Node(SENSOR), &events), [2500]);
    assert_eq!(times(&close_of(SENSOR), Perspective::Node(BROKER), &events), [9510]);
    assert_eq!(times(&point(Point::PowerLoss, SENSOR), Perspective::Node(BROKER), &events), [2500]);
}

#[rstest]
#[case::syn_at_the_client(Perspective::Node(SENSOR), 0)]
#[case::accept_at_the_broker(Perspective::Node(BROKER), 10)]
#[case::accept_for_others(Perspective::Node(WATCHER), 10)]
fn open_is_timed_by_who_looks(#[case] viewer: Perspective, #[case] expected: u64) {
    assert_eq!(times(&point(Point::Open, SENSOR), viewer, &pings().end(3000).events), [expected]);
}

#[rstest]
#[case::next_from_now_on(Ordinal::Nearest, Some(2000))]
#[case::first_of_the_run(Ordinal::First, Some(20))]
#[case::second_of_the_run(Ordinal::Second, Some(1000))]
#[case::third_of_the_run(Ordinal::Third, Some(2000))]
#[case::latest_so_far(Ordinal::Last, Some(1000))]
fn step_at_1500_waits_for(#[case] ordinal: Ordinal, #[case] expected: Option<u64>) {
    let events = pings().end(3000).events;
    let now = events.iter().position(|event| event.at > Duration::from_millis(1500)).unwrap();
    let event = packet_from(ordinal, ANY, SENSOR);

    assert_eq!(awaited(&event, now, &events, events.len()).map(|at| at.as_millis() as u64), expected);
    // Before it has come it is not there.
    let came = (now..=events.len()).find_map(|len| awaited(&event, now, &events, len));
    assert_eq!(came.map(|at| at.as_millis() as u64), expected);
}

/// When the event was for a step that began to wait after `now` events, if it is among the first `len`.
fn awaited(event: &EventRef, now: usize, events: &[Event], len: usize) -> Option<Duration> {
    let mut occurred = Occurred::new(&plan(), event);
    events[..now].iter().for_each(|event| occurred.feed(event));
    let awaited = Awaited::new(event, &occurred);
    events[now..len].iter().for_each(|event| occurred.feed(event));
    awaited.time(&occurred)
}

#[test]
fn step_finds_a_mark_that_is_past_and_one_that_is_to_come() {
    let mut story = pings();
    story.at(500).mark("back");
    let events = story.end(3000).events;
    let mark = EventRef::Mark("back".to_owned());
    let half_a_second = Some(Duration::from_millis(500));
    for now in [0, events.len()] {
        assert_eq!(awaited(&mark, now, &events, events.len()), half_a_second);
    }
}

#[test]
fn step_does_not_find_what_never_comes() {
    let events = pings().end(3000).events;
    assert_eq!(awaited(&close_of(SENSOR), 0, &events, events.len()), None);
}
