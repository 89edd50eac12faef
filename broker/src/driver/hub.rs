use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

use halfopen_protocol::{Clock, Instant};
use tokio::sync::Notify;

use super::outgoing::WriteQueue;
use super::{Change, Observer};
use crate::core::{Broker, ConnectionId, Event, Login, Output};

/// The size of one read. A simulated socket gives its peer room only when a read drains half of its buffer, which
/// is this large.
pub(super) const READ_BUFFER: usize = 64 * 1024;

/// The state that the tasks of a server share: the broker, and the way to every connection.
pub(super) struct Hub<P, C, O>(Rc<Shared<P, C, O>>);

/// Judges passwords, and may take its time.
pub(super) type Verify = Box<dyn Fn(Login) -> Verdict>;

/// A future that resolves to whether a password is right.
pub(super) type Verdict = Pin<Box<dyn Future<Output = bool>>>;

struct Shared<P, C, O> {
    clock: C,
    verify: Verify,
    state: RefCell<State<P, O>>,
    /// All connections read into the same buffer, one after the other.
    buffer: RefCell<Vec<u8>>,
    earlier_deadline: Notify,
    empty: Notify,
}

struct State<P, O> {
    broker: Broker,
    observer: O,
    connections: BTreeMap<ConnectionId, Rc<ConnectionHandle<P>>>,
    /// Number of tasks of connections that run; a closed connection may still have one.
    tasks: usize,
    /// The deadline that the timer waits for. It may be too early, never too late.
    armed: Option<Instant>,
}

/// The state that the hub and the task of a connection share.
pub(super) struct ConnectionHandle<P> {
    peer: P,
    pub(super) outgoing: RefCell<WriteQueue>,
}

impl<P, C, O> Clone for Hub<P, C, O> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<P, C: Clock, O: Observer<P>> Hub<P, C, O> {
    pub(super) fn new(broker: Broker, clock: C, observer: O, verify: Verify) -> Self {
        Self(Rc::new(Shared {
            clock,
            verify,
            state: RefCell::new(State { broker, observer, connections: BTreeMap::new(), tasks: 0, armed: None }),
            buffer: RefCell::new(vec![0; READ_BUFFER]),
            earlier_deadline: Notify::new(),
            empty: Notify::new(),
        }))
    }

    pub(super) fn clock(&self) -> &C {
        &self.0.clock
    }

    /// The server begins to serve.
    pub(super) fn start(&self) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_start(now);
        self.carry_out(now);
    }

    /// A connection was accepted; its task must call [`task_ended`](Self::task_ended) in the end.
    pub(super) fn open(&self, peer: P) -> (ConnectionId, Rc<ConnectionHandle<P>>) {
        let now = self.0.clock.now();
        let mut state = self.0.state.borrow_mut();
        state.observer.opened(now, &peer);
        let id = state.broker.handle_open(now);
        state.tasks += 1;
        let handle = Rc::new(ConnectionHandle { peer, outgoing: RefCell::default() });
        state.connections.insert(id, Rc::clone(&handle));
        drop(state);
        self.carry_out(now);
        (id, handle)
    }

    pub(super) fn accept_failed(&self, error: &io::Error) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().observer.accept_failed(now, error);
    }

    /// Lets `read` fill the shared buffer.
    pub(super) fn with_buffer<R>(&self, read: impl FnOnce(&mut [u8]) -> R) -> R {
        read(&mut self.0.buffer.borrow_mut())
    }

    /// The first `length` bytes of the shared buffer came on a connection.
    pub(super) fn received(&self, id: ConnectionId, length: usize) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_bytes(now, id, &self.0.buffer.borrow()[..length]);
        self.carry_out(now);
    }

    pub(super) fn written(&self, id: ConnectionId, bytes: usize) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_written(now, id, bytes);
        self.carry_out(now);
    }

    /// Finds out whether a password is right.
    pub(super) fn verify(&self, login: Login) -> Verdict {
        (self.0.verify)(login)
    }

    pub(super) fn verified(&self, id: ConnectionId, accepted: bool) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_verified(now, id, accepted);
        self.carry_out(now);
    }

    /// The transport of a connection has ended.
    pub(super) fn closed(&self, id: ConnectionId) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_closed(now, id);
        self.carry_out(now);
        self.0.state.borrow_mut().connections.remove(&id);
    }

    /// The task of a connection has ended, and its socket is dropped.
    pub(super) fn task_ended(&self) {
        let mut state = self.0.state.borrow_mut();
        state.tasks -= 1;
        if state.tasks == 0 {
            self.0.empty.notify_one();
        }
    }

    /// Returns what the timer is to wait for.
    pub(super) fn arm(&self) -> Option<Instant> {
        let mut state = self.0.state.borrow_mut();
        state.armed = state.broker.poll_timeout().map(|(at, _)| at);
        state.armed
    }

    /// Completes when the timer waits for too long.
    pub(super) async fn earlier_deadline(&self) {
        self.0.earlier_deadline.notified().await;
    }

    pub(super) fn timeout(&self) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_timeout(now);
        self.carry_out(now);
    }

    /// Changes the broker.
    pub(super) fn change(&self, change: Change) {
        let now = self.0.clock.now();
        change(&mut self.0.state.borrow_mut().broker, now);
        self.carry_out(now);
    }

    /// Closes all connections and waits until their sockets are dropped, which no peer can hold up.
    pub(super) async fn shut_down(&self) {
        let now = self.0.clock.now();
        self.0.state.borrow_mut().broker.handle_shutdown(now);
        self.carry_out(now);
        while self.0.state.borrow().tasks > 0 {
            self.0.empty.notified().await;
        }
    }

    /// Does what the broker asks for.
    fn carry_out(&self, now: Instant) {
        let mut state = self.0.state.borrow_mut();
        let State { broker, observer, connections, armed, .. } = &mut *state;
        while let Some(output) = broker.poll_output() {
            match output {
                Output::Send { connection, bytes } => {
                    if let Some(open) = connections.get(&connection) {
                        open.outgoing.borrow_mut().push(bytes);
                    }
                }
                Output::Close { connection } => {
                    if let Some(open) = connections.remove(&connection) {
                        open.outgoing.borrow_mut().close();
                    }
                }
                Output::Verify { connection, login } => {
                    if let Some(open) = connections.get(&connection) {
                        open.outgoing.borrow_mut().verify(login);
                    }
                }
                Output::Dropped { client_id, messages } => observer.dropped(now, &client_id, messages),
                Output::Event(event) => {
                    if let Some(open) = connections.get(&connection_of(&event)) {
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
            self.0.earlier_deadline.notify_one();
        }
    }
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
