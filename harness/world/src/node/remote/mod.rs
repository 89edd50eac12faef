//! A broker outside of the world, which the node stands for: each connection of the node is carried on by real TCP.

mod carried;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use self::carried::RemoteConnection;
use super::output::ProgramOutput;
use super::{Env, WorldClock, accept, log};
use crate::engines::live;
use crate::network::{Network, Peer};
use crate::plan::{Because, BrokerProgram, NodeId, Plan, Program};
use crate::record::Recorder;

/// Pause before a program that does not listen yet is asked again.
const AGAIN: Duration = Duration::from_millis(5);
/// Number of bytes of a program's output that are read at once.
const OUTPUT: usize = 16 * 1024;

/// A broker outside of the world, for one run on [`Engine::Live`](crate::Engine::Live): one that runs anyway, or one
/// that is started with the world and after each `restart`, and killed with SIGKILL by `crash` and `power_loss`.
#[derive(Clone)]
pub struct RemoteBroker(Rc<Inner>);

struct Inner {
    options: RemoteOptions,
    starts: RefCell<BTreeMap<NodeId, u64>>,
    /// Started before the world began.
    booted: RefCell<BTreeMap<NodeId, StartedRemote>>,
    processes: RefCell<BTreeMap<NodeId, Box<dyn RemoteProcess>>>,
    /// Processes that go on as soon as they can read what has come meanwhile.
    resumed: RefCell<BTreeSet<NodeId>>,
    troubles: RefCell<Vec<String>>,
}

/// Starts a broker: on the node of this name, with these settings, for which time since the start of the run.
pub type StartsRemote = dyn Fn(&str, &BrokerProgram, u64) -> io::Result<StartedRemote>;

/// A connection to a broker outside of the world: TCP, or what carries the bytes over TCP, such as TLS.
pub trait RemoteStream: AsyncRead + AsyncWrite + Unpin {
    /// Makes its end an RST, which is what the broker would see if the client's connection has failed.
    fn reset_when_dropped(&self);
}

impl RemoteStream for TcpStream {
    fn reset_when_dropped(&self) {
        let _ = self.set_zero_linger();
    }
}

/// A connection to a broker outside of the world while it is being opened.
pub type RemoteConnecting = Pin<Box<dyn Future<Output = io::Result<Box<dyn RemoteStream>>>>>;

/// Opens a connection to a broker at an address.
pub type ConnectsRemote = dyn Fn(SocketAddr) -> RemoteConnecting;

/// Opens a connection over TCP that sends each piece at once.
///
/// # Errors
/// If nobody answers there.
pub async fn connect_by_tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads a line of a broker's log: which client it closes, and why.
pub type ReadsRemoteLog = dyn Fn(&str) -> Option<(String, Because)>;

/// The options for a [`RemoteBroker`].
pub struct RemoteOptions {
    /// Starts the broker on the node of this name, with these settings, for which time since the start of the run (from
    /// 0), if it has to be started at all.
    pub start: Box<StartsRemote>,
    /// Opens a connection to it. Where the connection is encrypted, the world sees what is inside.
    pub connect: Box<ConnectsRemote>,
    /// Time that it may take until it listens.
    pub ready_within: Duration,
    /// Returns what a line of its log says: which client it closes, and why.
    pub read_log: Box<ReadsRemoteLog>,
}

/// A broker that has been started, or that runs anyway.
pub struct StartedRemote {
    /// The address.
    pub address: SocketAddr,
    /// The process, if the world may do something to it.
    pub process: Option<Box<dyn RemoteProcess>>,
}

/// A process outside of the world. Dropping it kills it.
pub trait RemoteProcess {
    /// Stops it (SIGSTOP). Its kernel lives.
    fn pause(&mut self);

    /// Lets it go on (SIGCONT).
    fn resume(&mut self);

    /// Returns how it ended, if it has.
    fn ended(&mut self) -> Option<String>;

    /// Reads what it prints; 0 bytes are the end.
    fn poll_output(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize>;
}

impl fmt::Debug for RemoteBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RemoteBroker")
    }
}

