//! The event-driven engine against `turmoil::Sim`: the same plans, and the packets and the verdicts must agree.
//!
//! The first run of each version of each file is compared; the other runs differ from it in values. The snapshot says of
//! each how far the engines are apart, and then, by reason, which scenarios are not compared, so that none drops out of the
//! comparison unnoticed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use halfopen::check::check;
use halfopen::plan::{NodeId, Plan};
use halfopen::run::{Runner, load};
use halfopen::scenario::PlanOptions;
use halfopen::trace::{ConnectionId, EventKind, Trace, Transmission};
use halfopen::world::{Engine, EngineError, TICK};

/// `turmoil::Sim` does something for each node at each tick: the virtual time of a node, summed over the nodes of a
/// run, takes it a good part of a second of wall time.
const MOST: Duration = Duration::from_secs(40);

/// What one side sent on one connection, with the times at which it left and arrived.
type Stream = Vec<(String, Duration, Option<Duration>)>;

#[test]
fn both_engines_carry_the_same_packets_at_the_same_times_and_are_judged_alike() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let loaded = load(&[scenarios], PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let mut agreed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut left_out: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    let mut further = 0;
    for (_, plans) in loaded {
        let runs = plans.len();
        let firsts = first_of_each_version(plans);
        further += runs - firsts.len();
        for plan in &firsts {
            match compare(plan) {
                Ok(Compared::Agrees(line)) => {
                    let run = plan.run.to_string();
                    let values = run.strip_prefix(&plan.run.scenario).unwrap_or(&run);
                    agreed.entry(plan.run.scenario.clone()).or_default().push(format!("{values} {line}"));
                }
                Ok(Compared::Not(why)) => {
                    let (area, name) = plan.run.scenario.split_once('/').unwrap_or(("", &plan.run.scenario));
                    left_out.entry(why).or_default().entry(area.to_owned()).or_default().insert(name.to_owned());
                }
                Err(difference) => failures.push(format!("{}: {difference}", plan.run)),
            }
        }
    }
    let mut table = String::new();
    for (scenario, runs) in agreed {
        table.push_str(&format!("{scenario}: {}\n", runs.join("; ")));
    }
    for (why, areas) in left_out {
        table.push_str(&format!("not compared: {why}\n"));
        for (area, names) in areas {
            table.push_str(&format!("    {area}: {}\n", names.into_iter().collect::<Vec<_>>().join(" ")));
        }
    }
    table.push_str(&format!("not compared: {further} further runs with other values\n"));
    assert!(failures.is_empty(), "the engines disagree:\n{}", failures.join("\n"));
    // In parts that are short enough to be read.
    let lines: Vec<&str> = table.lines().collect();
    for (part, lines) in (1..).zip(lines.chunks(PART)) {
        insta::assert_snapshot!(format!("engines_{part}"), lines.join("\n"));
    }
}

/// Number of lines of the table in one snapshot.
const PART: usize = 120;

fn first_of_each_version(plans: Vec<Plan>) -> Vec<Arc<Plan>> {
    let mut firsts: Vec<Arc<Plan>> = Vec::new();
    for plan in plans {
        if firsts.iter().all(|first| first.version != plan.version) {
            firsts.push(Arc::new(plan));
        }
    }
    firsts
}

/// What comparing two traces of a plan came to, if they agree as far as they can be compared.
enum Compared {
    Agrees(String),
    Not(String),
}

fn compare(plan: &Arc<Plan>) -> Result<Compared, String> {
    let sim = Runner::new(Engine::Sim).trace(plan).map_err(|error| error.to_string())?;
    let cost = sim.end * u32::try_from(plan.nodes.len()).expect("nodes are few");
    if cost > MOST {
        return Ok(Compared::Not("too long for a tick".to_owned()));
    }
    let turmoil = match Runner::new(Engine::Turmoil).trace(plan) {
        Ok(trace) => trace,
        Err(EngineError::NotExpressible { what, .. }) => return Ok(Compared::Not(what.to_string())),
        Err(error) => return Err(error.to_string()),
    };
    let fails = |trace: &Trace| trace.events.iter().any(|event| matches!(event.kind, EventKind::StepFailed { .. }));
    if fails(&turmoil) && !fails(&sim) {
        let why = "a step that acts at the very instant of an event comes a tick too late";
        return Ok(Compared::Not(why.to_owned()));
    }
    let steps = turmoil.events.iter().filter(|event| matches!(event.kind, EventKind::Step { .. })).count();
    let late = TICK * u32::try_from(1 + steps).expect("steps are few");
    let verdicts = [judged(plan, &sim, Duration::ZERO), judged(plan, &turmoil, late)];
    if verdicts[0].invariants != verdicts[1].invariants {
        return Err(format!("other verdicts: {:?} and {:?}", verdicts[0], verdicts[1]));
    }
    // Where `during` begins or ends at an event, a tick may decide what lies in it.
    let judged_otherwise: Vec<&String> =
        verdicts[0].expectations.symmetric_difference(&verdicts[1].expectations).collect();
    let verdicts = match &judged_otherwise[..] {
        [] => String::new(),
        lines => format!(", JUDGED OTHERWISE: {lines:?}"),
    };
    let (mut sim, mut turmoil) = (Story::of(&sim), Story::of(&turmoil));
    if sim.streams.keys().ne(turmoil.streams.keys()) {
        return Err("other connections".into());
    }
    let ends = earlier(&sim.ends, &turmoil.ends);
    let steps = std::mem::take(&mut sim.steps);
    sim.cut(&ends, &steps);
    turmoil.cut(&ends, &steps);
    let mut packets = 0;
    let mut apart = Duration::ZERO;
    for (key, ours) in &sim.streams {
        packets += ours.len();
        apart = apart.max(compare_streams(plan, *key, ours, &turmoil.streams[key], &steps)?);
    }
    Ok(Compared::Agrees(format!("{packets} packets agree, at most {} ms apart{verdicts}", apart.as_millis())))
}

