//! What a server passes on (§3.3.4, §3.3.5, §4.5, §4.8.2): to each session what its subscriptions match, as it was
//! published, and nothing else.

use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::{Publish, QoS};

use super::Server;
use super::connection::Connection;
use super::early::Early;
use super::groups::Left;
use super::owed::{Content, Copy, OwedMessage, Which};
use super::publication::Publication;
use super::receive::resolve;
use super::session::{Session, Subscribed};
use crate::model::finding::{Finding, Findings, clause_of, shown};
use crate::model::sender::Begun;
use crate::plan::Invariant;
use crate::trace::ConnectionId;

/// The origin of a copy that a server sends.
pub(super) enum Origin {
    /// A message that the session itself is owed.
    OfSession(OwedMessage),
    /// A message that one of its groups is owed, if there is only one that it can be.
    OfGroup(Option<OwedMessage>),
}

impl Server {
    /// The server sends a message to a client.
    pub(super) fn send_publish(&mut self, id: ConnectionId, publish: &Publish, findings: &mut Findings) {
        let Some(connection) = self.connections.get_mut(&id) else { return self.send_lately(id, publish) };
        let Some(topic) = resolve(&mut connection.aliases.1, publish) else { return };
        let Some(client_id) = connection.session.clone() else { return };
        let room = self.session_of(id).and_then(|session| session.sender.room_since());
        match self.begin_exchange(id, &topic, publish, findings) {
            Begun::Again => return self.judge_lifetime_again(id, &topic, publish, findings),
            Begun::Either => return drop(self.take_copy(&client_id, &topic, publish)),
            Begun::New => {}
        }
        if topic.starts_with('$') {
            return self.judge_dollar(&client_id, &topic, findings);
        }
        if self.session_of(id).is_none() {
            return;
        }
        match self.take_copy(&client_id, &topic, publish) {
            Some(Origin::OfSession(owed)) => {
                self.judge_order(&client_id, &owed, publish.qos, findings);
                self.judge_late(id, &client_id, &owed, room, findings);
                self.judge_copy(id, &client_id, &owed, publish, findings);
            }
            Some(Origin::OfGroup(Some(owed))) => self.judge_copy(id, &client_id, &owed, publish, findings),
            Some(Origin::OfGroup(None)) => {}
            None => self.judge_unexpected(id, &client_id, &topic, publish, findings),
        }
    }

    /// [MQTT-4.7.2-1]: filters that begin with a wildcard do not match topics that begin with `$`; whatever else a server does with
    /// those is its own affair.
    fn judge_dollar(&self, client_id: &ByteString, topic: &ByteString, findings: &mut Findings) {
        let Some(session) = self.sessions.get(client_id).filter(|session| !session.sender.is_doubtful()) else {
            return;
        };
        let filters = || session.subscriptions.values().map(|subscribed| &subscribed.filter);
        let wrong = filters().any(|filter| filter.matches_against_rule(topic));
        if wrong && !filters().any(|filter| filter.matches(topic)) && !session.has_unanswered {
            let owed =
                format!("{} sends {client_id} nothing on {topic} for a filter that begins with a wildcard", self.name);
            let actual = format!("a message at {}", shown(self.now));
            findings.push(Invariant::BrokerDelivers, "MQTT-4.7.2-1", &owed, actual);
        }
    }

    /// A message still goes out on a connection that has ended at this instant: it was written before.
    fn send_lately(&mut self, id: ConnectionId, publish: &Publish) {
        let Some(connection) = self.lately.get_mut(&id) else { return };
        let Some(topic) = resolve(&mut connection.aliases.1, publish) else { return };
        let Some(client_id) = connection.session.clone() else { return };
        let Some(session) = self.sessions.get_mut(&client_id) else { return };
        // Its session may have ended, and another one have begun.
        let is_another = session.connection.is_some() || self.ended_now.contains_key(&client_id);
        if publish.packet_id.is_some() && is_another {
            return session.sender.may_have_begun();
        }
        let (begun, _) = session.sender.publish(self.now, session.version, &topic, publish);
        if begun == Begun::New {
            drop(self.take_copy(&client_id, &topic, publish));
        }
    }

