use halfopen_protocol::packet::{Ack, ConnAck, Publish, QoS};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, ack, brief, id, message, options};
use crate::core::{AckDetails, CommandError, Event, Token};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn done(token: Token) -> Event {
    Event::Published { token, reason: ReasonCode::SUCCESS, details: AckDetails::default() }
}

#[rstest]
fn qos_0_is_done_when_it_is_sent(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    let token = bench.publish(QoS::AtMostOnce, "1");
    assert_eq!(bench.events(), [done(token)]);
}

#[rstest]
fn qos_1_is_done_with_puback(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    let token = bench.publish(QoS::AtLeastOnce, "1");
    assert_eq!(bench.events(), []);
    bench.receive(Packet::PubAck(ack(1)));
    assert_eq!(bench.events(), [done(token)]);
}

// Shows 3.1.1 MQTT-4.3.3-1, 5.0 MQTT-4.3.3-4.
#[rstest]
fn qos_2_is_done_with_pubcomp(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    let token = bench.publish(QoS::ExactlyOnce, "1");
    bench.take();
    bench.receive(Packet::PubRec(ack(1)));
    assert_eq!(brief(&bench.sent()), ["PUBREL 1"]);
    bench.receive(Packet::PubComp(ack(1)));
    assert_eq!(bench.events(), [done(token)]);
}

#[test]
fn a_pubcomp_that_was_lost_and_is_asked_for_again_is_no_failure() {
    let mut bench = Bench::connected(options(V5, 60));
    let token = bench.publish(QoS::ExactlyOnce, "1");
    bench.receive(Packet::PubRec(ack(1)));
    bench.reconnect(true);
    bench.take();
    bench.receive(Packet::PubComp(Ack::with_reason(id(1), ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)));
    assert_eq!(bench.events(), [done(token)]);
}

#[rstest]
#[case(QoS::AtLeastOnce)]
#[case(QoS::ExactlyOnce)]
fn a_refused_message_is_done_with_its_reason(#[case] qos: QoS) {
    let mut bench = Bench::connected(options(V5, 60));
    let token = bench.publish(qos, "1");
    bench.take();
    let refusal = Ack::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED);
    bench.receive(if qos == QoS::AtLeastOnce { Packet::PubAck(refusal) } else { Packet::PubRec(refusal) });
    assert_eq!(
        bench.events(),
        [Event::Published { token, reason: ReasonCode::QUOTA_EXCEEDED, details: AckDetails::default() }]
    );
    assert!(bench.client.session.outbox.is_empty());
}

/// At which point the connection is lost, what is sent again if the session is there, and what if it is gone.
#[rstest]
#[case::qos_1_before_puback(QoS::AtLeastOnce, 0, &["PUBLISH 1 dup 1"], &["PUBLISH 2 1"])]
#[case::qos_1_after_puback(QoS::AtLeastOnce, 1, &[], &[])]
#[case::qos_2_before_pubrec(QoS::ExactlyOnce, 0, &["PUBLISH 1 dup 1"], &["PUBLISH 2 1"])]
#[case::qos_2_before_pubcomp(QoS::ExactlyOnce, 1, &["PUBREL 1"], &[])]
#[case::qos_2_after_pubcomp(QoS::ExactlyOnce, 2, &[], &[])]
fn a_lost_connection_costs_no_message_wherever_it_happens(
    #[case] qos: QoS,
    #[case] answers: usize,
    #[case] resumed: &[&str],
    #[case] anew: &[&str],
    #[values(V3, V5)] version: Version,
    #[values(true, false)] session_present: bool,
) {
    let mut bench = Bench::connected(options(version, 60));
    bench.publish(qos, "1");
    let flow = match qos {
        QoS::ExactlyOnce => vec![Packet::PubRec(ack(1)), Packet::PubComp(ack(1))],
        _ => vec![Packet::PubAck(ack(1))],
    };
    for answer in flow.into_iter().take(answers) {
        bench.receive(answer);
    }
    bench.reconnect(session_present);
    let sent = brief(&bench.sent());
    assert_eq!(sent[0], "CONNECT");
    assert_eq!(sent[1..], *if session_present { resumed } else { anew });
}

#[test]
fn a_message_that_the_broker_has_is_done_when_the_session_is_lost() {
    let mut bench = Bench::connected(options(V5, 60));
    let token = bench.publish(QoS::ExactlyOnce, "1");
    bench.receive(Packet::PubRec(ack(1)));
    bench.reconnect(false);
    assert_eq!(bench.events().last(), Some(&done(token)));
}

