//! What a server takes in: requests that it owes an answer, and messages that it owes others (§3.3.4, §4.3, §4.5).

use std::collections::BTreeMap;
use std::rc::Rc;

use bytestring::ByteString;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::{Disconnect, Publish, QoS, Subscribe, Subscription};

use super::Server;
use super::access::Permission;
use super::connection::{Aliases, BLOCKED, Connection};
use super::groups::{GroupMessage, Groups};
use super::owed::{Match, OwedMessage};
use super::publication::Publication;
use super::session::{Session, Subscribed};
use super::settings::Settings;
use super::topic::Filter;
use crate::plan::Invariant;
use crate::trace::ConnectionId;

/// Maximum number of packets before CONNACK that are remembered.
const EARLY: usize = 1_000;

impl Server {
    /// Takes in a packet of a client.
    pub(super) fn receive(&mut self, id: ConnectionId, packet: &Packet) {
        let now = self.now;
        // What breaks a rule itself is read.
        let may_be_unread = self.connections.get(&id).is_some_and(Connection::may_be_unread);
        self.note_violation(id, packet);
        let Some(connection) = self.connections.get_mut(&id) else { return self.receive_lately(id, packet) };
        connection.heard(now);
        if let (Packet::Connect(connect), None) = (packet, &connection.connect) {
            connection.connect = Some(connect.clone());
            connection.asked_at = Some(now);
            return;
        }
        if connection.disconnect.is_some() {
            return;
        }
        if let Packet::Auth(auth) = packet {
            connection.authenticates(auth.reason);
        }
        if connection.session.is_none() {
            if connection.connect.is_some() && connection.early.len() < EARLY {
                connection.early.push(packet.clone());
            }
            return;
        }
        match packet {
            Packet::PingReq => connection.pings.push_back(now),
            Packet::Subscribe(subscribe) => self.receive_subscribe(id, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                let filters = unsubscribe.filters.clone();
                let asked = connection.requests.unsubscribes.entry(unsubscribe.packet_id).or_default();
                asked.push_back((now, filters.clone()));
                if let Some(session) = self.session_of(id) {
                    for filter in &filters {
                        if let Some(subscribed) = session.subscriptions.get_mut(filter) {
                            subscribed.is_leaving = true;
                        }
                    }
                }
                self.doubt_this_instant(id);
            }
            Packet::Publish(publish) => {
                if let Some(packet_id) = publish.packet_id {
                    connection.unanswered.received(packet_id);
                    let announced = connection.announced.as_ref();
                    let maximum = announced.and_then(|connack| connack.receive_maximum).unwrap_or(u16::MAX);
                    connection.has_exceeded_maximum |= connection.unanswered.exceed(maximum.into());
                }
                self.receive_publish(id, publish);
            }
            Packet::PubRel(ack) => {
                let session = self.session_of(id);
                let is_doubtful = session.as_ref().is_none_or(|session| session.sender.is_doubtful());
                let released = session.and_then(|session| session.unreleased.remove(&ack.packet_id));
                if let Some(connection) = self.connections.get_mut(&id) {
                    let is_known = released.is_some() && !is_doubtful;
                    connection.requests.releases.entry(ack.packet_id).or_default().push_back((now, is_known));
                }
                match released {
                    Some(publication) if may_be_unread => self.retained.may_lack(&publication),
                    Some(publication) => self.release(&publication),
                    None => {}
                }
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => {
                self.receive_acknowledgement(id, packet.packet_type(), ack);
                if let Some(session) = self.session_of(id).filter(|_| may_be_unread) {
                    session.sender.doubt();
                }
            }
            Packet::Disconnect(disconnect) => self.receive_disconnect(id, disconnect, may_be_unread),
            _ => {}
        }
    }

    /// A packet that is read from a connection which the server knows to be lost: it may take it in, or not.
    fn receive_lately(&mut self, id: ConnectionId, packet: &Packet) {
        let Some(connection) = self.lately.get_mut(&id) else { return };
        let Some(client_id) = connection.session.clone() else { return };
        if matches!(packet, Packet::Disconnect(_)) {
            return self.doubt_will(&client_id);
        }
        if let (Packet::Subscribe(subscribe), Some(session)) = (packet, self.sessions.get_mut(&client_id)) {
            return session.leave_unanswered(subscribe.subscriptions.iter());
        }
        let Packet::Publish(publish) = packet else { return };
        let Some(topic) = resolve(&mut connection.aliases.0, publish) else { return };
        let publication = self.publish(&client_id, topic, publish);
        publication.may_be_unread.set(true);
        self.doubt(&[Rc::clone(&publication)]);
        let session = self.sessions.get_mut(&client_id).filter(|_| publish.qos == QoS::ExactlyOnce);
        if let (Some(session), Some(packet_id)) = (session, publish.packet_id) {
            session.unreleased.insert(packet_id, publication);
        }
    }

    fn receive_subscribe(&mut self, id: ConnectionId, subscribe: &Subscribe) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let asked = (now, subscribe.subscription_id, subscribe.subscriptions.clone());
        connection.requests.subscribes.entry(subscribe.packet_id).or_default().push_back(asked);
        self.asking.insert(id);
        self.doubt_this_instant(id);
        // What came at this instant may have come after it, and be sent once its SUBACK, which may have to wait, is written.
        let fresh = std::mem::take(&mut self.at_this_instant);
        fresh.iter().for_each(|publication| self.note_asked_by(id, publication));
        self.at_this_instant = fresh;
    }

