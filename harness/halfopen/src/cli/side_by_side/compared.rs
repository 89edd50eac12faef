//! Compares what several programs did in one run, and tells how the standard sees the difference.

use serde::Serialize;

use crate::check::{Verdict, without_clause};
use crate::diff::{ComparedRun, diff};
use crate::report::model::RunRecord;

/// The results of several programs in one run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) run: String,
    pub(super) scenario: String,
    pub(super) area: String,
    /// The statements of the standard that the scenario is about.
    pub(super) clauses: Vec<String>,
    pub(super) cells: Vec<Cell>,
}

/// The result of one program in one run.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Cell {
    pub(super) program: String,
    pub(super) verdict: Verdict,
    pub(super) class: Class,
    /// The statements that are broken, or those that the scenario is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) breaks: Vec<String>,
    /// The first thing that is wrong, or why it was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    /// The first event that is not as with the first program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) first_difference: Option<String>,
}

/// The kinds of difference between a program and the first one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    /// Every event is the same.
    Same,
    /// Something is otherwise, and no statement of the standard is broken.
    Allowed,
    /// Something is wrong.
    Violation,
    /// The run was skipped, proves nothing or broke, here or with the first program.
    NotJudged,
}

impl Class {
    /// Returns the word for tables.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Allowed => "allowed",
            Self::Violation => "violation",
            Self::NotJudged => "not judged",
        }
    }
}

impl Row {
    /// Compares the records of one run, of which the first is the measure.
    pub(super) fn new(programs: &[String], records: &[RunRecord]) -> Option<Self> {
        let first = records.first()?;
        let cells = programs.iter().zip(records).map(|(program, record)| Cell::new(program, record, first)).collect();
        Some(Self {
            run: first.name.clone(),
            scenario: first.scenario.clone(),
            area: first.area.clone(),
            clauses: first.clauses.clone(),
            cells,
        })
    }

    /// Returns whether two programs that were judged came to different verdicts.
    pub(super) fn differs(&self) -> bool {
        let mut judged = self.cells.iter().map(|cell| cell.verdict).filter(|verdict| is_judged(*verdict));
        judged.next().is_some_and(|first| judged.any(|verdict| verdict != first))
    }
}

impl Cell {
    fn new(program: &str, record: &RunRecord, first: &RunRecord) -> Self {
        let are_judged = is_judged(record.verdict) && is_judged(first.verdict);
        let differences = if are_judged { diff(&[first.into()], &[ComparedRun::from(record)]) } else { Vec::new() };
        let first_difference = differences.into_iter().next().map(|difference| difference.text);
        let class = match (record.verdict, &first_difference) {
            (Verdict::Fail, _) => Class::Violation,
            _ if !are_judged || record.verdict == Verdict::Vacuous => Class::NotJudged,
            (_, Some(_)) => Class::Allowed,
            (_, None) => Class::Same,
        };
        Self {
            program: program.to_owned(),
            verdict: record.verdict,
            class,
            breaks: if class == Class::Violation { broken_statements(record) } else { Vec::new() },
            why: why(record),
            first_difference,
        }
    }
}

fn is_judged(verdict: Verdict) -> bool {
    !matches!(verdict, Verdict::Skipped | Verdict::Broken)
}

/// Returns the statement that the first finding names, or those that the scenario is about.
fn broken_statements(record: &RunRecord) -> Vec<String> {
    let expected = record.violations.first().and_then(|found| found.expected.as_deref()).unwrap_or_default();
    match without_clause(expected).1 {
        Some(named) => vec![named.to_owned()],
        None => record.clauses.clone(),
    }
}

/// Returns the first thing that is wrong with a run, or why it was not judged.
fn why(record: &RunRecord) -> Option<String> {
    let wrong = record.violations.first().map(|found| {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}\nexpected: {}\nactual:   {}", found.text, text(&found.expected), text(&found.actual))
    });
    let vacuous = || record.vacuous.first().and_then(|found| found.why.clone());
    wrong.or_else(vacuous).or_else(|| record.error.clone())
}
