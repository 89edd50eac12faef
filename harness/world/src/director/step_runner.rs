use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::PollContext;
use super::pending::Pending;
use super::wait::{AwaitedAnswers, AwaitedByNodes};
use crate::node::{self, Directive};
use crate::plan::{Action, Command, NodeId, Step, StepId, StepKind};
use crate::script::EngineCommand;

/// Runs a list of steps, one after the other: the script, or a list that it started in the background.
pub(super) struct StepRunner {
    /// Lists of steps within lists of steps, the innermost last.
    frames: Vec<Frame>,
    /// The condition that it waits for before it goes on.
    state: State,
    period: Option<Period>,
    /// True if the steps are done beside the story: what fails there because a peer has gone is no failure.
    in_background: bool,
}

/// Steps that are repeated: all of them each time, or one part after the other.
struct Rounds {
    steps: Rc<[Step]>,
    per_round: Option<usize>,
    /// Number of parts that have been taken.
    taken: usize,
}

impl Rounds {
    fn new(steps: Vec<Step>, per_round: Option<usize>) -> Self {
        Self { steps: steps.into(), per_round, taken: 0 }
    }

    /// Returns what is done this time.
    fn take(&mut self) -> Rc<[Step]> {
        let Some(per_round) = self.per_round else { return Rc::clone(&self.steps) };
        let begin = self.taken * per_round;
        self.taken += 1;
        self.steps.get(begin..begin + per_round).unwrap_or_default().into()
    }
}

/// Number of times for each node of a plan that the steps of one `whenever` may begin at one instant.
const REACTIONS_AT_ONE_INSTANT: usize = 100;

/// The steps that are done each time that an event happens.
struct Reaction {
    step: StepId,
    event: Pending,
    left: Option<u64>,
    rounds: Rounds,
    /// The latest instant at which it began its steps, and how often it did at it.
    begun: (Duration, usize),
}

impl Reaction {
    /// Takes note that its steps begin once more at this instant. Returns whether they may: steps that cause their own
    /// event would never let the time go on.
    fn begin(&mut self, now: Duration, stage: &PollContext<'_>) -> bool {
        self.begun = if self.begun.0 == now { (now, self.begun.1 + 1) } else { (now, 1) };
        let limit = REACTIONS_AT_ONE_INSTANT * (stage.plan.nodes.len() + 1);
        if self.begun.1 > limit {
            let why = format!("its steps began {limit} times at one instant: they cause the event that they wait for");
            stage.recorder.step_failed(self.step, why);
        }
        self.begun.1 <= limit
    }
}

struct Frame {
    steps: Rc<[Step]>,
    next: usize,
    /// Number of further repetitions of the list.
    repeats: u64,
}

/// The period with which a step runner in the background starts again.
struct Period {
    rounds: Rounds,
    length: Duration,
    next: Duration,
    left: Option<u64>,
    until: Option<Pending>,
    /// Time at which that is, once it is known.
    ends: Option<Duration>,
}

enum State {
    Ready,
    Until(Duration),
    Event {
        pending: Pending,
        step: StepId,
    },
    Acting(Acting),
    /// Waits for an event, again and again.
    Listening(Box<Reaction>),
    /// The next command is for the engine and would overtake what a program was told before it at this
    /// instant: `[{ send: PINGREQ }, power_loss]` sends and then dies.
    Held {
        at: Duration,
        next: Held,
    },
    Ended,
}

/// A command that is held until the programs have done what they were told.
enum Held {
    Step(Step),
    Acting(Acting),
}

/// A node step in the middle of its actions.
struct Acting {
    step: StepId,
    nodes: Vec<NodeId>,
    actions: Vec<Action>,
    /// The index of the action under way.
    current: usize,
    /// The conditions that its nodes wait for.
    waits: AwaitedByNodes,
    in_background: bool,
}

/// The result of letting a step runner go on.
pub(super) enum Progress {
    /// The runner waits for time or an event, or has ended.
    Waits,
    /// The runner started another one, and can go on itself.
    Begins(Box<StepRunner>),
}

impl StepRunner {
    /// The step_runner that goes through the story, once all of `waits` have come.
    pub(super) fn story(steps: Vec<Step>, waits: Vec<AwaitedAnswers>) -> Self {
        let step = steps.first().map(|step| step.id).unwrap_or_default();
        let acting = Acting {
            step,
            nodes: Vec::new(),
            actions: Vec::new(),
            current: 0,
            waits: AwaitedByNodes::new(waits),
            in_background: false,
        };
        let frame = Frame { steps: steps.into(), next: 0, repeats: 0 };
        Self { frames: vec![frame], state: State::Acting(acting), period: None, in_background: false }
    }

    /// A step runner beside the story, without steps of its own yet.
    fn in_background(state: State) -> Self {
        Self { frames: Vec::new(), state, period: None, in_background: true }
    }

