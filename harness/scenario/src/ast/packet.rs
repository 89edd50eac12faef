//! Packets: patterns that match them, packets and bytes to send, payloads.

use halfopen_protocol::PacketType;

use super::list::{Named, OneOrMore};
use super::macros::map;
use super::node::With;
use super::reading::Reading;
use super::scalar::{Hex, Name, Number, QosLevel, Reason, Size, Text};
use super::time::{DurationExpr, PacketWord};
use super::value::{Env, Fill, Param, Place, Value};
use crate::bytes::parse_bytes;
use crate::keys::{ValueKind, word_of};
use crate::lower::params::has_parameters;
use crate::plan::PacketKind;
use crate::reference::see;
use crate::suggest::{did_you_mean, one_of};
use crate::time::{PACKET_WORDS, packet_kind};
use crate::trace::{FieldType, field_names, field_type};
use crate::tree::{Node, NodeKind};

impl Value for PacketWord {
    const TAKES: ValueKind = ValueKind::Packet;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let word = cx.scalar(node, "a packet, such as `PINGREQ`")?;
        let Some(kind) = packet_kind(word) else {
            let hint = did_you_mean(word, PACKET_WORDS);
            let see = see("packet");
            let note = match hint.is_empty() {
                true => format!("one of {}; {see}", one_of(PACKET_WORDS)),
                false => see,
            };
            cx.error_with_note(node, format!("unknown packet `{word}`{hint}"), note);
            return None;
        };
        Some(Self { place: Place::of(node), kind })
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(self.kind.to_string())
    }
}

map! {
    /// The keys of a payload that is no text.
    PayloadKeys = "a payload" {
        size: Param<Size> => "the given number of bytes: 64kB";
        hex: Param<Hex> => "these bytes: 00 ff";
    }
}

/// The payload of a message.
#[derive(Clone, Debug, PartialEq)]
pub enum Payload {
    /// A text.
    Text(Text),
    /// A payload of the given number of equal bytes.
    Size(Param<Size>),
    /// A payload of the given bytes.
    Hex(Param<Hex>),
}

impl Payload {
    /// A payload of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Text(text.into()))
    }
}

impl Value for Payload {
    const TAKES: ValueKind = ValueKind::Payload;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            if node.text() == Some("") {
                return Some(Self::text(""));
            }
            return cx.scalar(node, "a text, `{ size: 64kB }` or `{ hex: 00 ff }`").map(Self::text);
        }
        let failures = cx.failures.get();
        let keys = PayloadKeys::read(cx, node)?;
        match (keys.size, keys.hex) {
            (Some(size), None) => return Some(Self::Size(size.value)),
            (None, Some(hex)) => return Some(Self::Hex(hex.value)),
            _ if failures == cx.failures.get() => {
                cx.error(node, "a payload is a text, `{ size: 64kB }` or `{ hex: 00 ff }`");
            }
            _ => {}
        }
        None
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Text(text) => text.write(fill),
            Self::Size(size) => Node::map([(Node::word("size"), size.write(fill))]),
            Self::Hex(hex) => Node::map([(Node::word("hex"), hex.write(fill))]),
        }
    }
}

/// User properties: name → value, or several of one name.
pub type UserProperties = Named<Param<OneOrMore<Text>>>;

/// The value of a field of a packet.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number<0, 4_294_967_295>),
    /// A level of QoS.
    Qos(QosLevel),
    /// A reason code.
    Reason(Reason),
    /// A text.
    Text(Text),
    /// Bytes.
    Payload(Payload),
    /// An interval.
    Duration(DurationExpr),
    /// User properties.
    Properties(UserProperties),
    /// Several: of SUBSCRIBE and the like one for each filter.
    List(Vec<Self>),
}

impl FieldValue {
    /// Reads the value of the field with this name.
    pub(crate) fn read(cx: &Reading<'_>, name: &str, node: &Node) -> Option<Self> {
        if name.ends_with("user_properties") {
            let what = "a map of user properties, as in `{ name: value }`";
            return UserProperties::read_map(cx, node, what).filter(|map| !map.0.is_empty()).map(Self::Properties);
        }
        match &node.kind {
            NodeKind::List(items) => {
                let values = cx.each(items, |item| Self::one(cx, name, item));
                (values.len() == items.len()).then_some(Self::List(values))
            }
            _ if name == "qos" => QosLevel::read(cx, node).map(Self::Qos),
            _ => Self::one(cx, name, node),
        }
    }

