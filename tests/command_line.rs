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
#[case::expectation_after_the_end("at: 2h", "until: 1h after CONNECT from sensor\n")]
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
    assert_eq!(code(&output), 3, "{}{}", out(&output), err(&output));
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
    assert_eq!(code(&output), 3, "{}{}", out(&output), err(&output));
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
    folder.write("idle.yaml", format!("{waive}{PASSING}"));
    let idle = folder.halfopen(&["run", "idle.yaml"]);
    assert_eq!(code(&idle), 3, "{}", out(&idle));
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

#[rstest]
#[case::all_pass(&[("good", PASSING.to_owned())], 0)]
#[case::one_fails(&[("good", PASSING.to_owned()), ("late", PASSING.replace("1.5 *", "1.4 *"))], 1)]
#[case::one_is_vacuous(&[("good", PASSING.to_owned()), ("void", VACUOUS.to_owned())], 3)]
#[case::failed_is_worse_than_vacuous(&[("late", PASSING.replace("1.5 *", "1.4 *")), ("void", VACUOUS.to_owned())], 1)]
fn exit_code_tells_the_worst(#[case] files: &[(&str, String)], #[case] expected: i32) {
    let folder = Folder::new(&format!("worst_{}_{expected}", files.len()));
    for (name, text) in files {
        folder.write(&format!("{name}.yaml"), text);
    }
    let output = folder.halfopen(&["run", "."]);
    assert_eq!(code(&output), expected, "{}{}", out(&output), err(&output));
}

const VACUOUS: &str = "
until: 1h after CONNECT from sensor
clients: { sensor: { keep_alive: 5s } }
steps: [ { wait: 1s } ]
expect: [ { sensor: { is: connected, at: 2h } } ]
";

#[test]
fn reports_are_written_in_every_form() {
    let folder = Folder::new("forms");
    folder.write("good.yaml", PASSING).write("late.yaml", PASSING.replace("1.5 *", "1.4 *"));
    let forms = ["--html", "x/r.html", "--json", "r.json", "--junit", "r.xml", "--tap", "r.tap"];
    let output = folder.halfopen(&[&["run", "."], &forms[..]].concat());
    assert_eq!(code(&output), 1, "{}", err(&output));
    let read = |name: &str| fs::read_to_string(folder.0.join(name)).unwrap();
    assert!(read("x/r.html").contains("halfopen: 2 of 4 runs need attention"));
    assert!(read("r.json").contains("\"format\":\"halfopen-report\",\"version\":1"));
    assert!(read("r.xml").contains("tests=\"4\"") && read("r.xml").contains("failures=\"2\""), "{}", read("r.xml"));
    assert!(read("r.tap").contains("1..4\n") && read("r.tap").contains("not ok"), "{}", read("r.tap"));
}

#[test]
fn a_run_that_fails_says_how_to_run_it_again_and_leaves_a_folder() {
    let folder = Folder::new("again");
    folder.write("late.yaml", format!("mqtt: 5.0{}", PASSING.replace("1.5 *", "1.4 *")));
    let output = folder.halfopen(&["run", "late.yaml"]);
    assert!(
        out(&output).contains("reproduce: halfopen run late.yaml --only 'late[5.0]' --seed 1\n"),
        "{}",
        out(&output)
    );
    let left = folder.0.join("target/halfopen/late_5.0");
    for name in ["run.json", "scenario.yaml.txt", "trace.txt", "trace.jsonl", "report.html", "command.sh", "plan.txt"] {
        assert!(left.join(name).exists(), "{name} is missing");
    }
    let again = folder.halfopen(&["run", "late.yaml", "--only", "late[5.0]", "--seed", "1"]);
    assert_eq!(without_speed(&out(&again)), without_speed(&out(&output)));
}

#[test]
fn a_run_that_passes_leaves_nothing() {
    let folder = Folder::new("nothing_left");
    folder.write("good.yaml", PASSING);
    assert_eq!(code(&folder.halfopen(&["run", "good.yaml"])), 0);
    assert!(!folder.0.join("target").exists());
}

