//! A CONNECT that does not fit its format: closed, in 3.1.1 without a CONNACK.

use super::super::{Dialogue, Played, Row};
use super::{Connect, Will};
use super::{FAULTY, connect, connect_as, refused};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(
            the_reserved_connect_flag_is_set,
            "3.1.1 MQTT-3.1.2-3, 3.1.1 MQTT-3.1.4-1, 5.0 MQTT-3.1.2-3, 5.0 MQTT-3.1.4-1"
        ),
        row!(connect_has_flags_in_its_first_byte, "3.1.1 MQTT-2.2.2-1, 3.1.1 MQTT-2.2.2-2, 5.0 MQTT-2.1.3-1"),
        row!(a_will_qos_without_a_will, "3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-13, 5.0 MQTT-3.1.2-11"),
        row!(will_retain_without_a_will, "3.1.1 MQTT-3.1.2-15, 5.0 MQTT-3.1.2-13"),
        row!(a_will_qos_of_3, "3.1.1 MQTT-3.1.2-14, 5.0 MQTT-3.1.2-12"),
        row!(a_will_that_is_not_there, "3.1.1 MQTT-3.1.2-9, 5.0 MQTT-3.1.2-9"),
        row!(a_will_topic_that_is_not_utf_8, "3.1.1 MQTT-3.1.3-10, 5.0 MQTT-3.1.3-11"),
        row!(a_user_name_that_is_not_there, "3.1.1 MQTT-3.1.2-19, 5.0 MQTT-3.1.2-17"),
        row!(a_user_name_without_its_flag, "3.1.1 MQTT-3.1.2-18, 5.0 MQTT-3.1.2-16"),
        row!(a_user_name_that_is_not_utf_8, "3.1.1 MQTT-3.1.3-11, 5.0 MQTT-3.1.3-12"),
        row!(a_password_without_a_user_name, "3.1.1 MQTT-3.1.2-22"),
        row!(a_password_that_is_not_there, "3.1.1 MQTT-3.1.2-21, 5.0 MQTT-3.1.2-19"),
        row!(a_password_without_its_flag, "3.1.1 MQTT-3.1.2-20, 5.0 MQTT-3.1.2-18"),
        row!(no_client_identifier, "3.1.1 MQTT-3.1.3-3, 5.0 MQTT-3.1.3-3"),
        row!(a_client_identifier_that_is_not_utf_8, "3.1.1 MQTT-3.1.3-4, 5.0 MQTT-3.1.3-4"),
        row!(a_client_identifier_with_u_0000, "3.1.1 MQTT-1.5.3-2, 5.0 MQTT-1.5.4-2"),
        row!(bytes_behind_the_payload_of_connect, "3.1.1 MQTT-3.1.3-1, 5.0 MQTT-3.1.3-1"),
        row!(a_property_of_connect_twice, "5.0 MQTT-3.1.4-1"),
        row!(a_receive_maximum_of_0, "5.0 MQTT-3.1.4-1, 5.0 MQTT-4.9.0-1"),
        row!(a_maximum_packet_size_of_0, "5.0 MQTT-3.1.4-1"),
        row!(a_property_that_connect_does_not_have, "5.0 MQTT-3.1.4-1"),
        row!(a_property_that_does_not_exist, "5.0 MQTT-3.1.4-1"),
        row!(authentication_data_without_a_method, "5.0 MQTT-3.1.4-1"),
        row!(request_problem_information_of_2, "5.0 MQTT-3.1.4-1"),
        row!(request_response_information_of_2, "5.0 MQTT-3.1.4-1"),
    ]
}

fn the_reserved_connect_flag_is_set(d: &Dialogue) -> Played {
    connect(d, 3, b"", b"")
}

fn connect_has_flags_in_its_first_byte(d: &Dialogue) -> Played {
    let mut bytes = Connect::new(d.own("a")).bytes(d.v5());
    bytes[0] = 0x11;
    refused(d, &bytes, FAULTY)
}

fn a_will_qos_without_a_will(d: &Dialogue) -> Played {
    connect(d, 0x0A, b"", b"")
}

fn will_retain_without_a_will(d: &Dialogue) -> Played {
    connect(d, 0x22, b"", b"")
}

fn a_will_qos_of_3(d: &Dialogue) -> Played {
    refused(d, &Connect::new(d.own("a")).will(Will { qos: 3, ..Will::new("w") }).bytes(d.v5()), FAULTY)
}

fn a_will_that_is_not_there(d: &Dialogue) -> Played {
    connect(d, 6, b"", b"")
}

fn a_will_topic_that_is_not_utf_8(d: &Dialogue) -> Played {
    connect(d, 6, b"", if d.v5() { b"\0\0\x02\xC3\x28\0\0" } else { b"\0\x02\xC3\x28\0\0" })
}

fn a_user_name_that_is_not_there(d: &Dialogue) -> Played {
    connect(d, 0x82, b"", b"")
}

fn a_user_name_without_its_flag(d: &Dialogue) -> Played {
    connect(d, 2, b"", b"\0\x01u")
}

fn a_user_name_that_is_not_utf_8(d: &Dialogue) -> Played {
    connect(d, 0x82, b"", b"\0\x02\xC3\x28")
}

fn a_password_without_a_user_name(d: &Dialogue) -> Played {
    connect(d, 0x42, b"", b"\0\x01p")
}

fn a_password_that_is_not_there(d: &Dialogue) -> Played {
    connect(d, 0xC2, b"", b"\0\x01u")
}

fn a_password_without_its_flag(d: &Dialogue) -> Played {
    connect(d, 0x82, b"", b"\0\x01u\0\x01p")
}

fn no_client_identifier(d: &Dialogue) -> Played {
    connect_as(d, b"", 2, b"", b"")
}

fn a_client_identifier_that_is_not_utf_8(d: &Dialogue) -> Played {
    connect_as(d, b"\0\x02\xC3\x28", 2, b"", b"")
}

fn a_client_identifier_with_u_0000(d: &Dialogue) -> Played {
    connect_as(d, b"\0\x03x\0y", 2, b"", b"")
}

fn bytes_behind_the_payload_of_connect(d: &Dialogue) -> Played {
    connect(d, 2, b"", b"\0")
}

fn a_property_of_connect_twice(d: &Dialogue) -> Played {
    connect(d, 2, &[0x21, 0, 1, 0x21, 0, 1], b"")
}

fn a_receive_maximum_of_0(d: &Dialogue) -> Played {
    connect(d, 2, &[0x21, 0, 0], b"")
}

fn a_maximum_packet_size_of_0(d: &Dialogue) -> Played {
    connect(d, 2, &[0x27, 0, 0, 0, 0], b"")
}

fn a_property_that_connect_does_not_have(d: &Dialogue) -> Played {
    connect(d, 2, &[0x23, 0, 1], b"")
}

fn a_property_that_does_not_exist(d: &Dialogue) -> Played {
    connect(d, 2, &[0x7F, 1], b"")
}

fn authentication_data_without_a_method(d: &Dialogue) -> Played {
    connect(d, 2, &[0x16, 0, 1, 1], b"")
}

fn request_problem_information_of_2(d: &Dialogue) -> Played {
    connect(d, 2, &[0x17, 2], b"")
}

fn request_response_information_of_2(d: &Dialogue) -> Played {
    connect(d, 2, &[0x19, 2], b"")
}
