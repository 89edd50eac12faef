use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::{PacketType, Version};
use rstest::rstest;

use super::{Engine, RunOptions, run};
use crate::plan::{
    ClientProgram, ClientSettings, Command, Conditions, LinkSettings, Node, NodeId, Origins, Plan, Program, RunName,
    Seed, Source, Step, StepId, StepKind,
};
use crate::trace::{EventKind, Trace, Transmission};

const BROKER: NodeId = NodeId(0);
const SENSOR: NodeId = NodeId(1);

fn plan(version: Version, steps: Vec<Step>) -> Arc<Plan> {
    let mut options = ClientSettings::new(version, "sensor");
    options.connect.keep_alive = 5;
    Arc::new(Plan {
        run: RunName { scenario: "test".into(), version, parameters: Vec::new() },
        source: Arc::new(Source::default()),
        version,
        seed: Seed(1),
        nodes: vec![
            Node::new("broker", Program::Broker(Box::default())),
            Node::new("sensor", Program::Client(ClientProgram::new(options, BROKER))),
        ],
        links: Vec::new(),
        network: LinkSettings::default(),
        middleboxes: Vec::new(),
        steps,
        expectations: Vec::new(),
        waived: Vec::new(),
        clauses: Vec::new(),
        until: Some(crate::plan::Moment { event: crate::plan::EventRef::Start, offset_ms: 20_000, text: "20s".into() }),
        tolerance: Duration::ZERO,
        origins: Origins::default(),
        fragments: Vec::new(),
        conditions: Conditions::default(),
    })
}

fn options(plan: &Plan) -> RunOptions {
    RunOptions { keeps_trace: true, ..RunOptions::new(Box::new(halfopen_check::Completion::new(plan))) }
}

/// The trace of a run of three clients whose links have no jitter.
fn trace_with(change: impl FnOnce(&mut RunOptions)) -> Trace {
    let text = "mqtt: 5.0\nclients: { a: { keep_alive: 1s }, b: {}, c: {} }\nsteps: [ { wait: 20s } ]\n";
    let source = Source { path: "test.yaml".into(), text: text.into(), ..Source::default() };
    let scenario = halfopen_scenario::parse("test".into(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let plans = scenario.plans(halfopen_scenario::PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = Arc::new(plans.into_iter().next().expect("a run"));
    let mut options = options(&plan);
    change(&mut options);
    run(&plan, Engine::Sim, options).expect("the event-driven engine can express this")
}

fn from_on(after: usize, seed: u64) -> Option<crate::Variation> {
    Some(crate::Variation { after, seed: Seed(seed), spread: Duration::from_millis(20) })
}

#[test]
fn a_varied_run_is_the_same_up_to_its_event_and_another_one_from_there() {
    let plain = trace_with(|_| ());
    let varied = |after, seed| trace_with(|options| options.variation = from_on(after, seed)).events;
    let (first, second) = (varied(30, 1), varied(30, 2));
    let same = |events: &[crate::trace::Event]| {
        let kinds = events.iter().zip(&plain.events).take_while(|(one, other)| one.at == other.at);
        kinds.count()
    };
    assert!(same(&first) >= 30 && same(&first) < plain.events.len(), "{}", same(&first));
    assert_ne!(first, second);
    assert_eq!(first, varied(30, 1), "the same seed goes on in the same way");
    assert_eq!(varied(usize::MAX, 1), plain.events);
}

#[test]
fn a_run_with_a_bound_ends_at_the_instant_at_which_it_has_that_many_events() {
    let (plain, cut) = (trace_with(|_| ()), trace_with(|options| options.event_limit = Some(40)));
    assert!(cut.events.len() >= 40 && cut.events.len() < plain.events.len(), "{}", cut.events.len());
    assert_eq!(cut.events.last().map(|event| event.at), Some(cut.end));
    assert_eq!(trace_with(|options| options.event_limit = Some(usize::MAX)), plain);
}

fn step(kind: StepKind) -> Step {
    Step { id: StepId(0), text: "step".into(), kind }
}

#[rstest]
fn a_silent_client_is_closed_after_one_and_a_half_keep_alives(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(Engine::Sim, Engine::Turmoil)] engine: Engine,
) {
    let silence = StepKind::Node { nodes: vec![SENSOR], actions: vec![Command::StopPinging.into()] };
    let plan = plan(version, vec![step(silence)]);
    let trace = run(&plan, engine, options(&plan)).expect("both engines can express this");
    let connect = trace.events.iter().find_map(|event| match &event.kind {
        EventKind::Received { item: Transmission::Packet(packet), .. }
            if packet.packet_type() == PacketType::Connect =>
        {
            Some(event.at)
        }
        _ => None,
    });
    let closing = trace.events.iter().find(|event| matches!(event.kind, EventKind::Closing { .. })).map(|e| e.at);
    assert_eq!(closing, connect.map(|at| at + Duration::from_millis(7500)));
}

/// What a scenario's steps that could not be done say.
fn failures(text: &str) -> Vec<String> {
    failures_at(text).into_iter().map(|(_, why)| why).collect()
}

/// And when, in milliseconds.
fn failures_at(text: &str) -> Vec<(u128, String)> {
    let source = Source { path: "test.yaml".into(), text: text.into(), ..Source::default() };
    let scenario = halfopen_scenario::parse("test".into(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let plans = scenario.plans(halfopen_scenario::PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let plan = Arc::new(plans.into_iter().next().expect("a run"));
    let trace = run(&plan, Engine::Sim, options(&plan)).expect("the event-driven engine can express this");
    let why = |event: &crate::trace::Event| match &event.kind {
        EventKind::StepFailed { why, .. } => Some((event.at.as_millis(), why.clone())),
        _ => None,
    };
    trace.events.iter().filter_map(why).collect()
}

// From 10 s after its clients are connected, which is at 40 ms, the story waits for what never comes.
#[rstest]
#[case::nobody_has_any("brokers: { b: {} }", "keep_alive: 0s", 10_000)]
#[case::raw_client("brokers: { b: {} }", "keep_alive: 20s", 70_000)]
#[case::client("brokers: { b: {} }\nclients: { c: { keep_alive: 30s } }", "keep_alive: 20s", 100_040)]
#[case::server(
    "brokers: { b: { server_keep_alive: 40s } }\nclients: { c: { keep_alive: 30s } }",
    "keep_alive: 20s",
    130_040
)]
fn a_run_waits_an_hour_and_three_of_the_longest_keep_alives(
    #[case] nodes: &str,
    #[case] raw_client: &str,
    #[case] and: u128,
) {
    let text = format!(
        "mqtt: 5.0\n{nodes}\nraw_clients: {{ r: {{ {raw_client} }} }}\n\
         steps:\n  - wait: 10s\n  - at: PINGREQ from r\n"
    );
    let failures = failures_at(&text);
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert_eq!(failures[0].0, 3_600_000 + and, "{failures:?}");
}

#[rstest]
#[case::never_opened("raw_clients: { r: {} }\nsteps: [ { r: { send: PINGREQ } } ]\n", 1)]
#[case::closed_by_itself("raw_clients: { r: {} }\nsteps: [ { r: [connect, { close: fin }, { send: PINGREQ }] } ]\n", 1)]
#[case::closed_by_the_other(
    "raw_clients: { r: {} }\nsteps: [ { r: connect }, { r: { send: CONNECT } }, { wait: 1s }, { r: { send: PINGREQ } } ]\n",
    1
)]
#[case::over_and_over_after_the_other_has_closed(
    "raw_clients: { r: {} }\nsteps: [ { r: connect }, { r: { send: CONNECT } }, { wait: 1s }, { every: { period: 1s, times: 3, steps: [ { r: { send: PINGREQ } } ] } } ]\n",
    0
)]
#[case::over_and_over_without_ever_connecting(
    "raw_clients: { r: {} }\nsteps: [ { every: { period: 1s, times: 3, steps: [ { r: { send: PINGREQ } } ] } } ]\n",
    3
)]
#[case::a_broker_that_nobody_connects_to("raw_brokers: { fake: {} }\nsteps: [ { fake: { send: PINGRESP } } ]\n", 1)]
fn who_sends_without_a_connection_fails_the_story(#[case] text: &str, #[case] count: usize) {
    let failures = failures(text);
    assert_eq!(failures.len(), count, "{failures:?}");
    assert!(failures.iter().all(|why| why.ends_with("has no connection")), "{failures:?}");
}

