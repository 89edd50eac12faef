//! When a moment is: events found through the eyes of a node, and offsets added.

use std::time::Duration;

use super::evidence::Evidence;
use crate::plan::{EventRef, Moment, NodeId, Ordinal, Plan, Timing};
use crate::trace::TraceIndex;
use crate::trace::find::{Occurrence, Perspective, nth, ordinal};

/// Signed milliseconds since the start of the run; whole, for the world has no finer time.
pub(super) type Millis = i64;

/// Milliseconds of a time since the start.
pub(super) fn millis(duration: Duration) -> Millis {
    Millis::try_from(duration.as_millis()).unwrap_or(Millis::MAX)
}

/// Seconds with three decimals.
pub(super) fn seconds(ms: Millis) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    format!("{sign}{}.{:03}", ms.unsigned_abs() / 1000, ms.unsigned_abs() % 1000)
}

/// A moment with all occurrences of its event in one trace, as one node sees them.
pub(super) struct Times<'a> {
    moment: &'a Moment,
    occurrences: Vec<Occurrence>,
}

impl<'a> Times<'a> {
    pub(super) fn new(plan: &Plan, trace: &Evidence, index: &TraceIndex, moment: &'a Moment, node: NodeId) -> Self {
        let mut occurrences = trace.occurrences(index, plan, &moment.event, Perspective::Node(node));
        if moment.event == EventRef::End {
            occurrences.push(Occurrence { index: Some(trace.len), at: trace.end });
        }
        if let Some(nth) = nth(ordinal(&moment.event)) {
            occurrences = occurrences.get(nth - 1).copied().into_iter().collect();
        }
        Self { moment, occurrences }
    }

    /// The moment's text in the scenario.
    pub(super) fn text(&self) -> &'a str {
        &self.moment.text
    }

    /// Returns whether its event never came.
    pub(super) fn never_came(&self) -> bool {
        self.occurrences.is_empty()
    }

    /// The moment as it stands to something at this index and time; several where the order within one instant would
    /// decide. None if the event never came.
    fn near(&self, index: usize, at: Duration) -> Vec<Millis> {
        let at_or_after = self.occurrences.partition_point(|found| found.index < Some(index));
        let before = self.occurrences[..at_or_after].last();
        let after = self.occurrences[at_or_after..].iter().find(|found| found.index != Some(index));
        let (first, second) = if self.moment.offset_ms < 0 { (after, before) } else { (before, after) };
        let mut found: Vec<&Occurrence> = first.or(second).into_iter().collect();
        found.extend(after.filter(|after| after.at == at));
        found.into_iter().map(|found| self.shifted(*found)).collect()
    }

    /// The moment with the latest occurrence of the run.
    pub(super) fn latest(&self) -> Option<Millis> {
        self.occurrences.last().map(|found| self.shifted(*found))
    }

    /// The moment with the first occurrence of the run; with the last one for `last`.
    pub(super) fn first(&self) -> Option<Millis> {
        if ordinal(&self.moment.event) == Ordinal::Last {
            return self.latest();
        }
        self.occurrences.first().map(|found| self.shifted(*found))
    }

    /// The first such moment that is not before this time, unless it is the one of the last occurrence; failing that,
    /// the latest.
    pub(super) fn first_from(&self, from: Millis) -> Option<Millis> {
        if ordinal(&self.moment.event) == Ordinal::Last {
            return self.latest();
        }
        let all = || self.occurrences.iter().map(|found| self.shifted(*found));
        all().find(|&at| at >= from).or_else(|| self.latest())
    }

    fn shifted(&self, found: Occurrence) -> Millis {
        millis(found.at).saturating_add(self.moment.offset_ms)
    }
}

/// The window in which something must come: from `from` to `to`, both included, tolerance not yet added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Millis,
    pub(super) to: Option<Millis>,
}

