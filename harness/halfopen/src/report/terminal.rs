use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::model::{Detail, Finding, RunRecord};
use super::wrong::wrongs;
use super::{Finished, Summary, Waivers};
use crate::check::Verdict;
use crate::scenario::About;

/// Number of lines of a trace that are shown under a failed run: the first half and the last half of these.
const TRACE_LINES: usize = 120;

/// Number of failed runs that are shown with their traces: the first of as many scenarios.
const TRACES: usize = 10;

/// Number of failed runs that are shown per scenario.
const TOLD_OF_ONE: usize = 3;

/// Number of failed runs that are shown in all.
const TOLD: usize = 50;

/// Number of causes that are told in the end.
const CAUSES: usize = 8;

/// The amount of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Failures and the summary.
    Quiet,
    /// Also a line for each run.
    #[default]
    Normal,
    /// Also the traces of runs that pass.
    Verbose,
}

/// Prints runs as they end, a line each; at the end those that do not pass, with the trace and all that is wrong.
///
/// Writes colours; a writer that is no terminal must take them out, as `anstream` does.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    summary: Summary,
    verbosity: Verbosity,
    bad: Vec<RunRecord>,
}

impl<W: Write> Terminal<W> {
    /// A report that goes to this writer.
    pub fn new(out: W) -> Self {
        Self::with_verbosity(out, Verbosity::Normal)
    }

    /// Creates a report for this writer with this amount of output.
    pub fn with_verbosity(out: W, verbosity: Verbosity) -> Self {
        Self { out, summary: Summary::default(), verbosity, bad: Vec::new() }
    }

