use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use halfopen_protocol::packet::Publish;

use crate::plan::{Because, NodeFault, NodeId, StepId};
use crate::trace::{ConnectionId, Event, EventKind, Held, Item, Since, Trace};

/// Writes the trace. All who see something happen in a world hold a clone of it.
///
/// Pairs what arrives with what was sent: each direction of a connection is a stream, so the n-th item that arrives is
/// the n-th that was sent, except that an abort overtakes what was lost before it.
#[derive(Clone)]
pub(crate) struct Recorder(Rc<RefCell<Inner>>);

struct Inner {
    now: Box<dyn Fn() -> Duration>,
    events: Vec<Event>,
    connections: u32,
    /// How many connections each node has opened, and the last of them.
    opened: BTreeMap<NodeId, (u32, ConnectionId)>,
    /// The steps whose faults have met something.
    hit: BTreeSet<StepId>,
    /// For each direction of a connection, its sender named: the events of what is under way.
    under_way: BTreeMap<(ConnectionId, NodeId), VecDeque<usize>>,
}

impl Recorder {
    /// A recorder that asks `now` for the virtual time since the start of the run.
    pub(crate) fn new(now: impl Fn() -> Duration + 'static) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            now: Box::new(now),
            events: Vec::new(),
            connections: 0,
            opened: BTreeMap::new(),
            hit: BTreeSet::new(),
            under_way: BTreeMap::new(),
        })))
    }

    /// The virtual time since the start of the run.
    pub(crate) fn now(&self) -> Duration {
        (self.0.borrow().now)()
    }

    /// `client` is about to open a connection, the so many-th of its own, from 1; its first item, [`Item::Open`], is yet
    /// to be [`sent`](Self::sent).
    pub(crate) fn new_connection(&self, client: NodeId) -> (ConnectionId, u32) {
        let mut inner = self.0.borrow_mut();
        inner.connections += 1;
        let id = ConnectionId(inner.connections - 1);
        let (number, latest) = inner.opened.entry(client).or_insert((0, id));
        *number += 1;
        *latest = id;
        (id, *number)
    }

    /// `item` leaves `from`.
    pub(crate) fn sent(&self, connection: ConnectionId, from: NodeId, to: NodeId, item: Item) {
        let mut inner = self.0.borrow_mut();
        let index = inner.events.len();
        inner.under_way.entry((connection, from)).or_default().push_back(index);
        inner.push(EventKind::Sent { connection, from, to, item, arrival: None });
    }

    /// `item` arrives at `to`.
    pub(crate) fn received(&self, connection: ConnectionId, from: NodeId, to: NodeId, item: Item) {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        let sent = inner.take_sent(connection, from, &item);
        if let Some(index) = sent
            && let EventKind::Sent { arrival, .. } = &mut inner.events[index].kind
        {
            *arrival = Some(at);
        }
        inner.push(EventKind::Received { connection, from, to, item, sent });
    }

    /// The end of a connection that `from` has sent, in order or by abort, has reached the other host. Its program may
    /// never read it: then nothing is ever [`received`](Self::received).
    pub(crate) fn end_reached_host(&self, connection: ConnectionId, from: NodeId, end: &Item) {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        let Inner { events, under_way, .. } = &mut *inner;
        for &index in under_way.get(&(connection, from)).into_iter().flatten() {
            if let EventKind::Sent { item, arrival: arrival @ None, .. } = &mut events[index].kind
                && item == end
            {
                *arrival = Some(at);
            }
        }
    }

    /// The first `count` packets, or pieces of them, that `from` has under way have reached the other host, whose
    /// program will not read them: they are answered by an abort, and not lost.
    pub(crate) fn reached_host(&self, connection: ConnectionId, from: NodeId, count: usize) {
        let mut inner = self.0.borrow_mut();
        let at = (inner.now)();
        let Inner { events, under_way, .. } = &mut *inner;
        let mut left = count;
        for &index in under_way.get(&(connection, from)).into_iter().flatten() {
            if let EventKind::Sent { item: Item::Packet(_) | Item::Bytes(_), arrival, .. } = &mut events[index].kind
                && left > 0
            {
                left -= 1;
                arrival.get_or_insert(at);
            }
        }
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
    pub(crate) fn delivered(&self, node: NodeId, message: Publish) {
        self.push(EventKind::Delivered { node, message });
    }

    /// The client `node` has a successful CONNACK.
    pub(crate) fn connected(&self, node: NodeId, session_present: bool) {
        self.push(EventKind::Connected { node, session_present });
    }

    /// What the broker `node` holds has changed.
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

    /// How many events there are.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().events.len()
    }

    /// Calls `read` with all events so far.
    pub(crate) fn with_events<R>(&self, read: impl FnOnce(&[Event]) -> R) -> R {
        read(&self.0.borrow().events)
    }

    /// The trace, now that the run is over.
    pub(crate) fn finish(&self) -> Trace {
        let mut inner = self.0.borrow_mut();
        // The programs are still there, and their sockets have something to say when they are dropped.
        inner.under_way.clear();
        Trace { end: (inner.now)(), events: std::mem::take(&mut inner.events) }
    }

    fn push(&self, kind: EventKind) {
        self.0.borrow_mut().push(kind);
    }
}

impl Inner {
    fn push(&mut self, kind: EventKind) {
        let at = (self.now)();
        self.events.push(Event { at, kind });
    }

    /// The event of sending that `item` arrives from: the oldest under way, or for an abort the abort itself.
    fn take_sent(&mut self, connection: ConnectionId, from: NodeId, item: &Item) -> Option<usize> {
        let under_way = self.under_way.get_mut(&(connection, from))?;
        match item {
            Item::TimedOut => None,
            Item::Rst => {
                let is_rst =
                    |&index: &usize| matches!(&self.events[index].kind, EventKind::Sent { item: Item::Rst, .. });
                let place = under_way.iter().position(is_rst)?;
                let index = under_way[place];
                under_way.drain(..=place);
                Some(index)
            }
            _ => under_way.pop_front(),
        }
    }
}
