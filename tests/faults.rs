//! A fault that changes nothing tests nothing. Each run that has a fault differs from the same run without that fault: in
//! its packets, in when they arrive, or in how connections end. This holds for all scenarios and for the examples of the
//! book.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use halfopen::plan::{
    Action, Because, EventRef, Moment, NetworkFault, NodeFault, NodeId, Plan, Source, Step, StepKind,
};
use halfopen::run::{Runner, expand, load};
use halfopen::scenario::{PlanOptions, parse};
use halfopen::trace::{EventKind, Trace, Transmission};
use rstest::rstest;

/// Runs whose fault is meant to have no effect: a part of the run's name, a part of the step, and the reason.
const WITHOUT_EFFECT: &[(&str, &str, &str)] = &[
    ("", "set_wall_clock", "timers must not follow the wall clock, so a date that is set changes nothing"),
    ("session/ends_over_a_restart", "broker: crash", "nobody is connected while the durable broker is down"),
    ("takeover/fin_and_connect", "latency: 10ms", "the value of the axis that leaves the latency as it is"),
];

#[rstest]
fn each_fault_of_a_scenario_changes_its_run(
    #[files("../../scenarios/**/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let loaded = load(&[&path], PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let useless: Vec<_> = loaded.into_iter().flat_map(|(_, plans)| plans).flat_map(useless_faults).collect();
    assert!(useless.is_empty(), "\n{}", useless.join("\n"));
}

#[rstest]
fn each_fault_of_an_example_changes_its_run(
    #[files("../docs/**/*.md")]
    #[base_dir = "../../docs"]
    page: PathBuf,
) {
    let text = fs::read_to_string(&page).expect("a page of the book");
    let useless: Vec<_> = examples(&text).flat_map(useless_faults).collect();
    assert!(useless.is_empty(), "{}:\n{}", page.display(), useless.join("\n"));
}

/// Says of each fault without effect where it is, and of each exception that it is none.
fn useless_faults(plan: Plan) -> Vec<String> {
    let faults = faults(&plan.steps);
    let plan = Arc::new(plan);
    let trace = Runner::default().trace(&plan).expect("the engine can express every plan");
    let mut wrong = Vec::new();
    for fault in faults {
        let bare = Arc::new(without(&plan, &fault, trace.end));
        let bare = Runner::default().trace(&bare).expect("the engine can express every plan");
        let changes = passed(&trace).ne(passed(&bare));
        let name = plan.run.to_string();
        let excuse = WITHOUT_EFFECT.iter().find(|(run, step, _)| name.contains(run) && fault.text.contains(step));
        match (changes, excuse) {
            (false, None) => wrong.push(format!("{name}: without `{}` the run is the same", fault.text)),
            (true, Some((.., why))) => {
                wrong.push(format!(
                    "{name}: `{}` changes the run, which is listed as without effect: {why}",
                    fault.text
                ));
            }
            _ => {}
        }
    }
    wrong
}

/// The faults of a story, those that are repeated or in the background among them.
fn faults(steps: &[Step]) -> Vec<Step> {
    let of = |step: &Step| match &step.kind {
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
            faults(steps)
        }
        StepKind::Network(change) if change.fault != NetworkFault::Heal => vec![step.clone()],
        StepKind::Node { actions, .. } if actions.iter().any(is_fault) => vec![step.clone()],
        _ => Vec::new(),
    };
    steps.iter().flat_map(of).collect()
}

fn is_fault(action: &Action) -> bool {
    action.fault().is_some() && !is_cure(action)
}

/// Whether an action undoes a fault. Done to a node that is well, `restart` is itself a fault.
fn is_cure(action: &Action) -> bool {
    matches!(action.fault(), Some(NodeFault::Restart | NodeFault::Resume | NodeFault::ResumeReading))
}

/// The plan without one fault and what undoes it, ending when the other run did.
fn without(plan: &Plan, fault: &Step, end: Duration) -> Plan {
    let offset_ms = i64::try_from(end.as_millis()).expect("a run is shorter than that");
    let end = Moment { event: EventRef::Start, offset_ms, text: "the end of the run".to_owned() };
    Plan { steps: steps_without(&plan.steps, fault), until: Some(end), ..plan.clone() }
}

fn steps_without(steps: &[Step], fault: &Step) -> Vec<Step> {
    let nodes = |step: &Step| match &step.kind {
        StepKind::Node { nodes, .. } => nodes.clone(),
        _ => Vec::new(),
    };
    let kept = steps.iter().cloned().filter_map(|mut step| {
        let is_it = step.id == fault.id;
        let is_of_its_nodes = nodes(&step) == nodes(fault);
        let is_empty = match &mut step.kind {
            StepKind::Network(_) => is_it,
            StepKind::Node { actions, .. } => {
                actions.retain(|action| !(is_it && is_fault(action) || is_of_its_nodes && is_cure(action)));
                actions.is_empty()
            }
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                *steps = steps_without(steps, fault);
                steps.is_empty()
            }
            _ => false,
        };
        (!is_empty).then_some(step)
    });
    kept.collect()
}

/// What two runs are compared by.
#[derive(PartialEq)]
enum Passed<'a> {
    Sent(Duration, NodeId, NodeId, &'a Transmission, Option<Duration>),
    Received(Duration, NodeId, NodeId, &'a Transmission),
    Closing(Duration, NodeId, NodeId, Because),
}

/// What happens before the last instant, of which a run may see only a part.
fn passed(trace: &Trace) -> impl Iterator<Item = Passed<'_>> {
    let events = trace.events.iter().filter(|event| event.at < trace.end);
    events.filter_map(|event| match &event.kind {
        EventKind::Sent { from, to, item, arrival, .. } => Some(Passed::Sent(event.at, *from, *to, item, *arrival)),
        EventKind::Received { from, to, item, .. } => Some(Passed::Received(event.at, *from, *to, item)),
        EventKind::Closing { node, peer, because, .. } => Some(Passed::Closing(event.at, *node, *peer, *because)),
        _ => None,
    })
}

/// The runs of the examples of a page that must pass and need no other file.
fn examples(page: &str) -> impl Iterator<Item = Plan> {
    let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    blocks.filter(|block| !block.contains("\ninclude:")).flat_map(|block| {
        let name = block.split_whitespace().nth(1).expect("the first line of an example names it");
        let source = Source { path: name.to_owned(), text: block.to_owned(), ..Source::default() };
        let scenario = parse(Path::new(name).with_extension("").display().to_string(), source);
        let scenario = scenario.unwrap_or_else(|errors| panic!("{errors}"));
        let plans = scenario.plans(PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
        expand(plans).unwrap_or_else(|errors| panic!("{errors}"))
    })
}
