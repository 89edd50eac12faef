use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use halfopen_protocol::{PacketType, Role};
use turmoil_net::shim::tokio::net::{TcpListener, TcpStream};
use turmoil_net::{EnterGuard, Packet};

use super::address::{Key, length, locate, node, segment};
use super::clock::Timers;
use super::connection::{Connection, ProgramEnd};
use super::link::Link;
use super::own::{Own, Way};
use crate::conversation::{Conversation, other};
use crate::network::{Door, Knock};
use crate::plan::{NodeId, Plan, Position};
use crate::record::Recorder;
use crate::trace::Item;

/// All that is between the kernels: links, what is on its way, and what the faults in force do to it.
pub(super) struct Wires {
    pub(super) plan: Arc<Plan>,
    pub(super) recorder: Recorder,
    pub(super) timers: Timers,
    pub(super) hosts: Vec<Host>,
    pub(super) connections: BTreeMap<Key, Connection>,
    /// Faults that wait for a packet.
    pub(super) armed: Vec<Armed>,
    links: BTreeMap<(NodeId, NodeId), Link>,
    /// What is different for single connections.
    pub(super) own: BTreeMap<Way, Own>,
    arrivals: BTreeMap<(Duration, u64), Arrival>,
    time_outs: BTreeMap<(Duration, TimeOut, u64), (Key, Role)>,
    sequence: u64,
    /// Sockets that are to end by RST as soon as their program has been polled.
    pub(super) aborting: Vec<(Key, Role, TcpStream)>,
    /// Nodes whose program has stopped listening.
    pub(super) stopped_listening: Vec<NodeId>,
    /// Connections that may be over.
    over: Vec<Key>,
    hit: BTreeSet<Position>,
}

/// What the world knows of a host.
#[derive(Default)]
pub(super) struct Host {
    /// Whether it is without power.
    pub(super) is_down: bool,
    /// The bound port. It outlives the program, because the kernel does not let a second one bind while connections of
    /// the first linger; whether anybody listens is `is_listening`.
    pub(super) listener: Option<Rc<TcpListener>>,
    /// Whether the program accepts connections.
    pub(super) is_listening: bool,
    /// Says what becomes of a connection, if there is anybody to say.
    pub(super) door: Option<Rc<dyn Door>>,
    /// Connections whose SYN has not reached the wire yet, and whether the program has given them up already.
    pub(super) dialing: VecDeque<(Rc<Conversation>, bool)>,
    /// Those who would read, while the program reads nothing.
    stopped: Option<Vec<Waker>>,
}

impl Host {
    /// Whether the program reads from now on; gives whether that is new.
    pub(super) fn set_reading(&mut self, reads: bool) -> bool {
        let is_new = reads == self.stopped.is_some();
        match (reads, &self.stopped) {
            (true, _) => self.stopped.take().into_iter().flatten().for_each(Waker::wake),
            (false, None) => self.stopped = Some(Vec::new()),
            (false, Some(_)) => {}
        }
        is_new
    }

    /// Whether the program may read now. Otherwise it is woken when it may.
    pub(super) fn may_read(&mut self, waker: &Waker) -> bool {
        match &mut self.stopped {
            None => true,
            Some(waiting) => {
                if !waiting.iter().any(|known| known.will_wake(waker)) {
                    waiting.push(waker.clone());
                }
                false
            }
        }
    }
}

/// A fault that begins with a packet.
pub(super) struct Armed {
    pub(super) position: Position,
    pub(super) links: Vec<(NodeId, NodeId)>,
    /// Only of this one of the client's connections.
    pub(super) number: Option<u32>,
    pub(super) packet: PacketType,
    pub(super) fault: ArmedFault,
}

/// What begins with a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ArmedFault {
    HalfOpen,
    Partition,
    Reset,
}

/// A packet on its way.
pub(super) struct Arrival {
    pub(super) packet: Packet,
    /// Its connection, its sender, and when it left; none where the connection is over.
    pub(super) of: Option<(Key, Role, Duration)>,
}

/// What a kernel waits for, were it a whole one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TimeOut {
    /// To send again.
    Retry,
    /// To give up.
    GiveUp,
}

impl Wires {
    /// The wires of a world in which nothing has happened.
    pub(super) fn new(plan: &Arc<Plan>, recorder: &Recorder, timers: &Timers) -> Self {
        Self {
            plan: Arc::clone(plan),
            recorder: recorder.clone(),
            timers: timers.clone(),
            hosts: plan.nodes.iter().map(|_| Host::default()).collect(),
            connections: BTreeMap::new(),
            armed: Vec::new(),
            links: BTreeMap::new(),
            own: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            time_outs: BTreeMap::new(),
            sequence: 0,
            aborting: Vec::new(),
            stopped_listening: Vec::new(),
            over: Vec::new(),
            hit: BTreeSet::new(),
        }
    }

