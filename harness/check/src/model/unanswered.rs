//! The messages of the other side that one side of a connection has not acknowledged (§4.9), and whether it says that they are too many.

use std::collections::BTreeSet;

use halfopen_protocol::packet::{Disconnect, PacketId};
use halfopen_protocol::{Instant, Packet, Rare, ReasonCode};

use super::finding::{Findings, shown};
use crate::plan::Invariant;

/// The identifiers of messages of QoS 1 and 2 that were received on one connection and are not acknowledged, oldest first. One that
/// came twice stands there twice.
#[derive(Default)]
pub(super) struct Unanswered(Rare<Vec<PacketId>>);

impl Unanswered {
    /// A message with this identifier came.
    pub(super) fn received(&mut self, id: PacketId) {
        self.0.push(id);
    }

    /// The side that received them sends a packet, which may settle one of them.
    pub(super) fn answered(&mut self, packet: &Packet) {
        let id = match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => ack.packet_id,
            Packet::PubRec(ack) if ack.reason.is_error() => ack.packet_id,
            _ => return,
        };
        if let Some(waiting) = self.0.existing()
            && let Some(place) = waiting.iter().position(|one| *one == id)
        {
            waiting.remove(place);
        }
    }

    /// Returns whether a message with this identifier waits.
    pub(super) fn contains(&self, id: PacketId) -> bool {
        self.0.contains(&id)
    }

    /// Returns whether more than this many identifiers wait: what is sent again is no further message.
    pub(super) fn exceed(&self, maximum: usize) -> bool {
        self.0.len() > maximum && self.0.iter().collect::<BTreeSet<_>>().len() > maximum
    }

    /// A peer is told that it has gone beyond the Receive Maximum of this side if it has, and else is not (§3.3.4, §3.14.2.1).
    pub(super) fn judge_reason(
        &self,
        name: &str,
        disconnect: &Disconnect,
        receive_maximum: Option<u16>,
        now: Instant,
        findings: &mut Findings,
    ) {
        let maximum = receive_maximum.unwrap_or(u16::MAX);
        if disconnect.reason == ReasonCode::RECEIVE_MAXIMUM_EXCEEDED && self.0.len() <= maximum.into() {
            let owed = format!("{name} says {} only to who has more than {maximum}", disconnect.reason);
            let actual = format!("{} messages unacknowledged at {}", self.0.len(), shown(now));
            findings.push(Invariant::ReceiveMaximum, "§3.14.2.1", &owed, actual);
        }
        if disconnect.reason == ReasonCode::QUOTA_EXCEEDED && self.exceed(maximum.into()) {
            let owed = format!("{name} says {} to who has more than {maximum}", ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
            findings.push(
                Invariant::ReceiveMaximum,
                "§3.3.4",
                &owed,
                format!("{} at {}", disconnect.reason, shown(now)),
            );
        }
    }
}
