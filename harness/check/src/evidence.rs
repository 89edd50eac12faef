//! The events of a run that its expectations may ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use halfopen_protocol::{Packet, PacketType, Pages, ReasonCode};

use crate::plan::{
    EventRef, Expectation, Moment, NodeId, PacketKind, PacketPattern, Plan, Program, StepId, Timing, Verb,
};
use crate::trace::find::{Occurrence, Perspective};
use crate::trace::{ConnectionId, Event, EventKind, Trace, TraceIndex, Transmission};

/// The events of a run that are kept to judge its expectations by.
///
/// That is what shows how clients are over time (SYN, CONNACK, and all that ends a connection), what steps and faults
/// did, and of the packets those that an expectation names. If more is asked of connections, it is also what opens them,
/// and the first that arrives at an end that nothing else shows to be up. So a fleet that pings for a day leaves nothing of
/// it, unless somebody expects pings.
pub(super) struct Evidence {
    /// The events, each with its index in the trace.
    pub(super) events: Pages<(usize, Event)>,
    /// Number of events that the trace has.
    pub(super) len: usize,
    /// Time at which the run ended.
    pub(super) end: Duration,
    wanted: Wanted,
    /// Whether each connection is known to be up, at the end of its broker and at that of its client.
    up: Vec<[bool; 2]>,
    /// The steps that have begun.
    begun: BTreeSet<StepId>,
    was_sent: bool,
}

/// The packets, deliveries and connections that expectations name.
struct Wanted {
    /// True if more is asked of connections than what it makes of the states of clients.
    connections: bool,
    /// Wherever they are sent.
    everywhere: TypeSet,
    /// The types that each node sends or receives.
    at: Vec<TypeSet>,
    /// The nodes whose messages to the application count.
    deliveries: BTreeSet<NodeId>,
}

/// A set of types of packets: the bit with the number of the type.
#[derive(Clone, Copy, Default)]
struct TypeSet(u16);

impl Evidence {
    /// Keeps nothing yet of a run of this plan.
    pub(super) fn new(plan: &Plan) -> Self {
        let mut wanted = Wanted {
            connections: false,
            everywhere: TypeSet(0),
            at: vec![TypeSet(0); plan.nodes.len()],
            deliveries: BTreeSet::new(),
        };
        plan.expectations.iter().for_each(|expectation| wanted.add(plan, expectation));
        Self {
            events: Pages::new(),
            len: 0,
            end: Duration::ZERO,
            wanted,
            up: Vec::new(),
            begun: BTreeSet::new(),
            was_sent: false,
        }
    }

    /// Keeps what is needed of a whole trace.
    pub(super) fn of(plan: &Plan, trace: &Trace) -> Self {
        let mut evidence = Self::new(plan);
        trace.events.iter().for_each(|event| evidence.event(event));
        evidence.end(trace.end)
    }

    /// Looks at the next event of the run.
    pub(super) fn event(&mut self, event: &Event) {
        if self.is_needed(&event.kind) {
            self.events.push((self.len, event.clone()));
        }
        self.len += 1;
    }

    /// The run ends at this time.
    pub(super) fn end(self, end: Duration) -> Self {
        Self { end, ..self }
    }

    /// Sorts what is kept by node and connection.
    pub(super) fn index(&self, plan: &Plan) -> TraceIndex {
        TraceIndex::new(plan, self.events.iter().map(|(_, event)| event))
    }

