use super::Refusal;
use crate::core::{CommandError, DisconnectReason};

/// The reason for which a request of the application was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request was not accepted: it is malformed, or not possible now.
    #[error(transparent)]
    Rejected(#[from] CommandError),
    /// The broker refused it, or said when it accepted the connection that it takes no such thing.
    #[error("refused: {0}")]
    Refused(Box<Refusal>),
    /// The [time for a request](super::ConnectOptions::request_timeout) was over before it was done. What was sent
    /// stays sent: a message may still arrive, and a subscription may still be made.
    #[error("no answer from the broker in time")]
    TimedOut,
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

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}
