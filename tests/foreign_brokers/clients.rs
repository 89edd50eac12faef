//! `halfopen run --client`: clients of others, told what to do by adapters.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use libtest_mimic::{Failed, Trial};

use super::{Result, SILENT, by_scenario, command, contains, held, profile, root, trial};

/// The tests, of which those with a library may lack it, and all may lack what programs need.
pub(super) fn trials(no_programs: Option<&'static str>) -> Vec<Trial> {
    let paho = no_programs.or(missing("python3", "import paho.mqtt.client", "paho-mqtt"));
    let mqttjs = no_programs.or(missing("node", "require('mqtt')", "MQTT.js"));
    let known_mqttjs = mqttjs.or(other_mqttjs());
    let known_paho = paho.or(other_paho());
    let rumqttc = no_programs.or(missing_of_rust("rumqttc_adapter"));
    let libraries = "import gmqtt, ctypes; ctypes.CDLL('libmosquitto.so.1')";
    let gmqtt_and_libmosquitto = no_programs.or(missing("python3", libraries, "gmqtt and libmosquitto"));
    vec![
        trial("gmqtt_and_libmosquitto_speak_with_each_other", gmqtt_and_libmosquitto, speaking),
        trial("clients_stand_side_by_side", mqttjs, side_by_side),
        trial("verdicts_on_paho_are_those_that_are_known", known_paho, |folder| {
            verdicts(folder, "paho", "tests/interop/paho-2.2.0.txt")
        }),
        trial("paho_publishes_is_handed_messages_and_comes_back_after_a_crash", paho, |folder| story(folder, "paho")),
        trial("mqttjs_publishes_is_handed_messages_and_comes_back_after_a_crash", mqttjs, |folder| {
            story(folder, "mqttjs")
        }),
        trial("two_processes_give_the_same_traces_of_paho", paho, |_| meta("paho")),
        trial("two_processes_give_the_same_traces_of_mqttjs", mqttjs, |_| meta("mqttjs")),
        trial("verdicts_on_mqttjs_are_those_that_are_known", known_mqttjs, |folder| {
            verdicts(folder, "mqttjs", "tests/interop/mqttjs-5.16.0.txt")
        }),
        trial("mqttjs_is_told_the_payload_format_as_it_takes_it", mqttjs, |folder| {
            let path = folder.join("payload_format.yaml");
            fs::write(&path, PAYLOAD_FORMAT)?;
            contains(&run(&[&path.display().to_string(), "--client", "mqttjs"])?, 0, &["2 ok"])
        }),
        trial("mqttjs_that_refuses_to_connect_skips_the_run", mqttjs, refusing),
        trial("rumqttc_publishes_is_handed_messages_and_comes_back_after_a_crash", rumqttc, |folder| {
            let path = folder.join("clients.yaml");
            fs::write(&path, STORY)?;
            contains(&run(&[&path.display().to_string(), "--client", "rumqttc"])?, 0, &["2 ok"])
        }),
        trial("two_processes_give_the_same_traces_of_rumqttc", rumqttc, |_| meta("rumqttc")),
        trial("verdicts_on_rumqttc_are_those_that_are_known", rumqttc, |folder| {
            verdicts(folder, "rumqttc", "tests/interop/rumqttc-0.25.1.txt")
        }),
        trial("a_scenario_names_the_program_of_a_node", paho.or(mqttjs), named),
        trial("a_program_that_a_scenario_names_and_is_not_there_is_refused", None, named_wrongly),
        trial("runs_that_a_client_cannot_be_told_are_skipped_with_the_reason", paho, skipped),
        trial("an_adapter_may_open_a_pipe_by_its_path_as_bash_does", no_programs.or(no_bash()), by_path),
        trial("an_adapter_may_sleep_or_read_a_file_before_it_is_ready", no_programs.or(no_bash()), ready_later),
        trial("an_adapter_that_fails_says_so_with_its_last_lines", no_programs, failing),
        trial("an_adapter_that_cannot_do_it_skips_the_run", no_programs, cannot),
        trial("profiles_of_another_role_are_refused", None, roles),
    ]
}

