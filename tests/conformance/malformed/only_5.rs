//! What only 5.0 has, after an accepted CONNECT.

use super::super::{Dialogue, Played, Row};
use super::{ALIAS, FAULTY, FILTER, TOPIC, after, subscribe};
use super::{field, packet};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(a_topic_alias_of_0, "5.0 MQTT-3.3.2-8, 5.0 MQTT-4.13.1-1"),
        row!(a_topic_alias_that_stands_for_nothing, "5.0 MQTT-4.13.1-1"),
        row!(a_response_topic_with_a_wildcard, "5.0 MQTT-3.3.2-14"),
        row!(a_response_topic_that_is_not_utf_8, "5.0 MQTT-3.3.2-13"),
        row!(a_content_type_that_is_not_utf_8, "5.0 MQTT-3.3.2-19"),
        row!(a_user_property_that_is_not_utf_8, "5.0 MQTT-1.5.7-1"),
        row!(a_subscription_identifier_from_a_client, "5.0 MQTT-3.3.4-6"),
        row!(a_subscription_identifier_of_0, "5.0 MQTT-4.13.1-1"),
        row!(a_payload_format_of_2, "5.0 MQTT-4.13.1-1"),
        row!(a_property_twice, "5.0 MQTT-4.13.1-1"),
        row!(a_property_of_another_packet, "5.0 MQTT-4.13.1-1"),
        row!(a_property_length_beyond_the_packet, "5.0 MQTT-2.2.2-1"),
        row!(no_property_length_where_one_must_be, "5.0 MQTT-2.2.2-1"),
        row!(
            reason_codes_that_their_packets_do_not_have,
            "5.0 MQTT-3.4.2-1, 5.0 MQTT-3.5.2-1, 5.0 MQTT-3.6.2-1, 5.0 MQTT-3.7.2-1, 5.0 MQTT-3.14.2-1"
        ),
        row!(auth_with_flags, "5.0 MQTT-3.15.1-1"),
        row!(auth_with_a_reason_that_it_does_not_have, "5.0 MQTT-3.15.2-1"),
        row!(shared_filters_without_a_group_or_a_filter, "5.0 MQTT-4.8.2-1, 5.0 MQTT-4.8.2-2"),
    ]
}

fn a_topic_alias_of_0(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[3, 0x23, 0, 0]]), ALIAS)
}

fn a_topic_alias_that_stands_for_nothing(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\0", &[3, 0x23, 0, 1]]), ALIAS)
}

fn a_response_topic_with_a_wildcard(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[6, 8, 0, 3], b"b/#"]), TOPIC)
}

fn a_response_topic_that_is_not_utf_8(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[5, 8, 0, 2], b"\xC3\x28"]), FAULTY)
}

fn a_content_type_that_is_not_utf_8(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[5, 3, 0, 2], b"\xC3\x28"]), FAULTY)
}

fn a_user_property_that_is_not_utf_8(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[8, 0x26, 0, 2], b"\xC3\x28", b"\0\x01v"]), FAULTY)?;
    after(d, &packet(0x30, &[b"\0\x01a", &[8, 0x26], b"\0\x01k", &[0, 2], b"\xC3\x28"]), FAULTY)
}

fn a_subscription_identifier_from_a_client(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[2, 0x0B, 1]]), FAULTY)
}

fn a_subscription_identifier_of_0(d: &Dialogue) -> Played {
    after(d, &packet(0x82, &[&[0, 1, 2, 0x0B, 0], b"\0\x01a\0"]), FAULTY)
}

fn a_payload_format_of_2(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[2, 1, 2]]), FAULTY)
}

fn a_property_twice(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[4, 1, 1, 1, 1]]), FAULTY)
}

fn a_property_of_another_packet(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[3, 0x21, 0, 1]]), FAULTY)
}

fn a_property_length_beyond_the_packet(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a", &[9]]), FAULTY)
}

fn no_property_length_where_one_must_be(d: &Dialogue) -> Played {
    after(d, &packet(0x30, &[b"\0\x01a"]), FAULTY)
}

fn reason_codes_that_their_packets_do_not_have(d: &Dialogue) -> Played {
    for bytes in [
        &[0x40, 4, 0, 1, 0x92, 0][..],
        &[0x50, 4, 0, 1, 0x92, 0],
        &[0x62, 4, 0, 1, 0x80, 0],
        &[0x70, 4, 0, 1, 0x80, 0],
        &[0xE0, 2, 0x8E, 0],
    ] {
        after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
    }
    Ok(())
}

fn auth_with_flags(d: &Dialogue) -> Played {
    after(d, &[0xF1, 0], FAULTY)
}

fn auth_with_a_reason_that_it_does_not_have(d: &Dialogue) -> Played {
    after(d, &[0xF0, 2, 0x80, 0], FAULTY)
}

fn shared_filters_without_a_group_or_a_filter(d: &Dialogue) -> Played {
    d.connect("b")?.offers_shared_subscriptions()?;
    for filter in ["$share//a", "$share/g/", "$share/g", "$share/+/a", "$share/a#/a"] {
        let bytes = subscribe(d, 0x82, [0, 1], &[field(filter), vec![0]].concat());
        after(d, &bytes, FILTER).map_err(|unmet| unmet.about(filter))?;
    }
    Ok(())
}
