//! Worlds of small programs below MQTT, which note what they see and when.

use std::cell::RefCell;
use std::fmt::Display;
use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::{Clock, Instant, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::{LocalSet, spawn_local};

use crate::engines::event_driven::engine::EventDrivenEngine;
use crate::engines::event_driven::network::SimSocket;
use crate::engines::event_driven::{NodeClock, SimNetwork};
use crate::network::Network;
use crate::node::Disks;
use crate::plan::{
    Conditions, LinkChange, LinkSettings, Middlebox, MiddleboxRules, NetworkChange, NetworkFault, Node, NodeId,
    Origins, Plan, Program, RunName, Seed, Source, StepId,
};
use crate::record::Recorder;
use crate::script::{EngineCommand, NodeFuture, Script};
use crate::tap::Tap;
use crate::trace::{EventKind, Trace};

pub(super) const SERVER: NodeId = NodeId(0);
pub(super) const CLIENT: NodeId = NodeId(1);

pub(super) type Stream = Tap<SimSocket>;

/// What a program has.
#[derive(Clone)]
pub(super) struct Host {
    pub(super) id: NodeId,
    pub(super) network: SimNetwork,
    pub(super) clock: NodeClock,
    pub(super) recorder: Recorder,
    notes: Rc<RefCell<Vec<String>>>,
}

impl Host {
    /// Notes something: `1500 client: read 3`.
    pub(super) fn note(&self, what: impl Display) {
        let name = ["server", "client"].get(self.id.0).map_or_else(|| self.id.0.to_string(), ToString::to_string);
        let at = self.clock_ms();
        self.notes.borrow_mut().push(format!("{at} {name}: {what}"));
    }

    /// Sleeps until the given number of milliseconds after the start.
    pub(super) async fn until(&self, ms: u64) {
        self.clock.sleep_until(Instant::from_millis(ms)).await;
    }

    /// Milliseconds since the start.
    pub(super) fn clock_ms(&self) -> u128 {
        self.clock.now().since_origin().as_millis()
    }

    pub(super) async fn connect(&self) -> Stream {
        self.network.connect(SERVER).await.expect("the server listens").0
    }

    /// Reads and notes until the connection ends, and notes how.
    pub(super) async fn read_all(&self, stream: &mut (impl AsyncReadExt + Unpin)) {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return self.note("end"),
                Ok(count) => self.note(format!("read {}", show(&buffer[..count]))),
                Err(error) => return self.note(error.kind()),
            }
        }
    }

    /// Writes and notes that it cannot.
    pub(super) async fn write(&self, stream: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) {
        if let Err(error) = stream.write_all(bytes).await {
            self.note(format!("cannot write: {}", error.kind()));
        }
    }
}

fn show(bytes: &[u8]) -> String {
    if bytes.len() > 32 { format!("{} bytes", bytes.len()) } else { String::from_utf8_lossy(bytes).into_owned() }
}

type Start = Rc<dyn Fn(Host) -> NodeFuture>;

/// A world of a server, a client and perhaps more clients, 10 ms apart.
pub(super) struct World {
    plan: Plan,
    programs: Vec<Start>,
    orders: Vec<(Duration, EngineCommand)>,
    end: Duration,
}

/// What came of it.
pub(super) struct Outcome {
    pub(super) notes: Vec<String>,
    pub(super) trace: Trace,
    pub(super) left: Left,
}

/// What there was of connections when the story was over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// Those that the network knows of.
    pub(super) connections: usize,
    /// The ends that the TCP of their hosts knows of.
    pub(super) sockets: usize,
}

impl World {
    pub(super) fn new() -> Self {
        let run = RunName { scenario: "test".into(), version: Version::V5_0, parameters: Vec::new() };
        let plan = Plan {
            run,
            source: Arc::new(Source::default()),
            version: Version::V5_0,
            seed: Seed(1),
            nodes: Vec::new(),
            links: Vec::new(),
            network: LinkSettings::default(),
            middleboxes: Vec::new(),
            steps: Vec::new(),
            expectations: Vec::new(),
            waived: Vec::new(),
            clauses: Vec::new(),
            until: None,
            tolerance: Duration::ZERO,
            origins: Origins::default(),
            fragments: Vec::new(),
            conditions: Conditions::default(),
        };
        Self { plan, programs: Vec::new(), orders: Vec::new(), end: Duration::from_secs(100) }
    }

