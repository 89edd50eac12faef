//! What the invariants found.

use std::collections::BTreeMap;
use std::time::Duration;

use super::shown;
use crate::plan::{Invariant, Plan, Position};
use crate::{Findings, NotJudged, Violation};

/// How often one invariant is reported as broken in a run.
const REPORTED: usize = 3;

/// An invariant does not hold.
pub(super) struct Breach {
    expected: String,
    actual: String,
}

impl Breach {
    pub(super) fn new(expected: impl Into<String>, actual: impl Into<String>) -> Self {
        Self { expected: expected.into(), actual: actual.into() }
    }
}

/// Collects what is broken, and what could not be judged.
#[derive(Default)]
pub(super) struct Report {
    breaches: BTreeMap<Invariant, Vec<Breach>>,
    /// By invariant and reason: how often, and when first.
    not_judged: BTreeMap<(Invariant, String), (u64, Duration)>,
}

impl Report {
    /// The invariant does not hold. Only the first few breaches of each are kept.
    pub(super) fn breach(&mut self, invariant: Invariant, breach: Breach) {
        let breaches = self.breaches.entry(invariant).or_default();
        if breaches.len() < REPORTED {
            breaches.push(breach);
        }
    }

    /// Something that the invariant is about could not be judged, for this reason.
    pub(super) fn not_judged(&mut self, invariant: Invariant, at: Duration, why: String) {
        self.not_judged.entry((invariant, why)).or_insert((0, at)).0 += 1;
    }

    pub(super) fn write(self, plan: &Plan, findings: &mut Findings) {
        for (invariant, breaches) in self.breaches {
            if plan.waived.iter().any(|waiver| waiver.invariant == invariant) {
                findings.waived.push(invariant);
                continue;
            }
            let text = format!("invariant `{}`", invariant.name());
            findings.violations.extend(breaches.into_iter().map(|breach| Violation {
                position: Position::default(),
                text: text.clone(),
                expected: breach.expected,
                actual: breach.actual,
            }));
        }
        for ((invariant, why), (count, first)) in self.not_judged {
            let times = if count == 1 { String::new() } else { format!("{count} times, first ") };
            let why = format!("{why} ({times}at {})", shown(first));
            findings.not_judged.push(NotJudged { invariant, why });
        }
    }
}
