use halfopen_protocol::ReasonCode;

use crate::core::{CommandError, DisconnectReason};

/// Why something that the application asked for was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It was not accepted: it is malformed, or not possible now.
    #[error(transparent)]
    Rejected(#[from] CommandError),
    /// The broker refused it, or said when it accepted the connection that it takes no such thing.
    #[error("refused: {0:?}")]
    Refused(ReasonCode),
    /// The message's expiry interval passed before it could be sent.
    #[error("the message expired before it could be sent")]
    Expired,
    /// The connection has ended, or could not be made, and is not tried again.
    #[error("disconnected: {0:?}")]
    Disconnected(DisconnectReason),
    /// The client was disconnected before.
    #[error("the client is closed")]
    Closed,
    /// The operating system gives no random numbers.
    #[error("no random numbers")]
    NoRandomness,
}

impl Error {
    /// An answer of the broker as a result.
    pub(super) fn check(reason: ReasonCode) -> Result<(), Self> {
        if reason.is_error() { Err(Self::Refused(reason)) } else { Ok(()) }
    }
}
