//! [MQTT-4.3.2-1], [MQTT-4.3.2-4], [MQTT-4.4.0-1]: what is acknowledged has been handed on; what is not is sent again
//! when the session is resumed; and what a broker has taken it passes on to every subscriber that is there.

use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, QoS};

use super::flows::flows;
use super::routes::{granted, incoming, outgoing};
use super::view::{View, sessions};
use super::{Breach, Scene, shown};
use crate::plan::{BrokerProgram, NodeId, Program};
use crate::trace::{EventKind, Item};

/// How long a message may be under way inside the broker before it is missed.
const SOON: Duration = Duration::from_secs(1);

pub(super) fn breaches(scene: &Scene<'_>) -> Vec<Breach> {
    let mut breaches: Vec<Breach> =
        scene.clients().flat_map(|view| acknowledged_but_not_delivered(scene, view.node)).collect();
    let missing = flows(scene).owed.into_iter().filter(|owed| owed.qos == QoS::AtLeastOnce);
    breaches.extend(missing.map(|owed| owed.breach(scene)));
    breaches.extend(scene.brokers().flat_map(|view| not_passed_on(scene, view)));
    breaches
}

impl super::flows::Owed<'_, '_> {
    pub(super) fn breach(&self, scene: &Scene<'_>) -> Breach {
        let what = if self.is_release { "PUBREL" } else { "PUBLISH" };
        let resumed = self.connection.connack().map_or(Duration::ZERO, |(at, _)| at);
        Breach::new(
            format!(
                "{} sends {what} {} again on the session resumed at {}",
                scene.name(self.view.node),
                self.id,
                shown(resumed)
            ),
            "never",
        )
    }
}

/// PUBACKs of a client for messages that its application never saw.
fn acknowledged_but_not_delivered(scene: &Scene<'_>, node: NodeId) -> Vec<Breach> {
    let mut delivered: BTreeMap<PacketId, u32> = BTreeMap::new();
    let mut breaches = Vec::new();
    for event in &scene.trace.events {
        match &event.kind {
            EventKind::Delivered { node: at, message } if *at == node && message.qos == QoS::AtLeastOnce => {
                *delivered.entry(message.packet_id.unwrap_or(PacketId::MIN)).or_default() += 1;
            }
            EventKind::Sent { from, item: Item::Packet(Packet::PubAck(ack)), .. }
                if *from == node && !ack.reason.is_error() =>
            {
                match delivered.get_mut(&ack.packet_id).filter(|count| **count > 0) {
                    Some(count) => *count -= 1,
                    None => breaches.push(Breach::new(
                        format!("{} acknowledges what it has delivered", scene.name(node)),
                        format!("PUBACK {} at {} is for a message that was not", ack.packet_id, shown(event.at)),
                    )),
                }
            }
            _ => {}
        }
    }
    breaches
}

/// Messages that a broker took and did not pass on to a subscriber that is there at the end.
fn not_passed_on(scene: &Scene<'_>, view: &View<'_>) -> Vec<Breach> {
    let Program::Broker(BrokerProgram { config, .. }) = &scene.plan.node(view.node).program else { return Vec::new() };
    let incoming = incoming(view);
    let mut breaches = Vec::new();
    for (client_id, connections) in sessions(view) {
        let Some((last, _)) = connections.last() else { continue };
        let Some((accepted, _)) = last.connack().filter(|_| last.ended.is_none()) else { continue };
        let has_limits = last.connect().is_some_and(|(_, connect)| connect.maximum_packet_size.is_some());
        if has_limits || scene.trace.end < accepted + SOON {
            continue;
        }
        let (granted, sent) = (granted(&connections), outgoing(&connections));
        let is_wanted = |message: &&super::routes::Incoming| {
            let covers = |granted: &&super::routes::Granted| {
                let is_own = granted.subscription.no_local && message.from == client_id;
                !granted.is_shared()
                    && !is_own
                    && granted.since < message.at
                    && granted.until.is_none()
                    && granted.qos != QoS::AtMostOnce
                    && granted.covers(&message.topic)
            };
            message.is_taken
                && message.qos != QoS::AtMostOnce
                && !message.expires
                && message.at + SOON <= scene.trace.end
                && granted.iter().any(|granted| covers(&granted))
        };
        let wanted: Vec<_> = incoming.iter().filter(is_wanted).collect();
        let unacknowledged = unacknowledged(last);
        if wanted.len() >= config.queue_messages
            || unacknowledged >= last.window().min(config.in_flight_messages.into())
        {
            continue;
        }
        for message in &wanted {
            let is_it = |topic, payload| topic == &message.topic && payload == &message.payload;
            let asked = wanted.iter().filter(|other| is_it(&other.topic, &other.payload)).count();
            let done = sent.iter().filter(|sent| is_it(&sent.topic, &sent.payload)).count();
            if done < asked {
                breaches.push(Breach::new(
                    format!("{} passes the message of {} on to {client_id}", scene.name(view.node), shown(message.at)),
                    format!("{done} of {asked} on {} were sent to it", message.topic),
                ));
                break;
            }
        }
    }
    breaches
}

fn unacknowledged(connection: &super::view::Connection<'_>) -> usize {
    let mut open = std::collections::BTreeSet::new();
    for seen in &connection.packets {
        match seen.packet {
            Packet::Publish(publish) if seen.is_sent => open.extend(publish.packet_id),
            Packet::PubAck(ack) | Packet::PubComp(ack) if !seen.is_sent => drop(open.remove(&ack.packet_id)),
            _ => {}
        }
    }
    open.len()
}
