use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::Connect;
use halfopen_protocol::{DecodeOptions, Few, Instant, Packet, PacketType, Role, Version, decode, decode_one};
use halfopen_websocket::{FrameKind, Observer, Piece};

use super::record::Recorder;
use crate::plan::{NodeId, Plan, Program, Transport};
use crate::trace::{ConnectionId, Transmission, WebSocketItem};

/// The data between the two ends of one connection, as their taps see it.
///
/// Bytes become packets where they are written. Where they are read they are only counted, so that both ends speak of
/// the same items, however the bytes were cut on their way, and the n-th that arrives is the n-th that was sent, except that
/// an abort may be seen before what was sent before it.
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
    /// The CONNECT that the client sends if it is not told otherwise, until it has sent one.
    own: Option<Arc<Connect>>,
    from_client: Direction,
    from_server: Direction,
}

#[derive(Default)]
struct Direction {
    /// The part of WebSocket, where it carries the connection.
    websocket: Option<Box<Observer>>,
    /// Bytes written that make no whole packet yet, if there are some. An idle connection holds no buffers: there may be a
    /// million of them.
    rest: Option<Box<BytesMut>>,
    /// True after bytes that cannot be decoded: nothing that follows has a meaning.
    garbled: bool,
    written: u64,
    read: u64,
    /// The items that were sent and that no program has read yet.
    under_way: Few<UnderWay>,
    fin_sent: bool,
    rst_sent: bool,
    fin_seen: bool,
    /// The reader knows that the connection failed: by an abort or a time-out.
    failure_seen: bool,
}

/// An item that was sent and that no program has read yet.
struct UnderWay {
    item: Transmission,
    /// Number of bytes written up to its end.
    end: u64,
    /// The index of the event that sent it.
    sent: usize,
    /// Time at which it reached the other host, if it has.
    arrival: Option<Instant>,
}

impl ConnectionTap {
    /// A connection that `client` is about to open; the version of the plan is assumed until a CONNECT names one. Records the
    /// SYN.
    pub(crate) fn open(recorder: &Recorder, plan: &Plan, client: NodeId, server: NodeId) -> Rc<Self> {
        let (connection, number) = recorder.new_connection(client);
        let own = match &plan.node(client).program {
            Program::Client(program) => Some(program.options.connect.clone().into_arc()),
            Program::RawClient(_) | Program::Broker(_) | Program::RawBroker(_) => None,
        };
        let is_websocket = plan.node(server).transport() == Transport::WebSocket;
        let direction = || Direction { websocket: is_websocket.then(Box::default), ..Direction::default() };
        let (from_client, from_server) = (direction(), direction());
        let state = RefCell::new(State { version: plan.version, own, from_client, from_server });
        let tap = Self { recorder: recorder.clone(), connection, number, client, server, state };
        tap.sent(Role::Client, &mut tap.state.borrow_mut().from_client, 0, Transmission::Open);
        Rc::new(tap)
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
        self.received(Role::Server, &mut self.state.borrow_mut().from_client, Transmission::Open);
    }

    /// `side` has written these bytes. Gives the types of the packets that are whole with them.
    pub(crate) fn wrote(&self, side: Role, bytes: &[u8]) -> impl Iterator<Item = PacketType> + use<> {
        let mut state = self.state.borrow_mut();
        let (mut version, mut own) = (state.version, state.own.take());
        let direction = state.from(side);
        direction.written += bytes.len() as u64;
        if let Some(item) = direction.whole_item(bytes, side, &mut version, &mut own) {
            let packet = item.packet().map(Packet::packet_type);
            let end = direction.written;
            self.sent(side, direction, end, item);
            (state.version, state.own) = (version, own);
            return packet.into_iter().chain(Vec::new());
        }
        // Mostly it is one, which needs no list.
        let (mut first, mut further) = (None, Vec::new());
        let mut rest = direction.rest.take().map_or_else(BytesMut::new, |rest| *rest);
        let mut websocket = direction.websocket.take();
        match &mut websocket {
            None => rest.extend_from_slice(bytes),
            Some(websocket) => websocket.push(bytes),
        }
        loop {
            while let Some(item) = direction.next_item(&mut rest, side, &mut version, &mut own) {
                if let Some(packet) = item.packet() {
                    match first {
                        None => first = Some(packet.packet_type()),
                        Some(_) => further.push(packet.packet_type()),
                    }
                }
                let behind = websocket.as_ref().map_or(0, |websocket| websocket.pending()) + rest.len();
                self.sent(side, direction, direction.written - behind as u64, item);
            }
            let Some(websocket) = &mut websocket else { break };
            let Some(piece) = websocket.next_piece() else { break };
            match piece {
                Piece::Data { bytes, .. } => rest.extend_from_slice(&bytes),
                piece => {
                    let end = direction.written - websocket.pending() as u64;
                    self.sent(side, direction, end, item_of(piece, side));
                }
            }
        }
        direction.websocket = websocket;
        direction.rest = (!rest.is_empty()).then(|| Box::new(rest));
        (state.version, state.own) = (version, own);
        first.into_iter().chain(further)
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
        let end = direction.written;
        self.sent(side, direction, end, Transmission::Fin);
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
        let end = direction.written;
        self.sent(side, direction, end, Transmission::Rst);
    }

