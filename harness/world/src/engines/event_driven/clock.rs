use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen_protocol::{Clock, Instant};

use super::local_time::LocalTime;
use super::timer_queue::{TimerId, TimerQueue};
use crate::node::WorldClock;
use crate::plan::NodeId;

/// The deadline that is never due: that of the timers of a node that stands still.
const NEVER: Duration = Duration::MAX;

/// The world's time, who waits for it, and what the nodes' own clocks make of it.
#[derive(Clone)]
pub(super) struct Timers(Rc<Inner>);

struct Inner {
    now: Cell<Duration>,
    waiting: RefCell<TimerQueue>,
    nodes: RefCell<Vec<NodeTime>>,
    quiet: Cell<Quiet>,
}

/// Whether anybody asks, and the time up to which nothing happens but what the polled node does.
#[derive(Clone, Copy, Default)]
struct Quiet {
    is_asked_for: bool,
    until: Option<Duration>,
}

#[derive(Default)]
struct NodeTime {
    local: LocalTime,
    is_paused: bool,
}

impl Timers {
    /// Creates the clocks of the given number of nodes, at their start.
    pub(super) fn new(nodes: usize) -> Self {
        let waiting = RefCell::new(TimerQueue::new(nodes));
        let nodes = (0..nodes).map(|_| NodeTime::default()).collect();
        let (now, quiet) = Default::default();
        Self(Rc::new(Inner { now, waiting, nodes: RefCell::new(nodes), quiet }))
    }

    /// Virtual time since the start of the run.
    pub(super) fn now(&self) -> Duration {
        self.0.now.get()
    }

    /// Time has gone on.
    pub(super) fn set_now(&self, now: Duration) {
        self.0.now.set(now);
    }

    /// Returns whether a node wants to know up to when nothing happens but what it does.
    pub(super) fn is_quiet_asked_for(&self) -> bool {
        self.0.quiet.get().is_asked_for
    }

    /// Says up to when nothing happens but what the node does that is polled next.
    pub(super) fn set_quiet_until(&self, until: Option<Duration>) {
        self.0.quiet.set(Quiet { until, ..self.0.quiet.get() });
    }

    /// The next deadline.
    pub(super) fn next(&self) -> Option<Duration> {
        self.0.waiting.borrow().first_due().filter(|due| *due != NEVER)
    }

    /// Wakes all whose deadline has come; whether there were any.
    pub(super) fn fire(&self) -> bool {
        let now = self.now();
        let mut fired = false;
        let pop = || self.0.waiting.borrow_mut().pop_due(now);
        while let Some(waker) = pop() {
            waker.wake();
            fired = true;
        }
        fired
    }

    /// Stops the timers of this node until [`resume`](Self::resume): then all that have passed are due at
    /// once.
    pub(super) fn pause(&self, node: NodeId) {
        self.0.nodes.borrow_mut()[node.0].is_paused = true;
        self.move_entries(node);
    }

    /// Ends [`pause`](Self::pause).
    pub(super) fn resume(&self, node: NodeId) {
        self.0.nodes.borrow_mut()[node.0].is_paused = false;
        self.move_entries(node);
    }

    /// Makes the clock of a node run faster than the world's by the given number of millionths.
    pub(super) fn drift(&self, node: NodeId, ppm: i32) {
        let now = self.now();
        self.0.nodes.borrow_mut()[node.0].local.drift(now, ppm);
        self.move_entries(node);
    }

    /// Sets the clock of a node forward by the given number of milliseconds.
    pub(super) fn jump(&self, node: NodeId, by_ms: i64) {
        let now = self.now();
        self.0.nodes.borrow_mut()[node.0].local.jump(now, by_ms);
        self.move_entries(node);
    }

    fn local(&self, node: NodeId) -> Duration {
        self.0.nodes.borrow()[node.0].local.at(self.now())
    }

    fn due(&self, node: NodeId, deadline: Duration) -> Duration {
        let nodes = self.0.nodes.borrow();
        let node = &nodes[node.0];
        if node.is_paused { NEVER } else { node.local.due(deadline) }
    }

    /// Moves the timers of a clock that has changed.
    fn move_entries(&self, node: NodeId) {
        self.0.waiting.borrow_mut().reschedule(node, |deadline| self.due(node, deadline));
    }
}

/// The clock of a node. As long as nothing was done to it, it shows the world's time since the start of the run.
///
/// Time has a resolution of one millisecond: a deadline between two of them is met at the later one. The clock never
/// goes back, because what programs measure time with does not: one that is set back stands still until it has caught
/// up.
#[derive(Clone)]
pub(crate) struct NodeClock {
    timers: Timers,
    node: NodeId,
}

impl NodeClock {
    /// The clock of this node.
    pub(super) fn new(timers: &Timers, node: NodeId) -> Self {
        Self { timers: timers.clone(), node }
    }
}

impl Clock for NodeClock {
    fn now(&self) -> Instant {
        Instant::new(self.timers.local(self.node))
    }

    fn sleep_until(&self, deadline: Instant) -> impl Future<Output = ()> + 'static {
        let deadline = deadline.since_origin();
        Sleep { timers: self.timers.clone(), node: self.node, deadline, timer: None }
    }
}

impl WorldClock for NodeClock {
    fn world_time(&self, instant: Instant) -> Duration {
        self.timers.0.nodes.borrow()[self.node.0].local.world_time(instant.since_origin())
    }

    fn quiet_until(&self) -> Option<Duration> {
        let quiet = self.timers.0.quiet.get();
        self.timers.0.quiet.set(Quiet { is_asked_for: true, ..quiet });
        let until = quiet.until?;
        // Known only for a clock that goes as the world's.
        let nodes = self.timers.0.nodes.borrow();
        (nodes[self.node.0].local.at(until) == until && self.timers.local(self.node) == self.timers.now())
            .then_some(until)
    }
}

/// Waits for a deadline; no longer once it is dropped.
struct Sleep {
    timers: Timers,
    node: NodeId,
    deadline: Duration,
    /// The timer, once it waits.
    timer: Option<TimerId>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(timer) = self.timer else {
            if self.deadline <= self.timers.local(self.node) {
                return Poll::Ready(());
            }
            let due = self.timers.due(self.node, self.deadline);
            let waker = cx.waker().clone();
            let timer = self.timers.0.waiting.borrow_mut().insert(self.node, self.deadline, due, waker);
            self.timer = Some(timer);
            return Poll::Pending;
        };
        // Over is what the world has called out, so that a node that is polled for something that has arrived at the
        // very instant of a deadline does not see the deadline first.
        match self.timers.0.waiting.borrow_mut().waker(timer) {
            None => return Poll::Ready(()),
            Some(waker) if !waker.will_wake(cx.waker()) => waker.clone_from(cx.waker()),
            Some(_) => {}
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.timers.0.waiting.borrow_mut().remove(timer);
        }
    }
}

#[cfg(test)]
mod tests;
