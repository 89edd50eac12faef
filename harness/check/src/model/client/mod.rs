//! The duties of a client.

mod answers;
mod delivery;
mod form;
mod limits;
mod told;
mod waits;
mod wishes;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{Ack, ConnAck, Connect, PacketId, Publish};
use halfopen_protocol::{Instant, Packet, Rare, ReasonCode, Version};

use self::answers::Requests;
use self::delivery::Incoming;
use self::limits::Limits;
use self::told::Told;
use self::waits::Waits;
use self::wishes::Wishes;
use super::GRACE;
use super::finding::{Findings, clause_of, shown};
use super::sender::{Begun, Broken, Sender, may_be_again};
use super::unanswered::Unanswered;
use super::websocket;
use crate::plan::{Because, ClientProgram, Command, Invariant, NodeFault, NodeId, Plan};
use crate::trace::{ConnectionId, Transmission};

/// A message of this many bytes may not be written at once.
const LARGE: usize = 8 * 1024;

/// One client, as the standards would have it.
pub(super) struct Client {
    name: Box<str>,
    /// True if its application takes its time with each message.
    is_slow: bool,
    /// True if its application acknowledges the messages, and so takes them over.
    acknowledges: bool,
    tolerance: Duration,
    now: Instant,
    connection: Option<Connection>,
    /// Time at which its latest connection ended.
    ended_at: Option<Instant>,
    /// The connection that it closes because it is asked to: what it wrote before still goes out.
    leaving: Option<ConnectionId>,
    sender: Sender,
    incoming: Rare<Incoming>,
    waits: Waits,
    /// Time since which the process has run without a pause; `None` while it stands still or is down.
    running_since: Option<Instant>,
    /// True if its process has ended.
    is_down: bool,
    is_reading: bool,
    /// The content of each of its CONNECTs, unless the scenario sets another for one of them.
    own: Option<Arc<Connect>>,
    /// The client identifier that a server has given it.
    assigned_id: Option<Box<ByteString>>,
    /// The Keep Alive and the Session Expiry Interval that a server has set instead of the client's own.
    set_by_server: (Option<u16>, Option<u32>),
    wishes: Rare<Wishes>,
    told: Told,
    /// True if it is told to publish a message that it may not be able to write at once. A part of one is no packet,
    /// and stands in no trace.
    writes_large: bool,
    /// True if something in the story may arrive in parts.
    is_served_in_parts: bool,
    /// True if it is another program than the project's client.
    is_foreign: bool,
}

/// The connection that a client has or is about to have.
struct Connection {
    id: ConnectionId,
    connect: Option<Arc<Connect>>,
    limits: Option<Limits>,
    said_goodbye: bool,
    /// The server has sent DISCONNECT.
    is_dismissed: bool,
    requests: Requests,
    /// Time at which the server accepted the client.
    accepted_at: Option<Instant>,
    /// Topic aliases of the server, and of the client.
    aliases: Rare<BTreeMap<u16, ByteString>>,
    own_aliases: Rare<BTreeMap<u16, ByteString>>,
    /// The server's messages that the client has not acknowledged.
    unanswered: Unanswered,
    /// Time at which the server first sent what the client need not take.
    misused_at: Option<Instant>,
    /// The statement for which the client has to close, and what the server has sent, if it was that.
    closes_for: Option<Box<(&'static str, String)>>,
    /// Number of bytes that are on their way to the client.
    coming: usize,
    /// The client has read nothing for a time, in which it may have written to a connection that was lost.
    has_been_deaf: bool,
}

/// The commands of a scenario to a client, as far as the model has to know them from the start.
#[derive(Clone, Copy, Default)]
pub(super) struct Foretold {
    /// True if the scenario sets the content of one of its CONNECTs.
    connects_otherwise: bool,
    writes_large: bool,
    /// True if something is sent to others that may arrive in parts, of which the last alone stands in a trace.
    pub(super) is_served_in_parts: bool,
}

impl Foretold {
    /// Takes note of a command to the client on this node.
    pub(super) fn note(&mut self, node: NodeId, command: &Command) {
        match command {
            Command::Connect(connect) => self.connects_otherwise |= connect.with.contains_key(&node),
            Command::Publish(publish) => self.writes_large |= publish.payload.len() >= LARGE,
            _ => {}
        }
    }
}

impl Client {
    /// A client that has just started.
    pub(super) fn new(
        plan: &Plan,
        node: NodeId,
        program: &ClientProgram,
        foretold: Foretold,
        told_at: &Rc<Cell<Option<Instant>>>,
    ) -> Self {
        let is_foreign = plan.node(node).played_by.is_some();
        Self {
            name: plan.node(node).name.as_str().into(),
            is_foreign,
            is_slow: !program.handling.is_zero() || !program.options.acknowledge.is_empty(),
            acknowledges: !program.options.acknowledge.is_empty(),
            tolerance: plan.tolerance,
            now: Instant::ZERO,
            connection: None,
            ended_at: None,
            leaving: None,
            sender: Sender::new(usize::MAX),
            incoming: Rare::new(),
            waits: Waits::of(program, is_foreign, told_at),
            running_since: Some(Instant::ZERO),
            is_down: false,
            is_reading: true,
            own: (!foretold.connects_otherwise).then(|| program.options.connect.clone().into_arc()),
            assigned_id: None,
            set_by_server: (None, None),
            wishes: Wishes::new(&program.options.subscriptions, is_foreign),
            told: Told::new(program.options.queue_messages),
            writes_large: foretold.writes_large,
            is_served_in_parts: foretold.is_served_in_parts,
        }
    }

