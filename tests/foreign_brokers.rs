//! `halfopen run --broker`, `--client` and `--live`: programs of others, by the command line. What is not on the machine is ignored by
//! name.

#[path = "foreign_brokers/adapters.rs"]
mod adapters;
#[path = "foreign_brokers/broken.rs"]
mod broken;
#[path = "foreign_brokers/clients.rs"]
mod clients;
#[path = "foreign_brokers/findings.rs"]
mod findings;
#[path = "foreign_brokers/live.rs"]
mod live;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[path = "foreign_brokers/tls.rs"]
mod tls;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};

type Result = std::result::Result<(), Failed>;

fn main() {
    let args = Arguments::from_args();
    let mosquitto = ["/usr/sbin/mosquitto", "/usr/bin/mosquitto", "/usr/local/sbin/mosquitto"];
    let has_mosquitto = mosquitto.iter().any(|path| Path::new(path).exists());
    let missing = match (cfg!(target_os = "linux"), has_mosquitto, has_seccomp()) {
        (false, ..) => Some("Linux"),
        (_, _, false) => Some("seccomp user notification"),
        (_, false, _) => Some("mosquitto"),
        _ => None,
    };
    let always = missing.filter(|missing| *missing != "mosquitto");
    let mut trials = vec![
        trial("mosquitto_closes_a_silent_client_when_it_looks", missing, silent_client),
        trial("mosquitto_crashes_and_restarts_as_the_story_says", missing, restarts),
        trial("runs_are_the_same_byte_for_byte", missing, repeated),
        trial("two_processes_give_the_same_traces_of_mosquitto", missing, meta),
        trial("verdicts_on_mosquitto_are_those_that_are_known", missing.or(other_mosquitto()), verdicts),
        trial("what_arrives_reaches_a_program_that_goes_on_by_itself", missing, leased),
        trial("brokers_stand_side_by_side_with_the_first_event_that_differs", missing, side_by_side),
        trial("a_broker_is_like_itself_and_an_unknown_one_is_refused", None, like_itself),
        trial("what_a_program_cannot_be_asked_is_left_out_or_skipped_and_said", missing, left_out),
        trial("bad_profiles_are_refused_before_anything_runs", None, bad_profiles),
        trial("a_program_that_fails_says_so_with_its_last_lines", always, failing_programs),
        trial("nothing_is_left_after_an_interrupt", always, interrupted),
        trial("why_a_run_of_mosquitto_fails_is_told_by_runs_that_go_on_otherwise", missing, why),
    ];
    trials.extend(live::trials(missing, always));
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    trials.extend(tls::trials(missing));
    trials.extend(adapters::trials());
    trials.extend(clients::trials(always));
    trials.extend(broken::trials(always));
    let (paho, mqttjs) = (always.or(clients::other_paho()), always.or(clients::other_mqttjs()));
    trials.extend(findings::trials(always, missing.or(other_mosquitto()), always.or(other_nats()), paho, mqttjs));
    libtest_mimic::run(&args, trials).exit();
}

fn trial(name: &str, missing: Option<&str>, test: impl FnOnce(&Path) -> Result + Send + 'static) -> Trial {
    #[expect(clippy::disallowed_methods, reason = "decides whether tests are ignored, not what they find")]
    let is_required = std::env::var("HALFOPEN_INTEROP").is_ok_and(|value| value == "required");
    let run = move || test(tempfile::tempdir()?.path());
    match missing {
        None => Trial::test(name, run),
        Some(what) => Trial::test(format!("{name} (no {what})"), run).with_ignored_flag(!is_required),
    }
}

/// Whether a program can be watched here: the program `true` ends before it listens, and is not refused.
fn has_seccomp() -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let run = profile(folder.path(), "command = \"true\"\n").and_then(|path| halfopen(&[SILENT, "--broker", &path]));
    run.is_ok_and(|output| text(&output).contains("ended before it listened"))
}

const SILENT: &str = "scenarios/keep_alive/silent_client.yaml";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    command.current_dir(root()).arg("run").args(args).arg("--no-artifacts").stdin(Stdio::null());
    command
}

fn halfopen(args: &[&str]) -> std::result::Result<Output, Failed> {
    Ok(command(args).output()?)
}

fn text(output: &Output) -> String {
    [&output.stdout[..], &output.stderr].concat().escape_ascii().to_string().replace("\\n", "\n").replace("\\'", "'")
}

