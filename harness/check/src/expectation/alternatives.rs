//! `any_of`: one list of lines is true, whichever.

use super::{Findings, judge};
use crate::evidence::Evidence;
use crate::plan::{Expectation, Plan};
use crate::trace::TraceIndex;
use crate::{Vacuity, Violation};

/// Fails if something is wrong with each of the alternatives. If none is true, but one could not be judged, it might have
/// been.
pub(super) fn check(
    plan: &Plan,
    trace: &Evidence,
    index: &TraceIndex,
    expectation: &Expectation,
    alternatives: &[Vec<Expectation>],
    findings: &mut Findings,
) {
    let mut wrong = Vec::new();
    let mut unknown = Vec::new();
    for lines in alternatives {
        let mut found = Findings::default();
        for line in lines {
            judge(plan, trace, index, line, &mut found);
        }
        match (found.violations.into_iter().next(), found.vacuous.into_iter().next()) {
            (Some(violation), _) => wrong.push(violation),
            (None, Some(vacuity)) => unknown.push(vacuity.why),
            (None, None) => return,
        }
    }
    let (position, text) = (plan.origins.expectation(expectation.id), expectation.text.clone());
    if unknown.is_empty() {
        let joined = |of: fn(&Violation) -> &str| wrong.iter().map(of).collect::<Vec<_>>().join(", or ");
        let expected = joined(|violation| &violation.expected);
        findings.violations.push(Violation { position, text, expected, actual: joined(|violation| &violation.actual) });
    } else {
        findings.vacuous.push(Vacuity { position, text, why: unknown.join(", and ") });
    }
}
