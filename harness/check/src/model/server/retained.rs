//! Retained messages (§3.3.1.3): the last one of each topic is kept, and sent for each subscription that asks for it.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::RetainHandling;

use super::Server;
use super::access::Permission;
use super::owed::{Match, OwedMessage};
use super::publication::Publication;
use super::session::Subscribed;
use super::sessions::Sessions;
use crate::model::GRACE;
use crate::plan::Invariant;
use crate::trace::ConnectionId;

/// Number of messages that may be retained on one topic beyond which some are forgotten.
const ALTERNATIVES: usize = 16;

/// The retained messages of a server.
#[derive(Default)]
pub(super) struct Retained {
    messages: BTreeMap<ByteString, Entry>,
    bytes: usize,
    /// More than the server can hold has been retained: what it holds is not known.
    is_over: bool,
}

/// The message that a topic retains.
struct Entry {
    /// The latest message, which may be one that removes it.
    latest: Rc<Publication>,
    /// The messages that may be retained instead, or `None` for nothing: those from before, if the latest message may have had no
    /// effect or has come at the same instant.
    or: Vec<Option<Rc<Publication>>>,
    /// Time at which the latest message came.
    at: Instant,
}

impl Entry {
    /// Returns what is retained if the latest message has had its effect.
    fn publication(&self) -> Option<&Rc<Publication>> {
        (!self.latest.payload.is_empty()).then_some(&self.latest)
    }

    /// Returns whether another message than the latest may be retained.
    fn is_doubtful(&self) -> bool {
        self.or.iter().any(|or| or.as_ref().is_none_or(|or| !self.latest.is_surely_after(or)))
    }
}

impl Retained {
    /// Takes note that this publication may have had no effect.
    pub(super) fn doubt(&mut self, publication: &Publication) {
        if let Some(entry) = self.messages.get_mut(&publication.topic).filter(|_| publication.retain) {
            entry.or.push(None);
        }
    }

    /// Takes note that this publication, if it is the latest of its topic, may not be retained.
    pub(super) fn may_lack(&mut self, publication: &Rc<Publication>) {
        let is_it = |entry: &&mut Entry| Rc::ptr_eq(&entry.latest, publication);
        if let Some(entry) = self.messages.get_mut(&publication.topic).filter(is_it) {
            entry.or.push(None);
        }
    }

    /// Takes note that what was retained at this instant may be lost.
    pub(super) fn doubt_since(&mut self, now: Instant) {
        for entry in self.messages.values_mut().filter(|entry| entry.at == now) {
            entry.or.push(None);
        }
    }

    /// Returns whether more has been retained than the server can hold.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the least and the greatest number of messages that may be retained; nothing if there were too many.
    pub(super) fn count(&self, now: Instant) -> Option<(usize, usize)> {
        let is_possible = |entry: &&Entry| entry.publication().is_some() || entry.or.iter().any(Option::is_some);
        let is_sure = |entry: &&Entry| {
            let mut publications = entry.or.iter().map(Option::as_ref).chain([entry.publication()]);
            let lasts = |one: &Rc<Publication>| one.expires_at().is_none_or(|at| at > now);
            // What came within the last moment may not be there yet.
            entry.at + GRACE < now && publications.all(|one| one.is_some_and(lasts))
        };
        let entries = || self.messages.values();
        (!self.is_over).then(|| (entries().filter(is_sure).count(), entries().filter(is_possible).count()))
    }

    /// Returns whether this may be what the topic retains.
    pub(super) fn may_be(&self, topic: &ByteString, is_it: impl Fn(&Publication) -> bool) -> bool {
        let Some(entry) = self.messages.get(topic) else { return false };
        let all = entry.or.iter().map(Option::as_ref).chain([entry.publication()]).flatten();
        all.into_iter().any(|publication| is_it(publication))
    }
}

