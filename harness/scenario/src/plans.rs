//! From the tree to plans: one per run.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::plan::{
    Conditions, EventRef, Expectation, LinkSettings, Moment, Node as PlanNode, NodeId, Plan, Program, RunName, Seed,
    Step, Timing,
};

use super::Scenario;
use super::action::Owners;
use super::axes::Run;
use super::error::Sink;
use super::judged::{Held, Judged};
use super::link::LINK;
use super::names::{Declared, Names, collect_marks};
use super::node;
use super::reader::{Payloads, Reader};
use super::time;
use super::tree::{Kind, Node};

/// After so many errors the remaining runs are not read any more: they would say the same again.
const ENOUGH_ERRORS: usize = 200;

/// How many nodes all runs of a file may have together: plans are kept in memory.
pub const MAX_NODES: usize = 100_000;

/// How a scenario is to be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlanOptions {
    /// The seed of all runs instead of those that the file asks for.
    pub seed: Option<u64>,
}

/// What the runs of a file share.
#[derive(Default)]
struct Shared {
    payloads: Payloads,
    held: Held,
}

/// The plans of all runs, as far as they are right; what is wrong goes to the sink.
pub(super) fn collect(scenario: &Scenario, options: PlanOptions, sink: &Sink) -> Vec<Plan> {
    let root = &scenario.root;
    let open = scenario.is_incomplete();
    let runs = scenario.axes.expand(options.seed, open, sink);
    let shared = Shared::default();
    let mut plans = Vec::new();
    let mut used = BTreeSet::new();
    let mut nodes = 0;
    for run in runs {
        if sink.len() > ENOUGH_ERRORS {
            break;
        }
        if nodes > MAX_NODES {
            sink.push(root.span, format!("all runs together have more than {MAX_NODES} nodes"), None);
            break;
        }
        let names_used = run.params.used.clone();
        let plan = plan(scenario, run, &shared, sink);
        nodes += plan.as_ref().map_or(0, |plan| plan.nodes.len());
        plans.extend(plan);
        used.append(&mut names_used.borrow_mut());
    }
    if sink.is_empty() && plans.is_empty() {
        match root.get("exclude") {
            Some(exclude) => sink.push(exclude.span, "this leaves every run out", None),
            None => sink.push(root.span, "no run: no row of the table is for a version that the file runs on", None),
        }
    }
    if sink.is_empty() {
        report_unused(scenario, &used, &shared, sink);
    }
    plans
}

/// What could never matter: parameters that nobody uses, and `when`s that never hold.
fn report_unused(scenario: &Scenario, used: &BTreeSet<String>, shared: &Shared, sink: &Sink) {
    for (name, key) in scenario.axes.names(&scenario.root) {
        if !used.contains(name) {
            sink.push(key.span, format!("nobody uses the parameter `{name}`; it is written `<{name}>`"), None);
        }
    }
    for (span, held) in shared.held.borrow().iter() {
        if !held {
            sink.push(*span, "no run has these values, so this would never be judged", None);
        }
    }
}

