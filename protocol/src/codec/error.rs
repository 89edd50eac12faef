use crate::ReasonCode;
use crate::topic::TopicError;

/// Bytes that are no MQTT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct DecodeError {
    /// The reason code of 5.0 for a DISCONNECT or CONNACK: Malformed Packet, Protocol Error, Packet too large …
    pub reason: ReasonCode,
    /// The statement that is broken, as in `MQTT-1.5.4-2`, or the section, as in `§3.1.2.11.3`, where there is none.
    pub clause: &'static str,
    /// Description of the violation.
    pub what: &'static str,
}

/// A packet that has no form in the version asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct EncodeError {
    /// The statement that would be broken, or the section.
    pub clause: &'static str,
    /// Description of the violation.
    pub what: &'static str,
}

impl DecodeError {
    /// Returns what cannot be parsed (§1.2 of 5.0).
    pub(crate) fn malformed(clause: &'static str, what: &'static str) -> Self {
        Self { reason: ReasonCode::MALFORMED_PACKET, clause, what }
    }

    /// Returns what can be parsed, but is not allowed (§1.2 of 5.0).
    pub(crate) fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self { reason: ReasonCode::PROTOCOL_ERROR, clause, what }
    }
}

/// Whatever must not be received must not be sent.
impl From<DecodeError> for EncodeError {
    fn from(error: DecodeError) -> Self {
        Self { clause: error.clause, what: error.what }
    }
}

/// A topic name or filter has a grammar; what does not follow it cannot be parsed.
impl From<TopicError> for DecodeError {
    fn from(error: TopicError) -> Self {
        Self::malformed(error.clause, error.what)
    }
}

impl From<TopicError> for EncodeError {
    fn from(error: TopicError) -> Self {
        Self { clause: error.clause, what: error.what }
    }
}
