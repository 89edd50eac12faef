use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, QoS, Subscription};
use halfopen_protocol::{ReasonCode, Shared, Version};

/// The settings of a broker in the words of the standard: any broker that is configurable can be given them.
///
/// The default is a broker that does all that the standard leaves to it, with limits that scenarios do not reach.
#[derive(Clone, Debug, PartialEq)]
pub struct BrokerSettings {
    /// 5.0: the keep-alive in seconds that clients must use instead of their own (§3.2.2.3.14); 0 switches it off.
    pub server_keep_alive: Option<u16>,
    /// 5.0: the shortest keep-alive in seconds; a shorter one is raised to it. 0, which switches it off, is not short.
    pub min_keep_alive: Option<u16>,
    /// 5.0: the longest keep-alive in seconds; a longer one, or 0, is lowered to it. Goes before `min_keep_alive`.
    pub max_keep_alive: Option<u16>,
    /// A silent client is closed after its keep-alive times this. The standards demand 1.5.
    pub keep_alive_factor: f64,
    /// Maximum time without a CONNECT on a new connection (§3.1.4 gives no figure).
    pub connect_timeout: Duration,
    /// Maximum number of connections that are open and not accepted by CONNACK.
    pub pending_connections: usize,
    /// Maximum size in bytes of the first packet of a connection.
    pub maximum_connect_size: u32,
    /// Maximum size in bytes of a packet from a client; announced in 5.0.
    pub maximum_packet_size: u32,
    /// Maximum number of QoS 1 and 2 messages that a client may have unacknowledged, at least 1; announced in 5.0.
    pub receive_maximum: u16,
    /// 5.0: the largest topic alias that a client may use (§3.2.2.3.8); announced. 0 forbids them.
    pub topic_alias_maximum: u16,
    /// The highest QoS of the broker; announced in 5.0 if not 2 (§3.2.2.3.4).
    pub maximum_qos: QoS,
    /// True if messages are retained; announced in 5.0 if not (§3.2.2.3.5).
    pub retain_available: bool,
    /// True if filters may have wildcards; announced in 5.0 if not (§3.2.2.3.11).
    pub wildcard_subscriptions: bool,
    /// 5.0: whether subscriptions may have identifiers; announced if not (§3.2.2.3.12).
    pub subscription_identifiers: bool,
    /// True if there are shared subscriptions; announced in 5.0 (§3.2.2.3.13).
    pub shared_subscriptions: bool,
    /// The longest time in seconds that a session outlives its connection; `u32::MAX` is for ever (§3.2.2.3.2).
    pub maximum_session_expiry: u32,
    /// Maximum number of QoS 1 and 2 messages that the broker may have unacknowledged at one client, at least 1.
    pub in_flight_messages: u16,
    /// Maximum number of messages that wait for one client that is away.
    pub queue_messages: usize,
    /// Maximum size in bytes of the messages that wait for one client, and of those that are unacknowledged at it.
    pub queue_bytes: usize,
    /// The policy for a message for which a queue has no room.
    pub queue_policy: QueuePolicy,
    /// Maximum size in bytes of what waits to be written to one client; beyond it QoS 0 messages are dropped.
    pub write_buffer: usize,
    /// 5.0: maximum number of topic aliases that the broker sets on a connection (§3.1.2.11.5).
    pub outgoing_topic_aliases: u16,
    /// Maximum number of sessions, with and without a connection.
    pub sessions: usize,
    /// Maximum number of subscriptions of a session.
    pub subscriptions: usize,
    /// Maximum size in bytes of the subscriptions of a session.
    pub subscription_bytes: usize,
    /// Maximum number of levels of a topic name or filter, at least 1.
    pub topic_levels: usize,
    /// Maximum size in bytes of a topic name or filter, at least 1.
    pub topic_length: usize,
    /// Maximum number of retained messages.
    pub retained_messages: usize,
    /// Maximum size in bytes of the retained messages.
    pub retained_bytes: usize,
    /// Maximum size in bytes of all that is held for all clients together.
    pub total_bytes: usize,
    /// 5.0: the basis for response topics that a client is told if it asks for it; `%c` is its identifier (§3.2.2.3.15).
    pub response_information: Option<String>,
    /// The interval at which statistics are published under `$SYS/broker/`; zero is never.
    pub sys_interval: Duration,
    /// 5.0: whether clients that do not object are told in words what went wrong (§3.1.2.11.7).
    pub reason_strings: bool,
    /// 5.0: another server for the clients (§4.11).
    pub server_reference: Option<String>,
    /// The condition for sending clients to `server_reference`.
    pub referral: Referral,
}

/// The condition for sending clients to another server (§4.11 of 5.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referral {
    /// The broker sends DISCONNECT with 0x9C when it stops.
    #[default]
    WhenStopping,
    /// The broker refuses each CONNECT with 0x9C, "use another server".
    Temporary,
    /// The broker refuses each CONNECT with 0x9D, "server moved".
    Permanent,
}

/// The policy for a message for which a client's queue has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum QueuePolicy {
    /// The new message is dropped: the client gets the oldest messages, without gaps in between.
    #[default]
    DropNewest,
    /// The oldest that wait are dropped to make room: the client gets the latest news.
    DropOldest,
}

impl BrokerSettings {
    /// Returns the maximum number of sessions in a world of this many nodes: the default grows with them, for it protects a
    /// machine that the world does not have. What a scenario says about it is meant.
    pub fn sessions_among(&self, nodes: usize) -> usize {
        let is_default = self.sessions == Self::default().sessions;
        if is_default { self.sessions.max(nodes) } else { self.sessions }
    }

