//! One program with all changes in it: a copy of the workspace that is changed and compiled.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::find::mutants;
use crate::write::{Source, changes_around};

/// The crates that are changed, each with its folder of rules.
const CORES: [(&str, &[&str]); 3] =
    [("protocol", &["flow", "codec", "packet", "topic.rs"]), ("broker", &["core"]), ("client", &["core"])];

/// What of the workspace the program is built from, and the scenarios, so that they stay what they are meanwhile.
const COPIED: [&str; 9] =
    ["Cargo.lock", "scenarios", "programs", "protocol", "broker", "client", "harness", "tests", "docs"];

/// The function that says whether a change is on.
const SWITCH: &str = "::halfopen_mutants_switch::on";

/// The list of changes that do not compile, as a path from the root of the workspace.
const REFUSED: &str = "tests/mutants/refused.txt";

/// The beginning of the line with the version of the workspace.
const VERSION: &str = "\nversion = \"0.";

/// The beginning of that line in the copy. By the version, cargo tells the changed crates from the real ones in the folder that
/// both are built in, so that their dependencies are built once. It is as long as the real one, since the broker publishes it, and
/// scenarios count bytes.
const CHANGED_VERSION: &str = "\nversion = \"9.";

/// A test of `halfopen-protocol` that takes little time to build.
const SMALL_TEST: &str = "time";

const HEAD: &str = "# Changes that do not compile. `cargo run -p halfopen-mutants` writes this file.\n";

/// A program in which each change can be switched on.
pub(crate) struct Program {
    /// Where it is.
    pub path: PathBuf,
    /// The scenarios that it runs.
    pub scenarios: PathBuf,
    /// The changes that compile, with their numbers.
    pub changes: Vec<Change>,
}

/// A change that compiles.
#[derive(Debug)]
pub(crate) struct Change {
    /// What it is switched on with.
    pub number: usize,
    /// The file, as a path from the root of the workspace.
    pub file: String,
    /// The line in it, from 1. It is no part of the change's key: lines move.
    pub line: usize,
    /// The function, and what is changed in it: the name of the change in its file.
    pub name: String,
}

