//! `halfopen run --live`: real time, real TCP.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use libtest_mimic::{Failed, Trial};

use super::{Result, SYSTEM_PATH, command, contains, halfopen, is_there, profile, trial, wait_until};

/// The tests, of which those with Mosquitto or with programs at all may lack something.
pub(super) fn trials(no_mosquitto: Option<&'static str>, no_programs: Option<&'static str>) -> Vec<Trial> {
    vec![
        trial("real_time_alone_changes_no_verdict", None, builtin),
        trial("faults_mean_in_real_time_what_they_mean_in_the_world", no_mosquitto, faults),
        trial("a_broker_that_runs_already_is_shared_without_a_trace", no_mosquitto, shared),
        trial("a_profile_says_what_a_broker_that_runs_already_lacks", no_mosquitto, described),
        trial("a_broker_that_runs_already_may_speak_websocket", no_mosquitto, websocket),
        trial("a_target_that_is_not_there_is_refused_before_anything_runs", None, refused),
        trial("a_program_that_fails_in_real_time_says_so_with_its_last_lines", no_programs, failing),
        trial("nothing_is_left_after_an_interrupt_in_real_time", no_programs, interrupted),
    ]
}

fn builtin(_: &Path) -> Result {
    let output = halfopen(&["scenarios/connect", "scenarios/reset", "--live", "builtin", "--time-limit", "3s", "-q"])?;
    contains(&output, 0, &["live: tolerance +-", " skipped", "more than 3s (--time-limit)"])
}

/// Faults of the network, of a client, and of the broker's process.
const FAULTS: &str = "
waive: { broker_keeps_its_deadline: Mosquitto looks only every five seconds. }
brokers: { broker: { durable: true } }
clients:
  cut: { keep_alive: 2s, ping_timeout: 1s }
  split: { keep_alive: 60s }
  aborted: { keep_alive: 60s }
  other: { keep_alive: 60s, clean: false, subscribe: [{ filter: news, qos: 1 }], reconnect: { min: 200ms, max: 200ms } }
steps:
  - wait: 500ms
  - network: { half_open: cut <-> broker }
  - network: { partition: split <-> broker }
  - network: { reset: aborted <-> broker }
  - split: { publish: { topic: news, payload: late, qos: 1 } }
  - wait: 500ms
  - network: { heal: split <-> broker }
  - wait: 3s
  - mark: stops
  - broker: { pause: 500ms }
  - split: { publish: { topic: news, payload: paused, qos: 1 } }
  - wait: 2s
  - mark: dies
  - broker: crash
  - wait: 500ms
  - broker: restart
  - wait: 2s
expect:
  - cut: { closes: broker, because: no_pingresp, count: 1 }
  - aborted: { loses: broker, how: rst, count: 1 }
  - other: { delivers: { payload: late }, count: 1 }
  - other: { delivers: { payload: paused }, count: 1, at: 510ms after stops }
  - other: { loses: broker, how: fin, count: 1, at: 10ms after dies }
  - other: { receives: { CONNACK: { session_present: true } }, count: 1, not_before: restart of broker }
";

fn faults(folder: &Path) -> Result {
    let path = folder.join("faults.yaml");
    fs::write(&path, FAULTS)?;
    let output = halfopen(&[&path.display().to_string(), "--live", "mosquitto", "-v"])?;
    contains(&output, 0, &["2 ok", "broker   stands still", "broker   restarts"])
}

/// Mosquitto on a port that nobody has, for as long as this lives.
pub(super) struct Mosquitto(Child, pub(super) u16);

impl Mosquitto {
    fn start() -> std::result::Result<Self, Failed> {
        let port = free_port()?;
        Self::with(port, &["-p", &port.to_string()])
    }

    /// Starts it with a configuration in a file, in which `{port}` stands for the port.
    pub(super) fn configured(file: &Path, text: &str) -> std::result::Result<Self, Failed> {
        let port = free_port()?;
        fs::write(file, text.replace("{port}", &port.to_string()))?;
        Self::with(port, &["-c", &file.display().to_string()])
    }

    fn with(port: u16, args: &[&str]) -> std::result::Result<Self, Failed> {
        let mut command = Command::new("mosquitto");
        command.args(args).env("PATH", SYSTEM_PATH).stdin(Stdio::null());
        let broker = Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?, port);
        wait_until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok())?;
        Ok(broker)
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shared(folder: &Path) -> Result {
    let broker = Mosquitto::start()?;
    let target = format!("tcp://127.0.0.1:{}", broker.1);
    let path = folder.join("shared.yaml");
    // Each of these runs would see the retained message, and take over the session, of another.
    fs::write(
        &path,
        "matrix: { n: [1, 2, 3, 4] }\nclients:\n  a: { client_id: same, subscribe: '#', keep_alive: 60s }\n\
         steps:\n  - wait: <n> * 100ms\n  - a: { publish: { topic: t, payload: x, retain: true } }\n  - wait: 500ms\n\
         expect:\n  - a: { delivers: { topic: t }, count: 1 }\n  - never: { broker: { closes: a } }\n",
    )?;
    let path = path.display().to_string();
    contains(&halfopen(&[&path, "--live", &target])?, 0, &["8 ok"])?;
    contains(&halfopen(&[&path, "--live", &target])?, 0, &["8 ok"])?;
    let crash = folder.join("crash.yaml");
    fs::write(
        &crash,
        "clients: { a: {} }\nsteps: [ { broker: crash }, { wait: 1s } ]\nexpect: [ { a: { loses: broker } } ]\n",
    )?;
    contains(
        &halfopen(&[&crash.display().to_string(), "--live", &target])?,
        3,
        &["2 skipped", "`crash` of a broker: it was not started for the run"],
    )
}

