use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode, Version};

use super::access::Operation;
use super::aliases::Aliases;
use super::authenticate::{Authentication, Identity};
use super::connection::Client;
use super::keep_alive::KeepAlive;
use super::message::own;
use super::session::{Expiry, SessionKey};
use super::sys::is_reserved;
use super::timers::Subject;
use super::{Broker, CloseReason, ConnectionId, Event, Timer, Who, keep_alive, will};

/// Return code 0x02 of 3.1.1: Identifier rejected (§3.2.2.3).
const IDENTIFIER_REJECTED: ReasonCode = ReasonCode::new(2);
/// Return code 0x03 of 3.1.1: Server unavailable (§3.2.2.3).
const SERVER_UNAVAILABLE: ReasonCode = ReasonCode::new(3);

impl Broker {
    /// A CONNECT came as the first packet (§3.1.4).
    pub(super) fn handle_connect(&mut self, now: Instant, connection: ConnectionId, mut connect: Connect) {
        let version = connect.version;
        self.note_wishes(connection, &connect);
        if let Err(reason) = self.judge_connect(&mut connect) {
            return self.refuse(now, connection, version, reason);
        }
        if connect.client_id.is_empty() && !version.is_v5() && !connect.clean_start {
            // [MQTT-3.1.3-8] (3.1.1)
            return self.refuse(now, connection, version, IDENTIFIER_REJECTED);
        }
        self.authenticate(now, connection, connect);
    }

    /// Accepts a CONNECT whose sender is known.
    pub(super) fn accept(&mut self, now: Instant, connection: ConnectionId, mut connect: Connect, identity: Identity) {
        let assigned = connect.client_id.is_empty();
        connect.client_id =
            if assigned { self.sessions.assign_client_id(&mut self.random) } else { own(&connect.client_id) };

        if !self.permits_will(connection, &connect, &identity) {
            return self.refuse_stranger(now, connection, connect.version);
        }

        if !self.has_room_for(&connect, &identity)
            || self.sessions.find(&connect.client_id).is_none() && !self.make_room_for_session(now)
        {
            let reason = if connect.version.is_v5() { ReasonCode::QUOTA_EXCEEDED } else { SERVER_UNAVAILABLE };
            return self.refuse(now, connection, connect.version, reason);
        }

        let mut connack = self.connack(&connect, assigned);
        connack.authentication_method = identity.method.clone();
        connack.authentication_data = identity.data.clone();
        if !self.can_take(connection, &Packet::from(connack.clone())) {
            // Who cannot be told is not accepted [MQTT-3.1.2-24] (5.0).
            return self.refuse(now, connection, connect.version, ReasonCode::PACKET_TOO_LARGE);
        }

        self.take_over(now, &connect);
        let session;
        (session, connack.session_present) = self.open_session(now, &connect, &identity);
        self.attach(now, connection, session, &connect, identity);
        self.send(now, connection, Packet::from(connack));
        self.resend(now, session);
    }

    fn permits_will(&mut self, connection: ConnectionId, connect: &Connect, identity: &Identity) -> bool {
        let (Some(authorizer), Some(will)) = (&self.access.authorizer, &connect.will) else { return true };
        let client_id = connect.client_id.clone();
        let who = Who { client_id: &client_id, user: identity.user.as_deref() };
        let allowed = authorizer.allows(who, Operation::Publish, &will.topic);
        if !allowed {
            self.tell(Event::Denied {
                connection,
                client_id,
                operation: Operation::Publish,
                topic: will.topic.clone(),
            });
        }
        allowed
    }

    /// Returns whether what the session would hold more than now may be held, too.
    fn has_room_for(&self, connect: &Connect, identity: &Identity) -> bool {
        let session = match self.sessions.find(&connect.client_id) {
            Some(_) => 0,
            None => connect.client_id.len() + identity.user.as_ref().map_or(0, |user| user.len()),
        };
        let will = connect.will.as_deref().map_or(0, will::size);
        self.sessions.held().has_room(&self.config, session + will)
    }

    /// Returns whether there may be one more session. If there are too many, the one without a connection that would be
    /// the next to end has to end now; those that are kept for ever stay.
    fn make_room_for_session(&mut self, now: Instant) -> bool {
        while self.sessions.len() >= self.config.sessions {
            let Some(next) = self.timers.next_to_end() else { return false };
            self.counters.clients_expired += 1;
            self.end_session(now, next);
        }
        true
    }

    /// Closes the connection that the client already has [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5.0).
    fn take_over(&mut self, now: Instant, connect: &Connect) {
        let known = self.sessions.find(&connect.client_id).and_then(|key| self.sessions.get(key));
        if let Some(older) = known.and_then(|session| session.connection) {
            self.close(now, older, CloseReason::Takeover);
        }
    }

    /// Resumes or begins a session: [MQTT-3.1.2-4], [MQTT-3.1.2-6] (3.1.1), [MQTT-3.1.2-4] to [MQTT-3.1.2-6] (5.0).
    ///
    /// What was kept for one user is not handed to another.
    fn open_session(&mut self, now: Instant, connect: &Connect, identity: &Identity) -> (SessionKey, bool) {
        let user_of = |key| self.sessions.get(key).and_then(|session| session.user.as_deref());
        match self.sessions.find(&connect.client_id) {
            Some(key) if !connect.clean_start && user_of(key) == identity.user.as_deref() => (key, true),
            existing => {
                if let Some(key) = existing {
                    self.end_session(now, key);
                }
                (self.sessions.create(connect.client_id.clone(), &self.config), false)
            }
        }
    }