    /// When something is due next.
    pub(super) fn next_event(&self) -> Option<Duration> {
        let arrival = self.arrivals.first_key_value().map(|((at, _), _)| *at);
        let time_out = self.time_outs.first_key_value().map(|((at, _, _), _)| *at);
        arrival.into_iter().chain(time_out).min()
    }

    /// Whether the next arrival is due and is an abort, which takes from a program what it has not read.
    pub(super) fn abort_is_due(&self) -> bool {
        let is_abort = |packet| segment(packet).is_some_and(|segment| segment.flags.rst);
        let next = self.arrivals.first_key_value();
        next.is_some_and(|((at, _), arrival)| *at <= self.timers.now() && is_abort(&arrival.packet))
    }

    /// Takes the next arrival that is due.
    pub(super) fn take_arrival(&mut self) -> Option<Arrival> {
        let entry = self.arrivals.first_entry()?;
        (entry.key().0 <= self.timers.now()).then(|| entry.remove())
    }

    /// Takes the next time-out that is due.
    pub(super) fn take_time_out(&mut self) -> Option<(TimeOut, Key, Role)> {
        let entry = self.time_outs.first_entry()?;
        let (at, time_out, _) = *entry.key();
        let due = (at <= self.timers.now()).then(|| entry.remove());
        due.map(|(key, side)| (time_out, key, side))
    }

    /// The link from one node to another.
    pub(super) fn link(&mut self, from: NodeId, to: NodeId) -> &mut Link {
        let plan = &self.plan;
        self.links.entry((from, to)).or_insert_with(|| Link::new(plan, from, to))
    }

    /// A fault has met something.
    pub(super) fn fault_hit(&mut self, position: Position) {
        if self.hit.insert(position) {
            self.recorder.fault_hit(position);
        }
    }

    /// A packet leaves its kernel.
    pub(super) fn depart(&mut self, packet: Packet) {
        let Some((key, side)) = locate(&packet) else { return };
        let Some(segment) = segment(&packet) else { return };
        let flags = segment.flags;
        if flags.syn && !flags.ack {
            self.begin_connection(key);
        }
        let Some(connection) = self.connections.get(&key) else {
            return self.depart_stray(packet);
        };
        let way = connection.way(side);
        if self.hosts[way.0.0].is_down {
            return;
        }
        let must_arrive = length(segment) > 0 || (side == Role::Client && !connection.confirmed);
        let give_up = self.settings(way).give_up;
        let now = self.timers.now();
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let conversation = Rc::clone(&connection.conversation);
        let end = connection.end_mut(side);
        if flags.rst {
            end.flow.forget();
            end.is_gone = true;
            conversation.aborted(side);
        } else {
            end.flow.sent(&packet, now, give_up);
        }
        if must_arrive && !flags.rst && end.flow.is_held_up() {
            self.lose(key, side, packet, now);
        } else {
            self.send(key, side, packet);
        }
    }

    /// A packet goes on its way, unless the path is cut.
    fn send(&mut self, key: Key, side: Role, packet: Packet) {
        let now = self.timers.now();
        if let Some(position) = self.obstacle(key, side) {
            self.fault_hit(position);
            return self.lose(key, side, packet, now);
        }
        if self.is_lost_by_chance(key, side) {
            return self.lose(key, side, packet, now);
        }
        self.put_on_wire(key, side, packet);
    }

    /// A packet that nothing holds up goes on its way.
    fn put_on_wire(&mut self, key: Key, side: Role, packet: Packet) {
        let Some(way) = self.connections.get(&key).map(|connection| connection.way(side)) else { return };
        let now = self.timers.now();
        let payload = segment(&packet).map_or(0, |segment| segment.payload.len());
        let travel_time = self.travel_time(way, payload);
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let flow = &mut connection.end_mut(side).flow;
        flow.drop_lost_ack();
        flow.in_flight += 1;
        flow.last_arrival = flow.last_arrival.max(now + travel_time);
        let at = flow.last_arrival;
        self.arrive_at(at, packet, Some((key, side, now)));
    }

    /// Whether the link loses what this side sends now, by its share of losses.
    fn is_lost_by_chance(&mut self, key: Key, side: Role) -> bool {
        let way = self.connections.get(&key).map(|connection| connection.way(side));
        way.is_some_and(|way| self.loses(way))
    }

    /// An abort that a middlebox makes up travels towards the end that `side` sends to.
    pub(super) fn forge_abort(&mut self, key: Key, side: Role) {
        let Some(rst) = self.connections.get(&key).map(|connection| connection.rst(side)) else { return };
        let Some(way) = self.connections.get(&key).map(|connection| connection.way(side)) else { return };
        if let Some(position) = self.partition_of(way) {
            return self.fault_hit(position);
        }
        self.put_on_wire(key, side, rst);
    }

