use std::collections::BTreeSet;

use halfopen_protocol::Instant;

use super::session::SessionKey;
use super::{ConnectionId, Timer};

/// Everything that waits for a moment, in the order of the moments: the next one costs no search.
#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<(Instant, Timer, Subject)>);

/// What a timer is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Connection(ConnectionId),
    Session(SessionKey),
    Broker,
}

impl Timers {
    /// Moves a timer from one moment to another; `None` is never.
    pub(super) fn set(&mut self, timer: Timer, subject: Subject, from: Option<Instant>, to: Option<Instant>) {
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.0.remove(&(from, timer, subject));
        }
        if let Some(to) = to {
            self.0.insert((to, timer, subject));
        }
    }

    /// The earliest.
    pub(super) fn next(&self) -> Option<(Instant, Timer)> {
        self.0.first().map(|&(at, timer, _)| (at, timer))
    }

    /// Takes out the earliest that is due at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Instant, Timer, Subject)> {
        if self.0.first()?.0 > now {
            return None;
        }
        self.0.pop_first()
    }
}
