use crate::ReasonCode;

/// A packet that does not belong where the flow stands: the connection is to be closed [MQTT-4.8.0-1] (3.1.1),
/// [MQTT-4.13.1-1] (5.0).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} [{clause}]")]
pub struct FlowError {
    /// The reason code of 5.0 for a DISCONNECT.
    pub reason: ReasonCode,
    /// The statement that is broken, or the section where it has no number.
    pub clause: &'static str,
    /// Description of the violation.
    pub what: &'static str,
}

impl FlowError {
    pub(super) fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self { reason: ReasonCode::PROTOCOL_ERROR, clause, what }
    }
}
