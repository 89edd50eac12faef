use halfopen_protocol::Instant;

use super::counters::Counters;

/// The rate of something per minute, averaged over the last 1, 5 and 15 minutes as Unix averages its load.
#[derive(Debug, Default)]
pub(super) struct Loads {
    updated: Option<Instant>,
    loads: [Load; METERS.len()],
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// The value of the counter at the last look.
    count: u64,
    averages: [f64; SPANS.len()],
}

/// A counter and its averages.
struct Meter {
    name: &'static str,
    read: fn(&Counters) -> u64,
}

const METERS: [Meter; 9] = [
    Meter { name: "messages/received", read: |counters| counters.messages_received },
    Meter { name: "messages/sent", read: |counters| counters.messages_sent },
    Meter { name: "publish/dropped", read: |counters| counters.publish_dropped },
    Meter { name: "publish/received", read: |counters| counters.publish_received },
    Meter { name: "publish/sent", read: |counters| counters.publish_sent },
    Meter { name: "bytes/received", read: |counters| counters.bytes_received },
    Meter { name: "bytes/sent", read: |counters| counters.bytes_sent },
    Meter { name: "sockets", read: |counters| counters.sockets },
    Meter { name: "connections", read: |counters| counters.connects },
];

const MINUTE: f64 = 60.0;

/// The periods of the averages, in minutes, and their names.
const SPANS: [(f64, &str); 3] = [(1.0, "1min"), (5.0, "5min"), (15.0, "15min")];

impl Loads {
    /// Takes in what has been counted up to `now`.
    pub(super) fn update(&mut self, now: Instant, counters: &Counters) {
        let passed = self.updated.replace(now).map(|updated| now.saturating_since(updated).as_secs_f64());
        for (load, meter) in self.loads.iter_mut().zip(&METERS) {
            let count = (meter.read)(counters);
            let more = count - std::mem::replace(&mut load.count, count);
            let Some(secs) = passed.filter(|&secs| secs > 0.0) else { continue };
            let rate = more as f64 * MINUTE / secs;
            for (average, (minutes, _)) in load.averages.iter_mut().zip(SPANS) {
                *average = rate + (-secs / (minutes * MINUTE)).exp() * (*average - rate);
            }
        }
    }

    /// Returns all averages, as they are published.
    pub(super) fn values(&self) -> impl Iterator<Item = (String, String)> {
        self.loads.iter().zip(&METERS).flat_map(|(load, meter)| {
            let averages = load.averages.iter().zip(SPANS);
            averages.map(|(average, (_, span))| (format!("load/{}/{span}", meter.name), format!("{average:.2}")))
        })
    }
}
