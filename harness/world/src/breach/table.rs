//! The breaches, one row each.

use std::sync::Arc;

use halfopen_protocol::packet::{PacketId, QoS, RetainHandling, Will};
use halfopen_protocol::{Packet, PacketType, Role};

use super::Row;
use super::edit::Edit;

/// Gives access to a packet that may be shared: the larger ones are.
macro_rules! own {
    (Publish $packet:expr) => {
        Arc::make_mut($packet)
    };
    (Connect $packet:expr) => {
        Arc::make_mut($packet)
    };
    (ConnAck $packet:expr) => {
        Arc::make_mut($packet)
    };
    ($other:ident $packet:expr) => {
        $packet
    };
}

/// Changes packets of one type.
macro_rules! change {
    ($packet_type:ident($packet:ident) => $change:expr) => {
        Edit::Change(|packet| {
            if let Packet::$packet_type($packet) = packet {
                let $packet = own!($packet_type $packet);
                $change;
            }
        })
    };
}

/// Takes packets of one type that arrive for others.
macro_rules! mistake {
    ($packet_type:ident($packet:ident) => $change:expr) => {
        Edit::Mistake(|packet| {
            if let Packet::$packet_type($packet) = packet {
                let $packet = own!($packet_type $packet);
                $change;
            }
        })
    };
}

/// Replaces the first byte of a text in packets of one type.
macro_rules! spoil {
    ($packet_type:ident($packet:ident) => $text:expr, $byte:expr) => {
        Edit::Spoil(
            |packet| match packet {
                Packet::$packet_type($packet) => $text,
                _ => None,
            },
            $byte,
        )
    };
}

/// Ids of statements.
type Ids = &'static [&'static str];

const fn client(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Client], name, about, edit, statements: [of_3_1_1, of_5_0] }
}

const fn server(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Server], name, about, edit, statements: [of_3_1_1, of_5_0] }
}

const fn both(name: &'static str, about: &'static str, edit: Edit, of_3_1_1: Ids, of_5_0: Ids) -> Row {
    Row { sides: &[Role::Client, Role::Server], name, about, edit, statements: [of_3_1_1, of_5_0] }
}

