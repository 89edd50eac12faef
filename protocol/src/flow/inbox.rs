use std::collections::BTreeSet;

use super::FlowError;
use crate::packet::{Ack, PacketId, Publish, QoS};
use crate::{Packet, Rare, ReasonCode, Version};

/// The receiving side of one session: each QoS 2 message is handed on once, whatever is sent again.
///
/// Hand every PUBLISH to [`handle_publish`](Self::handle_publish) and every PUBREL to
/// [`handle_pubrel`](Self::handle_pubrel), and write the answers in that order [MQTT-4.6.0-2], [MQTT-4.6.0-3].
/// Call [`set_maximum`](Self::set_maximum) at each new connection of the session.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    maximum: u16,
    /// Handed on, and PUBREL has not come: part of the session state.
    received: Rare<BTreeSet<PacketId>>,
    /// The identifiers that came on this connection and so use up the sender's quota (§4.9).
    counted: Rare<BTreeSet<PacketId>>,
}

/// The consequence of a received PUBLISH.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Receipt {
    /// True if this is a message to hand on; otherwise it was handed on before [MQTT-4.3.3-10].
    pub deliver: bool,
    /// The PUBACK or PUBREC to write; none for QoS 0.
    pub answer: Option<Packet>,
}

impl Inbox {
    /// An empty one that lets the peer have `maximum` messages open: our own Receive Maximum, 65535 in 3.1.1.
    pub fn new(maximum: u16) -> Self {
        Self { maximum, received: Rare::new(), counted: Rare::new() }
    }

    /// A new connection of the session begins, on which our own Receive Maximum is `maximum`.
    ///
    /// What was received before no longer counts: the sender's quota begins anew, and PUBREL costs none (§4.9).
    pub fn set_maximum(&mut self, maximum: u16) {
        self.maximum = maximum;
        self.counted.clear();
    }

    /// Returns how many QoS 2 messages were handed on and wait for their PUBREL.
    pub fn len(&self) -> usize {
        self.received.len()
    }

    /// Returns whether no QoS 2 message waits for its PUBREL.
    pub fn is_empty(&self) -> bool {
        self.received.is_empty()
    }

    /// Returns how many of them came on this connection, and so use up our Receive Maximum.
    pub fn open(&self) -> usize {
        self.counted.len()
    }

    /// Returns whether this one is among them.
    pub fn is_open(&self, id: PacketId) -> bool {
        self.counted.contains(&id)
    }

    /// Takes in a PUBLISH of any QoS, as it was decoded.
    ///
    /// An owner that does not accept the message calls [`refuse`](Self::refuse) and writes its answer instead.
    ///
    /// # Errors
    /// More QoS 2 messages are open on this connection than our Receive Maximum allows (§3.3.4); or QoS and packet
    /// identifier do not fit, which the codec never lets through.
    pub fn handle_publish(&mut self, publish: &Publish) -> Result<Receipt, FlowError> {
        match (publish.qos, publish.packet_id) {
            (QoS::AtMostOnce, _) => Ok(Receipt { deliver: true, answer: None }),
            (QoS::AtLeastOnce, Some(id)) => {
                // An identifier is free again as soon as PUBACK is on its way, whatever DUP says [MQTT-4.3.2-5].
                Ok(Receipt { deliver: true, answer: Some(Packet::PubAck(Ack::new(id))) })
            }
            (QoS::ExactlyOnce, Some(id)) => self.handle_exactly_once(id),
            (_, None) => Err(FlowError::protocol("§2.2.1", "PUBLISH above QoS 0 without packet identifier")),
        }
    }

    /// Takes back a message that [`handle_publish`](Self::handle_publish) said to deliver: gives the PUBACK or PUBREC
    /// with this reason, and from then on treats its identifier as new [MQTT-4.3.3-9]. `None` for QoS 0.
    ///
    /// Only 5.0 has such answers; `reason` is one of 0x80 and above.
    pub fn refuse(&mut self, publish: &Publish, reason: ReasonCode) -> Option<Packet> {
        let id = publish.packet_id?;
        match publish.qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(Packet::PubAck(Ack::with_reason(id, reason))),
            QoS::ExactlyOnce => {
                self.forget(id);
                Some(Packet::PubRec(Ack::with_reason(id, reason)))
            }
        }
    }

    /// Takes in a PUBREL and gives the PUBCOMP to write [MQTT-4.3.3-11].
    ///
    /// An identifier that is not known is no error, since the PUBCOMP before may have been lost; 5.0 says so with
    /// 0x92 (§3.7.2.1).
    pub fn handle_pubrel(&mut self, pubrel: &Ack, version: Version) -> Packet {
        let known = self.forget(pubrel.packet_id);
        let reason =
            if known || !version.is_v5() { ReasonCode::SUCCESS } else { ReasonCode::PACKET_IDENTIFIER_NOT_FOUND };
        Packet::PubComp(Ack::with_reason(pubrel.packet_id, reason))
    }

    /// Forgets everything: the session is gone.
    pub fn clear(&mut self) {
        self.received.clear();
        self.counted.clear();
    }

    fn handle_exactly_once(&mut self, id: PacketId) -> Result<Receipt, FlowError> {
        if !self.counted.contains(&id) && self.counted.len() >= usize::from(self.maximum) {
            return Err(FlowError {
                reason: ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
                clause: "§3.3.4",
                what: "more PUBLISH packets open than the receive maximum allows",
            });
        }
        self.counted.insert(id);
        let deliver = self.received.insert(id);
        Ok(Receipt { deliver, answer: Some(Packet::PubRec(Ack::new(id))) })
    }

    fn forget(&mut self, id: PacketId) -> bool {
        self.counted.remove(&id);
        self.received.remove(&id)
    }
}
