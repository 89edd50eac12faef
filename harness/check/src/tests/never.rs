//! What must not be.

use super::*;

#[rstest]
#[case::inside(0, 2, "Fail")]
#[case::outside(3, 4, "Pass")]
#[case::edges_count(1, 1, "Fail")]
#[case::beyond_the_end(5, 60, "Vacuous")]
fn never_looks_during(#[case] from: i64, #[case] to: i64, #[case] expected: &str) {
    let start = |s: i64| after(s * 1000, EventRef::Start, "a time");
    let during = Some((start(from), start(to)));
    let expectation = Expectation { mode: Mode::Never, during, ..sends_pings() };
    let outcome = judge(expectation, &mut pings(&[1000]), 12_000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
}

#[rstest]
#[case::inside(7000, 8000, "Fail")]
#[case::before(0, 7000, "Pass")]
fn never_looks_for_a_close_only_during(#[case] from: i64, #[case] to: i64, #[case] expected: &str) {
    let during = Some((start(from), start(to)));
    let expectation = Expectation { mode: Mode::Never, during, ..expect(BROKER, closes(SENSOR, None)) };
    assert_eq!(format!("{:?}", judge(expectation, &mut silent_client(), 9000).verdict), expected);
}

#[test]
fn never_is_vacuous_without_a_connection() {
    let mut expectation = expect(BROKER, closes(WATCHER, None));
    expectation.mode = Mode::Never;
    let text = lines(&judge(expectation, &mut silent_client(), 9000));
    assert_eq!(text, "Vacuous\n8: vacuous: broker never had a connection with watcher");
}

#[test]
fn never_with_a_time_forbids_only_that_time() {
    let never = |ms| Expectation { mode: Mode::Never, ..closes_at(ms) };
    assert_eq!(judge(never(7500), &mut silent_client(), 9000).verdict, Verdict::Fail);
    assert_eq!(judge(never(7501), &mut silent_client(), 9000).verdict, Verdict::Pass);
}

/// The client is closed at 7.530; where the window is may be off by 100 ms.
#[rstest]
#[case::well_inside(Timing::Between(start(7000), start(8000)), Verdict::Fail)]
#[case::inside_by_the_tolerance(Timing::Between(start(7430), start(8000)), Verdict::Fail)]
#[case::at_its_begin(Timing::Between(start(7431), start(8000)), Verdict::Pass)]
#[case::at_its_end(Timing::Between(start(7000), start(7629)), Verdict::Pass)]
#[case::at_an_instant(Timing::At(start(7530)), Verdict::Pass)]
#[case::not_before_it(Timing::NotBefore(start(7430)), Verdict::Fail)]
fn never_with_a_tolerance_forbids_what_is_in_the_window_wherever_it_is(
    #[case] timing: Timing,
    #[case] expected: Verdict,
) {
    let mut plan = plan();
    plan.tolerance = Duration::from_millis(100);
    let closes = expect(BROKER, closes(SENSOR, None));
    plan.expectations.push(Expectation { mode: Mode::Never, timing: Some(timing), ..closes });
    assert_eq!(check(&plan, &silent_client().end(9000)).verdict, expected);
}
