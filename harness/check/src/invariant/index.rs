//! The connections of a run as each of the project's programs sees them, built event by event.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, Publish};
use halfopen_protocol::{Instant, Packet, Pages, Rare, ReasonCode};

use super::Facts;
use crate::plan::{Because, NodeFault, NodeId, Plan, Program, StepId};
use crate::trace::{ConnectionId, Event, EventKind, Transmission};

/// Names one end of one connection, in the order in which they were opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EndId(u32);

impl EndId {
    /// The absence of an end.
    const NONE: Self = Self(u32::MAX);

    /// Returns the name of the end that was opened at this place, from 0.
    pub(super) fn at(place: usize) -> Self {
        Self(u32::try_from(place).expect("fewer than four billion"))
    }

    /// Returns the place at which it was opened.
    pub(super) fn place(self) -> usize {
        self.0 as usize
    }
}

/// Something that happened at one of the project's programs.
pub(super) enum Fact<'e> {
    /// A packet was sent or received at an end. What arrives after the end has closed is left out.
    Packet(Seen<'e>),
    /// CONNACK accepted a client, which knows what it had known on the connection before, or has begun a new session.
    Accepted { client: NodeId, is_resumed: bool },
    /// The connection has ended, as this end sees it.
    Ended { at: Duration, end: EndId },
    /// The process or the host of a node died.
    Died { node: NodeId },
    /// A client handed a message to its application.
    Delivered { at: Duration, node: NodeId, message: &'e Publish },
    /// A step of the story began.
    Step { at: Duration, step: StepId },
}

/// A packet that was sent or received.
#[derive(Clone)]
pub(super) struct Seen<'e> {
    pub(super) at: Duration,
    pub(super) end: EndId,
    pub(super) is_sent: bool,
    pub(super) packet: &'e Packet,
    /// The topic of a PUBLISH that a client received, also where an alias stands for it.
    pub(super) topic: ByteString,
}

impl Seen<'_> {
    /// The message, if this is a PUBLISH that was received.
    pub(super) fn received_publish(&self) -> Option<&Publish> {
        publish(self.packet).filter(|_| !self.is_sent)
    }
}

fn publish(packet: &Packet) -> Option<&Publish> {
    match packet {
        Packet::Publish(publish) => Some(publish),
        _ => None,
    }
}

/// One end of a connection, as its program sees it.
pub(super) struct ConnectionEnd {
    pub(super) node: NodeId,
    pub(super) is_broker: bool,
    /// Number of times that the node had been started again.
    pub(super) generation: u32,
    pub(super) connect: Option<Arc<Connect>>,
    /// Time at which the connection was accepted, and how.
    pub(super) connack: Option<(Instant, Arc<ConnAck>)>,
    /// Seconds of the keep-alive that binds both sides; 0 without CONNACK, or if it is switched off.
    keep_alive: u16,
    /// Time at which the connection ended for this end: by its own statement, by FIN or RST of either side, or by its
    /// death.
    pub(super) ended: Option<Instant>,
    /// The reason for which this end closed the connection, as it says itself; `None` if it did not.
    pub(super) closing: Option<Because>,
    /// Time at which FIN or RST was sent, or the socket failed: nothing is left to be ended.
    pub(super) over: Option<Instant>,
    /// True if the node died before it had sent FIN or RST.
    pub(super) died: bool,
    /// The topics of the topic aliases that a client was told.
    aliases: Rare<BTreeMap<u16, ByteString>>,
    /// True as long as the end is one of the open ones of its node.
    is_open: bool,
    /// Its neighbours among these.
    previous_open: EndId,
    next_open: EndId,
}

