//! One row per rule: the bytes that break it, and how the error names it.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use bytes::BytesMut;
use halfopen_protocol::{DecodeOptions, ReasonCode, Role, Version, decode};
use rstest::rstest;

use Role::{Client, Server};
use Version::{V3_1_1, V5_0};

const MALFORMED: u8 = 0x81;
const PROTOCOL: u8 = 0x82;

/// Fixed header and strings, whichever packet they are in.
#[rstest]
#[case::reserved_type_0(V3_1_1, Server, b"\x00", MALFORMED, "§2.2.1")]
#[case::reserved_type_0(V5_0, Client, b"\x00", MALFORMED, "§2.1.2")]
#[case::reserved_type_15(V3_1_1, Server, b"\xf0", MALFORMED, "§2.2.1")]
#[case::connect_to_a_client(V3_1_1, Client, b"\x10", PROTOCOL, "§2.2.1")]
#[case::connect_to_a_client(V5_0, Client, b"\x10", PROTOCOL, "§2.1.2")]
#[case::connack_to_a_server(V5_0, Server, b"\x20", PROTOCOL, "§2.1.2")]
#[case::subscribe_to_a_client(V5_0, Client, b"\x82", PROTOCOL, "§2.1.2")]
#[case::suback_to_a_server(V5_0, Server, b"\x90", PROTOCOL, "§2.1.2")]
#[case::unsubscribe_to_a_client(V3_1_1, Client, b"\xa2", PROTOCOL, "§2.2.1")]
#[case::unsuback_to_a_server(V3_1_1, Server, b"\xb0", PROTOCOL, "§2.2.1")]
#[case::pingreq_to_a_client(V5_0, Client, b"\xc0", PROTOCOL, "§2.1.2")]
#[case::pingresp_to_a_server(V5_0, Server, b"\xd0", PROTOCOL, "§2.1.2")]
#[case::disconnect_to_a_client(V3_1_1, Client, b"\xe0", PROTOCOL, "§2.2.1")]
#[case::connect_flags(V3_1_1, Server, b"\x11", MALFORMED, "MQTT-2.2.2-2")]
#[case::connect_flags(V5_0, Server, b"\x18", MALFORMED, "MQTT-2.1.3-1")]
#[case::connack_flags(V3_1_1, Client, b"\x21", MALFORMED, "MQTT-2.2.2-2")]
#[case::puback_flags(V3_1_1, Client, b"\x42", MALFORMED, "MQTT-2.2.2-2")]
#[case::pubrec_flags(V5_0, Server, b"\x52", MALFORMED, "MQTT-2.1.3-1")]
#[case::pubrel_flags(V3_1_1, Server, b"\x60", MALFORMED, "MQTT-3.6.1-1")]
#[case::pubrel_flags(V5_0, Client, b"\x6a", MALFORMED, "MQTT-3.6.1-1")]
#[case::pubcomp_flags(V5_0, Client, b"\x71", MALFORMED, "MQTT-2.1.3-1")]
#[case::subscribe_flags(V3_1_1, Server, b"\x80", MALFORMED, "MQTT-3.8.1-1")]
#[case::subscribe_flags(V5_0, Server, b"\x83", MALFORMED, "MQTT-3.8.1-1")]
#[case::suback_flags(V5_0, Client, b"\x92", MALFORMED, "MQTT-2.1.3-1")]
#[case::unsubscribe_flags(V3_1_1, Server, b"\xa0", MALFORMED, "MQTT-3.10.1-1")]
#[case::unsuback_flags(V3_1_1, Client, b"\xb2", MALFORMED, "MQTT-2.2.2-2")]
#[case::pingreq_flags(V3_1_1, Server, b"\xc1", MALFORMED, "MQTT-2.2.2-2")]
#[case::pingresp_flags(V5_0, Client, b"\xd8", MALFORMED, "MQTT-2.1.3-1")]
#[case::disconnect_flags(V3_1_1, Server, b"\xe1", MALFORMED, "MQTT-3.14.1-1")]
#[case::disconnect_flags(V5_0, Client, b"\xe2", MALFORMED, "MQTT-3.14.1-1")]
#[case::auth_flags(V5_0, Server, b"\xf1", MALFORMED, "MQTT-3.15.1-1")]
#[case::dup_at_qos_0_as_soon_as_it_shows(V3_1_1, Server, b"\x38", PROTOCOL, "MQTT-3.3.1-2")]
#[case::qos_3_as_soon_as_it_shows(V5_0, Client, b"\x36", MALFORMED, "MQTT-3.3.1-4")]
#[case::fifth_length_byte(V3_1_1, Server, b"\x30\x80\x80\x80\x80", MALFORMED, "§2.2.3")]
#[case::fifth_length_byte(V5_0, Server, b"\x30\xff\xff\xff\xff", MALFORMED, "§1.5.5")]
#[case::length_not_minimal(V5_0, Server, b"\xc0\x80\0", MALFORMED, "MQTT-1.5.5-1")]
#[case::length_of_connect_not_minimal(
    V5_0,
    Server,
    b"\x10\x8e\0\0\x04MQTT\x05\x02\0\0\0\0\x01c",
    MALFORMED,
    "MQTT-1.5.5-1"
)]
#[case::pingreq_with_body(V3_1_1, Server, b"\xc0\x01", MALFORMED, "§2.2.3")]
#[case::pingresp_with_body(V5_0, Client, b"\xd0\x01", MALFORMED, "§2.1.4")]
#[case::disconnect_with_body(V3_1_1, Server, b"\xe0\x01", MALFORMED, "§2.2.3")]
#[case::puback_of_length_3(V3_1_1, Server, b"\x40\x03", MALFORMED, "§2.2.3")]
#[case::pubrel_of_length_1(V5_0, Server, b"\x62\x01", MALFORMED, "§2.1.4")]
#[case::connack_of_length_3(V3_1_1, Client, b"\x20\x03", MALFORMED, "§2.2.3")]
#[case::unsuback_with_codes(V3_1_1, Client, b"\xb0\x03", MALFORMED, "§2.2.3")]
#[case::too_large(V3_1_1, Server, b"\x30\xff\x07", 0x95, "§2.2.3")]
#[case::too_large(V5_0, Server, b"\x30\xff\x07", 0x95, "MQTT-3.2.2-15")]
#[case::too_large(V5_0, Client, b"\x30\xff\x07", 0x95, "MQTT-3.1.2-24")]
#[case::not_utf8(V3_1_1, Server, b"\x30\x04\0\x02\xc0\x80", MALFORMED, "MQTT-1.5.3-1")]
#[case::not_utf8(V5_0, Client, b"\x30\x04\0\x01\xff\0", MALFORMED, "MQTT-1.5.4-1")]
#[case::overlong(V5_0, Server, b"\x30\x05\0\x02\xc1\xa1\0", MALFORMED, "MQTT-1.5.4-1")]
#[case::surrogate(V3_1_1, Server, b"\x30\x05\0\x03\xed\xa0\x80", MALFORMED, "MQTT-1.5.3-1")]
#[case::surrogate(V5_0, Server, b"\x30\x06\0\x03\xed\xbf\xbf\0", MALFORMED, "MQTT-1.5.4-1")]
#[case::nul(V3_1_1, Server, b"\x30\x05\0\x03a\0b", MALFORMED, "MQTT-1.5.3-2")]
#[case::nul(V5_0, Server, b"\x30\x06\0\x03a\0b\0", MALFORMED, "MQTT-1.5.4-2")]
#[case::nul_in_a_user_property(V5_0, Server, b"\x30\x0b\0\x01a\x07\x26\0\x01k\0\x01\0", MALFORMED, "MQTT-1.5.4-2")]
fn fixed_headers_and_strings(
    #[case] version: Version,
    #[case] reader: Role,
    #[case] bytes: &[u8],
    #[case] reason: u8,
    #[case] clause: &str,
) {
    is_refused(version, reader, bytes, reason, clause);
}

