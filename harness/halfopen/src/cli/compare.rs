//! `halfopen diff`, `halfopen meta`, `halfopen replay`: whether two traces are one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use clap::{Args, ValueEnum};

use super::args::{EngineName, ProgramArgs};
use super::artifacts::{EVENTS, MANIFEST, Manifest, SCENARIO};
use super::foreign::Foreign;
use super::output::{FAILURE, Failure, SUCCESS};
use crate::diff::{Class, ComparedRun, Difference, diff};
use crate::plan::Plan;
use crate::run::{Ending, Runner, expand, load};
use crate::scenario::{File, PlanOptions, load_file};
use crate::trace::TraceFile;
use crate::world::Engine;

/// Compare two files with traces: of `halfopen trace --json` or of `halfopen run --json FILE`.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 nothing differs but what is allowed, 1 something else differs, 2 bad input.")]
pub(super) struct DiffArgs {
    /// The old trace.
    old: PathBuf,
    /// The new trace.
    new: PathBuf,
    /// Allow changes of this kind; may be repeated.
    #[arg(long, value_enum, value_name = "CLASS")]
    allow: Vec<ClassName>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
enum ClassName {
    /// The same events in the same order at other times.
    Timing,
    /// The same events in another order.
    Order,
    /// Other events.
    Content,
    /// Another verdict, or a run that is in one file only.
    Verdict,
}

impl From<ClassName> for Class {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::Timing => Self::Timing,
            ClassName::Order => Self::Order,
            ClassName::Content => Self::Content,
            ClassName::Verdict => Self::Verdict,
        }
    }
}

/// Run scenarios twice, in processes that share nothing, and compare the traces.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 both are the same, 1 they differ, 2 bad input.")]
pub(super) struct MetaArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The engine that runs the scenarios.
    #[arg(long, value_enum, default_value_t = EngineName::Sim)]
    engine: EngineName,
    #[command(flatten)]
    program: ProgramArgs,
}

impl MetaArgs {
    /// Returns the variables that programs of others have from this process.
    fn inherited(&self) -> Result<Vec<(String, String)>, Failure> {
        let scenarios = load(&self.paths, PlanOptions::default())?;
        let plans: Vec<Arc<Plan>> = scenarios.into_iter().flat_map(|(_, plans)| plans).map(Arc::new).collect();
        Ok(Foreign::of(&self.program, &plans)?.map_or_else(Vec::new, |foreign| foreign.inherited()))
    }
}

