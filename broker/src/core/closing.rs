use halfopen_protocol::packet::Disconnect;
use halfopen_protocol::{Instant, ReasonCode};

use super::session::{Expiry, SessionKey};
use super::timers::Subject;
use super::{Broker, CloseReason, ConnectionId, Timer, will};

/// The end of connections and sessions.
impl Broker {
    /// The client takes its leave (§3.14.4).
    pub(super) fn handle_disconnect(&mut self, now: Instant, connection: ConnectionId, disconnect: &Disconnect) {
        let Some(session) = self.session_of(connection).and_then(|key| self.sessions.get_mut(key)) else { return };
        if let Some(secs) = disconnect.session_expiry {
            if session.expiry == Expiry::AT_CLOSE && secs != 0 {
                // It does not count as a DISCONNECT, so the will stays.
                return self.violation(now, connection, "§3.14.2.2.2", "session expiry raised from 0 in DISCONNECT");
            }
            session.expiry = Expiry::from_secs(secs.min(self.config.maximum_session_expiry));
        }
        // 0x00 deletes the will, any other reason keeps it [MQTT-3.14.4-3]. 3.1.1 has no reasons: it is always 0 there.
        if disconnect.reason == ReasonCode::SUCCESS {
            session.will = None;
        }
        self.close(now, connection, CloseReason::Disconnected);
    }

    /// A deadline of a connection has passed.
    pub(super) fn handle_silence(&mut self, now: Instant, connection: ConnectionId, due: Instant) {
        let Some(open) = self.connections.get(&connection) else { return };
        let reason = match &open.client {
            None => CloseReason::NoConnect { opened: open.opened, due },
            Some(client) => {
                let (since, at) = client.keep_alive.last_packet();
                CloseReason::KeepAlive { since, at, due }
            }
        };
        self.close(now, connection, reason);
    }

    /// A connection is gone.
    pub(super) fn remove_connection(&mut self, now: Instant, connection: ConnectionId) {
        let Some(gone) = self.connections.remove(&connection) else { return };
        self.set_deadline(connection, gone.deadline(&self.config));
        let Some(key) = gone.client.map(|client| client.session) else {
            self.pending_connections -= 1;
            return;
        };
        if let Some(session) = self.sessions.get_mut(key) {
            session.connection = None;
        }
        self.start_expiry_or_defect(now, key);
    }

    /// Begins what the session of a connection that is gone, and its will, have to wait for (§3.1.2.5, §4.1).
    pub(super) fn start_expiry(&mut self, now: Instant, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        if session.expiry == Expiry::AT_CLOSE {
            return self.end_session(now, key);
        }
        session.ends = session.expiry.after(now);
        self.timers.set(Timer::SessionExpiry, Subject::Session(key), None, session.ends);
        let will_due = session.will.as_ref().map(|will| will::due(now, will));
        self.share_waiting(now, key);
        match will_due {
            None => {}
            Some(due) if due <= now => self.publish_will(now, key),
            Some(due) => {
                if let Some(session) = self.sessions.get_mut(key) {
                    session.will_due = Some(due);
                }
                self.timers.set(Timer::WillDelay, Subject::Session(key), None, Some(due));
            }
        }
    }

    /// A session is over [MQTT-4.1.0-2]; a will that still waits does not wait any longer [MQTT-3.1.2-8] (5.0).
    pub(super) fn end_session(&mut self, now: Instant, key: SessionKey) {
        let may_publish = self.permits_last_will(key);
        let Some(mut session) = self.sessions.remove(key) else { return };
        self.timers.set(Timer::SessionExpiry, Subject::Session(key), session.ends, None);
        self.timers.set(Timer::WillDelay, Subject::Session(key), session.will_due, None);
        for filter in &session.filters {
            self.subscriptions.unsubscribe(key, filter);
        }
        self.share_left(now, &mut session);
        if let Some(will) = session.will.filter(|_| may_publish) {
            self.publish_last_will(now, key, *will);
        }
    }

    /// The session of the client on a connection.
    pub(super) fn session_of(&self, connection: ConnectionId) -> Option<SessionKey> {
        self.connections.get(&connection)?.client.as_ref().map(|client| client.session)
    }
}

impl CloseReason {
    /// Returns what a 5.0 client is told, if anything (§3.14.2.1).
    pub(super) fn disconnect(&self) -> Option<Disconnect> {
        let reason = match self {
            Self::KeepAlive { .. } => ReasonCode::KEEP_ALIVE_TIMEOUT,
            Self::Takeover => ReasonCode::SESSION_TAKEN_OVER,
            Self::Quota | Self::TooManyConnections => ReasonCode::QUOTA_EXCEEDED,
            Self::Shutdown => ReasonCode::SERVER_SHUTTING_DOWN,
            Self::Protocol { reason, .. } if DISCONNECT_REASONS.contains(&reason.value()) => *reason,
            Self::Protocol { .. } => ReasonCode::PROTOCOL_ERROR,
            // After a re-authentication; before CONNACK there is no DISCONNECT.
            Self::Refused { reason } => *reason,
            Self::NoConnect { .. } | Self::Disconnected => return None,
        };
        Some(Disconnect::new(reason))
    }
}

/// The codes of 0x80 and above that a server may send in DISCONNECT for a fault of the client (§3.14.2.1).
const DISCONNECT_REASONS: [u8; 19] =
    [0x80, 0x81, 0x82, 0x83, 0x87, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2];