/// CONNECT, here without its fixed header. The version is the one it names.
#[rstest]
#[case::other_protocol_name(b"\0\x06MQIsdp\x03\x02\0\0\0\0\x01c", 0x84, "MQTT-3.1.2-1")]
#[case::protocol_name_in_small_letters(b"\0\x04mqtt\x04\x02\0\0\0\x01c", 0x84, "MQTT-3.1.2-1")]
#[case::level_3(b"\0\x04MQTT\x03\x02\0\0\0\x01c", 0x84, "MQTT-3.1.2-2")]
#[case::level_6(b"\0\x04MQTT\x06\x02\0\0\0\0\x01c", 0x84, "MQTT-3.1.2-2")]
#[case::reserved_flag(b"\0\x04MQTT\x04\x03\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-3")]
#[case::reserved_flag(b"\0\x04MQTT\x05\x03\0\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-3")]
#[case::will_qos_without_will(b"\0\x04MQTT\x04\x0a\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-13")]
#[case::will_qos_without_will(b"\0\x04MQTT\x05\x12\0\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-11")]
#[case::will_retain_without_will(b"\0\x04MQTT\x04\x22\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-15")]
#[case::will_retain_without_will(b"\0\x04MQTT\x05\x22\0\0\0\0\x01c", MALFORMED, "MQTT-3.1.2-13")]
#[case::will_qos_3(b"\0\x04MQTT\x04\x1e\0\0\0\x01c\0\x01t\0\0", MALFORMED, "MQTT-3.1.2-14")]
#[case::will_qos_3(b"\0\x04MQTT\x05\x1e\0\0\0\0\x01c\0\0\x01t\0\0", MALFORMED, "MQTT-3.1.2-12")]
#[case::password_without_user_name(b"\0\x04MQTT\x04\x42\0\0\0\x01c\0\x01p", MALFORMED, "MQTT-3.1.2-22")]
#[case::no_client_id(b"\0\x04MQTT\x04\x02\0\0", MALFORMED, "§2.2.3")]
#[case::will_missing(b"\0\x04MQTT\x04\x06\0\0\0\x01c", MALFORMED, "§2.2.3")]
#[case::user_name_missing(b"\0\x04MQTT\x05\x82\0\0\0\0\x01c", MALFORMED, "§2.1.4")]
#[case::password_missing(b"\0\x04MQTT\x05\x42\0\0\0\0\x01c", MALFORMED, "§2.1.4")]
#[case::user_name_without_flag(b"\0\x04MQTT\x04\x02\0\0\0\x01c\0\x01u", MALFORMED, "§2.2.3")]
#[case::bytes_left_over(b"\0\x04MQTT\x05\x02\0\0\0\0\x01c\0", MALFORMED, "§2.1.4")]
#[case::will_topic_with_wildcard(b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\x01#\0\0", MALFORMED, "MQTT-4.7.1-1")]
#[case::will_topic_with_wildcard(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\0\0\x01+\0\0", MALFORMED, "MQTT-4.7.0-1")]
#[case::will_topic_empty(b"\0\x04MQTT\x04\x06\0\0\0\x01c\0\0\0\0", MALFORMED, "MQTT-4.7.3-1")]
#[case::client_id_with_nul(b"\0\x04MQTT\x04\x02\0\0\0\x01\0", MALFORMED, "MQTT-1.5.3-2")]
#[case::user_name_not_utf8(b"\0\x04MQTT\x04\x82\0\0\0\x01c\0\x01\xff", MALFORMED, "MQTT-1.5.3-1")]
#[case::properties_too_long(b"\0\x04MQTT\x05\x02\0\0\x09\0\x01c", MALFORMED, "§2.1.4")]
#[case::property_cut_off(b"\0\x04MQTT\x05\x02\0\0\x02\x21\0\0\x01c", MALFORMED, "§2.2.2.1")]
#[case::property_length_not_minimal(b"\0\x04MQTT\x05\x02\0\0\x80\0\0\x01c", MALFORMED, "MQTT-1.5.5-1")]
#[case::property_length_of_five_bytes(b"\0\x04MQTT\x05\x02\0\0\x80\x80\x80\x80\0\0\x01c", MALFORMED, "§1.5.5")]
#[case::property_that_does_not_exist(b"\0\x04MQTT\x05\x02\0\0\x02\x7f\0\0\x01c", MALFORMED, "§2.2.2.2")]
#[case::property_id_of_two_bytes(b"\0\x04MQTT\x05\x02\0\0\x03\x80\x01\0\0\x01c", MALFORMED, "§2.2.2.2")]
#[case::property_of_publish(b"\0\x04MQTT\x05\x02\0\0\x03\x23\0\x01\0\x01c", MALFORMED, "§2.2.2.2")]
#[case::session_expiry_twice(b"\0\x04MQTT\x05\x02\0\0\x0a\x11\0\0\0\0\x11\0\0\0\0\0\x01c", PROTOCOL, "§3.1.2.11.2")]
#[case::receive_maximum_0(b"\0\x04MQTT\x05\x02\0\0\x03\x21\0\0\0\x01c", PROTOCOL, "§3.1.2.11.3")]
#[case::receive_maximum_twice(b"\0\x04MQTT\x05\x02\0\0\x06\x21\0\x01\x21\0\x01\0\x01c", PROTOCOL, "§3.1.2.11.3")]
#[case::maximum_packet_size_0(b"\0\x04MQTT\x05\x02\0\0\x05\x27\0\0\0\0\0\x01c", PROTOCOL, "§3.1.2.11.4")]
#[case::topic_alias_maximum_twice(b"\0\x04MQTT\x05\x02\0\0\x06\x22\0\x01\x22\0\x01\0\x01c", PROTOCOL, "§3.1.2.11.5")]
#[case::response_information_2(b"\0\x04MQTT\x05\x02\0\0\x02\x19\x02\0\x01c", PROTOCOL, "§3.1.2.11.6")]
#[case::problem_information_2(b"\0\x04MQTT\x05\x02\0\0\x02\x17\x02\0\x01c", PROTOCOL, "§3.1.2.11.7")]
#[case::problem_information_twice(b"\0\x04MQTT\x05\x02\0\0\x04\x17\x01\x17\x01\0\x01c", PROTOCOL, "§3.1.2.11.7")]
#[case::method_twice(b"\0\x04MQTT\x05\x02\0\0\x08\x15\0\x01m\x15\0\x01m\0\x01c", PROTOCOL, "§3.1.2.11.9")]
#[case::data_without_method(b"\0\x04MQTT\x05\x02\0\0\x04\x16\0\x01d\0\x01c", PROTOCOL, "§3.1.2.11.10")]
#[case::will_delay_twice(
    b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x0a\x18\0\0\0\0\x18\0\0\0\0\0\x01t\0\0",
    PROTOCOL,
    "§3.1.3.2.2"
)]
#[case::will_payload_format_2(b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x02\x01\x02\0\x01t\0\0", PROTOCOL, "§3.1.3.2.3")]
#[case::will_response_wildcard(
    b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x04\x08\0\x01#\0\x01t\0\0",
    MALFORMED,
    "MQTT-3.3.2-14"
)]
#[case::will_with_property_of_connect(
    b"\0\x04MQTT\x05\x06\0\0\0\0\x01c\x03\x21\0\x01\0\x01t\0\0",
    MALFORMED,
    "§2.2.2.2"
)]
fn connect(#[case] body: &[u8], #[case] reason: u8, #[case] clause: &str) {
    // The version that the reader assumes plays no part.
    for version in Version::ALL {
        is_refused(version, Server, &packet(0x10, body), reason, clause);
    }
}

