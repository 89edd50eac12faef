use std::time::Duration;

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
    /// How many QoS 1 and 2 messages a client may have unacknowledged; announced in 5.0.
    pub receive_maximum: u16,
    /// How many messages wait for one client that is away or slow; beyond it new ones are dropped.
    pub queue_messages: usize,
}
