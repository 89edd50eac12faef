//! Sessions of a server (§3.1.2.4, §3.1.2.11.2, §4.1): who owns them, when they begin, are resumed, and end.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, PacketId, QoS, Subscription};
use halfopen_protocol::{Instant, Rare, Version};

use super::access::{Identity, User};
use super::connection::Connection;
use super::owed::{Content, Owed, OwedMessage};
use super::publication::Publication;
use super::settings::Settings;
use super::topic::Filter;
use super::will::PendingWill;
use super::{Server, Timer};
use crate::model::GRACE;
use crate::model::finding::{Findings, clause_of, shown};
use crate::model::sender::Sender;
use crate::plan::Invariant;
use crate::trace::ConnectionId;

/// The session of one client.
pub(super) struct Session {
    /// The client identifier.
    pub(super) client_id: ByteString,
    pub(super) connection: Option<ConnectionId>,
    pub(super) version: Version,
    pub(super) user: User,
    /// The user that the client of its latest CONNECT says it is; `None` if it names none.
    identity: Option<Box<Identity>>,
    /// Seconds that the session outlives its connection; `u32::MAX` for ever.
    pub(super) expiry: u32,
    /// Seconds after which it may end already, if less: the limit of 3.1.1 was changed at the instant at which it began, or the DISCONNECT
    /// that changed them may not have been read.
    shortest_expiry: Option<u32>,
    /// Time at which the session ends, if its connection has ended.
    pub(super) ends_at: Option<Instant>,
    /// Time since which the session may have ended: its connection ended with the server's process, and the server may
    /// count from that or from its restart.
    pub(super) may_end_at: Option<Instant>,
    /// The subscriptions by the text of their filters.
    pub(super) subscriptions: Rare<BTreeMap<ByteString, Subscribed>>,
    pub(super) will: Option<PendingWill>,
    /// Identifiers of QoS 2 messages from the client that PUBREL has not released, and their publication.
    pub(super) unreleased: Rare<BTreeMap<PacketId, Rc<Publication>>>,
    /// Exchanges that the server has begun.
    pub(super) sender: Sender,
    /// The messages that the client is still owed.
    pub(super) owed: Rare<Owed>,
    /// The client's Maximum Packet Size in bytes.
    pub(super) maximum_packet_size: usize,
    /// Messages that came after a SUBSCRIBE and before its SUBACK, or of QoS 2 before a subscription and were released after
    /// it, and their number: each may be sent once, also behind SUBACK, which may have waited for room.
    pub(super) while_asked: Rare<BTreeMap<Content, u32>>,
    /// Retained messages that were sent after a SUBSCRIBE and before its SUBACK, which a server may do (§3.8.4).
    pub(super) retained_while_asked: Rare<Vec<Content>>,
    /// A subscription was owed retained messages.
    pub(super) waits_for_retained: bool,
    /// True if the session went on where the model had seen it end.
    pub(super) is_unknown: bool,
    /// True if a connection ended before a SUBSCRIBE or UNSUBSCRIBE was answered.
    pub(super) has_unanswered: bool,
    /// Filters of such SUBSCRIBEs: the server may have made these subscriptions, or not.
    pub(super) possible_filters: Rare<Vec<Filter>>,
    /// Latest time at which it became owed a message, and time at which it lost its connection.
    owed_at: Option<Instant>,
    lost_at: Option<Instant>,
}

/// A subscription of a session.
#[derive(Clone, Debug)]
pub(super) struct Subscribed {
    pub(super) filter: Filter,
    /// The QoS that SUBACK has granted.
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    pub(super) retain_as_published: bool,
    pub(super) id: Option<u32>,
    /// Time at which SUBACK granted it.
    pub(super) since: Instant,
    /// UNSUBSCRIBE has come, and no UNSUBACK has gone out yet.
    pub(super) is_leaving: bool,
}

