//! What makes time pass and packets travel: three engines for the same plan, nodes and script.

pub(crate) mod event_driven;
pub(crate) mod live;
mod turmoil;

use std::fmt;
use std::sync::Arc;

use self::live::RealTime;
use super::RunOptions;
use super::director::Director;
use super::record::Recorder;
use crate::node::Programs;
use crate::plan::{Plan, Position};
use crate::trace::{RunObserver, Trace};

/// An engine: it makes time pass and packets travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// The event-driven engine: time jumps to the next thing that happens.
    #[default]
    Sim,
    /// `turmoil::Sim`: time advances by [`TICK`](crate::TICK). Slow, and without some faults.
    Turmoil,
    /// The machine's time, with a broker that runs outside of the world, reached by real TCP.
    Live(RealTime),
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sim => "sim",
            Self::Turmoil => "turmoil",
            Self::Live(_) => "live",
        })
    }
}

/// The reason for which an engine has no trace of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The plan has something that the engine has no means for.
    #[error("the engine cannot express {what}")]
    NotExpressible {
        /// The place in the scenario; line 0 for the network as a whole.
        position: Position,
        /// The thing that cannot be expressed.
        what: &'static str,
    },
    /// The file says that the plan is not for this engine or this broker.
    #[error("{0}")]
    NotFor(String),
    /// Another program than the project's failed, so that the run says nothing about it.
    #[error("{0}")]
    Program(String),
    /// The machine was too busy for the tolerance in real time, so that the run says nothing.
    #[error("{0}")]
    TooBusy(String),
    /// The engine itself failed.
    #[error("the engine failed: {0}")]
    Failed(String),
}

/// Brings `plan` to life on `engine`, and returns what happened.
///
/// # Errors
/// The engine cannot express the plan, or failed. The event-driven engine can express every plan.
pub fn run(plan: &Arc<Plan>, engine: Engine, options: RunOptions) -> Result<Trace, EngineError> {
    if options.variation.is_some() && engine != Engine::Sim {
        return Err(EngineError::NotFor(format!("the engine {engine} cannot go on otherwise from an event on")));
    }
    let programs_under_test = options.programs_under_test.clone();
    let result = match engine {
        Engine::Sim => run_event_driven(plan, options),
        Engine::Turmoil => turmoil::run(plan, options),
        Engine::Live(real_time) => live::run(plan, real_time, options),
    };
    match (programs_under_test.take_trouble(), programs_under_test.take_refusal()) {
        (Some(trouble), _) => Err(EngineError::Program(trouble)),
        (None, Some(why)) => Err(EngineError::NotFor(why)),
        (None, None) => result,
    }
}

fn run_event_driven(plan: &Arc<Plan>, options: RunOptions) -> Result<Trace, EngineError> {
    let RunOptions { observer, keeps_trace, defect, programs_under_test, event_limit, variation } = options;
    let programs = Programs::new(plan, defect, programs_under_test);
    let script = |recorder: &Recorder| {
        prepare(recorder, observer, keeps_trace);
        Director::new(plan, recorder, programs.switchboard().clone()).ending_after(event_limit)
    };
    event_driven::run(plan, &programs, variation, script).map_err(|error| EngineError::Failed(error.to_string()))
}

/// Tells a recorder what it is to do with the events of its run.
fn prepare(recorder: &Recorder, observer: Box<dyn RunObserver>, keeps_trace: bool) {
    recorder.observe(observer);
    if !keeps_trace {
        recorder.keep_no_trace();
    }
}
