//! Every scenario is a test of its own: all of its runs pass, and its trace is what it was.
//!
//! The snapshot shows the first run of each version in full, of the others the name, the verdict, what was closed, and
//! by how much a deadline was missed. It is for reading and for noticing change; the checks are for truth.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use halfopen::diff::diff;
use halfopen::run::{Ending, Finished};
use halfopen::suite::Suite;
use halfopen::trace::text;
use rstest::rstest;

#[rstest]
fn scenario_passes(
    #[files("../../scenarios/**/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let suite = Suite::new();
    let runs = suite.run(&path).unwrap_or_else(|errors| panic!("\n{errors}"));

    let name = runs.first().expect("a scenario has runs").plan.run.scenario.replace('/', "__");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let shown = shown(&runs);
    say_what_changed(&name, &shown);
    settings.bind(|| insta::assert_snapshot!(name, shown));

    suite.verdict(&runs).unwrap_or_else(|why| panic!("\n{why}"));
}

/// In the output of a test whose snapshot changed: whether timing, order, content or a verdict did, and where it begins.
fn say_what_changed(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots").join(format!("{name}.snap"));
    let Ok(old) = std::fs::read_to_string(path) else { return };
    for difference in diff(&old, shown) {
        print!("{difference}");
    }
}

/// What the snapshot holds.
fn shown(runs: &[Finished]) -> String {
    let mut shown = String::new();
    let mut versions = Vec::new();
    for run in runs {
        let trace = match &run.ending {
            Ending::Judged(trace, _) => text(&run.plan, trace),
            Ending::Skipped(error) | Ending::Broken(error) => error.to_string(),
        };
        if versions.contains(&run.plan.version) {
            let _ = writeln!(shown, "{} {}", run.mark().word(), run.plan.run);
            for line in trace.lines().filter(|line| is_telling(line)) {
                let _ = writeln!(shown, "{}", line.trim_end());
            }
        } else {
            versions.push(run.plan.version);
            let _ = writeln!(shown, "{} {trace}", run.mark().word());
        }
    }
    shown
}

/// Whether a line tells of a close or of a loss: with its cause and its margin.
fn is_telling(line: &str) -> bool {
    [" closes ", " loses ", "step failed"].iter().any(|word| line.contains(word))
}
