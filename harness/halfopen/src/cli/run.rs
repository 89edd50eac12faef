//! `halfopen run`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use indicatif::ProgressBar;

use super::args::ProgramArgs;
use super::artifacts::{leave, remember_failed, write_capture};
use super::commands::{begin_log, timed};
use super::foreign::{Foreign, Judged};
use super::interrupt;
use super::live::Live;
use super::options::RunCommand;
use super::output::{ENGINE_TROUBLE, FAILURE, Failure, INTERRUPTED, SUCCESS, VACUOUS};
use super::progress::progress;
use super::select::{Chosen, choose};
use crate::plan::Plan;
use crate::report::model::{Detail, Report, RunRecord, SourceRecord};
use crate::report::{Summary, Terminal, Thin, Verbosity, Waivers};
use crate::run::{Ending, STACK};
use crate::world::EngineError;

/// Maximum number of failure folders per invocation. When everything fails, fifty are enough.
const FOLDERS: usize = 50;
/// Number of failure folders so far.
static LEFT: AtomicUsize = AtomicUsize::new(0);

/// The place in which runs happen, with the broker.
enum Place {
    /// The world, with the project's own broker.
    Own,
    /// The world, with another program.
    World(Foreign),
    /// Real time, with a broker outside.
    Live(Live),
}

/// A run that is over.
struct Done {
    run: RunRecord,
    /// Number of expectations that another program cannot be asked, and whether the run was too long for it.
    left_out: usize,
    is_too_long: bool,
    notes: Vec<String>,
    source: SourceRecord,
    /// The reason why an output could not be written, if so.
    trouble: Option<String>,
}

/// Runs and judges.
pub(super) fn run(command: &RunCommand) -> Result<u8, Failure> {
    command.output.set_colour();
    begin_log(&command.run);
    let live = Live::of(command)?;
    let mut chosen = choose(command)?;
    let plans: Vec<Arc<Plan>> = chosen.iter().map(|chosen| Arc::clone(&chosen.plan)).collect();
    // In real time, `--broker` only describes the broker: it is not started.
    let program = if live.is_some() { &ProgramArgs::default() } else { &command.run.program };
    let place = match (live, Foreign::of(program, &plans)?) {
        (Some(live), _) => Place::Live(live),
        (None, Some(foreign)) => {
            foreign.refuse_defect(command.run.defect)?;
            Place::World(foreign)
        }
        (None, None) => Place::Own,
    };
    interrupt::watch();
    match &place {
        Place::Own => {}
        Place::World(_) => command.run.program.print_tolerance()?,
        Place::Live(live) => {
            writeln!(anstream::stderr(), "live: {}", live.measured())?;
            Live::sort(&mut chosen);
        }
    }
    let mut session = Session {
        command,
        terminal: Terminal::with_verbosity(anstream::stdout().lock(), verbosity(command)),
        progress: progress(Some(chosen.len() as u64), "{bar:30} {pos} of {len} runs, {eta} left"),
        report: Report::default(),
        keeps: command.output.forms.is_any(),
        thin: command.output.forms.thin(chosen.len()),
        bad: Vec::new(),
        waivers: Waivers::default(),
        trouble: None,
        done: 0,
        total: chosen.len(),
        left_out: 0,
        too_long: 0,
        notes: BTreeMap::new(),
    };
    let (ran, took) = timed(|| run_all(command, &place, &chosen, &mut session));
    ran?;
    session.terminal.took(took);
    session.finish()
}

/// The results so far.
struct Session<'a, W: std::io::Write> {
    command: &'a RunCommand,
    terminal: Terminal<W>,
    progress: ProgressBar,
    report: Report,
    keeps: bool,
    /// Takes out what no form that is asked for shows.
    thin: Option<Thin>,
    bad: Vec<String>,
    waivers: Waivers,
    /// The first thing that could not be written. What was found out is told all the same.
    trouble: Option<String>,
    done: usize,
    total: usize,
    /// Number of expectations that another program cannot be asked.
    left_out: usize,
    /// Runs that take too long for it.
    too_long: usize,
    /// The notes, each with the first run that has it and the number of such runs.
    notes: BTreeMap<String, (String, usize)>,
}

