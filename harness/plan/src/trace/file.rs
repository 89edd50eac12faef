//! A trace as a file: JSON, one event a line, which can be read back.
//!
//! A packet is kept as the bytes of the standard, so that reading gives the very packet that was written, in whatever
//! words later versions name its fields. The fields that stand beside them are for readers, and are not read back. All
//! lines name nodes by their names. `docs/report-format.md` documents the keys.
//!
//! ```text
//! {"format":"halfopen-trace","version":1,"run":"keep_alive/silent_client[5.0]","seed":1,"nodes":["broker","sensor"]}
//! {"at_ms":0,"kind":"step","step":0,"text":"sensor: stop_pinging"}
//! {"at_ms":20,"kind":"sent","connection":0,"node":"sensor","peer":"broker","item":"PINGREQ","mqtt":"5.0","wire":"c000"}
//! {"end_ms":8540,"events":2}
//! ```

mod line;
mod wire;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::line::json;
pub(crate) use self::line::optional_duration;
use self::line::{EventLine, duration};
pub use self::wire::{from_hex, hex, packet_bytes};
use super::{Event, EventKind, Trace};
use crate::{NodeId, Plan};

/// The name of the format.
const FORMAT: &str = "halfopen-trace";
/// The version.
const FORMAT_VERSION: u32 = 1;
/// Maximum number of errors of a file that are told one by one.
const ERRORS: usize = 20;

/// A trace with the names of what its events refer to, so that it can be read without its plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFile {
    /// The name of the run: `keep_alive/silent_client[5.0]`.
    pub run: String,
    /// The seed of everything random in it.
    pub seed: u64,
    /// The names of the nodes; a [`NodeId`] is an index into this list.
    pub nodes: Vec<String>,
    /// The events.
    pub trace: Trace,
}

/// The reason for which a file is not a trace: all errors in it, each with its line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceFileError {
    /// The errors, in the order of the lines.
    pub errors: Vec<TraceLineError>,
}

/// An error in one line of a trace file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TraceLineError {
    /// The line, from 1.
    pub line: usize,
    /// Description of the error.
    pub why: String,
}

/// Reports that a packet of a trace has no encoding. Packets that were decoded from bytes have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoEncoding {
    /// The index of the event.
    pub event: usize,
}

/// The first line of a trace.
#[derive(Serialize, Deserialize)]
struct Head {
    format: String,
    version: u32,
    run: String,
    seed: u64,
    nodes: Vec<String>,
}

/// The last line of a trace.
#[derive(Serialize, Deserialize)]
struct End {
    #[serde(with = "duration")]
    end_ms: Duration,
    events: usize,
}

impl TraceFile {
    /// Names what the events of a trace refer to.
    pub fn new(plan: &Plan, trace: Trace) -> Self {
        let nodes = plan.nodes.iter().map(|node| node.name.clone()).collect();
        Self { run: plan.run.to_string(), seed: plan.seed.0, nodes, trace }
    }

    /// Returns the name of a node.
    pub fn name(&self, node: NodeId) -> &str {
        self.nodes.get(node.0).map_or("?", String::as_str)
    }

    /// Returns the lines of the file, a line break behind each.
    ///
    /// # Errors
    /// If a packet has no encoding.
    pub fn write(&self) -> Result<String, NoEncoding> {
        let mut text = String::new();
        let (run, nodes) = (self.run.clone(), self.nodes.clone());
        push(&mut text, &Head { format: FORMAT.to_owned(), version: FORMAT_VERSION, run, seed: self.seed, nodes });
        let mut versions = wire::Versions::default();
        for (index, event) in self.trace.events.iter().enumerate() {
            let line = EventLine::of(event, &self.nodes, &mut versions).ok_or(NoEncoding { event: index })?;
            push(&mut text, &line);
        }
        push(&mut text, &End { end_ms: self.trace.end, events: self.trace.events.len() });
        Ok(text)
    }

    /// Reads the traces of a file; there may be several, one behind the other.
    ///
    /// # Errors
    /// Returns all that is wrong with the file.
    pub fn read(text: &str) -> Result<Vec<Self>, TraceFileError> {
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(text.lines()) {
            if line.trim().is_empty() {
                continue;
            }
            if let Err(why) = reader.line(line) {
                reader.open.iter_mut().for_each(|open| open.is_broken = true);
                reader.errors.push(TraceLineError { line: number, why });
            }
        }
        let last = text.lines().count().max(1);
        if reader.open.is_some() {
            let why = "the trace has no end: its last line, with `end_ms`, is missing".to_owned();
            reader.errors.push(TraceLineError { line: last, why });
        } else if reader.traces.is_empty() && reader.errors.is_empty() {
            reader.errors.push(TraceLineError { line: last, why: "there is no trace in it".to_owned() });
        }
        if reader.errors.is_empty() { Ok(reader.traces) } else { Err(TraceFileError { errors: reader.errors }) }
    }
}