#[rstest]
#[case::reserved_flags(V3_1_1, b"\x02\0", MALFORMED, "§3.2.2.1")]
#[case::reserved_flags(V5_0, b"\x80\0\0", MALFORMED, "MQTT-3.2.2-1")]
#[case::session_present_in_a_refusal(V3_1_1, b"\x01\x05", PROTOCOL, "MQTT-3.2.2-4")]
#[case::session_present_in_a_refusal(V5_0, b"\x01\x87\0", PROTOCOL, "MQTT-3.2.2-6")]
#[case::return_code_6(V3_1_1, b"\0\x06", PROTOCOL, "§3.2.2.3")]
#[case::unknown_reason(V5_0, b"\0\x01\0", PROTOCOL, "MQTT-3.2.2-8")]
#[case::reason_of_disconnect(V5_0, b"\0\x8d\0", PROTOCOL, "MQTT-3.2.2-8")]
#[case::no_property_length(V5_0, b"\0\0", MALFORMED, "§2.1.4")]
#[case::receive_maximum_0(V5_0, b"\0\0\x03\x21\0\0", PROTOCOL, "§3.2.2.3.3")]
#[case::maximum_qos_2(V5_0, b"\0\0\x02\x24\x02", PROTOCOL, "§3.2.2.3.4")]
#[case::maximum_qos_3(V5_0, b"\0\0\x02\x24\x03", PROTOCOL, "§3.2.2.3.4")]
#[case::maximum_qos_twice(V5_0, b"\0\0\x04\x24\x01\x24\x01", PROTOCOL, "§3.2.2.3.4")]
#[case::retain_available_2(V5_0, b"\0\0\x02\x25\x02", PROTOCOL, "§3.2.2.3.5")]
#[case::maximum_packet_size_0(V5_0, b"\0\0\x05\x27\0\0\0\0", PROTOCOL, "§3.2.2.3.6")]
#[case::assigned_client_id_twice(V5_0, b"\0\0\x08\x12\0\x01a\x12\0\x01b", PROTOCOL, "§3.2.2.3.7")]
#[case::wildcards_available_2(V5_0, b"\0\0\x02\x28\x02", PROTOCOL, "§3.2.2.3.11")]
#[case::subscription_ids_available_2(V5_0, b"\0\0\x02\x29\x02", PROTOCOL, "§3.2.2.3.12")]
#[case::shared_available_2(V5_0, b"\0\0\x02\x2a\xff", PROTOCOL, "§3.2.2.3.13")]
#[case::keep_alive_twice(V5_0, b"\0\0\x06\x13\0\x01\x13\0\x01", PROTOCOL, "§3.2.2.3.14")]
#[case::property_of_connect(V5_0, b"\0\0\x02\x17\x01", MALFORMED, "§2.2.2.2")]
#[case::bytes_left_over(V5_0, b"\0\0\0\0", MALFORMED, "§2.1.4")]
fn connack(#[case] version: Version, #[case] body: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_refused(version, Client, &packet(0x20, body), reason, clause);
}

