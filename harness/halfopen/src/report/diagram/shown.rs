//! What of a trace is drawn: all of it, except for what repeats and what is too much.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use halfopen_protocol::PacketType;

use super::lanes::Lanes;
use crate::plan::{NodeId, Plan};
use crate::trace::{Event, EventKind, Trace, Transmission, repetitions};

/// Number of events that are drawn at most: the first half and the last half of these.
const DRAWN: usize = 600;

/// A part of a trace that is not drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hidden {
    /// The events.
    pub(super) events: Range<usize>,
    /// Time at which it begins.
    pub(super) from: Duration,
    /// Time at which it is over.
    pub(super) to: Duration,
    /// The text in its place.
    pub(super) note: String,
}

/// The events that the members of a group do alike at one instant: they are drawn once, with a count.
#[derive(Debug, Default)]
pub(super) struct Alike {
    /// Number of events that an event stands for, if there are several.
    counts: BTreeMap<usize, usize>,
    /// The event that stands for each event that is not drawn.
    leaders: BTreeMap<usize, usize>,
}

/// The features by which two events look alike.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    Packet(PacketType),
    Tcp(&'static str),
    Received(&'static str),
    Closing(&'static str),
    Node(&'static str),
}

impl Alike {
    /// Looks for what the members of groups do alike.
    pub(super) fn of(trace: &Trace, lanes: &Lanes) -> Self {
        let mut alike = Self::default();
        if !lanes.is_grouped() {
            return alike;
        }
        let mut first = BTreeMap::new();
        for (index, event) in trace.events.iter().enumerate() {
            let Some((look, from, to)) = look(event) else { continue };
            let arrival = if let EventKind::Sent { arrival, .. } = event.kind { arrival } else { None };
            let leader = *first.entry((event.at, lanes.lane(from), lanes.lane(to), look, arrival)).or_insert(index);
            if leader != index {
                *alike.counts.entry(leader).or_insert(1) += 1;
                alike.leaders.insert(index, leader);
            }
        }
        alike
    }

    /// Returns the event that stands for this one, if it is not drawn itself.
    pub(super) fn leader(&self, index: usize) -> Option<usize> {
        self.leaders.get(&index).copied()
    }

    /// Returns the events that are not drawn, each with the one that stands for it.
    pub(super) fn leaders(&self) -> impl Iterator<Item = (usize, usize)> {
        self.leaders.iter().map(|(index, leader)| (*index, *leader))
    }

    /// Returns a text with the number of events for which this one stands.
    pub(super) fn counted(&self, index: usize, text: String) -> String {
        match self.counts.get(&index) {
            Some(count) => format!("{text} × {count}"),
            None => text,
        }
    }

    /// Returns whether this event stands for several.
    pub(super) fn is_many(&self, index: usize) -> bool {
        self.counts.contains_key(&index)
    }
}

fn look(event: &Event) -> Option<(Look, NodeId, NodeId)> {
    let word = |item: &Transmission| match item {
        Transmission::Open => "open",
        Transmission::Fin => "fin",
        Transmission::Rst => "rst",
        Transmission::TimedOut => "timed out",
        Transmission::WebSocket(item) => item.word(),
        Transmission::Packet(_) | Transmission::Bytes(_) => "data",
    };
    Some(match &event.kind {
        EventKind::Sent { from, to, item: Transmission::Packet(packet), .. } => {
            (Look::Packet(packet.packet_type()), *from, *to)
        }
        EventKind::Sent { item: Transmission::Bytes(_), .. } => return None,
        EventKind::Sent { from, to, item, .. } => (Look::Tcp(word(item)), *from, *to),
        EventKind::Received { from, to, item, sent: None, .. } => (Look::Received(word(item)), *from, *to),
        EventKind::Closing { node, peer, because, .. } => (Look::Closing(because.word()), *node, *peer),
        EventKind::Node { node, change } => (Look::Node(change.statement()), *node, *node),
        _ => return None,
    })
}

/// Returns all that is not drawn, in order.
pub(super) fn hidden(plan: &Plan, trace: &Trace, alike: &Alike) -> Vec<Hidden> {
    let repeated = repetitions(plan, trace).into_iter().filter(|repetition| !repetition.period.is_zero());
    let mut hidden: Vec<Hidden> = repeated
        .map(|repetition| Hidden {
            note: format!(
                "{} more like this, one every {} s, until {:.3}",
                repetition.times - 2,
                short(repetition.period),
                repetition.last.as_secs_f64()
            ),
            events: repetition.hidden,
            from: repetition.second,
            to: repetition.last,
        })
        .collect();
    hidden.extend(too_much(trace, &hidden, alike));
    hidden
}

/// The middle of a trace that has more than can be drawn even so.
fn too_much(trace: &Trace, hidden: &[Hidden], alike: &Alike) -> Option<Hidden> {
    let is_hidden = |index: usize| hidden.iter().any(|hidden| hidden.events.contains(&index));
    let drawn = |(index, event): (usize, &Event)| {
        let counts = matches!(event.kind, EventKind::Sent { .. } | EventKind::Step { .. } | EventKind::Closing { .. });
        (counts && alike.leader(index).is_none() && !is_hidden(index)).then_some(index)
    };
    if trace.events.len() <= DRAWN {
        return None;
    }
    let drawn: Vec<usize> = trace.events.iter().enumerate().filter_map(drawn).collect();
    if drawn.len() <= DRAWN {
        return None;
    }
    let events = drawn[DRAWN / 2]..drawn[drawn.len() - DRAWN / 2];
    let note = format!("{} more events, too many to draw; the trace has them", events.len());
    Some(Hidden { from: trace.events[events.start].at, to: trace.events[events.end].at, events, note })
}

/// Seconds, with decimals only if there are any.
pub(super) fn short(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => duration.as_secs().to_string(),
        _ => format!("{:.3}", duration.as_secs_f64()),
    }
}

/// A time in the largest units that it has: `18 h 12 min`, `7.490 s`.
pub(super) fn long(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    match (minutes / 1440, minutes / 60 % 24, minutes % 60) {
        (0, 0, _) => format!("{} s", short(duration)),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}
