//! What a broker must not send, one row per clause: bytes, the state in which they come, and how the connection ends. In 5.0
//! the client says why in DISCONNECT; in 3.1.1 it only closes.

use halfopen_protocol::packet::{Disconnect, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, brief, message, options, sent};
use crate::core::{DisconnectReason, Event, Output};

use Version::{V3_1_1, V5_0};

const MALFORMED: u8 = 0x81;
const PROTOCOL: u8 = 0x82;

/// CONNECT is sent; with clean start.
fn waiting(version: Version) -> Bench {
    let mut options = options(version, 60);
    if version.is_v5() {
        options.connect.maximum_packet_size = Some(100);
    } else {
        options.packet_limit = 100;
    }
    let mut bench = Bench::new(options);
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.take();
    bench
}

/// Under way are a PUBLISH of QoS 1 with identifier 1, one of QoS 2 with 2, the PUBREL of another with 3, a SUBSCRIBE of two
/// filters with 4 and an UNSUBSCRIBE of two with 5. In 5.0 the Receive Maximum is 2 and the Topic Alias Maximum 2.
fn busy(version: Version) -> Bench {
    let mut options = options(version, 60);
    if version.is_v5() {
        options.connect.maximum_packet_size = Some(100);
        options.connect.receive_maximum = Some(2);
        options.connect.topic_alias_maximum = Some(2);
    } else {
        options.packet_limit = 100;
    }
    let mut bench = Bench::connected(options);
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::ExactlyOnce] {
        bench.client.publish(bench.now, message(qos, "1")).expect("there is room");
    }
    bench.client.handle_bytes(bench.now, &[0x50, 2, 0, 3]);
    let filters = vec![Subscription::new("a", QoS::AtMostOnce), Subscription::new("b", QoS::AtMostOnce)];
    bench.client.subscribe(bench.now, filters).expect("the filters are valid");
    bench.client.unsubscribe(bench.now, vec!["a".into(), "b".into()]).expect("the filters are valid");
    let sent = brief(&bench.sent());
    let ids = ["PUBLISH 1 1", "PUBLISH 2 1", "PUBLISH 3 1", "PUBREL 3", "SUBSCRIBE 4 a b", "UNSUBSCRIBE 5 a b"];
    assert_eq!(sent, ids);
    bench
}

fn is_ended(mut bench: Bench, bytes: &[u8], reason: u8, clause: &str) {
    let version = bench.version();
    bench.client.handle_bytes(bench.now, bytes);
    let outputs = bench.take();
    let closes = outputs.iter().filter(|output| **output == Output::Close).count();
    let ended = outputs.iter().find_map(|output| match output {
        Output::Event(Event::Disconnected { reason: DisconnectReason::Protocol { reason, clause, .. }, .. }) => {
            Some((reason.value(), *clause))
        }
        _ => None,
    });
    assert_eq!((closes, ended), (1, Some((reason, clause))));
    let goodbye = sent(outputs).into_iter().filter(|packet| matches!(packet, Packet::Disconnect(_)));
    let expected = version.is_v5().then(|| Packet::Disconnect(Disconnect::new(ReasonCode::new(reason))));
    assert_eq!(goodbye.collect::<Vec<_>>(), Vec::from_iter(expected));
}

