//! The standards leave some choices to a server (§4.3.3): when it takes a message of QoS 2 over, and what it has read at an instant.

use super::*;

/// The watcher subscribes to `u`, the sensor publishes on `t` at QoS 2, and the watcher subscribes to `t` before PUBREL.
fn subscribed_before_release(sends: u64) -> Tale {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 100, SENSOR, publish(2, 7, "x"));
    let tale = tale.hears(1, 110, SENSOR, Packet::PubRec(ack(7)));
    let tale = tale.subscribes(0, 200, Subscription::new("t", QoS::ExactlyOnce), None);
    let mut tale = tale.says(1, 300, SENSOR, Packet::PubRel(ack(7)));
    for number in 0..sends {
        tale = tale.hears(0, 310 + number, WATCHER, publish(2, 1 + number as u16, "x"));
    }
    tale.hears(1, 310, SENSOR, Packet::PubComp(ack(7)))
}

#[rstest]
#[case::not_at_all(0, &[])]
#[case::once(1, &[])]
#[case::twice(2, &["broker_delivers"])]
fn server_may_look_for_subscribers_at_pubrel(#[case] sends: u64, #[case] expected: &[&str]) {
    assert_eq!(subscribed_before_release(sends).broken(&plan(), 1000), expected);
}

/// PUBLISH and SUBSCRIBE come at one instant.
#[test]
fn server_may_look_for_subscribers_of_the_instant_of_publish_at_pubrel() {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 100, SENSOR, publish(2, 7, "x"));
    let subscription = Subscription::new("t", QoS::ExactlyOnce);
    let tale = tale.hears(1, 110, SENSOR, Packet::PubRec(ack(7))).subscribes(0, 100, subscription, None);
    let tale = tale.says(1, 120, SENSOR, Packet::PubRel(ack(7))).hears(0, 130, WATCHER, publish(2, 1, "x"));
    assert_eq!(tale.hears(1, 130, SENSOR, Packet::PubComp(ack(7))).broken(&plan(), 1000), [""; 0]);
}

/// Two messages are retained, of which this one, or none, is sent before SUBACK (§3.8.4), and the other one behind it.
#[rstest]
#[case::both(&["x"], &["y"], &[])]
#[case::all_before(&["x", "y"], &[], &[])]
#[case::one_is_missing(&["x"], &[], &["broker_delivers"])]
fn server_may_send_what_is_retained_before_suback(
    #[case] before: &[&'static str],
    #[case] behind: &[&'static str],
    #[case] expected: &[&str],
) {
    let retained =
        |topic: &'static str| Packet::from(Publish { topic: topic.into(), retain: true, ..message(0, 0, topic) });
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.says(1, 50, SENSOR, retained("x")).says(1, 50, SENSOR, retained("y"));
    let mut tale = tale.asks(0, 100, Subscription::new("+", QoS::AtMostOnce), None);
    for topic in before {
        tale = tale.hears(0, 110, WATCHER, retained(topic));
    }
    tale = tale.hears(0, 110, WATCHER, suback(QoS::AtMostOnce));
    for topic in behind {
        tale = tale.hears(0, 110, WATCHER, retained(topic));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

#[rstest]
#[case::released(true, &["broker_delivers"])]
#[case::not_released(false, &[])]
fn server_may_retain_a_message_when_it_is_released(#[case] is_released: bool, #[case] expected: &[&str]) {
    let retained = Publish { retain: true, ..message(2, 7, "x") };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 100, SENSOR, Packet::from(retained));
    let mut tale = tale.hears(1, 110, SENSOR, Packet::PubRec(ack(7)));
    if is_released {
        tale = tale.says(1, 200, SENSOR, Packet::PubRel(ack(7))).hears(1, 210, SENSOR, Packet::PubComp(ack(7)));
    }
    // What is retained is not sent.
    assert_eq!(tale.subscribes(0, 300, Subscription::new("t", QoS::AtMostOnce), None).broken(&plan(), 3000), expected);
}

/// A message that is to be retained comes before a subscription, and is released after it: it is what was retained, or what has just
/// been published.
#[rstest]
#[case::retained_before_release(250, true, &[])]
#[case::retained_after_release(310, true, &[])]
#[case::live_after_release(310, false, &[])]
fn server_may_publish_what_is_retained_at_pubrel(#[case] at: u64, #[case] retain: bool, #[case] expected: &[&str]) {
    let retained = Publish { retain: true, ..message(2, 7, "x") };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 100, SENSOR, Packet::from(retained));
    let tale = tale.hears(1, 110, SENSOR, Packet::PubRec(ack(7)));
    let tale = tale.subscribes(0, 200, Subscription::new("t", QoS::AtMostOnce), None);
    let sent = Packet::from(Publish { retain, ..message(0, 0, "x") });
    let hears = |tale: Tale, when: u64| if at == when { tale.hears(0, at, WATCHER, sent.clone()) } else { tale };
    let tale = hears(tale, 250).says(1, 300, SENSOR, Packet::PubRel(ack(7)));
    let tale = hears(tale.hears(1, 310, SENSOR, Packet::PubComp(ack(7))), 310);
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

/// 3.1.1 forbids nobody to send a message again on the same connection, but then it has DUP (§4.4).
#[rstest]
#[case::with_dup(Version::V3_1_1, true, &[])]
#[case::without_dup(Version::V3_1_1, false, &["resend_only_on_resume"])]
#[case::never_in_5_0(Version::V5_0, true, &["resend_only_on_resume"])]
fn server_may_send_again_on_the_same_connection(
    #[case] version: Version,
    #[case] dup: bool,
    #[case] expected: &[&str],
) {
    let tale = Tale::new().joins(0, 0, WATCHER, Connect { version, ..connect("watcher", 0) }, false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtLeastOnce), None);
    let tale = tale.says(1, 200, SENSOR, publish(1, 7, "x")).hears(1, 210, SENSOR, Packet::PubAck(ack(7)));
    let again = Packet::from(Publish { dup, ..message(1, 1, "x") });
    let tale = tale.hears(0, 210, WATCHER, publish(1, 1, "x")).hears(0, 30_210, WATCHER, again);
    assert_eq!(tale.broken(&plan(), 40_000), expected);
}