    fn receive_publish(&mut self, id: ConnectionId, publish: &Publish) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Some(topic) = resolve(&mut connection.aliases.0, publish) else { return };
        let client_id = connection.session.clone().unwrap_or_default();
        let may_be_unread = connection.may_be_unread();
        if connection.violation.is_some() {
            // What breaks a rule, and what comes behind it, the server need not take in.
            let publication = self.publish(&client_id, topic, publish);
            return self.doubt(&[publication]);
        }
        let publication = match (publish.qos, publish.packet_id) {
            (QoS::ExactlyOnce, Some(packet_id)) => {
                let known = self.session_of(id).and_then(|session| session.unreleased.get(&packet_id).cloned());
                // A repetition is answered again, and is no second message [MQTT-4.3.3-10], unless the first was not read.
                let is_unread = known.as_ref().is_some_and(|known| known.may_be_unread.get());
                let known = known.filter(|_| !is_unread);
                let is_new = known.is_none();
                let is_unknown = self.session_of(id).is_some_and(|session| session.is_unknown);
                let publication = known.unwrap_or_else(|| self.publish(&client_id, topic, publish));
                if is_new {
                    publication.may_be_unread.set(may_be_unread);
                }
                if is_unread || is_new && is_unknown {
                    // It may repeat one that the server knows and the model does not.
                    self.doubt(&[Rc::clone(&publication)]);
                }
                if let Some(session) = self.session_of(id) {
                    session.unreleased.insert(packet_id, Rc::clone(&publication));
                }
                publication
            }
            (QoS::AtLeastOnce, Some(packet_id)) => {
                let asked = self.connections.get(&id).and_then(|one| one.requests.publishes.get(&packet_id));
                let is_repetition = publish.dup && asked.is_some_and(|asked| !asked.is_empty());
                let publication = self.publish(&client_id, topic, publish);
                if is_repetition {
                    self.doubt(&[Rc::clone(&publication)]);
                }
                publication
            }
            _ => self.publish(&client_id, topic, publish),
        };
        if may_be_unread {
            // A server ends the connection of a client that sends more than it takes (§3.3.4), if it minds.
            self.doubt(&[Rc::clone(&publication)]);
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let fresh = &mut *connection.fresh;
        if fresh.at != now {
            fresh.at = now;
            fresh.publications.clear();
        }
        fresh.publications.push(Rc::clone(&publication));
        if let Some(packet_id) = publish.packet_id {
            let owed = match publish.qos {
                QoS::ExactlyOnce => &mut connection.requests.publishes_qos_2,
                _ => &mut connection.requests.publishes,
            };
            owed.entry(packet_id).or_default().push_back((now, publication));
        }
    }

