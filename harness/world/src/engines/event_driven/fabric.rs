use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;

use halfopen_protocol::{PacketType, Pages, Role};
use halfopen_tcp::{
    ConnectionId, Event, FaultId, HostId, Network, Purpose, RandomStream, Scope, Side, Socket, StreamEnd, SynDecision,
};

use super::clock::Timers;
use crate::Variation;
use crate::connection_tap::ConnectionTap;
use crate::network::AcceptPolicy;
use crate::plan::{self, NetworkChange, NetworkFault, NodeId, NthConnection, Plan, Seed, StepId};
use crate::record::Recorder;
use crate::trace::Transmission;

/// The network of a world: its TCP, and what programs, taps and the trace need of it.
pub(super) struct Fabric {
    pub(super) plan: Arc<Plan>,
    pub(super) recorder: Recorder,
    pub(super) timers: Timers,
    pub(super) tcp: Network,
    hosts: Vec<Option<Box<HostState>>>,
    /// The connections by place.
    connections: Pages<Option<ConnectionState>>,
    /// Faults that wait for a packet.
    armed: Vec<Armed>,
    /// The step that began each fault.
    faults: Vec<StepId>,
}

/// The state of a host beside its TCP. Most hosts are clients and have none.
#[derive(Default)]
pub(super) struct HostState {
    /// Decides what becomes of a SYN, if anything but acceptance is possible.
    pub(super) policy: Option<Rc<dyn AcceptPolicy>>,
    /// The waker of the program that waits for a connection to accept.
    pub(super) accepting: Option<Waker>,
    /// The wakers of readers while the program reads nothing.
    stopped: Option<Vec<Waker>>,
}

/// The state of a connection beside its TCP.
struct ConnectionState {
    connection_tap: Rc<ConnectionTap>,
    /// The wakers of the programs at both ends that wait to read.
    client_reading: Option<Waker>,
    server_reading: Option<Waker>,
    /// The wakers of programs that wait for something else, which few do for long: there may be a million connections.
    others: Option<Box<OtherWakers>>,
}

#[derive(Default)]
struct OtherWakers {
    connecting: Option<Waker>,
    client_writing: Option<Waker>,
    server_writing: Option<Waker>,
}

/// A fault that begins with a packet.
struct Armed {
    fault: FaultId,
    links: Vec<(HostId, HostId)>,
    /// The number of the client's connection, if only one is meant.
    number: Option<u32>,
    packet: PacketType,
    kind: ArmedKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ArmedKind {
    HalfOpen,
    Partition,
    Reset,
}

/// The condition that a program waits for on a connection.
#[derive(Clone, Copy)]
pub(super) enum SocketWait {
    Connect,
    Read,
    Write,
}

impl HostState {
    /// Sets whether the program reads, and returns whether that is new.
    pub(super) fn set_reading(&mut self, reads: bool) -> bool {
        let is_new = reads == self.stopped.is_some();
        match (reads, &self.stopped) {
            (true, _) => self.stopped.take().into_iter().flatten().for_each(Waker::wake),
            (false, None) => self.stopped = Some(Vec::new()),
            (false, Some(_)) => {}
        }
        is_new
    }

