//! Connections of a server (§3.1, §3.2, §3.14): CONNECT comes first and is answered, and a client has one connection.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, PacketId, Publish, Subscription};
use halfopen_protocol::{Empty, Few, Instant, Packet, Rare, ReasonCode, Version};

use super::Server;
use super::access::{Permission, Right};
use super::form::MalformedConnect;
use super::publication::Publication;
use super::session::Session;
use super::sessions::Place;
use super::topic::Filter;
use super::violation::Violation;
use crate::model::GRACE;
use crate::model::finding::{Findings, clause_of, shown};
use crate::model::unanswered::Unanswered;
use crate::plan::Invariant;
use crate::plan::NodeId;
use crate::trace::ConnectionId;

/// Number of bytes under way from which on a server may not be able to write at once.
pub(super) const BLOCKED: usize = 8 * 1024;

/// Time for which a server may be in the middle of a large message after it has written another one.
const UNDER_WAY: Duration = Duration::from_secs(5);

/// Maximum Packet Size below which a CONNECT or its CONNACK may be too large.
const SMALL: u32 = 1024;

/// The way in which a connection ended for the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// The peer ended it by FIN or RST, or its host was silent.
    ByPeer,
    /// The server ended it.
    ByServer,
    /// The server ended it because of what the peer sent last: that may have had no effect.
    Refused,
    /// The server died.
    ByDeath,
}

/// A connection that the server has not seen end.
pub(super) struct Connection {
    pub(super) client: NodeId,
    opened_at: Instant,
    /// The client's CONNECT.
    pub(super) connect: Option<Arc<Connect>>,
    /// The malformed CONNECT that is the first thing received.
    pub(super) malformed_connect: Option<MalformedConnect>,
    /// The client identifier, once CONNACK has accepted it.
    pub(super) session: Option<ByteString>,
    /// The place of its session.
    pub(super) place: Place,
    /// Time at which something came that CONNACK or the end of the connection must answer.
    pub(super) asked_at: Option<Instant>,
    /// The packets that came after CONNECT and before CONNACK, which a server takes in once it has accepted (§3.1.4).
    pub(super) early: Rare<Vec<Packet>>,
    /// Time at which the client was last heard.
    pub(super) heard_at: Instant,
    /// Time at which the server last wrote something at the very instant at which the client was heard: then it could
    /// write at once.
    answered_at: Option<Instant>,
    /// Time at which the server last wrote a packet that may not have been written at once: its end says nothing.
    large_at: Option<Instant>,
    /// True if the client reads nothing.
    pub(super) is_deaf: bool,
    pub(super) reads_since: Instant,
    /// Time at which CONNACK was sent.
    pub(super) accepted_at: Option<Instant>,
    /// The CONNACK that accepted the client.
    pub(super) announced: Option<Arc<ConnAck>>,
    /// Time at which the server sent DISCONNECT, or a CONNACK that refuses.
    pub(super) left_at: Option<Instant>,
    /// True if the client has offered the subprotocol of MQTT over WebSocket.
    pub(super) offers_mqtt: bool,
    /// The first rule that the client has broken.
    pub(super) violation: Option<Box<Violation>>,
    /// True once the client has had more messages under way than the server takes (Receive Maximum).
    pub(super) has_exceeded_maximum: bool,
    /// True if the client has yet to answer an AUTH of the server.
    pub(super) is_challenged: bool,
    /// True once an AUTH of the client has continued what the server had not begun, or begun anew what had to be continued (§4.12).
    has_misspoken: bool,
    /// The client has sent DISCONNECT: with this reason.
    pub(super) disconnect: Option<ReasonCode>,
    /// Topic aliases of the client, and of the server.
    pub(super) aliases: (Aliases, Aliases),
    /// Time since which PINGRESP is owed, for each PINGREQ that has none.
    pub(super) pings: Few<Instant>,
    pub(super) requests: Rare<Requests>,
    /// The client's messages that the server has not acknowledged.
    pub(super) unanswered: Unanswered,
    /// Publications that were taken over from this connection at the latest instant at which there were any.
    pub(super) fresh: Rare<Fresh>,
    /// Bytes on their way to the client, and since when they have been few.
    under_way: usize,
    /// Bytes that have reached the client over a network that may have lost its acknowledgements.
    unconfirmed: usize,
    writable_since: Option<Instant>,
    /// Latest time at which the server was possibly in the middle of a large message.
    stuck_at: Instant,
}

