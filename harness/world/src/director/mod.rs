//! The script as a state machine: given what has happened, what is to be done now, and when to come back.
//!
//! It knows no engine: it receives each event and gives [`EngineCommand`]s. Time in it is the time of the world.

mod inbox;
mod patience;
mod pending;
mod step_runner;
mod wait;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use self::inbox::{Inboxes, SharedInboxes};
use self::patience::Patience;
use self::pending::Pending;
use self::step_runner::{Progress, StepRunner};
use self::wait::AwaitedAnswers;
use super::node::Switchboard;
use super::record::Recorder;
use super::script::{EngineCommand, Script};
use crate::plan::{Answers, Node, NodeId, Plan, Program};

/// Time for which a run goes on after everything is decided, to see what should not come.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Carries out the script of a plan.
pub(crate) struct Director {
    plan: Arc<Plan>,
    switchboard: Switchboard,
    /// The script itself first, then what it started in the background.
    runners: Vec<StepRunner>,
    /// Time that the run waits when the script does not move on by itself: it is done, or waits for what may never come.
    patience: Patience,
    /// Time at which the script was done and nothing more had to happen; some of it may still have to be waited for.
    told_at: Option<Duration>,
    until: Until,
    /// Time at which the run ends at the latest, whatever the file says.
    limit: Option<Duration>,
    /// Number of events after which the run ends, whatever the file says.
    event_limit: Option<usize>,
    next_wake: Option<Duration>,
    over: bool,
    inboxes: SharedInboxes,
    /// Number of events of each node that steps have taken note of.
    unread: Vec<usize>,
    /// The answers of each raw peer.
    answers: BTreeMap<NodeId, Answers>,
}

/// The data that a step runner sees, and the list to which it adds its commands.
struct PollContext<'a> {
    now: Duration,
    plan: &'a Plan,
    recorder: &'a Recorder,
    switchboard: &'a Switchboard,
    orders: Vec<EngineCommand>,
    /// True if a program has been told something that it has not yet had the time to do.
    told: bool,
    inboxes: &'a RefCell<Inboxes>,
    unread: &'a mut [usize],
    answers: &'a mut BTreeMap<NodeId, Answers>,
}

/// The end of the run according to the file.
enum Until {
    /// The run ends when everything is decided.
    Decided,
    /// The run ends at a known instant.
    At(Duration),
    /// The run ends at a moment whose event has yet to come.
    Event(Pending),
}

impl Director {
    /// A director that has told nothing yet. It must be made before anything is recorded.
    pub(crate) fn new(plan: &Arc<Plan>, recorder: &Recorder, switchboard: Switchboard) -> Self {
        let prologue = prologue(plan);
        let mut inboxes = Inboxes::new(plan);
        prologue.iter().for_each(|wait| inboxes.begin_wait(wait.node));
        let inboxes = Rc::new(RefCell::new(inboxes));
        recorder.observe(Box::new(Rc::clone(&inboxes)));
        let pending = |moment| Until::Event(Pending::new(moment, &inboxes.borrow()));
        let until = plan.until.clone().map_or(Until::Decided, pending);
        Self {
            runners: vec![StepRunner::story(plan.steps.clone(), prologue)],
            patience: Patience::new(plan),
            told_at: None,
            until,
            limit: None,
            event_limit: None,
            next_wake: None,
            over: false,
            inboxes,
            unread: vec![0; plan.nodes.len()],
            answers: plan.node_ids().filter_map(|node| Some((node, answers(plan.node(node))?))).collect(),
            plan: Arc::clone(plan),
            switchboard,
        }
    }

    /// Ends the run at the latest at this time, whatever the file says.
    pub(crate) fn ending_by(self, limit: Duration) -> Self {
        Self { limit: Some(limit), ..self }
    }

    /// Ends the run at the instant at which it has this many events, whatever the file says.
    pub(crate) fn ending_after(self, event_limit: Option<usize>) -> Self {
        Self { event_limit, ..self }
    }