#[rstest]
#[case::qos_3(V3_1_1, Server, 0x36, b"\0\x01t\0\x01", MALFORMED, "MQTT-3.3.1-4")]
#[case::qos_3(V5_0, Client, 0x3e, b"\0\x01t\0\x01\0", MALFORMED, "MQTT-3.3.1-4")]
#[case::dup_at_qos_0(V3_1_1, Server, 0x38, b"\0\x01t", PROTOCOL, "MQTT-3.3.1-2")]
#[case::dup_at_qos_0(V5_0, Client, 0x39, b"\0\x01t\0", PROTOCOL, "MQTT-3.3.1-2")]
#[case::id_0(V3_1_1, Server, 0x32, b"\0\x01t\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::id_0(V5_0, Server, 0x34, b"\0\x01t\0\0\0", PROTOCOL, "MQTT-2.2.1-3")]
#[case::id_0(V5_0, Client, 0x34, b"\0\x01t\0\0\0", PROTOCOL, "MQTT-2.2.1-4")]
#[case::no_id(V3_1_1, Server, 0x32, b"\0\x01t", MALFORMED, "§2.2.3")]
#[case::hash(V3_1_1, Server, 0x30, b"\0\x03a/#", MALFORMED, "MQTT-3.3.2-2")]
#[case::plus(V5_0, Client, 0x30, b"\0\x03a+b\0", MALFORMED, "MQTT-3.3.2-2")]
#[case::empty_topic(V3_1_1, Server, 0x30, b"\0\0p", MALFORMED, "MQTT-4.7.3-1")]
#[case::neither_topic_nor_alias(V5_0, Server, 0x30, b"\0\0\0p", PROTOCOL, "§3.3.2.1")]
#[case::topic_too_long_for_packet(V3_1_1, Server, 0x30, b"\0\x02t", MALFORMED, "§2.2.3")]
#[case::alias_0(V5_0, Server, 0x30, b"\0\x01t\x03\x23\0\0", 0x94, "MQTT-3.3.2-8")]
#[case::alias_twice(V5_0, Server, 0x30, b"\0\x01t\x06\x23\0\x01\x23\0\x01", PROTOCOL, "§3.3.2.3.4")]
#[case::payload_format_2(V5_0, Server, 0x30, b"\0\x01t\x02\x01\x02", PROTOCOL, "§3.3.2.3.2")]
#[case::payload_format_twice(V5_0, Server, 0x30, b"\0\x01t\x04\x01\x01\x01\x01", PROTOCOL, "§3.3.2.3.2")]
#[case::expiry_twice(V5_0, Client, 0x30, b"\0\x01t\x0a\x02\0\0\0\x01\x02\0\0\0\x01", PROTOCOL, "§3.3.2.3.3")]
#[case::response_wildcard(V5_0, Server, 0x30, b"\0\x01t\x04\x08\0\x01+", MALFORMED, "MQTT-3.3.2-14")]
#[case::response_empty(V5_0, Server, 0x30, b"\0\x01t\x03\x08\0\0", MALFORMED, "MQTT-4.7.3-1")]
#[case::response_twice(V5_0, Server, 0x30, b"\0\x01t\x08\x08\0\x01r\x08\0\x01r", PROTOCOL, "§3.3.2.3.5")]
#[case::correlation_twice(V5_0, Server, 0x30, b"\0\x01t\x06\x09\0\0\x09\0\0", PROTOCOL, "§3.3.2.3.6")]
#[case::content_type_twice(V5_0, Server, 0x30, b"\0\x01t\x06\x03\0\0\x03\0\0", PROTOCOL, "§3.3.2.3.9")]
#[case::subscription_id_from_client(V5_0, Server, 0x30, b"\0\x01t\x02\x0b\x01", PROTOCOL, "MQTT-3.3.4-6")]
#[case::subscription_id_0(V5_0, Client, 0x30, b"\0\x01t\x02\x0b\0", PROTOCOL, "§3.3.2.3.8")]
#[case::reason_string(V5_0, Client, 0x30, b"\0\x01t\x03\x1f\0\0", MALFORMED, "§2.2.2.2")]
fn publish(
    #[case] version: Version,
    #[case] reader: Role,
    #[case] first: u8,
    #[case] body: &[u8],
    #[case] reason: u8,
    #[case] clause: &str,
) {
    is_refused(version, reader, &packet(first, body), reason, clause);
}