    /// Takes note of something that the client writes.
    pub(super) fn sent(&mut self, now: Instant, id: ConnectionId, item: &Transmission, findings: &mut Findings) {
        self.now = now;
        match item {
            Transmission::Open => {
                self.judge_pause(true, findings);
                self.connection = Some(Connection { has_been_deaf: !self.is_reading, ..Connection::new(id) });
                self.waits.opened(now);
            }
            Transmission::Packet(packet) if self.is_on(id) => {
                self.waits.wrote(now, super::size(item) >= LARGE);
                self.send(packet, findings);
            }
            Transmission::Bytes(bytes) if self.is_on(id) => self.send_bytes(bytes, findings),
            Transmission::WebSocket(item) if self.is_on(id) => {
                websocket::judge(Invariant::ClientAnswers, &self.name, item, false, now, findings);
            }
            Transmission::Packet(packet) if self.leaving == Some(id) => match &**packet {
                Packet::Publish(publish) => self.send_leaving(publish),
                Packet::Subscribe(subscribe) => self.wishes.never_answered(subscribe),
                _ => {}
            },
            // Its host answers for a connection that was reset. What has come before that, the client may still read, and then
            // it learns of the reset. When it ends a connection itself, it says so before.
            Transmission::Rst if !self.is_foreign => {}
            Transmission::Fin | Transmission::Rst if self.is_on(id) => self.end(false, findings),
            _ => {}
        }
    }

    /// Takes note of something that is sent to the client.
    pub(super) fn coming(&mut self, id: ConnectionId, size: usize) {
        if let Some(connection) = self.connection.as_mut().filter(|connection| connection.id == id) {
            connection.coming += size;
        }
    }

    /// Returns whether the client may have read a part of something that is not there as a whole.
    fn may_have_a_part(&self) -> bool {
        let coming = self.connection.as_ref().map_or(0, |connection| connection.coming);
        self.is_served_in_parts || coming >= super::PIECE
    }

    /// Takes note of something that the client reads.
    pub(super) fn received(&mut self, now: Instant, id: ConnectionId, item: &Transmission, findings: &mut Findings) {
        self.now = now;
        if !self.is_on(id) {
            return;
        }
        self.waits.heard(now);
        if let Some(connection) = &mut self.connection {
            connection.coming = connection.coming.saturating_sub(super::size(item));
        }
        match item {
            Transmission::Packet(packet) => self.receive(packet),
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut => self.end(false, findings),
            Transmission::WebSocket(item) => self.receive_websocket(item),
            Transmission::Bytes(bytes) => self.receive_bytes(bytes),
            Transmission::Open => {}
        }
    }