#[test]
fn what_is_published_offline_waits_in_its_order() {
    let mut bench = Bench::new(options(V3, 60));
    bench.publish(QoS::AtLeastOnce, "1");
    bench.publish(QoS::AtMostOnce, "2");
    bench.publish(QoS::ExactlyOnce, "3");
    assert_eq!(bench.take(), []);
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()), ["CONNECT", "PUBLISH 1 1", "PUBLISH 0 2", "PUBLISH 2 3"]);
}

#[test]
fn what_was_under_way_goes_before_what_waited() {
    let mut bench = Bench::connected(options(V3, 60));
    bench.publish(QoS::AtLeastOnce, "1");
    bench.publish(QoS::ExactlyOnce, "2");
    bench.client.handle_closed(bench.now, crate::core::Transport::Eof);
    bench.publish(QoS::AtLeastOnce, "3");
    bench.client.connect(bench.now);
    bench.take();
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()), ["CONNECT", "PUBLISH 3 1", "PUBLISH 4 2", "PUBLISH 5 3"]);
}

#[rstest]
#[case(QoS::AtMostOnce)]
#[case(QoS::AtLeastOnce)]
#[case(QoS::ExactlyOnce)]
fn the_queue_is_bounded(#[case] qos: QoS) {
    let mut options = options(V3, 60);
    options.queue_limit = 2;
    let mut bench = Bench::new(options);
    bench.publish(qos, "1");
    bench.publish(qos, "2");
    assert_eq!(bench.client.publish(bench.now, message(qos, "3")), Err(CommandError::QueueFull));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    assert_eq!(brief(&bench.sent()).len(), 3);
    bench.publish(qos, "3");
}

// Shows 5.0 MQTT-3.3.4-7, 5.0 MQTT-4.9.0-2.
#[test]
fn no_more_is_in_flight_than_the_broker_allows() {
    let connack = ConnAck { receive_maximum: Some(2), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    for payload in ["1", "2", "3", "4"] {
        bench.publish(QoS::AtLeastOnce, payload);
    }
    bench.publish(QoS::AtMostOnce, "5");
    assert_eq!(brief(&bench.sent()), ["PUBLISH 1 1", "PUBLISH 2 2", "PUBLISH 0 5"]);
    bench.receive(Packet::PubAck(ack(2)));
    assert_eq!(brief(&bench.sent()), ["PUBLISH 3 3"]);
    bench.receive(Packet::PubAck(ack(1)));
    assert_eq!(brief(&bench.sent()), ["PUBLISH 4 4"]);
}

// Shows 5.0 MQTT-3.2.2-11, 5.0 MQTT-3.2.2-14, 5.0 MQTT-3.2.2-15.
#[rstest]
#[case::qos(ConnAck { maximum_qos: Some(QoS::AtMostOnce), ..ConnAck::default() }, ReasonCode::QOS_NOT_SUPPORTED)]
#[case::retain(ConnAck { retain_available: Some(false), ..ConnAck::default() }, ReasonCode::RETAIN_NOT_SUPPORTED)]
#[case::size(ConnAck { maximum_packet_size: Some(10), ..ConnAck::default() }, ReasonCode::PACKET_TOO_LARGE)]
fn what_the_broker_does_not_take_is_not_sent(#[case] connack: ConnAck, #[case] reason: ReasonCode) {
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    let publish = Publish { retain: true, ..message(QoS::AtLeastOnce, "12") };
    let token = bench.client.publish(bench.now, publish).expect("it is fine in itself");
    let outputs = bench.take();
    assert_eq!(
        outputs,
        [crate::core::Output::Event(Event::Published { token, reason, details: AckDetails::default() })]
    );
}

#[test]
fn the_largest_packet_that_the_broker_takes_is_sent() {
    // Type and length, "a/b" with its length, packet identifier, no properties, one byte of payload.
    let connack = ConnAck { maximum_packet_size: Some(2 + 5 + 2 + 1 + 1), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    bench.publish(QoS::AtLeastOnce, "1");
    assert_eq!(brief(&bench.sent()), ["PUBLISH 1 1"]);
}

#[test]
fn a_topic_alias_of_the_application_is_refused() {
    let mut bench = Bench::connected(options(V5, 60));
    let publish = Publish { topic_alias: Some(1), ..message(QoS::AtMostOnce, "1") };
    assert_eq!(bench.client.publish(bench.now, publish), Err(CommandError::TopicAlias));
}

#[test]
fn a_message_to_be_retained_is_sent_unless_the_broker_retains_none() {
    let mut bench = Bench::connected(options(V5, 60));
    let publish = Publish { retain: true, ..message(QoS::AtMostOnce, "1") };
    bench.client.publish(bench.now, publish.clone()).expect("there is room");
    assert_eq!(bench.sent(), [Packet::from(publish)]);
}