fn plan(scenario: &Scenario, mut run: Run, shared: &Shared, sink: &Sink) -> Option<Plan> {
    let before = sink.len();
    let root = &scenario.root;
    let mut names = Names { open: run.params.open, ..Names::default() };
    let declared = names.declare(root, &run.params, sink);
    run.params.set_nodes(names.nodes.keys().cloned());
    names.broken.iter().for_each(|name| run.params.set_broken(name));
    if let Some(steps) = root.get("steps") {
        collect_marks(
            &run.params.substitute(steps, &Sink::with_fragments(scenario.source.clone(), &scenario.fragments)),
            &mut names.marks,
        );
    }

    let both = scenario.axes.versions.len() > 1;
    let built = build_nodes(&declared, &mut run, &names, both, shared, sink);
    for (index, node) in built.iter().enumerate() {
        let to = match node.as_ref().map(|node| &node.program) {
            Some(Program::Client(client)) => client.to,
            Some(Program::RawClient(raw)) => raw.to,
            Some(Program::Broker(_) | Program::RawBroker(_)) => continue,
            None => {
                // What its link is cannot be known, and the error has been reported.
                names.broken.insert(declared[index].name.clone());
                continue;
            }
        };
        names.broker_of.insert(NodeId(index), to);
    }
    // A node whose fields are wrong still has its name, but nothing that needs its fields is read.
    let complete: Option<Vec<PlanNode>> = built.into_iter().collect();
    let nodes = complete.clone().unwrap_or_else(|| placeholders(&declared));
    if complete.is_none() {
        guess_brokers(&mut names);
    }

    let params = &run.params;
    let reader = Reader {
        sink,
        version: run.version,
        both,
        names: &names,
        payloads: &shared.payloads,
        races: &run.orders,
        connections: &RefCell::default(),
    };
    let get = |name: &str| root.get(name).filter(|node| !node.is_null()).map(|node| params.substitute(node, sink));
    let (network, links) = read_links(&reader, get("network"), get("links"));
    let own = Owners(&nodes);
    let open_names = names.open;
    let (steps, sweep) = get("steps").map_or_else(Default::default, |node| {
        let (steps, sweep) = reader.story(&node, &own);
        reader.check_times(&steps, &node);
        if sink.len() == before && !open_names {
            super::idle::check(&steps, sweep.as_ref(), sink);
        }
        (steps, sweep)
    });
    let judged = Judged { values: &run.values, used: &params.used, held: &shared.held };
    let expectations = get("expect").map_or_else(Vec::new, |node| reader.expectations(&node, &judged));
    let until = get("until").and_then(|node| reader.moment(&node));
    if let Some(until) = &until {
        check_end(until, &steps, &expectations, get("expect").as_ref(), sink);
    }
    if complete.is_some() && !names.open {
        let fault = sweep.as_ref().map_or(&[][..], |sweep| &sweep.fault);
        reader.check_connections(&nodes, &[&steps, fault]);
    }
    let tolerance = get("tolerance").map_or(Some(Duration::ZERO), |node| reader.duration(&node));

    let only_on = get("only_on").and_then(|node| reader.only_on(&node));
    let requires = get("requires").and_then(|node| reader.requires(&node)).unwrap_or_default();

    if sink.len() != before {
        return None;
    }
    let parameters = run.case.into_iter().chain(run.printed).collect();
    Some(Plan {
        run: RunName { scenario: scenario.name.clone(), version: run.version, parameters },
        source: Arc::clone(&scenario.source),
        version: run.version,
        seed: Seed(run.seed),
        nodes: complete?,
        links,
        network,
        steps,
        expectations,
        waived: scenario.about.waived.clone(),
        until,
        tolerance: tolerance?,
        fragments: scenario.fragments.clone(),
        conditions: Conditions { only_on, requires, sweep },
    })
}

/// Reports what comes after the end of the run, as far as times alone tell.
fn check_end(until: &Moment, steps: &[Step], expectations: &[Expectation], lines: Option<&Node>, sink: &Sink) {
    let end = match (&until.event, u64::try_from(until.offset_ms)) {
        (EventRef::Start, Ok(end)) => Duration::from_millis(end),
        _ => return,
    };
    let after = |at: Duration| format!("the run is over before: it ends at {}", time::format(end)) + &late(at);
    let begins = |position: crate::plan::Position| {
        let next = crate::plan::Position { column: position.column + 1, ..position };
        super::Span { start: position, end: next }
    };
    let mut elapsed = Duration::ZERO;
    for step in steps {
        if elapsed > end {
            sink.push(begins(step.position), after(elapsed), None);
            break;
        }
        elapsed = super::step::elapsed_after(elapsed, step);
    }
    for expectation in expectations {
        let begin = match &expectation.timing {
            Some(Timing::At(moment) | Timing::NotBefore(moment) | Timing::Between(moment, _)) => moment,
            Some(Timing::Within { after, .. }) => after,
            None => continue,
        };
        let at = u64::try_from(begin.offset_ms).map(Duration::from_millis).unwrap_or_default();
        if begin.event == EventRef::Start && at > end {
            let items = lines.map_or(&[][..], |lines| match &lines.kind {
                Kind::List(items) => items,
                _ => &[],
            });
            let line = super::step::line_at(items, expectation.position);
            let when =
                line.and_then(|line| ["at", "not_before", "between", "within"].iter().find_map(|key| line.get(key)));
            sink.push(when.map_or(begins(expectation.position), |when| when.span), after(at), None);
        }
    }
}

