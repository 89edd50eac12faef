use std::fmt;
use std::time::Duration;

use super::model::RunRecord;
use crate::check::Verdict;

/// The results of many runs, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Runs whose expectations are all true.
    pub passed: u64,
    /// Runs in which something is wrong.
    pub failed: u64,
    /// Runs that prove less than they say.
    pub vacuous: u64,
    /// Runs in which the engine itself failed.
    pub broken: u64,
    /// Runs that the engine has no means for.
    pub skipped: u64,
    /// The virtual time of all runs together.
    pub virtual_time: Duration,
    /// The time that the machine took for them.
    pub wall_time: Duration,
}

impl Summary {
    /// Adds a run.
    pub fn add(&mut self, run: &RunRecord) {
        let count = match run.verdict {
            Verdict::Pass => &mut self.passed,
            Verdict::Fail => &mut self.failed,
            Verdict::Vacuous => &mut self.vacuous,
            Verdict::Broken => &mut self.broken,
            Verdict::Skipped => &mut self.skipped,
        };
        *count += 1;
        self.virtual_time += Duration::from_millis(run.virtual_ms);
        self.wall_time += Duration::from_micros(run.wall_us);
    }

    /// Returns whether nothing failed and nothing is vacuous, and there was anything at all.
    pub fn is_success(&self) -> bool {
        self.failed == 0 && self.broken == 0 && self.vacuous == 0 && self.passed > 0
    }
}

/// `3 runs: 1 ok, 1 FAILED, 1 VACUOUS (nothing was tested); 1h 2min 3s of virtual time in 0.250 s, 14892 x real time`.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [(Verdict::Pass, self.passed), (Verdict::Fail, self.failed)];
        let more = [(Verdict::Broken, self.broken), (Verdict::Vacuous, self.vacuous), (Verdict::Skipped, self.skipped)];
        let all: u64 = counts.iter().chain(&more).map(|(_, count)| count).sum();
        write!(f, "{all} {}: {} ok", if all == 1 { "run" } else { "runs" }, self.passed)?;
        for (mark, count) in counts.into_iter().skip(1).chain(more).filter(|(_, count)| *count > 0) {
            let meaning = if mark == Verdict::Vacuous { " (nothing was tested)" } else { "" };
            write!(f, ", {count} {}{meaning}", mark.word())?;
        }
        write!(f, "; {} of virtual time in {:.3} s", Span(self.virtual_time), self.wall_time.as_secs_f64())?;
        let factor = self.virtual_time.as_secs_f64() / self.wall_time.as_secs_f64();
        if factor.is_finite() {
            write!(f, ", {factor:.0} x real time")?;
        }
        Ok(())
    }
}

/// A long time in words: `10d 1h`, `98s`.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let parts =
            [(seconds / 86_400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "min"), (seconds % 60, "s")];
        let shown: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
        if shown.is_empty() { write!(f, "{:.3}s", self.0.as_secs_f64()) } else { f.write_str(&shown.join(" ")) }
    }
}