#[rstest]
#[case::connack("CONNACK: { reason: 0x00, receive_maximum: 5, server_keep_alive: 7s, assigned_client_id: x }")]
#[case::publish("PUBLISH: { topic: a, payload: x, qos: 2, id: 9, message_expiry: 5s }")]
#[case::puback("PUBACK: { id: 3, reason: 0x10 }")]
#[case::pubrec("PUBREC: { id: 3, reason: 0x10 }")]
#[case::pubrel("PUBREL: { id: 3, reason: 0x92 }")]
#[case::pubcomp("PUBCOMP: { id: 3, reason: 0x92 }")]
#[case::suback("SUBACK: { id: 3, reasons: [0x00, 0x87] }")]
#[case::unsuback("UNSUBACK: { id: 3, reasons: [0x00, 0x11] }")]
#[case::disconnect("DISCONNECT: { reason: 0x8B, reason_string: bye }")]
#[case::auth("AUTH: { reason: 0x18, authentication_method: M, authentication_data: d }")]
fn a_raw_broker_sends_every_packet_field_by_field(#[case] packet: &str) {
    let text = format!(
        "mqtt: 5.0\nraw_brokers: {{ fake: {{ answers: {{ CONNECT: nothing }} }} }}\nraw_clients: {{ r: {{ answers: nothing }} }}\n\
         steps:\n  - r: open\n  - r: {{ send: CONNECT }}\n  - wait: 1s\n  - fake: {{ send: {{ {packet} }} }}\n  - r: {{ receive: {{ {packet} }} }}\n"
    );
    assert!(failures(&text).is_empty(), "{:?}", failures(&text));
}

#[rstest]
#[case::connect("CONNECT: { client_id: me, keep_alive: 9s }")]
#[case::subscribe("SUBSCRIBE: { id: 3, filters: [a, b], qos: [0, 1], subscription_id: 5 }")]
#[case::unsubscribe("UNSUBSCRIBE: { id: 3, filters: [a] }")]
#[case::pingreq("PINGREQ: {}")]
fn a_raw_client_sends_every_packet_field_by_field(#[case] packet: &str) {
    let text = format!(
        "mqtt: 5.0\nraw_brokers: {{ fake: {{ answers: nothing }} }}\nraw_clients: {{ r: {{}} }}\n\
         steps:\n  - r: open\n  - r: {{ send: {{ {packet} }} }}\n  - fake: {{ receive: {{ {packet} }} }}\n"
    );
    assert!(failures(&text).is_empty(), "{:?}", failures(&text));
}
