use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::moment::millis;
use super::verb::Recognizer;
use crate::plan::{EventRef, Expectation, Mode, Moment, Node, NodeId, NthConnection, Ordinal, Plan, Timing, Verb};
use crate::trace::find::{Finder, Perspective, nth, ordinal};
use crate::trace::{ConnectionIndex, Event, EventKind, RunObserver};

/// Tells during a run when it may end: when each expectation that wants something has seen it often enough, well
/// timed or not, and when the times have passed that the others speak of.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Expectations that want to see something and have not yet, by the node at which it happens and the other end, if
    /// only what happens with one counts.
    open: BTreeMap<(NodeId, Option<NodeId>), Vec<Wanted>>,
    /// All moments that expectations hang on.
    horizons: Vec<Horizon>,
    /// The places of those that learn from events of one node alone, by that node.
    of_node: BTreeMap<NodeId, Vec<usize>>,
    /// The places of those that learn from all events.
    of_all: Vec<usize>,
    /// The places of those that must have passed.
    must_pass: BTreeSet<usize>,
    /// The latest of them, unless that has to be found out anew.
    passed: Cell<Option<Option<Duration>>>,
    /// Lists of which one each must be decided.
    any_of: Vec<Vec<Self>>,
    brokers: usize,
    /// The connections that have been opened, if one of them is named.
    opened: Option<ConnectionIndex>,
    /// Number of events that have been looked at.
    seen: usize,
    /// Time at which the latest of what was wanted came.
    latest: Duration,
}

#[derive(Clone, Debug)]
struct Wanted {
    recognizer: Recognizer,
    on: Vec<NthConnection>,
    /// The place of the moment before which nothing counts.
    from: Option<usize>,
    missing: u64,
}

#[derive(Clone, Debug)]
struct Horizon {
    event: EventRef,
    finder: Finder,
    offset_ms: i64,
    /// The occurrence that it refers to; the latest if `None`.
    nth: Option<usize>,
    count: usize,
    at: Option<Duration>,
}

impl Completion {
    /// Begins a run of the plan of which nothing has been seen.
    pub fn new(plan: &Plan) -> Self {
        Self::of(plan, &plan.expectations)
    }

    fn of(plan: &Plan, expectations: &[Expectation]) -> Self {
        let mut decided = Self {
            open: BTreeMap::new(),
            horizons: Vec::new(),
            of_node: BTreeMap::new(),
            of_all: Vec::new(),
            must_pass: BTreeSet::new(),
            passed: Cell::new(None),
            any_of: Vec::new(),
            brokers: plan.nodes.partition_point(Node::is_broker),
            opened: expectations.iter().any(|expectation| !expectation.on.is_empty()).then(ConnectionIndex::default),
            seen: 0,
            latest: Duration::ZERO,
        };
        for expectation in expectations {
            if let Verb::AnyOf(alternatives) = &expectation.verb {
                decided.any_of.push(alternatives.iter().map(|lines| Self::of(plan, lines)).collect());
            }
            for &node in &expectation.nodes {
                decided.expect(plan, expectation, node);
            }
        }
        decided
    }

    fn expect(&mut self, plan: &Plan, expectation: &Expectation, node: NodeId) {
        let wanted = match (expectation.mode, expectation.count) {
            (Mode::Never, _) => 0,
            (Mode::Must, Some(count)) if expectation.per.is_some() => count.min.min(1),
            (Mode::Must, count) => count.map_or(1, |count| count.min).max(u64::from(expectation.gap.is_some()) * 2),
        };
        let mut from = None;
        if let Some((begin, to)) = &expectation.during {
            self.pass(plan, to, 0, node);
            // Before an event that is still to come nobody knows what is shortly before it.
            from = Horizon::new(plan, begin, 0, node).filter(|_| begin.offset_ms >= 0).map(|mut from| {
                if ordinal(&begin.event) == Ordinal::Nearest {
                    from.nth = Some(1);
                }
                self.add(from)
            });
        }
        // With a count of 0 the time is that of rows with another count, and says nothing about this one.
        if expectation.mode == Mode::Never || matches!(expectation.verb, Verb::Is(_) | Verb::Has(_)) {
            match &expectation.timing {
                Some(Timing::At(moment) | Timing::NotBefore(moment) | Timing::Between(_, moment)) => {
                    self.pass(plan, moment, 0, node);
                }
                Some(Timing::Within { after, duration }) => self.pass(plan, after, millis(*duration), node),
                None => {}
            }
        }
        if wanted > 0
            && let Some(recognizer) = Recognizer::new(plan, expectation, node)
        {
            self.open.entry((node, expectation.peer())).or_default().push(Wanted {
                recognizer,
                on: expectation.on.clone(),
                from,
                missing: wanted,
            });
        }
    }

    /// Requires that the moment and the given time after it have passed.
    fn pass(&mut self, plan: &Plan, moment: &Moment, more_ms: i64, node: NodeId) {
        if let Some(horizon) = Horizon::new(plan, moment, more_ms, node) {
            let place = self.add(horizon);
            self.must_pass.insert(place);
        }
    }

