use std::sync::Arc;
use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::check::check;
use crate::plan::{Because, EventRef, Source, Timing};
use crate::report::html::data;
use crate::report::{Pictures, html, junit, tap};
use crate::run::{Ending, Finished};
use crate::scenario::About;
use crate::trace::EventKind;
use crate::trace::fixture::{BROKER, SENSOR, after, closes, expect, plan, silent_client};
use crate::world::EngineError;

const ALL: Detail = Detail { events: true, diagram: true, text: true };

/// A run in which the broker closes at 7.530, expected at `due`.
fn finished(due: i64) -> Finished {
    let mut plan = plan();
    let mut expectation = expect(BROKER, closes(SENSOR, Some(Because::KeepAlive)));
    expectation.text = "broker: { closes: sensor }".to_owned();
    expectation.timing = Some(Timing::At(after(due, EventRef::Start, "then")));
    plan.expectations.push(expectation);
    plan.source = Arc::new(Source {
        path: "scenarios/area/story.yaml".to_owned(),
        text: "a: </script> & <b>\n".into(),
        ..Source::default()
    });
    let trace = silent_client().end(8530);
    let outcome = check(&plan, &trace);
    Finished { plan: Arc::new(plan), defect: None, ending: Ending::Judged(trace, outcome) }
}

fn record(run: &Finished) -> RunRecord {
    let about = About { tags: vec!["quick".to_owned()], ..About::default() };
    RunRecord::new(run, &about, 0, Duration::from_micros(1500), ALL)
}

pub(in crate::report) fn report() -> Report {
    let broken = Finished { ending: Ending::Broken(EngineError::Failed("no time".to_owned())), ..finished(7530) };
    let mut report = Report::default();
    for (number, run) in [finished(7530), finished(7000), broken].iter().enumerate() {
        let mut record = record(run);
        record.seed = number as u64;
        report.add(record, SourceRecord::of(&run.plan));
    }
    report
}

#[test]
fn what_is_read_is_what_was_written() {
    let report = report();
    assert_eq!(Report::read(&report.json()).unwrap(), report);
    assert_eq!(report.sources.len(), 1, "a file is kept once");
}

#[rstest]
#[case::no_json("x", "no report")]
#[case::another_thing("{}", "missing field")]
#[case::a_later_version(&Report { version: 2, ..Report::default() }.json(), "version 2")]
fn what_is_no_report_is_refused(#[case] text: &str, #[case] message: &str) {
    let error = Report::read(text).unwrap_err().to_string();
    assert!(error.contains(message), "{error}");
}

#[test]
fn an_event_tells_its_fields_its_cause_and_its_line() {
    let run = record(&finished(7530));
    let closing = run.events.iter().find(|event| event.kind == "closing").unwrap();
    let cause = &run.events[closing.cause.unwrap()];
    assert_eq!((cause.kind.as_str(), cause.item.as_deref(), cause.at_ms), ("received", Some("CONNECT"), 30));
    assert_eq!(cause.fields["keep_alive"], 5);
    let sent = &run.events[cause.cause.unwrap()];
    assert_eq!((sent.kind.as_str(), sent.arrival_ms), ("sent", Some(30)));
    let disconnect = run.events.iter().find(|event| event.item.as_deref() == Some("DISCONNECT")).unwrap();
    assert_eq!(disconnect.cause, Some(closing.index));
    assert_eq!(run.events.iter().find(|event| event.kind == "step").unwrap().line, Some(5));
}

#[rstest]
#[case::on_time(7530, 0)]
#[case::late(7000, 530)]
#[case::early(7531, -1)]
fn a_close_by_a_deadline_has_its_margin_as_a_number(#[case] due: u64, #[case] margin: i64) {
    let mut run = finished(7530);
    let Ending::Judged(trace, _) = &mut run.ending else { unreachable!("it was judged") };
    for event in &mut trace.events {
        if let EventKind::Closing { since: Some(since), .. } = &mut event.kind {
            since.due = Duration::from_millis(due);
        }
    }
    let margins: Vec<i64> = record(&run).events.iter().filter_map(|event| event.margin_ms).collect();
    assert_eq!(margins, [margin]);
}

