use halfopen_protocol::EncodeError;

/// Why a publish, subscribe or unsubscribe was not accepted. Nothing was sent or queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// As many messages or requests as [`Options::queue_limit`](super::Options::queue_limit) already wait.
    #[error("the queue is full")]
    QueueFull,
    /// It has no form in the version of the connection, or breaks a rule: a wildcard in a topic name, an empty list of
    /// filters, a property in 3.1.1 …
    #[error(transparent)]
    Invalid(#[from] EncodeError),
    /// A topic alias belongs to one connection, and a message may outlive it.
    #[error("a message must not carry a topic alias of its own")]
    TopicAlias,
    /// More than the 268,435,455 bytes that the Remaining Length can say (§2.1.4 of 5.0, §2.2.3 of 3.1.1).
    #[error("the message is too large for a packet")]
    TooLarge,
}
