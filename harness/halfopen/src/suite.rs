//! Scenarios in `cargo test`: of the project's broker, or of a broker of yours.
//!
//! ```
//! use halfopen::suite::Suite;
//!
//! # let folder = std::env::temp_dir().join("halfopen-suite-example");
//! # std::fs::create_dir_all(&folder).unwrap();
//! # let path = folder.join("hello.yaml");
//! # std::fs::write(&path, "clients:\n  a: {}\nsteps:\n  - wait: 1s\nexpect:\n  - a: { receives: PINGRESP, count: 0 }\n").unwrap();
//! Suite::new().assert_passes(&path);
//! ```
//!
//! A broker of yours runs in the simulated world if it takes connections as byte streams and its time from
//! `tokio::time`: see [`Suite::broker`].

pub(crate) mod for_guests;
pub(crate) mod identifiers;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::world::ProgramsUnderTest;
pub use crate::world::{Connection, Engine, NodeHandle, ProgramUnderTest};

use self::for_guests::{Abilities, Adapted, adapted};
use crate::plan::{BrokerProgram, Plan, Program};
use crate::programs::Role;
use crate::report::model::{Detail, RunRecord};
use crate::report::{Summary, Terminal, Verbosity, Waivers};
use crate::run::{self, Ending, Finished, Runner};
use crate::scenario::{About, Errors, PlanOptions};
use crate::world::EngineError;

/// The examples of the page about this.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/cargo-test.md")]
struct Page;

/// Runs scenarios in tests.
#[derive(Clone, Debug, Default)]
pub struct Suite {
    engine: Engine,
    program_under_test: Option<ProgramUnderTest>,
    takes: Takes,
}

/// A predicate: whether a program under test takes the settings of a scenario.
#[derive(Clone)]
struct Takes(Rc<dyn Fn(&BrokerProgram) -> bool>);

impl Suite {
    /// Creates a suite with the project's broker, on the event-driven engine.
    pub fn new() -> Self {
        Self::default()
    }

    /// Selects the engine.
    #[must_use]
    pub fn engine(self, engine: Engine) -> Self {
        Self { engine, ..self }
    }

    /// Puts a broker of yours in the place of the project's. `start` makes its process: a future that takes connections
    /// from [`NodeHandle::accept`] and serves them until it is dropped.
    ///
    /// What a scenario asks of a broker that only the project's can say is left out: why it closes (`because`), and
    /// what it holds (`has`). Skipped are runs of which nothing is left, those that change the clock of the broker, and
    /// those that set something on it, unless [`settings`](Self::settings) takes them.
    ///
    /// ```
    /// use halfopen::suite::Suite;
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// // Answers the first bytes with CONNACK, and sends nothing more.
    /// let suite = Suite::new().broker(|mut host| async move {
    ///     loop {
    ///         let mut stream = host.accept().await;
    ///         tokio::task::spawn_local(async move {
    ///             let mut packet = [0; 256];
    ///             while stream.read(&mut packet).await.is_ok_and(|count| count > 0) {
    ///                 stream.write_all(&[0x20, 2, 0, 0]).await?;
    ///             }
    ///             std::io::Result::Ok(())
    ///         });
    ///     }
    /// });
    /// # let _ = suite;
    /// ```
    #[must_use]
    pub fn broker<F: Future<Output = ()> + 'static>(self, start: impl Fn(NodeHandle) -> F + 'static) -> Self {
        Self { program_under_test: Some(ProgramUnderTest::new(start)), ..self }
    }

    /// Takes scenarios that set something on the broker, such as limits, users, or that it is durable, where `takes`
    /// says that the program under test does it: it finds the settings in [`NodeHandle::program`].
    #[must_use]
    pub fn settings(self, takes: impl Fn(&BrokerProgram) -> bool + 'static) -> Self {
        Self { takes: Takes(Rc::new(takes)), ..self }
    }

    /// Runs a scenario, or all of a folder: each run with its verdict.
    ///
    /// # Errors
    /// With all that is wrong with the files.
    pub fn run(&self, path: impl AsRef<Path>) -> Result<Vec<Finished>, Errors> {
        let scenarios = run::load(&[path], PlanOptions::default())?;
        Ok(scenarios.into_iter().flat_map(|(_, plans)| plans).map(|plan| self.run_plan(plan)).collect())
    }

    fn run_plan(&self, plan: Plan) -> Finished {
        let Some(program) = &self.program_under_test else {
            return Runner::new(self.engine).run(&Arc::new(plan));
        };
        let programs_under_test = ProgramsUnderTest::brokers(&plan, program);
        let runner = Runner { programs_under_test, ..Runner::new(self.engine) };
        let does_not_take = |program: &Program| {
            let why = || "it sets something on a broker that the program under test does not take".to_owned();
            matches!(program, Program::Broker(broker) if !(self.takes.0)(broker)).then(why)
        };
        let abilities = Abilities {
            nodes: for_guests::brokers(&plan),
            role: Role::Broker,
            does_not_take: &does_not_take,
            has_clock: false,
            reasons: BTreeSet::new(),
        };
        match adapted(&plan, &abilities) {
            Ok(Adapted { plan, .. }) => runner.run(&Arc::new(plan)),
            Err(why) => runner.finished(&Arc::new(plan), Ending::Skipped(EngineError::NotFor(why))),
        }
    }

    /// Runs a scenario, or all of a folder: for a test.
    ///
    /// # Panics
    /// If a file is wrong, or a run does not pass: with what is wrong, and the trace. Runs that the file or the engine
    /// excludes count as passed.
    #[track_caller]
    pub fn assert_passes(&self, path: impl AsRef<Path>) {
        let runs = self.run(path).unwrap_or_else(|errors| panic!("\n{errors}"));
        if let Err(why) = self.verdict(&runs) {
            panic!("\n{why}");
        }
    }

    /// Returns whether all of these runs, which are all that some files have, are as expected.
    ///
    /// # Errors
    /// With a report for people: the runs that do not pass, each with its trace, and waivers that waive nothing.
    pub fn verdict(&self, runs: &[Finished]) -> Result<(), String> {
        let mut out = Vec::new();
        let summary = self.report(runs, &mut out).expect("a Vec takes everything");
        if summary.failed + summary.broken + summary.vacuous == 0 {
            return Ok(());
        }
        Err(anstream::adapter::strip_str(&String::from_utf8_lossy(&out)).to_string())
    }

    fn report(&self, runs: &[Finished], out: &mut Vec<u8>) -> io::Result<Summary> {
        let mut terminal = Terminal::with_verbosity(out, Verbosity::Quiet);
        let mut waivers = Waivers::default();
        for run in runs {
            let mut record = RunRecord::new(run, &About::default(), 0, Duration::ZERO, Detail::default());
            if self.program_under_test.is_some() {
                // `halfopen` does not know the program under test.
                "cargo test".clone_into(&mut record.command);
            } else {
                waivers.add(&record);
            }
            terminal.record(record)?;
        }
        terminal.waivers(&waivers)?;
        terminal.finish()
    }
}

impl Default for Takes {
    fn default() -> Self {
        Self(Rc::new(|program| *program == BrokerProgram::default()))
    }
}

impl fmt::Debug for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takes")
    }
}

/// Returns where the scenarios of this project are, if it was built from its repository: a path or a git dependency.
pub fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios")
}