/// Its keep-alive is a value of `let`, and the broker would have to close at 1 s.
const LATE_BY_A_VALUE: &str = "
let: { silence: 5s }
clients: { sensor: { keep_alive: <silence> } }
steps:
  - sensor: stop_pinging
expect:
  - broker: { closes: sensor, because: keep_alive, at: 1s }
";

#[test]
fn values_of_let_are_set_from_outside_and_said_in_the_command_that_reproduces() {
    let folder = Folder::new("set");
    folder.write("late.yaml", LATE_BY_A_VALUE);
    let output = folder.halfopen(&["run", "late.yaml", "--mqtt", "5.0", "--set", "silence=20s"]);
    let text = out(&output);
    assert!(text.contains("closed at 30.030"), "{text}");
    assert!(
        text.contains("reproduce: halfopen run late.yaml --only 'late[5.0]' --seed 1 --set 'silence=20s'\n"),
        "{text}"
    );
}

#[rstest]
#[case::another_name(
    "silent=20s",
    "--set silent=20s: no scenario here has `silent` in its `let`; did you mean `silence`?"
)]
#[case::no_value("silence", "write a name of `let`, `=` and a value")]
#[case::another_type("silence=often", "late.yaml:2:17: ")]
fn values_that_do_not_fit_are_explained(#[case] set: &str, #[case] message: &str) {
    let folder = Folder::new(&format!("set_{}", set.len()));
    folder.write("late.yaml", LATE_BY_A_VALUE);
    let output = folder.halfopen(&["run", "late.yaml", "--set", set]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains(message), "{}", err(&output));
}

#[test]
fn those_that_failed_are_run_again_until_they_pass() {
    let folder = Folder::new("failed_last");
    folder.write("good.yaml", PASSING).write("late.yaml", PASSING.replace("1.5 *", "1.4 *"));
    folder.halfopen(&["run", "."]);
    let again = folder.halfopen(&["run", ".", "--failed-last"]);
    assert!(out(&again).contains("\n2 runs: 0 ok, 2 FAILED"), "{}", out(&again));
    folder.write("late.yaml", PASSING);
    assert_eq!(code(&folder.halfopen(&["run", ".", "--failed-last"])), 0);
    let none = folder.halfopen(&["run", ".", "--failed-last"]);
    assert!(code(&none) == 0 && out(&none).starts_with("0 runs"), "{}", out(&none));
}

#[test]
fn parts_are_all_of_the_runs_and_none_twice() {
    let folder = Folder::new("parts");
    let matrix = "matrix: { k: [1s, 2s, 3s, 4s, 5s, 6s] }";
    folder.write("many.yaml", format!("{matrix}{}", PASSING.replace("keep_alive: 5s", "keep_alive: <k>")));
    let lines = |arguments: &[&str]| {
        let output = folder.halfopen(&[&["run", "many.yaml"], arguments].concat());
        let lines: Vec<String> =
            out(&output).lines().filter(|line| line.starts_with("ok ")).map(str::to_owned).collect();
        lines
    };
    let all = lines(&[]);
    let mut parts: Vec<String> = ["1/3", "2/3", "3/3"].iter().flat_map(|part| lines(&["--shard", part])).collect();
    parts.sort();
    let mut sorted = all.clone();
    sorted.sort();
    assert_eq!((parts, all.len()), (sorted, 12));
}

#[test]
fn several_at_once_print_the_same() {
    let folder = Folder::new("jobs");
    folder.write("good.yaml", PASSING).write("late.yaml", PASSING.replace("1.5 *", "1.4 *"));
    let one = folder.halfopen(&["run", ".", "--jobs", "1"]);
    let many = folder.halfopen(&["run", ".", "--jobs", "4"]);
    assert_eq!((without_speed(&out(&many)), code(&many)), (without_speed(&out(&one)), 1));
}

#[rstest]
#[case::quiet("--quiet", 1)]
#[case::normal("--jobs=1", 3)]
#[case::verbose("--verbose", 12)]
fn as_much_is_printed_as_is_asked_for(#[case] flag: &str, #[case] at_least: usize) {
    let folder = Folder::new(&format!("as_much_{}", &flag[2..]));
    folder.write("good.yaml", PASSING);
    let output = folder.halfopen(&["run", "good.yaml", flag]);
    let lines = out(&output).lines().count();
    assert!((at_least..at_least * 3).contains(&lines), "{}", out(&output));
}

