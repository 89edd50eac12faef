//! The adapters of `programs`, by themselves: what they say to a command that they do not know, and to one that cannot be obeyed.

use std::io::Write as _;
use std::process::{Command, Stdio};

use libtest_mimic::Trial;
use serde_json::Value;

use super::clients::{missing, missing_of_rust, with_libraries};
use super::{Result, root, trial};

/// A command that no adapter knows, one before there is a client, and once more the first: the adapter goes on.
const TOLD: &str = r#"{"do":"fly"}
{"do":"publish","topic":"t","payload":"6869","qos":1,"retain":false}
{"do":"fly"}
"#;

/// The events that answer it.
const ANSWERS: [&str; 4] = ["ready", "cannot", "error", "cannot"];

/// The tests, a test for each adapter.
pub(super) fn trials() -> Vec<Trial> {
    let libmosquitto = missing("python3", "import ctypes; ctypes.CDLL('libmosquitto.so.1')", "libmosquitto");
    let of_python = |library: &str| ("python3", vec![format!("programs/{library}_adapter.py")]);
    [
        ("gmqtt", missing("python3", "import gmqtt", "gmqtt"), of_python("gmqtt")),
        ("libmosquitto", libmosquitto, of_python("libmosquitto")),
        ("mqttjs", missing("node", "require('mqtt')", "MQTT.js"), ("node", vec!["programs/mqttjs_adapter.js".into()])),
        ("paho", missing("python3", "import paho.mqtt.client", "paho-mqtt"), of_python("paho")),
        ("rumqttc", missing_of_rust("rumqttc_adapter"), ("rumqttc_adapter", Vec::new())),
    ]
    .into_iter()
    .map(|(library, missing, (program, arguments))| {
        let name = format!("the_adapter_of_{library}_goes_on_after_what_it_cannot_do");
        trial(&name, missing, move |_| answers(program, &arguments))
    })
    .collect()
}

fn answers(program: &str, arguments: &[String]) -> Result {
    let mut command = Command::new(program);
    with_libraries(&mut command).current_dir(root()).args(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    // It is dropped at the end of this line, and so the adapter has nothing more to read and ends.
    child.stdin.take().ok_or("there is no standard input")?.write_all(TOLD.as_bytes())?;
    let said = child.wait_with_output()?;
    let text = String::from_utf8(said.stdout)?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    let has_reasons = lines.iter().skip(1).all(|line| line["text"].as_str().is_some_and(|text| !text.is_empty()));
    match said.status.success() && events == ANSWERS && has_reasons {
        true => Ok(()),
        false => Err(format!("{program} ended with {}, and said\n{text}", said.status).into()),
    }
}