    fn receive_disconnect(&mut self, id: ConnectionId, disconnect: &Disconnect, may_be_unread: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (is_v5, expiry) = (connection.is_v5(), disconnect.session_expiry);
        connection.disconnect = Some(disconnect.reason);
        let maximum = self.settings.maximum_session_expiry;
        let client_id = connection.session.clone();
        let Some(session) = self.session_of(id) else { return };
        if may_be_unread && let Some(will) = session.will.take() {
            // A server that has closed the connection for what came before publishes it.
            let content = will.content();
            self.possible_wills.add(self.now, [content]);
        }
        let Some(session) = self.session_of(id) else { return };
        if let Some(expiry) = expiry.filter(|_| is_v5) {
            if session.expiry == 0 && expiry != 0 {
                // A Protocol Error, and so no DISCONNECT at all (§3.14.2.2.2).
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.disconnect = None;
                }
                return;
            }
            session.change_expiry(expiry.min(maximum), !may_be_unread);
            if expiry > maximum {
                // Whether the limit that CONNACK announces holds here, too, is the server's own affair.
                self.unanswered.extend(client_id);
            }
        }
    }

    /// Takes over a message of a PUBLISH.
    fn publish(&mut self, client_id: &ByteString, topic: ByteString, publish: &Publish) -> Rc<Publication> {
        self.take_in(client_id, topic, publish, false)
    }

    /// Takes over a message: every session that is subscribed to its topic is owed it [MQTT-4.5.0-1].
    pub(super) fn take_in(
        &mut self,
        client_id: &ByteString,
        topic: ByteString,
        publish: &Publish,
        is_will: bool,
    ) -> Rc<Publication> {
        self.publications += 1;
        let number = self.publications;
        let permission = self.may_write(client_id, &topic);
        let mut publication = Publication::of(publish, topic, client_id.clone(), permission, number, self.now);
        publication.is_will = is_will;
        let publication = Rc::new(publication);
        if permission == Permission::Denied {
            return publication;
        }
        if publication.retain {
            self.retain(&publication);
        }
        self.at_this_instant.push(Rc::clone(&publication));
        self.note_asking(&publication);
        self.owe_sessions(&publication, publish.packet_id.is_some());
        self.owe_groups(&publication, publish.packet_id.is_some());
        self.settle_early(&publication);
        let connection = self.sessions.get(client_id).and_then(|session| session.connection);
        let publisher = connection.and_then(|id| self.connections.get(&id));
        // A refusal of one more retained message may wait behind what the publisher does not read.
        let may_be_refused = self.retained.is_over()
            && publication.retain
            && publisher.is_some_and(|publisher| publisher.is_deaf || self.may_be_stuck(publisher));
        if permission == Permission::Unknown || may_be_refused {
            self.doubt(&[Rc::clone(&publication)]);
        }
        publication
    }

    /// Returns how many messages and bytes surely have room in the queue of a session: a will of which it is not known whether it
    /// was published may take one place.
    pub(super) fn queue(&self) -> (usize, usize) {
        let Settings { queue_messages, queue_bytes, .. } = self.settings;
        (queue_messages.saturating_sub(self.possible_wills.size().0), queue_bytes)
    }

    /// Remembers a message for those who have asked for its topic and have no SUBACK yet.
    fn note_asking(&mut self, publication: &Publication) {
        let connections = &self.connections;
        self.asking
            .retain(|id| connections.get(id).is_some_and(|connection| !connection.requests.subscribes.is_empty()));
        for id in self.asking.clone() {
            self.note_asked_by(id, publication);
        }
    }

    /// Remembers a message for the client of a connection, if that has asked for its topic and has no SUBACK yet.
    fn note_asked_by(&mut self, id: ConnectionId, publication: &Publication) {
        let Some(connection) = self.connections.get(&id).filter(|one| one.asks_for(&publication.topic)) else { return };
        let client_id = connection.session.as_ref();
        if let Some(session) = client_id.and_then(|client_id| self.sessions.get_mut(client_id)) {
            let content = (publication.topic.clone(), publication.payload.clone());
            *session.while_asked.entry(content).or_default() += 1;
        }
    }

    fn owe_sessions(&mut self, publication: &Rc<Publication>, has_exchange: bool) {
        let (messages, size) = self.queue();
        for client_id in self.subscribers.of(&publication.topic) {
            let Some(session) = self.sessions.get_mut(&client_id) else { continue };
            let permission = Self::may_read(&self.access, &client_id, session, &publication.topic);
            if permission == Permission::Denied {
                continue;
            }
            let now = self.now;
            let matching = session.subscriptions.iter().filter(|(_, subscribed)| {
                subscribed.filter.group.is_none()
                    && subscribed.filter.matches(&publication.topic)
                    && !(subscribed.no_local && client_id == publication.publisher)
            });
            let is_shared = |one: &Subscribed| one.filter.group.is_some() && one.filter.matches(&publication.topic);
            let is_member = session.subscriptions.values().any(is_shared);
            let (mut matches, mut is_must) = (Vec::new(), false);
            let connection = session.connection.and_then(|id| self.connections.get(&id));
            let asked = connection.into_iter().flat_map(|connection| connection.asked_for(&publication.topic));
            let asked: Vec<(&Subscription, Option<u32>)> = asked.collect();
            for (filter, subscribed) in matching {
                let is_asked_anew = asked.iter().any(|(one, _)| one.filter == *filter);
                matches.push(Match { is_sure: !is_asked_anew, ..Match::live(subscribed, publication) });
                is_must |= !subscribed.is_leaving;
                let is_there = session.may_end_at.is_none_or(|at| at > now);
                let is_made = subscribed.since < now && !subscribed.is_leaving && !is_asked_anew;
                if is_there && is_made && permission == Permission::Granted {
                    publication.has_subscriber.set(true);
                }
            }
            if matches.is_empty() {
                continue;
            }
            let qos = matches.iter().map(|one| one.qos).max().unwrap_or_default();
            is_must &= permission == Permission::Granted;
            is_must &= is_sure(publication) && publication.fits(&matches, session.maximum_packet_size);
            // A message of QoS 0 may be lost where it cannot be written at once (§4.3.1).
            let is_writable = connection.is_some_and(|connection| has_room(connection, session, &self.groups));
            is_must &= is_writable && !session.owed.is_stuck(self.now) || qos > QoS::AtMostOnce;
            let is_for_it = |one: &Subscription| {
                Filter::new(&one.filter).group.is_none() && !(one.no_local && client_id == publication.publisher)
            };
            let asked = asked.into_iter().filter(|(one, _)| is_for_it(one));
            matches.extend(asked.map(|(one, id)| Match::asked(one, id, publication)));
            // What waits for its groups may wait in its queue.
            let (count, bytes) = self.groups.unsent(&session.subscriptions);
            let is_full = session.owe(
                OwedMessage {
                    publication: Rc::clone(publication),
                    matches,
                    is_must,
                    is_held: is_held(publication, has_exchange),
                    sent: 0,
                    named: Vec::new(),
                    since: self.now,
                    is_retained: false,
                    may_be_live: false,
                    is_ordered: !publication.is_will && !is_member && (connection.is_some() || qos > QoS::AtMostOnce),
                },
                (messages.saturating_sub(count), size.saturating_sub(bytes)),
            );
            if is_full {
                self.groups.doubt_what_waits_for(&client_id, &session.subscriptions);
                let why = format!("messages to {client_id}, whose queue was full");
                self.unknown.push((Invariant::BrokerDelivers, self.now, why));
            }
            publication.owed_to.borrow_mut().push(client_id.clone());
        }
    }

    fn owe_groups(&mut self, publication: &Rc<Publication>, has_exchange: bool) {
        let mut groups: BTreeMap<ByteString, GroupMessage> = BTreeMap::new();
        for client_id in self.subscribers.of(&publication.topic) {
            let Some(session) = self.sessions.get(&client_id) else { continue };
            let permission = Self::may_read(&self.access, &client_id, session, &publication.topic);
            for (text, subscribed) in &*session.subscriptions {
                if subscribed.filter.group.is_none() || !subscribed.filter.matches(&publication.topic) {
                    continue;
                }
                let message = groups.entry(text.clone()).or_insert_with(|| GroupMessage {
                    publication: Rc::clone(publication),
                    members: BTreeMap::new(),
                    left: BTreeMap::new(),
                    // One of a session that is not known may be a member, too.
                    is_must: is_sure(publication) && !self.has_unknown_session,
                    is_held: is_held(publication, has_exchange),
                    since: self.now,
                });
                // Whom the server chooses that may not have it is its own affair.
                message.is_must &= permission == Permission::Granted;
                if permission == Permission::Denied {
                    continue;
                }
                let of_member = Match::live(subscribed, publication);
                message.is_must &= publication.fits(std::slice::from_ref(&of_member), session.maximum_packet_size);
                let matches = message.members.entry(client_id.clone()).or_default();
                matches.push(of_member);
                // It may be the same subscription, made anew.
                let connection = session.connection.and_then(|id| self.connections.get(&id));
                let asked = connection.into_iter().flat_map(|connection| connection.asked_for(&publication.topic));
                for (one, id) in asked.filter(|(one, _)| one.filter == *text) {
                    matches[0].is_sure = false;
                    matches.push(Match::asked(one, id, publication));
                }
                // A message may wait for a member that is away, or be lost with it.
                message.is_must &= session.connection.is_some() && !subscribed.is_leaving;
                // A message of QoS 0 may be lost where it cannot be written at once (§4.3.1).
                let is_at_most_once = subscribed.qos.min(publication.qos) == QoS::AtMostOnce;
                let connection = session.connection.and_then(|id| self.connections.get(&id));
                let is_writable = connection.is_some_and(|connection| has_room(connection, session, &self.groups))
                    && self.large_since(&client_id, session).is_none();
                message.is_must &= is_writable || !is_at_most_once;
            }
        }
        let queue = self.queue();
        for (filter, mut message) in groups {
            for member in message.members.keys() {
                let Some(session) = self.sessions.get_mut(member) else { continue };
                let waiting = self.groups.unsent(&session.subscriptions);
                // It may take the place of one that the member itself is owed, or find none.
                if session.is_crowded_by(waiting, publication, queue) {
                    message.is_must = false;
                    self.groups.doubt_what_waits_for(member, &session.subscriptions);
                    let why = format!("messages to {member}, whose queue may be full of what its groups are owed");
                    self.unknown.push((Invariant::BrokerDelivers, self.now, why));
                }
            }
            publication.owed_to_groups.borrow_mut().push(filter.clone());
            self.groups.push(&filter, message);
        }
    }

    /// These publications may have had no effect.
    pub(super) fn doubt(&mut self, publications: &[Rc<Publication>]) {
        for publication in publications {
            publication.has_subscriber.set(false);
            for client_id in publication.owed_to.borrow().iter() {
                if let Some(session) = self.sessions.get_mut(client_id) {
                    session.owed.doubt(publication);
                }
            }
            for filter in publication.owed_to_groups.borrow().iter() {
                self.groups.doubt(filter, publication);
            }
            self.retained.doubt(publication);
        }
    }

    /// Takes note that what was published at this instant may have come before or after something else at the same
    /// instant: it need not reach this session.
    pub(super) fn doubt_this_instant(&mut self, id: ConnectionId) {
        let publications = std::mem::take(&mut self.at_this_instant);
        if let Some(session) = self.session_of(id) {
            publications.iter().for_each(|publication| session.owed.doubt(publication));
        }
        self.at_this_instant = publications;
    }

    /// PUBREL has released a message of QoS 2, which a server may have held back until then (§4.3.3).
    fn release(&mut self, publication: &Rc<Publication>) {
        for client_id in publication.owed_to.borrow().iter() {
            if let Some(session) = self.sessions.get_mut(client_id) {
                session.owed.release(publication, self.now);
            }
        }
        for filter in publication.owed_to_groups.borrow().iter() {
            self.groups.release(filter, publication, self.now);
        }
        self.note_newer_subscriptions(publication);
    }

    /// A server may look for the subscribers of a message of QoS 2 when it is released (§4.3.3): a subscription that is newer
    /// than the message may be sent it.
    fn note_newer_subscriptions(&mut self, publication: &Rc<Publication>) {
        for client_id in self.subscribers.of(&publication.topic) {
            let Some(session) = self.sessions.get_mut(&client_id) else { continue };
            let newer = session.subscriptions.values().filter(|subscribed| {
                subscribed.since >= publication.at
                    && subscribed.filter.group.is_none()
                    && subscribed.filter.matches(&publication.topic)
                    && !(subscribed.no_local && client_id == publication.publisher)
            });
            let count = u32::try_from(newer.count()).unwrap_or(u32::MAX);
            if count > 0 {
                session.owed.may_be_live(publication);
                let content = (publication.topic.clone(), publication.payload.clone());
                *session.while_asked.entry(content).or_default() += count;
            }
        }
    }
}

