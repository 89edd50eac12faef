//! Packets: patterns that match them, packets and bytes to send, payloads.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe, UserProperties,
};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version, encode};

use super::Lower;
use crate::ast::{self, FieldPatterns, FieldValue, FieldValues, Name, PacketWord, Place};
use crate::plan::{FieldPattern, Matcher, Outgoing, PacketKind, PacketPattern, Value};
use crate::trace::{FieldType, field_type};

/// The packet id of what begins an exchange, unless it is said.
const USUAL_ID: PacketId = PacketId::MIN;

/// Fields that 3.1.1 has; all others belong to 5.0.
const IN_BOTH: [&str; 19] = [
    "protocol_level",
    "client_id",
    "clean",
    "keep_alive",
    "username",
    "password",
    "will_topic",
    "will_payload",
    "will_qos",
    "will_retain",
    "session_present",
    "topic",
    "payload",
    "id",
    "qos",
    "dup",
    "retain",
    "filters",
    "reasons",
];

/// Returns whether 3.1.1 has this field of a packet, too.
pub(crate) fn is_in_both(packet: PacketKind, name: &str) -> bool {
    // CONNACK of 3.1.1 has a return code in the place of the reason.
    IN_BOTH.contains(&name) || (name == "reason" && packet == PacketKind::Type(PacketType::ConnAck))
}