    /// Lets all runners go on as far as they can at this instant.
    fn advance(&mut self, now: Duration, recorder: &Recorder) -> Vec<EngineCommand> {
        let plan = Arc::clone(&self.plan);
        let inboxes = Rc::clone(&self.inboxes);
        let mut unread = std::mem::take(&mut self.unread);
        let mut answers = std::mem::take(&mut self.answers);
        let switchboard = self.switchboard.clone();
        let mut stage = PollContext {
            now,
            plan: &plan,
            recorder,
            switchboard: &switchboard,
            orders: Vec::new(),
            told: false,
            inboxes: &inboxes,
            unread: &mut unread,
            answers: &mut answers,
        };
        for place in 0..self.runners.len() {
            self.advance_actor(place, &mut stage);
        }
        let orders = stage.orders;
        inboxes.borrow_mut().forget(&unread);
        self.unread = unread;
        self.answers = answers;
        self.runners.retain(|step_runner| !step_runner.has_ended());
        orders
    }

    /// Lets a step runner go on. One that it starts comes before what it does next.
    fn advance_actor(&mut self, place: usize, stage: &mut PollContext<'_>) {
        while let Progress::Begins(step_runner) = self.runners[place].advance(stage) {
            self.runners.push(*step_runner);
            self.advance_actor(self.runners.len() - 1, stage);
        }
    }

    fn is_told(&self) -> bool {
        self.runners.iter().all(StepRunner::is_endless)
    }

    fn is_quiet(&self) -> bool {
        self.runners.iter().all(|step_runner| step_runner.is_endless() || step_runner.wakes_at().is_none())
    }

    /// The instant at which the run ends, as far as that is known.
    fn end(&mut self, now: Duration, recorder: &Recorder) -> Option<Duration> {
        if let Until::Event(pending) = &self.until
            && let Some(at) = pending.resolve(&self.inboxes.borrow())
        {
            self.until = Until::At(at);
        }
        self.patience.note(self.is_quiet(), now, recorder.len());
        let decided = self.is_told().then(|| recorder.decided_at()).flatten();
        let decided = decided.map(|at| at.max(*self.told_at.get_or_insert(now)) + AFTERMATH);
        let latest = self.patience.end(recorder.len());
        let end = match self.until {
            Until::At(at) => Some(at),
            Until::Event(_) => latest,
            // A time that is always put off again must not keep the run from ending.
            Until::Decided => decided.into_iter().chain(latest).min(),
        };
        let is_full = self.event_limit.is_some_and(|limit| recorder.len() >= limit);
        end.into_iter().chain(self.limit).chain(is_full.then_some(now)).min()
    }

    fn finish(&mut self, recorder: &Recorder) {
        self.over = true;
        for step_runner in &self.runners {
            if let Some((step, what)) = step_runner.unanswered() {
                recorder.step_failed(step, format!("{what} had not come when the run ended"));
            }
        }
    }
}

impl Script for Director {
    fn poll(&mut self, recorder: &Recorder) -> Vec<EngineCommand> {
        if self.over {
            return Vec::new();
        }
        let now = recorder.now();
        let orders = self.advance(now, recorder);
        let end = self.end(now, recorder);
        if orders.is_empty() && end.is_some_and(|end| now >= end) {
            self.finish(recorder);
            return orders;
        }
        self.next_wake = self.runners.iter().filter_map(StepRunner::wakes_at).chain(end).min();
        orders
    }

    fn next_wake(&self) -> Option<Duration> {
        self.next_wake
    }

    fn is_over(&self) -> bool {
        self.over
    }
}

/// Returns what a raw peer answers before the story changes it.
fn answers(node: &Node) -> Option<Answers> {
    match &node.program {
        Program::RawClient(program) => Some(program.answers.clone()),
        Program::RawBroker(program) => Some(program.answers.clone()),
        Program::Client(_) | Program::Broker(_) => None,
    }
}

/// Clients are programs: they are up and connected when the story begins.
fn prologue(plan: &Plan) -> Vec<AwaitedAnswers> {
    let starts = |node: &NodeId| matches!(&plan.node(*node).program, Program::Client(client) if client.autostart);
    plan.node_ids().filter(starts).map(|node| AwaitedAnswers::connected(node, plan)).collect()
}