fn no_bash() -> Option<&'static str> {
    (!Path::new("/bin/bash").exists()).then_some("bash")
}

/// Process substitution opens `/dev/fd/63`, and `/dev/stdin` is the adapter's own.
fn by_path(folder: &Path) -> Result {
    let script = folder.join("adapter.sh");
    fs::write(
        &script,
        "while read -r line; do echo \"$line\"; done < <(echo '{\"event\":\"ready\"}')\n\
         read -r told < /dev/stdin\necho \"told: $told\"\nexit 7\n",
    )?;
    let own =
        profile(folder, &format!("role = \"client\"\ncommand = \"/bin/bash\"\nargs = [\"{}\"]\n", script.display()))?;
    let scenario = folder.join("a.yaml");
    fs::write(&scenario, "clients: { a: {} }\nuntil: 1s\nexpect: [ { a: { sends: CONNECT } } ]\n")?;
    let output = run(&[&scenario.display().to_string(), "--client", &own, "--only", "3.1.1"])?;
    contains(&output, 4, &["exit status: 7", "told: {", "connect_timeout_ms"])
}

/// Gives a command the libraries that `tests/interop/install` has brought in.
pub(super) fn with_libraries(command: &mut Command) -> &mut Command {
    let installed = root().join("target/interop");
    #[expect(clippy::disallowed_methods, reason = "the programs are where the machine has them")]
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .env("PATH", format!("{}:{}:{path}", installed.join("venv/bin").display(), installed.join("bin").display()))
        .env("NODE_PATH", installed.join("node_modules"))
}

/// Returns the library, if the program does not find it.
pub(super) fn missing(program: &str, code: &str, library: &'static str) -> Option<&'static str> {
    let option = if program == "node" { "-e" } else { "-c" };
    let mut command = Command::new(program);
    let found = with_libraries(&mut command).args([option, code]).stdin(Stdio::null()).output();
    (!found.is_ok_and(|output| output.status.success())).then_some(library)
}

/// Returns what is missing if MQTT.js is another one than the one whose verdicts are known.
pub(super) fn other_mqttjs() -> Option<&'static str> {
    let is_known = "if (require('mqtt/package.json').version !== '5.16.0') process.exit(1)";
    missing("node", is_known, "MQTT.js 5.16.0")
}

/// Returns the program of Rust that is missing, if it is: `tests/interop/install` builds it in the version that is known.
pub(super) fn missing_of_rust(program: &'static str) -> Option<&'static str> {
    (!root().join("target/interop/bin").join(program).exists()).then_some(program)
}

/// Returns what is missing if paho is another one than the one whose verdicts are known.
pub(super) fn other_paho() -> Option<&'static str> {
    let is_known = "import paho.mqtt as m, sys; sys.exit(m.__version__ != '2.2.0')";
    missing("python3", is_known, "paho-mqtt 2.2.0")
}

/// Returns what is missing if gmqtt is another one than the one that the findings are about.
pub(super) fn other_gmqtt() -> Option<&'static str> {
    let is_known = "import gmqtt, sys; sys.exit(gmqtt.__version__ != '0.8.0')";
    missing("python3", is_known, "gmqtt 0.8.0")
}

/// Returns what is missing if libmosquitto is another one than the one that the findings are about.
pub(super) fn other_libmosquitto() -> Option<&'static str> {
    let is_known = "import ctypes, sys; library = ctypes.CDLL('libmosquitto.so.1'); \
                    sys.exit(library.mosquitto_lib_version(None, None, None) != 2000011)";
    missing("python3", is_known, "libmosquitto 2.0.11")
}

pub(super) fn run(args: &[&str]) -> std::result::Result<Output, Failed> {
    Ok(with_libraries(&mut command(args)).output()?)
}