    /// The step that keeps what this side sends from arriving.
    fn obstacle(&mut self, key: Key, side: Role) -> Option<Position> {
        let connection = self.connections.get(&key)?;
        let way = connection.way(side);
        let forgotten = connection.end(side).flow.forgotten;
        forgotten.or_else(|| self.partition_of(way))
    }

    /// A packet is lost: it will be sent again if it has to arrive.
    fn lose(&mut self, key: Key, side: Role, packet: Packet, left: Duration) {
        let Some(segment) = segment(&packet) else { return };
        let (flags, length) = (segment.flags, length(segment));
        let Some(connection) = self.connections.get(&key) else { return };
        let (there, back) = (connection.way(side), connection.way(other(side)));
        let other_is_dead = connection.end(other(side)).is_gone;
        let must_arrive = length > 0 || (side == Role::Client && !connection.confirmed);
        if flags.rst || connection.end(side).is_gone || (!must_arrive && other_is_dead) {
            return;
        }
        let round_trip = self.settings(there).latency + self.settings(back).latency;
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let flow = &mut connection.end_mut(side).flow;
        let retry =
            if must_arrive { flow.lose(packet, left, round_trip) } else { flow.lose_ack(packet, left, round_trip) };
        if let Some(at) = retry {
            self.schedule(at, TimeOut::Retry, key, side);
        }
        self.watch(key, side);
        self.watch(key, other(side));
    }

    /// Looks again when the socket of this side would have waited long enough for an answer.
    fn watch(&mut self, key: Key, side: Role) {
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let end = connection.end_mut(side);
        if end.flow.is_watched || end.is_gone {
            return;
        }
        if let Some(at) = end.flow.failure_due() {
            end.flow.is_watched = true;
            self.schedule(at, TimeOut::GiveUp, key, side);
        }
    }

    /// A packet arrives at a host. Gives it back if it is for the kernel.
    pub(super) fn arrive(
        &mut self,
        key: Key,
        side: Role,
        packet: Packet,
        left: Duration,
        kernels: &EnterGuard,
    ) -> Option<Packet> {
        let now = self.timers.now();
        let connection = self.connections.get_mut(&key)?;
        connection.end_mut(side).flow.in_flight -= 1;
        let (_, to) = connection.link(side);
        let host = &self.hosts[to.0];
        let is_down = host.is_down;
        let knock = match &host.door {
            _ if !host.is_listening => Knock::Refused,
            Some(door) if segment(&packet).is_some_and(|segment| segment.flags.syn) => {
                door.knock(connection.conversation.connection())
            }
            _ => Knock::Open,
        };
        let receiver = other(side);
        self.over.push(key);
        if is_down {
            self.lose(key, side, packet, left);
            return None;
        }
        let segment = segment(&packet)?;
        let flags = segment.flags;
        let is_opening = flags.syn && !flags.ack;
        if is_opening && knock == Knock::Ignored {
            self.lose(key, side, packet, left);
            return None;
        }
        if is_opening && knock == Knock::Refused {
            // It has arrived, though nobody takes it.
            connection.conversation.end_arrived(side, &Item::Open);
            let refusal = connection.rst(receiver);
            self.depart(refusal);
            return None;
        }
        if connection.end(receiver).is_gone && length(segment) > 0 && !flags.syn && !flags.rst {
            // The kernel knows of no such connection, whatever the program still holds of it.
            connection.reached_host(side, segment);
            self.answer_with_abort(key, side, packet, left);
            return None;
        }
        let end = connection.end(receiver);
        if end.program == ProgramEnd::Closed && !segment.payload.is_empty() && !end.is_gone {
            // Nobody will ever read it: a kernel answers with an abort.
            connection.reached_host(side, segment);
            connection.clear_kernel(receiver, kernels);
            self.answer_with_abort(key, side, packet, left);
            return None;
        }
        let end = connection.end_mut(receiver);
        if flags.ack {
            end.flow.acknowledged(segment.ack, now);
        }
        // Each by itself: an abort may leave at the very instant at which the end in order arrives.
        if flags.fin {
            connection.conversation.end_arrived(side, &Item::Fin);
        }
        if flags.rst {
            connection.conversation.end_arrived(side, &Item::Rst);
        }
        if flags.rst {
            connection.promote(receiver, kernels);
            let end = connection.end_mut(receiver);
            end.is_gone = true;
            end.flow.forget();
        }
        match receiver {
            Role::Client if flags.syn => connection.established = true,
            Role::Server if flags.ack => connection.confirmed = true,
            _ => {}
        }
        Some(packet)
    }