    /// Takes note that the client says it ends the connection.
    pub(super) fn closing(&mut self, now: Instant, id: ConnectionId, because: Because, findings: &mut Findings) {
        self.now = now;
        if self.is_on(id) {
            self.judge_haste(because, findings);
            // After the server's DISCONNECT the client closes, too, and then connects again.
            let is_dismissed = self.connection.as_ref().is_some_and(|connection| connection.is_dismissed);
            self.end(because == Because::Asked && !is_dismissed, findings);
            if because == Because::Asked {
                self.leaving = Some(id);
            }
        }
    }

    /// Takes note that something happens to the client itself.
    pub(super) fn changed(&mut self, now: Instant, change: NodeFault, findings: &mut Findings) {
        self.now = now;
        match change {
            NodeFault::Crash | NodeFault::PowerLoss | NodeFault::Shutdown => {
                self.judge_pause(false, findings);
                // With the process goes its memory.
                self.connection = None;
                self.sender.clear();
                self.incoming.clear();
                if let Some(wishes) = self.wishes.existing() {
                    wishes.forget();
                }
                self.assigned_id = None;
                self.set_by_server = (None, None);
                self.told.forget(now);
                self.waits.forget();
                self.running_since = None;
                self.is_down = true;
            }
            NodeFault::Pause(_) => {
                self.running_since = None;
                // What it was given at this instant it may take in when it goes on.
                self.told.doubt(|given| given == now);
            }
            NodeFault::Resume | NodeFault::Restart => {
                self.is_down &= change == NodeFault::Resume;
                if change == NodeFault::Restart {
                    self.told.forget(now);
                }
                self.running_since = Some(now);
                self.waits.disturbed();
            }
            NodeFault::StopReading => {
                self.is_reading = false;
                self.connection.iter_mut().for_each(|connection| connection.has_been_deaf = true);
            }
            NodeFault::ResumeReading => {
                self.is_reading = true;
                self.waits.reads_again();
            }
            NodeFault::SetWallClock(_) | NodeFault::LoseDisk => {}
            NodeFault::ClockDrift(_) | NodeFault::ClockJump(_) => self.waits.has_odd_clock(),
        }
    }

    /// Takes note of what the scenario tells the client in one step, in this order. An action that waits puts off those
    /// that follow, so that it is not known when they are taken.
    pub(super) fn told(&mut self, now: Instant, commands: &[&Command]) {
        self.now = now;
        if self.is_down {
            // A process that is started at this instant may be told it.
            for command in commands {
                if let Command::Publish(publish) = command {
                    self.told.give(publish, now, false, None);
                }
            }
            return;
        }
        let mut is_sure = self.running_since.is_some();
        for command in commands {
            match command {
                Command::Publish(publish) => {
                    let limits = self.connection.as_ref().and_then(|connection| connection.limits.as_ref());
                    self.told.give(publish, now, is_sure, limits);
                    if self.ended_at == Some(now) {
                        // At one instant it may have come before the connection ended.
                        self.sender.may_have_begun();
                    }
                    continue;
                }
                Command::Subscribe { subscriptions, .. } => {
                    self.wishes.told_to_subscribe(subscriptions.iter().map(|one| one.filter.clone()), now);
                }
                Command::Unsubscribe(filters) => {
                    let is_up = self.connection.as_ref().is_some_and(|connection| connection.limits.is_some());
                    self.wishes.told_to_unsubscribe(filters, now, is_up && !self.writes_large, self.told.limit());
                }
                // It waits for no PINGRESP either.
                Command::StopPinging => self.waits.stop_pinging(),
                _ => {}
            }
            is_sure = false;
        }
    }

