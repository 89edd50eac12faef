//! Finds in a list of events what an [`EventRef`] means.
//!
//! An event of the network happens twice, where it leaves and where it arrives, and the two times differ by the
//! latency. Which one is meant depends on who looks: see [`Perspective`]. An end of a connection is seen in different ways:
//! as a statement of intent, as FIN or RST that leaves or arrives, or as the death of the host; the first of them at
//! the viewer counts, once for each connection.

use std::collections::BTreeMap;
use std::time::Duration;

use super::pattern::kind_matches;
use super::{ConnectionId, ConnectionIndex, Event, EventKind, Transmission};
use crate::{EventRef, Node, NodeId, NthConnection, Ordinal, Plan, Point};

/// Through whose eyes events are seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Perspective {
    /// A node's: what it sends at the departure, everything else at the arrival; the end of a connection that is not
    /// its own as the broker of that connection sees it. For expectations, which are about a node.
    Node(NodeId),
    /// The story's: everything where it begins. For steps.
    Script,
}

/// An event that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Occurrence {
    /// The index in the trace; `None` for the start and the end of the run.
    pub index: Option<usize>,
    /// The time since the start of the run.
    pub at: Duration,
}

/// Recognizes the occurrences of one [`EventRef`], whatever its ordinal, in events that are shown to it one by one.
///
/// It must see all events from the first of the run on, for it learns from them which connections there are.
#[derive(Clone, Debug)]
pub struct Finder {
    event: EventRef,
    viewer: Perspective,
    /// Number of brokers: they come first in a plan.
    brokers: usize,
    connections: BTreeMap<ConnectionId, Ends>,
    /// The connection, if only what happens on one connection counts, as far as it happens on one.
    on: Option<(NthConnection, ConnectionIndex)>,
}

/// The two ends of an established connection that nobody in question has seen end.
#[derive(Clone, Copy, Debug)]
struct Ends {
    client: NodeId,
    broker: NodeId,
}

impl Finder {
    /// A finder for `event` as `viewer` sees it.
    pub fn new(plan: &Plan, event: &EventRef, viewer: Perspective) -> Self {
        let on = event.connection().map(|connection| (connection, ConnectionIndex::default()));
        let viewer = match event {
            EventRef::Point { at: Some(at), .. } => Perspective::Node(*at),
            _ => viewer,
        };
        let brokers = plan.nodes.partition_point(Node::is_broker);
        Self { event: event.clone(), viewer, brokers, connections: BTreeMap::new(), on }
    }

    /// Looks at the next event of the trace; whether it is an occurrence.
    ///
    /// [`EventRef::Start`] and [`EventRef::End`] never occur in this sense.
    pub fn feed(&mut self, event: &Event) -> bool {
        if let Some((connection, opened)) = &mut self.on {
            opened.feed(event);
            if !opened.is_on(event, &[*connection]) {
                return false;
            }
        }
        match &self.event {
            EventRef::Start | EventRef::End => false,
            EventRef::Mark(name) => matches!(&event.kind, EventKind::Mark(mark) if mark == name),
            EventRef::Packet { packet, from, to, at, .. } => match &event.kind {
                EventKind::Sent { from: sender, to: receiver, item: Transmission::Packet(sent), .. } => {
                    self.is_departure(*at, *sender)
                        && is_between(*from, *to, *sender, *receiver)
                        && kind_matches(*packet, sent)
                }
                EventKind::Received { from: sender, to: receiver, item: Transmission::Packet(received), .. } => {
                    self.is_arrival(*at, *sender, *receiver)
                        && is_between(*from, *to, *sender, *receiver)
                        && kind_matches(*packet, received)
                }
                _ => false,
            },
            EventRef::Point { point: Point::Open, of, .. } => match &event.kind {
                EventKind::Sent { from, to, item: Transmission::Open, .. } => {
                    (from == of || to == of) && self.is_departure(None, *from)
                }
                EventKind::Received { from, to, item: Transmission::Open, .. } => {
                    (from == of || to == of) && self.is_arrival(None, *from, *to)
                }
                _ => false,
            },
            EventRef::Point { point: Point::Close, of, .. } => {
                let of = *of;
                self.feed_close(of, event)
            }
            EventRef::Point { point, of, .. } => matches!(
                event.kind,
                EventKind::Node { node, change } if node == *of && change.point() == Some(*point)
            ),
        }
    }

