use halfopen_protocol::packet::{Publish, QoS, Subscription, Will};
use halfopen_protocol::{ReasonCode, topic};

use super::{CloseReason, Config};

/// A use of what this broker does not offer, as CONNACK has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAvailable {
    pub(super) reason: ReasonCode,
    pub(super) clause: &'static str,
    pub(super) what: &'static str,
}

const QOS: NotAvailable =
    NotAvailable { reason: ReasonCode::QOS_NOT_SUPPORTED, clause: "MQTT-3.2.2-11", what: "QoS above the maximum" };
const RETAIN: NotAvailable = NotAvailable {
    reason: ReasonCode::RETAIN_NOT_SUPPORTED,
    clause: "MQTT-3.2.2-14",
    what: "RETAIN where nothing is retained",
};

impl From<NotAvailable> for CloseReason {
    fn from(NotAvailable { reason, clause, what }: NotAvailable) -> Self {
        Self::Protocol { reason, clause, what }
    }
}

/// Restrictions of the whole broker, and limits on topics.
impl Config {
    /// Returns whether a PUBLISH asks for what there is (§3.2.2.3.4, §3.2.2.3.5).
    pub(super) fn check_publish(&self, publish: &Publish) -> Result<(), NotAvailable> {
        self.check_message(publish.qos, publish.retain)
    }

    /// Returns whether a will asks for what there is [MQTT-3.2.2-12], [MQTT-3.2.2-13].
    pub(super) fn check_will(&self, will: &Will) -> Result<(), NotAvailable> {
        self.check_message(will.qos, will.retain)
    }

    /// Returns whether a subscription asks for what there is (§3.2.2.3.11 to §3.2.2.3.13).
    pub(super) fn check_subscription(&self, subscription: &Subscription, id: Option<u32>) -> Result<(), NotAvailable> {
        let shared = topic::shared(&subscription.filter);
        if shared.is_some() && !self.shared_subscriptions {
            let reason = ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED;
            return Err(NotAvailable {
                reason,
                clause: "§3.2.2.3.13",
                what: "shared subscription where there are none",
            });
        }
        if id.is_some() && !self.subscription_identifiers {
            let reason = ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED;
            let what = "subscription identifier where there are none";
            return Err(NotAvailable { reason, clause: "§3.2.2.3.12", what });
        }
        if !self.wildcard_subscriptions && subscription.filter.contains(['+', '#']) {
            let reason = ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED;
            return Err(NotAvailable { reason, clause: "§3.2.2.3.11", what: "wildcard where there are none" });
        }
        Ok(())
    }

    /// Returns whether a topic name or filter is within the limits of length and depth.
    pub(super) fn allows_topic(&self, topic: &str) -> bool {
        topic.len() <= self.topic_length && topic.split('/').take(self.topic_levels + 1).count() <= self.topic_levels
    }

    fn check_message(&self, qos: QoS, retain: bool) -> Result<(), NotAvailable> {
        if qos > self.maximum_qos {
            return Err(QOS);
        }
        if retain && !self.retain_available {
            return Err(RETAIN);
        }
        Ok(())
    }
}
