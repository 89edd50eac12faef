use std::collections::BTreeMap;
use std::time::Duration;

use super::moment::millis;
use super::verb::{Recognizer, place};
use crate::plan::{EventRef, Expectation, Mode, Moment, NodeId, NthConnection, Ordinal, Plan, Timing, Verb};
use crate::trace::find::{Finder, Viewer, nth, ordinal};
use crate::trace::{Completion, Event, Opened};

/// Tells during a run when it may end: when each expectation that wants something has seen it often enough, well
/// timed or not, and when the times have passed that the others speak of.
#[derive(Clone, Debug)]
pub struct Decided {
    /// Expectations that want to see something and have not yet, by the node at which it happens.
    open: BTreeMap<NodeId, Vec<Wanted>>,
    /// Moments that must have passed.
    horizon: Vec<Horizon>,
    /// Of each of these lists one must be decided.
    any_of: Vec<Vec<Self>>,
    opened: Opened,
    /// How many events have been looked at.
    seen: usize,
    /// When the latest of what was wanted came.
    latest: Duration,
}

#[derive(Clone, Debug)]
struct Wanted {
    recognizer: Recognizer,
    on: Vec<NthConnection>,
    /// What comes before this is not what is wanted.
    from: Option<Horizon>,
    missing: u64,
}

#[derive(Clone, Debug)]
struct Horizon {
    finder: Finder,
    offset_ms: i64,
    /// Which occurrence it hangs on; the latest if none.
    nth: Option<usize>,
    count: usize,
    at: Option<Duration>,
}

impl Decided {
    /// Nothing has been seen of the plan's run.
    pub fn new(plan: &Plan) -> Self {
        Self::of(plan, &plan.expectations)
    }

    fn of(plan: &Plan, expectations: &[Expectation]) -> Self {
        let mut decided = Self {
            open: BTreeMap::new(),
            horizon: Vec::new(),
            any_of: Vec::new(),
            opened: Opened::default(),
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
            from = Horizon::new(plan, begin, 0, node).filter(|_| begin.offset_ms >= 0);
            if let Some(from) = &mut from
                && ordinal(&begin.event) == Ordinal::Nearest
            {
                from.nth = Some(1);
            }
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
            && let Some(recognizer) = Recognizer::new(expectation, node)
        {
            self.open.entry(node).or_default().push(Wanted {
                recognizer,
                on: expectation.on.clone(),
                from,
                missing: wanted,
            });
        }
    }

    /// The moment, and so much more, must have passed.
    fn pass(&mut self, plan: &Plan, moment: &Moment, more_ms: i64, node: NodeId) {
        self.horizon.extend(Horizon::new(plan, moment, more_ms, node));
    }

    fn feed(&mut self, index: usize, event: &Event) {
        for horizon in &mut self.horizon {
            horizon.feed(event);
        }
        // Also of nodes at which this does not happen: a time may hang on what another one does.
        for from in self.open.values_mut().flatten().filter_map(|wanted| wanted.from.as_mut()) {
            from.feed(event);
        }
        self.opened.feed(event);
        let Some(node) = place(event) else { return };
        let Some(open) = self.open.get_mut(&node) else { return };
        open.retain_mut(|wanted| {
            if self.opened.is_on(event, &wanted.on) && wanted.is_met_by(index, event) {
                wanted.missing -= 1;
                self.latest = event.at;
            }
            wanted.missing > 0
        });
        if open.is_empty() {
            self.open.remove(&node);
        }
    }
}

impl Completion for Decided {
    fn poll(&mut self, events: &[Event]) -> Option<Duration> {
        while let Some(event) = events.get(self.seen) {
            self.feed(self.seen, event);
            self.seen += 1;
        }
        if !self.open.is_empty() {
            return None;
        }
        let mut at = self.latest;
        for horizon in &self.horizon {
            at = at.max(horizon.time()?);
        }
        for alternatives in &mut self.any_of {
            at = at.max(alternatives.iter_mut().filter_map(|lines| lines.poll(events)).min()?);
        }
        Some(at)
    }
}

impl Wanted {
    fn is_met_by(&mut self, index: usize, event: &Event) -> bool {
        let from = self.from.as_ref().map_or(Some(Duration::ZERO), Horizon::time);
        let counts = |at: Duration| from.is_some_and(|from| at >= from);
        self.recognizer.feed(index, event, counts(event.at)).is_some_and(|found| counts(found.at))
    }
}

impl Horizon {
    /// None for the end of the run, which cannot be waited for.
    fn new(plan: &Plan, moment: &Moment, more_ms: i64, node: NodeId) -> Option<Self> {
        (moment.event != EventRef::End).then(|| Self {
            finder: Finder::new(plan, &moment.event, Viewer::Node(node)),
            offset_ms: moment.offset_ms.saturating_add(more_ms),
            nth: nth(ordinal(&moment.event)),
            count: 0,
            at: (moment.event == EventRef::Start).then_some(Duration::ZERO),
        })
    }

    fn feed(&mut self, event: &Event) {
        if self.nth.is_some_and(|nth| self.count >= nth) || !self.finder.feed(event) {
            return;
        }
        self.count += 1;
        if self.nth.is_none_or(|nth| self.count == nth) {
            self.at = Some(event.at);
        }
    }

    /// When the moment is, once its event has come.
    fn time(&self) -> Option<Duration> {
        let ms = millis(self.at?).saturating_add(self.offset_ms);
        Some(Duration::from_millis(ms.max(0).unsigned_abs()))
    }
}

#[cfg(test)]
mod tests;
