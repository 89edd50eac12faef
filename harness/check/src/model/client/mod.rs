//! The duties of a client.

mod answers;
mod delivery;
mod limits;
mod waits;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, PacketId};
use halfopen_protocol::{Packet, ReasonCode, Version};

use self::answers::Requests;
use self::delivery::Incoming;
use self::limits::Limits;
use self::waits::Waits;
use super::GRACE;
use super::finding::{Findings, shown};
use super::sender::{Broken, Sender};
use crate::plan::{Action, Because, ClientProgram, Command, Invariant, NodeFault, NodeId, Plan, Step, StepKind};
use crate::trace::{ConnectionId, Transmission};

/// One client, as the standards would have it.
pub(super) struct Client {
    name: String,
    /// Its application takes its time with each message.
    is_slow: bool,
    tolerance: Duration,
    now: Duration,
    connection: Option<Connection>,
    /// The connection that it closes because it is asked to: what it wrote before still goes out.
    leaving: Option<ConnectionId>,
    sender: Sender,
    incoming: Incoming,
    waits: Waits,
    /// Since when the process has run without a pause; none while it stands still or is down.
    running_since: Option<Duration>,
    is_reading: bool,
    /// What each of its CONNECTs asks for, unless the scenario says otherwise for one of them.
    keep_alive: Option<u16>,
    /// Whether it has something to subscribe to.
    subscribes: bool,
}

/// The connection that a client has or is about to have.
struct Connection {
    id: ConnectionId,
    connect: Option<Box<Connect>>,
    limits: Option<Limits>,
    said_goodbye: bool,
    requests: Requests,
    /// Since when it has to subscribe anew: the server has no session of it.
    subscribes_since: Option<Duration>,
    /// Topic aliases of the server.
    aliases: BTreeMap<u16, ByteString>,
}

impl Client {
    /// A client that has just started.
    pub(super) fn new(
        plan: &Plan,
        node: NodeId,
        program: &ClientProgram,
        told_at: &Rc<Cell<Option<Duration>>>,
    ) -> Self {
        Self {
            name: plan.node(node).name.clone(),
            is_slow: !program.handling.is_zero() || program.options.acknowledge.is_some(),
            tolerance: plan.tolerance,
            now: Duration::ZERO,
            connection: None,
            leaving: None,
            sender: Sender::new(usize::MAX),
            incoming: Incoming::default(),
            waits: Waits::of(program, told_at),
            running_since: Some(Duration::ZERO),
            is_reading: true,
            keep_alive: (!is_told_otherwise(&plan.steps, node)).then_some(program.options.connect.keep_alive),
            subscribes: !program.options.subscriptions.is_empty(),
        }
    }

    /// Takes note of something that the client writes.
    pub(super) fn sent(&mut self, now: Duration, id: ConnectionId, item: &Transmission, findings: &mut Findings) {
        self.now = now;
        match item {
            Transmission::Open => {
                self.judge_pause(true, findings);
                self.connection = Some(Connection::new(id));
                self.waits.opened(now);
            }
            Transmission::Packet(packet) if self.is_on(id) => {
                self.waits.wrote(now);
                self.send(packet, findings);
            }
            Transmission::Packet(Packet::Publish(publish))
                if self.leaving == Some(id) && publish.topic_alias.is_none() =>
            {
                self.sender.publish(now, self.version(), &publish.topic, publish);
            }
            Transmission::Fin | Transmission::Rst if self.is_on(id) => self.end(findings),
            _ => {}
        }
    }

    /// Takes note of something that the client reads.
    pub(super) fn received(&mut self, now: Duration, id: ConnectionId, item: &Transmission, findings: &mut Findings) {
        self.now = now;
        if !self.is_on(id) {
            return;
        }
        self.waits.heard(now);
        match item {
            Transmission::Packet(packet) => self.receive(packet),
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut => self.end(findings),
            Transmission::Open | Transmission::Bytes(_) => {}
        }
    }

    /// Takes note that the client says it ends the connection.
    pub(super) fn closing(&mut self, now: Duration, id: ConnectionId, because: Because, findings: &mut Findings) {
        self.now = now;
        if self.is_on(id) {
            self.judge_haste(because, findings);
            self.end(findings);
            if because == Because::Asked {
                self.leaving = Some(id);
                self.waits.stop();
            }
        }
    }

