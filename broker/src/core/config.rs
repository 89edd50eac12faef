use std::time::Duration;

use halfopen_protocol::packet::QoS;

use super::keep_alive;

/// The settings of a broker that its operator decides.
///
/// Every limit on what a peer can make the broker hold is here. The defaults are meant for a broker that strangers
/// reach. What 5.0 has a property for is announced in CONNACK.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// 5.0: the keep-alive in seconds that clients must use instead of their own (§3.2.2.3.14); 0 switches it off.
    pub server_keep_alive: Option<u16>,
    /// 5.0: the shortest keep-alive in seconds; clients that ask for a shorter one must use this instead (§3.2.2.3.14).
    /// 0, which switches it off, is not short. As 3.1.1 clients cannot be told, they keep their own, like that of
    /// `server_keep_alive`, which goes before this.
    pub min_keep_alive: Option<u16>,
    /// 5.0: the longest keep-alive in seconds, likewise; 0 is longer than all. Goes before `min_keep_alive`.
    pub max_keep_alive: Option<u16>,
    /// A silent client is closed after its keep-alive times this. The standards demand 1.5.
    pub keep_alive_factor: f64,

    /// Maximum time without a CONNECT on a new connection (§3.1.4 gives no figure).
    pub connect_timeout: Duration,
    /// Number of connections that may be open without having been accepted by CONNACK; more are closed at once.
    pub pending_connections: usize,
    /// The largest first packet of a connection, in bytes, if smaller than `maximum_packet_size`: what strangers can
    /// make the broker hold.
    pub maximum_connect_size: u32,
    /// The largest whole packet a client may send, in bytes; announced in 5.0. Larger ones end the connection.
    pub maximum_packet_size: u32,
    /// Number of QoS 1 and 2 messages that a client may have unacknowledged, at least 1; announced in 5.0.
    pub receive_maximum: u16,
    /// 5.0: how many topic aliases a client may set on a connection (§3.2.2.3.8); announced. 0 forbids them.
    pub topic_alias_maximum: u16,
    /// 5.0: how many topic aliases the broker sets on a connection, at most as many as the client takes (§3.1.2.11.5).
    /// 0 uses none.
    pub outgoing_topic_aliases: u16,

    /// The highest QoS of the broker; announced in 5.0 if not 2 (§3.2.2.3.4).
    pub maximum_qos: QoS,
    /// True if messages are retained; announced in 5.0 if not (§3.2.2.3.5).
    pub retain_available: bool,
    /// True if filters may have wildcards; announced in 5.0 if not (§3.2.2.3.11).
    pub wildcard_subscriptions: bool,
    /// 5.0: whether subscriptions may have identifiers; announced if not (§3.2.2.3.12).
    pub subscription_identifiers: bool,
    /// True if there are shared subscriptions; announced in 5.0 (§3.2.2.3.13). 3.1.1 clients may use them, too.
    pub shared_subscriptions: bool,

    /// Number of levels that a topic name or filter may have, at least 1.
    pub topic_levels: usize,
    /// Number of bytes that a topic name or filter may have, at least 1.
    pub topic_length: usize,
    /// Number of subscriptions that a session may have; more are refused with 0x97 (0x80 in 3.1.1).
    pub subscriptions: usize,
    /// Maximum size in bytes of the subscriptions of a session, likewise. One counts with twice its filter, and with
    /// 128 bytes for each of its levels.
    pub subscription_bytes: usize,

    /// Number of sessions that there may be, with and without a connection. For one more, the session without a
    /// connection that would be the next to end ends at once, which discards what waits for it and publishes its will
    /// (§4.1 of
    /// 5.0 lets a server do so). Those that are connected or never end stay; if there are no others, the client is
    /// refused with 0x97 (0x03 in 3.1.1).
    pub sessions: usize,
    /// The longest time in seconds that a session outlives its connection; `u32::MAX` is for ever. Longer ones are
    /// shortened, which 5.0 clients are told (§3.2.2.3.2).
    pub maximum_session_expiry: u32,
    /// Number of QoS 1 and 2 messages that the broker may have unacknowledged at one client, at least 1; a 5.0 client
    /// may ask for less.
    pub in_flight_messages: u16,
    /// Maximum number of messages that wait for one client that is away. What waits for a client that is connected is
    /// limited by `queue_bytes` alone, and stays when its connection ends. Retained messages for a new subscription do
    /// not wait in the queue, and have no limit.
    ///
    /// If none of those who want a message has room for it, a 5.0 publisher is told so with 0x97 in PUBACK or PUBREC.
    pub queue_messages: usize,
    /// Maximum size in bytes of the messages that wait for one client, and of those that are unacknowledged at it. A
    /// message counts with its topic, payload, properties and 256 bytes. A single message may be larger.
    pub queue_bytes: usize,
    /// Maximum size in bytes of all that is held for all clients together: client identifiers, wills, subscriptions,
    /// messages that wait or are unacknowledged (once for each client) or retained, packets of which only a part has
    /// come, CONNECT packets that are being judged, topic aliases, and what is to be written. Tables and sockets come
    /// on top.
    ///
    /// Beyond it the broker refuses with 0x97 (Quota exceeded) what would be held: a SUBSCRIBE in SUBACK (0x80 in
    /// 3.1.1), a CONNECT in CONNACK (0x03 in 3.1.1), a PUBLISH of QoS 2, one to be retained and one that no subscriber
    /// has room for in PUBACK or PUBREC; it closes the connection whose half-read packet, or whose answers that it does
    /// not read, have more than 64 KiB, in 5.0 with DISCONNECT. Messages go out one at a time to each client.
    pub total_bytes: usize,
    /// The policy for a message for which a queue has no room. Each is counted in
    /// [`ClientState::dropped`](super::ClientState::dropped) and under `$SYS/broker/publish/messages/dropped`, and told
    /// with [`Output::Dropped`](super::Output::Dropped).
    pub queue_policy: QueuePolicy,
    /// Number of bytes that may wait to be written to one client; beyond it QoS 0 messages are dropped and others wait
    /// in the queue. Who lets answers wait far beyond it is closed.
    pub write_buffer: usize,

    /// Number of messages that may be retained. One more is refused with 0x97 if its publisher can be told so, and else
    /// delivered, but not retained.
    pub retained_messages: usize,
    /// Number of bytes that the retained messages may have, likewise.
    pub retained_bytes: usize,

    /// 5.0: what clients that ask for it are told as a basis for response topics (§3.2.2.3.15); `%c` is the client
    /// identifier.
    pub response_information: Option<String>,
    /// 5.0: whether clients that do not object are told in words what went wrong (§3.1.2.11.7).
    pub reason_strings: bool,
    /// 5.0: another server for the clients, `host:port` or several with spaces between (§4.11).
    pub server_reference: Option<String>,
    /// The condition for sending clients to `server_reference`. Without a reference it has no effect.
    pub referral: Referral,

    /// The interval at which the broker publishes its statistics under `$SYS/broker/`; zero is never.
    pub sys_interval: Duration,
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

