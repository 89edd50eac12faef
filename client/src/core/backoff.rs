use std::time::Duration;

use halfopen_protocol::Instant;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Reconnect;

/// The pauses between attempts to connect: each `factor` times the one before, some of it left to chance.
#[derive(Debug)]
pub(super) struct Backoff {
    settings: Reconnect,
    seed: u64,
    /// Made when the first pause is drawn: most clients never lose a connection, and there may be a million of them.
    rng: Option<Box<ChaCha8Rng>>,
    /// The next pause in seconds, before chance.
    pause: f64,
}

impl Backoff {
    pub(super) fn new(settings: Reconnect, seed: u64) -> Self {
        Self { settings, seed, rng: None, pause: settings.min.as_secs_f64() }
    }

    /// Returns when to try again after a failure at `now`. Pauses are whole milliseconds.
    pub(super) fn next(&mut self, now: Instant) -> Instant {
        let max = self.settings.max.as_secs_f64();
        let base = self.pause.min(max);
        // Multiplied step by step, since the result of `powi` may differ from platform to platform.
        self.pause = (base * self.settings.factor.max(1.0)).min(max);
        let jitter = self.settings.jitter.clamp(0.0, 1.0);
        let millis = base * (1.0 + jitter * self.chance()) * 1000.0;
        now + Duration::from_millis(millis.round() as u64)
    }

    /// A connection has lasted for this long.
    pub(super) fn lasted(&mut self, time: Duration) {
        if time >= self.settings.stable {
            self.pause = self.settings.min.as_secs_f64();
        }
    }

    /// Uniform from -1 up to, not including, 1.
    fn chance(&mut self) -> f64 {
        let rng = self.rng.get_or_insert_with(|| Box::new(ChaCha8Rng::seed_from_u64(self.seed)));
        let fraction = (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
        fraction * 2.0 - 1.0
    }
}