    fn one(cx: &Reading<'_>, name: &str, node: &Node) -> Option<Self> {
        match field_type(name)? {
            FieldType::Bool => bool::read(cx, node).map(Self::Bool),
            FieldType::Number => Number::read(cx, node).map(Self::Number),
            FieldType::Reason => Reason::read(cx, node).map(Self::Reason),
            FieldType::Text if node.text() == Some("") => Some(Self::Text(Text(String::new()))),
            FieldType::Text => Text::read(cx, node).map(Self::Text),
            FieldType::Bytes => Payload::read(cx, node).map(Self::Payload),
            FieldType::Duration => DurationExpr::read(cx, node).map(Self::Duration),
        }
    }

    /// Reads a value that has parameters in a place of its own for them.
    fn read_with_parameters(cx: &Reading<'_>, name: &str, node: &Node) -> Option<Self> {
        match field_type(name)? {
            FieldType::Duration => DurationExpr::read_with_parameters(cx, node).map(Self::Duration),
            _ => None,
        }
    }

    pub(crate) fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Bool(value) => value.write(fill),
            Self::Number(value) => value.write(fill),
            Self::Qos(value) => value.write(fill),
            Self::Reason(value) => value.write(fill),
            Self::Text(value) => value.write(fill),
            Self::Payload(value) => value.write(fill),
            Self::Duration(value) => value.write(fill),
            Self::Properties(value) => value.write(fill),
            Self::List(values) => Node::list(values.iter().map(|value| value.write(fill))),
        }
    }
}

/// The values of some fields of a packet.
pub type FieldValues = Vec<(Name, Param<FieldValue>)>;

/// Reads the fields of a packet, each as `read` does.
pub(crate) fn fields<T>(
    cx: &Reading<'_>,
    packet: PacketKind,
    node: &Node,
    read: impl Fn(&str, &Node) -> Option<T>,
) -> Option<Vec<(Name, T)>> {
    let names = field_names(packet);
    let mut fields = Vec::new();
    let entries = cx.map(node, example_of_fields(packet))?;
    for (index, (name, value)) in entries.iter().enumerate() {
        let Some(text) = name.text() else { continue };
        let field = word_of(text);
        if names.contains(&field) {
            if cx.is_first(name, field, &entries[..index]) {
                let name = Name { text: field.to_owned(), place: Place::of(name) };
                fields.extend(read(field, value).map(|value| (name, value)));
            }
            continue;
        }
        let hint = did_you_mean(text, names.iter().copied());
        let message = format!("{packet} has no field `{text}`{hint}");
        match names {
            [] => cx.error(name, message),
            _ if hint.is_empty() => {
                cx.error_with_note(name, message, format!("it has {}; {}", names.join(", "), see("packet")));
            }
            _ => cx.error_with_note(name, message, see("packet")),
        }
    }
    Some(fields)
}

/// Returns what is expected where the fields of a packet stand.
fn example_of_fields(packet: PacketKind) -> &'static str {
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

fn read_value(cx: &Reading<'_>, name: &str, node: &Node) -> Param<FieldValue> {
    match FieldValue::read_with_parameters(cx, name, node) {
        Some(value) if has_parameters(node) => Param { place: Place::of(node), ..Param::new(value) },
        _ => Param::read_as(cx, node, |cx, node| FieldValue::read(cx, name, node)),
    }
}

fn write_value(name: &str, value: &Param<FieldValue>, fill: Fill<'_>) -> Node {
    value.write_as(fill, |cx, node| FieldValue::read(cx, name, node), FieldValue::write)
}

/// Reads values of the fields of a packet.
pub(crate) fn field_values(cx: &Reading<'_>, packet: PacketKind, node: &Node) -> Option<FieldValues> {
    fields(cx, packet, node, |name, value| Some(read_value(cx, name, value)))
}

fn write_fields<T>(fields: &[(Name, T)], write: impl Fn(&str, &T) -> Node) -> Node {
    Node::map(fields.iter().map(|(name, value)| (Node::word(&*name.text), write(&name.text, value))))
}

/// The values of some fields of a packet of a type that is known from where they stand.
#[derive(Clone, Debug, PartialEq)]
pub struct FieldsOf<P> {
    pub(crate) place: Place,
    /// The fields and their values.
    pub fields: FieldValues,
    packet: std::marker::PhantomData<P>,
}

/// A type of packet, as a type.
pub trait PacketOf: Clone {
    /// The packet.
    const PACKET: PacketType;
    /// True if only fields of messages may stand there.
    #[doc(hidden)]
    const IS_MESSAGE: bool = false;
}

