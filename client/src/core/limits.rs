use halfopen_protocol::packet::{ConnAck, Publish, QoS};
use halfopen_protocol::{ReasonCode, Version};

use super::size::publish_size;

/// What the broker said in CONNACK that it takes; everything in 3.1.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: usize,
    maximum_qos: QoS,
    retain_available: bool,
}

impl Limits {
    pub(super) fn new(connack: &ConnAck) -> Self {
        Self {
            receive_maximum: connack.receive_maximum.unwrap_or(u16::MAX),
            maximum_packet_size: connack.maximum_packet_size.map_or(usize::MAX, |size| size as usize),
            maximum_qos: connack.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: connack.retain_available.unwrap_or(true),
        }
    }

    /// Why the broker would not take the message.
    pub(super) fn refuse(&self, publish: &Publish, version: Version) -> Option<ReasonCode> {
        if self.is_too_large(publish, version) {
            Some(ReasonCode::PACKET_TOO_LARGE) // [MQTT-3.2.2-15]
        } else if publish.qos > self.maximum_qos {
            Some(ReasonCode::QOS_NOT_SUPPORTED) // [MQTT-3.2.2-11]
        } else if publish.retain && !self.retain_available {
            Some(ReasonCode::RETAIN_NOT_SUPPORTED) // [MQTT-3.2.2-14]
        } else {
            None
        }
    }

    fn is_too_large(&self, publish: &Publish, version: Version) -> bool {
        // Mostly there is no limit, and then the size need not be known.
        self.maximum_packet_size != usize::MAX
            && publish_size(publish, version).is_ok_and(|size| size > self.maximum_packet_size)
    }
}
