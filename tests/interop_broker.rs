//! `halfopen-broker` with clients that others wrote, over real TCP: mosquitto_pub and mosquitto_sub, MQTT.js, paho-mqtt
//! and rumqttc. What is not installed is looked for in `target/interop`, where `.ci/run` puts it.

#[path = "interop/command_line.rs"]
mod command_line;
#[path = "interop/peer.rs"]
mod peer;
#[path = "interop/plays.rs"]
mod plays;
#[path = "interop/rumqttc_peer.rs"]
mod rumqttc_peer;
#[path = "interop/server.rs"]
mod server;
#[path = "interop/stories.rs"]
mod stories;
#[path = "interop/trials.rs"]
mod trials;

use std::process::Stdio;

use halfopen_protocol::Version;
use libtest_mimic::{Arguments, Trial};
use tokio::process::Command;

use self::command_line::Programs;
use self::server::Server;
use self::trials::{Presence, presence, trial};

const MOSQUITTO: Programs = Programs { publish: &["mosquitto_pub"], subscribe: &["mosquitto_sub"], keep_alive: "5" };
const INSTALLED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/interop");
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop");
/// The first argument that makes this program a client.
const AS_PEER: &str = "as-rumqttc-peer";

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(AS_PEER) {
        return rumqttc_peer::run(arguments);
    }
    let mut arguments = Arguments::from_args();
    // Nearly all of its time a test waits for the keep-alive of a program.
    arguments.test_threads.get_or_insert(6);
    let mosquitto = presence("mosquitto_sub", std::process::Command::new("mosquitto_sub").arg("--help"), &[0, 1]);
    let mqtt_js = presence("MQTT.js", node().args(["-e", "require('mqtt')"]).as_std_mut(), &[0]);
    let paho = presence("paho-mqtt", python().args(["-c", "import paho.mqtt.enums"]).as_std_mut(), &[0]);

    let mut trials = command_line::trials("mosquitto_sub", &mosquitto, MOSQUITTO, start_broker);
    trials.extend(stories::trials("MQTT.js", &mqtt_js, || script(node(), "mqttjs_peer.js"), start_broker));
    trials.extend(stories::trials("MQTT.js over WebSocket", &mqtt_js, js_over_websocket, start_websocket_broker));
    trials.extend(stories::trials("paho-mqtt", &paho, || script(python(), "paho_peer.py"), start_broker));
    trials.extend(stories::trials("paho-mqtt over WebSocket", &paho, paho_over_websocket, start_websocket_broker));
    trials.extend(stories::trials("rumqttc", &Ok(()), rumqttc, start_broker));
    trials.extend(lessons(&mqtt_js));
    libtest_mimic::run(&arguments, trials).exit();
}

fn lessons(presence: &Presence) -> Vec<Trial> {
    let name = |version| format!("MQTT.js/{version}/the_clients_of_the_lesson_ping_between_their_messages");
    Version::ALL.into_iter().map(|version| trial(name(version), presence, move || lesson(version))).collect()
}

/// A publisher that publishes every 10 s with a keep-alive of 5 s, and a subscriber that only listens: both ping between,
/// and neither is closed. It takes as long as it says.
async fn lesson(version: Version) {
    let mut server = start_broker().await;
    let mut program = script(node(), "lesson.js");
    program.args([server.port.to_string(), version.level().to_string()]);
    let _program = program.stdout(Stdio::null()).kill_on_drop(true).spawn().expect("node starts");
    server.wait_for("Sending PUBACK to 1").await;
    let log = server.read_until("Received PUBLISH from 1").await;
    let count = |words: &str| log.iter().filter(|line| line.contains(words)).count();
    for client in [1, 2] {
        let (asked, answered) =
            (count(&format!("Received PINGREQ from {client}")), count(&format!("Sending PINGRESP to {client}")));
        assert!((1..=2).contains(&asked), "{asked} PINGREQ from {client} within 10 s:\n{}", log.join("\n"));
        assert_eq!(asked, answered, "client {client}:\n{}", log.join("\n"));
    }
    for words in ["timeout", "disconnected", "closed"] {
        assert_eq!(count(words), 0, "{words}:\n{}", log.join("\n"));
    }
    server.wait_for("Sending PUBACK to 1").await;
    server.wait_for("Sending PUBLISH to 2").await;
}

async fn start_broker() -> Server {
    start(&["--listen", "127.0.0.1:0"], "ipv4").await
}

/// Its port is that for WebSocket.
async fn start_websocket_broker() -> Server {
    start(&["--listen", "127.0.0.1:0", "--websocket", "127.0.0.1:0"], "websockets").await
}

async fn start(addresses: &[&str], kind: &str) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen-broker"));
    command.arg("--verbose").args(addresses);
    Server::start(command, &format!("Opening {kind} listen socket")).await.expect("the broker starts")
}

fn rumqttc() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
    command.arg(AS_PEER);
    command
}

fn js_over_websocket() -> Command {
    over_websocket(script(node(), "mqttjs_peer.js"))
}

fn paho_over_websocket() -> Command {
    over_websocket(script(python(), "paho_peer.py"))
}

fn over_websocket(mut peer: Command) -> Command {
    peer.env("TRANSPORT", "ws");
    peer
}

fn script(mut interpreter: Command, name: &str) -> Command {
    interpreter.arg(format!("{SCRIPTS}/{name}"));
    interpreter
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.env("NODE_PATH", format!("{INSTALLED}/node_modules"));
    command
}

fn python() -> Command {
    let installed = format!("{INSTALLED}/venv/bin/python");
    Command::new(if std::path::Path::new(&installed).exists() { &installed } else { "python3" })
}
