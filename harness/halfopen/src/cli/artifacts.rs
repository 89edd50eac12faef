//! What runs leave behind: a folder for each that does not pass, and the list of those.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::output::{Failure, write_file};
use crate::plan::Plan;
use crate::report::model::{Detail, Report, RunRecord, SourceRecord};
use crate::report::{Pictures, html, pcapng};
use crate::run::{Ending, Finished};
use crate::scenario::{About, tidy};
use crate::trace::{Trace, TraceFile, text};
use crate::world::Engine;

/// The file that tells how to run it again.
pub(super) const MANIFEST: &str = "run.json";
/// The trace as text, for people.
const TRACE: &str = "trace.txt";
/// The trace event by event, for `halfopen replay` and `halfopen diff`.
pub(super) const EVENTS: &str = "trace.jsonl";
/// The scenario as it was, under a name that `halfopen run .` does not take for another scenario.
pub(super) const SCENARIO: &str = "scenario.yaml.txt";
/// The folder for a scenario that includes fragments, each where it was as seen from the others. Scenarios are
/// not looked for in a folder of this name.
const SOURCES: &str = "lib";
/// The list of runs that did not pass the last time, a name a line.
const FAILED: &str = "failed.txt";

/// The data needed to run a run again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The name.
    pub(super) run: String,
    /// The scenario's name.
    pub(super) scenario: String,
    /// The scenario file.
    pub(super) file: PathBuf,
    /// The file and the fragments that it includes, each with the place in the folder where it is kept.
    #[serde(default)]
    pub(super) sources: Vec<Kept>,
    /// The seed.
    pub(super) seed: u64,
    /// The engine, as the command line names it.
    pub(super) engine: String,
    /// The defect that was switched on.
    #[serde(default)]
    pub(super) defect: Option<String>,
    /// The command that runs it again.
    pub(super) command: String,
}

/// A file that is kept.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Kept {
    /// The path of the scenario.
    pub(super) file: PathBuf,
    /// The place of its copy in the folder of the run.
    pub(super) kept: PathBuf,
}

/// Leaves the folder of a run.
pub(super) fn leave(
    folder: &Path,
    run: &Finished,
    about: &About,
    took: Duration,
    engine: Engine,
) -> Result<(), Failure> {
    let plan = &run.plan;
    let detail = Detail { events: true, diagram: true, text: true };
    let record = RunRecord::new(run, about, 0, took, detail);
    let manifest = Manifest {
        run: record.name.clone(),
        scenario: record.scenario.clone(),
        file: PathBuf::from(&plan.source.path),
        sources: sources(plan),
        seed: plan.seed.0,
        engine: engine.to_string(),
        defect: run.defect.map(|it| it.to_string()),
        command: record.command.clone(),
    };
    let folder = folder.join(file_name(plan));
    let json = serde_json::to_string_pretty(&manifest).unwrap_or_default();
    write_file(&folder.join(MANIFEST), format!("{json}\n"))?;
    write_file(&folder.join("command.sh"), format!("{}\n", record.command))?;
    write_file(&folder.join(SCENARIO), &plan.source.text)?;
    for (kept, source) in manifest.sources.iter().zip(std::iter::once(&plan.source).chain(&plan.fragments)) {
        write_file(&folder.join(&kept.kept), &source.text)?;
    }
    write_file(&folder.join("plan.txt"), format!("{plan:#?}\n"))?;
    if let Ending::Judged(trace, _) = &run.ending {
        write_file(&folder.join(TRACE), text(plan, trace))?;
        let events = TraceFile::new(plan, trace.clone()).write().map_err(|error| Failure::Input(error.to_string()))?;
        write_file(&folder.join(EVENTS), events)?;
        write_capture_to(&folder.join("run.pcapng"), plan, trace)?;
    }
    let mut report = Report::default();
    report.add(record, SourceRecord::of(plan));
    write_file(&folder.join("report.html"), html(&report, Pictures::All))
}

/// Returns where the scenario and its fragments are to be kept, the scenario first.
fn sources(plan: &Plan) -> Vec<Kept> {
    let files = std::iter::once(&plan.source).chain(&plan.fragments).map(|source| PathBuf::from(&source.path));
    let places = files.map(|file| (std::path::absolute(&file).map(|place| tidy(&place)).unwrap_or(file.clone()), file));
    let mut places: Vec<(PathBuf, PathBuf)> = places.collect();
    if let [(_, file)] = &mut places[..] {
        return vec![Kept { file: std::mem::take(file), kept: PathBuf::from(SCENARIO) }];
    }
    let is_above_all = |folder: &&Path| places.iter().all(|(place, _)| place.starts_with(folder));
    let first = places.first().and_then(|(place, _)| place.parent()).unwrap_or(Path::new(""));
    let common = first.ancestors().find(is_above_all).unwrap_or(Path::new("")).to_owned();
    let kept = |(place, file): (PathBuf, PathBuf)| {
        let kept = Path::new(SOURCES).join(place.strip_prefix(&common).unwrap_or(&place));
        Kept { file, kept }
    };
    places.into_iter().map(kept).collect()
}

/// Writes what a run carried into a file of its own in the folder.
pub(super) fn write_capture(folder: &Path, plan: &Plan, trace: &Trace) -> Result<(), Failure> {
    write_capture_to(&folder.join(format!("{}.pcapng", file_name(plan))), plan, trace)
}

fn write_capture_to(path: &Path, plan: &Plan, trace: &Trace) -> Result<(), Failure> {
    let capture = pcapng(plan, trace).map_err(|error| Failure::Input(error.to_string()))?;
    write_file(path, capture)
}

/// The name of a run as the name of a file.
fn file_name(plan: &Plan) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '=');
    let name = plan.run.to_string();
    let words: Vec<String> = name
        .split(|c| !is_plain(c))
        .filter(|word| !word.is_empty())
        .map(|word| word.trim_start_matches('.').to_owned())
        .collect();
    let mut short: String = words.join("_").chars().take(120).collect();
    // What was left out or replaced must not make two runs one: `plus in +a` and `plus in a+`.
    let is_usual = |c: char| is_plain(c) || matches!(c, '/' | '[' | ']' | ' ');
    let is_short = short.len() + 2 < name.len();
    if is_short || !name.chars().all(is_usual) || plan.seed.0 != 1 {
        short.push_str(&format!("_{:08x}", plan.seed.derive(&name).0 >> 32));
    }
    short
}

/// Keeps the names of the runs that did not pass. Where none ever did, nothing is written.
pub(super) fn remember_failed(folder: &Path, names: &[String]) -> Result<(), Failure> {
    let path = folder.join(FAILED);
    if names.is_empty() && !path.exists() {
        return Ok(());
    }
    write_file(&path, names.iter().map(|name| format!("{name}\n")).collect::<String>())
}

/// The names of the runs that did not pass the last time.
pub(super) fn last_failed(folder: &Path) -> Result<BTreeSet<String>, Failure> {
    match std::fs::read_to_string(folder.join(FAILED)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(Failure::File { path: folder.join(FAILED), error }),
    }
}
