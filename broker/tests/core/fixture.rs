//! A broker with scripted peers and a clock that is moved by hand.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use halfopen_broker::core::{CloseReason, ConnectionId, Event, Login, Operation, Output};
use halfopen_broker::{Access, Broker, Config};
use halfopen_protocol::packet::{
    Ack, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, Subscribe, Subscription, Unsubscribe, Will,
};
use halfopen_protocol::{DecodeOptions, Instant, Packet, ReasonCode, Role, Version, decode, encode};

/// Where the randomness of a broker comes from that is not about it.
pub(crate) const SEED: [u8; 32] = [7; 32];

/// A broker, the time, and what each peer has seen.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) now: Instant,
    peers: BTreeMap<ConnectionId, Peer>,
    /// The passwords that the broker asks about.
    pub(crate) asked: Vec<(ConnectionId, Login)>,
    /// What clients may not do and wanted to.
    pub(crate) denied: Vec<(Operation, String)>,
    /// When the operator was told how many messages to a client were dropped.
    pub(crate) dropped: Vec<(Instant, String, u64)>,
}

#[derive(Default)]
struct Peer {
    version: Option<Version>,
    bytes: BytesMut,
    packets: Vec<Packet>,
    reads_nothing: bool,
    /// What was sent while it read nothing.
    waiting: Vec<u8>,
    reason: Option<CloseReason>,
    closed: Option<Instant>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self::of(Broker::new(config, SEED))
    }

    pub(crate) fn with_access(access: Access) -> Self {
        Self::of(Broker::with_access(Config::default(), access, SEED))
    }

    pub(crate) fn of(broker: Broker) -> Self {
        // Not zero, so that a moment taken for a duration is found out.
        let now = Instant::from_secs(1000);
        Self { broker, now, peers: BTreeMap::new(), asked: Vec::new(), denied: Vec::new(), dropped: Vec::new() }
    }

    /// Opens a transport connection and sends nothing.
    pub(crate) fn open(&mut self) -> ConnectionId {
        let id = self.broker.handle_open(self.now);
        self.peers.insert(id, Peer::default());
        self.drain();
        id
    }

    /// Opens a connection, sends this CONNECT, and expects to be accepted.
    pub(crate) fn connect(&mut self, connect: Connect) -> ConnectionId {
        self.connect_and_ack(connect).0
    }

    pub(crate) fn connect_and_ack(&mut self, connect: Connect) -> (ConnectionId, ConnAck) {
        let id = self.open();
        self.send(id, Packet::from(connect));
        // Behind CONNACK may stand what the session was waiting to send.
        let peer = self.peer(id);
        let Packet::ConnAck(connack) = peer.packets.remove(0) else { panic!("no CONNACK first") };
        assert_eq!(connack.reason, ReasonCode::SUCCESS);
        (id, Arc::unwrap_or_clone(connack))
    }

    /// Connects as `client_id` with a clean start and no keep-alive.
    pub(crate) fn client(&mut self, version: Version, client_id: &'static str) -> ConnectionId {
        self.connect(Connect::new(version, client_id))
    }

    /// Connects a client that is subscribed to `filter` with this QoS.
    pub(crate) fn watcher(&mut self, version: Version, filter: &'static str, qos: QoS) -> ConnectionId {
        let id = self.client(version, "watcher");
        self.subscribe(id, Subscription::new(filter, qos));
        id
    }

    /// Subscribes and expects to be granted what was asked for; gives what comes behind SUBACK.
    pub(crate) fn subscribe(&mut self, id: ConnectionId, subscription: Subscription) -> Vec<Packet> {
        let granted = ReasonCode::new(subscription.qos.level());
        self.send(id, subscribe(subscription));
        let mut packets = self.received(id);
        let Packet::SubAck(suback) = packets.remove(0) else { panic!("no SUBACK first") };
        assert_eq!(suback.reasons, [granted]);
        packets
    }

    #[expect(clippy::needless_pass_by_value, reason = "a test writes the packet where it is sent")]
    pub(crate) fn send(&mut self, id: ConnectionId, packet: Packet) {
        let peer = self.peer(id);
        if let Packet::Connect(connect) = &packet {
            peer.version = Some(connect.version);
        }
        let version = peer.version.expect("CONNECT comes first");
        let mut bytes = BytesMut::new();
        encode(&packet, version, &mut bytes).expect("a valid packet");
        self.send_bytes(id, &bytes);
    }

    pub(crate) fn send_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        self.broker.handle_bytes(self.now, id, bytes);
        self.drain();
    }

    /// Says whether a password is right.
    pub(crate) fn verified(&mut self, id: ConnectionId, accepted: bool) {
        self.broker.handle_verified(self.now, id, accepted);
        self.drain();
    }

    /// The transport ends without a word.
    pub(crate) fn cut(&mut self, id: ConnectionId) {
        self.broker.handle_closed(self.now, id);
        self.drain();
    }

    /// Lets time pass; what falls due on the way is done at its time.
    pub(crate) fn advance(&mut self, by: Duration) {
        let until = self.now + by;
        while let Some((due, _)) = self.broker.poll_timeout().filter(|(due, _)| *due <= until) {
            assert!(due >= self.now, "a deadline in the past was left undone");
            self.now = due;
            self.broker.handle_timeout(due);
            self.drain();
        }
        self.now = until;
        // Being asked too early must do no harm.
        self.broker.handle_timeout(until);
        self.drain();
    }

    /// Lets time pass up to the last millisecond before `by` is over.
    pub(crate) fn advance_to_just_before(&mut self, by: Duration) {
        self.advance(by - Duration::from_millis(1));
    }

    /// Makes the peer take nothing more from the network.
    pub(crate) fn stop_reading(&mut self, id: ConnectionId) {
        self.peer(id).reads_nothing = true;
    }

    /// The peer takes what has been sent meanwhile, and what comes then. Gives how many bytes waited for it.
    pub(crate) fn resume_reading(&mut self, id: ConnectionId) -> usize {
        let peer = self.peer(id);
        peer.reads_nothing = false;
        let waiting = std::mem::take(&mut peer.waiting);
        peer.read(&waiting);
        self.broker.handle_written(self.now, id, waiting.len());
        self.drain();
        waiting.len()
    }

    /// What the peer got since it was last asked.
    pub(crate) fn received(&mut self, id: ConnectionId) -> Vec<Packet> {
        self.received_with_reasons(id).into_iter().map(without_reason_string).collect()
    }

    /// The same with the Reason Strings, which only few tests are about.
    pub(crate) fn received_with_reasons(&mut self, id: ConnectionId) -> Vec<Packet> {
        std::mem::take(&mut self.peer(id).packets)
    }

    /// The topics and payloads of the messages that the peer got since it was last asked.
    pub(crate) fn messages(&mut self, id: ConnectionId) -> Vec<String> {
        let text = |packet| match packet {
            Packet::Publish(publish) => {
                Some(format!("{} {}", publish.topic, String::from_utf8_lossy(&publish.payload)))
            }
            _ => None,
        };
        self.received(id).into_iter().filter_map(text).collect()
    }

    /// Whether the broker has closed the connection, when, and why.
    pub(crate) fn closed(&self, id: ConnectionId) -> Option<(Instant, CloseReason)> {
        let peer = &self.peers[&id];
        peer.closed.map(|at| (at, peer.reason.clone().expect("a reason before each close")))
    }

    pub(crate) fn is_open(&self, id: ConnectionId) -> bool {
        self.closed(id).is_none()
    }

    /// Why the broker has closed the connection.
    pub(crate) fn why_closed(&self, id: ConnectionId) -> CloseReason {
        self.closed(id).expect("closed").1
    }

    fn peer(&mut self, id: ConnectionId) -> &mut Peer {
        self.peers.get_mut(&id).expect("a connection of this world")
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.broker.poll_output() {
            match output {
                Output::Send { connection, bytes } => {
                    let peer = self.peer(connection);
                    assert!(peer.closed.is_none(), "bytes after the close");
                    if peer.reads_nothing {
                        peer.waiting.extend_from_slice(&bytes);
                    } else {
                        peer.read(&bytes);
                        self.broker.handle_written(self.now, connection, bytes.len());
                    }
                }
                Output::Close { connection } => {
                    let now = self.now;
                    assert_eq!(self.peer(connection).closed.replace(now), None, "closed twice");
                }
                Output::Event(Event::Closing { connection, reason, .. }) => {
                    self.peer(connection).reason = Some(reason);
                }
                Output::Event(Event::Received { connection, packet: Packet::Connect(connect), .. }) => {
                    self.peer(connection).version.get_or_insert(connect.version);
                }
                Output::Event(Event::Denied { operation, topic, .. }) => {
                    self.denied.push((operation, topic.to_string()))
                }
                Output::Event(_) => {}
                Output::Dropped { client_id, messages } => {
                    self.dropped.push((self.now, client_id.to_string(), messages));
                }
                Output::Verify { connection, login } => self.asked.push((connection, login)),
            }
        }
    }
}

