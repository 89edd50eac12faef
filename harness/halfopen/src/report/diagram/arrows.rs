use halfopen_protocol::PacketType;

use super::scene::{Form, Shape};
use super::{Drawing, cut};
use crate::plan::NodeId;
use crate::trace::{Event, EventKind, Transmission, details, item_word};

impl Drawing<'_> {
    /// Draws what is transmitted.
    pub(super) fn arrows(&mut self) {
        let trace = self.trace;
        let mut arrivals = std::collections::BTreeMap::new();
        for (index, event) in trace.events.iter().enumerate() {
            if let EventKind::Received { sent: Some(sent), .. } = event.kind {
                arrivals.insert(sent, index);
            }
        }
        for (index, event) in trace.events.iter().enumerate() {
            if matches!(event.kind, EventKind::Sent { .. }) && self.is_shown(index, event) {
                let shape = self.arrow(index, event, arrivals.get(&index).copied());
                self.shapes.extend(shape);
            }
        }
    }

    fn arrow(&self, index: usize, event: &Event, received: Option<usize>) -> Option<Shape> {
        let EventKind::Sent { connection, from, to, item, arrival } = &event.kind else { return None };
        let side = self.lanes.side(*from, *to);
        let x = self.connections.x(&self.lanes, *connection, *from);
        let target = self.connections.x(&self.lanes, *connection, *to);
        let y = self.y(index);
        let room = self.lanes.gap() - 66;
        let is_many = self.alike.is_many(index);
        let text = match item {
            // What they have in common.
            Transmission::Packet(packet) if is_many => self.alike.counted(index, packet.packet_type().to_string()),
            item => self.alike.counted(index, text(item)),
        };
        let name = |node: NodeId| match is_many {
            true => self.lanes.heads_of_lanes()[self.lanes.lane(node)].name.clone(),
            false => self.plan.node(node).name.clone(),
        };
        let names = format!("{} → {}", name(*from), name(*to));
        let (x2, y2, class, travel) = match arrival {
            Some(arrival) => {
                let y2 = received.map_or_else(|| self.rows.y(*arrival, 0), |received| self.y(received));
                (target, y2, "", format!("{} ms", (*arrival - event.at).as_millis()))
            }
            None if self.is_under_way(index) => {
                (x + side * self.lanes.gap() / 2, y + 8, " held", "under way".to_owned())
            }
            None => (x + side * self.lanes.gap() * 6 / 10, y + 10, " lost", "lost".to_owned()),
        };
        let label = match arrival {
            Some(_) if matches!(item, Transmission::Fin | Transmission::Rst | Transmission::Open) => text.clone(),
            _ => cut(&text, room),
        };
        // A long one is labelled near its sender, where it crosses nothing yet.
        let at = (self.lanes.gap() / 2).min((x2 - x).abs() / 2);
        let form = Form::Arrow { x, y, x2, y2: y2.max(y), label, lost: class == " lost", travel: travel.clone(), at };
        let class = format!("{}{class}", kind(item));
        Some(Shape::new(class, form).of(index).titled(format!("{names} {text}, {travel}")))
    }

    /// Returns whether what has not arrived could still have, had the run gone on.
    fn is_under_way(&self, index: usize) -> bool {
        let event = &self.trace.events[index];
        let EventKind::Sent { from, to, .. } = event.kind else { return false };
        let link = self.plan.link(from, to);
        event.at + link.latency + link.jitter > self.trace.end
    }
}

fn text(item: &Transmission) -> String {
    match item {
        Transmission::Packet(packet) => format!("{} {}", packet.packet_type(), details(packet)).trim_end().to_owned(),
        Transmission::Bytes(bytes) => {
            let shown: Vec<String> = bytes.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
            format!("{} bytes: {}{}", bytes.len(), shown.join(" "), if bytes.len() > 12 { " …" } else { "" })
        }
        Transmission::WebSocket(item) => format!("{} {}", item.word(), item.details()).trim_end().to_owned(),
        Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => {
            item_word(item).to_owned()
        }
    }
}

/// A word for the style sheet.
fn kind(item: &Transmission) -> &'static str {
    match item {
        Transmission::Packet(packet) => match packet.packet_type() {
            PacketType::PingReq | PacketType::PingResp => "ping",
            PacketType::Publish
            | PacketType::PubAck
            | PacketType::PubRec
            | PacketType::PubRel
            | PacketType::PubComp => "message",
            _ => "session",
        },
        Transmission::Bytes(_) => "bytes",
        Transmission::WebSocket(_) => "tcp",
        Transmission::Rst | Transmission::TimedOut => "tcp rst",
        Transmission::Open | Transmission::Fin => "tcp",
    }
}