/// Publications of one instant.
#[derive(Default)]
pub(super) struct Fresh {
    pub(super) at: Instant,
    pub(super) publications: Vec<Rc<Publication>>,
}

impl Empty for Fresh {
    const EMPTY: &'static Self = &Self { at: Instant::ZERO, publications: Vec::new() };
}

/// The topics of topic aliases.
pub(super) type Aliases = Rare<BTreeMap<u16, ByteString>>;

/// A SUBSCRIBE: since when its answer is owed, its identifier, and its filters.
pub(super) type Asked = (Instant, Option<u32>, Vec<Subscription>);

/// The other requests of a client, oldest first, each with the time since which the answer is owed.
#[derive(Default)]
pub(super) struct Requests {
    pub(super) subscribes: BTreeMap<PacketId, VecDeque<Asked>>,
    pub(super) unsubscribes: BTreeMap<PacketId, VecDeque<(Instant, Vec<ByteString>)>>,
    pub(super) publishes: BTreeMap<PacketId, VecDeque<(Instant, Rc<Publication>)>>,
    pub(super) publishes_qos_2: BTreeMap<PacketId, VecDeque<(Instant, Rc<Publication>)>>,
    /// PUBREL of the client, and whether the server knew its identifier.
    pub(super) releases: BTreeMap<PacketId, VecDeque<(Instant, bool)>>,
    /// PUBREC of the client, which PUBREL must answer.
    pub(super) receipts: BTreeMap<PacketId, VecDeque<Instant>>,
}

impl Empty for Requests {
    const EMPTY: &'static Self = &Self {
        subscribes: BTreeMap::new(),
        unsubscribes: BTreeMap::new(),
        publishes: BTreeMap::new(),
        publishes_qos_2: BTreeMap::new(),
        releases: BTreeMap::new(),
        receipts: BTreeMap::new(),
    };
}

impl Connection {
    /// Returns whether the server may have ended the connection for what came before, without reading what comes now.
    pub(super) fn may_be_unread(&self) -> bool {
        self.violation.is_some() || self.has_exceeded_maximum || self.has_misspoken
    }

    /// The client says something in its authentication.
    pub(super) fn authenticates(&mut self, reason: ReasonCode) {
        let continues = reason == ReasonCode::CONTINUE_AUTHENTICATION;
        self.has_misspoken |= continues != std::mem::take(&mut self.is_challenged);
    }

    /// A connection that the server has just accepted from this node.
    pub(super) fn new(client: NodeId, now: Instant) -> Self {
        Self {
            client,
            opened_at: now,
            connect: None,
            malformed_connect: None,
            session: None,
            place: Place::default(),
            asked_at: None,
            early: Rare::new(),
            heard_at: now,
            answered_at: None,
            large_at: None,
            is_deaf: false,
            reads_since: Instant::ZERO,
            accepted_at: None,
            announced: None,
            left_at: None,
            offers_mqtt: false,
            violation: None,
            has_exceeded_maximum: false,
            is_challenged: false,
            has_misspoken: false,
            disconnect: None,
            aliases: (Rare::new(), Rare::new()),
            pings: Few::new(),
            requests: Rare::new(),
            unanswered: Unanswered::default(),
            fresh: Rare::new(),
            under_way: 0,
            unconfirmed: 0,
            writable_since: Some(now),
            stuck_at: Instant::ZERO,
        }
    }

    pub(super) fn version(&self) -> Version {
        self.connect.as_ref().map_or(Version::V5_0, |connect| connect.version)
    }

    pub(super) fn is_v5(&self) -> bool {
        self.version().is_v5()
    }

    /// Returns the highest topic alias that the client takes (§3.1.2.11.5).
    pub(super) fn alias_maximum(&self) -> u16 {
        self.connect.as_ref().and_then(|connect| connect.topic_alias_maximum).unwrap_or(0)
    }

