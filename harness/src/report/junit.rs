//! JUnit, as CI systems show it: a test case for each run, a suite for each area.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::model::{Finding, Report, RunRecord, Word};

/// A report as JUnit. Times are those of the machine.
pub fn junit(report: &Report) -> String {
    let mut document = Document::new("halfopen");
    let mut areas: Vec<&str> = report.runs.iter().map(|run| run.area.as_str()).collect();
    areas.sort_unstable();
    areas.dedup();
    for area in areas {
        let mut suite = TestSuite::new(if area.is_empty() { "scenarios" } else { area });
        suite.add_test_cases(report.runs.iter().filter(|run| run.area == area).map(case));
        document.add_test_suite(suite);
    }
    document.to_string().unwrap_or_default()
}

fn case(run: &RunRecord) -> TestCase {
    let status = match run.verdict {
        Word::Pass => TestCaseStatus::success(),
        Word::Skipped => TestCaseStatus::skipped(),
        Word::Fail | Word::Vacuous => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Word::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(run.name.clone(), status);
    case.set_classname(run.scenario.replace('/', ".")).set_time(Duration::from_micros(run.wall_us));
    let found = run.violations.first().or_else(|| run.vacuous.first());
    if run.is_bad() || run.verdict == Word::Skipped {
        let message = found.map_or_else(|| run.error.clone().unwrap_or_default(), headline);
        case.status.set_message(message).set_type(kind(run.verdict));
    }
    if run.is_bad() {
        case.status.set_description(description(run));
    }
    case.extra.insert("file".into(), run.file.as_str().into());
    if let Some(found) = found.filter(|found| found.line > 0) {
        case.extra.insert("line".into(), found.line.to_string().into());
    }
    case
}

fn kind(verdict: Word) -> &'static str {
    match verdict {
        Word::Vacuous => "vacuous",
        Word::Broken => "engine",
        Word::Skipped => "skipped",
        _ => "violation",
    }
}

/// What one reads in a list of failures.
fn headline(found: &Finding) -> String {
    match (&found.expected, &found.actual, &found.why) {
        (Some(expected), Some(actual), _) => format!("expected: {expected}; actual: {actual}"),
        (.., Some(why)) => format!("vacuous: {}: {why}", found.text),
        _ => found.text.clone(),
    }
}

/// All that is known of a bad run: what is wrong, how to see it again, and what happened.
pub(super) fn description(run: &RunRecord) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        text.push_str(&words);
        text.push('\n');
    };
    for found in run.violations.iter().chain(&run.vacuous) {
        line(format!("{}: {}", found.place(), found.text));
        if !found.source.is_empty() && found.source.trim_start_matches("- ") != found.text {
            line(format!("  | {}", found.source));
        }
        for (word, value) in [("expected", &found.expected), ("actual", &found.actual), ("vacuous", &found.why)] {
            if let Some(value) = value {
                line(format!("  {word}: {value}"));
            }
        }
    }
    if let Some(error) = &run.error {
        line(error.clone());
    }
    line(format!("reproduce: {}", run.command));
    if let Some(trace) = &run.text {
        line(String::new());
        line(trace.clone());
    }
    text
}
