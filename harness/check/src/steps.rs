//! Whether the story was told as it is written: each step reached and done, each fault felt by somebody.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::evidence::Evidence;
use super::{Findings, Vacuity, Violation};
use crate::plan::{Action, EventRef, NetworkFault, NodeFault, NodeId, Plan, Step, StepId, StepKind};
use crate::trace::EventKind;

pub(super) fn check(plan: &Plan, trace: &Evidence, findings: &mut Findings) {
    let mut progress =
        StepProgress { plan, trace, reached: BTreeMap::new(), hit: BTreeSet::new(), changed: BTreeMap::new() };
    // A step that is repeated fails for the same reason many a time.
    let mut failed: BTreeMap<(StepId, &str), Vec<Duration>> = BTreeMap::new();
    for (index, event) in trace.events.iter() {
        match &event.kind {
            EventKind::Step { step, .. } => drop(progress.reached.entry(*step).or_insert(*index)),
            EventKind::Node { node, change } => drop(progress.changed.insert((*node, *change), *index)),
            EventKind::FaultHit { step } => drop(progress.hit.insert(*step)),
            EventKind::StepFailed { step, why } => failed.entry((*step, why.as_str())).or_default().push(event.at),
            _ => {}
        }
    }
    for ((step, why), times) in failed {
        progress.failed(step, why, &times, findings);
    }
    progress.check(&plan.steps, findings);
}

/// The progress of the steps, as the trace shows it.
struct StepProgress<'a> {
    plan: &'a Plan,
    trace: &'a Evidence,
    /// The place in the trace at which each step began first.
    reached: BTreeMap<StepId, usize>,
    hit: BTreeSet<StepId>,
    /// The place in the trace at which each fault happened to each node last.
    changed: BTreeMap<(NodeId, NodeFault), usize>,
}

impl StepProgress<'_> {
    /// Reports a step that failed for this reason at these times.
    fn failed(&self, step: StepId, why: &str, times: &[Duration], findings: &mut Findings) {
        let position = self.plan.origins.step(step);
        let step = self.plan.step(step);
        let text = step.map(|step| step.text.clone()).unwrap_or_default();
        let ([first, ..], [.., last]) = (times, times) else { return };
        // A step that waited in vain until the end asked for something that the run did not reach.
        let is_in_vain = |step: &Step| matches!(&step.kind, StepKind::At(moment) if moment.event != EventRef::Start);
        if step.is_some_and(is_in_vain) && *last == self.trace.end {
            findings.vacuous.push(Vacuity { position, text, why: why.to_owned() });
            return;
        }
        let expected = format!("the step is done at {:.3}", first.as_secs_f64());
        let actual = match times.len() {
            1 => why.to_owned(),
            count => format!("{why} ({count} times, the last at {:.3})", last.as_secs_f64()),
        };
        findings.violations.push(Violation { position, text, expected, actual });
    }

    fn check(&self, steps: &[Step], findings: &mut Findings) {
        for step in steps {
            let mut vacuous = |why: String| {
                let position = self.plan.origins.step(step.id);
                findings.vacuous.push(Vacuity { position, text: step.text.clone(), why });
            };
            if !self.reached.contains_key(&step.id) {
                vacuous(format!("the step was never reached, the run ended at {:.3}", self.trace.end.as_secs_f64()));
                continue;
            }
            match &step.kind {
                // Healing what nobody used is no fault.
                StepKind::Network(change) if change.fault != NetworkFault::Heal && !self.hit.contains(&step.id) => {
                    vacuous("the fault hit nothing".to_owned());
                }
                StepKind::Node { nodes, actions } => {
                    for fault in actions.iter().filter_map(Action::fault) {
                        let untouched = nodes.iter().any(|&node| !self.was_changed(step.id, node, fault));
                        if untouched {
                            vacuous(format!("`{}` changed nothing: the node was in that state", fault.word()));
                        }
                    }
                }
                StepKind::Every { times, until: None, steps, .. } if *times != Some(0) => {
                    self.check(steps, findings);
                }
                StepKind::Repeat { times: 1.., steps } => self.check(steps, findings),
                // Once at least, otherwise nothing was tested.
                StepKind::Whenever { per_round, steps, .. } => {
                    self.check(&steps[..per_round.unwrap_or(steps.len())], findings);
                }
                _ => {}
            }
        }
    }

    /// Returns whether the fault happened to the node at some time after the step began.
    fn was_changed(&self, step: StepId, node: NodeId, fault: NodeFault) -> bool {
        self.reached.get(&step) < self.changed.get(&(node, fault))
    }
}
