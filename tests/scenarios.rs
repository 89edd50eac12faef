//! Every scenario is a test of its own: all of its runs pass, and its trace is what it was.
//!
//! The snapshot shows the first run of each version in full, of the others the name, the verdict, what was closed, and
//! by how much a deadline was missed. It is for reading and for noticing change; the checks are for truth.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use halfopen::diff::diff;
use halfopen::plan::Plan;
use halfopen::report::model::{Detail, RunRecord};
use halfopen::report::{Ending, Finished, Mark, Terminal, Waivers};
use halfopen::scenario::{About, PlanOptions};
use halfopen::sweep::load_to_run;
use halfopen::trace::text;
use halfopen::world::{Engine, EngineError};
use rstest::rstest;

#[rstest]
fn scenario_passes(
    #[files("../scenarios/**/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let scenarios = load_to_run(&[&path], PlanOptions::default()).unwrap_or_else(|errors| panic!("\n{errors}"));
    let plans: Vec<Rc<Plan>> = scenarios.into_iter().flat_map(|(_, plans)| plans).map(Rc::new).collect();
    let runs: Vec<Finished> = plans.iter().map(|plan| Finished::run(plan, Engine::Sim)).collect();

    let name = plans.first().expect("a scenario has runs").run.scenario.replace('/', "__");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let shown = shown(&runs);
    say_what_changed(&name, &shown);
    settings.bind(|| insta::assert_snapshot!(name, shown));

    let mut waivers = Waivers::default();
    for run in &runs {
        waivers.add(&RunRecord::new(run, &About::default(), 0, Duration::ZERO, Detail::default()));
    }
    let idle: Vec<_> = waivers.idle().collect();
    assert!(idle.is_empty(), "{idle:?}");
    // What a file excludes from this engine has a reason there.
    let is_good = |run: &Finished| match &run.ending {
        Ending::Skipped(error) => matches!(error, EngineError::NotFor(_)),
        _ => run.mark() == Mark::Ok,
    };
    let bad: Vec<&Finished> = runs.iter().filter(|run| !is_good(run)).collect();
    assert!(bad.is_empty(), "\n{}", report(&bad));
}

/// In the output of a test whose snapshot changed: whether timing, order, content or a verdict did, and where it begins.
fn say_what_changed(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/snapshots").join(format!("{name}.snap"));
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

fn report(runs: &[&Finished]) -> String {
    let mut out = Vec::new();
    let mut terminal = Terminal::new(&mut out);
    for run in runs {
        terminal.run(run, Duration::ZERO).expect("a Vec takes everything");
    }
    anstream::adapter::strip_str(&String::from_utf8_lossy(&out)).to_string()
}
