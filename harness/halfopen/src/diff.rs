//! What differs between two traces, and why: for replays, for two runs that should be one, and for two versions of a
//! broker.
//!
//! Works on events, as `halfopen trace --json` and `halfopen run --json` write them. For each run that is in both files it
//! names the first event that differs, with the event that let it happen, and what kind of change it is:
//!
//! - *timing*: the same events in the same order at other times;
//! - *order*: the same events in another order;
//! - *content*: other events;
//! - *verdict*: another verdict, or a run that is in one only.

mod event;

use std::collections::BTreeMap;
use std::fmt;

use self::event::Compared;
use crate::report::model::{Report, ReportError, RunRecord};
use crate::trace::{TraceFile, TraceFileError};

/// The kind of a change, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "explained at the head of the module")]
pub enum Class {
    Timing,
    Order,
    Content,
    Verdict,
}

/// A run that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The name.
    pub run: String,
    /// The kind of the change.
    pub class: Class,
    /// The first difference, in some lines.
    pub text: String,
}

/// A run as it is compared with another one.
#[derive(Clone, Debug)]
pub struct ComparedRun {
    /// The name and its seed.
    name: String,
    /// The verdict, where that is known.
    verdict: Option<&'static str>,
    /// Time at which it ended, in milliseconds.
    end_ms: u64,
    /// The events without those that follow from others: an arrival is told by what was sent.
    events: Vec<Compared>,
}

/// The reason for which a file cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The file is neither a trace nor a report.
    #[error("no trace as `halfopen trace --json` prints it, and no report as `halfopen run --json FILE` writes it")]
    NotATrace,
    /// The trace is broken.
    #[error("{0}")]
    Trace(#[from] TraceFileError),
    /// The report is broken.
    #[error("{0}")]
    Report(#[from] ReportError),
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Timing, Self::Order, Self::Content, Self::Verdict];

    /// The word on the command line and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Timing => "timing",
            Self::Order => "order",
            Self::Content => "content",
            Self::Verdict => "verdict",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.class.word(), self.run)?;
        f.write_str(&self.text)
    }
}

impl From<&TraceFile> for ComparedRun {
    fn from(file: &TraceFile) -> Self {
        let name = format!("{} seed={}", file.run, file.seed);
        let end_ms = u64::try_from(file.trace.end.as_millis()).unwrap_or(u64::MAX);
        Self { name, verdict: None, end_ms, events: event::of_trace(file) }
    }
}

impl From<&RunRecord> for ComparedRun {
    fn from(run: &RunRecord) -> Self {
        let name = format!("{} seed={}", run.name, run.seed);
        let events = event::of_records(&run.events);
        Self { name, verdict: Some(run.verdict.word()), end_ms: run.virtual_ms, events }
    }
}

/// Reads the runs of a trace file, or of a report.
///
/// # Errors
/// If it is neither, or broken.
pub fn read(text: &str) -> Result<Vec<ComparedRun>, DiffError> {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    // A trace is a file of JSON objects, a report is one, which may have any number of lines.
    if first.contains("\"halfopen-report\"") || !is_json(first) && text.trim_start().starts_with('{') {
        return Ok(Report::read(text)?.runs.iter().map(ComparedRun::from).collect());
    }
    if !first.trim_start().starts_with('{') {
        return Err(DiffError::NotATrace);
    }
    Ok(TraceFile::read(text)?.iter().map(ComparedRun::from).collect())
}

/// Returns all runs that differ, in the order of the old ones; those that are only among the new ones last.
pub fn diff(old: &[ComparedRun], new: &[ComparedRun]) -> Vec<Difference> {
    let by_name = |runs: &[ComparedRun]| -> BTreeMap<String, usize> {
        runs.iter().enumerate().map(|(place, run)| (run.name.clone(), place)).collect()
    };
    let (in_old, in_new) = (by_name(old), by_name(new));
    let one_sided = |run: &ComparedRun, side: &str| Difference {
        run: run.name.clone(),
        class: Class::Verdict,
        text: format!("  only in the {side}\n"),
    };
    let compared = old.iter().filter_map(|run| match in_new.get(&run.name) {
        Some(&other) => run.compare(&new[other]),
        None => Some(one_sided(run, "old")),
    });
    let added = new.iter().filter(|run| !in_old.contains_key(&run.name)).map(|run| one_sided(run, "new"));
    compared.chain(added).collect()
}

impl ComparedRun {
    fn compare(&self, new: &Self) -> Option<Difference> {
        let difference = |class, text| Some(Difference { run: self.name.clone(), class, text });
        if let (Some(was), Some(is)) = (self.verdict, new.verdict)
            && was != is
        {
            let first = self.first_difference(new).map(|at| self.told(new, at)).unwrap_or_default();
            return difference(Class::Verdict, format!("  was {was}, is {is}\n{first}"));
        }
        match self.first_difference(new) {
            Some(at) => difference(self.class(new), self.told(new, at)),
            None if self.end_ms != new.end_ms => {
                let [was, is] = [self, new].map(|run| event::seconds(run.end_ms));
                difference(Class::Timing, format!("  - the run ends at {was}\n  + the run ends at {is}\n"))
            }
            None => None,
        }
    }

    /// Returns the index of the first event that is not the same.
    fn first_difference(&self, new: &Self) -> Option<usize> {
        let same = self.events.iter().zip(&new.events).take_while(|(old, new)| old.is_same(new)).count();
        (same < self.events.len().max(new.events.len())).then_some(same)
    }

    fn class(&self, new: &Self) -> Class {
        let words = |run: &Self| run.events.iter().map(Compared::words).collect::<Vec<_>>();
        let (mut old, mut new) = (words(self), words(new));
        if old == new {
            return Class::Timing;
        }
        old.sort_unstable();
        new.sort_unstable();
        if old == new { Class::Order } else { Class::Content }
    }

    /// Tells the first difference and its cause.
    fn told(&self, new: &Self, at: usize) -> String {
        let line = |sign: &str, run: &Self| match run.events.get(at) {
            Some(event) => format!("  {sign} {}\n", event.shown()),
            None => format!("  {sign} (the trace is over)\n"),
        };
        let cause = new.events.get(at).or(self.events.get(at)).and_then(Compared::cause);
        let cause = cause.map(|cause| format!("    because of {cause}\n")).unwrap_or_default();
        line("-", self) + &line("+", new) + &cause
    }
}

#[cfg(test)]
mod tests;
