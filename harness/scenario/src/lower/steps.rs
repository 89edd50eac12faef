//! The story.

use halfopen_protocol::PacketType;

use super::Lower;
use super::params::{MEMBER, ROUND, mentions};
use crate::Scenario;
use crate::ast::{
    self, Env, EventNode, Every, FaultyLink, Fill, FilledSteps, Moment, Moments, NetworkChange, OnlyWhen, Param,
    Repeat, Step, StepKind, StepWord, Steps, Sweep, SweptFault, Value, When, Whenever, value_of,
};
use crate::plan::{self, EventRef, NetworkFault, NodeId, NthConnection, Ordinal, PacketKind, Scope};
use crate::time::{self, TimeError};

/// The maximum number of steps that repeating others with `<round>` makes of them.
const MOST_IN_ROUNDS: usize = 10_000;

/// The stories of a file and its fragments, in the order in which they are told.
fn stories(scenario: &Scenario) -> impl Iterator<Item = &Param<Steps>> {
    scenario.parts.iter().map(|fragment| &fragment.steps).chain([&scenario.file.steps]).filter_map(value_of)
}

/// The instants that the story names with the help of parameters.
pub(super) fn marks(scenario: &Scenario, env: &Env<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if env.reading.outline.has_unknown_marks {
        for steps in stories(scenario).filter_map(|steps| steps.get(env)) {
            collect_marks(&steps.0, env, &mut found);
        }
    }
    found
}

fn collect_marks(steps: &[Param<Step>], env: &Env<'_>, found: &mut Vec<String>) {
    let within = |steps: Option<&Param<FilledSteps>>, found: &mut Vec<String>| {
        if let Some(steps) = steps.and_then(|steps| steps.get(env)) {
            collect_marks(&steps.0.0, env, found);
        }
    };
    for step in steps.iter().filter_map(|step| step.get(env)) {
        let StepKind::Word(word) = &step.kind else { continue };
        match word {
            StepWord::Mark(name) => found.extend(name.get(env).map(|name| name.0.0.clone())),
            StepWord::Repeat(repeat) => {
                within(repeat.get(env).as_deref().and_then(|repeat| value_of(&repeat.steps)), found);
            }
            StepWord::Every(every) => within(every.get(env).as_deref().and_then(|every| value_of(&every.steps)), found),
            StepWord::Whenever(line) => within(line.get(env).as_deref().and_then(|line| value_of(&line.steps)), found),
            StepWord::When(when) => within(when.get(env).as_deref().and_then(|when| value_of(&when.steps)), found),
            StepWord::AnyOrder(list) => {
                if let Some(list) = list.get(env) {
                    collect_marks(&list.steps, env, found);
                }
            }
            _ => {}
        }
    }
}

