//! `halfopen explore`.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use halfopen_explore::{
    CampaignOptions, CampaignResult, Find, Finding, Mark, OtherPrograms, STORY_EVENTS, Target, disturbed, explore,
    plan_of, shrink,
};
use quick_junit::{NonSuccessKind, Report as Document, TestCase, TestCaseStatus, TestSuite};

use super::args::ProgramArgs;
use super::commands::{counted, timed};
use super::foreign::Foreign;
use super::interrupt;
use super::options::Shard;
use super::output::{FAILURE, Failure, INTERRUPTED, SUCCESS, VACUOUS, write_file};
use super::progress::progress;
use crate::defects::Defect;
use crate::plan::Seed;
use crate::report::model::{Detail, Report, RunRecord, SourceRecord};
use crate::report::{CampaignSummary, html_of_campaign};
use crate::run::{Runner, load};
use crate::scenario::ast::File;
use crate::scenario::{Comments, PlanOptions, Scenario, load_all};

/// The exit codes, for `--help`.
const EXIT_CODES: &str = "\
Exit codes:
    0  nothing was found
    1  something was found; it stands in files below --found
    2  bad input: an argument is wrong
    3  the stories reached nothing, or there were none
    4  a file could not be written
  130  interrupted; what was found by then is kept";

/// Number of stories that are run where neither `--runs` nor `--time` is given.
const RUNS: u64 = 1_000;

/// The flags of `halfopen explore`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct ExploreCommand {
    /// Scenarios to add faults to, instead of drawing whole stories: files or folders. Each of their runs is a story;
    /// those with fragments are left out.
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
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
    /// Let every second story begin as one that reached something new, and go on otherwise.
    #[arg(long, conflicts_with = "paths")]
    guided: bool,
    /// Run only this part of the stories, such as `3/16`: the third of sixteen. All parts together are the campaign.
    #[arg(long, value_name = "K/N")]
    shard: Option<Shard>,
    /// Folder of stories that are run first; afterwards, those that reached something new are added to it.
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Write the result of the campaign to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the result of the campaign to this file, as JUnit: a test case for each kind of finding.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a page to this file: how what the campaign reached grew, and the pictures of what was found.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Folder for what is found: one scenario for each kind of finding.
    #[arg(long, value_name = "DIR", default_value = "found")]
    found: PathBuf,
    /// Switch on a defect in the project's brokers or clients, such as `broker:will_lost`, to see whether it is found.
    #[arg(long, value_name = "SIDE:NAME")]
    defect: Option<Defect>,
    #[command(flatten)]
    program: ProgramArgs,
}

/// The scenarios that no faults can be added to.
const LEFT_OUT: &str = "they have fragments, no steps, or only runs of `any_order` or `sweep`";

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

/// Maximum number of stories that a corpus gains from one campaign.
const ADDED: usize = 200;

/// Draws stories, runs them, and files what the invariants find.
pub(super) fn run(command: &ExploreCommand) -> Result<u8, Failure> {
    interrupt::watch();
    let bases = command.bases()?;
    let target = Target { defect: command.defect, programs: command.other_programs()? };
    starts(&target)?;
    let runs = command.runs.unwrap_or(if command.time.is_some() { u64::MAX } else { RUNS });
    let shard = command.shard.map_or((1, 1), |shard| (shard.number, shard.of));
    let options = CampaignOptions {
        is_swarm_on: !command.no_swarm,
        is_guided: command.guided,
        shard,
        bases: Arc::new(bases),
        ..CampaignOptions::new(command.seed, runs, command.jobs(), target.clone())
    };
    let total = command.runs.or(command.time.is_none().then_some(RUNS)).map(|runs| runs.div_ceil(shard.1));
    let look = if total.is_some() { "{bar:30} {pos} of {len} stories, {eta} left" } else { "{spinner} {pos} stories" };
    let progress = progress(total, look);
    let is_over = deadline(command.time);
    let mut filed = Vec::new();
    let mut trouble = command.replay(&target, &mut filed).err();
    let (result, took) = timed(|| {
        let mut found = |find: &Find| {
            let one = progress.suspend(|| match filed.iter().find(|one: &&Filed| one.shows(&find.finding)) {
                Some(known) => known.with(find),
                None => command.file(&target, find),
            });
            match one {
                Ok(one) => filed.push(one),
                Err(error) => trouble = trouble.take().or(Some(error)),
            }
        };
        explore(&options, &|| interrupt::came() || is_over(), &mut found, &mut |_| progress.inc(1))
    });
    progress.finish_and_clear();
    command.summary(&result, took)?;
    let written = command.write(&options, &result, &filed, took);
    match trouble {
        Some(trouble) => Err(trouble),
        None => written.map(|()| match () {
            () if interrupt::came() => INTERRUPTED,
            () if !filed.is_empty() => FAILURE,
            // A campaign that came nowhere shows nothing.
            () if result.reached.states.is_empty() => VACUOUS,
            () => SUCCESS,
        }),
    }
}

