use std::collections::VecDeque;
use std::sync::Arc;

use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::packet::{Disconnect, Publish};
use halfopen_protocol::{EncodeError, Instant, Numbered, Packet, PacketType, ReasonCode, Version, encode};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

use super::connection::Connection;
use super::counters::Counters;
#[cfg(feature = "defects")]
use super::defects::Defects;
use super::retained::Retained;
use super::session::Sessions;
use super::subscriptions::Subscriptions;
use super::sys::Sys;
use super::timers::{Subject, Timers};
use super::{Access, CloseReason, Config, ConnectionId, Event, Output, Timer};

/// An MQTT broker without sockets and without a clock.
///
/// The driver tells it what happens (`handle_*`), and after each such call takes everything out of
/// [`poll_output`](Self::poll_output) and asks [`poll_timeout`](Self::poll_timeout) when to come back. What arrives at
/// the very instant of a deadline is in time: call [`handle_bytes`](Self::handle_bytes) before
/// [`handle_timeout`](Self::handle_timeout).
#[derive(Debug)]
pub struct Broker {
    pub(super) config: Config,
    pub(super) access: Access,
    pub(super) connections: Numbered<ConnectionId, Box<Connection>>,
    pub(super) sessions: Sessions,
    pub(super) subscriptions: Subscriptions,
    pub(super) retained: Retained,
    pub(super) timers: Timers,
    pub(super) counters: Counters,
    pub(super) sys: Sys,
    /// Number of connections that have not been accepted by CONNACK.
    pub(super) pending_connections: usize,
    #[cfg(feature = "defects")]
    pub(super) defects: Defects,
    pub(super) random: ChaCha20Rng,
    outputs: VecDeque<Output>,
    /// The buffer in which packets are encoded: one allocation serves many.
    scratch: BytesMut,
    last_connection: u64,
    stopping: bool,
}