    /// Returns the place of a moment. The members of a group share one that no member sees otherwise than the others.
    fn add(&mut self, horizon: Horizon) -> usize {
        let subject = horizon.finder.subject();
        if subject.is_none()
            && let Some(known) = self.of_all.iter().find(|known| self.horizons[**known].is_same(&horizon))
        {
            return *known;
        }
        let place = self.horizons.len();
        match subject {
            Some(node) => self.of_node.entry(node).or_default().push(place),
            None => self.of_all.push(place),
        }
        self.horizons.push(horizon);
        place
    }

    fn feed(&mut self, index: usize, event: &Event) {
        self.feed_horizons(event);
        self.opened.iter_mut().for_each(|opened| opened.feed(event));
        let Some(node) = event.node() else { return };
        let peer = event.nodes().into_iter().flatten().find(|other| *other != node);
        self.feed_wanted((node, None), index, event);
        if peer.is_some() {
            self.feed_wanted((node, peer), index, event);
        } else {
            // What happens at the node alone concerns all of its connections.
            let of_node = (node, Some(NodeId(0)))..=(node, Some(NodeId(usize::MAX)));
            let all: Vec<_> = self.open.range(of_node).map(|(ends, _)| *ends).collect();
            all.into_iter().for_each(|ends| self.feed_wanted(ends, index, event));
        }
    }

    fn feed_wanted(&mut self, ends: (NodeId, Option<NodeId>), index: usize, event: &Event) {
        let Some(open) = self.open.get_mut(&ends) else { return };
        open.retain_mut(|wanted| {
            let from = wanted.from.map_or(Some(Duration::ZERO), |from| self.horizons[from].time());
            let is_on = self.opened.as_ref().is_none_or(|opened| opened.is_on(event, &wanted.on));
            if is_on && wanted.is_met_by(index, event, from) {
                wanted.missing -= 1;
                self.latest = event.at;
            }
            wanted.missing > 0
        });
        if open.is_empty() {
            self.open.remove(&ends);
        }
    }

    fn feed_horizons(&mut self, event: &Event) {
        let Self { horizons, of_node, of_all, passed, .. } = self;
        let mut feed = |place: &usize| {
            if horizons[*place].feed(event) {
                passed.set(None);
            }
        };
        let is_end_of_a_broker =
            matches!(event.kind, EventKind::Node { node, change } if change.ends_process() && node.0 < self.brokers);
        if is_end_of_a_broker {
            of_node.values().flatten().for_each(&mut feed);
        } else if !of_node.is_empty() {
            let [first, second] = event.nodes();
            let nodes = first.into_iter().chain(second.filter(|_| second != first));
            nodes.filter_map(|node| of_node.get(&node)).flatten().for_each(&mut feed);
        }
        of_all.iter().for_each(&mut feed);
    }

    /// Returns the latest of the moments that must have passed, once all are known.
    fn passed(&self) -> Option<Duration> {
        let latest = || {
            let mut latest = Duration::ZERO;
            for place in &self.must_pass {
                latest = latest.max(self.horizons[*place].time()?);
            }
            Some(latest)
        };
        let passed = self.passed.get().unwrap_or_else(latest);
        self.passed.set(Some(passed));
        passed
    }
}

impl RunObserver for Completion {
    fn event(&mut self, event: &Event) {
        self.feed(self.seen, event);
        self.seen += 1;
        self.any_of.iter_mut().flatten().for_each(|lines| lines.event(event));
    }

    fn decided_at(&self) -> Option<Duration> {
        if !self.open.is_empty() {
            return None;
        }
        let mut at = self.latest.max(self.passed()?);
        for alternatives in &self.any_of {
            at = at.max(alternatives.iter().filter_map(Self::decided_at).min()?);
        }
        Some(at)
    }
}

impl Wanted {
    fn is_met_by(&mut self, index: usize, event: &Event, from: Option<Duration>) -> bool {
        let counts = |at: Duration| from.is_some_and(|from| at >= from);
        self.recognizer.feed(index, event, counts(event.at)).is_some_and(|found| counts(found.at))
    }
}

impl Horizon {
    /// None for the end of the run, which cannot be waited for.
    fn new(plan: &Plan, moment: &Moment, more_ms: i64, node: NodeId) -> Option<Self> {
        (moment.event != EventRef::End).then(|| Self {
            event: moment.event.clone(),
            finder: Finder::new(plan, &moment.event, Perspective::Node(node)),
            offset_ms: moment.offset_ms.saturating_add(more_ms),
            nth: nth(ordinal(&moment.event)),
            count: 0,
            at: (moment.event == EventRef::Start).then_some(Duration::ZERO),
        })
    }

    /// Returns whether the moment is another one now.
    fn feed(&mut self, event: &Event) -> bool {
        if self.nth.is_some_and(|nth| self.count >= nth) || !self.finder.feed(event) {
            return false;
        }
        self.count += 1;
        let counts = self.nth.is_none_or(|nth| self.count == nth);
        if counts {
            self.at = Some(event.at);
        }
        counts
    }

    /// Returns whether another one is about the same moment, through whosever eyes.
    fn is_same(&self, other: &Self) -> bool {
        matches!(self.event, EventRef::Start | EventRef::Mark(_))
            && (&self.event, self.offset_ms, self.nth) == (&other.event, other.offset_ms, other.nth)
    }

    /// Returns when the moment is, once its event has come.
    fn time(&self) -> Option<Duration> {
        let ms = millis(self.at?).saturating_add(self.offset_ms);
        Some(Duration::from_millis(ms.max(0).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests;