/// Before CONNACK.
#[rstest]
#[case::publish(V3_1_1, b"\x30\x03\0\x01t", PROTOCOL, "MQTT-3.2.0-1")]
#[case::publish(V5_0, b"\x30\x04\0\x01t\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::puback(V3_1_1, b"\x40\x02\0\x01", PROTOCOL, "MQTT-3.2.0-1")]
#[case::puback(V5_0, b"\x40\x02\0\x01", PROTOCOL, "MQTT-3.2.0-1")]
#[case::suback(V3_1_1, b"\x90\x03\0\x01\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::suback(V5_0, b"\x90\x04\0\x01\0\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::pingresp(V3_1_1, b"\xd0\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::pingresp(V5_0, b"\xd0\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::disconnect(V3_1_1, b"\xe0\0", PROTOCOL, "§2.2.1")]
#[case::disconnect(V5_0, b"\xe0\0", PROTOCOL, "MQTT-3.2.0-1")]
#[case::auth_without_a_method(V5_0, b"\xf0\x06\x18\x04\x15\0\x01m", PROTOCOL, "MQTT-4.12.0-6")]
#[case::auth_of_3_1_1(V3_1_1, b"\xf0\0", MALFORMED, "§2.2.1")]
#[case::connect(V3_1_1, b"\x10", PROTOCOL, "§2.2.1")]
#[case::connect(V5_0, b"\x10", PROTOCOL, "§2.1.2")]
#[case::session_after_clean_start(V3_1_1, b"\x20\x02\x01\0", PROTOCOL, "MQTT-3.2.2-1")]
#[case::session_after_clean_start(V5_0, b"\x20\x03\x01\0\0", PROTOCOL, "MQTT-3.2.2-2")]
#[case::connack_flags(V3_1_1, b"\x20\x02\x02\0", MALFORMED, "§3.2.2.1")]
#[case::connack_flags(V5_0, b"\x20\x03\x02\0\0", MALFORMED, "MQTT-3.2.2-1")]
#[case::session_with_a_refusal(V3_1_1, b"\x20\x02\x01\x05", PROTOCOL, "MQTT-3.2.2-4")]
#[case::session_with_a_refusal(V5_0, b"\x20\x03\x01\x87\0", PROTOCOL, "MQTT-3.2.2-6")]
#[case::return_code(V3_1_1, b"\x20\x02\0\x06", PROTOCOL, "§3.2.2.3")]
#[case::reason_code(V5_0, b"\x20\x03\0\x01\0", PROTOCOL, "MQTT-3.2.2-8")]
#[case::connack_of_the_other_version(V3_1_1, b"\x20\x03\0\0\0", MALFORMED, "§2.2.3")]
#[case::connack_of_the_other_version(V5_0, b"\x20\x02\0\0", MALFORMED, "§2.1.4")]
#[case::receive_maximum_0(V5_0, b"\x20\x06\0\0\x03\x21\0\0", PROTOCOL, "§3.2.2.3.3")]
#[case::maximum_qos_2(V5_0, b"\x20\x05\0\0\x02\x24\x02", PROTOCOL, "§3.2.2.3.4")]
#[case::maximum_packet_size_0(V5_0, b"\x20\x08\0\0\x05\x27\0\0\0\0", PROTOCOL, "§3.2.2.3.6")]
#[case::method_not_asked_for(V5_0, b"\x20\x07\0\0\x04\x15\0\x01m", PROTOCOL, "MQTT-4.12.0-6")]
#[case::too_large(V3_1_1, b"\x20\x63", MALFORMED, "§2.2.3")]
#[case::too_large(V5_0, b"\x20\x63", 0x95, "MQTT-3.1.2-24")]
fn before_connack(#[case] version: Version, #[case] bytes: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_ended(waiting(version), bytes, reason, clause);
}

