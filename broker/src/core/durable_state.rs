use halfopen_protocol::Instant;

use super::retained::Retained;
use super::session::Sessions;
use super::subscriptions::Subscriptions;
use super::timers::Subject;
use super::{Broker, Timer};

/// The state of a broker that outlasts its process: sessions with their subscriptions, unacknowledged and waiting
/// messages and wills, and the retained messages (§4.1). It has no form outside of the process.
///
/// Its moments are those of the broker's clock, which has to go on where it was.
#[derive(Debug)]
pub struct DurableState {
    pub(super) sessions: Sessions,
    subscriptions: Subscriptions,
    retained: Retained,
}

impl DurableState {
    fn copy(sessions: &Sessions, subscriptions: &Subscriptions, retained: &Retained) -> Self {
        let sessions = sessions.clone();
        let retained = retained.copy(sessions.held());
        Self { sessions, subscriptions: subscriptions.clone(), retained }
    }
}

impl Clone for DurableState {
    fn clone(&self) -> Self {
        Self::copy(&self.sessions, &self.subscriptions, &self.retained)
    }
}

impl Broker {
    /// A copy of what is to outlast the process. Taken after each `handle_*`, before anything of
    /// [`poll_output`](Self::poll_output) leaves, it lacks nothing that a client was told.
    pub fn durable_state(&self) -> DurableState {
        DurableState::copy(&self.sessions, &self.subscriptions, &self.retained)
    }

    /// Remembers what another broker knew, in place of what this one knows; call it before the first connection.
    ///
    /// Connections that were open then are taken to end now: their sessions expire from then on, and their wills are
    /// published, at once or after their delay. Sessions that had no connection end when they would have ended, those
    /// that are overdue at once [MQTT-4.1.0-2].
    pub fn handle_durable_state(&mut self, now: Instant, state: DurableState) {
        let DurableState { sessions, subscriptions, retained } = self.durable_state_or_defect(state);
        (self.sessions, self.subscriptions, self.retained) = (sessions, subscriptions, retained);
        let keys = self.sessions.keys();
        let (mut left, mut waiting) = (Vec::new(), Vec::new());
        for key in keys {
            let Some(session) = self.sessions.get_mut(key) else { continue };
            match session.connection.take() {
                Some(_) => left.push(key),
                None => waiting.push((key, session.ends, session.will_due)),
            }
        }
        for (key, ends, will_due) in waiting {
            self.timers.set(Timer::SessionExpiry, Subject::Session(key), None, ends);
            self.timers.set(Timer::WillDelay, Subject::Session(key), None, will_due);
        }
        // Nobody is there any more, so no will goes to somebody who has left, too.
        for key in left {
            self.start_expiry_or_defect(now, key);
        }
        self.handle_timeout(now);
    }
}
