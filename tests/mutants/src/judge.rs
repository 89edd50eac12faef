//! What the scenarios say of each change: asked of `judge-mutants`, the program with all changes in it.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use crate::build::{Change, Program};

/// How many seconds of a processor all scenarios may take with a change: many times what they take without one.
const PATIENCE: f64 = 15.0;

/// How long to wait for an answer before looking again at what the process has used.
const LOOK: Duration = Duration::from_secs(1);

/// How long they may take without one, and to be read, on a busy machine.
const START: Duration = Duration::from_secs(600);

/// Number of KiB that the program may use: a change may make it grow without end.
const MEMORY: u32 = 4_000_000;

/// What became of a change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    /// A run failed: this one.
    Caught(String),
    /// The program ended of itself, or did not end.
    Broke,
    /// All runs passed, but the trace of this one is another.
    Seen(String),
    /// All runs passed, and no trace is another.
    Unseen,
    /// No run came by.
    NotReached,
}

/// Runs these scenarios with each of these changes, the given number at once.
///
/// # Errors
/// If the program does not run.
pub(crate) fn judge<'c>(
    program: &Program,
    scenarios: &[PathBuf],
    chosen: &[&'c Change],
    jobs: usize,
) -> Result<Vec<(&'c Change, Fate)>, Box<dyn Error>> {
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(Vec::new());
    let work = || -> Result<(), String> {
        let mut judge = Judge::start(program, scenarios)?;
        while let Some(change) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
            let fate = match judge.reached.contains(&change.number) {
                true => judge.fate(change.number)?,
                false => Fate::NotReached,
            };
            if judge.is_over {
                judge = Judge::start(program, scenarios)?;
            }
            let mut fates = fates.lock().unwrap_or_else(PoisonError::into_inner);
            fates.push((*change, fate));
            if fates.len() % 50 == 0 {
                eprintln!("{} of {} changes judged", fates.len(), chosen.len());
            }
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked".to_owned())?)
    })?;
    let mut fates = fates.into_inner().unwrap_or_else(PoisonError::into_inner);
    fates.sort_by_key(|(change, _)| change.number);
    Ok(fates)
}

/// A process that has run all scenarios without a change.
struct Judge {
    child: Child,
    input: ChildStdin,
    lines: Receiver<String>,
    /// The numbers of the changes that some run reaches.
    reached: BTreeSet<usize>,
    /// It has broken, or was killed because it did not answer.
    is_over: bool,
}

impl Judge {
    fn start(program: &Program, scenarios: &[PathBuf]) -> Result<Self, String> {
        let said = |error: std::io::Error| format!("{}: {error}", program.path.display());
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit -v {MEMORY} && exec \"$@\"")).arg("sh");
        command.arg(&program.path).args(scenarios);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(said)?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".to_owned());
        };
        let (sender, lines) = channel();
        #[expect(clippy::disallowed_methods, reason = "reads what another process says, outside of any world")]
        let _reader = thread::spawn(move || {
            BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let first = lines.recv_timeout(START).map_err(|_| "the program with the changes does not start".to_owned())?;
        if let Some(runs) = first.strip_prefix("unfit ") {
            return Err(format!("these runs do not pass without any change: {runs}"));
        }
        let reached = first.split(' ').skip(1).filter_map(|number| number.parse().ok()).collect();
        Ok(Self { child, input, lines, reached, is_over: false })
    }

    fn fate(&mut self, number: usize) -> Result<Fate, String> {
        let before = self.used();
        // If it has ended, that shows below.
        let _ = writeln!(self.input, "{number}").and_then(|()| self.input.flush());
        let line = loop {
            match self.lines.recv_timeout(LOOK) {
                Ok(line) => break line,
                Err(RecvTimeoutError::Timeout) if self.used() - before < PATIENCE => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    self.is_over = true;
                    // The next one starts before this one is dropped, and would share a processor with it.
                    let _ = self.child.kill();
                    return Ok(Fate::Broke);
                }
            }
        };
        match line.split_once(' ') {
            Some(("caught", run)) => Ok(Fate::Caught(run.to_owned())),
            Some(("broke", _)) => Ok(Fate::Broke),
            Some(("seen", run)) => Ok(Fate::Seen(run.to_owned())),
            None if line == "unseen" => Ok(Fate::Unseen),
            _ => Err(format!("unexpected: {line}")),
        }
    }
}

impl Judge {
    /// Returns how many seconds of a processor the process has used, as Linux tells it; infinitely many if it has
    /// ended.
    fn used(&self) -> f64 {
        /// Ticks of the clock in which Linux counts, per second.
        const TICKS: f64 = 100.0;
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name of the program stands in parentheses, and may have spaces in it.
        let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks: Vec<f64> = fields.skip(11).take(2).filter_map(|field| field.parse().ok()).collect();
        if ticks.len() == 2 { ticks.iter().sum::<f64>() / TICKS } else { f64::INFINITY }
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
