//! What the scenarios say of each change.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::build::{Change, Program};

/// How long all scenarios may take with a change: many times what they take without one.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// A run failed.
    Caught,
    /// The program ended of itself, or did not end.
    Broke,
    /// All runs passed.
    Survived,
    /// No run came by.
    NotReached,
}

/// Runs all scenarios with each of these changes, so many at once.
///
/// # Errors
/// If the program does not run, or fails without any change.
pub(crate) fn judge<'c>(
    program: &Program,
    chosen: &[&'c Change],
    jobs: usize,
) -> Result<Vec<(&'c Change, Fate)>, Box<dyn Error>> {
    let reached = reached(program)?;
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    let failed = Mutex::new(None);
    thread::scope(|scope| {
        for _ in 0..jobs.max(1) {
            scope.spawn(|| {
                while let Some(change) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let fate = match reached.contains(&change.number) {
                        true => fate(program, change.number),
                        false => Ok(Fate::NotReached),
                    };
                    match fate {
                        Ok(fate) => {
                            let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
                            fates.push((*change, fate));
                            if fates.len() % 50 == 0 {
                                eprintln!("{} of {} changes judged", fates.len(), chosen.len());
                            }
                        }
                        Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
                    }
                }
            });
        }
    });
    if let Some(error) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error.into());
    }
    let mut fates = fates.into_inner().unwrap_or_else(PoisonError::into_inner);
    fates.sort_by_key(|(change, _)| change.number);
    Ok(fates)
}

fn command(program: &Program) -> Command {
    let mut command = Command::new(&program.path);
    command.arg("run").arg(&program.scenarios).args(["--no-artifacts", "--quiet", "--jobs", "1"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The numbers of the changes that a run without any comes by.
fn reached(program: &Program) -> Result<BTreeSet<usize>, Box<dyn Error>> {
    let list = program.path.with_extension("reached");
    let status = command(program).env("MUTANTS_REACHED", &list).status()?;
    if !status.success() {
        return Err(format!("without any change the program ends with {status}").into());
    }
    let text = fs::read_to_string(list)?;
    Ok(text.lines().filter_map(|line| line.parse().ok()).collect())
}

fn fate(program: &Program, number: usize) -> std::io::Result<Fate> {
    let mut child = command(program).arg("--fail-fast").env("MUTANT", number.to_string()).spawn()?;
    let mut waited = Duration::ZERO;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if waited > PATIENCE {
            child.kill()?;
            child.wait()?;
            break None;
        }
        #[expect(clippy::disallowed_methods, reason = "waits for another process, outside of any world")]
        thread::sleep(Duration::from_millis(20));
        waited += Duration::from_millis(20);
    };
    Ok(match status.and_then(|status| status.code()) {
        Some(0) => Fate::Survived,
        // A run in which nothing happens any more is no pass.
        Some(1 | 3) => Fate::Caught,
        Some(2) => return Err(std::io::Error::other("the scenarios have errors")),
        _ => Fate::Broke,
    })
}
