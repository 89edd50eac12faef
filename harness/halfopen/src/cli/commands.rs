use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::args::{CheckArgs, RunArgs, TraceArgs};
use super::foreign::Foreign;
use super::output::{ENGINE_TROUBLE, Failure, SUCCESS};
use crate::plan::Plan;
use crate::run::{Ending, load_set};
use crate::scenario::{PlanOptions, load_all};
use crate::trace::{TraceFile, text};
use crate::world::EngineError;

/// Runs and prints what happened.
pub(super) fn trace(args: &TraceArgs) -> Result<u8, Failure> {
    let TraceArgs { run: args, json, hash } = args;
    begin_log(args);

    let plans = plans(args)?;
    let foreign = Foreign::of(&args.program, &plans)?;
    if let Some(foreign) = &foreign {
        foreign.refuse_defect(args.defect)?;
    }
    let runner = args.runner();
    let record = |plan| match &foreign {
        None => runner.record(plan),
        Some(foreign) => match foreign.run(&runner, &args.program, plan).finished.ending {
            Ending::Judged(trace, _) => Ok(trace),
            Ending::Passed { .. } => unreachable!("its trace is kept"),
            Ending::Skipped(error) | Ending::Broken(error) => Err(error),
        },
    };
    let mut out = anstream::stdout().lock();
    let mut code = SUCCESS;
    for (place, plan) in plans.iter().enumerate() {
        if *hash {
            let run = format!("{} seed={}", plan.run, plan.seed.0);
            let hashed = match &foreign {
                None => runner.hash(plan),
                Some(_) => record(plan).map(|trace| (trace.hash(), trace.events.len() as u64)),
            };
            match hashed {
                Ok((hash, events)) => writeln!(out, "{hash} {events:>8} {run}")?,
                Err(error) => {
                    writeln!(out, "no trace: {run}: {error}")?;
                    code = if matches!(error, EngineError::Failed(_)) { ENGINE_TROUBLE } else { code };
                }
            }
            continue;
        }
        if place > 0 && !json {
            writeln!(out)?;
        }
        match record(plan) {
            Ok(trace) if *json => {
                let lines = TraceFile::new(plan, trace).write().map_err(|error| Failure::Input(error.to_string()))?;
                out.write_all(lines.as_bytes())?;
            }
            Ok(trace) => write!(out, "{}", text(plan, &trace))?,
            Err(error) => {
                let run = format!("{} seed={}\n{error}", plan.run, plan.seed.0);
                // What is read by programs has events only.
                if *json {
                    writeln!(anstream::stderr(), "{run}")?
                } else {
                    writeln!(out, "{run}")?
                }
                let is_trouble = matches!(error, EngineError::Failed(_) | EngineError::Program(_));
                code = if is_trouble { ENGINE_TROUBLE } else { code };
            }
        }
    }
    out.flush()?;
    Ok(code)
}

/// Reads scenarios without running them.
pub(super) fn check(args: &CheckArgs) -> Result<u8, Failure> {
    let scenarios = load_all(&args.paths, PlanOptions::default())?;
    let runs: usize = scenarios.iter().map(|(_, plans)| plans.len()).sum();
    let warnings: Vec<_> = scenarios.iter().flat_map(|(scenario, plans)| scenario.warnings(plans)).collect();
    let mut err = anstream::stderr().lock();
    for warning in &warnings {
        writeln!(err, "{warning}")?;
    }
    let mut out = anstream::stdout().lock();
    write!(out, "{} in {}, no errors", counted(runs, "run"), counted(scenarios.len(), "scenario"))?;
    if !warnings.is_empty() {
        write!(out, ", {}", counted(warnings.len(), "warning"))?;
    }
    writeln!(out)?;
    Ok(SUCCESS)
}

/// Lets what the programs log come out, if that is wanted. The lines carry virtual time, so no other is added.
pub(super) fn begin_log(args: &RunArgs) {
    if args.log {
        tracing_subscriber::fmt()
            .without_time()
            .with_target(false)
            .with_level(false)
            .with_ansi(false)
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(std::io::stderr)
            .init();
    }
}

/// The runs that are asked for; at least one.
fn plans(args: &RunArgs) -> Result<Vec<Arc<Plan>>, Failure> {
    let scenarios = load_set(&args.paths, PlanOptions { seed: args.seed }, &args.set.values())?;
    let only = args.only.as_deref().unwrap_or_default();
    let plans: Vec<Arc<Plan>> = scenarios
        .into_iter()
        .flat_map(|(_, plans)| plans)
        .filter(|plan| plan.run.to_string().contains(only))
        .map(Arc::new)
        .collect();
    if plans.is_empty() { Err(Failure::NothingToRun(only.to_owned())) } else { Ok(plans) }
}

/// Returns what `work` gives, and how long the machine took for it.
#[expect(clippy::disallowed_types, reason = "the speed of the simulation is measured outside of it")]
pub(super) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let begun = std::time::Instant::now();
    let done = work();
    (done, begun.elapsed())
}

pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