    /// Returns the maximum number of connections without CONNACK in a world of this many nodes, likewise.
    pub fn pending_connections_among(&self, nodes: usize) -> usize {
        let is_default = self.pending_connections == Self::default().pending_connections;
        if is_default { self.pending_connections.max(nodes) } else { self.pending_connections }
    }

    /// Returns whether a scenario bounds the memory for all clients together, so that what is held for one may leave no
    /// room for another.
    pub fn bounds_total(&self) -> bool {
        self.total_bytes != Self::default().total_bytes
    }
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            server_keep_alive: None,
            min_keep_alive: None,
            max_keep_alive: None,
            keep_alive_factor: 1.5,
            connect_timeout: Duration::from_secs(10),
            pending_connections: 10_000,
            maximum_connect_size: 256 * 1024,
            maximum_packet_size: 16 * 1024 * 1024,
            receive_maximum: 1000,
            topic_alias_maximum: 10,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            wildcard_subscriptions: true,
            subscription_identifiers: true,
            shared_subscriptions: true,
            maximum_session_expiry: u32::MAX,
            in_flight_messages: 1000,
            queue_messages: 1000,
            queue_bytes: 64 * 1024 * 1024,
            queue_policy: QueuePolicy::DropNewest,
            write_buffer: 4 * 1024 * 1024,
            outgoing_topic_aliases: 10,
            sessions: 100_000,
            subscriptions: 1000,
            subscription_bytes: 4 * 1024 * 1024,
            topic_levels: 200,
            topic_length: 65_535,
            retained_messages: 100_000,
            retained_bytes: 256 * 1024 * 1024,
            total_bytes: 1024 * 1024 * 1024,
            response_information: None,
            sys_interval: Duration::ZERO,
            reason_strings: true,
            server_reference: None,
            referral: Referral::WhenStopping,
        }
    }
}

/// The settings of a client in the words of the standard: its CONNECT, and those that it dereferences to.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientSettings {
    /// The CONNECT to send: version, client id, keep-alive, clean start, will, session expiry …
    pub connect: Shared<Connect>,
    /// The settings beside CONNECT, which members of a group share: there may be a million of them.
    pub common: Shared<CommonSettings>,
}

impl Deref for ClientSettings {
    type Target = CommonSettings;

    fn deref(&self) -> &CommonSettings {
        &self.common
    }
}

impl DerefMut for ClientSettings {
    fn deref_mut(&mut self) -> &mut CommonSettings {
        &mut self.common
    }
}

/// The settings of a client beside its CONNECT.
#[derive(Clone, Debug, PartialEq)]
pub struct CommonSettings {
    /// Time after which a missing PINGRESP closes the connection; half of the keep-alive if `None`.
    pub ping_timeout: Option<Duration>,
    /// Time that opening a connection and CONNACK may take together.
    pub connect_timeout: Duration,
    /// The policy for connecting again; `None` never does.
    pub reconnect: Option<Reconnect>,
    /// The subscriptions made after each CONNACK that says there is no session.
    pub subscriptions: Vec<Subscription>,
    /// Maximum number of messages that wait to be sent.
    pub queue_messages: usize,
    /// 5.0: maximum number of topics that get a topic alias when messages are sent.
    pub topic_aliases: u16,
    /// The largest packet that it takes, in bytes, where CONNECT does not say it; any if `None`.
    pub packet_limit: Option<u32>,
    /// The ways in which the application acknowledges messages of QoS 1 and 2 itself, one after the other; the last one holds for
    /// all that follow. The client acknowledges at once if there is none.
    pub acknowledge: Arc<[Acknowledge]>,
    /// The words of the enhanced authentication in turn, its own first, and for each what may be said in its place; without them it
    /// answers no AUTH.
    pub dialogue: Option<Arc<[Vec<Bytes>]>>,
}

/// The way in which an application acknowledges a message itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acknowledge {
    /// The delay after the arrival of the message.
    pub after: Duration,
    /// The reason in PUBACK or PUBREC; 5.0 alone has others than success.
    pub reason: ReasonCode,
}

impl ClientSettings {
    /// Creates settings with a keep-alive of 60 s, 10 s to connect, no reconnect and no subscriptions.
    pub fn new(version: Version, client_id: impl Into<ByteString>) -> Self {
        let mut connect = Connect::new(version, client_id);
        connect.keep_alive = 60;
        let common = CommonSettings {
            ping_timeout: None,
            connect_timeout: Duration::from_secs(10),
            reconnect: None,
            subscriptions: Vec::new(),
            queue_messages: 1000,
            topic_aliases: 0,
            packet_limit: None,
            acknowledge: Arc::default(),
            dialogue: None,
        };
        Self { connect: connect.into(), common: common.into() }
    }
}

/// Exponential back-off: the n-th pause in a row is `min × factor^(n-1)`, at most `max`, then changed by up to
/// ± `jitter` of itself. A connection that has lasted for as long as `stable` starts it over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reconnect {
    /// The first pause.
    pub min: Duration,
    /// The longest pause.
    pub max: Duration,
    /// The factor by which a pause is longer than the one before; 2 doubles it.
    pub factor: f64,
    /// The share of a pause that is random, from 0 to 1.
    pub jitter: f64,
    /// Time that a connection must last for the next pause to be the first again.
    pub stable: Duration,
}

impl Default for Reconnect {
    /// 1 s, doubling to 30 s, nothing left to chance; stable after 10 s.
    fn default() -> Self {
        Self {
            min: Duration::from_secs(1),
            max: Duration::from_secs(30),
            factor: 2.0,
            jitter: 0.0,
            stable: Duration::from_secs(10),
        }
    }
}
