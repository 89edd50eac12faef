//! `halfopen why`.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::args::{ProgramArgs, SetArgs, tolerance};
use super::foreign::Foreign;
use super::interrupt;
use super::output::{Failure, INTERRUPTED, SUCCESS, write_file};
use super::progress::progress;
use crate::check::{Outcome, Verdict};
use crate::defects::Defect;
use crate::plan::{Plan, Position};
use crate::report::diagram::{marked_scene, svg};
use crate::report::model::{Detail, Report, RunRecord, SourceRecord};
use crate::report::{WhySummary, html_of_failure};
use crate::run::{Ending, Finished, Runner, load_set};
use crate::scenario::{About, PlanOptions};
use crate::trace::{Trace, TraceLine, trace_lines};
use crate::why::{Share, Why, WhyOptions};

/// The exit codes, for `--help`.
const EXIT_CODES: &str = "\
Exit codes:
    0  the answer is printed
    2  bad input: a scenario or an argument is wrong, or the run does not fail
    4  the engine failed, or a file could not be written
  130  interrupted; the answer is from the runs until then";

/// The flags of `halfopen why`.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct WhyCommand {
    /// The scenario file, one of whose runs fails.
    #[arg(value_name = "FILE")]
    path: PathBuf,
    /// Use the first run whose name contains this text, instead of the first that fails.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The seed of everything random, instead of the seeds in the file.
    #[arg(long)]
    seed: Option<u64>,
    #[command(flatten)]
    set: SetArgs,
    /// Switch on a defect in the project's brokers or clients, such as `broker:will_lost`.
    #[arg(long, value_name = "SIDE:NAME")]
    defect: Option<Defect>,
    /// Number of runs at most.
    #[arg(long, value_name = "N", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Let each packet travel up to this longer than its link says, as `10ms` or `1s`. With `0ms` only jitter and losses of the
    /// scenario itself are drawn anew.
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = tolerance)]
    spread: Duration,
    /// Write the answer to this file, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the picture of the run to this file, with the events at which the failure became likely and certain.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Write the answer and the picture to this file, as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    #[command(flatten)]
    program: ProgramArgs,
}

/// The programs that a run is made with.
struct Programs<'a> {
    args: &'a ProgramArgs,
    defect: Option<Defect>,
    foreign: Option<Foreign>,
}

impl Programs<'_> {
    /// Returns a plan as the programs can be asked it, and what runs it.
    fn runner(&self, plan: &Arc<Plan>) -> Result<(Arc<Plan>, Runner), String> {
        let own = Runner { defect: self.defect, ..Runner::default() };
        let Some(foreign) = &self.foreign else { return Ok((Arc::clone(plan), own)) };
        let (plan, programs_under_test) = foreign.adapt(self.args, plan)?;
        Ok((plan, Runner { programs_under_test, ..own }))
    }
}

/// A run that fails, and the lines of its trace.
struct Failing {
    /// The plan of the file, and as the programs can be asked it.
    asked: Arc<Plan>,
    plan: Arc<Plan>,
    about: About,
    trace: Trace,
    outcome: Outcome,
    lines: Vec<TraceLine>,
}

/// Says at which event of a run its failure became likely, and when certain.
pub(super) fn run(command: &WhyCommand) -> Result<u8, Failure> {
    interrupt::watch();
    let programs = command.programs()?;
    let failing = command.failing(&programs)?;
    let bar = progress(Some(u64::from(command.runs)), "{bar:30} {pos} of at most {len} runs");
    let options = WhyOptions { runs: command.runs as usize, spread: command.spread };
    let again = |variation| {
        programs
            .runner(&failing.asked)
            .ok()
            .and_then(|(plan, runner)| Runner { variation: Some(variation), ..runner }.outcome(&plan).ok())
    };
    let why = Why::find(failing.plan.seed, &failing.lines, &failing.outcome, options, &again, &mut |done| {
        bar.set_position(done as u64);
        !interrupt::came()
    });
    bar.finish_and_clear();
    let why = why.ok_or_else(|| Failure::Input(format!("{} does not fail", failing.plan.run)))?;
    anstream::stdout().write_all(command.text(&failing, &why).as_bytes())?;
    if let Some(path) = &command.json {
        let json = serde_json::to_string_pretty(&to_json(&failing, &why)).expect("an answer is JSON");
        write_file(path, format!("{json}\n"))?;
    }
    if let Some(path) = &command.svg {
        let scene = marked_scene(&failing.plan, &failing.trace, &marks(&failing, &why));
        write_file(path, svg(&scene, &failing.plan.run.to_string()))?;
    }
    if let Some(path) = &command.html {
        write_file(path, command.page(&failing, &why))?;
    }
    Ok(if interrupt::came() { INTERRUPTED } else { SUCCESS })
}

