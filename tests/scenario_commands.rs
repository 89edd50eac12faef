//! The commands for those who write scenarios: `check`, `new`, `list`, `explain`, `schema`.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An empty folder for one test.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scenario_commands").join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn halfopen(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_halfopen")).args(arguments).current_dir(folder).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn new_scenario_passes_at_once_and_is_never_written_over() {
    let folder = folder("new");
    let new = halfopen(&folder, &["new", "area/first"]);
    assert_eq!(new.status.code(), Some(0), "{}", err(&new));
    let run = halfopen(&folder, &["run", "--strict", "area/first.yaml"]);
    assert_eq!(run.status.code(), Some(0), "{}", out(&run));
    assert!(out(&run).contains("4 runs: 4 ok"), "{}", out(&run));
    fs::write(folder.join("area/first.yaml"), "mine").unwrap();
    let again = halfopen(&folder, &["new", "area/first.yaml"]);
    assert_eq!(
        (again.status.code(), fs::read_to_string(folder.join("area/first.yaml")).unwrap()),
        (Some(2), "mine".into())
    );
    assert!(err(&again).contains("this file is there already"), "{}", err(&again));
}

#[test]
fn new_scenario_leads_editors_to_the_schema_beside_it() {
    let folder = folder("schema");
    let schema = halfopen(&folder, &["schema"]);
    fs::write(folder.join("scenario.schema.json"), &schema.stdout).unwrap();
    halfopen(&folder, &["new", "a/b/c"]);
    let text = fs::read_to_string(folder.join("a/b/c.yaml")).unwrap();
    assert!(text.starts_with("# yaml-language-server: $schema=../../scenario.schema.json\n"), "{text}");
    assert_eq!(out(&schema), fs::read_to_string(root().join("harness/scenario.schema.json")).unwrap());
}

#[test]
fn check_reports_all_files_and_warns_of_counts_that_anything_passes() {
    let folder = folder("check");
    fs::write(folder.join("a.yaml"), "steps: [ { wait: 5 } ]\n").unwrap();
    fs::write(folder.join("b.yaml"), "step: 1\nexpect: []\n").unwrap();
    let both = halfopen(&folder, &["check", "."]);
    assert_eq!(both.status.code(), Some(2));
    assert!(err(&both).contains("a.yaml:1:18:") && err(&both).contains("b.yaml:1:1:"), "{}", err(&both));
    let text = "clients: { a: {} }\nsteps: [ { a: crash } ]\nexpect:\n  - a: { receives: { PUBLISH: { topic: t, retain: true } }, count: 0 }\n  - a: { receives: { PUBLISH: { topic: t } }, count: 0 }\n";
    fs::write(folder.join("c.yaml"), text).unwrap();
    let warned = halfopen(&folder, &["check", "c.yaml"]);
    assert_eq!(
        (warned.status.code(), out(&warned).as_str()),
        (Some(0), "2 runs in 1 scenario, no errors, 1 warning\n")
    );
    snapshot("warning", &err(&warned));
}

#[test]
fn list_selects_by_tag_and_clause() {
    let folder = folder("list");
    fs::create_dir_all(folder.join("scenarios/area")).unwrap();
    let file = |name: &str, text: &str| fs::write(folder.join("scenarios/area").join(name), text).unwrap();
    file(
        "one.yaml",
        "# yaml-language-server: $schema=x\n# The first.\n\n# Not this.\ntags: [slow, will]\nclauses: { 3.1.1: [MQTT-3.1.2-24] }\nsteps: [ { wait: 1s } ]\n",
    );
    file(
        "two.yaml",
        "about: The second.\ntags: slow\nmqtt: 5.0\nclauses: { 5.0: [MQTT-3.1.2-24] }\nreports: [emqx-late-by-extra-interval]\nsteps: [ { wait: 1s } ]\n",
    );
    snapshot("list", &out(&halfopen(&folder, &["list"])));
    let count = |arguments: &[&str]| {
        let output = halfopen(&folder, &[&["list"], arguments].concat());
        out(&output).lines().last().unwrap().to_owned()
    };
    assert_eq!(count(&["--tag", "slow"]), "3 runs in 2 scenarios");
    assert_eq!(count(&["--tag", "fast", "--tag", "will"]), "2 runs in 1 scenario");
    assert_eq!(count(&["--clause", "MQTT-3.1.2-24"]), "3 runs in 2 scenarios");
    assert_eq!(count(&["--clause", "5.0:MQTT-3.1.2-24"]), "1 run in 1 scenario");
    let none = halfopen(&folder, &["list", "--tag", "fast"]);
    assert_eq!(none.status.code(), Some(2));
    let run = halfopen(&folder, &["run", "--tag", "will", "scenarios"]);
    assert!(out(&run).contains("2 runs"), "{}", out(&run));
}

#[test]
fn explain_tells_the_story_with_the_times_of_the_run() {
    let folder = root();
    let power_loss = halfopen(&folder, &["explain", "scenarios/will/power_loss.yaml", "--only", "5.0 keep_alive=5s"]);
    snapshot("explain__power_loss", &out(&power_loss));
    let nobody = halfopen(&folder, &["explain", "scenarios/will/power_loss.yaml", "--only", "nobody"]);
    assert_eq!(nobody.status.code(), Some(2));
}