/// Fixed headers, and packets that a broker never sends.
#[rstest]
#[case::reserved_type_0(V3_1_1, b"\x00", MALFORMED, "§2.2.1")]
#[case::reserved_type_0(V5_0, b"\x00", MALFORMED, "§2.1.2")]
#[case::reserved_type_15(V3_1_1, b"\xf0", MALFORMED, "§2.2.1")]
#[case::connect(V3_1_1, b"\x10", PROTOCOL, "§2.2.1")]
#[case::connect(V5_0, b"\x10", PROTOCOL, "§2.1.2")]
#[case::second_connack(V3_1_1, b"\x20\x02\0\0", PROTOCOL, "§3.2")]
#[case::second_connack(V5_0, b"\x20\x03\0\0\0", PROTOCOL, "MQTT-3.2.0-2")]
#[case::second_connack_that_refuses(V5_0, b"\x20\x03\0\x87\0", PROTOCOL, "MQTT-3.2.0-2")]
#[case::subscribe(V3_1_1, b"\x82", PROTOCOL, "§2.2.1")]
#[case::subscribe(V5_0, b"\x82", PROTOCOL, "§2.1.2")]
#[case::unsubscribe(V3_1_1, b"\xa2", PROTOCOL, "§2.2.1")]
#[case::unsubscribe(V5_0, b"\xa2", PROTOCOL, "§2.1.2")]
#[case::pingreq(V3_1_1, b"\xc0", PROTOCOL, "§2.2.1")]
#[case::pingreq(V5_0, b"\xc0", PROTOCOL, "§2.1.2")]
#[case::disconnect(V3_1_1, b"\xe0", PROTOCOL, "§2.2.1")]
#[case::puback_flags(V3_1_1, b"\x41", MALFORMED, "MQTT-2.2.2-2")]
#[case::puback_flags(V5_0, b"\x41", MALFORMED, "MQTT-2.1.3-1")]
#[case::pubrel_flags(V3_1_1, b"\x60", MALFORMED, "MQTT-3.6.1-1")]
#[case::pubrel_flags(V5_0, b"\x60", MALFORMED, "MQTT-3.6.1-1")]
#[case::pingresp_flags(V3_1_1, b"\xd1", MALFORMED, "MQTT-2.2.2-2")]
#[case::pingresp_flags(V5_0, b"\xd1", MALFORMED, "MQTT-2.1.3-1")]
#[case::pingresp_with_a_body(V3_1_1, b"\xd0\x01", MALFORMED, "§2.2.3")]
#[case::pingresp_with_a_body(V5_0, b"\xd0\x01", MALFORMED, "§2.1.4")]
#[case::fifth_length_byte(V3_1_1, b"\x30\x80\x80\x80\x80", MALFORMED, "§2.2.3")]
#[case::fifth_length_byte(V5_0, b"\x30\x80\x80\x80\x80", MALFORMED, "§1.5.5")]
#[case::length_not_minimal(V5_0, b"\xd0\x80\0", MALFORMED, "MQTT-1.5.5-1")]
#[case::too_large(V3_1_1, b"\x30\x63", 0x95, "§2.2.3")]
#[case::too_large(V5_0, b"\x30\x63", 0x95, "MQTT-3.1.2-24")]
fn fixed_headers(#[case] version: Version, #[case] bytes: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_ended(busy(version), bytes, reason, clause);
}

#[rstest]
#[case::qos_3(V3_1_1, b"\x36", MALFORMED, "MQTT-3.3.1-4")]
#[case::qos_3(V5_0, b"\x36", MALFORMED, "MQTT-3.3.1-4")]
#[case::dup_at_qos_0(V3_1_1, b"\x38", PROTOCOL, "MQTT-3.3.1-2")]
#[case::dup_at_qos_0(V5_0, b"\x38", PROTOCOL, "MQTT-3.3.1-2")]
#[case::id_0(V3_1_1, b"\x32\x05\0\x01t\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::id_0(V5_0, b"\x32\x06\0\x01t\0\0\0", PROTOCOL, "MQTT-2.2.1-4")]
#[case::no_id(V3_1_1, b"\x32\x03\0\x01t", MALFORMED, "§2.2.3")]
#[case::wildcard(V3_1_1, b"\x30\x03\0\x01#", MALFORMED, "MQTT-3.3.2-2")]
#[case::wildcard(V5_0, b"\x30\x04\0\x01+\0", MALFORMED, "MQTT-3.3.2-2")]
#[case::empty_topic(V3_1_1, b"\x30\x02\0\0", MALFORMED, "MQTT-4.7.3-1")]
#[case::neither_topic_nor_alias(V5_0, b"\x30\x03\0\0\0", PROTOCOL, "§3.3.2.1")]
#[case::not_utf_8(V3_1_1, b"\x30\x03\0\x01\xff", MALFORMED, "MQTT-1.5.3-1")]
#[case::not_utf_8(V5_0, b"\x30\x04\0\x01\xff\0", MALFORMED, "MQTT-1.5.4-1")]
#[case::nul(V3_1_1, b"\x30\x03\0\x01\0", MALFORMED, "MQTT-1.5.3-2")]
#[case::nul(V5_0, b"\x30\x04\0\x01\0\0", MALFORMED, "MQTT-1.5.4-2")]
#[case::alias_0(V5_0, b"\x30\x07\0\x01t\x03\x23\0\0", 0x94, "MQTT-3.3.2-8")]
#[case::alias_above_the_maximum(V5_0, b"\x30\x07\0\x01t\x03\x23\0\x03", 0x94, "§3.3.2.3.4")]
#[case::alias_that_was_not_set(V5_0, b"\x30\x06\0\0\x03\x23\0\x02", PROTOCOL, "§3.3.2.3.4")]
#[case::alias_twice(V5_0, b"\x30\x0a\0\x01t\x06\x23\0\x01\x23\0\x01", PROTOCOL, "§3.3.2.3.4")]
#[case::payload_format_2(V5_0, b"\x30\x06\0\x01t\x02\x01\x02", PROTOCOL, "§3.3.2.3.2")]
#[case::response_with_a_wildcard(V5_0, b"\x30\x08\0\x01t\x04\x08\0\x01#", MALFORMED, "MQTT-3.3.2-14")]
#[case::subscription_id_0(V5_0, b"\x30\x06\0\x01t\x02\x0b\0", PROTOCOL, "§3.3.2.3.8")]
#[case::property_of_connect(V5_0, b"\x30\x07\0\x01t\x03\x21\0\x01", MALFORMED, "§2.2.2.2")]
#[case::property_that_does_not_exist(V5_0, b"\x30\x06\0\x01t\x02\x7f\0", MALFORMED, "§2.2.2.2")]
#[case::properties_longer_than_the_packet(V5_0, b"\x30\x04\0\x01t\x05", MALFORMED, "§2.1.4")]
#[case::three_of_qos_2_where_two_may_be_open(
    V5_0,
    b"\x34\x06\0\x01t\0\x01\0\x34\x06\0\x01t\0\x02\0\x34\x06\0\x01t\0\x03\0",
    0x93,
    "MQTT-3.3.4-9"
)]
fn publish(#[case] version: Version, #[case] bytes: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_ended(busy(version), bytes, reason, clause);
}

