//! Each run of a file as a file of its own, which has that run alone.

use super::Scenario;
use super::axes::Run;
use super::when::same;
use crate::ast::{File, Fill, Map as _, Versions};
use crate::error::Diagnostics;
use crate::plan::Source;
use crate::tree::{Node, NodeKind};
use crate::write::{Comments, to_yaml};

/// Maximum number of runs of a file that are written as files of their own.
const MOST: usize = 100;

/// Returns the runs of a scenario as files without axes, evenly chosen if there are many; those that cannot be told without
/// the rest of the file are left out. Nothing is left of the expectations, of which some may be for other runs.
pub(crate) fn files(scenario: &Scenario) -> Vec<File> {
    let diagnostics = Diagnostics::with_fragments(scenario.source.clone(), &scenario.fragments);
    let runs = scenario.axes.expand(None, scenario.outline.is_open, &diagnostics);
    let every = runs.len().div_ceil(MOST).max(1);
    runs.iter().step_by(every).filter_map(|run| single(scenario, run)).collect()
}

fn single(scenario: &Scenario, run: &Run) -> Option<File> {
    let rest = File {
        mqtt: Some(crate::ast::Field::new(Versions(vec![run.version]))),
        matrix: None,
        pairs: None,
        table: None,
        values: None,
        exclude: None,
        seeds: None,
        clauses: None,
        tags: None,
        expect: None,
        until: None,
        ..scenario.file.clone()
    };
    let entries = rest.entries(Fill::default());
    let filled =
        entries.into_iter().map(|(key, place, node)| (key, place, without_whens(run, &run.params.fill_known(&node))));
    let text = to_yaml(filled.collect(), &Comments::default());
    let source = Source { path: scenario.source.path.clone(), text, ..Source::default() };
    let read = crate::parse(scenario.name.clone(), source).ok()?;
    let plans = read.plans(super::PlanOptions::default()).ok()?;
    (plans.len() == 1 && plans[0].conditions.sweep.is_none()).then_some(read.file)
}

/// Returns a tree with the steps of each `when` that holds in its place, and without those that do not.
fn without_whens(run: &Run, node: &Node) -> Node {
    let kind = match &node.kind {
        NodeKind::List(items) => NodeKind::List(items.iter().flat_map(|item| steps(run, item)).collect()),
        NodeKind::Map(entries) => {
            NodeKind::Map(entries.iter().map(|(key, value)| (key.clone(), without_whens(run, value))).collect())
        }
        NodeKind::Scalar(_) | NodeKind::Broken => return node.clone(),
    };
    Node { kind, ..node.clone() }
}

/// Returns what an item of a list is in a run: itself, or the steps of a `when`.
fn steps(run: &Run, item: &Node) -> Vec<Node> {
    let when = item.get("when").and_then(|when| Some((when.get("runs")?, when.get("steps")?)));
    let Some((runs, steps)) = when else { return vec![without_whens(run, item)] };
    let is_value = |actual: &Node, values: &Node| match &values.kind {
        NodeKind::List(values) => values.iter().any(|value| same(value, actual)),
        _ => same(values, actual),
    };
    let holds = runs.entries().iter().all(|(axis, values)| {
        axis.text().and_then(|axis| run.values.get(axis)).is_some_and(|actual| is_value(actual, values))
    });
    match &without_whens(run, steps).kind {
        NodeKind::List(steps) if holds => steps.clone(),
        _ => Vec::new(),
    }
}
