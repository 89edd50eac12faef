//! Runs all scenarios with one change of the cores after the other, and says what they notice.
//!
//! `judge-mutants SCENARIOS` first runs everything without a change and prints `reached` and the numbers of all changes
//! that some run reaches, or `unfit` and the names of runs that do not pass without any. It then reads one number a line, and prints one line for each:
//!
//! - `caught RUN`: this run has another verdict than without the change;
//! - `broke RUN`: the cores panicked in it;
//! - `seen RUN`: all verdicts are the same, but the trace of this run is another;
//! - `unseen`: all traces are the same.
//!
//! Only the runs that reach a change are made with it.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{BufRead, Write, stdin, stdout};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use halfopen::check::Verdict;
use halfopen::plan::Plan;
use halfopen::run::{Runner, load};
use halfopen::scenario::PlanOptions;
use halfopen::trace::TraceHash;
use halfopen_mutants_switch::{reached_by, switch_off, switch_on};

fn main() -> ExitCode {
    match judge() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("judge-mutants: {error}");
            ExitCode::from(2)
        }
    }
}

/// A run, and what it comes to without a change.
struct Run {
    plan: Arc<Plan>,
    verdict: Verdict,
    hash: Option<TraceHash>,
}

fn judge() -> Result<(), Box<dyn Error>> {
    let paths: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let loaded =
        load(&paths, PlanOptions::default()).map_err(|errors| format!("the scenarios have errors: {errors}"))?;
    let mut plans: Vec<Arc<Plan>> = loaded.into_iter().flat_map(|(_, plans)| plans).map(Arc::new).collect();
    // Small runs first: most changes are caught by several.
    plans.sort_by_key(|plan| plan.nodes.len());
    let runner = Runner::default();
    let mut runs = Vec::new();
    let mut reaching: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for plan in plans {
        let (finished, reached) = reached_by(|| runner.judge(&plan));
        reached.into_iter().for_each(|number| reaching.entry(number).or_default().push(runs.len()));
        let (verdict, hash) = (finished.verdict(), finished.hash());
        runs.push(Run { plan, verdict, hash });
    }
    let is_unfit = |run: &&Run| !matches!(run.verdict, Verdict::Pass | Verdict::Skipped);
    let unfit: Vec<String> = runs.iter().filter(is_unfit).map(|run| run.plan.run.to_string()).collect();
    if !unfit.is_empty() {
        say(&format!("unfit {}", unfit.join(", ")))?;
        return Ok(());
    }
    std::panic::set_hook(Box::new(|_| {}));
    let numbers: Vec<String> = reaching.keys().map(usize::to_string).collect();
    say(&format!("reached {}", numbers.join(" ")))?;
    for line in stdin().lock().lines() {
        let number = line?.trim().parse()?;
        say(&fate(&runner, &runs, reaching.get(&number).map_or(&[], Vec::as_slice), number))?;
    }
    Ok(())
}

fn fate(runner: &Runner, runs: &[Run], reaching: &[usize], number: usize) -> String {
    let mut seen = None;
    for run in reaching.iter().map(|place| &runs[*place]) {
        switch_on(number);
        let finished = catch_unwind(AssertUnwindSafe(|| runner.judge(&run.plan)));
        switch_off();
        let name = &run.plan.run;
        match finished {
            Err(_) => return format!("broke {name}"),
            Ok(finished) if finished.verdict() != run.verdict => return format!("caught {name}"),
            Ok(finished) if finished.hash() != run.hash => seen = seen.or(Some(name)),
            Ok(_) => {}
        }
    }
    seen.map_or_else(|| "unseen".to_owned(), |name| format!("seen {name}"))
}

fn say(line: &str) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}
