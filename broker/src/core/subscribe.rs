use halfopen_protocol::packet::{RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};
use halfopen_protocol::{Instant, Packet, ReasonCode, topic};

use super::message::own;
use super::session::SessionKey;
use super::topic_tree::LEVEL;
use super::{Broker, ConnectionId};

impl Broker {
    /// Adds subscriptions, answers, and sends the retained messages that they match [MQTT-3.8.4-1].
    pub(super) fn handle_subscribe(&mut self, now: Instant, connection: ConnectionId, subscribe: Subscribe) {
        let Some(key) = self.session_of(connection) else { return };
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        let id = subscribe.subscription_id;
        let unavailable = subscribe.subscriptions.iter().find_map(|one| self.config.check_subscription(one, id).err());
        if let Some(unavailable) = unavailable.filter(|_| is_v5) {
            return self.close(now, connection, unavailable.into());
        }
        let mut reasons = Vec::with_capacity(subscribe.subscriptions.len());
        let mut refused_for = None;
        let mut retained = Vec::new();
        for mut subscription in subscribe.subscriptions {
            // [MQTT-3.2.2-9], [MQTT-3.2.2-10]
            subscription.qos = subscription.qos.min(self.config.maximum_qos);
            match self.subscribe(connection, key, &subscription, id) {
                Ok(wants_retained) => {
                    reasons.push(ReasonCode::new(subscription.qos.level()));
                    if wants_retained {
                        retained.push(own(&subscription.filter));
                    }
                }
                Err((reason, what)) => {
                    refused_for = Some(what);
                    // [MQTT-3.9.3-2] (3.1.1) knows only this one failure.
                    reasons.push(if is_v5 { reason } else { ReasonCode::UNSPECIFIED_ERROR });
                }
            }
        }
        let reason_string = refused_for.and_then(|what| self.explain(connection, what));
        let suback = SubAck { packet_id: subscribe.packet_id, reason_string, user_properties: Vec::new(), reasons };
        self.send(now, connection, Packet::SubAck(suback));
        for filter in retained {
            if let Some(cursor) = self.retained.cursor(now, &filter)
                && let Some(session) = self.sessions.get_mut(key)
            {
                session.flow().queue.push_retained(cursor);
            }
        }
        self.send_waiting(now, key);
    }

    /// Removes subscriptions and answers, even if there were none [MQTT-3.10.4-4], [MQTT-3.10.4-5].
    pub(super) fn handle_unsubscribe(&mut self, now: Instant, connection: ConnectionId, unsubscribe: &Unsubscribe) {
        let Some(key) = self.session_of(connection) else { return };
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        let mut reasons = Vec::new();
        for filter in &unsubscribe.filters {
            let existed = self.subscriptions.unsubscribe(key, filter);
            if let Some(session) = self.sessions.get_mut(key) {
                if session.filters.remove(filter) {
                    session.filter_bytes -= cost(filter);
                    session.count_held();
                }
                if let Some(flow) = &mut session.flow {
                    flow.queue.remove_retained(filter);
                }
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
    ///
    /// # Errors
    /// The broker does not take this subscription, for the reason of 5.0 and in words.
    fn subscribe(
        &mut self,
        connection: ConnectionId,
        key: SessionKey,
        subscription: &Subscription,
        id: Option<u32>,
    ) -> Result<bool, (ReasonCode, &'static str)> {
        self.config
            .check_subscription(subscription, id)
            .map_err(|unavailable| (unavailable.reason, unavailable.what))?;
        if !self.config.allows_topic(&subscription.filter) {
            return Err((ReasonCode::TOPIC_FILTER_INVALID, "topic filter too long or too deep"));
        }
        if !self.permits_filter(connection, key, &subscription.filter) {
            return Err((ReasonCode::NOT_AUTHORIZED, "not allowed to subscribe to this filter"));
        }
        let cost = cost(&subscription.filter);
        let has_room = self.sessions.held().has_room(&self.config, cost);
        let Some(session) = self.sessions.get_mut(key) else { return Ok(false) };
        if !session.filters.contains(&subscription.filter) {
            let what = match () {
                () if session.filters.len() >= self.config.subscriptions => "too many subscriptions",
                () if session.filter_bytes + cost > self.config.subscription_bytes => "too long subscriptions",
                () if !has_room => "the server holds too much",
                () => "",
            };
            if !what.is_empty() {
                return Err((ReasonCode::QUOTA_EXCEEDED, what));
            }
        }
        let is_new = self.subscriptions.subscribe(key, subscription, id);
        if is_new {
            session.filters.insert(own(&subscription.filter));
            session.filter_bytes += cost;
            session.count_held();
        }
        // Nothing that is retained is sent for a shared one (§4.8.2).
        Ok(match subscription.retain_handling {
            _ if topic::shared(&subscription.filter).is_some() => false,
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        })
    }
}

/// Returns what a subscription costs in bytes, roughly: its filter stands in two places, and in one by its levels.
fn cost(filter: &str) -> usize {
    2 * filter.len() + LEVEL * filter.split('/').count()
}