impl<W: std::io::Write> Session<'_, W> {
    /// Takes a run; whether to go on.
    fn done(&mut self, done: Done) -> Result<bool, Failure> {
        let Done { mut run, left_out, is_too_long, notes, source, trouble } = done;
        for note in notes {
            self.notes.entry(note).or_insert_with(|| (run.name.clone(), 0)).1 += 1;
        }
        self.left_out += left_out;
        self.too_long += usize::from(is_too_long);
        self.progress.inc(1);
        self.done += 1;
        self.trouble = self.trouble.take().or(trouble);
        self.waivers.add(&run);
        let is_bad = run.is_bad();
        if is_bad {
            self.bad.push(run.name.clone());
        }
        if self.keeps {
            // The terminal has no use for what is large.
            let (events, diagram) = (std::mem::take(&mut run.events), run.diagram.take());
            let mut kept = RunRecord { events, diagram, ..run.clone() };
            if let Some(thin) = &mut self.thin {
                thin.run(&mut kept);
            }
            self.report.add(kept, source);
        }
        let terminal = &mut self.terminal;
        self.progress.suspend(|| terminal.record(run))?;
        Ok(!(is_bad && self.command.fail_fast))
    }

    fn finish(mut self) -> Result<u8, Failure> {
        self.progress.finish_and_clear();
        // Some of a file's runs do not show that none needs it.
        if !is_part(self.command) && self.done == self.total {
            self.terminal.waivers(&self.waivers)?;
        }
        let outputs = &self.command.output;
        let mut written = outputs.forms.write(&self.report);
        if !outputs.no_artifacts {
            written = written.and(remember_failed(&outputs.artifacts, &self.bad));
        }
        let summary = self.terminal.finish()?;
        for (note, (first, count)) in &self.notes {
            writeln!(anstream::stdout(), "note: {note} (runs: {count}, the first is {first})")?;
        }
        if self.left_out + self.too_long > 0 {
            let (who, limit, option) = match &self.command.live.live {
                Some(live) => (live.clone(), format!("{}", self.command.live.time_limit), "--time-limit"),
                None => {
                    let program = &self.command.run.program;
                    let limit = format!("{} of virtual time", program.virtual_limit);
                    let names = [&program.broker, &program.client];
                    let names: Vec<&str> = names.into_iter().flatten().map(String::as_str).collect();
                    (names.join(" and "), limit, "--virtual-limit")
                }
            };
            writeln!(
                anstream::stdout(),
                "{who}: {} expectations of what only the project's programs can say were left out; {} runs were skipped because \
                 they take more than {limit} ({option})",
                self.left_out,
                self.too_long,
            )?;
        }
        if interrupt::came() && self.done < self.total {
            writeln!(anstream::stderr(), "interrupted: {} of {} runs were run", self.done, self.total)?;
            return written.map(|()| INTERRUPTED);
        }
        written?;
        match self.trouble {
            Some(trouble) => Err(Failure::Trouble(trouble)),
            None => Ok(code(&summary, self.command)),
        }
    }
}

/// Returns whether only some of the runs of a file may have been run.
fn is_part(command: &RunCommand) -> bool {
    let select = &command.select;
    let is_chosen = command.run.only.is_some() || select.mqtt.is_some() || !select.clause.is_empty();
    is_chosen || select.failed_last || select.shard.is_some() || command.fail_fast
}

fn code(summary: &Summary, command: &RunCommand) -> u8 {
    match summary {
        Summary { broken: 1.., .. } => ENGINE_TROUBLE,
        Summary { failed: 1.., .. } => FAILURE,
        Summary { vacuous: 1.., .. } => VACUOUS,
        // Nothing at all proves nothing, unless a part of the runs was asked for and happens to be empty.
        Summary { passed: 0, .. } if command.select.shard.is_none() && !command.select.failed_last => VACUOUS,
        _ => SUCCESS,
    }
}