/// A PUBLISH that a client makes: without what is the client's to choose.
#[derive(Clone, Debug, PartialEq)]
pub struct OfPublish;
/// A DISCONNECT.
#[derive(Clone, Debug, PartialEq)]
pub struct OfDisconnect;

impl PacketOf for OfPublish {
    const PACKET: PacketType = PacketType::Publish;
    const IS_MESSAGE: bool = true;
}

impl PacketOf for OfDisconnect {
    const PACKET: PacketType = PacketType::Disconnect;
}

impl<P: PacketOf> From<FieldValues> for FieldsOf<P> {
    fn from(fields: FieldValues) -> Self {
        Self { place: Place::default(), fields, packet: std::marker::PhantomData }
    }
}

impl<P: PacketOf> Value for FieldsOf<P> {
    const TAKES: ValueKind = if P::IS_MESSAGE { ValueKind::Message } else { ValueKind::Fields("DISCONNECT") };

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        for (name, _) in node.entries().iter().filter(|_| P::IS_MESSAGE) {
            if let Some(word @ ("id" | "dup")) = name.text() {
                cx.error(name, format!("`{word}` is the client's to choose; a raw client may `send` any PUBLISH"));
                return None;
            }
        }
        let fields = field_values(cx, PacketKind::Type(P::PACKET), node)?;
        Some(Self { place: Place::of(node), fields, packet: std::marker::PhantomData })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        write_fields(&self.fields, |name, value| write_value(name, value, fill))
    }
}

/// A condition on the value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Matcher {
    /// The value is equal to this one.
    Is(FieldValue),
    /// Anything but this.
    Not(Param<FieldValue>),
    /// The value is one of these.
    OneOf(Vec<Param<FieldValue>>),
    /// A number or an interval, and not less.
    AtLeast(Param<FieldValue>),
    /// A number or an interval, and not more.
    AtMost(Param<FieldValue>),
    /// There at all, or not.
    Present(Param<bool>),
}

map! {
    /// The keys that say what a field must be.
    MatcherKeys = "what a field must be" {
        not: super::Raw => "anything but this";
        one_of: Several => "one of these";
        at_least: super::Raw => "a number or an interval, and not less";
        at_most: super::Raw => "a number or an interval, and not more";
        present: Param<bool> => "whether it is there at all";
    }
}

/// A list of any values.
#[derive(Clone, Debug, PartialEq)]
pub struct Several(super::Raw);