impl Window {
    /// Returns how far `at` is out of the window: negative for too early. `None` if it lies in it.
    pub(super) fn miss(self, at: Millis, tolerance: Millis) -> Option<Millis> {
        if at < self.from.saturating_sub(tolerance) {
            return Some(at - self.from);
        }
        self.to.filter(|to| at > to.saturating_add(tolerance)).map(|to| at - to)
    }

    /// Returns when it could last be met, as far as that is known.
    pub(super) fn due(self) -> Millis {
        self.to.unwrap_or(self.from)
    }

    /// "at 22.560", "from 3.000 to 3.050", "at 3.000 or later".
    pub(super) fn text(self) -> String {
        match self.to {
            Some(to) if to == self.from => format!("at {}", seconds(to)),
            Some(to) => format!("from {} to {}", seconds(self.from), seconds(to)),
            None => format!("at {} or later", seconds(self.from)),
        }
    }
}

/// A [`Timing`] for one trace, as one node sees it.
pub(super) enum Clocked<'a> {
    At(Times<'a>),
    Within(Times<'a>, Millis),
    Between(Times<'a>, Times<'a>),
    NotBefore(Times<'a>),
}

impl<'a> Clocked<'a> {
    pub(super) fn new(plan: &Plan, trace: &Evidence, index: &TraceIndex, timing: &'a Timing, node: NodeId) -> Self {
        let times = |moment: &'a Moment| Times::new(plan, trace, index, moment, node);
        match timing {
            Timing::At(moment) => Self::At(times(moment)),
            Timing::Within { after, duration } => Self::Within(times(after), millis(*duration)),
            Timing::Between(from, to) => Self::Between(times(from), times(to)),
            Timing::NotBefore(moment) => Self::NotBefore(times(moment)),
        }
    }

    /// The windows in which something at this index and time may be; the first is the one to speak of. None if an event
    /// that they hang on never came.
    pub(super) fn windows(&self, index: usize, at: Duration) -> Vec<Window> {
        match self {
            Self::At(times) => times.near(index, at).into_iter().map(|at| Window { from: at, to: Some(at) }).collect(),
            Self::Within(times, duration) => times
                .near(index, at)
                .into_iter()
                .map(|from| Window { from, to: Some(from.saturating_add(*duration)) })
                .collect(),
            Self::Between(from, to) => from
                .near(index, at)
                .into_iter()
                .filter_map(|from| Some(Window { from, to: Some(to.first_from(from)?) }))
                .collect(),
            Self::NotBefore(times) => times.near(index, at).into_iter().map(|from| Window { from, to: None }).collect(),
        }
    }

    /// The latest window of the run. `None` if an event that it hangs on never came.
    pub(super) fn latest(&self) -> Option<Window> {
        Some(match self {
            Self::At(times) => {
                let at = times.latest()?;
                Window { from: at, to: Some(at) }
            }
            Self::Within(times, duration) => {
                let from = times.latest()?;
                Window { from, to: Some(from.saturating_add(*duration)) }
            }
            Self::Between(from, to) => {
                let from = from.latest()?;
                Window { from, to: Some(to.first_from(from)?) }
            }
            Self::NotBefore(times) => Window { from: times.latest()?, to: None },
        })
    }

    /// The text of a moment whose event never came.
    pub(super) fn never_came(&self) -> Option<&'a str> {
        let never = |times: &Times<'a>| times.never_came().then(|| times.text());
        match self {
            Self::At(times) | Self::Within(times, _) | Self::NotBefore(times) => never(times),
            Self::Between(from, to) => never(from).or_else(|| never(to)),
        }
    }

    /// Returns the text in the scenario.
    pub(super) fn text(&self) -> String {
        match self {
            Self::At(times) | Self::NotBefore(times) => times.text().to_owned(),
            Self::Within(times, _) => format!("within {}", times.text()),
            Self::Between(from, to) => format!("between {} .. {}", from.text(), to.text()),
        }
    }
}

#[cfg(test)]
mod tests;
