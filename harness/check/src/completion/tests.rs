use halfopen_protocol::{Packet, PacketType};
use rstest::rstest;

use super::*;
use crate::plan::{ClientState, DurationRange, Point};
use crate::trace::fixture::{
    BROKER, SENSOR, TraceBuilder, after, any, closes, connect, exactly, expect, plan, point, silent_client,
};

fn pings(times: &[u64]) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    for &time in times {
        story.at(time).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    story
}

fn sends_pings() -> Expectation {
    expect(SENSOR, Verb::Sends(vec![any(PacketType::PingReq)]))
}

/// When the run is decided, in milliseconds.
fn decided(expectation: Expectation, story: &mut TraceBuilder) -> Option<u64> {
    let mut plan = plan();
    plan.expectations.push(expectation);
    let events = story.end(100_000).events;
    let mut decided = Completion::new(&plan);
    events.iter().for_each(|event| decided.event(event));
    decided.decided_at().map(|at| at.as_millis().try_into().unwrap())
}

#[test]
fn nothing_to_expect_is_decided_at_once() {
    assert_eq!(Completion::new(&plan()).decided_at(), Some(Duration::ZERO));
}

#[rstest]
#[case::first_without_count(None, Some(1000))]
#[case::second(exactly(2), Some(2000))]
#[case::never_comes(exactly(3), None)]
#[case::none_wanted(exactly(0), Some(0))]
fn count_is_waited_for(#[case] count: Option<crate::plan::CountRange>, #[case] expected: Option<u64>) {
    assert_eq!(decided(Expectation { count, ..sends_pings() }, &mut pings(&[1000, 2000])), expected);
}

#[test]
fn gap_wants_two() {
    let gap = Some(DurationRange { min: Duration::ZERO, max: None });
    assert_eq!(decided(Expectation { gap, ..sends_pings() }, &mut pings(&[1000, 2000])), Some(2000));
}

#[test]
fn close_is_waited_for_whatever_its_time() {
    let timing = Some(Timing::At(after(1, EventRef::Start, "1ms")));
    let expectation = Expectation { timing, ..expect(BROKER, closes(SENSOR, None)) };
    assert_eq!(decided(expectation, &mut silent_client()), Some(7530));
}

#[rstest]
#[case::never_is_waited_for(Mode::Never, None, 7540 + 30_000)]
#[case::count_of_zero_is_not(Mode::Must, exactly(0), 0)]
fn time_at_which_something_must_not_come(
    #[case] mode: Mode,
    #[case] count: Option<crate::plan::CountRange>,
    #[case] expected: u64,
) {
    let moment = after(30_000, point(Point::Close, SENSOR), "30s after close of sensor");
    let timing = Some(Timing::At(moment));
    let expectation = Expectation { mode, count, timing, ..sends_pings() };
    assert_eq!(decided(expectation, &mut silent_client()), Some(expected));
}

#[test]
fn end_of_the_time_to_look_is_waited_for() {
    let during =
        Some((after(0, EventRef::Start, "start"), after(5000, EventRef::Mark("back".into()), "5s after back")));
    let mut story = pings(&[1000]);
    story.at(2000).mark("back");
    assert_eq!(decided(Expectation { during, ..sends_pings() }, &mut story), Some(7000));
}

#[test]
fn state_is_decided_at_its_moment() {
    let timing = Some(Timing::At(after(60_000, EventRef::Start, "60s")));
    let expectation = Expectation { timing, ..expect(SENSOR, Verb::Is(ClientState::Connected)) };
    assert_eq!(decided(expectation, &mut pings(&[])), Some(60_000));
}

#[rstest]
#[case::from_the_first_on(after(1000, EventRef::Start, "1s"), Some(1000))]
#[case::after_the_first(after(1001, EventRef::Start, "1001ms"), Some(2000))]
#[case::after_both(after(2001, EventRef::Start, "2001ms"), None)]
fn what_comes_before_it_counts_is_not_waited_for(#[case] from: Moment, #[case] expected: Option<u64>) {
    let during = Some((from, after(0, EventRef::End, "0ms")));
    assert_eq!(decided(Expectation { during, ..sends_pings() }, &mut pings(&[1000, 2000])), expected);
}

/// An event that happens at no node, and again.
#[test]
fn what_comes_before_the_first_of_the_marks_is_not_waited_for() {
    let mut story = pings(&[1000, 2000]);
    story.at(1500).mark("late").at(2500).mark("late");
    let during = Some((after(0, EventRef::Mark("late".to_owned()), "0ms"), after(0, EventRef::End, "0ms")));
    assert_eq!(decided(Expectation { during, ..sends_pings() }, &mut story), Some(2000));
}