impl Peer {
    fn read(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let options = DecodeOptions {
            version: self.version.unwrap_or(Version::V5_0),
            reader: Role::Client,
            maximum_packet_size: u32::MAX,
        };
        loop {
            match decode(&mut self.bytes, &options) {
                Ok(Some(packet)) => self.packets.push(packet),
                Ok(None) => break,
                // A version that the broker does not have either may be answered in any form.
                Err(_) if self.version.is_none() => break,
                Err(error) => panic!("the broker writes what no client can read: {error}"),
            }
        }
    }
}

fn without_reason_string(mut packet: Packet) -> Packet {
    match &mut packet {
        Packet::ConnAck(connack) => Arc::make_mut(connack).reason_string = None,
        Packet::PubAck(ack) | Packet::PubRec(ack) => ack.reason_string = None,
        Packet::SubAck(suback) => suback.reason_string = None,
        Packet::Disconnect(disconnect) => disconnect.reason_string = None,
        _ => {}
    }
    packet
}

pub(crate) fn subscribe(subscription: Subscription) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: id(1),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![subscription],
    })
}

pub(crate) fn unsubscribe(filter: &'static str) -> Packet {
    Packet::Unsubscribe(Unsubscribe { packet_id: id(1), user_properties: Vec::new(), filters: vec![filter.into()] })
}