    /// Takes what a PUBLISH to a client is a copy of: what the session is owed itself and has not been sent, then what
    /// a group of it is owed, first of both what has to be sent, then a further copy; one with another lifetime comes after those of the group. Equal messages of several groups may have been taken for one
    /// another: then the members change.
    pub(super) fn take_copy(&mut self, client_id: &ByteString, topic: &ByteString, sent: &Publish) -> Option<Origin> {
        let session = self.sessions.get_mut(client_id)?;
        let content = (topic.clone(), sent.payload.clone());
        let copy = Copy { content, publish: sent, now: self.now, version: session.version };
        let may_be_will = self.possible_wills.contains(&copy.content);
        let all = [
            Which::Surely,
            Which::Partly,
            Which::Held,
            Which::Exact,
            Which::FurtherExact,
            Which::First,
            Which::Further,
            Which::FirstAltered,
            Which::FurtherAltered,
        ];
        for which in all {
            // Rather than one with another lifetime it is a will of which it is not known whether it was published.
            let is_first = matches!(which, Which::First | Which::FirstAltered);
            if is_first && may_be_will {
                return None;
            }
            // Nor is it a further one with other identifiers, if it may be what was taken for one to another member of a group.
            let is_further = matches!(which, Which::Further | Which::FurtherAltered);
            let may_be_of_group = is_further && !session.owed.has_further(&copy);
            let has_none = |_: &ByteString| false;
            let mut exchange =
                || self.groups.exchange(client_id, &session.subscriptions, &copy.content, sent.qos, has_none).is_some();
            if may_be_of_group && exchange() {
                return Some(Origin::OfGroup(None));
            }
            // Nor is it one with other identifiers, if it may be for a subscription that had no SUBACK when the message came.
            let is_inexact = is_first || is_further;
            if is_inexact && !session.owed.has_identified(&copy) && session.came_while_asked(&copy.content) {
                return Some(Origin::OfGroup(None));
            }
            if let Some(owed) = session.owed.take(&copy, which) {
                return Some(Origin::OfSession(owed));
            }
            let is_of_groups =
                !matches!(which, Which::Partly | Which::FurtherExact | Which::Further | Which::FurtherAltered);
            let group = is_of_groups.then(|| self.groups.take(client_id, &session.subscriptions, &copy, which));
            if let Some(given) = group.flatten() {
                let is_sure = !session.is_unknown
                    && !session.owed.knows(&copy.content)
                    && self.groups.is_only(client_id, &session.subscriptions, &copy.content);
                return Some(Origin::OfGroup(is_sure.then_some(given)));
            }
        }
        // Another member may have had an equal one of its own subscriptions instead, or of one that had no SUBACK yet.
        let session = self.sessions.get(client_id)?;
        let has_own = |other: &ByteString| {
            let other = self.sessions.get(other);
            other.is_some_and(|other| {
                let may_be_own = !other.owed.has_must(&copy.content) && other.owed.has_other(&copy.content);
                may_be_own || other.while_asked.contains_key(&copy.content)
            })
        };
        let mut exchange = |has_own: &dyn Fn(&ByteString) -> bool| {
            self.groups.exchange(client_id, &session.subscriptions, &copy.content, sent.qos, has_own)
        };
        let left = exchange(&|_| false).or_else(|| exchange(&has_own))?;
        if let Left::Own(other) = left {
            let other = self.sessions.get_mut(&other)?;
            if other.owed.take(&copy, Which::Other).is_none() {
                other.came_while_asked(&copy.content);
            }
        }
        Some(Origin::OfGroup(None))
    }

