//! JUnit, as CI systems show it: a test case for each run, a suite for each area.

use std::collections::BTreeMap;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::model::{Finding, Report, RunRecord};
use crate::check::Verdict;

/// Number of lines that are shown of a trace: the first half and the last half of these.
const TRACE_LINES: usize = 120;

/// A report as JUnit. Times are those of the machine.
pub fn junit(report: &Report) -> String {
    let mut document = Document::new("halfopen");
    let traced = traced(report);
    let mut areas: Vec<&str> = report.runs.iter().map(|run| run.area.as_str()).collect();
    areas.sort_unstable();
    areas.dedup();
    for area in areas {
        let mut suite = TestSuite::new(if area.is_empty() { "scenarios" } else { area });
        suite.add_test_cases(report.runs.iter().filter(|run| run.area == area).map(|run| case(run, &traced)));
        document.add_test_suite(suite);
    }
    document.to_string().unwrap_or_default()
}

fn case(run: &RunRecord, traced: &Traced<'_>) -> TestCase {
    let status = match run.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Fail | Verdict::Vacuous => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Broken => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    let mut case = TestCase::new(run.name.clone(), status);
    case.set_classname(run.scenario.replace('/', ".")).set_time(Duration::from_micros(run.wall_us));
    let found = telling(run);
    if run.is_bad() || run.verdict == Verdict::Skipped {
        let message = found.map_or_else(|| run.error.clone().unwrap_or_default(), headline);
        case.status.set_message(message).set_type(kind(run.verdict));
    }
    if run.is_bad() {
        case.status.set_description(description(run, traced));
    }
    case.extra.insert("file".into(), run.file.as_str().into());
    if let Some(found) = found.filter(|found| found.line > 0) {
        case.extra.insert("line".into(), found.line.to_string().into());
    }
    case
}

fn kind(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Vacuous => "vacuous",
        Verdict::Broken => "engine",
        Verdict::Skipped => "skipped",
        _ => "violation",
    }
}

/// The finding to name first: one with a place in the file says more than an invariant does.
fn telling(run: &RunRecord) -> Option<&Finding> {
    let placed = run.violations.iter().find(|found| found.line > 0);
    placed.or_else(|| run.violations.first()).or_else(|| run.vacuous.first())
}

/// Returns what one reads in a list of failures: what it is about, what was expected, what was.
fn headline(found: &Finding) -> String {
    // What is expected at a place names its node and what that does.
    let what = if found.line == 0 { format!("{}: ", found.text) } else { String::new() };
    match (&found.expected, &found.actual, &found.why) {
        (Some(expected), Some(actual), _) => format!("{what}expected: {expected}; actual: {actual}"),
        (.., Some(why)) => format!("vacuous: {}: {why}", found.text),
        _ => found.text.clone(),
    }
}

/// The run of each scenario whose trace is told: what breaks one mostly breaks the others in the same way.
pub(super) type Traced<'a> = BTreeMap<&'a str, &'a str>;

/// Returns which runs those are: the first that do not pass.
pub(super) fn traced(report: &Report) -> Traced<'_> {
    let mut traced = Traced::new();
    for run in report.runs.iter().filter(|run| run.is_bad() && run.text.is_some()) {
        traced.entry(run.scenario.as_str()).or_insert(run.name.as_str());
    }
    traced
}

/// Returns all that is known of a bad run: what is wrong, how to see it again, and what happened.
pub(super) fn description(run: &RunRecord, traced: &Traced<'_>) -> String {
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
    match (&run.text, traced.get(run.scenario.as_str())) {
        (Some(trace), Some(name)) if *name == run.name => {
            line(String::new());
            abridged(trace).for_each(line);
        }
        (Some(_), Some(name)) => line(format!("trace: that of {name} is in this report")),
        _ => {}
    }
    text
}

/// A trace without its middle, if it is long.
fn abridged(trace: &str) -> impl Iterator<Item = String> {
    let lines: Vec<&str> = trace.lines().collect();
    let left_out = lines.len().saturating_sub(TRACE_LINES);
    let [begin, end] = [TRACE_LINES / 2, TRACE_LINES / 2 + left_out].map(|at| at.min(lines.len()));
    let middle = (left_out > 0).then(|| format!("... {left_out} lines more; reproduce it to see them"));
    let whole = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    let (head, tail) =
        if left_out > 0 { (whole(&lines[..begin]), whole(&lines[end..])) } else { (whole(&lines), vec![]) };
    head.into_iter().chain(middle).chain(tail)
}