fn late(at: Duration) -> String {
    format!(" (`until`), and this comes at {} or later", time::format(at))
}

/// Reads the nodes in their order; each may refer to fields of those before it.
fn build_nodes(
    declared: &[Declared<'_>],
    run: &mut Run,
    names: &Names,
    both: bool,
    shared: &Shared,
    sink: &Sink,
) -> Vec<Option<PlanNode>> {
    let mut built = Vec::new();
    for declared in declared {
        let node = declared.node.map(|node| substituted(node, declared.member, run, sink));
        let reader = Reader {
            sink,
            version: run.version,
            both,
            names,
            payloads: &shared.payloads,
            races: &run.orders,
            connections: &RefCell::default(),
        };
        let read = node::build(&reader, declared, node.as_ref());
        let (program, fields) = match read {
            Some(read) => (Some(read.program), Some(read.fields)),
            None => (None, None),
        };
        if let Some((group, "1")) = declared.name.rsplit_once('.') {
            run.params.set_fields(group, fields.clone());
        }
        run.params.set_fields(&declared.name, fields);
        built.push(program.map(|program| PlanNode { name: declared.name.clone(), program }));
    }
    built
}

fn substituted(node: &Node, member: Option<u64>, run: &mut Run, sink: &Sink) -> Node {
    let Some(member) = member else { return run.params.substitute(node, sink) };
    let scalar = super::tree::Scalar { text: member.to_string(), quoted: false, offset: None };
    run.params.set("i", Node { span: node.span, kind: Kind::Scalar(scalar), used_as: None });
    let node = run.params.substitute(node, sink);
    run.params.remove("i");
    node
}

/// Stand-ins while errors are collected: they never reach a plan.
fn placeholders(declared: &[Declared<'_>]) -> Vec<PlanNode> {
    let raw = |name: &str| crate::plan::RawClientProgram {
        connect: halfopen_protocol::packet::Connect::new(halfopen_protocol::Version::V5_0, name),
        to: NodeId(0),
        subscribe: Vec::new(),
        answers: crate::plan::Answers::default(),
    };
    let place = |declared: &Declared<'_>| PlanNode {
        name: declared.name.clone(),
        program: Program::RawClient(raw(&declared.name)),
    };
    declared.iter().map(place).collect()
}

/// Takes nodes that are wrong to be connected to the first broker, so that their links are not reported as well.
fn guess_brokers(names: &mut Names) {
    for id in names.ids() {
        if !names.role(id).is_broker() {
            names.broker_of.entry(id).or_insert(NodeId(0));
        }
    }
}

type Links = Vec<(NodeId, NodeId, LinkSettings)>;

fn read_links(reader: &Reader<'_>, network: Option<Node>, links: Option<Node>) -> (LinkSettings, Links) {
    let change = network.and_then(|node| reader.link_change(&node, &LINK));
    let network = LinkSettings::default().changed(change.unwrap_or_default());
    let mut set: BTreeMap<(NodeId, NodeId), LinkSettings> = BTreeMap::new();
    if let Some(links) = links {
        for (link, settings) in reader.map(&links, "a map of links, as in `{ a -> b: { latency: 1s } }`") {
            let (directions, change) = (reader.link(link), reader.link_change(settings, &LINK));
            for direction in directions.unwrap_or_default() {
                let settings = set.get(&direction).copied().unwrap_or(network);
                set.insert(direction, settings.changed(change.unwrap_or_default()));
            }
        }
    }
    (network, set.into_iter().map(|((from, to), settings)| (from, to, settings)).collect())
}