/// Runs one, and leaves its folder if it does not pass.
fn one(command: &RunCommand, place: &Place, chosen: &Chosen) -> Done {
    let plan = &chosen.plan;
    let (Judged { finished, left_out, is_too_long, notes }, took) = timed(|| guarded(command, place, chosen));
    let mut run = RunRecord::new(&finished, &chosen.about, chosen.place, took, detail(command));
    let program = &command.run.program;
    for (option, name) in [("--broker", &program.broker), ("--client", &program.client)] {
        if let Some(name) = name {
            run.command.push_str(&format!(" {option} {name}"));
        }
    }
    if let Some(tolerance) = program.chosen_tolerance() {
        run.command.push_str(&format!(" --tolerance {tolerance}"));
    }
    run.command.push_str(&command.live.again());
    let outputs = &command.output;
    let mut written = Ok(());
    if let (Some(folder), Ending::Judged(trace, _)) = (&outputs.pcap, &finished.ending) {
        written = write_capture(folder, plan, trace);
    }
    if run.is_bad() && !outputs.no_artifacts && LEFT.fetch_add(1, Ordering::Relaxed) < FOLDERS {
        written = written.and(leave(&outputs.artifacts, &finished, &chosen.about, took, command.run.engine.into()));
    }
    let trouble = written.err().map(|failure| failure.to_string());
    Done { run, left_out, is_too_long, notes, source: SourceRecord::of(plan), trouble }
}

/// Runs one; a panic of the engine is trouble of this run alone.
fn guarded(command: &RunCommand, place: &Place, chosen: &Chosen) -> Judged {
    let runner = command.run.runner();
    let work = || match place {
        Place::World(foreign) => foreign.run(&runner, &command.run.program, &chosen.plan),
        Place::Live(live) => live.run(command, &chosen.plan),
        // A run whose trace somebody wants is recorded at once.
        Place::Own if needs_trace(command) => Judged::of(runner.run(&chosen.plan)),
        Place::Own => Judged::of(runner.judge(&chosen.plan)),
    };
    let judged = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let error = EngineError::Failed(format!("panic: {}", text.unwrap_or_default()));
        Judged::of(runner.finished(&chosen.plan, Ending::Broken(error)))
    });
    if command.run.strict { Judged { finished: judged.finished.strict(), ..judged } } else { judged }
}

/// Runs several at the same time, each world in one thread. They are reported in their order, whichever ends first.
fn run_all<W: std::io::Write>(
    command: &RunCommand,
    place: &Place,
    chosen: &[Chosen],
    session: &mut Session<'_, W>,
) -> Result<(), Failure> {
    let next = AtomicUsize::new(0);
    let is_over = AtomicBool::new(false);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..command.jobs().min(chosen.len()) {
            let (sender, next, is_over) = (sender.clone(), &next, &is_over);
            let work = move || {
                while !is_over.load(Ordering::Relaxed) && !interrupt::came() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(chosen) = chosen.get(index) else { break };
                    if sender.send((index, one(command, place, chosen))).is_err() {
                        break;
                    }
                }
            };
            std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)?;
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut wanted = 0;
        for (index, done) in receiver {
            waiting.insert(index, done);
            while let Some(done) = waiting.remove(&wanted) {
                wanted += 1;
                let goes_on = session.done(done);
                if !matches!(goes_on, Ok(true)) {
                    is_over.store(true, Ordering::Relaxed);
                    return goes_on.map(drop);
                }
            }
        }
        Ok(())
    })
}

fn verbosity(command: &RunCommand) -> Verbosity {
    match (command.output.quiet, command.output.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    }
}

/// Returns what the outputs that are asked for need.
fn detail(command: &RunCommand) -> Detail {
    let forms = &command.output.forms;
    let text = forms.needs_text() || command.output.verbose;
    Detail { events: forms.needs_events(), diagram: forms.needs_events(), text }
}

/// Returns whether something is asked for that needs the trace of a run that passes.
fn needs_trace(command: &RunCommand) -> bool {
    detail(command) != Detail::default() || command.output.pcap.is_some()
}
