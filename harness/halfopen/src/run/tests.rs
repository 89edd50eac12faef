//! Stories that were judged wrongly once, played in the simulated world and judged whole.

use rstest::rstest;

use super::*;
use crate::plan::Source;

/// The judgement of each run of a scenario, with this defect if it is named.
fn judged(text: &str, engine: Engine, defect: Option<&str>) -> Vec<Outcome> {
    let source = Source { path: "test.yaml".into(), text: text.into(), ..Source::default() };
    let scenario = scenario::parse("test".into(), source).unwrap_or_else(|errors| panic!("{errors}"));
    let plans = scenario.plans(PlanOptions::default()).unwrap_or_else(|errors| panic!("{errors}"));
    let defect = defect.map(|name| Defect::all().find(|defect| defect.is_named(name)).expect("a defect"));
    let runner = Runner { defect, ..Runner::new(engine) };
    let one = |plan| match runner.run(&Arc::new(plan)).ending {
        Ending::Judged(_, outcome) | Ending::Passed { outcome, .. } => outcome,
        Ending::Skipped(error) | Ending::Broken(error) => panic!("{error}"),
    };
    plans.into_iter().map(one).collect()
}

/// The invariants that each run breaks.
fn broken_by(text: &str, defect: Option<&str>) -> Vec<Vec<String>> {
    let names = |outcome: Outcome| {
        let names = outcome.violations.into_iter().map(|violation| violation.text);
        let mut names: Vec<String> = names.filter(|text| text.starts_with("invariant ")).collect();
        names.dedup();
        names
    };
    judged(text, Engine::Sim, defect).into_iter().map(names).collect()
}

fn passes(text: &str, engine: Engine) {
    for outcome in judged(text, engine, None) {
        assert_eq!(outcome.verdict, Verdict::Pass, "{:?} {:?}", outcome.violations, outcome.vacuous);
    }
}

const REPEATED: &str = "
table:
  - { case: qos 1 at once, qos: 1, gap: 0s, ack: PUBACK }
  - { case: qos 1 apart,   qos: 1, gap: 1s, ack: PUBACK }
  - { case: qos 2 at once, qos: 2, gap: 0s, ack: PUBREC }
  - { case: qos 2 apart,   qos: 2, gap: 1s, ack: PUBREC }
raw_clients: { dev: { answers: nothing } }
steps:
  - dev: connect
  - dev: { send: { PUBLISH: { topic: t, payload: x, qos: <qos>, id: 5 } } }
  - wait: <gap>
  - dev: { send: { PUBLISH: { topic: t, payload: x, qos: <qos>, id: 5, dup: true } } }
  - wait: 1s
expect: [ { dev: { receives: { <ack>: { id: 5 } }, count: 2 } } ]
";

#[rstest]
fn broker_answers_each_of_two_messages_with_one_identifier(#[values(Engine::Sim, Engine::Turmoil)] engine: Engine) {
    passes(REPEATED, engine);
}

#[test]
fn client_answers_each_of_two_messages_with_one_identifier() {
    passes(
        "
mqtt: 3.1.1
raw_brokers: { fake: {} }
clients: { app: { subscribe: { filter: t, qos: 2 } } }
matrix: { qos: [1, 2] }
steps:
  - fake: { send: [ { PUBLISH: { topic: t, payload: x, qos: <qos>, id: 5 } }, { PUBLISH: { topic: t, payload: x, qos: <qos>, id: 5, dup: true } } ] }
  - wait: 1s
expect: [ { app: { delivers: { payload: x }, count: 1..2 } } ]
",
        Engine::Sim,
    );
}

const LOST_ON_RESUME: &str = "
mqtt: 5.0
matrix: { queue: [1000, 3] }
brokers: { broker: { queue_messages: <queue> } }
clients:
  sub: { keep_alive: 0s, subscribe: { filter: t, qos: 2 } }
  pub: { clean: false, keep_alive: 10s, reconnect: { min: 1s, max: 1s } }
steps:
  - repeat: { times: 5, steps: [ { pub: { publish: { topic: t, payload: fine, qos: 2 } } }, { wait: 1min } ] }
  - network: { half_open: { link: pub <-> broker, starting_with: PUBLISH } }
  - pub: { publish: { topic: t, payload: lost, qos: 2 } }
  - wait: 5min
expect: [ { pub: { receives: PUBCOMP, count: 6 } } ]
";

/// Six messages are more than a queue of three holds, but it holds none when the last one comes.
#[test]
fn message_is_missed_however_many_came_before() {
    let expected = ["invariant `broker_delivers`"];
    assert_eq!(broken_by(LOST_ON_RESUME, Some("broker:qos2_lost_on_resume")), [expected, expected]);
    assert_eq!(broken_by(LOST_ON_RESUME, None), [[""; 0], [""; 0]]);
}

const WINDOW_OF_TWO: &str = "
mqtt: 5.0
matrix: { qos: [1, 2] }
brokers: { broker: { receive_maximum: 2 } }
clients:
  reader: { keep_alive: 0s, subscribe: { filter: t, qos: 2 } }
  app: { clean: false, keep_alive: 10s, reconnect: { min: 1s, max: 1s } }
steps:
  - network: { half_open: app <-> broker }
  - app: [ { publish: { topic: t, payload: one, qos: <qos> } }, { publish: { topic: t, payload: two, qos: <qos> } }, { publish: { topic: t, payload: three, qos: <qos> } } ]
  - wait: 1min
expect: [ { reader: { delivers: { topic: t }, count: 3 } } ]
";

#[test]
fn new_message_before_those_that_are_sent_again_breaks_the_order() {
    for broken in broken_by(WINDOW_OF_TWO, Some("client:new_before_resent")) {
        assert!(broken.iter().any(|name| name == "invariant `topic_order`"), "{broken:?}");
    }
    assert_eq!(broken_by(WINDOW_OF_TWO, None), [[""; 0], [""; 0]]);
}

#[test]
fn run_waits_for_a_will_that_is_delayed_by_hours() {
    passes(
        "
mqtt: 5.0
matrix: { delay: [59min, 61min, 3h, 40h] }
clients: { watcher: { keep_alive: 0s, subscribe: w } }
raw_clients: { dev: { clean: false, session_expiry: 100h, will: { topic: w, payload: gone, delay: <delay> } } }
steps: [ { dev: connect }, { dev: { close: rst } } ]
expect: [ { watcher: { receives: { PUBLISH: { payload: gone } }, count: 1 } } ]
tolerance: 20ms
",
        Engine::Sim,
    );
}
