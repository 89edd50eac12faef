//! Enhanced authentication (§4.12 of 5.0).

use std::fmt;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Auth, ConnAck, Disconnect};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::link::{Attempt, Link};
use super::violation::Violation;
use super::{Client, CommandError, DisconnectReason, Event};

/// The client's half of an authentication method. One exchange is `start`, any number of `challenge`s, and `finish`;
/// the next `start` begins a new one, for another connection or to authenticate again.
pub trait Mechanism: fmt::Debug + Send + Sync {
    /// The Authentication Method, as in `SCRAM-SHA-256`.
    fn name(&self) -> ByteString;

    /// Begins an exchange: the Authentication Data of CONNECT, or of the AUTH that asks to authenticate again.
    fn start(&mut self) -> Option<Bytes>;

    /// The broker asks: gives the Authentication Data of the answer.
    ///
    /// # Errors
    /// The broker's data cannot be answered; the connection is closed.
    fn challenge(&mut self, data: Option<&[u8]>) -> Result<Option<Bytes>, AuthError>;

    /// The broker says that the exchange was a success, with this last data.
    ///
    /// # Errors
    /// The broker has not proved what it has to prove; the connection is closed.
    fn finish(&mut self, data: Option<&[u8]>) -> Result<(), AuthError>;
}

/// The reason for which an exchange is broken off.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct AuthError {
    /// Description of the mistake.
    pub what: String,
}

impl AuthError {
    /// Broken off for this reason.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }
}

impl Client {
    /// Authenticates with this mechanism, whose name and data then stand in CONNECT. 5.0 only: in 3.1.1 the CONNECT
    /// could not be written, and no connection is made.
    #[must_use]
    pub fn with_mechanism(mut self, mechanism: Box<dyn Mechanism>) -> Self {
        self.mechanism = Some(mechanism);
        self
    }

    /// Authenticates again on the connection that is up (§4.12.1), with the same method [MQTT-4.12.1-1].
    /// [`Event::Reauthenticated`] follows, or the end of the connection: at the latest after
    /// [`Options::connect_timeout`](super::Options::connect_timeout).
    ///
    /// # Errors
    /// There is no connection or no mechanism, or an exchange is under way.
    pub fn reauthenticate(&mut self, now: Instant) -> Result<(), CommandError> {
        let Link::Up(up) = &mut self.link else { return Err(CommandError::NotConnected) };
        let Some(mechanism) = &mut self.mechanism else { return Err(CommandError::NoMechanism) };
        if up.authenticating.is_some() {
            return Err(CommandError::Authenticating);
        }
        up.authenticating = Some(Box::new(Attempt { at: now, due: now + self.options.connect_timeout }));
        let auth = Auth {
            reason: ReasonCode::RE_AUTHENTICATE,
            authentication_method: Some(mechanism.name()),
            authentication_data: mechanism.start(),
            ..Auth::default()
        };
        self.write(now, Packet::Auth(auth));
        Ok(())
    }

    /// AUTH before CONNACK: only a challenge, and only if CONNECT named a method [MQTT-4.12.0-6].
    pub(super) fn handle_auth_in_handshake(&mut self, now: Instant, auth: &Auth) -> Result<(), Violation> {
        match auth.reason {
            ReasonCode::CONTINUE_AUTHENTICATION => self.answer_challenge(now, auth),
            _ => Err(Violation::protocol("MQTT-4.12.0-2", "AUTH before CONNACK that is no challenge")),
        }
    }

    /// AUTH on a connection: only while we authenticate again.
    pub(super) fn handle_auth_when_up(&mut self, now: Instant, auth: &Auth) -> Result<(), Violation> {
        match &self.link {
            Link::Up(up) if up.authenticating.is_some() => {}
            _ => return Err(Violation::protocol("MQTT-4.12.0-6", "AUTH that was not asked for")),
        }
        if auth.reason == ReasonCode::CONTINUE_AUTHENTICATION {
            return self.answer_challenge(now, auth);
        }
        self.check_method(auth.authentication_method.as_ref())?;
        if let Link::Up(up) = &mut self.link {
            up.authenticating = None;
        }
        match self.finish_exchange(auth.authentication_data.as_ref()) {
            Ok(()) => self.tell(Event::Reauthenticated),
            Err(error) => self.distrust(now, error), // [MQTT-4.12.1-2]
        }
        Ok(())
    }

    /// A successful CONNACK names the method of CONNECT [MQTT-4.12.0-5], or none if there was none [MQTT-4.12.0-6].
    /// If the broker is not believed, the connection is closed.
    pub(super) fn accept_authentication(&mut self, now: Instant, connack: &ConnAck) -> Result<(), Violation> {
        self.check_method(connack.authentication_method.as_ref())?;
        if let Err(error) = self.finish_exchange(connack.authentication_data.as_ref()) {
            self.distrust(now, error);
        }
        Ok(())
    }

    fn answer_challenge(&mut self, now: Instant, auth: &Auth) -> Result<(), Violation> {
        self.check_method(auth.authentication_method.as_ref())?;
        let Some(mechanism) = &mut self.mechanism else {
            // DISCONNECT has no code for a bad method.
            let reason = ReasonCode::IMPLEMENTATION_SPECIFIC_ERROR;
            return Err(Violation { reason, clause: "§4.12", what: "AUTH that there is no mechanism for" });
        };
        match mechanism.challenge(auth.authentication_data.as_deref()) {
            Ok(authentication_data) => {
                // [MQTT-4.12.0-3], [MQTT-4.12.0-5]
                let auth = Auth {
                    reason: ReasonCode::CONTINUE_AUTHENTICATION,
                    authentication_method: Some(mechanism.name()),
                    authentication_data,
                    ..Auth::default()
                };
                self.write(now, Packet::Auth(auth));
            }
            Err(error) => self.distrust(now, error),
        }
        Ok(())
    }

    fn check_method(&self, method: Option<&ByteString>) -> Result<(), Violation> {
        let asked = match &self.link {
            Link::Handshake(handshake) => handshake.authentication_method.as_ref(),
            Link::Up(up) => up.authentication_method.as_deref(),
            Link::Idle | Link::Waiting { .. } | Link::Opening(_) => None,
        };
        match (asked, method) {
            (asked, method) if asked == method => Ok(()),
            (None, _) => Err(Violation::protocol("MQTT-4.12.0-6", "authentication that was not asked for")),
            (Some(_), _) => Err(Violation::protocol("MQTT-4.12.0-5", "another authentication method than asked for")),
        }
    }

    fn finish_exchange(&mut self, data: Option<&Bytes>) -> Result<(), AuthError> {
        self.mechanism.as_mut().map_or(Ok(()), |mechanism| mechanism.finish(data.map(AsRef::as_ref)))
    }

    /// The broker said the wrong thing to the mechanism: it is told so, and left.
    fn distrust(&mut self, now: Instant, error: AuthError) {
        // Not 0x87, which is for servers.
        self.write(now, Packet::Disconnect(Disconnect::new(ReasonCode::UNSPECIFIED_ERROR)));
        self.end(now, DisconnectReason::Authentication(error));
    }
}