/// Acknowledgements: malformed, or of the wrong kind for what is under way with their identifier.
#[rstest]
#[case::puback_for_qos_2(V3_1_1, b"\x40\x02\0\x02", PROTOCOL, "§4.3.3")]
#[case::puback_for_qos_2(V5_0, b"\x40\x02\0\x02", PROTOCOL, "§4.3.3")]
#[case::puback_for_a_pubrel(V5_0, b"\x40\x02\0\x03", PROTOCOL, "§4.3.3")]
#[case::puback_for_a_subscribe(V3_1_1, b"\x40\x02\0\x04", PROTOCOL, "§2.2.1")]
#[case::puback_for_a_subscribe(V5_0, b"\x40\x02\0\x04", PROTOCOL, "§2.2.1")]
#[case::pubrec_for_qos_1(V3_1_1, b"\x50\x02\0\x01", PROTOCOL, "§4.3.2")]
#[case::pubrec_for_qos_1(V5_0, b"\x50\x02\0\x01", PROTOCOL, "§4.3.2")]
#[case::pubrec_for_an_unsubscribe(V5_0, b"\x50\x02\0\x05", PROTOCOL, "§2.2.1")]
#[case::pubrec_that_refuses_what_it_took(V5_0, b"\x50\x03\0\x03\x97", PROTOCOL, "§4.3.3")]
#[case::pubcomp_for_qos_1(V3_1_1, b"\x70\x02\0\x01", PROTOCOL, "§4.3.3")]
#[case::pubcomp_before_pubrec(V3_1_1, b"\x70\x02\0\x02", PROTOCOL, "§4.3.3")]
#[case::pubcomp_before_pubrec(V5_0, b"\x70\x02\0\x02", PROTOCOL, "§4.3.3")]
#[case::pubcomp_for_a_subscribe(V5_0, b"\x70\x02\0\x04", PROTOCOL, "§2.2.1")]
#[case::puback_of_id_0(V3_1_1, b"\x40\x02\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::puback_of_id_0(V5_0, b"\x40\x02\0\0", PROTOCOL, "MQTT-2.2.1-4")]
#[case::puback_without_id(V3_1_1, b"\x40\x01", MALFORMED, "§2.2.3")]
#[case::puback_without_id(V5_0, b"\x40\x01", MALFORMED, "§2.1.4")]
#[case::puback_with_a_reason_in_3_1_1(V3_1_1, b"\x40\x03", MALFORMED, "§2.2.3")]
#[case::puback_of_unknown_reason(V5_0, b"\x40\x03\0\x01\x01", PROTOCOL, "MQTT-3.4.2-1")]
#[case::pubrec_of_unknown_reason(V5_0, b"\x50\x03\0\x02\x92", PROTOCOL, "MQTT-3.5.2-1")]
#[case::pubrel_of_unknown_reason(V5_0, b"\x62\x03\0\x02\x97", PROTOCOL, "MQTT-3.6.2-1")]
#[case::pubcomp_of_unknown_reason(V5_0, b"\x70\x03\0\x03\x97", PROTOCOL, "MQTT-3.7.2-1")]
#[case::puback_reason_string_twice(V5_0, b"\x40\x0c\0\x01\0\x08\x1f\0\x01a\x1f\0\x01b", PROTOCOL, "§3.4.2.2.2")]
#[case::suback_for_nothing(V3_1_1, b"\x90\x04\0\x09\0\0", PROTOCOL, "MQTT-3.8.4-2")]
#[case::suback_for_nothing(V5_0, b"\x90\x05\0\x09\0\0\0", PROTOCOL, "MQTT-3.8.4-2")]
#[case::suback_for_a_publish(V3_1_1, b"\x90\x03\0\x01\0", PROTOCOL, "MQTT-3.8.4-2")]
#[case::suback_for_an_unsubscribe(V3_1_1, b"\x90\x04\0\x05\0\0", PROTOCOL, "MQTT-3.8.4-2")]
#[case::suback_for_an_unsubscribe(V5_0, b"\x90\x05\0\x05\0\0\0", PROTOCOL, "MQTT-3.8.4-2")]
#[case::suback_with_a_code_too_few(V3_1_1, b"\x90\x03\0\x04\0", PROTOCOL, "MQTT-3.8.4-5")]
#[case::suback_with_a_code_too_few(V5_0, b"\x90\x04\0\x04\0\0", PROTOCOL, "MQTT-3.8.4-6")]
#[case::suback_with_a_code_too_many(V3_1_1, b"\x90\x05\0\x04\0\0\0", PROTOCOL, "MQTT-3.8.4-5")]
#[case::suback_with_a_code_too_many(V5_0, b"\x90\x06\0\x04\0\0\0\0", PROTOCOL, "MQTT-3.8.4-6")]
#[case::suback_of_unknown_code(V3_1_1, b"\x90\x04\0\x04\0\x03", PROTOCOL, "MQTT-3.9.3-2")]
#[case::suback_of_unknown_code(V5_0, b"\x90\x05\0\x04\0\0\x03", PROTOCOL, "MQTT-3.9.3-2")]
#[case::unsuback_for_nothing(V3_1_1, b"\xb0\x02\0\x09", PROTOCOL, "MQTT-3.10.4-4")]
#[case::unsuback_for_nothing(V5_0, b"\xb0\x05\0\x09\0\0\0", PROTOCOL, "MQTT-3.10.4-5")]
#[case::unsuback_for_a_subscribe(V3_1_1, b"\xb0\x02\0\x04", PROTOCOL, "MQTT-3.10.4-4")]
#[case::unsuback_for_a_subscribe(V5_0, b"\xb0\x05\0\x04\0\0\0", PROTOCOL, "MQTT-3.10.4-5")]
#[case::unsuback_with_a_code_too_few(V5_0, b"\xb0\x04\0\x05\0\0", PROTOCOL, "§3.11.3")]
#[case::unsuback_with_codes_in_3_1_1(V3_1_1, b"\xb0\x04", MALFORMED, "§2.2.3")]
fn acknowledgements(#[case] version: Version, #[case] bytes: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_ended(busy(version), bytes, reason, clause);
}

