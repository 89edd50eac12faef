use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::record::Recorder;
use crate::plan::{NetworkChange, NodeFault, NodeId, StepId};

/// The script of a run: a state machine without a clock of its own that an engine asks for commands.
///
/// What concerns only programs goes from the story to them over channels; an engine notices that they have been woken.
pub(crate) trait Script {
    /// Returns what the engine is to do now, in order.
    ///
    /// Called when all is quiet at an instant and something was recorded since the last call, or
    /// [`next_wake`](Self::next_wake) has come, and once at the start. Called again at the same instant for as long as
    /// it gives orders, records something or wakes a program.
    fn poll(&mut self, recorder: &Recorder) -> Vec<EngineCommand>;

    /// Returns when to call [`poll`](Self::poll) even if nothing happens until then, as virtual time since the start.
    fn next_wake(&self) -> Option<Duration>;

    /// Returns whether the run is over.
    fn is_over(&self) -> bool;
}

/// A command that only an engine can carry out.
#[derive(Clone, Debug)]
pub(crate) enum EngineCommand {
    /// Something happens to a node.
    Node(NodeId, NodeFault),
    /// The network changes, because of this step.
    Network(StepId, NetworkChange),
}

/// A program on a node, to be polled by an engine.
pub(crate) type NodeFuture = Pin<Box<dyn Future<Output = ()>>>;
