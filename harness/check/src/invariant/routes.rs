//! What a broker was given to pass on, and what it passed on to whom.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, QoS, Subscription};
use halfopen_protocol::{Packet, topic};

use super::view::{Connection, View, sessions};

/// A message that reached a broker, each once, however often it was sent.
pub(super) struct Incoming {
    pub(super) at: Duration,
    pub(super) from: ByteString,
    pub(super) topic: ByteString,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    /// Whether the broker has answered that it takes it; true for QoS 0.
    pub(super) is_taken: bool,
    pub(super) is_retained: bool,
    pub(super) expires: bool,
}

/// A message that a broker began to send to a client.
pub(super) struct Outgoing {
    pub(super) at: Duration,
    pub(super) topic: ByteString,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    pub(super) is_retained: bool,
}

/// All that reached a broker, in order.
pub(super) fn incoming(view: &View<'_>) -> Vec<Incoming> {
    let mut incoming = Vec::new();
    for (client_id, connections) in sessions(view) {
        // Messages of QoS 2 by their identifiers, until PUBREL.
        let mut open: BTreeMap<PacketId, usize> = BTreeMap::new();
        for (connection, is_resumed) in connections {
            if !is_resumed {
                open.clear();
            }
            let mut unanswered: BTreeMap<PacketId, usize> = BTreeMap::new();
            for seen in &connection.packets {
                if let Some(publish) = seen.received_publish() {
                    if publish.packet_id.is_some_and(|id| open.contains_key(&id)) && publish.qos == QoS::ExactlyOnce {
                        continue;
                    }
                    if let Some(id) = publish.packet_id {
                        unanswered.insert(id, incoming.len());
                        if publish.qos == QoS::ExactlyOnce {
                            open.insert(id, incoming.len());
                        }
                    }
                    incoming.push(Incoming {
                        at: seen.at,
                        from: client_id.clone(),
                        topic: seen.topic.clone(),
                        payload: publish.payload.clone(),
                        qos: publish.qos,
                        is_taken: publish.qos == QoS::AtMostOnce,
                        is_retained: publish.retain,
                        expires: publish.message_expiry.is_some(),
                    });
                }
                match seen.packet {
                    Packet::PubAck(ack) | Packet::PubRec(ack) if seen.is_sent => {
                        if let Some(place) = unanswered.remove(&ack.packet_id) {
                            incoming[place].is_taken |= !ack.reason.is_error();
                        }
                        if ack.reason.is_error() {
                            open.remove(&ack.packet_id);
                        }
                    }
                    Packet::PubRel(ack) if !seen.is_sent => drop(open.remove(&ack.packet_id)),
                    _ => {}
                }
            }
        }
    }
    incoming.sort_by_key(|message| message.at);
    incoming
}

/// What a broker began to send on the connections of a session.
pub(super) fn outgoing(connections: &[(&Connection<'_>, bool)]) -> Vec<Outgoing> {
    let mut outgoing = Vec::new();
    let mut in_flight: BTreeSet<PacketId> = BTreeSet::new();
    for (connection, is_resumed) in connections {
        if !is_resumed {
            in_flight.clear();
        }
        for seen in &connection.packets {
            if let Some(publish) = seen.sent_publish()
                && publish.packet_id.is_none_or(|id| in_flight.insert(id))
            {
                outgoing.push(Outgoing {
                    at: seen.at,
                    topic: seen.topic.clone(),
                    payload: publish.payload.clone(),
                    qos: publish.qos,
                    is_retained: publish.retain,
                });
            }
            match seen.packet {
                Packet::PubAck(ack) | Packet::PubComp(ack) if !seen.is_sent => drop(in_flight.remove(&ack.packet_id)),
                Packet::PubRec(ack) if !seen.is_sent && ack.reason.is_error() => drop(in_flight.remove(&ack.packet_id)),
                _ => {}
            }
        }
    }
    outgoing
}

/// A subscription that the broker has granted.
pub(super) struct Granted {
    pub(super) since: Duration,
    pub(super) until: Option<Duration>,
    pub(super) subscription: Subscription,
    pub(super) qos: QoS,
}

impl Granted {
    /// Whether messages on this topic fall under it, as long as there is a subscription.
    pub(super) fn covers(&self, name: &str) -> bool {
        let filter = &self.subscription.filter;
        let filter = filter.strip_prefix("$share/").and_then(|rest| rest.split_once('/')).map_or(&**filter, |(_, f)| f);
        topic::matches(filter, name)
    }

    pub(super) fn is_shared(&self) -> bool {
        self.subscription.filter.starts_with("$share/")
    }
}

/// The subscriptions of a session over its connections. Those of a session that is not resumed end with it.
pub(super) fn granted(connections: &[(&Connection<'_>, bool)]) -> Vec<Granted> {
    let mut all: Vec<Granted> = Vec::new();
    for (connection, is_resumed) in connections {
        let begun = connection.connack().map_or(Duration::ZERO, |(at, _)| at);
        if !is_resumed {
            end(&mut all, begun, |_| true);
        }
        let mut asked: BTreeMap<PacketId, &[Subscription]> = BTreeMap::new();
        for seen in &connection.packets {
            match seen.packet {
                Packet::Subscribe(subscribe) if !seen.is_sent => {
                    asked.insert(subscribe.packet_id, &subscribe.subscriptions);
                }
                Packet::SubAck(suback) if seen.is_sent => {
                    let subscriptions = asked.remove(&suback.packet_id).unwrap_or_default();
                    for (subscription, reason) in subscriptions.iter().zip(&suback.reasons) {
                        let Some(qos) = QoS::new(reason.value()) else { continue };
                        end(&mut all, seen.at, |granted| granted.subscription.filter == subscription.filter);
                        let subscription = subscription.clone();
                        all.push(Granted { since: seen.at, until: None, subscription, qos });
                    }
                }
                Packet::Unsubscribe(unsubscribe) if !seen.is_sent => {
                    end(&mut all, seen.at, |granted| unsubscribe.filters.contains(&granted.subscription.filter));
                }
                _ => {}
            }
        }
    }
    all
}

fn end(all: &mut [Granted], at: Duration, is_it: impl Fn(&Granted) -> bool) {
    for granted in all.iter_mut().filter(|granted| granted.until.is_none() && is_it(granted)) {
        granted.until = Some(at);
    }
}