    /// Prints a run that took the machine so long.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn run(&mut self, run: &Finished, wall_time: Duration) -> io::Result<()> {
        self.record(RunRecord::new(run, &About::default(), 0, wall_time, Detail::default()))
    }

    /// Prints a run that has been put down.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn record(&mut self, run: RunRecord) -> io::Result<()> {
        self.summary.add(&run);
        if self.verbosity > Verbosity::Quiet {
            let mark = run.verdict;
            let style = style(mark);
            let time = Duration::from_millis(run.virtual_ms).as_secs_f64();
            write!(self.out, "{style}{:<8}{style:#} {}", mark.word(), run.name)?;
            match &run.error {
                Some(error) if run.verdict == Verdict::Skipped => writeln!(self.out, "  {error}")?,
                _ => writeln!(self.out, "  {time:.3}")?,
            }
            if self.verbosity == Verbosity::Verbose && !run.is_bad() {
                self.trace(&run)?;
            }
            if let Some(load) = &run.load {
                writeln!(self.out, "  {load}")?;
            }
            self.not_judged(&run)?;
        }
        if run.is_bad() {
            self.bad.push(run);
        } else {
            for warning in &run.warnings {
                self.finding(Verdict::Vacuous, "warning: ", warning)?;
            }
        }
        Ok(())
    }

    /// Prints the waivers of these runs that waive nothing; each counts as vacuous.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn waivers(&mut self, waivers: &Waivers) -> io::Result<()> {
        for found in waivers.idle() {
            self.summary.vacuous += 1;
            self.finding(Verdict::Vacuous, "", found)?;
        }
        Ok(())
    }

    /// Prints what is wrong, and what all runs come to.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<Summary> {
        let bad = std::mem::take(&mut self.bad);
        let mut of_scenario: BTreeMap<&str, usize> = BTreeMap::new();
        let mut told = 0;
        for run in &bad {
            // What breaks one run of a scenario mostly breaks the others in the same way.
            let has_trace = of_scenario.len() < TRACES && !of_scenario.contains_key(run.scenario.as_str());
            let count = of_scenario.entry(&run.scenario).or_default();
            *count += 1;
            if *count <= TOLD_OF_ONE && told < TOLD {
                told += 1;
                self.bad_run(run, has_trace)?;
            }
        }
        if bad.len() > told {
            let named = if self.verbosity > Verbosity::Quiet { ", by name above" } else { "" };
            let left = bad.len() - told;
            writeln!(self.out, "\nand {left} more that do not pass{named}; `--html FILE` shows all of them")?;
        }
        if bad.len() > TOLD_OF_ONE {
            self.causes(&bad, of_scenario.len())?;
        }
        if !bad.is_empty() {
            writeln!(self.out)?;
        }
        let mark = match &self.summary {
            Summary { failed: 0, broken: 0, vacuous: 0, .. } => Verdict::Pass,
            Summary { failed: 0, broken: 0, .. } => Verdict::Vacuous,
            _ => Verdict::Fail,
        };
        let style = style(mark);
        writeln!(self.out, "{style}{}{style:#}", self.summary)?;
        self.out.flush()?;
        Ok(self.summary)
    }

    /// Sets how long all runs took together, where several go on at the same time; otherwise it is the sum of them.
    pub fn took(&mut self, wall_time: Duration) {
        self.summary.wall_time = wall_time;
    }

    /// Returns what the runs have in common, so that the end of a long report says what broke.
    fn causes(&mut self, bad: &[RunRecord], scenarios: usize) -> io::Result<()> {
        let style = style(Verdict::Fail);
        let wrongs = wrongs(bad);
        let of = counted(scenarios, "scenario");
        writeln!(self.out, "\n{style}what is wrong{style:#}, in {} of {of}:", counted(bad.len(), "run"))?;
        for wrong in wrongs.iter().take(CAUSES) {
            let of = counted(wrong.scenarios, "scenario");
            writeln!(self.out, "  {} of {of}: {}", counted(wrong.runs.len(), "run"), wrong.what)?;
            if let Some(found) = wrong.example {
                self.values(found, "    ")?;
            }
            writeln!(self.out, "    such as {}", bad[wrong.runs[0]].name)?;
        }
        let left: usize = wrongs.iter().skip(CAUSES).map(|wrong| wrong.runs.len()).sum();
        if left > 0 {
            writeln!(self.out, "  {}: other things", counted(left, "run"))?;
        }
        Ok(())
    }

    fn bad_run(&mut self, run: &RunRecord, has_trace: bool) -> io::Result<()> {
        let mark = run.verdict;
        let bold = style(mark);
        writeln!(self.out, "\n{bold}{} {}{bold:#}", mark.word(), run.name)?;
        if has_trace {
            self.trace(run)?;
        }
        if let Some(error) = &run.error {
            writeln!(self.out, "  {error}")?;
        }
        for violation in &run.violations {
            self.finding(Verdict::Fail, "", violation)?;
        }
        for warning in &run.warnings {
            self.finding(Verdict::Vacuous, "warning: ", warning)?;
        }
        for vacuity in &run.vacuous {
            self.finding(Verdict::Vacuous, "", vacuity)?;
        }
        writeln!(self.out, "reproduce: {}", run.command)
    }

    fn not_judged(&mut self, run: &RunRecord) -> io::Result<()> {
        for part in &run.not_judged {
            writeln!(self.out, "  not judged: {}: {}", part.invariant, part.why)?;
        }
        Ok(())
    }

    fn trace(&mut self, run: &RunRecord) -> io::Result<()> {
        let lines: Vec<&str> = run.text.as_deref().unwrap_or_default().lines().collect();
        let left_out = lines.len().saturating_sub(TRACE_LINES);
        for (place, line) in lines.iter().enumerate() {
            if left_out == 0 || place < TRACE_LINES / 2 || place >= TRACE_LINES / 2 + left_out {
                writeln!(self.out, "  {line}")?;
            } else if place == TRACE_LINES / 2 {
                writeln!(self.out, "  ... {left_out} lines more, see `halfopen trace {}`", run.file)?;
            }
        }
        Ok(())
    }

    fn finding(&mut self, mark: Verdict, kind: &str, found: &Finding) -> io::Result<()> {
        let style = style(mark);
        writeln!(self.out, "{style}{}{style:#}: {kind}{}", found.place(), found.text)?;
        // With parameters filled in, the line of the file is another one.
        if !found.source.is_empty() && found.source.trim_start_matches("- ") != found.text {
            writeln!(self.out, "  {:>5} | {}", found.line, found.source)?;
        }
        self.values(found, "  ")
    }

    fn values(&mut self, found: &Finding, indent: &str) -> io::Result<()> {
        for (name, value) in [("expected:", &found.expected), ("actual:", &found.actual), ("vacuous:", &found.why)] {
            if let Some(value) = value {
                let width = if found.why.is_some() { 8 } else { 9 };
                writeln!(self.out, "{indent}{name:<width$} {value}")?;
            }
        }
        Ok(())
    }
}

/// `1 run`, `2 runs`.
fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

fn style(mark: Verdict) -> Style {
    let colour = match mark {
        Verdict::Pass => AnsiColor::Green,
        Verdict::Fail | Verdict::Broken => AnsiColor::Red,
        Verdict::Vacuous | Verdict::Skipped => AnsiColor::Yellow,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    if mark == Verdict::Pass { style } else { style.bold() }
}
