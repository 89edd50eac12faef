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
use self::engine::Engine;
pub use self::local_time::LocalTime;
pub(crate) use self::network::SimNetwork;
use super::defect::Defect;
use super::node::Disks;
use super::record::Recorder;
use super::story::{NodeFuture, Story};
use crate::plan::{NodeId, Plan};
use crate::trace::Trace;

/// Why a run could not be brought to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SimError {
    /// Programs keep waking each other without time going on.
    #[error("the nodes never come to rest {at:?} after the start")]
    NeverQuiet {
        /// Virtual time since the start.
        at: Duration,
    },
}

/// Runs a plan: `story` makes what tells the engine what to do, `start` the program of a node, at the start of the run
/// and after each restart. A run ends when the story is over, or nothing can happen any more.
///
/// # Errors
/// See [`SimError`].
///
/// # Panics
/// Where a program panics; and inside of a tokio runtime, because it makes its own.
pub(crate) fn run<S: Story>(
    plan: &Arc<Plan>,
    defect: Option<Defect>,
    disks: Disks,
    story: impl FnOnce(&Recorder) -> S,
    start: impl FnMut(&Recorder, NodeId, SimNetwork, NodeClock) -> NodeFuture,
) -> Result<Trace, SimError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without input and output takes nothing that could be missing");
    let mut engine = Engine::new(plan, defect, disks, story, start);
    let result = runtime.block_on(tokio::task::unconstrained(engine.run()));
    let trace = engine.recorder().finish();
    drop(engine);
    result.map(|()| trace)
}
