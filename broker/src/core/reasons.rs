use bytestring::ByteString;
use halfopen_protocol::packet::Disconnect;
use halfopen_protocol::{ReasonCode, Version};

use super::{Broker, CloseReason, ConnectionId, Referral};

/// Reason strings and other properties that the broker sends beside the codes.
impl Broker {
    /// A Reason String for the client, if it may have one [MQTT-3.1.2-29].
    pub(super) fn explain(&self, connection: ConnectionId, what: &str) -> Option<ByteString> {
        let open = self.connections.get(&connection)?;
        (self.config.reason_strings && open.wants_reasons && open.version.is_v5()).then(|| what.into())
    }

    /// The other server, beside a reason that sends the client there (§4.11).
    pub(super) fn referral(&self, version: Version, reason: ReasonCode) -> Option<ByteString> {
        let refers = matches!(reason, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED);
        self.config.server_reference.as_deref().filter(|_| refers && version.is_v5()).map(ByteString::from)
    }

    /// The reason with which all are sent to another server now (§4.11).
    pub(super) fn refers_all(&self) -> Option<ReasonCode> {
        self.config.server_reference.as_ref()?;
        match self.config.referral {
            Referral::WhenStopping => None,
            Referral::Temporary => Some(ReasonCode::USE_ANOTHER_SERVER),
            Referral::Permanent => Some(ReasonCode::SERVER_MOVED),
        }
    }

    /// Names the other server to a client whose broker stops.
    pub(super) fn refer(&self, disconnect: Disconnect) -> Disconnect {
        match &self.config.server_reference {
            Some(server) if disconnect.reason == ReasonCode::SERVER_SHUTTING_DOWN => Disconnect {
                reason: ReasonCode::USE_ANOTHER_SERVER,
                server_reference: Some(server.as_str().into()),
                ..disconnect
            },
            _ => disconnect,
        }
    }
}

impl CloseReason {
    /// Returns what is wrong, where a code alone does not say it.
    pub(super) fn in_words(&self) -> Option<&'static str> {
        match self {
            Self::Protocol { what, .. } => Some(what),
            Self::Quota => Some("what was sent is not read"),
            _ => None,
        }
    }
}