#[rstest]
#[case::puback_id_0(V3_1_1, 0x40, b"\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::pubrec_id_0(V3_1_1, 0x50, b"\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::puback_reason(V5_0, 0x40, b"\0\x01\x92", PROTOCOL, "MQTT-3.4.2-1")]
#[case::pubrec_reason(V5_0, 0x50, b"\0\x01\x01", PROTOCOL, "MQTT-3.5.2-1")]
#[case::pubrel_reason(V5_0, 0x62, b"\0\x01\x80", PROTOCOL, "MQTT-3.6.2-1")]
#[case::pubcomp_reason(V5_0, 0x70, b"\0\x01\x10", PROTOCOL, "MQTT-3.7.2-1")]
#[case::reason_string_twice(V5_0, 0x40, b"\0\x01\0\x06\x1f\0\0\x1f\0\0", PROTOCOL, "§3.4.2.2.2")]
#[case::property_of_publish(V5_0, 0x62, b"\0\x01\0\x02\x01\x01", MALFORMED, "§2.2.2.2")]
#[case::properties_too_long(V5_0, 0x70, b"\0\x01\0\x01", MALFORMED, "§2.1.4")]
#[case::bytes_left_over(V5_0, 0x50, b"\0\x01\0\0\0", MALFORMED, "§2.1.4")]
fn acknowledgements(
    #[case] version: Version,
    #[case] first: u8,
    #[case] body: &[u8],
    #[case] reason: u8,
    #[case] clause: &str,
) {
    for reader in [Client, Server] {
        is_refused(version, reader, &packet(first, body), reason, clause);
    }
}