/// Runs nearly nothing, so that programs which do not even start are no findings.
///
/// # Errors
/// If they do not start.
fn starts(target: &Target) -> Result<(), Failure> {
    if target.programs.is_none() {
        return Ok(());
    }
    let story = |version| format!("mqtt: {version}\nclients: {{ app: {{}} }}\nsteps:\n  - wait: 1s\n");
    // Some speak one of the versions.
    let judged = ["3.1.1", "5.0"].map(|version| plan_of("start", story(version)).map(|plan| target.judge(&plan)));
    let asked = judged.into_iter().flatten().find(|judged| !judged.is_unasked);
    let broken = asked.and_then(|judged| judged.findings.into_iter().find(|finding| finding.kind.is_of_engine()));
    broken.map_or(Ok(()), |finding| Err(Failure::Input(finding.actual)))
}

/// A find that has been filed.
struct Filed {
    find: Find,
    finding: Finding,
    path: PathBuf,
    command: String,
    /// Number of lines of the file, without those at its head; nothing if it was not made small.
    lines: Option<usize>,
    /// The other findings of its run.
    also: Vec<Finding>,
}

impl Filed {
    /// Returns whether the file shows a finding of the same kind.
    fn shows(&self, finding: &Finding) -> bool {
        self.also.iter().any(|also| also.kind == finding.kind)
    }

    /// Tells of a find that the file of this one shows, too.
    fn with(&self, find: &Find) -> Result<Self, Failure> {
        let shown = self.also.iter().find(|also| also.kind == find.finding.kind);
        let finding = shown.unwrap_or(&find.finding).clone();
        told(find, &finding, &format!("in the file of another finding, {}", self.path.display()))?;
        let (path, command) = (self.path.clone(), self.command.clone());
        Ok(Self { find: find.clone(), finding, path, command, lines: self.lines, also: Vec::new() })
    }
}

/// Tells of a find, and where it is.
fn told(find: &Find, finding: &Finding, place: &str) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "FOUND {} (story {})", finding.kind.invariant, find.run)?;
    writeln!(out, "    expected: {}\n    actual:   {}\n    {place}", finding.expected, finding.actual)?;
    Ok(())
}

impl ExploreCommand {
    fn jobs(&self) -> NonZero<usize> {
        let cores = || std::thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        self.jobs.and_then(|jobs| NonZero::new(usize::from(jobs))).unwrap_or_else(cores)
    }

    /// Reads the scenarios that faults are added to.
    fn bases(&self) -> Result<Vec<Vec<File>>, Failure> {
        if self.paths.is_empty() {
            return Ok(Vec::new());
        }
        let all = load_all(&self.paths, PlanOptions::default())?;
        let count = all.len();
        let is_base = |file: &File| disturbed(file, Seed(0)).is_some();
        let runs_of = |(scenario, _): (Scenario, _)| scenario.single_runs().into_iter().filter(is_base).collect();
        let runs: Vec<Vec<File>> = all.into_iter().map(runs_of).filter(|runs: &Vec<File>| !runs.is_empty()).collect();
        if runs.is_empty() {
            let why = format!("faults can be added to none of the {count} scenarios: {LEFT_OUT}");
            return Err(Failure::Input(why));
        }
        if runs.len() < count {
            writeln!(anstream::stderr(), "{} of {count} scenarios are left out: {LEFT_OUT}", count - runs.len())?;
        }
        Ok(runs)
    }

