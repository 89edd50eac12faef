//! [MQTT-4.3.2-4]: what a client acknowledges it has handed on.

use std::collections::BTreeMap;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, QoS};

use super::index::{EndId, Fact};
use super::report::{Breach, Report};
use super::{Context, Rule, shown};
use crate::plan::Invariant;

/// Clients acknowledge what they have delivered.
#[derive(Default)]
pub(super) struct AtLeastOnce {
    received: BTreeMap<(EndId, PacketId), Received>,
}

/// The messages that came with one identifier on one connection and are not acknowledged yet. Those after the first
/// repeat it and need not be delivered again.
#[derive(Default)]
struct Received {
    messages: u32,
    delivered: u32,
}

impl Rule for AtLeastOnce {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        match fact {
            Fact::Packet(seen) if !context.index.end(seen.end).is_broker => {
                if let Some(publish) = seen.received_publish().filter(|publish| publish.qos == QoS::AtLeastOnce)
                    && let Some(id) = publish.packet_id
                {
                    self.received.entry((seen.end, id)).or_default().messages += 1;
                }
                let Packet::PubAck(ack) = seen.packet else { return };
                if !seen.is_sent {
                    return;
                }
                let Some(received) = self.received.get_mut(&(seen.end, ack.packet_id)) else { return };
                let node = context.index.end(seen.end).node;
                // Another program than the project's may acknowledge first, and need not tell the identifier of what it delivers;
                // that it delivers everything is judged by `client_delivers`.
                let is_foreign = context.plan.node(node).played_by.is_some();
                if received.delivered == 0 && !ack.reason.is_error() && !is_foreign {
                    let expected = format!("{} acknowledges what it has delivered", context.name(node));
                    let actual =
                        format!("PUBACK {} at {} is for a message that was not", ack.packet_id, shown(seen.at));
                    report.breach(Invariant::Qos1AtLeastOnce, Breach::new(expected, actual));
                }
                received.messages -= 1;
                if received.messages == 0 {
                    self.received.remove(&(seen.end, ack.packet_id));
                }
            }
            Fact::Delivered { node, message, .. } if message.qos == QoS::AtLeastOnce => {
                if let (Some(end), Some(id)) = (context.index.latest_of(*node), message.packet_id)
                    && let Some(received) = self.received.get_mut(&(end, id))
                {
                    received.delivered += 1;
                }
            }
            _ => {}
        }
    }
}
