use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::Publish;

use crate::plan::{Because, NodeFault, NodeId, StepId};
use crate::trace::{ConnectionId, Event, EventKind, Held, RunObserver, Since, Trace, Transmission};

/// Tells observers what happens, and writes the trace if it is to be kept. All who see something happen in a world hold
/// a clone of it.
///
/// Pairs what arrives with what was sent: each direction of a connection is a stream, so the n-th item that arrives is
/// the n-th that was sent, except that an abort overtakes what was lost before it.
#[derive(Clone)]
pub(crate) struct Recorder(Rc<RefCell<Inner>>);

struct Inner {
    now: Box<dyn Fn() -> Duration>,
    /// The observers of each event.
    observers: Vec<Box<dyn RunObserver>>,
    /// The number of events so far.
    count: usize,
    /// All events so far, if they are kept.
    kept: Option<Vec<Event>>,
    connections: u32,
    /// Number of connections that each node has opened, and the last of them.
    opened: BTreeMap<NodeId, (u32, ConnectionId)>,
    /// The steps whose faults have met something.
    hit: BTreeSet<StepId>,
    /// The CONNACK that was sent last.
    connack: Option<Arc<Packet>>,
    /// The items under way in each direction of a connection, by its sender.
    under_way: BTreeMap<(ConnectionId, NodeId), VecDeque<InFlight>>,
}

/// Something that was sent and that no program has read yet.
struct InFlight {
    /// The index of the event that sent it.
    sent: usize,
    kind: InFlightKind,
    /// Time at which it reached the other host, if it has.
    arrival: Option<Duration>,
}

/// The part of an item that the recorder must know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InFlightKind {
    Open,
    Data,
    Fin,
    Rst,
}

impl Recorder {
    /// A recorder that asks `now` for the virtual time since the start of the run.
    pub(crate) fn new(now: impl Fn() -> Duration + 'static) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            now: Box::new(now),
            observers: Vec::new(),
            count: 0,
            kept: Some(Vec::new()),
            connections: 0,
            opened: BTreeMap::new(),
            hit: BTreeSet::new(),
            connack: None,
            under_way: BTreeMap::new(),
        })))
    }

    /// Tells `observer` of each event after this call.
    pub(crate) fn observe(&self, observer: Box<dyn RunObserver>) {
        self.0.borrow_mut().observers.push(observer);
    }

    /// Keeps no trace: [`finish`](Self::finish) will give one without events.
    pub(crate) fn keep_no_trace(&self) {
        self.0.borrow_mut().kept = None;
    }

    /// Returns when everything is decided, as far as the observers know.
    pub(crate) fn decided_at(&self) -> Option<Duration> {
        self.0.borrow().observers.iter().find_map(|observer| observer.decided_at())
    }

    /// The virtual time since the start of the run.
    pub(crate) fn now(&self) -> Duration {
        (self.0.borrow().now)()
    }

    /// Allocates an id for a connection that `client` is about to open, and returns it with its ordinal among the
    /// client's connections, from 1; its first item, [`Transmission::Open`], is yet to be [`sent`](Self::sent).
    pub(crate) fn new_connection(&self, client: NodeId) -> (ConnectionId, u32) {
        let mut inner = self.0.borrow_mut();
        inner.connections += 1;
        let id = ConnectionId(inner.connections - 1);
        let (number, latest) = inner.opened.entry(client).or_insert((0, id));
        *number += 1;
        *latest = id;
        (id, *number)
    }

    /// Returns the CONNACK that was sent last in the place of an equal one: a server says the same to each client of a
    /// fleet, and it need not be held as often.
    pub(crate) fn shared(&self, item: Transmission) -> Transmission {
        let Transmission::Packet(packet) = item else { return item };
        if !matches!(*packet, Packet::ConnAck(_)) {
            return Transmission::Packet(packet);
        }
        let connack = &mut self.0.borrow_mut().connack;
        let shared = connack.take().filter(|last| *last == packet).unwrap_or(packet);
        Transmission::Packet(Arc::clone(connack.insert(shared)))
    }

    /// `item` leaves `from`.
    pub(crate) fn sent(&self, connection: ConnectionId, from: NodeId, to: NodeId, item: Transmission) {
        let mut inner = self.0.borrow_mut();
        let in_flight = InFlight { sent: inner.count, kind: InFlightKind::of(&item), arrival: None };
        let under_way = inner.under_way.entry((connection, from)).or_default();
        if under_way.is_empty() {
            // Mostly it stays alone, and a queue that grows by itself makes room for four.
            under_way.reserve_exact(1);
        }
        under_way.push_back(in_flight);
        inner.push(EventKind::Sent { connection, from, to, item, arrival: None });
    }

    /// `item` arrives at `to`.
    pub(crate) fn received(&self, connection: ConnectionId, from: NodeId, to: NodeId, item: Transmission) {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        let in_flight = inner.take_in_flight(connection, from, &item);
        let sent = in_flight.as_ref().map(|in_flight| in_flight.sent);
        if let Some(InFlight { sent, arrival, .. }) = in_flight {
            inner.arrived(sent, arrival, at);
        }
        inner.push(EventKind::Received { connection, from, to, item, sent });
    }

    /// The end of a connection that `from` has sent, in order or by abort, has reached the other host. Its program may
    /// never read it: then nothing is ever [`received`](Self::received).
    pub(crate) fn end_reached_host(&self, connection: ConnectionId, from: NodeId, end: &Transmission) {
        let kind = InFlightKind::of(end);
        self.reached(connection, from, usize::MAX, |in_flight| in_flight == kind);
    }

    /// The first `count` packets, or pieces of them, that `from` has under way have reached the other host, whose
    /// program will not read them: they are answered by an abort, and not lost.
    pub(crate) fn reached_host(&self, connection: ConnectionId, from: NodeId, count: usize) {
        self.reached(connection, from, count, |in_flight| in_flight == InFlightKind::Data);
    }

    /// The first `count` things of a kind that `from` has under way have reached the other host.
    fn reached(&self, connection: ConnectionId, from: NodeId, count: usize, is_it: impl Fn(InFlightKind) -> bool) {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        let Some(mut under_way) = inner.under_way.remove(&(connection, from)) else { return };
        for in_flight in under_way.iter_mut().filter(|in_flight| is_it(in_flight.kind)).take(count) {
            if in_flight.arrival.is_none() {
                in_flight.arrival = Some(at);
                inner.arrived(in_flight.sent, None, at);
            }
        }
        inner.under_way.insert((connection, from), under_way);
    }

    /// The connection that `node` opened is up.
    pub(crate) fn established(&self, connection: ConnectionId, node: NodeId) {
        self.push(EventKind::Established { connection, node });
    }

    /// `node` states that it ends a connection.
    pub(crate) fn closing(
        &self,
        node: NodeId,
        peer: NodeId,
        connection: ConnectionId,
        because: Because,
        since: Option<Since>,
    ) {
        self.push(EventKind::Closing { node, peer, connection, because, since });
    }

    /// The client `node` hands a message to its application.
    pub(crate) fn delivered(&self, node: NodeId, message: Arc<Publish>) {
        self.push(EventKind::Delivered { node, message });
    }

    /// The client `node` has a successful CONNACK.
    pub(crate) fn connected(&self, node: NodeId, session_present: bool) {
        self.push(EventKind::Connected { node, session_present });
    }

    /// Records that the content of the broker `node` has changed.
    pub(crate) fn holds(&self, node: NodeId, held: Held) {
        self.push(EventKind::Holds { node, held });
    }

    /// Something happens to a node.
    pub(crate) fn node(&self, node: NodeId, change: NodeFault) {
        self.push(EventKind::Node { node, change });
    }

    /// A step begins.
    pub(crate) fn step(&self, step: StepId, text: String) {
        self.push(EventKind::Step { step, text });
    }

    /// An instant is named.
    pub(crate) fn mark(&self, name: String) {
        self.push(EventKind::Mark(name));
    }

    /// A step could not be done.
    pub(crate) fn step_failed(&self, step: StepId, why: String) {
        self.push(EventKind::StepFailed { step, why });
    }

    /// The fault that a step began has met something. Recorded once for each step.
    pub(crate) fn fault_hit(&self, step: StepId) {
        let mut inner = self.0.borrow_mut();
        if inner.hit.insert(step) {
            inner.push(EventKind::FaultHit { step });
        }
    }

    /// The connection that `node` opened last.
    pub(crate) fn latest_connection(&self, node: NodeId) -> Option<ConnectionId> {
        self.0.borrow().opened.get(&node).map(|(_, latest)| *latest)
    }

    /// The number of the latest connection that a node has opened, from 1.
    pub(crate) fn latest_number(&self, node: NodeId) -> Option<u32> {
        self.0.borrow().opened.get(&node).map(|(number, _)| *number)
    }

    /// Returns how many events there are.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().count
    }

    /// The trace, now that the run is over.
    pub(crate) fn finish(&self) -> Trace {
        let mut inner = self.0.borrow_mut();
        // The programs are still there, and their sockets have something to say when they are dropped.
        inner.under_way.clear();
        inner.observers.clear();
        Trace { end: (inner.now)(), events: inner.kept.take().unwrap_or_default() }
    }

    fn push(&self, kind: EventKind) {
        self.0.borrow_mut().push(kind);
    }
}

