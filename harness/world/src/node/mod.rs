//! What runs on a node: the project's broker or another in its place, the project's client, or a raw peer. The same on
//! every engine.

mod abortable;
mod broker;
mod client;
mod client_id;
mod disk;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod foreign;
mod guest;
mod output;
mod queue;
mod raw;
mod remote;
mod settings;
mod switchboard;

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, Subscription};
use halfopen_protocol::{Clock, Instant};
use tokio::sync::mpsc::UnboundedSender;

pub(crate) use self::disk::{Disk, Disks};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::foreign::{ForeignOptions, ForeignProgram, ReadsLog, StartsProgram};
pub use self::guest::{Connection, Guest, Host};
use self::queue::QueueReceiver;
pub use self::remote::{ReadsRemoteLog, RemoteBroker, RemoteOptions, RemoteProcess, StartedRemote, StartsRemote};
pub use self::settings::broker_config;
pub(crate) use self::switchboard::Switchboard;
use super::defect::Defect;
use super::network::{Network, Peer};
use super::record::Recorder;
use crate::plan::{Answers, BrokerProgram, CloseHow, NodeId, NthConnection, Outgoing, Plan, Program, StepId};

/// What the story tells a program to do.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Open a connection, send CONNECT, and do what the program does after CONNACK.
    Connect {
        /// The CONNECT, if another one than the node's own.
        connect: Option<Box<Connect>>,
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
    /// Answer so from now on.
    Answer(Answers),
    /// Read on a connection, or read nothing more.
    SetReading(bool),
    /// End the process in order.
    Shutdown,
    /// Take these settings.
    Configure(Box<BrokerProgram>),
    /// No PINGREQ any more.
    StopPinging,
    /// PINGREQ again.
    ResumePinging,
}

/// A node's clock, which may go otherwise than the world's.
pub(crate) trait WorldClock: Clock {
    /// When in the world's time the clock showed `instant`, or will: since the start of the run.
    fn world_time(&self, instant: Instant) -> Duration {
        instant.since_origin()
    }

    /// Returns up to when, by this clock, nothing happens in the world but what the caller does, as far as that is known.
    fn quiet_until(&self) -> Option<Duration> {
        None
    }
}

/// A command, and the step that gave it.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// Which.
    pub(crate) step: StepId,
    /// Whether it is done over and over, in the background.
    pub(crate) in_background: bool,
    /// For a raw peer: on which connections, the latest of these; the latest of all if there are none.
    pub(crate) on: Vec<NthConnection>,
    pub(crate) command: Command,
}

/// What a program on a node is handed.
pub(crate) struct Env<N, C> {
    pub(crate) plan: Arc<Plan>,
    pub(crate) node: NodeId,
    pub(crate) network: N,
    pub(crate) clock: C,
    pub(crate) recorder: Recorder,
    pub(crate) commands: QueueReceiver<Told>,
    pub(crate) disk: Disk,
    /// What is wrong with the program.
    pub(crate) defect: Option<Defect>,
    /// What runs in the place of the project's broker.
    pub(crate) guest: Option<Guest>,
}

/// Runs the program of a node until it is dropped. Dropping it closes its sockets, as the death of a process does.
pub(crate) async fn run<N: Network, C: WorldClock>(env: Env<N, C>) {
    let plan = Arc::clone(&env.plan);
    // Boxed, so that a node has room for its own program and not for the largest: there may be a million of them.
    match (&plan.node(env.node).program, env.guest.clone()) {
        (Program::Broker(program), Some(guest)) => Box::pin(guest::run(env, program, guest)).await,
        (Program::Broker(program), None) => Box::pin(broker::run(env, program)).await,
        (Program::Client(program), _) => Box::pin(client::run(env, program)).await,
        (Program::RawClient(program), _) => Box::pin(raw::run_client(env, program)).await,
        (Program::RawBroker(program), _) => Box::pin(raw::run_broker(env, program)).await,
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

/// Brings a line of a program's own log to whoever listens, with virtual time and the node's name: for people, nothing
/// is judged by it. `line` is only made if somebody does.
fn log(plan: &Plan, node: NodeId, now: Duration, line: impl FnOnce() -> Vec<String>) {
    if tracing::enabled!(target: "halfopen::node", tracing::Level::DEBUG) {
        for line in line() {
            let name = &plan.node(node).name;
            tracing::debug!(target: "halfopen::node", "{:>9.3}  {name:<8} {line}", now.as_secs_f64());
        }
    }
}
