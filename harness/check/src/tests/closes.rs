//! Who ends a connection, why and how.

use super::*;

#[test]
fn close_for_another_cause_is_named() {
    let mut story = pings(&[]);
    story.at(500).closing(0, BROKER, SENSOR, Because::Takeover, None).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(
        lines(&judge(expect(BROKER, closes(SENSOR, Some(Because::KeepAlive))), &mut story, 1000)),
        "Fail
8: expected: broker closes sensor because keep_alive at least once
8:   actual: never, the run ended at 1.000 (`until` makes it longer); there was a close because takeover at 0.500"
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
    story.at(500).packet(0, BROKER, SENSOR, disconnect(0x8d)).lost(0, BROKER, SENSOR, Transmission::Fin);
    story.at(510).closing(0, SENSOR, BROKER, Because::Asked, None).item(0, SENSOR, BROKER, Transmission::Fin);
    let loss = |how| expect(SENSOR, Verb::Loses { peer: BROKER, how: Some(how) });
    let count = |how| Expectation { count: exactly(1), timing: Some(Timing::At(start(510))), ..loss(how) };
    assert_eq!(lines(&judge(count(CloseHow::Fin), &mut story, 1000)), "Pass");
}

#[rstest]
#[case::must_and_does(Some(0x8d), None, "Pass")]
#[case::must_and_says_another(Some(0x8e), None, "Fail")]
#[case::may_and_does(None, Some(0x8d), "Pass")]
#[case::may_and_says_another(None, Some(0x8e), "Fail")]
fn reason_before_the_close(#[case] reason: Option<u8>, #[case] if_any: Option<u8>, #[case] expected: &str) {
    let reasons = |code: Option<u8>| code.map(|code| vec![ReasonCode::new(code)]);
    let verb = Verb::Closes {
        peer: SENSOR,
        because: None,
        how: None,
        reason: reasons(reason),
        reason_if_any: reasons(if_any),
    };
    let outcome = judge(expect(BROKER, verb.clone()), &mut silent_client(), 9000);
    assert_eq!(format!("{:?}", outcome.verdict), expected, "{}", lines(&outcome));

    let mut plan = plan();
    plan.version = Version::V3_1_1;
    plan.expectations.push(expect(BROKER, verb));
    assert_eq!(check(&plan, &silent_client().end(9000)).verdict, Verdict::Pass, "3.1.1 has no words for it");
}

#[test]
fn no_disconnect_is_enough_for_reason_if_any_but_not_for_reason() {
    let verdict = |reason, reason_if_any| {
        let mut story = pings(&[]);
        story.at(500).item(0, BROKER, SENSOR, Transmission::Rst);
        let verb = Verb::Closes { peer: SENSOR, because: None, how: Some(CloseHow::Rst), reason, reason_if_any };
        judge(expect(BROKER, verb), &mut story, 1000).verdict
    };
    assert_eq!(verdict(None, Some(vec![ReasonCode::new(0x8d)])), Verdict::Pass);
    assert_eq!(verdict(Some(vec![ReasonCode::new(0x8d)]), None), Verdict::Fail);
}

#[test]
fn close_of_another_connection_does_not_count() {
    let mut story = silent_client();
    story.at(100).connect(1, WATCHER, connect("watcher", 5));
    let outcome = judge(expect(BROKER, closes(WATCHER, None)), &mut story, 9000);
    assert_eq!(outcome.verdict, Verdict::Fail);
}
