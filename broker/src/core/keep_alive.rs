use std::time::Duration;

use halfopen_protocol::{Instant, PacketType};

/// A client is closed when it was silent for its keep-alive times this: [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0).
pub const FACTOR: f64 = 1.5;

/// How long one client may still be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive {
    timeout: Option<Duration>,
    since: PacketType,
    at: Instant,
}

impl KeepAlive {
    /// Begins with the CONNECT that was accepted at `now` (§3.1.4). `keep_alive` is in seconds; 0 waits for ever
    /// (§3.1.2.10).
    pub(super) fn new(now: Instant, keep_alive: u16, factor: f64) -> Self {
        Self { timeout: timeout(keep_alive, factor), since: PacketType::Connect, at: now }
    }

    /// A complete packet came from the client, of whatever type. What the broker sends does not count, and neither does
    /// a part of a packet (§3.1.2.10).
    pub(super) fn handle_packet(&mut self, now: Instant, packet: PacketType) {
        self.since = packet;
        self.at = now;
    }

    /// When the client is to be closed, unless another packet comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.timeout.map(|timeout| self.at + timeout)
    }

    /// The last packet of the client and when it came.
    pub(super) fn last_packet(&self) -> (PacketType, Instant) {
        (self.since, self.at)
    }
}

/// In whole milliseconds, the resolution of the clocks: an odd keep-alive makes half a second.
fn timeout(keep_alive: u16, factor: f64) -> Option<Duration> {
    let millis = (f64::from(keep_alive) * 1000.0 * factor).round();
    // A float is cut to the range of the integer, and a factor that is not a number gives 0.
    (keep_alive > 0).then(|| Duration::from_millis(millis as u64))
}
