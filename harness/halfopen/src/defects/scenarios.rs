//! Which scenarios catch a defect, and by what.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::Defect;
use crate::check::{Outcome, Verdict, Violation};
use crate::plan::{Expectation, Plan, Position};
use crate::run::{Ending, Runner};
use crate::scenario::Scenario;

/// Scenarios that may catch defects. Those that do not pass without any defect count for nothing.
#[derive(Clone, Debug)]
pub struct Scenarios(Vec<Runs>);

/// A scenario that does not pass without any defect, so that a failure with one says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfit<'a> {
    /// The scenario, as `will/power_loss`.
    pub scenario: &'a str,
    /// The runs that do not pass, each with its mark.
    pub runs: &'a [(String, Verdict)],
}

/// A scenario.
#[derive(Clone, Debug)]
struct Runs {
    name: String,
    /// The cases from the field that it names.
    cases: Vec<String>,
    plans: Vec<Arc<Plan>>,
    /// The places of all expectations of its runs, in the order of the file.
    expectations: BTreeSet<Position>,
    /// The runs that do not pass without any defect, once they are known.
    failing: OnceLock<Vec<(String, Verdict)>>,
}

/// A scenario that catches a defect: some run no longer passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catch<'a> {
    /// The scenario, as `will/power_loss`.
    pub scenario: &'a str,
    /// The proof; `None` if the failure is not what the defect is about: another expectation, an invariant, something
    /// that could not be judged any more, or a scenario that is about something else.
    pub proof: Option<Proof>,
}

/// The proof that a scenario catches a defect for the right reason: it names a case that the defect models, and one of
/// its expectations, which speaks of what the defect does, is not met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The run, as `will/power_loss[5.0 keep_alive=10s]`.
    pub run: String,
    /// The id of the expectation, as `will/power_loss#2`: the second of the scenario's file.
    pub id: String,
    /// The expectation.
    pub text: String,
    /// The expected behaviour.
    pub expected: String,
    /// The actual behaviour.
    pub actual: String,
}

impl Scenarios {
    /// Creates the set from scenarios as they were read.
    pub fn new(scenarios: impl IntoIterator<Item = (Scenario, Vec<Plan>)>) -> Self {
        let place = |plan: &Plan, expectation: &Expectation| plan.origins.expectation(expectation.id);
        let places = |plan: &Plan| plan.expectations.iter().map(|it| place(plan, it)).collect::<Vec<_>>();
        let runs = scenarios.into_iter().map(|(scenario, plans)| Runs {
            name: scenario.name,
            cases: scenario.about.reports,
            expectations: plans.iter().flat_map(places).collect(),
            plans: plans.into_iter().map(Arc::new).collect(),
            failing: OnceLock::new(),
        });
        Self(runs.collect())
    }

