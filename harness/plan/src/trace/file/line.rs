//! One event as a line of a trace file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Packet, PacketType, Version};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::wire::{Versions, from_hex, hex, packet_of};
use crate::trace::{
    ConnectionId, Event, EventKind, Held, SessionState, Since, Transmission, WebSocketItem, fields, item_word,
};
use crate::{Because, NodeFault, NodeId, StepId, Value};

/// An event as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct EventLine {
    #[serde(with = "duration")]
    at_ms: Duration,
    #[serde(flatten)]
    kind: KindLine,
}

#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum KindLine {
    Step {
        step: u32,
        text: String,
    },
    Mark {
        text: String,
    },
    Node {
        node: String,
        fault: NodeFault,
    },
    Sent {
        connection: u32,
        node: String,
        peer: String,
        #[serde(flatten)]
        item: ItemLine,
        #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_duration")]
        arrival_ms: Option<Duration>,
    },
    Received {
        connection: u32,
        node: String,
        peer: String,
        #[serde(flatten)]
        item: ItemLine,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<usize>,
    },
    Established {
        connection: u32,
        node: String,
    },
    Closing {
        connection: u32,
        node: String,
        peer: String,
        because: Because,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<SinceLine>,
    },
    Delivered {
        node: String,
        #[serde(flatten)]
        item: ItemLine,
    },
    /// A message that an application was handed, and that no PUBLISH can carry: its topic has a wildcard, its Packet Identifier is
    /// missing. Its properties are not kept.
    DeliveredMalformed {
        node: String,
        topic: String,
        payload: String,
        qos: u8,
        retain: bool,
        dup: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<u16>,
    },
    Connected {
        node: String,
        session_present: bool,
    },
    HoldsSession {
        node: String,
        client_id: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<SessionState>,
    },
    HoldsRetained {
        node: String,
        retained: u64,
    },
    StepFailed {
        step: u32,
        text: String,
    },
    FaultHit {
        step: u32,
    },
}

/// The transmission.
#[derive(Serialize, Deserialize)]
struct ItemLine {
    /// The type of a packet, or `open`, `bytes`, `FIN`, `RST`, `timed out`, or the word for an item of WebSocket.
    item: String,
    /// The fields of a packet, for readers.
    #[serde(default, skip_deserializing, skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'static str, Json>,
    /// The version that the bytes of a packet are of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mqtt: Option<String>,
    /// The bytes, in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wire: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct SinceLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    packet: Option<String>,
    #[serde(with = "duration")]
    at_ms: Duration,
    #[serde(with = "duration")]
    due_ms: Duration,
}

impl EventLine {
    /// Returns an event as it is written; `None` if its packet has no encoding.
    pub(super) fn of(event: &Event, nodes: &[String], versions: &mut Versions) -> Option<Self> {
        let name = |node: &NodeId| nodes.get(node.0).cloned().unwrap_or_default();
        let kind = match &event.kind {
            EventKind::Step { step, text } => KindLine::Step { step: step.0, text: text.clone() },
            EventKind::Mark(text) => KindLine::Mark { text: text.clone() },
            EventKind::Node { node, change } => KindLine::Node { node: name(node), fault: *change },
            EventKind::Sent { connection, from, to, item, arrival } => KindLine::Sent {
                connection: connection.0,
                node: name(from),
                peer: name(to),
                item: ItemLine::of(Some(*connection), item, versions)?,
                arrival_ms: *arrival,
            },
            EventKind::Received { connection, from, to, item, sent } => KindLine::Received {
                connection: connection.0,
                node: name(to),
                peer: name(from),
                item: ItemLine::of(Some(*connection), item, versions)?,
                sent: *sent,
            },
            EventKind::Established { connection, node } => {
                KindLine::Established { connection: connection.0, node: name(node) }
            }
            EventKind::Closing { node, peer, connection, because, since } => KindLine::Closing {
                connection: connection.0,
                node: name(node),
                peer: name(peer),
                because: *because,
                since: since.map(|since| SinceLine {
                    packet: since.packet.map(|packet| packet.name().to_owned()),
                    at_ms: since.at,
                    due_ms: since.due,
                }),
            },
            EventKind::Delivered { node, message } => {
                let item = Transmission::from(Packet::Publish(Arc::clone(message)));
                match ItemLine::of(None, &item, versions) {
                    Some(item) => KindLine::Delivered { node: name(node), item },
                    None => KindLine::DeliveredMalformed {
                        node: name(node),
                        topic: message.topic.to_string(),
                        payload: hex(&message.payload),
                        qos: message.qos as u8,
                        retain: message.retain,
                        dup: message.dup,
                        id: message.packet_id.map(PacketId::get),
                    },
                }
            }
            EventKind::Connected { node, session_present } => {
                KindLine::Connected { node: name(node), session_present: *session_present }
            }
            EventKind::Holds { node, held: Held::Session(client_id, session) } => {
                KindLine::HoldsSession { node: name(node), client_id: client_id.clone(), session: *session }
            }
            EventKind::Holds { node, held: Held::Retained(retained) } => {
                KindLine::HoldsRetained { node: name(node), retained: *retained }
            }
            EventKind::StepFailed { step, why } => KindLine::StepFailed { step: step.0, text: why.clone() },
            EventKind::FaultHit { step } => KindLine::FaultHit { step: step.0 },
        };
        Some(Self { at_ms: event.at, kind })
    }

