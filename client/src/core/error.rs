use halfopen_protocol::EncodeError;

/// The reason for which a publish, subscribe or unsubscribe was not accepted. Nothing was sent or queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The queue is full: [`Options::queue_limit`](super::Options::queue_limit) messages or requests already wait.
    #[error("the queue is full")]
    QueueFull,
    /// The request has no form in the version of the connection, or breaks a rule: a wildcard in a topic name, an empty
    /// list of filters, a property in 3.1.1 …
    #[error(transparent)]
    Invalid(#[from] EncodeError),
    /// A topic alias belongs to one connection, and a message may outlive it.
    #[error("a message must not carry a topic alias of its own")]
    TopicAlias,
    /// The message has a subscription identifier, which only brokers send [MQTT-3.3.4-6].
    #[error("a message must not carry a subscription identifier")]
    SubscriptionId,
    /// A session that ends with the connection, as CONNECT said, cannot be kept by DISCONNECT (§3.14.2.2.2 of 5.0).
    #[error("a session expiry interval must not be set by DISCONNECT where CONNECT had none")]
    SessionExpiry,
    /// There is no connection.
    #[error("not connected")]
    NotConnected,
    /// The client has no mechanism to authenticate with.
    #[error("no authentication mechanism")]
    NoMechanism,
    /// An exchange of AUTH is under way.
    #[error("already authenticating")]
    Authenticating,
    /// No message waits for an acknowledgement under this ticket: it was acknowledged, or its connection has ended.
    #[error("no such message waits for an acknowledgement")]
    NoTicket,
    /// More than the 268,435,455 bytes that the Remaining Length can say (§2.1.4 of 5.0, §2.2.3 of 3.1.1).
    #[error("the message is too large for a packet")]
    TooLarge,
}
