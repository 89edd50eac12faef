//! Judges a run against what its plan expects: three-valued verdicts, without clocks and without input or output.
//!
//! A [`Judge`] is fed event by event, while the run goes on or from its trace afterwards. It keeps the few events that
//! expectations may ask for; packets that none of them names are not kept. So a run that is judged needs no trace.
//!
//! Invariants hold without being asked for; a scenario waives those that it breaks on purpose.
//!
//! How an expectation is judged:
//! - What matches its verb at its node is counted, inside `during` if there is one. Without `count` at least one is
//!   wanted; each that counts must fit the timing, and each pair of neighbours the `gap`. The plan's tolerance is added
//!   on both sides of every time.
//! - A moment hangs on the latest occurrence of its event before what is judged, or at the same instant: the order
//!   within one instant decides nothing. A moment before an event hangs on the next one.
//! - What never came although its time has passed is a failure. What could not be judged is vacuous: the moment's
//!   event never came, the run was over before the time had come, a fault hit nothing, a step was never reached, or
//!   nothing could have happened because there was no connection.
//!
//! All that is wrong is reported, not the first. What is only advised (`should`) and not so is a warning.

mod completion;
mod evidence;
mod expectation;
mod invariant;
mod model;
mod moment;
mod sequence;
mod size;
mod steps;
mod verb;

pub use self::completion::Completion;
use self::evidence::Evidence;
pub use self::expectation::{Due, ExpectationResult, judged};
pub use self::invariant::Invariants;
pub use self::model::without_clause;
use serde::{Deserialize, Serialize};

use std::ops::Deref;
use std::time::Duration;

use crate::plan::{Invariant, Plan, Position};
use crate::trace::{Event, RunObserver, Trace};
use halfopen_plan::{self as plan, trace};

/// The verdict on a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All that was expected is true of the trace.
    Pass,
    /// Something is not.
    Fail,
    /// The run is not wrong, but not everything could be judged, so it proves less than it says. Counts as a failure.
    Vacuous,
    /// The run was not made, because its engine has no means for it. Never a judgement of a trace.
    Skipped,
    /// The engine failed. Never a judgement of a trace.
    Broken,
}

impl Verdict {
    /// Returns the word that the line of a run begins with: what needs attention is in capitals.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "ok",
            Self::Fail => "FAILED",
            Self::Vacuous => "VACUOUS",
            Self::Skipped => "skipped",
            Self::Broken => "BROKEN",
        }
    }
}

/// The judgement of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The verdict.
    pub verdict: Verdict,
    /// All that is wrong, in the order of the scenario.
    pub violations: Vec<Violation>,
    /// All that could not be judged, in the order of the scenario.
    pub vacuous: Vec<Vacuity>,
    /// Advised expectations that do not hold, in the order of the scenario. They do not fail the run, unless it is
    /// [`strict`](Self::strict).
    pub warnings: Vec<Violation>,
    /// Invariants that do not hold and are waived.
    pub waived: Vec<Invariant>,
    /// The parts of the run that invariants could not judge, in the order of the invariants. They do not fail the run:
    /// they says how far the verdict reaches.
    pub not_judged: Vec<NotJudged>,
}

impl Outcome {
    /// Treats advised expectations as required ones.
    #[must_use]
    pub fn strict(mut self) -> Self {
        if !self.warnings.is_empty() {
            self.violations.append(&mut self.warnings);
            self.violations.sort_by_key(|violation| violation.position);
            self.verdict = Verdict::Fail;
        }
        self
    }

    /// Returns what the invariants came to, for a scenario whose steps and expectations say nothing about the run; `None` if they
    /// found nothing.
    pub fn of_invariants(&self) -> Option<Self> {
        // They are about the run as a whole, and have no place in the file.
        let is_of_invariant = |violation: &&Violation| violation.position == Position::default();
        let violations: Vec<Violation> = self.violations.iter().filter(is_of_invariant).cloned().collect();
        let (vacuous, warnings) = (Vec::new(), Vec::new());
        (!violations.is_empty()).then(|| Self { verdict: Verdict::Fail, violations, vacuous, warnings, ..self.clone() })
    }
}

/// Something that is not as it was expected to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The expectation, or the step, in the scenario.
    pub position: Position,
    /// The text.
    pub text: String,
    /// The expected behaviour, on one line.
    pub expected: String,
    /// The actual behaviour, on one line.
    pub actual: String,
}

/// Something that could not be judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vacuity {
    /// The expectation, or the step, in the scenario.
    pub position: Position,
    /// The text.
    pub text: String,
    /// The reason, on one line.
    pub why: String,
}

/// A part of a run that an invariant did not judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// The invariant.
    pub invariant: Invariant,
    /// The part that was not judged, the reason, how often, and when first, on one line.
    pub why: String,
}

/// Judges a run, event by event, and tells when it may end.
pub struct Judge<P> {
    plan: P,
    evidence: Evidence,
    invariants: Invariants<P>,
    decided: Completion,
}

impl<P: Deref<Target = Plan> + Clone> Judge<P> {
    /// Begins to judge a run of this plan.
    pub fn new(plan: P) -> Self {
        Self {
            evidence: Evidence::new(&plan),
            invariants: Invariants::new(plan.clone()),
            decided: Completion::new(&plan),
            plan,
        }
    }

    /// Ends the run at this time, and returns what it came to.
    pub fn finish(self, end: Duration) -> Outcome {
        let Self { plan, evidence, invariants, .. } = self;
        let evidence = evidence.end(end);
        let mut findings = Findings::default();
        steps::check(&plan, &evidence, &mut findings);
        expectation::check(&plan, &evidence, &mut findings);
        invariants.end(end, &mut findings);
        if evidence.is_silent() {
            let why = "nothing was ever sent".to_owned();
            findings.vacuous.push(Vacuity { position: Position::default(), text: plan.run.to_string(), why });
        }
        findings.outcome()
    }
}

impl<P: Deref<Target = Plan> + Clone> RunObserver for Judge<P> {
    fn event(&mut self, event: &Event) {
        self.evidence.event(event);
        self.invariants.event(event);
        self.decided.event(event);
    }

    fn decided_at(&self) -> Option<Duration> {
        self.decided.decided_at()
    }
}

/// Judges a finished run.
pub fn check(plan: &Plan, trace: &Trace) -> Outcome {
    let mut judge = Judge::new(plan);
    trace.events.iter().for_each(|event| judge.event(event));
    judge.finish(trace.end)
}

/// The findings collected on the way.
#[derive(Default)]
struct Findings {
    violations: Vec<Violation>,
    warnings: Vec<Violation>,
    waived: Vec<Invariant>,
    vacuous: Vec<Vacuity>,
    not_judged: Vec<NotJudged>,
}

impl Findings {
    fn outcome(mut self) -> Outcome {
        self.violations.sort_by_key(|violation| violation.position);
        self.vacuous.sort_by_key(|vacuity| vacuity.position);
        self.warnings.sort_by_key(|warning| warning.position);
        let verdict = match (self.violations.is_empty(), self.vacuous.is_empty()) {
            (false, _) => Verdict::Fail,
            (true, false) => Verdict::Vacuous,
            (true, true) => Verdict::Pass,
        };
        Outcome {
            verdict,
            violations: self.violations,
            vacuous: self.vacuous,
            warnings: self.warnings,
            waived: self.waived,
            not_judged: self.not_judged,
        }
    }
}

#[cfg(test)]
mod tests;