    /// Stores the limits that the client sets for everything that it is sent, CONNACK included.
    fn note_wishes(&mut self, connection: ConnectionId, connect: &Connect) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.version = connect.version;
        open.maximum_packet_size = connect.maximum_packet_size.unwrap_or(u32::MAX);
        open.wants_reasons = connect.request_problem_information != Some(false);
        let aliases = connect.topic_alias_maximum.unwrap_or(0).min(self.config.outgoing_topic_aliases);
        open.aliases = (aliases > 0).then(|| Box::new(Aliases::new(aliases)));
    }

    /// Returns what the broker refuses to every client, with the reason of 5.0 or the return code of 3.1.1.
    fn judge_connect(&self, connect: &mut Connect) -> Result<(), ReasonCode> {
        let is_v5 = connect.version.is_v5();
        let in_version = |reason| if is_v5 { reason } else { SERVER_UNAVAILABLE };
        if let Some(reason) = self.refers_all() {
            return Err(in_version(reason));
        }
        let Some(will) = &mut connect.will else { return Ok(()) };
        // 3.1.1 has no way to tell the client before.
        will.retain &= is_v5 || self.config.retain_available;
        self.config.check_will(will).map_err(|unavailable| in_version(unavailable.reason))?;
        if !self.config.allows_topic(&will.topic) || is_reserved(&will.topic) {
            return Err(in_version(ReasonCode::TOPIC_NAME_INVALID));
        }
        Ok(())
    }

    fn connack(&self, connect: &Connect, assigned: bool) -> ConnAck {
        let success = ConnAck::default();
        if !connect.version.is_v5() {
            return success;
        }
        ConnAck {
            // 65535 is what the absence of the property means (§3.2.2.3.3).
            receive_maximum: Some(self.config.receive_maximum).filter(|&maximum| maximum != u16::MAX),
            maximum_packet_size: Some(self.config.maximum_packet_size),
            session_expiry: self.shortened_expiry(connect),
            maximum_qos: Some(self.config.maximum_qos).filter(|&qos| qos != QoS::ExactlyOnce),
            retain_available: said_if_not(self.config.retain_available),
            wildcard_subscription_available: said_if_not(self.config.wildcard_subscriptions),
            subscription_identifiers_available: said_if_not(self.config.subscription_identifiers),
            shared_subscription_available: said_if_not(self.config.shared_subscriptions),
            topic_alias_maximum: Some(self.config.topic_alias_maximum).filter(|&maximum| maximum != 0),
            response_information: self.response_information(connect),
            // [MQTT-3.1.3-7] (5.0)
            assigned_client_id: assigned.then(|| connect.client_id.clone()),
            server_keep_alive: keep_alive::wanted(&self.config, connect),
            ..success
        }
    }

    /// The session expiry that the client has to live with, if it asked for more (§3.2.2.3.2).
    fn shortened_expiry(&self, connect: &Connect) -> Option<u32> {
        Some(self.config.maximum_session_expiry).filter(|&maximum| connect.session_expiry.unwrap_or(0) > maximum)
    }

    /// Returns the Response Information, only for clients that ask for it [MQTT-3.1.2-28].
    fn response_information(&self, connect: &Connect) -> Option<ByteString> {
        let information = self.config.response_information.as_ref()?;
        let asked = connect.request_response_information == Some(true);
        asked.then(|| information.replace("%c", &connect.client_id).into())
    }

    /// Joins a connection and its session. Keep-alive is watched from here on (§3.1.4).
    fn attach(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        key: SessionKey,
        connect: &Connect,
        identity: Identity,
    ) {
        let connections = self.connections.len();
        let (Some(open), Some(session)) = (self.connections.get_mut(&connection), self.sessions.get_mut(key)) else {
            return;
        };
        let before = open.deadline(&self.config);
        // Server Keep Alive takes the place of the client's own [MQTT-3.2.2-22].
        let keep_alive = keep_alive::wanted(&self.config, connect).unwrap_or(connect.keep_alive);
        self.pending_connections -= 1;
        let connected = (connections - self.pending_connections) as u64;
        self.counters.clients_maximum = self.counters.clients_maximum.max(connected);
        open.client = Some(Client {
            session: key,
            authentication: identity.method.map(|method| Box::new(Authentication::new(method))),
            keep_alive: KeepAlive::new(now, keep_alive, self.config.keep_alive_factor),
        });

        // A new connection to the session stops both clocks; the will that waited is not sent [MQTT-3.1.3-9].
        self.timers.set(Timer::SessionExpiry, Subject::Session(key), session.ends.take(), None);
        self.timers.set(Timer::WillDelay, Subject::Session(key), session.will_due.take(), None);
        session.connection = Some(connection);
        session.user = identity.user.as_deref().map(Box::from);
        session.expiry = expiry(connect, self.config.maximum_session_expiry);
        let window = connect.receive_maximum.unwrap_or(u16::MAX).min(self.config.in_flight_messages);
        session.set_limits(window, if connect.version.is_v5() { self.config.receive_maximum } else { u16::MAX });
        session.will = connect.will.as_deref().map(will::owned).map(Box::new);
        session.count_held();
        self.set_deadline(connection, before);
    }
}

/// Returns what is true unless CONNACK says otherwise.
fn said_if_not(available: bool) -> Option<bool> {
    (!available).then_some(false)
}

fn expiry(connect: &Connect, maximum: u32) -> Expiry {
    match connect.version {
        Version::V3_1_1 if connect.clean_start => Expiry::AT_CLOSE,
        Version::V3_1_1 => Expiry::from_secs(maximum),
        Version::V5_0 => Expiry::from_secs(connect.session_expiry.unwrap_or(0).min(maximum)),
    }
}