#[rstest]
#[case::id_0(V3_1_1, 0x82, b"\0\0\0\x01a\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::id_0(V5_0, 0x82, b"\0\0\0\0\x01a\0", PROTOCOL, "MQTT-2.2.1-3")]
#[case::no_filter(V3_1_1, 0x82, b"\0\x01", PROTOCOL, "MQTT-3.8.3-3")]
#[case::no_filter(V5_0, 0x82, b"\0\x01\0", PROTOCOL, "MQTT-3.8.3-2")]
#[case::no_options(V3_1_1, 0x82, b"\0\x01\0\x01a", MALFORMED, "§2.2.3")]
#[case::qos_3(V3_1_1, 0x82, b"\0\x01\0\x01a\x03", PROTOCOL, "MQTT-3.8.3-4")]
#[case::qos_3(V5_0, 0x82, b"\0\x01\0\0\x01a\x03", PROTOCOL, "§3.8.3.1")]
#[case::options_of_5_0(V3_1_1, 0x82, b"\0\x01\0\x01a\x04", MALFORMED, "MQTT-3.8.3-4")]
#[case::reserved_options(V5_0, 0x82, b"\0\x01\0\0\x01a\x40", MALFORMED, "MQTT-3.8.3-5")]
#[case::retain_handling_3(V5_0, 0x82, b"\0\x01\0\0\x01a\x30", PROTOCOL, "§3.8.3.1")]
#[case::no_local_shared(V5_0, 0x82, b"\0\x01\0\0\x0a$share/g/a\x04", PROTOCOL, "MQTT-3.8.3-4")]
#[case::subscription_id_0(V5_0, 0x82, b"\0\x01\x02\x0b\0\0\x01a\0", PROTOCOL, "§3.8.2.1.2")]
#[case::subscription_id_twice(V5_0, 0x82, b"\0\x01\x04\x0b\x01\x0b\x02\0\x01a\0", PROTOCOL, "§3.8.2.1.2")]
#[case::subscription_id_of_5_bytes(V5_0, 0x82, b"\0\x01\x06\x0b\x80\x80\x80\x80\0\0\x01a\0", MALFORMED, "§1.5.5")]
#[case::reason_string(V5_0, 0x82, b"\0\x01\x03\x1f\0\0\0\x01a\0", MALFORMED, "§2.2.2.2")]
#[case::empty_filter(V3_1_1, 0x82, b"\0\x01\0\0\0", MALFORMED, "MQTT-4.7.3-1")]
#[case::bad_filter_after_a_good_one(V5_0, 0x82, b"\0\x01\0\0\x01a\0\0\x02a#\0", MALFORMED, "MQTT-4.7.1-1")]
#[case::nul(V3_1_1, 0x82, b"\0\x01\0\x01\0\0", MALFORMED, "MQTT-1.5.3-2")]
#[case::unsubscribe_id_0(V3_1_1, 0xa2, b"\0\0\0\x01a", PROTOCOL, "MQTT-2.3.1-1")]
#[case::unsubscribe_no_filter(V3_1_1, 0xa2, b"\0\x01", PROTOCOL, "MQTT-3.10.3-2")]
#[case::unsubscribe_no_filter(V5_0, 0xa2, b"\0\x01\0", PROTOCOL, "MQTT-3.10.3-2")]
#[case::unsubscribe_bad_filter(V3_1_1, 0xa2, b"\0\x01\0\x02a+", MALFORMED, "MQTT-4.7.1-3")]
#[case::unsubscribe_id(V5_0, 0xa2, b"\0\x01\x02\x0b\x01\0\x01a", MALFORMED, "§2.2.2.2")]
fn requests(
    #[case] version: Version,
    #[case] first: u8,
    #[case] body: &[u8],
    #[case] reason: u8,
    #[case] clause: &str,
) {
    is_refused(version, Server, &packet(first, body), reason, clause);
}