    /// Returns the events at a node, each with its index in the trace.
    pub(super) fn at<'a>(&'a self, index: &'a TraceIndex, node: NodeId) -> impl Iterator<Item = (usize, &'a Event)> {
        index.at(node).iter().map(|&place| self.event_at(place as usize))
    }

    /// Returns the events at a node that happen with this other node, or with none at all.
    pub(super) fn between<'a>(
        &'a self,
        index: &'a TraceIndex,
        node: NodeId,
        peer: Option<NodeId>,
    ) -> impl Iterator<Item = (usize, &'a Event)> {
        let places = index.between(node, peer).into_owned();
        places
            .into_iter()
            .map(|place| self.event_at(place as usize))
            .filter(move |(_, event)| event.node() == Some(node))
    }

    /// Returns all occurrences of an event, with their indices in the trace.
    pub(super) fn occurrences(
        &self,
        index: &TraceIndex,
        plan: &Plan,
        event: &EventRef,
        viewer: Perspective,
    ) -> Vec<Occurrence> {
        index.occurrences(plan, event, viewer, self.events.len(), |place| self.event_at(place))
    }

    fn event_at(&self, place: usize) -> (usize, &Event) {
        let (index, event) = &self.events[place];
        (*index, event)
    }

    /// Returns whether nothing was sent in the whole run.
    pub(super) fn is_silent(&self) -> bool {
        !self.was_sent
    }

    fn is_needed(&mut self, event: &EventKind) -> bool {
        match event {
            // Only whether and when it first began is asked for.
            EventKind::Step { step, .. } => self.begun.insert(*step),
            EventKind::Sent { from, to, item, .. } => {
                self.was_sent = true;
                match item {
                    Transmission::Packet(packet) => is_refusal(packet) || self.wanted.has(packet, *from, *to),
                    Transmission::Bytes(_) | Transmission::WebSocket(_) => false,
                    Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => true,
                }
            }
            EventKind::Received { connection, from, to, item, .. } => {
                let is_closed = item.close().is_some();
                let is_first = self.wanted.connections && !is_closed && self.is_now_up(*connection, to < from);
                let is_named = item.packet().is_some_and(|packet| {
                    let is_answer = packet.packet_type() == PacketType::ConnAck;
                    is_answer || is_refusal(packet) || self.wanted.has(packet, *from, *to)
                });
                is_closed || is_first || is_named
            }
            EventKind::Established { connection, .. } => self.wanted.connections && self.is_now_up(*connection, false),
            EventKind::Delivered { node, .. } => self.wanted.deliveries.contains(node),
            EventKind::Connected { .. } => false,
            EventKind::Mark(_)
            | EventKind::Node { .. }
            | EventKind::Closing { .. }
            | EventKind::Holds { .. }
            | EventKind::StepFailed { .. }
            | EventKind::FaultHit { .. } => true,
        }
    }

    /// Takes note that a connection is up at one of its ends, and returns whether that was not known.
    fn is_now_up(&mut self, connection: ConnectionId, is_broker: bool) -> bool {
        let place = connection.0 as usize;
        if self.up.len() <= place {
            self.up.resize(place + 1, [false; 2]);
        }
        !std::mem::replace(&mut self.up[place][usize::from(!is_broker)], true)
    }
}

/// Returns whether this is a packet that ends a connection: DISCONNECT, or a CONNACK that refuses.
fn is_refusal(packet: &Packet) -> bool {
    match packet {
        Packet::Disconnect(_) => true,
        Packet::ConnAck(connack) => connack.reason != ReasonCode::SUCCESS,
        _ => false,
    }
}

impl Wanted {
    fn add(&mut self, plan: &Plan, expectation: &Expectation) {
        self.connections |= !matches!(expectation.verb, Verb::Is(_) | Verb::AnyOf(_));
        match &expectation.verb {
            Verb::Receives(patterns) | Verb::Sends(patterns) => self.patterns(&expectation.nodes, patterns),
            Verb::Delivers(_) => {
                self.deliveries.extend(&expectation.nodes);
                // A raw client says nothing itself of what it takes.
                let is_raw = |node: &&NodeId| matches!(plan.node(**node).program, Program::RawClient(_));
                for node in expectation.nodes.iter().filter(is_raw) {
                    self.at[node.0].add(PacketKind::Type(PacketType::Publish));
                    self.at[node.0].add(PacketKind::Type(PacketType::PubRel));
                }
            }
            Verb::AnyOf(alternatives) => {
                alternatives.iter().flatten().for_each(|expectation| self.add(plan, expectation));
            }
            Verb::Attempts { .. } | Verb::Closes { .. } | Verb::Loses { .. } | Verb::Is(_) | Verb::Has(_) => {}
        }
        if let Some((from, to)) = &expectation.during {
            self.moment(from);
            self.moment(to);
        }
        match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment) | Timing::Within { after: moment, .. }) => {
                self.moment(moment);
            }
            Some(Timing::Between(from, to)) => {
                self.moment(from);
                self.moment(to);
            }
            None => {}
        }
    }

    fn patterns(&mut self, nodes: &[NodeId], patterns: &[PacketPattern]) {
        for node in nodes {
            patterns.iter().for_each(|pattern| self.at[node.0].add(pattern.packet));
        }
    }

    fn moment(&mut self, moment: &Moment) {
        match &moment.event {
            EventRef::Packet { packet, from, to, .. } => match from.or(*to) {
                Some(node) => self.at[node.0].add(*packet),
                None => self.everywhere.add(*packet),
            },
            EventRef::Point { .. } => self.connections = true,
            EventRef::Start | EventRef::End | EventRef::Mark(_) => {}
        }
    }

    /// Returns whether an expectation names packets of this type between these nodes.
    fn has(&self, packet: &Packet, from: NodeId, to: NodeId) -> bool {
        let packet_type = packet.packet_type();
        let at = |node: NodeId| self.at.get(node.0).is_some_and(|types| types.has(packet_type));
        self.everywhere.has(packet_type) || at(from) || at(to)
    }
}

