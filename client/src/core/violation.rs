use halfopen_protocol::flow::FlowError;
use halfopen_protocol::{DecodeError, ReasonCode};

use super::DisconnectReason;

/// A rule that the broker broke: the connection is to be closed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Violation {
    pub(super) reason: ReasonCode,
    pub(super) clause: &'static str,
    pub(super) what: &'static str,
}

impl Violation {
    /// A Protocol Error, 0x82.
    pub(super) fn protocol(clause: &'static str, what: &'static str) -> Self {
        Self { reason: ReasonCode::PROTOCOL_ERROR, clause, what }
    }
}

impl From<DecodeError> for Violation {
    fn from(DecodeError { reason, clause, what }: DecodeError) -> Self {
        Self { reason, clause, what }
    }
}

impl From<FlowError> for Violation {
    fn from(FlowError { reason, clause, what }: FlowError) -> Self {
        Self { reason, clause, what }
    }
}

impl From<Violation> for DisconnectReason {
    fn from(Violation { reason, clause, what }: Violation) -> Self {
        Self::Protocol { reason, clause, what }
    }
}
