//! The causes that may keep a broker from sending to a subscriber.

use std::time::Duration;

/// The causes that may keep the broker from sending on the present connection.
#[derive(Default)]
pub(super) struct Pressure {
    /// Messages without acknowledgement.
    pub(super) unacknowledged: usize,
    /// Bytes that were sent and not read.
    pub(super) unread_bytes: usize,
    /// Bytes that were to be sent and were not seen, whatever their QoS: a socket that is full takes part of a message,
    /// and what is behind it waits unseen. First those of earlier instants, then those of the latest.
    unsent_bytes: [usize; 2],
    added: Duration,
    /// Time at which the client was heard last, and at which it was answered at that very instant.
    pub(super) heard: Option<Duration>,
    pub(super) answered: Option<Duration>,
}

impl Pressure {
    pub(super) fn bytes(&self) -> usize {
        self.unread_bytes + self.unsent_bytes.iter().sum::<usize>()
    }

    pub(super) fn add(&mut self, now: Duration, bytes: usize) {
        if self.added < now {
            self.added = now;
            self.unsent_bytes = [self.unsent_bytes.iter().sum(), 0];
        }
        self.unsent_bytes[1] += bytes;
    }

    pub(super) fn remove(&mut self, mut bytes: usize) {
        for unsent in &mut self.unsent_bytes {
            let removed = bytes.min(*unsent);
            *unsent -= removed;
            bytes -= removed;
        }
    }

    /// The client was answered at once: what was to be sent before was sent or dropped.
    pub(super) fn relieve(&mut self, now: Duration) {
        self.answered = Some(now);
        self.unsent_bytes = [0, if self.added < now { 0 } else { self.unsent_bytes[1] }];
    }
}
