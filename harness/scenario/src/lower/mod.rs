//! From the typed file to plans: one per run, with the values that its axes have there.

mod access;
mod actions;
mod answers;
mod any_order;
mod axes;
mod check;
mod connections;
mod expect;
mod links;
mod names;
mod nodes;
mod packets;
mod pairs;
pub(crate) mod params;
pub(crate) mod range;
pub(crate) mod single;
mod steps;
mod subscriptions;
mod useless_steps;
mod when;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::Version;

pub(crate) use self::axes::Axes;
pub use self::axes::MAX_RUNS;
use self::axes::Run;
use self::names::Names;
pub(crate) use self::names::{Role, check_name, outline};
pub(crate) use self::packets::is_in_both;
use self::when::Held;
use crate::Scenario;
use crate::ast::{Env, Field, Fill, Map, Outline, Param, Place, Reading, Value, value_of};
use crate::error::{Diagnostics, Span};
use crate::header::clauses_of_run;
use crate::keys::Status;
use crate::plan::{Conditions, NodeId, NthConnection, OnlyOn, Origins, Plan, RunName, Seed};

/// Number of errors after which the remaining runs are not lowered any more: they would say the same again.
const ENOUGH_ERRORS: usize = 200;

/// Maximum number of nodes of all runs of a file together, if it has several: plans are kept in memory.
pub const MAX_NODES: usize = 250_000;

/// Maximum number of nodes of one run.
const MAX_NODES_OF_A_RUN: usize = 1_010_000;

/// Options for making plans of a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// The seed of all runs instead of those that the file asks for.
    pub seed: Option<u64>,
}

/// Large payloads by their size: all runs of a file share them.
type Payloads = RefCell<BTreeMap<usize, Bytes>>;

/// The state that the runs of a file share.
#[derive(Default)]
struct Shared {
    payloads: Payloads,
    held: Held,
}

/// The context of lowering: the run with its values, and the names in it.
#[derive(Clone, Copy)]
struct Lower<'a> {
    env: &'a Env<'a>,
    version: Version,
    /// True if the file has runs of the other version, too.
    both: bool,
    names: &'a Names,
    run: &'a Run,
    shared: &'a Shared,
    /// The connections that were spoken of, and where.
    connections: &'a RefCell<Vec<(NthConnection, Span)>>,
    /// The places of the steps and expectations that have been lowered.
    origins: &'a RefCell<Origins>,
    /// Groups that stand for one of their members here: name of the group, name of the member.
    members: &'a [(String, String)],
}

/// The plans of all runs, as far as they are right; what is wrong goes to the diagnostics.
pub(crate) fn plans(scenario: &Scenario, options: PlanOptions, diagnostics: &Diagnostics) -> Vec<Plan> {
    let runs = scenario.axes.expand(options.seed, scenario.outline.is_open, diagnostics);
    let shared = Shared::default();
    let mut plans = Vec::new();
    let mut used = BTreeSet::new();
    let mut nodes = 0;
    for run in runs {
        if diagnostics.len() > ENOUGH_ERRORS {
            break;
        }
        if nodes > MAX_NODES {
            diagnostics.push(scenario.span, format!("all runs together have more than {MAX_NODES} nodes"), None);
            break;
        }
        let names_used = run.params.used.clone();
        let plan = plan(scenario, run, &shared, diagnostics);
        nodes += plan.as_ref().map_or(0, |plan| plan.nodes.len());
        plans.extend(plan);
        used.append(&mut names_used.borrow_mut());
    }
    if diagnostics.is_empty() && plans.is_empty() {
        match &scenario.file.exclude {
            Some(exclude) => diagnostics.push(exclude.key.span, "this leaves every run out", None),
            None => {
                let message = "no run: no row of the table is for a version that the file runs on";
                diagnostics.push(scenario.span, message, None);
            }
        }
    }
    if diagnostics.is_empty() {
        report_unused(scenario, &used, &shared, diagnostics);
    }
    plans
}

