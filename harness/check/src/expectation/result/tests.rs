use halfopen_protocol::{Packet, PacketType};

use super::*;
use crate::plan::{DurationRange, EventRef, Timing, Verb};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, after, any, connect, exactly, expect, plan};

/// What becomes of an expectation about PINGREQs of the sensor, which leave at 1, 2 and 4 s.
fn judged_of(change: impl FnOnce(&mut Expectation)) -> ExpectationResult {
    let mut plan = plan();
    let mut expectation = expect(SENSOR, Verb::Sends(vec![any(PacketType::PingReq)]));
    change(&mut expectation);
    plan.expectations.push(expectation);
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    for at in [1000, 2000, 4000] {
        story.at(at).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    judged(&plan, &story.end(10_000)).remove(0)
}

fn between(from: i64, to: i64) -> Option<Timing> {
    let moment = |ms| after(ms, EventRef::Start, "then");
    Some(Timing::Between(moment(from), moment(to)))
}

fn seconds(judged: &ExpectationResult) -> (Verdict, f64, Option<(f64, Option<i64>)>) {
    let due = judged.due.map(|due| (due.edge().as_secs_f64(), due.by_ms));
    (judged.verdict, judged.at.as_secs_f64(), due)
}

#[test]
fn too_late_is_measured_from_the_end_of_the_window() {
    let judged = judged_of(|it| it.timing = between(500, 1500));
    assert_eq!(seconds(&judged), (Verdict::Fail, 2.0, Some((1.5, Some(500)))));
}

#[test]
fn too_early_is_measured_from_the_beginning_of_the_window() {
    let judged = judged_of(|it| it.timing = between(1500, 5000));
    assert_eq!(seconds(&judged), (Verdict::Fail, 1.0, Some((1.5, Some(-500)))));
}

#[test]
fn what_is_forbidden_stands_where_it_came_and_was_never_due() {
    let judged = judged_of(|it| (it.mode, it.timing) = (Mode::Never, between(3000, 5000)));
    assert_eq!(seconds(&judged), (Verdict::Fail, 4.0, None));
}

#[test]
fn too_much_stands_at_the_first_that_is_too_much() {
    let judged = judged_of(|it| it.count = exactly(2));
    assert_eq!(seconds(&judged), (Verdict::Fail, 4.0, None));
}

#[test]
fn too_little_stands_at_the_end() {
    let judged = judged_of(|it| it.count = exactly(5));
    assert_eq!(seconds(&judged), (Verdict::Fail, 10.0, None));
}

#[test]
fn a_gap_that_is_too_long_stands_at_its_end_and_was_due_after_the_one_before() {
    let gap = DurationRange { min: Duration::ZERO, max: Some(Duration::from_millis(1500)) };
    let judged = judged_of(|it| it.gap = Some(gap));
    assert_eq!(seconds(&judged), (Verdict::Fail, 4.0, Some((3.5, Some(500)))));
}

#[test]
fn what_never_came_was_due_at_the_end_of_its_window() {
    let judged = judged_of(|it| {
        it.verb = Verb::Sends(vec![any(PacketType::PingResp)]);
        it.timing = between(3000, 5000);
    });
    assert_eq!(seconds(&judged), (Verdict::Fail, 5.0, Some((5.0, None))));
}

#[test]
fn what_could_still_have_come_was_not_due() {
    let judged = judged_of(|it| {
        it.verb = Verb::Sends(vec![any(PacketType::PingResp)]);
        it.timing = between(3000, 50_000);
    });
    assert_eq!(seconds(&judged), (Verdict::Vacuous, 10.0, None));
}

#[test]
fn what_is_met_was_not_missed() {
    let judged = judged_of(|it| it.timing = between(500, 5000));
    assert_eq!(seconds(&judged), (Verdict::Pass, 1.0, None));
}