/// Copies the workspace at `root` to `work`, changes the copy and builds it. Changes that are listed as not compiling are
/// left out; if others do not compile, they join the list.
///
/// # Errors
/// If a file cannot be read or written, or if the copy does not compile even without the changes that are refused.
pub(crate) fn build(root: &Path, work: &Path) -> Result<Program, Box<dyn Error>> {
    let mut sources: Vec<(PathBuf, Source)> = Vec::new();
    let mut all: Vec<Change> = Vec::new();
    for (crate_name, folders) in CORES {
        for path in folders.iter().flat_map(|folder| files(&root.join(crate_name).join("src").join(folder))) {
            let text = fs::read_to_string(&path)?;
            let mutants = mutants(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            let path = path.strip_prefix(root)?.to_owned();
            let first = all.len();
            let mut seen: BTreeMap<String, usize> = BTreeMap::new();
            for mutant in &mutants {
                let name = format!("{}: {}", mutant.function, mutant.what);
                let times = seen.entry(name.clone()).or_default();
                *times += 1;
                let name = if *times == 1 { name } else { format!("{name} #{times}") };
                let line = text[..mutant.range.start].matches('\n').count() + 1;
                all.push(Change { number: all.len(), file: path.display().to_string(), line, name });
            }
            sources.push((path, Source { text, mutants, first }));
        }
    }
    let mut written: BTreeSet<PathBuf> = sources.iter().map(|(path, _)| work.join(path)).collect();
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    if !manifest.contains(VERSION) {
        return Err("Cargo.toml has another version than this program expects: see `VERSION`".into());
    }
    let manifest = manifest.replace(", \"tests/purity\", \"tests/mutants\"", "").replacen(VERSION, CHANGED_VERSION, 1);
    write(&work.join("Cargo.toml"), &manifest)?;
    for (crate_name, _) in CORES {
        let place = Path::new(crate_name).join("Cargo.toml");
        let manifest = fs::read_to_string(root.join(&place))?;
        let switch = "\n[dependencies]\nhalfopen-mutants-switch = { path = \"../tests/mutants/switch\" }\n";
        write(&work.join(&place), &manifest.replacen("\n[dependencies]\n", switch, 1))?;
        written.insert(work.join(&place));
    }
    for name in COPIED {
        copy(&root.join(name), &work.join(name), &written)?;
    }
    let listed = listed(root)?;
    let known: BTreeSet<usize> = all.iter().filter(|one| listed.contains(&one.key())).map(|one| one.number).collect();
    let target = root.join("target");
    let refused = refused(work, &target, &sources, known)?;
    eprintln!("{} changes, of which {} do not compile", all.len(), refused.len());
    let lines: Vec<String> =
        all.iter().filter(|one| refused.contains(&one.number)).map(|one| one.key() + "\n").collect();
    write(&root.join(REFUSED), &format!("{HEAD}{}", lines.concat()))?;
    all.retain(|change| !refused.contains(&change.number));
    Ok(Program { path: target.join("debug/judge-mutants"), scenarios: work.join("scenarios"), changes: all })
}

impl Change {
    /// The name of the change among all.
    pub(crate) fn key(&self) -> String {
        format!("{} {}", self.file, self.name)
    }
}

/// The names of the changes that are known not to compile.
fn listed(root: &Path) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let path = root.join(REFUSED);
    if !path.exists() {
        return Ok(BTreeSet::new());
    }
    Ok(fs::read_to_string(path)?.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

/// Takes changes out until what is left compiles; returns those that were taken out.
fn refused(
    work: &Path,
    target: &Path,
    sources: &[(PathBuf, Source)],
    mut refused: BTreeSet<usize>,
) -> Result<BTreeSet<usize>, Box<dyn Error>> {
    loop {
        for (path, source) in sources {
            write(&work.join(path), &source.render(SWITCH, &refused))?;
        }
        let before = refused.len();
        let errors = errors(&compile(work, target)?)?;
        if errors.is_empty() {
            return Ok(refused);
        }
        for (path, offset, message) in &errors {
            let text = fs::read_to_string(work.join(path))?;
            let Some(number) = changes_around(&text, *offset).into_iter().find(|number| !refused.contains(number))
            else {
                // It may be the choice itself that does not fit: whatever is near goes.
                let near = nearest(&text, *offset);
                match near.filter(|number| !refused.contains(number)) {
                    Some(number) => drop(refused.insert(number)),
                    None if refused.len() > before => {}
                    None => return Err(format!("{path}: byte {offset}: {message}").into()),
                }
                continue;
            };
            refused.insert(number);
        }
        eprintln!("{} changes do not compile", refused.len());
    }
}

/// The change whose switch is the last one before a place, or the first one after it.
fn nearest(text: &str, offset: usize) -> Option<usize> {
    const SWITCHED: &str = "::on(";
    let (before, after) = text.split_at(offset.min(text.len()));
    let number = |rest: &str| rest.split(')').next()?.parse().ok();
    let last = before.rfind(SWITCHED).and_then(|at| number(&text[at + SWITCHED.len()..]));
    last.or_else(|| after.find(SWITCHED).and_then(|at| number(&after[at + SWITCHED.len()..])))
}

/// File, byte, message.
type CompileError = (String, usize, String);

/// The errors, as the compiler tells them.
fn errors(output: &Output) -> Result<Vec<CompileError>, Box<dyn Error>> {
    let mut found = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let message: Value = serde_json::from_str(line)?;
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let mut spans = message["spans"].as_array().into_iter().flatten();
        let Some(span) = spans.rfind(|span| span["is_primary"] == true) else { continue };
        let (Some(file), Some(byte)) = (span["file_name"].as_str(), span["byte_start"].as_u64()) else { continue };
        let message = message["message"].as_str().unwrap_or_default();
        found.push((file.to_owned(), usize::try_from(byte)?, message.to_owned()));
    }
    if found.is_empty() && !output.status.success() {
        return Err("the copy does not compile; run `cargo build` in target/mutants".into());
    }
    Ok(found)
}

/// Builds the copy in the folder of the workspace, with the dependencies that `cargo test --workspace` has built there.
fn compile(work: &Path, target: &Path) -> std::io::Result<Output> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(work).env("CARGO_TARGET_DIR", target);
    command.args(["build", "-q", "--message-format=json", "--workspace", "--bin", "judge-mutants"]);
    // With a test among what is built, dependencies have the features that tests ask for.
    command.args(["--test", SMALL_TEST]);
    for checks in ["debug-assertions", "overflow-checks"] {
        command.args(["--config", &format!("profile.dev.{checks}=false")]);
        // What is not changed stays as it is, or it would be built again.
        command.args(["--config", &format!("profile.dev.build-override.{checks}=true")]);
        command.args(["--config", &format!("profile.dev.package.\"*\".{checks}=true")]);
    }
    command.stderr(Stdio::null()).output()
}

/// The Rust files at or below a path that have rules in them, in the order of their names.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut names: Vec<PathBuf> =
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    names.sort();
    let is_rule =
        |path: &PathBuf| !matches!(path.file_stem().and_then(|stem| stem.to_str()), Some("tests" | "defects"));
    let names = names.into_iter().filter(is_rule);
    names.flat_map(|path| files(&path)).filter(|path| path.extension().is_some_and(|ending| ending == "rs")).collect()
}

/// Makes a folder of the copy what the original is, but leaves alone what is written anew anyway.
fn copy(from: &Path, to: &Path, written: &BTreeSet<PathBuf>) -> Result<(), Box<dyn Error>> {
    if written.contains(to) {
        return Ok(());
    }
    if from.is_file() {
        let text = fs::read(from)?;
        if fs::read(to).ok().as_ref() != Some(&text) {
            fs::create_dir_all(to.parent().unwrap_or(to))?;
            fs::write(to, text)?;
        }
        return Ok(());
    }
    // What the original has no longer would be run, or compiled.
    for entry in fs::read_dir(to).into_iter().flatten() {
        let entry = entry?;
        if !from.join(entry.file_name()).exists() {
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path())?,
                false => fs::remove_file(entry.path())?,
            }
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_str(), Some("target" | "node_modules" | ".git")) {
            copy(&entry.path(), &to.join(entry.file_name()), written)?;
        }
    }
    Ok(())
}

/// Writes a file unless it says that already, so that it is not compiled again.
fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, text)?;
    }
    Ok(())
}
