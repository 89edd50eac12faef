use std::time::Duration;

use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use super::*;
use crate::plan::{
    Action, Because, ClientState, CloseHow, CountRange, DurationRange, EventRef, Expectation, FieldPattern, Holding,
    Matcher, Mode, NetworkChange, NodeId, Ordinal, PacketKind, PacketPattern, Point, StepKind, Timing, Value, Verb,
    Waiver, Weight,
};
use crate::trace::fixture::{
    self, BROKER, SENSOR, Story, WATCHER, after, any, closes, connect, disconnect, exactly, expect, packet_from, point,
    position, publish, silent_client, step,
};
use crate::trace::{Held, Item, NodeChange, SessionState};

/// The plan of the fixture. What it does besides the one thing that a test is about breaks many an invariant.
fn plan() -> Plan {
    let mut plan = fixture::plan();
    plan.waived.extend(Invariant::ALL.map(|invariant| Waiver {
        position: position(2),
        invariant,
        reason: String::new(),
    }));
    plan
}

fn judge(expectation: Expectation, story: &mut Story, end: u64) -> Outcome {
    let mut plan = plan();
    plan.expectations.push(expectation);
    check(&plan, &story.end(end))
}

/// The outcome as one reads it.
fn lines(outcome: &Outcome) -> String {
    let mut lines = vec![format!("{:?}", outcome.verdict)];
    for violation in &outcome.violations {
        lines.push(format!("{}: expected: {}", violation.position.line, violation.expected));
        lines.push(format!("{}:   actual: {}", violation.position.line, violation.actual));
    }
    lines.extend(outcome.vacuous.iter().map(|vacuous| format!("{}: vacuous: {}", vacuous.position.line, vacuous.why)));
    lines.join("\n")
}

fn last_packet() -> EventRef {
    packet_from(Ordinal::Last, PacketKind::Any, SENSOR)
}

/// The sensor's last packet is seen by the broker at 30 ms, so this is due at 30 ms and so much more.
fn closes_at(ms: i64) -> Expectation {
    let timing = Some(Timing::At(after(ms, last_packet(), "1.5 * 5s after last packet from sensor")));
    Expectation { timing, ..expect(BROKER, closes(SENSOR, Some(Because::KeepAlive))) }
}

/// PINGREQs of the sensor that leave at these times.
fn pings(times: &[u64]) -> Story {
    let mut story = Story::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    for &time in times {
        story.at(time).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    story
}

fn sends_pings() -> Expectation {
    expect(SENSOR, Verb::Sends(vec![any(PacketType::PingReq)]))
}

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
8:   actual: never, the run ended at 8.510"
    );
}