    /// What `side` has sent is answered by an abort. Who never gets that answer sends again.
    fn answer_with_abort(&mut self, key: Key, side: Role, packet: Packet, left: Duration) {
        let answers =
            |wires: &Self| wires.connections.get(&key).map(|connection| connection.end(other(side)).flow.in_flight);
        let Some(rst) = self.connections.get(&key).map(|connection| connection.rst(other(side))) else { return };
        let before = answers(self);
        self.depart(rst);
        if answers(self) == before {
            self.lose(key, side, packet, left);
            if let Some(connection) = self.connections.get_mut(&key) {
                connection.end_mut(side).flow.lost_the_answer();
            }
        }
    }

    /// A sender sends again what was lost.
    pub(super) fn retry(&mut self, key: Key, side: Role) {
        let now = self.timers.now();
        let obstacle = self.obstacle(key, side);
        let way_back = self.obstacle(key, other(side));
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let flow = &mut connection.end_mut(side).flow;
        if !flow.begin_retry(now) {
            return;
        }
        // It is repeated as an answer, so for as long as the other end asks.
        let give_up = self.link_give_up(key, other(side));
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let flow = &mut connection.end_mut(side).flow;
        if flow.ack_lost_since().is_some_and(|since| since.saturating_add(give_up) <= now) {
            flow.drop_lost_ack();
            self.over.push(key);
        }
        // An acknowledgement is repeated only as an answer, so the other end's repetition must get through as well.
        let is_lost = obstacle.is_none() && self.is_lost_by_chance(key, side);
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let flow = &mut connection.end_mut(side).flow;
        let packets = if obstacle.is_none() && !is_lost { flow.take_lost(way_back.is_none()) } else { Vec::new() };
        if flow.has_losses()
            && let Some(at) = flow.retry_failed(now)
        {
            self.schedule(at, TimeOut::Retry, key, side);
        }
        for packet in packets {
            self.put_on_wire(key, side, packet);
        }
    }

    fn link_give_up(&mut self, key: Key, side: Role) -> Duration {
        let way = self.connections.get(&key).map(|connection| connection.way(side));
        way.map_or(Duration::MAX, |way| self.settings(way).give_up)
    }

    /// A sender has perhaps waited long enough: then its socket fails.
    pub(super) fn give_up(&mut self, key: Key, side: Role, kernels: &EnterGuard) {
        let now = self.timers.now();
        let Some(connection) = self.connections.get_mut(&key) else { return };
        let end = connection.end_mut(side);
        end.flow.is_watched = false;
        if end.is_gone {
            return;
        }
        match end.flow.failure_due() {
            Some(due) if due <= now => {
                end.has_timed_out = true;
                connection.clear_kernel(side, kernels);
                self.over.push(key);
            }
            _ => self.watch(key, side),
        }
    }

    /// A SYN leaves: the connection begins.
    fn begin_connection(&mut self, key: Key) {
        let Some((conversation, is_given_up)) = self.hosts[key.0.0].dialing.pop_front() else { return };
        let mut connection = Connection::new(key, conversation);
        if is_given_up {
            connection.client.program = ProgramEnd::Closed;
            connection.client.is_gone = true;
        }
        self.connections.insert(key, connection);
    }

    /// A packet of a connection that is over: it takes its way without being watched over.
    fn depart_stray(&mut self, packet: Packet) {
        let (Some(from), Some(to)) = (node(packet.src), node(packet.dst)) else { return };
        if self.hosts[from.0].is_down || self.link(from, to).partition.is_some() {
            return;
        }
        let at = self.timers.now() + self.link(from, to).settings.latency;
        self.arrive_at(at, packet, None);
    }

    /// Whether a stray packet gets to a kernel.
    pub(super) fn is_up(&self, packet: &Packet) -> bool {
        node(packet.dst).is_some_and(|node| !self.hosts[node.0].is_down)
    }

    /// The program of this side has no socket any more.
    pub(super) fn close(&mut self, key: Key, side: Role) {
        if let Some(connection) = self.connections.get_mut(&key) {
            connection.end_mut(side).program = ProgramEnd::Closed;
            self.over.push(key);
        }
    }

    /// Forgets the connections that are over, in the kernels as well.
    pub(super) fn sweep(&mut self, kernels: &EnterGuard) {
        for key in std::mem::take(&mut self.over) {
            if let Some(connection) = self.connections.get_mut(&key)
                && connection.is_over()
            {
                connection.clear_kernel(Role::Client, kernels);
                connection.clear_kernel(Role::Server, kernels);
                self.connections.remove(&key);
            }
        }
    }

    fn arrive_at(&mut self, at: Duration, packet: Packet, of: Option<(Key, Role, Duration)>) {
        self.sequence += 1;
        self.arrivals.insert((at, self.sequence), Arrival { packet, of });
    }

    fn schedule(&mut self, at: Duration, time_out: TimeOut, key: Key, side: Role) {
        self.sequence += 1;
        let at = at.max(self.timers.now());
        self.time_outs.insert((at, time_out, self.sequence), (key, side));
    }
}
