//! The breaches that show in PUBACK, PUBREC, PUBREL and PUBCOMP.

use halfopen_protocol::{Packet, PacketType};

use super::{Edit, Row, both, client, server};

pub(super) static ROWS: &[Row] = &[
    both(
        "not_resent",
        "sends no message again",
        Edit::Drop(|packet| matches!(packet, Packet::Publish(publish) if publish.dup)),
        &["4.4.0-1", "4.3.2-1", "4.3.3-1"],
        &["4.4.0-1", "4.3.2-3", "4.3.3-3"],
    ),
    both("no_pubrel", "sends no PUBREL", Edit::Lose(PacketType::PubRel), &["4.3.3-1"], &["4.3.3-4", "4.3.3-5"]),
    both(
        "publish_before_pubrel",
        "sends a message again before its PUBREL",
        Edit::Before(PacketType::PubRel, &[0x3C, 6, 0, 1, b'a', 0, 3, 0]),
        &["3.10.4-3"],
        &["4.3.3-6", "3.10.4-3"],
    ),
    both(
        "pubrel_flags",
        "sends PUBREL with other flags",
        Edit::Bytes(PacketType::PubRel, |frame| frame.first = 0x60),
        &["3.6.1-1"],
        &["3.6.1-1"],
    ),
    both(
        "no_puback",
        "sends no PUBACK",
        Edit::Lose(PacketType::PubAck),
        &["3.3.4-1", "4.3.2-2", "4.5.0-2"],
        &["3.3.4-1", "4.3.2-4", "4.5.0-2"],
    ),
    both(
        "no_pubrec",
        "sends no PUBREC",
        Edit::Lose(PacketType::PubRec),
        &["3.3.4-1", "4.3.3-2"],
        &["3.3.4-1", "4.3.3-8", "4.3.3-10"],
    ),
    both("no_pubcomp", "sends no PUBCOMP", Edit::Lose(PacketType::PubComp), &["4.3.3-2"], &["4.3.3-11", "4.3.3-13"]),
    both(
        "puback_other_identifier",
        "sends PUBACK with another identifier",
        change!(PubAck(ack) => ack.packet_id = ack.packet_id.saturating_add(1)),
        &["2.3.1-6"],
        &["2.2.1-5"],
    ),
    both(
        "puback_unknown_reason",
        "sends PUBACK with a reason that its table does not have",
        Edit::Bytes(PacketType::PubAck, |frame| {
            frame.body.truncate(2);
            frame.body.push(0x01);
        }),
        &[],
        &["3.4.2-1"],
    ),
    both(
        "puback_reason_too_long",
        "puts a reason in words into PUBACK that does not fit",
        change!(PubAck(ack) => ack.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.4.2-2"],
    ),
    both(
        "puback_user_property_too_long",
        "puts a user property into PUBACK that does not fit",
        change!(PubAck(ack) => ack.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.4.2-3", "3.1.2-29"],
    ),
    both(
        "pubrec_other_identifier",
        "sends PUBREC with another identifier",
        change!(PubRec(ack) => ack.packet_id = ack.packet_id.saturating_add(1)),
        &["2.3.1-6"],
        &["2.2.1-5"],
    ),
    both(
        "pubrec_unknown_reason",
        "sends PUBREC with a reason that its table does not have",
        Edit::Bytes(PacketType::PubRec, |frame| {
            frame.body.truncate(2);
            frame.body.push(0x01);
        }),
        &[],
        &["3.5.2-1"],
    ),
    both(
        "pubrec_reason_too_long",
        "puts a reason in words into PUBREC that does not fit",
        change!(PubRec(ack) => ack.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.5.2-2"],
    ),
    both(
        "pubrec_user_property_too_long",
        "puts a user property into PUBREC that does not fit",
        change!(PubRec(ack) => ack.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.5.2-3"],
    ),
    both(
        "pubrel_other_identifier",
        "sends PUBREL with another identifier",
        change!(PubRel(ack) => ack.packet_id = ack.packet_id.saturating_add(1)),
        &["2.3.1-6"],
        &["2.2.1-5"],
    ),
    both(
        "pubrel_unknown_reason",
        "sends PUBREL with a reason that its table does not have",
        Edit::Bytes(PacketType::PubRel, |frame| {
            frame.body.truncate(2);
            frame.body.push(0x01);
        }),
        &[],
        &["3.6.2-1"],
    ),
    both(
        "pubrel_reason_too_long",
        "puts a reason in words into PUBREL that does not fit",
        change!(PubRel(ack) => ack.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.6.2-2"],
    ),
    both(
        "pubrel_user_property_too_long",
        "puts a user property into PUBREL that does not fit",
        change!(PubRel(ack) => ack.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.6.2-3"],
    ),
    both(
        "pubcomp_other_identifier",
        "sends PUBCOMP with another identifier",
        change!(PubComp(ack) => ack.packet_id = ack.packet_id.saturating_add(1)),
        &[],
        &["2.2.1-5"],
    ),
    both(
        "pubcomp_unknown_reason",
        "sends PUBCOMP with a reason that its table does not have",
        Edit::Bytes(PacketType::PubComp, |frame| {
            frame.body.truncate(2);
            frame.body.push(0x01);
        }),
        &[],
        &["3.7.2-1"],
    ),
    both(
        "pubcomp_reason_too_long",
        "puts a reason in words into PUBCOMP that does not fit",
        change!(PubComp(ack) => ack.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.7.2-2"],
    ),
    both(
        "pubcomp_user_property_too_long",
        "puts a user property into PUBCOMP that does not fit",
        change!(PubComp(ack) => ack.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.7.2-3"],
    ),
    client(
        "puback_order",
        "sends the second of two PUBACKs first",
        Edit::Swap(PacketType::PubAck),
        &["4.6.0-2"],
        &["4.6.0-2"],
    ),
    client(
        "pubrec_order",
        "sends the second of two PUBRECs first",
        Edit::Swap(PacketType::PubRec),
        &["4.6.0-3"],
        &["4.6.0-3"],
    ),
    client(
        "pubrel_order",
        "sends the second of two PUBRELs first",
        Edit::Swap(PacketType::PubRel),
        &["4.6.0-4"],
        &["4.6.0-4"],
    ),
    client(
        "holds_back_puback",
        "holds back PUBACK when the window is full",
        Edit::Lose(PacketType::PubAck),
        &[],
        &["4.9.0-3"],
    ),
    server(
        "window_holds_back_puback",
        "holds back PUBACK when the window is full",
        Edit::Lose(PacketType::PubAck),
        &[],
        &["4.9.0-3"],
    ),
    server(
        "not_permitted_is_not_answered",
        "does not answer what is not permitted",
        Edit::Lose(PacketType::PubAck),
        &["3.3.5-2"],
        &[],
    ),
    client(
        "forgets_while_connected",
        "forgets exchanges while the connection stands",
        Edit::Ignore(|packet| matches!(packet, Packet::PubRec(_))),
        &["4.1.0-2"],
        &["4.1.0-1"],
    ),
];