    /// Returns the event that was written.
    ///
    /// # Errors
    /// Says what makes no sense.
    pub(super) fn event(self, ids: &BTreeMap<String, NodeId>) -> Result<Event, String> {
        let id = |name: String| match ids.get(&name) {
            Some(id) => Ok(*id),
            None => Err(format!("no node has the name `{name}`")),
        };
        let kind = match self.kind {
            KindLine::Step { step, text } => EventKind::Step { step: StepId(step), text },
            KindLine::Mark { text } => EventKind::Mark(text),
            KindLine::Node { node, fault } => EventKind::Node { node: id(node)?, change: fault },
            KindLine::Sent { connection, node, peer, item, arrival_ms } => EventKind::Sent {
                connection: ConnectionId(connection),
                from: id(node)?,
                to: id(peer)?,
                item: item.item()?,
                arrival: arrival_ms,
            },
            KindLine::Received { connection, node, peer, item, sent } => EventKind::Received {
                connection: ConnectionId(connection),
                from: id(peer)?,
                to: id(node)?,
                item: item.item()?,
                sent,
            },
            KindLine::Established { connection, node } => {
                EventKind::Established { connection: ConnectionId(connection), node: id(node)? }
            }
            KindLine::Closing { connection, node, peer, because, since } => EventKind::Closing {
                node: id(node)?,
                peer: id(peer)?,
                connection: ConnectionId(connection),
                because,
                since: since.map(SinceLine::since).transpose()?,
            },
            KindLine::Delivered { node, item } => match item.item()?.packet() {
                Some(Packet::Publish(message)) => {
                    EventKind::Delivered { node: id(node)?, message: Arc::clone(message) }
                }
                _ => return Err("what is delivered is no PUBLISH".to_owned()),
            },
            KindLine::DeliveredMalformed { node, topic, payload, qos, retain, dup, id: packet_id } => {
                let message = Publish {
                    topic: topic.into(),
                    payload: from_hex(&payload).ok_or("`payload` is not an even number of hex digits")?,
                    qos: QoS::new(qos).ok_or("`qos` is 0, 1 or 2")?,
                    retain,
                    dup,
                    packet_id: packet_id.and_then(PacketId::new),
                    ..Publish::default()
                };
                EventKind::Delivered { node: id(node)?, message: message.into() }
            }
            KindLine::Connected { node, session_present } => EventKind::Connected { node: id(node)?, session_present },
            KindLine::HoldsSession { node, client_id, session } => {
                EventKind::Holds { node: id(node)?, held: Held::Session(client_id, session) }
            }
            KindLine::HoldsRetained { node, retained } => {
                EventKind::Holds { node: id(node)?, held: Held::Retained(retained) }
            }
            KindLine::StepFailed { step, text } => EventKind::StepFailed { step: StepId(step), why: text },
            KindLine::FaultHit { step } => EventKind::FaultHit { step: StepId(step) },
        };
        Ok(Event { at: self.at_ms, kind })
    }
}

impl ItemLine {
    fn of(connection: Option<ConnectionId>, item: &Transmission, versions: &mut Versions) -> Option<Self> {
        let without = |wire| Self { item: item_word(item).to_owned(), fields: BTreeMap::new(), mqtt: None, wire };
        Some(match item {
            Transmission::Packet(packet) => {
                let (version, wire) = versions.encode(connection, packet)?;
                let shown = fields(packet).into_iter().filter(|field| field.is_present || !field.is_default);
                Self {
                    item: packet.packet_type().name().to_owned(),
                    fields: shown.map(|field| (field.name, json(&field.value, usize::MAX))).collect(),
                    mqtt: Some(version.to_string()),
                    wire: Some(wire),
                }
            }
            Transmission::Bytes(bytes) => without(Some(hex(bytes))),
            Transmission::WebSocket(item) => without(Some(hex(item.bytes()))),
            Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => without(None),
        })
    }

