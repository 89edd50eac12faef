//! How often, and how far apart.

use super::*;

#[rstest]
#[case::without_count(None, "Pass")]
#[case::exact(exactly(3), "Pass")]
#[case::too_many(
    exactly(2),
    "Fail\n8: expected: sensor sends PINGREQ 2 times\n8:   actual: sent 3 times, at 1.000, 2.000, 3.000"
)]
#[case::too_few(
    Some(CountRange { min: 4, max: None }),
    "Fail\n8: expected: sensor sends PINGREQ at least 4 times\n8:   actual: sent 3 times, at 1.000, 2.000, 3.000"
)]
#[case::never(
    exactly(0),
    "Fail\n8: expected: sensor sends PINGREQ never\n8:   actual: sent 3 times, at 1.000, 2.000, 3.000"
)]
#[case::range(Some(CountRange { min: 0, max: Some(3) }), "Pass")]
fn count_is_kept(#[case] count: Option<CountRange>, #[case] expected: &str) {
    let outcome = judge(Expectation { count, ..sends_pings() }, &mut pings(&[1000, 2000, 3000]), 4000);
    assert_eq!(lines(&outcome), expected);
}

#[test]
fn each_that_counts_must_fit_the_time() {
    let since_last = after(1000, packet_from(Ordinal::Last, PacketKind::Any, SENSOR), "1s after last packet");
    let expectation = Expectation { timing: Some(Timing::At(since_last)), ..sends_pings() };
    assert_eq!(
        lines(&judge(expectation, &mut pings(&[1020, 2020, 3021, 4000]), 5000)),
        "Fail
8: expected: sensor sends PINGREQ at 3.020 (1s after last packet)
8:   actual: sent at 3.021, 0.001 late (2 of 4 do not fit)"
    );
}

#[rstest]
#[case::fits(5000, Some(5000), "Pass")]
#[case::open_end(4000, None, "Pass")]
#[case::too_long(
    0,
    Some(4999),
    "Fail
8: expected: sensor sends PINGREQ with gaps of 0.000 to 4.999
8:   actual: a gap of 5.000 before the one at 6.000, 0.001 too long (2 of 2 gaps do not fit)"
)]
#[case::too_short(
    5001,
    None,
    "Fail
8: expected: sensor sends PINGREQ with gaps of 5.001 or more
8:   actual: a gap of 5.000 before the one at 6.000, 0.001 too short (2 of 2 gaps do not fit)"
)]
fn gap(#[case] min: u64, #[case] max: Option<u64>, #[case] expected: &str) {
    let gap = DurationRange { min: Duration::from_millis(min), max: max.map(Duration::from_millis) };
    let outcome = judge(Expectation { gap: Some(gap), ..sends_pings() }, &mut pings(&[1000, 6000, 11_000]), 12_000);
    assert_eq!(lines(&outcome), expected);
}

#[test]
fn gap_of_a_single_one_is_vacuous() {
    let gap = DurationRange { min: Duration::ZERO, max: None };
    let outcome = judge(Expectation { gap: Some(gap), ..sends_pings() }, &mut pings(&[1000]), 12_000);
    assert_eq!(outcome.verdict, Verdict::Vacuous);
}

#[rstest]
#[case::as_many_as_may(2, 2000, "Pass")]
#[case::a_window_is_half_open(1, 1000, "Pass")]
#[case::one_too_many(
    1,
    1001,
    "Fail
8: expected: sensor sends PINGREQ at most once in any 1.001
8:   actual: 2 in the 1.001 from 1.000 on"
)]
fn at_most_so_many_in_any_window(#[case] most: u64, #[case] per: u64, #[case] expected: &str) {
    let count = Some(CountRange { min: 0, max: Some(most) });
    let expectation = Expectation { count, per: Some(ms(per)), ..sends_pings() };
    assert_eq!(lines(&judge(expectation, &mut pings(&[1000, 2000, 3500]), 9000)), expected);
}

#[rstest]
#[case::often_enough(1500, 3500, "Pass")]
#[case::too_seldom(
    1499,
    3500,
    "Fail
8: expected: sensor sends PINGREQ at least once in any 1.499
8:   actual: 0 in the 1.499 from 2.000 on"
)]
#[case::a_window_that_the_run_cuts_off_says_nothing(1500, 4999, "Pass")]
#[case::until_the_end(
    1500,
    5000,
    "Fail\n8: expected: sensor sends PINGREQ at least once in any 1.500\n8:   actual: 0 in the 1.500 from 3.500 on"
)]
fn at_least_so_many_in_any_window(#[case] per: u64, #[case] end: u64, #[case] expected: &str) {
    let count = Some(CountRange { min: 1, max: None });
    let expectation = Expectation { count, per: Some(ms(per)), ..sends_pings() };
    assert_eq!(lines(&judge(expectation, &mut pings(&[1000, 2000, 3500]), end)), expected);
}
