//! What a story reached: the abstract states of connections at the instants at which something goes wrong.
//!
//! A state says what a connection and its exchanges were doing when which fault hit one of its ends. A campaign counts how
//! many different ones its stories reached; marks are those that have a name, and that every campaign should reach.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use halfopen_plan::trace::{ConnectionId, Event, EventKind, Trace, Transmission};
use halfopen_plan::{Because, NetworkFault, NodeFault, NodeId, Plan, StepKind};
use halfopen_protocol::Packet;
use halfopen_protocol::packet::{Connect, PacketId};

/// The progress of an exchange of QoS 1 or 2, as its sender sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExchangeStage {
    /// PUBLISH was sent and nothing has come back.
    Published,
    /// PUBREC has come.
    Received,
    /// PUBREL was sent and PUBCOMP has not come.
    Released,
}

impl ExchangeStage {
    const ALL: [Self; 3] = [Self::Published, Self::Received, Self::Released];

    const fn words(self) -> &'static str {
        match self {
            Self::Published => "a PUBLISH is unanswered",
            Self::Received => "PUBREC has come",
            Self::Released => "a PUBREL is unanswered",
        }
    }
}

/// The state of a connection at the time of a fault at one of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct State {
    /// The fault, or why the connection was closed.
    pub trouble: &'static str,
    /// True if the fault came to the server's side.
    pub is_at_server: bool,
    /// The progress of the connection.
    pub stage: ConnectionStage,
    /// True if a PINGREQ was unanswered.
    pub is_pinging: bool,
    /// The exchange of the client, and of the server, that had come farthest.
    pub exchanges: [Option<ExchangeStage>; 2],
    /// True if one side had ended the connection already, and the other did not know.
    pub is_one_sided: bool,
    /// True if the session outlives the connection.
    pub keeps_session: bool,
}

/// The progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ConnectionStage {
    /// The connection is being opened, or waits for CONNECT.
    Opening,
    /// CONNECT was sent.
    Asked,
    /// CONNACK has accepted it.
    Accepted,
    /// DISCONNECT was sent by one side.
    Leaving,
}

/// A state that has a name, and that a campaign should reach sometimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A connection was taken over whose client had lost it already.
    TakeoverWhileOneSided,
    /// A process died while a PUBREL of it was unanswered.
    ReleaseAtDeath,
    /// A server was started again while the delay of a will had not passed.
    WillPendingAtRestart,
    /// A client was closed for its silence while as many messages to it were unacknowledged as it takes.
    WindowFullAtDeadline,
    /// A session went on with messages to be sent again.
    ResumedWithExchanges,
    /// A PINGREQ was unanswered when the client gave up.
    NoPingresp,
    /// A fault came while an exchange of the connection was at this stage.
    FaultInExchange(&'static str, ExchangeStage),
}

/// The faults that are looked at together with the stages of an exchange.
const FAULTS: [&str; 8] =
    ["crash", "power_loss", "restart", "pause", "stop_reading", "half_open", "partition", "reset"];

impl Mark {
    /// Returns all marks.
    pub fn all() -> impl Iterator<Item = Self> {
        let named = [
            Self::TakeoverWhileOneSided,
            Self::ReleaseAtDeath,
            Self::WillPendingAtRestart,
            Self::WindowFullAtDeadline,
            Self::ResumedWithExchanges,
            Self::NoPingresp,
        ];
        let pairs = FAULTS.into_iter().flat_map(|fault| ExchangeStage::ALL.map(|stage| (fault, stage)));
        named.into_iter().chain(pairs.map(|(fault, stage)| Self::FaultInExchange(fault, stage)))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TakeoverWhileOneSided => f.write_str("a takeover of a connection that its client had lost"),
            Self::ReleaseAtDeath => f.write_str("a death while a PUBREL was unanswered"),
            Self::WillPendingAtRestart => f.write_str("a restart of the broker while a will was delayed"),
            Self::WindowFullAtDeadline => f.write_str("a full window at the keep-alive deadline"),
            Self::ResumedWithExchanges => f.write_str("a session resumed with messages to be sent again"),
            Self::NoPingresp => f.write_str("a client that gave up without PINGRESP"),
            Self::FaultInExchange(fault, stage) => write!(f, "{fault} while {}", stage.words()),
        }
    }
}

/// The states and marks that a story reached, or all stories of a campaign.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// The states.
    pub states: BTreeSet<State>,
    /// The marks.
    pub marks: BTreeSet<Mark>,
}

impl Reached {
    /// Returns what a run reached.
    pub fn of(plan: &Plan, trace: &Trace) -> Self {
        let mut tracker =
            Tracker { plan, connections: BTreeMap::new(), wills: BTreeMap::new(), reached: Self::default() };
        trace.events.iter().for_each(|event| tracker.event(event));
        tracker.reached
    }

