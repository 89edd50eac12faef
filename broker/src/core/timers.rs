use std::collections::BTreeSet;

use halfopen_protocol::Instant;

use super::session::SessionKey;
use super::{ConnectionId, Timer};

/// Everything that waits for a moment, in the order of the moments: the next one costs no search.
#[derive(Debug, Default)]
pub(super) struct Timers {
    all: BTreeSet<(Instant, Timer, Subject)>,
    /// The timers that end sessions.
    ends: BTreeSet<(Instant, SessionKey)>,
}

/// The owner of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Connection(ConnectionId),
    Session(SessionKey),
    Broker,
}

impl Timers {
    /// Moves a timer from one moment to another; `None` is never.
    pub(super) fn set(&mut self, timer: Timer, subject: Subject, from: Option<Instant>, to: Option<Instant>) {
        if let Some(from) = from {
            self.all.remove(&(from, timer, subject));
            if let (Timer::SessionExpiry, Subject::Session(key)) = (timer, subject) {
                self.ends.remove(&(from, key));
            }
        }
        if let Some(to) = to {
            self.all.insert((to, timer, subject));
            if let (Timer::SessionExpiry, Subject::Session(key)) = (timer, subject) {
                self.ends.insert((to, key));
            }
        }
    }

    /// Returns when the last will that waits is due.
    #[cfg(feature = "defects")]
    pub(super) fn last_will(&self) -> Option<Instant> {
        self.all.iter().rev().find(|(_, timer, _)| *timer == Timer::WillDelay).map(|&(at, ..)| at)
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<(Instant, Timer)> {
        self.all.first().map(|&(at, timer, _)| (at, timer))
    }

    /// The session that ends next, if none changes.
    pub(super) fn next_to_end(&self) -> Option<SessionKey> {
        self.ends.first().map(|&(_, key)| key)
    }

    /// Takes out the earliest that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer, Subject)> {
        let &(at, timer, subject) = self.all.first()?;
        if at > now {
            return None;
        }
        self.set(timer, subject, Some(at), None);
        Some((at, timer, subject))
    }
}
