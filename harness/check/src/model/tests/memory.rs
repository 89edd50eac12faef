//! A server says what it holds, and the model judges that.

use super::*;
use crate::trace::{Held, SessionState};

const STATE: SessionState = SessionState { subscriptions: 1, queued: 0, in_flight: 0, has_will: false };

/// The watcher is subscribed to `t`, and the server says at the end what it holds of its session.
fn holds(tale: Tale, state: SessionState) -> Vec<String> {
    let mut tale = tale;
    let held = Held::Session("watcher".to_owned(), Some(state));
    tale.0.at(900).event(EventKind::Holds { node: BROKER, held });
    tale.broken(&plan(), 20_000)
}

#[rstest]
#[case::what_is_justified(STATE, &[])]
#[case::one_subscription_too_many(SessionState { subscriptions: 2, ..STATE }, &["broker_keeps_sessions"])]
#[case::no_subscription(SessionState { subscriptions: 0, ..STATE }, &["broker_keeps_sessions"])]
#[case::a_message_that_nobody_sent(SessionState { queued: 1, ..STATE }, &["broker_keeps_sessions"])]
#[case::a_message_that_is_settled(SessionState { in_flight: 1, ..STATE }, &["broker_keeps_sessions"])]
#[case::a_will(SessionState { has_will: true, ..STATE }, &["broker_keeps_sessions"])]
fn server_holds_of_a_session_what_is_justified(#[case] state: SessionState, #[case] expected: &[&str]) {
    assert_eq!(holds(audience(), state), expected);
}

#[test]
fn server_holds_no_session_that_has_ended() {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let mut tale = tale.subscribes(0, 100, Subscription::new("t", QoS::ExactlyOnce), None);
    let held = Held::Session("watcher".to_owned(), Some(STATE));
    tale.0.at(150).event(EventKind::Holds { node: BROKER, held });
    // Its session ends with its connection.
    assert_eq!(tale.breaks(0, 200, WATCHER).broken(&plan(), 5_000), ["broker_keeps_sessions"]);
}

#[rstest]
#[case::the_latest_of_each_topic(1, &[])]
#[case::one_that_is_replaced(2, &["broker_delivers"])]
#[case::none(0, &["broker_delivers"])]
fn server_retains_the_latest_message_of_each_topic(#[case] count: u64, #[case] expected: &[&str]) {
    let retained = |payload| Packet::from(Publish { retain: true, ..message(0, 0, payload) });
    let tale = Tale::new().joins(1, 0, SENSOR, connect("sensor", 0), false);
    let mut tale = tale.says(1, 100, SENSOR, retained("x")).says(1, 200, SENSOR, retained("y"));
    tale.0.at(300).event(EventKind::Holds { node: BROKER, held: Held::Retained(count) });
    assert_eq!(tale.broken(&plan(), 5_000), expected);
}