#[rstest]
#[case::at_that_instant(520, &[])]
#[case::before(500, &["resend_only_on_resume", "broker_delivers"])]
fn server_may_not_have_read_an_acknowledgement_of_the_instant_of_a_takeover(
    #[case] acknowledged: u64,
    #[case] expected: &[&str],
) {
    let again = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let tale = audience().says(1, 200, SENSOR, publish(1, 7, "x")).hears(1, 210, SENSOR, Packet::PubAck(ack(7)));
    let tale = tale.hears(0, 210, WATCHER, publish(1, 1, "x"));
    // The CONNECT of the new connection is answered 30 ms after it was opened, at 530.
    let mut tale = tale.says(0, acknowledged, WATCHER, Packet::PubAck(ack(1)));
    tale.0.at(500).item(2, WATCHER, BROKER, Transmission::Open);
    tale.0.at(520).packet(2, WATCHER, BROKER, Packet::from(again));
    tale.0.at(530).item(0, BROKER, WATCHER, Transmission::Fin);
    tale.0.at(530).packet(2, BROKER, WATCHER, Packet::from(ConnAck { session_present: true, ..ConnAck::default() }));
    let copy = Packet::from(Publish { dup: true, ..message(1, 1, "x") });
    assert_eq!(tale.hears(2, 540, WATCHER, copy).broken(&plan(), 1000), expected);
}

/// The watcher has asked for this filter when another connection takes over at the same instant, and has no SUBACK.
#[rstest]
#[case::read_before("t", true, true, &[])]
#[case::read_behind("t", false, true, &[])]
#[case::not_read("t", true, false, &[])]
#[case::of_another_topic("u", true, true, &["broker_delivers"])]
fn subscribe_without_an_answer_may_have_been_taken(
    #[case] filter: &str,
    #[case] is_first: bool,
    #[case] sends: bool,
    #[case] expected: &[&str],
) {
    let watcher = || Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let subscription = || Subscription::new(filter, QoS::AtMostOnce);
    let tale = Tale::new().joins(0, 0, WATCHER, watcher(), false).joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = if is_first { tale.asks(0, 100, subscription(), None) } else { tale };
    let tale = tale.joins(2, 80, WATCHER, watcher(), true);
    let mut tale = if is_first { tale } else { tale.asks(0, 100, subscription(), None) };
    tale.0.at(110).packet(0, BROKER, WATCHER, disconnect(0x8E)).item(0, BROKER, WATCHER, Transmission::Fin);
    let tale = tale.says(1, 200, SENSOR, publish(0, 0, "x"));
    assert_eq!(tale.hears_if(sends, 2, 210, WATCHER, publish(0, 0, "x")).broken(&plan(), 3000), expected);
}