/// DISCONNECT and AUTH of 5.0.
#[rstest]
#[case::disconnect_reason_of_clients(b"\xe0\x01\x04", PROTOCOL, "MQTT-3.14.2-1")]
#[case::disconnect_of_unknown_reason(b"\xe0\x01\x01", PROTOCOL, "MQTT-3.14.2-1")]
#[case::disconnect_with_a_session_expiry(b"\xe0\x07\0\x05\x11\0\0\0\x01", PROTOCOL, "MQTT-3.14.2-2")]
#[case::disconnect_flags(b"\xe1", MALFORMED, "MQTT-3.14.1-1")]
#[case::disconnect_reason_string_twice(b"\xe0\x0a\0\x08\x1f\0\x01a\x1f\0\x01b", PROTOCOL, "§3.14.2.2.3")]
#[case::auth_that_was_not_asked_for(b"\xf0\x06\x18\x04\x15\0\x01m", PROTOCOL, "MQTT-4.12.0-6")]
#[case::auth_that_asks_to_authenticate_again(b"\xf0\x06\x19\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1")]
#[case::auth_flags(b"\xf1", MALFORMED, "MQTT-3.15.1-1")]
#[case::auth_of_unknown_reason(b"\xf0\x06\x01\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1")]
fn disconnect_and_auth(#[case] bytes: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_ended(busy(V5_0), bytes, reason, clause);
}