/// Reports what could never matter: parameters that nobody uses, and `when`s that never hold.
fn report_unused(scenario: &Scenario, used: &BTreeSet<String>, shared: &Shared, diagnostics: &Diagnostics) {
    for name in scenario.axes.own_names() {
        let text = &name.text;
        if !used.contains(text) {
            let message = format!("nobody uses the parameter `{text}`; it is written `<{text}>`");
            diagnostics.push(name.place.span, message, None);
        }
    }
    for (span, held) in shared.held.borrow().iter() {
        if !held {
            diagnostics.push(*span, "no run has these values, so this is never used", None);
        }
    }
}

fn plan(scenario: &Scenario, mut run: Run, shared: &Shared, diagnostics: &Diagnostics) -> Option<Plan> {
    let before = diagnostics.len();
    let mut outline: Outline = scenario.outline.clone();
    let mut names = Names::default();
    let declared = {
        let reading = Reading::new(diagnostics, &outline);
        let env = Env { reading: &reading, params: &run.params };
        let declared = names.declare(&scenario.file, &scenario.parts, &env);
        outline.marks.extend(steps::marks(scenario, &env));
        declared
    };
    outline.has_unknown_marks = false;
    let reading = Reading::new(diagnostics, &outline);
    run.params.set_nodes(names.nodes.keys().cloned());
    names.broken.iter().for_each(|name| run.params.set_broken(name));

    let both = scenario.axes.versions.len() > 1;
    let built = nodes::build(&declared, &mut run, &mut names, both, shared, &reading);
    // A node whose settings are wrong still has its name, but nothing that needs its settings is lowered.
    let complete: Option<Vec<_>> = built.into_iter().collect();
    let nodes = complete.clone().unwrap_or_else(|| nodes::placeholders(&declared));

    let env = Env { reading: &reading, params: &run.params };
    let origins = RefCell::default();
    let lower = Lower {
        env: &env,
        version: run.version,
        both,
        names: &names,
        run: &run,
        shared,
        connections: &RefCell::default(),
        origins: &origins,
        members: &[],
    };
    let file = &scenario.file;
    let (network, links) = lower.links(scenario);
    let middleboxes = lower.middleboxes(scenario);
    let (steps, sweep) = lower.story(scenario, &nodes);
    check::times(&lower, scenario, &steps);
    if diagnostics.len() == before && !outline.is_open {
        useless_steps::check(&steps, sweep.as_ref(), &origins.borrow(), diagnostics);
    }
    let expectations = lower.get(&file.expect).map_or_else(Vec::new, |lines| lower.expectations(&lines));
    let until = lower.get(&file.until).and_then(|until| lower.moment(&until));
    if let Some(until) = &until {
        check::end(&lower, until, &steps, &expectations);
    }
    if complete.is_some() && !outline.is_open {
        let fault = sweep.as_ref().map_or(&[][..], |sweep| &sweep.fault);
        lower.check_connections(&nodes, &[&steps, fault]);
    }
    let tolerance = match &file.tolerance {
        Some(_) => lower.get(&file.tolerance).and_then(|tolerance| tolerance.value(&env)),
        None => Some(Duration::ZERO),
    };
    let only_on = lower.get(&file.only_on).and_then(|only_on| lower.only_on(&only_on));
    let requires = lower.get(&file.requires).map(|requires| lower.each(&requires.0, |feature| Some(*feature)));
    let requires = requires.flatten().unwrap_or_default();

    if diagnostics.len() != before {
        return None;
    }
    let parameters = run.case.clone().into_iter().chain(run.printed.clone()).collect();
    Some(Plan {
        run: RunName { scenario: scenario.name.clone(), version: run.version, parameters },
        source: Arc::clone(&scenario.source),
        version: run.version,
        seed: Seed(run.seed),
        nodes: complete?,
        links,
        network,
        middleboxes,
        steps,
        expectations: expectations.into_iter().map(|(expectation, _)| expectation).collect(),
        waived: scenario.about.waived.clone(),
        clauses: clauses_of_run(file, run.clauses.as_ref(), run.version),
        until,
        tolerance: tolerance?,
        origins: origins.take(),
        fragments: scenario.fragments.clone(),
        conditions: Conditions { only_on, requires: in_order(&requires), sweep },
    })
}

