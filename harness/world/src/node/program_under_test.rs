use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, copy_bidirectional_with_sizes, duplex};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{LocalSet, unconstrained};

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
use super::foreign::ForeignProgram;
use super::remote::RemoteBroker;
use super::{Env, WorldClock, port};
use crate::network::Network;
use crate::plan::{BrokerProgram, NodeId, Plan, Program};
use crate::script::NodeFuture;

/// Number of bytes that may be on their way between a socket and the program under test, in each direction.
const PIPE: usize = 64 * 1024;

/// A program that is not the project's, to run on a node in the place of the project's: of its broker, or, if it is a
/// process, of its client.
///
/// It is started with the world, and again after each `restart`, each time with a new [`NodeHandle`]. The end of its
/// future is the end of its process, and the end of its process (`crash`, `power_loss`) drops its future. Its time is
/// tokio's, which is virtual: `tokio::time` works as ever, and the wall clock has no meaning.
#[derive(Clone)]
pub struct ProgramUnderTest(Kind);

#[derive(Clone)]
enum Kind {
    Future(Rc<dyn Fn(NodeHandle) -> NodeFuture>),
    Remote(RemoteBroker),
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    Foreign(ForeignProgram),
}

impl ProgramUnderTest {
    /// A program under test that is started by `start`.
    pub fn new<F: Future<Output = ()> + 'static>(start: impl Fn(NodeHandle) -> F + 'static) -> Self {
        Self(Kind::Future(Rc::new(move |host| Box::pin(start(host)))))
    }

    /// A program under test outside of the world: on [`Engine::Live`](crate::Engine::Live) alone.
    pub fn remote(broker: RemoteBroker) -> Self {
        Self(Kind::Remote(broker))
    }

    /// Returns the broker outside of the world that it is, if it is one.
    pub(crate) fn as_remote(&self) -> Option<&RemoteBroker> {
        match &self.0 {
            Kind::Remote(broker) => Some(broker),
            _ => None,
        }
    }

    /// A program under test that is a process of its own.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn foreign(program: ForeignProgram) -> Self {
        Self(Kind::Foreign(program))
    }

    /// Takes the notes for the judge of the run: what the program under test asked for in vain, why two runs may
    /// differ.
    pub fn take_notes(&self) -> Vec<String> {
        match &self.0 {
            Kind::Future(_) | Kind::Remote(_) => Vec::new(),
            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            Kind::Foreign(program) => program.take_notes(),
        }
    }

    /// Takes why the program could not be what the run wanted, if it could not: then the run is skipped.
    pub fn take_refusal(&self) -> Option<String> {
        match &self.0 {
            Kind::Future(_) | Kind::Remote(_) => None,
            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            Kind::Foreign(program) => program.take_refusal(),
        }
    }

    /// Takes what went wrong with the program under test itself, if anything did: then its run says nothing about it.
    pub fn take_trouble(&self) -> Option<String> {
        match &self.0 {
            Kind::Future(_) => None,
            Kind::Remote(broker) => broker.take_trouble(),
            #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
            Kind::Foreign(program) => program.take_trouble(),
        }
    }
}

impl fmt::Debug for ProgramUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProgramUnderTest")
    }
}

/// The programs under test of a world, by the nodes that they run on.
#[derive(Clone, Debug, Default)]
pub struct ProgramsUnderTest(BTreeMap<NodeId, ProgramUnderTest>);

impl ProgramsUnderTest {
    /// Returns a program on each node of a plan that has the project's broker.
    pub fn brokers(plan: &Plan, program: &ProgramUnderTest) -> Self {
        let is_broker = |node: &NodeId| matches!(plan.node(*node).program, Program::Broker(_));
        Self(plan.node_ids().filter(is_broker).map(|node| (node, program.clone())).collect())
    }

    /// Adds a process, on the node of a broker or of a client, as it is one.
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn add(&mut self, node: NodeId, program: ForeignProgram) {
        self.0.insert(node, ProgramUnderTest::foreign(program));
    }

    /// Returns whether a node has one.
    pub fn has(&self, node: NodeId) -> bool {
        self.0.contains_key(&node)
    }

    /// Returns whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the program on a node, if there is one.
    pub(crate) fn on(&self, node: NodeId) -> Option<ProgramUnderTest> {
        self.0.get(&node).cloned()
    }