impl ConnectionEnd {
    /// The keep-alive that binds both sides; `None` without CONNACK, or if it is switched off.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        (self.keep_alive > 0).then(|| Duration::from_secs(self.keep_alive.into()))
    }

    /// The name that the client goes by.
    pub(super) fn client_id(&self) -> ByteString {
        let assigned = self.connack.as_ref().and_then(|(_, connack)| connack.assigned_client_id.clone());
        assigned.or_else(|| Some(self.connect.as_ref()?.client_id.clone())).unwrap_or_default()
    }

    /// Returns whether CONNECT has come and has no answer.
    fn waits_for_connack(&self) -> bool {
        self.is_broker && self.connect.is_some() && self.connack.is_none()
    }

    fn resolve(&mut self, publish: &Publish) -> ByteString {
        let Some(alias) = publish.topic_alias else { return publish.topic.clone() };
        if publish.topic.is_empty() {
            return self.aliases.get(&alias).cloned().unwrap_or_default();
        }
        self.aliases.insert(alias, publish.topic.clone());
        publish.topic.clone()
    }

    fn note(&mut self, at: Duration, packet: &Packet) {
        match packet {
            Packet::Connect(connect) => drop(self.connect.get_or_insert_with(|| connect.clone())),
            Packet::ConnAck(connack) if connack.reason == ReasonCode::SUCCESS && self.connack.is_none() => {
                let own = self.connect.as_ref().map_or(0, |connect| connect.keep_alive);
                self.keep_alive = connack.server_keep_alive.filter(|_| self.connect.is_some()).unwrap_or(own);
                self.connack = Some((Instant::new(at), connack.clone()));
            }
            _ => {}
        }
    }
}

struct Watched {
    is_broker: bool,
    /// A program of others does not say that it ends a connection.
    is_foreign: bool,
    is_down: bool,
    generation: u32,
    /// The connection that was opened last, and the one that was accepted last.
    latest: Option<EndId>,
    accepted: Option<EndId>,
    /// The first and the last of the ends that have not sent FIN or RST, which are linked in the order in which they were
    /// opened.
    first_open: EndId,
    last_open: EndId,
}

/// All connections of a run so far, as the programs see them. Raw peers have none.
pub(super) struct Index {
    watched: Vec<Option<Watched>>,
    ends: Pages<ConnectionEnd>,
    /// Both ends of each connection with their nodes, by its number.
    places: Pages<[Option<(u32, EndId)>; 2]>,
}

impl Index {
    pub(super) fn new(plan: &Plan) -> Self {
        let watched = |program: &Program| match program {
            Program::Broker(_) => Some(true),
            Program::Client(_) => Some(false),
            Program::RawClient(_) | Program::RawBroker(_) => None,
        };
        let watched = plan.nodes.iter().map(|node| {
            let is_broker = watched(&node.program)?;
            Some(Watched {
                is_broker,
                is_foreign: node.played_by.is_some(),
                is_down: false,
                generation: 0,
                latest: None,
                accepted: None,
                first_open: EndId::NONE,
                last_open: EndId::NONE,
            })
        });
        Self { watched: watched.collect(), ends: Pages::new(), places: Pages::new() }
    }

    pub(super) fn end(&self, id: EndId) -> &ConnectionEnd {
        &self.ends[id.place()]
    }

    /// Returns all ends of connections, in the order in which they were opened.
    pub(super) fn ends(&self) -> impl Iterator<Item = (EndId, &ConnectionEnd)> {
        self.ends.iter().enumerate().map(|(place, end)| (EndId::at(place), end))
    }

    /// The end of the connection that the node opened last.
    pub(super) fn latest_of(&self, node: NodeId) -> Option<EndId> {
        self.watched[node.0].as_ref()?.latest
    }