    /// Adds a node with this program: the server first, then the client.
    pub(super) fn node<P: Future<Output = ()> + 'static>(mut self, program: impl Fn(Host) -> P + 'static) -> Self {
        let name = format!("node-{}", self.plan.nodes.len());
        self.plan.nodes.push(Node::new(name, Program::Broker(Box::default())));
        self.programs.push(Rc::new(move |host| {
            let tasks = LocalSet::new();
            let program = program(host);
            Box::pin(async move { tasks.run_until(program).await })
        }));
        self
    }

    pub(super) fn network(mut self, change: impl FnOnce(&mut LinkSettings)) -> Self {
        change(&mut self.plan.network);
        self
    }

    /// Puts a middlebox on both directions between the server and each client that has been added.
    pub(super) fn middlebox(mut self, rules: MiddleboxRules) -> Self {
        let clients = (1..self.plan.nodes.len()).map(NodeId);
        let links = clients.flat_map(|client| [(client, SERVER), (SERVER, client)]).collect();
        self.plan.middleboxes.push(Middlebox { name: "nat".into(), links, rules });
        self
    }

    pub(super) fn seed(mut self, seed: u64) -> Self {
        self.plan.seed = Seed(seed);
        self
    }

    /// An order at this time, in milliseconds, the orders' times ascending.
    pub(super) fn at(mut self, ms: u64, order: EngineCommand) -> Self {
        self.orders.push((Duration::from_millis(ms), order));
        self
    }

    pub(super) fn until(mut self, ms: u64) -> Self {
        self.end = Duration::from_millis(ms);
        self
    }

    pub(super) fn run(self) -> Outcome {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let plan = Arc::new(self.plan);
        let script = FixedScript { orders: self.orders.into(), end: self.end, is_over: false };
        let programs = self.programs;
        let start = {
            let notes = Rc::clone(&notes);
            move |recorder: &Recorder, id: NodeId, network, clock| {
                let recorder = recorder.clone();
                (programs[id.0])(Host { id, network, clock, recorder, notes: Rc::clone(&notes) })
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without input and output");
        let mut engine = EventDrivenEngine::new(&plan, None, Disks::default(), |_| script, start);
        runtime
            .block_on(tokio::task::unconstrained(engine.run_in_tokio(crate::engines::event_driven::Pace::Virtual)))
            .expect("the world comes to rest");
        let left = {
            let tcp = &engine.fabric().tcp;
            Left { connections: tcp.connection_count(), sockets: tcp.socket_count() }
        };
        let trace = engine.recorder().finish();
        drop(engine);
        let notes = notes.take();
        Outcome { notes, trace, left }
    }
}

impl Outcome {
    /// Notes of one node.
    pub(super) fn of(&self, name: &str) -> Vec<&str> {
        let prefix = format!(" {name}: ");
        self.notes.iter().filter(|note| note.contains(&prefix)).map(String::as_str).collect()
    }

    /// The lines of the steps whose faults met something, in order.
    pub(super) fn hits(&self) -> Vec<u32> {
        let line = |event: &crate::trace::Event| match event.kind {
            EventKind::FaultHit { step } => Some(step.0),
            _ => None,
        };
        self.trace.events.iter().filter_map(line).collect()
    }
}

struct FixedScript {
    orders: std::collections::VecDeque<(Duration, EngineCommand)>,
    end: Duration,
    is_over: bool,
}

impl Script for FixedScript {
    fn poll(&mut self, recorder: &Recorder) -> Vec<EngineCommand> {
        let now = recorder.now();
        self.is_over = now >= self.end;
        let mut due = Vec::new();
        while let Some((_, order)) = self.orders.pop_front_if(|(at, _)| *at <= now) {
            due.push(order);
        }
        due
    }

    fn next_wake(&self) -> Option<Duration> {
        Some(self.orders.front().map_or(self.end, |(at, _)| *at))
    }

    fn is_over(&self) -> bool {
        self.is_over
    }
}

/// A change of the network whose step stands in this line.
pub(super) fn network(line: u32, change: NetworkChange) -> EngineCommand {
    EngineCommand::Network(StepId(line), change)
}

/// A partition of these directions.
pub(super) fn partition(links: Vec<(NodeId, NodeId)>) -> NetworkChange {
    NetworkFault::Partition { starting_with: None }.on(links)
}

/// Both directions between server and client.
pub(super) fn both_ways() -> Vec<(NodeId, NodeId)> {
    vec![(SERVER, CLIENT), (CLIENT, SERVER)]
}

pub(super) fn to_server() -> Vec<(NodeId, NodeId)> {
    vec![(CLIENT, SERVER)]
}

pub(super) fn to_client() -> Vec<(NodeId, NodeId)> {
    vec![(SERVER, CLIENT)]
}

pub(super) fn latency(ms: u64) -> LinkChange {
    LinkChange { latency: Some(Duration::from_millis(ms)), ..LinkChange::default() }
}

/// Accepts for ever; each connection is served on its own.
pub(super) async fn serve<P: Future<Output = ()> + 'static>(host: Host, handle: impl Fn(Host, Stream) -> P) {
    let mut listener = host.network.listen().await.expect("the port is free");
    loop {
        let (stream, _) = host.network.accept(&mut listener).await.expect("a listener accepts");
        host.note("accepted");
        spawn_local(handle(host.clone(), stream));
    }
}

/// Notes all that comes and sends it back; closes when the other end does.
pub(super) async fn echo(host: Host) {
    serve(host, |host, mut stream| async move {
        let mut buffer = [0; 4096];
        loop {
            match stream.read(&mut buffer).await {
                Ok(0) => return host.note("end"),
                Ok(count) => {
                    host.note(format!("read {}", show(&buffer[..count])));
                    host.write(&mut stream, &buffer[..count]).await;
                }
                Err(error) => return host.note(error.kind()),
            }
        }
    })
    .await;
}

/// Connects, notes all that comes, and writes nothing.
pub(super) async fn listen_only(host: Host) {
    let mut stream = host.connect().await;
    host.read_all(&mut stream).await;
}

/// Notes whether a connection can be opened.
pub(super) async fn try_connect(host: &Host) -> Option<Stream> {
    match host.network.connect(SERVER).await {
        Ok((stream, _)) => {
            host.note("connected");
            Some(stream)
        }
        Err(error) => {
            host.note(error.kind());
            None
        }
    }
}

/// A future that never ends, for programs that keep what they have.
pub(super) async fn for_ever() -> io::Result<()> {
    std::future::pending().await
}
