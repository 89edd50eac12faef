use std::collections::VecDeque;

use halfopen_protocol::Instant;

use super::{Config, ConnectionId, Output, Timer};

/// An MQTT broker without sockets and without a clock.
///
/// Whoever drives it tells it what happens (`handle_*`), and after each such call takes everything out of
/// [`poll_output`](Self::poll_output) and asks [`poll_timeout`](Self::poll_timeout) when to come back. What arrives at
/// the very instant of a deadline is in time: call [`handle_bytes`](Self::handle_bytes) before
/// [`handle_timeout`](Self::handle_timeout).
#[derive(Debug)]
pub struct Broker {
    config: Config,
    outputs: VecDeque<Output>,
    next_connection: u64,
}

impl Broker {
    /// A broker without sessions and retained messages.
    pub fn new(config: Config) -> Self {
        Self { config, outputs: VecDeque::new(), next_connection: 0 }
    }

    /// How it is configured.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A transport connection was accepted; its CONNECT is awaited for [`Config::connect_timeout`].
    pub fn handle_open(&mut self, now: Instant) -> ConnectionId {
        let _ = now;
        self.next_connection += 1;
        ConnectionId(self.next_connection)
    }

    /// Bytes arrived. Those of a connection that is closed are ignored.
    pub fn handle_bytes(&mut self, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        let _ = (now, connection, bytes);
    }

    /// The transport has ended, whether in order, by a reset or by a time-out.
    pub fn handle_closed(&mut self, now: Instant, connection: ConnectionId) {
        let _ = (now, connection);
    }

    /// This many bytes of what was to be sent have left. Bounds what waits for a slow reader.
    pub fn handle_written(&mut self, now: Instant, connection: ConnectionId, bytes: usize) {
        let _ = (now, connection, bytes);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        let _ = now;
    }

    /// Closes all connections; 5.0 clients are told why.
    pub fn handle_shutdown(&mut self, now: Instant) {
        let _ = now;
    }

    /// The next thing to do. Call it until it returns `None`, after each `handle_*`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call [`handle_timeout`](Self::handle_timeout), and for what.
    pub fn poll_timeout(&self) -> Option<(Instant, Timer)> {
        None
    }
}