#[test]
fn first_failure_ends_the_run_if_that_is_wanted() {
    let folder = Folder::new("fail_fast");
    folder.write("a.yaml", PASSING.replace("1.5 *", "1.4 *")).write("b.yaml", PASSING);
    let output = folder.halfopen(&["run", ".", "--fail-fast"]);
    assert_eq!((code(&output), out(&output).contains("1 run: 0 ok, 1 FAILED")), (1, true), "{}", out(&output));
}

#[rstest]
#[case::tag(&["--tag", "slow"], 2)]
#[case::area(&["--area", "deep"], 2)]
#[case::version(&["--mqtt", "3.1.1"], 2)]
#[case::all_of_them(&["--tag", "slow", "--mqtt", "5.0"], 1)]
#[case::seeds(&["--tag", "slow", "--seeds", "3"], 6)]
fn runs_are_chosen_by_what_they_are(#[case] arguments: &[&str], #[case] expected: usize) {
    let folder = Folder::new(&format!("chosen_{}", arguments.concat().replace(['-', '.'], "")));
    fs::create_dir(folder.0.join("deep")).unwrap();
    folder.write("deep/one.yaml", PASSING).write("two.yaml", format!("tags: [slow]{PASSING}"));
    let output = folder.halfopen(&[&["run", "."], arguments].concat());
    assert_eq!((code(&output), out(&output).lines().count() - 1), (0, expected), "{}", out(&output));
    let none = folder.halfopen(&["run", ".", "--tag", "nobody"]);
    assert_eq!((code(&none), err(&none).contains("nobody")), (2, true), "{}", err(&none));
}

#[rstest]
#[case::always("always", true)]
#[case::never("never", false)]
fn colour_is_as_it_is_asked_for(#[case] when: &str, #[case] expected: bool) {
    let folder = Folder::new(&format!("color_{when}"));
    folder.write("silent.yaml", PASSING);
    let output = folder.halfopen(&["run", "silent.yaml", "--color", when]);
    assert_eq!(out(&output).contains('\u{1b}'), expected, "{}", out(&output));
}

#[test]
fn drawing_is_a_picture_that_stands_alone() {
    let folder = Folder::new("draw");
    folder.write("silent.yaml", PASSING);
    let output = folder.halfopen(&["draw", "silent.yaml", "-o", "x.svg", "--only", "5.0"]);
    assert_eq!(code(&output), 0, "{}", err(&output));
    let picture = fs::read_to_string(folder.0.join("x.svg")).unwrap();
    assert!(picture.starts_with("<svg xmlns=") && picture.contains("silent[5.0]"), "{picture}");
    let broken = folder.halfopen(&["draw", "silent.yaml", "--defect", "broker:keep_alive_twice"]);
    assert!(out(&broken).contains("2.500 s late"), "{}", out(&broken));
}

#[test]
fn replay_says_whether_the_trace_is_the_same() {
    let folder = Folder::new("replay");
    folder.write("late.yaml", format!("mqtt: 5.0{}", PASSING.replace("1.5 *", "1.4 *")));
    folder.halfopen(&["run", "late.yaml"]);
    let same = folder.halfopen(&["replay", "target/halfopen/late_5.0"]);
    assert_eq!(
        (code(&same), out(&same).contains("the same, byte for byte")),
        (0, true),
        "{}{}",
        out(&same),
        err(&same)
    );
    // The scenario that was kept counts, whatever became of the file.
    folder.write("late.yaml", "nonsense");
    assert_eq!(code(&folder.halfopen(&["replay", "target/halfopen/late_5.0"])), 0);
    let trace = folder.0.join("target/halfopen/late_5.0/trace.jsonl");
    let text = fs::read_to_string(&trace).unwrap();
    fs::write(&trace, text.replace("\"wire\":\"e0018d\"", "\"wire\":\"e0018e\"")).unwrap();
    let other = folder.halfopen(&["replay", "target/halfopen/late_5.0"]);
    assert_eq!((code(&other), out(&other).contains("content: late[5.0] seed=1")), (1, true), "{}", out(&other));
    assert_eq!(code(&folder.halfopen(&["replay", "nowhere"])), 2);
}

