use halfopen_protocol::packet::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::message::{Delivery, own};
use super::session::SessionKey;
use super::{Broker, ConnectionId};

impl Broker {
    /// Adds subscriptions, answers, and sends the retained messages that they match [MQTT-3.8.4-1].
    pub(super) fn handle_subscribe(&mut self, now: Instant, connection: ConnectionId, subscribe: Subscribe) {
        let Some(key) = self.session_of(connection) else { return };
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        let mut retained = Vec::new();
        for subscription in subscribe.subscriptions {
            if is_v5 && subscription.filter.starts_with("$share/") {
                reasons.push(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED);
                continue;
            }
            if !self.permits_filter(connection, key, &subscription.filter) {
                // [MQTT-3.9.3-2] (3.1.1) knows only this one failure.
                reasons.push(if is_v5 { ReasonCode::NOT_AUTHORIZED } else { ReasonCode::UNSPECIFIED_ERROR });
                continue;
            }
            reasons.push(ReasonCode::new(subscription.qos.level()));
            if self.subscribe(key, &subscription, subscribe.subscription_id) {
                retained.push(subscription);
            }
        }
        let suback =
            SubAck { packet_id: subscribe.packet_id, reason_string: None, user_properties: Vec::new(), reasons };
        self.send(now, connection, Packet::SubAck(suback));
        for subscription in retained {
            self.send_retained(now, key, &subscription, subscribe.subscription_id);
        }
    }

    /// Removes subscriptions and answers, even if there were none [MQTT-3.10.4-4], [MQTT-3.10.4-5].
    pub(super) fn handle_unsubscribe(&mut self, now: Instant, connection: ConnectionId, unsubscribe: &Unsubscribe) {
        let Some(key) = self.session_of(connection) else { return };
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        let mut reasons = Vec::new();
        for filter in &unsubscribe.filters {
            let existed = self.subscriptions.unsubscribe(key, filter);
            if let Some(session) = self.sessions.get_mut(key) {
                session.filters.remove(filter);
            }
            if is_v5 {
                reasons.push(if existed { ReasonCode::SUCCESS } else { ReasonCode::NO_SUBSCRIPTION_EXISTED });
            }
        }
        let unsuback =
            UnsubAck { packet_id: unsubscribe.packet_id, reason_string: None, user_properties: Vec::new(), reasons };
        self.send(now, connection, Packet::UnsubAck(unsuback));
    }

    /// Gives whether retained messages are to be sent: [MQTT-3.8.4-3] (3.1.1), [MQTT-3.3.1-9] to [MQTT-3.3.1-11] (5.0).
    fn subscribe(&mut self, key: SessionKey, subscription: &Subscription, id: Option<u32>) -> bool {
        let is_new = self.subscriptions.subscribe(key, subscription, id);
        if is_new && let Some(session) = self.sessions.get_mut(key) {
            session.filters.insert(own(&subscription.filter));
        }
        match subscription.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        }
    }

    /// Sends what is retained for a subscription, with RETAIN 1 [MQTT-3.3.1-8] (3.1.1), (§3.3.1.3 of 5.0).
    fn send_retained(&mut self, now: Instant, key: SessionKey, subscription: &Subscription, id: Option<u32>) {
        for message in self.retained.matching(now, &subscription.filter) {
            let qos = message.publish().qos.min(subscription.qos);
            let delivery = Delivery { qos, retain: true, subscription_ids: id.into_iter().collect() };
            self.deliver(now, key, message, delivery);
        }
    }
}
