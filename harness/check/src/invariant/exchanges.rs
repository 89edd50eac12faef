//! The exchanges that a node began: its messages of QoS 1 and 2 over all connections of a session, and its requests.

use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, Publish, QoS};

use super::Context;
use super::index::{Fact, Seen, SessionId};
use super::table::Table;
use crate::size::surely_fits;

/// A PUBLISH, SUBSCRIBE or UNSUBSCRIBE that was sent.
pub(super) struct PublishSent<'e> {
    pub(super) session: SessionId,
    pub(super) seen: Seen<'e>,
    /// The packet identifier; `None` for QoS 0.
    pub(super) id: Option<PacketId>,
    /// The former meaning of the identifier.
    pub(super) before: Before,
    /// The number of the exchange within the session, in the order in which they began.
    pub(super) exchange: u64,
    /// A message of the same topic and QoS, sent on an earlier connection, that this one is sent before: a new message
    /// goes behind all that are to be sent again.
    pub(super) overtakes: Option<PacketId>,
}

/// The former meaning of an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// The identifier was free.
    Free,
    /// The same message, sent on an earlier connection.
    SameEarlier,
    /// The same message, sent on this connection.
    SameHere,
    /// The same message, which the other side has taken over with PUBREC.
    SameTakenOver,
    /// Something else.
    Another,
}

/// The exchanges of all sessions.
#[derive(Default)]
pub(super) struct Exchanges {
    flows: Table<SessionId, Flow>,
}

/// The exchanges that one session has under way.
#[derive(Default)]
struct Flow {
    in_use: BTreeMap<PacketId, Exchange>,
    begun: u64,
    /// Number of messages that must be sent again and have not been, on the present connection.
    elsewhere: usize,
    /// True if the session was resumed on the present connection.
    is_resumed: bool,
}

struct Exchange {
    what: What,
    /// True if something of it was sent on the present connection.
    is_here: bool,
    number: u64,
}

#[derive(Clone, PartialEq, Eq)]
enum What {
    Message(Message),
    /// A message that the other side has answered with PUBREC.
    TakenOver(Message),
    Request,
}

#[derive(Clone, PartialEq, Eq)]
struct Message {
    topic: ByteString,
    payload: Bytes,
    qos: QoS,
}

impl Exchanges {
    pub(super) fn observe<'e>(&mut self, fact: &Fact<'e>, context: &Context<'_>) -> Option<PublishSent<'e>> {
        match fact {
            Fact::Accepted { end, session, .. } => {
                let flow = self.flows.get_or_default(*session);
                let maximum_packet_size = context.index.end(*end).maximum_packet_size();
                flow.begin(context.index.session(*session).is_resumed, maximum_packet_size);
                None
            }
            Fact::Exchanged(session, seen) => {
                let flow = self.flows.get_or_default(*session);
                if seen.is_sent && context.index.session(*session).current != seen.end {
                    return flow.sent_before(*session, seen);
                }
                if seen.is_sent {
                    return flow.sent(*session, seen);
                }
                flow.answer(&seen.packet);
                None
            }
            _ => None,
        }
    }
}

impl Flow {
    fn begin(&mut self, is_resumed: bool, maximum_packet_size: usize) {
        self.is_resumed = is_resumed;
        if !is_resumed {
            self.in_use.clear();
        }
        // Requests do not outlive their connection.
        // Nor does a message that the other side may not take any more [MQTT-3.1.2-25].
        self.in_use.retain(|_, exchange| match &exchange.what {
            What::Message(Message { topic, payload, .. }) => surely_fits(topic, payload, maximum_packet_size),
            What::TakenOver(_) => true,
            What::Request => false,
        });
        for exchange in self.in_use.values_mut() {
            exchange.is_here = false;
        }
        self.elsewhere = self.in_use.len();
    }