    /// [MQTT-4.6.0-6]: messages of one client go out in the order in which they came, topic by topic.
    fn judge_order(&mut self, client_id: &ByteString, owed: &OwedMessage, qos: QoS, findings: &mut Findings) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        if !session.owed.is_in_order(owed, qos) {
            let topic = &owed.publication.topic;
            let expected = format!("{} sends messages on {topic} to {client_id} as they came", self.name);
            let actual = format!("an earlier one at {}", shown(self.now));
            findings.push(Invariant::TopicOrder, "MQTT-4.6.0-6", &expected, actual);
        }
    }

    /// Judges whether the first copy of a message goes out when it is due. `room` is since when there had been room for
    /// it.
    fn judge_late(
        &self,
        id: ConnectionId,
        client_id: &ByteString,
        message: &OwedMessage,
        room: Option<Instant>,
        findings: &mut Findings,
    ) {
        let (Some(connection), Some(session)) = (self.connections.get(&id), self.sessions.get(client_id)) else {
            return;
        };
        // While its window is full, a server may hold back QoS 0, too (§4.9).
        let Some(room) = room else { return };
        let since = message.since.max(room);
        if message.sent == 1 && session.owed.is_sure(message) && self.is_overdue(connection, since) {
            let publication = &message.publication;
            let message = publication.named("message");
            let owed = format!("{} sends {message} to {client_id} once it can", self.name);
            let clause = clause_of(connection.version(), "MQTT-3.3.5-1", "MQTT-4.5.0-1");
            let actual = format!("at {}, and it could since {}", shown(self.now), shown(since));
            findings.push(Invariant::BrokerDelivers, clause, &owed, actual);
        }
    }

    /// Judges a copy of a message against what its subscriptions ask for.
    fn judge_copy(
        &self,
        id: ConnectionId,
        client_id: &ByteString,
        owed: &OwedMessage,
        publish: &Publish,
        findings: &mut Findings,
    ) {
        let Some(connection) = self.connections.get(&id) else { return };
        let version = connection.version();
        let publication = &owed.publication;
        let what = || format!("{} sends the message on {} to {client_id}", self.name, publication.topic);
        let mut broken = |clause: &str, how: String, actual: String| {
            let actual = format!("{actual}, at {}", shown(self.now));
            findings.push(Invariant::BrokerDelivers, clause, &format!("{} {how}", what()), actual);
        };
        // Subscriptions that are not known may have another QoS, other options and other identifiers.
        let may_have_others = self
            .session_with(connection, id)
            .is_some_and(|(_, session)| session.is_unknown || session.may_be_subscribed(&publication.topic));
        if !may_have_others && !owed.matches.iter().any(|one| one.qos == publish.qos) {
            let clause = clause_of(version, "MQTT-3.8.4-6", "MQTT-3.8.4-8");
            broken(clause, format!("at QoS {}", owed.qos() as u8), format!("QoS {}", publish.qos as u8));
        }
        let may_be_live = owed.may_be_live && !publish.retain;
        if !may_have_others && !may_be_live && !owed.matches.iter().any(|one| one.retain == publish.retain) {
            let clause = match (owed.is_retained, publish.retain) {
                (true, _) => clause_of(version, "MQTT-3.3.1-8", "§3.3.1.3"),
                (false, true) => clause_of(version, "MQTT-3.3.1-9", "MQTT-3.3.1-12"),
                (false, false) => "MQTT-3.3.1-13",
            };
            broken(clause, format!("with RETAIN {}", u8::from(!publish.retain)), u8::from(publish.retain).to_string());
        }
        if !version.is_v5() {
            return;
        }
        if !owed.is_identified_by(&publish.subscription_ids) && !may_have_others {
            let expected: Vec<u32> = owed.matches.iter().filter_map(|one| one.id).collect();
            let actual = format!("{:?}", publish.subscription_ids);
            broken("MQTT-3.3.4-3", format!("with the subscription identifiers {expected:?}"), actual);
        }
        if let Some((clause, field)) = publication.altered_by(publish) {
            broken(clause, format!("with the {field} that was published"), "another one".to_owned());
        }
        let is_on_time = connection.is_written_now(publish, publication.at);
        let judged = if is_on_time { self.judge_expiry(publication, publish) } else { None };
        if let Some((clause, expected, actual)) = judged {
            broken(clause, expected, actual);
        }
        if connection.alias_maximum() < publish.topic_alias.unwrap_or(0) {
            let maximum = connection.alias_maximum();
            let alias = publish.topic_alias.unwrap_or(0);
            broken("MQTT-3.1.2-26", format!("with a topic alias of at most {maximum}"), format!("alias {alias}"));
        }
    }

    /// The lifetime of a message that is sent again has been counted down since it was first sent [MQTT-3.3.2-6].
    fn judge_lifetime_again(&self, id: ConnectionId, topic: &ByteString, publish: &Publish, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id).filter(|connection| connection.is_v5()) else { return };
        let lifetime =
            publish.packet_id.and_then(|packet| self.session_with(connection, id)?.1.sender.lifetime(packet));
        let Some((expiry, since)) = lifetime.filter(|_| !self.has_odd_clock) else { return };
        let left = u64::from(expiry).saturating_sub(self.now.saturating_since(since).as_secs());
        let is_right = publish.message_expiry.is_some_and(|actual| u64::from(actual).abs_diff(left) <= 1);
        if !is_right && connection.is_written_now(publish, connection.accepted_at.unwrap_or_default()) {
            let client = self.node_name(connection.client);
            let owed = format!(
                "{} sends the message on {topic} to {client} again with a Message Expiry Interval of {left} s",
                self.name
            );
            let actual = publish.message_expiry.map_or("none".to_owned(), |actual| format!("{actual} s"));
            let actual = format!("{actual}, at {}", shown(self.now));
            findings.push(Invariant::BrokerDelivers, "MQTT-3.3.2-6", &owed, actual);
        }
    }

    /// The lifetime of a message is counted down while it waits, and one that is over is not sent [MQTT-3.3.2-5],
    /// [MQTT-3.3.2-6].
    fn judge_expiry(&self, publication: &Publication, publish: &Publish) -> Option<(&'static str, String, String)> {
        let Some(expiry) = publication.expiry.filter(|_| !self.has_odd_clock) else {
            let added = publish.message_expiry.filter(|_| publication.expiry.is_none())?;
            return Some(("MQTT-3.3.2-6", "without a Message Expiry Interval".to_owned(), format!("{added} s")));
        };
        let waited = self.now.saturating_since(publication.at);
        let left = Duration::from_secs(expiry.into()).checked_sub(waited);
        if left.is_none_or(|left| left.is_zero() && expiry > 0) && waited > self.settings.tolerance {
            let over = publication.expires_at().unwrap_or_default();
            // With DUP its delivery has begun before, on a connection that was ending [MQTT-4.3.3-7].
            if self.now > over && !publish.dup {
                return Some((
                    "MQTT-3.3.2-5",
                    format!("until it expires at {}", shown(over)),
                    "it was sent".to_owned(),
                ));
            }
        }
        let expected = u64::from(expiry).saturating_sub(waited.as_secs());
        let is_right = publish.message_expiry.is_some_and(|actual| u64::from(actual).abs_diff(expected) <= 1);
        if is_right {
            return None;
        }
        let actual = publish.message_expiry.map_or("none".to_owned(), |actual| format!("{actual} s"));
        Some(("MQTT-3.3.2-6", format!("with a Message Expiry Interval of {expected} s"), actual))
    }

    /// The session is not owed this: it may be for a group, or one of two messages of which either may be retained.
    fn judge_unexpected(
        &mut self,
        id: ConnectionId,
        client_id: &ByteString,
        topic: &ByteString,
        publish: &Publish,
        findings: &mut Findings,
    ) {
        let Some(session) = self.sessions.get_mut(client_id) else { return };
        let content = (topic.clone(), publish.payload.clone());
        let copy = Copy { content, publish, now: self.now, version: session.version };
        if session.sender.is_doubtful() {
            // A single copy may be for a subscription that is not known, too.
            if session.is_unknown {
                session.owed.take(&copy, Which::Other);
            }
            return;
        }
        let content = &copy.content;
        let Some(session) = self.sessions.get(client_id) else { return };
        if session.may_be_subscribed(topic) {
            return;
        }
        if self.may_be_new(session, topic, publish) {
            // A client that has just joined a group may have had what the others are owed.
            let is_it = |one: &&Rc<Publication>| one.topic == *topic && one.payload == publish.payload;
            for publication in self.at_this_instant.iter().filter(is_it) {
                for filter in publication.owed_to_groups.borrow().iter() {
                    self.groups.doubt(filter, publication);
                }
            }
            return;
        }
        // Where the server had a choice, it is not taken for a message that need not be sent.
        let has_choice = !session.owed.has_must(content) || self.possible_wills.contains(content);
        if has_choice && self.may_be_sent(session, topic, publish) {
            let connection = self.connections.get(&id);
            let is_asked_for = connection.is_some_and(|connection| connection.asks_for(topic));
            if publish.retain && is_asked_for {
                let session = self.session_of(id);
                session.into_iter().for_each(|session| session.retained_while_asked.push(content.clone()));
            }
            return;
        }
        if self.groups.take_back(&session.subscriptions, content) {
            return;
        }
        if let Some(owed) = self.session_of(id).and_then(|session| session.owed.take(&copy, Which::Other)) {
            return self.judge_copy(id, client_id, &owed, publish, findings);
        }
        let Some(session) = self.sessions.get(client_id) else { return };
        if self.may_be_given_back(session, content) {
            return;
        }
        if let Some(qos) = self.groups.take_at_other_qos(client_id, &session.subscriptions, content, publish.qos) {
            let owed = format!(
                "{} sends the message on {topic} to {client_id}, a member of a group, at QoS {}",
                self.name, qos as u8
            );
            let actual = format!("QoS {}, at {}", publish.qos as u8, shown(self.now));
            findings.push(Invariant::BrokerDelivers, "MQTT-4.8.2-3", &owed, actual);
            return;
        }
        if self.groups.take_over(&session.subscriptions, content) {
            return;
        }
        if self.may_be_sent(session, topic, publish) {
            return;
        }
        let version = session.version;
        let is_subscribed = session.is_subscribed(topic);
        if is_subscribed && self.session_of(id).is_some_and(|session| session.came_while_asked(content)) {
            return;
        }
        let (clause, owed) = if !is_subscribed {
            let clause = clause_of(version, "MQTT-3.8.4-3", "MQTT-3.10.4-2");
            (clause, format!("{} sends {client_id} nothing on {topic}: it is not subscribed", self.name))
        } else if publish.qos == QoS::ExactlyOnce {
            let clause = clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-10");
            (clause, format!("{} sends {client_id} each message on {topic} once", self.name))
        } else {
            let clause = clause_of(version, "MQTT-3.3.5-1", "MQTT-3.3.4-2");
            (clause, format!("{} sends {client_id} on {topic} what was published, so often", self.name))
        };
        let retained = if publish.retain { " with RETAIN" } else { "" };
        let actual = format!("one more{retained}, of {} bytes, at {}", publish.payload.len(), shown(self.now));
        let finding = Finding::new(Invariant::BrokerDelivers, clause, &owed, actual);
        let (client_id, topic) = (client_id.clone(), topic.clone());
        self.early.push(Early { client_id, topic, publish: publish.clone(), at: self.now, finding });
    }

    /// Returns whether another member of one of its groups, whose session may have ended by now, had not acknowledged this message,
    /// which then should go to another (§4.8.2).
    fn may_be_given_back(&self, session: &Session, (topic, payload): &Content) -> bool {
        let may_have_ended = |other: &&Session| other.may_end_at.is_some_and(|at| at <= self.now);
        let mut others = self.sessions.iter().filter(may_have_ended);
        let is_shared = |(text, subscribed): (&ByteString, &Subscribed)| {
            subscribed.filter.group.is_some()
                && subscribed.filter.matches(topic)
                && session.subscriptions.contains_key(text)
        };
        others.any(|other| {
            let mut left = other.sender.unsettled_at_least_once();
            left.any(|one| one == (topic, payload)) && other.subscriptions.iter().any(is_shared)
        })
    }

    /// Returns whether the server had a choice that makes this message right.
    fn may_be_sent(&self, session: &Session, topic: &ByteString, publish: &Publish) -> bool {
        let is_it = |publication: &Publication| publication.payload == publish.payload;
        let is_subscribed = session.is_subscribed(topic);
        // A subscription is active before its SUBACK goes out (§3.8.4).
        let connection = session.connection.and_then(|id| self.connections.get(&id));
        let is_asked_for = connection.is_some_and(|connection| connection.asks_for(topic));
        let is_wanted = is_subscribed || is_asked_for;
        if is_wanted && self.possible_wills.contains(&(topic.clone(), publish.payload.clone())) {
            return true;
        }
        if publish.retain && (is_asked_for || session.waits_for_retained && is_subscribed) {
            return self.retained.may_be(topic, is_it);
        }
        // What is not released may be sent on either at its PUBLISH or at its PUBREL, and so for a subscription that is newer
        // than the message, and to any member of a group.
        let mut held = self.sessions.iter().flat_map(|session| session.unreleased.values());
        let is_newer = |one: &Publication| {
            let mut matching = session.subscriptions.values().filter(|subscribed| subscribed.filter.matches(topic));
            matching.any(|subscribed| subscribed.since >= one.at || subscribed.filter.group.is_some())
        };
        held.any(|one| one.topic == *topic && is_it(one) && (is_asked_for || is_newer(one)))
    }

    /// Returns whether the message came at this instant, and may have come after a subscription that is as new.
    fn may_be_new(&self, session: &Session, topic: &ByteString, publish: &Publish) -> bool {
        let mut matching = session.subscriptions.values().filter(|subscribed| subscribed.filter.matches(topic));
        let connection = session.connection.and_then(|id| self.connections.get(&id));
        let is_asked_for = connection.is_some_and(|connection| connection.asks_for(topic));
        let is_new = is_asked_for || matching.any(|subscribed| subscribed.since == self.now);
        let is_it = |one: &Rc<Publication>| one.topic == *topic && one.payload == publish.payload;
        is_new && self.at_this_instant.iter().any(is_it)
    }

    /// Judges what the session of a connection still waits for at the connection's end.
    pub(super) fn judge_delivery(&self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Some((client_id, session)) = self.session_with(connection, id) else { return };
        self.judge_identifiers(connection, client_id, session, findings);
        let missing = session.owed.missing().filter(|message| self.is_missing(connection, session, message));
        let Some(first) = missing.min_by_key(|message| (message.since, message.publication.number)) else { return };
        let version = connection.version();
        let publication = &first.publication;
        let (kind, clause) = match first.is_retained {
            true => ("retained message", clause_of(version, "MQTT-3.3.1-6", "MQTT-3.3.1-9")),
            false => ("message", clause_of(version, "MQTT-3.3.5-1", "MQTT-4.5.0-1")),
        };
        let owed = format!("{} sends {} to {client_id}", self.name, publication.named(kind));
        findings.push(Invariant::BrokerDelivers, clause, &owed, format!("not until {}", shown(self.now)));
    }

    /// Judges whether the copies of a message name all subscriptions that it matches, be it one copy or several
    /// [MQTT-3.3.4-3], [MQTT-3.3.4-4].
    fn judge_identifiers(
        &self,
        connection: &Connection,
        client_id: &ByteString,
        session: &Session,
        findings: &mut Findings,
    ) {
        let mut unnamed = session.owed.unnamed().filter(|message| self.is_missing(connection, session, message));
        let Some(first) = unnamed.next().filter(|_| connection.is_v5()) else { return };
        let message = first.publication.named("message");
        let owed = format!("{} names all subscriptions of {client_id} that {message} matches", self.name);
        findings.push(Invariant::BrokerDelivers, "MQTT-3.3.4-3", &owed, format!("not until {}", shown(self.now)));
    }

    fn is_missing(&self, connection: &Connection, session: &Session, message: &OwedMessage) -> bool {
        // The window may be full, and waiting for the client; then QoS 0 may wait, too (§4.9).
        let Some(room) = session.sender.room_since() else { return false };
        // What has expired since then was owed before.
        let until = message.publication.expires_at().map_or(self.now, |at| at.min(self.now));
        self.is_overdue_at(connection, message.since.max(room), until)
    }

    /// Judges which messages of groups no member was sent.
    pub(super) fn judge_groups(&self, findings: &mut Findings) {
        for (filter, message) in self.groups.missing() {
            let is_able = |client_id: &ByteString| {
                let session = self.sessions.get(client_id)?;
                let connection = self.connections.get(&session.connection?)?;
                let since = message.since.max(session.sender.room_since()?);
                self.is_overdue(connection, since).then_some(())
            };
            let is_expired = message.publication.expires_at().is_some_and(|at| at <= self.now);
            if self.groups.may_have_been_given(filter, message) {
                continue;
            }
            if !is_expired && message.members.keys().all(|member| is_able(member).is_some()) {
                let owed = format!(
                    "{} sends the message on {} of {} to one member of {filter}",
                    self.name,
                    message.publication.topic,
                    shown(message.publication.at)
                );
                findings.push(
                    Invariant::BrokerDelivers,
                    "MQTT-4.5.0-1",
                    &owed,
                    format!("to none until {}", shown(self.now)),
                );
                return;
            }
        }
    }

    pub(super) fn session_with(&self, connection: &Connection, id: ConnectionId) -> Option<(&ByteString, &Session)> {
        let client_id = connection.session.as_ref()?;
        let session = self.sessions.get(client_id)?;
        (session.connection == Some(id)).then_some((&session.client_id, session))
    }
}
