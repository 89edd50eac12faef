use halfopen_protocol::packet::{Auth, Disconnect, Publish, QoS};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, ack, incoming, options, suback};
use crate::core::{DisconnectReason, Event};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn payloads(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Message(publish) => Some(String::from_utf8_lossy(&publish.payload).into_owned()),
            _ => None,
        })
        .collect()
}

// Shows 3.1.1 MQTT-4.5.0-2, 3.1.1 MQTT-3.3.4-1, 5.0 MQTT-4.5.0-2, 5.0 MQTT-3.3.4-1.
#[rstest]
#[case(QoS::AtMostOnce, 0, &[])]
#[case(QoS::AtLeastOnce, 9, &[PacketType::PubAck])]
#[case(QoS::ExactlyOnce, 9, &[PacketType::PubRec])]
fn a_message_is_handed_on_and_acknowledged(
    #[case] qos: QoS,
    #[case] id: u16,
    #[case] answers: &[PacketType],
    #[values(V3, V5)] version: Version,
) {
    let mut bench = Bench::connected(options(version, 60));
    bench.receive(incoming(qos, id, "1"));
    let outputs = bench.take();
    let messages = outputs.iter().filter(|output| matches!(output, crate::core::Output::Event(Event::Message(_))));
    assert_eq!(messages.count(), 1);
    let sent: Vec<_> = super::bench::sent(outputs).iter().map(Packet::packet_type).collect();
    assert_eq!(sent, answers);
}

// Shows 5.0 MQTT-4.3.3-10, 5.0 MQTT-4.3.3-12.
#[test]
fn qos_2_is_handed_on_once_until_it_is_released() {
    let mut bench = Bench::connected(options(V5, 60));
    let again = |dup| match incoming(QoS::ExactlyOnce, 9, "1") {
        Packet::Publish(publish) => Packet::from(Publish { dup, ..Publish::clone(&publish) }),
        packet => packet,
    };
    bench.receive(again(false));
    bench.receive(again(true));
    assert_eq!(payloads(&bench.events()), ["1"]);
    bench.receive(Packet::PubRel(ack(9)));
    bench.receive(again(false));
    assert_eq!(payloads(&bench.events()), ["1"]);
}

#[test]
fn qos_2_is_handed_on_once_across_a_resumed_connection() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.receive(incoming(QoS::ExactlyOnce, 9, "1"));
    bench.reconnect(true);
    bench.take();
    bench.receive(incoming(QoS::ExactlyOnce, 9, "1"));
    assert_eq!(payloads(&bench.events()), [""; 0]);
    bench.reconnect(false);
    bench.take();
    bench.receive(incoming(QoS::ExactlyOnce, 9, "1"));
    assert_eq!(payloads(&bench.events()), ["1"], "with the session gone it is another message");
}

// Shows 5.0 MQTT-3.3.2-10, 5.0 MQTT-3.3.2-7.
#[test]
fn a_topic_alias_stands_for_the_topic_until_the_connection_ends() {
    let mut options = options(V5, 60);
    options.connect.topic_alias_maximum = Some(2);
    let mut bench = Bench::connected(options);
    let alias = |topic: &'static str| {
        let publish = super::bench::message(QoS::AtMostOnce, "1");
        Packet::from(Publish { topic: topic.into(), topic_alias: Some(2), ..publish })
    };
    bench.receive(alias("a/b"));
    bench.receive(alias(""));
    let topics: Vec<_> = bench
        .events()
        .into_iter()
        .filter_map(|event| if let Event::Message(publish) = event { Some(publish.topic.clone()) } else { None })
        .collect();
    assert_eq!(topics, ["a/b", "a/b"]);

    bench.reconnect(true);
    bench.take();
    bench.receive(alias(""));
    assert!(matches!(bench.ended(), Some(DisconnectReason::Protocol { reason: ReasonCode::PROTOCOL_ERROR, .. })));
}

#[test]
fn a_bad_topic_alias_does_not_swallow_the_message_that_had_it() {
    let mut bench = Bench::connected(options(V5, 60));
    let Packet::Publish(publish) = incoming(QoS::ExactlyOnce, 9, "1") else { unreachable!() };
    bench.receive(Packet::from(Publish { topic_alias: Some(1), ..Publish::clone(&publish) }));
    let ended = bench.ended();
    assert!(matches!(ended, Some(DisconnectReason::Protocol { reason: ReasonCode::TOPIC_ALIAS_INVALID, .. })));
    bench.client.connect_with(bench.now, false);
    bench.accept(halfopen_protocol::packet::ConnAck { session_present: true, ..Default::default() });
    bench.take();
    bench.receive(Packet::from(Publish { dup: true, ..Publish::clone(&publish) }));
    assert_eq!(payloads(&bench.events()), ["1"]);
}

