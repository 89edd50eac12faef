//! What runs on a node: the project's broker or another in its place, the project's client, or a raw peer. The same on
//! every engine.

mod abortable;
mod broker;
mod client;
mod client_id;
mod disk;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod foreign;
mod output;
mod pace;
mod program_under_test;
mod queue;
mod raw;
mod remote;
mod settings;
mod switchboard;

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, Subscription};
use halfopen_protocol::{Clock, Instant, Role};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) use self::disk::{Disk, Disks};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::foreign::{ForeignOptions, ForeignProgram, ForeignRole, ReadsLog, StartsProgram};
pub use self::program_under_test::{Connection, NodeHandle, ProgramUnderTest, ProgramsUnderTest};
use self::queue::QueueReceiver;
pub use self::remote::{
    ConnectsRemote, ReadsRemoteLog, RemoteBroker, RemoteConnecting, RemoteOptions, RemoteProcess, RemoteStream,
    StartedRemote, StartsRemote, connect_by_tcp,
};
pub use self::settings::broker_config;
pub(crate) use self::switchboard::Switchboard;
use super::breach::{Breach, BreachedNetwork};
use super::carrying::CarryingNetwork;
use super::defect::Defect;
use super::network::{Network, Peer};
use super::record::Recorder;
use super::script::NodeFuture;
use crate::plan::{Answers, BrokerProgram, CloseHow, NodeId, NthConnection, Outgoing, Plan, Program, StepId};

/// A command of the script to a program.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Open a connection, send CONNECT, and do what the program does after CONNACK.
    Connect {
        /// The CONNECT, if another one than the node's own.
        connect: Option<Arc<Connect>>,
    },
    /// Open a connection and nothing more.
    Open,
    /// Send SUBSCRIBE.
    Subscribe {
        /// The filters with their options.
        subscriptions: Vec<Subscription>,
        /// 5.0: the number that comes back with each message.
        subscription_id: Option<u32>,
    },
    /// Send UNSUBSCRIBE.
    Unsubscribe(Vec<ByteString>),
    /// Publish.
    Publish(Publish),
    /// Send DISCONNECT and close.
    Disconnect(Box<Disconnect>),
    /// Close without a word.
    Close(CloseHow),
    /// Write these in one piece.
    Send(Vec<Outgoing>),
    /// Give these answers after this command.
    Answer(Answers),
    /// Read on a connection, or read nothing more.
    SetReading(bool),
    /// End the process in order.
    Shutdown,
    /// Take these settings.
    Configure(Box<BrokerProgram>),
    /// Stop sending PINGREQ.
    StopPinging,
    /// PINGREQ again.
    ResumePinging,
    /// Authenticate again.
    Reauthenticate,
}

/// A node's clock, which may go otherwise than the world's.
pub(crate) trait WorldClock: Clock {
    /// Returns when in the world's time the clock showed `instant`, or will: since the start of the run.
    fn world_time(&self, instant: Instant) -> Duration {
        instant.since_origin()
    }

    /// Returns up to when, by this clock, nothing happens in the world but what the caller does, as far as that is
    /// known.
    fn quiet_until(&self) -> Option<Duration> {
        None
    }
}

/// A command, and the step that gave it.
#[derive(Clone, Debug)]
pub(crate) struct Directive {
    /// The step.
    pub(crate) step: StepId,
    /// True if it is done over and over, in the background.
    pub(crate) in_background: bool,
    /// The connections of a raw peer: the latest of these, or the latest of all if empty.
    pub(crate) on: Vec<NthConnection>,
    pub(crate) command: Command,
}

/// The environment of a program on a node.
pub(crate) struct Env<N, C> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) node: NodeId,
    pub(crate) network: N,
    pub(crate) clock: C,
    pub(crate) recorder: Recorder,
    pub(crate) commands: QueueReceiver<Directive>,
    pub(crate) disk: Disk,
    /// The defect of the program.
    pub(crate) defect: Option<Defect>,
    /// The program in the place of the project's.
    pub(crate) program_under_test: Option<ProgramUnderTest>,
}

impl<N: Network, C> Env<N, C> {
    /// Puts the transport of the broker's port between the program and its sockets.
    fn carried(self) -> Env<CarryingNetwork<N>, C> {
        let (plan, node, breach) = (Arc::clone(&self.plan), self.node, self.breach());
        self.on(|network| CarryingNetwork::new(network, plan, node, breach))
    }

    /// Puts the breach of this run between the program, which is on this side, and its sockets.
    fn breached(self, side: Role) -> Env<BreachedNetwork<N>, C> {
        let (version, breach) = (self.plan.version, self.breach());
        self.on(|network| BreachedNetwork::new(network, breach, side, version))
    }

    fn breach(&self) -> Option<Breach> {
        match self.defect {
            Some(Defect::Breach(breach)) => Some(breach),
            _ => None,
        }
    }