#[test]
fn replay_needs_no_fragment_to_be_where_it_was() {
    let folder = Folder::new("replay_fragment");
    let fragment = "raw_clients: { guest: { keep_alive: 5s } }";
    let story = "mqtt: 5.0\ninclude: ../lib/guest.yaml\nsteps: [ { guest: connect } ]
expect: [ { broker: { closes: guest, at: 1s after last packet from guest } } ]";
    for name in ["lib", "area"] {
        fs::create_dir_all(folder.0.join(name)).unwrap();
    }
    folder.write("lib/guest.yaml", fragment).write("area/story.yaml", story);
    assert_eq!(code(&folder.halfopen(&["run", "area"])), 1);
    let left = "target/halfopen/story_5.0";
    let again = |what: &str| {
        let output = folder.halfopen(&["replay", left]);
        assert_eq!(code(&output), 0, "{what}: {}{}", out(&output), err(&output));
    };
    again("as it is");
    folder.write("lib/guest.yaml", fragment.replace("5s", "10s"));
    again("the fragment is another one now");
    fs::remove_dir_all(folder.0.join("lib")).unwrap();
    again("the fragment is gone");
    // What is kept is no scenario to be found.
    assert_eq!(code(&folder.halfopen(&["check", "target"])), 2);
}

/// A place that not even root can write to: below a file.
#[rstest]
#[case::a_page("--html")]
#[case::junit("--junit")]
#[case::json("--json")]
#[case::captures("--pcap")]
#[case::what_failing_runs_leave("--artifacts")]
fn what_cannot_be_written_is_trouble_after_all_has_been_told(#[case] option: &str) {
    let folder = Folder::new(&format!("unwritable{option}"));
    folder.write("late.yaml", format!("mqtt: 5.0{}", PASSING.replace("1.5 *", "1.4 *"))).write("file", "");
    let output = folder.halfopen(&["run", "late.yaml", option, "file/below"]);
    assert_eq!(code(&output), 4, "{}", out(&output));
    assert!(err(&output).starts_with("cannot write file/below"), "{}", err(&output));
    assert!(out(&output).contains("0.500 late"), "{}", out(&output));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_trouble() {
    let folder = Folder::new("full");
    folder.write("good.yaml", PASSING);
    let output = folder.halfopen(&["run", "good.yaml", "--json", "/dev/full"]);
    assert_eq!(code(&output), 4, "{}", err(&output));
    assert!(err(&output).contains("/dev/full") && err(&output).contains("space"), "{}", err(&output));
    let file = fs::File::options().write(true).open("/dev/full").unwrap();
    let status = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["run", "good.yaml"])
        .current_dir(&folder.0)
        .stdout(file)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(4));
}

#[test]
#[cfg(unix)]
fn interrupted_it_tells_what_it_has_found_and_writes_it() {
    let folder = Folder::new("interrupted");
    let late = PASSING.replace("1.5 *", "1.4 *");
    folder.write("many.yaml", format!("mqtt: 5.0{late}"));
    let mut child = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .args(["run", "many.yaml", "--seeds", "4000", "--junit", "r.xml"])
        .current_dir(&folder.0)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // It has begun, and cannot end: the pipe has no room for all lines.
    let mut text = vec![0; 1];
    stdout.read_exact(&mut text).unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(&output), 130, "{}", err(&output));
    assert!(err(&output).contains("of 4000 runs were run"), "{}", err(&output));
    assert!(rest.contains("0.500 late"), "what is wrong is told");
    assert!(fs::read_to_string(folder.0.join("r.xml")).unwrap().contains("<failure"), "and written");
}

#[test]
fn meta_runs_twice_and_compares() {
    let folder = Folder::new("meta");
    folder.write("good.yaml", PASSING);
    let output = folder.halfopen(&["meta", "."]);
    assert_eq!((code(&output), out(&output).starts_with("2 runs, the same twice")), (0, true), "{}", out(&output));
    folder.write("bad.yaml", "nonsense");
    assert_eq!(code(&folder.halfopen(&["meta", "."])), 2);
}