    /// Adds what another story reached. Returns whether any state of it is new.
    pub fn add(&mut self, other: Self) -> bool {
        let before = self.states.len();
        self.states.extend(other.states);
        self.marks.extend(other.marks);
        self.states.len() > before
    }
}

struct Tracker<'a> {
    plan: &'a Plan,
    connections: BTreeMap<ConnectionId, Tracked>,
    /// Delayed wills whose connection has ended, by server and client identifier, and when they are due.
    wills: BTreeMap<(NodeId, String), Duration>,
    reached: Reached,
}

struct Tracked {
    client: NodeId,
    server: NodeId,
    stage: ConnectionStage,
    connect: Option<Arc<Connect>>,
    is_pinging: bool,
    /// The exchanges of the client, and of the server.
    exchanges: [BTreeMap<PacketId, ExchangeStage>; 2],
    ended: BTreeSet<NodeId>,
}

impl Tracker<'_> {
    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::Sent { connection, from, to, item, .. } => self.sent(event.at, *connection, *from, *to, item),
            EventKind::Received { connection, to, item, .. } => self.received(event.at, *connection, *to, item),
            EventKind::Closing { node, connection, because, .. } => {
                self.closing(event.at, *connection, *node, *because)
            }
            EventKind::Node { node, change } => self.changed(event.at, *node, *change),
            EventKind::Connected { node, session_present: true } => {
                let has_left = |tracked: &&Tracked| tracked.client == *node && tracked.ended.len() == 2;
                let mut last = self.connections.values().rev().filter(has_left);
                if last.next().is_some_and(|last| last.exchanges.iter().any(|exchanges| !exchanges.is_empty())) {
                    self.reached.marks.insert(Mark::ResumedWithExchanges);
                }
            }
            EventKind::Step { step, .. } => self.network(*step, false),
            EventKind::FaultHit { step } => self.network(*step, true),
            _ => {}
        }
    }

    fn sent(&mut self, at: Duration, id: ConnectionId, from: NodeId, to: NodeId, item: &Transmission) {
        if *item == Transmission::Open {
            self.connections.insert(id, Tracked::new(from, to));
        }
        let Some(tracked) = self.connections.get_mut(&id) else { return };
        let is_server = from == tracked.server;
        match item {
            Transmission::Packet(packet) => tracked.sends(is_server, packet),
            Transmission::Fin | Transmission::Rst => self.end(at, id, from, None),
            _ => {}
        }
    }

    fn received(&mut self, at: Duration, id: ConnectionId, to: NodeId, item: &Transmission) {
        let Some(tracked) = self.connections.get_mut(&id) else { return };
        let is_server = to == tracked.server;
        match item {
            Transmission::Packet(packet) => tracked.receives(is_server, packet),
            Transmission::Fin => self.end(at, id, to, Some("FIN")),
            Transmission::Rst => self.end(at, id, to, Some("RST")),
            Transmission::TimedOut => self.end(at, id, to, Some("time-out")),
            _ => {}
        }
    }

    fn closing(&mut self, at: Duration, id: ConnectionId, node: NodeId, because: Because) {
        let Some(tracked) = self.connections.get(&id) else { return };
        let marks = &mut self.reached.marks;
        match because {
            Because::Takeover if tracked.ended.contains(&tracked.client) => {
                marks.insert(Mark::TakeoverWhileOneSided);
            }
            Because::KeepAlive => {
                let most = tracked.connect.as_ref().and_then(|connect| connect.receive_maximum);
                if most.is_some_and(|most| tracked.exchanges[1].len() >= usize::from(most)) {
                    marks.insert(Mark::WindowFullAtDeadline);
                }
            }
            Because::NoPingresp if tracked.is_pinging => {
                marks.insert(Mark::NoPingresp);
            }
            _ => {}
        }
        self.end(at, id, node, Some(because.word()));
    }

    fn changed(&mut self, at: Duration, node: NodeId, change: NodeFault) {
        if change == NodeFault::Restart && self.wills.iter().any(|((server, _), due)| *server == node && *due > at) {
            self.reached.marks.insert(Mark::WillPendingAtRestart);
        }
        let concerned: Vec<ConnectionId> =
            self.connections.iter().filter(|(_, one)| one.is_of(node) && one.is_open()).map(|(id, _)| *id).collect();
        for id in concerned {
            let tracked = &self.connections[&id];
            let is_released = tracked.exchanges[usize::from(node == tracked.server)]
                .values()
                .any(|stage| *stage == ExchangeStage::Released);
            if is_released && matches!(change, NodeFault::Crash | NodeFault::PowerLoss) {
                self.reached.marks.insert(Mark::ReleaseAtDeath);
            }
            let state = tracked.state(change.word(), node == tracked.server);
            self.reach(state);
            if change.ends_process() || change == NodeFault::Restart {
                self.end(at, id, node, None);
            }
        }
    }

    fn network(&mut self, step: halfopen_plan::StepId, has_hit: bool) {
        let Some(StepKind::Network(change)) = self.plan.step(step).map(|step| &step.kind) else { return };
        let word = match change.fault {
            NetworkFault::HalfOpen { .. } => "half_open",
            NetworkFault::Partition { .. } => "partition",
            NetworkFault::Reset { .. } => "reset",
            NetworkFault::Heal => "heal",
            NetworkFault::Set(_) => "set",
        };
        if change.fault.starting_with().is_some() != has_hit {
            return;
        }
        let is_concerned = |one: &Tracked| {
            let links = change.scope.links.iter();
            one.is_open() && links.into_iter().any(|(from, to)| one.is_of(*from) && one.is_of(*to))
        };
        let states: Vec<State> =
            self.connections.values().filter(|one| is_concerned(one)).map(|one| one.state(word, false)).collect();
        states.into_iter().for_each(|state| self.reach(state));
    }

    fn reach(&mut self, state: State) {
        if FAULTS.contains(&state.trouble) {
            let stages = state.exchanges.into_iter().flatten();
            self.reached.marks.extend(stages.map(|stage| Mark::FaultInExchange(state.trouble, stage)));
        }
        self.reached.states.insert(state);
    }

    /// The connection ends for a node; `trouble` says by what, if that is a state of its own.
    fn end(&mut self, at: Duration, id: ConnectionId, node: NodeId, trouble: Option<&'static str>) {
        let Some(tracked) = self.connections.get_mut(&id).filter(|tracked| !tracked.ended.contains(&node)) else {
            return;
        };
        let is_server = node == tracked.server;
        let state = trouble.map(|trouble| tracked.state(trouble, is_server));
        tracked.ended.insert(node);
        let is_leaving = tracked.stage == ConnectionStage::Leaving;
        if is_server
            && !is_leaving
            && let Some(connect) = &tracked.connect
            && let Some(delay) = connect.will.as_ref().and_then(|will| will.delay)
        {
            let due = at + Duration::from_secs(delay.into());
            self.wills.insert((node, connect.client_id.to_string()), due);
        }
        state.into_iter().for_each(|state| self.reach(state));
    }
}

