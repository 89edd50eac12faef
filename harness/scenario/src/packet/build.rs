use std::collections::BTreeMap;

use ::bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe, UserProperties,
};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version, encode};

use super::bytes::bytes;
use super::pattern::{example_of_fields, field, packet, value_or_list};
use super::payload::payload;
use crate::node::connect_fields;
use crate::plan::{Outgoing, PacketKind, Value};
use crate::reader::Reader;
use crate::trace::FieldType;
use crate::tree::{Kind, Node};

/// The packet id of what begins an exchange, unless it is said.
const USUAL_ID: PacketId = PacketId::MIN;

/// `PINGREQ`, `{ PUBLISH: { … } }`, `{ bytes: c0 00 }` or a list of them, which is one write.
pub(crate) fn outgoing(reader: &Reader<'_>, node: &Node, own: &Connect) -> Option<Vec<Outgoing>> {
    each(reader, node, own, false)
}

/// The same as an answer: an id that is left out is that of the packet that is answered.
pub(crate) fn replies(reader: &Reader<'_>, node: &Node, own: &Connect) -> Option<Vec<Outgoing>> {
    each(reader, node, own, true)
}

fn each(reader: &Reader<'_>, node: &Node, own: &Connect, is_reply: bool) -> Option<Vec<Outgoing>> {
    let items = reader.one_or_more(node);
    let read: Vec<_> = items
        .iter()
        .filter_map(|item| Some((item, one(reader, item, own, is_reply)?)))
        .filter_map(|(item, outgoing)| encodable(reader, item, own.version, outgoing))
        .collect();
    (read.len() == items.len() && !read.is_empty()).then_some(read)
}

/// What the version can say at all, so that it is not found out only when it is to be sent.
fn encodable(reader: &Reader<'_>, node: &Node, version: Version, outgoing: Outgoing) -> Option<Outgoing> {
    let (Outgoing::Packet(packet) | Outgoing::Reply(packet)) = &outgoing else { return Some(outgoing) };
    let result = encode(packet, version, &mut BytesMut::new());
    if let Err(error) = &result {
        let packet = packet.packet_type();
        let message =
            format!("MQTT {version} has no such {packet}: {error}; what the standard does not have is sent as `bytes`");
        reader.error(node, message);
    }
    result.is_ok().then_some(outgoing)
}

