//! What a client hands to its application (§4.3, §4.5): each message that it accepts, and one of QoS 2 once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Empty, Instant, Packet, PacketType, encode};

use super::answers::Requests;
use super::{Client, Connection};
use crate::model::finding::{Findings, clause_of, shown};
use crate::model::properties::is_same_format;
use crate::plan::Invariant;

/// Messages that came and that the application has not been given.
#[derive(Default)]
pub(super) struct Incoming {
    waiting: BTreeMap<(ByteString, Bytes), VecDeque<Came>>,
    /// Identifiers of QoS 2 messages that PUBREL has not released.
    unreleased: BTreeSet<PacketId>,
}

impl Empty for Incoming {
    const EMPTY: &'static Self = &Self { waiting: BTreeMap::new(), unreleased: BTreeSet::new() };
}

/// A message that came.
struct Came {
    /// Time since which it is to be handed on. A program of others may wait for PUBREL with one of QoS 2 (§4.3.3): `None`
    /// until then.
    since: Option<Instant>,
    publish: Publish,
}

impl Incoming {
    /// The session is over, and with it what it had half received. What came before is still handed on.
    pub(super) fn forget(&mut self) {
        self.unreleased.clear();
        // No PUBREL is for them any more, and another message may have the identifier.
        for came in self.waiting.values_mut().flatten().filter(|came| came.since.is_none()) {
            came.publish.packet_id = None;
        }
    }

    /// Takes note that the application refuses a message of QoS 2: it is not kept, and is a new one if it comes again (§4.3.3).
    pub(super) fn refuse(&mut self, id: PacketId) {
        self.unreleased.remove(&id);
    }

    /// The connection has ended at this instant. A program of others may see that before it has read what came with it: what it has not
    /// acknowledged it has not taken over (§4.3.2).
    pub(super) fn may_be_unread(&mut self, now: Instant, requests: &Requests) {
        for came in self.waiting.values_mut().flatten().filter(|came| came.since == Some(now)) {
            let id = came.publish.packet_id;
            if requests.owed(PacketType::PubAck).any(|owed| Some(owed) == id) {
                came.since = None;
            }
        }
    }

    /// The connection has ended before the application acknowledged what these answers are owed for: it has not taken
    /// that over, and is given it again when it comes again.
    pub(super) fn forget_unacknowledged(&mut self, requests: &Requests) {
        requests.owed(PacketType::PubRec).for_each(|id| {
            self.unreleased.remove(&id);
        });
    }
}

impl Connection {
    /// Returns whether a client may still take what comes on a connection that its server misuses: at the instant at which that
    /// began it may not have seen it yet. What another program does later is not judged.
    pub(super) fn may_go_on(&self, now: Instant, is_foreign: bool) -> bool {
        self.misused_at.is_some_and(|at| is_foreign || at == now)
    }

    /// Returns whether a message breaks the limits that the client has set: more unacknowledged than its Receive Maximum, or
    /// larger than its Maximum Packet Size.
    fn is_misused_by(&mut self, publish: &Publish) -> bool {
        let Some(connect) = self.connect.as_ref().filter(|connect| connect.version.is_v5()) else { return false };
        let most = connect.receive_maximum.map_or(usize::MAX, usize::from);
        let is_in_use = publish.packet_id.is_some_and(|id| self.unanswered.contains(id)) && !publish.dup;
        let is_too_large = connect.maximum_packet_size.is_some_and(|size| {
            let mut bytes = BytesMut::new();
            let is_written = encode(&Packet::Publish(publish.clone().into()), connect.version, &mut bytes).is_ok();
            is_written && bytes.len() > size as usize
        });
        publish.packet_id.into_iter().for_each(|id| self.unanswered.received(id));
        is_in_use || self.unanswered.exceed(most) || is_too_large
    }
}

