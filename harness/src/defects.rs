//! Named defects of the broker and the client, and which scenarios catch them: a scenario that no defect fails on proves
//! nothing.
//!
//! A defect is switched on in all brokers, or all clients, of a plan. No scenario can do that, and
//! nothing in the programs that are used for real; `halfopen run --defect` can.

use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use crate::plan::Plan;
use crate::report::{Finished, Mark};
use crate::scenario::Scenario;
use crate::world::Engine;

/// A defect of one of the project's programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Defect {
    /// Of the broker.
    Broker(halfopen_broker::core::Defect),
    /// Of the client.
    Client(halfopen_client::core::Defect),
}

impl Defect {
    /// All of them, those of the broker first.
    pub fn all() -> impl Iterator<Item = Self> {
        let brokers = halfopen_broker::core::Defect::ALL.into_iter().map(Self::Broker);
        brokers.chain(halfopen_client::core::Defect::ALL.into_iter().map(Self::Client))
    }

    /// What it does, in a few words.
    pub fn about(self) -> &'static str {
        self.describe().1
    }

    /// The cases from the field that it models.
    pub fn cases(self) -> &'static [&'static str] {
        self.describe().2
    }

    fn describe(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Broker(defect) => defect.describe(),
            Self::Client(defect) => defect.describe(),
        }
    }
}

/// `broker:keep_alive_twice`, with or without a space.
impl FromStr for Defect {
    type Err = UnknownDefect;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |text: &str| text.replace(' ', "");
        let wanted = plain(text);
        let nearest =
            || Self::all().map(|it| plain(&it.to_string())).min_by_key(|it| strsim::damerau_levenshtein(it, &wanted));
        let found = Self::all().find(|it| plain(&it.to_string()) == wanted);
        found.ok_or_else(|| UnknownDefect { nearest: nearest().unwrap_or_default() })
    }
}

/// No defect has such a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such defect; did you mean `{nearest}`? `halfopen defects PATH…` lists all")]
pub struct UnknownDefect {
    nearest: String,
}

/// `broker: keep_alive_twice`.
impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self {
            Self::Broker(_) => "broker",
            Self::Client(_) => "client",
        };
        write!(f, "{side}: {}", self.describe().0)
    }
}

/// Scenarios whose runs all pass without a defect.
#[derive(Clone, Debug)]
pub struct Scenarios(Vec<Runs>);

/// A scenario.
#[derive(Clone, Debug)]
struct Runs {
    name: String,
    /// The cases from the field that it names.
    cases: Vec<String>,
    plans: Vec<Rc<Plan>>,
}

impl Scenarios {
    /// As they were read.
    pub fn new(scenarios: impl IntoIterator<Item = (Scenario, Vec<Plan>)>) -> Self {
        let runs = scenarios.into_iter().map(|(scenario, plans)| Runs {
            name: scenario.name,
            cases: scenario.about.cases,
            plans: plans.into_iter().map(Rc::new).collect(),
        });
        Self(runs.collect())
    }

    /// The scenarios that catch a defect, in which some run no longer passes: first those that name one of its cases,
    /// and small ones before large ones. Looked for one by one, so that who wants only one does not wait for all.
    pub fn catching(&self, defect: Defect) -> impl Iterator<Item = &str> {
        let is_about_it = |runs: &Runs| runs.cases.iter().any(|case| defect.cases().contains(&case.as_str()));
        let mut all: Vec<&Runs> = self.0.iter().collect();
        all.sort_by_key(|runs| (!is_about_it(runs), runs.plans.len()));
        let catches = move |plan: &&Rc<Plan>| {
            let broken = Rc::new(Plan { defect: Some(defect), ..Plan::clone(plan) });
            matches!(Finished::run(&broken, Engine::Sim).mark(), Mark::Failed | Mark::Vacuous)
        };
        all.into_iter().filter(move |runs| runs.plans.iter().any(|plan| catches(&plan))).map(|runs| runs.name.as_str())
    }
}
