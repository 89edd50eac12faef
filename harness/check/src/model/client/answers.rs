//! Answers of a client (§3.3.4, §4.3): every PUBLISH and PUBREL has one, and what a resumed session left is sent again.

use std::collections::{BTreeMap, VecDeque};

use halfopen_protocol::packet::PacketId;
use halfopen_protocol::{Instant, Packet, PacketType, Rare, Version};

use super::Client;
use crate::model::finding::{Findings, clause_of, shown};
use crate::plan::Invariant;

/// The answers that a client owes: type and identifier of each, and the times since which it is owed, oldest first.
#[derive(Default)]
pub(super) struct Requests(Rare<BTreeMap<(PacketType, PacketId), VecDeque<Instant>>>);

impl Requests {
    /// A packet came that this one must answer.
    pub(super) fn owe(&mut self, answer: PacketType, id: PacketId, now: Instant) {
        self.0.entry((answer, id)).or_default().push_back(now);
    }

    /// PUBREC came, which PUBREL must answer.
    pub(super) fn receipt(&mut self, id: PacketId, now: Instant) {
        self.owe(PacketType::PubRel, id, now);
    }

    /// PUBREL is sent. Returns whether it was owed.
    pub(super) fn released(&mut self, id: PacketId) -> bool {
        self.take(PacketType::PubRel, id)
    }

    fn take(&mut self, answer: PacketType, id: PacketId) -> bool {
        let Some(queue) = self.0.get_mut(&(answer, id)) else { return false };
        queue.pop_front();
        if queue.is_empty() {
            self.0.remove(&(answer, id));
        }
        true
    }

    /// Returns the identifiers for which an answer of this type is owed.
    pub(super) fn owed(&self, answer: PacketType) -> impl Iterator<Item = PacketId> {
        self.0.keys().filter(move |(owed, _)| *owed == answer).map(|(_, id)| *id)
    }

    fn oldest(&self) -> Option<(PacketType, PacketId, Instant)> {
        let all = self.0.iter().filter_map(|((answer, id), since)| Some((*answer, *id, *since.front()?)));
        all.min_by_key(|(answer, _, since)| (*since, *answer))
    }
}

impl Client {
    /// The client sends a packet that answers one of the server's.
    pub(super) fn send_answer(&mut self, packet: &Packet, findings: &mut Findings) {
        let (answer, id) = match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => (packet.packet_type(), ack.packet_id),
            _ => return,
        };
        let Some(connection) = &mut self.connection else { return };
        connection.unanswered.answered(packet);
        if matches!(packet, Packet::PubRec(ack) if ack.reason.is_error()) {
            self.incoming.refuse(id);
        }
        let is_taken = connection.requests.take(answer, id) || connection.may_go_on(self.now, self.is_foreign);
        if !is_taken {
            let owed = format!("{} sends {} only as an answer", self.name, answer.name());
            let actual = format!("{id}, which nothing asked for, at {}", shown(self.now));
            findings.push(Invariant::PacketIds, clause(answer, self.version()), &owed, actual);
        }
    }

    /// Judges which answer is missing.
    pub(super) fn judge_answers(&self, findings: &mut Findings) {
        let Some(connection) = &self.connection else { return };
        let Some((answer, id, since)) = connection.requests.oldest() else { return };
        if self.is_overdue(since) {
            let owed = format!("{} sends {} {id}, which it owes since {}", self.name, answer.name(), shown(since));
            let actual = format!("none until {}", shown(self.now));
            findings.push(Invariant::ClientAnswers, clause(answer, self.version()), &owed, actual);
        }
    }

    /// Judges what a resumed session has not sent again [MQTT-4.4.0-1].
    pub(super) fn judge_left(&self, findings: &mut Findings) {
        let Some(room) = self.sender.room_since().filter(|_| !self.sender.is_doubtful()) else { return };
        if let Some((what, id, topic)) = self.sender.left().filter(|_| self.is_overdue(room)) {
            let name = what.name();
            let owed =
                format!("{} sends {name} {id} on {topic} again, on the session resumed at {}", self.name, shown(room));
            findings.push(Invariant::ClientSettles, "MQTT-4.4.0-1", &owed, format!("not until {}", shown(self.now)));
        }
    }
}

/// Returns the statement that demands this answer.
fn clause(answer: PacketType, version: Version) -> &'static str {
    match answer {
        PacketType::PubAck => clause_of(version, "MQTT-4.3.2-2", "MQTT-4.3.2-4"),
        PacketType::PubRec => clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-8"),
        PacketType::PubComp => clause_of(version, "MQTT-4.3.3-2", "MQTT-4.3.3-11"),
        _ => clause_of(version, "MQTT-4.3.3-1", "MQTT-4.3.3-4"),
    }
}