    /// Returns whether the client has sent CONNECT and has no answer.
    pub(super) fn waits_for_connack(&self) -> bool {
        self.connect.is_some() && self.session.is_none() && self.left_at.is_none()
    }

    /// Returns whether a SUBSCRIBE that has no SUBACK yet asks for this topic.
    pub(super) fn asks_for(&self, topic: &str) -> bool {
        self.asked_for(topic).next().is_some()
    }

    /// Returns the subscriptions to this topic that SUBSCRIBE has asked for and that have no SUBACK yet, with their
    /// identifiers.
    pub(super) fn asked_for(&self, topic: &str) -> impl Iterator<Item = (&Subscription, Option<u32>)> {
        let asked = self.requests.subscribes.values().flatten();
        let asked = asked.flat_map(|(_, id, asked)| asked.iter().map(|one| (one, *id)));
        asked.filter(|(one, _)| Filter::new(&one.filter).matches(topic))
    }

    /// Takes note of bytes that the server has written.
    pub(super) fn wrote(&mut self, now: Instant, size: usize) {
        if size >= BLOCKED {
            self.large_at = Some(now);
        }
        if self.heard_at == now && self.large_at != Some(now) {
            self.answered_at = Some(now);
        }
        self.under_way += size;
        if self.under_way >= BLOCKED {
            self.writable_since = None;
        } else {
            self.writable_since.get_or_insert(now);
        }
    }

    /// Takes note of bytes that have reached the client. Where the acknowledgement may be lost, they still fill the window until
    /// something comes from the client.
    pub(super) fn delivered(&mut self, now: Instant, size: usize, is_acknowledged: bool) {
        if !is_acknowledged {
            self.unconfirmed += size;
            return;
        }
        self.under_way = self.under_way.saturating_sub(size);
        if self.under_way < BLOCKED {
            self.writable_since.get_or_insert(now);
        }
    }

    /// Takes note that something has come from the client.
    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        let acknowledged = std::mem::take(&mut self.unconfirmed);
        self.delivered(now, acknowledged, true);
    }

    /// Returns how many bytes are on their way to the client.
    pub(super) fn bytes_under_way(&self) -> usize {
        self.under_way
    }

    /// Returns whether a PUBLISH is seen at the time at which the server sends it. To a client that has read nothing since
    /// this time, it may have been on its way for long; and one that cannot be written at once is seen when its last bytes
    /// are.
    pub(super) fn is_written_now(&self, publish: &Publish, since: Instant) -> bool {
        let bytes = self.bytes_under_way() + publish.payload.len();
        let was_writable = self.writable_since().is_some_and(|at| at <= since.max(self.opened_at));
        let is_writable = was_writable && bytes < BLOCKED;
        !self.is_deaf && is_writable && self.reads_since <= since
    }

    /// Returns whether the server was possibly in the middle of a large message until this time.
    pub(super) fn was_stuck_at(&self, at: Instant) -> bool {
        self.stuck_at == at
    }

    /// Returns since when the server could have written at any time; `None` if it may be blocked.
    pub(super) fn writable_since(&self) -> Option<Instant> {
        self.writable_since
    }

    /// Returns whether the server can surely write something at this time: what has reached the client may not have been
    /// acknowledged yet, and the window be full until then.
    pub(super) fn is_writable_at(&self, now: Instant) -> bool {
        self.writable_since.is_some_and(|since| since == self.opened_at || now > since + GRACE)
    }
}

impl Server {
    /// Judges whether something that was owed since `since` on a connection is missing by now, and since when it could
    /// have been done.
    pub(super) fn is_overdue(&self, connection: &Connection, since: Instant) -> bool {
        self.is_overdue_at(connection, since, self.now)
    }

    /// Returns whether something that was owed since `since` was missing at this time, after which it may not be owed any more.
    pub(super) fn is_overdue_at(&self, connection: &Connection, since: Instant, at: Instant) -> bool {
        let Some(writable) = connection.writable_since() else { return false };
        !self.is_paused
            && !self.may_be_stuck(connection)
            && at
                > since.max(writable).max(connection.stuck_at).max(self.running_since) + GRACE + self.settings.tolerance
    }