    fn on<M: Network>(self, network_on: impl FnOnce(N) -> M) -> Env<M, C> {
        let Self { plan, node, network, clock, recorder, commands, disk, defect, program_under_test } = self;
        let network = network_on(network);
        Env { plan, node, network, clock, recorder, commands, disk, defect, program_under_test }
    }
}

/// The state that the programs of all nodes of a run share: an engine starts each of them with this.
#[derive(Clone)]
pub(crate) struct Programs {
    plan: Arc<Plan>,
    switchboard: Switchboard,
    disks: Disks,
    defect: Option<Defect>,
    programs_under_test: ProgramsUnderTest,
}

impl Programs {
    /// Prepares the programs of `plan`, with this defect and these programs in the place of the project's.
    pub(crate) fn new(plan: &Arc<Plan>, defect: Option<Defect>, programs_under_test: ProgramsUnderTest) -> Self {
        let nodes = plan.nodes.len();
        Self {
            plan: Arc::clone(plan),
            switchboard: Switchboard::new(nodes),
            disks: Disks::default(),
            defect,
            programs_under_test,
        }
    }

    /// Returns the way by which the script's commands reach the programs.
    pub(crate) fn switchboard(&self) -> &Switchboard {
        &self.switchboard
    }

    /// Returns the disks of all nodes, for the faults that concern them.
    pub(crate) fn disks(&self) -> &Disks {
        &self.disks
    }

    /// Returns the defect that is switched on.
    pub(crate) fn defect(&self) -> Option<Defect> {
        self.defect
    }

    /// Returns whether there are programs in the place of the project's, which may wait in tokio's time.
    pub(crate) fn has_programs_under_test(&self) -> bool {
        !self.programs_under_test.is_empty()
    }

    /// Starts the program of a node, at the start of the run and after each restart.
    pub(crate) fn start<N: Network, C: WorldClock>(
        &self,
        recorder: &Recorder,
        node: NodeId,
        network: N,
        clock: C,
    ) -> NodeFuture {
        run(Env {
            plan: Arc::clone(&self.plan),
            node,
            network,
            clock,
            recorder: recorder.clone(),
            commands: self.switchboard.plug_in(node),
            disk: self.disks.of(node),
            defect: self.defect,
            program_under_test: self.programs_under_test.on(node),
        })
    }
}

/// Runs the program of a node until it is dropped. Dropping it closes its sockets, as the death of a process does.
fn run<N: Network, C: WorldClock>(env: Env<N, C>) -> NodeFuture {
    let plan = Arc::clone(&env.plan);
    if let Some(program) = env.program_under_test.clone() {
        return Box::pin(program_under_test::run(env, program));
    }
    match &plan.node(env.node).program {
        // There may be a million of them, and nothing is held beside what the client itself needs.
        Program::Client(program) => client::run(env.carried().breached(Role::Client), program),
        _ => Box::pin(run_other(env, plan)),
    }
}

/// Runs a program of the project or of the harness that is no client.
async fn run_other<N: Network, C: WorldClock>(env: Env<N, C>, plan: Arc<Plan>) {
    match &plan.node(env.node).program {
        Program::Broker(program) => Box::pin(broker::run(env.carried().breached(Role::Server), program)).await,
        Program::RawClient(program) => Box::pin(raw::run_client(env.carried(), program)).await,
        Program::RawBroker(program) => Box::pin(raw::run_broker(env.carried(), program)).await,
        Program::Client(_) => unreachable!("a client is run by itself"),
    }
}

/// The MQTT port of the node.
async fn port<N: Network>(network: &N) -> N::Listener {
    match network.listen().await {
        Ok(listener) => listener,
        // The node has one program and the port is its own; a world in which it is taken is broken.
        Err(error) => unreachable!("the MQTT port of a node is taken: {error}"),
    }
}

/// Takes connections at the MQTT port of the node. Never ends; dropping it ends the listening.
async fn accept<N: Network>(network: N, arrivals: UnboundedSender<(N::Stream, Peer)>) {
    let mut listener = port(&network).await;
    while let Ok(arrival) = network.accept(&mut listener).await {
        let _ = arrivals.send(arrival);
    }
    std::future::pending().await
}

/// Emits a line of a program's own log, with virtual time and the node's name: for people, nothing
/// is judged by it. `line` is only made if somebody does.
fn log(plan: &Plan, node: NodeId, now: Duration, line: impl FnOnce() -> Vec<String>) {
    if tracing::enabled!(target: "halfopen::node", tracing::Level::DEBUG) {
        for line in line() {
            let name = &plan.node(node).name;
            tracing::debug!(target: "halfopen::node", "{:>9.3}  {name:<8} {line}", now.as_secs_f64());
        }
    }
}
