use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use super::record::Recorder;
use crate::plan::{NetworkChange, NodeId, Position};

/// What an engine asks for orders: the story of a run as a state machine without a clock of its own.
///
/// What concerns only programs goes from the story to them over channels; an engine notices that they have been woken.
pub(crate) trait Story {
    /// What the engine is to do now, in order.
    ///
    /// Called when all is quiet at an instant and something was recorded since the last call, or
    /// [`next_wake`](Self::next_wake) has come, and once at the start. Called again at the same instant for as long as
    /// it gives orders, records something or wakes a program.
    fn poll(&mut self, recorder: &Recorder) -> Vec<Order>;

    /// When to call [`poll`](Self::poll) even if nothing happens until then, as virtual time since the start.
    fn next_wake(&self) -> Option<Duration>;

    /// Whether the run is over.
    fn is_over(&self) -> bool;
}

/// What only an engine can do.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// The process dies, its kernel lives: FIN, or RST where unread data was waiting. Nothing if it is dead already.
    Crash(NodeId),
    /// The host dies: nothing is sent, and what comes for it vanishes. Nothing if it is down already.
    PowerLoss(NodeId),
    /// The program starts again on the same address; crashes first if it still runs.
    Restart(NodeId),
    /// The process stands still, its kernel lives; for so long, or until it is told to go on. Nothing if it does already,
    /// or does not run.
    Pause(NodeId, Option<Duration>),
    /// Ends `Pause`: what has come is read, then all timers that have passed are due at once.
    Resume(NodeId),
    /// The program reads nothing any more: the windows of those who send to it fill.
    StopReading(NodeId),
    /// Ends `StopReading`.
    ResumeReading(NodeId),
    /// The clock of the node runs faster than the world's by so many millionths from now on.
    ClockDrift(NodeId, i32),
    /// The clock of the node leaps by so many milliseconds.
    ClockJump(NodeId, i64),
    /// The wall clock of the node is set by so many milliseconds; what it measures time with is another clock.
    SetDate(NodeId, i64),
    /// The network changes; the step that says so stands at the position.
    Network(Position, NetworkChange),
}

/// A program on a node, to be polled by an engine.
pub(crate) type NodeFuture = Pin<Box<dyn Future<Output = ()>>>;
