//! The breaches that show in SUBSCRIBE, UNSUBSCRIBE and their answers.

use halfopen_protocol::packet::RetainHandling;
use halfopen_protocol::{Packet, PacketType};

use super::{Edit, Row, client, server};

pub(super) static ROWS: &[Row] = &[
    client(
        "subscribe_flags",
        "sends SUBSCRIBE with other flags",
        Edit::Bytes(PacketType::Subscribe, |frame| frame.first = 0x80),
        &["3.8.1-1"],
        &["3.8.1-1"],
    ),
    client(
        "subscribe_without_filter",
        "sends SUBSCRIBE without a filter",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            frame.body.truncate(if frame.is_v5 { 3 } else { 2 });
        }),
        &["3.8.3-3"],
        &["3.8.3-2"],
    ),
    client(
        "subscribe_filter_not_utf_8",
        "sends SUBSCRIBE with a filter that is not UTF-8",
        spoil!(Subscribe(packet) => packet.subscriptions.first().map(|it| &it.filter), 0xFF),
        &["3.8.3-1"],
        &["3.8.3-1"],
    ),
    client(
        "unsubscribe_flags",
        "sends UNSUBSCRIBE with other flags",
        Edit::Bytes(PacketType::Unsubscribe, |frame| frame.first = 0xA0),
        &["3.10.1-1"],
        &["3.10.1-1"],
    ),
    client(
        "unsubscribe_without_filter",
        "sends UNSUBSCRIBE without a filter",
        Edit::Bytes(PacketType::Unsubscribe, |frame| {
            frame.body.truncate(if frame.is_v5 { 3 } else { 2 });
        }),
        &["3.10.3-2"],
        &["3.10.3-2"],
    ),
    client(
        "unsubscribe_filter_not_utf_8",
        "sends UNSUBSCRIBE with a filter that is not UTF-8",
        spoil!(Unsubscribe(packet) => packet.filters.first(), 0xFF),
        &["3.10.3-1"],
        &["3.10.3-1"],
    ),
    client(
        "subscribe_identifier_zero",
        "sends SUBSCRIBE with identifier 0",
        Edit::Bytes(PacketType::Subscribe, |frame| frame.body[1] = 0),
        &["2.3.1-1"],
        &["2.2.1-3"],
    ),
    client(
        "hash_not_last",
        "puts # where another level follows",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            let place = frame.body.windows(2).position(|window| window == b"a/");
            place.into_iter().for_each(|place| frame.body[place] = b'#');
        }),
        &["4.7.1-2"],
        &["4.7.1-1"],
    ),
    client(
        "plus_beside_a_letter",
        "puts + beside other characters of a level",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            let place = frame.body.windows(2).position(|window| window == b"a/");
            place.into_iter().for_each(|place| frame.body[place + 1] = b'+');
        }),
        &["4.7.1-3"],
        &["4.7.1-2"],
    ),
    client(
        "no_local_and_shared",
        "asks for No Local on a shared subscription",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            frame.body.last_mut().into_iter().for_each(|options| *options |= 4);
        }),
        &[],
        &["3.8.3-4"],
    ),
    client(
        "group_without_name",
        "names no group of a shared subscription",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            let place = frame.body.windows(7).position(|window| window == b"$share/");
            place.into_iter().for_each(|place| frame.body[place + 7] = b'/');
        }),
        &[],
        &["4.8.2-1"],
    ),
    client(
        "group_with_wildcard",
        "names a group with a wildcard",
        Edit::Bytes(PacketType::Subscribe, |frame| {
            let place = frame.body.windows(7).position(|window| window == b"$share/");
            place.into_iter().for_each(|place| frame.body[place + 7] = b'+');
        }),
        &[],
        &["4.8.2-2"],
    ),
    client(
        "holds_back_subscribe",
        "holds back SUBSCRIBE when the window is full",
        Edit::Lose(PacketType::Subscribe),
        &[],
        &["3.3.4-8"],
    ),
    server(
        "refuses_higher_qos",
        "refuses subscriptions of a higher QoS",
        Edit::Bytes(PacketType::SubAck, |frame| {
            frame.body.last_mut().into_iter().for_each(|code| *code = 0x80);
        }),
        &[],
        &["3.2.2-10"],
    ),
    server(
        "suback_reason_too_long",
        "puts a reason in words into SUBACK that does not fit",
        change!(SubAck(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.9.2-1"],
    ),
    server(
        "suback_user_property_too_long",
        "puts a user property into SUBACK that does not fit",
        change!(SubAck(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.9.2-2"],
    ),
    server(
        "unsuback_reason_too_long",
        "puts a reason in words into UNSUBACK that does not fit",
        change!(UnsubAck(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.11.2-1"],
    ),
    server(
        "unsuback_user_property_too_long",
        "puts a user property into UNSUBACK that does not fit",
        change!(UnsubAck(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.11.2-2"],
    ),
    server(
        "suback_other_identifier",
        "sends SUBACK with another identifier",
        change!(SubAck(suback) => suback.packet_id = suback.packet_id.saturating_add(1)),
        &["2.3.1-7", "3.8.4-2"],
        &["2.2.1-6", "3.8.4-2"],
    ),
    server(
        "one_suback_a_filter",
        "sends a SUBACK for each filter",
        Edit::Twice(PacketType::SubAck),
        &["3.8.4-4"],
        &["3.8.4-5"],
    ),
    server(
        "suback_code_missing",
        "sends a code less than there are filters",
        change!(SubAck(suback) => {
        if suback.reasons.len() > 1 { suback.reasons.pop(); }
        }),
        &["3.8.4-5"],
        &["3.8.4-6"],
    ),
    server(
        "suback_codes_reversed",
        "sends the codes of SUBACK in another order",
        change!(SubAck(suback) => suback.reasons.reverse()),
        &["3.9.3-1"],
        &["3.9.3-1"],
    ),
    server(
        "suback_unknown_code",
        "sends SUBACK with a code that its table does not have",
        Edit::Bytes(PacketType::SubAck, |frame| {
            frame.body.last_mut().into_iter().for_each(|code| *code = 0x03);
        }),
        &["3.9.3-2"],
        &["3.9.3-2", "3.8.4-7"],
    ),
    server(
        "wildcards_accepted",
        "accepts filters with wildcards that it does not support",
        Edit::Bytes(PacketType::SubAck, |frame| {
            frame.body.last_mut().into_iter().for_each(|code| *code = 0);
        }),
        &["3.8.3-2"],
        &[],
    ),
    server(
        "no_unsuback",
        "sends no UNSUBACK",
        Edit::Lose(PacketType::UnsubAck),
        &["3.10.4-4", "3.10.4-5"],
        &["3.10.4-4", "3.10.4-5"],
    ),
    server(
        "unsuback_other_identifier",
        "sends UNSUBACK with another identifier",
        change!(UnsubAck(unsuback) => unsuback.packet_id = unsuback.packet_id.saturating_add(1)),
        &["2.3.1-7", "3.10.4-4"],
        &["2.2.1-6", "3.10.4-5"],
    ),
    server(
        "one_unsuback_a_filter",
        "sends an UNSUBACK for each filter",
        Edit::Twice(PacketType::UnsubAck),
        &["3.10.4-6"],
        &["3.10.4-6"],
    ),
    server(
        "unsuback_codes_reversed",
        "sends the codes of UNSUBACK in another order",
        change!(UnsubAck(unsuback) => unsuback.reasons.reverse()),
        &[],
        &["3.11.3-1"],
    ),
    server(
        "unsuback_unknown_code",
        "sends UNSUBACK with a code that its table does not have",
        Edit::Bytes(PacketType::UnsubAck, |frame| {
            if frame.is_v5 {
                frame.body.last_mut().into_iter().for_each(|code| *code = 0x03);
            }
        }),
        &[],
        &["3.11.3-2"],
    ),
    server(
        "unsubscribe_not_heeded",
        "does not look at UNSUBSCRIBE",
        Edit::Ignore(|packet| matches!(packet, Packet::Unsubscribe(_))),
        &["3.10.4-1", "3.10.4-2"],
        &["3.10.4-1", "3.10.4-2"],
    ),
    server("no_pingresp", "sends no PINGRESP", Edit::Lose(PacketType::PingResp), &["3.12.4-1"], &["3.12.4-1"]),
    server(
        "window_holds_back_everything",
        "holds back SUBACK when the window is full",
        Edit::Lose(PacketType::SubAck),
        &[],
        &["3.3.4-10"],
    ),
    server(
        "no_local_not_heeded",
        "does not look at No Local",
        mistake!(Subscribe(subscribe) => {
            subscribe.subscriptions.iter_mut().for_each(|one| one.no_local = false);
        }),
        &[],
        &["3.8.3-3"],
    ),
    server(
        "retain_handling_not_heeded",
        "does not look at Retain Handling",
        mistake!(Subscribe(subscribe) => {
            subscribe.subscriptions.iter_mut().for_each(|one| one.retain_handling = RetainHandling::default());
        }),
        &[],
        &["3.3.1-10", "3.3.1-11"],
    ),
];
