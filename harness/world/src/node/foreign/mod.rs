//! A broker other than the project's, as a Linux process on a broker's node.

mod carried;
mod machine;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use halfopen_process::{Launch, Process};

use self::machine::Machine;
use super::{Env, WorldClock};
use crate::network::Network;
use crate::plan::{Because, BrokerProgram, NodeId, Seed};

/// A program that is not the project's, to run on a broker's node in its place, in a Linux process of its own.
///
/// It is started with the world, and again after each `restart`. `crash` and `power_loss` kill it with SIGKILL.
#[derive(Clone)]
pub struct ForeignProgram(Rc<Inner>);

struct Inner {
    options: ForeignOptions,
    starts: RefCell<BTreeMap<NodeId, u64>>,
    troubles: RefCell<Vec<String>>,
    notes: RefCell<Vec<String>>,
}

/// The options for a [`ForeignProgram`].
pub struct ForeignOptions {
    /// Starts the program.
    pub launch: Box<StartsProgram>,
    /// Port on which it accepts connections.
    pub port: u16,
    /// Time that it may take until it listens, by its own clock. That time passes before the world's begins.
    pub ready_within: Duration,
    /// Reads its log.
    pub read_log: Box<ReadsLog>,
}

/// Returns how the program is started on the node of this name, with these settings, after the given number of earlier
/// starts.
pub type StartsProgram = dyn Fn(&str, &BrokerProgram, u64) -> io::Result<Launch>;

/// Reads from a line of a log which client is closed, and why.
pub type ReadsLog = dyn Fn(&str) -> Option<(String, Because)>;

impl fmt::Debug for ForeignProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ForeignProgram")
    }
}

impl ForeignProgram {
    /// Returns a program that is started and read as `options` say, for one run.
    pub fn new(options: ForeignOptions) -> Self {
        let (starts, troubles, notes) = Default::default();
        Self(Rc::new(Inner { options, starts, troubles, notes }))
    }

    /// Takes what went wrong with the program itself, if anything did: then the run says nothing about it.
    pub fn take_trouble(&self) -> Option<String> {
        let troubles = self.0.troubles.take();
        (!troubles.is_empty()).then(|| troubles.join("\n"))
    }

    /// Takes the notes for the judge of the run: what the program asked for in vain, why two runs may differ.
    pub fn take_notes(&self) -> Vec<String> {
        self.0.notes.take()
    }

    fn fail(&self, trouble: String) {
        self.0.troubles.borrow_mut().push(trouble);
    }

    fn note(&self, note: String) {
        let mut notes = self.0.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn launch(&self, node: NodeId, name: &str, seed: Seed, program: &BrokerProgram) -> io::Result<Launch> {
        let mut starts = self.0.starts.borrow_mut();
        let count = starts.entry(node).or_default();
        let mut launch = (self.0.options.launch)(name, program, *count)?;
        launch.seed = seed.derive(&format!("{name}#{count}")).0;
        *count += 1;
        Ok(launch)
    }
}

/// Runs the program until it ends or the node is dropped.
pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, program: &BrokerProgram, foreign: ForeignProgram) {
    let name = env.plan.node(env.node).name.clone();
    let launched = foreign.launch(env.node, &name, env.plan.seed, program);
    let process = launched.map_err(|error| error.to_string()).and_then(|launch| {
        let process = Process::start(&launch).map_err(|error| error.to_string())?;
        Ok((process, launch.program.display().to_string()))
    });
    let (process, command) = match process {
        Ok(process) => process,
        Err(error) => return foreign.fail(format!("{name}: {error}")),
    };
    let mut machine = Machine::new(env, foreign, process, name, command);
    let result = match machine.boot() {
        Ok(()) => machine.serve().await,
        failed => failed,
    };
    if let Err(trouble) = result {
        machine.fail(&trouble);
    }
}