    /// The end that `side` has sent has reached the other host, whether or not its program reads it.
    pub(crate) fn end_arrived(&self, side: Role, end: &Transmission) {
        let mut state = self.state.borrow_mut();
        let under_way = state.from(side).under_way.iter_mut();
        under_way.filter(|one| one.item == *end).for_each(|one| self.reached(one));
    }

    /// Takes note that the given number of bytes from `side` have reached the other host, whose program will not read
    /// them.
    pub(crate) fn reached_host(&self, side: Role, bytes: u64) {
        let mut state = self.state.borrow_mut();
        let data = state.from(side).under_way.iter_mut().filter(|one| one.is_data());
        data.take_while(|one| one.end <= bytes).for_each(|one| self.reached(one));
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
        self.received(side, direction, how);
    }

    fn take_arrived(&self, side: Role, direction: &mut Direction) {
        while let Some(one) = direction.under_way.front()
            && one.is_data()
            && one.end <= direction.read
        {
            let item = one.item.clone();
            self.received(side, direction, item);
        }
    }

    /// The program of `side` reads an item, or sees how the connection ends. A program that has learned of an abort from a failed
    /// write may still read what has come before it.
    fn received(&self, side: Role, direction: &mut Direction, item: Transmission) {
        let place = direction.under_way.iter().position(|one| one.item == item);
        let one = place.and_then(|place| direction.under_way.remove(place));
        let sent = one.map(|one| (one.sent, one.arrival.map(Instant::since_origin)));
        self.recorder.received(self.connection, self.node(other(side)), self.node(side), item, sent);
    }

    /// An item has reached the other host.
    fn reached(&self, one: &mut UnderWay) {
        if one.arrival.is_none() {
            one.arrival = Some(Instant::new(self.recorder.reached(one.sent)));
        }
    }

    fn leave_rest(&self, side: Role, direction: &mut Direction) {
        let rest = direction.rest.take().map_or_else(Bytes::new, |rest| rest.freeze());
        let of_websocket = direction.websocket.as_mut().map_or_else(Bytes::new, |websocket| websocket.take_pending());
        for rest in [rest, of_websocket].into_iter().filter(|rest| !rest.is_empty()) {
            let end = direction.written;
            self.sent(side, direction, end, Transmission::Bytes(rest));
        }
    }

    fn sent(&self, side: Role, direction: &mut Direction, end: u64, item: Transmission) {
        let item = self.recorder.shared(item);
        let sent = self.recorder.sent(self.connection, self.node(side), self.node(other(side)), item.clone());
        direction.under_way.push_back(UnderWay { item, end, sent, arrival: None });
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

impl UnderWay {
    fn is_data(&self) -> bool {
        matches!(self.item, Transmission::Packet(_) | Transmission::Bytes(_) | Transmission::WebSocket(_))
    }
}

impl Direction {
    /// Returns what these bytes are, if they are exactly one packet and nothing waits before it.
    fn whole_item(
        &self,
        bytes: &[u8],
        writer: Role,
        version: &mut Version,
        own: &mut Option<Arc<Connect>>,
    ) -> Option<Transmission> {
        if self.garbled || self.rest.is_some() || self.websocket.is_some() {
            return None;
        }
        decode_one(bytes, &decode_options(writer, *version)).map(|packet| transmission(packet, version, own))
    }

    fn next_item(
        &mut self,
        rest: &mut BytesMut,
        writer: Role,
        version: &mut Version,
        own: &mut Option<Arc<Connect>>,
    ) -> Option<Transmission> {
        if rest.is_empty() {
            return None;
        }
        if !self.garbled {
            match decode(rest, &decode_options(writer, *version)) {
                Ok(None) => return None,
                Ok(Some(packet)) => return Some(transmission(packet, version, own)),
                Err(_) => self.garbled = true,
            }
        }
        Some(Transmission::Bytes(rest.split().freeze()))
    }
}

fn decode_options(writer: Role, version: Version) -> DecodeOptions {
    DecodeOptions { version, reader: other(writer), maximum_packet_size: u32::MAX }
}

/// Returns what the trace says of a packet. A CONNECT names the version of its connection; the plan has the `own` one of the
/// client already, and there may be a million of them.
fn transmission(mut packet: Packet, version: &mut Version, own: &mut Option<Arc<Connect>>) -> Transmission {
    if let Packet::Connect(connect) = &mut packet {
        *version = connect.version;
        if let Some(own) = own.take().filter(|own| own == connect) {
            *connect = own;
        }
    }
    Transmission::from(packet)
}

/// Returns what the trace says of a piece of WebSocket that is no data.
fn item_of(piece: Piece, side: Role) -> Transmission {
    let item = match piece {
        Piece::Http(head) if side == Role::Client => WebSocketItem::Request(head),
        Piece::Http(head) => WebSocketItem::Response(head),
        Piece::Frame(FrameKind::Text, payload) => WebSocketItem::Text(payload),
        Piece::Frame(FrameKind::Close, payload) => WebSocketItem::Close(payload),
        Piece::Frame(FrameKind::Ping, payload) => WebSocketItem::Ping(payload),
        Piece::Frame(FrameKind::Pong, payload) => WebSocketItem::Pong(payload),
        Piece::Frame(FrameKind::Binary, bytes) | Piece::Data { bytes, .. } | Piece::Garbled(bytes) => {
            return Transmission::Bytes(bytes);
        }
    };
    Transmission::WebSocket(Arc::new(item))
}

/// The other side of a connection.
pub(crate) fn other(side: Role) -> Role {
    match side {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    }
}
