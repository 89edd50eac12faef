//! The breaches that show in PUBLISH.

use halfopen_protocol::packet::{PacketId, QoS};
use halfopen_protocol::{Packet, PacketType};

use super::{Edit, Row, both, client, server};

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
        "ignores_aliases",
        "takes no message with a topic alias",
        Edit::Ignore(|packet| matches!(packet, Packet::Publish(publish) if publish.topic_alias.is_some())),
        &[],
        &["3.3.2-10"],
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
        "retains_everything",
        "retains every message",
        mistake!(Publish(publish) => publish.retain = true),
        &["3.3.1-12"],
        &["3.3.1-8"],
    ),
    both(
        "sends_twice",
        "sends each message twice",
        Edit::Twice(PacketType::Publish),
        &["3.8.4-3"],
        &["3.8.4-3", "4.4.0-2", "4.8.2-6"],
    ),
    server(
        "dollar_is_no_secret",
        "takes topics that begin with $ for others",
        mistake!(Publish(publish) => publish.topic = publish.topic.replace('$', "").into()),
        &["4.7.2-1"],
        &["4.7.2-1"],
    ),
];