    /// Returns the broker outside of the world among them, if there is one.
    pub(crate) fn as_remote(&self) -> Option<&RemoteBroker> {
        self.0.values().find_map(ProgramUnderTest::as_remote)
    }

    /// Takes the notes of all of them for the judge of the run.
    pub fn take_notes(&self) -> Vec<String> {
        self.0.values().flat_map(ProgramUnderTest::take_notes).collect()
    }

    /// Takes why one of them could not be what the run wanted, if one could not.
    pub fn take_refusal(&self) -> Option<String> {
        self.0.values().find_map(ProgramUnderTest::take_refusal)
    }

    /// Takes what went wrong with them, if anything did.
    pub fn take_trouble(&self) -> Option<String> {
        self.0.values().find_map(ProgramUnderTest::take_trouble)
    }
}

/// The environment of a [`ProgramUnderTest`]: the host it runs on, whose port for MQTT is bound.
#[derive(Debug)]
pub struct NodeHandle {
    name: String,
    program: BrokerProgram,
    connections: mpsc::UnboundedReceiver<Connection>,
}

impl NodeHandle {
    /// The name of the node: `broker`, if there is but one.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what the scenario sets on the broker, in the terms of the project's own.
    pub fn program(&self) -> &BrokerProgram {
        &self.program
    }

    /// Waits for the next connection.
    pub async fn accept(&mut self) -> Connection {
        match self.connections.recv().await {
            Some(connection) => connection,
            // The world brings no more, but does not end the process.
            None => std::future::pending().await,
        }
    }
}

/// A connection that a [`ProgramUnderTest`] has accepted. Dropping it closes it.
///
/// It may go to any task, also to one of `tokio::spawn`.
#[derive(Debug)]
pub struct Connection {
    pipe: DuplexStream,
    /// Gone together with the connection.
    _open: oneshot::Sender<()>,
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// Runs the program of a node.
pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, program: ProgramUnderTest) {
    let plan = Arc::clone(&env.plan);
    match (program.0, &plan.node(env.node).program) {
        (Kind::Future(start), Program::Broker(program)) => run_future(env, program, &*start).await,
        (Kind::Remote(remote), Program::Broker(program)) => super::remote::run(env, program, remote).await,
        #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
        (Kind::Foreign(foreign), _) => super::foreign::run(env, foreign).await,
        (Kind::Future(_) | Kind::Remote(_), _) => unreachable!("only `ProgramsUnderTest::brokers` takes them"),
    }
}

/// The sockets stay with the node, and the program under test holds pipes: what it spawns may be polled outside of the
/// node.
async fn run_future<N: Network, C: WorldClock>(
    env: Env<N, C>,
    program: &BrokerProgram,
    start: &dyn Fn(NodeHandle) -> NodeFuture,
) {
    let (accepted, connections) = mpsc::unbounded_channel();
    let host = NodeHandle { name: env.plan.node(env.node).name.clone(), program: program.clone(), connections };
    let kernel = LocalSet::new();
    kernel.spawn_local(accept(env.network, accepted));
    let process = LocalSet::new();
    tokio::select! {
        biased;
        // What has arrived is there before the program under test looks at its timers.
        () = kernel => {}
        () = process.run_until(start(host)) => {}
    }
}

/// Never ends: even a program under test that takes no more connections goes on with those that it has.
async fn accept<N: Network>(network: N, accepted: mpsc::UnboundedSender<Connection>) {
    let mut listener = port(&network).await;
    while let Ok((socket, _)) = network.accept(&mut listener).await {
        let (ours, theirs) = duplex(PIPE);
        let (open, closed) = oneshot::channel();
        tokio::task::spawn_local(unconstrained(carry(socket, ours, closed)));
        // Where nobody is left to take it, it is closed at once.
        let _ = accepted.send(Connection { pipe: theirs, _open: open });
    }
    std::future::pending().await
}

/// Carries bytes between a socket and a program under test until one of them is done; then the socket is closed, even
/// if what the program under test wrote last does not fit into a window that is full.
async fn carry(mut socket: impl AsyncRead + AsyncWrite + Unpin, mut pipe: DuplexStream, closed: oneshot::Receiver<()>) {
    tokio::select! {
        biased;
        _ = copy_bidirectional_with_sizes(&mut socket, &mut pipe, PIPE, PIPE) => {}
        _ = closed => {}
    }
}
