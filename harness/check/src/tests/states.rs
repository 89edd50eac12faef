//! What a client is and a broker has.

use super::*;

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
    story.at(8000).change(SENSOR, NodeFault::PowerLoss);
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
    story.at(2000).change(BROKER, NodeFault::Crash);
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

/// The client is connected from 0.040 on; where the time is may be off by 100 ms.
#[rstest]
#[case::that_begins_shortly_after(0, Verdict::Pass)]
#[case::that_is_there_nearly_all_the_while(139, Verdict::Pass)]
#[case::that_is_there_all_the_while(140, Verdict::Fail)]
fn never_a_state_with_a_tolerance_is_about_the_time_wherever_it_is(#[case] at: i64, #[case] expected: Verdict) {
    let mut plan = plan();
    plan.tolerance = Duration::from_millis(100);
    let timing = Some(Timing::At(start(at)));
    let is_connected = expect(SENSOR, Verb::Is(ClientState::Connected));
    plan.expectations.push(Expectation { mode: Mode::Never, timing, ..is_connected });
    assert_eq!(check(&plan, &silent_client().end(9000)).verdict, expected);
}
