//! [MQTT-4.3.3-2] (3.1.1), [MQTT-4.3.3-10], [MQTT-4.3.3-11] (5.0): a client hands a message of QoS 2 on once, before it acknowledges it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, QoS};

use super::index::{Fact, Seen};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::{Invariant, NodeId, Program};

/// Clients deliver once and then acknowledge.
#[derive(Default)]
pub(super) struct ExactlyOnce {
    /// Messages that a client has delivered and that are not released yet.
    delivered: BTreeMap<NodeId, BTreeSet<PacketId>>,
    /// Those that an application has been given and has not acknowledged, where that is its own affair.
    unacknowledged: BTreeMap<NodeId, BTreeSet<PacketId>>,
    /// Those of which it is not known whether the application acknowledged them before the connection ended.
    doubtful: BTreeMap<NodeId, BTreeSet<PacketId>>,
    /// The PUBRELs that each client has been sent at one instant, or has not answered if it takes its time with each message.
    released: BTreeMap<NodeId, (Duration, BTreeSet<PacketId>)>,
}

impl Rule for ExactlyOnce {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        match fact {
            Fact::Delivered { at, node, message } if message.qos == QoS::ExactlyOnce => {
                let Some(id) = message.packet_id else { return };
                self.doubtful.entry(*node).or_default().remove(&id);
                if acknowledges(*node, context) {
                    self.unacknowledged.entry(*node).or_default().insert(id);
                }
                if !self.delivered.entry(*node).or_default().insert(id) {
                    let expected = format!("{} delivers message {id} once", context.name(*node));
                    report
                        .breach(Invariant::Qos2ExactlyOnce, Breach::new(expected, format!("again at {}", shown(*at))));
                }
            }
            Fact::Packet(seen) if !context.index.end(seen.end).is_broker => self.packet(seen, context, report),
            Fact::Accepted { client, is_resumed: false } => drop(self.delivered.remove(client)),
            Fact::Died { node, .. } => drop((self.delivered.remove(node), self.unacknowledged.remove(node))),
            // What the application has not acknowledged it has not taken over; at this instant it may have.
            Fact::Ended { end, at, .. } => {
                let node = context.index.end(*end).node;
                // What comes at the very instant of the end may not have been read, nor what waits for a busy application.
                let is_unread = |released_at: Duration| released_at == *at || context.plan.node(node).program.is_busy();
                let released = self.released.remove(&node).filter(|(released_at, _)| is_unread(*released_at));
                self.doubtful.entry(node).or_default().extend(released.into_iter().flat_map(|(_, ids)| ids));
                let unacknowledged = self.unacknowledged.remove(&node).unwrap_or_default();
                if let Some(delivered) = self.delivered.get_mut(&node) {
                    delivered.retain(|id| !unacknowledged.contains(id));
                }
                self.doubtful.entry(node).or_default().extend(unacknowledged);
            }
            _ => {}
        }
    }
}

impl ExactlyOnce {
    fn packet(&mut self, seen: &Seen<'_>, context: &Context<'_>, report: &mut Report) {
        // Of clients that exchange no such messages nothing is kept.
        if !matches!(seen.packet, Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_)) {
            return;
        }
        let node = context.index.end(seen.end).node;
        let delivered = self.delivered.entry(node).or_default();
        let doubtful = self.doubtful.get(&node);
        // A receiver delivers with PUBLISH or with PUBREL, as it likes (§4.3.3); the project's client with PUBLISH.
        let is_foreign = context.plan.node(node).played_by.is_some();
        if let Packet::PubRec(ack) = seen.packet
            && seen.is_sent
            && let Some(unacknowledged) = self.unacknowledged.get_mut(&node)
        {
            unacknowledged.remove(&ack.packet_id);
        }
        if let Packet::PubComp(ack) = seen.packet
            && seen.is_sent
            && let Some((_, released)) = self.released.get_mut(&node)
        {
            released.remove(&ack.packet_id);
        }
        match seen.packet {
            Packet::PubComp(ack) if is_foreign && seen.is_sent => drop(delivered.remove(&ack.packet_id)),
            // What the application has refused is not kept, and is a new message if it comes again (§4.3.3).
            Packet::PubRec(ack) if seen.is_sent && ack.reason.is_error() => drop(delivered.remove(&ack.packet_id)),
            _ if is_foreign => {}
            Packet::PubRec(ack) if doubtful.is_some_and(|doubtful| doubtful.contains(&ack.packet_id)) => {}
            Packet::PubRec(ack) if seen.is_sent && !ack.reason.is_error() && !delivered.contains(&ack.packet_id) => {
                let expected = format!("{} acknowledges what it has delivered", context.name(node));
                let actual = format!("PUBREC {} at {} is for a message that was not", ack.packet_id, shown(seen.at));
                report.breach(Invariant::Qos2ExactlyOnce, Breach::new(expected, actual));
            }
            Packet::PubRel(ack) if !seen.is_sent => {
                delivered.remove(&ack.packet_id);
                let (at, released) = self.released.entry(node).or_default();
                if *at != seen.at && !context.plan.node(node).program.is_busy() {
                    (*at, *released) = (seen.at, BTreeSet::new());
                }
                released.insert(ack.packet_id);
            }
            _ => {}
        }
    }
}

/// Returns whether the application of a client acknowledges messages itself.
fn acknowledges(node: NodeId, context: &Context<'_>) -> bool {
    matches!(&context.plan.node(node).program, Program::Client(client) if !client.options.acknowledge.is_empty())
}
