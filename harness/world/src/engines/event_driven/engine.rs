use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::clock::{NodeClock, Timers};
use super::fabric::{Fabric, host};
use super::network::SimNetwork;
use super::ready::{NodeWaker, Ready};
use super::{Pace, SimError};
use crate::Variation;
use crate::defect::Defect;
use crate::engines::live;
use crate::node::{Disks, RemoteBroker};
use crate::plan::{NodeFault, NodeId, Plan, Program};
use crate::record::Recorder;
use crate::script::{EngineCommand, NodeFuture, Script};

/// Maximum number of polls at one instant. More means that programs keep waking each other.
const POLLS_AT_ONE_INSTANT: u32 = 10_000_000;

/// Maximum time, in real time, between two questions whether the run is to go on.
const LOOK: Duration = Duration::from_millis(200);

/// The drift, in millionths, of a clock that all but stands still.
const STANDSTILL: i32 = -999_999;

/// The world: its network, its programs, and the time they share.
pub(super) struct EventDrivenEngine<S, F> {
    story: S,
    start: F,
    recorder: Recorder,
    timers: Timers,
    defect: Option<Defect>,
    disks: Disks,
    /// The way in which the run differs from an event on that has not come yet.
    variation: Option<Variation>,
    ready: Arc<Ready>,
    /// Time at which nodes that stand still go on by themselves.
    resumes: BTreeSet<(Duration, NodeId)>,
    nodes: Vec<Node>,
    fabric: Rc<RefCell<Fabric>>,
    /// Number of events that were recorded when the story was last asked.
    told: Option<usize>,
    /// Time at which the script was last polled without anything having happened.
    asked_at: Option<Duration>,
    /// The broker outside of the world, in real time.
    outside: Option<RemoteBroker>,
    /// The greatest lateness of anything that was due. In virtual time there is none.
    lateness: Duration,
}

struct Node {
    program: Option<NodeFuture>,
    waker: Arc<NodeWaker>,
    as_waker: Waker,
    /// The process stands still.
    is_paused: bool,
    /// Time at which it goes on by itself.
    resumes_at: Option<Duration>,
}