impl Tracked {
    fn new(client: NodeId, server: NodeId) -> Self {
        Self {
            client,
            server,
            stage: ConnectionStage::Opening,
            connect: None,
            is_pinging: false,
            exchanges: [BTreeMap::new(), BTreeMap::new()],
            ended: BTreeSet::new(),
        }
    }

    fn is_of(&self, node: NodeId) -> bool {
        node == self.client || node == self.server
    }

    fn is_open(&self) -> bool {
        self.ended.len() < 2
    }

    fn state(&self, trouble: &'static str, is_at_server: bool) -> State {
        let keeps = |connect: &Connect| match connect.version.is_v5() {
            true => connect.session_expiry.is_some_and(|expiry| expiry > 0),
            false => !connect.clean_start,
        };
        State {
            trouble,
            is_at_server,
            stage: self.stage,
            is_pinging: self.is_pinging,
            exchanges: [0, 1].map(|side| self.exchanges[side].values().max().copied()),
            is_one_sided: self.ended.len() == 1,
            keeps_session: self.connect.as_ref().is_some_and(|connect| keeps(connect)),
        }
    }

    fn sends(&mut self, is_server: bool, packet: &Packet) {
        let exchanges = &mut self.exchanges[usize::from(is_server)];
        match packet {
            Packet::Connect(connect) => {
                self.connect = Some(connect.clone());
                self.stage = ConnectionStage::Asked;
            }
            Packet::ConnAck(connack) if !connack.reason.is_error() => self.stage = ConnectionStage::Accepted,
            Packet::Disconnect(_) => self.stage = ConnectionStage::Leaving,
            Packet::PingReq => self.is_pinging = true,
            Packet::Publish(publish) => {
                if let Some(id) = publish.packet_id {
                    exchanges.insert(id, ExchangeStage::Published);
                }
            }
            Packet::PubRel(ack) => drop(exchanges.insert(ack.packet_id, ExchangeStage::Released)),
            _ => {}
        }
    }

    fn receives(&mut self, is_server: bool, packet: &Packet) {
        let exchanges = &mut self.exchanges[usize::from(is_server)];
        match packet {
            Packet::PingResp => self.is_pinging = false,
            Packet::PubAck(ack) | Packet::PubComp(ack) => drop(exchanges.remove(&ack.packet_id)),
            Packet::PubRec(ack) if ack.reason.is_error() => drop(exchanges.remove(&ack.packet_id)),
            Packet::PubRec(ack) => {
                if let Some(stage) = exchanges.get_mut(&ack.packet_id) {
                    *stage = ExchangeStage::Received;
                }
            }
            _ => {}
        }
    }
}