    /// Returns a node that all events are about that the finder has to see, except for those of which
    /// [`is_seen_by_all`](Self::is_seen_by_all) is true. Returns `None` if it has to see all.
    pub fn subject(&self) -> Option<NodeId> {
        if let Some((connection, _)) = &self.on {
            return Some(connection.client);
        }
        match &self.event {
            EventRef::Start | EventRef::End | EventRef::Mark(_) => None,
            // Of the two ends the client: far less happens at it.
            EventRef::Packet { from, to, .. } => from.iter().chain(to).max().copied(),
            // What ends its connections may be the death of any client.
            EventRef::Point { point: Point::Close, of, .. } if of.0 < self.brokers => None,
            EventRef::Point { of, .. } => Some(*of),
        }
    }

    /// Returns whether finders of all subjects have to see an event: with a broker end the connections of others.
    pub fn is_seen_by_all(plan: &Plan, event: &Event) -> bool {
        matches!(event.kind, EventKind::Node { node, change } if change.ends_process() && plan.node(node).is_broker())
    }

    /// Returns whether what leaves `sender` is seen there.
    fn is_departure(&self, at: Option<NodeId>, sender: NodeId) -> bool {
        match (at, self.viewer) {
            (Some(at), _) => at == sender,
            (None, Perspective::Script) => true,
            (None, Perspective::Node(viewer)) => viewer == sender,
        }
    }

    /// Returns whether what `sender` sent is seen where it arrives.
    fn is_arrival(&self, at: Option<NodeId>, sender: NodeId, receiver: NodeId) -> bool {
        match (at, self.viewer) {
            (Some(at), _) => at == receiver,
            (None, Perspective::Script) => false,
            (None, Perspective::Node(viewer)) => viewer != sender,
        }
    }

    fn feed_close(&mut self, of: NodeId, event: &Event) -> bool {
        match &event.kind {
            // Only what the broker has taken is a connection that can end: a refused one never began.
            EventKind::Received { connection, from, to, item: Transmission::Open, .. } => {
                if *from == of || *to == of {
                    let (client, broker) = if from.0 < self.brokers { (*to, *from) } else { (*from, *to) };
                    self.connections.insert(*connection, Ends { client, broker });
                }
                false
            }
            EventKind::Closing { node, connection, .. } => self.end(*connection, *node),
            EventKind::Sent { connection, from, item, .. } if item.close().is_some() => self.end(*connection, *from),
            EventKind::Received { connection, to, item, .. } if item.close().is_some() => self.end(*connection, *to),
            EventKind::Node { node, change } if change.ends_process() => {
                let before = self.connections.len();
                let viewer = self.viewer;
                let has_died =
                    |ends: &Ends| (ends.client == *node || ends.broker == *node) && sees(viewer, *ends, *node);
                self.connections.retain(|_, ends| !has_died(ends));
                self.connections.len() < before
            }
            _ => false,
        }
    }

    /// `node` sees the end of a connection; whether that is the end in question.
    fn end(&mut self, connection: ConnectionId, node: NodeId) -> bool {
        let counts = self.connections.get(&connection).is_some_and(|&ends| sees(self.viewer, ends, node));
        if counts {
            self.connections.remove(&connection);
        }
        counts
    }
}

/// Returns whether what `node` sees of a connection between these ends is what `viewer` sees.
fn sees(viewer: Perspective, ends: Ends, node: NodeId) -> bool {
    match viewer {
        Perspective::Script => true,
        Perspective::Node(viewer) if viewer == ends.client => node == ends.client,
        Perspective::Node(_) => node == ends.broker,
    }
}

