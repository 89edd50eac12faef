//! [MQTT-2.3.1-2], [MQTT-2.3.1-4], [MQTT-2.3.1-6] (3.1.1), [MQTT-2.2.1-3] to [MQTT-2.2.1-6] (5.0): an identifier in use is
//! used for nothing else, and each answer has the identifier of a question that is not answered yet.

use std::collections::BTreeSet;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, QoS};

use super::flows::{Before, flows};
use super::view::{Connection, Seen};
use super::{Breach, Scene, shown};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let reused = flows(scene).transmissions.into_iter().filter(|sent| sent.before == Before::Another).map(|sent| {
        let (name, what) = (scene.name(sent.view.node), sent.seen.packet.packet_type());
        Breach::new(
            format!("{name} sends {what} with an identifier that is free"),
            format!("{} is in use at {}", sent.id, shown(sent.seen.at)),
        )
    });
    let mut breaches: Vec<Breach> = reused.collect();
    for view in &scene.views {
        for connection in &view.connections {
            breaches.extend(idle_answer(connection).map(|(seen, id)| {
                let (name, what) = (scene.name(view.node), seen.packet.packet_type());
                Breach::new(
                    format!("{name} answers what it was asked"),
                    format!("{what} with identifier {id} at {}, which answers nothing", shown(seen.at)),
                )
            }));
        }
    }
    breaches
}

/// The first answer of a connection without a question before it.
fn idle_answer<'c, 'a>(connection: &'c Connection<'a>) -> Option<(&'c Seen<'a>, PacketId)> {
    let mut asked: BTreeSet<(PacketId, u8)> = BTreeSet::new();
    for seen in &connection.packets {
        if !seen.is_sent {
            asked.extend(question(seen.packet));
        } else if let Some((id, kind)) = answer(seen.packet)
            && !asked.remove(&(id, kind))
        {
            return Some((seen, id));
        }
    }
    None
}

/// What a packet asks for, with the type of its answer.
fn question(packet: &Packet) -> Option<(PacketId, u8)> {
    match packet {
        Packet::Publish(publish) if publish.qos == QoS::AtLeastOnce => Some((publish.packet_id?, 4)),
        Packet::Publish(publish) if publish.qos == QoS::ExactlyOnce => Some((publish.packet_id?, 5)),
        Packet::PubRel(ack) => Some((ack.packet_id, 7)),
        Packet::Subscribe(subscribe) => Some((subscribe.packet_id, 9)),
        Packet::Unsubscribe(unsubscribe) => Some((unsubscribe.packet_id, 11)),
        _ => None,
    }
}

fn answer(packet: &Packet) -> Option<(PacketId, u8)> {
    match packet {
        Packet::PubAck(ack) => Some((ack.packet_id, 4)),
        Packet::PubRec(ack) => Some((ack.packet_id, 5)),
        Packet::PubComp(ack) => Some((ack.packet_id, 7)),
        Packet::SubAck(ack) => Some((ack.packet_id, 9)),
        Packet::UnsubAck(ack) => Some((ack.packet_id, 11)),
        _ => None,
    }
}