impl Value for Several {
    const TAKES: ValueKind = ValueKind::List(&ValueKind::Anything);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        super::Raw::read(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

impl Matcher {
    pub(crate) fn read(cx: &Reading<'_>, name: &str, node: &Node) -> Option<Self> {
        let is_payload =
            field_type(name) == Some(FieldType::Bytes) && (node.get("hex").is_some() || node.get("size").is_some());
        let is_matcher = |(key, _): &(Node, Node)| key.text().is_some_and(MatcherKeys::has);
        let is_properties = name.ends_with("user_properties") && !node.entries().iter().any(is_matcher);
        if !matches!(node.kind, NodeKind::Map(_)) || is_payload || is_properties {
            return FieldValue::read(cx, name, node).map(Self::Is);
        }
        let failures = cx.failures.get();
        MatcherKeys::read(cx, node)?;
        let [(word, inner)] = node.entries() else {
            if failures == cx.failures.get() {
                cx.error(node, "one of `not`, `one_of`, `at_least`, `at_most` and `present`");
            }
            return None;
        };
        let one = |inner: &Node| Param::read_as(cx, inner, |cx, node| FieldValue::one(cx, name, node));
        let is_ordered = matches!(field_type(name), Some(FieldType::Number | FieldType::Duration | FieldType::Reason));
        match word.text()? {
            "not" => Some(Self::Not(read_value(cx, name, inner))),
            "one_of" => {
                let values = cx.each(cx.list(inner, "values")?, |item| Some(one(item)));
                (!values.is_empty()).then_some(Self::OneOf(values))
            }
            "present" => Param::read(cx, inner).map(Self::Present),
            "at_least" | "at_most" if !is_ordered => {
                cx.error(inner, format!("`{name}` is no number, so nothing of it is less or more"));
                None
            }
            "at_least" => Some(Self::AtLeast(one(inner))),
            "at_most" => Some(Self::AtMost(one(inner))),
            _ => None,
        }
    }

    fn write(&self, name: &str, fill: Fill<'_>) -> Node {
        let value = |value: &Param<FieldValue>| write_value(name, value, fill);
        let (word, value) = match self {
            Self::Is(value) => return value.write(fill),
            Self::Not(inner) => ("not", value(inner)),
            Self::OneOf(values) => ("one_of", Node::list(values.iter().map(value))),
            Self::AtLeast(inner) => ("at_least", value(inner)),
            Self::AtMost(inner) => ("at_most", value(inner)),
            Self::Present(present) => ("present", present.write(fill)),
        };
        Node::map([(Node::word(word), value)])
    }
}

impl MatcherKeys {
    fn has(word: &str) -> bool {
        <Self as super::value::Map>::TABLE.find(word).is_some()
    }
}

/// Conditions on fields of a packet.
pub type FieldPatterns = Vec<(Name, Param<Matcher>)>;

/// Reads what fields of a packet must be.
pub(crate) fn field_patterns(cx: &Reading<'_>, packet: PacketKind, node: &Node) -> Option<FieldPatterns> {
    fields(cx, packet, node, |name, value| {
        if has_parameters(value)
            && let Some(read) = FieldValue::read_with_parameters(cx, name, value)
        {
            return Some(Param { place: Place::of(value), ..Param::new(Matcher::Is(read)) });
        }
        Some(Param::read_as(cx, value, |cx, node| Matcher::read(cx, name, node)))
    })
}

fn write_patterns(fields: &FieldPatterns, fill: Fill<'_>) -> Node {
    write_fields(fields, |name, value| {
        value.write_as(fill, |cx, node| Matcher::read(cx, name, node), |matcher, fill| matcher.write(name, fill))
    })
}

/// Conditions on fields of a PUBLISH.
#[derive(Clone, Debug, PartialEq)]
pub struct MessagePattern(pub FieldPatterns);

impl Value for MessagePattern {
    const TAKES: ValueKind = ValueKind::Fields("PUBLISH");

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        field_patterns(cx, PacketKind::Type(PacketType::Publish), node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        write_patterns(&self.0, fill)
    }
}

/// Conditions on fields of a CONNACK.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnackPattern(pub FieldPatterns);

impl Value for ConnackPattern {
    const TAKES: ValueKind = ValueKind::Fields("CONNACK");

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        field_patterns(cx, PacketKind::Type(PacketType::ConnAck), node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        write_patterns(&self.0, fill)
    }
}

/// `PINGREQ` or `{ PUBLISH: { topic: a } }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// The packet.
    pub packet: PacketWord,
    /// The conditions on its fields, if any.
    pub fields: Option<Param<PatternFields>>,
}

/// The conditions on the fields of a pattern; their packet is the pattern's.
#[derive(Clone, Debug, PartialEq)]
pub struct PatternFields(pub FieldPatterns);

impl Pattern {
    /// A packet, whatever its fields are.
    pub fn of(packet: PacketKind) -> Self {
        Self { packet: packet.into(), fields: None }
    }

    /// Returns what the fields must be in a run.
    pub(crate) fn fields_in(&self, env: &Env<'_>) -> Option<FieldPatterns> {
        let Some(fields) = &self.fields else { return Some(Vec::new()) };
        let read = |cx: &Reading<'_>, node: &Node| field_patterns(cx, self.packet.kind, node).map(PatternFields);
        Some(fields.get_as(env, read)?.into_owned().0)
    }
}

impl Value for Pattern {
    const TAKES: ValueKind = ValueKind::Pattern;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let NodeKind::Map(_) = node.kind else {
            return PacketWord::read(cx, node).map(|packet| Self { packet, fields: None });
        };
        let (word, value) = cx.line(node, "a packet")?;
        let packet = PacketWord::read(cx, word)?;
        let read = |cx: &Reading<'_>, node: &Node| field_patterns(cx, packet.kind, node).map(PatternFields);
        let fields = Some(Param::read_as(cx, value, read));
        Some(Self { packet, fields })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let word = self.packet.write(fill);
        let Some(fields) = &self.fields else { return word };
        let read = |cx: &Reading<'_>, node: &Node| field_patterns(cx, self.packet.kind, node).map(PatternFields);
        let fields = fields.write_as(fill, read, |fields, fill| write_patterns(&fields.0, fill));
        Node::map([(word, fields)])
    }
}

