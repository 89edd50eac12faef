use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::{Packet, PacketType};
use insta::assert_snapshot;
use rstest::rstest;

use super::*;
use crate::check::check;
use crate::plan::{Because, EventRef, ExpectationId, Plan, Position, Timing, Verb};
use crate::run::Ending;
use crate::trace::fixture::{
    BROKER, SENSOR, TraceBuilder, after, any, closes, connect, exactly, expect, plan, silent_client,
};
use crate::world::EngineError;

fn judged(mut plan: Plan, story: &mut TraceBuilder, end: u64) -> Finished {
    for (line, expectation) in (8..).zip(&mut plan.expectations) {
        expectation.id = ExpectationId(line);
    }
    let trace = story.end(end);
    let outcome = check(&plan, &trace);
    Finished { plan: Arc::new(plan), defect: None, ending: Ending::Judged(trace, outcome) }
}

fn passing() -> Finished {
    judged(plan(), &mut silent_client(), 8530)
}

fn failing() -> Finished {
    let mut plan = plan();
    let mut too_late = expect(BROKER, closes(SENSOR, Some(Because::KeepAlive)));
    too_late.text = "broker: { closes: sensor, because: keep_alive, at: 7s }".to_owned();
    too_late.timing = Some(Timing::At(after(7000, EventRef::Start, "7s")));
    let mut pings = expect(SENSOR, Verb::Sends(vec![any(PacketType::PingReq)]));
    pings.text = "sensor: { sends: PINGREQ, count: 2 }".to_owned();
    pings.count = exactly(2);
    plan.expectations.extend([too_late, pings]);
    judged(plan, &mut silent_client(), 8530)
}

fn vacuous() -> Finished {
    let mut plan = plan();
    let mut never = expect(BROKER, closes(SENSOR, None));
    never.text = "broker: { closes: sensor, at: 1h }".to_owned();
    never.timing = Some(Timing::At(after(3_600_000, EventRef::Start, "1h")));
    plan.expectations.push(never);
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    judged(plan, &mut story, 1000)
}

fn report(runs: &[Finished]) -> (String, Summary) {
    let mut out = Vec::new();
    let mut terminal = Terminal::new(&mut out);
    for run in runs {
        terminal.run(run, Duration::from_millis(2)).unwrap();
    }
    let summary = terminal.finish().unwrap();
    (anstream::adapter::strip_str(&String::from_utf8(out).unwrap()).to_string(), summary)
}

#[test]
fn report_shows_what_is_wrong_and_only_that() {
    assert_snapshot!(report(&[passing(), failing(), vacuous()]).0);
}

#[rstest]
#[case::all_pass(vec![passing(), passing()], true)]
#[case::one_fails(vec![passing(), failing()], false)]
#[case::one_is_vacuous(vec![passing(), vacuous()], false)]
#[case::nothing_ran(vec![], false)]
fn success_is_that_all_pass(#[case] runs: Vec<Finished>, #[case] expected: bool) {
    assert_eq!(report(&runs).1.is_success(), expected);
}

#[test]
fn skipped_run_says_why_and_proves_nothing() {
    let error = EngineError::NotExpressible { position: Position::default(), what: "a slow link" };
    let skipped = Finished { plan: Arc::new(plan()), defect: None, ending: Ending::Skipped(error) };
    let (text, summary) = report(&[skipped]);
    assert!(text.starts_with("skipped  area/story[5.0]  the engine cannot express a slow link\n"), "{text}");
    assert_eq!((summary.skipped, summary.is_success()), (1, false));
}

#[test]
fn long_trace_is_cut_in_the_middle() {
    let mut story = TraceBuilder::new();
    for n in 0..500 {
        story.at(n * n).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    let mut plan = plan();
    plan.expectations.push(expect(BROKER, closes(SENSOR, None)));
    let (text, _) = report(&[judged(plan, &mut story, 1_000_000)]);
    assert!(text.contains("... 382 lines more, see `halfopen trace scenarios/area/story.yaml`"), "{text}");
    assert!(text.lines().count() < 140, "{text}");
}

#[test]
fn speed_is_virtual_over_wall_time() {
    let summary = Summary {
        passed: 2,
        virtual_time: Duration::from_secs(864_000 + 3600),
        wall_time: Duration::from_millis(500),
        ..Summary::default()
    };
    assert_eq!(summary.to_string(), "2 runs: 2 ok; 10d 1h of virtual time in 0.500 s, 1735200 x real time");
}

#[test]
fn many_that_fail_are_told_with_few_traces() {
    let runs: Vec<Finished> = (0..120).map(|_| failing()).collect();
    let (text, summary) = report(&runs);
    assert_eq!(summary.failed, 120);
    assert_eq!(text.matches("sensor: stop_pinging").count(), 1, "one scenario, one trace: {text}");
    assert_eq!(text.matches("reproduce: ").count(), 3);
    assert!(text.contains("and 117 more that do not pass, by name above"), "{text}");
}

#[test]
fn without_names_nobody_is_sent_to_them() {
    let mut text = Vec::new();
    let mut terminal = Terminal::with_verbosity(&mut text, Verbosity::Quiet);
    (0..120).for_each(|_| terminal.run(&failing(), Duration::ZERO).unwrap());
    terminal.finish().unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("and 117 more that do not pass; `--html FILE` shows all of them"), "{text}");
}

#[test]
fn many_that_fail_end_with_what_they_have_in_common() {
    let runs: Vec<Finished> = (0..5).map(|_| failing()).chain([vacuous()]).collect();
    let (text, _) = report(&runs);
    let (_, end) = text.split_once("\nwhat is wrong").unwrap();
    assert_snapshot!(end);
}
