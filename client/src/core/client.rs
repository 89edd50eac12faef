use std::collections::VecDeque;

use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Disconnect, PacketId, Publish, QoS};
use halfopen_protocol::{Instant, Packet, Rare, Version, encode};

use super::backoff::Backoff;
#[cfg(feature = "defects")]
use super::defects::Defects;
use super::link::{Attempt, Handshake, Link};
use super::request::{Request, RequestKind, SubscribeRequest, UnsubscribeRequest};
use super::session::{Session, Waiting};
use super::size::{LARGEST, packet_size, publish_size};
use super::violation::Violation;
use super::{CommandError, DisconnectReason, Event, Mechanism, Options, Output, Timer, Token, Transport};

/// One client: its connection, if it has one, and its session.
///
/// After every call, take what [`poll_output`](Self::poll_output) has until it is `None`, and then ask
/// [`poll_timeout`](Self::poll_timeout) when to call [`handle_timeout`](Self::handle_timeout). What belongs to one
/// connection ends with [`Output::Close`] or with `handle_closed`; bytes of an older one must not be handed in.
///
/// A session with nothing in it is a session too: a client that was just made and connects without clean start takes
/// Session Present 1 as it is, where [MQTT-3.2.2-4] of 5.0 would have one close that has lost its state.
#[derive(Debug)]
pub struct Client {
    pub(super) options: Options,
    pub(super) backoff: Option<Box<Backoff>>,
    pub(super) link: Link,
    pub(super) session: Session,
    /// Overrides the Clean Start of the options.
    clean_start: Option<bool>,
    /// The client identifier that the broker assigned when we had none (§3.2.2.3.7 of 5.0).
    pub(super) assigned_id: Option<Box<ByteString>>,
    pub(super) mechanism: Option<Box<dyn Mechanism>>,
    /// Number of messages that the application still takes; `None`: any number.
    pub(super) credit: Option<u32>,
    pinging: bool,
    #[cfg(feature = "defects")]
    pub(super) defects: Rare<Defects>,
    last_token: u64,
    pub(super) outputs: Rare<VecDeque<Output>>,
    /// Number of bytes that wait in them to be sent.
    pub(super) unpolled: usize,
    /// Time at which messages were left waiting because too many bytes waited.
    pub(super) held: Option<Instant>,
}

/// Commands of the application.
impl Client {
    /// A client that is not connected. `seed` is where the jitter of the back-off comes from.
    pub fn new(options: Options, seed: u64) -> Self {
        Self {
            backoff: options.reconnect.as_deref().map(|reconnect| Box::new(Backoff::new(*reconnect, seed))),
            link: Link::Idle,
            session: Session::new(&options.subscriptions),
            clean_start: None,
            assigned_id: None,
            mechanism: None,
            credit: options.incoming_limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
            pinging: true,
            #[cfg(feature = "defects")]
            defects: Rare::new(),
            last_token: Token::OWN.0,
            outputs: Rare::new(),
            unpolled: 0,
            held: None,
            options,
        }
    }

    /// Returns what it was made with.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Connects now, with the clean start of the options; does nothing if an attempt is under way or a connection up.
    pub fn connect(&mut self, now: Instant) {
        self.clean_start = None;
        self.begin(now);
    }

    /// Like [`connect`](Self::connect), with this clean start for the connection and those that follow on their own.
    pub fn connect_with(&mut self, now: Instant, clean_start: bool) {
        self.clean_start = Some(clean_start);
        self.begin(now);
    }

    /// Like [`connect`](Self::connect), with this CONNECT for the connection and all that follow; does nothing if an
    /// attempt is under way or a connection up. Its version must be that of the options.
    pub fn connect_as(&mut self, now: Instant, connect: Connect) {
        if matches!(self.link, Link::Idle | Link::Waiting { .. }) {
            self.clean_start = None;
            self.options.connect = Connect { version: self.version(), ..connect }.into();
            self.begin(now);
        }
    }