fn profile(folder: &Path, text: &str) -> std::result::Result<String, Failed> {
    let path = folder.join("own.toml");
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

#[track_caller]
fn contains(output: &Output, code: i32, parts: &[&str]) -> Result {
    let text = text(output);
    if output.status.code() != Some(code) {
        return Err(format!("ended with {}, not {code}:\n{text}", output.status).into());
    }
    match parts.iter().find(|part| !text.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("`{part}` is not in:\n{text}").into()),
    }
}

fn silent_client(_: &Path) -> Result {
    let output = halfopen(&[SILENT, "--broker", "mosquitto", "--only", "3.1.1", "--virtual-limit", "none"])?;
    // It looks every five seconds, and counts in whole seconds.
    contains(&output, 1, &["actual:   closed at 6.030, 4.500 late", "because keep_alive", "--broker mosquitto"])
}

fn restarts(folder: &Path) -> Result {
    let scenario = folder.join("restarts.yaml");
    fs::write(
        &scenario,
        "brokers:\n  broker: { durable: true }\n\
         clients:\n  a: { client_id: a, clean: false, keep_alive: 60s, subscribe: [{ filter: t, qos: 1 }] }\n  \
         b: { keep_alive: 60s, reconnect: { min: 1s, max: 1s } }\n\
         steps:\n  - wait: 1s\n  - a: disconnect\n  - wait: 1s\n  \
         - b: { publish: { topic: t, payload: kept, qos: 1 } }\n  - wait: 5s\n  - broker: crash\n  - wait: 5s\n  \
         - broker: restart\n  - wait: 5s\n  - a: connect\n  - wait: 1s\n\
         expect:\n  - a: { delivers: { topic: t, payload: kept } }\n",
    )?;
    let output = halfopen(&[&scenario.display().to_string(), "--broker", "mosquitto", "-v"])?;
    contains(&output, 0, &["2 ok", "broker   restarts", "broker   -> b         RST", "session_present=true"])
}

fn repeated(_: &Path) -> Result {
    let run = || -> std::result::Result<String, Failed> {
        let output = halfopen(&["scenarios/takeover", "--broker", "mosquitto", "-v", "-j", "2"])?;
        let text = text(&output);
        // The last lines have the time that it took.
        Ok(text.lines().filter(|line| !line.contains("x real time")).collect::<Vec<_>>().join("\n"))
    };
    let first = run()?;
    if !first.contains("PUBLISH") {
        return Err(first.into());
    }
    for _ in 0..3 {
        let again = run()?;
        if let Some((one, two)) = first.lines().zip(again.lines()).find(|(one, two)| one != two) {
            return Err(format!("once\n{one}\nand then\n{two}").into());
        }
    }
    Ok(())
}

fn meta(_: &Path) -> Result {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    command.current_dir(root()).args(["meta", "scenarios/connect", "scenarios/reset", "--broker", "mosquitto"]);
    contains(&command.stdin(Stdio::null()).output()?, 0, &["the same twice", "the hashes of all traces are equal"])
}

fn leased(folder: &Path) -> Result {
    // Two clients ping at one instant, while Mosquitto looks around ten times a second and nobody else does anything.
    let scenario = folder.join("pings.yaml");
    fs::write(
        &scenario,
        "network: { latency: 0ms }\nclients:\n  a: { keep_alive: 60s }\n  b: { keep_alive: 60s }\nuntil: 10min\n\
         expect:\n  - a: { receives: PINGRESP, count: 9.. }\n  - b: { receives: PINGRESP, count: 9.. }\n  \
         - a: { receives: PINGRESP, within: 20ms after last PINGREQ from a }\n",
    )?;
    contains(&halfopen(&[&scenario.display().to_string(), "--broker", "mosquitto"])?, 0, &["2 ok"])
}

fn compare(args: &[&str]) -> std::result::Result<Output, Failed> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen"));
    Ok(command.current_dir(root()).arg("compare").args(args).stdin(Stdio::null()).output()?)
}

fn side_by_side(folder: &Path) -> Result {
    let json = folder.join("differing.json");
    let written = json.display().to_string();
    let output = compare(&[SILENT, "--broker", "builtin,mosquitto", "--virtual-limit", "60s", "--json", &written])?;
    contains(
        &output,
        1,
        &[
            "area        builtin  mosquitto",
            "keep_alive/silent_client: ",
            "(FAILED, not ok; MQTT-3.1.2-2",
            "actual:   closed at 6.030",
            "first event that differs (- builtin, + mosquitto):",
        ],
    )?;
    let json = fs::read_to_string(json)?;
    let parts = ["\"verdict\": \"fail\"", "\"first_difference\": ", "\"area\": \"keep_alive\""];
    match parts.iter().find(|part| !json.contains(**part)) {
        None => Ok(()),
        Some(part) => Err(format!("`{part}` is not in:\n{json}").into()),
    }
}