    /// Returns whether the server may be in the middle of a large message: it has answered nothing at once since that
    /// became owed, and the client reads nothing or slowly, or has been silent, or the network has had a fault, or another large
    /// message has just been written. A part of a message is no packet, and stands in no trace before the connection ends.
    pub(super) fn may_be_stuck(&self, connection: &Connection) -> bool {
        let session = self.session_near(connection);
        let large = session.and_then(|(client_id, session)| {
            let again = connection.accepted_at.filter(|_| session.sender.has_left(BLOCKED));
            let begun = session.sender.may_begin_since();
            again.or_else(|| Some(self.large_since(client_id, session)?.max(begun)))
        });
        let is_hampered = connection.is_deaf || self.is_network_hampered || self.slow.contains(&connection.client);
        let is_silent = |since: Instant| connection.heard_at <= since.max(connection.reads_since) + GRACE;
        let is_under_way = connection.large_at.is_some_and(|at| self.now <= at + UNDER_WAY);
        if session.is_some_and(|(_, session)| session.is_unknown) {
            return true;
        }
        large.is_some_and(|since| {
            connection.answered_at.is_none_or(|answered| answered <= since)
                && (is_hampered || is_under_way || is_silent(since))
        })
    }

    /// Returns since when the latest large message has waited that the client may be sent: its own, or one of its groups.
    pub(super) fn large_since(&self, client_id: &ByteString, session: &Session) -> Option<Instant> {
        let of_groups = self.groups.large_since(BLOCKED, client_id, &session.subscriptions);
        session.owed.large_since(BLOCKED).into_iter().chain(of_groups).max()
    }

    /// Takes note, before something is sent, whether the server may have been in the middle of a large message until
    /// now: what else it sends may have waited behind that.
    pub(super) fn note_stuck(&mut self, id: ConnectionId) {
        let session = self.connections.get(&id).and_then(|connection| self.session_near(connection));
        let large = session.and_then(|(client_id, session)| self.large_since(client_id, session));
        if let Some(connection) = self.connections.get_mut(&id).filter(|_| large.is_some()) {
            connection.stuck_at = self.now;
        }
    }

    /// CONNACK is sent [MQTT-3.2.0-1].
    pub(super) fn send_connack(&mut self, id: ConnectionId, connack: &Arc<ConnAck>, findings: &mut Findings) {
        let now = self.now;
        let name = self.name.clone();
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(connect) = connection.connect.clone() else {
            if connack.reason != ReasonCode::SUCCESS
                && connection.malformed_connect.is_some_and(|connect| connect.may_be_refused())
            {
                connection.left_at.get_or_insert(now);
                return;
            }
            let client = self.names[connection.client.0].clone();
            let owed = format!("{name} sends CONNACK to {client} only after its CONNECT");
            return findings.push(Invariant::BrokerAnswers, "MQTT-3.1.0-1", &owed, format!("at {}", shown(now)));
        };
        connection.asked_at = None;
        if connack.reason != ReasonCode::SUCCESS {
            connection.left_at.get_or_insert(now);
            if connack.session_present {
                let clause = clause_of(connect.version, "MQTT-3.2.2-4", "MQTT-3.2.2-6");
                let owed = format!("{name} sends Session Present 0 with a reason other than 0");
                findings.push(Invariant::BrokerKeepsSessions, clause, &owed, format!("1 at {}", shown(now)));
            }
            self.judge_refusal(&connect, connack, findings);
            self.make_room_for(&connect.client_id);
            return;
        }
        let client_id = match &connack.assigned_client_id {
            Some(assigned) => assigned.clone(),
            // 3.1.1 does not tell a client which identifier it was given; each has one of its own [MQTT-3.1.3-6].
            None if connect.client_id.is_empty() => format!("unnamed {}", id.0).into(),
            None => connect.client_id.clone(),
        };
        connection.accepted_at = Some(now);
        connection.session = Some(client_id.clone());
        connection.announced = Some(Arc::clone(connack));
        let early = std::mem::take(&mut connection.early);
        self.judge_announced(&connect, connack, findings);
        self.take_over(id, &client_id, findings);
        self.begin_session(id, &client_id, &connect, connack, findings);
        early.iter().for_each(|packet| self.receive(id, packet));
    }

