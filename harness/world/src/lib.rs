//! Engines: they bring a plan to life and record its trace.
//!
//! `node` is what runs on a node, `director` tells the story, and both are the same on every engine; an engine
//! brings the network and the time. `sim` is event-driven and the one to use; `ticked` runs the same plan on
//! `turmoil::Sim`, to check the other against; `live` runs `sim` on the machine's time, for brokers outside of the world.

mod conversation;
mod defect;
mod director;
mod live;
mod network;
mod node;
mod record;
mod sim;
mod story;
mod tap;
#[cfg(test)]
mod tests;
mod ticked;

use halfopen_plan::{self as plan, trace};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::defect::{Defect, UnknownDefect};
use self::director::Director;
pub use self::live::{RealTime, interrupt, live_means};
pub use self::node::{
    Connection, Guest, Host, ReadsRemoteLog, RemoteBroker, RemoteOptions, RemoteProcess, StartedRemote, StartsRemote,
    broker_config,
};
use self::node::{Disks, Env, Switchboard};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::node::{ForeignOptions, ForeignProgram, ReadsLog, StartsProgram};
use self::record::Recorder;
pub use self::sim::LocalTime;
use crate::plan::{Plan, Position};
use crate::trace::{RunObserver, Trace};

/// By how much `turmoil::Sim` advances time at once.
pub const TICK: Duration = Duration::from_millis(1);

/// What makes time pass and packets travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Engine {
    /// The event-driven engine: time jumps to the next thing that happens.
    #[default]
    Sim,
    /// `turmoil::Sim`: time advances by [`TICK`]. Slow, and without some faults.
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

/// Why an engine has no trace of a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The plan has something that the engine has no means for.
    #[error("the engine cannot express {what}")]
    NotExpressible {
        /// Where it stands in the scenario; line 0 for the network as a whole.
        position: Position,
        /// What it is.
        what: &'static str,
    },
    /// The file says that the plan is not for this engine or this broker.
    #[error("{0}")]
    NotFor(String),
    /// A program of somebody else failed, so that the run says nothing about it.
    #[error("{0}")]
    Program(String),
    /// In real time: the machine was too busy for the tolerance, so that the run says nothing.
    #[error("{0}")]
    TooBusy(String),
    /// The engine itself failed.
    #[error("the engine failed: {0}")]
    Failed(String),
}

/// What a run is given besides its plan.
pub struct RunOptions {
    /// Is told of each event, and tells when the run may end, where the plan does not.
    pub observer: Box<dyn RunObserver>,
    /// Whether the trace is kept. Otherwise the one that is returned has no events.
    pub keeps_trace: bool,
    /// A defect that is switched on in all of the project's brokers, or in all of its clients.
    pub defect: Option<Defect>,
    /// A program that takes the place of the project's broker on each node that has it.
    pub guest: Option<Guest>,
}

/// Brings `plan` to life on `engine`, and returns what happened.
///
/// # Errors
/// The engine cannot express the plan, or failed. The event-driven engine can express every plan.
pub fn run(plan: &Arc<Plan>, engine: Engine, options: RunOptions) -> Result<Trace, EngineError> {
    let guest = options.guest.clone();
    let result = match engine {
        Engine::Sim => run_sim(plan, options).map_err(|error| EngineError::Failed(error.to_string())),
        Engine::Turmoil => ticked::run(plan, options),
        Engine::Live(real_time) => live::run(plan, real_time, options),
    };
    match guest.and_then(|guest| guest.take_trouble()) {
        Some(trouble) => Err(EngineError::Program(trouble)),
        None => result,
    }
}

/// Tells a recorder what it is to do with the events of its run.
fn prepare(recorder: &Recorder, observer: Box<dyn RunObserver>, keeps_trace: bool) {
    recorder.observe(observer);
    if !keeps_trace {
        recorder.keep_no_trace();
    }
}

fn run_sim(plan: &Arc<Plan>, options: RunOptions) -> Result<Trace, sim::SimError> {
    let RunOptions { observer, keeps_trace, defect, guest } = options;
    let switchboard = Switchboard::new(plan.nodes.len());
    let disks = Disks::new(plan.nodes.len());
    sim::run(
        plan,
        defect,
        disks.clone(),
        |recorder| {
            prepare(recorder, observer, keeps_trace);
            Director::new(plan, recorder, switchboard.clone())
        },
        |recorder, node, network, clock| {
            Box::pin(node::run(Env {
                plan: Arc::clone(plan),
                node,
                network,
                clock,
                recorder: recorder.clone(),
                commands: switchboard.plug_in(node),
                disk: disks.of(node),
                defect,
                guest: guest.clone(),
            }))
        },
    )
}
