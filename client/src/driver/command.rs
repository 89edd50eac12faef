use bytestring::ByteString;
use halfopen_protocol::ReasonCode;
use halfopen_protocol::packet::{Publish, Subscription};

/// What the application tells a running client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// [`Client::connect`](crate::core::Client::connect), or
    /// [`Client::connect_with`](crate::core::Client::connect_with) where clean start is given.
    Connect {
        /// Overrides clean start for this connection and those that follow on their own.
        clean_start: Option<bool>,
    },
    /// [`Client::publish`](crate::core::Client::publish).
    Publish(Publish),
    /// [`Client::subscribe`](crate::core::Client::subscribe).
    Subscribe(Vec<Subscription>),
    /// [`Client::unsubscribe`](crate::core::Client::unsubscribe).
    Unsubscribe(Vec<ByteString>),
    /// [`Client::disconnect`](crate::core::Client::disconnect).
    Disconnect(ReasonCode),
    /// [`Client::close`](crate::core::Client::close).
    Close,
    /// [`Client::stop_pinging`](crate::core::Client::stop_pinging).
    StopPinging,
    /// [`Client::resume_pinging`](crate::core::Client::resume_pinging).
    ResumePinging,
}