    /// Returns what makes stories for the programs that take the place of the project's, if any do.
    fn other_programs(&self) -> Result<Option<OtherPrograms>, Failure> {
        let Some(foreign) = Foreign::of(&self.program, &[])? else { return Ok(None) };
        foreign.refuse_defect(self.defect)?;
        self.program.print_tolerance()?;
        let args = self.program.clone();
        Ok(Some(OtherPrograms::new(move |plan| foreign.adapt(&args, plan))))
    }

    /// Runs the stories of the corpus, and files what they show.
    fn replay(&self, target: &Target, filed: &mut Vec<Filed>) -> Result<(), Failure> {
        let Some(folder) = self.corpus.as_ref().filter(|folder| folder.is_dir()) else { return Ok(()) };
        let mut known = BTreeSet::new();
        for (scenario, plans) in load_all(std::slice::from_ref(folder), PlanOptions::default())? {
            for plan in plans {
                for finding in target.judge(&Arc::new(plan)).findings {
                    if known.insert(finding.kind.clone()) {
                        filed.push(self.file(target, &Find { run: 0, file: scenario.file.clone(), finding })?);
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes the scenario of a find, and tells of it.
    fn file(&self, target: &Target, find: &Find) -> Result<Filed, Failure> {
        let path = self.found.join(format!("{}.yaml", find.finding.kind.file_name()));
        let mut command = format!("halfopen run {}", path.display());
        if let Some(defect) = self.defect {
            command.push_str(&format!(" --defect {}", defect.to_string().replace(' ', "")));
        }
        for argument in self.program.again() {
            command.push_str(&format!(" {argument}"));
        }
        let (text, finding, lines, also) = if self.no_shrink {
            (find.to_yaml(&command), find.finding.clone(), None, Vec::new())
        } else {
            let small = shrink(target, find, &interrupt::came);
            let text = small.to_yaml(&command);
            let lines = small.lines();
            (text, small.finding, Some(lines), small.also)
        };
        write_file(&path, text)?;
        told(find, &finding, &command)?;
        Ok(Filed { find: find.clone(), finding, path, command, lines, also })
    }

    /// Writes the files that are asked for.
    fn write(
        &self,
        options: &CampaignOptions,
        result: &CampaignResult,
        filed: &[Filed],
        took: Duration,
    ) -> Result<(), Failure> {
        if let Some(folder) = &self.corpus {
            for recipe in result.kept.iter().take(ADDED) {
                let Some(file) = options.file(recipe) else { continue };
                let text = file.to_yaml(&Comments::default());
                let mark = Seed(0).derive(&text).0 >> 32;
                write_file(&folder.join(format!("story-{mark:08x}.yaml")), text)?;
            }
        }
        if let Some(path) = &self.json {
            let json = serde_json::to_string_pretty(&self.to_json(result, filed, took)).expect("a result is JSON");
            write_file(path, format!("{json}\n"))?;
        }
        if let Some(path) = &self.junit {
            write_file(path, self.to_junit(result, filed, took))?;
        }
        if let Some(path) = &self.html {
            write_file(path, self.to_html(result, filed, took))?;
        }
        Ok(())
    }

    fn to_json(&self, result: &CampaignResult, filed: &[Filed], took: Duration) -> serde_json::Value {
        let finding = |one: &Filed| {
            serde_json::json!({
                "invariant": one.finding.kind.invariant,
                "expected": one.finding.expected,
                "actual": one.finding.actual,
                "stories": result.kinds.get(&one.finding.kind).copied().unwrap_or(1),
                "first_story": one.find.run,
                "file": one.path.display().to_string(),
                "lines": one.lines,
                "command": one.command,
            })
        };
        serde_json::json!({
            "format": 1,
            "seed": self.seed,
            "shard": self.shard.map_or("1/1".to_owned(), |shard| format!("{}/{}", shard.number, shard.of)),
            "stories": result.runs,
            "seconds": took.as_secs_f64(),
            "met_nothing": result.vacuous,
            "cut": result.cut,
            "unasked": result.unasked,
            "notes": result.notes,
            "events": result.events,
            "states": result.reached.states.len(),
            "growth": result.growth,
            "reached": marks(result, true),
            "not_reached": marks(result, false),
            "findings": filed.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    fn to_junit(&self, result: &CampaignResult, filed: &[Filed], took: Duration) -> String {
        let mut suite = TestSuite::new("explore");
        for one in filed {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(one.finding.expected.clone()).set_type(one.finding.kind.invariant.clone());
            status.set_description(format!("{}\n{}", one.finding.actual, one.command));
            suite.add_test_case(TestCase::new(one.finding.kind.file_name(), status));
        }
        if filed.is_empty() {
            let mut case =
                TestCase::new(format!("{} stories of seed {}", result.runs, self.seed), TestCaseStatus::success());
            case.set_time(took);
            suite.add_test_case(case);
        }
        let mut document = Document::new("halfopen explore");
        document.add_test_suite(suite);
        document.to_string().unwrap_or_default()
    }

    /// Returns the page: the files that were found are run once more, with their pictures.
    fn to_html(&self, result: &CampaignResult, filed: &[Filed], took: Duration) -> String {
        let mut report = Report::default();
        let runner = Runner { defect: self.defect, ..Runner::default() };
        let detail = Detail { events: true, diagram: true, text: true };
        let read = |one: &Filed| load(&[&one.path], PlanOptions::default()).unwrap_or_default();
        for (scenario, plans) in filed.iter().flat_map(read) {
            for plan in plans {
                let source = SourceRecord::of(&plan);
                let plan = Arc::new(plan);
                let foreign = self.other_programs().ok().flatten().map(|programs| programs.adapt(&plan));
                let run = match foreign {
                    None => runner.run(&plan),
                    Some(Ok((plan, programs))) => Runner { programs_under_test: programs, ..runner.clone() }.run(&plan),
                    Some(Err(_)) => continue,
                };
                let record = RunRecord::new(&run, &scenario.about, 0, Duration::ZERO, detail);
                report.add(record, source);
            }
        }
        let names = |is_reached| marks(result, is_reached);
        html_of_campaign(
            &report,
            &CampaignSummary {
                line: self.headline(result, took),
                growth: result.growth.clone(),
                reached: names(true),
                missing: names(false),
            },
        )
    }

    /// Says on one line how many stories were run, and what was found.
    fn headline(&self, result: &CampaignResult, took: Duration) -> String {
        let runs = usize::try_from(result.runs).unwrap_or(usize::MAX);
        let stories = if runs == 1 { "1 story".to_owned() } else { format!("{runs} stories") };
        format!(
            "{stories} in {:.1} s ({:.0} a second, seed {}): {} of different kinds; in {} stories a step met nothing",
            took.as_secs_f64(),
            result.runs as f64 / took.as_secs_f64().max(0.001),
            self.seed,
            counted(result.finds.len(), "finding"),
            result.vacuous,
        )
    }

    fn summary(&self, result: &CampaignResult, took: Duration) -> Result<(), Failure> {
        writeln!(anstream::stdout(), "{}", self.headline(result, took))?;
        let growth: Vec<String> =
            result.growth.iter().rev().take(5).rev().map(|(runs, states)| format!("{states} after {runs}")).collect();
        let missing = marks(result, false);
        let marks = Mark::all().count();
        if result.cut > 0 {
            writeln!(anstream::stdout(), "stories that were ended after {STORY_EVENTS} events: {}", result.cut)?;
        }
        if result.unasked > 0 {
            writeln!(anstream::stdout(), "stories that the program cannot be asked: {}", result.unasked)?;
        }
        for note in &result.notes {
            writeln!(anstream::stdout(), "note: {note}")?;
        }
        writeln!(anstream::stdout(), "states of connections under faults: {}", growth.join(", "))?;
        writeln!(anstream::stdout(), "marks reached: {} of {marks}", marks - missing.len())?;
        if !missing.is_empty() {
            writeln!(anstream::stdout(), "    not reached: {}", missing.join("; "))?;
        }
        Ok(())
    }
}

/// Returns the marks that a campaign has reached, or those that it has not.
fn marks(result: &CampaignResult, is_reached: bool) -> Vec<String> {
    let of = |mark: &Mark| result.reached.marks.contains(mark) == is_reached;
    Mark::all().filter(of).map(|mark| mark.to_string()).collect()
}

/// Returns what tells whether the time is over.
#[expect(clippy::disallowed_types, reason = "a campaign is limited by the machine's clock, outside of any world")]
fn deadline(time: Option<WallTime>) -> impl Fn() -> bool + Sync {
    let begun = std::time::Instant::now();
    move || time.is_some_and(|limit| begun.elapsed() >= limit.0)
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
