use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe,
    UserProperties, Will,
};
use halfopen_protocol::{Packet, PacketType, ReasonCode};

use crate::{PacketKind, Value};

/// A field of a packet: traces print it and patterns match it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// The standard's name in snake_case, everyday names short: `id`, `reason`, `clean`, `session_expiry`.
    pub name: &'static str,
    /// The value; for an optional field that is not there, the value that the standard gives to its absence.
    pub value: Value,
    /// True if it says nothing: it has the value that it has when nobody sets it, and is not printed.
    pub is_default: bool,
    /// True if it stands in the packet. Optional fields without a default are listed only if they do.
    pub is_present: bool,
}

/// The type of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FieldType {
    /// True or false.
    Bool,
    /// A number.
    Number,
    /// A number that is a reason code.
    Reason,
    /// A string.
    Text,
    /// Any bytes, text where they are UTF-8.
    Bytes,
    /// An interval, whole seconds on the wire.
    Duration,
}

/// The fields of a packet, in the order in which they are printed.
pub fn fields(packet: &Packet) -> Vec<Field> {
    let mut list = Fields(Vec::new());
    match packet {
        Packet::Connect(connect) => list.connect(connect),
        Packet::ConnAck(connack) => list.connack(connack),
        Packet::Publish(publish) => list.publish(publish),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => list.ack(ack),
        Packet::Subscribe(subscribe) => list.subscribe(subscribe),
        Packet::SubAck(suback) => list.suback(suback),
        Packet::Unsubscribe(unsubscribe) => list.unsubscribe(unsubscribe),
        Packet::UnsubAck(unsuback) => list.unsuback(unsuback),
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect(disconnect) => list.disconnect(disconnect),
        Packet::Auth(auth) => list.auth(auth),
    }
    list.0
}

/// The names of all fields that packets of this kind can have, in the order in which they are printed. None for
/// [`PacketKind::Any`]: `packet` is a pattern without fields.
pub fn field_names(packet: PacketKind) -> &'static [&'static str] {
    let PacketKind::Type(packet) = packet else { return &[] };
    match packet {
        PacketType::Connect => CONNECT,
        PacketType::ConnAck => CONNACK,
        PacketType::Publish => PUBLISH,
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => ACK,
        PacketType::Subscribe => SUBSCRIBE,
        PacketType::SubAck | PacketType::UnsubAck => SUBACK,
        PacketType::Unsubscribe => UNSUBSCRIBE,
        PacketType::PingReq | PacketType::PingResp => &[],
        PacketType::Disconnect => DISCONNECT,
        PacketType::Auth => AUTH,
    }
}

/// Returns what the field of this name holds; a name means the same in every packet. `None` for a name that no packet
/// has.
///
/// The fields that SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK have once per filter are lists of this.
pub fn field_type(name: &str) -> Option<FieldType> {
    Some(match name {
        "clean"
        | "will_retain"
        | "will_payload_format"
        | "request_response_information"
        | "request_problem_information"
        | "session_present"
        | "retain_available"
        | "wildcard_subscription_available"
        | "subscription_identifiers_available"
        | "shared_subscription_available"
        | "dup"
        | "retain"
        | "payload_format"
        | "no_local"
        | "retain_as_published" => FieldType::Bool,
        "id"
        | "protocol_level"
        | "qos"
        | "will_qos"
        | "receive_maximum"
        | "maximum_packet_size"
        | "topic_alias_maximum"
        | "maximum_qos"
        | "topic_alias"
        | "subscription_ids"
        | "subscription_id"
        | "retain_handling" => FieldType::Number,
        "reason" | "reasons" => FieldType::Reason,
        "client_id"
        | "will_topic"
        | "will_content_type"
        | "will_response_topic"
        | "will_user_properties"
        | "username"
        | "user_properties"
        | "authentication_method"
        | "assigned_client_id"
        | "reason_string"
        | "response_information"
        | "server_reference"
        | "topic"
        | "response_topic"
        | "content_type"
        | "filters" => FieldType::Text,
        "will_payload"
        | "will_correlation_data"
        | "password"
        | "authentication_data"
        | "correlation_data"
        | "payload" => FieldType::Bytes,
        "keep_alive"
        | "session_expiry"
        | "will_delay"
        | "will_message_expiry"
        | "server_keep_alive"
        | "message_expiry" => FieldType::Duration,
        _ => return None,
    })
}

