use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::Packet;

use super::members::{Member, Members, masked};
use super::value::{field_text, hex};
use crate::trace::{Event, EventKind, Since, Trace, Transmission, fields};
use crate::{NodeFault, NodeId, Plan, StepId};

/// A line of text without its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// The index in the trace.
    pub(super) event: usize,
    pub(super) at: Duration,
    pub(super) is_heading: bool,
    pub(super) text: String,
    /// The member of a group that it is about.
    pub(super) member: Option<Member>,
    /// The members that the line stands for, if it is folded.
    pub(super) members: Option<Members>,
}

/// Width of the column of travel times.
pub(super) const TRAVEL: usize = 6;

/// Returns all lines of a trace that say something which no other line says.
pub(super) fn lines(plan: &Plan, trace: &Trace) -> Vec<Line> {
    let mut writer = Writer { plan, trace, heading: None, begun: BTreeMap::new(), masked: None };
    trace
        .events
        .iter()
        .enumerate()
        .filter_map(|(index, event)| {
            let line = |is_heading, text: &str| Line {
                event: index,
                at: event.at,
                is_heading,
                text: text.trim_end().to_owned(),
                member: None,
                members: None,
            };
            match &event.kind {
                EventKind::Step { step, text } => {
                    writer.heading = Some(Heading { at: event.at, text });
                    writer.begun.insert(*step, event.at);
                    Some(line(true, text))
                }
                _ => {
                    let shown = line(false, &writer.text(index, event)?);
                    let member = writer.member(index, event);
                    Some(Line { member, ..shown })
                }
            }
        })
        .collect()
}

struct Writer<'a> {
    plan: &'a Plan,
    trace: &'a Trace,
    /// The latest heading.
    heading: Option<Heading<'a>>,
    /// Time at which each step began the last time.
    begun: BTreeMap<StepId, Duration>,
    /// The node whose number is not shown.
    masked: Option<NodeId>,
}

struct Heading<'a> {
    at: Duration,
    text: &'a str,
}

