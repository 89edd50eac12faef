//! Packets of both versions, after an accepted CONNECT.

use super::super::{Dialogue, Played, Row};
use super::field;
use super::{FAULTY, FILTER, TOPIC, after, publish, subscribe};

pub(super) fn rows() -> Vec<Row> {
    vec![
        row!(packet_type_0, "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1"),
        row!(packet_type_15, "3.1.1 MQTT-4.8.0-1"),
        row!(packets_that_only_a_server_sends, "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1"),
        row!(a_remaining_length_of_five_bytes, "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-1.5.5-1"),
        row!(
            flags_in_pingreq_acknowledgements_and_disconnect,
            "3.1.1 MQTT-2.2.2-1, 3.1.1 MQTT-2.2.2-2, 3.1.1 MQTT-3.14.1-1, 5.0 MQTT-2.1.3-1, 5.0 MQTT-3.14.1-1"
        ),
        row!(pubrel_without_its_flag, "3.1.1 MQTT-3.6.1-1, 5.0 MQTT-3.6.1-1"),
        row!(subscribe_without_its_flag, "3.1.1 MQTT-3.8.1-1, 5.0 MQTT-3.8.1-1"),
        row!(unsubscribe_without_its_flag, "3.1.1 MQTT-3.10.1-1, 5.0 MQTT-3.10.1-1"),
        row!(subscribe_with_identifier_0, "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3"),
        row!(unsubscribe_with_identifier_0, "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3"),
        row!(publish_with_identifier_0, "3.1.1 MQTT-2.3.1-1, 5.0 MQTT-2.2.1-3"),
        row!(subscribe_without_a_filter, "3.1.1 MQTT-3.8.3-3, 5.0 MQTT-3.8.3-2"),
        row!(unsubscribe_without_a_filter, "3.1.1 MQTT-3.10.3-2, 5.0 MQTT-3.10.3-2"),
        row!(a_subscription_with_qos_3_or_reserved_bits, "3.1.1 MQTT-3.8.3-4, 5.0 MQTT-3.8.3-5"),
        row!(a_filter_that_is_not_utf_8, "3.1.1 MQTT-3.8.3-1, 3.1.1 MQTT-1.5.3-1, 5.0 MQTT-3.8.3-1, 5.0 MQTT-1.5.4-1"),
        row!(a_filter_to_remove_that_is_not_utf_8, "3.1.1 MQTT-3.10.3-1, 5.0 MQTT-3.10.3-1"),
        row!(
            an_empty_filter_and_filters_with_misplaced_wildcards,
            "3.1.1 MQTT-4.7.1-2, 3.1.1 MQTT-4.7.1-3, 3.1.1 MQTT-4.7.3-1, 5.0 MQTT-4.7.1-1, 5.0 MQTT-4.7.1-2, 5.0 MQTT-4.7.3-1"
        ),
        row!(a_topic_name_with_wildcards, "3.1.1 MQTT-3.3.2-2, 3.1.1 MQTT-4.7.1-1, 5.0 MQTT-3.3.2-2, 5.0 MQTT-4.7.0-1"),
        row!(an_empty_topic_name, "3.1.1 MQTT-4.7.3-1, 5.0 MQTT-4.7.3-1"),
        row!(a_topic_name_with_u_0000, "3.1.1 MQTT-1.5.3-2, 3.1.1 MQTT-4.7.3-2, 5.0 MQTT-1.5.4-2, 5.0 MQTT-4.7.3-2"),
        row!(
            a_topic_name_that_is_not_utf_8,
            "3.1.1 MQTT-1.5.3-1, 3.1.1 MQTT-3.3.2-1, 5.0 MQTT-1.5.4-1, 5.0 MQTT-3.3.2-1"
        ),
        row!(a_topic_name_that_is_longer_than_its_packet, "3.1.1 MQTT-4.8.0-1, 5.0 MQTT-4.13.1-1"),
        row!(qos_3, "3.1.1 MQTT-3.3.1-4, 5.0 MQTT-3.3.1-4"),
        row!(dup_at_qos_0, "3.1.1 MQTT-3.3.1-2, 5.0 MQTT-3.3.1-2"),
    ]
}

fn packet_type_0(d: &Dialogue) -> Played {
    after(d, &[0, 0], FAULTY)
}

fn packet_type_15(d: &Dialogue) -> Played {
    after(d, &[0xF0, 0], FAULTY)
}

fn packets_that_only_a_server_sends(d: &Dialogue) -> Played {
    for bytes in [&[0x20, 2, 0, 0][..], &[0x90, 3, 0, 1, 0], &[0xB0, 2, 0, 1], &[0xD0, 0]] {
        after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
    }
    Ok(())
}