fn like_itself(_: &Path) -> Result {
    let both = compare(&["scenarios/connect", "--broker", "builtin,builtin"])?;
    contains(&both, 0, &["runs compared, 0 of them with different verdicts"])?;
    contains(&compare(&[SILENT, "--broker", "builtin,mosquitoo"])?, 2, &["there is no profile `mosquitoo`"])
}

/// The version of Mosquitto whose verdicts are known.
const KNOWN: &str = "2.0.11";

/// Where the verdicts stand.
const VERDICTS: &str = "tests/interop/mosquitto-2.0.11.txt";

/// Runs that are longer by virtual time are left out: this is a part of a build.
const LIMIT: &str = "120s";

/// Returns what is missing if NATS is another one than the one that the findings are about.
fn other_nats() -> Option<&'static str> {
    let said = Command::new("nats-server").arg("--version").env("PATH", SYSTEM_PATH).stdin(Stdio::null()).output();
    let is_known = said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains("v2.9.10"));
    (!is_known).then_some("nats-server 2.9.10")
}

/// What is missing if Mosquitto is another one than the one whose verdicts are known.
fn other_mosquitto() -> Option<&'static str> {
    let said = Command::new("mosquitto").arg("-h").env("PATH", SYSTEM_PATH).stdin(Stdio::null()).output();
    let is_known = said.is_ok_and(|said| String::from_utf8_lossy(&said.stdout).contains(&format!("version {KNOWN}")));
    (!is_known).then_some("mosquitto 2.0.11")
}

/// Where programs of others are looked for, whatever this process has.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn verdicts(folder: &Path) -> Result {
    let tap = folder.join("all.tap");
    let written = tap.display().to_string();
    let output = halfopen(&["scenarios", "--broker", "mosquitto", "--virtual-limit", LIMIT, "-q", "--tap", &written])?;
    contains(&output, 1, &["skipped because they take more than 120s"])?;
    let found = by_scenario(&fs::read_to_string(&tap)?);
    held(VERDICTS, &found)
}

/// Compares verdicts with those that are known. `HALFOPEN_UPDATE=1` writes them anew.
fn held(file: &str, found: &str) -> Result {
    let known = root().join(file);
    #[expect(clippy::disallowed_methods, reason = "writes what is known, as snapshots are written")]
    if std::env::var("HALFOPEN_UPDATE").is_ok_and(|value| value == "1") {
        fs::write(&known, found)?;
    }
    let known = fs::read_to_string(&known)?;
    let differing: Vec<String> = differing(&known, found);
    match differing.is_empty() {
        true => Ok(()),
        false => {
            Err(format!("{file} and this run differ (HALFOPEN_UPDATE=1 writes it):\n{}", differing.join("\n")).into())
        }
    }
}

/// Returns the lines that are in only one of two texts.
fn differing(known: &str, found: &str) -> Vec<String> {
    let only_in = |one: &str, other: &str, sign: &str| -> Vec<String> {
        let is_there = |line: &&str| other.lines().any(|it| it == *line);
        one.lines().filter(|line| !is_there(line)).map(|line| format!("{sign} {line}")).collect()
    };
    [only_in(known, found, "-"), only_in(found, known, "+")].concat()
}

/// How often each verdict was found, by scenario, from a report in TAP.
fn by_scenario(tap: &str) -> String {
    let mut scenarios: BTreeMap<&str, BTreeMap<&str, u32>> = BTreeMap::new();
    let mut lines = tap.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((status, rest)) = line.split_once(" - ").filter(|(status, _)| status.contains("ok ")) else {
            continue;
        };
        let scenario = rest.split('[').next().unwrap_or_default();
        let verdict = if rest.contains(" # SKIP ") {
            "skipped"
        } else if status.starts_with("not ok") {
            lines.next();
            lines.next().and_then(|line| line.trim().strip_prefix("verdict: ")).unwrap_or("unknown")
        } else {
            "ok"
        };
        *scenarios.entry(scenario).or_default().entry(verdict).or_default() += 1;
    }
    let line = |(scenario, counts): (&str, BTreeMap<&str, u32>)| {
        let counts: Vec<String> = counts.into_iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        format!("{scenario}: {}\n", counts.join(", "))
    };
    scenarios.into_iter().map(line).collect()
}

