//! The event-driven engine.
//!
//! The world is one future on one thread. It polls the nodes that have been woken, in the order in which they were,
//! until none is; sends what they have written; hands over what arrives; lets the story act; fires the time-outs that are due; and when nothing more happens at this instant, it lets time jump to the next one
//! at which something does.

mod clock;
mod engine;
mod fabric;
mod local_time;
mod network;
mod ready;
mod timer_queue;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::clock::NodeClock;
use self::engine::EventDrivenEngine;
pub use self::local_time::LocalTime;
pub(crate) use self::network::SimNetwork;
use crate::Variation;
use crate::node::{Programs, RemoteBroker};
use crate::plan::{NodeId, Plan};
use crate::record::Recorder;
use crate::script::{NodeFuture, Script};
use crate::trace::Trace;

/// The reason for which a run could not be brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SimError {
    /// Programs keep waking each other without time going on.
    #[error("the nodes never come to rest {at:?} after the start")]
    NeverQuiet {
        /// Virtual time since the start.
        at: Duration,
    },
    /// The run in real time was interrupted.
    #[error("interrupted")]
    Interrupted,
}

/// The pace of tokio's time in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Time jumps to the next thing that happens.
    Virtual,
    /// Time is the machine's.
    Real,
}

/// Runs a plan: `script` makes what tells the engine what to do, and `variation` says from where on another run is made. A run ends when the script is over, or nothing can
/// happen any more.
///
/// # Errors
/// See [`SimError`].
///
/// # Panics
/// Where a program panics; and inside of a tokio runtime, because it makes its own.
pub(crate) fn run<S: Script>(
    plan: &Arc<Plan>,
    programs: &Programs,
    variation: Option<Variation>,
    script: impl FnOnce(&Recorder) -> S,
) -> Result<Trace, SimError> {
    // A program under test may wait in tokio's time. Without one, time is a number.
    let runtime = programs.has_programs_under_test().then(|| {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        runtime.expect("a runtime without input and output takes nothing that could be missing")
    });
    let mut engine = engine(plan, programs, script);
    engine.set_variation(variation);
    let result = match &runtime {
        Some(runtime) => runtime.block_on(tokio::task::unconstrained(engine.run_in_tokio(Pace::Virtual))),
        None => engine.run(),
    };
    let trace = engine.recorder().finish();
    drop(engine);
    result.map(|()| trace)
}

fn engine<S: Script>(
    plan: &Arc<Plan>,
    programs: &Programs,
    script: impl FnOnce(&Recorder) -> S,
) -> EventDrivenEngine<S, impl FnMut(&Recorder, NodeId, SimNetwork, NodeClock) -> NodeFuture> {
    let started = programs.clone();
    let start = move |recorder: &Recorder, node, network, clock| -> NodeFuture {
        started.start(recorder, node, network, clock)
    };
    EventDrivenEngine::new(plan, programs.defect(), programs.disks().clone(), script, start)
}

/// Runs a plan in real time, with a broker that is `outside` of the world, if there is one. Returns by how much
/// something came later than it was due, at most, too.
///
/// # Errors
/// See [`SimError`].
///
/// # Panics
/// As [`run`].
pub(crate) fn run_in_real_time<S: Script>(
    plan: &Arc<Plan>,
    programs: &Programs,
    outside: Option<&RemoteBroker>,
    script: impl FnOnce(&Recorder) -> S,
) -> Result<(Trace, Duration), SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime takes a descriptor or two");
    let mut engine = engine(plan, programs, script);
    let work = async {
        if let Some(outside) = outside {
            outside.boot(plan).await;
            engine.set_outside(outside.clone());
        }
        engine.run_in_tokio(Pace::Real).await
    };
    let result = runtime.block_on(tokio::task::unconstrained(work));
    let lateness = engine.lateness();
    let trace = engine.recorder().finish();
    let _inside = runtime.enter();
    drop(engine);
    result.map(|()| (trace, lateness))
}