#[test]
fn diff_tells_what_kind_of_change_it_is_and_lets_pass_what_is_allowed() {
    let folder = Folder::new("diff");
    folder.write("slow.yaml", PASSING);
    let trace = |seconds: &str| {
        folder.write(
            "slow.yaml",
            PASSING.replace("- sensor: stop_pinging", &format!("- wait: {seconds}\n  - sensor: stop_pinging")),
        );
        out(&folder.halfopen(&["trace", "--json", "slow.yaml"]))
    };
    let (old, new) = (trace("1s"), trace("2s"));
    folder.write("old.jsonl", old).write("new.jsonl", new);
    let differs = folder.halfopen(&["diff", "old.jsonl", "new.jsonl"]);
    assert_eq!(code(&differs), 1, "{}", out(&differs));
    assert!(out(&differs).contains("2 runs differ"), "{}", out(&differs));
    let class = out(&differs).split(':').next().unwrap_or_default().to_owned();
    assert_eq!(code(&folder.halfopen(&["diff", "old.jsonl", "new.jsonl", "--allow", &class])), 0, "{class}");
    assert_eq!(code(&folder.halfopen(&["diff", "old.jsonl", "old.jsonl"])), 0);
    let wrong = folder.halfopen(&["diff", "slow.yaml", "slow.yaml"]);
    assert_eq!(code(&wrong), 2, "no trace");
    assert_eq!(
        err(&wrong).matches("slow.yaml: no trace as `halfopen trace --json` prints it").count(),
        2,
        "{}",
        err(&wrong)
    );
    folder.write(
        "broken.jsonl",
        out(&folder.halfopen(&["trace", "--json", "slow.yaml"])).replacen("\"sent\"", "\"snt\"", 1),
    );
    let broken = folder.halfopen(&["diff", "old.jsonl", "broken.jsonl"]);
    assert_eq!(
        (code(&broken), err(&broken).contains("broken.jsonl: line 2: unknown variant `snt`")),
        (2, true),
        "{}",
        err(&broken)
    );
}

#[test]
fn parts_merge_into_the_whole() {
    let folder = Folder::new("merge");
    folder.write("good.yaml", PASSING).write("late.yaml", PASSING.replace("1.5 *", "1.4 *"));
    let matrix = "matrix: { k: [1s, 2s, 3s, 4s] }";
    folder.write("many.yaml", format!("{matrix}{}", PASSING.replace("keep_alive: 5s", "keep_alive: <k>")));
    let whole = folder.halfopen(&["run", "."]);
    for part in ["1", "2", "3"] {
        folder.halfopen(&["run", ".", "--shard", &format!("{part}/3"), "--json", &format!("{part}.json")]);
    }
    let merge = ["report", "merge", "3.json", "1.json", "2.json", "--junit", "all.xml", "--html", "all.html"];
    let merged = folder.halfopen(&merge);
    assert_eq!((code(&merged), without_speed(&out(&merged))), (1, without_speed(&out(&whole))), "{}", err(&merged));
    assert!(fs::read_to_string(folder.0.join("all.xml")).unwrap().contains("tests=\"12\""));
    let twice = folder.halfopen(&["report", "merge", "1.json", "1.json"]);
    assert_eq!((code(&twice), err(&twice).contains("more than one")), (2, true), "{}", err(&twice));
    assert_eq!(code(&folder.halfopen(&["report", "merge", "good.yaml"])), 2);
}

#[test]
fn defect_that_is_switched_on_is_caught_and_said_in_the_command_that_reproduces_it() {
    let folder = Folder::new("defect");
    folder.write("silent.yaml", PASSING);
    let output = folder.halfopen(&["run", "silent.yaml", "--defect", "broker:keep_alive_twice"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    let reproduces = "halfopen run silent.yaml --only 'silent[3.1.1]' --seed 1 --defect broker:keep_alive_twice";
    assert!(out(&output).contains(reproduces), "{}", out(&output));

    let output = folder.halfopen(&["run", "silent.yaml", "--defect", "broker:keep_alive_twise"]);
    assert_eq!(code(&output), 2);
    assert!(err(&output).contains("did you mean `broker:keep_alive_twice`?"), "{}", err(&output));
}