/// Appends a line. What is written here has neither maps with keys that are no text nor writers that fail.
fn push(text: &mut String, line: &impl Serialize) {
    text.push_str(&serde_json::to_string(line).unwrap_or_default());
    text.push('\n');
}

/// Takes a file line by line.
#[derive(Default)]
struct Reader {
    traces: Vec<TraceFile>,
    /// The trace whose end is yet to come.
    open: Option<OpenTrace>,
    /// True if a trace was given up, so that nothing can be said about the lines before the next one.
    is_lost: bool,
    errors: Vec<TraceLineError>,
}

/// A trace of which some lines have been read.
struct OpenTrace {
    file: TraceFile,
    ids: BTreeMap<String, NodeId>,
    /// True if a line of it could not be read, so that the indices of events mean nothing.
    is_broken: bool,
}

impl Reader {
    fn line(&mut self, line: &str) -> Result<(), String> {
        let value: serde_json::Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
        let Some(keys) = value.as_object() else { return Err("no JSON object".to_owned()) };
        if keys.contains_key("format") {
            self.is_lost = true;
            let unfinished = self.open.take().is_some();
            self.open = Some(head(value)?);
            self.is_lost = false;
            return if unfinished { Err("the trace before this one has no end".to_owned()) } else { Ok(()) };
        }
        let Some(open) = &mut self.open else {
            let why = "it belongs to no trace: the line with `format` must come first";
            return if std::mem::replace(&mut self.is_lost, true) { Ok(()) } else { Err(why.to_owned()) };
        };
        if keys.contains_key("end_ms") {
            let end = open.end(value);
            self.traces.extend(self.open.take().map(|open| open.file));
            return end;
        }
        let read = serde_json::from_value(value).map_err(|error| error.to_string());
        let event = read.and_then(|line: EventLine| line.event(&open.ids)).and_then(|event| open.check(event))?;
        open.file.trace.events.push(event);
        Ok(())
    }
}

fn head(value: serde_json::Value) -> Result<OpenTrace, String> {
    let head: Head = serde_json::from_value(value).map_err(|error| error.to_string())?;
    if head.format != FORMAT || head.version != FORMAT_VERSION {
        let Head { format, version, .. } = head;
        return Err(format!(
            "format `{format}` version {version}; this program knows `{FORMAT}` version {FORMAT_VERSION}"
        ));
    }
    let ids: BTreeMap<String, NodeId> =
        (0..).map(NodeId).zip(&head.nodes).map(|(id, name)| (name.clone(), id)).collect();
    if ids.len() < head.nodes.len() {
        return Err("two nodes have one name".to_owned());
    }
    let file = TraceFile { run: head.run, seed: head.seed, nodes: head.nodes, trace: Trace::default() };
    Ok(OpenTrace { file, ids, is_broken: false })
}

impl OpenTrace {
    /// Returns the event if it can follow those that were read before.
    fn check(&self, event: Event) -> Result<Event, String> {
        let events = &self.file.trace.events;
        if let Some(last) = events.last().filter(|last| last.at > event.at) {
            return Err(format!("`at_ms` is less than that of the line before, {}", last.at.as_millis()));
        }
        if let EventKind::Received { sent: Some(sent), .. } = &event.kind
            && !self.is_broken
            && !matches!(events.get(*sent), Some(Event { kind: EventKind::Sent { .. }, .. }))
        {
            return Err(format!("`sent` is {sent}, which is not the index of an earlier event of the kind `sent`"));
        }
        Ok(event)
    }

    fn end(&mut self, value: serde_json::Value) -> Result<(), String> {
        let end: End = serde_json::from_value(value).map_err(|error| error.to_string())?;
        let trace = &mut self.file.trace;
        trace.end = end.end_ms;
        if !self.is_broken && end.events != trace.events.len() {
            return Err(format!("`events` is {}, but there are {}", end.events, trace.events.len()));
        }
        match trace.events.last() {
            Some(last) if last.at > end.end_ms => Err("the trace ends before its last event".to_owned()),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for TraceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for error in self.errors.iter().take(ERRORS) {
            let _ = writeln!(text, "line {}: {}", error.line, error.why);
        }
        if self.errors.len() > ERRORS {
            let _ = writeln!(text, "and {} lines more", self.errors.len() - ERRORS);
        }
        f.write_str(text.trim_end())
    }
}

impl std::error::Error for TraceFileError {}

impl fmt::Display for NoEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the packet of event {} has no encoding", self.event)
    }
}

impl std::error::Error for NoEncoding {}

#[cfg(test)]
mod tests;