impl Writer<'_> {
    /// Returns the member of a group that an event is about, if it is about one.
    fn member(&mut self, index: usize, event: &Event) -> Option<Member> {
        let is_member = |node: &NodeId| masked(&self.plan.node(*node).name).is_some();
        self.masked = Some(event.nodes().into_iter().flatten().find(is_member)?);
        let text = self.text(index, event);
        let name = &self.plan.node(self.masked.take()?).name;
        Member::new(name, text?.trim_end())
    }

    fn text(&self, index: usize, event: &Event) -> Option<String> {
        match &event.kind {
            EventKind::Sent { from, to, item, arrival, .. } => Some(self.sent(event.at, *from, *to, item, *arrival)),
            EventKind::Received { from, to, item, sent: None, .. } => Some(self.made_by_the_world(*from, *to, item)),
            EventKind::Closing { node, peer, because, since, .. } => {
                let cause = since.map_or_else(
                    || because.word().to_owned(),
                    |since| format!("{}: {}", because.word(), since_text(event.at, since)),
                );
                Some(self.statement(*node, &format!("closes {}", self.name(*peer)), &cause))
            }
            EventKind::Delivered { node, message } => {
                // Mostly a message is delivered when it arrives, and its PUBLISH has a line.
                let arrived = |event: &Event| {
                    matches!(received(event, *node), Some(Packet::Publish(publish))
                        if publish.topic == message.topic && publish.payload == message.payload)
                };
                let packet = Packet::Publish(Arc::clone(message));
                (!self.just_before(index, event.at, arrived))
                    .then(|| self.statement(*node, "delivers", &details(&packet)))
            }
            EventKind::Connected { node, session_present } => {
                let is_connack = |event: &Event| matches!(received(event, *node), Some(Packet::ConnAck(_)));
                let session = if *session_present { "session_present=true" } else { "" };
                (!self.just_before(index, event.at, is_connack)).then(|| self.statement(*node, "is connected", session))
            }
            EventKind::Node { node, change } => {
                (!self.heading_says(*node, *change, event.at)).then(|| self.statement(*node, change.statement(), ""))
            }
            EventKind::StepFailed { step, why } => {
                let step = self.plan.step(*step).map_or("", |step| step.text.as_str());
                Some(format!("        step failed: {step}: {why}"))
            }
            EventKind::FaultHit { step } => self.fault(*step, event.at),
            EventKind::Step { .. }
            | EventKind::Mark(_)
            | EventKind::Established { .. }
            | EventKind::Holds { .. }
            | EventKind::Received { sent: Some(_), .. } => None,
        }
    }

    fn sent(&self, at: Duration, from: NodeId, to: NodeId, item: &Transmission, arrival: Option<Duration>) -> String {
        let travel = match arrival {
            Some(arrival) => arrival.saturating_sub(at).as_millis().to_string(),
            None => {
                let link = self.plan.link(from, to);
                let is_under_way = at + link.latency + link.jitter > self.trace.end;
                if is_under_way { "held" } else { "lost" }.to_owned()
            }
        };
        let ends = format!("{travel:>6}  {:<8} -> {:<8}  ", self.name(from), self.name(to));
        match item {
            Transmission::Packet(packet) => format!("{ends}{:<10}  {}", packet.packet_type(), details(packet)),
            Transmission::Bytes(bytes) => {
                let mut text = format!("{ends}{:<10}  ", "bytes");
                hex(&mut text, bytes, " ");
                text
            }
            Transmission::WebSocket(item) => format!("{ends}{:<10}  {}", item.word(), item.details()),
            Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => {
                format!("{ends}{}", item_word(item))
            }
        }
    }

    /// Returns what arrived without having been sent: the end of a socket in the eyes of its node.
    fn made_by_the_world(&self, from: NodeId, to: NodeId, item: &Transmission) -> String {
        let cause = if *item == Transmission::TimedOut { "no answer for too long" } else { item_word(item) };
        self.statement(to, &format!("loses {}", self.name(from)), cause)
    }

    /// Returns what a node does or says that is no packet.
    fn statement(&self, node: NodeId, what: &str, details: &str) -> String {
        format!("{:6}  {:<8} {what:<24} {details}", "", self.name(node))
    }

    /// Returns whether something of this kind happened at the same instant, before the event at `index`.
    fn just_before(&self, index: usize, at: Duration, is_it: impl Fn(&Event) -> bool) -> bool {
        self.trace.events[..index].iter().rev().take_while(|event| event.at == at).any(is_it)
    }

    /// Returns whether the heading has told just now what happens to the node.
    fn heading_says(&self, node: NodeId, change: NodeFault, at: Duration) -> bool {
        let word = change.word();
        let name = self.name(node);
        let group = name.split('.').next().unwrap_or(&name);
        self.heading
            .as_ref()
            .is_some_and(|heading| heading.at == at && heading.text.starts_with(group) && heading.text.contains(word))
    }

    /// The fault of a step meets something: worth a line unless it does so at once.
    fn fault(&self, step: StepId, at: Duration) -> Option<String> {
        let is_now = self.begun.get(&step) == Some(&at);
        let step = self.plan.step(step).map_or("a fault", |step| step.text.as_str());
        (!is_now).then(|| format!("        first hit by {step}"))
    }

    fn name(&self, node: NodeId) -> Cow<'_, str> {
        let name = &self.plan.node(node).name;
        let is_masked = self.masked == Some(node);
        is_masked.then(|| masked(name)).flatten().map_or(Cow::Borrowed(name), Cow::Owned)
    }
}

/// Returns the fields of a packet that differ from their defaults, as a trace prints them.
pub fn details(packet: &Packet) -> String {
    let fields = fields(packet);
    fields.iter().filter(|field| !field.is_default).map(field_text).collect::<Vec<_>>().join(" ")
}

/// "7.500 since CONNECT, margin 0": margin is how much later than due it comes.
pub fn since_text(at: Duration, since: Since) -> String {
    let elapsed = at.saturating_sub(since.at).as_secs_f64();
    let margin = match (at.checked_sub(since.due), since.due.checked_sub(at)) {
        (Some(Duration::ZERO), _) => "0".to_owned(),
        (Some(late), _) => format!("+{:.3}", late.as_secs_f64()),
        (None, Some(early)) => format!("-{:.3}", early.as_secs_f64()),
        (None, None) => "0".to_owned(),
    };
    let from = since.packet.map_or_else(|| item_word(&Transmission::Open).to_owned(), |packet| packet.to_string());
    format!("{elapsed:.3} since {from}, margin {margin}")
}

/// Returns the word for what is transmitted where it is no packet.
pub fn item_word(item: &Transmission) -> &'static str {
    match item {
        Transmission::Open => "open",
        Transmission::Fin => "FIN",
        Transmission::Rst => "RST",
        Transmission::TimedOut => "timed out",
        Transmission::Packet(_) => "packet",
        Transmission::Bytes(_) => "bytes",
        Transmission::WebSocket(item) => item.word(),
    }
}

/// Returns the packet that a node receives in an event, if it is about one.
fn received(event: &Event, node: NodeId) -> Option<&Packet> {
    match &event.kind {
        EventKind::Received { to, item, .. } if *to == node => item.packet(),
        _ => None,
    }
}