    /// Sends a message, or queues it: while there is no connection or the driver has too much to write, of QoS 0 as
    /// well, or while the broker's Receive Maximum is used up. A message of QoS 0 may overtake those of
    /// other QoS that wait for the latter. Its identifier and DUP are chosen here, whatever the message says. One whose
    /// expiry interval passes while it waits is not sent ([`Event::Expired`]).
    ///
    /// [`Event::Published`] follows; for QoS 0 when the packet is handed to the driver.
    ///
    /// # Errors
    /// The message is malformed, or the queue is full.
    pub fn publish(&mut self, now: Instant, publish: Publish) -> Result<Token, CommandError> {
        if publish.topic_alias.is_some() {
            return Err(CommandError::TopicAlias);
        }
        if !publish.subscription_ids.is_empty() {
            return Err(CommandError::SubscriptionId);
        }
        let publish = Publish { dup: false, packet_id: None, ..publish };
        if publish_size(&publish, self.version())? > LARGEST {
            return Err(CommandError::TooLarge);
        }
        let may_send = self.is_up() && !self.is_congested();
        let overtakes = self.session.messages.iter().any(|waiting| waiting.publish.qos == QoS::AtMostOnce);
        if may_send && publish.qos == QoS::AtMostOnce && !overtakes {
            let token = self.next_token();
            self.send_message(now, publish, token);
            return Ok(token);
        }
        let at_once = may_send && self.session.messages.is_empty() && self.session.outbox.has_room();
        if !at_once && !self.has_room_in_queue(now) {
            return Err(CommandError::QueueFull);
        }
        let token = self.next_token();
        self.session.messages.push_back(Waiting { publish, token, since: now });
        self.pump(now);
        Ok(token)
    }

    /// Subscribes, now or when there is a connection, and again whenever the broker has lost the session.
    ///
    /// # Errors
    /// The list is empty or a filter malformed, or the queue is full.
    pub fn subscribe(&mut self, now: Instant, request: impl Into<SubscribeRequest>) -> Result<Token, CommandError> {
        self.request(now, RequestKind::Subscribe(request.into()))
    }

    /// Unsubscribes, now or when there is a connection.
    ///
    /// # Errors
    /// The list is empty or a filter malformed, or the queue is full.
    pub fn unsubscribe(&mut self, now: Instant, request: impl Into<UnsubscribeRequest>) -> Result<Token, CommandError> {
        self.request(now, RequestKind::Unsubscribe(request.into()))
    }

    /// Sends no PINGREQ any more, and no longer minds a missing PINGRESP, on this connection and later ones: a client
    /// that falls silent, for tests of brokers.
    pub fn stop_pinging(&mut self) {
        self.pinging = false;
        if let Link::Up(up) = &mut self.link {
            up.keep_alive.forget();
        }
    }

    /// Takes up pinging again; a PINGREQ that would have been due meanwhile is due at once.
    pub fn resume_pinging(&mut self, _now: Instant) {
        self.pinging = true;
    }

    fn has_room_in_queue(&mut self, now: Instant) -> bool {
        let limit = self.options.queue_limit;
        if self.session.messages.len() >= limit {
            for token in self.session.take_expired(now) {
                self.tell(Event::Expired { token });
            }
        }
        self.session.messages.len() < limit
    }

    fn request(&mut self, now: Instant, kind: RequestKind) -> Result<Token, CommandError> {
        let mut request = Request { token: Token::OWN, kind };
        if packet_size(&request.packet(PacketId::MIN), self.version())? > LARGEST {
            return Err(CommandError::TooLarge);
        }
        let at_once = self.is_up() && !self.is_congested() && self.session.requests.is_empty();
        // What the client asks for on its own takes no room.
        let waiting = || self.session.requests.iter().filter(|request| request.token != Token::OWN).count();
        if !at_once && waiting() >= self.options.queue_limit {
            return Err(CommandError::QueueFull);
        }
        let token = self.next_token();
        request.token = token;
        if let RequestKind::Unsubscribe(request) = &request.kind {
            self.session.forget(&request.filters);
        }
        self.session.requests.push_back(request);
        self.pump(now);
        Ok(token)
    }

    fn next_token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }
}