impl Session {
    fn new(client_id: ByteString, version: Version, settings: &Settings) -> Self {
        Self {
            client_id,
            connection: None,
            version,
            user: User::default(),
            identity: None,
            expiry: 0,
            shortest_expiry: None,
            ends_at: None,
            may_end_at: None,
            subscriptions: Rare::new(),
            will: None,
            unreleased: Rare::new(),
            sender: Sender::new(settings.in_flight),
            owed: Rare::new(),
            maximum_packet_size: usize::MAX,
            while_asked: Rare::new(),
            retained_while_asked: Rare::new(),
            waits_for_retained: false,
            is_unknown: false,
            has_unanswered: false,
            possible_filters: Rare::new(),
            owed_at: None,
            lost_at: None,
        }
    }

    /// Returns whether a message came while a SUBSCRIBE waited for its SUBACK, and counts it as sent.
    pub(super) fn came_while_asked(&mut self, content: &Content) -> bool {
        let Some(count) = self.while_asked.existing().and_then(|all| all.get_mut(content)) else { return false };
        *count -= 1;
        if *count == 0 {
            self.while_asked.remove(content);
        }
        true
    }

    /// Returns whether a retained message was sent before the SUBACK of the subscription that asked for it, and forgets that.
    pub(super) fn was_sent_before_suback(&mut self, content: &Content) -> bool {
        let sent = self.retained_while_asked.existing();
        let place = |sent: &Vec<Content>| sent.iter().position(|one| one == content);
        sent.is_some_and(|sent| place(sent).map(|place| sent.swap_remove(place)).is_some())
    }

    /// Does not know any more what of it is left to do.
    pub(super) fn doubt_all(&mut self, number: u64) {
        self.owed.doubt_up_to(number);
        self.sender.doubt();
        self.will = None;
    }

    /// Adds a message that is owed, to a queue for at most `messages` messages and `bytes` bytes. Returns whether the queue is full: which messages
    /// it loses is the server's choice.
    pub(super) fn owe(&mut self, message: OwedMessage, (messages, bytes): (usize, usize)) -> bool {
        let (before, number) = (self.owed.waiting, message.publication.number);
        let now = message.since;
        self.owed_at = Some(now);
        if self.connection.is_none() && self.lost_at == self.owed_at {
            // At one instant it may have become owed before the connection ended.
            self.sender.may_have_begun();
        }
        if self.sender.room_since().is_some_and(|since| now > since + GRACE) {
            // What may have waited would have been sent by now.
            self.owed.forget_overflow(now);
        }
        let added = message.size();
        let (count, size) = self.owed.push(message);
        let (more, larger) = self.owed.overflow();
        let is_full = count + more > messages || size + larger > bytes;
        if is_full {
            self.owed.doubt_up_to(number);
            // One of them is lost, or all of them wait.
            self.owed.waiting = before;
            self.owed.overflows(number, added, now, messages);
        }
        is_full
    }

    /// One more message waits for a group of the session, beside `count` messages of `bytes` bytes. Returns whether it and they may have no room
    /// in its queue, beside its own: which messages that loses is the server's choice.
    pub(super) fn is_crowded_by(
        &mut self,
        (count, bytes): (usize, usize),
        publication: &Publication,
        (messages, size): (usize, usize),
    ) -> bool {
        let Some(owed) = self.owed.existing() else { return count >= messages };
        let ((own, own_bytes), (more, larger)) = (owed.waiting, owed.overflow());
        let added = publication.payload.len() + publication.topic.len();
        let is_full = own + more + count + 1 > messages || own_bytes + larger + bytes + added > size;
        if is_full {
            owed.doubt_up_to(publication.number);
        }
        is_full
    }

    /// Returns whether a group of the session may have been owed one of these publications.
    fn is_in_group_of(&self, publications: &[Rc<Publication>]) -> bool {
        let mut shared = self.subscriptions.values().filter(|subscribed| subscribed.filter.group.is_some());
        shared.any(|shared| publications.iter().any(|publication| shared.filter.matches(&publication.topic)))
    }

    /// DISCONNECT says for how many seconds the session outlives its connection; if that is not sure to be read, it may be as many as before.
    pub(super) fn change_expiry(&mut self, seconds: u32, is_sure: bool) {
        let before = std::mem::replace(&mut self.expiry, seconds);
        if !is_sure && before != seconds {
            self.expiry = seconds.max(before);
            self.shortest_expiry = Some(seconds.min(before));
        }
    }

