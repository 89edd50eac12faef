use std::time::Duration;

use halfopen_protocol::{Instant, Version};

use crate::plan::Invariant;

/// Something that a program owed and did not do, or did and must not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The duty that is broken.
    pub(crate) duty: Invariant,
    /// The demand of the standard, with its clause and the time since which it was owed, on one line.
    pub(crate) expected: String,
    /// The actual behaviour, on one line.
    pub(crate) actual: String,
}

impl Finding {
    /// Creates a finding. `clause` is the statement's number in the version of the connection.
    pub(crate) fn new(duty: Invariant, clause: &str, expected: &str, actual: String) -> Self {
        Self { duty, expected: format!("{expected} [{clause}]"), actual }
    }
}

/// Returns what a violation expects without the clause of the standard behind it, and that clause, if it names one: it stands
/// there as a finding of the model puts it.
pub fn without_clause(expected: &str) -> (&str, Option<&str>) {
    let clause = expected.strip_suffix(']').and_then(|text| text.rsplit_once(" ["));
    let clause = clause.filter(|(_, clause)| clause.starts_with("MQTT-") || clause.starts_with('§'));
    clause.map_or((expected, None), |(text, clause)| (text, Some(clause)))
}

/// Something that could not be judged.
#[derive(Debug)]
pub(crate) struct NotJudged {
    /// The invariant that is about it.
    pub(crate) duty: Invariant,
    /// Time since which it could not.
    pub(crate) since: Instant,
    /// The reason.
    pub(crate) why: String,
    /// The client that the reason names; empty if none.
    pub(crate) client: String,
}

/// Collects findings, and what could not be judged.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: Vec<Finding>,
    not_judged: Vec<NotJudged>,
}

impl Findings {
    /// Adds a finding, as [`Finding::new`] creates it.
    pub(crate) fn push(&mut self, duty: Invariant, clause: &str, expected: &str, actual: String) {
        self.add(Finding::new(duty, clause, expected, actual));
    }

    /// Adds a finding.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    /// Takes note that something could not be judged since this time, for this reason.
    pub(crate) fn not_judged(&mut self, duty: Invariant, since: Instant, why: String) {
        self.not_judged.push(NotJudged { duty, since, why, client: String::new() });
    }

    /// Takes note of it for a reason that names this client.
    pub(crate) fn not_judged_of(&mut self, duty: Invariant, since: Instant, client: &str, why: &str) {
        self.not_judged.push(NotJudged { duty, since, why: why.to_owned(), client: client.to_owned() });
    }

    /// Returns all findings, and what was not judged, each in the order in which it was noted.
    pub(crate) fn into_parts(self) -> (Vec<Finding>, Vec<NotJudged>) {
        (self.found, self.not_judged)
    }
}

/// Prints a time since the start of the run, in seconds with three decimals.
pub(super) fn shown(at: Instant) -> String {
    shown_time(at.since_origin())
}

/// Returns a length of time in seconds with three decimals.
pub(super) fn shown_time(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

/// Returns the number of a statement in the standard of this version; the numbers of the two have nothing in common.
pub(super) fn clause_of(version: Version, v311: &'static str, v5: &'static str) -> &'static str {
    if version.is_v5() { v5 } else { v311 }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::statement("broker sends PUBACK to app [MQTT-4.3.2-4]", "broker sends PUBACK to app", Some("MQTT-4.3.2-4"))]
    #[case::section("client waits [§4.9]", "client waits", Some("§4.9"))]
    #[case::none("broker closes sensor at 7.500", "broker closes sensor at 7.500", None)]
    #[case::a_list("codes [0, 1]", "codes [0, 1]", None)]
    fn clause_stands_behind_what_is_expected(#[case] expected: &str, #[case] text: &str, #[case] clause: Option<&str>) {
        assert_eq!(without_clause(expected), (text, clause));
    }
}
