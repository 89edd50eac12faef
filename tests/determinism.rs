//! The same file and the same seed give the same bytes of trace, in another process and in another environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use rstest::rstest;

#[rstest]
fn trace_is_the_same_in_another_process(
    #[files("../../scenarios/**/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let here = trace(&path, &[]);
    // What a run must not depend on: the place, the zone, the language, the log's level, the address-space layout.
    let there = trace(
        &path,
        &[
            ("TZ", "Pacific/Kiritimati"),
            ("LANG", "tr_TR.UTF-8"),
            ("RUST_LOG", "trace"),
            ("HALFOPEN", "1"),
            ("COLUMNS", "40"),
        ],
    );

    if let Some((number, (a, b))) = (1..).zip(here.lines().zip(there.lines())).find(|(_, (a, b))| a != b) {
        panic!("line {number} differs:\n  {a}\n  {b}");
    }
    assert_eq!(here.len(), there.len(), "one trace is the beginning of the other");
    assert!(here.contains("seed="), "a trace is there at all: {here}");
}

#[rstest]
fn hash_of_a_trace_is_that_of_its_events(
    #[files("../../scenarios/half_open/*.yaml")]
    #[files("../../scenarios/reset/*.yaml")]
    #[files("../../scenarios/session/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let output = |flag: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_halfopen")).args(["trace", flag]).arg(&path).output();
        String::from_utf8(output.expect("the binary was built with this test").stdout).expect("text")
    };
    let traces = halfopen::trace::TraceFile::read(&output("--json")).unwrap_or_else(|error| panic!("{error}"));
    let lines = traces.iter().map(|file| {
        let (events, run, seed) = (file.trace.events.len(), &file.run, file.seed);
        format!("{} {events:>8} {run} seed={seed}\n", file.trace.hash())
    });
    assert_eq!(output("--hash"), lines.collect::<String>());
}

/// What `halfopen trace` prints, with these variables and nothing else in its environment.
fn trace(path: &Path, environment: &[(&str, &str)]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_halfopen"))
        .arg("trace")
        .arg(path)
        .env_clear()
        .envs(environment.iter().copied())
        .current_dir(if environment.is_empty() { "." } else { "/" })
        .output()
        .expect("the binary was built with this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a trace is text")
}
