//! What runs came to: for people the terminal, the page and pictures, for machines JSON, JUnit and TAP.

mod cause;
pub mod diagram;
mod html;
mod junit;
pub mod model;
mod pcap;
mod summary;
mod tap;
mod terminal;
mod waivers;
mod wrong;

use std::sync::Arc;

pub use self::html::{Pictures, Thin, html};
pub use self::junit::junit;
pub use self::pcap::pcapng;
pub use self::summary::Summary;
pub use self::tap::tap;
pub use self::terminal::{Terminal, Verbosity};
pub use self::waivers::Waivers;
use crate::check::{Outcome, Verdict, check};
use crate::plan::{Feature, Node, Plan, Program};
use crate::trace::Trace;
use crate::world::{Engine, EngineError, Guest, run_with};

/// A run that is over and judged.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What was to happen.
    pub plan: Arc<Plan>,
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

/// What the line of a run begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// All is as expected.
    Ok,
    /// Something is not.
    Failed,
    /// Nothing is wrong, but not everything could be judged: fails as well.
    Vacuous,
    /// The engine itself failed.
    Broken,
    /// Not run.
    Skipped,
}

impl Finished {
    /// Runs a plan on an engine and judges the trace.
    pub fn run(plan: &Arc<Plan>, engine: Engine) -> Self {
        Self::run_with(plan, engine, None)
    }

    /// The same with a guest in the place of the project's broker, if there is one.
    pub fn run_with(plan: &Arc<Plan>, engine: Engine, guest: Option<&Guest>) -> Self {
        if let Some(why) = not_for(plan, engine) {
            return Self { plan: Arc::clone(plan), ending: Ending::Skipped(EngineError::NotFor(why)) };
        }
        let ending = match run_with(plan, engine, guest) {
            Ok(trace) => {
                let outcome = check(plan, &trace);
                Ending::Judged(trace, outcome)
            }
            Err(error @ (EngineError::NotExpressible { .. } | EngineError::NotFor(_))) => Ending::Skipped(error),
            Err(error @ EngineError::Failed(_)) => Ending::Broken(error),
        };
        Self { plan: Arc::clone(plan), ending }
    }

    /// The same with what is only advised (`should`) taken for required.
    #[must_use]
    pub fn strict(mut self) -> Self {
        if let Ending::Judged(trace, outcome) = self.ending {
            self.ending = Ending::Judged(trace, outcome.strict());
        }
        self
    }

    /// The verdict in a word.
    pub fn mark(&self) -> Mark {
        match &self.ending {
            Ending::Judged(_, outcome) => match outcome.verdict {
                Verdict::Pass => Mark::Ok,
                Verdict::Fail => Mark::Failed,
                Verdict::Vacuous => Mark::Vacuous,
            },
            Ending::Skipped(_) => Mark::Skipped,
            Ending::Broken(_) => Mark::Broken,
        }
    }
}

impl Mark {
    /// As it is printed: what needs attention is in capitals.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "FAILED",
            Self::Vacuous => "VACUOUS",
            Self::Broken => "BROKEN",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a plan is not to be run here, if the file says so.
fn not_for(plan: &Plan, engine: Engine) -> Option<String> {
    let name = engine.to_string();
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

#[cfg(test)]
mod tests;
