//! One program with all changes in it: a copy of the workspace that is changed and compiled.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::find::mutants;
use crate::write::{Source, changes_around};

/// The crates that are changed, each with its folder of rules; the first has the switch.
const CORES: [(&str, &[&str]); 3] =
    [("protocol", &["flow", "codec", "packet", "topic.rs"]), ("broker", &["core"]), ("client", &["core"])];

/// What of the workspace the program is built from, and the scenarios, so that they stay what they are meanwhile.
const COPIED: [&str; 9] =
    ["Cargo.lock", "scenarios", "programs", "protocol", "broker", "client", "harness", "tests", "docs"];

/// The switch: which change is on, and, if asked, a file in which each one that is reached is noted.
const SWITCH: &str = r#"
#[doc(hidden)]
#[allow(missing_docs, clippy::all)]
pub mod mutants {
    extern crate std;
    use std::io::Write;
    use std::string::String;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{LazyLock, Mutex};

    static ON: LazyLock<usize> =
        LazyLock::new(|| std::env::var("MUTANT").ok().and_then(|text| text.parse().ok()).unwrap_or(usize::MAX));
    static REACHED: LazyLock<Option<Mutex<std::fs::File>>> =
        LazyLock::new(|| std::env::var("MUTANTS_REACHED").ok().and_then(|path| std::fs::File::create(path).ok()).map(Mutex::new));
    static SEEN: [AtomicBool; 65536] = [const { AtomicBool::new(false) }; 65536];

    pub fn on(number: usize) -> bool {
        if let Some(file) = &*REACHED
            && !SEEN[number].swap(true, Ordering::Relaxed)
            && let Ok(mut file) = file.lock()
        {
            let line: String = std::format!("{number}\n");
            let _ = file.write_all(line.as_bytes());
        }
        *ON == number
    }
}
"#;

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
pub(crate) struct Change {
    /// What it is switched on with.
    pub number: usize,
    /// The file, as a path from the root of the workspace.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is changed.
    pub what: String,
}

/// Copies the workspace at `root` to `work`, changes the copy and builds it.
///
/// # Errors
/// If a file cannot be read or written, or if the copy does not compile even without the changes that are refused.
pub(crate) fn build(root: &Path, work: &Path) -> Result<Program, Box<dyn Error>> {
    let mut sources: Vec<(PathBuf, &str, Source)> = Vec::new();
    let mut first = 0;
    for (name, folders) in CORES {
        let switch = if name == "protocol" { "crate::mutants::on" } else { "::halfopen_protocol::mutants::on" };
        for path in folders.iter().flat_map(|folder| files(&root.join(name).join("src").join(folder))) {
            let text = fs::read_to_string(&path)?;
            let mutants = mutants(&text).map_err(|error| format!("{}: {error}", path.display()))?;
            let count = mutants.len();
            sources.push((path.strip_prefix(root)?.to_owned(), switch, Source { text, mutants, first }));
            first += count;
        }
    }
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    write(&work.join("Cargo.toml"), &manifest.replace(", \"tests/purity\", \"tests/mutants\"", ""))?;
    let library = fs::read_to_string(root.join("protocol/src/lib.rs"))?;
    write(&work.join("protocol/src/lib.rs"), &format!("{library}{SWITCH}"))?;
    let library_too = [work.join("protocol/src/lib.rs")];
    let written: BTreeSet<PathBuf> = sources.iter().map(|(path, ..)| work.join(path)).chain(library_too).collect();
    for name in COPIED {
        copy(&root.join(name), &work.join(name), &written)?;
    }
    let refused = refused(work, &sources)?;
    eprintln!("{first} changes, of which {} do not compile", refused.len());
    let path = compile(work)?;
    let mut changes = Vec::new();
    for (path, _, source) in &sources {
        let file = path.display().to_string();
        for (number, mutant) in (source.first..).zip(&source.mutants).filter(|(number, _)| !refused.contains(number)) {
            changes.push(Change { number, file: file.clone(), line: mutant.line, what: mutant.what.clone() });
        }
    }
    Ok(Program { path, scenarios: work.join("scenarios"), changes })
}

/// Takes changes out until what is left compiles; returns those that were taken out.
fn refused(work: &Path, sources: &[(PathBuf, &str, Source)]) -> Result<BTreeSet<usize>, Box<dyn Error>> {
    let mut refused = BTreeSet::new();
    loop {
        for (path, switch, source) in sources {
            write(&work.join(path), &source.render(switch, &refused))?;
        }
        let before = refused.len();
        let errors = errors(work)?;
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
fn errors(work: &Path) -> Result<Vec<CompileError>, Box<dyn Error>> {
    let output = cargo(work)
        .args(["check", "-q", "-p", "halfopen-protocol", "-p", "halfopen-broker", "-p", "halfopen-client", "--lib"])
        .arg("--message-format=json")
        .stderr(Stdio::null())
        .output()?;
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
        found.push((
            file.to_owned(),
            usize::try_from(byte)?,
            message["message"].as_str().unwrap_or_default().to_owned(),
        ));
    }
    if found.is_empty() && !output.status.success() {
        return Err("the copy does not compile; run cargo check in it".into());
    }
    Ok(found)
}

fn compile(work: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let output = cargo(work).args(["build", "-q", "-p", "halfopen", "--bin", "halfopen"]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(work.join("target/debug/halfopen"))
}

/// Cargo for the copy. It has a folder of its own for what it builds: in that of the workspace, the changed crates would be
/// taken for the real ones.
fn cargo(work: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(work).env("CARGO_TARGET_DIR", work.join("target"));
    command
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

/// Copies what is new, but not what is written anew anyway.
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