/// Run again what a failing run left behind, and compare.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 the trace is the same, byte for byte; 1 it differs, 2 bad input.")]
pub(super) struct ReplayArgs {
    /// The folder of the failed run.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Compares two files.
pub(super) fn diff_files(args: &DiffArgs) -> Result<u8, Failure> {
    let (old, new) = match (runs(&args.old), runs(&args.new)) {
        (Ok(old), Ok(new)) => (old, new),
        (Err(Failure::Input(old)), Err(Failure::Input(new))) => return Err(Failure::Input(format!("{old}\n{new}"))),
        (Err(failure), _) | (_, Err(failure)) => return Err(failure),
    };
    let allowed: BTreeSet<Class> = args.allow.iter().map(|class| (*class).into()).collect();
    let found = diff(&old, &new);
    say(&found, &allowed)?;
    let is_fine = found.iter().all(|difference| allowed.contains(&difference.class));
    Ok(if is_fine { SUCCESS } else { FAILURE })
}

/// Runs everything twice.
pub(super) fn meta(args: &MetaArgs) -> Result<u8, Failure> {
    let one = traces(args, &["--hash"], &[])?;
    // What a run must not depend on. The second process has another environment, other addresses and other hash keys.
    let other = [("TZ", "Pacific/Kiritimati"), ("LANG", "tr_TR.UTF-8"), ("RUST_LOG", "trace"), ("COLUMNS", "40")];
    let two = traces(args, &["--hash"], &other)?;
    let mut out = anstream::stdout().lock();
    if one == two {
        let runs = one.lines().count();
        let events: u64 = one.lines().filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum();
        writeln!(out, "{runs} runs, the same twice: {events} events, and the hashes of all traces are equal")?;
        return Ok(SUCCESS);
    }
    drop(out);
    let events = |environment| {
        let lines = traces(args, &["--json"], environment)?;
        crate::diff::read(&lines).map_err(|error| Failure::Input(error.to_string()))
    };
    let found = diff(&events(&[])?, &events(&other)?);
    say(&found, &BTreeSet::new())?;
    if found.is_empty() {
        return Err(Failure::Input("the traces differ in something that is no event".to_owned()));
    }
    Ok(FAILURE)
}

/// Returns what `halfopen trace` with these flags prints in a process with these variables and no others.
fn traces(args: &MetaArgs, flags: &[&str], environment: &[(&str, &str)]) -> Result<String, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::File { path: PathBuf::from("halfopen"), error })?;
    let engine = match args.engine {
        EngineName::Sim => "sim",
        EngineName::Turmoil => "turmoil",
    };
    let mut command = Command::new(&program);
    command
        .args(["trace", "--engine", engine])
        .args(flags)
        .args(args.program.again())
        .arg("--")
        .args(&args.paths)
        .env_clear()
        .envs(environment.iter().copied())
        .envs(args.inherited()?)
        .stdin(Stdio::null())
        .stderr(Stdio::piped());
    let output = command.output().map_err(|error| Failure::File { path: program, error })?;
    if !output.status.success() {
        let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
        return Err(Failure::Input(String::from_utf8_lossy(said).trim_end().to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs again what is in a folder.
pub(super) fn replay(args: &ReplayArgs) -> Result<u8, Failure> {
    let place = args.folder.join(MANIFEST);
    let bad = |error: serde_json::Error| Failure::Input(format!("{}: {error}", place.display()));
    let manifest: Manifest = serde_json::from_str(&read(&place)?).map_err(bad)?;
    let file = scenario_file(&args.folder, &manifest);
    let scenario = load_file(&File { path: file, name: manifest.scenario.clone() }, &BTreeMap::new())?;
    // A seed that is an axis stands in the name, and is found there.
    let fixed = Some(manifest.seed).filter(|_| !manifest.run.contains(" seed="));
    let plans = expand(scenario.plans(PlanOptions { seed: fixed })?)?;
    let plan = plans.into_iter().find(|plan| plan.run.to_string() == manifest.run && plan.seed.0 == manifest.seed);
    let plan = plan.ok_or_else(|| Failure::NothingToRun(manifest.run.clone()))?;
    let defect = manifest.defect.as_deref().map(str::parse).transpose();
    let defect = defect.map_err(|error| Failure::Input(format!("{}: {error}", place.display())))?;
    let plan = Arc::new(plan);
    let engine = if manifest.engine == Engine::Turmoil.to_string() { Engine::Turmoil } else { Engine::Sim };
    let finished = Runner { defect, ..Runner::new(engine) }.run(&plan);
    let trace = match &finished.ending {
        Ending::Judged(trace, _) => TraceFile::new(&plan, trace.clone()),
        Ending::Skipped(error) | Ending::Broken(error) => return Err(Failure::Engine(error.clone())),
        Ending::Passed { .. } => unreachable!("its trace is kept"),
    };
    let now = trace.write().map_err(|error| Failure::Input(error.to_string()))?;
    let then = read(&args.folder.join(EVENTS))?;
    let mut out = anstream::stdout().lock();
    writeln!(out, "{} {}", finished.verdict().word(), manifest.run)?;
    if now == then {
        writeln!(out, "the trace is the same, byte for byte ({} bytes)", now.len())?;
        return Ok(SUCCESS);
    }
    writeln!(out, "the trace is not the one that was left")?;
    drop(out);
    say(&diff(&runs(&args.folder.join(EVENTS))?, &[ComparedRun::from(&trace)]), &BTreeSet::new())?;
    Ok(FAILURE)
}

/// The file as it is now, if it and what it includes are what they were; otherwise those that were kept.
fn scenario_file(folder: &Path, manifest: &Manifest) -> PathBuf {
    let is_same = |now: &Path, then: &Path| {
        fs::read(now).is_ok_and(|now| fs::read(folder.join(then)).is_ok_and(|then| now == then))
    };
    let kept = manifest.sources.first().map_or(Path::new(SCENARIO), |source| &source.kept);
    let are_same = manifest.sources.iter().all(|source| is_same(&source.file, &source.kept));
    if are_same && is_same(&manifest.file, kept) { manifest.file.clone() } else { folder.join(kept) }
}

/// Reads the runs of a file to compare.
fn runs(path: &Path) -> Result<Vec<ComparedRun>, Failure> {
    let bytes = fs::read(path).map_err(|error| Failure::File { path: path.to_owned(), error })?;
    let bad = |error: &dyn std::fmt::Display| Failure::Input(format!("{}: {error}", path.display()));
    let text = std::str::from_utf8(&bytes).map_err(|error| bad(&error))?;
    crate::diff::read(text).map_err(|error| bad(&error))
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::File { path: path.to_owned(), error })
}

/// Prints what differs, and how often what.
fn say(found: &[Difference], allowed: &BTreeSet<Class>) -> Result<(), Failure> {
    let mut out = anstream::stdout().lock();
    for difference in found {
        write!(out, "{difference}")?;
    }
    let counts: Vec<String> = Class::ALL
        .iter()
        .map(|class| (class, found.iter().filter(|difference| difference.class == *class).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(class, count)| {
            let note = if allowed.contains(class) { ", allowed" } else { "" };
            format!("{count} in {}{note}", class.word())
        })
        .collect();
    match counts.is_empty() {
        true => writeln!(out, "nothing differs")?,
        false => writeln!(out, "{} runs differ: {}", found.len(), counts.join("; "))?,
    }
    Ok(out.flush()?)
}
