use crate::ReasonCode;

/// Bytes that are no MQTT.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct DecodeError {
    /// What 5.0 says about it in a DISCONNECT or CONNACK: Malformed Packet, Protocol Error, Packet too large …
    pub reason: ReasonCode,
    /// The statement that is broken, as in `MQTT-1.5.4-2`, or the section, as in `§3.1.2.11.3`, where there is none.
    pub clause: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
}

/// A packet that has no form in the version asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct EncodeError {
    /// The statement that would be broken, or the section.
    pub clause: &'static str,
    /// What is wrong, in words.
    pub what: &'static str,
}
