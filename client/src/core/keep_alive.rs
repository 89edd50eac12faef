use std::time::Duration;

use halfopen_protocol::{Few, Instant};

use super::Timer;

/// Number of unanswered PINGREQs that are remembered. More can only be open where the ping timeout is many times the
/// keep-alive and the broker goes on sending other things; then the later ones are taken as answered.
const REMEMBERED: usize = 64;

/// The client's half of keep-alive (§3.1.2.10, §3.12, §3.13) for one connection.
///
/// PINGREQ is due when the interval has passed since the last packet that was *sent* [MQTT-3.1.2-23] (3.1.1),
/// [MQTT-3.1.2-20] (5.0). What comes in does not put it off: the broker counts only what it gets. It is also due when
/// one and a half intervals have passed since the last sign of life: so a client that only sends learns within two
/// intervals, with the usual ping timeout, that nobody is there.
///
/// PINGRESP is late when the ping timeout has passed since its PINGREQ, or since the last sign of life if that was
/// later: bytes that came in, or bytes that had waited for the socket and that it took. So neither a large message that
/// holds up the answer nor one that holds up the question costs the connection. Nothing but PINGRESP settles the
/// question, and what is sent meanwhile does not put it off. A PINGRESP that nobody waits for settles no later
/// question.
#[derive(Clone, Debug)]
pub(super) struct KeepAlive {
    /// Interval of PINGREQs; `None` if the mechanism is off.
    pub(super) interval: Option<Duration>,
    ping_timeout: Duration,
    pub(super) last_sent: Instant,
    pub(super) last_alive: Instant,
    /// Time at which each unanswered PINGREQ was sent, oldest first.
    pub(super) unanswered: Few<Instant>,
}

/// A PINGRESP that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Awaited {
    /// Time at which its PINGREQ was sent.
    pub(super) at: Instant,
    /// Time at which it is late.
    pub(super) due: Instant,
}

impl KeepAlive {
    /// `seconds` is the broker's Server Keep Alive if it sent one [MQTT-3.1.2-21], otherwise what was asked for; 0
    /// switches everything off. Without `ping_timeout` half of the interval is waited for PINGRESP.
    pub(super) fn new(seconds: u16, ping_timeout: Option<Duration>, last_sent: Instant, now: Instant) -> Self {
        let interval = Duration::from_secs(seconds.into());
        Self {
            interval: (seconds > 0).then_some(interval),
            ping_timeout: ping_timeout.unwrap_or(interval / 2),
            last_sent,
            last_alive: now,
            unanswered: Few::new(),
        }
    }

    /// A packet of any type goes out.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = now;
    }

    /// Takes note that a PINGREQ was sent.
    pub(super) fn asked(&mut self, now: Instant) {
        if self.unanswered.len() < REMEMBERED {
            self.unanswered.push_back(now);
        }
    }

    /// Bytes came in.
    pub(super) fn received(&mut self, now: Instant) {
        self.last_alive = now;
    }

    /// Bytes that had waited for the socket have been taken by it: the packet that they belong to ends no earlier, and
    /// the peer has made room for them.
    pub(super) fn written(&mut self, now: Instant) {
        self.last_sent = now;
        self.last_alive = now;
    }

    /// PINGRESP came in.
    pub(super) fn answered(&mut self) {
        self.unanswered.pop_front();
    }

    /// Stops waiting for answers.
    pub(super) fn forget(&mut self) {
        self.unanswered.clear();
    }

    /// The PINGRESP that is waited for.
    pub(super) fn awaited(&self) -> Option<Awaited> {
        let at = *self.unanswered.front()?;
        Some(Awaited { at, due: at.max(self.last_alive) + self.ping_timeout })
    }

    /// Returns what is due next. Of two at one instant the lateness of PINGRESP: to ask again would be idle. A client
    /// that does not listen cannot blame the peer for its silence.
    pub(super) fn next(&self, is_listening: bool) -> Option<(Instant, Timer)> {
        let interval = self.interval?;
        let mut ping = (self.last_sent + interval, Timer::KeepAlive);
        if is_listening && self.unanswered.is_empty() {
            ping.0 = ping.0.min(self.last_alive + interval * 3 / 2);
        }
        match self.awaited() {
            Some(awaited) if is_listening && awaited.due <= ping.0 => Some((awaited.due, Timer::PingResponse)),
            _ => Some(ping),
        }
    }
}
