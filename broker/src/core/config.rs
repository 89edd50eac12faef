use std::time::Duration;

use super::keep_alive;

/// What the operator of a broker decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// 5.0: the keep-alive in seconds that clients must use instead of their own (§3.2.2.3.14); 0 switches it off.
    pub server_keep_alive: Option<u16>,
    /// A silent client is closed after its keep-alive times this. The standards demand 1.5.
    pub keep_alive_factor: f64,
    /// How long a connection may be open without a CONNECT (§3.1.4, no figure there).
    pub connect_timeout: Duration,
    /// The largest whole packet a client may send, in bytes; announced in 5.0.
    pub maximum_packet_size: u32,
    /// How many QoS 1 and 2 messages a client may have unacknowledged, at least 1; announced in 5.0.
    pub receive_maximum: u16,
    /// How many QoS 1 and 2 messages the broker may have unacknowledged at one client, at least 1; a 5.0 client may
    /// ask for less.
    pub in_flight_messages: u16,
    /// How many messages wait for one client that is away or slow; beyond it new ones are dropped.
    pub queue_messages: usize,
    /// How many bytes of messages wait for one client, likewise; a single message may be larger.
    pub queue_bytes: usize,
    /// How many bytes may wait to be written to one client; beyond it QoS 0 messages are dropped and others wait in
    /// the queue.
    pub write_buffer: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            server_keep_alive: None,
            keep_alive_factor: keep_alive::FACTOR,
            connect_timeout: Duration::from_secs(10),
            maximum_packet_size: 16 * 1024 * 1024,
            receive_maximum: 1000,
            in_flight_messages: 1000,
            queue_messages: 1000,
            queue_bytes: 64 * 1024 * 1024,
            write_buffer: 4 * 1024 * 1024,
        }
    }
}
