//! What became of each expectation, and when: for pictures.

use std::time::Duration;

use super::{ByNode, Clocked, Judge, judge, millis};
use crate::check::{Findings, Verdict, Violation};
use crate::plan::{Expectation, Mode, NodeId, Plan};
use crate::trace::Trace;

/// What became of one expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// Its index in [`Plan::expectations`].
    pub expectation: usize,
    /// What it comes to; what is only advised and not so is vacuous here.
    pub verdict: Verdict,
    /// When that was known: at the first event that matters, or when it was due; at the end for what never came.
    pub at: Duration,
    /// The events that match its verb, as indices into the trace, each with the node that it is about.
    pub matches: Vec<(NodeId, usize)>,
    /// What should have been, what was, or why it could not be judged; nothing for a pass.
    pub findings: Vec<String>,
}

/// Judges each expectation on its own.
pub fn judged(plan: &Plan, trace: &Trace) -> Vec<Judged> {
    let by_node = ByNode::new(plan, trace);
    let one = |(index, expectation)| judge_one(plan, trace, &by_node, index, expectation);
    plan.expectations.iter().enumerate().map(one).collect()
}

fn judge_one(plan: &Plan, trace: &Trace, by_node: &ByNode, index: usize, expectation: &Expectation) -> Judged {
    let mut findings = Findings::default();
    judge(plan, trace, by_node, expectation, &mut findings);
    let outcome = findings.outcome();
    let verdict = if outcome.warnings.is_empty() { outcome.verdict } else { outcome.verdict.max(Verdict::Vacuous) };
    let judges = expectation.nodes.iter().map(|&node| Judge { plan, trace, by_node, expectation, node });
    let mut matches = Vec::new();
    let mut telling = None;
    let mut due = None;
    for judge in judges {
        let (of_node, at, latest) = judge.instants(outcome.verdict);
        matches.extend(of_node);
        telling = telling.or(at);
        due = due.max(latest);
    }
    let lines =
        |violation: &Violation| [format!("expected: {}", violation.expected), format!("actual: {}", violation.actual)];
    let mut words: Vec<String> = outcome.violations.iter().chain(&outcome.warnings).flat_map(lines).collect();
    words.extend(outcome.vacuous.iter().map(|vacuity| format!("vacuous: {}", vacuity.why)));
    let at = telling.or(due).unwrap_or(trace.end);
    Judged { expectation: index, verdict, at, matches, findings: words }
}

impl Judge<'_> {
    /// What matches, the first of it that tells the verdict, and when the last was due, if that was in the run.
    fn instants(&self, verdict: Verdict) -> (Vec<(NodeId, usize)>, Option<Duration>, Option<Duration>) {
        let matches = self.during().map(|during| self.matches(during).0).unwrap_or_default();
        let clocked = self.clocked();
        let is_never = self.expectation.mode == Mode::Never;
        let telling = matches.iter().find(|found| match &clocked {
            Some(clocked) if verdict == Verdict::Fail => self.miss(found, clocked).is_some() != is_never,
            _ => true,
        });
        let due = clocked.as_ref().and_then(Clocked::latest).map(|window| window.due().max(0).unsigned_abs());
        let due = due.map(Duration::from_millis).filter(|due| millis(*due) <= millis(self.trace.end));
        let telling = telling.map(|found| found.at);
        (matches.iter().map(|found| (self.node, found.index)).collect(), telling, due)
    }
}