impl RemoteBroker {
    /// Returns a broker that is started and read as `options` say, for one run.
    pub fn new(options: RemoteOptions) -> Self {
        let (starts, booted, processes, resumed, troubles) = Default::default();
        Self(Rc::new(Inner { options, starts, booted, processes, resumed, troubles }))
    }

    /// Takes what went wrong with the broker itself, if anything did: then the run says nothing about it.
    pub fn take_trouble(&self) -> Option<String> {
        let troubles = self.0.troubles.take();
        (!troubles.is_empty()).then(|| troubles.join("\n"))
    }

    /// Starts the brokers of all nodes and waits until they listen: the world begins with programs that are ready.
    pub(crate) async fn boot(&self, plan: &Plan) {
        for node in plan.node_ids() {
            let Program::Broker(program) = &plan.node(node).program else { continue };
            let name = &plan.node(node).name;
            match self.start(node, name, program) {
                Ok(mut started) => match self.listens(&mut started).await {
                    Ok(()) => drop(self.0.booted.borrow_mut().insert(node, started)),
                    Err(trouble) => self.fail(format!("{name}: {trouble}")),
                },
                Err(error) => self.fail(format!("{name}: {error}")),
            }
        }
    }

    /// The process of a node is stopped: what has arrived at it waits.
    pub(crate) fn pause(&self, node: NodeId) {
        self.0.processes.borrow_mut().get_mut(&node).into_iter().for_each(|process| process.pause());
    }

    /// The process of a node goes on once what the world has for it has reached its sockets.
    pub(crate) fn resume(&self, node: NodeId) {
        self.0.resumed.borrow_mut().insert(node);
    }

    fn start(&self, node: NodeId, name: &str, program: &BrokerProgram) -> io::Result<StartedRemote> {
        let mut starts = self.0.starts.borrow_mut();
        let count = starts.entry(node).or_default();
        *count += 1;
        (self.0.options.start)(name, program, *count - 1)
    }