    /// Returns whether a subscription of the session matches this topic.
    pub(super) fn is_subscribed(&self, topic: &str) -> bool {
        self.subscriptions.values().any(|subscribed| subscribed.filter.matches(topic))
    }

    /// Returns whether the session may have more or less than is known.
    pub(super) fn is_uncertain(&self) -> bool {
        let is_sender_uncertain = self.sender.is_doubtful() || self.sender.has_doubtful_beginnings();
        is_sender_uncertain || self.is_unknown || self.has_unanswered || self.may_end_at.is_some()
    }

    /// Takes note that nothing will answer these SUBSCRIBEs: what they have done is not known.
    pub(super) fn leave_unanswered<'a>(&mut self, asked: impl Iterator<Item = &'a Subscription>) {
        for subscription in asked {
            self.has_unanswered = true;
            self.possible_filters.push(Filter::new(&subscription.filter));
        }
    }

    /// Returns whether a SUBSCRIBE without an answer asked for this topic.
    pub(super) fn may_be_subscribed(&self, topic: &str) -> bool {
        self.possible_filters.iter().any(|filter| filter.matches(topic))
    }

    /// Returns whether a connection of the session ended at this time or later.
    pub(super) fn has_lost_connection_since(&self, since: Instant) -> bool {
        self.lost_at.is_some_and(|lost| lost >= since)
    }

    /// Returns whether a connection of the session ended at this instant.
    pub(super) fn has_lost_connection_at(&self, now: Instant) -> bool {
        self.lost_at == Some(now)
    }

    /// Takes note that the connection has ended. Messages of QoS 0 may be lost with it (§4.3.1). One that is stuck may
    /// hold messages that the server has begun to send, and that no trace shows.
    pub(super) fn lose_connection(&mut self, now: Instant, is_stuck: bool, fresh: &[Rc<Publication>]) {
        self.connection = None;
        self.lost_at = Some(now);
        if is_stuck || self.owed_at == self.lost_at || self.is_in_group_of(fresh) {
            self.sender.may_have_begun();
        }
        self.sender.disconnected();
        self.retained_while_asked.clear();
        if let Some(owed) = self.owed.existing() {
            owed.connection_lost();
        }
        self.ends_at = (self.expiry != u32::MAX).then(|| now + Duration::from_secs(self.expiry.into()));
    }
}

