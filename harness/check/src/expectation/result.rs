//! What became of each expectation, and when: for pictures.

use std::time::Duration;

use super::{Clocked, Judge, VerbMatch, Window, judge, millis};
use crate::evidence::Evidence;
use crate::plan::{CountRange, Expectation, Mode, NodeId, Plan};
use crate::trace::{Trace, TraceIndex};
use crate::{Findings, Verdict, Violation};

/// The result of one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectationResult {
    /// The index in [`Plan::expectations`].
    pub expectation: usize,
    /// The verdict. An advised expectation that does not hold is vacuous here.
    pub verdict: Verdict,
    /// Time at which that was known: at the first event that matters, or when it was due; at the end for what never
    /// came.
    pub at: Duration,
    /// The events that match its verb, as indices into the trace, each with the node that it is about.
    pub matches: Vec<(NodeId, usize)>,
    /// The time at which it was due, if it did not come, or not then.
    pub due: Option<Due>,
    /// The findings: the expected, the actual, or why it could not be judged; empty for a pass.
    pub findings: Vec<String>,
}

/// The time at which something was due that did not come, or not then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// The node at which it should have been.
    pub node: NodeId,
    /// The begin.
    pub from: Duration,
    /// The end, equal to `from` for a moment; `None` if there is no end.
    pub to: Option<Duration>,
    /// The lateness in milliseconds; less than 0 if it came earlier. `None` if it never came.
    pub by_ms: Option<i64>,
}

impl Due {
    /// The end of that time which what came is nearest to, or at which it was clear that nothing would come.
    pub fn edge(&self) -> Duration {
        let is_early = self.by_ms.is_some_and(|by| by < 0);
        self.to.filter(|_| !is_early).unwrap_or(self.from)
    }
}

/// Judges each expectation on its own.
pub fn judged(plan: &Plan, trace: &Trace) -> Vec<ExpectationResult> {
    let trace = &Evidence::of(plan, trace);
    let index = trace.index(plan);
    let one = |(place, expectation)| judge_one(plan, trace, &index, place, expectation);
    plan.expectations.iter().enumerate().map(one).collect()
}

fn judge_one(
    plan: &Plan,
    trace: &Evidence,
    index: &TraceIndex,
    place: usize,
    expectation: &Expectation,
) -> ExpectationResult {
    let mut findings = Findings::default();
    judge(plan, trace, index, expectation, &mut findings);
    let outcome = findings.outcome();
    let verdict = if outcome.warnings.is_empty() { outcome.verdict } else { outcome.verdict.max(Verdict::Vacuous) };
    let is_wrong = outcome.verdict == Verdict::Fail || !outcome.warnings.is_empty();
    let judges = expectation.nodes.iter().map(|&node| Judge { plan, trace, index, expectation, node });
    let mut all = Instants::default();
    for judge in judges {
        all.add(judge.instants(is_wrong));
    }
    let lines =
        |violation: &Violation| [format!("expected: {}", violation.expected), format!("actual: {}", violation.actual)];
    let mut words: Vec<String> = outcome.violations.iter().chain(&outcome.warnings).flat_map(lines).collect();
    words.extend(outcome.vacuous.iter().map(|vacuity| format!("vacuous: {}", vacuity.why)));
    let at = all.telling.or(all.latest).unwrap_or(trace.end);
    ExpectationResult { expectation: place, verdict, at, matches: all.matches, due: all.due, findings: words }
}

/// The instants that an expectation looks at, at one node or at all of its nodes.
#[derive(Default)]
struct Instants {
    matches: Vec<(NodeId, usize)>,
    /// Time of the first match that decides the verdict.
    telling: Option<Duration>,
    /// Time at which the last was due, if that was in the run.
    latest: Option<Duration>,
    due: Option<Due>,
}

impl Instants {
    fn add(&mut self, other: Self) {
        self.matches.extend(other.matches);
        self.telling = self.telling.or(other.telling);
        self.latest = self.latest.max(other.latest);
        self.due = self.due.or(other.due);
    }
}

impl Judge<'_> {
    fn instants(&self, is_wrong: bool) -> Instants {
        let matches = self.during().map(|during| self.matches(during).0).unwrap_or_default();
        let clocked = self.clocked();
        let latest = clocked.as_ref().and_then(Clocked::latest);
        let due_at = latest.map(|window| time(window.due())).filter(|due| *due <= self.trace.end);
        let all = Instants {
            matches: matches.iter().map(|found| (self.node, found.index)).collect(),
            telling: matches.first().map(|found| found.at),
            latest: due_at,
            due: None,
        };
        match self.expectation.mode {
            _ if !is_wrong => all,
            Mode::Never => {
                let forbidden = matches.iter().find(|found| self.is_forbidden(found, clocked.as_ref()));
                Instants { telling: forbidden.map(|found| found.at), ..all }
            }
            Mode::Must if matches.is_empty() => {
                Instants { telling: None, due: latest.map(|window| self.due(window, None)), ..all }
            }
            Mode::Must => match self.wrong(&matches, clocked.as_ref()) {
                Some((found, missed)) => Instants {
                    telling: Some(found.at),
                    due: missed.map(|(window, by)| self.due(window, Some(by))),
                    ..all
                },
                // Each that came is right, but there are too few, or too many for a time.
                None if self.expectation.per.is_some() => all,
                None => Instants { telling: None, ..all },
            },
        }
    }

    /// The first match that is not as it should be; if that is because of its time, its window and by how much.
    fn wrong<'m>(
        &self,
        matches: &'m [VerbMatch],
        clocked: Option<&Clocked<'_>>,
    ) -> Option<(&'m VerbMatch, Option<(Window, i64)>)> {
        let tolerance = millis(self.plan.tolerance);
        let untimely = |found: &'m VerbMatch| Some((found, Some(self.miss(found, clocked?, tolerance)?)));
        let gap = || {
            matches.windows(2).find_map(|pair| {
                let window = self.next_after(&pair[0])?;
                Some((&pair[1], Some((window, window.miss(millis(pair[1].at), millis(self.plan.tolerance))?))))
            })
        };
        let is_counted = self.expectation.per.is_none();
        let most = self.expectation.count.and_then(|CountRange { max, .. }| max).filter(|_| is_counted);
        let too_much = || most.and_then(|most| matches.get(usize::try_from(most).ok()?)).map(|found| (found, None));
        let said = || matches.iter().find(|found| self.said_otherwise(found).is_some()).map(|found| (found, None));
        matches.iter().find_map(untimely).or_else(gap).or_else(too_much).or_else(said)
    }

    /// Returns when the next may come after this one.
    fn next_after(&self, found: &VerbMatch) -> Option<Window> {
        let gap = self.expectation.gap?;
        let at = |more: Duration| millis(found.at + more);
        Some(Window { from: at(gap.min), to: gap.max.map(at) })
    }

    fn due(&self, window: Window, by_ms: Option<i64>) -> Due {
        Due { node: self.node, from: time(window.from), to: window.to.map(time), by_ms }
    }
}

fn time(ms: i64) -> Duration {
    Duration::from_millis(ms.max(0).unsigned_abs())
}

#[cfg(test)]
mod tests;
