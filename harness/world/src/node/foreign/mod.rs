//! A program other than the project's, as a Linux process on a node: a broker, or a client with its adapter.

mod adapter;
mod address;
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
use crate::plan::{Because, NodeId, Program, Seed};

/// A program that is not the project's, to run on nodes in the place of the project's broker or client, each time in a
/// Linux process of its own.
///
/// It is started with the world, and again after each `restart`. `crash` and `power_loss` kill it with SIGKILL.
#[derive(Clone)]
pub struct ForeignProgram(Rc<Inner>);

struct Inner {
    options: ForeignOptions,
    starts: RefCell<BTreeMap<NodeId, u64>>,
    troubles: RefCell<Vec<String>>,
    notes: RefCell<Vec<String>>,
    refusals: RefCell<Vec<String>>,
}

/// The options for a [`ForeignProgram`].
pub struct ForeignOptions {
    /// Starts the program.
    pub launch: Box<StartsProgram>,
    /// The role.
    pub role: ForeignRole,
    /// Time that it may take until it is ready, by its own clock. That time passes before the world's begins.
    pub ready_within: Duration,
}

/// The role of a [`ForeignProgram`] in its world.
pub enum ForeignRole {
    /// A broker, which is ready when it listens.
    Broker {
        /// Port on which it accepts connections.
        port: u16,
        /// Reads its log.
        read_log: Box<ReadsLog>,
    },
    /// An adapter with a client, which is ready when it says so.
    Client,
}

impl ForeignRole {
    /// Returns what it has done when it is ready, and what it does to get there, for messages.
    fn ready(&self) -> (String, String) {
        match self {
            Self::Broker { port, .. } => (format!("listened on port {port}"), format!("listen on port {port}")),
            Self::Client => ("was ready".to_owned(), "say {\"event\":\"ready\"}".to_owned()),
        }
    }
}

/// Returns how the program is started on the node of this name, with these settings, after the given number of earlier
/// starts.
pub type StartsProgram = dyn Fn(&str, &Program, u64) -> io::Result<Launch>;

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
        let (starts, troubles, notes, refusals) = Default::default();
        Self(Rc::new(Inner { options, starts, troubles, notes, refusals }))
    }

    /// Takes what went wrong with the program itself, if anything did: then the run says nothing about it.
    pub fn take_trouble(&self) -> Option<String> {
        let troubles = self.0.troubles.take();
        (!troubles.is_empty()).then(|| troubles.join("\n"))
    }

    /// Takes why the program could not be what the run wanted, if it could not: then the run is skipped.
    pub fn take_refusal(&self) -> Option<String> {
        self.0.refusals.take().into_iter().next()
    }

    /// Takes the notes for the judge of the run: what the program asked for in vain, why two runs may differ.
    pub fn take_notes(&self) -> Vec<String> {
        self.0.notes.take()
    }

    fn fail(&self, trouble: String) {
        self.0.troubles.borrow_mut().push(trouble);
    }

    fn refuse(&self, why: String) {
        self.0.refusals.borrow_mut().push(why);
    }

    fn note(&self, note: String) {
        let mut notes = self.0.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    fn launch(&self, node: NodeId, name: &str, seed: Seed, program: &Program) -> io::Result<Launch> {
        let mut starts = self.0.starts.borrow_mut();
        let count = starts.entry(node).or_default();
        let mut launch = (self.0.options.launch)(name, program, *count)?;
        launch.has_input = matches!(self.0.options.role, ForeignRole::Client);
        launch.seed = seed.derive(&format!("{name}#{count}")).0;
        *count += 1;
        Ok(launch)
    }
}

/// Runs the program until it ends or the node is dropped.
pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, foreign: ForeignProgram) {
    let node = env.plan.node(env.node);
    let name = node.name.clone();
    let launched = foreign.launch(env.node, &name, env.plan.seed, &node.program);
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
