//! What happens in a run, step by step: who closes, who dies, who is back, and how many messages arrive.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use super::{Explained, seconds};
use crate::plan::StepId;
use crate::trace::{Event, EventKind, Transmission, since_text};

/// Maximum number of repetitions of a step that are described.
const TIMES: usize = 3;

/// Maximum number of characters of the text of a step.
const WIDTH: usize = 120;

/// Things of one kind that happen one after the other.
struct Narration {
    first: Duration,
    last: Duration,
    times: usize,
    text: String,
}

impl Explained<'_> {
    pub(super) fn tale(&self, out: &mut String) -> fmt::Result {
        let mut begun: BTreeMap<StepId, usize> = BTreeMap::new();
        let mut told: Vec<Narration> = Vec::new();
        for event in &self.trace.events {
            if let EventKind::Step { step, text } = &event.kind {
                let times = begun.entry(*step).or_default();
                *times += 1;
                if *times <= TIMES {
                    flush(out, &mut told)?;
                    let more: String = text.chars().skip(WIDTH).take(1).map(|_| '…').collect();
                    let text: String = text.chars().take(WIDTH).collect();
                    writeln!(out, "  {:>10.3}  {text}{more}", event.at.as_secs_f64())?;
                }
            } else if let Some(text) = self.telling(event) {
                match told.iter_mut().rfind(|one| one.text == text) {
                    Some(one) => {
                        one.last = event.at;
                        one.times += 1;
                    }
                    None => told.push(Narration { first: event.at, last: event.at, times: 1, text }),
                }
            }
        }
        flush(out, &mut told)?;
        for (step, times) in begun.iter().filter(|(_, times)| **times > TIMES) {
            let line = self.plan.origins.step(*step).line;
            writeln!(out, "  {:>10}  line {line} comes {} times more", "", times - TIMES)?;
        }
        let end = seconds(self.trace.end);
        match &self.plan.until {
            Some(until) => writeln!(out, "  {:>10}  the run ends at {}, after {end}", "", until.text),
            None => {
                writeln!(out, "  {:>10}  the run ends after {end}, when everything below is decided, and 1s more", "")?;
                let waits = "for what does not come it waits as long as all times of this file together, and an hour";
                writeln!(out, "  {:>10}  {waits}; `until` sets another end", "")
            }
        }
    }

    /// Returns what is told of an event; packets that only keep the exchange going are not.
    fn telling(&self, event: &Event) -> Option<String> {
        Some(match &event.kind {
            EventKind::Node { node, change } => format!("{} {}", self.name(*node), change.statement()),
            EventKind::Connected { node, session_present } => {
                let session = if *session_present { ", and takes up its session" } else { "" };
                format!("{} is connected{session}", self.name(*node))
            }
            EventKind::Closing { node, peer, because, since, .. } => {
                let since = since.map(|since| format!(", {}", since_text(event.at, since))).unwrap_or_default();
                format!("{} closes {}: {}{since}", self.name(*node), self.name(*peer), because.word())
            }
            EventKind::Received { from, to, item, .. } => {
                let (from, to) = (self.name(*from), self.name(*to));
                match item {
                    Transmission::Fin => format!("{to} learns that {from} has closed"),
                    Transmission::Rst => format!("{to} learns that {from} has reset the connection, or never had it"),
                    Transmission::TimedOut => format!("{to} gives up: {from} does not acknowledge"),
                    Transmission::Packet(packet) => match &**packet {
                        halfopen_protocol::Packet::Publish(publish) => {
                            format!("{to} gets a message on {} from {from}", publish.topic)
                        }
                        _ => return None,
                    },
                    Transmission::Open | Transmission::Bytes(_) | Transmission::WebSocket(_) => return None,
                }
            }
            EventKind::StepFailed { why, .. } => format!("a step fails: {why}"),
            EventKind::FaultHit { step } => {
                format!("the fault of line {} meets something", self.plan.origins.step(*step).line)
            }
            _ => return None,
        })
    }
}

fn flush(out: &mut String, told: &mut Vec<Narration>) -> fmt::Result {
    for Narration { first, last, times, text } in told.drain(..) {
        let again = match times {
            1 => String::new(),
            times => format!(", {times} times until {:.3}", last.as_secs_f64()),
        };
        writeln!(out, "  {:>10}    {:.3}  {text}{again}", "", first.as_secs_f64())?;
    }
    Ok(())
}
