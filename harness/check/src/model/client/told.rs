//! What the application has told a client to publish: it is sent as it was given, once there is a connection and room for it
//! (§4.3, §4.9), and nothing else is. Where the server has lost the session, the project's client sends anew what had not been
//! acknowledged; the standard leaves it open.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Instant, Rare};

use super::Client;
use super::limits::Limits;
use crate::model::finding::{Findings, shown};
use crate::model::properties::{Properties, is_same_format};
use crate::plan::Invariant;

/// Number of bytes waiting on a connection from which on it may take no more.
const BLOCKED: usize = 16 * 1024;

/// The messages that a client has been told to publish.
pub(super) struct Told {
    waiting: Rare<BTreeMap<(ByteString, Bytes), VecDeque<Message>>>,
    /// Number of messages that wait, and the most that the client queues.
    count: usize,
    limit: usize,
    /// The messages that were sent and are not acknowledged.
    sent: Rare<BTreeMap<PacketId, Message>>,
    /// Number of bytes of messages that were sent on the present connection, or wait.
    bytes: usize,
}

/// A message that a client has been told to publish.
#[derive(Clone)]
pub(super) struct Message {
    publish: Publish,
    /// Time since which the message could have been sent.
    since: Instant,
    /// Time at which the application gave it to the client.
    given: Instant,
    is_must: bool,
    /// True if the client may have begun to send it on a connection that has ended.
    may_have_begun: bool,
    /// The Message Expiry Interval with which it was sent on a connection that has ended.
    sent_expiry: Option<u32>,
}

impl Message {
    /// Returns whether the lifetime of the message has been counted down while it waited, or begun anew with a session,
    /// in a PUBLISH that is sent now, within `slack` seconds. `is_known` says whether the times of the client are; if not, or if the
    /// message may have been begun before, any lifetime is right that need not be so to the second.
    fn is_right_expiry(&self, publish: &Publish, now: Instant, is_known: bool, slack: u64) -> bool {
        let (given, sent) = match (self.publish.message_expiry, publish.message_expiry) {
            (Some(given), Some(sent)) => (u64::from(given), u64::from(sent)),
            (given, sent) => return given == sent,
        };
        let is_left = |from: u64, since: Instant| {
            let left = from.saturating_sub(now.saturating_since(since).as_secs());
            left.abs_diff(sent) <= slack
        };
        let is_left_anew = self.sent_expiry.is_some_and(|before| is_left(before.into(), self.since));
        let is_sure = slack == 0 || self.is_must && !self.may_have_begun && is_known;
        !is_sure || is_left(given, self.since) || is_left(given, self.given) || is_left_anew
    }
}

impl Told {
    /// Creates the list of a client that has been told nothing, and that queues this many messages.
    pub(super) fn new(limit: usize) -> Self {
        Self { waiting: Rare::new(), count: 0, limit, sent: Rare::new(), bytes: 0 }
    }

    /// Forgets everything, as the process does when it ends; what was given at this instant the next one may have.
    pub(super) fn forget(&mut self, now: Instant) {
        let before = std::mem::replace(self, Self::new(self.limit));
        let fresh = before.waiting.into_inner().into_values().flatten().filter(|message| message.given == now);
        fresh.for_each(|message| self.wait(Message { is_must: false, ..message }));
    }

    /// Returns how many messages, or requests, the client queues at most.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns whether something that waits was given at this instant.
    pub(super) fn has_given_at(&self, now: Instant) -> bool {
        self.waiting.values().flatten().any(|message| message.given == now)
    }

    /// Adds a message of the application. `is_sure` says whether it is given at once.
    pub(super) fn give(&mut self, publish: &Publish, now: Instant, is_sure: bool, limits: Option<&Limits>) {
        let has_room = self.count < self.limit;
        if !has_room {
            // What steps that go on beside each other say at one instant may come in another order.
            self.doubt(|given| given == now);
        }
        let is_must = is_sure && has_room && limits.is_none_or(|limits| limits.takes_message(publish));
        self.wait(Message {
            publish: publish.clone(),
            since: now,
            given: now,
            is_must,
            may_have_begun: false,
            sent_expiry: None,
        });
    }

    fn waiting_mut(&mut self) -> impl Iterator<Item = &mut Message> {
        self.waiting.existing().into_iter().flat_map(BTreeMap::values_mut).flatten()
    }

    fn wait(&mut self, message: Message) {
        self.count += 1;
        self.bytes += message.publish.payload.len() + message.publish.topic.len();
        let key = (message.publish.topic.clone(), message.publish.payload.clone());
        self.waiting.entry(key).or_default().push_back(message);
    }