/// The condition for sending clients to another server (§4.11).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Referral {
    /// The broker sends DISCONNECT with 0x9C when it stops.
    #[default]
    WhenStopping,
    /// The broker refuses each CONNECT with 0x9C, "use another server" (0x03 in 3.1.1).
    Temporary,
    /// The broker refuses each CONNECT with 0x9D, "server moved" (0x03 in 3.1.1).
    Permanent,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_keep_alive: None,
            min_keep_alive: None,
            max_keep_alive: None,
            keep_alive_factor: keep_alive::FACTOR,
            connect_timeout: Duration::from_secs(10),
            pending_connections: 10_000,
            maximum_connect_size: 256 * 1024,
            maximum_packet_size: 16 * 1024 * 1024,
            receive_maximum: 1000,
            topic_alias_maximum: 10,
            outgoing_topic_aliases: 10,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            wildcard_subscriptions: true,
            subscription_identifiers: true,
            shared_subscriptions: true,
            topic_levels: 200,
            topic_length: 65_535,
            subscriptions: 1000,
            subscription_bytes: 4 * 1024 * 1024,
            sessions: 100_000,
            maximum_session_expiry: u32::MAX,
            in_flight_messages: 1000,
            queue_messages: 1000,
            queue_bytes: 64 * 1024 * 1024,
            total_bytes: 1024 * 1024 * 1024,
            queue_policy: QueuePolicy::DropNewest,
            write_buffer: 4 * 1024 * 1024,
            retained_messages: 100_000,
            retained_bytes: 256 * 1024 * 1024,
            response_information: None,
            reason_strings: true,
            server_reference: None,
            referral: Referral::WhenStopping,
            sys_interval: Duration::ZERO,
        }
    }
}