    /// Judges what is still open at the end of the run.
    pub(super) fn finish(&mut self, end: Instant, findings: &mut Findings) {
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
        let now = self.now;
        self.judge_limits(packet, findings);
        let Some(connection) = &mut self.connection else { return };
        match packet {
            Packet::Connect(connect) => {
                connection.connect = Some(connect.clone());
                self.waits.asked_to_connect(connect.keep_alive);
                self.judge_connect(connect, findings);
            }
            Packet::PingReq => self.waits.pinged(now),
            Packet::Subscribe(subscribe) => {
                self.send_request(subscribe.packet_id, findings);
                self.send_subscribe(subscribe, findings);
            }
            Packet::Unsubscribe(unsubscribe) => {
                self.send_request(unsubscribe.packet_id, findings);
                self.send_unsubscribe(unsubscribe);
            }
            Packet::Disconnect(disconnect) => {
                connection.said_goodbye = true;
                let maximum = connection.connect.as_ref().and_then(|connect| connect.receive_maximum);
                connection.unanswered.judge_reason(&self.name, disconnect, maximum, now, findings);
                self.waits.stop();
            }
            Packet::Publish(publish) => self.send_publish(publish, findings),
            Packet::PubRel(ack) => self.send_pubrel(ack, findings),
            packet => self.send_answer(packet, findings),
        }
    }

    fn send_request(&mut self, id: PacketId, findings: &mut Findings) {
        let broken = self.sender.request(self.now, self.version(), id);
        self.report(broken, findings);
    }

    fn send_publish(&mut self, publish: &Publish, findings: &mut Findings) {
        let (now, version) = (self.now, self.version());
        let Some(connection) = &mut self.connection else { return };
        let topic = match publish.topic_alias {
            Some(alias) if publish.topic.is_empty() => match connection.own_aliases.get(&alias) {
                Some(topic) => topic.clone(),
                None => {
                    let owed = format!("{} uses a topic alias that it has set on this connection", self.name);
                    let actual = format!("alias {alias} at {}", shown(now));
                    return findings.push(Invariant::ClientPublishes, "MQTT-3.3.2-7", &owed, actual);
                }
            },
            Some(alias) => connection.own_aliases.entry(alias).insert_entry(publish.topic.clone()).get().clone(),
            None => publish.topic.clone(),
        };
        let room = self.room_since();
        let (begun, broken) = self.sender.publish(now, version, &topic, publish);
        self.report(broken, findings);
        // One that repeats what the model has taken for settled.
        let is_again = publish.dup && self.sender.has_doubtful_beginnings();
        if is_again && begun == Begun::New {
            findings.not_judged_of(Invariant::ResendOnlyOnResume, now, &self.name, &may_be_again(&self.name));
        }
        match begun {
            Begun::Either => self.told.may_be(&topic, publish),
            Begun::New if is_again => self.told.may_be(&topic, publish),
            Begun::New => self.send_new(&topic, publish, room, findings),
            Begun::Again => {}
        }
    }

    /// A PUBLISH that was written before the client closed still goes out.
    fn send_leaving(&mut self, publish: &Publish) {
        if publish.topic_alias.is_some() {
            // What the alias stands for is forgotten.
            return self.told.doubt(|_| true);
        }
        let (begun, _) = self.sender.publish(self.now, self.version(), &publish.topic, publish);
        if begun == Begun::New {
            drop(self.told.take(&publish.topic, publish, |_, _| true));
        }
    }

    fn send_pubrel(&mut self, pubrel: &Ack, findings: &mut Findings) {
        let (now, version) = (self.now, self.version());
        let Some(connection) = &mut self.connection else { return };
        let was_asked = connection.requests.released(pubrel.packet_id);
        let broken = self.sender.release(now, version, pubrel, was_asked);
        self.report(broken, findings);
    }