/// Each feature once, in the order of the reference.
fn in_order(features: &[crate::plan::Feature]) -> Vec<crate::plan::Feature> {
    crate::plan::Feature::ALL.into_iter().filter(|feature| features.contains(feature)).collect()
}

impl<'a> Lower<'a> {
    fn fill(&self) -> Fill<'_> {
        Fill { env: Some(self.env), members: self.members }
    }

    fn diagnostics(&self) -> &'a Diagnostics {
        self.env.reading.diagnostics
    }

    fn error(&self, place: &Place, message: impl Into<String>) {
        self.env.reading.error_at(place, place.span, message, None);
    }

    fn error_with_note(&self, place: &Place, message: impl Into<String>, note: impl Into<String>) {
        self.env.reading.error_at(place, place.span, message, Some(note.into()));
    }

    /// The value of a field in this run, if it is there and right.
    fn get<'f, T: Value>(&self, field: &'f Option<Field<Param<T>>>) -> Option<std::borrow::Cow<'f, T>> {
        value_of(field)?.get(self.env)
    }

    /// Takes over the value of a field, if it is there; `false` if it is wrong, which is reported.
    fn put<T: Value>(&self, field: &Option<Field<Param<T>>>, put: impl FnOnce(&T) -> Option<()>) -> bool {
        match value_of(field) {
            Some(value) => value.get(self.env).is_some_and(|read| put(&read).is_some()) && value.is_right(),
            None => true,
        }
    }

    /// The values of a list in this run; nothing if one is wrong.
    fn each<T: Value, U>(&self, items: &[Param<T>], lower: impl Fn(&T) -> Option<U>) -> Option<Vec<U>> {
        let read: Vec<_> = items.iter().filter_map(|item| lower(&*item.get(self.env)?)).collect();
        (read.len() == items.len() && !read.is_empty()).then_some(read)
    }

    /// Returns whether the version of the run has all keys of a map; those that it has not are reported.
    fn has_keys(&self, map: &impl Map) -> bool {
        let mut all = true;
        for (key, place) in map.present() {
            if key.status == Status::Since5 && !self.version.is_v5() {
                self.error(place, self.belongs_to_5(key.name));
                all = false;
            }
        }
        all
    }

    fn belongs_to_5(&self, name: &str) -> String {
        let here = if self.both { "this file also runs on 3.1.1" } else { "this runs on 3.1.1" };
        let instead =
            if name == "session_expiry" { ", or write `clean: false` for a session kept in both" } else { "" };
        format!("`{name}` belongs to 5.0, but {here}; add `mqtt: 5.0`{instead}")
    }

    fn only_on(&self, only_on: &crate::ast::OnlyOn) -> Option<OnlyOn> {
        let engines = self.get(&only_on.engines)?;
        let engines = self.each(&engines.0, |engine| Some(engine.word().to_owned()))?;
        let because = self.get(&only_on.because)?.0.clone();
        Some(OnlyOn { engines, because })
    }

    /// Takes note of connections that are spoken of, to be looked for when the whole story is known.
    fn names_connections(&self, span: Span, named: &[NthConnection]) {
        self.connections.borrow_mut().extend(named.iter().map(|one| (*one, span)));
    }

    /// Returns whether connections run between the two: one of them connects to the other.
    fn is_connected(&self, a: NodeId, b: NodeId) -> bool {
        self.names.brokers_of(a).any(|id| id == b) || self.names.brokers_of(b).any(|id| id == a)
    }
}
