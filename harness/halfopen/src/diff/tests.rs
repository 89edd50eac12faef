use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::plan::NodeFault;
use crate::report::model::{Detail, RunRecord};
use crate::scenario::About;
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, connect, disconnect, plan, publish, silent_client};
use crate::trace::{Event, EventKind, Trace, Transmission};
use std::time::Duration;

fn old() -> Trace {
    silent_client().end(8540)
}

fn run(trace: Trace) -> Vec<ComparedRun> {
    vec![ComparedRun::from(&TraceFile::new(&plan(), trace))]
}

/// What differs when a part of the trace is another one.
fn changed(change: impl Fn(&mut Vec<Event>)) -> Vec<Difference> {
    let mut new = old();
    change(&mut new.events);
    diff(&run(old()), &run(new))
}

fn place(events: &[Event], is_it: impl Fn(&EventKind) -> bool) -> usize {
    events.iter().position(|event| is_it(&event.kind)).expect("it is in the trace")
}

fn is_sent(from: crate::plan::NodeId, word: &'static str) -> impl Fn(&EventKind) -> bool {
    move |kind| match kind {
        EventKind::Sent { from: sender, item, .. } => {
            let name = item.packet().map_or(crate::trace::item_word(item), |packet| packet.packet_type().name());
            *sender == from && name == word
        }
        _ => false,
    }
}

fn later(events: &mut [Event]) {
    let closing = place(events, |kind| matches!(kind, EventKind::Closing { .. }));
    events[closing..].iter_mut().for_each(|event| {
        event.at += Duration::from_millis(500);
        if let EventKind::Sent { arrival: Some(arrival), .. } = &mut event.kind {
            *arrival += Duration::from_millis(500);
        }
    });
}

fn slower(events: &mut [Event]) {
    let connack = place(events, is_sent(BROKER, "CONNACK"));
    if let EventKind::Sent { arrival: Some(arrival), .. } = &mut events[connack].kind {
        *arrival += Duration::from_millis(10);
    }
}

fn another_reason(events: &mut [Event]) {
    let place = place(events, is_sent(BROKER, "DISCONNECT"));
    if let EventKind::Sent { item, .. } = &mut events[place].kind {
        *item = Transmission::from(disconnect(0x8e));
    }
}

#[test]
fn the_same_has_no_difference() {
    assert_eq!(changed(|_| {}), []);
}

#[rstest]
#[case::later(later, Class::Timing)]
#[case::slower(slower, Class::Timing)]
#[case::another_order(|events: &mut [Event]| { let at = place(events, is_sent(BROKER, "DISCONNECT")); events.swap(at, at + 1); }, Class::Order)]
#[case::another_field(another_reason, Class::Content)]
#[case::another_fault(|events: &mut [Event]| events[2].kind = EventKind::Node { node: SENSOR, change: NodeFault::Crash }, Class::Content)]
fn a_change_has_a_class(#[case] change: fn(&mut [Event]), #[case] class: Class) {
    let found = changed(|events| change(events));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].class, class, "{}", found[0]);
}

#[test]
fn fewer_events_are_another_content() {
    let found = changed(|events| events.retain(|event| !is_sent(BROKER, "FIN")(&event.kind)));
    assert_eq!(found[0].class, Class::Content);
}

#[test]
fn a_run_that_ends_later_is_another_timing() {
    let found = diff(&run(old()), &run(silent_client().end(9000)));
    assert_eq!(found[0].class, Class::Timing);
    assert_eq!(found[0].text, "  - the run ends at 8.540\n  + the run ends at 9.000\n");
}

#[test]
fn a_run_that_is_in_one_only_is_another_verdict() {
    let mut other = plan();
    other.run.scenario = "area/other".to_owned();
    let other = vec![ComparedRun::from(&TraceFile::new(&other, old()))];
    let texts: Vec<_> = diff(&run(old()), &other).into_iter().map(|found| (found.class, found.text)).collect();
    let one_sided = |side| (Class::Verdict, format!("  only in the {side}\n"));
    assert_eq!(texts, [one_sided("old"), one_sided("new")]);
}

#[rstest]
#[case::what_reached_the_node(slower, "0.020 sensor -> broker CONNECT client_id=sensor keep_alive=5 (10 ms)")]
#[case::what_a_time_out_was_counted_from(later, "0.020 sensor -> broker CONNECT client_id=sensor keep_alive=5 (10 ms)")]
#[case::what_the_node_said(another_reason, "7.530 broker closes sensor, keep_alive: 7.500 since CONNECT, margin 0")]
fn the_first_difference_is_named_with_its_cause(#[case] change: fn(&mut [Event]), #[case] cause: &str) {
    let found = changed(|events| change(events));
    assert!(found[0].text.contains(&format!("because of {cause}\n")), "{}", found[0]);
}

#[test]
fn payloads_that_differ_where_no_report_shows_it_differ() {
    let story = |last: &str| {
        let mut story = TraceBuilder::new();
        story.at(0).connect(0, SENSOR, connect("sensor", 5));
        story.packet(0, SENSOR, BROKER, publish("t", &("x".repeat(5000) + last)));
        story.end(1000)
    };
    assert_eq!(diff(&run(story("a")), &run(story("a"))), []);
    assert_eq!(diff(&run(story("a")), &run(story("b")))[0].class, Class::Content);
}

#[test]
fn reports_are_compared_with_their_verdicts() {
    let report = |trace: &Trace, expectations| {
        let plan = Arc::new(crate::plan::Plan { expectations, ..plan() });
        let outcome = crate::check::check(&plan, trace);
        let finished =
            crate::run::Finished { plan, defect: None, ending: crate::run::Ending::Judged(trace.clone(), outcome) };
        let detail = Detail { events: true, ..Detail::default() };
        let mut report = Report::default();
        let source = crate::report::model::SourceRecord::of(&finished.plan);
        report.add(RunRecord::new(&finished, &About::default(), 0, Duration::ZERO, detail), source);
        read(&report.json()).expect("a report")
    };
    let wrong =
        crate::trace::fixture::expect(BROKER, crate::trace::fixture::closes(crate::trace::fixture::WATCHER, None));
    let (passes, fails) = (report(&old(), Vec::new()), report(&old(), vec![wrong]));
    assert_eq!(diff(&passes, &passes), []);
    let found = diff(&passes, &fails);
    assert_eq!((found[0].class, found[0].text.as_str()), (Class::Verdict, "  was ok, is FAILED\n"));
    let mut slow = old();
    slower(&mut slow.events);
    assert_eq!(diff(&passes, &report(&slow, Vec::new()))[0].class, Class::Timing);
}

#[test]
fn a_trace_file_is_compared_with_a_report_of_the_same_run() {
    let file = TraceFile::new(&plan(), old()).write().expect("an encoding");
    let read = read(&file).expect("a trace");
    assert_eq!(diff(&read, &run(old())), []);
}

#[rstest]
#[case::printed("area/story[5.0] seed=1\n    0.000  start\n", "no trace as `halfopen trace --json` prints it")]
#[case::empty("", "no trace as")]
#[case::another_json("[1, 2]", "no trace as")]
#[case::another_object("{\"a\": 1}", "line 1: it belongs to no trace")]
#[case::a_broken_report("{\n\"format\": \"halfopen-report\"\n}", "this is no report")]
fn what_is_no_trace_is_refused(#[case] text: &str, #[case] why: &str) {
    let error = read(text).expect_err("no trace").to_string();
    assert!(error.contains(why), "{error}");
}
