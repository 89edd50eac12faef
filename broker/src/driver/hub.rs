use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use halfopen_protocol::{Clock, Instant, Numbered};
use tokio::sync::Notify;

use super::connection::{Connection, Step, Verdict};
use super::ready::{ConnectionWaker, ReadyQueue};
use super::{Change, Listener, Observer};
use crate::core::{Broker, ConnectionId, Event, Login, Output};

/// The size of one read. A simulated socket gives its peer room only when a read drains half of its buffer, which
/// is this large.
const READ_BUFFER: usize = 64 * 1024;

/// Maximum number of reads and writes of one connection before the others have their turn.
const STEPS: usize = 32;

/// Maximum number of connections that have their turn before deadlines and new connections have theirs.
const TURNS: usize = 256;

/// The broker and all its connections, which the parts of a server share.
pub(super) struct Hub<L: Listener, C, O> {
    clock: C,
    verify: Verify,
    state: RefCell<State<L, O>>,
    ready: Arc<ReadyQueue>,
    earlier_deadline: Notify,
}

/// Judges passwords, and may take its time.
pub(super) type Verify = Box<dyn Fn(Login) -> Verdict>;

type Connections<S, P> = Numbered<ConnectionId, Box<Connection<S, P>>>;

struct State<L: Listener, O> {
    broker: Broker,
    observer: O,
    /// The connections whose sockets are open. The broker may have closed them already.
    connections: Connections<L::Stream, L::Peer>,
    /// All connections read into the same buffer, one after the other.
    buffer: Vec<u8>,
    /// The deadline that the timer waits for. It may be too early, never too late.
    armed: Option<Instant>,
}

impl<L: Listener, C: Clock, O: Observer<L::Peer>> Hub<L, C, O> {
    pub(super) fn new(broker: Broker, clock: C, observer: O, verify: Verify) -> Self {
        let (connections, buffer) = (Numbered::new(), vec![0; READ_BUFFER]);
        Self {
            clock,
            verify,
            state: RefCell::new(State { broker, observer, connections, buffer, armed: None }),
            ready: Arc::default(),
            earlier_deadline: Notify::new(),
        }
    }

    pub(super) fn clock(&self) -> &C {
        &self.clock
    }

    /// The server begins to serve.
    pub(super) fn start(&self) {
        self.change(Broker::handle_start);
    }

    /// A connection was accepted.
    pub(super) fn open(&self, stream: L::Stream, peer: L::Peer) {
        let now = self.clock.now();
        let state = &mut *self.state.borrow_mut();
        state.observer.opened(now, &peer);
        let id = state.broker.handle_open(now);
        let connection = Connection::new(stream, peer, ConnectionWaker::new(id, &self.ready));
        state.connections.insert(id, Box::new(connection));
        self.carry_out(state, now);
    }

    pub(super) fn accept_failed(&self, error: &io::Error) {
        let now = self.clock.now();
        self.state.borrow_mut().observer.accept_failed(now, error);
    }

    /// Reads and writes the connections, for ever.
    pub(super) async fn serve_connections(&self) {
        poll_fn(|cx| self.poll_connections(cx)).await
    }