/// The calls of the driver.
impl Client {
    /// The transport that [`Output::Connect`] asked for is open.
    pub fn handle_connected(&mut self, now: Instant) {
        let Link::Opening(attempt) = self.link else { return };
        let connect = self.connect_packet();
        if let Err(error) = packet_size(&Packet::from(connect.clone()), connect.version) {
            // It would fail the same way each time: no use in trying again.
            self.outputs.push_back(Output::Close);
            self.link = Link::Idle;
            let reason = DisconnectReason::ConnectFailed(error.to_string());
            self.tell(Event::Disconnected { reason, retry_at: None });
            return;
        }
        self.link = Link::Handshake(Box::new(Handshake {
            attempt,
            connect_sent: now,
            clean_start: connect.clean_start,
            authentication_method: connect.authentication_method.clone(),
            buffer: BytesMut::new(),
        }));
        self.write(now, Packet::from(connect));
    }

    /// The transport that [`Output::Connect`] asked for could not be opened.
    pub fn handle_connect_failed(&mut self, now: Instant, message: String) {
        if matches!(self.link, Link::Opening(_)) {
            self.lose(now, DisconnectReason::ConnectFailed(message));
        }
    }

    /// Bytes came in. Without a connection they are ignored.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        let packet = self.packet_of(bytes);
        if packet.is_none() {
            let Some(buffer) = self.link.buffer() else { return };
            buffer.extend_from_slice(bytes);
        }
        if let Link::Up(up) = &mut self.link {
            up.keep_alive.received(now);
        }
        if let Some(packet) = packet {
            return self.handle_packet_or_defect(now, packet);
        }
        // A violation closes, and with the connection goes what is left of its bytes.
        while self.is_listening()
            && let Some(packet) = self.next_packet(now)
        {
            self.handle_packet_or_defect(now, packet);
        }
        if let Link::Up(up) = &mut self.link {
            // An idle client holds no buffer: there may be a million of them.
            up.buffer = up.buffer.take().filter(|buffer| !buffer.is_empty());
        }
    }

    /// Bytes of [`Output::Send`] that had to wait for the socket have been taken by it. Not needed for those that it
    /// takes at once.
    pub fn handle_written(&mut self, now: Instant) {
        if let Link::Up(up) = &mut self.link {
            up.keep_alive.written(now);
        }
    }

    /// The transport ended: by the peer, or because it failed.
    pub fn handle_closed(&mut self, now: Instant, transport: Transport) {
        if matches!(self.link, Link::Handshake(_) | Link::Up(_)) {
            self.lose(now, DisconnectReason::Closed(transport));
        }
    }

    /// Does what is due at `now`; nothing if nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((due, timer)) = self.poll_timeout() else { return };
        if due > now {
            return;
        }
        match (timer, &mut self.link) {
            (Timer::Reconnect, _) => self.begin(now),
            (Timer::Connect, link) => {
                if let Some(Attempt { at, due }) = link.attempt() {
                    self.end(now, DisconnectReason::NoConnack { at, due });
                }
            }
            (Timer::KeepAlive, Link::Up(up)) => {
                up.keep_alive.asked(now);
                self.write(now, Packet::PingReq);
            }
            (Timer::PingResponse, Link::Up(up)) => {
                // A bare close in 5.0 as well: there is no code for it, and DISCONNECT 0x00 would delete the will.
                if let Some(awaited) = up.keep_alive.awaited() {
                    self.end_or_defect(now, DisconnectReason::NoPingresp { at: awaited.at, due: awaited.due });
                }
            }
            (Timer::Authenticate, Link::Up(up)) => {
                if let Some(asked) = up.authenticating.as_deref().copied() {
                    self.end(now, DisconnectReason::NoAuth { at: asked.at, due: asked.due });
                }
            }
            _ => {}
        }
    }

    /// Returns what is to be done next; `None` when all is done.
    pub fn poll_output(&mut self) -> Option<Output> {
        if self.outputs.is_empty()
            && let Some(now) = self.held.take()
        {
            self.pump(now);
        }
        let output = self.outputs.existing().and_then(VecDeque::pop_front);
        if self.outputs.is_empty() {
            // An idle client holds no buffer: there may be a million of them.
            self.outputs.clear();
        }
        if let Some(Output::Send(bytes)) = &output {
            self.unpolled -= bytes.len();
        }
        output
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), and why; `None`: never.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        match &self.link {
            Link::Idle => None,
            Link::Waiting { retry_at } => Some((*retry_at, Timer::Reconnect)),
            Link::Opening(_) | Link::Handshake(_) => Some((self.link.attempt()?.due, Timer::Connect)),
            Link::Up(up) => {
                let ping = if self.pinging { self.ping_or_defect(up) } else { None };
                // A client that does not listen cannot blame the peer for its silence.
                let authenticating = up.authenticating.as_ref().filter(|_| self.is_listening());
                ping.into_iter().chain(authenticating.map(|asked| (asked.due, Timer::Authenticate))).min()
            }
        }
    }

    /// Returns whether there is no connection, and none will be made without a command.
    pub fn is_idle(&self) -> bool {
        matches!(self.link, Link::Idle)
    }

    /// Returns whether a successful CONNACK has come and the connection has not ended.
    pub fn is_up(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }
}

