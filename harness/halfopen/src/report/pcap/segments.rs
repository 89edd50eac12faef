use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode};
use halfopen_websocket::{FrameKind, frame};

use super::{PORT, WEBSOCKET_PORT, half};
use crate::plan::{NodeId, Plan, Transport};
use crate::trace::{ConnectionId, EventKind, Trace, Transmission, WebSocketItem, packet_bytes};

/// The most that one segment carries: what an IPv4 packet has room for, with some to spare.
const LARGEST: usize = 32 * 1024;

/// A TCP segment as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) at: Duration,
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    pub(super) ports: (u16, u16),
    pub(super) sequence: u32,
    pub(super) acknowledged: Option<u32>,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) payload: Bytes,
    pub(super) comment: Option<String>,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// The next byte to be sent.
    next: u32,
    /// The sequence number up to which the other side has received.
    received: u32,
}

struct Connection {
    opener: NodeId,
    server: NodeId,
    opened: Duration,
    port: u16,
    version: Version,
    /// For each direction, whether frames of WebSocket follow: the upgrade has gone that way.
    has_frames: [bool; 2],
    is_websocket: bool,
    /// The directions: from the opener, and from the server.
    streams: [Stream; 2],
    is_up: bool,
}

/// Returns all segments of a run, in the order in which they left.
pub(super) fn segments(plan: &Plan, trace: &Trace) -> Vec<Segment> {
    let mut wire = Wire { plan, connections: BTreeMap::new(), ends: BTreeMap::new(), segments: Vec::new() };
    for (index, event) in trace.events.iter().enumerate() {
        match &event.kind {
            EventKind::Sent { connection, from, to, item, arrival } => {
                wire.sent(index, event.at, *connection, (*from, *to), item, *arrival);
            }
            EventKind::Received { connection, to, item, sent: Some(sent), .. } => {
                wire.received(event.at, *connection, *to, item, *sent);
            }
            EventKind::Established { connection, .. } => wire.established(event.at, *connection),
            _ => {}
        }
    }
    // What was put down later than it left, as the second step of a handshake.
    wire.segments.sort_by_key(|segment| segment.at);
    wire.segments
}

struct Wire<'a> {
    plan: &'a Plan,
    connections: BTreeMap<ConnectionId, Connection>,
    /// The sequence number at which each item that was sent ends.
    ends: BTreeMap<usize, u32>,
    segments: Vec<Segment>,
}

impl Wire<'_> {
    fn sent(
        &mut self,
        index: usize,
        at: Duration,
        id: ConnectionId,
        (from, to): (NodeId, NodeId),
        item: &Transmission,
        arrival: Option<Duration>,
    ) {
        if *item == Transmission::Open {
            return self.open(index, at, id, from, to);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if let Some(Packet::Connect(connect)) = item.packet() {
            connection.version = connect.version;
        }
        let lost = arrival.is_none().then(|| "lost, or still under way at the end of the run".to_owned());
        let reader = if from == connection.opener { Role::Server } else { Role::Client };
        let wrong = match item {
            Transmission::Bytes(bytes) => Some(diagnosis(bytes, connection.version, reader)),
            _ => None,
        };
        let comments: Vec<String> = wrong.into_iter().chain(lost).collect();
        let comment = (!comments.is_empty()).then(|| comments.join("; "));
        let bytes = match item {
            Transmission::Packet(packet) => {
                connection.carried(from, packet_bytes(packet, connection.version).unwrap_or_default())
            }
            Transmission::Bytes(bytes) => connection.carried(from, bytes.clone()),
            Transmission::WebSocket(item) => connection.websocket(from, item),
            _ => Bytes::new(),
        };
        let mut rest = bytes;
        loop {
            let part = rest.split_to(rest.len().min(LARGEST));
            let is_last = rest.is_empty();
            let mut segment = Segment { comment: comment.clone(), ..connection.segment(at, from) };
            segment.fin = is_last && *item == Transmission::Fin;
            segment.rst = is_last && *item == Transmission::Rst;
            connection.advance(from, part.len() + usize::from(segment.fin));
            segment.payload = part;
            self.segments.push(segment);
            if is_last {
                break;
            }
        }
        let end = connection.stream(from).next;
        self.ends.insert(index, end);
    }

    fn open(&mut self, index: usize, at: Duration, id: ConnectionId, opener: NodeId, server: NodeId) {
        // Beginnings differ, so that a mistake in a sum shows.
        let begin = id.0.wrapping_mul(1_000_003).wrapping_add(1000);
        let streams = [begin, begin.wrapping_add(500_000)].map(|next| Stream { next, received: next });
        let port = 49_152 + u16::try_from(id.0 % 16_384).unwrap_or(0);
        let mut connection = Connection {
            opener,
            server,
            opened: at,
            port,
            version: self.plan.version,
            has_frames: [false; 2],
            is_websocket: self.plan.node(server).transport() == Transport::WebSocket,
            streams,
            is_up: false,
        };
        let syn = Segment { syn: true, acknowledged: None, ..connection.segment(at, opener) };
        connection.advance(opener, 1);
        self.ends.insert(index, connection.stream(opener).next);
        self.segments.push(syn);
        self.connections.insert(id, connection);
    }

    /// The opener has the answer of the server, which left half of the time before.
    fn established(&mut self, at: Duration, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(&id).filter(|connection| !connection.is_up) else { return };
        let (opener, server) = (connection.opener, connection.server);
        connection.is_up = true;
        connection.streams[0].received = connection.streams[0].next;
        let syn = Segment { syn: true, ..connection.segment(half(connection.opened, at), server) };
        connection.advance(server, 1);
        connection.streams[1].received = connection.streams[1].next;
        self.segments.push(syn);
        self.segments.push(connection.segment(at, opener));
    }

    fn received(&mut self, at: Duration, id: ConnectionId, node: NodeId, item: &Transmission, sent: usize) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if matches!(item, Transmission::Open | Transmission::Rst | Transmission::TimedOut) || !connection.is_up {
            return;
        }
        let Some(&end) = self.ends.get(&sent) else { return };
        let place = usize::from(node == connection.opener);
        connection.streams[place].received = end;
        self.segments.push(connection.segment(at, node));
    }
}