impl Lower<'_> {
    /// The bytes of a payload; all runs of a file share those of one size.
    pub(super) fn payload(&self, payload: &ast::Payload) -> Option<Bytes> {
        match payload {
            ast::Payload::Text(text) => Some(Bytes::from(text.0.clone())),
            ast::Payload::Hex(hex) => Some(hex.get(self.env)?.0.clone()),
            ast::Payload::Size(size) => {
                let size = size.get(self.env)?.bytes()?;
                let filled = || Bytes::from(vec![b'x'; size]);
                Some(self.shared.payloads.borrow_mut().entry(size).or_insert_with(filled).clone())
            }
        }
    }

    /// Reports a packet that the version of the run has not.
    pub(super) fn has_packet(&self, packet: PacketType, place: &Place) -> Option<()> {
        if packet == PacketType::Auth && !self.version.is_v5() {
            self.error(place, self.belongs_to_5("AUTH"));
            return None;
        }
        Some(())
    }

    fn packet(&self, word: &PacketWord) -> Option<PacketKind> {
        if let PacketKind::Type(packet) = word.kind {
            self.has_packet(packet, &word.place)?;
        }
        Some(word.kind)
    }

    /// Reports a field that the version of the run has not.
    fn has_field(&self, packet: PacketKind, name: &Name) -> Option<()> {
        if !is_in_both(packet, &name.text) && !self.version.is_v5() {
            self.error(&name.place, self.belongs_to_5(&name.text));
            return None;
        }
        Some(())
    }

    /// A pattern that matches packets.
    pub(super) fn pattern(&self, pattern: &ast::Pattern) -> Option<PacketPattern> {
        let packet = self.packet(&pattern.packet)?;
        let fields = self.field_patterns(packet, &pattern.fields_in(self.env)?)?;
        Some(PacketPattern { packet, fields })
    }

    /// Returns what some fields of a packet must be.
    pub(super) fn field_patterns(&self, packet: PacketKind, fields: &FieldPatterns) -> Option<Vec<FieldPattern>> {
        let pattern = |(name, matcher): &(Name, ast::Param<ast::Matcher>)| {
            self.has_field(packet, name)?;
            let read = |cx: &ast::Reading<'_>, node: &_| ast::Matcher::read(cx, &name.text, node);
            let matcher = self.matcher(&name.text, &*matcher.get_as(self.env, read)?)?;
            Some(FieldPattern { name: name.text.clone(), matcher })
        };
        let read: Vec<_> = fields.iter().filter_map(pattern).collect();
        (read.len() == fields.len()).then_some(read)
    }

    fn matcher(&self, name: &str, matcher: &ast::Matcher) -> Option<Matcher> {
        let value = |value: &ast::Param<FieldValue>| {
            let read = |cx: &ast::Reading<'_>, node: &_| FieldValue::read(cx, name, node);
            self.value(&*value.get_as(self.env, read)?)
        };
        Some(match matcher {
            ast::Matcher::Is(is) => Matcher::Is(as_in_trace(name, self.value(is)?)),
            ast::Matcher::Not(not) => Matcher::Not(value(not)?),
            ast::Matcher::OneOf(values) => {
                let read: Vec<_> = values.iter().filter_map(value).collect();
                Matcher::OneOf((read.len() == values.len()).then_some(read)?)
            }
            ast::Matcher::AtLeast(least) => Matcher::AtLeast(value(least)?),
            ast::Matcher::AtMost(most) => Matcher::AtMost(value(most)?),
            ast::Matcher::Present(present) => Matcher::Present(*present.get(self.env)?),
        })
    }

    /// The value of a field as a trace has it: bytes as text where they are UTF-8.
    fn value(&self, value: &FieldValue) -> Option<Value> {
        Some(match self.raw_value(value)? {
            Value::Bytes(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => Value::Text(text.to_owned()),
                Err(_) => Value::Bytes(bytes),
            },
            other => other,
        })
    }

    /// The value of a field with its bytes as they are: all runs share those of a large payload.
    fn raw_value(&self, value: &FieldValue) -> Option<Value> {
        Some(match value {
            FieldValue::Bool(value) => Value::Bool(*value),
            FieldValue::Number(number) => Value::Number(number.value),
            FieldValue::Qos(level) => Value::Number(level.value),
            FieldValue::Reason(reason) => Value::Number(u64::from(reason.code.value())),
            FieldValue::Text(text) => Value::Text(text.0.clone()),
            FieldValue::Payload(payload) => Value::Bytes(self.payload(payload)?),
            FieldValue::Duration(duration) => Value::Duration(duration.value(self.env)?),
            FieldValue::Properties(properties) => {
                let pairs = self.user_properties(properties)?.into_iter();
                let text = |text: bytestring::ByteString| Value::Text(text.to_string());
                Value::List(pairs.map(|(name, value)| Value::List(vec![text(name), text(value)])).collect())
            }
            FieldValue::List(values) => {
                let read: Vec<_> = values.iter().filter_map(|value| self.value(value)).collect();
                Value::List((read.len() == values.len()).then_some(read)?)
            }
        })
    }

    /// Returns the data that a raw peer writes in one piece; in an answer, an id that is left out is that of what is
    /// answered.
    pub(super) fn sent(&self, sent: &ast::Sent, own: &Connect, is_reply: bool) -> Option<Vec<Outgoing>> {
        let one = |item: &ast::Param<ast::Outgoing>| {
            let outgoing = self.outgoing(&*item.get(self.env)?, own, is_reply)?;
            self.encodable(&item.place, own.version, outgoing)
        };
        let read: Vec<_> = sent.0.0.iter().filter_map(one).collect();
        (read.len() == sent.0.0.len() && !read.is_empty()).then_some(read)
    }

    /// Returns what the version can say at all, so that it is not found out only when it is to be sent.
    fn encodable(&self, place: &Place, version: Version, outgoing: Outgoing) -> Option<Outgoing> {
        let (Outgoing::Packet(packet) | Outgoing::Reply(packet)) = &outgoing else { return Some(outgoing) };
        let Err(error) = encode(packet, version, &mut BytesMut::new()) else { return Some(outgoing) };
        let packet = packet.packet_type();
        let message =
            format!("MQTT {version} has no such {packet}: {error}; what the standard does not have is sent as `bytes`");
        self.error(place, message);
        None
    }

    fn outgoing(&self, outgoing: &ast::Outgoing, own: &Connect, is_reply: bool) -> Option<Outgoing> {
        match outgoing {
            ast::Outgoing::Bytes(bytes) => Some(Outgoing::Bytes(Bytes::from(bytes.get(self.env)?.bytes()))),
            ast::Outgoing::TextFrame(place, text) => {
                if !self.names.has_transport {
                    self.error(
                        place,
                        "`text_frame` is for WebSocket: the broker needs `transport: websocket`".to_owned(),
                    );
                    return None;
                }
                Some(Outgoing::Text(Bytes::from(text.get(self.env)?.bytes())))
            }
            ast::Outgoing::Connect(_, with) => {
                let connect = self.connect_with(&*with.get(self.env)?, own.clone()).filter(|_| with.is_right())?;
                Some(Outgoing::Packet(Packet::from(connect)))
            }
            ast::Outgoing::Plain(word) => match self.packet(word)? {
                PacketKind::Type(PacketType::Connect) => Some(Outgoing::Connect),
                packet => self.reply(packet, &Vec::new(), &word.place, is_reply),
            },
            ast::Outgoing::Packet(word, fields) => {
                let packet = self.packet(word)?;
                let values = ast::Outgoing::fields_in(packet, fields, self.env)?;
                self.reply(packet, &values, &word.place, is_reply).filter(|_| fields.is_right())
            }
        }
    }

    /// A packet, with an id that is yet open if it is an answer without one.
    fn reply(&self, packet: PacketKind, fields: &FieldValues, place: &Place, is_reply: bool) -> Option<Outgoing> {
        let mut values = self.values(packet, fields)?;
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
        if is_reply && repeats && field(fields, "id").is_none() {
            values.0.insert("id".to_owned(), Value::Number(1));
            return self.packet_of(packet, values, fields, place).map(Outgoing::Reply);
        }
        self.packet_of(packet, values, fields, place).map(Outgoing::Packet)
    }

    /// The packet of an action that names its fields alone.
    pub(super) fn packet_with(&self, packet: PacketType, fields: &FieldValues, place: &Place) -> Option<Packet> {
        let packet = PacketKind::Type(packet);
        self.packet_of(packet, self.values(packet, fields)?, fields, place)
    }

    fn values(&self, packet: PacketKind, fields: &FieldValues) -> Option<Values> {
        let mut values = Values::default();
        let mut complete = true;
        for (name, value) in fields {
            let read = |cx: &ast::Reading<'_>, node: &_| FieldValue::read(cx, &name.text, node);
            let value = self.has_field(packet, name).and_then(|()| self.raw_value(&*value.get_as(self.env, read)?));
            match value {
                Some(Value::Text(text)) if field_type(&name.text) == Some(FieldType::Bytes) => {
                    values.0.insert(name.text.clone(), Value::Bytes(Bytes::from(text)));
                }
                Some(value) => drop(values.0.insert(name.text.clone(), value)),
                None => complete = false,
            }
        }
        complete.then_some(values)
    }

    /// Builds a packet from its values, which stand in `fields`; what is missing is reported at `place`.
    fn packet_of(&self, packet: PacketKind, mut values: Values, fields: &FieldValues, place: &Place) -> Option<Packet> {
        let fail = |message: String| {
            self.error(place, message);
            None
        };
        let PacketKind::Type(packet_type) = packet else {
            return fail("`packet` is no packet that can be sent".to_owned());
        };
        let v = &mut values;
        let own_id = v.number::<u16>("id").and_then(PacketId::new);
        // What begins an exchange has an id of its own; an acknowledgement belongs to another packet.
        let begins = matches!(packet_type, PacketType::Publish | PacketType::Subscribe | PacketType::Unsubscribe);
        let id = own_id.or(begins.then_some(USUAL_ID).filter(|_| field(fields, "id").is_none()));
        let needs_id = || fail(format!("{packet_type} needs an `id`, 1 to 65535"));
        let built = match packet_type {
            PacketType::Publish => {
                let publish = publish_packet(v, own_id);
                // The packet id is present exactly with QoS 1 and 2 [MQTT-2.3.1-1], [MQTT-2.3.1-5] (3.1.1),
                // [MQTT-2.2.1-2], [MQTT-2.2.1-3] (5.0).
                let is_at_most_once = publish.qos == QoS::AtMostOnce;
                if let Some((_, id)) = field(fields, "id").filter(|_| is_at_most_once) {
                    let message = "a PUBLISH with QoS 0 has no `id`; leave it out: with QoS 1 and 2 it is then 1";
                    self.error(&id.place, message);
                    return None;
                }
                let packet_id = if is_at_most_once { None } else { id };
                Packet::from(Publish { packet_id, ..publish })
            }
            PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
                let Some(packet_id) = id else { return needs_id() };
                ack(packet_type, packet_id, v)
            }
            PacketType::Subscribe | PacketType::Unsubscribe => {
                let Some(packet_id) = id else { return needs_id() };
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
            PacketType::ConnAck => Packet::from(connack(v)),
            PacketType::SubAck | PacketType::UnsubAck => {
                let Some(packet_id) = id else { return needs_id() };
                match suback(packet_type, packet_id, self.version.is_v5(), v) {
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
            self.error(field(fields, name).map_or(place, |(_, value)| &value.place), message);
            return None;
        }
        if let Packet::Publish(publish) = &built
            && publish.topic.is_empty()
            && publish.topic_alias.is_none()
        {
            return match field(fields, "topic") {
                None => fail("a PUBLISH needs a `topic`".to_owned()),
                Some((_, topic)) => {
                    self.error(&topic.place, "the topic is empty; a raw client may send that as `bytes`");
                    None
                }
            };
        }
        Some(built)
    }
}

/// The field of this name.
pub(super) fn field<'f, T>(fields: &'f [(Name, T)], name: &str) -> Option<&'f (Name, T)> {
    fields.iter().find(|(known, _)| known.text == name)
}

/// A trace has user properties as texts, `name=value`.
fn as_in_trace(name: &str, value: Value) -> Value {
    let Value::List(pairs) = value else { return value };
    let part = |part: &Value| match part {
        Value::Text(text) => text.clone(),
        other => other.to_string(),
    };
    let text = |pair: &Value| match pair {
        Value::List(parts) => Value::Text(parts.iter().map(part).collect::<Vec<_>>().join("=")),
        other => other.clone(),
    };
    if name.ends_with("user_properties") { Value::List(pairs.iter().map(text).collect()) } else { Value::List(pairs) }
}

/// Values of fields by name; each is taken once.
#[derive(Default)]
struct Values(BTreeMap<String, Value>);

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

    /// Converts a value or a list of values.
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
