//! The duties of a server.

mod access;
mod announced;
mod answers;
mod connection;
mod connections;
mod delivery;
mod early;
mod form;
mod groups;
mod held;
mod outgoing;
mod owed;
mod process;
mod publication;
mod receive;
mod retained;
mod session;
mod sessions;
mod settings;
mod subscribers;
mod topic;
mod violation;
mod will;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use bytestring::ByteString;
use halfopen_protocol::{Instant, Packet, ReasonCode, Version};

use self::access::Access;
use self::connection::{Connection, Ended};
use self::connections::Connections;
use self::early::Early;
use self::groups::Groups;
use self::held::Memory;
use self::publication::Publication;
use self::retained::Retained;
use self::sessions::Sessions;
use self::settings::Settings;
use self::subscribers::Subscribers;
use self::will::PossibleWills;
use super::finding::Findings;
use crate::plan::{Because, BrokerProgram, Invariant, MiddleboxRules, NodeId, Plan, WhenFull};
use crate::trace::{ConnectionId, Held, Transmission};

/// One server, as the standards would have it.
pub(super) struct Server {
    name: String,
    /// Names of all nodes, for messages.
    names: Rc<Vec<String>>,
    settings: Settings,
    access: Access,
    /// Time at which the scenario last told it other settings.
    configured_at: Option<Instant>,
    /// The longest session expiry in seconds before that.
    expiry_before: u32,
    /// The access list from the next instant on, if another one was told at this one.
    next_access: Option<Access>,
    /// Settings and access list with which the process starts.
    declared: Box<(Settings, Access)>,
    /// The nodes whose connections are being opened: the SYN has not arrived yet.
    opening: BTreeMap<ConnectionId, NodeId>,
    connections: Connections,
    sessions: Sessions,
    subscribers: Subscribers,
    groups: Groups,
    /// Connections of 5.0 that the server says it closes for another one of the same client, and that have not been
    /// told.
    untold: BTreeMap<ConnectionId, ByteString>,
    /// Connections that another one of the same client has replaced: since when, whose, and in which version.
    taken_over: BTreeMap<ConnectionId, (Instant, ByteString, Version)>,
    retained: Retained,
    timers: BTreeSet<(Instant, Timer)>,
    now: Instant,
    publications: u64,
    /// Messages that were taken over at this instant; what else happens at it may have come before them.
    at_this_instant: Vec<Rc<Publication>>,
    /// Wills whose delay or session has ended at this instant, and of which client: one that comes back at it may have
    /// been in time.
    delayed_wills: Vec<(ByteString, Rc<Publication>)>,
    /// Connections without CONNACK that the server has said at this instant that it closes: what it has written before may
    /// follow.
    closing: BTreeMap<ConnectionId, Ended>,
    /// Connections that have ended at this instant: what the server has written before may follow.
    lately: BTreeMap<ConnectionId, Box<Connection>>,
    /// Wills of which it is not known whether they were published, as of connections that ended with the process of a durable server.
    possible_wills: PossibleWills,
    /// Connections that may have a SUBSCRIBE without SUBACK.
    asking: BTreeSet<ConnectionId>,
    /// A client has resumed a session of which nothing is known.
    has_unknown_session: bool,
    /// Time at which the scenario last told it to stop in order.
    stops_at: Option<Instant>,
    /// Sessions that have ended at this instant, or within the tolerance.
    ended_now: BTreeMap<ByteString, Instant>,
    /// Client identifiers of CONNECTs whose connection ended before their CONNACK: there may be a session.
    unanswered: BTreeSet<ByteString>,
    /// Messages that were sent at this instant and for which there is no reason yet.
    early: Vec<Early>,
    /// The clients that take their time with each message.
    slow: BTreeSet<NodeId>,
    /// The clients that read nothing at the moment.
    deaf: BTreeMap<NodeId, Deaf>,
    /// True if the network has had a fault, or a middlebox may forget a connection: what is large may take long.
    is_network_hampered: bool,
    is_paused: bool,
    /// True if the process was paused at the very instant of its start.
    has_not_run: bool,
    /// Time at which the process was started again.
    restarted_at: Option<Instant>,
    /// Time since which the process has run without a pause.
    running_since: Instant,
    /// The scenario has changed the server's clock, so that its delays are not known.
    has_odd_clock: bool,
    /// True if its process has ended.
    is_down: bool,
    /// True if the data of a durable server was lost while it ran: it may know its sessions again or not.
    has_lost_disk: bool,
    memory: Memory,
    /// The parts that could not be judged: the invariant, since when, and why.
    unknown: Vec<(Invariant, Instant, String)>,
}

/// A duty of a server that falls due at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    /// Publish the will of the session of this client.
    Will(ByteString),
    /// End the session of this client.
    SessionEnd(ByteString),
}

