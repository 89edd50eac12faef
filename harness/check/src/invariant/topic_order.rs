//! [MQTT-4.6.0-1] to [MQTT-4.6.0-6]: messages of one sender, topic and QoS keep their order: handed on by a client and sent
//! again, with what is new behind it. PUBACK and PUBREC have the order of the messages that they answer, PUBREL the order of
//! the PUBRECs.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Packet, PacketType};

use super::index::{EndId, Fact, Seen};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::{Invariant, NodeId};
use crate::sequence::Sequence;

#[derive(Default)]
pub(super) struct TopicOrder {
    /// The messages that each client has received and not yet delivered. QoS 1 and 2 are known by their identifiers.
    received: BTreeMap<NodeId, Sequence<Received, (), (ByteString, QoS)>>,
    answers: BTreeMap<(EndId, PacketType), Answers>,
}

type Received = (ByteString, QoS, Option<PacketId>, Bytes);

/// The packets of one connection that are to be answered with packets of one type.
#[derive(Default)]
struct Answers {
    questions: BTreeMap<PacketId, VecDeque<u64>>,
    asked: u64,
    /// The latest question that was answered.
    answered: u64,
}

impl Rule for TopicOrder {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        match fact {
            Fact::Packet(seen) => {
                if let Some(publish) = seen.received_publish() {
                    let end = context.index.end(seen.end);
                    if !end.is_broker {
                        self.received.entry(end.node).or_default().enter(received(&seen.topic, publish), &(), 1);
                    }
                }
                self.answer(seen, context, report);
            }
            Fact::Delivered { at, node, message } => self.delivered(*at, *node, message, context, report),
            Fact::Died { node, .. } => {
                if let Some(received) = self.received.get_mut(node) {
                    received.clear();
                }
            }
            Fact::Ended { end, .. } => {
                for answer in [PacketType::PubAck, PacketType::PubRec, PacketType::PubRel] {
                    self.answers.remove(&(*end, answer));
                }
            }
            _ => {}
        }
    }
}

impl TopicOrder {
    fn delivered(&mut self, at: Duration, node: NodeId, message: &Publish, context: &Context<'_>, report: &mut Report) {
        let key = received(&message.topic, message);
        let lane = |_: &Received, (): &()| (message.topic.clone(), message.qos);
        if !self.received.entry(node).or_default().leave(&key, lane) {
            let expected = format!("{} delivers messages on {} as they came", context.name(node), message.topic);
            report.breach(Invariant::TopicOrder, Breach::new(expected, format!("an earlier one at {}", shown(at))));
        }
    }

    fn answer(&mut self, seen: &Seen<'_>, context: &Context<'_>, report: &mut Report) {
        let (id, answer) = match (seen.packet, seen.is_sent) {
            (Packet::Publish(publish), false) => match (publish.qos, publish.packet_id) {
                (QoS::AtLeastOnce, Some(id)) => (id, PacketType::PubAck),
                (QoS::ExactlyOnce, Some(id)) => (id, PacketType::PubRec),
                _ => return,
            },
            (Packet::PubRec(ack), false) if !ack.reason.is_error() => (ack.packet_id, PacketType::PubRel),
            (Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack), true) => {
                (ack.packet_id, seen.packet.packet_type())
            }
            _ => return,
        };
        let answers = self.answers.entry((seen.end, answer)).or_default();
        if !seen.is_sent {
            answers.asked += 1;
            answers.questions.entry(id).or_default().push_back(answers.asked);
        } else if !answers.is_in_order(id) {
            let expected = format!(
                "{} sends each {answer} in the order of what it answers",
                context.name(context.index.end(seen.end).node)
            );
            let actual = format!("{answer} {id} too late, at {}", shown(seen.at));
            report.breach(Invariant::TopicOrder, Breach::new(expected, actual));
        }
    }
}

impl Answers {
    /// Takes the answer with this identifier for the oldest question that it fits. What answers nothing on this
    /// connection, as a PUBREL that is sent again, has no place in this order.
    fn is_in_order(&mut self, id: PacketId) -> bool {
        let Some(questions) = self.questions.get_mut(&id) else { return true };
        let question = questions.pop_front();
        if questions.is_empty() {
            self.questions.remove(&id);
        }
        let Some(question) = question else { return true };
        let is_in_order = question > self.answered;
        self.answered = question.max(self.answered);
        is_in_order
    }
}

fn received(topic: &ByteString, publish: &Publish) -> Received {
    let payload = if publish.packet_id.is_some() { Bytes::new() } else { publish.payload.clone() };
    (topic.clone(), publish.qos, publish.packet_id, payload)
}
