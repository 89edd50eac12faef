use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::Instant;
use halfopen_protocol::packet::Publish;

use super::load::Loads;
use super::message::Message;
use super::timers::Subject;
use super::{Broker, Timer};

/// Returns whether only the broker may publish to a topic.
pub(super) fn is_reserved(topic: &str) -> bool {
    topic.strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The statistics that the broker publishes about itself, under the topic names that Mosquitto introduced.
#[derive(Debug, Default)]
pub(super) struct Sys {
    started: Option<Instant>,
    /// The values published last: only what has changed is published again.
    published: BTreeMap<String, String>,
    loads: Loads,
    /// Time of the next publication.
    due: Option<Instant>,
}

impl Sys {
    /// Returns whether the broker serves.
    pub(super) fn is_started(&self) -> bool {
        self.started.is_some()
    }
}

impl Broker {
    /// The broker begins to serve at `now`: uptime counts from here, and if [`Config::sys_interval`] is not zero, its
    /// statistics are published from then on, as retained messages under `$SYS/broker/`.
    ///
    /// [`Config::sys_interval`]: super::Config::sys_interval
    pub fn handle_start(&mut self, now: Instant) {
        if self.sys.started.is_none() {
            self.sys.started = Some(now);
            self.publish_statistics(now);
        }
    }

    /// Publishes what has changed, and comes back after the interval.
    pub(super) fn publish_statistics(&mut self, now: Instant) {
        let interval = self.config.sys_interval;
        let next = (interval != Duration::ZERO).then(|| now + interval);
        let before = std::mem::replace(&mut self.sys.due, next);
        self.timers.set(Timer::Statistics, Subject::Broker, before, next);
        if next.is_none() {
            return;
        }
        self.sys.loads.update(now, &self.counters);
        for (name, value) in self.statistics(now) {
            if self.sys.published.get(&name) == Some(&value) {
                continue;
            }
            let publish = Publish {
                topic: format!("$SYS/broker/{name}").into(),
                payload: value.clone().into(),
                retain: true,
                ..Publish::default()
            };
            self.sys.published.insert(name, value);
            self.route(now, &Message::new(now, &publish), None);
        }
    }

    fn statistics(&self, now: Instant) -> Vec<(String, String)> {
        let uptime = self.sys.started.map_or(Duration::ZERO, |started| now.saturating_since(started)).as_secs();
        let counters = &self.counters;
        let count = |count: usize| count as u64;
        let connected = count(self.connections.len().saturating_sub(self.pending_connections));
        let total = count(self.sessions.len());
        let held = self.sessions.held();
        let stored = count(self.retained.len() + held.messages());
        let disconnected = total.saturating_sub(connected);
        let numbers = [
            // The names that Mosquitto had before are still asked for.
            ("clients/active", connected),
            ("clients/inactive", disconnected),
            ("clients/connected", connected),
            ("clients/disconnected", disconnected),
            ("clients/expired", counters.clients_expired),
            ("clients/maximum", counters.clients_maximum),
            ("clients/total", total),
            ("bytes/received", counters.bytes_received),
            ("bytes/sent", counters.bytes_sent),
            ("messages/received", counters.messages_received),
            ("messages/sent", counters.messages_sent),
            ("messages/stored", stored),
            ("store/messages/count", stored),
            ("store/messages/bytes", count(self.retained.bytes() + held.message_bytes())),
            ("publish/messages/dropped", counters.publish_dropped),
            ("publish/messages/received", counters.publish_received),
            ("publish/messages/sent", counters.publish_sent),
            ("publish/bytes/received", counters.publish_bytes_received),
            ("publish/bytes/sent", counters.publish_bytes_sent),
            ("retained messages/count", count(self.retained.len())),
            ("subscriptions/count", count(self.subscriptions.len())),
            ("shared_subscriptions/count", count(self.subscriptions.shared_len())),
        ];
        let version = concat!("halfopen-broker ", env!("CARGO_PKG_VERSION")).to_owned();
        let words = [("version", version), ("uptime", format!("{uptime} seconds"))];
        let numbers = numbers.map(|(name, number)| (name, number.to_string()));
        let all = words.into_iter().chain(numbers).map(|(name, value)| (name.to_owned(), value));
        all.chain(self.sys.loads.values()).collect()
    }
}
