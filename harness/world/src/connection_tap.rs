use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use bytes::BytesMut;
use halfopen_protocol::{DecodeOptions, Packet, PacketType, Role, Version, decode};

use super::record::Recorder;
use crate::plan::NodeId;
use crate::trace::{ConnectionId, Transmission};

/// The data between the two ends of one connection, as their taps see it.
///
/// Bytes become packets where they are written. Where they are read they are only counted, so that both ends speak of
/// the same items, however the bytes were cut on their way, and the n-th that arrives is the n-th that was sent.
pub(crate) struct ConnectionTap {
    recorder: Recorder,
    connection: ConnectionId,
    /// The number among the client's connections, from 1.
    number: u32,
    client: NodeId,
    server: NodeId,
    state: RefCell<State>,
}

struct State {
    version: Version,
    from_client: Direction,
    from_server: Direction,
}

#[derive(Default)]
struct Direction {
    /// Bytes written that make no whole packet yet.
    rest: BytesMut,
    /// True after bytes that cannot be decoded: nothing that follows has a meaning.
    garbled: bool,
    written: u64,
    read: u64,
    /// The items that were sent and are not read yet, each with the number of bytes up to its end.
    under_way: VecDeque<(u64, Transmission)>,
    fin_sent: bool,
    rst_sent: bool,
    fin_seen: bool,
    /// The reader knows that the connection failed: by an abort or a time-out.
    failure_seen: bool,
}

impl ConnectionTap {
    /// A connection that `client` is about to open; `version` is assumed until a CONNECT names one. Records the SYN.
    pub(crate) fn open(recorder: &Recorder, client: NodeId, server: NodeId, version: Version) -> Rc<Self> {
        let (connection, number) = recorder.new_connection(client);
        recorder.sent(connection, client, server, Transmission::Open);
        Rc::new(Self {
            recorder: recorder.clone(),
            connection,
            number,
            client,
            server,
            state: RefCell::new(State {
                version,
                from_client: Direction::default(),
                from_server: Direction::default(),
            }),
        })
    }

    /// The connection's name in the trace.
    pub(crate) fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Returns which of those that the client has opened, from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The node on this side.
    pub(crate) fn node(&self, side: Role) -> NodeId {
        match side {
            Role::Client => self.client,
            Role::Server => self.server,
        }
    }

    /// The program of the server has taken the connection.
    pub(crate) fn accepted(&self) {
        self.recorder.received(self.connection, self.client, self.server, Transmission::Open);
    }

    /// `side` has written these bytes. Gives the types of the packets that are whole with them.
    pub(crate) fn wrote(&self, side: Role, bytes: &[u8]) -> Vec<PacketType> {
        let mut state = self.state.borrow_mut();
        let mut version = state.version;
        let direction = state.from(side);
        direction.written += bytes.len() as u64;
        direction.rest.extend_from_slice(bytes);
        let mut types = Vec::new();
        while let Some(item) = direction.next_item(side, &mut version) {
            types.extend(item.packet().map(Packet::packet_type));
            let end = direction.written - direction.rest.len() as u64;
            self.sent(side, direction, end, item);
        }
        if direction.rest.is_empty() {
            direction.rest = BytesMut::new();
        }
        state.version = version;
        types
    }

    /// `side` has ended its direction in order. Recorded once.
    pub(crate) fn finished(&self, side: Role) {
        let mut state = self.state.borrow_mut();
        let direction = state.from(side);
        if direction.fin_sent || direction.rst_sent {
            return;
        }
        self.leave_rest(side, direction);
        direction.fin_sent = true;
        self.record_sent(side, Transmission::Fin);
    }

    /// `side` has aborted the connection. Recorded once.
    pub(crate) fn aborted(&self, side: Role) {
        let mut state = self.state.borrow_mut();
        let direction = state.from(side);
        if direction.rst_sent {
            return;
        }
        self.leave_rest(side, direction);
        direction.rst_sent = true;
        self.record_sent(side, Transmission::Rst);
    }

    /// The end that `side` has sent has reached the other host, whether or not its program reads it.
    pub(crate) fn end_arrived(&self, side: Role, end: &Transmission) {
        self.recorder.end_reached_host(self.connection, self.node(side), end);
    }

