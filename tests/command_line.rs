//! What the command line answers: exit codes for machines, messages for people.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rstest::rstest;

const PASSING: &str = "
clients:
  sensor: { keep_alive: 5s }
steps:
  - sensor: stop_pinging
expect:
  - broker: { closes: sensor, because: keep_alive, at: 1.5 * <sensor.keep_alive> after last packet from sensor }
";

/// A folder of its own for each test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command_line").join(name);
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written");
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        fs::write(self.0.join(name), content).expect("the target folder can be written");
        self
    }

    /// Runs `halfopen` in the folder.
    fn halfopen(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_halfopen"))
            .args(arguments)
            .current_dir(&self.0)
            .output()
            .expect("the binary was built with this test")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().expect("no signal ended it")
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is text")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is text")
}

/// The output without what the machine's speed has to do with.
fn without_speed(text: &str) -> String {
    let lines = text.lines().map(|line| line.split(" of virtual time in ").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

#[rstest]
#[case::misspelt_key(&PASSING.replace("keep_alive: 5s", "keepalive: 5s"), "did you mean `keep_alive`")]
#[case::missing_unit(&PASSING.replace("5s", "5"), "`5s`")]
#[case::unknown_node(&PASSING.replace("- sensor", "- senosr"), "did you mean the node `sensor`")]
#[case::empty("", "empty")]
#[case::binary("\u{0}\u{1}\u{2}", "bad.yaml")]
fn bad_file_is_named_with_its_place(#[case] content: &str, #[case] message: &str) {
    let folder = Folder::new(&format!("bad_{}", message.len() * 1000 + content.len()));
    folder.write("bad.yaml", content);
    for command in ["run", "trace", "check"] {
        let output = folder.halfopen(&[command, "bad.yaml"]);
        assert_eq!(code(&output), 2, "{command}: {}", err(&output));
        assert!(err(&output).contains("bad.yaml"), "{}", err(&output));
        assert!(err(&output).contains(message), "{}", err(&output));
        assert_eq!(out(&output), "", "{command}");
    }
}

#[test]
fn huge_file_is_refused_and_not_read() {
    let folder = Folder::new("huge");
    folder.write("huge.yaml", vec![b'#'; 10_000_000]);
    let output = folder.halfopen(&["run", "huge.yaml"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(err(&output).contains("huge.yaml"), "{}", err(&output));
}

#[rstest]
#[case::no_such_path("nowhere.yaml")]
#[case::folder_without_scenarios(".")]
fn path_without_scenarios_is_bad_input(#[case] path: &str) {
    let folder = Folder::new(&format!("path_{}", path.len()));
    let output = folder.halfopen(&["run", path]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(!err(&output).is_empty());
}

#[rstest]
#[case::no_command(&[])]
#[case::unknown_command(&["simulate"])]
#[case::no_path(&["run"])]
#[case::unknown_flag(&["run", "--sede", "1", "."])]
#[case::unknown_engine(&["run", "--engine", "warp", "."])]
#[case::seed_that_is_no_number(&["run", "--seed", "x", "."])]
fn bad_arguments_are_bad_input(#[case] arguments: &[&str]) {
    let folder = Folder::new(&format!("arguments_{}", arguments.join("_").replace('.', "")));
    let output = folder.halfopen(arguments);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(!err(&output).is_empty());
}

#[rstest]
#[case("--help")]
#[case("--version")]
fn help_is_no_error(#[case] flag: &str) {
    let output = Folder::new(&flag[2..]).halfopen(&[flag]);
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
    assert!(out(&output).contains("halfopen"));
}

#[test]
fn passing_scenario_is_a_line_a_run_and_a_summary() {
    let folder = Folder::new("passing");
    folder.write("silent.yaml", PASSING);
    let output = folder.halfopen(&["run", "silent.yaml"]);
    assert_eq!(code(&output), 0, "{}{}", out(&output), err(&output));
    assert_eq!(
        without_speed(&out(&output)),
        "ok       silent[3.1.1]  8.530\nok       silent[5.0]  8.530\n2 runs: 2 ok; 17s"
    );
    assert_eq!(err(&output), "");
}

#[test]
fn folder_stands_for_all_scenarios_below_it() {
    let folder = Folder::new("folder");
    fs::create_dir(folder.0.join("area")).unwrap();
    folder.write("area/one.yaml", PASSING).write("area/two.yaml", PASSING);
    let output = folder.halfopen(&["check", "area"]);
    assert_eq!((code(&output), out(&output).as_str()), (0, "4 runs in 2 scenarios, no errors\n"));
}

#[test]
fn failing_scenario_shows_its_trace_and_what_is_wrong() {
    let folder = Folder::new("failing");
    folder.write("late.yaml", format!("mqtt: 5.0{}", PASSING.replace("1.5 *", "1.4 *")));
    let output = folder.halfopen(&["run", "late.yaml"]);
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("failing", without_speed(&out(&output))));
}

#[rstest]
#[case::expectation_after_the_end("at: 2h", "until: 1h\n")]
#[case::event_that_never_comes("not_before: second crash of sensor", "until: 1h\n")]
fn scenario_that_proves_nothing_is_vacuous_and_fails(#[case] timing: &str, #[case] until: &str) {
    let text = "
clients: { sensor: { keep_alive: 5s } }
steps: [ { wait: 1s } ]
expect: [ { sensor: { is: connected, TIMING } } ]
";
    let folder = Folder::new(&format!("vacuous_{}", timing.len()));
    folder.write("vacuous.yaml", format!("{until}{}", text.trim_start().replace("TIMING", timing)));
    let output = folder.halfopen(&["run", "vacuous.yaml"]);
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    assert!(out(&output).starts_with("VACUOUS  vacuous[3.1.1]"), "{}", out(&output));
    assert!(out(&output).contains("0 ok, 2 VACUOUS"), "{}", out(&output));
}

#[test]
fn fault_that_hits_nothing_is_vacuous_and_fails() {
    let folder = Folder::new("nothing_hit");
    let text = "
clients: { sensor: { keep_alive: 60s }, other: { keep_alive: 0s } }
steps: [ { network: { half_open: other <-> broker } }, { wait: 3min } ]
expect: [ { sensor: { sends: PINGREQ } } ]
";
    folder.write("vacuous.yaml", text);
    let output = folder.halfopen(&["run", "vacuous.yaml"]);
    assert_eq!(code(&output), 1, "{}{}", out(&output), err(&output));
    assert!(out(&output).contains("vacuous: the fault hit nothing"), "{}", out(&output));
}

#[test]
fn what_should_be_and_is_not_is_a_warning_and_fails_a_strict_run() {
    let folder = Folder::new("should");
    let text = "clients: { sensor: {} }\nuntil: 2s\nexpect: [ { should: { sensor: { sends: PINGREQ } } } ]\n";
    folder.write("should.yaml", text);
    let lenient = folder.halfopen(&["run", "should.yaml"]);
    assert_eq!(code(&lenient), 0, "{}", out(&lenient));
    assert!(out(&lenient).contains("should.yaml:3:13: warning: should: {"), "{}", out(&lenient));
    let strict = folder.halfopen(&["run", "--strict", "should.yaml"]);
    assert_eq!(code(&strict), 1, "{}", out(&strict));
    assert!(out(&strict).contains("FAILED   should[5.0]"), "{}", out(&strict));
}

#[test]
fn waiver_that_waives_nothing_is_vacuous_and_one_that_is_needed_passes() {
    let folder = Folder::new("waive");
    let waive = "waive: { client_keeps_its_interval: To see what comes of it. }\n";
    folder.write("idle.yaml", &format!("{waive}{PASSING}"));
    let idle = folder.halfopen(&["run", "idle.yaml"]);
    assert_eq!(code(&idle), 1, "{}", out(&idle));
    let why = "vacuous: `client_keeps_its_interval` holds in all runs of the file; there is nothing to waive";
    assert!(out(&idle).contains("idle.yaml:1:10: waive:") && out(&idle).contains(why), "{}", out(&idle));
    assert_eq!(code(&folder.halfopen(&["run", "--only", "5.0", "idle.yaml"])), 0, "some runs show nothing");
}

#[test]
fn only_the_runs_that_are_asked_for() {
    let folder = Folder::new("only");
    folder.write("silent.yaml", PASSING);
    let some = folder.halfopen(&["run", "--only", "[5.0]", "silent.yaml"]);
    assert_eq!((code(&some), out(&some).lines().count()), (0, 2), "{}", out(&some));
    let none = folder.halfopen(&["run", "--only", "nobody", "silent.yaml"]);
    assert_eq!((code(&none), err(&none).contains("`nobody`")), (2, true), "{}", err(&none));
}

#[test]
fn seed_stands_over_the_trace() {
    let folder = Folder::new("seed");
    folder.write("silent.yaml", PASSING);
    let output = folder.halfopen(&["trace", "--seed", "42", "silent.yaml"]);
    assert_eq!(code(&output), 0);
    assert!(out(&output).starts_with("silent[3.1.1] seed=42\n"), "{}", out(&output));
}

#[rstest]
#[case::not_in_a_pipe(&[], false)]
#[case::where_it_is_forced(&[("CLICOLOR_FORCE", "1")], true)]
#[case::never_against_no_color(&[("CLICOLOR_FORCE", "0"), ("NO_COLOR", "1")], false)]
fn colour(#[case] environment: &[(&str, &str)], #[case] expected: bool) {
    let folder = Folder::new(&format!("colour_{}", environment.len()));
    folder.write("silent.yaml", PASSING);
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["run", "silent.yaml"])
        .current_dir(&folder.0)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    assert_eq!(out(&output).contains('\u{1b}'), expected, "{}", out(&output));
}

#[test]
fn log_is_what_the_broker_would_write_with_virtual_time() {
    let folder = Folder::new("logged");
    folder.write("logged.yaml", PASSING);
    let output = folder.halfopen(&["run", "--log", "--only", "3.1.1", "logged.yaml"]);
    let log = err(&output);
    assert!(log.contains("0.030  broker   New client connected from sensor as sensor (p2, c1, k5)."), "{log}");
    assert!(log.contains("broker   Client sensor has exceeded timeout, disconnecting."), "{log}");
    assert!(err(&folder.halfopen(&["run", "--only", "3.1.1", "logged.yaml"])).is_empty());
}

#[test]
fn reader_that_goes_away_is_no_panic() {
    let folder = Folder::new("pipe");
    let ping = "clients: { sensor: { keep_alive: 1s } }\nmatrix: { n: [1, 2, 3, 4, 5, 6, 7, 8, 9] }\n";
    let steps: String = (0..400).map(|_| "  - wait: <n> * 1s\n").collect();
    folder.write("long.yaml", format!("{ping}steps:\n{steps}expect: [ {{ sensor: {{ sends: PINGREQ }} }} ]\n"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["trace", "long.yaml"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), err(&output).as_str()), (0, ""));
}
