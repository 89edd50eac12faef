//! [MQTT-4.6.0-1] to [MQTT-4.6.0-6]: messages of one sender, topic and QoS keep their order: handed on by a client,
//! passed on by a broker, and sent again.

use std::collections::BTreeMap;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::QoS;

use super::flows::{Before, flows};
use super::routes::{incoming, outgoing};
use super::view::{View, sessions};
use super::{Breach, Scene, shown};
use crate::plan::NodeId;
use crate::trace::{EventKind, Item};

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches: Vec<Breach> = scene.clients().filter_map(|view| not_as_it_came(scene, view.node)).collect();
    breaches.extend(scene.brokers().flat_map(|view| passed_on_out_of_order(scene, view)));
    breaches.extend(sent_again_out_of_order(scene));
    breaches
}

/// The first message that a client handed on before an earlier one of its topic and QoS.
fn not_as_it_came(scene: &Scene<'_>, node: NodeId) -> Option<Breach> {
    // A topic may stand behind an alias: payload and QoS are enough to tell what was handed on.
    let mut waiting: Vec<(usize, QoS, &Bytes)> = Vec::new();
    let mut latest: BTreeMap<(ByteString, QoS), usize> = BTreeMap::new();
    for (index, event) in scene.trace.events.iter().enumerate() {
        match &event.kind {
            EventKind::Received { to, item: Item::Packet(Packet::Publish(publish)), .. } if *to == node => {
                waiting.push((index, publish.qos, &publish.payload));
            }
            EventKind::Delivered { node: at, message } if *at == node => {
                let is_it =
                    |(_, qos, payload): &(usize, QoS, &Bytes)| *qos == message.qos && **payload == message.payload;
                let Some(place) = waiting.iter().position(is_it) else { continue };
                let (came, ..) = waiting.remove(place);
                let latest = latest.entry((message.topic.clone(), message.qos)).or_insert(came);
                if came < *latest {
                    return Some(Breach::new(
                        format!("{} delivers messages on {} as they came", scene.name(node), message.topic),
                        format!("an earlier one at {}", shown(event.at)),
                    ));
                }
                *latest = came;
            }
            _ => {}
        }
    }
    None
}

fn passed_on_out_of_order(scene: &Scene<'_>, view: &View<'_>) -> Vec<Breach> {
    let incoming = incoming(view);
    let mut breaches = Vec::new();
    for (client_id, connections) in sessions(view) {
        let mut used = vec![false; incoming.len()];
        let mut latest: BTreeMap<(ByteString, ByteString, QoS, QoS), usize> = BTreeMap::new();
        for sent in outgoing(&connections).iter().filter(|sent| !sent.is_retained) {
            let is_it = |place: &usize| {
                let came = &incoming[*place];
                !used[*place] && came.at <= sent.at && came.topic == sent.topic && came.payload == sent.payload
            };
            let Some(place) = (0..incoming.len()).find(is_it) else { continue };
            used[place] = true;
            let came = &incoming[place];
            let latest = latest.entry((came.from.clone(), came.topic.clone(), came.qos, sent.qos)).or_insert(place);
            if place < *latest {
                breaches.push(Breach::new(
                    format!("{} sends messages on {} to {client_id} as they came", scene.name(view.node), sent.topic),
                    format!("an earlier one at {}", shown(sent.at)),
                ));
                break;
            }
            *latest = place;
        }
    }
    breaches
}

fn sent_again_out_of_order(scene: &Scene<'_>) -> Option<Breach> {
    let flows = flows(scene);
    let again = flows.transmissions.iter().filter_map(|sent| match sent.before {
        Before::SameEarlier(place) => Some((sent, place)),
        _ => None,
    });
    let again: Vec<_> = again.collect();
    again.windows(2).find_map(|pair| {
        let ((first, before), (second, after)) = (&pair[0], &pair[1]);
        let is_one_burst = std::ptr::eq(first.view, second.view) && first.seen.at == second.seen.at;
        (is_one_burst && after < before && first.connection == second.connection).then(|| {
            let name = scene.name(second.view.node);
            Breach::new(
                format!("{name} sends again in the order of the first time"),
                format!("not at {}", shown(second.seen.at)),
            )
        })
    })
}
