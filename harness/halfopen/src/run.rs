//! Loads scenarios, runs their plans and judges what happened: the one place that ties the crates together.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::check::{Decided, Outcome, Verdict, check};
use crate::plan::{Feature, Node, Plan, Program};
use crate::scenario::{self, Errors, File, PlanOptions, Scenario};
use crate::sweep;
use crate::trace::Trace;
use crate::world::{self, Defect, Engine, EngineError, Guest, RunOptions};

/// Size of the stack of a thread in bytes: as large as that of the main thread on most systems.
pub(crate) const STACK: usize = 8 * 1024 * 1024;

/// Reads all scenarios that the paths stand for, with all of their runs, those of a `sweep` included. Files are read on
/// all cores, and come in the order of the paths.
///
/// # Errors
/// Returns all errors of all files.
///
/// # Panics
/// If the system has no thread for it.
pub fn load<P: AsRef<Path>>(paths: &[P], options: PlanOptions) -> Result<Vec<(Scenario, Vec<Plan>)>, Errors> {
    let read = |file: &File| {
        let scenario = scenario::load_file(file)?;
        let plans = expand(scenario.plans(options)?)?;
        Ok((scenario, plans))
    };
    let mut loaded = Vec::new();
    let mut errors = Vec::new();
    for read in on_all_cores(&scenario::find(paths)?, read) {
        match read {
            Ok(scenario) => loaded.push(scenario),
            Err(error) => errors.push(error),
        }
    }
    Errors::collect(errors).map_or(Ok(loaded), Err)
}

/// Does the work for all items, and returns the results in the order of the items.
pub(crate) fn on_all_cores<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let take = || {
            let place = next.fetch_add(1, Ordering::Relaxed);
            items.get(place).map(|item| (place, work(item)))
        };
        std::iter::from_fn(take).collect::<Vec<_>>()
    };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(items.len());
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        let spawn = |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, worker);
        let workers: Vec<_> = (0..threads).map(spawn).map(|worker| worker.expect("a thread to read files")).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    done.sort_by_key(|(place, _)| *place);
    done.into_iter().map(|(_, result)| result).collect()
}

/// Returns the runs of one file, with those of a `sweep` in the place of the plan that has it.
///
/// # Errors
/// See [`sweep::expand`].
pub fn expand(plans: Vec<Plan>) -> Result<Vec<Plan>, Errors> {
    sweep::expand(plans, &|plan| Runner::default().trace(plan)).map_err(Errors::from)
}

/// Runs plans on an engine.
#[derive(Clone, Debug, Default)]
pub struct Runner {
    /// The engine.
    pub engine: Engine,
    /// A defect that is switched on in the project's programs, to see whether it is caught.
    pub defect: Option<Defect>,
    /// A program that takes the place of the project's broker.
    pub guest: Option<Guest>,
}

impl Runner {
    /// Creates a runner of the project's own programs, without a defect.
    pub fn new(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Runs a plan and judges its trace.
    pub fn run(&self, plan: &Arc<Plan>) -> Finished {
        let ending = match self.record(plan) {
            Ok(trace) => {
                let outcome = check(plan, &trace);
                Ending::Judged(trace, outcome)
            }
            Err(error @ (EngineError::NotExpressible { .. } | EngineError::NotFor(_))) => Ending::Skipped(error),
            Err(error @ (EngineError::Program(_) | EngineError::TooBusy(_) | EngineError::Failed(_))) => {
                Ending::Broken(error)
            }
        };
        self.finished(plan, ending)
    }

    /// Returns the end of a run of this runner that was not run by [`run`](Self::run).
    pub fn finished(&self, plan: &Arc<Plan>, ending: Ending) -> Finished {
        Finished { plan: Arc::clone(plan), defect: self.defect, ending }
    }

    /// Runs a plan without judging it, if its file means it to be run here.
    ///
    /// # Errors
    /// The plan is not for this engine, or the engine cannot express it, or failed.
    pub fn record(&self, plan: &Arc<Plan>) -> Result<Trace, EngineError> {
        self.not_for(plan).map_or_else(|| self.trace(plan), |why| Err(EngineError::NotFor(why)))
    }

    /// Runs a plan without judging it.
    ///
    /// # Errors
    /// The engine cannot express the plan, or failed.
    pub fn trace(&self, plan: &Arc<Plan>) -> Result<Trace, EngineError> {
        let completion = Box::new(Decided::new(plan));
        world::run(plan, self.engine, RunOptions { completion, defect: self.defect, guest: self.guest.clone() })
    }

    /// Returns why a plan is not to be run here, if the file says so.
    fn not_for(&self, plan: &Plan) -> Option<String> {
        let name = self.engine.to_string();
        if let Some(only_on) = plan.conditions.only_on.as_ref().filter(|only_on| !only_on.engines.contains(&name)) {
            return Some(format!("not on the engine {name}: {}", only_on.because));
        }
        let missing = |node: &Node, feature: &Feature| match &node.program {
            Program::Broker(broker) if !feature.is_of(&broker.config) => {
                Some(format!("{} has no {}", node.name, feature.word().replace('_', " ")))
            }
            _ => None,
        };
        let requires = &plan.conditions.requires;
        plan.nodes.iter().find_map(|node| requires.iter().find_map(|feature| missing(node, feature)))
    }
}

/// A run that is over and judged.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was to happen.
    pub plan: Arc<Plan>,
    /// The defect that was switched on.
    pub defect: Option<Defect>,
    /// What happened.
    pub ending: Ending,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// It has a trace, and a judgement of it.
    Judged(Trace, Outcome),
    /// It was not run: the engine has no means for it.
    Skipped(EngineError),
    /// The engine failed.
    Broken(EngineError),
}

impl Finished {
    /// The same with what is only advised (`should`) taken for required.
    #[must_use]
    pub fn strict(mut self) -> Self {
        if let Ending::Judged(trace, outcome) = self.ending {
            self.ending = Ending::Judged(trace, outcome.strict());
        }
        self
    }

    /// Returns what the run came to.
    pub fn verdict(&self) -> Verdict {
        match &self.ending {
            Ending::Judged(_, outcome) => outcome.verdict,
            Ending::Skipped(_) => Verdict::Skipped,
            Ending::Broken(_) => Verdict::Broken,
        }
    }
}

#[cfg(test)]
mod tests;
