//! `sweep`: a run without the fault tells where the boundaries are; each of them is a run with it.
//!
//! Callers that run scenarios take their plans from [`run::load`](crate::run::load), so that all come to the same list.
//! Reading alone (`halfopen check`) knows a plan with a sweep, and not yet its runs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::PacketType;

use crate::plan::{Conditions, EventRef, Moment, NodeId, Ordinal, PacketKind, Plan, Position, Step, StepKind, Sweep};
use crate::scenario::{Error, MAX_NODES, MAX_RUNS, Span};
use crate::trace::find::{Occurrence, Perspective, occurrences};
use crate::trace::{EventKind, Trace};
use crate::world::EngineError;

/// The instant of the sweep in the run without its fault: no scenario can name it, for the word has a meaning.
const HERE: &str = "sweep";

/// Runs a plan without judging it.
pub type Run<'a> = dyn Fn(&Arc<Plan>) -> Result<Trace, EngineError> + 'a;

/// The runs of one file, each that has a sweep in the place of its plan.
///
/// # Errors
/// Where a range is never reached or nothing happens in it, and where there are more runs than a file may have.
pub fn expand(plans: Vec<Plan>, run: &Run<'_>) -> Result<Vec<Plan>, Error> {
    let count = plans.len();
    let mut runs = Vec::new();
    for plan in plans {
        let Some(sweep) = plan.conditions.sweep.clone() else {
            runs.push(plan);
            continue;
        };
        let boundaries = boundaries(&plan, &sweep, run)?;
        let together = runs.len() + boundaries.len();
        if together as u64 > MAX_RUNS || together * plan.nodes.len() > MAX_NODES {
            let message = format!(
                "{count} runs * about {} boundaries of this sweep are too many; a file has at most {MAX_RUNS} runs, and {MAX_NODES} nodes in all of them",
                boundaries.len()
            );
            return Err(error(&plan, &sweep, message));
        }
        runs.extend(boundaries.into_iter().map(|boundary| with_fault(&plan, &sweep, boundary)));
    }
    Ok(runs)
}

/// An instant at which packets leave or arrive, by one of them.
struct Boundary {
    /// `second PUBREC at pub`.
    name: String,
    event: EventRef,
}

fn boundaries(plan: &Plan, sweep: &Sweep, run: &Run<'_>) -> Result<Vec<Boundary>, Error> {
    let bare = Arc::new(with_step(plan, sweep, StepKind::Mark(HERE.to_owned()), "sweep"));
    let trace = run(&bare).map_err(|why| error(plan, sweep, format!("`{}` without the fault: {why}", plan.run)))?;
    let range = range(&bare, sweep, &trace)?;
    let named = named(plan, sweep);
    let mut instants: BTreeMap<Duration, (usize, Passing)> = BTreeMap::new();
    for (index, event) in trace.events.iter().enumerate().filter(|(index, event)| range.contains(*index, event.at)) {
        let Some(passing) = Passing::of(&event.kind) else { continue };
        let known = instants.entry(event.at).or_insert((index, passing));
        if passing.is_of(&named) && !known.1.is_of(&named) {
            *known = (index, passing);
        }
    }
    let mut boundaries = Vec::new();
    let mut seen: BTreeMap<(PacketType, NodeId), usize> = BTreeMap::new();
    for (index, Passing { packet, from, to, at }) in instants.into_values() {
        let nth = seen.entry((packet, at)).or_default();
        *nth += 1;
        let name = format!("{}{} at {}", which(*nth), packet.name(), plan.node(at).name);
        let packet = PacketKind::Type(packet);
        let one =
            |ordinal| EventRef::Packet { ordinal, packet, from: Some(from), to: Some(to), at: Some(at), on: None };
        let before = occurrences(&bare, &one(Ordinal::Nearest), Perspective::Script, &trace.events[..=index]).count();
        boundaries.push(Boundary { name, event: one(Ordinal::Nth(before)) });
    }
    if boundaries.is_empty() {
        return Err(error(plan, sweep, format!("no packet leaves or arrives in this range in `{}`", plan.run)));
    }
    Ok(boundaries)
}

/// A packet that leaves or arrives.
#[derive(Clone, Copy)]
struct Passing {
    packet: PacketType,
    from: NodeId,
    to: NodeId,
    /// The node.
    at: NodeId,
}

impl Passing {
    fn of(event: &EventKind) -> Option<Self> {
        let (item, from, to, at) = match event {
            EventKind::Sent { from, to, item, .. } => (item, *from, *to, *from),
            EventKind::Received { from, to, item, .. } => (item, *from, *to, *to),
            _ => return None,
        };
        Some(Self { packet: item.packet()?.packet_type(), from, to, at })
    }

    fn is_of(&self, nodes: &[NodeId]) -> bool {
        nodes.contains(&self.from) || nodes.contains(&self.to)
    }
}

