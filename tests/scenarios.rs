//! Every scenario is a test of its own: all of its runs pass, and its trace is what it was.
//!
//! The snapshot shows the first run of each version in full, of the others the name, the verdict, what was closed, and
//! by how much a deadline was missed. It is for reading and for noticing change; the checks are for truth.

use std::path::{Path, PathBuf};

use halfopen::run::{Ending, Finished};
use halfopen::suite::Suite;
use halfopen::trace::{TraceFile, text};
use rstest::rstest;

#[rstest]
fn scenario_passes(
    #[files("../../scenarios/**/*.yaml")]
    #[exclude("/lib/")]
    path: PathBuf,
) {
    let suite = Suite::new();
    let runs = suite.run(&path).unwrap_or_else(|errors| panic!("\n{errors}"));

    let name = runs.first().expect("a scenario has runs").plan.run.scenario.replace('/', "__");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let shown = shown(&runs);
    say_what_changed(&name, &shown);
    settings.bind(|| insta::assert_snapshot!(name, shown));

    suite.verdict(&runs).unwrap_or_else(|why| panic!("\n{why}"));
    runs.iter().for_each(can_be_read_back);
}

/// The trace as a file gives the very same trace.
fn can_be_read_back(run: &Finished) {
    let Ending::Judged(trace, _) = &run.ending else { return };
    let file = TraceFile::new(&run.plan, trace.clone());
    let text = file.write().unwrap_or_else(|error| panic!("{}: {error}", run.plan.run));
    let read = TraceFile::read(&text).unwrap_or_else(|error| panic!("{}: {error}", run.plan.run));
    assert!(read == [file], "{} is another trace when it is read back", run.plan.run);
}

/// In the output of a test whose snapshot changed: whether timing, order, content or a verdict did, and where it begins.
fn say_what_changed(name: &str, shown: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots").join(format!("{name}.snap"));
    let Ok(snapshot) = std::fs::read_to_string(path) else { return };
    let old = snapshot.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n")).map_or("", |(_, body)| body);
    let Some((old_line, line)) = old.lines().zip(shown.lines()).find(|(old, new)| old != new) else { return };
    println!("{}: {name}\n  - {}\n  + {}", kind_of_change(old, shown), old_line.trim(), line.trim());
}

/// The kind of change, as `halfopen diff` names it.
fn kind_of_change(old: &str, new: &str) -> &'static str {
    let words = |text: &str, is_kept: fn(&str) -> bool| -> Vec<String> {
        let words = |line: &str| line.split_whitespace().filter(|word| is_kept(word)).collect::<Vec<_>>().join(" ");
        text.lines().map(words).collect()
    };
    let is_verdict = |word: &str| ["ok", "FAILED", "VACUOUS", "BROKEN", "skipped"].contains(&word);
    let is_no_time = |word: &str| word.contains(|c: char| !c.is_ascii_digit() && !"+-.,)".contains(c));
    let sorted = |mut words: Vec<String>| {
        words.sort_unstable();
        words
    };
    if words(old, is_verdict) != words(new, is_verdict) {
        "verdict"
    } else if words(old, is_no_time) == words(new, is_no_time) {
        "timing"
    } else if sorted(words(old, is_no_time)) == sorted(words(new, is_no_time)) {
        "order"
    } else {
        "content"
    }
}

/// Maximum number of lines of a snapshot, so that it is read. A test holds all snapshots to it.
const LINES: usize = 150;

/// Lines that insta writes in front.
const HEAD: usize = 5;

/// What the snapshot holds: of each version the first run in full and the others in short, each cut in the middle if all
/// of it would be too long.
fn shown(runs: &[Finished]) -> String {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut versions = Vec::new();
    for run in runs {
        let trace = match &run.ending {
            Ending::Judged(trace, _) => text(&run.plan, trace),
            Ending::Skipped(error) | Ending::Broken(error) => error.to_string(),
            Ending::Passed { .. } => unreachable!("a suite keeps traces"),
        };
        let word = run.verdict().word();
        if versions.contains(&run.plan.version) {
            let others = parts.last_mut().expect("it stands behind the first of its version");
            others.push(format!("{word} {}", run.plan.run));
            others.extend(trace.lines().filter(|line| is_telling(line)).map(|line| line.trim_end().to_owned()));
        } else {
            versions.push(run.plan.version);
            parts.push(format!("{word} {trace}\n").lines().map(str::to_owned).collect());
            parts.push(Vec::new());
        }
    }
    let most = LINES - HEAD;
    if parts.iter().map(Vec::len).sum::<usize>() > most {
        // Half for the traces and half for the rest, unless one of them needs less.
        let share = most / versions.len().max(1);
        for pair in parts.chunks_mut(2) {
            let [trace, others] = pair else { continue };
            let of_others = others.len().min(share.saturating_sub(trace.len()).max(share / 4));
            *trace = cut(trace, share - of_others);
            *others = cut(others, of_others);
        }
    }
    parts.concat().iter().map(|line| format!("{line}\n")).collect()
}

/// Cuts the middle out; a digest still shows that something in it has changed.
fn cut(lines: &[String], most: usize) -> Vec<String> {
    if lines.len() <= most {
        return lines.to_vec();
    }
    let head = most * 2 / 3;
    let tail = lines.len() - (most - head - 1);
    let middle = &lines[head..tail];
    // FNV-1a, which needs no more than this.
    let digest = middle
        .iter()
        .flat_map(|line| line.bytes())
        .fold(0xcbf2_9ce4_8422_2325, |digest: u64, byte| (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let left_out = format!("           ... {} lines more, digest {digest:016x}", middle.len());
    [&lines[..head], &[left_out], &lines[tail..]].concat()
}

#[test]
fn every_snapshot_is_short_enough_to_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/snapshots");
    let mut long = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the snapshots of the scenarios") {
        let path = entry.expect("an entry").path();
        let lines = std::fs::read_to_string(&path).expect("a snapshot").lines().count();
        long.extend((lines > LINES).then(|| format!("{}: {lines}", path.display())));
    }
    assert!(long.is_empty(), "over {LINES} lines:\n{}", long.join("\n"));
}

/// Whether a line tells of a close or of a loss: with its cause and its margin.
fn is_telling(line: &str) -> bool {
    [" closes ", " loses ", "step failed"].iter().any(|word| line.contains(word))
}