impl Server {
    /// A message with RETAIN replaces what its topic retains [MQTT-3.3.1-5]; an empty one removes it [MQTT-3.3.1-6]
    /// (5.0), [MQTT-3.3.1-10] (3.1.1).
    pub(super) fn retain(&mut self, publication: &Rc<Publication>) {
        if !self.settings.announced.retain_available {
            // In 3.1.1 a server cannot say that it retains nothing.
            return;
        }
        let retained = &mut self.retained;
        let before = retained.messages.remove(&publication.topic);
        let size = |entry: &Entry| entry.publication().map_or(0, |one| one.size());
        let mut entry = Entry { latest: Rc::clone(publication), or: Vec::new(), at: self.now };
        retained.bytes += size(&entry);
        if let Some(mut before) = before {
            retained.bytes = retained.bytes.saturating_sub(size(&before));
            let kept = before.publication().cloned();
            // A server may retain a message of QoS 2 when it is released, and so after a later one.
            let is_open = is_unreleased(&self.sessions, &before.latest);
            if before.at < self.now {
                // A refused message leaves what was there; where there was surely nothing, that is nothing new.
                if before.or.iter().any(Option::is_none) {
                    entry.or.extend(before.or.drain(..).filter(Option::is_some));
                }
                entry.or.extend(kept.map(Some));
            } else {
                // Of two at one instant either may be the last.
                entry.or.append(&mut before.or);
                entry.or.push(kept);
            }
            // The first is the one that was retained before all that may have had no effect, or came at this instant.
            while entry.or.len() > ALTERNATIVES {
                entry.or.remove(1);
            }
            if is_open {
                entry.or.push(None);
            }
        }
        retained.messages.insert(publication.topic.clone(), entry);
        let (messages, bytes) = self.settings.retained;
        // A will of which it is not known whether it was published may take the place of one.
        let (wills, bytes_of_wills) = self.possible_wills.size();
        let (count, size) = (retained.messages.len() + wills, retained.bytes + bytes_of_wills);
        if !retained.is_over && (count > messages || size > bytes) {
            retained.is_over = true;
            let why = "retained messages, of which there were more than the broker may hold".to_owned();
            self.unknown.push((Invariant::BrokerDelivers, self.now, why));
        }
        // A subscriber that still waits for the message before need not get it.
        let topic = &publication.topic;
        for client_id in self.subscribers.of(topic) {
            let Some(session) = self.sessions.get_mut(&client_id).filter(|session| session.waits_for_retained) else {
                continue;
            };
            session.owed.doubt_if(|message| message.is_retained && message.publication.topic == *topic);
        }
    }

    /// A subscription is owed the retained messages that it matches [MQTT-3.3.1-9] (5.0), [MQTT-3.3.1-6] (3.1.1), as
    /// its Retain Handling asks for it [MQTT-3.3.1-10], [MQTT-3.3.1-11]; a shared one is owed none (§4.8.2). It may have been made
    /// when it was asked for: its SUBACK may have waited for room.
    pub(super) fn owe_retained(
        &mut self,
        id: ConnectionId,
        subscribed: &Subscribed,
        handling: RetainHandling,
        is_new: bool,
        asked_at: Instant,
    ) {
        let is_asked_for = match handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if !is_asked_for || subscribed.filter.group.is_some() {
            return;
        }
        let now = self.now;
        let is_sure = !self.retained.is_over;
        let mut owed = Vec::new();
        let possible = |publication: &Rc<Publication>| {
            let mut message = OwedMessage::possible(Rc::clone(publication), subscribed);
            message.matches[0].retain = true;
            OwedMessage { since: now, is_retained: true, ..message }
        };
        for (topic, entry) in &self.retained.messages {
            if !subscribed.filter.matches(topic) {
                continue;
            }
            // It may have been subscribed to before the latest came, or that may have had no effect.
            if entry.at >= asked_at || entry.is_doubtful() {
                owed.extend(entry.or.iter().flatten().map(possible));
            }
            let Some(publication) = entry.publication() else { continue };
            let may_be_replaced = self.possible_wills.is_on(topic);
            let expires_at = publication.expires_at();
            if expires_at.is_some_and(|at| at < asked_at) {
                continue;
            }
            let is_last = |or: &Option<Rc<Publication>>| or.as_ref().is_some_and(|or| publication.is_surely_after(or));
            let is_must = is_sure
                && !topic.starts_with('$')
                && entry.or.iter().all(is_last)
                && entry.at < asked_at
                && !may_be_replaced
                && !is_unreleased(&self.sessions, publication)
                && expires_at.is_none_or(|at| at > now);
            let one =
                Match { qos: publication.qos.min(subscribed.qos), retain: true, id: subscribed.id, is_sure: true };
            owed.push(OwedMessage {
                publication: Rc::clone(publication),
                matches: vec![one],
                is_must,
                is_held: false,
                sent: 0,
                named: Vec::new(),
                since: now,
                is_retained: true,
                may_be_live: false,
                is_ordered: false,
            });
        }
        let access = self.access.clone();
        let Some(client_id) = self.connections.get(&id).and_then(|connection| connection.session.clone()) else {
            return;
        };
        let Some(session) = self.session_of(id) else { return };
        session.waits_for_retained = true;
        for mut message in owed {
            let content = (message.publication.topic.clone(), message.publication.payload.clone());
            if session.was_sent_before_suback(&content) {
                continue;
            }
            match Self::may_read(&access, &client_id, session, &message.publication.topic) {
                Permission::Granted => {}
                Permission::Denied => continue,
                Permission::Unknown => message.is_must = false,
            }
            let fits = message.publication.fits(&message.matches, session.maximum_packet_size);
            session.owed.push_retained(OwedMessage { is_must: message.is_must && fits, ..message });
        }
    }
}

/// Returns whether a message of QoS 2 has not been released by PUBREL: a server may retain it only then (§4.3.3).
fn is_unreleased(sessions: &Sessions, publication: &Rc<Publication>) -> bool {
    let session = sessions.get(&publication.publisher);
    session.is_some_and(|session| session.unreleased.values().any(|open| Rc::ptr_eq(open, publication)))
}
