use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::load::ms;
use crate::plan::{NodeId, Value};
use crate::trace::{Event, EventKind, Transmission, details, fields, item_word, json, since_text};

/// Maximum length of a text that is kept, in bytes.
const LONGEST: usize = 1024;

/// An event of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct EventRecord {
    /// The index in the trace.
    pub index: usize,
    /// Virtual time since the start of the run, in milliseconds.
    pub at_ms: u64,
    /// `step`, `mark`, `node`, `sent`, `received`, `established`, `closing`, `delivered`, `connected`, `step_failed`,
    /// `fault_hit`, or `other`.
    pub kind: String,
    /// The event, in a line.
    pub text: String,
    /// The node it happens at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// The other end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The connection, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// The control packet, or `open`, `bytes`, `FIN`, `RST`, `timed out`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<String>,
    /// The fields of a packet that are present or not at their default; long texts are cut.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Json>,
    /// The time of arrival of what was sent, if it arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arrival_ms: Option<u64>,
    /// The lateness of a close by a deadline, in milliseconds; less than 0 if it comes early.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin_ms: Option<i64>,
    /// The index of the event that let this one happen, as far as that shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<usize>,
    /// The line of the scenario that it goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

impl EventRecord {
    /// Describes an event; cause and line are yet to be filled in.
    pub(crate) fn new(name: impl Fn(NodeId) -> String, index: usize, event: &Event) -> Self {
        let name = |node: &NodeId| Some(name(*node));
        let mut record = Self { index, at_ms: ms(event.at), ..Self::default() };
        match &event.kind {
            EventKind::Step { text, .. } => record.say("step", text.clone()),
            EventKind::Mark(mark) => record.say("mark", mark.clone()),
            EventKind::Node { node, change } => {
                record.node = name(node);
                record.say("node", change.statement().to_owned());
            }
            EventKind::Sent { connection, from, to, item, arrival } => {
                (record.node, record.peer, record.connection) = (name(from), name(to), Some(connection.0));
                record.arrival_ms = arrival.map(ms);
                record.item("sent", item);
            }
            EventKind::Received { connection, from, to, item, .. } => {
                (record.node, record.peer, record.connection) = (name(to), name(from), Some(connection.0));
                record.item("received", item);
            }
            EventKind::Established { connection, node } => {
                (record.node, record.connection) = (name(node), Some(connection.0));
                record.say("established", "the connection is up".to_owned());
            }
            EventKind::Closing { node, peer, connection, because, since } => {
                (record.node, record.peer, record.connection) = (name(node), name(peer), Some(connection.0));
                record.margin_ms = since.map(|since| margin_ms(event.at, since.due));
                let since = since.map(|since| format!(": {}", since_text(event.at, since))).unwrap_or_default();
                record.say("closing", format!("closes, {}{since}", because.word()));
            }
            EventKind::Delivered { node, message } => {
                record.node = name(node);
                record.item("delivered", &Transmission::from(halfopen_protocol::Packet::Publish(Arc::clone(message))));
            }
            EventKind::Connected { node, session_present } => {
                record.node = name(node);
                record.say("connected", format!("is connected, session_present={session_present}"));
            }
            EventKind::StepFailed { why, .. } => record.say("step_failed", why.clone()),
            EventKind::FaultHit { .. } => record.say("fault_hit", "the fault meets something".to_owned()),
            EventKind::Holds { node, held } => {
                record.node = name(node);
                record.say("other", format!("{held:?}"));
            }
        }
        record
    }

    fn say(&mut self, kind: &str, text: String) {
        kind.clone_into(&mut self.kind);
        self.text = text;
    }

    fn item(&mut self, kind: &str, item: &Transmission) {
        match item {
            Transmission::Packet(packet) => {
                self.item = Some(packet.packet_type().to_string());
                let shown = fields(packet).into_iter().filter(|field| field.is_present || !field.is_default);
                self.fields = shown.map(|field| (field.name.to_owned(), json(&field.value, LONGEST))).collect();
                self.say(kind, format!("{} {}", packet.packet_type(), details(packet)).trim_end().to_owned());
            }
            Transmission::Bytes(bytes) => {
                self.item = Some("bytes".to_owned());
                self.fields.insert("bytes".to_owned(), json(&Value::Bytes(bytes.clone()), LONGEST));
                self.say(kind, format!("{} bytes that make no packet", bytes.len()));
            }
            Transmission::WebSocket(item) => {
                self.item = Some(item.word().to_owned());
                self.say(kind, format!("{} {}", item.word(), item.details()).trim_end().to_owned());
            }
            _ => {
                self.item = Some(item_word(item).to_owned());
                self.say(kind, item_word(item).to_owned());
            }
        }
    }
}

/// Returns how much later than due, less than 0 if earlier.
fn margin_ms(at: Duration, due: Duration) -> i64 {
    let difference = |later: Duration, earlier| i64::try_from(later.saturating_sub(earlier).as_millis());
    difference(at, due).unwrap_or(i64::MAX) - difference(due, at).unwrap_or(i64::MAX)
}