#[test]
fn merged_parts_are_in_the_order_of_files_and_runs_and_each_run_is_there_once() {
    let part = |names: &[(&str, usize)]| {
        let mut report = report();
        report.runs.truncate(1);
        let one = report.runs.remove(0);
        for (file, place) in names {
            report.runs.push(RunRecord {
                name: format!("{file}{place}"),
                file: (*file).into(),
                place: *place,
                ..one.clone()
            });
        }
        report
    };
    let merged = Report::merge([part(&[("a", 10), ("b", 0)]), part(&[("a", 2)])]).unwrap();
    let names: Vec<&str> = merged.runs.iter().map(|run| run.name.as_str()).collect();
    assert_eq!(names, ["a2", "a10", "b0"]);
    let twice = Report::merge([part(&[("a", 1)]), part(&[("a", 1)])]).unwrap_err();
    assert_eq!(twice.to_string(), "`a1` is in more than one of the reports");
}

#[test]
fn junit_says_in_its_message_what_was_expected_and_what_was() {
    insta::assert_snapshot!(junit(&report()));
}

#[test]
fn tap_has_a_line_for_each_run_and_says_what_is_wrong() {
    insta::assert_snapshot!(tap(&report()));
}

#[test]
fn nothing_in_the_data_ends_the_script_it_stands_in() {
    let page = html(&report(), Pictures::Some);
    assert_eq!(page.matches("</script>").count(), 2, "the two of the page itself");
    assert!(!page.contains("@@"), "all parts are filled in");
    for outside in ["http://", "https://", "//cdn"] {
        let found = page.replace("http://www.w3.org/2000/svg", "").contains(outside);
        assert!(!found, "the page needs `{outside}`");
    }
}

#[test]
fn the_page_keeps_of_the_events_those_that_it_draws() {
    let mut run = record(&finished(7530));
    let all = run.events.len();
    run.keep_drawn_events();
    assert!(!run.events.is_empty() && run.events.len() <= all);
    let drawn: Vec<usize> = run.diagram.as_ref().unwrap().shapes.iter().filter_map(|shape| shape.event).collect();
    assert!(drawn.iter().all(|index| run.events.iter().any(|event| event.index == *index)), "{drawn:?}");
}

#[rstest]
#[case::few_are_all_drawn(99, Pictures::Some, 99)]
#[case::of_many_the_first_of_a_scenario(100, Pictures::Some, 1)]
#[case::all_if_asked_for(100, Pictures::All, 100)]
fn page_of_many_runs_draws_one_that_passes(#[case] count: usize, #[case] pictures: Pictures, #[case] drawn: usize) {
    assert_eq!(pictures_on(7530, count, pictures), drawn);
}

#[test]
fn page_of_many_runs_draws_three_that_fail() {
    assert_eq!(pictures_on(7531, 100, Pictures::Some), 3);
}

/// Number of runs, of the given number with this deadline, that are drawn on a page.
fn pictures_on(due: i64, count: usize, pictures: Pictures) -> usize {
    let mut report = Report::default();
    for _ in 0..count {
        report.runs.push(record(&finished(due)));
    }
    data(&report, pictures).matches("\"diagram\":{").count()
}

#[test]
fn what_is_about_all_of_a_file_shows_no_line_of_it() {
    let mut run = finished(7531);
    let Ending::Judged(_, outcome) = &mut run.ending else { panic!("it was run") };
    outcome.violations[0].position = crate::plan::Position::default();
    let found = record(&run).violations.remove(0);
    assert_eq!((found.line, found.source.as_str()), (0, ""));
}

#[rstest]
#[case::about_a_line(7, "a.yaml:7:5")]
#[case::about_the_whole_file(0, "a.yaml")]
fn finding_has_a_line_only_if_it_is_about_one(#[case] line: u32, #[case] place: &str) {
    let text = String::new;
    let (expected, actual, why) = (None, None, None);
    let found =
        Finding { file: "a.yaml".to_owned(), line, column: 5, source: text(), text: text(), expected, actual, why };
    assert_eq!(found.place(), place);
}

#[rstest]
#[case::few(4, "closed at 3")]
#[case::many(10, "the same line for 7 others, the last of them:")]
fn a_line_that_is_wrong_for_many_members_is_told_a_few_times_and_counted(#[case] members: usize, #[case] last: &str) {
    let mut run = finished(7531);
    let Ending::Judged(_, outcome) = &mut run.ending else { panic!("it was run") };
    outcome.violations[0].position = crate::plan::Position { file: 0, line: 1, column: 1 };
    let one = outcome.violations[0].clone();
    let of = |member| crate::check::Violation { text: format!("closed at {member}"), ..one.clone() };
    outcome.violations = (0..members).map(of).collect();
    let found = record(&run).violations;
    assert_eq!(found.len(), 4);
    assert_eq!(found[3].text, last);
}
