//! [MQTT-4.3.3-1] to [MQTT-4.3.3-12]: a message of QoS 2 is handed on once, before it is acknowledged; what the other side
//! has taken over with PUBREC is not sent again, but the PUBREL that is owed is; and a broker passes each on once.

use std::collections::BTreeSet;

use halfopen_protocol::packet::{PacketId, QoS};
use halfopen_protocol::{Packet, ReasonCode};

use super::flows::{Before, flows};
use super::routes::{granted, incoming, outgoing};
use super::view::{View, sessions};
use super::{Breach, Scene, shown};
use crate::plan::NodeId;
use crate::trace::{EventKind, Item};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches: Vec<Breach> = scene.clients().flat_map(|view| not_once(scene, view.node)).collect();
    let flows = flows(scene);
    breaches.extend(flows.transmissions.iter().filter(|sent| sent.before == Before::SameTakenOver).map(|sent| {
        Breach::new(
            format!("{} never sends PUBLISH {} again after PUBREC", scene.name(sent.view.node), sent.id),
            format!("it does at {}", shown(sent.seen.at)),
        )
    }));
    let owed = flows.owed.iter().filter(|owed| owed.qos == QoS::ExactlyOnce);
    breaches.extend(owed.map(|owed| owed.breach(scene)));
    breaches.extend(scene.brokers().flat_map(|view| passed_on_twice(scene, view)));
    breaches
}

/// Messages that a client handed on twice, or acknowledged without handing them on.
fn not_once(scene: &Scene<'_>, node: NodeId) -> Vec<Breach> {
    let mut delivered: BTreeSet<PacketId> = BTreeSet::new();
    let mut breaches = Vec::new();
    let name = scene.name(node);
    for event in &scene.trace.events {
        match &event.kind {
            EventKind::Delivered { node: at, message } if *at == node && message.qos == QoS::ExactlyOnce => {
                let Some(id) = message.packet_id else { continue };
                if !delivered.insert(id) {
                    let actual = format!("again at {}", shown(event.at));
                    breaches.push(Breach::new(format!("{name} delivers message {id} once"), actual));
                }
            }
            EventKind::Sent { from, item: Item::Packet(Packet::PubRec(ack)), .. }
                if *from == node && !ack.reason.is_error() && !delivered.contains(&ack.packet_id) =>
            {
                breaches.push(Breach::new(
                    format!("{name} acknowledges what it has delivered"),
                    format!("PUBREC {} at {} is for a message that was not", ack.packet_id, shown(event.at)),
                ));
            }
            EventKind::Received { to, item: Item::Packet(packet), .. } if *to == node => match packet {
                Packet::PubRel(ack) => drop(delivered.remove(&ack.packet_id)),
                Packet::ConnAck(connack) if connack.reason == ReasonCode::SUCCESS && !connack.session_present => {
                    delivered.clear();
                }
                _ => {}
            },
            EventKind::Node { node: at, change } if change.ends_process() && *at == node => {
                delivered.clear();
            }
            _ => {}
        }
    }
    breaches
}

/// Messages that a broker began to send to a subscriber more often than they came in, counted with all that may repeat
/// them: overlapping subscriptions, wills, retained messages.
fn passed_on_twice(scene: &Scene<'_>, view: &View<'_>) -> Vec<Breach> {
    let incoming = incoming(view);
    let mut breaches = Vec::new();
    for (client_id, connections) in sessions(view) {
        let granted = granted(&connections);
        let sent = outgoing(&connections);
        for message in sent.iter().filter(|sent| sent.qos == QoS::ExactlyOnce) {
            let times =
                sent.iter().filter(|sent| sent.topic == message.topic && sent.payload == message.payload).count();
            let came = incoming.iter().filter(|came| came.topic == message.topic && came.payload == message.payload);
            let (came, retained) =
                came.fold((0, false), |(count, retained), came| (count + 1, retained | came.is_retained));
            let wills = view.connections.iter().filter_map(|connection| connection.connect()?.1.will.as_ref());
            let wills = wills.filter(|will| will.topic == message.topic && will.payload == message.payload);
            let (wills, retained) = wills.fold((0, retained), |(count, any), will| (count + 1, any | will.retain));
            let overlapping = granted.iter().filter(|granted| granted.covers(&message.topic)).count().max(1);
            let again = if retained { granted.len() } else { 0 };
            let allowed = (came + wills) * overlapping + again;
            if times > allowed && (came > 0 || wills > 0) {
                breaches.push(Breach::new(
                    format!("{} sends the message on {} to {client_id} once", scene.name(view.node), message.topic),
                    format!("{times} times for {came} that came in, last at {}", shown(message.at)),
                ));
                break;
            }
        }
    }
    breaches
}