    /// Takes note that a connection is up: what the server does not take is dropped.
    pub(super) fn connected(&mut self, limits: &Limits) {
        let waiting = self.waiting.values().flatten().map(|message| &message.publish);
        self.bytes = waiting.map(|publish| publish.payload.len() + publish.topic.len()).sum();
        let refused = self.waiting_mut().filter(|message| !limits.takes_message(&message.publish));
        refused.for_each(|message| message.is_must = false);
    }

    /// Takes note that messages that were given at such a time need not be sent.
    pub(super) fn doubt(&mut self, is_doubtful: impl Fn(Instant) -> bool) {
        let waiting = self.waiting_mut();
        waiting.filter(|message| is_doubtful(message.given)).for_each(|message| message.is_must = false);
    }

    /// Takes note that the server has no session: what it had not acknowledged is new again. Another program than the
    /// project's (`is_foreign`) may drop it with the session, and what waits behind it.
    pub(super) fn start_over(&mut self, now: Instant, is_foreign: bool) {
        for message in std::mem::take(&mut self.sent).into_inner().into_values() {
            self.wait(Message { since: now, ..message });
        }
        if is_foreign {
            self.waiting_mut().for_each(|message| message.is_must = false);
        }
    }

    /// Takes note of PUBACK or PUBREC: the server has the message, or does not want it. A client that takes its time may
    /// not have seen it when the connection ends.
    pub(super) fn acknowledged(&mut self, id: PacketId, is_seen: bool) {
        let Some(sent) = self.sent.existing() else { return };
        match sent.get_mut(&id).filter(|_| !is_seen) {
            Some(message) => message.is_must = false,
            None => drop(sent.remove(&id)),
        }
    }

    /// Takes note that the client may have begun to send what waits, on a connection that has ended. Of QoS 0 it may be lost with that.
    pub(super) fn may_have_begun(&mut self) {
        for message in self.waiting_mut() {
            message.may_have_begun = true;
            message.is_must &= message.publish.qos > QoS::AtMostOnce;
        }
    }

    /// Takes note of a PUBLISH with DUP that may be a message that was begun on a connection that has ended, or another one.
    pub(super) fn may_be(&mut self, topic: &ByteString, publish: &Publish) {
        let queue = self.waiting.get_mut(&(topic.clone(), publish.payload.clone())).into_iter().flatten();
        let begun = queue.filter(|message| message.may_have_begun && message.publish.qos == publish.qos);
        begun.for_each(|message| message.is_must = false);
    }

    /// Returns whether something waits to be sent.
    pub(super) fn has_waiting(&self) -> bool {
        self.count > 0
    }

    /// Takes the message that a PUBLISH on this topic begins to send: of several with the same content one that is sent as
    /// it was given, and for which `is_alive` says that its lifetime fits, within a number of seconds.
    pub(super) fn take(
        &mut self,
        topic: &ByteString,
        publish: &Publish,
        is_alive: impl Fn(&Message, u64) -> bool,
    ) -> Option<Message> {
        let key = (topic.clone(), publish.payload.clone());
        let queue = self.waiting.get_mut(&key)?;
        let is_it = |message: &Message| message.publish.qos == publish.qos && message.publish.retain == publish.retain;
        let place = |wanted: &dyn Fn(&Message) -> bool| queue.iter().position(wanted);
        let properties = (queue.len() > 1).then(|| Properties::of(publish));
        let is_same = |message: &Message, slack: u64| {
            let is_as_given =
                properties.as_ref().is_none_or(|properties| Properties::of(&message.publish) == *properties);
            is_it(message) && is_alive(message, slack) && is_as_given
        };
        // One that may not have been given must not hide one that was, nor one with another lifetime or other properties the
        // right one.
        let place = place(&|message| message.is_must && is_same(message, 0))
            .or_else(|| place(&|message| message.is_must && is_same(message, 1)))
            .or_else(|| place(&|message| is_same(message, 1)))
            .or_else(|| place(&|message| message.is_must && is_it(message) && is_alive(message, 1)))
            .or_else(|| place(&|message| is_it(message) && is_alive(message, 1)))
            .or_else(|| place(&|message| message.is_must && is_it(message)))
            .or_else(|| place(&is_it))
            .unwrap_or(0);
        let message = queue.remove(place)?;
        if queue.is_empty() {
            self.waiting.remove(&key);
        }
        self.count -= 1;
        if let Some(id) = publish.packet_id {
            self.sent.insert(id, Message { sent_expiry: publish.message_expiry, ..message.clone() });
        }
        Some(message)
    }