impl WhyCommand {
    /// Returns the programs that are asked for.
    fn programs(&self) -> Result<Programs<'_>, Failure> {
        let foreign = Foreign::of(&self.program, &[])?;
        if let Some(foreign) = &foreign {
            foreign.refuse_defect(self.defect)?;
            self.program.print_tolerance()?;
        }
        Ok(Programs { args: &self.program, defect: self.defect, foreign })
    }

    /// Returns the run that is asked about.
    fn failing(&self, programs: &Programs<'_>) -> Result<Failing, Failure> {
        let scenarios = load_set(&[&self.path], PlanOptions { seed: self.seed }, &self.set.values())?;
        let only = self.only.as_deref().unwrap_or_default();
        let plans = scenarios.iter().flat_map(|(scenario, plans)| plans.iter().map(|plan| (&scenario.about, plan)));
        let mut verdicts = Vec::new();
        for (about, plan) in plans.filter(|(_, plan)| plan.run.to_string().contains(only)) {
            let asked = Arc::new(plan.clone());
            let (plan, runner) = match programs.runner(&asked) {
                Ok(ready) => ready,
                Err(why) => {
                    verdicts.push(format!("{} cannot be asked: {why}", asked.run));
                    continue;
                }
            };
            let (trace, outcome) = match runner.run(&plan).ending {
                Ending::Judged(trace, outcome) => (trace, outcome),
                Ending::Passed { .. } => unreachable!("its trace is kept"),
                Ending::Skipped(error) | Ending::Broken(error) => return Err(error.into()),
            };
            if !outcome.violations.is_empty() {
                let lines = trace_lines(&plan, &trace);
                return Ok(Failing { asked, plan, about: about.clone(), trace, outcome, lines });
            }
            let verdict =
                if outcome.verdict == Verdict::Vacuous { "is vacuous (nothing was tested)" } else { "passes" };
            verdicts.push(format!("{} {verdict}", plan.run));
            if self.only.is_some() {
                break;
            }
        }
        match verdicts.as_slice() {
            [] => Err(Failure::NothingToRun(only.to_owned())),
            [one] => Err(Failure::Input(format!("{one}: there is no failure to explain"))),
            [first, ..] => {
                let count = verdicts.len();
                let why = format!(
                    "none of the {count} runs fails, the first of which {first}: there is no failure to explain"
                );
                Err(Failure::Input(why))
            }
        }
    }

    /// Returns the answer as text.
    fn text(&self, failing: &Failing, why: &Why) -> String {
        let Violation { text, expected, actual, position } = Violation::of(failing, why);
        let mut answer = format!("{} seed={}\n", failing.plan.run, failing.plan.seed.0);
        let _ = write!(answer, "{position}: {text}\n  expected: {expected}\n  actual:   {actual}\n\n");
        let runs: usize = why.shares.values().map(|share| share.runs).sum();
        let _ = writeln!(
            answer,
            "{runs} runs begin as this one up to a line of its trace. Then travel times and losses are drawn anew, and each \
             packet travels up to {} ms longer. Share of those that fail:\n",
            self.spread.as_millis()
        );
        for (place, share) in &why.shares {
            let _ = writeln!(answer, "{:>5.0} %  {}", share.of_all() * 100.0, line(failing, *place));
        }
        answer.push('\n');
        for said in answer_in_sentences(failing, why) {
            answer.push_str(&said);
            answer.push('\n');
        }
        answer
    }

    /// Returns the answer as a page, with the picture of the run.
    fn page(&self, failing: &Failing, why: &Why) -> String {
        let ending = Ending::Judged(failing.trace.clone(), failing.outcome.clone());
        let run = Finished { plan: Arc::clone(&failing.plan), defect: self.defect, ending };
        let detail = Detail { events: true, diagram: false, text: true };
        let mut record = RunRecord::new(&run, &failing.about, 0, Duration::ZERO, detail);
        record.diagram = Some(marked_scene(&failing.plan, &failing.trace, &marks(failing, why)));
        let mut report = Report::default();
        report.add(record, SourceRecord::of(&failing.plan));
        let share = |(place, share): (&usize, &Share)| (*place, share.of_all(), line(failing, *place));
        let shares = why.shares.iter().map(share).collect();
        html_of_failure(&report, &WhySummary { answer: answer_in_sentences(failing, why), shares })
    }
}

