use halfopen_protocol::packet::{ConnAck, Publish, QoS, Subscription};
use halfopen_protocol::{ReasonCode, Version, topic};

use super::request::SubscribeRequest;
use super::size::publish_size;

/// The limits that the broker announced in CONNACK; none in 3.1.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: usize,
    maximum_qos: QoS,
    retain_available: bool,
    wildcard_subscription_available: bool,
    subscription_identifiers_available: bool,
    shared_subscription_available: bool,
}

impl Limits {
    pub(super) fn new(connack: &ConnAck) -> Self {
        Self {
            receive_maximum: connack.receive_maximum.unwrap_or(u16::MAX),
            maximum_packet_size: connack.maximum_packet_size.map_or(usize::MAX, |size| size as usize),
            maximum_qos: connack.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: connack.retain_available.unwrap_or(true),
            wildcard_subscription_available: connack.wildcard_subscription_available.unwrap_or(true),
            subscription_identifiers_available: connack.subscription_identifiers_available.unwrap_or(true),
            shared_subscription_available: connack.shared_subscription_available.unwrap_or(true),
        }
    }

    /// Returns why the broker would not take the message.
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

    pub(super) fn is_too_large(&self, publish: &Publish, version: Version) -> bool {
        // Mostly there is no limit, and then the size need not be known.
        self.maximum_packet_size != usize::MAX
            && publish_size(publish, version).is_ok_and(|size| size > self.maximum_packet_size)
    }

    /// Returns for each filter why the broker would not take it: it would end the connection for it (§3.2.2.3.11 to
    /// §3.2.2.3.13).
    pub(super) fn refuse_filters(&self, request: &SubscribeRequest) -> Vec<Option<ReasonCode>> {
        let all = (request.subscription_id.is_some() && !self.subscription_identifiers_available)
            .then_some(ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED);
        request.subscriptions.iter().map(|subscription| all.or_else(|| self.refuse_filter(subscription))).collect()
    }

    fn refuse_filter(&self, subscription: &Subscription) -> Option<ReasonCode> {
        let shared = topic::shared(&subscription.filter);
        let filter = shared.map_or(&*subscription.filter, |shared| shared.filter);
        if shared.is_some() && !self.shared_subscription_available {
            Some(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED)
        } else if filter.contains(['+', '#']) && !self.wildcard_subscription_available {
            Some(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED)
        } else {
            None
        }
    }
}
