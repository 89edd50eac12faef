//! A hash of a whole trace, which needs no trace: it is computed while the run goes on.

use std::fmt;
use std::hash::{Hash as _, Hasher};
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::{Event, EventKind, RunObserver, Trace};

/// Names a trace: two traces with one hash are the same, event by event.
///
/// It is the SHA-256 of a binary form of all events, their arrivals and the end of the run. The form may change from
/// one version of halfopen to the next; within a version it is the same on every machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceHash([u8; 32]);

/// Computes the hash of a trace, event by event.
#[derive(Clone, Debug, Default)]
pub struct TraceHasher {
    events: Sha256,
    count: u64,
    /// The sum of a number for each arrival: arrivals are told in an order that a finished trace does not show.
    arrivals: u128,
    /// The binary form of the event that is being added.
    form: Form,
}

impl RunObserver for TraceHasher {
    fn event(&mut self, event: &Event) {
        self.form.0.clear();
        event.hash(&mut self.form);
        self.events.update(&self.form.0);
        self.count += 1;
    }

    fn arrived(&mut self, sent: usize, before: Option<Duration>, at: Duration) {
        let before = before.map_or(0, |before| arrival(sent, before));
        self.arrivals = self.arrivals.wrapping_sub(before).wrapping_add(arrival(sent, at));
    }
}

impl TraceHasher {
    /// Returns the hash of the trace of a run that ended at this time.
    pub fn finish(&self, end: Duration) -> TraceHash {
        let mut all = self.events.clone();
        all.update(self.count.to_le_bytes());
        all.update(self.arrivals.to_le_bytes());
        all.update(end.as_nanos().to_le_bytes());
        TraceHash(all.finalize().into())
    }

    /// Returns the number of events so far.
    pub fn events(&self) -> u64 {
        self.count
    }
}

impl Trace {
    /// Returns the hash of the trace: the one that was computed while it was recorded.
    pub fn hash(&self) -> TraceHash {
        let mut hasher = TraceHasher::default();
        for (index, event) in self.events.iter().enumerate() {
            let mut event = event.clone();
            if let EventKind::Sent { arrival, .. } = &mut event.kind
                && let Some(at) = arrival.take()
            {
                hasher.arrived(index, None, at);
            }
            hasher.event(&event);
        }
        hasher.finish(self.end)
    }
}

impl fmt::Display for TraceHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A number for an arrival, whose bits depend on all bits of both.
fn arrival(sent: usize, at: Duration) -> u128 {
    // The finaliser of SplitMix64.
    let mix = |mut bits: u64| {
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    };
    let low = mix(mix(sent as u64 ^ 0x9e37_79b9_7f4a_7c15)
        ^ mix(at.as_secs()).rotate_left(17)
        ^ u64::from(at.subsec_nanos()));
    let high = mix(low ^ mix(sent as u64).rotate_left(32));
    u128::from(mix(high)) << 64 | u128::from(mix(low))
}

/// Takes what is hashed as bytes, which are the same on every machine.
#[derive(Clone, Debug, Default)]
struct Form(Vec<u8>);

impl Hasher for Form {
    fn finish(&self) -> u64 {
        unreachable!("only the bytes are used")
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_i16(&mut self, number: i16) {
        self.write(&number.to_le_bytes());
    }

    fn write_i32(&mut self, number: i32) {
        self.write(&number.to_le_bytes());
    }

    fn write_i64(&mut self, number: i64) {
        self.write(&number.to_le_bytes());
    }

    fn write_isize(&mut self, number: isize) {
        self.write_i64(number as i64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeId;
    use crate::trace::fixture::{BROKER, SENSOR, silent_client};
    use crate::trace::{TraceFile, Transmission};

    fn trace() -> Trace {
        silent_client().end(8540)
    }

    /// Returns what is told of a trace while it is recorded.
    fn told(trace: &Trace) -> TraceHash {
        let mut hasher = TraceHasher::default();
        for event in &trace.events {
            let mut event = event.clone();
            if let EventKind::Received { sent: Some(sent), .. } = &event.kind {
                // It had reached the host a while before.
                hasher.arrived(*sent, None, event.at / 2);
                hasher.arrived(*sent, Some(event.at / 2), event.at);
            }
            if let EventKind::Sent { arrival, .. } = &mut event.kind {
                *arrival = None;
            }
            hasher.event(&event);
        }
        hasher.finish(trace.end)
    }

    #[test]
    fn hash_of_a_finished_trace_is_the_one_that_was_computed_on_the_way() {
        assert_eq!(trace().hash(), told(&trace()));
    }

    #[test]
    fn hash_of_a_trace_that_was_read_back_is_the_same() {
        let text = TraceFile::new(&crate::trace::fixture::plan(), trace()).write().expect("an encoding");
        assert_eq!(TraceFile::read(&text).expect("a trace")[0].trace.hash(), trace().hash());
    }

    #[test]
    fn whatever_changes_changes_the_hash() {
        let changes: [fn(&mut Trace); 7] = [
            |trace| trace.end += Duration::from_nanos(1),
            |trace| trace.events[3].at += Duration::from_nanos(1),
            |trace| trace.events.swap(0, 1),
            |trace| drop(trace.events.pop()),
            |trace| trace.events.push(Event { at: trace.end, kind: EventKind::Mark(String::new()) }),
            |trace| {
                if let EventKind::Sent { arrival, .. } = &mut trace.events[0].kind {
                    *arrival = None;
                }
            },
            |trace| {
                let item = Transmission::Bytes(bytes::Bytes::from_static(b"a"));
                trace.events[0].kind = EventKind::Received {
                    connection: crate::trace::ConnectionId(0),
                    from: BROKER,
                    to: NodeId(SENSOR.0),
                    item,
                    sent: None,
                };
            },
        ];
        let mut hashes = std::collections::BTreeSet::from([trace().hash()]);
        for change in changes {
            let mut other = trace();
            change(&mut other);
            assert!(hashes.insert(other.hash()), "{hashes:?}");
        }
    }
}