pub(crate) fn message(topic: &'static str, payload: &'static str) -> Publish {
    Publish { topic: topic.into(), payload: payload.into(), ..Publish::default() }
}

/// The message with QoS 1 or 2 and this packet identifier.
pub(crate) fn with_qos(publish: Publish, qos: QoS, packet_id: u16) -> Publish {
    Publish { qos, packet_id: (qos != QoS::AtMostOnce).then(|| id(packet_id)), ..publish }
}

pub(crate) fn ack(packet_id: u16) -> Ack {
    Ack::new(id(packet_id))
}

/// The acknowledgement of a message that nobody is subscribed to (5.0).
pub(crate) fn unheard(packet_id: u16) -> Ack {
    Ack::with_reason(id(packet_id), ReasonCode::NO_MATCHING_SUBSCRIBERS)
}

pub(crate) fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).expect("not 0")
}

pub(crate) fn disconnect(reason: ReasonCode) -> Packet {
    Packet::Disconnect(Disconnect::new(reason))
}

/// A will on topic `will` with payload `gone`.
pub(crate) fn will() -> Will {
    Will { topic: "will".into(), payload: "gone".into(), ..Will::default() }
}

/// A CONNECT that keeps its session for `secs` (5.0), or for ever unless 0 (3.1.1).
pub(crate) fn lasting(version: Version, client_id: &'static str, secs: u32) -> Connect {
    let connect = Connect { clean_start: false, ..Connect::new(version, client_id) };
    match version {
        Version::V3_1_1 => Connect { clean_start: secs == 0, ..connect },
        Version::V5_0 => Connect { session_expiry: Some(secs), ..connect },
    }
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}