    /// Takes note that the given number of bytes from `side` have reached the other host, whose program will not read
    /// them.
    pub(crate) fn reached_host(&self, side: Role, bytes: u64) {
        let mut state = self.state.borrow_mut();
        let direction = state.from(side);
        let whole = direction.under_way.iter().take_while(|(end, _)| *end <= bytes).count();
        self.recorder.reached_host(self.connection, self.node(side), whole);
    }

    /// The program of `side` is gone without a word: what it left unfinished will never be whole.
    pub(crate) fn abandoned(&self, side: Role) {
        let mut state = self.state.borrow_mut();
        let direction = state.from(side);
        self.leave_rest(side, direction);
    }

    /// Returns whether the program of `side` knows that the connection failed, so that there is nothing left to end.
    pub(crate) fn has_failed(&self, side: Role) -> bool {
        self.state.borrow_mut().from(other(side)).failure_seen
    }

    /// Takes note that the program of `side` has read this many more bytes.
    pub(crate) fn read(&self, side: Role, count: usize) {
        let from = other(side);
        let mut state = self.state.borrow_mut();
        let direction = state.from(from);
        direction.read += count as u64;
        self.take_arrived(side, direction);
    }

    /// The program of `side` sees the connection end: [`Transmission::Fin`], [`Transmission::Rst`] or
    /// [`Transmission::TimedOut`]. Recorded once; a failure may follow an end in order.
    pub(crate) fn saw_end(&self, side: Role, how: Transmission) {
        let from = other(side);
        let mut state = self.state.borrow_mut();
        let direction = state.from(from);
        if direction.failure_seen || (direction.fin_seen && how == Transmission::Fin) {
            return;
        }
        self.take_arrived(side, direction);
        direction.fin_seen |= how == Transmission::Fin;
        direction.failure_seen |= how != Transmission::Fin;
        self.recorder.received(self.connection, self.node(from), self.node(side), how);
    }

    fn take_arrived(&self, side: Role, direction: &mut Direction) {
        while let Some((end, _)) = direction.under_way.front()
            && *end <= direction.read
        {
            if let Some((_, item)) = direction.under_way.pop_front() {
                self.recorder.received(self.connection, self.node(other(side)), self.node(side), item);
            }
        }
        if direction.under_way.is_empty() {
            // An idle connection holds no buffer: there may be a million of them.
            direction.under_way = VecDeque::new();
        }
    }

    fn leave_rest(&self, side: Role, direction: &mut Direction) {
        if !direction.rest.is_empty() {
            let rest = direction.rest.split().freeze();
            let end = direction.written;
            self.sent(side, direction, end, Transmission::Bytes(rest));
        }
    }

    fn sent(&self, side: Role, direction: &mut Direction, end: u64, item: Transmission) {
        let item = self.recorder.shared(item);
        if direction.under_way.is_empty() {
            // Mostly it stays alone, and a queue that grows by itself makes room for four.
            direction.under_way.reserve_exact(1);
        }
        direction.under_way.push_back((end, item.clone()));
        self.record_sent(side, item);
    }

    fn record_sent(&self, side: Role, item: Transmission) {
        self.recorder.sent(self.connection, self.node(side), self.node(other(side)), item);
    }
}

impl State {
    fn from(&mut self, side: Role) -> &mut Direction {
        match side {
            Role::Client => &mut self.from_client,
            Role::Server => &mut self.from_server,
        }
    }
}

impl Direction {
    fn next_item(&mut self, writer: Role, version: &mut Version) -> Option<Transmission> {
        if self.rest.is_empty() {
            return None;
        }
        if !self.garbled {
            let options = DecodeOptions { version: *version, reader: other(writer), maximum_packet_size: u32::MAX };
            match decode(&mut self.rest, &options) {
                Ok(None) => return None,
                Ok(Some(packet)) => {
                    if let Packet::Connect(connect) = &packet {
                        *version = connect.version;
                    }
                    return Some(Transmission::from(packet));
                }
                Err(_) => self.garbled = true,
            }
        }
        Some(Transmission::Bytes(self.rest.split().freeze()))
    }
}

/// The other side of a connection.
pub(crate) fn other(side: Role) -> Role {
    match side {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}