    /// Takes note that something happens to the client itself.
    pub(super) fn changed(&mut self, now: Duration, change: NodeFault, findings: &mut Findings) {
        self.now = now;
        match change {
            NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Shutdown => {
                self.judge_pause(false, findings);
                // With the process goes its memory.
                self.connection = None;
                self.sender.clear();
                self.incoming = Incoming::default();
                self.waits.stop();
                self.running_since = None;
            }
            NodeFault::Pause(_) => self.running_since = None,
            NodeFault::Resume | NodeFault::Restart => {
                self.running_since = Some(now);
                self.waits.disturbed();
            }
            NodeFault::StopReading => self.is_reading = false,
            NodeFault::ResumeReading => self.is_reading = true,
            NodeFault::SetWallClock(_) | NodeFault::LoseDisk => {}
            NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) => self.waits.has_odd_clock(),
        }
    }

    /// Judges what is still open at the end of the run.
    pub(super) fn finish(&mut self, end: Duration, findings: &mut Findings) {
        self.now = end;
        self.judge_connection(findings);
        self.judge_delivery(findings);
        self.judge_pause(false, findings);
    }

    fn is_on(&self, id: ConnectionId) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.id == id)
    }

    fn version(&self) -> Version {
        let connect = self.connection.as_ref().and_then(|connection| connection.connect.as_ref());
        connect.map_or(Version::V5_0, |connect| connect.version)
    }

    fn send(&mut self, packet: &Packet, findings: &mut Findings) {
        let (now, version) = (self.now, self.version());
        self.judge_limits(packet, findings);
        let Some(connection) = &mut self.connection else { return };
        match packet {
            Packet::Connect(connect) => {
                connection.connect = Some(connect.clone());
                self.waits.asked_to_connect(connect.keep_alive);
                self.judge_connect(connect, findings);
            }
            Packet::PingReq => self.waits.pinged(now),
            Packet::Subscribe(_) => connection.subscribes_since = None,
            Packet::Disconnect(_) => {
                connection.said_goodbye = true;
                self.waits.stop();
            }
            Packet::Publish(publish) => {
                let topic = match publish.topic_alias {
                    // What the alias stands for is the client's own affair here; the identifier tells the exchange.
                    Some(alias) if publish.topic.is_empty() => ByteString::from(format!("alias {alias}")),
                    _ => publish.topic.clone(),
                };
                if publish.topic_alias.is_none() {
                    let (_, broken) = self.sender.publish(now, version, &topic, publish);
                    self.report(Invariant::ClientSettles, broken, findings);
                }
            }
            Packet::PubRel(ack) => self.send_pubrel(ack.packet_id, findings),
            packet => self.send_answer(packet, findings),
        }
    }

    fn send_pubrel(&mut self, id: PacketId, findings: &mut Findings) {
        let (now, version) = (self.now, self.version());
        let Some(connection) = &mut self.connection else { return };
        let was_asked = connection.requests.released(id);
        let broken = self.sender.release(now, version, id, was_asked);
        self.report(Invariant::ClientSettles, broken, findings);
    }

    fn receive(&mut self, packet: &Packet) {
        let now = self.now;
        match packet {
            Packet::ConnAck(connack) => self.receive_connack(connack),
            Packet::PingResp => self.waits.ponged(),
            Packet::Publish(publish) => self.receive_publish(publish),
            Packet::PubRel(ack) => self.receive_pubrel(ack.packet_id),
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
                if self.sender.acknowledged(now, packet.packet_type(), ack)
                    && let Some(connection) = &mut self.connection
                {
                    connection.requests.receipt(ack.packet_id, now);
                }
            }
            _ => {}
        }
    }

    fn receive_connack(&mut self, connack: &ConnAck) {
        if connack.reason != ReasonCode::SUCCESS {
            // Whether a refused client tries again is its own choice (§3.2.2.2).
            return self.waits.stop();
        }
        let Some(connection) = &mut self.connection else { return };
        connection.limits = Some(Limits::of(connack));
        self.waits.accepted(connack.server_keep_alive);
        if !connack.session_present {
            connection.subscribes_since = self.subscribes.then_some(self.now);
            self.sender.clear();
            self.incoming.forget();
        }
        self.sender.connected(self.now, connack.receive_maximum.unwrap_or(u16::MAX).into());
    }

    fn end(&mut self, findings: &mut Findings) {
        self.judge_connection(findings);
        self.connection = None;
        self.sender.disconnected();
        self.waits.lost(self.now);
    }

    fn judge_connection(&mut self, findings: &mut Findings) {
        if self.connection.as_ref().is_none_or(|connection| connection.said_goodbye) {
            return;
        }
        self.judge_waits(findings);
        self.judge_subscribing(findings);
        self.judge_answers(findings);
        self.judge_left(findings);
    }

    /// A client asks for its own keep-alive each time, whatever the last server has told it [MQTT-3.2.2-21].
    fn judge_connect(&self, connect: &Connect, findings: &mut Findings) {
        if let Some(seconds) = self.keep_alive.filter(|seconds| *seconds != connect.keep_alive) {
            let owed = format!("{} asks for its own keep-alive, {seconds} s", self.name);
            let actual = format!("{} s at {}", connect.keep_alive, shown(self.now));
            findings.push(Invariant::ClientReconnects, "§3.1.2.10", &owed, actual);
        }
    }

    /// Where the server has no session, the client's subscriptions are gone, and it makes them again (§4.1).
    fn judge_subscribing(&self, findings: &mut Findings) {
        let since = self.connection.as_ref().and_then(|connection| connection.subscribes_since);
        if let Some(since) = since.filter(|since| self.is_overdue(*since) && self.waits.is_known()) {
            let owed = format!("{} subscribes, since the server has no session of it", self.name);
            let actual = format!("not from {} to {}", shown(since), shown(self.now));
            findings.push(Invariant::ClientReconnects, "§4.1", &owed, actual);
        }
    }

    /// Returns whether something that was owed since `since` is missing by now.
    fn is_overdue(&self, since: Duration) -> bool {
        let Some(running) = self.running_since else { return false };
        self.is_reading && !self.is_slow && self.now > since.max(running) + GRACE + self.tolerance
    }

    fn report(&self, duty: Invariant, broken: Option<Broken>, findings: &mut Findings) {
        if let Some(Broken { clause, owed, actual }) = broken {
            findings.push(duty, clause, &format!("{} {owed}", self.name), actual);
        }
    }
}

/// Whether a step connects the node with other fields than its own.
fn is_told_otherwise(steps: &[Step], node: NodeId) -> bool {
    steps.iter().any(|step| match &step.kind {
        StepKind::Node { actions, .. } => actions
            .iter()
            .filter_map(Action::command)
            .any(|command| matches!(command, Command::Connect(connect) if connect.with.contains_key(&node))),
        StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } => is_told_otherwise(steps, node),
        _ => false,
    })
}

impl Connection {
    fn new(id: ConnectionId) -> Self {
        Self {
            id,
            connect: None,
            limits: None,
            said_goodbye: false,
            requests: Requests::default(),
            subscribes_since: None,
            aliases: BTreeMap::new(),
        }
    }
}
