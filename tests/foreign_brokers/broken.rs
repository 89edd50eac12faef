//! `programs/broken`: bugs that are put into the source of programs of others, one at a time. The scenario that is named passes with
//! the program as it is, and fails with the bug, for the reason that is named.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde::Deserialize;

use super::clients::with_libraries;
use super::{Result, command, contains, root, trial};

/// The bugs of a program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The name of its profile, and its version.
    program: String,
    version: String,
    /// The folders of its library, and of those that it uses and bugs are put into. They are copied.
    packages: Vec<String>,
    /// Options of `halfopen run` by which it passes what the bugs are found by.
    options: Vec<String>,
    bug: Vec<Bug>,
}

/// A bug, and what finds it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bug {
    name: String,
    /// The statement that is broken, or what the scenario asks.
    breaks: String,
    /// The file, the text in it that is replaced, and the text in its place.
    file: String,
    find: String,
    put: String,
    /// The scenario, and a part of the name of its runs.
    scenario: String,
    only: String,
    /// Options of `halfopen run` in the place of those of all.
    options: Option<Vec<String>>,
    /// The texts that the report must have.
    says: Vec<String>,
}

/// The language of a library, which says where its packages are.
#[derive(Clone, Copy)]
enum Language {
    JavaScript,
    Python,
}

/// The tables, with the role and the language of each program.
const TABLES: [(&str, &str, Language); 3] = [
    ("aedes", "--broker", Language::JavaScript),
    ("mqttjs", "--client", Language::JavaScript),
    ("paho", "--client", Language::Python),
];

/// The tests, a test for each bug.
pub(super) fn trials(no_programs: Option<&'static str>) -> Vec<Trial> {
    TABLES
        .into_iter()
        .flat_map(|(program, option, language)| of_program(program, option, language, no_programs))
        .collect()
}

fn of_program(
    program: &str,
    option: &'static str,
    language: Language,
    no_programs: Option<&'static str>,
) -> Vec<Trial> {
    let table = Arc::new(table(program));
    let installed = language.installed(&table);
    let missing = match (no_programs, &installed) {
        (Some(missing), _) => Some(missing.to_owned()),
        (None, None) => Some(format!("{} {}", table.program, table.version)),
        (None, Some(_)) => None,
    };
    let installed = installed.unwrap_or_default();
    let bug = |index: usize| {
        let (table, installed) = (Arc::clone(&table), installed.clone());
        let name = format!("broken_{}_{}", table.program, table.bug[index].name);
        trial(&name, missing.as_deref(), move |_| found(&table, &table.bug[index], option, language, &installed))
    };
    (0..table.bug.len()).map(bug).collect()
}

fn table(program: &str) -> Table {
    let path = root().join(format!("programs/broken/{program}.toml"));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns what is missing if Aedes is not there in the version that the findings are about.
pub(super) fn no_aedes() -> Option<&'static str> {
    Language::JavaScript.installed(&table("aedes")).is_none().then_some("aedes 1.2.0, or a Node.js for it")
}

impl Language {
    /// Returns where the packages of a program are, if it is there in its version.
    fn installed(self, table: &Table) -> Option<PathBuf> {
        let package = &table.packages[0];
        let folder = match self {
            Self::JavaScript => root().join("target/interop/node_modules"),
            Self::Python => {
                let code = format!("import {package}; print({package}.__path__[0])");
                PathBuf::from(said("python3", &["-c", &code])?).parent()?.to_owned()
            }
        };
        let version = match self {
            // It is loaded as its profile does it, which an old Node.js cannot.
            Self::JavaScript => {
                let file = folder.join(package).join("package.json");
                said(
                    "node",
                    &["-e", &format!("require('{package}'); console.log(require('{}').version)", file.display())],
                )
            }
            Self::Python => said(
                "python3",
                &["-c", &format!("from importlib.metadata import version; print(version('{package}-mqtt'))")],
            ),
        };
        version.filter(|version| *version == table.version).map(|_| folder)
    }

    /// Returns the folder for packages in a program's folder, and the variable that has the program look there.
    fn place(self, folder: &Path) -> (PathBuf, &'static str) {
        match self {
            Self::JavaScript => (folder.join("node_modules"), "NODE_PATH"),
            Self::Python => (folder.to_owned(), "PYTHONPATH"),
        }
    }
}

/// Returns what a program says that finds the installed libraries.
fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = with_libraries(&mut Command::new(program)).args(args).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs what finds a bug, first without it.
fn found(table: &Table, bug: &Bug, option: &str, language: Language, installed: &Path) -> Result {
    // What is not copied is found in the folders above this one.
    let folder = tempfile::tempdir_in(root().join("target/interop"))?;
    let (packages, variable) = language.place(folder.path());
    for package in &table.packages {
        copy(&installed.join(package), &packages.join(package))?;
    }
    let scenario = format!("scenarios/{}.yaml", bug.scenario);
    let run = || -> std::result::Result<Output, Failed> {
        let mut run = command(&[&scenario, "--only", &bug.only, option, &table.program]);
        let options = bug.options.as_ref().unwrap_or(&table.options);
        Ok(with_libraries(run.args(options)).env(variable, &packages).output()?)
    };
    let about = |what: &str| format!("{what} ({})", bug.breaks);
    contains(&run()?, 0, &[]).map_err(|why| format!("{}: {why:?}", about("without the bug")))?;
    put(&packages.join(&bug.file), bug)?;
    let says: Vec<&str> = bug.says.iter().map(String::as_str).collect();
    contains(&run()?, 1, &says).map_err(|why| format!("{}: {why:?}", about("with the bug")).into())
}

/// Puts a bug into a file, in which its place must be there once.
fn put(path: &Path, bug: &Bug) -> Result {
    let text = fs::read_to_string(path)?;
    match text.matches(&bug.find).count() {
        1 => Ok(fs::write(path, text.replacen(&bug.find, &bug.put, 1))?),
        count => Err(format!("{} has the text of `{}` {count} times, and not once", path.display(), bug.name).into()),
    }
}

/// Copies a folder, without what Python has compiled.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_type()?.is_dir() {
            true if entry.file_name() == "__pycache__" => {}
            true => copy(&source, &target)?,
            false => drop(fs::copy(&source, &target)?),
        }
    }
    Ok(())
}