impl Lower<'_> {
    /// The story: its steps, those that are right, and its sweep.
    pub(super) fn story(&self, scenario: &Scenario, nodes: &[plan::Node]) -> (Vec<plan::Step>, Option<plan::Sweep>) {
        let (mut steps, mut sweep) = (Vec::new(), None);
        for story in stories(scenario).filter_map(|story| story.get(self.env)) {
            for step in story.0.iter().filter_map(|step| step.get(self.env)) {
                match &step.kind {
                    StepKind::Word(StepWord::Sweep(_)) if sweep.is_some() => {
                        self.error(&step.head, "a second sweep; a script has one at most");
                    }
                    StepKind::Word(StepWord::Sweep(written)) => {
                        let read = written.get(self.env);
                        sweep = Some(read.and_then(|read| self.sweep(&step, &read, steps.len(), nodes)));
                    }
                    _ => steps.extend(self.step(&step, nodes).into_iter().flatten()),
                }
            }
        }
        (steps, sweep.flatten())
    }

    fn sweep(&self, step: &Step, sweep: &Sweep, before: usize, nodes: &[plan::Node]) -> Option<plan::Sweep> {
        let fault = self.get(&sweep.fault).and_then(|fault| match &*fault {
            SweptFault::Step(step) => self.step(step, nodes),
            SweptFault::Steps(steps) => Some(self.steps(&steps.0.0, nodes)).filter(|steps| !steps.is_empty()),
        });
        let during = self.get(&sweep.during).and_then(|during| self.moments(&during));
        let (from, to) = during?;
        Some(plan::Sweep { position: step.head.span.start, before, fault: fault?, from, to })
    }

    /// The steps of a list, those that are right.
    fn steps(&self, steps: &[Param<Step>], nodes: &[plan::Node]) -> Vec<plan::Step> {
        steps.iter().filter_map(|step| self.step(&*step.get(self.env)?, nodes)).flatten().collect()
    }

    fn inner(&self, steps: &Option<ast::Field<Param<FilledSteps>>>, nodes: &[plan::Node]) -> Option<Vec<plan::Step>> {
        let steps = self.get(steps)?;
        Some(self.steps(&steps.0.0, nodes)).filter(|steps| !steps.is_empty())
    }

    /// A step; `any_order` is several.
    fn step(&self, step: &Step, nodes: &[plan::Node]) -> Option<Vec<plan::Step>> {
        let kind = match &step.kind {
            StepKind::Word(StepWord::AnyOrder(list)) => {
                let list = list.get(self.env)?;
                let read: Vec<_> =
                    list.steps.iter().map(|step| self.of_any_order(&*step.get(self.env)?, nodes)).collect();
                return self.in_order_of_run(&list, read.into_iter().collect::<Option<_>>()?);
            }
            StepKind::Word(StepWord::When(when)) => return self.only_when(&*when.get(self.env)?, nodes),
            StepKind::Word(word) => self.word(step, word, nodes)?,
            StepKind::Node(name, actions) => {
                let acting = self.nodes(&name.text, &name.place)?;
                self.env.reading.acting.set(acting.first().map(|id| self.names.role(*id)));
                let actions = actions.get(self.env)?;
                let read: Vec<_> = actions.0.iter().filter_map(|item| self.action_of(item, &acting, nodes)).collect();
                let actions = Some(read).filter(|read| read.len() == actions.0.len())?;
                plan::StepKind::Node { nodes: acting, actions }
            }
        };
        let text = self.heading(step, &kind);
        let id = self.origins.borrow_mut().add_step(step.head.span.start);
        Some(vec![plan::Step { id, text, kind }])
    }

    fn of_any_order(&self, step: &Step, nodes: &[plan::Node]) -> Option<plan::Step> {
        if let StepKind::Word(StepWord::AnyOrder(list)) = &step.kind {
            self.error(&list.place, "`any_order` inside `any_order`; put its steps into the other");
            return None;
        }
        if let StepKind::Word(StepWord::When(_)) = &step.kind {
            self.error(
                &step.head,
                "`when` inside `any_order`; put `when` on each of its steps into a line of their own",
            );
            return None;
        }
        self.step(step, nodes)?.pop()
    }

    /// The steps of `when`: none in a run that it leaves out.
    fn only_when(&self, when: &OnlyWhen, nodes: &[plan::Node]) -> Option<Vec<plan::Step>> {
        match self.get(&when.runs).and_then(|condition| self.holds(&condition))? {
            true => self.inner(&when.steps, nodes),
            false => Some(Vec::new()),
        }
    }

    /// An action; if it speaks of the number of a member, that of each of the nodes.
    fn action_of(
        &self,
        written: &Param<ast::Action>,
        nodes: &[NodeId],
        programs: &[plan::Node],
    ) -> Option<plan::Action> {
        if !mentions(&written.write(Fill::default()), MEMBER, &[]) {
            return self.action(&*written.get(self.env)?, nodes, programs);
        }
        let own = |id: NodeId| self.numbered(id, || self.action(&*written.get(self.env)?, &[id], programs));
        match nodes {
            [only] => own(*only),
            _ => nodes.iter().map(|&id| Some((id, own(id)?))).collect::<Option<_>>().map(plan::Action::Each),
        }
    }

    /// Does something with `<i>` as the number of a member of a group; without it for any other node.
    pub(super) fn numbered<T>(&self, id: NodeId, run: impl FnOnce() -> T) -> T {
        let number = self.names.name(id).rsplit_once('.').filter(|(group, _)| self.names.nodes.contains_key(*group));
        match number {
            Some((_, number)) => self.env.params.with_local(MEMBER, number, run),
            None => run(),
        }
    }

    fn word(&self, step: &Step, word: &StepWord, nodes: &[plan::Node]) -> Option<plan::StepKind> {
        Some(match word {
            StepWord::Wait(duration) => plan::StepKind::Wait(duration.get(self.env)?.value(self.env)?),
            StepWord::At(moment) => plan::StepKind::At(self.moment(&*moment.get(self.env)?)?),
            StepWord::Mark(name) => plan::StepKind::Mark(name.get(self.env)?.0.0.clone()),
            StepWord::Network(change) => plan::StepKind::Network(self.network_change(&*change.get(self.env)?)?),
            StepWord::Repeat(repeat) => self.repeat(&*repeat.get(self.env)?, nodes)?,
            StepWord::Every(every) => self.every(&*every.get(self.env)?, nodes)?,
            StepWord::Whenever(line) => self.whenever(&*line.get(self.env)?, nodes)?,
            StepWord::Sweep(sweep) => {
                let message = "a sweep is a line of the script itself, and cannot be inside of another step";
                self.error(&sweep.place, message);
                return None;
            }
            // Both are several steps, or none, and are lowered where their lines are.
            StepWord::When(_) => return None,
            StepWord::AnyOrder(_) => {
                self.error(&step.head, "`any_order` inside `any_order`; put its steps into the other");
                return None;
            }
        })
    }

    /// Returns what is repeated: the steps and, if they differ from one time to the other, how many of them each time
    /// has.
    fn rounds(
        &self,
        steps: &Option<ast::Field<Param<FilledSteps>>>,
        times: Option<u64>,
        nodes: &[plan::Node],
    ) -> Option<(Vec<plan::Step>, Option<usize>)> {
        let written = value_of(steps)?;
        if !mentions(&written.write(Fill::default()), ROUND, &["repeat", "every", "whenever"]) {
            return Some((self.inner(steps, nodes)?, None));
        }
        let Some(times) = times else {
            self.error(&written.place, "`<round>` needs `times`, so that the rounds are known before the run");
            return None;
        };
        let mut all = Vec::new();
        let mut per_round = 0;
        for round in 1..=times.max(1) {
            let steps = self.env.params.with_local(ROUND, round.to_string(), || self.inner(steps, nodes))?;
            per_round = steps.len();
            all.extend(steps);
            if all.len() > MOST_IN_ROUNDS {
                let message = format!("`<round>` makes more than {MOST_IN_ROUNDS} different steps of these");
                self.error(&written.place, message);
                return None;
            }
        }
        Some((all, Some(per_round)))
    }

    fn repeat(&self, repeat: &Repeat, nodes: &[plan::Node]) -> Option<plan::StepKind> {
        let times = self.get(&repeat.times).map(|times| times.value);
        let rounds = self.rounds(&repeat.steps, times.or(Some(1)), nodes);
        Some(match (rounds?, times?) {
            ((steps, Some(_)), 1..) => plan::StepKind::Repeat { times: 1, steps },
            ((steps, _), times) => plan::StepKind::Repeat { times, steps },
        })
    }

    fn whenever(&self, line: &Whenever, nodes: &[plan::Node]) -> Option<plan::StepKind> {
        let times = match &line.times {
            Some(_) => Some(self.get(&line.times)?.value),
            None => None,
        };
        let rounds = self.rounds(&line.steps, times, nodes);
        let written = self.get(&line.event)?;
        let event = self.moment(&written)?;
        let what = match &event.event {
            EventRef::Start | EventRef::End | EventRef::Mark(_) => Some("happens once"),
            EventRef::Packet { ordinal, .. } | EventRef::Point { ordinal, .. } if *ordinal != Ordinal::Nearest => {
                Some("is one of several")
            }
            _ if event.offset_ms < 0 => Some("is known only afterwards"),
            _ => None,
        };
        if let Some(what) = what {
            let message = format!(
                "`{}` {what}; `whenever` needs what may happen again and again, as `CONNACK at sensor`; for one moment write `at`",
                event.text
            );
            self.error(&written.place, message);
            return None;
        }
        let (steps, per_round) = rounds?;
        Some(plan::StepKind::Whenever { event, times, per_round, steps })
    }

    fn every(&self, every: &Every, nodes: &[plan::Node]) -> Option<plan::StepKind> {
        let period = self.get(&every.period).and_then(|period| period.value(self.env));
        let times = match &every.times {
            Some(_) => Some(self.get(&every.times)?.value),
            None => None,
        };
        let until = match &every.until {
            Some(_) => Some(self.moment(&*self.get(&every.until)?)?),
            None => None,
        };
        let (steps, per_round) = self.rounds(&every.steps, times, nodes)?;
        Some(plan::StepKind::Every { period: period?, times, until, per_round, steps })
    }

    fn network_change(&self, change: &NetworkChange) -> Option<plan::NetworkChange> {
        let (scope, fault) = match change {
            NetworkChange::HalfOpen(fault) => {
                let (scope, starting_with) = self.fault(fault)?;
                (scope, NetworkFault::HalfOpen { starting_with })
            }
            NetworkChange::Partition(fault) => {
                let (scope, starting_with) = self.fault(fault)?;
                (scope, NetworkFault::Partition { starting_with })
            }
            NetworkChange::Reset(fault) => {
                let (scope, starting_with) = self.fault(fault)?;
                (scope, NetworkFault::Reset { starting_with })
            }
            NetworkChange::Heal(path) => (self.scope(&*path.get(self.env)?)?, NetworkFault::Heal),
            NetworkChange::Set(set) => {
                let set = set.get(self.env)?;
                let scope = self.get(&set.0.which.link).and_then(|path| self.scope(&path));
                let change = self.link_change(&set.0.properties)?;
                (scope?, NetworkFault::Set(change))
            }
        };
        Some(plan::NetworkChange { scope, fault })
    }

    /// Returns where a fault of a link is, and the type of the packet that it begins with.
    fn fault(&self, fault: &Param<FaultyLink>) -> Option<(Scope, Option<PacketType>)> {
        let fault = fault.get(self.env)?;
        let fault = match &*fault {
            FaultyLink::AtOnce(path) => return Some((self.scope(path)?, None)),
            FaultyLink::With(fault) => fault,
        };
        let scope = self.get(&fault.link).and_then(|path| self.scope(&path));
        let starting_with = match &fault.starting_with {
            None => None,
            Some(_) => {
                let word = self.get(&fault.starting_with)?;
                let PacketKind::Type(packet) = word.kind else {
                    self.error(&word.place, "expected the type of a packet, such as `PUBACK`");
                    return None;
                };
                self.has_packet(packet, &word.place)?;
                Some(packet)
            }
        };
        Some((scope?, starting_with))
    }

    /// Returns what the trace calls a step: `wait 12.5s`, `sensor: power_loss`.
    fn heading(&self, step: &Step, kind: &plan::StepKind) -> String {
        let shown = || match &step.kind {
            StepKind::Word(word) => (word.word(), word.write_value(self.fill())),
            StepKind::Node(name, actions) => (name.text.as_str(), actions.write(self.fill())),
        };
        // What has other values inside of the step is shown as it is written.
        let numbered = || self.env.params.with_local(MEMBER, format!("<{MEMBER}>"), shown);
        let (word, value) = match kind {
            plan::StepKind::Repeat { .. } | plan::StepKind::Every { .. } | plan::StepKind::Whenever { .. } => {
                self.env.params.with_local(ROUND, format!("<{ROUND}>"), numbered)
            }
            plan::StepKind::Node { nodes, .. } => match nodes.as_slice() {
                [only] => self.numbered(*only, shown),
                _ => numbered(),
            },
            _ => shown(),
        };
        let text = value.flow();
        match kind {
            // As it was written where nothing was computed: `wait 1h`.
            plan::StepKind::Wait(duration) if text.contains([' ', '*', '/', '+', '-']) => {
                format!("wait {}", time::format(*duration))
            }
            plan::StepKind::Wait(_) | plan::StepKind::At(_) | plan::StepKind::Mark(_) => format!("{word} {text}"),
            _ => format!("{word}: {text}"),
        }
    }

    /// A moment in the names of the run.
    pub(super) fn moment(&self, moment: &Moment) -> Option<plan::Moment> {
        let read = self.event_and_offset(moment);
        let (event, offset_ms) =
            read.map_err(|error| self.env.reading.part_error(&moment.place, &error, "time")).ok()?;
        self.of_moment(moment, &event)?;
        Some(plan::Moment { event, offset_ms, text: moment.shown(self.fill()) })
    }

    fn event_and_offset(&self, moment: &Moment) -> Result<(EventRef, i64), TimeError> {
        let values = self.env.values(&moment.place);
        let offset = match moment.expr() {
            Some(expr) => time::whole_milliseconds(expr, &values)?,
            None => 0,
        };
        let event = self.event(moment.event())?;
        let offset = if let When::Before(..) = moment.when { -offset } else { offset };
        match moment.expr() {
            Some(expr) if event == EventRef::Start && offset < 0 => Err(expr.error("this is before the run begins")),
            _ => Ok((event, offset)),
        }
    }

    fn event(&self, event: &ast::Event) -> Result<EventRef, TimeError> {
        use crate::ast::Event;
        let id = |node: &EventNode| {
            self.event_node(node).map_err(|message| TimeError::new(node.at.from, node.at.to, message))
        };
        let maybe = |node: &Option<EventNode>| node.as_ref().map(id).transpose();
        // Of several that name a connection the last counts.
        let on = |nodes: [&Option<EventNode>; 3]| {
            let named = nodes.into_iter().flatten().filter_map(|node| Some((node, node.connection?))).next_back();
            named.map(|(node, number)| id(node).map(|client| NthConnection { client, number })).transpose()
        };
        Ok(match event {
            Event::Start => EventRef::Start,
            Event::End => EventRef::End,
            Event::Mark { name, at } => {
                if !self.env.reading.outline.marks.contains(name) {
                    return Err(TimeError::new(at.from, at.to, format!("unknown event `{name}`")));
                }
                EventRef::Mark(name.clone())
            }
            Event::Packet { ordinal, packet, from, to, at } => {
                let (ordinal, packet, on) = (*ordinal, *packet, on([from, to, at])?);
                EventRef::Packet { ordinal, packet, from: maybe(from)?, to: maybe(to)?, at: maybe(at)?, on }
            }
            Event::Point { ordinal, point, of, at } => {
                let on = on([&Some(of.clone()), &None, &None])?;
                EventRef::Point { ordinal: *ordinal, point: *point, of: id(of)?, at: maybe(at)?, on }
            }
        })
    }

    /// Returns a period in the names of the run.
    pub(super) fn moments(&self, moments: &Moments) -> Option<(plan::Moment, plan::Moment)> {
        let bound = |moment: &Option<Moment>, event: EventRef, text: &str| match moment {
            Some(moment) => self.moment(moment),
            None => Some(plan::Moment { event, offset_ms: 0, text: text.to_owned() }),
        };
        let (from, to) = (bound(&moments.from, EventRef::Start, "start"), bound(&moments.to, EventRef::End, "end"));
        let (from, to) = (from?, to?);
        let same = from.event == to.event && from.offset_ms > to.offset_ms;
        if same || (from.event == EventRef::End && to.event == EventRef::Start) {
            self.error(&moments.place, "the range ends before it begins");
            return None;
        }
        Some((from, to))
    }
}
