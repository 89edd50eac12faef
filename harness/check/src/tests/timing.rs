//! When it must be.

use super::*;

#[rstest]
#[case::on_time(7500, "Pass")]
#[case::early(
    7501,
    "Fail
8: expected: broker closes sensor because keep_alive at 7.531 (1.5 * 5s after last packet from sensor)
8:   actual: closed at 7.530, 0.001 early"
)]
#[case::late(
    7499,
    "Fail
8: expected: broker closes sensor because keep_alive at 7.529 (1.5 * 5s after last packet from sensor)
8:   actual: closed at 7.530, 0.001 late"
)]
fn timing_is_two_sided_to_the_millisecond(#[case] ms: i64, #[case] expected: &str) {
    assert_eq!(lines(&judge(closes_at(ms), &mut silent_client(), 9000)), expected);
}

#[rstest]
#[case(7490, Verdict::Pass)]
#[case(7510, Verdict::Pass)]
#[case(7489, Verdict::Fail)]
#[case(7511, Verdict::Fail)]
fn tolerance_is_allowed_on_both_sides(#[case] ms: i64, #[case] expected: Verdict) {
    let mut plan = plan();
    plan.tolerance = Duration::from_millis(10);
    plan.expectations.push(closes_at(ms));
    assert_eq!(check(&plan, &silent_client().end(9000)).verdict, expected);
}

#[test]
fn moment_that_passes_unmet_fails() {
    let mut story = pings(&[1000]);
    assert_eq!(
        lines(&judge(closes_at(7500), &mut story, 8510)),
        "Fail
8: expected: broker closes sensor because keep_alive at 8.510 (1.5 * 5s after last packet from sensor)
8:   actual: never, the run ended at 8.510 (`until` makes it longer)"
    );
}

#[test]
fn moment_after_the_end_of_the_run_is_vacuous() {
    let mut story = pings(&[1000]);
    assert_eq!(
        lines(&judge(closes_at(7500), &mut story, 8509)),
        "Vacuous
8: vacuous: never reached: broker closes sensor because keep_alive: due at 8.510 \
         (1.5 * 5s after last packet from sensor), but the run ended at 8.509 (`until` makes it longer)"
    );
}

#[test]
fn moment_whose_event_never_came_is_vacuous() {
    let moment = after(0, point(Point::Close, WATCHER), "close of watcher");
    let expectation = Expectation { timing: Some(Timing::NotBefore(moment)), ..sends_pings() };
    assert_eq!(
        lines(&judge(expectation, &mut pings(&[1000]), 2000)),
        "Vacuous\n8: vacuous: `close of watcher` never came"
    );
}

#[test]
fn order_within_one_instant_decides_nothing() {
    let at_close = || Timing::At(after(0, point(Point::Close, SENSOR), "close of sensor"));
    let expectation =
        || Expectation { timing: Some(at_close()), ..expect(BROKER, Verb::Sends(vec![any(PacketType::Publish)])) };
    let mut before = pings(&[]);
    before.at(500).packet(1, BROKER, WATCHER, publish("s/1", "gone"));
    before.closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    assert_eq!(judge(expectation(), &mut before, 1000).verdict, Verdict::Pass);
    let mut after = pings(&[]);
    after.at(500).closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    after.packet(1, BROKER, WATCHER, publish("s/1", "gone"));
    assert_eq!(judge(expectation(), &mut after, 1000).verdict, Verdict::Pass);
    let mut the_second_time = pings(&[]);
    the_second_time.at(100).closing(0, BROKER, SENSOR, Because::Takeover, None).at(200);
    the_second_time.connect(2, SENSOR, connect("sensor", 5)).at(500);
    the_second_time.packet(1, BROKER, WATCHER, publish("s/1", "gone"));
    the_second_time.closing(2, BROKER, SENSOR, Because::KeepAlive, None);
    assert_eq!(judge(expectation(), &mut the_second_time, 1000).verdict, Verdict::Pass);
    let mut too_early = pings(&[]);
    too_early.at(499).packet(1, BROKER, WATCHER, publish("s/1", "gone"));
    too_early.at(500).closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    assert_eq!(judge(expectation(), &mut too_early, 1000).verdict, Verdict::Fail);
}

#[rstest]
#[case::within(Timing::Within { after: after(0, EventRef::Mark("m".into()), "m"), duration: ms(500) }, "Pass")]
#[case::within_too_short(Timing::Within { after: after(0, EventRef::Mark("m".into()), "m"), duration: ms(499) }, "Fail")]
#[case::between(Timing::Between(start(1000), start(2000)), "Pass")]
#[case::between_too_early(Timing::Between(start(1001), start(2000)), "Fail")]
#[case::not_before(Timing::NotBefore(start(1000)), "Pass")]
#[case::not_before_but_before(Timing::NotBefore(start(1001)), "Fail")]
#[case::before_an_event(Timing::At(after(-500, EventRef::Mark("n".into()), "500ms before n")), "Pass")]
fn ping_at_1000_between_marks_at_500_and_1500(#[case] timing: Timing, #[case] expected: &str) {
    let mut story = pings(&[1000]);
    story.at(500).mark("m").at(1500).mark("n");
    let outcome = judge(Expectation { timing: Some(timing), ..sends_pings() }, &mut story, 2000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
}

#[test]
fn a_time_in_a_message_stands_as_it_is_written() {
    let after = after(0, EventRef::Mark("m".into()), "499ms after m");
    let mut story = pings(&[1000]);
    story.at(500).mark("m");
    let timing = Some(Timing::Within { after, duration: ms(499) });
    let outcome = judge(Expectation { timing, ..sends_pings() }, &mut story, 2000);
    assert_eq!(
        lines(&outcome),
        "Fail\n8: expected: sensor sends PINGREQ from 0.500 to 0.999 (within 499ms after m)\n\
         8:   actual: sent at 1.000, 0.001 late"
    );
}