fn refused(_: &Path) -> Result {
    let refused =
        |target: &str, parts: &[&str]| contains(&halfopen(&["scenarios/connect", "--live", target])?, 2, parts);
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    refused(&format!("tcp://{nobody}"), &[&format!("--live tcp://{nobody}: "), "refused"])?;
    refused("tcp://127.0.0.1", &["--live tcp://127.0.0.1: `127.0.0.1` has no port"])?;
    refused("ssl://127.0.0.1:1883", &["an address is written `tcp://HOST:PORT`, `mqtts://HOST:PORT` for TLS"])?;
    refused("mosquitoo", &["there is no profile `mosquitoo`"])?;
    let two = halfopen(&["scenarios/connect", "--live", "mosquitto", "--broker", "rabbitmq"])?;
    contains(&two, 2, &["`--broker rabbitmq` says what a broker at an address is", "`--live rabbitmq` starts it"])
}

fn described(folder: &Path) -> Result {
    let broker = Mosquitto::start()?;
    let target = format!("tcp://127.0.0.1:{}", broker.1);
    let path = folder.join("described.yaml");
    fs::write(
        &path,
        "matrix: { qos: [1, 2] }\nclients: { a: { subscribe: [{ filter: t, qos: <qos> }] } }\n\
         steps: [ { wait: 500ms }, { a: { publish: { topic: t, payload: x } } }, { wait: 200ms } ]\n\
         expect: [ { a: { delivers: { topic: t }, count: 1 } } ]\n",
    )?;
    let path = path.display().to_string();
    contains(&halfopen(&[&path, "--live", &target])?, 0, &["4 ok"])?;
    // A profile of a program that is not there: what runs already is not started.
    let own = profile(folder, "command = \"not-there\"\nmqtt = [\"3.1.1\"]\nlacks = [\"qos_2\"]\n")?;
    let output = halfopen(&[&path, "--live", &target, "--broker", &own])?;
    contains(&output, 0, &["1 ok", "3 skipped", "does not speak MQTT 5.0", "has no qos 2"])
}

fn websocket(folder: &Path) -> Result {
    let text = "listener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\nuser root\nlistener 0 {socket}\n";
    let text = text.replace("{socket}", &folder.join("socket").display().to_string());
    let broker = Mosquitto::configured(&folder.join("mosquitto.conf"), &text)?;
    let target = format!("ws://127.0.0.1:{}/mqtt", broker.1);
    let path = folder.join("websocket.yaml");
    fs::write(
        &path,
        "brokers: { broker: { transport: <transport> } }\nmatrix: { transport: [tcp, websocket] }\n\
         clients: { a: { subscribe: [{ filter: t, qos: 2 }] } }\n\
         steps: [ { wait: 500ms }, { a: { publish: { topic: t, payload: x, qos: 2 } } }, { wait: 200ms } ]\n\
         expect: [ { a: { delivers: { topic: t }, count: 1 } } ]\n",
    )?;
    let path = path.display().to_string();
    contains(
        &halfopen(&[&path, "--live", &target, "-v"])?,
        0,
        &["4 ok", "HTTP response  status=101 subprotocol=mqtt"],
    )?;
    let other = Mosquitto::start()?;
    let target = format!("tcp://127.0.0.1:{}", other.1);
    contains(&halfopen(&[&path, "--live", &target])?, 0, &["2 ok", "2 skipped", "`--live ws://HOST:PORT`"])?;
    let target = format!("ws://127.0.0.1:{}", other.1);
    contains(&halfopen(&[&path, "--live", &target])?, 2, &["nobody answers a CONNECT over WebSocket on this port"])
}

fn failing(folder: &Path) -> Result {
    let own = profile(folder, "command = \"sh\"\nargs = [\"-c\", 'echo no configuration; exit 3']\n")?;
    let output =
        halfopen(&["scenarios/connect", "--only", "3.1.1 in one piece", "--time-limit", "none", "--live", &own])?;
    contains(&output, 4, &["BROKEN", "ended before it listened", "exit status: 3", "no configuration"])?;
    let own = profile(folder, "command = \"sleep\"\nargs = [\"1000\"]\nready_within = \"1s\"\n")?;
    let output =
        halfopen(&["scenarios/connect", "--only", "3.1.1 in one piece", "--time-limit", "none", "--live", &own])?;
    contains(&output, 4, &["it does not listen at 127.0.0.1:", "within 1s"])
}

fn interrupted(folder: &Path) -> Result {
    // Never ready, and known by its argument.
    let marker = format!("live in {}", folder.display());
    let script = format!("while :; do sleep 1; done # {marker}");
    let own = profile(folder, &format!("command = \"sh\"\nargs = [\"-c\", '{script}']\nready_within = \"1000s\"\n"))?;
    let mut child =
        command(&["scenarios/connect", "--live", &own]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    wait_until("it runs", || is_there(&marker))?;
    Command::new("kill").arg("-INT").arg(child.id().to_string()).status()?;
    wait_until("it ends", || child.try_wait().is_ok_and(|ended| ended.is_some()))?;
    wait_until("nothing is left", || !is_there(&marker))
}