/// What is wrong with a run, or could not be judged.
#[derive(Debug)]
struct Judgement {
    invariants: BTreeSet<String>,
    expectations: BTreeSet<String>,
}

/// Judges with this much more tolerance.
fn judged(plan: &Plan, trace: &Trace, more: Duration) -> Judgement {
    let plan = Plan { tolerance: plan.tolerance + more, ..plan.clone() };
    let outcome = check(&plan, trace);
    let wrong = outcome.violations.into_iter().map(|violation| violation.text);
    let named = wrong.chain(outcome.vacuous.into_iter().map(|vacuity| vacuity.text));
    let (invariants, expectations) = named.partition(|text| text.starts_with("invariant "));
    Judgement { invariants, expectations }
}

fn compare_streams(
    plan: &Plan,
    (connection, from): (ConnectionId, NodeId),
    ours: &Stream,
    theirs: &Stream,
    steps: &[Duration],
) -> Result<Duration, String> {
    let sender = &plan.node(from).name;
    let place = format!("connection {}, from {sender}", connection.0);
    let mut apart = Duration::ZERO;
    for (number, (our, their)) in ours.iter().zip(theirs).enumerate() {
        let difference = our.1.abs_diff(their.1);
        let arrival = match (our.2, their.2) {
            (Some(ours), Some(theirs)) => ours.abs_diff(theirs),
            (None, None) => Duration::ZERO,
            _ => return Err(format!("{place}: packet {number} arrives in one only: {our:?} and {their:?}")),
        };
        apart = apart.max(difference).max(arrival);
        if our.0 != their.0 || difference.max(arrival) > slack(steps, our.1) {
            return Err(format!("{place}: packet {number} is {our:?} and {their:?}"));
        }
    }
    if ours.len() != theirs.len() {
        return Err(format!("{place}: {} packets and {}: {ours:?} and {theirs:?}", ours.len(), theirs.len()));
    }
    Ok(apart)
}

/// How far apart the engines may be at a time of the story: each step that waits for something begins up to a tick
/// late, and those behind it with it.
fn slack(steps: &[Duration], at: Duration) -> Duration {
    let begun = steps.iter().filter(|step| **step <= at).count();
    TICK * u32::try_from(1 + begun).expect("steps are few")
}

/// What is compared of a trace.
struct Story {
    streams: BTreeMap<(ConnectionId, NodeId), Stream>,
    /// When each connection begins to end.
    ends: BTreeMap<ConnectionId, Duration>,
    /// When steps began that may have waited for something.
    steps: Vec<Duration>,
}

impl Story {
    fn of(trace: &Trace) -> Self {
        let mut story = Self { streams: BTreeMap::new(), ends: BTreeMap::new(), steps: Vec::new() };
        for event in &trace.events {
            match &event.kind {
                EventKind::Step { .. } => story.steps.push(event.at),
                EventKind::Sent { connection, from, item: Transmission::Packet(packet), arrival, .. } => {
                    let stream = story.streams.entry((*connection, *from)).or_default();
                    stream.push((format!("{packet:?}"), event.at, *arrival));
                }
                EventKind::Sent { connection, item: Transmission::Fin | Transmission::Rst, .. }
                | EventKind::Received {
                    connection,
                    item: Transmission::Fin | Transmission::Rst | Transmission::TimedOut,
                    ..
                } => {
                    story.ends.entry(*connection).or_insert(event.at);
                }
                _ => {}
            }
        }
        story
    }

    /// Leaves out what leaves or arrives when the connection ends already in one of the engines: where a millisecond
    /// decides what still gets through, they may differ.
    fn cut(&mut self, ends: &BTreeMap<ConnectionId, Duration>, steps: &[Duration]) {
        for ((connection, _), stream) in &mut self.streams {
            let Some(end) = ends.get(connection) else { continue };
            let is_before = |at: Duration| at + slack(steps, at) < *end;
            stream.retain(|(_, at, arrival)| is_before(arrival.unwrap_or(*at)));
        }
    }
}

fn earlier(
    ours: &BTreeMap<ConnectionId, Duration>,
    theirs: &BTreeMap<ConnectionId, Duration>,
) -> BTreeMap<ConnectionId, Duration> {
    let mut ends = ours.clone();
    for (connection, end) in theirs {
        ends.entry(*connection).and_modify(|known| *known = (*known).min(*end)).or_insert(*end);
    }
    ends
}