/// What no rule forbids, or what a lost session explains: the connection goes on.
#[rstest]
#[case::puback_for_nothing(V3_1_1, b"\x40\x02\0\x09", &[])]
#[case::puback_for_nothing(V5_0, b"\x40\x02\0\x09", &[])]
#[case::puback_twice(V3_1_1, b"\x40\x02\0\x01\x40\x02\0\x01", &[])]
#[case::puback_twice(V5_0, b"\x40\x02\0\x01\x40\x02\0\x01", &[])]
#[case::pubrec_for_nothing(V3_1_1, b"\x50\x02\0\x09", &["PUBREL 9"])]
#[case::pubrec_for_nothing(V5_0, b"\x50\x02\0\x09", &["PUBREL 9"])]
#[case::pubrec_that_refuses_nothing(V5_0, b"\x50\x03\0\x09\x97", &[])]
#[case::pubrec_twice(V3_1_1, b"\x50\x02\0\x03", &["PUBREL 3"])]
#[case::pubrec_twice(V5_0, b"\x50\x02\0\x03", &["PUBREL 3"])]
#[case::pubrel_for_nothing(V3_1_1, b"\x62\x02\0\x09", &["PUBCOMP 9"])]
#[case::pubrel_for_nothing(V5_0, b"\x62\x02\0\x09", &["PUBCOMP 9"])]
#[case::pubcomp_for_nothing(V3_1_1, b"\x70\x02\0\x09", &[])]
#[case::pubcomp_for_nothing(V5_0, b"\x70\x02\0\x09", &[])]
#[case::pingresp_for_nothing(V3_1_1, b"\xd0\0", &[])]
#[case::pingresp_for_nothing(V5_0, b"\xd0\0", &[])]
#[case::qos_1_with_a_used_id(V3_1_1, b"\x32\x05\0\x01t\0\x07\x32\x05\0\x01t\0\x07", &["PUBACK 7", "PUBACK 7"])]
#[case::qos_1_with_a_used_id(V5_0, b"\x32\x06\0\x01t\0\x07\0\x32\x06\0\x01t\0\x07\0", &["PUBACK 7", "PUBACK 7"])]
#[case::qos_2_with_a_used_id(V3_1_1, b"\x34\x05\0\x01t\0\x07\x34\x05\0\x01t\0\x07", &["PUBREC 7", "PUBREC 7"])]
#[case::qos_2_with_a_used_id(V5_0, b"\x34\x06\0\x01t\0\x07\0\x34\x06\0\x01t\0\x07\0", &["PUBREC 7", "PUBREC 7"])]
#[case::ids_of_both_sides_are_apart(V5_0, b"\x34\x06\0\x01t\0\x04\0", &["PUBREC 4"])]
#[case::largest_packet(V5_0, &[b"\x30\x62\0\x01t\0", &[b'x'; 94][..]].concat(), &[])]
fn what_is_answered_or_ignored(#[case] version: Version, #[case] bytes: &[u8], #[case] answers: &[&str]) {
    let mut bench = busy(version);
    bench.client.handle_bytes(bench.now, bytes);
    assert!(bench.client.is_up());
    assert_eq!(brief(&bench.sent()), answers);
}
