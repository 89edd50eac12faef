//! The model and Linux play the same cases with sockets, and what the programs see must agree: what, in which order, and
//! as far as real time allows when.
//!
//! Linux plays them between two network namespaces that are joined by this process alone, so that it loses and makes up
//! packets as a case says. Where a process may not make namespaces the cases are ignored by name;
//! `HALFOPEN_INTEROP=required` makes that an error. What both did is written to `docs/tcp.md`.

mod case;
mod cases;
mod kernel;
mod model;
mod wire;

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use libtest_mimic::{Arguments, Trial};

use self::case::{Case, Note};
use self::cases::CASES;

/// By how much two times may differ: a part of the time since the start, and what a busy machine takes.
const TOLERANCE: (u64, u64) = (10, 250);

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/tcp.md");

#[expect(clippy::disallowed_methods, reason = "whether a missing permission is an error is for the caller to say")]
fn main() {
    let mut arguments = Arguments::from_args();
    // Nearly all of its time a case waits for the kernel's clock.
    arguments.test_threads.get_or_insert(8);
    let may = Command::new("unshare").args(["--net", "true"]).stderr(Stdio::null()).status();
    let may = may.is_ok_and(|status| status.success()) && Path::new("/dev/net/tun").exists();
    let is_required = std::env::var("HALFOPEN_INTEROP").is_ok_and(|value| value == "required");
    let mut trials: Vec<Trial> = CASES.iter().map(|case| trial(case, may || is_required)).collect();
    trials.push(Trial::test("docs/tcp.md holds the cases", || is_table_current().map_err(Into::into)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn trial(case: &'static Case, may: bool) -> Trial {
    let name = if may { case.name.to_owned() } else { format!("{}: needs network namespaces", case.name) };
    Trial::test(name, move || compare(case).map_err(Into::into)).with_ignored_flag(!may)
}

/// Plays a case on both.
fn compare(case: &Case) -> Result<(), String> {
    let model = model::play(case);
    let linux = kernel::play(case).map_err(|error| format!("Linux cannot play it: {error}"))?;
    let is_near = |(one, other): (&Note, &Note)| {
        let tolerance = one.at / TOLERANCE.0 + TOLERANCE.1;
        (one.end, one.what) == (other.end, other.what) && one.at.abs_diff(other.at) <= tolerance
    };
    let agree = model.len() == linux.len() && by_end(&model).iter().zip(&by_end(&linux)).all(is_near);
    match (agree, case.difference) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(why)) => Err(format!("they agree, though they should not: {why}")),
        (false, None) => Err(format!("model: {}\nLinux: {}", told(&model), told(&linux))),
    }
}

/// Orders what each program saw by itself: which of two programs is first at one instant is for nobody to say.
fn by_end(notes: &[Note]) -> Vec<Note> {
    let mut notes = notes.to_vec();
    notes.sort_by_key(|note| note.end);
    notes
}

fn told(notes: &[Note]) -> String {
    notes.iter().map(|note| format!("{} {note}", note.at)).collect::<Vec<_>>().join(", ")
}

/// Compares the table of cases with what the model does; `HALFOPEN_UPDATE=1` writes it.
#[expect(clippy::disallowed_methods, reason = "whether to write is for the caller to say")]
fn is_table_current() -> Result<(), String> {
    let table = table();
    if std::env::var("HALFOPEN_UPDATE").is_ok() {
        return std::fs::write(TABLE, table).map_err(|error| error.to_string());
    }
    let kept = std::fs::read_to_string(TABLE).map_err(|error| format!("{TABLE}: {error}"))?;
    if kept == table {
        Ok(())
    } else {
        Err("docs/tcp.md is not current: HALFOPEN_UPDATE=1 cargo test --test linux".into())
    }
}

fn table() -> String {
    let mut text = String::from(
        "# TCP\n\n\
         The simulated TCP (`harness/tcp`) is compared with Linux: the same cases are played with real sockets between two\n\
         network namespaces, whose only link is the test, and what the programs see must agree. Times are milliseconds of the\n\
         case; links take 1 ms one way, and sockets wait 3 s for an answer (`give_up`, `TCP_USER_TIMEOUT`). Linux may be as\n\
         late as a busy machine makes it: 250 ms and a tenth of the time.\n\n\
         This page is made by `HALFOPEN_UPDATE=1 cargo test -p halfopen-tcp --test linux`.\n\n\
         | case | what happens | what the programs see | Linux |\n| --- | --- | --- | --- |\n",
    );
    for case in CASES {
        let acts: Vec<String> = case.acts.iter().map(|(at, act)| format!("{at} {act:?}")).collect();
        let linux = case.difference.map_or("the same".to_owned(), |why| format!("differs: {why}"));
        writeln!(
            text,
            "| {} | {} | {} | {linux} |",
            case.name,
            acts.join("<br>"),
            told(&model::play(case)).replace(", ", "<br>")
        )
        .expect("a string takes everything");
    }
    text
}
