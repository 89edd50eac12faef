mod closes;
mod connections;
mod counts;
mod lines;
mod never;
mod packets;
mod states;
mod timing;
mod whole;

use std::time::Duration;

use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use super::*;
use crate::plan::{
    Action, Because, ClientState, CloseHow, CountRange, DurationRange, EventRef, Expectation, FieldPattern, Holding,
    Matcher, Mode, Moment, NodeFault, NodeId, Ordinal, PacketKind, PacketPattern, Point, StepKind, Timing, Value, Verb,
    Waiver, Weight,
};
use crate::trace::EventKind;
use crate::trace::fixture::{
    self, BROKER, SENSOR, TraceBuilder, WATCHER, after, any, closes, connect, disconnect, exactly, expect, packet_from,
    point, position, publish, silent_client, step,
};
use crate::trace::{Held, SessionState, Transmission};

/// The plan of the fixture. What it does besides the one thing that a test is about breaks many an invariant.
fn plan() -> Plan {
    let mut plan = fixture::plan();
    plan.waived.extend(Invariant::ALL.map(|invariant| Waiver {
        position: position(2),
        invariant,
        reason: String::new(),
    }));
    plan
}

fn judge(expectation: Expectation, story: &mut TraceBuilder, end: u64) -> Outcome {
    let mut plan = plan();
    plan.expectations.push(expectation);
    check(&plan, &story.end(end))
}

/// The outcome as one reads it.
fn lines(outcome: &Outcome) -> String {
    let mut lines = vec![format!("{:?}", outcome.verdict)];
    for violation in &outcome.violations {
        lines.push(format!("{}: expected: {}", violation.position.line, violation.expected));
        lines.push(format!("{}:   actual: {}", violation.position.line, violation.actual));
    }
    lines.extend(outcome.vacuous.iter().map(|vacuous| format!("{}: vacuous: {}", vacuous.position.line, vacuous.why)));
    lines.join("\n")
}

fn last_packet() -> EventRef {
    packet_from(Ordinal::Last, PacketKind::Any, SENSOR)
}

/// The sensor's last packet is seen by the broker at 30 ms, so this is due at 30 ms plus the given time.
fn closes_at(ms: i64) -> Expectation {
    let timing = Some(Timing::At(after(ms, last_packet(), "1.5 * 5s after last packet from sensor")));
    Expectation { timing, ..expect(BROKER, closes(SENSOR, Some(Because::KeepAlive))) }
}

/// PINGREQs of the sensor that leave at these times.
fn pings(times: &[u64]) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    for &time in times {
        story.at(time).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    story
}

fn sends_pings() -> Expectation {
    expect(SENSOR, Verb::Sends(vec![any(PacketType::PingReq)]))
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn start(ms: i64) -> Moment {
    after(ms, EventRef::Start, "a time")
}

#[test]
fn what_invariants_found_stands_without_the_expectations() {
    let of_line = judge(closes_at(7_000), &mut pings(&[0]), 20_000);
    assert_eq!(of_line.verdict, Verdict::Fail);
    assert_eq!(of_line.of_invariants(), None);
    let mut both = of_line;
    let of_invariant = Violation { position: Position::default(), ..both.violations[0].clone() };
    both.violations[0].position = Position { file: 0, line: 7, column: 1 };
    both.violations.push(of_invariant.clone());
    let alone = both.of_invariants().expect("an invariant found something");
    assert_eq!((alone.verdict, alone.violations), (Verdict::Fail, vec![of_invariant]));
}