impl Client {
    /// A message comes. A repetition of QoS 2 is answered and not handed on again [MQTT-4.3.3-2] (3.1.1),
    /// [MQTT-4.3.3-10] (5.0).
    pub(super) fn receive_publish(&mut self, publish: &Publish) {
        let now = self.now;
        let Some(connection) = &mut self.connection else { return };
        if connection.is_misused_by(publish) {
            connection.misused_at.get_or_insert(now);
        }
        if connection.misused_at.is_some() {
            // It has to close. What it may still take it may hand on.
            if connection.may_go_on(now, self.is_foreign) {
                let waiting =
                    self.incoming.waiting.entry((publish.topic.clone(), publish.payload.clone())).or_default();
                waiting.push_back(Came { since: None, publish: publish.clone() });
            }
            return;
        }
        let topic = match publish.topic_alias {
            Some(alias) if publish.topic.is_empty() => match connection.aliases.get(&alias) {
                Some(topic) => topic.clone(),
                None => return,
            },
            Some(alias) => connection.aliases.entry(alias).insert_entry(publish.topic.clone()).get().clone(),
            None => publish.topic.clone(),
        };
        let is_repetition = match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => {
                connection.requests.owe(PacketType::PubAck, id, now);
                false
            }
            (QoS::ExactlyOnce, Some(id)) => {
                connection.requests.owe(PacketType::PubRec, id, now);
                !self.incoming.unreleased.insert(id)
            }
            _ => false,
        };
        if is_repetition && self.is_slow {
            // The first copy may have been lost in a buffer: this one is handed on, with what has changed.
            let waiting = self.incoming.waiting.get_mut(&(topic, publish.payload.clone()));
            for came in waiting.into_iter().flatten().filter(|came| came.publish.packet_id == publish.packet_id) {
                came.publish = publish.clone();
            }
        } else if !is_repetition {
            let waiting = self.incoming.waiting.entry((topic, publish.payload.clone())).or_default();
            let waits = self.is_foreign && publish.qos == QoS::ExactlyOnce;
            waiting.push_back(Came { since: (!waits).then_some(now), publish: publish.clone() });
        }
    }

    /// PUBREL comes.
    pub(super) fn receive_pubrel(&mut self, id: PacketId) {
        self.incoming.unreleased.remove(&id);
        for came in self.incoming.waiting.values_mut().flatten() {
            if came.publish.packet_id == Some(id) {
                came.since.get_or_insert(self.now);
            }
        }
        if let Some(connection) = &mut self.connection {
            connection.requests.owe(PacketType::PubComp, id, self.now);
        }
    }

    /// The application is given a message.
    pub(in crate::model) fn delivered(&mut self, now: Instant, message: &Publish, findings: &mut Findings) {
        self.now = now;
        let key = (message.topic.clone(), message.payload.clone());
        let Some(queue) = self.incoming.waiting.get_mut(&key) else {
            let version = self.version();
            let clause = match message.qos {
                QoS::ExactlyOnce => clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-10"),
                _ => "§4.3",
            };
            let owed = format!("{} delivers each message on {} as often as it came", self.name, message.topic);
            return findings.push(Invariant::ClientDelivers, clause, &owed, format!("one more at {}", shown(now)));
        };
        // Of several with the same content, the one that fits.
        let place = queue.iter().position(|came| altered(&came.publish, message).is_none()).unwrap_or(0);
        let came = queue.remove(place);
        if queue.is_empty() {
            self.incoming.waiting.remove(&key);
        }
        if let Some(what) = came.and_then(|came| altered(&came.publish, message)) {
            let owed = format!("{} delivers the message on {} with the {what} that came", self.name, message.topic);
            findings.push(Invariant::ClientDelivers, "§3.3", &owed, format!("another one at {}", shown(now)));
        }
    }

    /// Judges which messages the application was never given.
    pub(super) fn judge_delivery(&self, findings: &mut Findings) {
        let all = self.incoming.waiting.iter().flat_map(|(key, queue)| queue.iter().map(move |one| (key, one)));
        let above_0 = all.filter(|(_, came)| came.publish.qos > QoS::AtMostOnce);
        let owed = above_0.filter_map(|((topic, _), came)| Some((came.since?, topic, &came.publish)));
        let Some((since, topic, publish)) = owed.min_by_key(|(since, ..)| *since) else { return };
        if self.is_overdue(since) {
            let clause = match publish.qos {
                QoS::ExactlyOnce => clause_of(self.version(), "MQTT-4.3.3-2", "MQTT-4.3.3-8"),
                _ => clause_of(self.version(), "MQTT-4.3.2-2", "MQTT-4.3.2-4"),
            };
            let owed = format!("{} delivers the message on {topic} that came at {}", self.name, shown(since));
            findings.push(Invariant::ClientDelivers, clause, &owed, format!("not until {}", shown(self.now)));
        }
    }
}

/// Returns what an application is given otherwise than it came, if anything.
fn altered(came: &Publish, given: &Publish) -> Option<&'static str> {
    let all = [
        (came.qos != given.qos, "QoS"),
        (came.retain != given.retain, "RETAIN"),
        (!is_same_format(came.payload_format, given.payload_format), "Payload Format Indicator"),
        (came.message_expiry != given.message_expiry, "Message Expiry Interval"),
        (came.response_topic != given.response_topic, "Response Topic"),
        (came.correlation_data != given.correlation_data, "Correlation Data"),
        (came.user_properties != given.user_properties, "User Property"),
        (came.content_type != given.content_type, "Content Type"),
        (came.subscription_ids != given.subscription_ids, "Subscription Identifier"),
    ];
    all.into_iter().find(|(is_altered, _)| *is_altered).map(|(_, what)| what)
}