#[rstest]
#[case::suback_id_0(V3_1_1, 0x90, b"\0\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::suback_code_3(V3_1_1, 0x90, b"\0\x01\x03", PROTOCOL, "MQTT-3.9.3-2")]
#[case::suback_code_of_5_0(V3_1_1, 0x90, b"\0\x01\x87", PROTOCOL, "MQTT-3.9.3-2")]
#[case::suback_second_code(V5_0, 0x90, b"\0\x01\0\0\x11", PROTOCOL, "MQTT-3.9.3-2")]
#[case::suback_without_code(V3_1_1, 0x90, b"\0\x01", PROTOCOL, "MQTT-3.8.4-5")]
#[case::suback_without_code(V5_0, 0x90, b"\0\x01\0", PROTOCOL, "MQTT-3.8.4-6")]
#[case::suback_property(V5_0, 0x90, b"\0\x01\x02\x0b\x01\0", MALFORMED, "§2.2.2.2")]
#[case::suback_reason_twice(V5_0, 0x90, b"\0\x01\x06\x1f\0\0\x1f\0\0\0", PROTOCOL, "§3.9.2.1.2")]
#[case::unsuback_id_0(V3_1_1, 0xb0, b"\0\0", PROTOCOL, "MQTT-2.3.1-1")]
#[case::unsuback_code(V5_0, 0xb0, b"\0\x01\0\x01", PROTOCOL, "MQTT-3.11.3-2")]
#[case::unsuback_without_code(V5_0, 0xb0, b"\0\x01\0", PROTOCOL, "§3.11.3")]
#[case::unsuback_reason_twice(V5_0, 0xb0, b"\0\x01\x06\x1f\0\0\x1f\0\0\0", PROTOCOL, "§3.11.2.1.2")]
fn answers(#[case] version: Version, #[case] first: u8, #[case] body: &[u8], #[case] reason: u8, #[case] clause: &str) {
    is_refused(version, Client, &packet(first, body), reason, clause);
}

/// DISCONNECT and AUTH of 5.0.
#[rstest]
#[case::unknown_reason(Server, 0xe0, b"\x01", PROTOCOL, "MQTT-3.14.2-1")]
#[case::reason_of_connack(Client, 0xe0, b"\x84", PROTOCOL, "MQTT-3.14.2-1")]
#[case::keep_alive_timeout_from_client(Server, 0xe0, b"\x8d", PROTOCOL, "MQTT-3.14.2-1")]
#[case::with_will_from_server(Client, 0xe0, b"\x04", PROTOCOL, "MQTT-3.14.2-1")]
#[case::session_expiry_from_server(Client, 0xe0, b"\0\x05\x11\0\0\0\x01", PROTOCOL, "MQTT-3.14.2-2")]
#[case::session_expiry_twice(Server, 0xe0, b"\0\x0a\x11\0\0\0\x01\x11\0\0\0\x01", PROTOCOL, "§3.14.2.2.2")]
#[case::server_reference_twice(Client, 0xe0, b"\x9c\x06\x1c\0\0\x1c\0\0", PROTOCOL, "§3.14.2.2.5")]
#[case::receive_maximum(Server, 0xe0, b"\0\x03\x21\0\x01", MALFORMED, "§2.2.2.2")]
#[case::bytes_left_over(Server, 0xe0, b"\0\0\0", MALFORMED, "§2.1.4")]
#[case::auth_reason(Server, 0xf0, b"\x80\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1")]
#[case::auth_again_from_server(Client, 0xf0, b"\x19\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1")]
#[case::auth_success_from_client(Server, 0xf0, b"\x00\x04\x15\0\x01m", PROTOCOL, "MQTT-3.15.2-1")]
#[case::auth_empty_from_client(Server, 0xf0, b"", PROTOCOL, "MQTT-3.15.2-1")]
#[case::auth_without_method(Server, 0xf0, b"\x18\0", PROTOCOL, "§3.15.2.2.2")]
#[case::auth_without_properties(Server, 0xf0, b"\x18", MALFORMED, "§2.1.4")]
#[case::auth_method_twice(Server, 0xf0, b"\x18\x08\x15\0\x01m\x15\0\x01m", PROTOCOL, "§3.15.2.2.2")]
#[case::auth_data_twice(Client, 0xf0, b"\x18\x0a\x15\0\x01m\x16\0\0\x16\0\0", PROTOCOL, "§3.15.2.2.3")]
fn ends_and_authentication(
    #[case] reader: Role,
    #[case] first: u8,
    #[case] body: &[u8],
    #[case] reason: u8,
    #[case] clause: &str,
) {
    is_refused(V5_0, reader, &packet(first, body), reason, clause);
}

