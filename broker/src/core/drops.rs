use std::time::Duration;

use halfopen_protocol::Instant;

use super::session::SessionKey;
use super::{Broker, Output};

/// Minimum time between two reports about the same client.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);

/// Counts the messages that were dropped for one client because there was no room for them, and decides when the
/// operator is told: at the first, and then at most every ten seconds. Few clients have any.
#[derive(Clone, Debug, Default)]
pub(super) struct Drops(Option<Box<Counts>>);

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    total: u64,
    unreported: u64,
    reported_at: Option<Instant>,
}

impl Drops {
    /// Returns how many messages were dropped since the session began.
    pub(super) fn total(&self) -> u64 {
        self.0.as_ref().map_or(0, |counts| counts.total)
    }

    /// Counts dropped messages. Returns how many are to be reported now, if any.
    fn add(&mut self, now: Instant, messages: u64) -> Option<u64> {
        if messages == 0 && self.0.is_none() {
            return None;
        }
        let counts = self.0.get_or_insert_default();
        counts.total += messages;
        counts.unreported += messages;
        let is_time = counts.reported_at.is_none_or(|at| now >= at + REPORT_INTERVAL);
        (counts.unreported > 0 && is_time).then(|| {
            counts.reported_at = Some(now);
            std::mem::take(&mut counts.unreported)
        })
    }
}

impl Broker {
    /// Counts messages for which there was no room at a client, and tells the operator about these and earlier ones.
    pub(super) fn count_dropped(&mut self, now: Instant, key: SessionKey, messages: u64) {
        self.counters.publish_dropped += messages;
        let Some(session) = self.sessions.get_mut(key) else { return };
        if let Some(messages) = session.drops.add(now, messages) {
            let client_id = session.client_id.clone();
            self.ask(Output::Dropped { client_id, messages });
        }
    }
}