    /// Returns whether nothing is left to do.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// Returns whether it goes on for as long as the run does.
    pub(super) fn is_endless(&self) -> bool {
        matches!(self.state, State::Listening(_))
            || self.period.as_ref().is_some_and(|period| period.left.is_none() && period.until.is_none())
    }

    /// Returns when it wants to go on, if that is known.
    pub(super) fn wakes_at(&self) -> Option<Duration> {
        match &self.state {
            State::Until(at) | State::Held { at, .. } => Some(*at),
            _ => None,
        }
    }

    /// The step it is held up at, and what it waits for.
    pub(super) fn unanswered(&self) -> Option<(StepId, String)> {
        match &self.state {
            State::Event { pending, step } => Some((*step, format!("`{}`", pending.text()))),
            State::Acting(acting) => Some((acting.step, acting.waits.first()?.to_string())),
            State::Ready | State::Until(_) | State::Listening(_) | State::Held { .. } | State::Ended => None,
        }
    }

    /// Goes on as far as possible at this instant.
    pub(super) fn advance(&mut self, stage: &mut PollContext<'_>) -> Progress {
        loop {
            self.state = match std::mem::replace(&mut self.state, State::Ready) {
                State::Ended => return self.rest(State::Ended),
                State::Until(at) if at > stage.now => return self.rest(State::Until(at)),
                State::Event { pending, step } => {
                    let resolved = pending.resolve(&stage.inboxes.borrow());
                    match resolved {
                        Some(at) => until(at, &pending, step, stage),
                        None => return self.rest(State::Event { pending, step }),
                    }
                }
                held @ State::Held { .. } if stage.told || !stage.orders.is_empty() => return self.rest(held),
                State::Held { next: Held::Step(step), .. } => self.begin(step, stage),
                State::Held { next: Held::Acting(acting), .. } => acting.act(stage),
                State::Acting(mut acting) => {
                    if acting.is_waiting(stage) {
                        return self.rest(State::Acting(acting));
                    }
                    acting.current += 1;
                    acting.act(stage)
                }
                State::Listening(mut reaction) => {
                    if reaction.left == Some(0) {
                        return self.rest(State::Ended);
                    }
                    let Some(at) = reaction.event.resolve(&stage.inboxes.borrow()) else {
                        return self.rest(State::Listening(reaction));
                    };
                    if !reaction.begin(stage.now, stage) {
                        return self.rest(State::Ended);
                    }
                    reaction.event.again();
                    reaction.left = reaction.left.map(|left| left - 1);
                    let frame = Frame { steps: reaction.rounds.take(), next: 0, repeats: 0 };
                    self.state = State::Listening(reaction);
                    let step_runner = Self { frames: vec![frame], ..Self::in_background(State::Until(at)) };
                    return Progress::Begins(Box::new(step_runner));
                }
                State::Ready | State::Until(_) => match self.take_step() {
                    Some(Step { kind: StepKind::Whenever { event, times, per_round, steps }, id, text }) => {
                        stage.recorder.step(id, text);
                        let event = Pending::new(event, &stage.inboxes.borrow());
                        let rounds = Rounds::new(steps, per_round);
                        let reaction = Reaction { step: id, event, left: times, rounds, begun: (stage.now, 0) };
                        return Progress::Begins(Box::new(Self::in_background(State::Listening(Box::new(reaction)))));
                    }
                    Some(Step { kind: StepKind::Every { period, times, until, per_round, steps }, id, text }) => {
                        stage.recorder.step(id, text);
                        let until = until.map(|moment| Pending::new(moment, &stage.inboxes.borrow()));
                        let period = Period {
                            rounds: Rounds::new(steps, per_round),
                            length: period,
                            next: stage.now,
                            left: times,
                            until,
                            ends: None,
                        };
                        let step_runner = Self { period: Some(period), ..Self::in_background(State::Ready) };
                        return Progress::Begins(Box::new(step_runner));
                    }
                    Some(step @ Step { kind: StepKind::Network(_), .. }) if stage.told => {
                        State::Held { at: stage.now, next: Held::Step(step) }
                    }
                    Some(step) => self.begin(step, stage),
                    None => self.begin_period(stage),
                },
            }
        }
    }

    fn rest(&mut self, state: State) -> Progress {
        self.state = state;
        Progress::Waits
    }

    fn begin(&mut self, step: Step, stage: &mut PollContext<'_>) -> State {
        stage.recorder.step(step.id, step.text);
        let id = step.id;
        match step.kind {
            StepKind::Wait(duration) => return State::Until(stage.now + duration),
            StepKind::At(moment) => {
                return State::Event { pending: Pending::new(moment, &stage.inboxes.borrow()), step: id };
            }
            StepKind::Mark(name) => stage.recorder.mark(name),
            StepKind::Network(change) => stage.orders.push(EngineCommand::Network(id, change)),
            StepKind::Repeat { times, steps } => {
                if let Some(repeats) = times.checked_sub(1) {
                    self.frames.push(Frame { steps: steps.into(), next: 0, repeats });
                }
            }
            StepKind::Node { nodes, actions } => {
                return Acting {
                    step: id,
                    nodes,
                    actions,
                    current: 0,
                    waits: AwaitedByNodes::default(),
                    in_background: self.in_background,
                }
                .act(stage);
            }
            StepKind::Every { .. } | StepKind::Whenever { .. } => unreachable!("a step runner of its own"),
        }
        State::Ready
    }

