//! What the invariants found.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::shown;
use crate::plan::{Invariant, Plan, Position};
use crate::{Findings, NotJudged, Violation};

/// Maximum number of reports about one invariant in a run.
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
    /// The unjudged parts by invariant and reason, in which [`NAME`] stands for a client.
    not_judged: BTreeMap<(Invariant, String), NotJudgedSoFar>,
}

/// Stands for the name of a client in a reason, so that what is true of many is said once.
const NAME: &str = "\0";

/// The number of times that something could not be judged for one reason, the first time, and the clients concerned.
struct NotJudgedSoFar {
    count: u64,
    first: Duration,
    name: String,
    names: BTreeSet<String>,
}

impl Report {
    /// The invariant does not hold. Only the first few breaches of each are kept.
    pub(super) fn breach(&mut self, invariant: Invariant, breach: Breach) {
        let breaches = self.breaches.entry(invariant).or_default();
        if breaches.len() < REPORTED {
            breaches.push(breach);
        }
    }

    /// Something that the invariant is about could not be judged, for a reason that names this client, or none.
    pub(super) fn not_judged_of(&mut self, invariant: Invariant, at: Duration, client: &str, why: &str) {
        let why = if client.is_empty() { why.to_owned() } else { why.replace(client, NAME) };
        self.add(invariant, at, why, client);
    }

    fn add(&mut self, invariant: Invariant, at: Duration, why: String, name: &str) {
        let new = || NotJudgedSoFar { count: 0, first: at, name: name.to_owned(), names: BTreeSet::new() };
        let so_far = self.not_judged.entry((invariant, why)).or_insert_with(new);
        so_far.count += 1;
        if so_far.name != name && !so_far.names.contains(name) {
            so_far.names.insert(name.to_owned());
        }
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
        let named = |((invariant, why), so_far): ((Invariant, String), NotJudgedSoFar)| {
            let NotJudgedSoFar { count, first, name, names } = so_far;
            let who = match names.len() {
                0 => name,
                1 => format!("{name} and another one"),
                others => format!("{name} and {others} others"),
            };
            (invariant, why.replace(NAME, &who), count, first)
        };
        let mut not_judged: Vec<_> = self.not_judged.into_iter().map(named).collect();
        not_judged.sort();
        for (invariant, why, count, first) in not_judged {
            let times = if count == 1 { String::new() } else { format!("{count} times, first ") };
            let why = format!("{why} ({times}at {})", shown(first));
            findings.not_judged.push(NotJudged { invariant, why });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::fixture::plan;

    #[test]
    fn what_is_not_judged_of_many_clients_is_said_once() {
        let mut report = Report::default();
        for (second, client) in (1..).zip(["dev-1", "dev-2", "dev-10", "dev-2"]) {
            let why = format!("whether {client} is there");
            report.not_judged_of(Invariant::BrokerKeepsSessions, Duration::from_secs(second), client, &why);
        }
        report.not_judged_of(Invariant::BrokerKeepsSessions, Duration::from_secs(9), "dev-1", "what dev-1 wants");
        let mut findings = Findings::default();
        report.write(&plan(), &mut findings);
        let why: Vec<String> = findings.not_judged.into_iter().map(|part| part.why).collect();
        let expected = ["what dev-1 wants (at 9.000)", "whether dev-1 and 2 others is there (4 times, first at 1.000)"];
        assert_eq!(why, expected);
    }
}
