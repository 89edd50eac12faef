//! What the README shows is what one gets.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text of the first fenced block of the README that begins with `first_line`.
fn block(readme: &str, first_line: &str) -> String {
    let begin = readme.find(&format!("\n{first_line}")).unwrap_or_else(|| panic!("no block begins with {first_line}"));
    let rest = &readme[begin + 1..];
    let end = rest.find("\n```").expect("a block ends");
    format!("{}\n", &rest[..end])
}

#[test]
fn scenario_in_the_readme_is_the_file() {
    let scenario = read("scenarios/will/power_loss.yaml");
    let first_line = scenario.lines().next().expect("the file has lines");
    assert_eq!(block(&read("README.md"), first_line), scenario);
}

#[test]
fn trace_in_the_readme_is_what_the_command_prints() {
    let name = "will/power_loss[3.1.1 keep_alive=5s]";
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .current_dir(root())
        .args(["trace", "scenarios/will/power_loss.yaml", "--only", "3.1.1 keep_alive=5s"])
        .output()
        .expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("a trace is text");
    assert_eq!(block(&read("README.md"), name).trim_end(), printed.trim_end());
}

#[test]
fn finding_in_the_readme_is_what_the_command_prints() {
    let shown = block(&read("README.md"), "scenarios/will/power_loss.yaml:");
    let reproduce = shown.lines().last().expect("the last line is the command");
    let command = reproduce.strip_prefix("reproduce: halfopen ").expect("the last line is the command");
    let (before, quoted) = command.split_once(" '").expect("the name of the run has quotes");
    let (name, after) = quoted.split_once("' ").expect("the name of the run has quotes");
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .current_dir(root())
        .args(before.split(' ').chain([name]).chain(after.split(' ')).chain(["--no-artifacts"]))
        .output()
        .expect("the program starts");
    let printed = String::from_utf8(output.stdout).expect("a report is text");
    assert!(printed.contains(&shown), "the README shows\n{shown}\nbut one gets\n{printed}");
}

#[test]
fn every_dependency_has_its_line_in_the_book() {
    let table = read("docs/dependencies.md");
    let manifest = read("Cargo.toml");
    let dependencies = manifest.split("[workspace.dependencies]").nth(1).expect("the workspace has dependencies");
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    for line in dependencies.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
        let name = line.split([' ', '=', '.']).next().unwrap_or_default();
        let is_ours = name.starts_with("halfopen");
        assert!(is_ours || table.contains(&format!("`{name}`")), "`{name}` has no line in docs/dependencies.md");
    }
}

#[test]
fn picture_in_the_readme_is_what_the_command_draws() {
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .current_dir(root())
        .args(["draw", "scenarios/will/power_loss.yaml", "--only", "3.1.1 keep_alive=5s"])
        .output()
        .expect("the program starts");
    let drawn = String::from_utf8(output.stdout).expect("a picture is text");
    assert!(drawn == read("docs/pictures/power_loss.svg"), "draw docs/pictures/power_loss.svg anew, and look at it");
}