    /// A CONNECT that nothing speaks against is accepted (§3.1.4); who has a user or a method is the server's own
    /// affair.
    fn judge_refusal(&self, connect: &Connect, connack: &ConnAck, findings: &mut Findings) {
        let is_plain = connect.username.is_none() && connect.authentication_method.is_none();
        // A server may send its clients away (§4.11).
        let is_elsewhere = matches!(connack.reason, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED);
        let user = self.access.user(None, None);
        let may_have_will = connect.will.as_ref().is_none_or(|will| {
            self.access.permits(&connect.client_id, &user, Right::Write, &will.topic) == Permission::Granted
        });
        // CONNECT, or the CONNACK that accepts it, may be larger than the other side takes.
        let is_small = self.settings.announced.maximum_packet_size >= SMALL
            && connect.maximum_packet_size.is_none_or(|maximum| maximum >= SMALL);
        let is_plain = is_plain && may_have_will && is_small && !connect.client_id.is_empty();
        let may_have_others = self.configured_at == Some(self.now) || self.settings.announced.bounds_total();
        if !self.settings.accepts_all || !is_plain || is_elsewhere || may_have_others {
            return;
        }
        if self.sessions.len() < self.settings.sessions {
            let owed =
                format!("{} accepts the CONNECT of {}, which nothing speaks against", self.name, connect.client_id);
            let actual = format!("CONNACK {} at {}", connack.reason, shown(self.now));
            findings.push(Invariant::BrokerAnswers, "§3.1.4", &owed, actual);
        }
    }

    /// The client has one connection: an earlier one ends [MQTT-3.1.4-3] (5.0), [MQTT-3.1.4-2] (3.1.1).
    fn take_over(&mut self, id: ConnectionId, client_id: &ByteString, findings: &mut Findings) {
        let earlier = self.sessions.get(client_id).and_then(|session| session.connection);
        let Some(earlier) = earlier.filter(|earlier| *earlier != id) else { return };
        let version = self.connections.get(&earlier).map_or(Version::V5_0, |connection| connection.version());
        self.end(earlier, Ended::ByServer, findings);
        // One that ends with its connection has ended before this one begins.
        self.ended_now.remove(client_id);
        self.taken_over.insert(earlier, (self.now, client_id.clone(), version));
    }

    /// The connection ends for the server: judges what was owed on it, and begins what its end begins.
    pub(super) fn end(&mut self, id: ConnectionId, how: Ended, findings: &mut Findings) {
        self.taken_over.remove(&id);
        if !self.connections.contains(&id) {
            return;
        }
        if how != Ended::ByDeath {
            self.judge_connection(id, findings);
        }
        let Some(connection) = self.connections.remove(&id) else { return };
        if how != Ended::ByPeer && connection.fresh.at == self.now {
            self.doubt(&connection.fresh.publications);
        }
        let Some(client_id) = connection.session.clone() else {
            if let Some(connect) = &connection.connect {
                if connection.left_at.is_none() {
                    self.make_room_for(&connect.client_id);
                }
                // It may have been accepted, and its CONNACK be lost with the connection.
                let will = connect.will.as_ref().filter(|_| how == Ended::ByPeer);
                let will = will.map(|will| (will.topic.clone(), will.payload.clone()));
                self.possible_wills.add(self.now, will);
                self.unanswered.insert(connect.client_id.clone());
            }
            self.lately.insert(id, connection);
            return;
        };
        let is_stuck = connection.writable_since().is_none() || self.may_be_stuck(&connection);
        if let Some(session) = self.sessions.get_mut(&client_id).filter(|session| session.connection == Some(id)) {
            // A large message may have been begun that never got out as a whole, and so may a will that may have been published now.
            let may_have_begun = is_stuck
                || self.possible_wills.are_new_to(session, self.now)
                || session.owed.large_since(BLOCKED).is_some()
                || self.groups.has_some_for(&client_id, &session.subscriptions);
            session.lose_connection(self.now, may_have_begun, &self.at_this_instant);
            let requests = &connection.requests;
            session.has_unanswered |= !requests.unsubscribes.is_empty();
            session.leave_unanswered(requests.subscribes.values().flatten().flat_map(|(_, _, asked)| asked));
            self.groups.connection_lost(&client_id, &session.subscriptions);
            if how != Ended::ByDeath {
                self.session_lost_its_connection(&client_id, &connection);
            }
        }
        self.lately.insert(id, connection);
    }