/// Helpers for the other files of the core.
impl Client {
    pub(super) fn version(&self) -> Version {
        self.options.connect.version
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    /// Sends a packet that is known to have a form.
    pub(super) fn write(&mut self, now: Instant, packet: Packet) {
        let Some(packet) = self.packet_or_defect(now, packet) else { return };
        let mut bytes = BytesMut::new();
        if let Err(error) = encode(&packet, self.version(), &mut bytes) {
            // What the application gives is checked when it is given, and what we make ourselves has a form.
            tracing::error!(%error, packet = %packet.packet_type(), "packet cannot be encoded");
            return;
        }
        if let Link::Up(up) = &mut self.link {
            up.keep_alive.sent(now);
        }
        self.tell(Event::Sending(packet));
        self.unpolled += bytes.len();
        self.outputs.push_back(Output::Send(bytes.freeze()));
    }

    /// The broker broke a rule: 5.0 says which in DISCONNECT (§4.13), then the connection is closed.
    pub(super) fn fail(&mut self, now: Instant, violation: Violation) {
        if self.version().is_v5() {
            self.write(now, Packet::Disconnect(Disconnect::new(violation.reason)));
        }
        self.end(now, violation.into());
    }

    /// Ends the connection, or the attempt, from this side.
    pub(super) fn end(&mut self, now: Instant, reason: DisconnectReason) {
        self.tell(Event::Closing(reason.clone()));
        self.outputs.push_back(Output::Close);
        self.lose(now, reason);
    }

    /// There is no transport any more.
    pub(super) fn lose(&mut self, now: Instant, reason: DisconnectReason) {
        self.session.connection_lost();
        if let (Link::Up(up), Some(backoff)) = (&self.link, &mut self.backoff) {
            backoff.lasted(now.saturating_since(up.since));
        }
        let retry_at = match &mut self.backoff {
            Some(backoff) if reason != DisconnectReason::Asked => Some(backoff.next(now)),
            _ => None,
        };
        let retry_at = self.retry_or_defect(now, &reason, retry_at);
        self.link = retry_at.map_or(Link::Idle, |retry_at| Link::Waiting { retry_at });
        self.tell(Event::Disconnected { reason, retry_at });
    }

    fn begin(&mut self, now: Instant) {
        if matches!(self.link, Link::Idle | Link::Waiting { .. }) {
            self.link = Link::Opening(Attempt { at: now, due: now + self.connect_timeout_or_defect() });
            self.outputs.push_back(Output::Connect);
        }
    }

    fn connect_packet(&mut self) -> Connect {
        let mut connect = Connect::clone(&self.options.connect);
        connect.clean_start = self.clean_start.unwrap_or(connect.clean_start);
        if let (true, Some(id)) = (connect.client_id.is_empty(), &self.assigned_id) {
            connect.client_id = ByteString::clone(id);
        }
        if let Some(mechanism) = &mut self.mechanism {
            connect.authentication_method = Some(mechanism.name());
            connect.authentication_data = mechanism.start();
        }
        connect
    }
}