/// What looks like an error and is none.
#[rstest]
#[case::length_not_minimal_is_no_matter_in_3_1_1(V3_1_1, Server, b"\xc0\x80\0")]
#[case::empty_client_id_with_a_session_is_answered_with_connack(V3_1_1, Server, b"\x10\x0c\0\x04MQTT\x04\0\0\0\0\0")]
#[case::password_without_user_name(V5_0, Server, b"\x10\x11\0\x04MQTT\x05\x42\0\0\0\0\x01c\0\x01p")]
#[case::byte_order_mark(V3_1_1, Server, b"\x30\x06\0\x04\xef\xbb\xbfa")]
#[case::non_character(V5_0, Server, b"\x30\x06\0\x03\xef\xbf\xbf\0")]
#[case::alias_for_the_topic(V5_0, Server, b"\x30\x06\0\0\x03\x23\0\x01")]
#[case::two_subscription_ids_from_the_server(V5_0, Client, b"\x30\x08\0\x01t\x04\x0b\x01\x0b\x02")]
#[case::user_property_twice(V5_0, Server, b"\x30\x0e\0\x01t\x0a\x26\0\0\0\0\x26\0\0\0\0")]
#[case::share_is_an_ordinary_level(V3_1_1, Server, b"\x82\x0c\0\x01\0\x07$share/\0")]
#[case::share_without_slash(V5_0, Server, b"\x82\x0c\0\x01\0\0\x06$share\0")]
#[case::properties_of_length_0(V5_0, Server, b"\x40\x04\0\x01\0\0")]
#[case::bad_authentication_method(V5_0, Client, b"\xe0\x01\x8c")]
fn is_accepted(#[case] version: Version, #[case] reader: Role, #[case] bytes: &[u8]) {
    let options = DecodeOptions { version, reader, maximum_packet_size: 100 };
    let mut left = BytesMut::from(bytes);
    assert!(decode(&mut left, &options).unwrap().is_some());
    assert!(left.is_empty());
}

#[rstest]
#[case(b"")]
#[case(b"\x30")]
#[case(b"\x30\x80")]
#[case(b"\x30\x05")]
#[case(b"\x30\x05\0\x01t\0")]
fn a_packet_that_is_not_complete_is_left_alone(#[case] bytes: &[u8]) {
    let mut left = BytesMut::from(bytes);
    let options = DecodeOptions { version: V5_0, reader: Server, maximum_packet_size: 100 };
    assert_eq!(decode(&mut left, &options), Ok(None));
    assert_eq!(left, bytes);
}

#[test]
fn a_packet_of_exactly_the_maximum_size_is_accepted() {
    let options = |maximum_packet_size| DecodeOptions { version: V3_1_1, reader: Server, maximum_packet_size };
    let bytes = packet(0x30, b"\0\x01t");
    assert!(decode(&mut BytesMut::from(&bytes[..]), &options(5)).unwrap().is_some());
    assert_eq!(decode(&mut BytesMut::from(&bytes[..]), &options(4)).unwrap_err().reason, ReasonCode::PACKET_TOO_LARGE);
}

fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
    bytes.extend_from_slice(body);
    bytes
}

#[track_caller]
fn is_refused(version: Version, reader: Role, bytes: &[u8], reason: u8, clause: &str) {
    let options = DecodeOptions { version, reader, maximum_packet_size: 100 };
    let error = decode(&mut BytesMut::from(bytes), &options).unwrap_err();
    assert_eq!((error.reason, error.clause), (ReasonCode::new(reason), clause), "{error}");
}

#[rstest]
#[case::fixed_header(b"\xc1\x00\xc0\x00")]
#[case::body(b"\x82\x04\x00\x01zz\xc0\x00")]
#[case::packet_of_the_other_side(b"\xd0\x00\xc0\x00")]
fn bytes_that_are_refused_stay_as_they_were(#[case] hostile: &[u8]) {
    let mut bytes = BytesMut::from(hostile);
    let options = DecodeOptions { version: V5_0, reader: Server, maximum_packet_size: 100 };
    decode(&mut bytes, &options).unwrap_err();
    assert_eq!(bytes, hostile);
}
