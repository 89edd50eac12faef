use std::time::Duration;

use halfopen_protocol::Version;
use halfopen_protocol::packet::{Connect, Subscription};

/// How a client connects and how long it waits for what.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The CONNECT to send: version, client id, keep-alive (60 s by default), clean start, will, session expiry …
    pub connect: Connect,
    /// How long to wait for PINGRESP before the connection is closed; `None` is half of the keep-alive, so that the
    /// client notices before a broker would.
    pub ping_timeout: Option<Duration>,
    /// How long opening a connection and CONNACK may take together.
    pub connect_timeout: Duration,
    /// Whether and how to connect again on its own.
    pub reconnect: Option<Reconnect>,
    /// What to subscribe to after each CONNACK that says there is no session.
    pub subscriptions: Vec<Subscription>,
    /// How many messages may wait to be sent, QoS 0 included, and how many requests (subscribe, unsubscribe): while
    /// disconnected, or for room in the broker's receive maximum.
    pub queue_limit: usize,
}

impl Options {
    /// Keep-alive 60 s, 10 s to connect, no reconnect, at most 1000 waiting messages.
    pub fn new(version: Version, client_id: impl Into<bytestring::ByteString>) -> Self {
        let mut connect = Connect::new(version, client_id);
        connect.keep_alive = 60;
        Self {
            connect,
            ping_timeout: None,
            connect_timeout: Duration::from_secs(10),
            reconnect: None,
            subscriptions: Vec::new(),
            queue_limit: 1000,
        }
    }
}

/// Exponential back-off: the n-th pause in a row is `min × factor^(n-1)`, at most `max`, then changed by up to
/// ± `jitter` of itself. A successful CONNACK starts it over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconnect {
    /// The first pause.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
    /// By how much a pause is longer than the one before; 2 doubles it.
    pub factor: f64,
    /// 0 to 1: how much of a pause is left to chance.
    pub jitter: f64,
}

impl Default for Reconnect {
    /// 1 s, doubling to 30 s, half of it left to chance.
    fn default() -> Self {
        Self { min: Duration::from_secs(1), max: Duration::from_secs(30), factor: 2.0, jitter: 0.5 }
    }
}
