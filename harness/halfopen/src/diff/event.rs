use crate::report::model::EventRecord;
use crate::trace::{EventKind, TraceFile, Transmission, causes};
use std::sync::Arc;

/// An event as it is compared with another one.
#[derive(Clone, Debug)]
pub(super) struct Compared {
    record: EventRecord,
    /// The transmission in full; a report has it in short.
    item: Option<Transmission>,
    /// The event that let it happen, as far as that shows: in words.
    cause: Option<String>,
}

/// Returns what is compared of a trace.
pub(super) fn of_trace(file: &TraceFile) -> Vec<Compared> {
    let mut records: Vec<EventRecord> = Vec::new();
    for ((index, event), cause) in file.trace.events.iter().enumerate().zip(causes(&file.trace)) {
        let record = EventRecord::new(|node| file.name(node).to_owned(), index, event);
        records.push(EventRecord { cause, ..record });
    }
    let item = |record: &EventRecord| match &file.trace.events.get(record.index)?.kind {
        EventKind::Sent { item, .. } | EventKind::Received { item, .. } => Some(item.clone()),
        EventKind::Delivered { message, .. } => {
            Some(Transmission::from(halfopen_protocol::Packet::Publish(Arc::clone(message))))
        }
        _ => None,
    };
    compared(&records, item)
}

/// Returns what is compared of the events of a report.
pub(super) fn of_records(records: &[EventRecord]) -> Vec<Compared> {
    compared(records, |_| None)
}

fn compared(records: &[EventRecord], item: impl Fn(&EventRecord) -> Option<Transmission>) -> Vec<Compared> {
    let cause_of = |record: &EventRecord| {
        let cause = records.get(record.cause?)?;
        // Where something was received, what was sent says it, too.
        let sent = cause.cause.filter(|_| cause.kind == "received").and_then(|sent| records.get(sent));
        Some(sent.unwrap_or(cause))
    };
    let follows = |record: &EventRecord| match record.kind.as_str() {
        "received" => record.cause.is_some(),
        "established" => true,
        "delivered" | "connected" => {
            record.cause.and_then(|cause| records.get(cause)).is_some_and(|cause| cause.kind == "received")
        }
        _ => false,
    };
    let compared = records.iter().filter(|record| !follows(record));
    compared
        .map(|record| Compared { item: item(record), cause: cause_of(record).map(shown), record: record.clone() })
        .collect()
}

impl Compared {
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let (a, b) = (&self.record, &other.record);
        let same_item = self.item.is_none() || other.item.is_none() || self.item == other.item;
        (a.at_ms, a.arrival_ms, &a.kind, &a.text) == (b.at_ms, b.arrival_ms, &b.kind, &b.text)
            && (&a.node, &a.peer, a.connection, &a.fields) == (&b.node, &b.peer, b.connection, &b.fields)
            && same_item
    }

    /// Says what happened without times: neither when, nor how long something travelled, nor the times of a time-out.
    pub(super) fn words(&self) -> String {
        let EventRecord { kind, text, node, peer, connection, fields, .. } = &self.record;
        // What a packet holds is not when it was.
        let is_packet = self.record.item.is_some();
        let words: Vec<&str> = text.split_whitespace().filter(|word| is_packet || !is_time(word)).collect();
        format!("{kind} {node:?} {peer:?} {connection:?} {} {fields:?} {:?}", words.join(" "), self.item)
    }

    pub(super) fn shown(&self) -> String {
        shown(&self.record)
    }

    pub(super) fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }
}

/// `0.020 sensor -> broker CONNECT client_id=sensor (10 ms)`.
fn shown(record: &EventRecord) -> String {
    let EventRecord { at_ms, kind, text, node, peer, .. } = record;
    let at = seconds(*at_ms);
    let [node, peer] = [node, peer].map(|name| name.as_deref().unwrap_or("?"));
    match kind.as_str() {
        "sent" => match record.arrival_ms {
            Some(arrival) => format!("{at} {node} -> {peer} {text} ({} ms)", arrival.saturating_sub(*at_ms)),
            None => format!("{at} {node} -> {peer} {text} (never arrives)"),
        },
        "received" => format!("{at} {node} receives from {peer} {text}"),
        "closing" => format!("{at} {node} closes {peer}{}", text.strip_prefix("closes").unwrap_or(text)),
        "delivered" => format!("{at} {node} delivers {text}"),
        _ if record.node.is_some() => format!("{at} {node} {text}"),
        _ => format!("{at} {text}"),
    }
}

/// Seconds with three decimals.
pub(super) fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Returns whether a word is a time: `7.500`, `+3599.980`, `30`, `-0.001`.
fn is_time(word: &str) -> bool {
    let digits = word.trim_end_matches([',', ')']).trim_start_matches(['+', '-']);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}