const CONNECT: &[&str] = &[
    "protocol_level",
    "client_id",
    "clean",
    "keep_alive",
    "session_expiry",
    "username",
    "password",
    "will_topic",
    "will_payload",
    "will_qos",
    "will_retain",
    "will_delay",
    "will_payload_format",
    "will_message_expiry",
    "will_content_type",
    "will_response_topic",
    "will_correlation_data",
    "will_user_properties",
    "receive_maximum",
    "maximum_packet_size",
    "topic_alias_maximum",
    "request_response_information",
    "request_problem_information",
    "user_properties",
    "authentication_method",
    "authentication_data",
];
const CONNACK: &[&str] = &[
    "reason",
    "session_present",
    "session_expiry",
    "server_keep_alive",
    "receive_maximum",
    "maximum_qos",
    "retain_available",
    "maximum_packet_size",
    "assigned_client_id",
    "topic_alias_maximum",
    "reason_string",
    "user_properties",
    "wildcard_subscription_available",
    "subscription_identifiers_available",
    "shared_subscription_available",
    "response_information",
    "server_reference",
    "authentication_method",
    "authentication_data",
];
const PUBLISH: &[&str] = &[
    "topic",
    "id",
    "qos",
    "dup",
    "retain",
    "payload_format",
    "message_expiry",
    "topic_alias",
    "response_topic",
    "correlation_data",
    "user_properties",
    "subscription_ids",
    "content_type",
    "payload",
];
const ACK: &[&str] = &["id", "reason", "reason_string", "user_properties"];
const SUBSCRIBE: &[&str] = &[
    "id",
    "filters",
    "qos",
    "no_local",
    "retain_as_published",
    "retain_handling",
    "subscription_id",
    "user_properties",
];
const SUBACK: &[&str] = &["id", "reasons", "reason_string", "user_properties"];
const UNSUBSCRIBE: &[&str] = &["id", "filters", "user_properties"];
const DISCONNECT: &[&str] = &["reason", "session_expiry", "reason_string", "user_properties", "server_reference"];
const AUTH: &[&str] = &["reason", "authentication_method", "authentication_data", "reason_string", "user_properties"];

/// The list under construction.
struct Fields(Vec<Field>);

impl Fields {
    fn connect(&mut self, connect: &Connect) {
        // The version stands in the heading of a run already.
        self.push("protocol_level", number(connect.version.level()), true, true);
        self.plain("client_id", text(&connect.client_id), &text(&ByteString::new()));
        self.plain("clean", Value::Bool(connect.clean_start), &Value::Bool(true));
        self.plain("keep_alive", seconds(connect.keep_alive), &seconds(0u16));
        self.defaulted("session_expiry", connect.session_expiry.map(seconds), seconds(0u32));
        self.optional("username", connect.username.as_ref().map(text));
        self.optional("password", connect.password.as_ref().map(bytes));
        if let Some(will) = &connect.will {
            self.will(will);
        }
        self.defaulted("receive_maximum", connect.receive_maximum.map(number), number(u16::MAX));
        self.optional("maximum_packet_size", connect.maximum_packet_size.map(number));
        self.defaulted("topic_alias_maximum", connect.topic_alias_maximum.map(number), number(0u16));
        self.flag("request_response_information", connect.request_response_information, false);
        self.flag("request_problem_information", connect.request_problem_information, true);
        self.user_properties("user_properties", &connect.user_properties);
        self.optional("authentication_method", connect.authentication_method.as_ref().map(text));
        self.optional("authentication_data", connect.authentication_data.as_ref().map(bytes));
    }

