//! Which scenarios catch a defect, and by what.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use super::Defect;
use crate::check::{Outcome, Verdict, Violation};
use crate::plan::{Plan, Position};
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
        let runs = scenarios.into_iter().map(|(scenario, plans)| Runs {
            name: scenario.name,
            cases: scenario.about.reports,
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
            if let Some(proof) = proof(plan, &outcome, defect.known_by()) {
                return Some(Some(proof));
            }
            is_caught = true;
        }
        is_caught.then_some(None)
    }
}

fn proof(plan: &Plan, outcome: &Outcome, words: &[&str]) -> Option<Proof> {
    let expectations: BTreeSet<Position> = plan.expectations.iter().map(|it| plan.origins.expectation(it.id)).collect();
    let is_it =
        |it: &&Violation| expectations.contains(&it.position) && words.iter().any(|word| it.text.contains(word));
    let Violation { text, expected, actual, .. } = outcome.violations.iter().find(is_it)?.clone();
    Some(Proof { run: plan.run.to_string(), text, expected, actual })
}