fn one(reader: &Reader<'_>, node: &Node, own: &Connect, is_reply: bool) -> Option<Outgoing> {
    let Kind::Map(_) = node.kind else {
        if let Some(text) = node.text().filter(|text| is_hex(text)) {
            reader.error(node, format!("bytes are written `{{ bytes: {} }}`", in_pairs(text)));
            return None;
        }
        let packet = packet(reader, node)?;
        return plain(reader, node, packet, is_reply);
    };
    let (word, value) = reader.line(node, "a packet or `bytes`")?;
    if word.text() == Some("hex") {
        reader.error(word, "bytes are sent as `{ bytes: c0 00 }`; `hex` is for a payload");
        return None;
    }
    if word.text() == Some("bytes") {
        return bytes(reader, value).map(|bytes| Outgoing::Bytes(Bytes::from(bytes)));
    }
    let packet = packet(reader, word)?;
    if packet == PacketKind::Type(PacketType::Connect) {
        let connect = connect_fields(reader, value, own.clone())?;
        return Some(Outgoing::Packet(Packet::Connect(Box::new(connect))));
    }
    let values = values(reader, packet, value)?;
    let is_open = is_reply && value.get("id").is_none();
    reply(reader, word, packet, (values, value), is_open)
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn in_pairs(digits: &str) -> String {
    digits.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

/// A packet by its name alone.
fn plain(reader: &Reader<'_>, node: &Node, packet: PacketKind, is_reply: bool) -> Option<Outgoing> {
    match packet {
        PacketKind::Type(PacketType::Connect) => Some(Outgoing::Connect),
        _ => reply(reader, node, packet, (Values::default(), node), is_reply),
    }
}

/// A packet, with an id that is yet open if it is an answer without one.
fn reply(
    reader: &Reader<'_>,
    node: &Node,
    packet: PacketKind,
    (mut values, map): (Values, &Node),
    is_open: bool,
) -> Option<Outgoing> {
    let repeats = matches!(
        packet,
        PacketKind::Type(
            PacketType::PubAck
                | PacketType::PubRec
                | PacketType::PubRel
                | PacketType::PubComp
                | PacketType::SubAck
                | PacketType::UnsubAck
        )
    );
    if is_open && repeats {
        values.0.insert("id".to_owned(), Value::Number(1));
        return with_fields(reader, node, packet, (values, map)).map(Outgoing::Reply);
    }
    with_fields(reader, node, packet, (values, map)).map(Outgoing::Packet)
}

/// The DISCONNECT of a `disconnect` action.
pub(crate) fn disconnect(reader: &Reader<'_>, node: &Node) -> Option<Disconnect> {
    let kind = PacketKind::Type(PacketType::Disconnect);
    let values = values(reader, kind, node)?;
    match with_fields(reader, node, kind, (values, node))? {
        Packet::Disconnect(disconnect) => Some(disconnect),
        _ => None,
    }
}

/// The message of a `publish` action.
pub(crate) fn publish(reader: &Reader<'_>, node: &Node) -> Option<Publish> {
    let kind = PacketKind::Type(PacketType::Publish);
    for (name, _) in node.entries() {
        if let Some(word @ ("id" | "dup")) = name.text() {
            reader.error(name, format!("`{word}` is the client's to choose; a raw client may `send` any PUBLISH"));
            return None;
        }
    }
    let values = values(reader, kind, node)?;
    match with_fields(reader, node, kind, (values, node))? {
        Packet::Publish(publish) => Some(publish),
        _ => None,
    }
}

/// Values of fields by name; each is taken once.
#[derive(Default)]
struct Values(BTreeMap<String, Value>);

fn values(reader: &Reader<'_>, packet: PacketKind, node: &Node) -> Option<Values> {
    let mut values = Values::default();
    let mut broken = false;
    let entries = reader.map(node, example_of_fields(packet));
    for (name, value) in entries {
        let read = field(reader, packet, name, |name, field_type| match field_type {
            // Not as text: all runs share the bytes of a large payload.
            FieldType::Bytes => payload(reader, value).map(Value::Bytes),
            _ => value_or_list(reader, name, field_type, value),
        });
        match read {
            Some((name, value)) => drop(values.0.insert(name.to_owned(), value)),
            None => broken = true,
        }
    }
    (!broken && matches!(node.kind, Kind::Map(_))).then_some(values)
}

/// Each takes its value out; one that does not fit stays and is reported in the end.
impl Values {
    fn take<T>(&mut self, name: &str, convert: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
        let converted = convert(self.0.get(name)?)?;
        self.0.remove(name);
        Some(converted)
    }

    fn text(&mut self, name: &str) -> Option<bytestring::ByteString> {
        self.take(name, |value| match value {
            Value::Text(text) => Some(text.as_str().into()),
            _ => None,
        })
    }

    fn bytes(&mut self, name: &str) -> Option<Bytes> {
        self.take(name, |value| match value {
            Value::Bytes(bytes) => Some(bytes.clone()),
            _ => None,
        })
    }

    fn flag(&mut self, name: &str) -> Option<bool> {
        self.take(name, |value| match value {
            Value::Bool(value) => Some(*value),
            _ => None,
        })
    }

    fn number<T: TryFrom<u64>>(&mut self, name: &str) -> Option<T> {
        self.take(name, |value| match value {
            Value::Number(value) => T::try_from(*value).ok(),
            _ => None,
        })
    }

    fn qos(&mut self) -> QoS {
        let level = |value: &Value| match value {
            Value::Number(level) => u8::try_from(*level).ok().and_then(QoS::new),
            _ => None,
        };
        self.take("qos", level).unwrap_or_default()
    }

    fn seconds(&mut self, name: &str) -> Option<u32> {
        self.take(name, |value| match value {
            Value::Duration(value) if value.subsec_nanos() == 0 => u32::try_from(value.as_secs()).ok(),
            _ => None,
        })
    }

    /// One value or a list of them.
    fn each<T>(&mut self, name: &str, convert: impl Fn(&Value) -> Option<T>) -> Vec<T> {
        let all = |value: &Value| match value {
            Value::List(values) => values.iter().map(&convert).collect(),
            value => convert(value).map(|value| vec![value]),
        };
        self.take(name, all).unwrap_or_default()
    }

    fn numbers(&mut self, name: &str) -> Vec<u32> {
        self.each(name, |value| match value {
            Value::Number(value) => u32::try_from(*value).ok(),
            _ => None,
        })
    }

    fn texts(&mut self, name: &str) -> Vec<bytestring::ByteString> {
        self.each(name, |value| match value {
            Value::Text(text) => Some(text.as_str().into()),
            _ => None,
        })
    }

    fn reason(&mut self) -> ReasonCode {
        self.number::<u8>("reason").map_or(ReasonCode::SUCCESS, ReasonCode::new)
    }

    fn user_properties(&mut self) -> UserProperties {
        self.each("user_properties", |value| match value {
            Value::List(pair) => match pair.as_slice() {
                [Value::Text(name), Value::Text(value)] => Some((name.as_str().into(), value.as_str().into())),
                _ => None,
            },
            _ => None,
        })
    }
}

/// Builds a packet from its values, which stand in `map`; what is missing is reported at `node`.
fn with_fields(
    reader: &Reader<'_>,
    node: &Node,
    packet: PacketKind,
    (mut values, map): (Values, &Node),
) -> Option<Packet> {
    let fail = |message: String| {
        reader.error(node, message);
        None
    };
    let PacketKind::Type(packet_type) = packet else {
        return fail("`packet` is no packet that can be sent".to_owned());
    };
    let v = &mut values;
    let own_id = v.number::<u16>("id").and_then(PacketId::new);
    // What begins an exchange has an id of its own; an acknowledgement belongs to another packet.
    let begins = matches!(packet_type, PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe);
    let id = own_id.or(begins.then_some(USUAL_ID).filter(|_| map.get("id").is_none()));
    let built = match packet_type {
        PacketType::Publish => {
            let publish = publish_packet(v, own_id);
            // The packet id is present exactly with QoS 1 and 2 [MQTT-2.3.1-1], [MQTT-2.3.1-5] (3.1.1), [MQTT-2.2.1-2],
            // [MQTT-2.2.1-3] (5.0).
            let is_at_most_once = publish.qos == QoS::AtMostOnce;
            if let Some(id) = map.get("id").filter(|_| is_at_most_once) {
                reader.error(id, "a PUBLISH with QoS 0 has no `id`; leave it out: with QoS 1 and 2 it is then 1");
                return None;
            }
            let packet_id = if is_at_most_once { None } else { id };
            Packet::Publish(Publish { packet_id, ..publish })
        }
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            let Some(packet_id) = id else { return fail(format!("{packet_type} needs an `id`, 1 to 65535")) };
            ack(packet_type, packet_id, v)
        }
        PacketType::Subscribe | PacketType::Unsubscribe => {
            let Some(packet_id) = id else { return fail(format!("{packet_type} needs an `id`, 1 to 65535")) };
            match subscribe(packet_type, packet_id, v) {
                Some(packet) => packet,
                None => return fail(format!("{packet_type} needs `filters`")),
            }
        }
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(Disconnect {
            reason: v.reason(),
            session_expiry: v.seconds("session_expiry"),
            reason_string: v.text("reason_string"),
            user_properties: v.user_properties(),
            server_reference: v.text("server_reference"),
        }),
        PacketType::Auth => Packet::Auth(auth(v)),
        PacketType::ConnAck => Packet::ConnAck(Box::new(connack(v))),
        PacketType::SubAck | PacketType::UnsubAck => {
            let Some(packet_id) = id else { return fail(format!("{packet_type} needs an `id`, 1 to 65535")) };
            match suback(packet_type, packet_id, reader.version.is_v5(), v) {
                Some(packet) => packet,
                None => return fail(format!("{packet_type} needs `reasons`, one per filter")),
            }
        }
        // Read where it is named: it takes the fields of its node.
        PacketType::Connect => return fail("a CONNECT is no answer".to_owned()),
    };
    if let Some(name) = values.0.keys().next() {
        let range = if name == "qos" { ": 0, 1 or 2" } else { "" };
        let message = format!("the value of `{name}` does not fit into a {packet_type}{range}");
        reader.error(map.get(name).unwrap_or(node), message);
        return None;
    }
    if let Packet::Publish(publish) = &built
        && publish.topic.is_empty()
        && publish.topic_alias.is_none()
    {
        return match map.get("topic") {
            None => fail("a PUBLISH needs a `topic`".to_owned()),
            Some(topic) => {
                reader.error(topic, "the topic is empty; a raw client may send that as `bytes`");
                None
            }
        };
    }
    Some(built)
}

fn publish_packet(v: &mut Values, packet_id: Option<PacketId>) -> Publish {
    Publish {
        dup: v.flag("dup").unwrap_or_default(),
        qos: v.qos(),
        retain: v.flag("retain").unwrap_or_default(),
        topic: v.text("topic").unwrap_or_default(),
        packet_id,
        payload_format: v.flag("payload_format"),
        message_expiry: v.seconds("message_expiry"),
        topic_alias: v.number("topic_alias"),
        response_topic: v.text("response_topic"),
        correlation_data: v.bytes("correlation_data"),
        user_properties: v.user_properties(),
        subscription_ids: v.numbers("subscription_ids"),
        content_type: v.text("content_type"),
        payload: v.bytes("payload").unwrap_or_default(),
    }
}

fn ack(packet_type: PacketType, packet_id: PacketId, v: &mut Values) -> Packet {
    let ack = Ack {
        packet_id,
        reason: v.reason(),
        reason_string: v.text("reason_string"),
        user_properties: v.user_properties(),
    };
    match packet_type {
        PacketType::PubAck => Packet::PubAck(ack),
        PacketType::PubRec => Packet::PubRec(ack),
        PacketType::PubRel => Packet::PubRel(ack),
        _ => Packet::PubComp(ack),
    }
}

fn subscribe(packet_type: PacketType, packet_id: PacketId, v: &mut Values) -> Option<Packet> {
    let filters = v.texts("filters");
    let user_properties = v.user_properties();
    if filters.is_empty() {
        return None;
    }
    if packet_type == PacketType::Unsubscribe {
        return Some(Packet::Unsubscribe(Unsubscribe { packet_id, user_properties, filters }));
    }
    let levels = v.numbers("qos");
    let subscriptions = filters.into_iter().enumerate().map(|(index, filter)| {
        let level = levels.get(index).or(levels.last()).copied().unwrap_or_default();
        Subscription::new(filter, u8::try_from(level).ok().and_then(QoS::new).unwrap_or_default())
    });
    let subscriptions = subscriptions.collect();
    let subscription_id = v.number("subscription_id");
    Some(Packet::Subscribe(Subscribe { packet_id, subscription_id, user_properties, subscriptions }))
}

fn connack(v: &mut Values) -> ConnAck {
    ConnAck {
        session_present: v.flag("session_present").unwrap_or_default(),
        reason: v.reason(),
        session_expiry: v.seconds("session_expiry"),
        receive_maximum: v.number("receive_maximum"),
        maximum_qos: v.number::<u8>("maximum_qos").and_then(QoS::new),
        retain_available: v.flag("retain_available"),
        maximum_packet_size: v.number("maximum_packet_size"),
        assigned_client_id: v.text("assigned_client_id"),
        topic_alias_maximum: v.number("topic_alias_maximum"),
        reason_string: v.text("reason_string"),
        user_properties: v.user_properties(),
        wildcard_subscription_available: v.flag("wildcard_subscription_available"),
        subscription_identifiers_available: v.flag("subscription_identifiers_available"),
        shared_subscription_available: v.flag("shared_subscription_available"),
        server_keep_alive: v.seconds("server_keep_alive").and_then(|seconds| u16::try_from(seconds).ok()),
        response_information: v.text("response_information"),
        server_reference: v.text("server_reference"),
        authentication_method: v.text("authentication_method"),
        authentication_data: v.bytes("authentication_data"),
    }
}

fn suback(packet_type: PacketType, packet_id: PacketId, is_v5: bool, v: &mut Values) -> Option<Packet> {
    let reasons = v.each("reasons", |value| match value {
        Value::Number(code) => u8::try_from(*code).ok().map(ReasonCode::new),
        _ => None,
    });
    let reason_string = v.text("reason_string");
    let user_properties = v.user_properties();
    // UNSUBACK of 3.1.1 has none [3.1.1 §3.11.3].
    if reasons.is_empty() && (is_v5 || packet_type == PacketType::SubAck) {
        return None;
    }
    Some(match packet_type {
        PacketType::SubAck => Packet::SubAck(SubAck { packet_id, reason_string, user_properties, reasons }),
        _ => Packet::UnsubAck(UnsubAck { packet_id, reason_string, user_properties, reasons }),
    })
}

fn auth(v: &mut Values) -> Auth {
    Auth {
        reason: v.reason(),
        authentication_method: v.text("authentication_method"),
        authentication_data: v.bytes("authentication_data"),
        reason_string: v.text("reason_string"),
        user_properties: v.user_properties(),
    }
}
