use std::collections::BTreeMap;

use halfopen_protocol::packet::{QoS, Subscription};

use super::message::Delivery;
use super::session::SessionKey;
use super::topic_tree::TopicTree;

/// Who wants which topics.
#[derive(Debug)]
pub(super) struct Subscriptions(TopicTree<BTreeMap<SessionKey, Options>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    qos: QoS,
    no_local: bool,
    retain_as_published: bool,
    id: Option<u32>,
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        Self(TopicTree::new())
    }

    /// Adds a subscription, or replaces the one with the identical filter [MQTT-3.8.4-3]. True if there was none.
    pub(super) fn subscribe(&mut self, session: SessionKey, subscription: &Subscription, id: Option<u32>) -> bool {
        let options = Options {
            qos: subscription.qos,
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            id,
        };
        self.0.get_or_insert_with(&subscription.filter, BTreeMap::new).insert(session, options).is_none()
    }

    /// Removes a subscription with exactly this filter [MQTT-3.10.4-1]. False if there was none.
    pub(super) fn unsubscribe(&mut self, session: SessionKey, filter: &str) -> bool {
        let Some(subscribers) = self.0.get_mut(filter) else { return false };
        let existed = subscribers.remove(&session).is_some();
        if subscribers.is_empty() {
            self.0.remove(filter);
        }
        existed
    }

    /// Who gets a message, each once whatever subscriptions of theirs overlap, at the highest QoS among these
    /// [MQTT-3.3.5-1] (3.1.1), [MQTT-3.3.4-2] (5.0), with the identifiers of all [MQTT-3.3.4-3], [MQTT-3.3.4-4].
    ///
    /// `from` is the publisher, which does not get it by a subscription with No Local [MQTT-3.8.3-3].
    pub(super) fn receivers(
        &self,
        topic: &str,
        qos: QoS,
        retain: bool,
        from: Option<SessionKey>,
    ) -> Vec<(SessionKey, Delivery)> {
        let mut receivers = Vec::new();
        self.0.matching_filters(topic, |subscribers| {
            for (&session, options) in subscribers {
                if !(options.no_local && from == Some(session)) {
                    receivers.push((session, options.delivery(qos, retain)));
                }
            }
        });
        // A stable sort: the order does not depend on how the filters lie in the tree, except that of identifiers.
        receivers.sort_by_key(|(session, _)| *session);
        receivers.dedup_by(|(later, more), (earlier, delivery)| {
            let same = later == earlier;
            if same {
                delivery.merge(more);
            }
            same
        });
        receivers
    }
}

impl Options {
    fn delivery(&self, qos: QoS, retain: bool) -> Delivery {
        Delivery {
            qos: self.qos.min(qos),
            // Only a subscription of 5.0 that asks for it sees the flag as published: [MQTT-3.3.1-9] (3.1.1),
            // [MQTT-3.3.1-12], [MQTT-3.3.1-13] (5.0).
            retain: retain && self.retain_as_published,
            subscription_ids: self.id.into_iter().collect(),
        }
    }
}

impl Delivery {
    fn merge(&mut self, other: &mut Self) {
        self.qos = self.qos.max(other.qos);
        self.retain |= other.retain;
        self.subscription_ids.append(&mut other.subscription_ids);
    }
}