/// What a library has to do for its application, and a crash of its process.
const STORY: &str = "
clients:
  a: { keep_alive: 5s, subscribe: [{ filter: news/#, qos: 2 }], will: { topic: wills, payload: gone, qos: 1 } }
  b: { subscribe: [{ filter: wills, qos: 1 }] }
steps:
  - wait: 1s
  - b: { publish: { topic: news/x, payload: zero } }
  - b: { publish: { topic: news/x, payload: one, qos: 1 } }
  - b: { publish: { topic: news/x, payload: two, qos: 2 } }
  - wait: 8s
  - a: crash
  - wait: 1s
  - a: restart
  - wait: 2s
  - b: { publish: { topic: news/x, payload: again, qos: 1 } }
  - wait: 1s
  - a: { unsubscribe: news/# }
  - a: disconnect
  - wait: 1s
expect:
  - a: { delivers: { payload: zero }, count: 1 }
  - a: { delivers: { payload: one, qos: 1 }, count: 1 }
  - a: { delivers: { payload: two, qos: 2 }, count: 1 }
  - a: { receives: PINGRESP, count: 1 }
  - b: { delivers: { topic: wills, payload: gone }, count: 1 }
  - a: { delivers: { payload: again }, count: 1 }
  - a: { sends: DISCONNECT, count: 1 }
";

fn story(folder: &Path, client: &str) -> Result {
    let path = folder.join("clients.yaml");
    fs::write(&path, STORY)?;
    let path = path.display().to_string();
    // Their pings are late by the round trip of what came last.
    contains(&run(&[&path, "--client", client, "--tolerance", "1s"])?, 0, &["2 ok"])?;
    let path = folder.join("pings.yaml");
    fs::write(&path, PINGS)?;
    let (path, strictly) = (path.display().to_string(), format!("--client {client}"));
    contains(&run(&[&path, "--client", client])?, 1, &["invariant `client_keeps_its_interval`", &strictly])
}

/// The payload format of a message and of a will, which some libraries take as a number, and MQTT.js as a truth value.
const PAYLOAD_FORMAT: &str = "
mqtt: 5.0
matrix: { form: [false, true] }
clients:
  a: { subscribe: [{ filter: t/#, qos: 1 }] }
  b: { will: { topic: t/will, payload: gone, payload_format: <form> } }
steps:
  - wait: 1s
  - b: { publish: { topic: t/message, payload: hi, qos: 1, payload_format: <form> } }
  - wait: 1s
  - b: crash
  - wait: 1s
expect:
  - b: { sends: { PUBLISH: { topic: t/message, payload_format: <form> } }, count: 1 }
  - a: { delivers: { topic: t/message, payload_format: <form> }, count: 1 }
  - a: { delivers: { topic: t/will, payload_format: <form> }, count: 1 }
";

/// A client without an identifier that asks for its session: MQTT.js throws.
fn refusing(folder: &Path) -> Result {
    let path = folder.join("unnamed.yaml");
    fs::write(
        &path,
        "mqtt: 5.0\nclients: { a: { client_id: '', clean: false } }\nsteps: [ { wait: 1s } ]\n\
         expect: [ { a: { receives: CONNACK } } ]\n",
    )?;
    let output = run(&[&path.display().to_string(), "--client", "mqttjs"])?;
    contains(&output, 3, &["the client of a cannot do it: MQTT.js does not connect: Missing clientId", "1 skipped"])
}

/// The ping after SUBACK is late by the time that SUBACK took.
const PINGS: &str = "
clients: { a: { keep_alive: 5s, subscribe: t } }
steps: [ { wait: 12s } ]
expect: [ { a: { receives: PINGRESP, count: 2 } } ]
";

/// What a build has time for.
const AREAS: [&str; 5] =
    ["scenarios/keep_alive", "scenarios/reconnect", "scenarios/reset", "scenarios/pause", "scenarios/session"];

fn verdicts(folder: &Path, client: &str, known: &str) -> Result {
    let tap = folder.join("all.tap").display().to_string();
    let how = ["--client", client, "--virtual-limit", "30s", "--tolerance", "1s", "-q", "--tap", &tap];
    contains(&run(&[&AREAS[..], &how].concat())?, 1, &["skipped because they take more than 30s"])?;
    held(known, &by_scenario(&fs::read_to_string(&tap)?))
}

/// Two libraries speak with each other.
const NAMED: &str = "
matrix: { other: [mqttjs, builtin] }
clients:
  a: { program: paho, subscribe: t }
  b: { program: <other> }
steps:
  - b: { publish: { topic: t, payload: hi } }
  - wait: 1s
expect:
  - a: { delivers: { payload: hi }, count: 1 }
";

/// Two more, which no other test needs.
const SPEAKING: &str = "
clients:
  a: { program: gmqtt, subscribe: [{ filter: t/#, qos: 2 }] }
  b: { program: libmosquitto, subscribe: [{ filter: t/#, qos: 2 }] }
steps:
  - a: { publish: { topic: t/a, payload: hi, qos: 1 } }
  - b: { publish: { topic: t/b, payload: ho, qos: 2 } }
  - wait: 1s
expect:
  - a: { delivers: { topic: t/b, payload: ho }, count: 1 }
  - b: { delivers: { topic: t/a, payload: hi }, count: 1 }
";

fn speaking(folder: &Path) -> Result {
    let path = folder.join("speaking.yaml");
    fs::write(&path, SPEAKING)?;
    contains(&run(&[&path.display().to_string()])?, 0, &["2 ok"])
}

fn side_by_side(folder: &Path) -> Result {
    let [json, html] = ["compared.json", "compared.html"].map(|name| folder.join(name).display().to_string());
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    command.current_dir(root()).args(["compare", "scenarios/reset/middlebox.yaml", "--client", "builtin,mqttjs"]);
    command.args(["--json", &json, "--html", &html]);
    let output = with_libraries(&mut command).stdin(Stdio::null()).output()?;
    let parts = ["area   builtin  mqttjs", "violation", "first event that differs (- builtin, + mqttjs):"];
    contains(&output, 1, &parts)?;
    let written = format!("{}{}", fs::read_to_string(json)?, fs::read_to_string(html)?);
    let parts = ["\"class\": \"violation\"", "\"format\": \"halfopen-comparison\"", "<h2>Verdicts by area</h2>"];
    match parts.iter().find(|part| !written.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("`{part}` is not in:\n{written}").into()),
    }
}

fn named(folder: &Path) -> Result {
    let path = folder.join("named.yaml");
    fs::write(&path, NAMED)?;
    let path = path.display().to_string();
    contains(&run(&[&path])?, 0, &["4 ok"])?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    let output = command.current_dir(root()).args(["explain", &path]).stdin(Stdio::null()).output()?;
    contains(&output, 0, &["a"])
}

fn named_wrongly(folder: &Path) -> Result {
    let path = folder.join("named.yaml");
    fs::write(
        &path,
        "brokers: { broker: { program: ./mine.toml } }\nclients:\n  a: { program: mosquitto }\n  b: { program: pao }\n\
         steps: [ { wait: 1s } ]\nexpect: [ { a: { receives: CONNACK } } ]\n",
    )?;
    fs::write(folder.join("mine.toml"), "comand = \"x\"\n")?;
    contains(
        &run(&[&path.display().to_string()])?,
        2,
        &[
            "mine.toml:1:1: unknown key `comand`; did you mean `command`?",
            "named.yaml: `program` of a: profile mosquitto: it is a broker, and not a client",
            "named.yaml: `program` of b: there is no profile `pao`",
        ],
    )
}

fn meta(client: &str) -> Result {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    command.current_dir(root()).args([
        "meta",
        "scenarios/will/goodbye_with_will.yaml",
        "scenarios/reset",
        "--client",
        client,
    ]);
    let output = with_libraries(&mut command).stdin(Stdio::null()).output()?;
    contains(&output, 0, &["the same twice", "the hashes of all traces are equal"])
}

fn skipped(_: &Path) -> Result {
    let output = run(&[
        "scenarios/connect",
        SILENT,
        "--client",
        "paho",
        "--only",
        "5.0",
        "--virtual-limit",
        "60s",
        "--tolerance",
        "1s",
    ])?;
    let parts = [
        "it keeps a client from pinging, which only the project's can be told",
        "it has no client that the program could be",
        "expectations of what only the project's programs can say were left out",
    ];
    contains(&output, 0, &parts).or_else(|_| contains(&output, 1, &parts))
}

/// A scenario with one client.
const ALONE: &str = "clients: { a: {} }\nsteps: [ { wait: 1s } ]\nexpect: [ { a: { receives: CONNACK } } ]\n";

/// Runs it with an adapter that is a shell script.
fn with_script(folder: &Path, script: &str) -> std::result::Result<Output, Failed> {
    let scenario = folder.join("alone.yaml");
    fs::write(&scenario, ALONE)?;
    fs::write(folder.join("adapter.sh"), script)?;
    let text = "role = \"client\"\ncommand = \"sh\"\nargs = [\"{adapter}\"]\nadapter = \"adapter.sh\"\nready_within = \"20s\"\n";
    let own = profile(folder, text)?;
    run(&[&scenario.display().to_string(), "--only", "5.0", "--client", &own])
}

/// Version managers run Python and Node from shell scripts that read a file in place of the standard input.
fn ready_later(folder: &Path) -> Result {
    let tell = "echo '{\"event\":\"ready\"}'; read told; echo \"told: $told\"; exit 7\n";
    for before in ["sleep 0.2", "echo first >file; bash --norc -c 'read -r line <file'"] {
        let output = with_script(folder, &format!("{before}\n{tell}"))?;
        contains(&output, 4, &["exit status: 7", "told: {", "connect_timeout_ms"])?;
    }
    Ok(())
}

fn failing(folder: &Path) -> Result {
    let fails = |script: &str, parts: &[&str]| contains(&with_script(folder, script)?, 4, parts);
    fails(
        "echo no library >&2; exit 3\n",
        &["it ended before it was ready (exit status: 3); its last lines:", "no library"],
    )?;
    // Quotation marks are escaped in what is compared.
    fails("sleep 1000\n", &["it does not say {\\\"event\\\":\\\"ready\\\"} within 20s"])?;
    fails("echo hello; cat\n", &["within 20s; its last lines:\n  hello"])?;
    let ready = "echo '{\"event\":\"ready\"}'; read line; ";
    let unknown = "it says what makes no sense (unknown variant `conected`, expected one of `ready`, `connected`";
    fails(&format!("{ready}echo '{{\"event\":\"conected\"}}'; cat\n"), &["`sh` on a: ", unknown])?;
    fails(&format!("{ready}echo $line; exit 1\n"), &["it says what makes no sense (missing field `event`"])?;
    fails(&format!("{ready}exit 1\n"), &["it ended by itself (exit status: 1); its last lines:"])
}

fn cannot(folder: &Path) -> Result {
    let script = "echo '{\"event\":\"ready\"}'; read line; echo '{\"event\":\"cannot\",\"text\":\"it connects to nobody\"}'; cat\n";
    contains(&with_script(folder, script)?, 3, &["the client of a cannot do it: it connects to nobody", "1 skipped"])
}

fn roles(_: &Path) -> Result {
    let refused = |args: &[&str], part: &str| contains(&run(&[&["scenarios/connect"], args].concat())?, 2, &[part]);
    refused(&["--client", "mosquitto"], "--client mosquitto: profile mosquitto: it is a broker, and not a client")?;
    refused(&["--broker", "paho"], "--broker paho: profile paho: it is a client, and not a broker")?;
    refused(&["--live", "paho"], "in real time there are brokers alone")?;
    refused(
        &["--client", "mqttj"],
        "there is no profile `mqttj`: known are activemq, aedes, amqtt, ejabberd, gmqtt, libmosquitto, mosquitto, mqttjs, nats, paho",
    )
}
