//! Expectations about one of several connections.

use rstest::rstest;

use super::*;
use crate::plan::NthConnection;
use crate::trace::find::{Finder, Perspective};

fn nth(number: u32) -> NthConnection {
    NthConnection { client: SENSOR, number }
}

/// Two connections of sensor, a PINGREQ at 1000 on the first and at 2000 on the second; the broker closes the first at
/// 3000.
fn two() -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    story.at(100).connect(1, SENSOR, connect("sensor", 5));
    story.at(1000).packet(0, SENSOR, BROKER, Packet::PingReq);
    story.at(2000).packet(1, SENSOR, BROKER, Packet::PingReq);
    story.at(3000).item(0, BROKER, SENSOR, Transmission::Fin);
    story
}

fn pings_on(number: u32, at: i64) -> Expectation {
    let timing = Some(Timing::At(start(at)));
    Expectation { on: vec![nth(number)], count: exactly(1), timing, ..sends_pings() }
}

#[rstest]
#[case::first(1, 1000, true)]
#[case::second(2, 2000, true)]
#[case::first_at_the_time_of_the_second(1, 2000, false)]
fn only_its_packets_count(#[case] number: u32, #[case] at: i64, #[case] passes: bool) {
    let outcome = judge(pings_on(number, at), &mut two(), 5000);
    assert_eq!(outcome.verdict == Verdict::Pass, passes, "{}", lines(&outcome));
}

#[rstest]
#[case::closed(1, 1)]
#[case::not_closed(2, 0)]
fn only_its_end_counts(#[case] number: u32, #[case] times: u64) {
    let expectation =
        Expectation { on: vec![nth(number)], count: exactly(times), ..expect(BROKER, closes(SENSOR, None)) };
    let outcome = judge(expectation, &mut two(), 5000);
    assert_eq!(outcome.verdict, Verdict::Pass, "{}", lines(&outcome));
}

#[rstest]
#[case::wanted(exactly(1), Mode::Must)]
#[case::forbidden(None, Mode::Never)]
fn what_is_said_of_a_connection_that_never_was_is_vacuous(#[case] count: Option<CountRange>, #[case] mode: Mode) {
    let outcome = judge(Expectation { on: vec![nth(3)], count, mode, ..sends_pings() }, &mut two(), 5000);
    let text = lines(&outcome);
    assert!(text.starts_with("Vacuous") && text.contains("sensor#3 was never opened"), "{text}");
}

#[test]
fn a_violation_names_the_connection() {
    let outcome = judge(pings_on(2, 1000), &mut two(), 5000);
    assert!(lines(&outcome).contains("on sensor#2"), "{}", lines(&outcome));
}

#[test]
fn a_run_is_decided_by_the_connection_that_is_meant() {
    let mut plan = plan();
    plan.expectations.push(Expectation { on: vec![nth(2)], ..sends_pings() });
    let mut decided = Completion::new(&plan);
    two().end(5000).events.iter().for_each(|event| decided.event(event));
    assert_eq!(decided.decided_at(), Some(ms(2000)));
}

#[rstest]
#[case::first(1, &[1000])]
#[case::second(2, &[2000])]
#[case::third(3, &[])]
fn a_moment_hangs_on_the_connection_that_it_names(#[case] number: u32, #[case] expected: &[u64]) {
    let packet = PacketKind::Type(PacketType::PingReq);
    let event = EventRef::Packet {
        ordinal: Ordinal::Nearest,
        packet,
        from: Some(SENSOR),
        to: None,
        at: None,
        on: Some(nth(number)),
    };
    let mut finder = Finder::new(&plan(), &event, Perspective::Node(SENSOR));
    let events = two().end(5000).events;
    let times: Vec<_> = events.iter().filter(|event| finder.feed(event)).map(|event| event.at).collect();
    assert_eq!(times, expected.iter().copied().map(ms).collect::<Vec<_>>());
}
