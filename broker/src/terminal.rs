use std::io::{self, Write as _};
use std::time::Duration;

use halfopen_broker::Observer;
use halfopen_broker::core::Event;
use halfopen_broker::log::{Log, dropped};
use halfopen_protocol::Instant;

use crate::tcp::Origin;

/// Writes the log to stderr.
pub(crate) struct Terminal {
    log: Log,
}

impl Terminal {
    pub(crate) fn new(log: Log) -> Self {
        Self { log }
    }
}

impl Observer<Origin> for Terminal {
    fn opened(&mut self, _: Instant, peer: &Origin) {
        if !self.log.is_silent() {
            log(&format!("New connection from {peer} on port {}.", peer.port));
        }
    }

    fn event(&mut self, _: Instant, peer: &Origin, event: &Event) {
        for line in self.log.lines(peer, event) {
            log(&line);
        }
    }

    fn dropped(&mut self, _: Instant, client_id: &str, messages: u64) {
        log(&dropped(client_id, messages));
    }

    fn accept_failed(&mut self, _: Instant, error: &io::Error) {
        log(&format!("Cannot accept a connection: {error}."));
    }
}

/// Writes one line with the time. A log that nobody can read any more does not stop the broker.
pub(crate) fn log(line: &str) {
    // As a whole: stderr has no buffer, and would be written to piece by piece.
    let line = format!("{}: {line}\n", unix_time().as_secs());
    let _ = io::stderr().lock().write_all(line.as_bytes());
}

#[expect(clippy::disallowed_types, reason = "the log of a real program carries the date, and nothing else reads it")]
fn unix_time() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default()
}