fn is_between(from: Option<NodeId>, to: Option<NodeId>, sender: NodeId, receiver: NodeId) -> bool {
    from.is_none_or(|from| from == sender) && to.is_none_or(|to| to == receiver)
}

/// Returns all occurrences of an event in the events of a run from its first on, whatever the ordinal.
///
/// [`EventRef::Start`] occurs once, [`EventRef::End`] not at all: only a finished [`Trace`](super::Trace) knows it.
pub fn occurrences<'a>(
    plan: &Plan,
    event: &EventRef,
    viewer: Perspective,
    events: &'a [Event],
) -> impl Iterator<Item = Occurrence> + use<'a> {
    let mut finder = Finder::new(plan, event, viewer);
    let start = (*event == EventRef::Start).then_some(Occurrence { index: None, at: Duration::ZERO });
    let found = events.iter().enumerate().filter_map(move |(index, event)| {
        finder.feed(event).then_some(Occurrence { index: Some(index), at: event.at })
    });
    start.into_iter().chain(found)
}

/// The times at which an event that steps wait for has occurred so far, as the script sees it.
#[derive(Clone, Debug)]
pub struct Occurred {
    finder: Finder,
    times: Vec<Duration>,
}

impl Occurred {
    /// Begins to look for `event`, whatever its ordinal, from the start of the run on.
    pub fn new(plan: &Plan, event: &EventRef) -> Self {
        Self { finder: Finder::new(plan, event, Perspective::Script), times: Vec::new() }
    }

    /// Looks at the next event of the run.
    pub fn feed(&mut self, event: &Event) {
        if self.finder.feed(event) {
            self.times.push(event.at);
        }
    }

    /// Returns whether this looks for the event.
    pub fn is_of(&self, event: &EventRef) -> bool {
        self.finder.event == *event
    }
}

/// Waits, on behalf of a step, for an event: the next one after the wait began, or the n-th of the run.
///
/// What is past is named by marks and by `last`: these are the latest there was when the wait began, and the next one
/// if there was none.
#[derive(Clone, Copy, Debug)]
pub struct Awaited {
    ordinal: Ordinal,
    is_start: bool,
    /// Number of times that the event had occurred when the wait began.
    before: usize,
}

impl Awaited {
    /// Begins to wait for `event`, which has occurred as often as `occurred` says.
    pub fn new(event: &EventRef, occurred: &Occurred) -> Self {
        let ordinal = if matches!(event, EventRef::Mark(_)) { Ordinal::Last } else { ordinal(event) };
        Self { ordinal, is_start: *event == EventRef::Start, before: occurred.times.len() }
    }

    /// Waits for the next one after the one that was found.
    pub fn again(&mut self) {
        self.before += 1;
    }

    /// Returns when the event was, once it has come.
    pub fn time(&self, occurred: &Occurred) -> Option<Duration> {
        if self.is_start {
            return Some(Duration::ZERO);
        }
        let place = match (nth(self.ordinal), self.ordinal) {
            (Some(nth), _) => nth.checked_sub(1)?,
            (None, Ordinal::Last) => self.before.saturating_sub(1),
            (None, _) => self.before,
        };
        occurred.times.get(place).copied()
    }
}

/// Returns which of several an event is; start, end and marks without a word are the nearest.
pub fn ordinal(event: &EventRef) -> Ordinal {
    match event {
        EventRef::Packet { ordinal, .. } | EventRef::Point { ordinal, .. } => *ordinal,
        EventRef::Start | EventRef::End | EventRef::Mark(_) => Ordinal::Nearest,
    }
}

/// The place of `first`, `second` and `third` among the occurrences of a run, from 1.
pub fn nth(ordinal: Ordinal) -> Option<usize> {
    match ordinal {
        Ordinal::First => Some(1),
        Ordinal::Second => Some(2),
        Ordinal::Third => Some(3),
        Ordinal::Nth(nth) => Some(nth),
        Ordinal::Nearest | Ordinal::Last => None,
    }
}

#[cfg(test)]
mod tests;