    /// Returns whether a PUBLISH that has just been taken for a message may be an equal one instead, for which another PUBLISH was
    /// taken that is not acknowledged yet: `is_alive` says whether the lifetime of that one fits, within a number of seconds.
    fn is_exchanged(&self, topic: &ByteString, publish: &Publish, is_alive: impl Fn(&Message, u64) -> bool) -> bool {
        let is_equal = |other: &Publish| (&other.topic, &other.payload) == (topic, &publish.payload);
        let others = self.sent.iter().filter(|(id, other)| Some(**id) != publish.packet_id && is_equal(&other.publish));
        // How long it had when it was sent on an earlier connection is not known any more.
        let mut before = others.map(|(_, other)| Message { sent_expiry: None, ..other.clone() });
        before.any(|other| is_alive(&other, 1))
    }
}

impl Client {
    /// Takes note that the client begins to send a message, and judges it. `room` is since when there had been room for
    /// it.
    pub(super) fn send_new(
        &mut self,
        topic: &ByteString,
        publish: &Publish,
        room: Option<Instant>,
        findings: &mut Findings,
    ) {
        let (now, is_known) = (self.now, self.waits.is_known() && !self.writes_large);
        let is_alive = |message: &Message, slack| message.is_right_expiry(publish, now, is_known, slack);
        let Some(message) = self.told.take(topic, publish, is_alive) else {
            let owed = format!("{} publishes what its application gives it", self.name);
            let actual = format!("another message on {topic} at {}", shown(self.now));
            return findings.push(Invariant::ClientPublishes, "§4.3", &owed, actual);
        };
        let given = &message.publish;
        let accepted = self.connection.as_ref().and_then(|connection| connection.accepted_at);
        // While its window is full, a client may hold back QoS 0, too (§4.9).
        if let (Some(accepted), Some(room)) = (accepted, room)
            && self.is_missing(&message, accepted, room)
        {
            let owed = format!("{} publishes the message on {topic} once it can", self.name);
            let actual =
                format!("its application gave it at {}, and this is {}", shown(message.given), shown(self.now));
            findings.push(Invariant::ClientPublishes, "§4.3", &owed, actual);
        }
        let altered = |is: bool, what| is.then_some(what);
        // What the server does not take, a client may leave out.
        let limits = self.connection.as_ref().and_then(|connection| connection.limits.as_ref());
        let qos = limits.map_or(given.qos == publish.qos, |limits| limits.is_as_given(given.qos, publish.qos));
        let retain = limits
            .map_or(given.retain == publish.retain, |limits| limits.is_retain_as_given(given.retain, publish.retain));
        let what = altered(!qos, "QoS")
            .or(altered(!retain, "RETAIN"))
            .or(altered(!is_same_format(given.payload_format, publish.payload_format), "Payload Format Indicator"))
            .or(altered(given.response_topic != publish.response_topic, "Response Topic"))
            .or(altered(given.correlation_data != publish.correlation_data, "Correlation Data"))
            .or(altered(given.user_properties != publish.user_properties, "User Property"))
            .or(altered(given.content_type != publish.content_type, "Content Type"))
            .or(altered(
                !is_alive(&message, 1) && !self.told.is_exchanged(topic, publish, is_alive),
                "Message Expiry Interval",
            ))
            .filter(|what| self.version().is_v5() || matches!(*what, "QoS" | "RETAIN"));
        if let Some(what) = what {
            let owed = format!("{} publishes on {topic} with the {what} that its application gives", self.name);
            let actual = format!("another one at {}", shown(self.now));
            findings.push(Invariant::ClientPublishes, "§3.3", &owed, actual);
        }
    }

    /// Returns whether a message that is not sent yet should have been.
    fn is_missing(&self, message: &Message, accepted: Instant, room: Instant) -> bool {
        message.is_must
            && message.publish.message_expiry.is_none()
            && self.told.bytes < BLOCKED
            && self.is_overdue(message.since.max(accepted).max(room))
    }

    /// Judges which messages the client has not sent.
    pub(super) fn judge_told(&self, findings: &mut Findings) {
        let Some(accepted) = self.connection.as_ref().and_then(|connection| connection.accepted_at) else { return };
        let Some(room) = self.room_since() else { return };
        let is_missing = |message: &&Message| self.is_missing(message, accepted, room);
        let missing = self.told.waiting.values().flatten().filter(is_missing).min_by_key(|message| message.since);
        if let Some(message) = missing {
            let (topic, since) = (&message.publish.topic, shown(message.given));
            let owed = format!("{} publishes the message on {topic} that its application gave at {since}", self.name);
            findings.push(Invariant::ClientPublishes, "§4.3", &owed, format!("not until {}", shown(self.now)));
        }
    }
}
