use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Auth, Connect};
use halfopen_protocol::{Instant, Packet, ReasonCode, Version};

use super::access::{Exchange, Login, Mechanism, Step};
use super::{Broker, CloseReason, ConnectionId, Output, will};

/// Return code 0x05 of 3.1.1: Not authorized (§3.2.2.3). 0x04 is for a user name that cannot be read.
const NOT_AUTHORIZED_3_1_1: ReasonCode = ReasonCode::new(5);

/// A CONNECT that is not answered yet.
#[derive(Debug)]
pub(super) struct Pending {
    connect: Connect,
    awaits: Awaits,
}

#[derive(Debug)]
enum Awaits {
    /// Waiting for the driver to say whether the password is right.
    Verdict,
    /// The client's next AUTH.
    Auth(Box<dyn Exchange>),
}

impl Pending {
    /// Returns how many bytes the text of the CONNECT has.
    pub(super) fn size(&self) -> usize {
        let Connect { client_id, username, password, will, user_properties, .. } = &self.connect;
        let username = username.as_ref().map_or(0, |username| username.len());
        let password = password.as_ref().map_or(0, Bytes::len);
        let properties: usize = user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        client_id.len() + username + password + will.as_deref().map_or(0, will::size) + properties
    }

    /// Returns whether nothing more may be read before the CONNECT is judged.
    pub(super) fn awaits_verdict(&self) -> bool {
        matches!(self.awaits, Awaits::Verdict)
    }
}

/// The identity that a client has proved.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) user: Option<ByteString>,
    /// The method of enhanced authentication.
    pub(super) method: Option<ByteString>,
    /// The Authentication Data that the client is sent with the success.
    pub(super) data: Option<Bytes>,
}

/// The enhanced authentication of a client that is connected (§4.12.1).
#[derive(Debug)]
pub(super) struct Authentication {
    method: ByteString,
    /// The exchange under way while the client authenticates again.
    exchange: Option<Box<dyn Exchange>>,
}

impl Authentication {
    /// Creates the state for the method of the CONNECT.
    pub(super) fn new(method: ByteString) -> Self {
        Self { method, exchange: None }
    }
}

impl Broker {
    /// Finds out who is there, and then goes on with the CONNECT.
    pub(super) fn authenticate(&mut self, now: Instant, connection: ConnectionId, connect: Connect) {
        if let Some(method) = connect.authentication_method.clone() {
            return self.begin_exchange(now, connection, connect, &method);
        }
        match &connect.username {
            Some(username) if self.access.passwords => {
                let Some(password) = connect.password.clone() else {
                    return self.refuse_login(now, connection, connect.version);
                };
                let login = Login { username: username.clone(), password };
                self.wait(connection, connect, Awaits::Verdict);
                self.ask(Output::Verify { connection, login });
            }
            // A user name that nobody judges proves nothing.
            _ if self.access.anonymous => self.accept_or_defect(now, connection, connect, Identity::default()),
            _ => self.refuse_stranger(now, connection, connect.version),
        }
    }