    /// Waits until a broker listens.
    async fn listens(&self, started: &mut StartedRemote) -> Result<(), String> {
        let end = tokio::time::Instant::now() + self.0.options.ready_within;
        let mut output = ProgramOutput::default();
        loop {
            let error = match TcpStream::connect(started.address).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let Some(process) = &mut started.process else {
                return Err(format!("nothing listens at {}: {error}", started.address));
            };
            let mut buffer = [0; OUTPUT];
            poll_fn(|cx| {
                while let Poll::Ready(count @ 1..) = process.poll_output(cx, &mut buffer) {
                    output.read(&buffer[..count]);
                }
                Poll::Ready(())
            })
            .await;
            if let Some(status) = process.ended() {
                let lines = output.last_lines();
                return Err(format!("it ended before it listened at {} ({status}){lines}", started.address));
            }
            if tokio::time::Instant::now() > end {
                let (address, within, lines) = (started.address, self.0.options.ready_within, output.last_lines());
                return Err(format!("it does not listen at {address} within {within:?}{lines}"));
            }
            if live::is_interrupted() {
                return Err("interrupted before it listened".to_owned());
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn fail(&self, trouble: String) {
        self.0.troubles.borrow_mut().push(trouble);
    }
}

/// Stands for the broker until the node is dropped, which kills a process that was started.
pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, program: &BrokerProgram, remote: RemoteBroker) {
    let name = env.plan.node(env.node).name.clone();
    let booted = remote.0.booted.borrow_mut().remove(&env.node);
    let started = match booted.map_or_else(|| remote.start(env.node, &name, program), Ok) {
        Ok(started) => started,
        Err(error) => return remote.fail(format!("{name}: {error}")),
    };
    let mut gateway = Gateway::new(env, remote, started);
    let trouble = poll_fn(|cx| gateway.poll(cx)).await;
    let lines = gateway.output.last_lines();
    gateway.remote.fail(format!("{name}: {trouble}{lines}"));
}

type Arrival<N> = (<N as Network>::Stream, Peer);

/// The node of a broker outside of the world.
struct Gateway<N: Network, C> {
    plan: Arc<Plan>,
    node: NodeId,
    network: N,
    clock: C,
    recorder: Recorder,
    remote: RemoteBroker,
    address: SocketAddr,
    /// Time until which a process that does not listen yet is waited for.
    patience: tokio::time::Instant,
    accepting: Pin<Box<dyn Future<Output = ()>>>,
    arrivals: UnboundedReceiver<Arrival<N>>,
    carried: Vec<RemoteConnection<N>>,
    output: ProgramOutput,
    prints: bool,
}

impl<N: Network, C: WorldClock> Gateway<N, C> {
    fn new(env: Env<N, C>, remote: RemoteBroker, started: StartedRemote) -> Self {
        let Env { plan, node, network, clock, recorder, .. } = env;
        let (arrived, arrivals) = unbounded_channel();
        let prints = started.process.is_some();
        if let Some(process) = started.process {
            remote.0.processes.borrow_mut().insert(node, process);
        }
        Self {
            plan,
            node,
            accepting: Box::pin(accept(network.clone(), arrived)),
            network,
            clock,
            recorder,
            address: started.address,
            patience: tokio::time::Instant::now() + remote.0.options.ready_within,
            remote,
            arrivals,
            carried: Vec::new(),
            output: ProgramOutput::default(),
            prints,
        }
    }

    /// Carries what there is; ready when the broker has failed.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<String> {
        let _ = self.accepting.as_mut().poll(cx);
        while let Poll::Ready(Some((stream, peer))) = self.arrivals.poll_recv(cx) {
            let patience = self.prints.then_some(self.patience);
            let connecting = connect(self.remote.clone(), self.address, patience);
            self.carried.push(RemoteConnection::new(stream, peer, Box::pin(connecting)));
        }
        // Why it closes is printed before the close.
        let ended = self.poll_output(cx);
        let mut place = 0;
        while let Some(carried) = self.carried.get_mut(place) {
            match carried.poll(cx) {
                Poll::Pending => place += 1,
                Poll::Ready(is_reset) => {
                    let carried = self.carried.remove(place);
                    if is_reset {
                        self.network.abort(carried.into_stream());
                    }
                }
            }
        }
        if self.remote.0.resumed.borrow_mut().remove(&self.node)
            && let Some(process) = self.remote.0.processes.borrow_mut().get_mut(&self.node)
        {
            process.resume();
        }
        match ended {
            Some(status) => Poll::Ready(format!("it ended by itself ({status})")),
            None => Poll::Pending,
        }
    }

    /// Reads what the process prints; returns how it ended, if it has.
    fn poll_output(&mut self, cx: &mut Context<'_>) -> Option<String> {
        let remote = self.remote.clone();
        let mut processes = remote.0.processes.borrow_mut();
        let process = processes.get_mut(&self.node).filter(|_| self.prints)?;
        let mut buffer = [0; OUTPUT];
        while let Poll::Ready(count) = process.poll_output(cx, &mut buffer) {
            if count == 0 {
                self.prints = false;
                return process.ended();
            }
            for line in self.output.read(&buffer[..count]) {
                self.read_line(line);
            }
        }
        None
    }

    fn read_line(&self, line: String) {
        let now = self.clock.world_time(self.clock.now());
        if let Some((client_id, because)) = (self.remote.0.options.read_log)(&line) {
            // Of several with the same identifier, the one that is closed is the one that was there first.
            if let Some(carried) = self.carried.iter().find(|carried| carried.client_id.is(&client_id)) {
                let peer = carried.peer;
                self.recorder.closing(self.node, peer.node, peer.connection, because, None);
            }
        }
        log(&self.plan, self.node, now, || vec![line]);
    }
}

/// The death of the process.
impl<N: Network, C> Drop for Gateway<N, C> {
    fn drop(&mut self) {
        let process = self.remote.0.processes.borrow_mut().remove(&self.node);
        drop(process);
    }
}

/// Opens a connection to the broker. One that was started by the world and does not listen yet is waited for.
async fn connect(
    remote: RemoteBroker,
    address: SocketAddr,
    patience: Option<tokio::time::Instant>,
) -> io::Result<Box<dyn RemoteStream>> {
    loop {
        match (remote.0.options.connect)(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => {
                if patience.is_none_or(|patience| tokio::time::Instant::now() > patience) {
                    return Err(error);
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
