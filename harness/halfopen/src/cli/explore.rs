//! `halfopen explore`.

use std::io::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use halfopen_explore::{CampaignOptions, CampaignResult, Find, Target, explore, shrink};
use indicatif::{ProgressBar, ProgressStyle};

use super::commands::{counted, timed};
use super::interrupt;
use super::output::{FAILURE, Failure, INTERRUPTED, SUCCESS, VACUOUS, write_file};
use crate::defects::Defect;

/// The exit codes, for `--help`.
const EXIT_CODES: &str = "\
Exit codes:
    0  nothing was found
    1  something was found; it stands in files below --found
    2  bad input: an argument is wrong
    3  no story was run
    4  a file could not be written
  130  interrupted; what was found by then is kept";

/// Number of stories that are run where neither `--runs` nor `--time` is given.
const RUNS: u64 = 1_000;

/// The flags of `halfopen explore`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ExploreCommand {
    /// Number of stories [default: 1000, or as many as --time allows].
    #[arg(long, value_name = "N")]
    runs: Option<u64>,
    /// Stop after this time: `30s`, `10m`, `8h`.
    #[arg(long, value_name = "TIME")]
    time: Option<WallTime>,
    /// The seed that all stories follow from. The same seed draws the same stories.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// Number of stories at the same time [default: the number of cores]. What is found does not depend on it.
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    jobs: Option<u16>,
    /// Let every story use every feature and fault, instead of a few that it draws first.
    #[arg(long)]
    no_swarm: bool,
    /// File the stories as they were drawn, instead of making them small first.
    #[arg(long)]
    no_shrink: bool,
    /// Folder for what is found: one scenario for each kind of finding.
    #[arg(long, value_name = "DIR", default_value = "found")]
    found: PathBuf,
    /// Switch on a defect in the project's brokers or clients, such as `broker:will_lost`, to see whether it is found.
    #[arg(long, value_name = "SIDE:NAME")]
    defect: Option<Defect>,
}

/// A time on the machine's clock.
#[derive(Clone, Copy, Debug)]
struct WallTime(Duration);

impl FromStr for WallTime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || "a time is written `30s`, `10m` or `8h`".to_owned();
        let unit = match text.chars().next_back() {
            Some('s') => 1,
            Some('m') => 60,
            Some('h') => 3600,
            _ => return Err(wrong()),
        };
        let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        let seconds = count.checked_mul(unit).filter(|seconds| *seconds > 0).ok_or_else(wrong)?;
        Ok(Self(Duration::from_secs(seconds)))
    }
}

/// Draws stories, runs them, and files what the invariants find.
pub(super) fn run(command: &ExploreCommand) -> Result<u8, Failure> {
    interrupt::watch();
    let runs = command.runs.unwrap_or(if command.time.is_some() { u64::MAX } else { RUNS });
    let options = CampaignOptions {
        seed: command.seed,
        runs,
        jobs: command.jobs(),
        is_swarm_on: !command.no_swarm,
        target: Target { defect: command.defect },
    };
    let progress = progress(command.runs.or(command.time.is_none().then_some(RUNS)));
    let is_over = deadline(command.time);
    let mut trouble = None;
    let (result, took) = timed(|| {
        let mut found = |find: &Find| {
            let told = progress.suspend(|| command.file(find));
            trouble = trouble.take().or(told.err());
        };
        explore(&options, &|| interrupt::came() || is_over(), &mut found, &mut |_| progress.inc(1))
    });
    progress.finish_and_clear();
    command.summary(&result, took)?;
    match trouble {
        Some(trouble) => Err(trouble),
        None if interrupt::came() => Ok(INTERRUPTED),
        None if !result.finds.is_empty() => Ok(FAILURE),
        None if result.runs == 0 => Ok(VACUOUS),
        None => Ok(SUCCESS),
    }
}

impl ExploreCommand {
    fn jobs(&self) -> NonZero<usize> {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        self.jobs.and_then(|jobs| NonZero::new(usize::from(jobs))).unwrap_or_else(cores)
    }

    /// Writes the scenario of a find, and tells of it.
    fn file(&self, find: &Find) -> Result<(), Failure> {
        let path = self.found.join(format!("{}.yaml", find.finding.kind.file_name()));
        let defect = self.defect.map(|defect| format!(" --defect {}", defect.to_string().replace(' ', "")));
        let command = format!("halfopen run {}{}", path.display(), defect.unwrap_or_default());
        let (text, finding) = if self.no_shrink {
            (find.to_yaml(&command), find.finding.clone())
        } else {
            let small = shrink(Target { defect: self.defect }, find);
            (small.to_yaml(&command), small.finding)
        };
        write_file(&path, text)?;
        let mut out = anstream::stdout().lock();
        writeln!(out, "FOUND {} (story {})", finding.kind.invariant, find.run)?;
        writeln!(out, "    expected: {}\n    actual:   {}", finding.expected, finding.actual)?;
        writeln!(out, "    {command}")?;
        Ok(())
    }

    fn summary(&self, result: &CampaignResult, took: Duration) -> Result<(), Failure> {
        let runs = usize::try_from(result.runs).unwrap_or(usize::MAX);
        let stories = if runs == 1 { "1 story".to_owned() } else { format!("{runs} stories") };
        writeln!(
            anstream::stdout(),
            "{stories} in {:.1} s ({:.0} a second, seed {}): {} of different kinds; in {} stories a step met nothing",
            took.as_secs_f64(),
            result.runs as f64 / took.as_secs_f64().max(0.001),
            self.seed,
            counted(result.finds.len(), "finding"),
            result.vacuous,
        )?;
        Ok(())
    }
}

/// Returns what tells whether the time is over.
#[expect(clippy::disallowed_types, reason = "a campaign is limited by the machine's clock, outside of any world")]
fn deadline(time: Option<WallTime>) -> impl Fn() -> bool + Sync {
    let begun = std::time::Instant::now();
    move || time.is_some_and(|limit| begun.elapsed() >= limit.0)
}

/// A bar on a terminal; nothing elsewhere.
fn progress(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template =
        if total.is_some() { "{bar:30} {pos} of {len} stories, {eta} left" } else { "{spinner} {pos} stories" };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("30s", 30)]
    #[case("10m", 600)]
    #[case("8h", 28_800)]
    fn time_is_read(#[case] text: &str, #[case] seconds: u64) {
        assert_eq!(text.parse::<WallTime>().map(|time| time.0), Ok(Duration::from_secs(seconds)));
    }

    #[rstest]
    fn time_is_refused(#[values("", "1", "h", "0s", "-1s", "1 h", "1w", "ü")] text: &str) {
        assert!(text.parse::<WallTime>().is_err());
    }
}
