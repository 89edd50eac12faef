//! Loads scenarios, runs their plans and judges what happened: the one place that ties the crates together.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::check::{Completion, Judge, Outcome, Verdict};
use crate::load::{Load, Meter};
use crate::plan::{Feature, Node, NodeId, Plan, Program};
use crate::scenario::{self, Errors, File, PlanOptions, Scenario};
use crate::sweep;
use crate::trace::{Event, RunObserver, Trace, TraceHash, TraceHasher};
use crate::world::{self, Defect, Engine, EngineError, ProgramsUnderTest, RunOptions, Variation};

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
    load_set(paths, options, &BTreeMap::new())
}

/// Reads scenarios as [`load`] does, with these values in the place of those that they have in `let`.
///
/// # Errors
/// Returns all errors of all files, or one for each name that no scenario has.
pub(crate) fn load_set<P: AsRef<Path>>(
    paths: &[P],
    options: PlanOptions,
    set: &BTreeMap<String, String>,
) -> Result<Vec<(Scenario, Vec<Plan>)>, Errors> {
    let read = |file: &File| {
        let scenario = scenario::load_file(file, set)?;
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
    Errors::collect(errors).map_or(Ok(()), Err)?;
    scenario::check_set(loaded.iter().map(|(scenario, _)| scenario), set)?;
    Ok(loaded)
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
    pub programs_under_test: ProgramsUnderTest,
    /// The way in which runs differ from one of their events on, if they do.
    pub variation: Option<Variation>,
}

impl Runner {
    /// Creates a runner of the project's own programs, without a defect.
    pub fn new(engine: Engine) -> Self {
        Self { engine, ..Self::default() }
    }

    /// Runs a plan, judges it, and keeps its trace.
    pub fn run(&self, plan: &Arc<Plan>) -> Finished {
        let ending = self.observe(plan, true).map(|observed| Ending::Judged(observed.trace, observed.outcome));
        self.finished(plan, ending.unwrap_or_else(Ending::without_trace))
    }

    /// Runs a plan and judges it while it runs, without keeping its trace. If anything is to be said about the run, it
    /// is made again, and that time its trace is kept.
    pub fn judge(&self, plan: &Arc<Plan>) -> Finished {
        let ending = match self.observe(plan, false) {
            Ok(Observed { trace: Trace { end, .. }, outcome, hash, load }) => match outcome.verdict {
                Verdict::Pass if outcome.warnings.is_empty() => Ok(Ending::Passed { end, hash, outcome, load }),
                _ => self.judge_again(plan, hash),
            },
            Err(error) => Err(error),
        };
        self.finished(plan, ending.unwrap_or_else(Ending::without_trace))
    }

    /// Makes a run a second time, with its trace.
    fn judge_again(&self, plan: &Arc<Plan>, first: TraceHash) -> Result<Ending, EngineError> {
        let Observed { trace, outcome, hash: second, .. } = self.observe(plan, true)?;
        if first != second {
            let what =
                format!("a second run of it differs: its trace has the hash {second}, the first one had {first}");
            return Err(EngineError::Failed(what));
        }
        Ok(Ending::Judged(trace, outcome))
    }

    /// Runs a plan and judges it while it runs.
    fn observe(&self, plan: &Arc<Plan>, keeps_trace: bool) -> Result<Observed, EngineError> {
        self.refuse(plan)?;
        let observer =
            Observer { judge: Judge::new(Arc::clone(plan)), hasher: TraceHasher::default(), meter: Meter::of(plan) };
        let (trace, Observer { judge, hasher, meter }) = self.world(plan, observer, keeps_trace)?;
        let (outcome, hash) = (judge.finish(trace.end), hasher.finish(trace.end));
        let load = meter.map(|meter| meter.finish(trace.end));
        Ok(Observed { trace, outcome, hash, load })
    }

    /// Runs a plan, and returns its judgement without its trace.
    ///
    /// # Errors
    /// Returns the same errors as [`record`](Self::record).
    pub fn outcome(&self, plan: &Arc<Plan>) -> Result<Outcome, EngineError> {
        self.observe(plan, false).map(|observed| observed.outcome)
    }

    /// Runs a plan, and returns the hash of its trace and the number of its events.
    ///
    /// # Errors
    /// Returns the same errors as [`record`](Self::record).
    pub fn hash(&self, plan: &Arc<Plan>) -> Result<(TraceHash, u64), EngineError> {
        self.refuse(plan)?;
        let observer = Hashed { decided: Completion::new(plan), hasher: TraceHasher::default() };
        let (Trace { end, .. }, Hashed { hasher, .. }) = self.world(plan, observer, false)?;
        Ok((hasher.finish(end), hasher.events()))
    }

    /// Brings a plan to life, and returns the observer with what it has seen.
    fn world<T: RunObserver + 'static>(
        &self,
        plan: &Arc<Plan>,
        observer: T,
        keeps_trace: bool,
    ) -> Result<(Trace, T), EngineError> {
        let observer = Rc::new(RefCell::new(observer));
        let options = RunOptions {
            observer: Box::new(Rc::clone(&observer)),
            keeps_trace,
            defect: self.defect,
            programs_under_test: self.programs_under_test.clone(),
            variation: self.variation,
            event_limit: None,
        };
        let trace = world::run(plan, self.engine, options)?;
        let observer = Rc::into_inner(observer).expect("a world that is over observes nothing");
        Ok((trace, observer.into_inner()))
    }

    fn refuse(&self, plan: &Plan) -> Result<(), EngineError> {
        self.not_for(plan).map_or(Ok(()), |why| Err(EngineError::NotFor(why)))
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
        self.refuse(plan)?;
        self.trace(plan)
    }

    /// Runs a plan without judging it.
    ///
    /// # Errors
    /// The engine cannot express the plan, or failed.
    pub fn trace(&self, plan: &Arc<Plan>) -> Result<Trace, EngineError> {
        self.world(plan, Completion::new(plan), true).map(|(trace, _)| trace)
    }

    /// Returns why a plan is not to be run here, if the file says so.
    fn not_for(&self, plan: &Plan) -> Option<String> {
        let name = self.engine.to_string();
        if let Some(only_on) = plan.conditions.only_on.as_ref().filter(|only_on| !only_on.engines.contains(&name)) {
            return Some(format!("not on the engine {name}: {}", only_on.because));
        }
        let is_missing = |node: &NodeId| plan.node(*node).played_by.is_some() && !self.programs_under_test.has(*node);
        if let Some(node) = plan.node_ids().find(is_missing) {
            let Node { name, played_by, .. } = plan.node(node);
            let program = played_by.as_deref().unwrap_or_default();
            return Some(format!("{name} is the program `{program}`, which `run`, `trace` and `meta` alone start"));
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
    /// The plan.
    pub plan: Arc<Plan>,
    /// The defect that was switched on.
    pub defect: Option<Defect>,
    /// The result.
    pub ending: Ending,
}

/// The end of a run.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The run was judged, and its trace was kept.
    Judged(Trace, Outcome),
    /// The run passed without a warning, and its trace was not kept.
    Passed {
        /// Time at which it ended.
        end: Duration,
        /// The hash of its trace.
        hash: TraceHash,
        /// The judgement.
        outcome: Outcome,
        /// The load on its brokers, if it was about a fleet.
        load: Option<Load>,
    },
    /// The run was skipped: the engine has no means for it.
    Skipped(EngineError),
    /// The engine failed.
    Broken(EngineError),
}

impl Ending {
    fn without_trace(error: EngineError) -> Self {
        match error {
            EngineError::NotExpressible { .. } | EngineError::NotFor(_) => Self::Skipped(error),
            EngineError::Program(_) | EngineError::TooBusy(_) | EngineError::Failed(_) => Self::Broken(error),
        }
    }
}

/// Judges a run, computes the hash of its trace, and measures its load.
struct Observer {
    judge: Judge<Arc<Plan>>,
    hasher: TraceHasher,
    meter: Option<Meter>,
}

/// The data that an [`Observer`] has collected.
struct Observed {
    /// The trace; without events if it was not kept.
    trace: Trace,
    outcome: Outcome,
    hash: TraceHash,
    load: Option<Load>,
}

impl RunObserver for Observer {
    fn event(&mut self, event: &Event) {
        self.judge.event(event);
        self.hasher.event(event);
        self.meter.iter_mut().for_each(|meter| meter.event(event));
    }

    fn arrived(&mut self, sent: usize, before: Option<Duration>, at: Duration) {
        self.hasher.arrived(sent, before, at);
    }

    fn decided_at(&self) -> Option<Duration> {
        self.judge.decided_at()
    }
}

/// Computes the hash of a trace, and nothing else.
struct Hashed {
    decided: Completion,
    hasher: TraceHasher,
}

impl RunObserver for Hashed {
    fn event(&mut self, event: &Event) {
        self.decided.event(event);
        self.hasher.event(event);
    }

    fn arrived(&mut self, sent: usize, before: Option<Duration>, at: Duration) {
        self.hasher.arrived(sent, before, at);
    }

    fn decided_at(&self) -> Option<Duration> {
        self.decided.decided_at()
    }
}

impl Finished {
    /// Returns the hash of the trace, if there was one.
    pub fn hash(&self) -> Option<TraceHash> {
        match &self.ending {
            Ending::Judged(trace, _) => Some(trace.hash()),
            Ending::Passed { hash, .. } => Some(*hash),
            Ending::Skipped(_) | Ending::Broken(_) => None,
        }
    }

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
            Ending::Judged(_, outcome) | Ending::Passed { outcome, .. } => outcome.verdict,
            Ending::Skipped(_) => Verdict::Skipped,
            Ending::Broken(_) => Verdict::Broken,
        }
    }
}

#[cfg(test)]
mod tests;