    /// Returns whether a connection waits for its turn.
    pub(super) fn has_ready_connections(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Returns what the timer is to wait for.
    pub(super) fn arm(&self) -> Option<Instant> {
        let mut state = self.state.borrow_mut();
        state.armed = state.broker.poll_timeout().map(|(at, _)| at);
        state.armed
    }

    /// Completes when the timer waits for too long.
    pub(super) async fn earlier_deadline(&self) {
        self.earlier_deadline.notified().await;
    }

    pub(super) fn timeout(&self) {
        self.change(Broker::handle_timeout);
    }

    /// Makes a change that was asked for from outside of the broker.
    pub(super) fn make(&self, change: Change) {
        self.change(change);
    }

    /// Closes all connections and waits until their sockets are dropped, which no peer can hold up.
    pub(super) async fn shut_down(&self) {
        self.change(Broker::handle_shutdown);
        poll_fn(|cx| {
            let turns = self.poll_connections(cx);
            if self.state.borrow().connections.is_empty() { Poll::Ready(()) } else { turns }
        })
        .await;
    }

    fn change(&self, change: impl FnOnce(&mut Broker, Instant)) {
        let now = self.clock.now();
        let state = &mut *self.state.borrow_mut();
        change(&mut state.broker, now);
        self.carry_out(state, now);
    }

    /// Gives the connections that have something to do their turn. Never ready.
    fn poll_connections(&self, cx: &mut Context<'_>) -> Poll<()> {
        for _ in 0..TURNS {
            let Poll::Ready(id) = self.ready.poll_pop(cx) else { return Poll::Pending };
            self.serve_connection(&mut self.state.borrow_mut(), id);
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn serve_connection(&self, state: &mut State<L, O>, id: ConnectionId) {
        let Some(connection) = state.connections.get_mut(&id) else { return };
        let waker = connection.begin_turn();
        let cx = &mut Context::from_waker(&waker);
        for _ in 0..STEPS {
            let Some(connection) = state.connections.get_mut(&id) else { return };
            let Poll::Ready(step) = connection.poll_step(&mut state.buffer, cx) else { return connection.end_turn() };
            self.handle_step(state, id, step);
        }
        if let Some(connection) = state.connections.get_mut(&id) {
            connection.yield_turn();
        }
    }

    fn handle_step(&self, state: &mut State<L, O>, id: ConnectionId, step: Step) {
        let now = self.clock.now();
        let broker = &mut state.broker;
        match step {
            Step::Read(length) => broker.handle_bytes(now, id, &state.buffer[..length]),
            Step::Written(bytes) => broker.handle_written(now, id, bytes),
            Step::Verified(accepted) => broker.handle_verified(now, id, accepted),
            Step::Ended => broker.handle_closed(now, id),
            Step::Closed => {
                state.connections.remove(&id);
                return;
            }
        }
        self.carry_out(state, now);
        if matches!(step, Step::Ended) {
            state.connections.remove(&id);
        }
    }

    /// Does what the broker asks for.
    fn carry_out(&self, state: &mut State<L, O>, now: Instant) {
        let State { broker, observer, connections, armed, .. } = state;
        while let Some(output) = broker.poll_output() {
            match output {
                Output::Send { connection, bytes } => {
                    if let Some(open) = open_mut(connections, connection) {
                        open.send(bytes);
                    }
                }
                Output::Close { connection } => {
                    if let Some(open) = open_mut(connections, connection) {
                        open.close();
                    }
                }
                Output::Verify { connection, login } => {
                    if let Some(open) = open_mut(connections, connection) {
                        open.await_verdict((self.verify)(login));
                    }
                }
                Output::Dropped { client_id, messages } => observer.dropped(now, &client_id, messages),
                Output::Event(event) => {
                    if let Some(open) = open_mut(connections, connection_of(&event)) {
                        observer.event(now, &open.peer, &event);
                    }
                }
            }
        }
        observer.settled(now, broker);
        // A deadline that has moved away costs nothing here: the timer wakes once too early and looks again.
        let next = broker.poll_timeout().map(|(at, _)| at);
        if next.is_some_and(|next| armed.is_none_or(|armed| next < armed)) {
            *armed = next;
            self.earlier_deadline.notify_one();
        }
    }
}

/// Returns a connection, unless the broker has closed it.
fn open_mut<S, P>(connections: &mut Connections<S, P>, id: ConnectionId) -> Option<&mut Connection<S, P>> {
    connections.get_mut(&id).map(|connection| &mut **connection).filter(|connection| !connection.is_closing())
}

fn connection_of(event: &Event) -> ConnectionId {
    match event {
        Event::Received { connection, .. }
        | Event::Sending { connection, .. }
        | Event::Closing { connection, .. }
        | Event::Denied { connection, .. }
        | Event::Closed { connection, .. } => *connection,
    }
}
