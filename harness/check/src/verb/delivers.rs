use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use halfopen_protocol::Packet;
use halfopen_protocol::packet::{PacketId, Publish, QoS};

use super::VerbMatch;
use super::near::Near;
use crate::plan::{FieldPattern, NodeId};
use crate::trace::{ConnectionId, Event, EventKind, Transmission, differences, message_matches};

/// `delivers`: a client hands a message to its application. Several patterns are an order with others between, and
/// count as one when the last of them has come; the order begins again after that.
#[derive(Clone, Debug)]
pub(crate) struct Delivers {
    node: NodeId,
    patterns: Vec<Vec<FieldPattern>>,
    /// The pattern that is to be matched next.
    next: usize,
    near: Near,
    /// The messages that a raw client takes: it reports nothing itself.
    taken: Option<Taken>,
}

/// The messages that a raw client takes: each PUBLISH that arrives, one of QoS 2 once until its PUBREL (§4.3.3).
#[derive(Clone, Debug, Default)]
struct Taken {
    /// Identifiers of messages of QoS 2 that have arrived and were not released.
    unreleased: BTreeSet<PacketId>,
    /// The topics of aliases, which hold for a connection.
    aliases: BTreeMap<(ConnectionId, u16), String>,
}

impl Delivers {
    pub(super) fn new(node: NodeId, patterns: Vec<Vec<FieldPattern>>, is_raw: bool) -> Self {
        Self { node, patterns, next: 0, near: Near::default(), taken: is_raw.then(Taken::default) }
    }

    /// Looks at the next event; `counts` says whether it is where the expectation looks.
    pub(super) fn feed(&mut self, index: usize, event: &Event, counts: bool) -> Option<VerbMatch> {
        let taken = match (&event.kind, &mut self.taken) {
            (EventKind::Delivered { node, message }, _) if *node == self.node => Some(Arc::clone(message)),
            (EventKind::Received { connection, to, item: Transmission::Packet(packet), .. }, Some(taken))
                if *to == self.node =>
            {
                taken.receive(*connection, packet)
            }
            _ => None,
        };
        let message = &taken.filter(|_| counts)?;
        let pattern = self.patterns.get(self.next)?;
        if !message_matches(pattern, message) {
            self.near.meets("message", event.at, &differences(pattern, &Packet::Publish(Arc::clone(message))));
            return None;
        }
        self.next += 1;
        if self.next < self.patterns.len() {
            return None;
        }
        self.next = 0;
        Some(VerbMatch { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.text()
    }
}

impl Taken {
    /// Returns the message that a raw client takes with this packet, if it is one.
    fn receive(&mut self, connection: ConnectionId, packet: &Packet) -> Option<Arc<Publish>> {
        match packet {
            Packet::ConnAck(connack) if !connack.session_present => self.unreleased.clear(),
            Packet::PubRel(release) => drop(self.unreleased.remove(&release.packet_id)),
            Packet::Publish(publish) => return self.publish(connection, publish),
            _ => {}
        }
        None
    }

    fn publish(&mut self, connection: ConnectionId, publish: &Arc<Publish>) -> Option<Arc<Publish>> {
        let mut message = Arc::clone(publish);
        if let Some(alias) = publish.topic_alias {
            match publish.topic.is_empty() {
                true => {
                    Arc::make_mut(&mut message).topic =
                        self.aliases.get(&(connection, alias)).map_or("", String::as_str).into()
                }
                false => drop(self.aliases.insert((connection, alias), publish.topic.to_string())),
            }
        }
        let is_new = match publish.packet_id {
            Some(id) if publish.qos == QoS::ExactlyOnce => self.unreleased.insert(id),
            _ => true,
        };
        is_new.then_some(message)
    }
}

/// "a message", or "a message { payload: once }", or for an order several with "then" between.
pub(super) fn text(patterns: &[Vec<FieldPattern>]) -> String {
    patterns.iter().map(|pattern| message_text(pattern)).collect::<Vec<_>>().join(" then ")
}

fn message_text(pattern: &[FieldPattern]) -> String {
    if pattern.is_empty() {
        return "a message".to_owned();
    }
    let fields: Vec<String> = pattern.iter().map(ToString::to_string).collect();
    format!("a message {{ {} }}", fields.join(", "))
}