#[test]
fn moment_after_the_end_of_the_run_is_vacuous() {
    let mut story = pings(&[1000]);
    assert_eq!(
        lines(&judge(closes_at(7500), &mut story, 8509)),
        "Vacuous
8: vacuous: never reached: broker closes sensor because keep_alive: due at 8.510 \
         (1.5 * 5s after last packet from sensor), but the run ended at 8.509"
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
fn close_for_another_cause_is_named() {
    let mut story = pings(&[]);
    story.at(500).closing(0, BROKER, SENSOR, Because::Takeover, None).item(0, BROKER, SENSOR, Item::Fin);
    assert_eq!(
        lines(&judge(expect(BROKER, closes(SENSOR, Some(Because::KeepAlive))), &mut story, 1000)),
        "Fail
8: expected: broker closes sensor because keep_alive at least once
8:   actual: never, the run ended at 1.000; there was a close because takeover at 0.500"
    );
}

#[test]
fn statement_without_fin_is_no_close() {
    let mut story = pings(&[]);
    story.at(500).closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    assert_eq!(judge(expect(BROKER, closes(SENSOR, None)), &mut story, 1000).verdict, Verdict::Fail);
}

#[test]
fn answer_to_the_peers_fin_is_no_close_but_a_loss() {
    let verdict = |expectation| judge(expectation, &mut silent_client(), 9000).verdict;
    assert_eq!(verdict(expect(SENSOR, closes(BROKER, None))), Verdict::Fail);
    assert_eq!(verdict(expect(SENSOR, Verb::Loses { peer: BROKER, how: Some(CloseHow::Fin) })), Verdict::Pass);
    assert_eq!(verdict(expect(SENSOR, Verb::Loses { peer: BROKER, how: Some(CloseHow::Rst) })), Verdict::Fail);
    assert_eq!(verdict(expect(BROKER, Verb::Loses { peer: SENSOR, how: None })), Verdict::Fail);
}

#[test]
fn close_after_the_peers_disconnect_is_a_loss_without_waiting_for_fin() {
    let mut story = pings(&[]);
    story.at(500).packet(0, BROKER, SENSOR, disconnect(0x8d)).lost(0, BROKER, SENSOR, Item::Fin);
    story.at(510).closing(0, SENSOR, BROKER, Because::Asked, None).item(0, SENSOR, BROKER, Item::Fin);
    let loss = |how| expect(SENSOR, Verb::Loses { peer: BROKER, how: Some(how) });
    let count = |how| Expectation { count: exactly(1), timing: Some(Timing::At(start(510))), ..loss(how) };
    assert_eq!(lines(&judge(count(CloseHow::Fin), &mut story, 1000)), "Pass");
}

#[rstest]
#[case::must_and_does(Some(0x8d), None, "Pass")]
#[case::must_and_says_another(Some(0x8e), None, "Fail")]
#[case::may_and_does(None, Some(0x8d), "Pass")]
#[case::may_and_says_another(None, Some(0x8e), "Fail")]
fn reason_before_the_close(#[case] says: Option<u8>, #[case] may_say: Option<u8>, #[case] expected: &str) {
    let reasons = |code: Option<u8>| code.map(|code| vec![ReasonCode::new(code)]);
    let verb = Verb::Closes { peer: SENSOR, because: None, how: None, says: reasons(says), may_say: reasons(may_say) };
    let outcome = judge(expect(BROKER, verb.clone()), &mut silent_client(), 9000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));

    let mut plan = plan();
    plan.version = Version::V3_1_1;
    plan.expectations.push(expect(BROKER, verb));
    assert_eq!(check(&plan, &silent_client().end(9000)).verdict, Verdict::Pass, "3.1.1 has no words for it");
}

#[test]
fn nothing_said_is_enough_for_may_say_but_not_for_says() {
    let verdict = |says, may_say| {
        let mut story = pings(&[]);
        story.at(500).item(0, BROKER, SENSOR, Item::Rst);
        let verb = Verb::Closes { peer: SENSOR, because: None, how: Some(CloseHow::Rst), says, may_say };
        judge(expect(BROKER, verb), &mut story, 1000).verdict
    };
    assert_eq!(verdict(None, Some(vec![ReasonCode::new(0x8d)])), Verdict::Pass);
    assert_eq!(verdict(Some(vec![ReasonCode::new(0x8d)]), None), Verdict::Fail);
}

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

#[test]
fn list_is_an_order_with_others_between() {
    let mut story = pings(&[1000]);
    story.at(1500).packet(0, SENSOR, BROKER, publish("a", "1"));
    story.at(2000).packet(0, SENSOR, BROKER, disconnect(0));
    let sends = |list: &[PacketType]| expect(SENSOR, Verb::Sends(list.iter().map(|&packet| any(packet)).collect()));
    let in_order = sends(&[PacketType::PingReq, PacketType::Disconnect]);
    assert_eq!(judge(in_order, &mut story, 3000).verdict, Verdict::Pass);
    let mut story = pings(&[1000]);
    story.at(2000).packet(0, SENSOR, BROKER, disconnect(0));
    let out_of_order = sends(&[PacketType::Disconnect, PacketType::PingReq]);
    assert_eq!(judge(out_of_order, &mut story, 3000).verdict, Verdict::Fail);
}

#[rstest]
#[case::whatever(None, None, "Pass")]
#[case::payload(Some("1"), None, "Pass")]
#[case::another_payload(Some("2"), None, "Fail")]
#[case::to_the_broker(None, Some(BROKER), "Pass")]
#[case::to_somebody_else(None, Some(WATCHER), "Fail")]
fn packets_are_told_apart(#[case] payload: Option<&str>, #[case] to: Option<NodeId>, #[case] expected: &str) {
    let mut story = pings(&[]);
    story.at(1500).packet(0, SENSOR, BROKER, publish("a", "1"));
    let fields = payload.into_iter().map(|payload| FieldPattern {
        name: "payload".to_owned(),
        matcher: Matcher::Is(Value::Text(payload.to_owned())),
    });
    let pattern = PacketPattern { packet: PacketKind::Type(PacketType::Publish), fields: fields.collect() };
    let outcome = judge(Expectation { to, ..expect(SENSOR, Verb::Sends(vec![pattern])) }, &mut story, 2000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
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

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn start(ms: i64) -> crate::plan::Moment {
    after(ms, EventRef::Start, "a time")
}

#[rstest]
#[case::opening(ClientState::Connecting, 0, "Pass")]
#[case::until_the_connack(ClientState::Connecting, 39, "Pass")]
#[case::no_longer_connecting(ClientState::Connecting, 40, "Fail")]
#[case::before_the_connack(ClientState::Connected, 39, "Fail")]
#[case::from_the_connack_on(ClientState::Connected, 40, "Pass")]
#[case::until_the_fin(ClientState::Connected, 7539, "Pass")]
#[case::after_the_fin(ClientState::Connected, 7540, "Fail")]
#[case::disconnected(ClientState::Disconnected, 7540, "Pass")]
#[case::down(ClientState::Down, 8000, "Pass")]
#[case::after_the_run(ClientState::Down, 9001, "Vacuous")]
fn state_of_a_client(#[case] state: ClientState, #[case] at: i64, #[case] expected: &str) {
    let mut story = silent_client();
    story.at(8000).change(SENSOR, NodeChange::PowerLost);
    let timing = Some(Timing::At(start(at)));
    let outcome = judge(Expectation { timing, ..expect(SENSOR, Verb::Is(state)) }, &mut story, 9000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
}

#[test]
fn never_a_state_is_about_all_the_time_after_the_first_connack() {
    let never = |state| Expectation { mode: Mode::Never, ..expect(SENSOR, Verb::Is(state)) };
    let disconnected = judge(never(ClientState::Disconnected), &mut silent_client(), 9000);
    assert_eq!(
        lines(&disconnected),
        "Fail\n8: expected: never: sensor is disconnected from 0.040 to 9.000\n8:   actual: was disconnected at 7.540"
    );
    assert_eq!(judge(never(ClientState::Down), &mut silent_client(), 9000).verdict, Verdict::Pass);
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

#[rstest]
#[case::before_it_changes("sub", 2, 999, "Fail")]
#[case::from_then_on("sub", 2, 1000, "Pass")]
#[case::another_number("sub", 1, 1000, "Fail")]
#[case::of_nobody("nobody", 2, 1000, "Fail")]
#[case::until_it_is_gone("sub", 2, 1999, "Pass")]
#[case::gone("sub", 2, 2000, "Fail")]
fn what_a_broker_has(#[case] session: &str, #[case] subscriptions: u64, #[case] at: i64, #[case] expected: &str) {
    let mut story = pings(&[]);
    let state = SessionState { subscriptions: 2, queued: 0, in_flight: 0, has_will: false };
    let holds = |state| EventKind::Holds { node: BROKER, held: Held::Session("sub".to_owned(), state) };
    story.at(1000).event(holds(Some(state))).at(2000).event(holds(None));
    let holding =
        Holding { session: Some(session.to_owned()), subscriptions: exactly(subscriptions), ..Holding::default() };
    let expectation = Expectation { timing: Some(Timing::At(start(at))), ..expect(BROKER, Verb::Has(holding)) };
    let outcome = judge(expectation, &mut story, 9000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));
}

#[test]
fn what_a_broker_held_is_gone_with_its_process_and_said_in_words() {
    let mut story = pings(&[]);
    let state = SessionState { subscriptions: 2, queued: 3, in_flight: 0, has_will: true };
    let held = Held::Session("sub".to_owned(), Some(state));
    story.at(1000).event(EventKind::Holds { node: BROKER, held });
    story.at(1000).event(EventKind::Holds { node: BROKER, held: Held::Retained(4) });
    let holding = || Holding { session: Some("sub".to_owned()), retained: exactly(5), ..Holding::default() };
    assert_eq!(
        lines(&judge(expect(BROKER, Verb::Has(holding())), &mut story, 9000)),
        "Fail
8: expected: broker has { session: sub, retained: 5 } at 9.000 (end)
8:   actual: was holding a session of sub, subscriptions 2, queued 3, in_flight 0, will true; retained 4 at 9.000"
    );
    let mut story = pings(&[]);
    story.at(1000).event(EventKind::Holds { node: BROKER, held: Held::Session("sub".to_owned(), Some(state)) });
    story.at(2000).change(BROKER, NodeChange::Crashed);
    let gone = Holding { session: Some("sub".to_owned()), ..Holding::default() };
    assert_eq!(judge(expect(BROKER, Verb::Has(gone)), &mut story, 9000).verdict, Verdict::Fail);
}

#[test]
fn what_a_node_has_that_is_not_ours_is_not_judged() {
    let holding = Holding { retained: exactly(0), ..Holding::default() };
    let outcome = judge(expect(SENSOR, Verb::Has(holding)), &mut pings(&[]), 9000);
    assert_eq!(
        lines(&outcome),
        "Vacuous\n8: vacuous: not judged: what sensor holds is seen only by itself, and it does not say it"
    );
}

#[rstest]
#[case::in_order(&["a", "b"], "Pass")]
#[case::the_other_way_round(&["b", "a"], "Fail")]
#[case::twice(&["a", "a"], "Fail")]
fn messages_are_delivered_in_an_order(#[case] payloads: &[&str], #[case] expected: &str) {
    let mut story = pings(&[]);
    for (time, payload) in [(1000, "a"), (2000, "b")] {
        let Packet::Publish(message) = publish("t", payload) else { unreachable!() };
        story.at(time).event(EventKind::Delivered { node: SENSOR, message });
    }
    let pattern = |payload: &&str| {
        vec![FieldPattern { name: "payload".to_owned(), matcher: Matcher::Is(Value::Text((*payload).to_owned())) }]
    };
    let verb = Verb::Delivers(payloads.iter().map(pattern).collect());
    assert_eq!(format!("{:?}", judge(expect(SENSOR, verb), &mut story, 9000).verdict), expected);
}

#[test]
fn members_of_a_group_are_judged_each() {
    let expectation = Expectation { nodes: vec![SENSOR, WATCHER], ..sends_pings() };
    assert_eq!(
        lines(&judge(expectation, &mut pings(&[1000]), 2000)),
        "Fail\n8: expected: watcher sends PINGREQ at least once\n8:   actual: never, the run ended at 2.000"
    );
}

fn told(step: crate::plan::Step, story: &mut Story) -> String {
    let mut plan = plan();
    plan.steps.push(step);
    lines(&check(&plan, &story.end(2000)))
}

#[test]
fn fault_that_hit_nothing_is_vacuous() {
    let partition = || {
        step(
            5,
            "network: partition",
            StepKind::Network(NetworkChange::Partition { links: Vec::new(), starting_with: None }),
        )
    };
    let mut story = pings(&[1000]);
    story.at(50).step(5, "network: partition");
    assert_eq!(told(partition(), &mut story), "Vacuous\n5: vacuous: the fault hit nothing");
    let mut story = pings(&[1000]);
    story.at(50).step(5, "network: partition");
    story.at(1000).event(EventKind::FaultHit { position: position(5) });
    assert_eq!(told(partition(), &mut story), "Pass");
}

#[test]
fn step_that_was_never_reached_is_vacuous() {
    let wait = step(5, "wait 1h", StepKind::Wait(ms(3_600_000)));
    assert_eq!(
        told(wait, &mut pings(&[1000])),
        "Vacuous\n5: vacuous: the step was never reached, the run ended at 2.000"
    );
}

#[test]
fn step_that_failed_fails() {
    let mut story = pings(&[1000]);
    story.at(1000).step(5, "sensor: connect");
    story.event(EventKind::StepFailed { position: position(5), why: "CONNACK was refused".to_owned() });
    let connect = step(5, "sensor: connect", StepKind::Mark(String::new()));
    assert_eq!(
        told(connect, &mut story),
        "Fail\n5: expected: the step is done at 1.000\n5:   actual: CONNACK was refused"
    );
}

#[test]
fn crash_of_who_is_dead_is_vacuous() {
    let crash = || step(5, "sensor: crash", StepKind::Node { nodes: vec![SENSOR], actions: vec![Action::Crash] });
    let mut dead = pings(&[1000]);
    dead.at(100).change(SENSOR, NodeChange::Crashed).at(1000).step(5, "sensor: crash");
    assert_eq!(told(crash(), &mut dead), "Vacuous\n5: vacuous: `crash` changed nothing: the node was in that state");
    let mut alive = pings(&[1000]);
    alive.at(1000).step(5, "sensor: crash").change(SENSOR, NodeChange::Crashed);
    assert_eq!(told(crash(), &mut alive), "Pass");
}

#[test]
fn trace_in_which_nothing_travels_is_vacuous() {
    let outcome = check(&plan(), &Story::new().end(1000));
    assert_eq!(lines(&outcome), "Vacuous\n0: vacuous: nothing was ever sent");
}

#[test]
fn all_that_is_wrong_is_reported_in_the_order_of_the_file() {
    let mut plan = plan();
    let last = Expectation { position: position(9), count: exactly(0), ..sends_pings() };
    let first = Expectation { position: position(7), count: exactly(2), ..sends_pings() };
    plan.expectations.extend([last, first]);
    let outcome = check(&plan, &pings(&[1000]).end(2000));
    assert_eq!(outcome.violations.iter().map(|violation| violation.position.line).collect::<Vec<_>>(), [7, 9]);
}

#[test]
fn close_of_another_connection_does_not_count() {
    let mut story = silent_client();
    story.at(100).connect(1, WATCHER, connect("watcher", 5));
    let outcome = judge(expect(BROKER, closes(WATCHER, None)), &mut story, 9000);
    assert_eq!(outcome.verdict, Verdict::Fail);
}
