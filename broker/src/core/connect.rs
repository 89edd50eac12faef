use halfopen_protocol::packet::{ConnAck, Connect};
use halfopen_protocol::{Instant, Packet, ReasonCode, Version};

use super::access::Deed;
use super::authenticate::{Authentication, Identity};
use super::connection::Client;
use super::keep_alive::KeepAlive;
use super::message::own;
use super::session::{Expiry, SessionKey};
use super::timers::Subject;
use super::{Broker, CloseReason, ConnectionId, Event, Timer, Who, will};

/// Return code 0x02 of 3.1.1: Identifier rejected (§3.2.2.3).
const IDENTIFIER_REJECTED: ReasonCode = ReasonCode::new(2);

impl Broker {
    /// A CONNECT came as the first packet (§3.1.4).
    pub(super) fn handle_connect(&mut self, now: Instant, connection: ConnectionId, connect: Connect) {
        if connect.client_id.is_empty() && !connect.version.is_v5() && !connect.clean_start {
            // [MQTT-3.1.3-8] (3.1.1)
            return self.refuse(now, connection, connect.version, IDENTIFIER_REJECTED);
        }
        self.authenticate(now, connection, connect);
    }

    /// It is known who sent the CONNECT.
    pub(super) fn accept(&mut self, now: Instant, connection: ConnectionId, mut connect: Connect, identity: Identity) {
        let assigned = connect.client_id.is_empty();
        connect.client_id = if assigned { self.sessions.assign_client_id() } else { own(&connect.client_id) };

        if !self.permits_will(connection, &connect, &identity) {
            return self.refuse_stranger(now, connection, connect.version);
        }

        self.take_over(now, &connect);
        let (session, session_present) = self.open_session(now, &connect, &identity);
        let mut connack = self.connack(&connect, session_present, assigned);
        connack.authentication_method = identity.method.clone();
        connack.authentication_data = identity.data.clone();
        self.attach(now, connection, session, &connect, identity);
        self.send(now, connection, Packet::ConnAck(Box::new(connack)));
        if session_present {
            self.resend(now, session);
        }
    }

    fn permits_will(&mut self, connection: ConnectionId, connect: &Connect, identity: &Identity) -> bool {
        let (Some(authorizer), Some(will)) = (&self.access.authorizer, &connect.will) else { return true };
        let client_id = connect.client_id.clone();
        let who = Who { client_id: &client_id, user: identity.user.as_deref() };
        let allowed = authorizer.allows(who, Deed::Publish, &will.topic);
        if !allowed {
            self.tell(Event::Denied { connection, client_id, deed: Deed::Publish, topic: will.topic.clone() });
        }
        allowed
    }

    /// Closes the connection that the client already has [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5.0).
    fn take_over(&mut self, now: Instant, connect: &Connect) {
        let session = self.sessions.find(&connect.client_id).and_then(|key| self.sessions.get(key));
        if let Some(older) = session.and_then(|session| session.connection) {
            self.close(now, older, CloseReason::Takeover);
        }
    }

    /// Resumes or begins a session: [MQTT-3.1.2-4], [MQTT-3.1.2-6] (3.1.1), [MQTT-3.1.2-4] to [MQTT-3.1.2-6] (5.0).
    ///
    /// What was kept for one user is not handed to another.
    fn open_session(&mut self, now: Instant, connect: &Connect, identity: &Identity) -> (SessionKey, bool) {
        let user_of = |key| self.sessions.get(key).and_then(|session| session.user.as_ref());
        match self.sessions.find(&connect.client_id) {
            Some(key) if !connect.clean_start && user_of(key) == identity.user.as_ref() => (key, true),
            existing => {
                if let Some(key) = existing {
                    self.end_session(now, key);
                }
                (self.sessions.create(connect.client_id.clone(), &self.config), false)
            }
        }
    }

    fn connack(&self, connect: &Connect, session_present: bool, assigned: bool) -> ConnAck {
        let success = ConnAck { session_present, ..ConnAck::default() };
        if !connect.version.is_v5() {
            return success;
        }
        ConnAck {
            // 65535 is what the absence of the property means (§3.2.2.3.3).
            receive_maximum: Some(self.config.receive_maximum).filter(|&maximum| maximum != u16::MAX),
            maximum_packet_size: Some(self.config.maximum_packet_size),
            // [MQTT-3.1.3-7] (5.0)
            assigned_client_id: assigned.then(|| connect.client_id.clone()),
            shared_subscription_available: Some(false),
            server_keep_alive: self.config.server_keep_alive,
            ..success
        }
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
        let (Some(open), Some(session)) = (self.connections.get_mut(&connection), self.sessions.get_mut(key)) else {
            return;
        };
        let before = open.deadline(&self.config);
        // Server Keep Alive takes the place of the client's own [MQTT-3.2.2-22]; 3.1.1 could not be told of it.
        let server_keep_alive = self.config.server_keep_alive.filter(|_| connect.version.is_v5());
        let keep_alive = server_keep_alive.unwrap_or(connect.keep_alive);
        open.version = connect.version;
        open.maximum_packet_size = connect.maximum_packet_size.unwrap_or(u32::MAX);
        open.client = Some(Client {
            id: connect.client_id.clone(),
            session: key,
            user: identity.user.clone(),
            authentication: identity.method.map(Authentication::new),
            keep_alive: KeepAlive::new(now, keep_alive, self.config.keep_alive_factor),
        });

        // A new connection to the session stops both clocks; the will that waited is not sent [MQTT-3.1.3-9].
        self.timers.set(Timer::SessionExpiry, Subject::Session(key), session.ends.take(), None);
        self.timers.set(Timer::WillDelay, Subject::Session(key), session.will_due.take(), None);
        session.connection = Some(connection);
        session.user = identity.user;
        session.expiry = expiry(connect);
        let window = connect.receive_maximum.unwrap_or(u16::MAX).min(self.config.in_flight_messages);
        session.outbox.set_window(window);
        session.inbox.set_maximum(if connect.version.is_v5() { self.config.receive_maximum } else { u16::MAX });
        session.will = connect.will.as_ref().map(will::owned);
        self.set_deadline(connection, before);
    }
}

fn expiry(connect: &Connect) -> Expiry {
    match connect.version {
        Version::V3_1_1 if connect.clean_start => Expiry::AT_CLOSE,
        Version::V3_1_1 => Expiry::NEVER,
        Version::V5_0 => Expiry::from_secs(connect.session_expiry.unwrap_or(0)),
    }
}
