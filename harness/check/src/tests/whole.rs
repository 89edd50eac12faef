//! What is said of a run as a whole.

use super::*;
use crate::plan::{ExpectationId, NetworkFault, NodeFault, Step, StepId};

fn told(step: Step, story: &mut TraceBuilder) -> String {
    let mut plan = plan();
    plan.steps.push(step);
    lines(&check(&plan, &story.end(2000)))
}

#[test]
fn fault_that_hit_nothing_is_vacuous() {
    let partition = || {
        step(5, "network: partition", StepKind::Network(NetworkFault::Partition { starting_with: None }.on(Vec::new())))
    };
    let mut story = pings(&[1000]);
    story.at(50).step(5, "network: partition");
    assert_eq!(told(partition(), &mut story), "Vacuous\n5: vacuous: the fault hit nothing");
    let mut story = pings(&[1000]);
    story.at(50).step(5, "network: partition");
    story.at(1000).event(EventKind::FaultHit { step: StepId(5) });
    assert_eq!(told(partition(), &mut story), "Pass");
}

#[test]
fn step_that_was_never_reached_is_vacuous() {
    let wait = step(5, "wait 1h", StepKind::Wait(ms(3_600_000)));
    assert_eq!(
        told(wait, &mut pings(&[1000])),
        "Vacuous\n5: vacuous: the step was never reached, the run ended at 2.000"
    );
}

#[test]
fn step_that_failed_fails() {
    let mut story = pings(&[1000]);
    story.at(1000).step(5, "sensor: connect");
    story.event(EventKind::StepFailed { step: StepId(5), why: "CONNACK was refused".to_owned() });
    let connect = step(5, "sensor: connect", StepKind::Mark(String::new()));
    assert_eq!(
        told(connect, &mut story),
        "Fail\n5: expected: the step is done at 1.000\n5:   actual: CONNACK was refused"
    );
}

#[test]
fn step_that_fails_many_times_for_one_reason_is_reported_once() {
    let mut story = pings(&[1000]);
    for time in [1000, 1100, 1200] {
        story.at(time).step(5, "sensor: { send: PINGREQ }");
        story.event(EventKind::StepFailed { step: StepId(5), why: "sensor has no connection".to_owned() });
    }
    let send = step(5, "sensor: { send: PINGREQ }", StepKind::Mark(String::new()));
    assert_eq!(
        told(send, &mut story),
        "Fail\n5: expected: the step is done at 1.000\n\
         5:   actual: sensor has no connection (3 times, the last at 1.200)"
    );
}

/// What was asked for and never reached is vacuous; a time that is over is a mistake of the story.
#[rstest]
#[case::an_event_that_never_came(point(Point::Close, SENSOR), 2000, "Vacuous\n5: vacuous: it did not come")]
#[case::a_time_that_is_over(
    EventRef::Start,
    2000,
    "Fail\n5: expected: the step is done at 2.000\n5:   actual: it did not come"
)]
#[case::before_the_end(
    point(Point::Close, SENSOR),
    1500,
    "Fail\n5: expected: the step is done at 1.500\n5:   actual: it did not come"
)]
fn waiting_in_vain_for_an_event_is_vacuous(#[case] event: EventRef, #[case] at: u64, #[case] expected: &str) {
    let mut story = pings(&[1000]);
    story.at(1000).step(5, "at close of sensor");
    story.at(at).event(EventKind::StepFailed { step: StepId(5), why: "it did not come".to_owned() });
    assert_eq!(
        told(step(5, "at close of sensor", StepKind::At(after(0, event, "close of sensor"))), &mut story),
        expected
    );
}

#[test]
fn crash_of_who_is_dead_is_vacuous() {
    let crash = || {
        step(5, "sensor: crash", StepKind::Node { nodes: vec![SENSOR], actions: vec![Action::Fault(NodeFault::Crash)] })
    };
    let mut dead = pings(&[1000]);
    dead.at(100).change(SENSOR, NodeFault::Crash).at(1000).step(5, "sensor: crash");
    assert_eq!(told(crash(), &mut dead), "Vacuous\n5: vacuous: `crash` changed nothing: the node was in that state");
    let mut alive = pings(&[1000]);
    alive.at(1000).step(5, "sensor: crash").change(SENSOR, NodeFault::Crash);
    assert_eq!(told(crash(), &mut alive), "Pass");
}

#[test]
fn trace_in_which_nothing_travels_is_vacuous() {
    let outcome = check(&plan(), &TraceBuilder::new().end(1000));
    assert_eq!(lines(&outcome), "Vacuous\n0: vacuous: nothing was ever sent");
}

#[test]
fn all_that_is_wrong_is_reported_in_the_order_of_the_file() {
    let mut plan = plan();
    let last = Expectation { id: ExpectationId(9), count: exactly(0), ..sends_pings() };
    let first = Expectation { id: ExpectationId(7), count: exactly(2), ..sends_pings() };
    plan.expectations.extend([last, first]);
    let outcome = check(&plan, &pings(&[1000]).end(2000));
    assert_eq!(outcome.violations.iter().map(|violation| violation.position.line).collect::<Vec<_>>(), [7, 9]);
}
