use ::bytes::Bytes;
use halfopen_protocol::{PacketType, ReasonCode};

use super::payload::payload;
use crate::keys::{Key, Table, Takes, key};
use crate::plan::{FieldPattern, Matcher, PacketKind, PacketPattern, Value};
use crate::reader::Reader;
use crate::suggest::{did_you_mean, nearest, one_of};
use crate::time::{PACKET_WORDS, packet_kind};
use crate::trace::{FieldType, field_names, field_type};
use crate::tree::{Kind, Node};

pub(crate) const MATCHER: Table = Table { what: "what a field must be", keys: &[MATCHERS] };

const MATCHERS: &[Key] = &[
    key("not", "anything but this").takes(Takes::Anything),
    key("one_of", "one of these").takes(Takes::List(&Takes::Anything)),
    key("at_least", "a number or an interval, and not less").takes(Takes::Anything),
    key("at_most", "a number or an interval, and not more").takes(Takes::Anything),
    key("present", "whether it is there at all").takes(Takes::Bool),
];

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

/// Whether 3.1.1 has this field of a packet, too.
pub(crate) fn is_in_both(packet: PacketKind, name: &str) -> bool {
    // CONNACK of 3.1.1 has a return code in the place of the reason.
    IN_BOTH.contains(&name) || (name == "reason" && packet == PacketKind::Type(PacketType::ConnAck))
}

/// One pattern or a list of them.
pub(crate) fn patterns(reader: &Reader<'_>, node: &Node) -> Option<Vec<PacketPattern>> {
    let items = reader.one_or_more(node);
    let read: Vec<_> = items.iter().filter_map(|item| pattern(reader, item)).collect();
    (read.len() == items.len() && !read.is_empty()).then_some(read)
}

/// `PINGREQ` or `{ PUBLISH: { topic: a } }`.
pub(crate) fn pattern(reader: &Reader<'_>, node: &Node) -> Option<PacketPattern> {
    if let Kind::Map(_) = node.kind {
        let (word, value) = reader.line(node, "a packet")?;
        let packet = packet(reader, word)?;
        return Some(PacketPattern { packet, fields: fields(reader, packet, value)? });
    }
    Some(PacketPattern { packet: packet(reader, node)?, fields: Vec::new() })
}

/// The packet that a word names, if the version has it.
pub(crate) fn packet(reader: &Reader<'_>, node: &Node) -> Option<PacketKind> {
    let word = reader.scalar(node, "a packet, such as `PINGREQ`")?;
    let Some(packet) = packet_kind(word) else {
        let hint = did_you_mean(word, PACKET_WORDS);
        let see = crate::reference::see("packet");
        let note = match hint.is_empty() {
            true => format!("one of {}; {see}", one_of(PACKET_WORDS)),
            false => see,
        };
        reader.error_with_note(node, format!("unknown packet `{word}`{hint}"), note);
        return None;
    };
    if packet == PacketKind::Type(PacketType::Auth) && !reader.version.is_v5() {
        reader.error(node, reader.belongs_to_5("AUTH"));
        return None;
    }
    Some(packet)
}

/// What is expected where the fields of a packet stand.
pub(super) fn example_of_fields(packet: PacketKind) -> &'static str {
    match packet {
        PacketKind::Type(PacketType::Connect) => "a map of fields, as in `{ keep_alive: 5s }`",
        PacketKind::Type(PacketType::ConnAck) => "a map of fields, as in `{ reason: 0x00, session_present: false }`",
        PacketKind::Type(PacketType::Publish) | PacketKind::Any => "a map of fields, as in `{ topic: a/b }`",
        PacketKind::Type(PacketType::Subscribe | PacketType::Unsubscribe) => {
            "a map of fields, as in `{ id: 1, filters: [a/b] }`"
        }
        PacketKind::Type(PacketType::SubAck | PacketType::UnsubAck) => {
            "a map of fields, as in `{ id: 1, reasons: [0x00] }`"
        }
        PacketKind::Type(PacketType::Disconnect | PacketType::Auth) => "a map of fields, as in `{ reason: 0x04 }`",
        PacketKind::Type(_) => "a map of fields, as in `{ id: 1 }`",
    }
}

/// Any subset of a packet's fields.
pub(crate) fn fields(reader: &Reader<'_>, packet: PacketKind, node: &Node) -> Option<Vec<FieldPattern>> {
    let mut patterns = Vec::new();
    let mut broken = node.kind == Kind::Broken;
    for (name, value) in reader.map(node, example_of_fields(packet)) {
        match field(reader, packet, name, |name, field_type| matcher(reader, name, field_type, value)) {
            Some((name, matcher)) => patterns.push(FieldPattern { name: name.to_owned(), matcher }),
            None => broken = true,
        }
    }
    (!broken && matches!(node.kind, Kind::Map(_))).then_some(patterns)
}

/// Reads a field by its name and type, if the packet and the version have it.
pub(super) fn field<'n, T>(
    reader: &Reader<'_>,
    packet: PacketKind,
    name: &'n Node,
    read: impl FnOnce(&str, FieldType) -> Option<T>,
) -> Option<(&'n str, T)> {
    let text = name.text()?;
    let names = field_names(packet);
    let Some(field_type) = field_type(text).filter(|_| names.contains(&text)) else {
        let hint = did_you_mean(text, names.iter().copied());
        let message = format!("{packet} has no field `{text}`{hint}");
        match names {
            [] => reader.error(name, message),
            _ if hint.is_empty() => {
                let note = format!("it has {}; {}", names.join(", "), crate::reference::see("packet"));
                reader.error_with_note(name, message, note);
            }
            _ => reader.error_with_note(name, message, crate::reference::see("packet")),
        }
        return None;
    };
    if !is_in_both(packet, text) && !reader.version.is_v5() {
        reader.error(name, reader.belongs_to_5(text));
        return None;
    }
    read(text, field_type).map(|value| (text, value))
}