    fn take_step(&mut self) -> Option<Step> {
        loop {
            let frame = self.frames.last_mut()?;
            if let Some(step) = frame.steps.get(frame.next) {
                frame.next += 1;
                return Some(step.clone());
            }
            if frame.repeats == 0 {
                self.frames.pop();
            } else {
                frame.repeats -= 1;
                frame.next = 0;
            }
        }
    }

    /// Begins anew, or waits for the time to do so, or ends.
    fn begin_period(&mut self, stage: &PollContext<'_>) -> State {
        let Some(period) = &mut self.period else { return State::Ended };
        if let Some(until) = &period.until {
            period.ends = period.ends.or_else(|| until.resolve(&stage.inboxes.borrow()));
        }
        if period.left == Some(0) || period.ends.is_some_and(|ends| period.next > ends) {
            return State::Ended;
        }
        if period.next > stage.now {
            return State::Until(period.next);
        }
        period.next += period.length;
        period.left = period.left.map(|left| left - 1);
        self.frames.push(Frame { steps: period.rounds.take(), next: 0, repeats: 0 });
        State::Ready
    }
}

fn until(at: Duration, pending: &Pending, step: StepId, stage: &PollContext<'_>) -> State {
    if at < stage.now {
        stage.recorder.step_failed(step, format!("`{}` is over by then", pending.text()));
    }
    State::Until(at)
}

impl Acting {
    /// Gives the orders of the current action; all of its nodes act at this instant.
    fn act(mut self, stage: &mut PollContext<'_>) -> State {
        let Some(action) = self.actions.get(self.current) else { return State::Ready };
        // Nor can a program be told anything before the engine has started it.
        let is_held = if action.fault().is_some() { stage.told } else { !stage.orders.is_empty() };
        if is_held {
            return State::Held { at: stage.now, next: Held::Acting(self) };
        }
        for &node in &self.nodes {
            let Some(action) = action.of(node) else { continue };
            self.waits.add(AwaitedAnswers::new(action, node, stage));
            perform(action, node, self.step, self.in_background, stage);
        }
        State::Acting(self)
    }

    /// Returns whether an answer is still to come. Failures are recorded.
    fn is_waiting(&mut self, stage: &mut PollContext<'_>) -> bool {
        let step = self.step;
        self.waits.poll(stage, |why, stage| stage.recorder.step_failed(step, why));
        !self.waits.is_empty()
    }
}

/// Does what an action means: a fault is the engine's business, the rest the program's.
fn perform(action: &Action, node: NodeId, step: StepId, in_background: bool, stage: &mut PollContext<'_>) {
    let (command, on) = match action {
        Action::Fault(fault) => return stage.orders.push(EngineCommand::Node(node, *fault)),
        Action::Command { command, on } => (command, on.clone()),
        // The caller has taken that of the node.
        Action::Each(_) => return,
    };
    let Some(told) = told(command, node) else { return };
    if let Command::Answer(change) = command {
        stage.answers.entry(node).or_default().change(change.clone());
    }
    stage.told = true;
    if !stage.switchboard.send(node, Directive { step, in_background, on, command: told }) {
        stage.recorder.step_failed(step, format!("{} is not running", stage.plan.node(node).name));
    }
}

/// Returns what the program on the node is told; nothing where it only waits.
fn told(command: &Command, node: NodeId) -> Option<node::Command> {
    Some(match command {
        Command::Receive(_) => return None,
        Command::Connect(connect) => node::Command::Connect { connect: connect.with.get(&node).cloned().map(Arc::new) },
        Command::Open => node::Command::Open,
        Command::Subscribe { subscriptions, subscription_id } => {
            node::Command::Subscribe { subscriptions: subscriptions.clone(), subscription_id: *subscription_id }
        }
        Command::Unsubscribe(filters) => {
            node::Command::Unsubscribe(filters.iter().map(|f| f.as_str().into()).collect())
        }
        Command::Publish(publish) => node::Command::Publish(publish.clone()),
        Command::Disconnect(reason) => node::Command::Disconnect(Box::new(reason.clone())),
        Command::Close(how) => node::Command::Close(*how),
        Command::Send(items) => node::Command::Send(items.clone()),
        Command::Answer(answers) => node::Command::Answer(answers.clone()),
        Command::SetReading(reads) => node::Command::SetReading(*reads),
        Command::Shutdown => node::Command::Shutdown,
        Command::Configure(programs) => node::Command::Configure(Box::new(programs.get(&node)?.clone())),
        Command::StopPinging => node::Command::StopPinging,
        Command::ResumePinging => node::Command::ResumePinging,
        Command::Reauthenticate => node::Command::Reauthenticate,
    })
}