/// `explain` has no rules of its own: with a broker that is late, what it tells is late.
#[test]
fn the_times_that_explain_tells_follow_from_what_happens() {
    let folder = folder("explained_times");
    for (factor, at) in [("1.5", "7.530"), ("2", "10.030")] {
        let story = format!(
            "mqtt: 5.0\nbrokers: {{ broker: {{ keep_alive_factor: {factor} }} }}\nraw_clients: {{ dev: {{ keep_alive: 5s }} }}\n\
             waive: {{ broker_keeps_its_deadline: It is told another one. }}\n\
             steps: [ {{ dev: connect }}, {{ dev: power_loss }} ]\nexpect: [ {{ broker: {{ closes: dev, count: 1 }} }} ]\n"
        );
        fs::write(folder.join("late.yaml"), story).unwrap();
        let told = out(&halfopen(&folder, &["explain", "late.yaml"]));
        assert!(told.contains(&format!("{at}  broker closes dev: keep_alive")), "{told}");
    }
}

#[test]
fn explain_says_what_clients_subscribe_to_and_what_raw_peers_answer() {
    let folder = folder("answers");
    let story = "mqtt: 5.0\nraw_brokers: { fake: { answers: { open: [refuse, standard], CONNECT: { after: 3s, send: { CONNACK: { reason: 0x88 } } } } } }\n\
                 clients: { reader: { subscribe: [a, { filter: b/#, qos: 2 }] } }\n\
                 raw_clients: { probe: { subscribe: c, answers: { PUBLISH: [nothing, { close: rst }] } }, mute: { answers: nothing } }\n\
                 steps: [ { wait: 1min } ]\n";
    fs::write(folder.join("all.yaml"), story).unwrap();
    let told = out(&halfopen(&folder, &["explain", "all.yaml"]));
    let (_, who) = told.split_once("Who takes part\n").unwrap();
    snapshot("explain__answers", who.split_once("\n\n").unwrap().0);
}

#[test]
fn explain_tells_every_scenario() {
    let folder = root();
    let paths =
        fs::read_dir(folder.join("scenarios")).unwrap().map(|area| area.unwrap().path()).filter(|area| area.is_dir());
    for area in paths {
        // One of each area: starting the program costs more than telling.
        let mut files: Vec<_> = fs::read_dir(&area).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        let Some(file) = files.iter().find(|file| file.extension().is_some_and(|ending| ending == "yaml")) else {
            continue;
        };
        let told = halfopen(&folder, &["explain", file.to_str().unwrap()]);
        assert_eq!(told.status.code(), Some(0), "{}: {}", file.display(), err(&told));
        assert!(out(&told).contains("What must be true"), "{}", out(&told));
    }
}

/// A scenario in which chance decides whether a message comes in time: each packet takes from 10 to 30 ms.
const BY_CHANCE: &str = "\
mqtt: 5.0
network: { jitter: 20ms }
clients: { sensor: {}, app: { subscribe: alarm } }
steps:
  - sensor: { publish: { topic: alarm, qos: 1 } }
  - wait: 300ms
expect:
  - app: { receives: PUBLISH, within: 20ms after PUBLISH from sensor }
";

#[test]
fn why_names_the_line_of_the_trace_with_which_a_failure_becomes_certain_and_marks_it() {
    let folder = folder("why");
    fs::write(folder.join("late.yaml"), BY_CHANCE).unwrap();
    let arguments =
        ["why", "late.yaml", "--spread", "0ms", "--json", "why.json", "--svg", "why.svg", "--html", "why.html"];
    let why = halfopen(&folder, &arguments);
    assert_eq!(why.status.code(), Some(0), "{}", err(&why));
    snapshot("why", &out(&why));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(folder.join("why.json")).unwrap()).unwrap();
    let certain = json["certain"]["at_the_latest"]["text"].as_str().unwrap();
    assert!(certain.contains("broker   -> app       PUBLISH"), "{certain}");
    let picture = fs::read_to_string(folder.join("why.svg")).unwrap();
    assert!(picture.contains("failure certain: "), "{picture}");
    let page = fs::read_to_string(folder.join("why.html")).unwrap();
    for part in ["Why it fails", "line 13 of the trace", "failure certain: ", "The failure becomes certain"] {
        assert!(page.contains(part), "{part}");
    }
}

#[test]
fn why_says_that_chance_has_no_part_in_it() {
    let silent = root().join("scenarios/keep_alive/silent_client.yaml");
    let arguments = ["why", silent.to_str().unwrap(), "--defect", "broker:keep_alive_twice"];
    let why = halfopen(&root(), &arguments);
    assert_eq!(why.status.code(), Some(0), "{}", err(&why));
    assert!(out(&why).contains("certain (all of the runs fail) from the beginning"), "{}", out(&why));
}

#[test]
fn why_refuses_what_does_not_fail() {
    let passes = halfopen(&root(), &["why", "scenarios/keep_alive/silent_client.yaml"]);
    assert_eq!((passes.status.code(), out(&passes)), (Some(2), String::new()));
    assert!(err(&passes).contains("there is no failure to explain"), "{}", err(&passes));
    let nothing = halfopen(&root(), &["why", "scenarios/keep_alive/silent_client.yaml", "--only", "no such run"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(err(&nothing).contains("no run of these scenarios has `no such run`"), "{}", err(&nothing));
}