impl TypeSet {
    fn add(&mut self, kind: PacketKind) {
        self.0 |= match kind {
            PacketKind::Any => u16::MAX,
            PacketKind::Type(packet_type) => 1 << packet_type as u8,
        };
    }

    fn has(self, packet_type: PacketType) -> bool {
        self.0 & 1 << packet_type as u8 != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::ClientState;
    use crate::trace::fixture::{
        BROKER, SENSOR, TraceBuilder, WATCHER, after, any, closes, connect, expect, packet_from, plan, publish,
        silent_client,
    };

    /// Returns how many packets of this type are kept of a run of two clients that ping and publish.
    fn kept(expectation: Expectation, packet_type: PacketType) -> usize {
        let mut plan = plan();
        plan.expectations.push(expectation);
        let mut story = TraceBuilder::new();
        for (connection, node) in [(0, SENSOR), (1, WATCHER)] {
            story.at(0).connect(connection, node, connect("a", 5));
            for at in [1000, 2000, 3000] {
                story.at(at).packet(connection, node, BROKER, Packet::PingReq);
                story.packet(connection, node, BROKER, publish("t", ""));
            }
        }
        let evidence = Evidence::of(&plan, &story.end(10_000));
        let is_it = |item: &Transmission| item.packet().is_some_and(|packet| packet.packet_type() == packet_type);
        let of_type = evidence.events.iter().filter(|(_, event)| match &event.kind {
            EventKind::Sent { item, .. } | EventKind::Received { item, .. } => is_it(item),
            _ => false,
        });
        of_type.count()
    }

    #[test]
    fn packets_that_nobody_names_are_not_kept() {
        assert_eq!(kept(expect(BROKER, closes(SENSOR, None)), PacketType::PingReq), 0);
        assert_eq!(kept(expect(BROKER, closes(SENSOR, None)), PacketType::Connect), 0);
        assert_eq!(kept(expect(BROKER, closes(SENSOR, None)), PacketType::ConnAck), 2, "as clients have them");
    }

    #[test]
    fn what_opens_connections_is_kept_where_more_than_states_is_asked() {
        let mut story = TraceBuilder::new();
        story.connect(0, SENSOR, connect("sensor", 5));
        let trace = story.end(10_000);
        let kept = |verb: Verb| {
            let mut plan = plan();
            plan.expectations.push(expect(SENSOR, verb));
            Evidence::of(&plan, &trace).events.len()
        };
        assert_eq!(kept(Verb::Is(ClientState::Connected)), 2, "SYN and CONNACK");
        assert_eq!(kept(Verb::Attempts { peer: BROKER }), 3, "and the arrival of SYN");
    }

    #[test]
    fn packets_are_kept_of_the_nodes_whose_packets_are_named() {
        let sends = |packet_type| expect(SENSOR, Verb::Sends(vec![any(packet_type)]));
        assert_eq!(kept(sends(PacketType::PingReq), PacketType::PingReq), 6);
        assert_eq!(kept(sends(PacketType::PingReq), PacketType::Publish), 0);
    }

    #[test]
    fn packets_that_a_moment_hangs_on_are_kept() {
        let last = packet_from(crate::plan::Ordinal::Last, PacketKind::Any, WATCHER);
        let timing = Some(Timing::At(after(7500, last, "7.5s after last packet from watcher")));
        let expectation = Expectation { timing, ..expect(BROKER, closes(SENSOR, None)) };
        assert_eq!(kept(expectation.clone(), PacketType::Publish), 6);
        let alternatives = Verb::AnyOf(vec![vec![expectation]]);
        assert_eq!(kept(expect(BROKER, alternatives), PacketType::Publish), 6);
    }

    #[test]
    fn events_keep_their_index_in_the_trace() {
        let trace = silent_client().end(8540);
        let evidence = Evidence::of(&plan(), &trace);
        assert!(evidence.events.iter().all(|(index, event)| trace.events[*index] == *event));
        assert_eq!(evidence.len, trace.events.len());
    }
}
