//! Lines of lines, and how much they weigh.

use super::*;

#[test]
fn what_is_advised_and_not_so_is_a_warning_and_a_failure_of_a_strict_run() {
    let advised = Expectation { weight: Weight::Advised, count: exactly(2), ..sends_pings() };
    let outcome = judge(advised.clone(), &mut pings(&[1000]), 2000);
    assert_eq!((outcome.verdict, outcome.warnings.len()), (Verdict::Pass, 1));
    assert_eq!(
        lines(&outcome.strict()),
        "Fail\n8: expected: sensor sends PINGREQ 2 times\n8:   actual: sent once, at 1.000"
    );
    let good = judge(advised, &mut pings(&[1000, 2000]), 3000);
    assert_eq!(lines(&good.strict()), "Pass");
}

#[rstest]
#[case::first(1, 9, "Pass")]
#[case::second(9, 1, "Pass")]
#[case::neither(
    8,
    9,
    "Fail
8: expected: sensor sends PINGREQ 8 times, or sensor sends PINGREQ 9 times
8:   actual: sent once, at 1.000, or sent once, at 1.000"
)]
fn any_of_wants_one_of_its_alternatives(#[case] first: u64, #[case] second: u64, #[case] expected: &str) {
    let alternative = |count| vec![Expectation { count: exactly(count), ..sends_pings() }, sends_pings()];
    let any_of = Verb::AnyOf(vec![alternative(first), alternative(second)]);
    let expectation = Expectation { nodes: Vec::new(), ..expect(SENSOR, any_of) };
    assert_eq!(lines(&judge(expectation, &mut pings(&[1000]), 2000)), expected);
}

#[test]
fn any_of_is_vacuous_if_an_alternative_could_not_be_judged() {
    let moment = after(0, point(Point::Close, WATCHER), "close of watcher");
    let unjudged = Expectation { timing: Some(Timing::NotBefore(moment)), ..sends_pings() };
    let wrong = Expectation { count: exactly(5), ..sends_pings() };
    let any_of = Verb::AnyOf(vec![vec![wrong], vec![unjudged]]);
    let expectation = Expectation { nodes: Vec::new(), ..expect(SENSOR, any_of) };
    assert_eq!(
        lines(&judge(expectation, &mut pings(&[1000]), 2000)),
        "Vacuous\n8: vacuous: `close of watcher` never came"
    );
}

#[test]
fn members_of_a_group_are_judged_each() {
    let expectation = Expectation { nodes: vec![SENSOR, WATCHER], ..sends_pings() };
    assert_eq!(
        lines(&judge(expectation, &mut pings(&[1000]), 2000)),
        "Fail\n8: expected: watcher sends PINGREQ at least once\n8:   actual: never, the run ended at 2.000 (`until` makes it longer)"
    );
}