/// Returns whether the server must pass the message on. What it does with topics that begin with $ is its own affair
/// (§4.7.2).
fn is_sure(publication: &Publication) -> bool {
    !publication.topic.starts_with('$')
}

/// Returns whether the server can surely write something small to the client at once, behind what waits for it or for a group of which
/// it is a member.
fn has_room(connection: &Connection, session: &Session, groups: &Groups) -> bool {
    let waiting = session.owed.unsent_bytes() + groups.unsent(&session.subscriptions).1;
    connection.writable_since().is_some() && connection.bytes_under_way() + waiting < BLOCKED
}

/// Returns whether the server may wait for PUBREL before it passes the message on. A will has no exchange.
fn is_held(publication: &Publication, has_exchange: bool) -> bool {
    has_exchange && publication.qos == QoS::ExactlyOnce
}

/// Returns the topic of a PUBLISH, also where an alias stands for it, and remembers the alias (§3.3.2.3.4).
pub(super) fn resolve(aliases: &mut Aliases, publish: &Publish) -> Option<ByteString> {
    let Some(alias) = publish.topic_alias else { return Some(publish.topic.clone()) };
    if publish.topic.is_empty() {
        return aliases.get(&alias).cloned();
    }
    aliases.insert(alias, publish.topic.clone());
    Some(publish.topic.clone())
}