fn why(folder: &Path) -> Result {
    let path = folder.join("late.yaml");
    let late = "mqtt: 5.0\nnetwork: { jitter: 15ms }\nclients: { app: { subscribe: alarm }, sensor: {} }\nsteps:\n  - sensor: { publish: { \
                topic: alarm } }\n  - wait: 1s\nexpect:\n  - app: { receives: PUBLISH, within: 20ms after PUBLISH from sensor }\n";
    fs::write(&path, late)?;
    let path = path.display().to_string();
    let arguments = ["why", &path, "--broker", "mosquitto", "--runs", "200", "--seed", "2"];
    let why = Command::new(env!("CARGO_BIN_EXE_halfopen")).current_dir(root()).args(arguments).output()?;
    contains(&why, 0, &["The failure becomes certain (all of the runs fail) with", "broker   -> app       PUBLISH"])
}

fn left_out(_: &Path) -> Result {
    let output = halfopen(&["scenarios/connect", SILENT, "--broker", "mosquitto"])?;
    contains(
        &output,
        1,
        &[
            "it sets `auth` on a broker, which mosquitto does not take",
            "it has no broker that the program could be",
            "more than --virtual-limit 1h",
            "were left out; 2 runs were skipped because they take more than 1h of virtual time",
        ],
    )
}

fn bad_profiles(folder: &Path) -> Result {
    let refused = |broker: &str, parts: &[&str]| contains(&halfopen(&[SILENT, "--broker", broker])?, 2, parts);
    refused(
        "mosquito",
        &["there is no profile `mosquito`: known are activemq, aedes, amqtt, ejabberd, gmqtt, libmosquitto, mosquitto"],
    )?;
    refused("./no/such.toml", &["./no/such.toml: No such file"])?;
    let wrong = profile(folder, "comand = \"sh\"\nlacks = [\"shared\"]\n")?;
    refused(
        &wrong,
        &["own.toml:1:1: unknown key `comand`; did you mean `command`?", "own.toml:2:10: unknown feature `shared`"],
    )?;
    let absent = profile(folder, "command = \"no-such-broker\"\n")?;
    refused(
        &absent,
        if cfg!(target_os = "linux") {
            &["profile own: there is no program `no-such-broker`"]
        } else {
            &["Linux alone"]
        },
    )
}

fn failing_programs(folder: &Path) -> Result {
    let broken = |script: &str, parts: &[&str]| {
        let own = profile(folder, &format!("command = \"sh\"\nargs = [\"-c\", '{script}']\nready_within = \"20s\"\n"))?;
        contains(&halfopen(&[SILENT, "--only", "3.1.1 keep_alive=60s", "--broker", &own])?, 4, parts)
    };
    broken(
        "echo no configuration >&2; exit 3",
        &["BROKEN", "ended before it listened on port 1883 (exit status: 3); its last lines:", "no configuration"],
    )?;
    broken("sleep 1000", &["it does not listen on port 1883 within 20s"])?;
    let text = folder.join("text");
    fs::write(&text, "no program\n")?;
    Command::new("chmod").arg("+x").arg(&text).status()?;
    let own = profile(folder, &format!("command = \"{}\"\n", text.display()))?;
    contains(&halfopen(&[SILENT, "--only", "3.1.1 keep_alive=60s", "--broker", &own])?, 4, &["Exec format error"])
}

fn interrupted(folder: &Path) -> Result {
    // A program that never ends by itself, and is known by its argument.
    let marker = folder.display().to_string();
    let script = format!("while :; do sleep 1; done # {marker}");
    let own =
        profile(folder, &format!("command = \"sh\"\nargs = [\"-c\", '{script}']\nready_within = \"999999999s\"\n"))?;
    let mut child = command(&[SILENT, "--broker", &own]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    wait_until("it runs", || is_there(&format!("done # {marker}")))?;
    for signal in ["-INT", "-INT", "-KILL"] {
        Command::new("kill").arg(signal).arg(child.id().to_string()).status()?;
    }
    child.wait()?;
    wait_until("nothing is left", || !is_there(&format!("done # {marker}")))
}

fn is_there(marker: &str) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
        .any(|line| line.starts_with(b"sh\0") && String::from_utf8_lossy(&line).contains(marker))
}

/// Real processes come and go in real time.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) -> Result {
    for _ in 0..1000 {
        if is_so() {
            return Ok(());
        }
        #[expect(clippy::disallowed_methods, reason = "the death of a process takes real time")]
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(format!("{what}: not within 10 s").into())
}
