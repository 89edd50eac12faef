//! Engines: they bring a plan to life and record its trace.
//!
//! `node` is what runs on a node, `director` carries out the script, and both are the same on every engine; an engine
//! brings the network and the time. [`Engine::Sim`] is event-driven and the one to use; [`Engine::Turmoil`] runs the same
//! plan on `turmoil::Sim`, to check the other against; [`Engine::Live`] runs the event-driven one on the machine's time,
//! for brokers outside of the world.

mod breach;
mod carrying;
mod connection_tap;
mod defect;
mod director;
mod engines;
mod network;
mod node;
mod record;
mod script;
mod tap;
#[cfg(test)]
mod tests;

use std::time::Duration;

use halfopen_plan::{self as plan, Seed, trace};

pub use self::breach::Breach;
pub use self::defect::{Defect, UnknownDefect};
pub use self::engines::event_driven::LocalTime;
pub use self::engines::live::{RealTime, interrupt, live_means};
pub use self::engines::{Engine, EngineError, run};
pub use self::node::{
    Connection, ConnectsRemote, NodeHandle, ProgramUnderTest, ProgramsUnderTest, ReadsRemoteLog, RemoteBroker,
    RemoteConnecting, RemoteOptions, RemoteProcess, RemoteStream, StartedRemote, StartsRemote, broker_config,
    connect_by_tcp,
};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::node::{ForeignOptions, ForeignProgram, ForeignRole, ReadsLog, StartsProgram};
use crate::trace::RunObserver;

/// The step by which `turmoil::Sim` advances time.
pub const TICK: Duration = Duration::from_millis(1);

/// The options of a run, besides its plan.
pub struct RunOptions {
    /// The observer of all events. It decides when the run may end, where the plan does not.
    pub observer: Box<dyn RunObserver>,
    /// True if the trace is kept. Otherwise the one that is returned has no events.
    pub keeps_trace: bool,
    /// A defect that is switched on in all of the project's brokers, or in all of its clients.
    pub defect: Option<Defect>,
    /// Programs that take the place of the project's.
    pub programs_under_test: ProgramsUnderTest,
    /// Number of events after which the run ends at that instant, whatever the file says; `None` for no bound.
    pub event_limit: Option<usize>,
    /// The way in which the run differs from one of its events on. The event-driven engine alone can do this, in virtual time.
    pub variation: Option<Variation>,
}

impl RunOptions {
    /// Creates the options of a run of the project's own programs as they are, without a trace and without a bound.
    pub fn new(observer: Box<dyn RunObserver>) -> Self {
        Self {
            observer,
            keeps_trace: false,
            defect: None,
            programs_under_test: ProgramsUnderTest::default(),
            event_limit: None,
            variation: None,
        }
    }
}

/// A run that begins as another one, and goes on otherwise by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variation {
    /// Number of events after which travel times and losses are drawn anew. What is sent at the same instant, before the
    /// network takes it over, travels anew, too.
    pub after: usize,
    /// The seed of what is drawn from then on.
    pub seed: Seed,
    /// The time by which each packet travels longer than its link says, at most.
    pub spread: Duration,
}
