//! [MQTT-3.3.4-7], [MQTT-3.3.4-9], [MQTT-4.9.0-2]: no more messages of QoS 1 and 2 are unacknowledged on a connection than
//! the other side allows. 3.1.1 has no such bound.

use std::collections::BTreeSet;

use halfopen_protocol::Packet;

use super::view::{Connection, Seen};
use super::{Breach, Scene, shown};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for view in &scene.views {
        for connection in &view.connections {
            breaches.extend(first_too_many(connection).map(|(seen, number)| {
                let (name, window) = (scene.name(view.node), connection.window());
                Breach::new(
                    format!("{name} has at most {window} messages unacknowledged"),
                    format!("{number} with the PUBLISH of {}", shown(seen.at)),
                )
            }));
        }
    }
    breaches
}

fn first_too_many<'c, 'a>(connection: &'c Connection<'a>) -> Option<(&'c Seen<'a>, usize)> {
    let window = connection.window();
    let mut open = BTreeSet::new();
    for seen in &connection.packets {
        match seen.packet {
            Packet::Publish(publish) if seen.is_sent => {
                open.extend(publish.packet_id);
                if open.len() > window {
                    return Some((seen, open.len()));
                }
            }
            Packet::PubAck(ack) | Packet::PubComp(ack) if !seen.is_sent => drop(open.remove(&ack.packet_id)),
            Packet::PubRec(ack) if !seen.is_sent && ack.reason.is_error() => drop(open.remove(&ack.packet_id)),
            _ => {}
        }
    }
    None
}