    /// Takes note of an event; what it means to the project's programs.
    pub(super) fn event<'e>(&mut self, event: &'e Event) -> Facts<'e> {
        let mut facts = Facts::new();
        let at = event.at;
        match &event.kind {
            EventKind::Sent { connection, from, item, .. } => self.sent(at, *connection, *from, item, &mut facts),
            EventKind::Received { connection, to, item, .. } => self.received(at, *connection, *to, item, &mut facts),
            EventKind::Closing { node, connection, because, .. } => {
                if let Some(id) = self.find(*connection, *node)
                    && self.ends[id.place()].ended.is_none()
                {
                    self.ends[id.place()].closing = Some(*because);
                    // Before CONNACK, what was written before may follow at this instant.
                    if !self.ends[id.place()].waits_for_connack() {
                        self.ended(at, id, &mut facts);
                    }
                }
            }
            EventKind::Node { node, change } => self.changed(at, *node, *change, &mut facts),
            EventKind::Delivered { node, message } => {
                facts.push(Fact::Delivered { at, node: *node, message });
            }
            EventKind::Step { step, .. } => facts.push(Fact::Step { at, step: *step }),
            EventKind::Mark(_)
            | EventKind::Established { .. }
            | EventKind::Connected { .. }
            | EventKind::Holds { .. }
            | EventKind::StepFailed { .. }
            | EventKind::FaultHit { .. } => {}
        }
        facts
    }

    fn find(&self, connection: ConnectionId, node: NodeId) -> Option<EndId> {
        let ends = self.places.get(connection.0 as usize)?;
        ends.iter().flatten().find(|(of, _)| *of as usize == node.0).map(|(_, end)| *end)
    }

    fn sent<'e>(
        &mut self,
        at: Duration,
        connection: ConnectionId,
        from: NodeId,
        item: &'e Transmission,
        facts: &mut Facts<'e>,
    ) {
        if matches!(item, Transmission::Open) {
            return self.open(connection, from);
        }
        let Some(id) = self.find(connection, from) else { return };
        match item {
            Transmission::Packet(packet) => self.packet(at, id, true, packet, facts),
            Transmission::Fin | Transmission::Rst => {
                self.ends[id.place()].over.get_or_insert(Instant::new(at));
                let Some(watched) = &self.watched[from.0] else { return };
                // Its host answers for a connection that was reset. What has come before that, the program may still read.
                let is_ended = watched.is_foreign || matches!(item, Transmission::Fin);
                if is_ended {
                    self.end_open(id);
                    self.ended(at, id, facts);
                    self.ends[id.place()].aliases.clear();
                }
            }
            Transmission::Open | Transmission::Bytes(_) | Transmission::WebSocket(_) | Transmission::TimedOut => {}
        }
    }

    fn received<'e>(
        &mut self,
        at: Duration,
        connection: ConnectionId,
        to: NodeId,
        item: &'e Transmission,
        facts: &mut Facts<'e>,
    ) {
        if matches!(item, Transmission::Open) {
            return self.open(connection, to);
        }
        if matches!(item, Transmission::Rst | Transmission::TimedOut)
            && let Some(id) = self.find(connection, to)
        {
            self.ends[id.place()].over.get_or_insert(Instant::new(at));
        }
        // A program that has closed still empties its socket, but nothing comes of it.
        let Some(id) = self.find(connection, to).filter(|id| self.ends[id.place()].ended.is_none()) else { return };
        match item {
            Transmission::Packet(packet) => self.packet(at, id, false, packet, facts),
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut => self.ended(at, id, facts),
            Transmission::Open | Transmission::Bytes(_) | Transmission::WebSocket(_) => {}
        }
    }

    fn changed(&mut self, at: Duration, node: NodeId, change: NodeFault, facts: &mut Facts<'_>) {
        let Some(watched) = &mut self.watched[node.0] else { return };
        match change {
            NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Shutdown => {
                watched.is_down = true;
                for id in self.take_open(node) {
                    let end = &mut self.ends[id.place()];
                    end.died = end.over.is_none();
                    self.ended(at, id, facts);
                }
                facts.push(Fact::Died { node });
            }
            NodeFault::Restart => {
                watched.is_down = false;
                watched.generation += 1;
            }
            NodeFault::LoseDisk if watched.is_down => {
                self.ends.iter_mut().filter(|end| end.node == node).for_each(|end| end.died = true);
            }
            // Its process lives, and so do its connections.
            NodeFault::LoseDisk
            | NodeFault::Pause(_)
            | NodeFault::Resume
            | NodeFault::StopReading
            | NodeFault::ResumeReading
            | NodeFault::ClockDrift(_)
            | NodeFault::ClockJump(_)
            | NodeFault::SetWallClock(_) => {}
        }
    }

    /// Removes the open ends of a node, and returns them in the order in which they were opened.
    fn take_open(&mut self, node: NodeId) -> Vec<EndId> {
        let mut ends = Vec::new();
        let first_open =
            |index: &Self| Some(index.watched[node.0].as_ref()?.first_open).filter(|end| *end != EndId::NONE);
        while let Some(first) = first_open(self) {
            self.end_open(first);
            ends.push(first);
        }
        ends
    }

    /// Takes an end out of the open ones of its node, if it is one of them.
    fn end_open(&mut self, id: EndId) {
        let end = &mut self.ends[id.place()];
        if !std::mem::take(&mut end.is_open) {
            return;
        }
        let (node, previous, next) = (end.node, end.previous_open, end.next_open);
        let Some(watched) = &mut self.watched[node.0] else { return };
        match previous {
            EndId::NONE => watched.first_open = next,
            previous => self.ends[previous.place()].next_open = next,
        }
        match next {
            EndId::NONE => watched.last_open = previous,
            next => self.ends[next.place()].previous_open = previous,
        }
    }

    fn ended(&mut self, at: Duration, id: EndId, facts: &mut Facts<'_>) {
        let end = &mut self.ends[id.place()];
        if end.ended.is_none() {
            end.ended = Some(Instant::new(at));
            facts.push(Fact::Ended { at, end: id });
        }
    }

    fn open(&mut self, connection: ConnectionId, node: NodeId) {
        let id = EndId::at(self.ends.len());
        let Some(watched) = &mut self.watched[node.0] else { return };
        watched.latest = Some(id);
        let previous_open = std::mem::replace(&mut watched.last_open, id);
        match previous_open {
            EndId::NONE => watched.first_open = id,
            previous => self.ends[previous.place()].next_open = id,
        }
        let place = connection.0 as usize;
        while self.places.len() <= place {
            self.places.push([None, None]);
        }
        let number = u32::try_from(node.0).expect("fewer than four billion");
        if let Some(free) = self.places[place].iter_mut().find(|end| end.is_none_or(|(of, _)| of == number)) {
            *free = Some((number, id));
        }
        self.ends.push(ConnectionEnd {
            node,
            is_broker: watched.is_broker,
            generation: watched.generation,
            connect: None,
            connack: None,
            keep_alive: 0,
            ended: None,
            closing: None,
            over: None,
            died: false,
            aliases: Rare::new(),
            is_open: true,
            previous_open,
            next_open: EndId::NONE,
        });
    }

    fn packet<'e>(&mut self, at: Duration, id: EndId, is_sent: bool, packet: &'e Packet, facts: &mut Facts<'e>) {
        let end = &mut self.ends[id.place()];
        let topic = match packet {
            Packet::Publish(publish) if !is_sent && !end.is_broker => end.resolve(publish),
            _ => ByteString::new(),
        };
        let was_accepted = end.connack.is_some();
        end.note(at, packet);
        let is_accepted = end.connack.is_some() && !was_accepted;
        facts.push(Fact::Packet(Seen { at, end: id, is_sent, packet, topic }));
        if is_accepted && !self.ends[id.place()].is_broker {
            self.accepted(id, facts);
        }
    }

    /// A client has one session, whatever its name, and its memory goes with its process.
    fn accepted(&mut self, id: EndId, facts: &mut Facts<'_>) {
        let end = &self.ends[id.place()];
        let Some(watched) = &mut self.watched[end.node.0] else { return };
        let previous = watched.accepted.replace(id);
        let is_present = end.connack.as_ref().is_some_and(|(_, connack)| connack.session_present);
        let knows = |previous: EndId| self.ends[previous.place()].generation == end.generation;
        let is_resumed = is_present && previous.is_some_and(knows);
        facts.push(Fact::Accepted { client: end.node, is_resumed });
    }
}