    /// The names of all, in the order in which they were read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|runs| runs.name.as_str())
    }

    /// Runs each scenario without any defect, and returns those that do not pass. They are left out of all that
    /// follows.
    pub fn unfit(&self) -> impl Iterator<Item = Unfit<'_>> {
        let all = self.0.iter().map(|runs| Unfit { scenario: &runs.name, runs: runs.failing() });
        all.filter(|unfit| !unfit.runs.is_empty())
    }

    /// The scenarios that catch a defect: first those that name one of its cases, and small ones before large ones.
    /// Looked for one by one, so that who wants only one does not wait for all.
    pub fn catching(&self, defect: Defect) -> impl Iterator<Item = Catch<'_>> {
        let is_about_it = |runs: &Runs| defect.cases().is_empty() || defect.cases().iter().any(|case| runs.names(case));
        let mut all: Vec<(bool, &Runs)> = self.0.iter().map(|runs| (is_about_it(runs), runs)).collect();
        all.sort_by_key(|(is_about_it, runs)| (!is_about_it, runs.plans.len()));
        all.into_iter().filter_map(move |(is_about_it, runs)| {
            let proof = runs.caught(defect, is_about_it)?;
            Some(Catch { scenario: &runs.name, proof })
        })
    }

    /// Returns the ids of all expectations that this defect breaks in scenarios that name this case, each with its text.
    pub fn broken(&self, defect: Defect, case: &str) -> Vec<String> {
        let mut broken = BTreeSet::new();
        let runner = Runner { defect: Some(defect), ..Runner::default() };
        for runs in self.0.iter().filter(|runs| runs.names(case)) {
            for plan in &runs.plans {
                let Ending::Judged(_, outcome) = runner.run(plan).ending else { continue };
                broken.extend(runs.broken(plan, &outcome).map(|proof| format!("{}  {}", proof.id, proof.text)));
            }
        }
        broken.into_iter().collect()
    }

    /// Returns what shows that the scenarios that name this case catch this defect, small ones first.
    pub fn proof(&self, defect: Defect, case: &str) -> Option<Proof> {
        let mut all: Vec<&Runs> = self.0.iter().filter(|runs| runs.names(case)).collect();
        all.sort_by_key(|runs| runs.plans.len());
        all.into_iter().find_map(|runs| runs.caught(defect, true)?)
    }
}

impl Runs {
    fn names(&self, case: &str) -> bool {
        self.cases.iter().any(|it| it == case)
    }

    /// The runs that do not pass without any defect. They are run when they are asked for first.
    fn failing(&self) -> &[(String, Verdict)] {
        self.failing.get_or_init(|| {
            let runner = Runner::default();
            let marks = self.plans.iter().map(|plan| (plan.run.to_string(), runner.run(plan).verdict()));
            marks.filter(|(_, mark)| !matches!(mark, Verdict::Pass | Verdict::Skipped)).collect()
        })
    }

    /// Returns what [`caught_by_any`](Self::caught_by_any) finds, unless the scenario does not pass without any defect.
    fn caught(&self, defect: Defect, is_about_it: bool) -> Option<Option<Proof>> {
        self.caught_by_any(defect, is_about_it).filter(|_| self.failing().is_empty())
    }

    /// None if all runs pass with the defect; what proves it is only looked for where it may be.
    fn caught_by_any(&self, defect: Defect, is_about_it: bool) -> Option<Option<Proof>> {
        let runner = Runner { defect: Some(defect), ..Runner::default() };
        let mut is_caught = false;
        for plan in &self.plans {
            let Ending::Judged(_, outcome) = runner.run(plan).ending else { continue };
            if outcome.verdict == Verdict::Pass {
                continue;
            }
            if !is_about_it {
                return Some(None);
            }
            if let Some(proof) = self.proof(plan, &outcome, defect) {
                return Some(Some(proof));
            }
            is_caught = true;
        }
        is_caught.then_some(None)
    }

    /// Returns the first expectation that is not met and that is about what the defect does.
    fn proof(&self, plan: &Plan, outcome: &Outcome, defect: Defect) -> Option<Proof> {
        self.broken(plan, outcome).find(|proof| defect.known_by().iter().any(|known| is_same(known, &proof.id)))
    }

    /// Returns the expectations that are not met.
    fn broken(&self, plan: &Plan, outcome: &Outcome) -> impl Iterator<Item = Proof> {
        outcome.violations.iter().filter_map(|violation| {
            let Violation { text, expected, actual, .. } = violation.clone();
            Some(Proof { run: plan.run.to_string(), id: self.id(violation.position)?, text, expected, actual })
        })
    }

    /// Returns the id of the expectation at a place of the file, as `will/power_loss#2`.
    fn id(&self, position: Position) -> Option<String> {
        let number = self.expectations.iter().position(|place| *place == position)? + 1;
        Some(format!("{}#{number}", self.name))
    }
}

/// Returns whether two ids name the same expectation; a scenario that was read on its own has no folder in its name.
fn is_same(known: &str, id: &str) -> bool {
    known.strip_suffix(id).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}