#[test]
fn our_receive_maximum_binds_the_broker() {
    let mut options = options(V5, 60);
    options.connect.receive_maximum = Some(2);
    let mut bench = Bench::connected(options);
    for id in 1..=3 {
        assert_eq!(bench.ended(), None);
        bench.receive(incoming(QoS::ExactlyOnce, id, "1"));
    }
    let expected = ReasonCode::RECEIVE_MAXIMUM_EXCEEDED;
    assert!(matches!(bench.ended(), Some(DisconnectReason::Protocol { reason, .. }) if reason == expected));
}

#[rstest]
#[case::second_connack(V3, Packet::ConnAck(Default::default()), "§3.2")]
#[case::second_connack(V5, Packet::ConnAck(Default::default()), "MQTT-3.2.0-2")]
#[case::auth(V5, Packet::Auth(Auth { authentication_method: Some("x".into()), reason: ReasonCode::CONTINUE_AUTHENTICATION, ..Auth::default() }), "MQTT-4.12.0-6")]
#[case::suback_for_nothing(V3, suback(7, &[0]), "MQTT-3.8.4-2")]
#[case::suback_for_nothing(V5, suback(7, &[0]), "MQTT-3.8.4-2")]
fn a_packet_out_of_place_ends_the_connection(#[case] version: Version, #[case] packet: Packet, #[case] expected: &str) {
    let mut bench = Bench::connected(options(version, 60));
    bench.receive(packet);
    let outputs = bench.take();
    let last = outputs.last().cloned();
    let sent = super::bench::sent(outputs);
    let asked = Packet::Disconnect(Disconnect::new(ReasonCode::PROTOCOL_ERROR));
    assert_eq!(sent, if version.is_v5() { vec![asked] } else { vec![] }, "only 5.0 says why");
    match last {
        Some(crate::core::Output::Event(Event::Disconnected {
            reason: DisconnectReason::Protocol { clause, .. },
            ..
        })) => assert_eq!(clause, expected),
        last => panic!("{last:?}"),
    }
}

#[rstest]
fn nothing_may_come_before_connack(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::new(options(version, 60));
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.receive(Packet::PingResp);
    let ended = bench.ended();
    assert!(matches!(ended, Some(DisconnectReason::Protocol { clause: "MQTT-3.2.0-1", .. })), "{ended:?}");
}

#[rstest]
#[case::connect_from_the_broker(V3, &[0x10, 0x00])]
#[case::reserved_type(V3, &[0x00, 0x00])]
#[case::server_disconnect_in_3_1_1(V3, &[0xE0, 0x00])]
#[case::qos_3(V5, &[0x36, 0x06, 0, 1, b'a', 0, 1, 0])]
#[case::flags(V5, &[0xD1, 0x00])]
fn malformed_bytes_end_the_connection(#[case] version: Version, #[case] bytes: &[u8]) {
    let mut bench = Bench::connected(options(version, 60));
    bench.client.handle_bytes(bench.now, bytes);
    let ended = bench.ended();
    assert!(matches!(ended, Some(DisconnectReason::Protocol { .. })), "{ended:?}");
}

#[rstest]
#[case::at_most(98, false)]
#[case::one_more(99, true)]
fn a_packet_larger_than_announced_is_not_waited_for(#[case] remaining_length: u8, #[case] is_refused: bool) {
    let mut options = options(V5, 60);
    options.connect.maximum_packet_size = Some(100);
    let mut bench = Bench::connected(options);
    bench.client.handle_bytes(bench.now, &[0x30, remaining_length]);
    let expected = ReasonCode::PACKET_TOO_LARGE;
    let ended = bench.ended();
    let is_too_large = matches!(ended, Some(DisconnectReason::Protocol { reason, .. }) if reason == expected);
    assert_eq!(is_too_large, is_refused, "{ended:?}");
}

#[test]
fn bytes_behind_a_violation_are_not_looked_at() {
    let mut bench = Bench::connected(options(V3, 60));
    bench.client.handle_bytes(bench.now, &[0xD1, 0x00, 0x30, 0x05, 0, 1, b'a', b'1', b'2']);
    assert_eq!(payloads(&bench.events()), [""; 0]);
}

#[test]
fn a_new_connection_begins_with_our_whole_receive_maximum() {
    let mut options = options(V5, 60);
    options.connect.receive_maximum = Some(1);
    let mut bench = Bench::connected(options);
    bench.receive(incoming(QoS::ExactlyOnce, 1, "1"));
    // The same once more uses up no more.
    bench.receive(incoming(QoS::ExactlyOnce, 1, "1"));
    assert_eq!(bench.sent_types(), [PacketType::PubRec; 2]);
    bench.reconnect(true);
    bench.take();
    bench.receive(incoming(QoS::ExactlyOnce, 2, "2"));
    assert_eq!(bench.sent_types(), [PacketType::PubRec]);
    bench.receive(incoming(QoS::AtLeastOnce, 2, "3"));
    let Some(DisconnectReason::Protocol { reason, .. }) = bench.ended() else { panic!("it went on") };
    assert_eq!(reason, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
}
