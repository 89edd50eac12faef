use std::time::Duration;

use halfopen_protocol::packet::QoS;

use crate::plan::{BrokerProgram, BrokerSettings, Plan};

/// Number of bytes that a server surely retains where a scenario sets no other limit.
const RETAINED_BYTES: usize = 16 * 1024 * 1024;

/// The known limits of a server: beyond them the model judges nothing.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Number of messages that may wait for one client.
    pub(super) queue_messages: usize,
    /// Number of bytes of messages that may wait for one client.
    pub(super) queue_bytes: usize,
    /// Number of messages of QoS 1 and 2 that the server has under way to one client at most.
    pub(super) in_flight: usize,
    /// Number of messages and of bytes that may be retained.
    pub(super) retained: (usize, usize),
    /// Number of sessions that there may be.
    pub(super) sessions: usize,
    /// The longest session expiry in seconds; `u32::MAX` for ever.
    pub(super) maximum_session_expiry: u32,
    /// True if sessions and retained messages outlive the process.
    pub(super) is_durable: bool,
    /// Maximum time without a CONNECT on a new connection; none for another program than the project's: how long is
    /// reasonable is its own choice (§3.1.4).
    pub(super) connect_timeout: Option<Duration>,
    /// True if it is another program than the project's: what the standard leaves to a server is not judged.
    pub(super) is_foreign: bool,
    /// True if a client that breaks no rule is accepted: all may connect, and may have any will.
    pub(super) accepts_all: bool,
    /// The settings that the server has to announce.
    pub(super) announced: BrokerSettings,
    /// The time by which something may be earlier or later than due.
    pub(super) tolerance: Duration,
}

impl Settings {
    /// Takes the settings that a server can change while it runs; the others it has announced, or they hold for as long as it
    /// runs.
    pub(super) fn configure(&mut self, settings: &BrokerSettings, nodes: usize) {
        (self.queue_messages, self.queue_bytes) = queue(settings);
        self.in_flight = settings.in_flight_messages.into();
        self.retained = retained(settings);
        self.sessions = settings.sessions_among(nodes);
        self.maximum_session_expiry = settings.maximum_session_expiry;
        self.announced = settings.clone();
    }

    /// The limits of the broker on a node of this plan.
    pub(super) fn of(plan: &Plan, program: &BrokerProgram, is_foreign: bool) -> Self {
        let settings = &program.config;
        let (queue_messages, queue_bytes) = queue(settings);
        Self {
            queue_messages,
            queue_bytes,
            in_flight: settings.in_flight_messages.into(),
            retained: retained(settings),
            sessions: settings.sessions_among(plan.nodes.len()),
            maximum_session_expiry: settings.maximum_session_expiry,
            is_durable: program.durable,
            connect_timeout: (!is_foreign).then_some(settings.connect_timeout),
            is_foreign,
            accepts_all: program.auth.is_none()
                && settings.retain_available
                && settings.maximum_qos == QoS::ExactlyOnce,
            announced: settings.clone(),
            tolerance: plan.tolerance,
        }
    }
}

/// Returns how many messages and bytes surely have room in each queue: none where all clients together have little.
fn queue(settings: &BrokerSettings) -> (usize, usize) {
    if settings.bounds_total() { (0, 0) } else { (settings.queue_messages, settings.queue_bytes) }
}

/// Returns how many messages and bytes are surely retained.
fn retained(settings: &BrokerSettings) -> (usize, usize) {
    match settings.retained_bytes {
        _ if settings.bounds_total() => (0, 0),
        bytes if bytes == BrokerSettings::default().retained_bytes => (settings.retained_messages, RETAINED_BYTES),
        // What a server counts beside the text is its own affair.
        _ => (0, 0),
    }
}