impl Server {
    /// A server that has just started and knows nobody.
    pub(super) fn new(plan: &Plan, node: NodeId, program: &BrokerProgram) -> Self {
        let settings = Settings::of(plan, program, plan.node(node).played_by.is_some());
        let access = Access::of(program);
        Self {
            name: plan.node(node).name.clone(),
            names: Rc::new(plan.nodes.iter().map(|node| node.name.clone()).collect()),
            configured_at: None,
            expiry_before: 0,
            next_access: None,
            declared: Box::new((settings.clone(), access.clone())),
            settings,
            access,
            opening: BTreeMap::new(),
            connections: Connections::default(),
            sessions: Sessions::default(),
            subscribers: Subscribers::default(),
            groups: Groups::default(),
            untold: BTreeMap::new(),
            taken_over: BTreeMap::new(),
            retained: Retained::default(),
            timers: BTreeSet::new(),
            now: Instant::ZERO,
            publications: 0,
            at_this_instant: Vec::new(),
            delayed_wills: Vec::new(),
            closing: BTreeMap::new(),
            lately: BTreeMap::new(),
            possible_wills: PossibleWills::default(),
            asking: BTreeSet::new(),
            has_unknown_session: false,
            stops_at: None,
            ended_now: BTreeMap::new(),
            unanswered: BTreeSet::new(),
            early: Vec::new(),
            slow: plan.node_ids().filter(|node| plan.node(*node).program.is_busy()).collect(),
            deaf: BTreeMap::new(),
            is_network_hampered: plan.middleboxes.iter().any(|middlebox| may_forget(&middlebox.rules)),
            is_paused: false,
            has_not_run: false,
            restarted_at: None,
            running_since: Instant::ZERO,
            has_odd_clock: false,
            is_down: false,
            has_lost_disk: false,
            memory: Memory::default(),
            unknown: Vec::new(),
        }
    }

    /// Takes note that `client` opens a connection to the server.
    pub(super) fn opening(&mut self, connection: ConnectionId, client: NodeId) {
        self.opening.insert(connection, client);
    }

    /// Takes note of something that the server reads.
    pub(super) fn received(&mut self, now: Instant, id: ConnectionId, item: &Transmission, findings: &mut Findings) {
        self.advance(now, findings);
        match item {
            Transmission::Open => {
                if let Some(client) = self.opening.remove(&id) {
                    let mut connection = Box::new(Connection::new(client, now));
                    connection.is_deaf = self.deaf.get(&client).is_some_and(|deaf| deaf.is_so());
                    self.connections.insert(id, connection);
                }
            }
            Transmission::Packet(packet) => self.receive(id, packet),
            Transmission::Bytes(bytes) => self.receive_bytes(id, bytes),
            Transmission::WebSocket(item) => self.receive_websocket(id, item),
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut => self.end(id, Ended::ByPeer, findings),
        }
    }