    fn will(&mut self, will: &Will) {
        self.optional("will_topic", Some(text(&will.topic)));
        self.optional("will_payload", Some(bytes(&will.payload)));
        self.plain("will_qos", number(will.qos.level()), &number(0u8));
        self.plain("will_retain", Value::Bool(will.retain), &Value::Bool(false));
        self.defaulted("will_delay", will.delay.map(seconds), seconds(0u32));
        self.flag("will_payload_format", will.payload_format, false);
        self.optional("will_message_expiry", will.message_expiry.map(seconds));
        self.optional("will_content_type", will.content_type.as_ref().map(text));
        self.optional("will_response_topic", will.response_topic.as_ref().map(text));
        self.optional("will_correlation_data", will.correlation_data.as_ref().map(bytes));
        self.user_properties("will_user_properties", &will.user_properties);
    }

    fn connack(&mut self, connack: &ConnAck) {
        self.reason(connack.reason);
        self.plain("session_present", Value::Bool(connack.session_present), &Value::Bool(false));
        self.optional("session_expiry", connack.session_expiry.map(seconds));
        self.optional("server_keep_alive", connack.server_keep_alive.map(seconds));
        self.defaulted("receive_maximum", connack.receive_maximum.map(number), number(u16::MAX));
        self.defaulted("maximum_qos", connack.maximum_qos.map(|qos| number(qos.level())), number(2u8));
        self.flag("retain_available", connack.retain_available, true);
        self.optional("maximum_packet_size", connack.maximum_packet_size.map(number));
        self.optional("assigned_client_id", connack.assigned_client_id.as_ref().map(text));
        self.defaulted("topic_alias_maximum", connack.topic_alias_maximum.map(number), number(0u16));
        self.optional("reason_string", connack.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &connack.user_properties);
        self.flag("wildcard_subscription_available", connack.wildcard_subscription_available, true);
        self.flag("subscription_identifiers_available", connack.subscription_identifiers_available, true);
        self.flag("shared_subscription_available", connack.shared_subscription_available, true);
        self.optional("response_information", connack.response_information.as_ref().map(text));
        self.optional("server_reference", connack.server_reference.as_ref().map(text));
        self.optional("authentication_method", connack.authentication_method.as_ref().map(text));
        self.optional("authentication_data", connack.authentication_data.as_ref().map(bytes));
    }

    fn publish(&mut self, publish: &Publish) {
        self.plain("topic", text(&publish.topic), &text(&ByteString::new()));
        self.optional("id", publish.packet_id.map(|id| number(id.get())));
        self.plain("qos", number(publish.qos.level()), &number(0u8));
        self.plain("dup", Value::Bool(publish.dup), &Value::Bool(false));
        self.plain("retain", Value::Bool(publish.retain), &Value::Bool(false));
        self.flag("payload_format", publish.payload_format, false);
        self.optional("message_expiry", publish.message_expiry.map(seconds));
        self.optional("topic_alias", publish.topic_alias.map(number));
        self.optional("response_topic", publish.response_topic.as_ref().map(text));
        self.optional("correlation_data", publish.correlation_data.as_ref().map(bytes));
        self.user_properties("user_properties", &publish.user_properties);
        if !publish.subscription_ids.is_empty() {
            self.optional("subscription_ids", Some(list(&publish.subscription_ids, |&id| number(id))));
        }
        self.optional("content_type", publish.content_type.as_ref().map(text));
        // An empty payload has a meaning of its own: it clears a retained message [MQTT-3.3.1-6]. So it is printed.
        self.push("payload", bytes(&publish.payload), false, !publish.payload.is_empty());
    }

    fn ack(&mut self, ack: &Ack) {
        self.id(ack.packet_id);
        self.reason(ack.reason);
        self.optional("reason_string", ack.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &ack.user_properties);
    }

    fn subscribe(&mut self, subscribe: &Subscribe) {
        self.id(subscribe.packet_id);
        let filters = &subscribe.subscriptions;
        self.each("filters", filters, |s| text(&s.filter), None);
        self.each("qos", filters, |s| number(s.qos.level()), Some(number(0u8)));
        self.each("no_local", filters, |s| Value::Bool(s.no_local), Some(Value::Bool(false)));
        self.each("retain_as_published", filters, |s| Value::Bool(s.retain_as_published), Some(Value::Bool(false)));
        self.each("retain_handling", filters, |s| number(s.retain_handling as u8), Some(number(0u8)));
        self.optional("subscription_id", subscribe.subscription_id.map(number));
        self.user_properties("user_properties", &subscribe.user_properties);
    }

