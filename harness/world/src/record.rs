use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::packet::Publish;
use halfopen_protocol::{Packet, Pages};

use crate::plan::{Because, NodeFault, NodeId, StepId};
use crate::trace::{ConnectionId, Event, EventKind, Held, RunObserver, Since, Trace, Transmission};

/// Tells observers what happens, and writes the trace if it is to be kept. All who see something happen in a world hold
/// a clone of it.
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
    opened: Pages<(u32, ConnectionId)>,
    /// The steps whose faults have met something.
    hit: BTreeSet<StepId>,
    /// The CONNACK that was sent last.
    connack: Option<Arc<Packet>>,
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
            opened: Pages::new(),
            hit: BTreeSet::new(),
            connack: None,
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
        while inner.opened.len() <= client.0 {
            inner.opened.push((0, id));
        }
        let (number, latest) = &mut inner.opened[client.0];
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

    /// `item` leaves `from`. Returns the index of this event.
    pub(crate) fn sent(&self, connection: ConnectionId, from: NodeId, to: NodeId, item: Transmission) -> usize {
        let mut inner = self.0.borrow_mut();
        inner.push(EventKind::Sent { connection, from, to, item, arrival: None });
        inner.count - 1
    }

    /// `item` arrives at `to`. `sent` is the index of the event that sent it, and the time at which it had reached the host
    /// before; none for what the world itself made.
    pub(crate) fn received(
        &self,
        connection: ConnectionId,
        from: NodeId,
        to: NodeId,
        item: Transmission,
        sent: Option<(usize, Option<Duration>)>,
    ) {
        let mut inner = self.0.borrow_mut();
        if let Some((sent, before)) = sent {
            let at = (inner.now)();
            inner.arrived(sent, before, at);
        }
        let sent = sent.map(|(sent, _)| sent);
        inner.push(EventKind::Received { connection, from, to, item, sent });
    }

    /// What was sent at this index has reached the other host, now. Its program may never read it: then nothing is ever
    /// [`received`](Self::received).
    pub(crate) fn reached(&self, sent: usize) -> Duration {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        inner.arrived(sent, None, at);
        at
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
        self.0.borrow().opened_by(node).map(|(_, latest)| latest)
    }

    /// The number of the latest connection that a node has opened, from 1.
    pub(crate) fn latest_number(&self, node: NodeId) -> Option<u32> {
        self.0.borrow().opened_by(node).map(|(number, _)| number)
    }

    /// Returns how many events there are.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().count
    }

    /// The trace, now that the run is over.
    pub(crate) fn finish(&self) -> Trace {
        let mut inner = self.0.borrow_mut();
        // The programs are still there, and their sockets have something to say when they are dropped.
        inner.observers.clear();
        Trace { end: (inner.now)(), events: inner.kept.take().unwrap_or_default() }
    }

    fn push(&self, kind: EventKind) {
        self.0.borrow_mut().push(kind);
    }
}

impl Inner {
    fn opened_by(&self, node: NodeId) -> Option<(u32, ConnectionId)> {
        self.opened.get(node.0).copied().filter(|(number, _)| *number > 0)
    }

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
}
