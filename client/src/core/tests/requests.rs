use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, QoS, Subscription, UnsubAck, UserProperties};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, brief, id, options, suback};
use crate::core::{AckDetails, CommandError, DisconnectReason, Event, Options, Token, Transport};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn to(filters: &[&'static str]) -> Vec<Subscription> {
    filters.iter().map(|filter| Subscription::new(*filter, QoS::AtLeastOnce)).collect()
}

fn unsuback(packet_id: u16, version: Version, count: usize) -> Packet {
    Packet::UnsubAck(UnsubAck {
        packet_id: id(packet_id),
        reason_string: None,
        user_properties: UserProperties::new(),
        reasons: if version.is_v5() { vec![ReasonCode::SUCCESS; count] } else { vec![] },
    })
}

fn subscribed_to(version: Version, filters: &[&'static str]) -> Options {
    let mut options = options(version, 60);
    options.subscriptions = to(filters);
    options
}

impl Bench {
    fn subscribe(&mut self, filter: &'static str) -> Token {
        self.client.subscribe(self.now, to(&[filter])).expect("the filter is valid")
    }

    fn unsubscribe(&mut self, filter: &'static str) -> Token {
        self.client.unsubscribe(self.now, vec![ByteString::from_static(filter)]).expect("the filter is valid")
    }
}

#[rstest]
fn subscribing_is_done_with_suback(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    let token = bench.subscribe("a");
    assert_eq!(brief(&bench.sent()), ["SUBSCRIBE 1 a"]);
    bench.receive(suback(1, &[1]));
    assert_eq!(
        bench.events(),
        [Event::Subscribed { token, reasons: vec![ReasonCode::GRANTED_QOS_1], details: AckDetails::default() }]
    );
    let token = bench.unsubscribe("a");
    assert_eq!(brief(&bench.sent()), ["UNSUBSCRIBE 2 a"]);
    bench.receive(unsuback(2, version, 1));
    assert!(matches!(&bench.events()[..], [Event::Unsubscribed { token: done, .. }] if *done == token));
}

#[rstest]
fn options_subscribe_when_there_is_no_session(#[values(true, false)] session_present: bool) {
    let mut bench = Bench::new(subscribed_to(V3, &["a", "b"]));
    bench.client.connect_with(bench.now, false);
    bench.accept(ConnAck { session_present, ..ConnAck::default() });
    let expected: &[&str] = if session_present { &["CONNECT"] } else { &["CONNECT", "SUBSCRIBE 1 a b"] };
    assert_eq!(brief(&bench.sent()), expected);
    if !session_present {
        bench.receive(suback(1, &[1, 0x80]));
        let reasons = vec![ReasonCode::GRANTED_QOS_1, ReasonCode::UNSPECIFIED_ERROR];
        assert_eq!(bench.events(), [Event::Subscribed { token: Token::OWN, reasons, details: AckDetails::default() }]);
    }
}

#[test]
fn a_lost_session_is_subscribed_again_as_far_as_it_was_granted() {
    let mut bench = Bench::connected(subscribed_to(V5, &["own", "dropped"]));
    bench.receive(suback(1, &[1, 1]));
    bench.subscribe("granted");
    bench.receive(suback(2, &[1]));
    bench.subscribe("refused");
    bench.receive(suback(3, &[0x87]));
    bench.unsubscribe("dropped");
    bench.receive(unsuback(4, V5, 1));
    bench.reconnect(false);
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 5 own granted"]);
}

#[rstest]
#[case(true, &["CONNECT", "SUBSCRIBE 3 a", "UNSUBSCRIBE 4 b"])]
#[case(false, &["CONNECT", "SUBSCRIBE 3 own", "SUBSCRIBE 4 a", "UNSUBSCRIBE 5 b"])]
fn requests_without_an_answer_are_asked_again(#[case] session_present: bool, #[case] expected: &[&str]) {
    let mut bench = Bench::connected(options(V3, 60));
    bench.client.session.remember(Token::OWN, &to(&["own", "b"]).into(), &[ReasonCode::SUCCESS; 2]);
    bench.subscribe("a");
    bench.unsubscribe("b");
    bench.reconnect(session_present);
    assert_eq!(brief(&bench.sent()), expected);
}

#[test]
fn own_subscribe_without_an_answer_is_asked_again_once() {
    let mut bench = Bench::connected(subscribed_to(V3, &["a"]));
    bench.reconnect(false);
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 2 a"]);
    bench.reconnect(true);
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 3 a"]);
}

#[test]
fn requests_wait_for_a_connection() {
    let mut bench = Bench::new(options(V3, 60));
    bench.subscribe("a");
    assert_eq!(bench.take(), []);
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 1 a"]);
}

// Shows 5.0 MQTT-3.3.4-8, 5.0 MQTT-4.9.0-3.
#[test]
fn requests_are_not_held_back_by_the_receive_maximum() {
    let connack = ConnAck { receive_maximum: Some(1), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    bench.publish(QoS::AtLeastOnce, "1");
    bench.subscribe("a");
    assert_eq!(brief(&bench.sent()), ["PUBLISH 1 1", "SUBSCRIBE 2 a"]);
}

#[rstest]
#[case::too_few_codes(suback(1, &[0]), "MQTT-3.8.4-6")]
#[case::too_many_codes(suback(1, &[0, 0, 0]), "MQTT-3.8.4-6")]
#[case::other_type(unsuback(1, V5, 2), "MQTT-3.10.4-5")]
#[case::other_identifier(suback(2, &[0, 0]), "MQTT-3.8.4-2")]
fn an_answer_that_does_not_fit_ends_the_connection(#[case] answer: Packet, #[case] expected: &str) {
    let mut bench = Bench::connected(options(V5, 60));
    bench.client.subscribe(bench.now, to(&["a", "b"])).expect("the filters are valid");
    bench.receive(answer);
    let ended = bench.ended();
    assert!(matches!(ended, Some(DisconnectReason::Protocol { clause, .. }) if clause == expected), "{ended:?}");
}

#[test]
fn a_request_too_large_for_the_broker_is_refused_here() {
    let connack = ConnAck { maximum_packet_size: Some(8), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    let token = bench.subscribe("a/long/filter");
    assert_eq!(
        bench.events(),
        [Event::Subscribed { token, reasons: vec![ReasonCode::PACKET_TOO_LARGE], details: AckDetails::default() }]
    );
}

// Shows 3.1.1 MQTT-3.8.3-3, 3.1.1 MQTT-3.10.3-2, 5.0 MQTT-3.8.3-2, 5.0 MQTT-3.10.3-2.
#[rstest]
fn bad_requests_are_refused(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    assert!(bench.client.subscribe(bench.now, vec![]).is_err());
    assert!(bench.client.subscribe(bench.now, to(&["a#"])).is_err());
    assert!(bench.client.unsubscribe(bench.now, vec![]).is_err());
    assert_eq!(bench.take(), []);
}

#[test]
fn waiting_requests_are_bounded() {
    let mut options = options(V3, 60);
    options.queue_limit = 1;
    let mut bench = Bench::connected(options);
    bench.client.handle_closed(bench.now, Transport::Reset);
    bench.subscribe("a");
    assert!(bench.client.subscribe(bench.now, to(&["b"])).is_err());
}

#[test]
fn options_that_cannot_be_subscribed_to_are_told() {
    let mut bench = Bench::new(subscribed_to(V3, &["a#"]));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    let reasons = vec![ReasonCode::TOPIC_FILTER_INVALID];
    assert_eq!(
        bench.events().last(),
        Some(&Event::Subscribed { token: Token::OWN, reasons, details: AckDetails::default() })
    );
}

#[test]
fn requests_wait_in_the_order_in_which_they_were_made() {
    let mut bench = Bench::new(options(V5, 60));
    bench.subscribe("a");
    bench.unsubscribe("b");
    bench.subscribe("c");
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 1 a", "UNSUBSCRIBE 2 b", "SUBSCRIBE 3 c"]);
}

#[test]
fn an_answer_and_the_loss_of_the_connection_free_the_identifier() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.subscribe("a");
    bench.receive(suback(1, &[0]));
    assert!(!bench.client.session.outbox.release_id(id(1)), "it was answered");
    bench.subscribe("b");
    bench.client.handle_closed(bench.now, Transport::Reset);
    assert!(!bench.client.session.outbox.release_id(id(2)), "it is asked again with another");
}

#[test]
fn what_is_granted_after_it_was_given_up_is_not_asked_for_again() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.subscribe("a");
    bench.unsubscribe("a");
    bench.receive(suback(1, &[1]));
    bench.receive(unsuback(2, V5, 1));
    bench.take();
    bench.reconnect(false);
    assert_eq!(brief(&bench.sent()), ["CONNECT"]);
}

#[test]
fn of_two_subscriptions_to_one_filter_the_later_is_asked_for_again() {
    let mut bench = Bench::connected(options(V5, 60));
    for (id, qos) in [(1, QoS::AtMostOnce), (2, QoS::ExactlyOnce)] {
        bench.client.subscribe(bench.now, vec![Subscription::new("a", qos)]).expect("the filter is valid");
        bench.receive(suback(id, &[0]));
    }
    bench.take();
    bench.reconnect(false);
    let packets = bench.sent();
    let [_, Packet::Subscribe(subscribe)] = &*packets else { panic!("{packets:?}") };
    assert_eq!(subscribe.subscriptions, [Subscription::new("a", QoS::ExactlyOnce)]);
}

#[test]
fn each_request_that_waits_is_judged_by_itself() {
    let mut bench = Bench::new(options(V5, 60));
    bench.subscribe("$share/g/a");
    bench.subscribe("b");
    bench.client.connect(bench.now);
    bench.accept(ConnAck { shared_subscription_available: Some(false), ..ConnAck::default() });
    let packets = brief(&bench.sent());
    let [connect, subscribe] = &*packets else { panic!("{packets:?}") };
    assert_eq!(connect, "CONNECT");
    assert!(subscribe.ends_with(" b"), "{subscribe}");
    assert!(!bench.client.session.outbox.release_id(id(1)), "what was not sent needs no identifier");
}

#[test]
fn request_needs_no_queue_while_there_is_a_connection() {
    let mut options = options(V5, 60);
    options.queue_limit = 0;
    let mut bench = Bench::new(options);
    let unsubscribe = |bench: &mut Bench| bench.client.unsubscribe(bench.now, vec![ByteString::from("a")]);
    assert_eq!(unsubscribe(&mut bench), Err(CommandError::QueueFull));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    bench.take();
    assert!(unsubscribe(&mut bench).is_ok());
    assert_eq!(bench.sent().len(), 1);
}

#[test]
fn what_is_given_up_before_its_suback_is_not_subscribed_again() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.subscribe("a");
    bench.unsubscribe("a");
    assert_eq!(brief(&bench.sent()), ["SUBSCRIBE 1 a", "UNSUBSCRIBE 2 a"]);
    bench.receive(suback(1, &[1]));
    bench.client.handle_closed(bench.now, Transport::Eof);
    bench.client.connect(bench.now);
    bench.take();
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()), ["CONNECT", "UNSUBSCRIBE 3 a"]);
}

#[test]
fn own_subscription_that_is_given_up_before_its_suback_is_not_asked_for_again() {
    let mut options = subscribed_to(V5, &["a", "b"]);
    options.connect.clean_start = false;
    let mut bench = Bench::connected(options);
    bench.unsubscribe("a");
    assert_eq!(brief(&bench.sent()), ["UNSUBSCRIBE 2 a"]);
    bench.client.handle_closed(bench.now, Transport::Eof);
    bench.client.connect(bench.now);
    bench.take();
    bench.accept(ConnAck { session_present: true, ..ConnAck::default() });
    assert_eq!(brief(&bench.sent()), ["CONNECT", "SUBSCRIBE 3 b", "UNSUBSCRIBE 4 a"]);
}

#[test]
fn own_subscriptions_take_no_room_of_the_application() {
    let mut options = subscribed_to(V5, &["a"]);
    options.queue_limit = 1;
    let mut bench = Bench::connected(options);
    bench.client.handle_closed(bench.now, Transport::Reset);
    bench.unsubscribe("b");
    assert_eq!(bench.client.unsubscribe(bench.now, vec![ByteString::from("c")]), Err(CommandError::QueueFull));
}