    fn receive(&mut self, packet: &Packet) {
        let now = self.now;
        // Before CONNACK nothing else may come [MQTT-3.2.0-1].
        let is_early = !matches!(packet, Packet::ConnAck(_) | Packet::Auth(_) | Packet::Disconnect(_));
        if let Some(connection) = self.connection.as_mut().filter(|connection| connection.limits.is_none()) {
            connection.misused_at = connection.misused_at.or(is_early.then_some(now));
        }
        match packet {
            Packet::ConnAck(connack) => self.receive_connack(connack),
            Packet::PingResp => self.waits.ponged(),
            Packet::Publish(publish) => self.receive_publish(publish),
            Packet::PubRel(ack) => self.receive_pubrel(ack.packet_id),
            Packet::Disconnect(_) => {
                if let Some(connection) = &mut self.connection {
                    connection.is_dismissed = true;
                }
            }
            Packet::SubAck(ack) => {
                self.sender.request_answered(ack.packet_id);
                self.wishes.granted(ack, now);
            }
            Packet::UnsubAck(ack) => {
                self.sender.request_answered(ack.packet_id);
                self.wishes.given_up(ack);
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
                self.told.acknowledged(ack.packet_id, !self.is_slow);
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
        connection.accepted_at = Some(self.now);
        if let Some(assigned) = &connack.assigned_client_id {
            self.assigned_id = Some(Box::new(assigned.clone()));
        }
        let limits = connection.limits.insert(Limits::of(connack));
        if connack.session_present && !limits.takes_all_kinds() {
            // What it does not take any more cannot be sent again.
            self.sender.doubt();
        }
        if let Some(wishes) = self.wishes.existing() {
            wishes.connected(self.now, connack.session_present);
        }
        self.waits.accepted(self.now, connack.server_keep_alive);
        let (keep_alive, session_expiry) = &mut self.set_by_server;
        *keep_alive = connack.server_keep_alive.or(*keep_alive);
        *session_expiry = connack.session_expiry.or(*session_expiry);
        if !connack.session_present {
            self.told.start_over(self.now, self.is_foreign);
            self.sender.clear();
            if let Some(incoming) = self.incoming.existing() {
                incoming.forget();
            }
        }
        self.told.connected(limits);
        let maximum_packet_size = connack.maximum_packet_size.map_or(usize::MAX, |size| size as usize);
        self.sender.connected(self.now, connack.receive_maximum.unwrap_or(u16::MAX).into(), maximum_packet_size);
    }

    fn end(&mut self, is_asked: bool, findings: &mut Findings) {
        self.judge_connection(findings);
        let now = self.now;
        let connection = self.connection.take();
        // What was given or could first be sent at this instant may have been lost with the connection.
        let accepted = connection.as_ref().and_then(|connection| connection.accepted_at);
        let has_been_deaf = connection.as_ref().is_some_and(|connection| connection.has_been_deaf);
        if let Some(connection) = connection.as_ref().filter(|_| self.is_foreign) {
            self.incoming.may_be_unread(now, &connection.requests);
        }
        if let Some(connection) = connection.filter(|_| self.acknowledges) {
            self.incoming.forget_unacknowledged(&connection.requests);
        }
        let is_first = accepted == Some(now) || self.running_since == Some(now);
        self.told.doubt(|given| is_first || given == now);
        // What waited for the window began with what opened it, at this instant.
        let has_just_room = self.sender.room_since() == Some(now) && self.told.has_waiting();
        let may_have_begun = self.writes_large || has_been_deaf || has_just_room;
        if may_have_begun {
            self.told.may_have_begun();
        }
        if may_have_begun || is_first && self.told.has_waiting() || self.told.has_given_at(now) {
            self.sender.may_have_begun();
        }
        self.ended_at = Some(now);
        if self.is_slow {
            // What has come may not have been taken in.
            self.sender.doubt_receipts();
            self.sender.may_have_begun();
            self.wishes.doubt_granted_since(accepted.unwrap_or(now));
        }
        self.sender.disconnected();
        self.waits.lost(self.now, is_asked);
    }

    fn judge_connection(&mut self, findings: &mut Findings) {
        self.judge_misuse(findings);
        if self.connection.as_ref().is_none_or(|connection| connection.said_goodbye || connection.misused_at.is_some())
        {
            return;
        }
        self.judge_waits(findings);
        self.judge_subscribing(findings);
        self.judge_answers(findings);
        self.judge_left(findings);
        self.judge_told(findings);
    }

    /// A client says the same each time, whatever the last server has told it [MQTT-3.2.2-21]: who it is, what it
    /// wants, and its will.
    fn judge_connect(&self, connect: &Connect, findings: &mut Findings) {
        let Some(own) = &self.own else { return };
        let client_id = match (&self.assigned_id, own.client_id.is_empty()) {
            (Some(id), true) if **id == connect.client_id => id.as_ref(),
            _ => &own.client_id,
        };
        let clause = |v311, v5| clause_of(connect.version, v311, v5);
        // What the scenario does not set, another program than the project's may set as it likes.
        let is_other = |sent: Option<u32>, own: Option<u32>| sent != own && !(self.is_foreign && own.is_none());
        // It may keep to what the last server has set, too.
        let (server_keep_alive, server_expiry) = if self.is_foreign { self.set_by_server } else { (None, None) };
        let keep_alive = connect.keep_alive != own.keep_alive && server_keep_alive != Some(connect.keep_alive);
        let session_expiry = connect.session_expiry != own.session_expiry
            && (server_expiry.is_none() || server_expiry != connect.session_expiry);
        let receive_maximum = is_other(connect.receive_maximum.map(u32::from), own.receive_maximum.map(u32::from));
        let maximum_packet_size = is_other(connect.maximum_packet_size, own.maximum_packet_size);
        let topic_alias_maximum =
            is_other(connect.topic_alias_maximum.map(u32::from), own.topic_alias_maximum.map(u32::from));
        let all = [
            (connect.client_id != *client_id, "§3.1.3.1", "Client Identifier"),
            (keep_alive, "§3.1.2.10", "Keep Alive"),
            (connect.clean_start != own.clean_start, "§3.1.2.4", clause("Clean Session", "Clean Start")),
            (connect.will != own.will, "§3.1.2.5", "will"),
            (connect.username != own.username || connect.password != own.password, "§3.1.3", "user name and password"),
            (session_expiry, "§3.1.2.11.2", "Session Expiry Interval"),
            (receive_maximum, "§3.1.2.11.3", "Receive Maximum"),
            (maximum_packet_size, "§3.1.2.11.4", "Maximum Packet Size"),
            (topic_alias_maximum, "§3.1.2.11.5", "Topic Alias Maximum"),
            (connect.user_properties != own.user_properties, "§3.1.2.11.8", "User Property"),
        ];
        for (_, clause, what) in all.into_iter().filter(|(is_another, ..)| *is_another) {
            let owed = format!("{} connects with its own {what}", self.name);
            let actual = format!("another one at {}", shown(self.now));
            findings.push(Invariant::ClientReconnects, clause, &owed, actual);
        }
    }

    /// Returns whether something that was owed since `since` is missing by now.
    /// Returns since when it could have sent another message. Another program may first finish what it has begun.
    fn room_since(&self) -> Option<Instant> {
        let room = self.sender.room_since()?;
        if self.is_foreign { self.sender.idle_since().map(|idle| room.max(idle)) } else { Some(room) }
    }

    fn is_overdue(&self, since: Instant) -> bool {
        let Some(running) = self.running_since else { return false };
        let may_be_stuck =
            self.writes_large && self.waits.answered_at().is_none_or(|answered| answered <= since.max(running));
        self.is_reading && !self.is_slow && !may_be_stuck && self.now > since.max(running) + GRACE + self.tolerance
    }

    fn report(&self, broken: Option<Broken>, findings: &mut Findings) {
        if let Some(Broken { invariant, clause, owed, actual }) = broken {
            let invariant = invariant.unwrap_or(Invariant::ClientSettles);
            findings.push(invariant, clause, &format!("{} {owed}", self.name), actual);
        }
    }
}

impl Connection {
    fn new(id: ConnectionId) -> Self {
        Self {
            id,
            connect: None,
            limits: None,
            said_goodbye: false,
            is_dismissed: false,
            requests: Requests::default(),
            accepted_at: None,
            aliases: Rare::new(),
            own_aliases: Rare::new(),
            unanswered: Unanswered::default(),
            misused_at: None,
            closes_for: None,
            coming: 0,
            has_been_deaf: false,
        }
    }
}
