use rstest::rstest;

use super::*;
use crate::plan::{Expectation, Ordinal, PacketKind};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, after, closes, expect, packet_from, plan};

/// The broker reads packets of the sensor at 1.000, 2.000 and 3.000; the run ends at 9.000. Their indices are 1, 3, 5.
fn trace() -> Evidence {
    let mut story = TraceBuilder::new();
    for at in [990, 1990, 2990] {
        story.at(at).packet(0, SENSOR, BROKER, halfopen_protocol::Packet::PingReq);
    }
    let mut plan = plan();
    let timing = Some(Timing::At(packet(Ordinal::Last, 0)));
    plan.expectations.push(Expectation { timing, ..expect(BROKER, closes(SENSOR, None)) });
    Evidence::of(&plan, &story.end(9000))
}

fn packet(ordinal: Ordinal, offset_ms: i64) -> Moment {
    after(offset_ms, packet_from(ordinal, PacketKind::Any, SENSOR), "a packet")
}

fn times<T>(moment: &Moment, look: impl Fn(&Times<'_>) -> T) -> T {
    look(&Times::new(&plan(), &trace(), &trace().index(&plan()), moment, BROKER))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

#[rstest]
#[case(0, "0.000")]
#[case(-1, "-0.001")]
#[case(-1500, "-1.500")]
#[case(61_002, "61.002")]
fn seconds_have_three_decimals_and_a_sign(#[case] ms: Millis, #[case] expected: &str) {
    assert_eq!(seconds(ms), expected);
}

#[rstest]
#[case::latest_before(0, 4, 2500, &[2000])]
#[case::latest_before_and_so_much_later(1, 4, 2500, &[2001])]
#[case::next_after_if_so_much_before_it(-1, 4, 2500, &[2999])]
#[case::the_latest_where_none_comes_any_more(-1, 6, 3500, &[2999])]
#[case::the_next_where_none_came_yet(0, 0, 500, &[1000])]
#[case::both_at_one_instant(0, 4, 3000, &[2000, 3000])]
#[case::not_itself(0, 3, 2000, &[1000])]
#[case::not_itself_but_the_next(-1, 3, 2000, &[2999])]
fn moment_near_to_what_is_judged(
    #[case] offset_ms: i64,
    #[case] index: usize,
    #[case] at: u64,
    #[case] expected: &[Millis],
) {
    let moment = packet(Ordinal::Nearest, offset_ms);
    assert_eq!(times(&moment, |times| times.near(index, ms(at))), expected);
}

#[rstest]
#[case::nearest(Ordinal::Nearest, Some(1000), Some(3000))]
#[case::first(Ordinal::First, Some(1000), Some(1000))]
#[case::second(Ordinal::Second, Some(2000), Some(2000))]
#[case::third(Ordinal::Third, Some(3000), Some(3000))]
#[case::fourth(Ordinal::Nth(4), None, None)]
#[case::last(Ordinal::Last, Some(3000), Some(3000))]
fn ordinal_picks_one_of_the_run(
    #[case] ordinal: Ordinal,
    #[case] first: Option<Millis>,
    #[case] latest: Option<Millis>,
) {
    let moment = packet(ordinal, 0);
    assert_eq!(times(&moment, |times| (times.first(), times.latest())), (first, latest));
    assert_eq!(times(&moment, |times| times.never_came()), first.is_none());
}

#[test]
fn end_of_the_run_is_a_moment() {
    let moment = after(-500, EventRef::End, "500ms before end");
    assert_eq!(times(&moment, |times| (times.first(), times.latest())), (Some(8500), Some(8500)));
    assert_eq!(times(&moment, |times| times.near(2, ms(1500))), [8500]);
}

#[rstest]
#[case::before_all(0, 1000)]
#[case::just_that(2000, 2000)]
#[case::one_later(2001, 3000)]
#[case::none_is_later(3001, 3000)]
fn first_moment_from_a_time_on(#[case] from: Millis, #[case] expected: Millis) {
    assert_eq!(times(&packet(Ordinal::Nearest, 0), |times| times.first_from(from)), Some(expected));
}

#[test]
fn last_is_of_the_run_and_not_of_a_time_on() {
    assert_eq!(times(&packet(Ordinal::Last, 0), |times| times.first_from(0)), Some(3000));
}

#[rstest]
#[case::in_time(1000, None)]
#[case::as_early_as_may_be(990, None)]
#[case::too_early(989, Some(-11))]
#[case::as_late_as_may_be(2010, None)]
#[case::too_late(2011, Some(11))]
fn window_is_missed_beyond_its_tolerance(#[case] at: Millis, #[case] expected: Option<Millis>) {
    let window = Window { from: 1000, to: Some(2000) };
    assert_eq!((window.miss(at, 10), window.due()), (expected, 2000));
}

#[test]
fn window_that_is_open_is_due_from_its_beginning_and_never_over() {
    let window = Window { from: 1000, to: None };
    assert_eq!((window.miss(999, 0), window.miss(1_000_000, 0), window.due()), (Some(-1), None, 1000));
}

/// The windows for what is judged at 2.500, the latest of the run, and the moment that never came.
type Judged = (Vec<(Millis, Option<Millis>)>, Option<(Millis, Option<Millis>)>, bool);

#[rstest]
#[case::at(Timing::At(packet(Ordinal::Nearest, 5)), (vec![(2005, Some(2005))], Some((3005, Some(3005))), false))]
#[case::within(
    Timing::Within { after: packet(Ordinal::Nearest, 0), duration: ms(30) },
    (vec![(2000, Some(2030))], Some((3000, Some(3030))), false)
)]
#[case::between(
    Timing::Between(packet(Ordinal::First, 0), packet(Ordinal::Third, 0)),
    (vec![(1000, Some(3000))], Some((1000, Some(3000))), false)
)]
#[case::not_before(Timing::NotBefore(packet(Ordinal::Nearest, 0)), (vec![(2000, None)], Some((3000, None)), false))]
#[case::never_begins(
    Timing::Between(packet(Ordinal::Nth(4), 0), packet(Ordinal::First, 0)),
    (vec![], None, true)
)]
#[case::never_ends(
    Timing::Between(packet(Ordinal::First, 0), packet(Ordinal::Nth(4), 0)),
    (vec![], None, true)
)]
fn windows_of_a_timing(#[case] timing: Timing, #[case] expected: Judged) {
    let (plan, trace) = (plan(), trace());
    let clocked = Clocked::new(&plan, &trace, &trace.index(&plan), &timing, BROKER);
    let pair = |window: Window| (window.from, window.to);
    let windows = clocked.windows(4, ms(2500)).into_iter().map(pair).collect();
    assert_eq!((windows, clocked.latest().map(pair), clocked.never_came().is_some()), expected);
}