    fn sent<'e>(&mut self, session: SessionId, seen: &Seen<'e>) -> Option<PublishSent<'e>> {
        let (id, what) = match &*seen.packet {
            Packet::Publish(publish) => (publish.packet_id, What::Message(message(&seen.topic, publish))),
            Packet::Subscribe(subscribe) => (Some(subscribe.packet_id), What::Request),
            Packet::Unsubscribe(unsubscribe) => (Some(unsubscribe.packet_id), What::Request),
            Packet::PubRel(ack) => {
                self.arrive_here(ack.packet_id);
                return None;
            }
            _ => return None,
        };
        let is_again = matches!(&*seen.packet, Packet::Publish(publish) if publish.dup);
        let transmission =
            |before, exchange, overtakes| PublishSent { session, seen: seen.clone(), id, before, exchange, overtakes };
        let Some(id) = id else { return Some(transmission(Before::Free, 0, None)) };
        let known = self.in_use.get(&id);
        let before = known.map_or(Before::Free, |known| known.before(&what));
        if matches!(before, Before::Free | Before::Another) {
            // One with DUP is none that is new: an acknowledgement of it was not taken in.
            let overtakes = if is_again { None } else { self.overtaken_by(&what) };
            self.arrive_here(id);
            self.begun += 1;
            self.in_use.insert(id, Exchange { what, is_here: true, number: self.begun });
            return Some(transmission(before, self.begun, overtakes));
        }
        let number = known.map_or(0, |known| known.number);
        self.arrive_here(id);
        Some(transmission(before, number, None))
    }

    /// Takes note of what still goes out on a connection that another one has replaced: it was written before that.
    fn sent_before<'e>(&mut self, session: SessionId, seen: &Seen<'e>) -> Option<PublishSent<'e>> {
        let publish = seen.sent_publish()?;
        let sent = PublishSent {
            session,
            seen: seen.clone(),
            id: publish.packet_id,
            before: Before::Free,
            exchange: 0,
            overtakes: None,
        };
        let Some(id) = publish.packet_id else { return Some(sent) };
        if publish.dup || self.in_use.contains_key(&id) {
            return None;
        }
        if self.is_resumed {
            let what = What::Message(message(&seen.topic, publish));
            self.begun += 1;
            self.elsewhere += 1;
            self.in_use.insert(id, Exchange { what, is_here: false, number: self.begun });
        }
        Some(sent)
    }

    fn arrive_here(&mut self, id: PacketId) {
        if let Some(exchange) = self.in_use.get_mut(&id)
            && !exchange.is_here
        {
            exchange.is_here = true;
            self.elsewhere -= 1;
        }
    }

    /// The first message that is to be sent again, and before this one.
    fn overtaken_by(&self, next: &What) -> Option<PacketId> {
        let What::Message(next) = next else { return None };
        if self.elsewhere == 0 {
            return None;
        }
        let is_overtaken = |exchange: &Exchange| match &exchange.what {
            What::Message(earlier) => !exchange.is_here && earlier.topic == next.topic && earlier.qos == next.qos,
            What::TakenOver(_) | What::Request => false,
        };
        self.in_use.iter().find(|(_, exchange)| is_overtaken(exchange)).map(|(id, _)| *id)
    }

    fn answer(&mut self, packet: &Packet) {
        match packet {
            Packet::PubAck(ack) => self.free(ack.packet_id, |what| matches!(what, What::Message(_))),
            Packet::PubRec(ack) if ack.reason.is_error() => self.free(ack.packet_id, |_| true),
            Packet::PubRec(ack) => {
                if let Some(exchange) = self.in_use.get_mut(&ack.packet_id)
                    && let What::Message(message) = &exchange.what
                {
                    exchange.what = What::TakenOver(message.clone());
                }
            }
            Packet::PubComp(ack) => self.free(ack.packet_id, |what| matches!(what, What::TakenOver(_))),
            Packet::SubAck(ack) => self.free(ack.packet_id, |what| *what == What::Request),
            Packet::UnsubAck(ack) => self.free(ack.packet_id, |what| *what == What::Request),
            _ => {}
        }
    }

    fn free(&mut self, id: PacketId, is_its: impl Fn(&What) -> bool) {
        if self.in_use.get(&id).is_some_and(|exchange| is_its(&exchange.what)) {
            self.arrive_here(id);
            self.in_use.remove(&id);
        }
    }
}

impl Exchange {
    fn before(&self, next: &What) -> Before {
        match (&self.what, next) {
            (What::Message(message), What::Message(again)) if message == again && self.is_here => Before::SameHere,
            (What::Message(message), What::Message(again)) if message == again => Before::SameEarlier,
            (What::TakenOver(message), What::Message(again)) if message == again => Before::SameTakenOver,
            _ => Before::Another,
        }
    }
}

fn message(topic: &ByteString, publish: &Publish) -> Message {
    Message { topic: topic.clone(), payload: publish.payload.clone(), qos: publish.qos }
}