impl<S, F> EventDrivenEngine<S, F>
where
    S: Script,
    F: FnMut(&Recorder, NodeId, SimNetwork, NodeClock) -> NodeFuture,
{
    /// A world with its programs about to run.
    pub(super) fn new(
        plan: &Arc<Plan>,
        defect: Option<Defect>,
        disks: Disks,
        story: impl FnOnce(&Recorder) -> S,
        start: F,
    ) -> Self {
        let timers = Timers::new(plan.nodes.len());
        let recorder = {
            let timers = timers.clone();
            Recorder::new(move || timers.now())
        };
        let ready = Arc::<Ready>::default();
        let node = |id| {
            let waker = NodeWaker::new(id, &ready);
            let as_waker = Waker::from(Arc::clone(&waker));
            Node { program: None, waker, as_waker, is_paused: false, resumes_at: None }
        };
        let nodes = plan.node_ids().map(node).collect();
        let fabric = Rc::new(RefCell::new(Fabric::new(plan, &recorder, &timers)));
        let mut engine = Self {
            story: story(&recorder),
            start,
            recorder,
            timers,
            defect,
            disks,
            variation: None,
            ready,
            resumes: BTreeSet::new(),
            nodes,
            fabric,
            told: None,
            asked_at: None,
            outside: None,
            lateness: Duration::ZERO,
        };
        for id in plan.node_ids() {
            engine.start(id);
        }
        engine
    }

    /// Lets the run go on otherwise from an event on.
    pub(super) fn set_variation(&mut self, variation: Option<Variation>) {
        self.variation = variation;
    }

    /// Tells this broker when its process stands still and goes on.
    pub(super) fn set_outside(&mut self, broker: RemoteBroker) {
        self.outside = Some(broker);
    }

    /// Returns by how much something came later than it was due, at most.
    pub(super) fn lateness(&self) -> Duration {
        self.lateness
    }

    /// Returns what was recorded.
    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// Runs until the story is over, or nothing can happen any more. Time jumps, and no program may wait for anything
    /// outside of the world.
    pub(super) fn run(&mut self) -> Result<(), SimError> {
        while let Some(next) = self.run_instant()? {
            // Nothing is left to do at the present instant, also if that is when something wants to be next.
            self.timers.set_now(next_whole_millis(next).max(self.timers.now()));
            self.deliver();
        }
        Ok(())
    }

    /// Runs as [`run`](Self::run) does, in the time of the tokio runtime, in which programs may wait, too.
    pub(super) async fn run_in_tokio(&mut self, pace: Pace) -> Result<(), SimError> {
        let origin = tokio::time::Instant::now();
        while let Some(next) = self.run_instant()? {
            let until = if pace == Pace::Real { next.min(self.timers.now() + LOOK) } else { next };
            let mut sleep = pin!(tokio::time::sleep_until(origin + until));
            let ready = Arc::clone(&self.ready);
            poll_fn(|cx| {
                ready.when_not_empty(cx.waker());
                if ready.is_empty() { sleep.as_mut().poll(cx) } else { Poll::Ready(()) }
            })
            .await;
            let now = whole_millis(origin.elapsed());
            self.lateness = self.lateness.max(now.saturating_sub(next));
            self.timers.set_now(now);
            if pace == Pace::Real && live::is_interrupted() {
                return Err(SimError::Interrupted);
            }
            // A program under test has been woken by tokio's timers already, and must find what arrives at this instant.
            self.deliver();
        }
        Ok(())
    }

    /// Lets everything happen that happens at this instant, and returns the next one, if there is any.
    fn run_instant(&mut self) -> Result<Option<Duration>, SimError> {
        self.settle()?;
        Ok(if self.story.is_over() { None } else { self.next_instant() })
    }

    /// Lets everything happen that happens at this instant. What arrives is read before the story goes on, and the
    /// story goes on before time-outs are judged.
    fn settle(&mut self) -> Result<(), SimError> {
        let mut polls_left = POLLS_AT_ONE_INSTANT;
        loop {
            // A round without a poll counts too.
            polls_left = polls_left.saturating_sub(1);
            self.poll_ready(&mut polls_left);
            if polls_left == 0 {
                return Err(SimError::NeverQuiet { at: self.timers.now() });
            }
            let recorded = self.recorder.len();
            if let Some(variation) = self.variation.take_if(|variation| variation.after <= recorded) {
                self.fabric.borrow_mut().vary(&variation);
            }
            self.flush();
            let goes_on = self.deliver() || self.resume_due() || self.ask_story();
            let fires = |engine: &Self| engine.fabric.borrow_mut().handle_timeouts() || engine.timers.fire();
            if self.story.is_over() || !(goes_on || fires(self)) {
                return Ok(());
            }
        }
    }

    /// The next time at which something happens.
    fn next_instant(&self) -> Option<Duration> {
        let asked_at = self.asked_at;
        // A story that asks for the instant it has just had would stop the world's time.
        let next_wake = self.story.next_wake().map(|wake| match asked_at {
            Some(asked_at) if wake <= asked_at => asked_at + Duration::from_millis(1),
            _ => wake,
        });
        let resume = self.resumes.first().map(|(at, _)| *at);
        [self.fabric.borrow().tcp.poll_timeout(), self.timers.next(), next_wake, resume].into_iter().flatten().min()
    }

    /// Polls the nodes that were woken until none is, or the given number of polls have been made.
    fn poll_ready(&mut self, polls_left: &mut u32) {
        // Whether a node may have written something that the network does not know of yet.
        let mut is_unsent = false;
        while *polls_left > 0
            && let Some(id) = self.ready.next()
        {
            *polls_left -= 1;
            let node = &mut self.nodes[id.0];
            node.waker.begin_poll();
            if node.is_paused {
                // Woken anyway when it goes on.
                continue;
            }
            if self.timers.is_quiet_asked_for() {
                let until = if self.ready.is_empty() && !is_unsent { self.next_instant() } else { None };
                self.timers.set_quiet_until(until);
            }
            is_unsent = true;
            let node = &mut self.nodes[id.0];
            if let Some(program) = &mut node.program {
                // Nodes are polled many times within one poll of the world, which would use up the world's budget.
                let program = pin!(tokio::task::unconstrained(program.as_mut()));
                if program.poll(&mut Context::from_waker(&node.as_waker)).is_ready() {
                    node.program = None;
                }
            }
        }
    }

    /// Sends what programs have written.
    fn flush(&self) {
        self.fabric.borrow_mut().flush();
    }

    /// Lets everything arrive that arrives now, and returns whether there was anything. Stops before an abort for which
    /// a node has to read first.
    fn deliver(&self) -> bool {
        let mut fabric = self.fabric.borrow_mut();
        let now = self.timers.now();
        let mut any = false;
        loop {
            if fabric.tcp.abort_is_due(now) && !self.ready.is_empty() {
                return true;
            }
            if !fabric.handle_arrival() {
                return any;
            }
            any = true;
        }
    }

    /// Lets the story act; whether it did.
    fn ask_story(&mut self) -> bool {
        let now = self.timers.now();
        let recorded = self.recorder.len();
        let is_due = self.asked_at != Some(now) && self.story.next_wake().is_some_and(|wake| wake <= now);
        if self.told == Some(recorded) && !is_due {
            return false;
        }
        self.asked_at = Some(now);
        let orders = self.story.poll(&self.recorder);
        let acted = !orders.is_empty() || self.recorder.len() != recorded || !self.ready.is_empty();
        // A story that acted is asked again once what it did has been done.
        self.told = (!acted).then_some(recorded);
        for order in orders {
            self.obey(order);
        }
        acted
    }

    fn obey(&mut self, order: EngineCommand) {
        match order {
            EngineCommand::Node(node, fault) => self.befall(node, fault),
            EngineCommand::Network(step, change) => self.fabric.borrow_mut().change(step, change),
        }
    }

    /// Something happens to a node.
    fn befall(&mut self, node: NodeId, fault: NodeFault) {
        match fault {
            NodeFault::Crash => self.crash(node),
            NodeFault::PowerLoss => self.power_loss(node),
            // The program ends itself: a command, and its statement in the trace.
            NodeFault::Shutdown => {}
            NodeFault::Restart => self.restart(node),
            NodeFault::LoseDisk => {
                if self.disks.of(node).clear() {
                    self.recorder.node(node, fault);
                }
            }
            NodeFault::Pause(time) => self.pause(node, time),
            NodeFault::Resume => self.resume(node),
            NodeFault::StopReading => self.set_reading(node, false),
            NodeFault::ResumeReading => self.set_reading(node, true),
            NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) | NodeFault::SetWallClock(_) => {
                self.recorder.node(node, fault);
                match fault {
                    NodeFault::ClockDrift(ppm) => self.timers.drift(node, ppm),
                    NodeFault::ClockJump(by_ms) => self.timers.jump(node, by_ms),
                    // Timers do not follow the date, unless that is the defect.
                    NodeFault::SetWallClock(by_ms) if self.is_defective(node, Defect::has_timers_on_wall_clock) => {
                        self.timers.jump(node, by_ms);
                    }
                    _ => {}
                }
            }
        }
    }

    /// Returns whether the defect of this run is a certain one of the node's program.
    fn is_defective(&self, id: NodeId, is_it: fn(Defect, &Program) -> bool) -> bool {
        self.defect.is_some_and(|defect| is_it(defect, &self.fabric.borrow().plan.node(id).program))
    }

    /// The process dies. Its kernel closes the sockets.
    fn crash(&mut self, id: NodeId) {
        if self.nodes[id.0].program.is_none() {
            return;
        }
        self.recorder.node(id, NodeFault::Crash);
        self.stop(id);
    }

    /// The host dies: its sockets are closed without a word.
    fn power_loss(&mut self, id: NodeId) {
        if self.fabric.borrow().tcp.is_down(host(id)) {
            return;
        }
        // What other nodes have just written is not to be lost with it.
        self.flush();
        self.recorder.node(id, NodeFault::PowerLoss);
        self.fabric.borrow_mut().tcp.power_off(self.timers.now(), host(id));
        self.stop(id);
        self.flush();
    }

    /// The program starts again.
    fn restart(&mut self, id: NodeId) {
        self.crash(id);
        self.flush();
        self.fabric.borrow_mut().tcp.power_on(host(id));
        self.recorder.node(id, NodeFault::Restart);
        self.start(id);
    }

    /// The process stands still. Its kernel lives.
    fn pause(&mut self, id: NodeId, time: Option<Duration>) {
        let node = &mut self.nodes[id.0];
        if node.is_paused || node.program.is_none() {
            return;
        }
        node.is_paused = true;
        self.outside.iter().for_each(|broker| broker.pause(id));
        self.timers.pause(id);
        if self.is_defective(id, Defect::has_clock_that_sleeps) {
            self.timers.drift(id, STANDSTILL);
        }
        let resumes_at = time.map(|time| self.timers.now() + time);
        self.nodes[id.0].resumes_at = resumes_at;
        self.resumes.extend(resumes_at.map(|at| (at, id)));
        self.recorder.node(id, NodeFault::Pause(time));
    }

    /// The process goes on: it reads what has come, and then its timers are due.
    fn resume(&mut self, id: NodeId) {
        if self.nodes[id.0].is_paused {
            self.recorder.node(id, NodeFault::Resume);
            self.end_pause(id);
            self.outside.iter().for_each(|broker| broker.resume(id));
            self.nodes[id.0].as_waker.wake_by_ref();
        }
    }

    /// Lets the processes go on whose time it is; whether there were any.
    fn resume_due(&mut self) -> bool {
        let now = self.timers.now();
        let mut any = false;
        while let Some((_, id)) = self.resumes.first().copied().filter(|(at, _)| *at <= now) {
            any = true;
            self.resume(id);
        }
        any
    }

    fn end_pause(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        node.is_paused = false;
        if let Some(at) = node.resumes_at.take() {
            self.resumes.remove(&(at, id));
        }
        self.timers.resume(id);
        if self.is_defective(id, Defect::has_clock_that_sleeps) {
            self.timers.drift(id, 0);
        }
    }

    fn set_reading(&mut self, id: NodeId, reads: bool) {
        if self.nodes[id.0].program.is_some() && self.fabric.borrow_mut().host_mut(id).set_reading(reads) {
            self.recorder.node(id, if reads { NodeFault::ResumeReading } else { NodeFault::StopReading });
        }
    }

    fn start(&mut self, id: NodeId) {
        let network = SimNetwork::new(id, &self.fabric);
        let program = (self.start)(&self.recorder, id, network, NodeClock::new(&self.timers, id));
        let node = &mut self.nodes[id.0];
        node.program = Some(program);
        node.as_waker.wake_by_ref();
    }

    fn stop(&mut self, id: NodeId) {
        let node = &mut self.nodes[id.0];
        node.program = None;
        self.end_pause(id);
        if let Some(host) = self.fabric.borrow_mut().host(id) {
            host.set_reading(true);
        }
    }
}

/// The resolution of the world's time.
fn whole_millis(duration: Duration) -> Duration {
    Duration::new(duration.as_secs(), duration.subsec_millis() * 1_000_000)
}

/// Returns the first instant of the world's time that is not before this one.
fn next_whole_millis(duration: Duration) -> Duration {
    whole_millis(duration.saturating_add(Duration::from_nanos(999_999)))
}

#[cfg(test)]
mod tests;
