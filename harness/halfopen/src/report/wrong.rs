//! What many runs that do not pass have in common: one cause mostly breaks many.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Finding, RunRecord};

/// Something that is wrong in some runs.
#[derive(Debug)]
pub(super) struct Wrong<'a> {
    /// The invariant, or the place of the expectation and its text.
    pub(super) what: String,
    /// An example; none if the engine failed.
    pub(super) example: Option<&'a Finding>,
    /// The runs that this explains and nothing before it does, as indices.
    pub(super) runs: Vec<usize>,
    /// Number of scenarios concerned.
    pub(super) scenarios: usize,
}

/// Returns what is wrong in these runs, that which explains the most runs first; each run counts once.
pub(super) fn wrongs(runs: &[RunRecord]) -> Vec<Wrong<'_>> {
    let mut places: BTreeMap<String, (Option<&Finding>, Vec<usize>)> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        let findings = run.violations.iter().chain(&run.vacuous).map(|found| (key(found), Some(found)));
        for (key, found) in findings.chain(run.error.iter().map(|error| (error.clone(), None))) {
            let (_, shown) = places.entry(key).or_insert((found, Vec::new()));
            // Found twice in one run, it is still one run.
            if shown.last() != Some(&index) {
                shown.push(index);
            }
        }
    }
    let mut wrongs = Vec::new();
    // Of equals, the name that comes first.
    while let Some(most) = places.keys().rev().max_by_key(|key| places[*key].1.len()).cloned() {
        let Some((example, found)) = places.remove(&most).filter(|(_, runs)| !runs.is_empty()) else { break };
        let explained: BTreeSet<usize> = found.iter().copied().collect();
        for (_, others) in places.values_mut() {
            others.retain(|run| !explained.contains(run));
        }
        let scenarios: BTreeSet<&str> = found.iter().map(|run| runs[*run].scenario.as_str()).collect();
        wrongs.push(Wrong { what: most, example, scenarios: scenarios.len(), runs: found });
    }
    wrongs
}

/// An invariant is the same in all files. Of an expectation only the place is: its text has parameters filled in.
fn key(found: &Finding) -> String {
    match found.line {
        0 => found.text.clone(),
        line => {
            let text = if found.source.is_empty() { &found.text } else { &found.source };
            format!("{}:{line}:{}: {}", found.file, found.column, text.trim_start_matches("- "))
        }
    }
}
