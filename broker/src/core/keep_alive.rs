use std::num::NonZeroU64;
use std::time::Duration;

use halfopen_protocol::packet::Connect;
use halfopen_protocol::{Instant, PacketType};

use super::Config;

/// A client is closed when it was silent for its keep-alive times this: [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0).
pub const FACTOR: f64 = 1.5;

/// The keep-alive in seconds that the broker wants instead of a client's own; `None` if it takes that, as it does with
/// every one of 3.1.1, whose CONNACK cannot tell the client.
pub(super) fn wanted(config: &Config, connect: &Connect) -> Option<u16> {
    if !connect.version.is_v5() {
        return None;
    }
    if config.server_keep_alive.is_some() {
        return config.server_keep_alive;
    }
    // 0 never times out: counted from 1 on, it is the longest of all.
    let length = |keep_alive: u16| keep_alive.wrapping_sub(1);
    let (min, max) = (config.min_keep_alive.map_or(u16::MIN, length), config.max_keep_alive.map_or(u16::MAX, length));
    let keep_alive = length(connect.keep_alive).max(min).min(max).wrapping_add(1);
    Some(keep_alive).filter(|&keep_alive| keep_alive != connect.keep_alive)
}

/// The keep-alive of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeepAlive {
    /// The time-out in milliseconds.
    pub(super) timeout: Option<NonZeroU64>,
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

    /// Returns when the client is to be closed, unless another packet comes.
    pub(super) fn due(&self) -> Option<Instant> {
        let timeout = Duration::from_millis(self.timeout?.get());
        Some(self.at + timeout)
    }

    /// The last packet of the client and when it came.
    pub(super) fn last_packet(&self) -> (PacketType, Instant) {
        (self.since, self.at)
    }
}

/// Returns the time-out in whole milliseconds, the resolution of the clocks: an odd keep-alive makes half a second.
fn timeout(keep_alive: u16, factor: f64) -> Option<NonZeroU64> {
    let millis = (f64::from(keep_alive) * 1000.0 * factor).round();
    // A float is cut to the range of the integer, and a factor that is not a number gives 0.
    (keep_alive > 0).then(|| NonZeroU64::new(millis as u64).unwrap_or(NonZeroU64::MIN))
}
