use std::time::Duration;

use halfopen_protocol::packet::{Connect, Subscription};
use halfopen_protocol::{Shared, Version};

/// Options for connecting, and the time-outs.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The CONNECT to send: version, client id, keep-alive (60 s by default), clean start, will, session expiry …
    pub connect: Shared<Connect>,
    /// Time after which a missing PINGRESP closes the connection; `None` is half of the keep-alive, so that the
    /// client notices before a broker would.
    pub ping_timeout: Option<Duration>,
    /// Time that opening a connection and CONNACK may take together, and how long authenticating again on one.
    pub connect_timeout: Duration,
    /// The policy for connecting again; `None` never does. Boxed, since most of a million clients may have none.
    pub reconnect: Option<Box<Reconnect>>,
    /// The subscriptions made after each CONNACK that says there is no session.
    pub subscriptions: Vec<Subscription>,
    /// Number of messages that may wait to be sent, QoS 0 included, and how many requests of the application (subscribe,
    /// unsubscribe): while disconnected, or for room in the broker's receive maximum.
    pub queue_limit: usize,
    /// Acknowledge messages of QoS 1 and 2 only when the application says so: they come as
    /// [`Event::Unacknowledged`](super::Event::Unacknowledged).
    pub manual_acknowledgement: bool,
    /// Number of messages that are handed on before the application says that it takes more
    /// ([`Client::allow`](super::Client::allow)); `None`: any number. When they are used up nothing is read, and
    /// PINGRESP is not minded; pings still go out.
    pub incoming_limit: Option<usize>,
    /// Number of topics that get a topic alias when messages are sent, if the broker takes as many; 0: none (5.0).
    pub topic_aliases: u16,
    /// The largest packet to take, in bytes, where CONNECT does not say it: 3.1.1 has no way to, and 5.0 may leave it
    /// out. The connection ends with a larger one.
    pub packet_limit: u32,
}

impl Options {
    /// Keep-alive 60 s, 10 s to connect, no reconnect, at most 1000 waiting messages, messages acknowledged as they
    /// come, no topic aliases, any packet that MQTT has.
    pub fn new(version: Version, client_id: impl Into<bytestring::ByteString>) -> Self {
        let mut connect = Connect::new(version, client_id);
        connect.keep_alive = 60;
        Self {
            connect: connect.into(),
            ping_timeout: None,
            connect_timeout: Duration::from_secs(10),
            reconnect: None,
            subscriptions: Vec::new(),
            queue_limit: 1000,
            manual_acknowledgement: false,
            incoming_limit: None,
            topic_aliases: 0,
            packet_limit: super::size::LARGEST as u32,
        }
    }
}

/// Exponential back-off: the n-th pause in a row is `min × factor^(n-1)`, at most `max`, then changed by up to
/// ± `jitter` of itself. A connection that has lasted for as long as `stable` starts it over; one that is accepted and
/// dropped at once does not, or two clients with one id would throw each other out as fast as they can.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconnect {
    /// The first pause.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
    /// The factor by which a pause is longer than the one before; 2 doubles it.
    pub factor: f64,
    /// 0 to 1: how much of a pause is left to chance.
    pub jitter: f64,
    /// Time that a connection must last for the next pause to be the first again.
    pub stable: Duration,
}

impl Default for Reconnect {
    /// 1 s, doubling to 30 s, half of it left to chance; stable after 10 s.
    fn default() -> Self {
        Self {
            min: Duration::from_secs(1),
            max: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.5,
            stable: Duration::from_secs(10),
        }
    }
}