fn matcher(reader: &Reader<'_>, name: &str, field_type: FieldType, node: &Node) -> Option<Matcher> {
    let is_payload = field_type == FieldType::Bytes && (node.get("hex").is_some() || node.get("size").is_some());
    let is_properties = name.ends_with("user_properties") && !node.entries().iter().any(|(key, _)| is_matcher(key));
    if !matches!(node.kind, Kind::Map(_)) || is_payload || is_properties {
        return value_or_list(reader, name, field_type, node).map(|value| Matcher::Is(as_in_trace(name, value)));
    }
    let fields = reader.fields(node, &MATCHER)?;
    let mut entries = fields.iter();
    let (Some((word, _, inner)), None) = (entries.next(), entries.next()) else {
        if !fields.broken {
            reader.error(node, "one of `not`, `one_of`, `at_least`, `at_most` and `present`");
        }
        return None;
    };
    let ordered = matches!(field_type, FieldType::Number | FieldType::Duration | FieldType::Reason);
    match word {
        "not" => value_or_list(reader, name, field_type, inner).map(Matcher::Not),
        "one_of" => {
            let items = reader.list(inner, "values");
            let values: Vec<_> = items.iter().filter_map(|item| value(reader, field_type, item)).collect();
            (values.len() == items.len() && !values.is_empty()).then_some(Matcher::OneOf(values))
        }
        "present" => reader.boolean(inner).map(Matcher::Present),
        _ if !ordered => {
            reader.error(inner, format!("`{name}` is no number, so nothing of it is less or more"));
            None
        }
        "at_least" => value(reader, field_type, inner).map(Matcher::AtLeast),
        _ => value(reader, field_type, inner).map(Matcher::AtMost),
    }
}

fn is_matcher(key: &Node) -> bool {
    MATCHERS.iter().any(|matcher| key.text() == Some(matcher.name))
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

/// Some fields are lists on the wire: filters and reasons, one each for a filter.
pub(super) fn value_or_list(reader: &Reader<'_>, name: &str, field_type: FieldType, node: &Node) -> Option<Value> {
    if name.ends_with("user_properties") {
        let pairs = super::user_properties(reader, node)?;
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| Value::List(vec![Value::Text(name.to_string()), Value::Text(value.to_string())]));
        return Some(Value::List(pairs.collect()));
    }
    match &node.kind {
        Kind::List(items) => {
            let values: Vec<_> = items.iter().filter_map(|item| value(reader, field_type, item)).collect();
            (values.len() == items.len()).then_some(Value::List(values))
        }
        _ if name == "qos" => reader.number(node, 0..=2).map(Value::Number),
        _ => value(reader, field_type, node),
    }
}

fn value(reader: &Reader<'_>, field_type: FieldType, node: &Node) -> Option<Value> {
    Some(match field_type {
        FieldType::Bool => Value::Bool(reader.boolean(node)?),
        FieldType::Number => Value::Number(reader.number(node, 0..=u64::from(u32::MAX))?),
        FieldType::Reason => Value::Number(u64::from(reason(reader, node)?.value())),
        FieldType::Text if node.text() == Some("") => Value::Text(String::new()),
        FieldType::Text => Value::Text(reader.scalar(node, "a text")?.to_owned()),
        FieldType::Bytes => text_or_bytes(payload(reader, node)?),
        FieldType::Duration => Value::Duration(reader.duration(node)?),
    })
}

/// As [`crate::trace::fields`] has it: text where it is UTF-8.
fn text_or_bytes(bytes: Bytes) -> Value {
    match std::str::from_utf8(&bytes) {
        Ok(text) => Value::Text(text.to_owned()),
        Err(_) => Value::Bytes(bytes),
    }
}

/// A reason code, a list of them, or `nothing`.
pub(crate) fn reasons(reader: &Reader<'_>, node: &Node) -> Option<Vec<ReasonCode>> {
    if node.text() == Some("nothing") {
        return Some(Vec::new());
    }
    let items = reader.one_or_more(node);
    let read: Vec<_> = items.iter().filter_map(|item| reason(reader, item)).collect();
    (read.len() == items.len() && !read.is_empty()).then_some(read)
}

/// A reason code of a DISCONNECT or the like.
pub(crate) fn reason(reader: &Reader<'_>, node: &Node) -> Option<ReasonCode> {
    let text = reader.scalar(node, "a reason code, as `0x8E`")?;
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        // Who knows its name hears its number.
        let known = |code: &u8| Some((*code, ReasonCode::new(*code).name()?.to_lowercase().replace([' ', '-'], "_")));
        let names: Vec<_> = (0..=u8::MAX).filter_map(|code| known(&code)).collect();
        let near = nearest(text, names.iter().map(|(_, name)| name.as_str()));
        let number = names.iter().find(|(_, name)| Some(name.as_str()) == near);
        let hint = number.map_or_else(String::new, |(code, name)| format!("; `{name}` is 0x{code:02X}"));
        reader.error(node, format!("expected a reason code, as `0x8E`, found `{text}`{hint}"));
        return None;
    }
    reader.number_u8(node).map(ReasonCode::new)
}