    /// Takes note of something that the server writes.
    pub(super) fn sent(
        &mut self,
        now: Instant,
        id: ConnectionId,
        item: &Transmission,
        size: usize,
        findings: &mut Findings,
    ) {
        self.advance(now, findings);
        self.note_stuck(id);
        match item {
            Transmission::Packet(packet) => self.send(id, packet, findings),
            Transmission::Bytes(bytes) => self.send_bytes(id, bytes, findings),
            Transmission::WebSocket(item) => self.send_websocket(id, item, findings),
            Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => {}
        }
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.wrote(now, size);
        }
        match item {
            // While its process stands still, its host answers for a connection that was reset. What has come before that, the
            // process reads when it goes on, and then it learns of the reset.
            Transmission::Rst if self.is_paused => {}
            Transmission::Fin | Transmission::Rst => {
                self.judge_takeover(id, findings);
                let how = self.closing.remove(&id).unwrap_or(Ended::ByServer);
                self.end(id, how, findings);
            }
            Transmission::Packet(_)
            | Transmission::Open
            | Transmission::Bytes(_)
            | Transmission::WebSocket(_)
            | Transmission::TimedOut => {}
        }
    }

    /// Takes note that what the server has written has reached the other side.
    pub(super) fn arrived(&mut self, now: Instant, id: ConnectionId, size: usize) {
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.delivered(now, size, !self.is_network_hampered);
        }
    }

    /// Takes note that the server says it ends a connection.
    pub(super) fn closing(&mut self, now: Instant, id: ConnectionId, because: Because, findings: &mut Findings) {
        self.advance(now, findings);
        let how = match because {
            Because::Malformed | Because::ProtocolError | Because::Quota | Because::NotAuthorized => Ended::Refused,
            _ => Ended::ByServer,
        };
        if because == Because::Quota && !self.settings.announced.bounds_total() {
            self.judge_quota(id, findings);
        }
        if because == Because::Takeover
            && let Some(connection) = self.connections.get(&id)
            && let Some(client_id) = connection.session.clone().filter(|_| connection.is_v5())
            && connection.is_writable_at(self.now)
            && !self.may_be_stuck(connection)
        {
            self.untold.insert(id, client_id);
        }
        if self.connections.get(&id).is_some_and(|connection| connection.waits_for_connack()) {
            self.closing.insert(id, how);
        } else {
            self.end(id, how, findings);
        }
    }

    /// Takes note of what the server says that it holds.
    pub(super) fn holds(&mut self, held: &Held) {
        self.memory.note(held);
    }

    /// Takes note that a fault of the network begins.
    pub(super) fn network_changed(&mut self) {
        self.is_network_hampered = true;
    }

    /// Judges what is still open at the end of the run.
    pub(super) fn finish(&mut self, end: Instant, findings: &mut Findings) {
        self.advance(end, findings);
        self.judge_early(Instant::MAX, findings);
        let open: Vec<ConnectionId> = self.connections.ids().collect();
        for id in open {
            self.judge_connection(id, findings);
        }
        self.judge_taken_over(findings);
        self.judge_memory(findings);
        if !self.is_paused {
            self.judge_groups(findings);
        }
        for (duty, since, why) in self.unknown.drain(..) {
            findings.not_judged(duty, since, why);
        }
    }

    /// Lets the time pass that the server has its timers for.
    fn advance(&mut self, now: Instant, findings: &mut Findings) {
        if now > self.now {
            for (id, how) in std::mem::take(&mut self.closing) {
                self.end(id, how, findings);
            }
            self.judge_early(now, findings);
            self.forget_instant(now);
        }
        if !self.is_paused {
            self.fire(now);
        }
        if now > self.now {
            self.forget_instant(now);
            self.now = now;
        }
    }

    fn fire(&mut self, now: Instant) {
        while let Some((due, timer)) = self.timers.first().filter(|(due, _)| *due <= now).cloned() {
            self.timers.remove(&(due, timer.clone()));
            let next = due.max(self.running_since);
            if next > self.now {
                self.forget_instant(next);
                self.now = next;
            }
            match timer {
                // A will that a connection before had, and that its death has made doubtful, is not this one.
                Timer::Will(client) if !self.is_will_due_at(&client, due) => {}
                Timer::Will(client) => {
                    let will = self.will_is_due(&client);
                    self.delayed_wills.extend(will.map(|will| (client, will)));
                }
                Timer::SessionEnd(client) => {
                    let will = self.end_session_with_will(&client);
                    self.delayed_wills.extend(will.map(|will| (client, will)));
                }
            }
        }
    }

    /// Forgets what holds for this instant alone: what happens from here on comes later, at the earliest at `next`.
    fn forget_instant(&mut self, next: Instant) {
        if let Some(access) = self.next_access.take() {
            self.access = access;
        }
        self.at_this_instant.clear();
        self.delayed_wills.clear();
        self.lately.clear();
        // A process that stands still may end them when it goes on.
        if !self.is_paused {
            let tolerance = self.settings.tolerance;
            self.ended_now.retain(|_, at| *at + tolerance >= next);
        }
    }

    fn send(&mut self, id: ConnectionId, packet: &Packet, findings: &mut Findings) {
        self.judge_spared(id, packet, findings);
        match packet {
            Packet::ConnAck(connack) => self.send_connack(id, connack, findings),
            Packet::Publish(publish) => self.send_publish(id, publish, findings),
            Packet::PubRel(ack) => self.send_pubrel(id, ack, findings),
            Packet::Disconnect(disconnect) => {
                if disconnect.reason == ReasonCode::SESSION_TAKEN_OVER {
                    self.untold.remove(&id);
                }
                self.send_disconnect(id, disconnect, findings);
            }
            Packet::Auth(auth) => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.asked_at = None;
                    connection.is_challenged = auth.reason == ReasonCode::CONTINUE_AUTHENTICATION;
                }
            }
            packet => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.unanswered.answered(packet);
                }
                self.answer(id, packet, findings);
            }
        }
    }

    fn node_name(&self, node: NodeId) -> &str {
        self.names.get(node.0).map_or("", String::as_str)
    }
}

/// Why a node reads nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Deaf {
    reads_nothing: bool,
    stands_still: bool,
}

impl Deaf {
    fn is_so(self) -> bool {
        self.reads_nothing || self.stands_still
    }
}

/// Returns whether a middlebox may forget a connection while it is open.
fn may_forget(rules: &MiddleboxRules) -> bool {
    rules.idle_limit.is_some() || rules.connections.is_some() && rules.when_full == WhenFull::ForgetOldest
}