    fn item(self) -> Result<Transmission, String> {
        let without = [Transmission::Open, Transmission::Fin, Transmission::Rst, Transmission::TimedOut];
        if let Some(item) = without.into_iter().find(|item| item_word(item) == self.item) {
            return Ok(item);
        }
        let packet_type = PacketType::ALL.into_iter().find(|packet_type| packet_type.name() == self.item);
        let is_websocket = WebSocketItem::of(&self.item, &Bytes::new()).is_some();
        if packet_type.is_none() && !is_websocket && self.item != "bytes" {
            let words = "a packet type in capitals, `open`, `bytes`, `FIN`, `RST`, `timed out`, or `HTTP request`, \
                         `HTTP response`, `text frame`, `close frame`, `ping frame` or `pong frame`";
            return Err(format!("`item` is `{}`; it can be {words}", self.item));
        }
        let wire = self.wire.as_deref().ok_or_else(|| format!("`{}` has no `wire`", self.item))?;
        let wire = from_hex(wire).ok_or("`wire` is not an even number of hex digits")?;
        let Some(packet_type) = packet_type else {
            let item = WebSocketItem::of(&self.item, &wire);
            return Ok(item.map_or(Transmission::Bytes(wire), |item| Transmission::WebSocket(Arc::new(item))));
        };
        let named = self.mqtt.as_deref().unwrap_or_default();
        let version = Version::ALL.into_iter().find(|version| version.to_string() == named);
        let version = version.ok_or_else(|| format!("`mqtt` is `{named}`; it can be `3.1.1` or `5.0`"))?;
        match packet_of(&wire, version) {
            Some(packet) if packet.packet_type() == packet_type => Ok(packet.into()),
            _ => Err(format!("`wire` is no {} of version {version}", packet_type.name())),
        }
    }
}

impl SinceLine {
    fn since(self) -> Result<Since, String> {
        let packet = self.packet.map(|name| {
            let found = PacketType::ALL.into_iter().find(|packet_type| packet_type.name() == name);
            found.ok_or_else(|| format!("`packet` is `{name}`, which is no type of a packet"))
        });
        Ok(Since { packet: packet.transpose()?, at: self.at_ms, due: self.due_ms })
    }
}

/// Returns the value of a field as JSON: intervals are seconds, bytes are hex. A text of more than `longest` characters
/// is cut, with a note of its length.
pub fn json(value: &Value, longest: usize) -> Json {
    match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Number(value) => Json::from(*value),
        Value::Text(text) => Json::String(match text.char_indices().nth(longest) {
            Some((end, _)) => format!("{}... {} bytes", &text[..end], text.len()),
            None => text.clone(),
        }),
        Value::Bytes(bytes) => {
            let shown = &bytes[..bytes.len().min(longest / 2)];
            let more = if shown.len() < bytes.len() { format!("... {} bytes", bytes.len()) } else { String::new() };
            Json::String(hex(shown) + &more)
        }
        Value::Duration(value) if value.subsec_millis() == 0 => Json::from(value.as_secs()),
        Value::Duration(value) => Json::from(value.as_secs_f64()),
        Value::List(values) => Json::Array(values.iter().map(|value| json(value, longest)).collect()),
    }
}

/// Times in milliseconds: a number, or a text with a fraction where it is not whole.
pub(crate) mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged, expecting = "expected milliseconds: a whole number, or a text such as \"7.000250\"")]
    pub(crate) enum Milliseconds {
        Whole(u64),
        Exact(String),
    }

    impl From<Duration> for Milliseconds {
        fn from(time: Duration) -> Self {
            let (ms, rest) = (time.as_millis(), time.subsec_nanos() % 1_000_000);
            match u64::try_from(ms) {
                Ok(ms) if rest == 0 => Self::Whole(ms),
                _ => Self::Exact(format!("{ms}.{rest:06}")),
            }
        }
    }

    impl Milliseconds {
        pub(crate) fn time(&self) -> Option<Duration> {
            match self {
                Self::Whole(ms) => Some(Duration::from_millis(*ms)),
                Self::Exact(text) => {
                    let (ms, rest) = text.split_once('.')?;
                    let is_exact = [ms, rest].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
                    let nanos: u64 = rest.parse().ok().filter(|_| is_exact && rest.len() == 6)?;
                    let ms: u64 = ms.parse().ok()?;
                    Duration::from_millis(ms).checked_add(Duration::from_nanos(nanos))
                }
            }
        }
    }

    pub(crate) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        Milliseconds::from(*time).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let read = Milliseconds::deserialize(from)?;
        read.time().ok_or_else(|| serde::de::Error::custom("milliseconds have six decimals, or none"))
    }
}

/// [`duration`] where there may be none.
pub(crate) mod optional_duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::duration::Milliseconds;

    pub(crate) fn serialize<S: Serializer>(time: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
        time.map(Milliseconds::from).serialize(to)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        let Some(read) = Option::<Milliseconds>::deserialize(from)? else { return Ok(None) };
        let time = read.time().ok_or_else(|| serde::de::Error::custom("milliseconds have six decimals, or none"));
        time.map(Some)
    }
}