/// The failure that is asked about, for print.
struct Violation<'a> {
    position: String,
    text: &'a str,
    expected: &'a str,
    actual: &'a str,
}

impl<'a> Violation<'a> {
    fn of(failing: &Failing, why: &'a Why) -> Self {
        let failure = &why.failure;
        let path = &failing.plan.source_of(failure.position).path;
        let position = match failure.position {
            Position { line: 0, .. } => path.clone(),
            Position { line, column, .. } => format!("{path}:{line}:{column}"),
        };
        Self { position, text: &failure.text, expected: &failure.expected, actual: &failure.actual }
    }
}

/// Returns how the line of a trace is shown up to which runs are the same.
fn line(failing: &Failing, place: usize) -> String {
    match place.checked_sub(1).and_then(|last| failing.lines.get(last)) {
        None => "before anything happens".to_owned(),
        Some(line) => format!("{:>9.3}  {}", line.at.as_secs_f64(), line.text),
    }
}

/// Returns when the failure became likely and when certain, a sentence each.
fn answer_in_sentences(failing: &Failing, why: &Why) -> Vec<String> {
    if why.certain().is_none() {
        let from_the_beginning = "The failure is certain (all of the runs fail) from the beginning: no travel time and no loss that \
                                  was drawn changes it. It follows from the steps and the programs; a larger --spread may change \
                                  it.";
        return vec![from_the_beginning.to_owned()];
    }
    vec![
        sentence("likely (half of the runs fail)", failing, why.likely()),
        sentence("certain (all of the runs fail)", failing, why.certain()),
    ]
}

/// Returns when the failure became so, as a sentence.
fn sentence(what: &str, failing: &Failing, turn: Option<std::ops::Range<usize>>) -> String {
    match turn {
        None => format!("The failure is {what} from the beginning."),
        Some(turn) if turn.end - turn.start > 1 => {
            let from = line(failing, turn.start + 1);
            format!("The failure becomes {what} between\n  {from}\nand\n  {}", line(failing, turn.end))
        }
        Some(turn) => format!("The failure becomes {what} with\n  {}", line(failing, turn.end)),
    }
}

/// Returns what is written at which events of the picture.
fn marks(failing: &Failing, why: &Why) -> Vec<(usize, String)> {
    let event = |place: usize| place.checked_sub(1).and_then(|last| failing.lines.get(last)).map(|line| line.event);
    let share = |place: &usize| why.shares.get(place).copied().unwrap_or_default().of_all() * 100.0;
    let mark = |word: &str, turn: Option<std::ops::Range<usize>>| {
        let turn = turn?;
        let text = format!("failure {word}: {:.0} % fail before, {:.0} % after", share(&turn.start), share(&turn.end));
        Some((event(turn.end)?, text))
    };
    match (why.likely(), why.certain()) {
        (likely, certain) if likely == certain => mark("certain", certain).into_iter().collect(),
        (likely, certain) => mark("likely", likely).into_iter().chain(mark("certain", certain)).collect(),
    }
}

fn to_json(failing: &Failing, why: &Why) -> serde_json::Value {
    let at = |place: usize| {
        let line = place.checked_sub(1).and_then(|last| failing.lines.get(last));
        line.map(|line| json!({ "event": line.event, "at_ms": line.at.as_millis() as u64, "text": line.text.trim() }))
    };
    let share =
        |(place, share): (&usize, &Share)| json!({ "after": at(*place), "runs": share.runs, "failed": share.failed });
    let turn = |turn: Option<std::ops::Range<usize>>| {
        turn.map(|turn| json!({ "first_possible": at(turn.start + 1), "at_the_latest": at(turn.end) }))
    };
    json!({
        "format": 1,
        "run": failing.plan.run.to_string(),
        "seed": failing.plan.seed.0,
        "failure": { "text": why.failure.text, "expected": why.failure.expected, "actual": why.failure.actual },
        "shares": why.shares.iter().map(share).collect::<Vec<_>>(),
        "likely": turn(why.likely()),
        "certain": turn(why.certain()),
    })
}
