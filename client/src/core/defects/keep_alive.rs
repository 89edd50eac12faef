use std::time::Duration;

use halfopen_protocol::Instant;

use super::Defect;
use crate::core::Timer;
use crate::core::keep_alive::{Awaited, KeepAlive};

/// The client's half of keep-alive, or what a defect makes of it.
#[derive(Debug)]
pub(in crate::core) struct KeepAliveOrDefect {
    rules: KeepAlive,
    defect: Option<Defect>,
    /// Time at which the connection began.
    begun: Instant,
    /// True if an answer came before its question.
    settled_ahead: bool,
}

impl KeepAliveOrDefect {
    pub(super) fn new(
        defect: Option<Defect>,
        seconds: u16,
        ping_timeout: Option<Duration>,
        last_sent: Instant,
        now: Instant,
    ) -> Self {
        let interval = Duration::from_secs(seconds.into());
        let ping_timeout = match defect {
            Some(Defect::PingrespDeadlineIsInterval) => Some(interval),
            Some(Defect::PingrespDeadlineIsTwoIntervals) => Some(interval * 2),
            Some(Defect::PingrespDeadlineIsOneSecond) => Some(Duration::from_secs(1)),
            Some(Defect::NoPingrespDeadline) => Some(Duration::from_secs(u64::from(u32::MAX))),
            _ => ping_timeout,
        };
        let from_start = defect == Some(Defect::PingStampFromStart);
        let last_sent = if from_start { Instant::default() } else { last_sent };
        let rules = KeepAlive::new(seconds, ping_timeout, last_sent, now);
        Self { rules, defect, begun: now, settled_ahead: false }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    /// Takes over what another connection waited for.
    pub(super) fn inherit(&mut self, unanswered: Option<Instant>) {
        unanswered.into_iter().for_each(|at| self.rules.unanswered.push_back(at));
    }

    pub(in crate::core) fn sent(&mut self, now: Instant) {
        if !self.has(Defect::PingsRegardlessOfTraffic) {
            self.rules.sent(now);
        }
    }

    pub(in crate::core) fn asked(&mut self, now: Instant) {
        match self.defect {
            Some(Defect::PingsRegardlessOfTraffic) => self.rules.sent(now),
            Some(Defect::PingrespTakenForLater) if std::mem::take(&mut self.settled_ahead) => return,
            Some(Defect::PingrespDeadlineStartsEarly) => return self.rules.asked(self.rules.last_sent),
            _ => {}
        }
        self.rules.asked(now);
    }

    pub(in crate::core) fn received(&mut self, now: Instant) {
        if self.has(Defect::PingOnlyWhenNothingReceived) {
            self.rules.sent(now);
        }
        self.rules.received(now);
    }

    pub(in crate::core) fn written(&mut self, now: Instant) {
        self.rules.written(now);
    }

    pub(in crate::core) fn answered(&mut self) {
        if !self.has(Defect::PingrespNotTaken) {
            self.settled_ahead = self.rules.unanswered.is_empty();
            self.rules.answered();
        }
    }

    pub(in crate::core) fn forget(&mut self) {
        self.rules.forget();
    }

    pub(in crate::core) fn awaited(&self) -> Option<Awaited> {
        if self.defect.is_none() { self.rules.awaited() } else { self.as_seen().awaited() }
    }

    pub(in crate::core) fn next(&self, is_listening: bool) -> Option<(Instant, Timer)> {
        if self.defect.is_none() {
            return self.rules.next(is_listening);
        }
        self.as_seen().next(is_listening || self.has(Defect::PingrespMindedWhileDeaf))
    }

    /// Returns what the rules would have to see to do as the defect does.
    fn as_seen(&self) -> KeepAlive {
        let mut seen = self.rules.clone();
        let Some(interval) = seen.interval else { return seen };
        let asked = seen.unanswered.front().copied();
        match (self.defect, asked) {
            (Some(Defect::PingsTooSlowly), _) => seen.last_sent += interval / 2,
            (Some(Defect::PingsOnHalfIntervals), _) => {
                let half = interval.as_millis() / 2;
                let ticks = (seen.last_sent + interval).saturating_since(self.begun).as_millis().div_ceil(half);
                let due = self.begun + Duration::from_millis(u64::try_from(ticks * half).unwrap_or(u64::MAX));
                seen.last_sent = Instant::new(due.since_origin().saturating_sub(interval));
            }
            (Some(Defect::SendingHidesDeadPeer | Defect::PingOnlyWhenNothingReceived), None) => {
                seen.last_alive += Duration::from_secs(u64::from(u32::MAX));
            }
            (Some(Defect::PingrespDeadlineStartsEarly | Defect::PingrespDeadlineIgnoresBytes), Some(asked)) => {
                seen.last_alive = asked;
            }
            _ => {}
        }
        seen
    }
}
