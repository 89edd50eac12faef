use std::io::{self, Write};
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::{Ending, Finished, Mark, Summary, Waivers};
use crate::check::{Outcome, Vacuity, Violation};
use crate::plan::{Plan, Position};
use crate::trace::{Trace, text};

/// How many lines of a trace are shown under a failed run: the first half and the last half of these.
const TRACE_LINES: usize = 120;

/// Prints runs as they end: a line each, and of those that do not pass the trace and all that is wrong.
///
/// Writes colours; a writer that is no terminal must take them out, as `anstream` does.
#[derive(Debug)]
pub struct Terminal<W> {
    out: W,
    summary: Summary,
}

impl<W: Write> Terminal<W> {
    /// A report that goes to this writer.
    pub fn new(out: W) -> Self {
        Self { out, summary: Summary::default() }
    }

    /// Prints a run that took the machine so long.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn run(&mut self, run: &Finished, wall_time: Duration) -> io::Result<()> {
        self.summary.add(run, wall_time);
        let style = style(run.mark());
        write!(self.out, "{style}{:<8}{style:#} {}", run.mark().word(), run.plan.run)?;
        match &run.ending {
            Ending::Judged(trace, outcome) => {
                writeln!(self.out, "  {:.3}", trace.end.as_secs_f64())?;
                self.outcome(&run.plan, trace, outcome)
            }
            Ending::Skipped(error) => writeln!(self.out, "  {error}"),
            Ending::Broken(error) => writeln!(self.out, "\n{:9}{error}", ""),
        }
    }

    /// Prints the waivers of these runs that waive nothing; each counts as vacuous.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn waivers(&mut self, waivers: &Waivers) -> io::Result<()> {
        for (plan, vacuity) in waivers.idle() {
            self.summary.vacuous += 1;
            self.vacuity(plan, &vacuity)?;
        }
        Ok(())
    }

    /// Prints what all runs come to.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn finish(mut self) -> io::Result<Summary> {
        let mark = match (self.summary.failed, self.summary.vacuous) {
            (0, 0) => Mark::Ok,
            (0, _) => Mark::Vacuous,
            _ => Mark::Failed,
        };
        let style = style(mark);
        writeln!(self.out, "{style}{}{style:#}", self.summary)?;
        self.out.flush()?;
        Ok(self.summary)
    }

    fn outcome(&mut self, plan: &Plan, trace: &Trace, outcome: &Outcome) -> io::Result<()> {
        let is_good = outcome.violations.is_empty() && outcome.vacuous.is_empty();
        if is_good && outcome.warnings.is_empty() {
            return Ok(());
        }
        if !is_good {
            self.trace(plan, trace)?;
        }
        for violation in &outcome.violations {
            self.violation(plan, Mark::Failed, violation)?;
        }
        for warning in &outcome.warnings {
            self.violation(plan, Mark::Vacuous, warning)?;
        }
        for vacuity in &outcome.vacuous {
            self.vacuity(plan, vacuity)?;
        }
        writeln!(self.out)
    }

    fn trace(&mut self, plan: &Plan, trace: &Trace) -> io::Result<()> {
        let text = text(plan, trace);
        let lines: Vec<&str> = text.lines().collect();
        let left_out = lines.len().saturating_sub(TRACE_LINES);
        for (place, line) in lines.iter().enumerate() {
            if left_out == 0 || place < TRACE_LINES / 2 || place >= TRACE_LINES / 2 + left_out {
                writeln!(self.out, "  {line}")?;
            } else if place == TRACE_LINES / 2 {
                writeln!(self.out, "  ... {left_out} lines more, see `halfopen trace {}`", plan.source.path)?;
            }
        }
        Ok(())
    }

    fn violation(&mut self, plan: &Plan, mark: Mark, violation: &Violation) -> io::Result<()> {
        let style = style(mark);
        let warning = if mark == Mark::Failed { "" } else { "warning: " };
        writeln!(self.out, "{style}{}{style:#}: {warning}{}", place(plan, violation.position), violation.text)?;
        writeln!(self.out, "  expected: {}", violation.expected)?;
        writeln!(self.out, "  actual:   {}", violation.actual)
    }

    fn vacuity(&mut self, plan: &Plan, vacuity: &Vacuity) -> io::Result<()> {
        let style = style(Mark::Vacuous);
        writeln!(self.out, "{style}{}{style:#}: {}", place(plan, vacuity.position), vacuity.text)?;
        writeln!(self.out, "  vacuous: {}", vacuity.why)
    }
}

/// `file:line:column`, or the file alone for what is about all of it.
fn place(plan: &Plan, position: Position) -> String {
    match position.line {
        0 => plan.source.path.clone(),
        line => format!("{}:{line}:{}", plan.source_of(position).path, position.column),
    }
}

fn style(mark: Mark) -> Style {
    let colour = match mark {
        Mark::Ok => AnsiColor::Green,
        Mark::Failed => AnsiColor::Red,
        Mark::Vacuous | Mark::Skipped => AnsiColor::Yellow,
    };
    let style = Style::new().fg_color(Some(colour.into()));
    if mark == Mark::Ok { style } else { style.bold() }
}
