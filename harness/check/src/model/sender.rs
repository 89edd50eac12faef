//! The sending side of QoS 1 and 2, which is the same for server and client (§2.2.1, §4.3, §4.4, §4.9): identifiers, DUP,
//! PUBREL, the window, and what a resumed session sends again.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Ack, PacketId, Publish, QoS};
use halfopen_protocol::{Instant, PacketType, Rare, ReasonCode, Version};

use super::finding::{clause_of, shown};
use super::properties::Properties;
use crate::plan::Invariant;
use crate::size::surely_fits;

/// The statement that a client sends PUBRELs in the order of the PUBRECs.
pub(super) const RELEASES_IN_ORDER: &str = "MQTT-4.6.0-4";

/// The statement that messages are sent again in the order of the first time, before new ones.
const RESENT_IN_ORDER: &str = "MQTT-4.6.0-1";

/// The duty to take an identifier that stands for nothing.
const FREE: &str = "begins an exchange with an identifier that is not in use";

/// The exchanges that one side of a session has begun.
pub(super) struct Sender {
    exchanges: Rare<BTreeMap<PacketId, Exchange>>,
    /// The identifiers of SUBSCRIBE and UNSUBSCRIBE that are not answered.
    requests: Rare<BTreeSet<PacketId>>,
    begun: u64,
    /// The place of the latest message that was sent again on the present connection.
    again: u64,
    /// Number of PUBRECs that have come.
    receipts: u32,
    /// The receiver's Receive Maximum.
    receive_maximum: u32,
    /// The receiver's Maximum Packet Size in bytes.
    maximum_packet_size: u32,
    /// Number of messages that the sender itself has under way at most.
    limit: u32,
    /// Number of messages of which something was sent on the present connection, and that are not settled.
    in_flight: u32,
    /// Number of those whose PUBLISH was sent on the present connection.
    counted: u32,
    /// True while there is a connection.
    is_connected: bool,
    /// Time since which there has been room for a further message on the present connection.
    room_since: Option<Instant>,
    /// Time at which the window last became full.
    full_since: Instant,
    /// True if the exchange was under way when the process died: how far it had come is not known.
    is_doubtful: bool,
    /// Messages may have been begun that no trace shows, or an acknowledgement have come that was not taken in.
    may_have_begun: bool,
    /// Time of the latest acknowledgement that settled a message.
    settled_at: Option<Instant>,
    /// True if messages may be sent again whose acknowledgement came at the instant at which this connection took the place
    /// of the one before: it may not have been read.
    may_repeat_settled: bool,
}

/// A message that was sent and that is not settled.
#[derive(Clone, Debug)]
struct Exchange {
    topic: ByteString,
    payload: Bytes,
    qos: QoS,
    retain: bool,
    /// Properties of its PUBLISH, if that was one of 5.0 and had any.
    properties: Option<Box<Properties>>,
    /// Message Expiry Interval in seconds with which the message was first sent, and the time of that.
    lifetime: Option<(u32, Instant)>,
    /// PUBREC has come.
    is_received: bool,
    /// The place of its first PUBREC among those of the session.
    receipt: u32,
    /// PUBREC has come, and the sender may not have taken it in.
    is_doubtful: bool,
    /// True if it may have been too large for a connection since, and its flow be over [MQTT-3.1.2-25].
    may_be_over: bool,
    /// Something of it was sent on the present connection.
    is_here: bool,
    /// True if its PUBLISH was sent on the present connection: a PUBREL that is sent again counts for no window (§4.9).
    is_counted: bool,
    /// The order in which the exchanges of the session began.
    number: u64,
}

/// The relation of a PUBLISH to the exchanges before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A message that is sent for the first time.
    New,
    /// A repetition.
    Again,
    /// A message that was begun where no trace shows it, or the repetition of one whose acknowledgement was not read.
    Either,
}