fn a_remaining_length_of_five_bytes(d: &Dialogue) -> Played {
    after(d, &[0x30, 0x80, 0x80, 0x80, 0x80, 1], FAULTY)
}

fn flags_in_pingreq_acknowledgements_and_disconnect(d: &Dialogue) -> Played {
    for bytes in [&[0xC1, 0][..], &[0x41, 2, 0, 1], &[0x52, 2, 0, 1], &[0x74, 2, 0, 1], &[0xE1, 0]] {
        after(d, bytes, FAULTY).map_err(|unmet| unmet.about(format_args!("{bytes:02X?}")))?;
    }
    Ok(())
}

fn pubrel_without_its_flag(d: &Dialogue) -> Played {
    [0x60, 0x61, 0x64, 0x6A].iter().try_for_each(|&first| after(d, &[first, 2, 0, 1], FAULTY))
}

fn subscribe_without_its_flag(d: &Dialogue) -> Played {
    [0x80, 0x81, 0x83, 0x8A].iter().try_for_each(|&first| after(d, &subscribe(d, first, [0, 1], b"\0\x01a\0"), FAULTY))
}

fn unsubscribe_without_its_flag(d: &Dialogue) -> Played {
    [0xA0, 0xA1, 0xA3].iter().try_for_each(|&first| after(d, &subscribe(d, first, [0, 1], b"\0\x01a"), FAULTY))
}

fn subscribe_with_identifier_0(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0x82, [0, 0], b"\0\x01a\0"), FAULTY)
}

fn unsubscribe_with_identifier_0(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0xA2, [0, 0], b"\0\x01a"), FAULTY)
}

fn publish_with_identifier_0(d: &Dialogue) -> Played {
    [2, 4].iter().try_for_each(|&flags| after(d, &publish(d, flags, b"\0\x01a\0\0"), FAULTY))
}

fn subscribe_without_a_filter(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0x82, [0, 1], b""), FAULTY)
}

fn unsubscribe_without_a_filter(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0xA2, [0, 1], b""), FAULTY)
}

fn a_subscription_with_qos_3_or_reserved_bits(d: &Dialogue) -> Played {
    let options: &[u8] = if d.v5() { &[3, 0x40, 0x80, 0x30] } else { &[3, 4, 8, 0x10, 0x80] };
    options.iter().try_for_each(|&options| after(d, &subscribe(d, 0x82, [0, 1], &[0, 1, b'a', options]), FAULTY))
}

fn a_filter_that_is_not_utf_8(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0x82, [0, 1], b"\0\x02\xC3\x28\0"), FAULTY)
}

fn a_filter_to_remove_that_is_not_utf_8(d: &Dialogue) -> Played {
    after(d, &subscribe(d, 0xA2, [0, 1], b"\0\x02\xC3\x28"), FAULTY)
}

fn an_empty_filter_and_filters_with_misplaced_wildcards(d: &Dialogue) -> Played {
    for filter in ["", "a#", "a/#/b", "a+", "+a", "a/b+/c", "#/a"] {
        let bytes = subscribe(d, 0x82, [0, 1], &[field(filter), vec![0]].concat());
        after(d, &bytes, FILTER).map_err(|unmet| unmet.about(filter))?;
    }
    Ok(())
}

fn a_topic_name_with_wildcards(d: &Dialogue) -> Played {
    [b"\0\x03a/#", b"\0\x03a/+"].iter().try_for_each(|topic| after(d, &publish(d, 0, *topic), TOPIC))
}

fn an_empty_topic_name(d: &Dialogue) -> Played {
    after(d, &publish(d, 0, b"\0\0"), TOPIC)
}

fn a_topic_name_with_u_0000(d: &Dialogue) -> Played {
    after(d, &publish(d, 0, b"\0\x03a\0b"), TOPIC)
}

fn a_topic_name_that_is_not_utf_8(d: &Dialogue) -> Played {
    [&b"\0\x02\xC3\x28"[..], b"\0\x03\xED\xA0\x80", b"\0\x02\xC0\x80", b"\0\x04\xF4\x90\x80\x80", b"\0\x01\xFF"]
        .iter()
        .try_for_each(|topic| after(d, &publish(d, 0, topic), TOPIC))
}

fn a_topic_name_that_is_longer_than_its_packet(d: &Dialogue) -> Played {
    after(d, &[0x30, 3, 0, 9, b'a'], FAULTY)
}

fn qos_3(d: &Dialogue) -> Played {
    after(d, &publish(d, 6, b"\0\x01a\0\x01"), FAULTY)
}

fn dup_at_qos_0(d: &Dialogue) -> Played {
    after(d, &publish(d, 8, b"\0\x01a"), FAULTY)
}
