//! Without the feature: the rules, and nothing else.

use std::time::Duration;

use halfopen_protocol::{Instant, Packet};

use super::link::Up;
use super::{Client, DisconnectReason, Timer};

pub(super) use super::keep_alive::KeepAlive as KeepAliveOrDefect;

impl Client {
    pub(super) fn handle_packet_or_defect(&mut self, now: Instant, packet: Packet) {
        self.handle_packet(now, packet);
    }

    #[expect(clippy::unused_self, reason = "a defect needs it")]
    pub(super) fn packet_or_defect(&mut self, _: Instant, packet: Packet) -> Option<Packet> {
        Some(packet)
    }

    pub(super) fn keep_alive_or_defect(&self, seconds: u16, last_sent: Instant, now: Instant) -> KeepAliveOrDefect {
        KeepAliveOrDefect::new(seconds, self.options.ping_timeout, last_sent, now)
    }

    pub(super) fn ping_or_defect(&self, up: &Up) -> Option<(Instant, Timer)> {
        up.keep_alive.next(self.is_listening())
    }

    pub(super) fn connect_timeout_or_defect(&self) -> Duration {
        self.options.connect_timeout
    }

    pub(super) fn end_or_defect(&mut self, now: Instant, reason: DisconnectReason) {
        self.end(now, reason);
    }

    #[expect(clippy::unused_self, reason = "a defect needs it")]
    pub(super) fn retry_or_defect(
        &mut self,
        _: Instant,
        _: &DisconnectReason,
        retry_at: Option<Instant>,
    ) -> Option<Instant> {
        retry_at
    }
}
