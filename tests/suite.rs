//! The scenarios in `cargo test`, with a broker that is plugged in as a stranger would: here the project's own, from
//! outside, on tokio's clock and without a word about itself.

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::rc::Rc;

use halfopen::check::Verdict;
use halfopen::plan::{BrokerProgram, Transport};
use halfopen::run::Ending;
use halfopen::suite::{Connection, Engine, NodeHandle, Suite, shipped};
use halfopen::world::broker_config;
use halfopen_broker::{Broker, Config, Listener, TokioClock, serve};
use halfopen_websocket::Carried;
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[test]
fn every_scenario_passes_with_a_broker_that_says_nothing_about_itself() {
    let suite = Suite::new().broker(|host| serve_on(host, |config| config)).settings(needs_only_its_configuration);
    let runs = suite.run(shipped()).unwrap_or_else(|errors| panic!("\n{errors}"));
    suite.verdict(&runs).unwrap_or_else(|why| panic!("\n{why}"));
    let passed = runs.iter().filter(|run| run.verdict() == Verdict::Pass).count();
    assert!(passed > runs.len() * 9 / 10, "{passed} of {} runs were judged", runs.len());
}

#[test]
fn broker_that_waits_too_long_is_told_by_how_much() {
    let path = shipped().join("will/power_loss.yaml");
    let late = |config| Config { keep_alive_factor: 2.0, ..config };
    let suite = Suite::new().broker(move |host| serve_on(host, late));
    let runs = suite.run(path).unwrap();
    let why = suite.verdict(&runs).expect_err("it closes at twice the keep-alive");
    let expected = "  expected: broker closes sensor at 3.530 (1.5 * 1s after last packet from sensor)
  actual:   closed at 4.030, 0.500 late";
    assert!(why.contains(expected), "{why}");
}

#[rstest]
#[case::settings("server_keep_alive/equal_to_the_maximum.yaml", "it sets something on a broker")]
#[case::clocks("clock/leap_of_a_broker.yaml", "it changes the clock of a broker")]
#[case::memory("session/what_is_kept.yaml", "it asks only what the project's broker says of itself")]
fn what_a_guest_cannot_be_judged_by_is_skipped(#[case] path: &str, #[case] why: &str) {
    let runs = Suite::new().broker(|host| serve_on(host, |config| config)).run(shipped().join(path)).unwrap();
    assert!(!runs.is_empty());
    for run in &runs {
        let Ending::Skipped(reason) = &run.ending else { panic!("{} was run", run.plan.run) };
        assert!(reason.to_string().contains(why), "{reason}");
    }
}

#[rstest]
fn guest_may_spawn_tasks_of_the_runtime(#[values(Engine::Sim, Engine::Turmoil)] engine: Engine) {
    let suite = Suite::new().engine(engine).broker(|mut host| async move {
        loop {
            let connection = host.accept().await;
            #[expect(clippy::disallowed_methods, reason = "a program under test is not ours, and does as it likes")]
            tokio::spawn(accepts_every_connection(connection));
        }
    });
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("accepted_on_{engine}.yaml"));
    let scenario = "mqtt: 3.1.1\nclients: { device: { keep_alive: 0s } }\nexpect: [ { device: { is: connected } } ]\n";
    std::fs::write(&path, scenario).unwrap();
    suite.assert_passes(path);
}

#[test]
fn guest_starts_again_after_a_restart() {
    let starts = Rc::new(RefCell::new(Vec::new()));
    let noted = Rc::clone(&starts);
    let suite = Suite::new().broker(move |host| {
        noted.borrow_mut().push(host.name().to_owned());
        serve_on(host, |config| config)
    });
    let runs = suite.run(shipped().join("reconnect/broker_crash.yaml")).unwrap();
    assert_eq!(starts.borrow().len(), 2 * runs.len());
    assert!(starts.borrow().iter().all(|name| name == "broker"));
}

/// Answers the first bytes with CONNACK, and sends nothing more.
async fn accepts_every_connection(mut connection: Connection) {
    let mut packet = [0; 256];
    while connection.read(&mut packet).await.is_ok_and(|count| count > 0) {
        if connection.write_all(&[0x20, 2, 0, 0]).await.is_err() {
            return;
        }
    }
}

async fn serve_on(host: NodeHandle, change: impl Fn(Config) -> Config) {
    let broker = Broker::new(change(broker_config(&host.program().config)), [0; 32]);
    let forever = std::future::pending();
    serve(broker, Port(host), TokioClock::new(), (), forever).await.expect("a host goes on accepting");
}

fn needs_only_its_configuration(program: &BrokerProgram) -> bool {
    program.auth.is_none() && program.access.is_none() && program.handles.is_none() && !program.durable
}

struct Port(NodeHandle);

impl Listener for Port {
    type Stream = Carried<Connection>;
    type Peer = ();

    async fn accept(&mut self) -> io::Result<(Carried<Connection>, ())> {
        let is_websocket = self.0.program().transport == Transport::WebSocket;
        Ok((Carried::server(self.0.accept().await, is_websocket), ()))
    }
}