    /// Judges what is owed on a connection at its end, or at the end of the run.
    pub(super) fn judge_connection(&mut self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        if connection.disconnect.is_some() {
            return;
        }
        self.judge_violation(id, findings);
        if connection.left_at.is_some() {
            return;
        }
        if let Some(asked) = connection.asked_at.filter(|asked| self.is_overdue(connection, *asked)) {
            let owed = format!(
                "{} answers the CONNECT of {} at {} with CONNACK, or closes",
                self.name,
                self.node_name(connection.client),
                shown(asked)
            );
            let clause = clause_of(connection.version(), "MQTT-3.1.4-4", "MQTT-3.1.4-5");
            findings.push(Invariant::BrokerAnswers, clause, &owed, format!("neither until {}", shown(self.now)));
        }
        let due = self.settings.connect_timeout.map(|timeout| connection.opened_at + timeout);
        if let Some(due) = due.filter(|due| connection.connect.is_none() && self.is_overdue(connection, *due)) {
            let client = self.node_name(connection.client);
            let owed = format!("{} closes the connection of {client} without CONNECT by {}", self.name, shown(due));
            findings.push(Invariant::BrokerAnswers, "§3.1.4", &owed, format!("not until {}", shown(self.now)));
        }
        self.judge_answers(id, findings);
        self.judge_delivery(id, findings);
        self.judge_outgoing(id, findings);
    }

    /// Judges connections that another one of the same client has replaced, and that are still open.
    pub(super) fn judge_taken_over(&self, findings: &mut Findings) {
        for (since, client_id, version) in self.taken_over.values() {
            if !self.is_paused && self.now > (*since).max(self.running_since) + GRACE + self.settings.tolerance {
                let owed = format!(
                    "{} closes the earlier connection of {client_id}, which was taken over at {}",
                    self.name,
                    shown(*since)
                );
                let clause = clause_of(*version, "MQTT-3.1.4-2", "MQTT-3.1.4-3");
                findings.push(
                    Invariant::BrokerKeepsSessions,
                    clause,
                    &owed,
                    format!("still open at {}", shown(self.now)),
                );
            }
        }
    }

    /// A connection ends: one that another has taken over is told so before [MQTT-3.1.4-3] (5.0).
    pub(super) fn judge_takeover(&mut self, id: ConnectionId, findings: &mut Findings) {
        if let Some(client_id) = self.untold.remove(&id) {
            let owed = format!("{} sends DISCONNECT 0x8E to {client_id}, whose connection was taken over", self.name);
            let actual = format!("none before its end at {}", shown(self.now));
            findings.push(Invariant::BrokerKeepsSessions, "MQTT-3.1.4-3", &owed, actual);
        }
    }

    /// Returns a connection that is open, or that has ended at this instant.
    pub(super) fn connection_until_now(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.connections.get_mut(&id).or_else(|| self.lately.get_mut(&id).map(Box::as_mut))
    }

    /// Returns the client identifier of the session that a connection belongs to, or has belonged to until this instant;
    /// nothing if another session has taken its place.
    pub(super) fn client_until_now(&mut self, id: ConnectionId) -> Option<ByteString> {
        let client_id = self.connection_until_now(id)?.session.clone()?;
        let session = self.sessions.get(&client_id)?;
        (session.connection == Some(id) || session.has_lost_connection_at(self.now)).then_some(client_id)
    }

    /// Returns the session that a connection belongs to.
    pub(super) fn session_of(&mut self, id: ConnectionId) -> Option<&mut Session> {
        let place = self.connections.get(&id)?.place;
        self.sessions.at_mut(place).filter(|session| session.connection == Some(id))
    }

    /// Returns the session of the client that has a connection, and its client identifier.
    fn session_near<'a>(&'a self, connection: &'a Connection) -> Option<(&'a ByteString, &'a Session)> {
        let client_id = connection.session.as_ref()?;
        Some((client_id, self.sessions.near(connection.place, client_id)?))
    }
}
