//! The event-driven engine against `turmoil::Sim`: the same plans, and the packets must agree.
//!
//! The snapshot says of every run how far the engines are apart, or why there is nothing to compare, so that no run
//! drops out of the comparison unnoticed.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use halfopen::plan::{NodeId, Plan};
use halfopen::scenario::PlanOptions;
use halfopen::sweep::load_to_run;
use halfopen::trace::{ConnectionId, EventKind, Item, Trace};
use halfopen::world::{Engine, EngineError, TICK, run};

/// `turmoil::Sim` takes a good part of a second of wall time for so much virtual time.
const LONGEST: Duration = Duration::from_secs(25);

/// What one side sent on one connection, with the times at which it left and arrived.
type Stream = Vec<(String, Duration, Option<Duration>)>;

#[test]
fn both_engines_carry_the_same_packets_at_the_same_times() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let loaded = load_to_run(&[scenarios], PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let mut table = String::new();
    let mut failures = Vec::new();
    for plan in loaded.into_iter().flat_map(|(_, plans)| plans) {
        let plan = Rc::new(plan);
        let line = match compare(&plan) {
            Ok(line) => line,
            Err(difference) => {
                failures.push(format!("{}: {difference}", plan.run));
                "DIFFERS".into()
            }
        };
        table.push_str(&format!("{}: {line}\n", plan.run));
    }
    assert!(failures.is_empty(), "the engines disagree:\n{}", failures.join("\n"));
    insta::assert_snapshot!("engines", table);
}

fn compare(plan: &Rc<Plan>) -> Result<String, String> {
    let sim = run(plan, Engine::Sim).map_err(|error| error.to_string())?;
    if sim.end > LONGEST {
        return Ok(format!("not compared: {} s are too long for a tick", sim.end.as_secs()));
    }
    let turmoil = match run(plan, Engine::Turmoil) {
        Ok(trace) => trace,
        Err(EngineError::NotExpressible { what, .. }) => return Ok(format!("not compared: {what}")),
        Err(error) => return Err(error.to_string()),
    };
    let (sim, turmoil) = (streams(&sim), streams(&turmoil));
    if sim.keys().ne(turmoil.keys()) {
        return Err("other connections".into());
    }
    let mut packets = 0;
    let mut apart = Duration::ZERO;
    for (key, ours) in &sim {
        let theirs = &turmoil[key];
        packets += ours.len();
        apart = apart.max(compare_streams(plan, *key, ours, theirs)?);
    }
    Ok(format!("{packets} packets agree, at most {} ms apart", apart.as_millis()))
}

fn compare_streams(
    plan: &Plan,
    (connection, from): (ConnectionId, NodeId),
    ours: &Stream,
    theirs: &Stream,
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
        if our.0 != their.0 || apart > TICK {
            return Err(format!("{place}: packet {number} is {our:?} and {their:?}"));
        }
    }
    if ours.len() != theirs.len() {
        return Err(format!("{place}: {} packets and {}: {ours:?} and {theirs:?}", ours.len(), theirs.len()));
    }
    Ok(apart)
}

fn streams(trace: &Trace) -> BTreeMap<(ConnectionId, NodeId), Stream> {
    let mut streams = BTreeMap::<_, Stream>::new();
    for event in &trace.events {
        if let EventKind::Sent { connection, from, item: Item::Packet(packet), arrival, .. } = &event.kind {
            streams.entry((*connection, *from)).or_default().push((format!("{packet:?}"), event.at, *arrival));
        }
    }
    streams
}