    /// The answer to [`Output::Verify`]. It may come late: a connection that is gone is no error.
    pub fn handle_verified(&mut self, now: Instant, connection: ConnectionId, accepted: bool) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        let Some(pending) = open.pending.take_if(|pending| pending.awaits_verdict()) else { return };
        let connect = pending.connect;
        if !accepted {
            return self.refuse_login(now, connection, connect.version);
        }
        let identity = Identity { user: connect.username.clone(), ..Identity::default() };
        self.accept_or_defect(now, connection, connect, identity);
        self.read_packets(now, connection);
        self.count_connection(now, connection);
    }

    /// An AUTH of the client: a step of its CONNECT or of a re-authentication.
    pub(super) fn handle_auth(&mut self, now: Instant, connection: ConnectionId, auth: &Auth) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        match open.pending.take() {
            Some(pending) => self.continue_connect(now, connection, *pending, auth),
            None => self.re_authenticate(now, connection, auth),
        }
    }

    /// Closes the connection if a packet other than AUTH and DISCONNECT comes between CONNECT and CONNACK
    /// [MQTT-3.1.2-30].
    pub(super) fn refuse_violation(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        clause: &'static str,
        what: &'static str,
    ) {
        self.send_refusal(now, connection, Version::V5_0, ReasonCode::PROTOCOL_ERROR);
        self.violation(now, connection, clause, what);
    }

    fn begin_exchange(&mut self, now: Instant, connection: ConnectionId, connect: Connect, method: &str) {
        let Some(mut exchange) = self.mechanism(method).map(Mechanism::begin) else {
            // [MQTT-4.12.0-1]
            return self.refuse(now, connection, connect.version, ReasonCode::BAD_AUTHENTICATION_METHOD);
        };
        let step = exchange.step(connect.authentication_data.as_deref());
        self.handle_connect_step(now, connection, connect, exchange, step);
    }

    fn continue_connect(&mut self, now: Instant, connection: ConnectionId, pending: Pending, auth: &Auth) {
        let Pending { connect, awaits: Awaits::Auth(mut exchange) } = pending else { return };
        if auth.reason != ReasonCode::CONTINUE_AUTHENTICATION {
            return self.refuse_violation(
                now,
                connection,
                "MQTT-4.12.0-3",
                "AUTH before CONNACK that does not continue",
            );
        }
        if auth.authentication_method != connect.authentication_method {
            return self.refuse_violation(now, connection, "MQTT-4.12.0-5", "AUTH with another method than CONNECT");
        }
        let step = exchange.step(auth.authentication_data.as_deref());
        self.handle_connect_step(now, connection, connect, exchange, step);
    }

    fn handle_connect_step(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        connect: Connect,
        exchange: Box<dyn Exchange>,
        step: Step,
    ) {
        match step {
            Step::Continue(data) => {
                let method = connect.authentication_method.clone();
                self.wait(connection, connect, Awaits::Auth(exchange));
                self.send_auth(now, connection, ReasonCode::CONTINUE_AUTHENTICATION, method, Some(data));
            }
            Step::Accept { user, data } => {
                let identity = Identity { user: Some(user), method: connect.authentication_method.clone(), data };
                self.accept_or_defect(now, connection, connect, identity);
            }
            // [MQTT-4.12.0-4]
            Step::Refuse => self.refuse(now, connection, connect.version, ReasonCode::NOT_AUTHORIZED),
        }
    }

    /// §4.12.1.
    fn re_authenticate(&mut self, now: Instant, connection: ConnectionId, auth: &Auth) {
        let Some(client) = self.connections.get_mut(&connection).and_then(|open| open.client.as_mut()) else { return };
        let Some(authentication) = &mut client.authentication else {
            return self.violation(now, connection, "MQTT-4.12.0-7", "AUTH without an authentication method");
        };
        let method = authentication.method.clone();
        if auth.authentication_method.as_ref() != Some(&method) {
            return self.violation(now, connection, "MQTT-4.12.1-1", "AUTH with another method than CONNECT");
        }
        let exchange = match (auth.reason, authentication.exchange.take()) {
            (ReasonCode::CONTINUE_AUTHENTICATION, Some(exchange)) => exchange,
            (ReasonCode::RE_AUTHENTICATE, None) => match self.mechanism(&method).map(Mechanism::begin) {
                Some(exchange) => exchange,
                // It was there when the client connected.
                None => {
                    let reason = CloseReason::Refused { reason: ReasonCode::NOT_AUTHORIZED };
                    return self.close(now, connection, reason);
                }
            },
            (ReasonCode::RE_AUTHENTICATE, Some(_)) => {
                return self.violation(now, connection, "§4.12.1", "re-authentication within a re-authentication");
            }
            _ => return self.violation(now, connection, "MQTT-4.12.0-3", "AUTH that continues what was not begun"),
        };
        self.re_authenticate_by(now, connection, method, exchange, auth);
    }

    fn re_authenticate_by(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        method: ByteString,
        mut exchange: Box<dyn Exchange>,
        auth: &Auth,
    ) {
        let Some(client) = self.connections.get_mut(&connection).and_then(|open| open.client.as_mut()) else { return };
        let known = self.sessions.get(client.session).and_then(|session| session.user.as_deref());
        match exchange.step(auth.authentication_data.as_deref()) {
            Step::Continue(data) => {
                if let Some(authentication) = &mut client.authentication {
                    authentication.exchange = Some(exchange);
                }
                self.send_auth(now, connection, ReasonCode::CONTINUE_AUTHENTICATION, Some(method), Some(data));
            }
            Step::Accept { user, data } if known == Some(&*user) => {
                self.send_auth(now, connection, ReasonCode::SUCCESS, Some(method), data);
            }
            // Somebody else cannot take over what the session was allowed. [MQTT-4.12.1-2]
            Step::Accept { .. } | Step::Refuse => {
                self.close(now, connection, CloseReason::Refused { reason: ReasonCode::NOT_AUTHORIZED });
            }
        }
    }

    /// Keeps the CONNECT until more is known.
    fn wait(&mut self, connection: ConnectionId, connect: Connect, awaits: Awaits) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        open.version = connect.version;
        open.maximum_packet_size = connect.maximum_packet_size.unwrap_or(u32::MAX);
        open.pending = Some(Box::new(Pending { connect, awaits }));
    }

    /// Every AUTH has the method of the CONNECT [MQTT-4.12.0-5], and one that asks for more says so [MQTT-4.12.0-2].
    fn send_auth(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: ReasonCode,
        authentication_method: Option<ByteString>,
        authentication_data: Option<Bytes>,
    ) {
        let auth = Auth { reason, authentication_method, authentication_data, ..Auth::default() };
        self.send(now, connection, Packet::Auth(auth));
    }

    fn mechanism(&mut self, method: &str) -> Option<&mut (dyn Mechanism + 'static)> {
        self.access.mechanisms.iter_mut().find(|mechanism| mechanism.name() == method).map(|found| &mut **found)
    }

    fn refuse_login(&mut self, now: Instant, connection: ConnectionId, version: Version) {
        let reason = if version.is_v5() { ReasonCode::BAD_USER_NAME_OR_PASSWORD } else { NOT_AUTHORIZED_3_1_1 };
        self.refuse(now, connection, version, reason);
    }

    /// Refuses a client for what it is not allowed, [MQTT-3.1.4-2].
    pub(super) fn refuse_stranger(&mut self, now: Instant, connection: ConnectionId, version: Version) {
        let reason = if version.is_v5() { ReasonCode::NOT_AUTHORIZED } else { NOT_AUTHORIZED_3_1_1 };
        self.refuse(now, connection, version, reason);
    }
}