impl Connection {
    fn stream(&self, from: NodeId) -> Stream {
        self.streams[usize::from(from != self.opener)]
    }

    /// Returns what carries the bytes of MQTT: over WebSocket a frame, if the upgrade is complete.
    fn carried(&self, from: NodeId, bytes: Bytes) -> Bytes {
        let has_frames = self.has_frames[usize::from(from != self.opener)];
        if has_frames { self.frame(from, FrameKind::Binary, &bytes) } else { bytes }
    }

    /// Returns the bytes of an item of WebSocket.
    fn websocket(&mut self, from: NodeId, item: &WebSocketItem) -> Bytes {
        let kind = match item {
            WebSocketItem::Request(head) | WebSocketItem::Response(head) => {
                self.has_frames[usize::from(from != self.opener)] = true;
                return head.clone();
            }
            WebSocketItem::Text(_) => FrameKind::Text,
            WebSocketItem::Close(_) => FrameKind::Close,
            WebSocketItem::Ping(_) => FrameKind::Ping,
            WebSocketItem::Pong(_) => FrameKind::Pong,
        };
        self.frame(from, kind, item.bytes())
    }

    /// Each item is a frame of its own; a client masks with zeroes, so that the capture can be read as it is.
    fn frame(&self, from: NodeId, kind: FrameKind, bytes: &[u8]) -> Bytes {
        frame(kind, bytes, (from == self.opener).then_some([0; 4])).into()
    }

    fn advance(&mut self, from: NodeId, bytes: usize) {
        let stream = &mut self.streams[usize::from(from != self.opener)];
        stream.next = stream.next.wrapping_add(u32::try_from(bytes).unwrap_or(u32::MAX));
    }

    /// An empty segment that acknowledges what has come.
    fn segment(&self, at: Duration, from: NodeId) -> Segment {
        let is_opener = from == self.opener;
        let port = if self.is_websocket { WEBSOCKET_PORT } else { PORT };
        let (to, ports) = if is_opener { (self.server, (self.port, port)) } else { (self.opener, (port, self.port)) };
        let acknowledged = Some(self.streams[usize::from(is_opener)].received);
        Segment {
            at,
            from,
            to,
            ports,
            sequence: self.stream(from).next,
            acknowledged,
            syn: false,
            fin: false,
            rst: false,
            payload: Bytes::new(),
            comment: None,
        }
    }
}

/// Returns what is wrong with bytes that make no packet, the clause with it.
fn diagnosis(bytes: &Bytes, version: Version, reader: Role) -> String {
    let options = DecodeOptions { version, reader, maximum_packet_size: u32::MAX };
    match decode(&mut BytesMut::from(&bytes[..]), &options) {
        Err(error) => format!("malformed: {error}"),
        // A whole packet is recorded as one, unless it comes after what was malformed.
        Ok(Some(_)) => "after what was malformed".to_owned(),
        Ok(None) => "the beginning of a packet that never went on".to_owned(),
    }
}