/// A rule that a sender has broken.
pub(super) struct Broken {
    /// The invariant, if another one than that messages are settled.
    pub(super) invariant: Option<Invariant>,
    pub(super) clause: &'static str,
    /// The duty of the sender, to be read after its name.
    pub(super) owed: String,
    pub(super) actual: String,
}

impl Exchange {
    /// Returns whether what is to be sent again surely has at most this many bytes, whatever its properties.
    fn fits(&self, maximum: usize) -> bool {
        self.is_received || surely_fits(&self.topic, &self.payload, maximum)
    }
}

/// Returns a limit as it is stored, in half the room: what is larger is no limit.
fn at_most(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

impl Sender {
    /// A sender that has begun nothing, and has at most `limit` messages under way.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            exchanges: Rare::new(),
            requests: Rare::new(),
            begun: 0,
            again: 0,
            receipts: 0,
            receive_maximum: u32::from(u16::MAX),
            maximum_packet_size: u32::MAX,
            limit: at_most(limit),
            in_flight: 0,
            counted: 0,
            is_connected: false,
            room_since: None,
            full_since: Instant::ZERO,
            is_doubtful: false,
            may_have_begun: false,
            settled_at: None,
            may_repeat_settled: false,
        }
    }

    /// Sets the number of messages that it has under way at most.
    pub(super) fn limit_to(&mut self, limit: usize) {
        self.limit = at_most(limit);
    }

    /// Forgets all that a session had under way.
    pub(super) fn clear(&mut self) {
        self.exchanges.clear();
        (self.in_flight, self.counted) = (0, 0);
        self.is_doubtful = false;
        self.may_have_begun = false;
    }

    /// Does not know any more what was under way.
    pub(super) fn doubt(&mut self) {
        self.is_doubtful = true;
    }

    /// Takes note that messages may have been begun that no trace shows: a connection has ended in the middle of one.
    pub(super) fn may_have_begun(&mut self) {
        self.may_have_begun = true;
    }

    /// Returns whether messages may have been begun that no trace shows, or settled that the sender does not know of.
    pub(super) fn has_doubtful_beginnings(&self) -> bool {
        self.may_have_begun
    }

    /// Returns how many messages were sent and are not settled.
    pub(super) fn unsettled(&self) -> usize {
        self.exchanges.len()
    }

    /// Returns when the last message was settled, if none is unsettled.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.exchanges.is_empty().then(|| self.settled_at.unwrap_or(Instant::ZERO))
    }

    /// Returns whether what was under way is not known.
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Goes on with a new connection, on which the receiver takes this many messages at once, and packets of this many
    /// bytes. A message that is larger now cannot be sent again, and its flow is over [MQTT-3.1.2-25].
    pub(super) fn connected(&mut self, now: Instant, receive_maximum: usize, maximum_packet_size: usize) {
        self.maximum_packet_size = at_most(maximum_packet_size);
        if let Some(exchanges) = self.exchanges.existing() {
            exchanges.retain(|_, exchange| exchange.is_received || exchange.payload.len() < maximum_packet_size);
            for exchange in exchanges.values_mut() {
                (exchange.is_here, exchange.is_counted) = (false, false);
                exchange.may_be_over |= !exchange.fits(maximum_packet_size);
            }
        }
        (self.in_flight, self.counted) = (0, 0);
        self.requests.clear();
        self.again = 0;
        self.receive_maximum = at_most(receive_maximum);
        self.is_connected = true;
        self.may_repeat_settled = self.settled_at == Some(now);
        self.room_since = None;
        self.count(now);
    }

    /// Takes note that the connection has ended.
    pub(super) fn disconnected(&mut self) {
        self.is_connected = false;
        self.room_since = None;
        (self.in_flight, self.counted) = (0, 0);
        // What settles them comes on another connection.
        for exchange in self.exchanges.existing().into_iter().flat_map(BTreeMap::values_mut) {
            (exchange.is_here, exchange.is_counted) = (false, false);
        }
    }

    /// Returns since when there has been room for a further message; `None` while the window is full, or without a
    /// connection.
    pub(super) fn room_since(&self) -> Option<Instant> {
        self.room_since
    }

    /// Returns since when a message may have been begun of which nothing is seen yet: there is room since this time, or the
    /// window became full then.
    pub(super) fn may_begin_since(&self) -> Instant {
        self.room_since.unwrap_or(self.full_since)
    }

    /// Takes note of a PUBLISH that is sent: it begins an exchange, or repeats one with DUP [MQTT-3.3.1-1]. One that was
    /// written before the connection ended may go out after that.
    pub(super) fn publish(
        &mut self,
        now: Instant,
        version: Version,
        topic: &ByteString,
        publish: &Publish,
    ) -> (Begun, Option<Broken>) {
        let Some(id) = publish.packet_id else { return (Begun::New, None) };
        let known = self.exchanges.get(&id).cloned();
        let (begun, mut broken) = self.judge(now, version, topic, publish, id, known.as_ref());
        let known = known.filter(|_| begun == Begun::Again);
        if broken.is_none() && !self.is_doubtful {
            broken = match &known {
                Some(known) => self.judge_order_again(now, known),
                // One with DUP is none that is new: an acknowledgement of it was not taken in.
                None if publish.dup => None,
                None => self.judge_overtaking(now, topic, publish.qos),
            };
        }
        if let Some(known) = known.as_ref().filter(|known| !known.is_here) {
            self.again = self.again.max(known.number);
        }
        self.begun += u64::from(known.is_none());
        let exchange = known.map_or_else(
            || Exchange {
                topic: topic.clone(),
                payload: publish.payload.clone(),
                qos: publish.qos,
                retain: publish.retain,
                properties: version
                    .is_v5()
                    .then(|| Properties::of(publish))
                    .filter(|all| !all.is_empty())
                    .map(Box::new),
                lifetime: publish.message_expiry.map(|expiry| (expiry, now)),
                is_received: false,
                receipt: 0,
                is_doubtful: false,
                may_be_over: false,
                is_here: self.is_connected,
                is_counted: self.is_connected,
                // When it was sent for the first time is not known, but that it was not after what follows it now.
                number: if publish.dup { self.again } else { self.begun },
            },
            |known| Exchange { is_here: self.is_connected, is_counted: self.is_connected, ..known },
        );
        let before = self.exchanges.insert(id, exchange);
        if self.is_connected {
            self.in_flight += u32::from(!before.as_ref().is_some_and(|before| before.is_here));
            self.counted += u32::from(!before.is_some_and(|before| before.is_counted));
        }
        self.count(now);
        if self.counted > self.receive_maximum && broken.is_none() {
            let maximum = self.receive_maximum;
            broken = Some(Broken {
                invariant: Some(Invariant::ReceiveMaximum),
                clause: clause_of(version, "§4.4", "MQTT-4.9.0-2"),
                owed: format!("has at most {maximum} messages unacknowledged (Receive Maximum)"),
                actual: format!("one more, with packet identifier {id} at {}", shown(now)),
            });
        }
        (begun, broken)
    }

    fn judge(
        &self,
        now: Instant,
        version: Version,
        topic: &ByteString,
        publish: &Publish,
        id: PacketId,
        known: Option<&Exchange>,
    ) -> (Begun, Option<Broken>) {
        let place = format!("with packet identifier {id} at {}", shown(now));
        let broken = |invariant, clause, owed: &str, actual: &str| {
            Some(Broken { invariant, clause, owed: owed.to_owned(), actual: format!("{actual} {place}") })
        };
        let resends = Some(Invariant::ResendOnlyOnResume);
        let is_same = |known: &Exchange| known.topic == *topic && known.payload == publish.payload;
        match known {
            Some(known)
                if !known.is_here && is_same(known) && known.is_received && !known.is_doubtful && !self.is_doubtful =>
            {
                let clause = clause_of(version, "MQTT-4.3.3-1", "MQTT-4.3.3-6");
                (
                    Begun::Again,
                    broken(None, clause, "sends PUBREL again and not PUBLISH, once PUBREC has come", "PUBLISH"),
                )
            }
            Some(known) if !known.is_here && is_same(known) && !publish.dup => {
                (Begun::Again, broken(resends, "MQTT-3.3.1-1", "sets DUP on a PUBLISH that it sends again", "none"))
            }
            Some(known) if known.is_here && is_same(known) && !self.is_doubtful && !known.is_doubtful => {
                let owed = "sends a message again only on another connection of its session";
                let again = broken(resends, "MQTT-4.4.0-1", owed, "again on the same");
                // 3.1.1 asks for repetitions on another connection, and forbids no others (§4.4).
                (Begun::Again, again.filter(|_| version.is_v5() || known.is_received || !publish.dup))
            }
            Some(known) if is_same(known) && (publish.dup || !known.is_here) => {
                let altered = known.properties.as_ref().filter(|_| version.is_v5());
                let altered = altered.and_then(|properties| properties.altered_by(publish));
                let flags = [(known.retain != publish.retain, "RETAIN"), (known.qos != publish.qos, "QoS")];
                let flag = flags.into_iter().find(|(is_other, _)| *is_other);
                let altered = altered.or(flag.map(|(_, name)| ("MQTT-4.4.0-1", name)));
                let as_before = |name| format!("sends a message again with the {name} that it had");
                (Begun::Again, altered.and_then(|(clause, name)| broken(None, clause, &as_before(name), "another one")))
            }
            Some(known) if self.is_doubtful || known.may_be_over => (Begun::New, None),
            Some(_) => {
                let clause = clause_of(version, "MQTT-2.3.1-4", "MQTT-2.2.1-4");
                (Begun::New, broken(Some(Invariant::PacketIds), clause, FREE, "another message"))
            }
            None if self.requests.contains(&id) => {
                let clause = clause_of(version, "MQTT-2.3.1-4", "MQTT-2.2.1-4");
                (Begun::New, broken(Some(Invariant::PacketIds), clause, FREE, "a request"))
            }
            None if publish.dup && self.may_repeat_settled => (Begun::Either, None),
            None if publish.dup && !self.is_doubtful && !self.may_have_begun => (
                Begun::New,
                broken(resends, "MQTT-3.3.1-3", "sets DUP only on what it sends again", "DUP on a new message"),
            ),
            None => (Begun::New, None),
        }
    }

    /// [MQTT-4.6.0-1]: what is sent again goes out in the order of the first time.
    fn judge_order_again(&self, now: Instant, known: &Exchange) -> Option<Broken> {
        (!known.is_here && known.number < self.again).then(|| Broken {
            invariant: Some(Invariant::TopicOrder),
            clause: RESENT_IN_ORDER,
            owed: "sends messages again in the order of the first time".to_owned(),
            actual: format!("an earlier one at {}", shown(now)),
        })
    }

    /// [MQTT-4.6.0-1]: a new message goes behind all of its topic and QoS that are to be sent again.
    fn judge_overtaking(&self, now: Instant, topic: &ByteString, qos: QoS) -> Option<Broken> {
        if self.exchanges.len() == self.in_flight as usize {
            return None;
        }
        let waits = |exchange: &Exchange| !exchange.is_here && !exchange.is_received && !exchange.may_be_over;
        let is_overtaken = |exchange: &Exchange| waits(exchange) && exchange.topic == *topic && exchange.qos == qos;
        let (earlier, _) = self.exchanges.iter().find(|(_, exchange)| is_overtaken(exchange))?;
        Some(Broken {
            invariant: Some(Invariant::TopicOrder),
            clause: RESENT_IN_ORDER,
            owed: format!("sends PUBLISH {earlier} again before new messages on {topic}"),
            actual: format!("a new one first, at {}", shown(now)),
        })
    }

    /// Takes note of SUBSCRIBE or UNSUBSCRIBE that is sent.
    pub(super) fn request(&mut self, now: Instant, version: Version, id: PacketId) -> Option<Broken> {
        let is_under_way = self.exchanges.get(&id).is_some_and(|exchange| !exchange.may_be_over);
        let is_in_use = !self.requests.insert(id) || is_under_way;
        (is_in_use && !self.is_doubtful).then(|| Broken {
            invariant: Some(Invariant::PacketIds),
            clause: clause_of(version, "MQTT-2.3.1-2", "MQTT-2.2.1-3"),
            owed: FREE.to_owned(),
            actual: format!("{id} at {}, which is", shown(now)),
        })
    }

    /// Takes note of SUBACK or UNSUBACK.
    pub(super) fn request_answered(&mut self, id: PacketId) {
        if let Some(requests) = self.requests.existing() {
            requests.remove(&id);
        }
    }

    /// Takes note of PUBACK, PUBREC or PUBCOMP. Returns whether it must be answered with PUBREL.
    pub(super) fn acknowledged(&mut self, now: Instant, what: PacketType, ack: &Ack) -> bool {
        let exchanges = self.exchanges.existing();
        let Some(exchange) = exchanges.and_then(|all| all.get_mut(&ack.packet_id)) else { return false };
        let mut owes_release = false;
        // One that comes before anything was sent again may not have been read when that is sent.
        let is_early = !exchange.is_here;
        exchange.is_doubtful |= is_early && what == PacketType::PubRec;
        let is_settled = match (what, exchange.qos) {
            (PacketType::PubAck, QoS::AtLeastOnce) => true,
            (PacketType::PubRec, QoS::ExactlyOnce) if ack.reason.is_error() => true,
            (PacketType::PubRec, QoS::ExactlyOnce) => {
                self.receipts += 1;
                if !std::mem::replace(&mut exchange.is_received, true) {
                    exchange.receipt = self.receipts;
                }
                self.in_flight += u32::from(!std::mem::replace(&mut exchange.is_here, true));
                owes_release = true;
                false
            }
            (PacketType::PubComp, QoS::ExactlyOnce) => exchange.is_received,
            _ => false,
        };
        if is_settled && let Some(settled) = self.exchanges.remove(&ack.packet_id) {
            self.in_flight -= u32::from(settled.is_here);
            self.counted -= u32::from(settled.is_counted);
            self.settled_at = Some(now);
            self.may_repeat_settled |= is_early;
        }
        self.count(now);
        owes_release
    }

    /// Takes note of PUBREL that is sent: as the answer to PUBREC, or again on a resumed session.
    pub(super) fn release(&mut self, now: Instant, version: Version, pubrel: &Ack, was_asked: bool) -> Option<Broken> {
        let id = pubrel.packet_id;
        // PUBREL for a PUBREC that nothing was sent for says 0x92, or nothing (§4.3.3).
        let is_out_of_turn = self.is_out_of_turn(id);
        let exchange = self.exchanges.existing()?.get_mut(&id)?;
        self.in_flight += u32::from(!std::mem::replace(&mut exchange.is_here, true));
        let place = || format!("with packet identifier {id} at {}", shown(now));
        if is_out_of_turn {
            return Some(Broken {
                invariant: None,
                clause: RELEASES_IN_ORDER,
                owed: "sends PUBREL again in the order in which PUBREC came".to_owned(),
                actual: format!("before another one, {}", place()),
            });
        }
        if exchange.is_received && !exchange.is_doubtful && pubrel.reason == ReasonCode::PACKET_IDENTIFIER_NOT_FOUND {
            return Some(Broken {
                invariant: None,
                clause: "§3.6.2.1",
                owed: "knows the message that PUBREC was sent for".to_owned(),
                actual: format!("{} {}", pubrel.reason, place()),
            });
        }
        (!exchange.is_received && !was_asked && !self.is_doubtful).then(|| Broken {
            invariant: None,
            clause: clause_of(version, "MQTT-4.3.3-1", "MQTT-4.3.3-4"),
            owed: "sends PUBREL after PUBREC".to_owned(),
            actual: format!("before it, {}", place()),
        })
    }

    /// Returns whether a PUBREL that is sent again on the present connection goes before that of an earlier PUBREC.
    fn is_out_of_turn(&self, id: PacketId) -> bool {
        let waits = |exchange: &&Exchange| exchange.is_received && !exchange.is_doubtful && !exchange.is_here;
        let Some(exchange) = self.exchanges.get(&id).filter(waits) else { return false };
        !self.is_doubtful && self.exchanges.values().filter(waits).any(|other| other.receipt < exchange.receipt)
    }

    /// Returns the Message Expiry Interval in seconds with which the message under way with this identifier was first sent,
    /// and the time of that.
    pub(super) fn lifetime(&self, id: PacketId) -> Option<(u32, Instant)> {
        self.exchanges.get(&id)?.lifetime
    }

    /// Does not know any more since when the lifetime of a message is counted down: it may have waited, once it was begun,
    /// behind a large one.
    pub(super) fn doubt_lifetime(&mut self, id: Option<PacketId>) {
        let exchanges = self.exchanges.existing();
        if let Some(exchange) = exchanges.zip(id).and_then(|(exchanges, id)| exchanges.get_mut(&id)) {
            exchange.lifetime = None;
        }
    }

    /// Returns topic and payload of the messages of QoS 1 that are not acknowledged.
    pub(super) fn unsettled_at_least_once(&self) -> impl Iterator<Item = (&ByteString, &Bytes)> {
        let exchanges = self.exchanges.values().filter(|exchange| exchange.qos == QoS::AtLeastOnce);
        exchanges.map(|exchange| (&exchange.topic, &exchange.payload))
    }

    /// Returns the oldest message that the present connection has not seen: what would be sent again for it
    /// [MQTT-4.4.0-1], and its topic.
    pub(super) fn left(&self) -> Option<(PacketType, PacketId, &ByteString)> {
        let left = self.exchanges.iter().filter(|(_, exchange)| !exchange.is_here && !exchange.may_be_over);
        let (id, exchange) = left.min_by_key(|(_, exchange)| exchange.number)?;
        let what = if exchange.is_received { PacketType::PubRel } else { PacketType::Publish };
        Some((what, *id, &exchange.topic))
    }

    /// Returns whether a message of at least this many bytes is still to be sent again on the present connection.
    pub(super) fn has_left(&self, bytes: usize) -> bool {
        let mut left = self.exchanges.values().filter(|exchange| !exchange.is_here && !exchange.is_received);
        left.any(|exchange| exchange.payload.len() >= bytes)
    }

    /// Does not know any more which PUBRECs the sender has taken in before its connection ended.
    pub(super) fn doubt_receipts(&mut self) {
        let exchanges = self.exchanges.existing().into_iter().flat_map(BTreeMap::values_mut);
        exchanges.for_each(|exchange| exchange.is_doubtful |= exchange.is_received);
    }

    fn count(&mut self, now: Instant) {
        let has_room = self.is_connected && self.in_flight < self.receive_maximum.min(self.limit);
        if !has_room && self.room_since.is_some() {
            self.full_since = now;
        }
        self.room_since = if has_room { self.room_since.or(Some(now)) } else { None };
    }
}

/// Returns why it is not judged whether a message that is sent with DUP is sent again: what was about to be sent when the last
/// connection ended has been tried before, but was not seen.
pub(super) fn may_be_again(name: &str) -> String {
    format!("{name} sends with DUP what may have been under way when its last connection ended")
}

#[cfg(test)]
mod tests;