impl Server {
    /// CONNACK with success begins a session or resumes one.
    pub(super) fn begin_session(
        &mut self,
        id: ConnectionId,
        client_id: &ByteString,
        connect: &Connect,
        connack: &ConnAck,
        findings: &mut Findings,
    ) {
        let now = self.now;
        self.judge_session_present(client_id, connect, connack.session_present, findings);
        if !connack.session_present {
            self.end_session_with_will(client_id);
        }
        self.stop_timers(client_id);
        // It may have come back in time for the will that it left.
        let delayed = self.delayed_wills.iter().filter(|(of, _)| of == client_id);
        let delayed: Vec<Rc<Publication>> = delayed.map(|(_, will)| Rc::clone(will)).collect();
        self.doubt(&delayed);
        let user = self.access.user(connect.username.as_ref(), connect.authentication_method.as_ref());
        self.unanswered.remove(client_id);
        let is_known = self.sessions.contains(client_id);
        let is_unknown = connack.session_present && !is_known;
        let (maximum, minimum) = self.limits_of_expiry();
        if !is_known {
            self.make_room_for(client_id);
            self.sessions.insert(Session::new(client_id.clone(), connect.version, &self.settings));
        }
        let Some(place) = self.sessions.place_of(client_id) else { return };
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.place = place;
        }
        let Some(session) = self.sessions.at_mut(place) else { return };
        if is_unknown {
            // It goes on at the very instant of its end, and what it knew is not known.
            session.sender.doubt();
        }
        session.is_unknown |= is_unknown;
        self.has_unknown_session |= is_unknown;
        session.version = connect.version;
        session.user = user;
        session.identity = Identity::of(connect);
        session.connection = Some(id);
        session.ends_at = None;
        session.may_end_at = None;
        session.expiry = match (connect.version.is_v5(), connect.clean_start) {
            (true, _) => connack.session_expiry.unwrap_or(connect.session_expiry.unwrap_or(0)),
            (false, true) => 0,
            (false, false) => maximum,
        };
        let is_limited = !connect.version.is_v5() && !connect.clean_start && minimum < maximum;
        session.shortest_expiry = is_limited.then_some(minimum);
        session.maximum_packet_size = connect.maximum_packet_size.map_or(usize::MAX, |size| size as usize);
        // A will that still waits is not published when the session goes on in time [MQTT-3.1.3-9].
        session.will = connect.will.clone().map(PendingWill::new);
        // What the client does not take is dropped [MQTT-3.1.2-25].
        let maximum = session.maximum_packet_size;
        session.sender.limit_to(self.settings.in_flight);
        session.sender.connected(now, connect.receive_maximum.unwrap_or(u16::MAX).into(), maximum);
        if let Some(owed) = session.owed.existing() {
            owed.resumed(now);
            owed.doubt_if(|message| !message.publication.fits(&message.matches, maximum));
            // What was published at this instant may have gone to the connection before.
            self.at_this_instant.iter().for_each(|publication| owed.doubt(publication));
        }
    }

    /// Returns the longest and the shortest limit, in seconds, of the session expiry that may hold now: at the instant at which it is changed,
    /// the one from before may, too.
    fn limits_of_expiry(&self) -> (u32, u32) {
        let now = self.settings.maximum_session_expiry;
        let before = if self.configured_at == Some(self.now) { self.expiry_before } else { now };
        (now.max(before), now.min(before))
    }

    /// A client that has no session asks for one, and the server keeps no more: which of those without a connection it has
    /// ended is its choice (§4.1), also if it refuses the client after that.
    pub(super) fn make_room_for(&mut self, client_id: &ByteString) {
        if self.sessions.len() < self.settings.sessions || self.sessions.contains(client_id) {
            return;
        }
        let (now, latest) = (self.now, self.publications);
        for session in self.sessions.iter_mut().filter(|session| session.ends_at.is_some()) {
            session.may_end_at = Some(now);
            self.possible_wills.add(now, session.will.as_ref().map(PendingWill::content));
            session.doubt_all(latest);
        }
    }

    /// [MQTT-3.2.2-2], [MQTT-3.2.2-3] (5.0); [MQTT-3.2.2-1], [MQTT-3.2.2-2], [MQTT-3.2.2-3] (3.1.1).
    fn judge_session_present(
        &mut self,
        client_id: &ByteString,
        connect: &Connect,
        is_present: bool,
        findings: &mut Findings,
    ) {
        if self.has_lost_disk {
            return;
        }
        let session = self.sessions.get(client_id);
        let ends_at = session.and_then(|session| session.ends_at);
        // At the very instant at which a session ends, both answers are right.
        let may_have_ended = session.and_then(|session| session.may_end_at).is_some_and(|at| at <= self.now);
        let is_edge = self.has_odd_clock || may_have_ended || ends_at.is_some_and(|at| at == self.now);
        let exists = session.is_some() && !connect.clean_start;
        // Where users prove who they are, a server need not hand the session of one to another.
        let is_anothers =
            !self.settings.accepts_all && session.is_some_and(|session| session.identity != Identity::of(connect));
        let version = connect.version;
        // A CONNECT that was never answered may have made one.
        let may_have_been = self.ended_now.contains_key(client_id) || self.unanswered.contains(client_id);
        let may_exist = may_have_been && !connect.clean_start;
        if exists && (is_edge || is_anothers) {
            let why = format!(
                "whether the server still has the session of {client_id}, which may have ended, or is another user's"
            );
            self.unknown.push((Invariant::BrokerKeepsSessions, self.now, why));
        }
        if is_present && !exists && !may_exist {
            let clause = match connect.clean_start {
                true => clause_of(version, "MQTT-3.2.2-1", "MQTT-3.2.2-2"),
                false => clause_of(version, "MQTT-3.2.2-3", "MQTT-3.2.2-2"),
            };
            let owed = format!("{} has no session of {client_id}, and sends Session Present 0", self.name);
            findings.push(Invariant::BrokerKeepsSessions, clause, &owed, format!("1 at {}", shown(self.now)));
        }
        if !is_present && exists && !is_edge && !is_anothers && self.sessions.len() < self.settings.sessions {
            let clause = clause_of(version, "MQTT-3.2.2-2", "MQTT-3.2.2-3");
            let owed = format!("{} still has the session of {client_id}, and sends Session Present 1", self.name);
            findings.push(Invariant::BrokerKeepsSessions, clause, &owed, format!("0 at {}", shown(self.now)));
        }
    }

    /// A connection has ended for good or ill: what its session and its will have to wait for begins.
    pub(super) fn session_lost_its_connection(&mut self, client_id: &ByteString, connection: &Connection) {
        self.start_will(client_id, connection);
        if let Some(session) = self.sessions.get_mut(client_id)
            && let Some(shortest) = session.shortest_expiry
        {
            session.may_end_at = Some(self.now + Duration::from_secs(shortest.into()));
            session.doubt_all(self.publications);
        }
        match self.sessions.get(client_id).map(|session| session.expiry) {
            Some(0) => drop(self.end_session_with_will(client_id)),
            Some(_) => {
                if let Some(ends_at) = self.sessions.get(client_id).and_then(|session| session.ends_at) {
                    self.timers.insert((ends_at, Timer::SessionEnd(client_id.clone())));
                }
            }
            None => {}
        }
    }

    /// A durable server starts again. The sessions whose connections ended with its process end no later than if those
    /// had ended now.
    pub(super) fn restart_sessions(&mut self) {
        let now = self.now;
        for session in self.sessions.iter_mut() {
            if session.connection.is_some() || session.may_end_at.is_none() {
                continue;
            }
            if let Some(before) = session.ends_at {
                self.timers.remove(&(before, Timer::SessionEnd(session.client_id.clone())));
            }
            let ends_at = now + Duration::from_secs(session.expiry.into());
            session.ends_at = Some(ends_at);
            self.timers.insert((ends_at, Timer::SessionEnd(session.client_id.clone())));
        }
    }

    /// A session ends; a will that waits does not wait any longer [MQTT-3.1.2-8] (5.0).
    /// Returns that will.
    pub(super) fn end_session_with_will(&mut self, client_id: &ByteString) -> Option<Rc<Publication>> {
        let session = self.sessions.get(client_id);
        let waits = session.is_some_and(|session| session.will.as_ref().is_some_and(PendingWill::waits));
        let will = if waits { self.will_is_due(client_id) } else { None };
        self.ended_now.insert(client_id.clone(), self.now);
        self.end_session(client_id);
        will
    }

    /// A session ends [MQTT-4.1.0-2], and with it all that it was owed.
    pub(super) fn end_session(&mut self, client_id: &ByteString) {
        self.stop_timers(client_id);
        if let Some(session) = self.sessions.remove(client_id) {
            self.memory.session_ends(self.now, client_id, session.version);
            session.subscriptions.keys().for_each(|text| self.subscribers.remove(text, client_id));
            self.groups.member_left(client_id, &session.subscriptions);
            self.groups.session_ended(client_id, &session.owed);
            for (topic, payload) in session.sender.unsettled_at_least_once() {
                self.groups.give_back(&session.subscriptions, &(topic.clone(), payload.clone()));
            }
            // What was not released may be dropped with it, and need not have been retained (§4.3.3).
            session.unreleased.values().for_each(|publication| self.retained.may_lack(publication));
        }
    }

    fn stop_timers(&mut self, client_id: &ByteString) {
        let Some(session) = self.sessions.get(client_id) else { return };
        if let Some(ends_at) = session.ends_at {
            self.timers.remove(&(ends_at, Timer::SessionEnd(client_id.clone())));
        }
        if let Some(due) = session.will.as_ref().and_then(|will| will.due) {
            self.timers.remove(&(due, Timer::Will(client_id.clone())));
        }
    }
}