/// Data that a raw peer writes.
#[derive(Clone, Debug, PartialEq)]
pub enum Outgoing {
    /// A packet by its name alone.
    Plain(PacketWord),
    /// A CONNECT that differs from the node's own.
    Connect(Place, Param<With>),
    /// A packet with its fields.
    Packet(PacketWord, Param<PacketFields>),
    /// Any bytes.
    Bytes(Param<ByteText>),
    /// These in a text frame of WebSocket.
    TextFrame(Place, Param<ByteText>),
}

/// The values of the fields of a packet that is named beside them.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketFields(pub FieldValues);

/// Bytes as Mosquitto's tests write them: hex pairs, `'text'`, `r12` a remaining length, and two-byte numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByteText(String);

impl ByteText {
    /// The bytes.
    pub fn bytes(&self) -> Vec<u8> {
        parse_bytes(&self.0).unwrap_or_default()
    }
}

impl From<&[u8]> for ByteText {
    fn from(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" "))
    }
}

impl Value for ByteText {
    const TAKES: ValueKind = ValueKind::Text;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let text = cx.scalar(node, "bytes, such as `c0 00`")?;
        let is_quoted = matches!(&node.kind, NodeKind::Scalar(scalar) if scalar.quoted);
        match parse_bytes(text) {
            Ok(_) => Some(Self(text.to_owned())),
            Err(mut error) => {
                if is_quoted && !text.contains('\'') {
                    error.message.push_str("; YAML has taken the quotes: text alone is written `\"'text'\"`");
                }
                cx.part_error(&Place::of(node), &error, "bytes");
                None
            }
        }
    }

    fn write(&self, _: Fill<'_>) -> Node {
        Node::word(&*self.0)
    }
}

impl Outgoing {
    fn read_fields(cx: &Reading<'_>, packet: PacketKind, node: &Node) -> Option<PacketFields> {
        field_values(cx, packet, node).map(PacketFields)
    }

    /// The values of the fields in a run.
    pub(crate) fn fields_in(packet: PacketKind, fields: &Param<PacketFields>, env: &Env<'_>) -> Option<FieldValues> {
        let read = |cx: &Reading<'_>, node: &Node| Self::read_fields(cx, packet, node);
        Some(fields.get_as(env, read)?.into_owned().0)
    }
}

impl Value for Outgoing {
    const TAKES: ValueKind = ValueKind::Anything;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let NodeKind::Map(_) = node.kind else {
            if let Some(text) = node.text().filter(|text| is_hex(text)) {
                cx.error(node, format!("bytes are written `{{ bytes: {} }}`", in_pairs(text)));
                return None;
            }
            return PacketWord::read(cx, node).map(Self::Plain);
        };
        let (word, value) = cx.line(node, "a packet, `bytes` or `text_frame`")?;
        match word.text() {
            Some("hex") => {
                cx.error(word, "bytes are sent as `{ bytes: c0 00 }`; `hex` is for a payload");
                return None;
            }
            Some("bytes") => return Param::read(cx, value).map(Self::Bytes),
            Some("text_frame") => return Some(Self::TextFrame(Place::of(word), Param::read(cx, value)?)),
            _ => {}
        }
        let packet = PacketWord::read(cx, word)?;
        if packet.kind == PacketKind::Type(PacketType::Connect) {
            return Some(Self::Connect(Place::of(word), Param::read(cx, value)?));
        }
        let fields = Param::read_as(cx, value, |cx, node| Self::read_fields(cx, packet.kind, node));
        Some(Self::Packet(packet, fields))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Plain(packet) => packet.write(fill),
            Self::Connect(_, with) => Node::map([(Node::word("CONNECT"), with.write(fill))]),
            Self::Packet(packet, fields) => {
                let read = |cx: &Reading<'_>, node: &Node| Self::read_fields(cx, packet.kind, node);
                let write = |fields: &PacketFields, fill: Fill<'_>| {
                    write_fields(&fields.0, |name, value| write_value(name, value, fill))
                };
                Node::map([(packet.write(fill), fields.write_as(fill, read, write))])
            }
            Self::Bytes(bytes) => Node::map([(Node::word("bytes"), bytes.write(fill))]),
            Self::TextFrame(_, text) => Node::map([(Node::word("text_frame"), text.write(fill))]),
        }
    }
}

/// Packets and bytes in one piece.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent(pub OneOrMore<Param<Outgoing>>);

impl Value for Sent {
    const TAKES: ValueKind = ValueKind::Outgoing;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        OneOrMore::read(cx, node).map(Self)
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

fn is_hex(text: &str) -> bool {
    text.len().is_multiple_of(2) && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn in_pairs(digits: &str) -> String {
    digits.as_bytes().chunks(2).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}