    fn suback(&mut self, suback: &SubAck) {
        self.id(suback.packet_id);
        self.reasons(&suback.reasons);
        self.optional("reason_string", suback.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &suback.user_properties);
    }

    fn unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        self.id(unsubscribe.packet_id);
        self.optional("filters", Some(list(&unsubscribe.filters, text)));
        self.user_properties("user_properties", &unsubscribe.user_properties);
    }

    fn unsuback(&mut self, unsuback: &UnsubAck) {
        self.id(unsuback.packet_id);
        self.reasons(&unsuback.reasons);
        self.optional("reason_string", unsuback.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &unsuback.user_properties);
    }

    fn disconnect(&mut self, disconnect: &Disconnect) {
        self.reason(disconnect.reason);
        self.optional("session_expiry", disconnect.session_expiry.map(seconds));
        self.optional("reason_string", disconnect.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &disconnect.user_properties);
        self.optional("server_reference", disconnect.server_reference.as_ref().map(text));
    }

    fn auth(&mut self, auth: &Auth) {
        self.reason(auth.reason);
        self.optional("authentication_method", auth.authentication_method.as_ref().map(text));
        self.optional("authentication_data", auth.authentication_data.as_ref().map(bytes));
        self.optional("reason_string", auth.reason_string.as_ref().map(text));
        self.user_properties("user_properties", &auth.user_properties);
    }

    fn push(&mut self, name: &'static str, value: Value, is_default: bool, is_present: bool) {
        self.0.push(Field { name, value, is_default, is_present });
    }

    /// A field that every packet of the type has.
    fn plain(&mut self, name: &'static str, value: Value, default: &Value) {
        let is_default = value == *default;
        self.push(name, value, is_default, true);
    }

    /// A field whose absence means something.
    fn defaulted(&mut self, name: &'static str, value: Option<Value>, default: Value) {
        let is_present = value.is_some();
        let is_default = value.as_ref().is_none_or(|value| *value == default);
        self.push(name, value.unwrap_or(default), is_default, is_present);
    }

    fn flag(&mut self, name: &'static str, value: Option<bool>, default: bool) {
        self.defaulted(name, value.map(Value::Bool), Value::Bool(default));
    }

    /// A field whose absence means nothing.
    fn optional(&mut self, name: &'static str, value: Option<Value>) {
        if let Some(value) = value {
            self.push(name, value, false, true);
        }
    }

    fn id(&mut self, id: PacketId) {
        self.push("id", number(id.get()), false, true);
    }

    fn reason(&mut self, reason: ReasonCode) {
        self.plain("reason", number(reason.value()), &number(0u8));
    }

    fn reasons(&mut self, reasons: &[ReasonCode]) {
        let is_default = reasons.iter().all(|&reason| reason == ReasonCode::SUCCESS);
        self.push("reasons", list(reasons, |reason| number(reason.value())), is_default, true);
    }

    /// A field that there is once for each filter.
    fn each(
        &mut self,
        name: &'static str,
        filters: &[Subscription],
        of: impl Fn(&Subscription) -> Value,
        default: Option<Value>,
    ) {
        let is_default = default.is_some_and(|default| filters.iter().all(|filter| of(filter) == default));
        self.push(name, list(filters, of), is_default, true);
    }

    fn user_properties(&mut self, name: &'static str, properties: &UserProperties) {
        if !properties.is_empty() {
            self.optional(name, Some(list(properties, |(key, value)| Value::Text(format!("{key}={value}")))));
        }
    }
}

fn number(value: impl Into<u64>) -> Value {
    Value::Number(value.into())
}

fn seconds(value: impl Into<u64>) -> Value {
    Value::Duration(Duration::from_secs(value.into()))
}

fn text(value: &ByteString) -> Value {
    Value::Text(value.to_string())
}

fn bytes(value: &Bytes) -> Value {
    match std::str::from_utf8(value) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(value.clone()),
    }
}

fn list<T>(items: &[T], of: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(of).collect())
}

#[cfg(test)]
mod tests;