impl Inner {
    fn push(&mut self, kind: EventKind) {
        let event = Event { at: (self.now)(), kind };
        self.count += 1;
        self.observers.iter_mut().for_each(|observer| observer.event(&event));
        if let Some(kept) = &mut self.kept {
            kept.push(event);
        }
    }

    /// Records that what was sent at this index arrives; it had reached the host `before`, if that is known.
    fn arrived(&mut self, sent: usize, before: Option<Duration>, at: Duration) {
        self.observers.iter_mut().for_each(|observer| observer.arrived(sent, before, at));
        if let Some(Event { kind: EventKind::Sent { arrival, .. }, .. }) =
            self.kept.as_mut().and_then(|kept| kept.get_mut(sent))
        {
            *arrival = Some(at);
        }
    }

    /// Takes what `item` arrives from: the oldest under way, or for an abort the abort itself. A program that has learned of the
    /// abort from a failed write may still read what has come before it.
    fn take_in_flight(&mut self, connection: ConnectionId, from: NodeId, item: &Transmission) -> Option<InFlight> {
        let Entry::Occupied(mut entry) = self.under_way.entry((connection, from)) else { return None };
        let under_way = entry.get_mut();
        let taken = match item {
            Transmission::TimedOut => None,
            Transmission::Rst => {
                let place = under_way.iter().position(|in_flight| in_flight.kind == InFlightKind::Rst)?;
                under_way.remove(place)
            }
            _ => under_way.pop_front(),
        };
        if under_way.is_empty() {
            // Of an idle connection nothing is held.
            entry.remove();
        }
        taken
    }
}

impl InFlightKind {
    fn of(item: &Transmission) -> Self {
        match item {
            Transmission::Open => Self::Open,
            Transmission::Packet(_) | Transmission::Bytes(_) => Self::Data,
            Transmission::Fin => Self::Fin,
            // Nobody sends a time-out.
            Transmission::Rst | Transmission::TimedOut => Self::Rst,
        }
    }
}
