//! [MQTT-3.14.4-1], [MQTT-3.14.4-2]: who has sent DISCONNECT, or a CONNACK that refuses, sends nothing more but the end
//! of the connection. And who has read a DISCONNECT does not answer.

use std::time::Duration;

use halfopen_protocol::{Packet, ReasonCode};

use super::view::{Connection, Seen};
use super::{Breach, Scene, shown};
use crate::plan::NodeId;

/// How long a program may take to write what was to be written before it ends a connection.
const LINGER: Duration = Duration::from_secs(5);

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    for view in &scene.views {
        for connection in &view.connections {
            breaches.extend(breach(scene, view.node, connection));
        }
    }
    breaches
}

fn breach(scene: &Scene<'_>, node: NodeId, connection: &Connection<'_>) -> Option<Breach> {
    let name = scene.name(node);
    let place = connection.packets.iter().position(is_last_word)?;
    let word = &connection.packets[place];
    // What was read in one piece with the DISCONNECT is still answered.
    let is_too_late = |seen: &&Seen<'_>| seen.is_sent && (word.is_sent || seen.at > word.at);
    if let Some(more) = connection.packets[place + 1..].iter().find(is_too_late) {
        return Some(Breach::new(
            format!("{name} sends nothing after the {} of {}", word.packet.packet_type(), shown(word.at)),
            format!("{} at {}", more.packet.packet_type(), shown(more.at)),
        ));
    }
    let is_open = connection.end_sent.is_none() && connection.ended.is_none_or(|_| connection.closing.is_some());
    (is_open && !connection.died && scene.trace.end > word.at + LINGER).then(|| {
        Breach::new(
            format!("{name} ends the connection after the {} of {}", word.packet.packet_type(), shown(word.at)),
            format!("it is still open at {}", shown(scene.trace.end)),
        )
    })
}

fn is_last_word(seen: &Seen<'_>) -> bool {
    match seen.packet {
        Packet::Disconnect(_) => true,
        Packet::ConnAck(connack) => connack.reason != ReasonCode::SUCCESS,
        _ => false,
    }
}