/// The clients that the range speaks of: of several packets at one instant, theirs gives the name.
fn named(plan: &Plan, sweep: &Sweep) -> Vec<NodeId> {
    let mut nodes = Vec::new();
    for moment in [&sweep.from, &sweep.to] {
        nodes.extend(moment.event.connection().map(|connection| connection.client));
        match &moment.event {
            EventRef::Packet { from, to, at, .. } => nodes.extend([*from, *to, *at].into_iter().flatten()),
            EventRef::Point { of, at, .. } => nodes.extend([Some(*of), *at].into_iter().flatten()),
            EventRef::Start | EventRef::End | EventRef::Mark(_) => {}
        }
    }
    nodes.retain(|node| !plan.node(*node).is_broker());
    nodes
}

fn which(nth: usize) -> String {
    match nth {
        1 => String::new(),
        2 => "second ".to_owned(),
        3 => "third ".to_owned(),
        more => format!("{more}th "),
    }
}

/// The part of a trace that lies in the range.
struct Range {
    /// The first event, where the range begins with one.
    first: Option<usize>,
    /// The last event.
    last: Option<usize>,
    times: RangeInclusive<Duration>,
}

impl Range {
    fn contains(&self, index: usize, at: Duration) -> bool {
        self.first.is_none_or(|first| index >= first)
            && self.last.is_none_or(|last| index <= last)
            && self.times.contains(&at)
    }
}

fn range(plan: &Plan, sweep: &Sweep, trace: &Trace) -> Result<Range, Error> {
    let is_here = |kind: &EventKind| matches!(kind, EventKind::Mark(name) if name == HERE);
    let Some(here) = trace.events.iter().position(|event| is_here(&event.kind)) else {
        return Err(error(plan, sweep, format!("`{}` is over before the script comes here", plan.run)));
    };
    let (first, begin) = bound(plan, sweep, &sweep.from, trace, here)?;
    let (last, end) = bound(plan, sweep, &sweep.to, trace, first.unwrap_or(here))?;
    Ok(Range { first: first.or(Some(here)), last, times: begin..=end })
}

/// Returns when a moment is, and at which event if it is one; events count from `from` on.
fn bound(
    plan: &Plan,
    sweep: &Sweep,
    moment: &Moment,
    trace: &Trace,
    from: usize,
) -> Result<(Option<usize>, Duration), Error> {
    let at = match &moment.event {
        EventRef::End => Occurrence { index: None, at: trace.end },
        event => {
            let mut found = occurrences(plan, event, Perspective::Script, &trace.events);
            let found = match crate::trace::find::nth(crate::trace::find::ordinal(event)) {
                Some(nth) => found.nth(nth - 1),
                None => found.find(|found| found.index.is_none_or(|index| index >= from)),
            };
            found.ok_or_else(|| {
                error(plan, sweep, format!("`{}` never comes in `{}` without the fault", moment.text, plan.run))
            })?
        }
    };
    let offset = Duration::from_millis(moment.offset_ms.unsigned_abs());
    match moment.offset_ms {
        0 => Ok((at.index, at.at)),
        1.. => Ok((None, at.at.saturating_add(offset))),
        _ => Ok((None, at.at.saturating_sub(offset))),
    }
}

/// The run in which the fault comes right after a boundary.
fn with_fault(plan: &Plan, sweep: &Sweep, boundary: Boundary) -> Plan {
    let at = Moment { event: boundary.event, offset_ms: 0, text: boundary.name.clone() };
    let text = format!("at {}", boundary.name);
    let mut plan = plan.clone();
    let id = plan.origins.add_step(sweep.position);
    let mut steps = vec![Step { id, text, kind: StepKind::At(at) }];
    steps.extend(sweep.fault.iter().cloned());
    let kind =
        StepKind::Every { period: Duration::from_millis(1), times: Some(1), until: None, per_round: None, steps };
    let mut run = with_step(&plan, sweep, kind, &format!("sweep: after {}", boundary.name));
    let parameters = &mut run.run.parameters;
    let is_seed = parameters.last().is_some_and(|last| last.starts_with("seed="));
    parameters.insert(parameters.len() - usize::from(is_seed), format!("sweep=after {}", boundary.name));
    run
}

/// The plan with a step in the place of its sweep.
fn with_step(plan: &Plan, sweep: &Sweep, kind: StepKind, text: &str) -> Plan {
    let mut plan = Plan { conditions: Conditions { sweep: None, ..plan.conditions.clone() }, ..plan.clone() };
    let id = plan.origins.add_step(sweep.position);
    plan.steps.insert(sweep.before, Step { id, text: text.to_owned(), kind });
    plan
}

fn error(plan: &Plan, sweep: &Sweep, message: String) -> Error {
    let end = Position { column: sweep.position.column + 5, ..sweep.position };
    Error {
        source_file: Arc::new(plan.source_of(sweep.position).clone()),
        span: Some(Span { start: sweep.position, end }),
        message,
        note: Some("see reference/steps#sweep".to_owned()),
        first: None,
        is_warning: false,
    }
}

#[cfg(test)]
mod tests;