/// Each with its name, what it does, how, and the statements of 3.1.1 and of 5.0 that it breaks.
pub(super) static ROWS: &[Row] = &[
    both(
        "topic_not_utf_8",
        "publishes to a topic that is not UTF-8",
        spoil!(Publish(publish) => Some(&publish.topic), 0xFF),
        &["1.5.3-1", "3.3.2-1"],
        &["1.5.4-1", "3.3.2-1"],
    ),
    both(
        "topic_with_null",
        "publishes to a topic with U+0000",
        spoil!(Publish(publish) => Some(&publish.topic), 0),
        &["1.5.3-2", "4.7.3-2"],
        &["1.5.4-2", "4.7.3-2"],
    ),
    both(
        "topic_with_wildcard",
        "publishes to a topic with a wildcard",
        spoil!(Publish(publish) => Some(&publish.topic), b'#'),
        &["3.3.2-2", "4.7.1-1"],
        &["3.3.2-2", "4.7.0-1"],
    ),
    both(
        "topic_empty",
        "publishes to an empty topic",
        Edit::Bytes(PacketType::Publish, |frame| {
            let behind = frame.behind_topic();
            frame.body.splice(..behind, [0, 0]);
        }),
        &["4.7.3-1"],
        &["4.7.3-1"],
    ),
    both(
        "byte_order_mark_removed",
        "takes U+FEFF out of topics",
        change!(Publish(publish) => publish.topic = publish.topic.replace('\u{FEFF}', "").into()),
        &["1.5.3-3"],
        &["1.5.4-3"],
    ),
    both(
        "response_topic_not_utf_8",
        "sends a response topic that is not UTF-8",
        spoil!(Publish(publish) => publish.response_topic.as_ref(), 0xFF),
        &[],
        &["3.3.2-13"],
    ),
    both(
        "response_topic_with_wildcard",
        "sends a response topic with a wildcard",
        spoil!(Publish(publish) => publish.response_topic.as_ref(), b'#'),
        &[],
        &["3.3.2-14"],
    ),
    both(
        "content_type_not_utf_8",
        "sends a content type that is not UTF-8",
        spoil!(Publish(publish) => publish.content_type.as_ref(), 0xFF),
        &[],
        &["3.3.2-19"],
    ),
    both(
        "user_property_not_utf_8",
        "sends a user property that is not UTF-8",
        spoil!(Publish(publish) => publish.user_properties.last().map(|(name, _)| name), 0xFF),
        &[],
        &["1.5.7-1"],
    ),
    both(
        "qos_3",
        "publishes with QoS 3",
        Edit::Bytes(PacketType::Publish, |frame| frame.first |= 6),
        &["3.3.1-4"],
        &["3.3.1-4"],
    ),
    both(
        "dup_at_qos_0",
        "sets DUP on messages of QoS 0",
        Edit::Bytes(PacketType::Publish, |frame| {
            if frame.first & 6 == 0 {
                frame.first |= 8;
            }
        }),
        &["3.3.1-2", "4.3.1-1"],
        &["3.3.1-2", "4.3.1-1"],
    ),
    both(
        "dup_at_first",
        "sets DUP on each message of QoS 1 and 2",
        change!(Publish(publish) => publish.dup = publish.packet_id.is_some()),
        &["4.3.2-1", "4.3.3-1", "3.3.1-3"],
        &["4.3.2-2", "4.3.3-2", "3.3.1-3"],
    ),
    both(
        "identifier_at_qos_0",
        "gives a message of QoS 0 an identifier",
        Edit::Bytes(PacketType::Publish, |frame| {
            if frame.first & 6 == 0 {
                let behind = frame.behind_topic();
                frame.body.splice(behind..behind, [0, 1]);
            }
        }),
        &["2.3.1-5"],
        &["2.2.1-2"],
    ),
    both(
        "identifier_zero",
        "gives a message identifier 0",
        Edit::Bytes(PacketType::Publish, |frame| {
            if frame.first & 6 != 0 {
                let behind = frame.behind_topic();
                frame.body.splice(behind..behind + 2, [0, 0]);
            }
        }),
        &["2.3.1-1", "2.3.1-4"],
        &["2.2.1-3", "2.2.1-4"],
    ),
    both(
        "identifier_always_the_same",
        "gives each message the same identifier",
        change!(Publish(publish) => publish.packet_id = publish.packet_id.map(|_| PacketId::MIN)),
        &["2.3.1-2", "4.3.2-1", "4.3.3-1", "2.3.1-4"],
        &["2.2.1-3", "4.3.2-1", "4.3.3-1", "2.2.1-4"],
    ),
    both(
        "resent_with_another_identifier",
        "sends a message again with another identifier",
        change!(Publish(publish) => {
        if publish.dup {
                            publish.packet_id = publish.packet_id.and_then(|id| id.checked_add(100));
                        }
        }),
        &["4.4.0-1", "2.3.1-3"],
        &["4.4.0-1"],
    ),
    both(
        "resent_without_dup",
        "sends a message again without DUP",
        change!(Publish(publish) => publish.dup = false),
        &["3.3.1-1"],
        &["3.3.1-1"],
    ),
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
        "no_property_length",
        "leaves out a Property Length of zero",
        Edit::Bytes(PacketType::Publish, |frame| {
            let at = frame.behind_topic() + if frame.first & 6 == 0 { 0 } else { 2 };
            if frame.is_v5 && frame.body.get(at) == Some(&0) {
                frame.body.remove(at);
            }
        }),
        &[],
        &["2.2.2-1"],
    ),
    both(
        "long_length",
        "writes Remaining Length with a byte more than it needs",
        Edit::Bytes(PacketType::Publish, |frame| frame.is_long = true),
        &[],
        &["1.5.5-1"],
    ),
    both(
        "topic_alias_0",
        "sends topic alias 0",
        Edit::Bytes(PacketType::Publish, |frame| {
            if let Some(at) = frame.body.windows(2).position(|window| window == [0x23, 0]) {
                frame.body[at + 2] = 0;
            }
        }),
        &[],
        &["3.3.2-8"],
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
    both("no_pubcomp", "sends no PUBCOMP", Edit::Lose(PacketType::PubComp), &["4.3.3-2"], &["4.3.3-11"]),
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
    both(
        "disconnect_reason_too_long",
        "puts a reason in words into DISCONNECT that does not fit",
        change!(Disconnect(disconnect) => disconnect.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.14.2-3"],
    ),
    both(
        "disconnect_user_property_too_long",
        "puts a user property into DISCONNECT that does not fit",
        change!(Disconnect(disconnect) => disconnect.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.14.2-4"],
    ),
    both(
        "unknown_disconnect_reason",
        "sends DISCONNECT with a reason that its table does not have",
        Edit::Bytes(PacketType::Disconnect, |frame| {
            if frame.is_v5 {
                frame.body = vec![0x01];
            }
        }),
        &[],
        &["3.14.2-1"],
    ),
    both(
        "keeps_open",
        "closes no connection",
        Edit::KeepOpen,
        &[
            "3.14.4-1", "4.8.0-1", "2.2.2-2", "1.5.3-1", "1.5.3-2", "3.3.1-4", "3.1.0-2", "3.1.2-1", "3.1.3-9",
            "3.1.4-1", "3.2.2-5", "3.1.2-3", "3.14.1-1", "3.8.3-4", "3.6.1-1", "3.8.1-1", "3.10.1-1",
        ],
        &[
            "3.14.4-2", "4.13.2-1", "3.2.2-4", "3.15.1-1", "3.1.0-2", "3.1.2-1", "3.1.2-2", "3.1.3-8", "3.1.4-1",
            "3.1.4-2", "3.2.2-7", "3.2.2-12", "3.2.2-13", "4.13.1-1", "3.8.3-5", "3.6.1-1", "3.8.1-1", "3.10.1-1",
            "4.12.0-1", "4.12.0-4", "4.12.1-2",
        ],
    ),
    both(
        "tolerates_what_is_malformed",
        "does not look at what is malformed",
        Edit::Tolerate,
        &[
            "1.5.3-1", "1.5.3-2", "2.2.2-2", "3.3.1-4", "3.1.2-3", "3.1.4-1", "3.6.1-1", "3.8.1-1", "3.8.3-4",
            "3.10.1-1", "3.14.1-1",
        ],
        &[
            "3.14.1-1", "3.15.1-1", "1.5.4-1", "1.5.4-2", "1.5.5-1", "1.5.7-1", "2.2.2-1", "3.1.2-3", "3.1.4-1",
            "3.6.1-1", "3.8.1-1", "3.8.3-4", "3.8.3-5", "3.10.1-1", "3.15.2-1",
        ],
    ),
    both(
        "publish_order",
        "sends the second of two messages first",
        Edit::Swap(PacketType::Publish),
        &["4.6.0-1", "4.6.0-5", "4.6.0-6"],
        &["4.6.0-1", "4.6.0-5", "4.6.0-6"],
    ),
    both(
        "ignores_repeated_messages",
        "takes no message with DUP for a new one",
        Edit::Ignore(|packet| matches!(packet, Packet::Publish(publish) if publish.dup)),
        &["4.3.2-2", "4.3.3-2"],
        &["4.3.2-5", "4.3.3-10", "4.3.3-12"],
    ),
    both(
        "refused_is_remembered",
        "takes an identifier that it has refused for one in use",
        Edit::Ignore(|packet| matches!(packet, Packet::Publish(publish) if publish.payload == "second")),
        &[],
        &["4.3.3-9"],
    ),
    client(
        "ping_before_connect",
        "sends PINGREQ before CONNECT",
        Edit::Before(PacketType::Connect, &[0xC0, 0]),
        &["3.1.0-1"],
        &["3.1.0-1"],
    ),
    client(
        "ping_behind_connect",
        "sends PINGREQ before CONNACK is there",
        Edit::Behind(PacketType::Connect, &[0xC0, 0]),
        &[],
        &["3.1.2-30"],
    ),
    client(
        "auth_unasked",
        "sends AUTH without having named a method",
        Edit::Behind(PacketType::Connect, &[0xF0, 9, 0x18, 7, 0x15, 0, 4, b'L', b'O', b'R', b'E']),
        &[],
        &["4.12.0-7"],
    ),
    client(
        "nothing_reaches",
        "sends no CONNECT over any transport",
        Edit::Lose(PacketType::Connect),
        &["7.1.2-1"],
        &["4.2-1"],
    ),
    client(
        "connect_flags",
        "sets flags in the first byte of CONNECT",
        Edit::Bytes(PacketType::Connect, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    client(
        "protocol_name",
        "writes the protocol name in small letters",
        Edit::Bytes(PacketType::Connect, |frame| frame.body[2] = b'm'),
        &[],
        &["3.1.2-1"],
    ),
    client(
        "will_missing",
        "sets the Will Flag and leaves the will out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 != 0 {
                let fields = frame.connect_fields();
                frame.body.drain(fields[1]..fields[3]);
            }
        }),
        &["3.1.2-9"],
        &["3.1.2-9"],
    ),
    client(
        "will_flags_without_will",
        "sets Will QoS and Will Retain without a will",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 == 0 {
                *frame.connect_flags() |= 0x28;
            }
        }),
        &["3.1.2-11", "3.1.2-13", "3.1.2-15"],
        &["3.1.2-11", "3.1.2-13"],
    ),
    client(
        "will_qos_3",
        "sends a will with QoS 3",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 4 != 0 {
                *frame.connect_flags() |= 0x18;
            }
        }),
        &["3.1.2-14"],
        &["3.1.2-12"],
    ),
    client(
        "user_name_without_flag",
        "appends a user name without its flag",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0x80 == 0 {
                frame.body.extend_from_slice(&[0, 1, b'u']);
            }
        }),
        &["3.1.2-18"],
        &["3.1.2-16"],
    ),
    client(
        "password_without_flag",
        "appends a password without its flag",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0x80 {
                frame.body.extend_from_slice(&[0, 1, b'p']);
            }
        }),
        &["3.1.2-20"],
        &["3.1.2-18"],
    ),
    client(
        "password_without_user_name",
        "sends a password without a user name",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0 {
                *frame.connect_flags() |= 0x40;
                frame.body.extend_from_slice(&[0, 1, b'p']);
            }
        }),
        &["3.1.2-22"],
        &[],
    ),
    client(
        "user_name_missing",
        "sets the User Name Flag and leaves the name out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0xC0 == 0x80 {
                frame.cut_connect_field(0);
            }
            if *frame.connect_flags() & 0xC0 == 0xC0 {
                frame.cut_connect_field(1);
            }
        }),
        &["3.1.2-19"],
        &["3.1.2-17"],
    ),
    client(
        "password_missing",
        "sets the Password Flag and leaves the password out",
        Edit::Bytes(PacketType::Connect, |frame| {
            if *frame.connect_flags() & 0x40 != 0 {
                frame.cut_connect_field(0);
            }
        }),
        &["3.1.2-21"],
        &["3.1.2-19"],
    ),
    client(
        "identifier_missing",
        "leaves out the client identifier",
        Edit::Bytes(PacketType::Connect, |frame| {
            let fields = frame.connect_fields();
            frame.body.drain(fields[0]..fields[1]);
        }),
        &["3.1.3-3"],
        &["3.1.3-3"],
    ),
    client(
        "identifier_last",
        "sends the client identifier behind the other fields",
        Edit::Bytes(PacketType::Connect, |frame| {
            let fields = frame.connect_fields();
            let identifier: Vec<u8> = frame.body.drain(fields[0]..fields[1]).collect();
            frame.body.extend_from_slice(&identifier);
        }),
        &["3.1.3-1"],
        &["3.1.3-1"],
    ),
    client(
        "session_without_identifier",
        "asks to keep a session without a client identifier",
        Edit::Bytes(PacketType::Connect, |frame| *frame.connect_flags() &= !2),
        &["3.1.3-7"],
        &[],
    ),
    client(
        "identifier_not_utf_8",
        "sends a client identifier that is not UTF-8",
        spoil!(Connect(connect) => Some(&connect.client_id), 0xFF),
        &["3.1.3-4"],
        &["3.1.3-4"],
    ),
    client(
        "will_topic_not_utf_8",
        "sends a will topic that is not UTF-8",
        spoil!(Connect(connect) => connect.will.as_ref().map(|will| &will.topic), 0xFF),
        &["3.1.3-10"],
        &["3.1.3-11"],
    ),
    client(
        "user_name_not_utf_8",
        "sends a user name that is not UTF-8",
        spoil!(Connect(connect) => connect.username.as_ref(), 0xFF),
        &["3.1.3-11"],
        &["3.1.3-12"],
    ),
    client(
        "reserved_flags",
        "sets flags in the first byte of acknowledgements and pings",
        Edit::Bytes(PacketType::PingReq, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    client(
        "packet_behind_disconnect",
        "sends something behind DISCONNECT",
        Edit::Behind(PacketType::Disconnect, &[0xC0, 0]),
        &["3.14.4-2"],
        &["3.14.4-1"],
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
        "ignores_aliases",
        "takes no message with a topic alias",
        Edit::Ignore(|packet| matches!(packet, Packet::Publish(publish) if publish.topic_alias.is_some())),
        &[],
        &["3.3.2-10"],
    ),
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
        "sends_subscription_identifier",
        "puts a subscription identifier into PUBLISH",
        change!(Publish(publish) => publish.subscription_ids = vec![1]),
        &[],
        &["3.3.4-6"],
    ),
    client(
        "alias_unasked",
        "uses a topic alias that nobody allows",
        change!(Publish(publish) => publish.topic_alias = Some(1)),
        &[],
        &["3.2.2-18"],
    ),
    client(
        "alias_above_the_maximum",
        "uses topic aliases above the maximum",
        change!(Publish(publish) => publish.topic_alias = publish.topic_alias.map(|alias| alias + 2)),
        &[],
        &["3.2.2-17", "3.3.2-9"],
    ),
    client(
        "qos_above_the_maximum",
        "publishes above Maximum QoS",
        Edit::Behind(PacketType::Publish, &[0x32, 6, 0, 1, b'a', 0, 9, 0, 0x34, 6, 0, 1, b'a', 0, 8, 0]),
        &[],
        &["3.2.2-11"],
    ),
    client(
        "retains_nevertheless",
        "publishes with RETAIN where nothing is retained",
        change!(Publish(publish) => publish.retain = true),
        &[],
        &["3.2.2-14"],
    ),
    client(
        "larger_than_allowed",
        "sends packets that are too large",
        change!(Publish(publish) => publish.payload = vec![0; 100].into()),
        &[],
        &["3.2.2-15"],
    ),
    client(
        "more_than_the_window",
        "publishes more than the receive maximum allows",
        Edit::Behind(PacketType::Publish, &[0x32, 6, 0, 1, b't', 1, 9, 0, 0x34, 6, 0, 1, b't', 1, 8, 0]),
        &[],
        &["3.3.4-7", "4.9.0-1", "4.9.0-2"],
    ),
    client(
        "holds_back_subscribe",
        "holds back SUBSCRIBE when the window is full",
        Edit::Lose(PacketType::Subscribe),
        &[],
        &["3.3.4-8"],
    ),
    client(
        "holds_back_puback",
        "holds back PUBACK when the window is full",
        Edit::Lose(PacketType::PubAck),
        &[],
        &["4.9.0-3"],
    ),
    server(
        "reserved_flags",
        "sets flags in the first byte of acknowledgements and pings",
        Edit::Bytes(PacketType::PingResp, |frame| frame.first |= 1),
        &["2.2.2-1"],
        &["2.1.3-1"],
    ),
    server(
        "packet_behind_disconnect",
        "sends something behind DISCONNECT",
        Edit::Behind(PacketType::Disconnect, &[0xD0, 0]),
        &[],
        &["3.14.4-1"],
    ),
    server(
        "no_connack",
        "sends no CONNACK",
        Edit::Lose(PacketType::ConnAck),
        &["3.1.4-4", "7.1.1-1"],
        &["3.1.4-5", "4.2-1"],
    ),
    server(
        "ping_before_connack",
        "sends PINGRESP before CONNACK",
        Edit::Before(PacketType::ConnAck, &[0xD0, 0]),
        &["3.2.0-1"],
        &["3.2.0-1"],
    ),
    server(
        "disconnect_before_connack",
        "sends DISCONNECT before CONNACK",
        Edit::Before(PacketType::ConnAck, &[0xE0, 0]),
        &[],
        &["3.14.0-1"],
    ),
    server("second_connack", "sends CONNACK twice", Edit::Twice(PacketType::ConnAck), &[], &["3.2.0-2"]),
    server(
        "connack_flags",
        "sets reserved flags in CONNACK",
        Edit::Bytes(PacketType::ConnAck, |frame| frame.body[0] |= 2),
        &[],
        &["3.2.2-1"],
    ),
    server(
        "session_present_with_refusal",
        "says Session Present where it refuses",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] != 0 {
                frame.body[0] = 1;
            }
        }),
        &["3.2.2-4"],
        &["3.2.2-6"],
    ),
    server(
        "session_present_with_success",
        "says Session Present always",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] == 0 {
                frame.body[0] = 1;
            }
        }),
        &["3.2.2-1", "3.2.2-3", "3.1.2-6"],
        &["3.2.2-2", "3.2.2-3", "3.1.2-4", "3.1.2-6"],
    ),
    server(
        "session_present_never",
        "says Session Present never",
        Edit::Bytes(PacketType::ConnAck, |frame| frame.body[0] = 0),
        &["3.2.2-2"],
        &["3.2.2-3", "3.1.2-5"],
    ),
    server(
        "unknown_return_code",
        "sends CONNACK with a code that its table does not have",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] != 0 {
                frame.body[1] = 0x92;
            }
        }),
        &["3.1.2-2", "3.1.3-8", "3.1.3-9"],
        &["3.2.2-8"],
    ),
    server(
        "refuses_identifiers",
        "refuses client identifiers",
        Edit::Bytes(PacketType::ConnAck, |frame| {
            if frame.body[1] == 0 {
                frame.body[1] = if frame.is_v5 { 0x85 } else { 0x02 };
            }
        }),
        &["3.1.3-5", "3.1.3-6"],
        &["3.1.3-5", "3.1.3-6"],
    ),
    server(
        "identifier_not_told",
        "does not tell which identifier it has assigned",
        change!(ConnAck(connack) => connack.assigned_client_id = None),
        &[],
        &["3.1.3-7", "3.2.2-16"],
    ),
    server(
        "maximum_qos_not_told",
        "does not tell its Maximum QoS",
        change!(ConnAck(connack) => connack.maximum_qos = None),
        &[],
        &["3.2.2-9"],
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
        "response_information_unasked",
        "tells Response Information to everybody",
        change!(ConnAck(connack) => connack.response_information = Some("answers".into())),
        &[],
        &["3.1.2-28"],
    ),
    server(
        "method_unasked",
        "names an authentication method to everybody",
        change!(ConnAck(connack) => connack.authentication_method = Some("LORE".into())),
        &[],
        &["4.12.0-6"],
    ),
    server(
        "connack_reason_too_long",
        "puts a reason in words into CONNACK that does not fit",
        change!(ConnAck(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.2.2-19"],
    ),
    server(
        "connack_user_property_too_long",
        "puts a user property into CONNACK that does not fit",
        change!(ConnAck(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.2.2-20"],
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
        "auth_reason_too_long",
        "puts a reason in words into AUTH that does not fit",
        change!(Auth(packet) => packet.reason_string = Some("a reason that is too long for a small packet".into())),
        &[],
        &["3.15.2-2"],
    ),
    server(
        "auth_user_property_too_long",
        "puts a user property into AUTH that does not fit",
        change!(Auth(packet) => packet.user_properties = vec![("a name that is".into(), "too long for a small packet".into())]),
        &[],
        &["3.15.2-3"],
    ),
    server(
        "auth_unknown_reason",
        "sends AUTH with a reason that its table does not have",
        Edit::Bytes(PacketType::Auth, |frame| frame.body[0] = 0x01),
        &[],
        &["3.15.2-1", "4.12.0-2"],
    ),
    server(
        "auth_other_method",
        "names another method in AUTH",
        change!(Auth(auth) => auth.authentication_method = Some("OTHER".into())),
        &[],
        &["4.12.0-5"],
    ),
    server(
        "auth_flags",
        "sets flags in the first byte of AUTH",
        Edit::Bytes(PacketType::Auth, |frame| frame.first |= 1),
        &[],
        &["2.1.3-1"],
    ),
    server("no_suback", "sends no SUBACK", Edit::Lose(PacketType::SubAck), &["3.8.4-1"], &["3.8.4-1"]),
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
        "delivers_at_qos_0",
        "delivers everything with QoS 0",
        change!(Publish(publish) => {
        publish.qos = QoS::AtMostOnce;
                        publish.packet_id = None;
                        publish.dup = false;
        }),
        &["3.8.4-6", "3.3.5-1"],
        &["3.8.4-8", "3.3.4-2"],
    ),
    server(
        "delivers_to_another_topic",
        "delivers messages with another topic name",
        change!(Publish(publish) => publish.topic = "elsewhere".into()),
        &["3.3.2-3", "4.7.3-4"],
        &["3.3.2-3", "4.7.3-4"],
    ),
    server(
        "retain_always_set",
        "sets RETAIN on every message",
        change!(Publish(publish) => publish.retain = true),
        &["3.3.1-9", "3.1.2-16"],
        &["3.3.1-12", "3.1.2-14"],
    ),
    server(
        "retain_never_set",
        "sets RETAIN on no message",
        change!(Publish(publish) => publish.retain = false),
        &["3.3.1-8"],
        &["3.3.1-13"],
    ),
    server(
        "nothing_retained",
        "sends no retained message",
        Edit::Drop(|packet| matches!(packet, Packet::Publish(publish) if publish.retain)),
        &["3.3.1-5", "3.3.1-6", "3.1.2-17", "3.1.2-7"],
        &["3.3.1-5", "3.3.1-9", "3.1.2-15", "3.8.4-4"],
    ),
    server(
        "empty_messages_are_lost",
        "delivers no empty message",
        Edit::Drop(|packet| matches!(packet, Packet::Publish(publish) if publish.payload.is_empty())),
        &["3.3.1-10"],
        &["3.3.1-6"],
    ),
    server(
        "delivers_nothing",
        "delivers no message of a publisher",
        Edit::Lose(PacketType::Publish),
        &["4.5.0-1", "3.1.2-5", "3.1.2-8"],
        &["4.5.0-1", "3.1.2-7", "3.1.2-8", "3.1.2-5", "3.1.2-25"],
    ),
    server(
        "empty_is_retained",
        "looks at RETAIN of no empty message",
        Edit::Ignore(
            |packet| matches!(packet, Packet::Publish(publish) if publish.retain && publish.payload.is_empty()),
        ),
        &["3.3.1-10", "3.3.1-11"],
        &["3.3.1-6", "3.3.1-7"],
    ),
    server(
        "qos_0_is_not_retained",
        "looks at no retained message of QoS 0",
        Edit::Ignore(
            |packet| matches!(packet, Packet::Publish(publish) if publish.retain && publish.qos == QoS::AtMostOnce && !publish.payload.is_empty()),
        ),
        &["3.3.1-7"],
        &["3.3.1-5"],
    ),
    server(
        "payload_format_lost",
        "does not pass on payload format",
        change!(Publish(publish) => publish.payload_format = None),
        &[],
        &["3.3.2-4"],
    ),
    server(
        "response_topic_lost",
        "does not pass on response topic",
        change!(Publish(publish) => publish.response_topic = None),
        &[],
        &["3.3.2-15"],
    ),
    server(
        "correlation_data_lost",
        "does not pass on correlation data",
        change!(Publish(publish) => publish.correlation_data = None),
        &[],
        &["3.3.2-16"],
    ),
    server(
        "user_properties_lost",
        "does not pass on user properties",
        change!(Publish(publish) => publish.user_properties = Vec::new()),
        &[],
        &["3.3.2-17"],
    ),
    server(
        "content_type_lost",
        "does not pass on content type",
        change!(Publish(publish) => publish.content_type = None),
        &[],
        &["3.3.2-20"],
    ),
    server(
        "user_properties_reversed",
        "passes on user properties in another order",
        change!(Publish(publish) => publish.user_properties.reverse()),
        &[],
        &["3.3.2-18", "3.1.3-10"],
    ),
    server(
        "expiry_not_counted",
        "passes on Message Expiry Interval as it was",
        change!(Publish(publish) => publish.message_expiry = publish.message_expiry.map(|left| left + 30)),
        &[],
        &["3.3.2-6"],
    ),
    server(
        "alias_unasked",
        "sets topic aliases that the client does not allow",
        change!(Publish(publish) => publish.topic_alias = Some(publish.topic_alias.map_or(1, |alias| alias + 1))),
        &[],
        &["3.1.2-26", "3.1.2-27", "3.3.2-11"],
    ),
    server(
        "aliases_not_taken",
        "takes no message with a topic alias",
        Edit::Ignore(|packet| matches!(packet, Packet::Publish(publish) if publish.topic_alias.is_some())),
        &[],
        &["3.3.2-12"],
    ),
    server(
        "subscription_identifiers_lost",
        "sends no subscription identifier",
        change!(Publish(publish) => publish.subscription_ids.clear()),
        &[],
        &["3.3.4-3"],
    ),
    server(
        "one_subscription_identifier",
        "sends one subscription identifier where several match",
        change!(Publish(publish) => publish.subscription_ids.truncate(1)),
        &[],
        &["3.3.4-4"],
    ),
    server(
        "identifiers_of_other_subscriptions",
        "sends identifiers of other subscriptions",
        change!(Publish(publish) => publish.subscription_ids = publish.subscription_ids.iter().map(|_| 9).collect()),
        &[],
        &["3.3.4-5"],
    ),
    server(
        "window_holds_back_everything",
        "holds back SUBACK when the window is full",
        Edit::Lose(PacketType::SubAck),
        &[],
        &["3.3.4-10"],
    ),
    server(
        "window_holds_back_puback",
        "holds back PUBACK when the window is full",
        Edit::Lose(PacketType::PubAck),
        &[],
        &["4.9.0-3"],
    ),
    server(
        "more_than_the_window",
        "sends more messages than the receive maximum allows",
        Edit::Behind(PacketType::Publish, &[0x32, 6, 0, 1, b't', 1, 9, 0, 0x34, 6, 0, 1, b't', 1, 8, 0]),
        &[],
        &["3.3.4-9", "4.9.0-1", "4.9.0-2"],
    ),
    server(
        "too_large",
        "sends packets that are too large",
        change!(Publish(publish) => publish.payload = vec![0; 100].into()),
        &[],
        &["3.1.2-24"],
    ),
    server(
        "disconnect_with_session_expiry",
        "puts Session Expiry Interval into DISCONNECT",
        Edit::Bytes(PacketType::Disconnect, |frame| {
            let reason = frame.body.first().copied().unwrap_or_default();
            frame.body = vec![reason, 5, 0x11, 0, 0, 0, 9];
        }),
        &[],
        &["3.14.2-2"],
    ),
    server(
        "looks_behind_a_refused_connect",
        "keeps a refused connection and answers on it",
        Edit::Behind(PacketType::ConnAck, &[0xD0, 0]),
        &["3.1.4-5"],
        &["3.1.4-6"],
    ),
    server(
        "not_permitted_is_not_answered",
        "does not answer what is not permitted",
        Edit::Lose(PacketType::PubAck),
        &["3.3.5-2"],
        &[],
    ),
    server(
        "retains_everything",
        "retains every message",
        mistake!(Publish(publish) => publish.retain = true),
        &["3.3.1-12"],
        &["3.3.1-8"],
    ),
    client(
        "goes_on_with_the_session_before",
        "sends PUBREL of the session before a clean one",
        Edit::Behind(PacketType::Connect, &[0x62, 2, 0, 2]),
        &["3.1.2-6"],
        &["3.1.2-4"],
    ),
    both(
        "sends_twice",
        "sends each message twice",
        Edit::Twice(PacketType::Publish),
        &["3.8.4-3"],
        &["3.8.4-3", "4.4.0-2", "4.8.2-6"],
    ),
    client(
        "another_identifier",
        "connects with another client identifier than its own",
        change!(Connect(connect) => connect.client_id = "other".into()),
        &["3.1.3-2"],
        &["3.1.3-2"],
    ),
    client(
        "forgets_while_connected",
        "forgets exchanges while the connection stands",
        Edit::Ignore(|packet| matches!(packet, Packet::PubRec(_))),
        &["4.1.0-2"],
        &["4.1.0-1"],
    ),
    server(
        "one_identifier_for_all",
        "keeps all sessions under the same identifier",
        mistake!(Connect(connect) => connect.client_id = "same".into()),
        &["3.1.3-2"],
        &["3.1.3-2"],
    ),
    server(
        "invents_a_will",
        "publishes a will where none was asked for",
        mistake!(Connect(connect) => {
            connect.will.get_or_insert(Will { topic: "w".into(), ..Will::default() });
        }),
        &["3.1.2-12"],
        &[],
    ),
    server(
        "dollar_is_no_secret",
        "takes topics that begin with $ for others",
        mistake!(Publish(publish) => publish.topic = publish.topic.replace('$', "").into()),
        &["4.7.2-1"],
        &["4.7.2-1"],
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