impl Broker {
    /// A broker without sessions and retained messages, which lets everybody do everything.
    ///
    /// All its randomness comes from `seed`, 32 bytes that nobody can foresee and no other broker was given: who knows
    /// them knows the client identifiers that it assigns.
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        Self::with_access(config, Access::default(), seed)
    }

    /// The same, but not for everybody.
    pub fn with_access(config: Config, access: Access, seed: [u8; 32]) -> Self {
        let sessions = Sessions::default();
        Self {
            config,
            access,
            connections: Numbered::new(),
            subscriptions: Subscriptions::new(),
            retained: Retained::new(sessions.held()),
            sessions,
            timers: Timers::default(),
            counters: Counters::default(),
            sys: Sys::default(),
            pending_connections: 0,
            #[cfg(feature = "defects")]
            defects: Defects::default(),
            random: ChaCha20Rng::from_seed(seed),
            outputs: VecDeque::new(),
            scratch: BytesMut::new(),
            last_connection: 0,
            stopping: false,
        }
    }

    /// Returns how it is configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A transport connection was accepted; its CONNECT is awaited for [`Config::connect_timeout`] (§3.1.4).
    pub fn handle_open(&mut self, now: Instant) -> ConnectionId {
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        self.connections.insert(id, Box::new(Connection::new(now, self.sessions.held())));
        self.pending_connections += 1;
        self.counters.sockets += 1;
        self.await_connect_or_defect(id);
        if self.stopping {
            self.close(now, id, CloseReason::Shutdown);
        } else if self.pending_connections > self.config.pending_connections {
            self.close(now, id, CloseReason::TooManyConnections);
        }
        id
    }

    /// Bytes arrived. Those of a connection that is closed are ignored.
    pub fn handle_bytes(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let open = self.connections.get_mut(&connection);
        self.counters.bytes_received += if open.is_some() { bytes.len() as u64 } else { 0 };
        if let Some(packet) = open.as_ref().and_then(|open| open.packet_of(bytes, &self.config)) {
            self.handle_packet_or_defect(now, connection, packet);
        } else {
            if let Some(open) = open {
                open.handle_bytes(bytes);
            }
            self.read_packets_or_defect(now, connection);
        }
        self.count_connection(now, connection);
    }

    /// Counts what a connection holds after the client has sent something, and closes it if that is too much: more than
    /// [`Config::total_bytes`] allows in all, unless this one holds little.
    pub(super) fn count_connection(&mut self, now: Instant, connection: ConnectionId) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.count_held();
        if self.sessions.held().is_too_much(&self.config) && open.read_bytes() > LITTLE {
            self.close(now, connection, CloseReason::Quota);
        }
    }

    /// Handles the packets that have arrived.
    pub(super) fn read_packets(&mut self, now: Instant, connection: ConnectionId) {
        // A packet may be the end of the connection: then the bytes behind it have no meaning.
        while let Some(open) = self.connections.get_mut(&connection) {
            if open.pending.as_ref().is_some_and(|pending| pending.awaits_verdict()) {
                if open.unread() > self.config.maximum_packet_size as usize {
                    self.close(now, connection, CloseReason::Quota);
                }
                return;
            }
            // Only the first packet can say of which version the connection is.
            let is_first = open.client.is_none() && open.pending.is_none();
            let level = if is_first { open.connect_level() } else { None };
            match open.poll_packet(&self.config) {
                Ok(Some(packet)) => self.handle_packet_or_defect(now, connection, packet),
                Ok(None) => return,
                Err(error) => self.handle_malformed(now, connection, &error, level),
            }
        }
    }

    /// The transport has ended, whether in order, by a reset or by a time-out.
    pub fn handle_closed(&mut self, now: Instant, connection: ConnectionId) {
        if self.connections.contains_key(&connection) {
            let client_id = self.client_id(connection);
            // After DISCONNECT it is the broker that closes, so here there was none.
            self.tell(Event::Closed { connection, client_id, after_disconnect: false });
            self.remove_connection(now, connection);
        }
    }

    /// Takes note that the driver has written this many bytes. This bounds what waits for a slow reader.
    pub fn handle_written(&mut self, now: Instant, connection: ConnectionId, bytes: usize) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.unwritten = open.unwritten.saturating_sub(bytes);
        open.count_held();
        if let Some(client) = &open.client {
            let session = client.session;
            self.send_waiting(now, session);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some((due, timer, subject)) = self.pop_due_or_defect(now) {
            match subject {
                Subject::Connection(id) => self.handle_silence(now, id, due),
                Subject::Session(key) if timer == Timer::WillDelay => self.publish_will(now, key),
                Subject::Session(key) => {
                    self.counters.clients_expired += 1;
                    self.end_session(now, key);
                }
                Subject::Broker => self.publish_statistics(now),
            }
        }
    }

    /// Closes all connections; 5.0 clients are told why. Connections that come later are closed at once.
    pub fn handle_shutdown(&mut self, now: Instant) {
        self.stopping = true;
        let open: Vec<ConnectionId> = self.connections.keys().collect();
        for &id in &open {
            self.say_close(id, CloseReason::Shutdown);
            if let Some(session) = self.session_of(id).and_then(|key| self.sessions.get_mut(key)) {
                session.connection = None;
            }
        }
        // Wills only now, when no session has a connection: they must not follow the DISCONNECT of a watcher.
        for id in open {
            self.remove_connection(now, id);
        }
    }

    /// The next thing to do. Call it until it returns `None`, after each `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), and for what.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        self.timers.next()
    }

    /// Sends a packet, in the form of the connection's version.
    ///
    /// One that is larger than the client takes is dropped, as if it had been sent [MQTT-3.1.2-24], [MQTT-3.1.2-25]
    /// (5.0).
    pub(super) fn send(&mut self, now: Instant, connection: ConnectionId, packet: Packet) {
        let Some(packet) = self.packet_or_defect(now, connection, packet) else { return };
        let Some(open) = self.connections.get(&connection) else { return };
        let packet = in_version(packet, open.version);
        let is_awaited = matches!(packet.packet_type(), PacketType::ConnAck | PacketType::Auth);
        match self.encode_for(connection, packet) {
            Ok(Some(packet)) => self.send_scratch(connection, packet),
            Ok(None) if is_awaited => {
                // The client would wait for it for ever. DISCONNECT must not come before CONNACK [MQTT-3.14.0-1].
                let reason = CloseReason::Refused { reason: ReasonCode::PACKET_TOO_LARGE };
                return self.close(now, connection, reason);
            }
            Ok(None) => {}
            Err(error) => {
                let reason = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
                let reason = CloseReason::Protocol { reason, clause: error.clause, what: error.what };
                return self.close(now, connection, reason);
            }
        }
        let limit = self.write_limit();
        if self.connections.get(&connection).is_some_and(|open| open.unwritten > limit) {
            self.close(now, connection, CloseReason::Quota);
        }
    }

    /// Ends a connection for this reason, and tells a 5.0 client.
    pub(super) fn close(&mut self, now: Instant, connection: ConnectionId, reason: CloseReason) {
        self.say_close(connection, reason);
        self.remove_connection(now, connection);
    }

    /// Moves the timer of a connection from where it was.
    pub(super) fn set_deadline(&mut self, connection: ConnectionId, before: Option<(Instant, Timer)>) {
        let after = self.connections.get(&connection).and_then(|open| open.deadline(&self.config));
        let subject = Subject::Connection(connection);
        if let Some((at, timer)) = before {
            self.timers.set(timer, subject, Some(at), None);
        }
        if let Some((at, timer)) = after {
            self.timers.set(timer, subject, None, Some(at));
        }
    }

    pub(super) fn ask(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// The identifier of the client on a connection; empty before CONNECT.
    pub(super) fn client_id(&self, connection: ConnectionId) -> ByteString {
        let session = self.session_of(connection).and_then(|key| self.sessions.get(key));
        session.map(|session| session.client_id.clone()).unwrap_or_default()
    }

    fn say_close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let Some(open) = self.connections.get(&connection) else { return };
        // Never before CONNACK [MQTT-3.14.0-1], and never in 3.1.1.
        let may_say_why = open.version.is_v5() && open.client.is_some() && open.has_connack;
        let disconnect = reason.disconnect().filter(|_| may_say_why).map(|disconnect| Disconnect {
            reason_string: reason.in_words().and_then(|words| self.explain(connection, words)),
            ..self.refer(self.disconnect_or_defect(disconnect))
        });
        self.tell(Event::Closing { connection, client_id: self.client_id(connection), reason });
        if let Some(disconnect) = disconnect.map(Packet::Disconnect)
            && let Ok(Some(disconnect)) = self.encode_for(connection, disconnect)
        {
            self.send_scratch(connection, disconnect);
        }
        self.outputs.push_back(Output::Close { connection });
    }

    /// Writes a packet to `scratch` in a form that the client takes: with a topic alias if there is one, without a
    /// Reason String if it would be too long with it [MQTT-3.2.2-19], [MQTT-3.14.2-3]. Gives what is written, or
    /// `None` if it is too large in every form [MQTT-3.1.2-24] (5.0).
    fn encode_for(&mut self, connection: ConnectionId, packet: Packet) -> Result<Option<Packet>, EncodeError> {
        let Some(open) = self.connections.get_mut(&connection) else { return Ok(None) };
        let (version, maximum) = (open.version, open.maximum_packet_size as usize);
        self.scratch.clear();
        if let Packet::Publish(publish) = &packet
            && let Some(aliases) = open.aliases.as_deref_mut().map(|aliases| &mut aliases.outgoing)
            && let Some((alias, is_known)) = aliases.get(&publish.topic)
            && (is_known || self.sessions.held().has_room(&self.config, publish.topic.len()))
        {
            let topic = if is_known { ByteString::new() } else { publish.topic.clone() };
            let aliased = Packet::from(Publish { topic, topic_alias: Some(alias), ..Publish::clone(publish) });
            encode(&aliased, version, &mut self.scratch)?;
            if self.scratch.len() <= maximum {
                if !is_known {
                    aliases.insert(publish.topic.clone(), alias);
                }
                return Ok(Some(aliased));
            }
            self.scratch.clear();
        }
        encode(&packet, version, &mut self.scratch)?;
        if self.scratch.len() <= maximum {
            return Ok(Some(packet));
        }
        self.scratch.clear();
        let Some(shorter) = without_reason_string(packet) else { return Ok(None) };
        encode(&shorter, version, &mut self.scratch)?;
        let fits = self.scratch.len() <= maximum;
        if !fits {
            self.scratch.clear();
        }
        Ok(fits.then_some(shorter))
    }

    /// Returns whether the client of a connection takes a packet of this size.
    pub(super) fn can_take(&mut self, connection: ConnectionId, packet: &Packet) -> bool {
        let Some(open) = self.connections.get(&connection) else { return false };
        self.scratch.clear();
        let is_encoded = encode(packet, open.version, &mut self.scratch).is_ok();
        let size = self.scratch.len();
        self.scratch.clear();
        is_encoded && size <= open.maximum_packet_size as usize
    }

    /// Sends what stands in `scratch`, which is `packet`.
    fn send_scratch(&mut self, connection: ConnectionId, packet: Packet) {
        let bytes = self.scratch.split().freeze();
        let client_id = self.client_id(connection);
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.unwritten += bytes.len();
        open.count_held();
        self.counters.sent(&packet, bytes.len());
        open.has_connack |= packet.packet_type() == PacketType::ConnAck;
        self.tell(Event::Sending { connection, client_id, packet });
        self.outputs.push_back(Output::Send { connection, bytes });
    }

    /// Returns how much may wait for a client that never reads. Messages stop at the write buffer, one of them may be
    /// as large as packets get, and answers to what the client sends come on top. If too much is held in all, only few
    /// of these.
    fn write_limit(&self) -> usize {
        let limit = 2 * self.config.write_buffer + self.config.maximum_packet_size as usize;
        if self.sessions.held().is_too_much(&self.config) { limit.min(LITTLE) } else { limit }
    }
}

/// Number of bytes that one connection may always hold for received data and answers, even if the broker holds too much
/// in all.
const LITTLE: usize = 64 * 1024;

/// The packet without its Reason String; `None` if it has none.
fn without_reason_string(mut packet: Packet) -> Option<Packet> {
    let reason_string = match &mut packet {
        Packet::ConnAck(connack) => &mut Arc::make_mut(connack).reason_string,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            &mut ack.reason_string
        }
        Packet::SubAck(suback) => &mut suback.reason_string,
        Packet::Disconnect(disconnect) => &mut disconnect.reason_string,
        _ => return None,
    };
    reason_string.take().map(|_| packet)
}

/// Leaves out what the version has no place for: a message may come from 5.0 and go to 3.1.1.
fn in_version(packet: Packet, version: Version) -> Packet {
    match packet {
        Packet::Publish(publish) if !version.is_v5() => Packet::from(Publish {
            dup: publish.dup,
            qos: publish.qos,
            retain: publish.retain,
            topic: publish.topic.clone(),
            packet_id: publish.packet_id,
            payload: publish.payload.clone(),
            ..Publish::default()
        }),
        packet => packet,
    }
}