    /// Returns whether the program may read now. Otherwise it is woken when it may.
    pub(super) fn may_read(&mut self, waker: &Waker) -> bool {
        match &mut self.stopped {
            None => true,
            Some(waiting) => {
                if !waiting.iter().any(|known| known.will_wake(waker)) {
                    waiting.push(waker.clone());
                }
                false
            }
        }
    }
}

impl Fabric {
    /// Creates the network of a world in which nothing has happened.
    pub(super) fn new(plan: &Arc<Plan>, recorder: &Recorder, timers: &Timers) -> Self {
        let seeds = {
            let plan = Arc::clone(plan);
            move |stream| seed(&plan, plan.seed, stream)
        };
        let mut tcp = Network::new(plan.nodes.len(), plan.network, seeds);
        for &(from, to, settings) in &plan.links {
            tcp.set_link(host(from), host(to), settings);
        }
        for middlebox in &plan.middleboxes {
            let links: Vec<_> = middlebox.links.iter().map(|(from, to)| (host(*from), host(*to))).collect();
            tcp.add_middlebox(middlebox.rules, &links);
        }
        Self {
            plan: Arc::clone(plan),
            recorder: recorder.clone(),
            timers: timers.clone(),
            tcp,
            hosts: plan.nodes.iter().map(|_| None).collect(),
            connections: Pages::new(),
            armed: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// Draws anew what happens by chance on all links from here on.
    pub(super) fn vary(&mut self, variation: &Variation) {
        let (plan, varied) = (Arc::clone(&self.plan), variation.seed);
        self.tcp.vary(variation.spread, move |stream| seed(&plan, varied, stream));
    }

    /// Sends what programs have written since the last time.
    pub(super) fn flush(&mut self) {
        self.tcp.flush(self.timers.now());
        self.handle_events();
    }

    /// Lets one segment arrive that is due, and returns whether there was one.
    pub(super) fn handle_arrival(&mut self) -> bool {
        let Self { tcp, hosts, connections, timers, .. } = self;
        let has_arrived = tcp.handle_arrival(timers.now(), |host, id| {
            let policy = hosts[host.0 as usize].as_ref().and_then(|host| host.policy.as_ref());
            let connection = connections[id.index()].as_ref();
            let decision =
                policy.zip(connection).map(|(policy, state)| policy.decide(state.connection_tap.connection()));
            decision.unwrap_or(SynDecision::Accept)
        });
        self.handle_events();
        has_arrived
    }

    /// Lets all time-outs happen that are due, and returns whether there were any.
    pub(super) fn handle_timeouts(&mut self) -> bool {
        let mut any = false;
        while self.tcp.handle_timeout(self.timers.now()) {
            any = true;
            self.handle_events();
        }
        any
    }

    /// Wakes programs, and records what no program can see.
    pub(super) fn handle_events(&mut self) {
        while let Some(event) = self.tcp.poll_event() {
            match event {
                Event::Acceptable(host) => {
                    wake(self.hosts[host.0 as usize].as_mut().and_then(|host| host.accepting.take()))
                }
                Event::Connected(id) => {
                    let socket = Socket::new(id, Side::Client);
                    wake(self.state(id).and_then(|state| state.take_waker(socket.side, SocketWait::Connect)));
                }
                Event::Readable(Socket { connection, side }) => {
                    wake(self.state(connection).and_then(|state| state.take_waker(side, SocketWait::Read)));
                }
                Event::Writable(Socket { connection, side }) => {
                    wake(self.state(connection).and_then(|state| state.take_waker(side, SocketWait::Write)));
                }
                Event::Aborted(socket) => self.with(socket, |connection_tap, side| connection_tap.aborted(side)),
                Event::EndArrived { sender, end } => {
                    let end = match end {
                        StreamEnd::Refused => Transmission::Open,
                        StreamEnd::Fin => Transmission::Fin,
                        StreamEnd::Rst => Transmission::Rst,
                    };
                    self.with(sender, |connection_tap, side| connection_tap.end_arrived(side, &end));
                }
                Event::ArrivedUnread { sender, bytes } => {
                    self.with(sender, |connection_tap, side| connection_tap.reached_host(side, bytes));
                }
                Event::FaultHit(fault) => {
                    // What a path forgets by itself is the fault of no step.
                    if let Some(step) = self.faults.get(fault.0 as usize) {
                        self.recorder.fault_hit(*step);
                    }
                }
                Event::Forgotten(id) => self.connections[id.index()] = None,
            }
        }
    }

    /// Begins to open a connection that the trace knows as `connection_tap`.
    pub(super) fn connect(&mut self, from: NodeId, to: NodeId, connection_tap: Rc<ConnectionTap>) -> ConnectionId {
        let id = self.tcp.connect(host(from), host(to));
        while self.connections.len() <= id.index() {
            self.connections.push(None);
        }
        let (client_reading, server_reading, others) = (None, None, None);
        self.connections[id.index()] = Some(ConnectionState { connection_tap, client_reading, server_reading, others });
        id
    }

    /// Returns the state of a host beside its TCP, if it has any.
    pub(super) fn host(&mut self, node: NodeId) -> Option<&mut HostState> {
        self.hosts[node.0].as_deref_mut()
    }

    /// Returns the state of a host beside its TCP, to be changed.
    pub(super) fn host_mut(&mut self, node: NodeId) -> &mut HostState {
        self.hosts[node.0].get_or_insert_default()
    }

    /// Returns what the trace knows a connection as.
    pub(super) fn connection_tap(&self, id: ConnectionId) -> Option<Rc<ConnectionTap>> {
        self.connections[id.index()].as_ref().map(|state| Rc::clone(&state.connection_tap))
    }

    /// Wakes `waker` when what a program waits for may have happened.
    pub(super) fn wake_when(&mut self, socket: Socket, wait: SocketWait, waker: &Waker) {
        let Some(state) = self.state(socket.connection) else { return };
        match state.waker(socket.side, wait) {
            slot @ None => *slot = Some(waker.clone()),
            Some(known) => known.clone_from(waker),
        }
    }

    /// The network changes, because of this step.
    pub(super) fn change(&mut self, step: StepId, change: NetworkChange) {
        let fault = FaultId(u32::try_from(self.faults.len()).expect("fewer than four billion faults in a run"));
        self.faults.push(step);
        let NetworkChange { scope, fault: change } = change;
        if scope.connection == Some(NthConnection::LATEST) {
            // The latest connection of each client has a number of its own.
            let mut of_client: BTreeMap<NodeId, Vec<(NodeId, NodeId)>> = BTreeMap::new();
            for (from, to) in scope.links {
                let client = if self.plan.node(from).is_broker() { to } else { from };
                of_client.entry(client).or_default().push((from, to));
            }
            for (client, links) in of_client {
                if let Some(number) = self.recorder.latest_number(client) {
                    let scope = plan::Scope { links, connection: Some(number) };
                    self.change(step, NetworkChange { scope, fault: change });
                }
            }
            return;
        }
        let number = scope.connection;
        let links: Vec<_> = scope.links.iter().map(|(from, to)| (host(*from), host(*to))).collect();
        let kind = match change {
            NetworkFault::HalfOpen { .. } => ArmedKind::HalfOpen,
            NetworkFault::Partition { .. } => ArmedKind::Partition,
            NetworkFault::Reset { .. } => ArmedKind::Reset,
            NetworkFault::Heal => {
                self.tcp.heal(fault, Scope { links: &links, connection: number });
                return self.handle_events();
            }
            NetworkFault::Set(change) => {
                return self.tcp.change_link(fault, Scope { links: &links, connection: number }, change);
            }
        };
        match change.starting_with() {
            Some(packet) => self.armed.push(Armed { fault, links, number, packet, kind }),
            None => self.begin(fault, &links, number, kind),
        }
    }

    /// Begins what waited for a packet that has been written and is about to be sent.
    pub(super) fn about_to_leave(&mut self, socket: Socket, packet: PacketType) {
        if self.armed.is_empty() {
            return;
        }
        let (Some(from), Some(to)) = (self.tcp.host_of(socket), self.tcp.host_of(socket.peer())) else { return };
        let number = self.tcp.ordinal(socket.connection);
        let is_meant = |armed: &Armed| {
            let is_number = armed.number.is_none() || armed.number == number;
            armed.packet == packet && is_number && armed.links.contains(&(from, to))
        };
        let (begins, waits): (Vec<Armed>, Vec<Armed>) = std::mem::take(&mut self.armed).into_iter().partition(is_meant);
        self.armed = waits;
        for Armed { fault, links, number, kind, .. } in begins {
            self.begin(fault, &links, number, kind);
        }
    }

    fn begin(&mut self, fault: FaultId, links: &[(HostId, HostId)], connection: Option<u32>, kind: ArmedKind) {
        let scope = Scope { links, connection };
        match kind {
            ArmedKind::HalfOpen => self.tcp.half_open(fault, scope),
            ArmedKind::Partition => self.tcp.partition(fault, scope),
            ArmedKind::Reset => self.tcp.reset(self.timers.now(), fault, scope),
        }
        self.handle_events();
    }

    fn state(&mut self, id: ConnectionId) -> Option<&mut ConnectionState> {
        self.connections[id.index()].as_mut()
    }

    fn with(&self, socket: Socket, tell: impl FnOnce(&ConnectionTap, Role)) {
        if let Some(state) = &self.connections[socket.connection.index()] {
            tell(&state.connection_tap, role(socket.side));
        }
    }
}

impl ConnectionState {
    /// Returns the waker of the program at this end that waits for something.
    fn waker(&mut self, side: Side, wait: SocketWait) -> &mut Option<Waker> {
        match (wait, side) {
            (SocketWait::Read, Side::Client) => &mut self.client_reading,
            (SocketWait::Read, Side::Server) => &mut self.server_reading,
            (SocketWait::Connect, _) => &mut self.others.get_or_insert_default().connecting,
            (SocketWait::Write, Side::Client) => &mut self.others.get_or_insert_default().client_writing,
            (SocketWait::Write, Side::Server) => &mut self.others.get_or_insert_default().server_writing,
        }
    }

    /// Takes the waker of a program that waits for something.
    fn take_waker(&mut self, side: Side, wait: SocketWait) -> Option<Waker> {
        if !matches!(wait, SocketWait::Read) && self.others.is_none() {
            return None;
        }
        let waker = self.waker(side, wait).take();
        let is_empty =
            |it: &OtherWakers| [&it.connecting, &it.client_writing, &it.server_writing].iter().all(|one| one.is_none());
        self.others = self.others.take().filter(|others| !is_empty(others));
        waker
    }
}

/// Returns the host of a node.
pub(super) fn host(node: NodeId) -> HostId {
    HostId(u32::try_from(node.0).expect("fewer than four billion nodes"))
}

/// Returns which end of a connection this side is in MQTT: the client is what opens it.
fn role(side: Side) -> Role {
    match side {
        Side::Client => Role::Client,
        Side::Server => Role::Server,
    }
}

fn wake(waker: Option<Waker>) {
    waker.into_iter().for_each(Waker::wake);
}

/// Returns the seed of a stream of random numbers: derived by the names of what it is for.
fn seed(plan: &Plan, seed: Seed, stream: RandomStream) -> u64 {
    let name = |host: HostId| &plan.nodes[host.0 as usize].name;
    let number = stream.connection.map_or_else(String::new, |number| format!("#{number}"));
    let link = format!("link {}-{}{number}", name(stream.from), name(stream.to));
    match stream.purpose {
        Purpose::Jitter => seed.derive(&link).0,
        Purpose::Loss => seed.derive(&format!("losses on {link}")).0,
    }
}
