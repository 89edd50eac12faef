//! [MQTT-2.3.1-2], [MQTT-2.3.1-4], [MQTT-2.3.1-6] (3.1.1), [MQTT-2.2.1-3] to [MQTT-2.2.1-6] (5.0): an identifier in use is
//! used for nothing else, and each answer has the identifier of a question that is not answered yet.
//!
//! Questions are counted: a message that comes twice before the first answer, as an impatient sender repeats it, is two
//! questions with two answers ([MQTT-4.3.2-2], [MQTT-4.3.3-2] (3.1.1); [MQTT-4.3.2-4], [MQTT-4.3.3-8],
//! [MQTT-4.3.3-10] (5.0)).

use std::collections::{BTreeMap, BTreeSet};

use halfopen_protocol::packet::{PacketId, QoS};
use halfopen_protocol::{Packet, PacketType};

use super::exchanges::Before;
use super::index::{EndId, Fact, Seen};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::Invariant;

#[derive(Default)]
pub(super) struct PacketIds {
    /// Number of requests of each connection that wait for an answer of this type.
    asked: BTreeMap<(EndId, PacketId, PacketType), u32>,
    /// Ends that are reported.
    broken: BTreeSet<EndId>,
}

impl Rule for PacketIds {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        match fact {
            Fact::Packet(seen) => self.packet(seen, context, report),
            Fact::PublishSent(sent) if sent.before == Before::Another => {
                let node = context.index.end(sent.seen.end).node;
                let (name, what) = (context.name(node), sent.seen.packet.packet_type());
                let id = sent.id.unwrap_or(PacketId::MIN);
                let expected = format!("{name} sends {what} with an identifier that is free");
                let actual = format!("{id} is in use at {}", shown(sent.seen.at));
                report.breach(Invariant::PacketIds, Breach::new(expected, actual));
            }
            _ => {}
        }
    }
}

impl PacketIds {
    fn packet(&mut self, seen: &Seen<'_>, context: &Context<'_>, report: &mut Report) {
        if !seen.is_sent {
            if let Some((id, answer)) = question(&seen.packet) {
                *self.asked.entry((seen.end, id, answer)).or_default() += 1;
            }
            return;
        }
        let what = seen.packet.packet_type();
        let Some(id) = answer(&seen.packet) else { return };
        let key = (seen.end, id, what);
        match self.asked.get_mut(&key) {
            Some(1) => drop(self.asked.remove(&key)),
            Some(asked) => *asked -= 1,
            None if self.broken.insert(seen.end) => {
                let expected = format!("{} answers what it was asked", context.name(context.index.end(seen.end).node));
                let actual = format!("{what} with identifier {id} at {}, which answers nothing", shown(seen.at));
                report.breach(Invariant::PacketIds, Breach::new(expected, actual));
            }
            None => {}
        }
    }
}

/// Returns what a packet asks for: the identifier, and the type of the answer.
fn question(packet: &Packet) -> Option<(PacketId, PacketType)> {
    match packet {
        Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => Some((publish.packet_id?, PacketType::PubAck)),
        Packet::Publish(publish) if publish.qos == QoS::ExactlyOnce => Some((publish.packet_id?, PacketType::PubRec)),
        Packet::PubRel(ack) => Some((ack.packet_id, PacketType::PubComp)),
        Packet::Subscribe(subscribe) => Some((subscribe.packet_id, PacketType::SubAck)),
        Packet::Unsubscribe(unsubscribe) => Some((unsubscribe.packet_id, PacketType::UnsubAck)),
        _ => None,
    }
}

/// The identifier of an answer.
fn answer(packet: &Packet) -> Option<PacketId> {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => Some(ack.packet_id),
        Packet::SubAck(ack) => Some(ack.packet_id),
        Packet::UnsubAck(ack) => Some(ack.packet_id),
        _ => None,
    }
}
