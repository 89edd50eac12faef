use halfopen_protocol::Instant;
use halfopen_protocol::packet::QoS;

use super::Broker;
use super::message::{Delivery, Message};
use super::session::{Flight, Session, SessionKey};
use super::subscriptions::Rank;

/// Shared subscriptions, where one member of a group gets each message (§4.8.2 of 5.0).
impl Broker {
    /// Returns how well a session could take a message of a group.
    pub(super) fn rank(&self, key: SessionKey) -> Rank {
        let Some(session) = self.sessions.get(key) else { return Rank::Never };
        let Some(connection) = session.connection else { return Rank::Away };
        let has_room = session.flow.as_ref().is_none_or(|flow| flow.queue.is_empty() && flow.outbox.has_room());
        let is_ready = has_room && self.takes_messages(connection);
        if is_ready { Rank::Ready } else { Rank::Busy }
    }

    /// Gives the messages of groups that wait for a session without a connection to members that have one. Their
    /// delivery has not begun, so nobody gets them twice.
    pub(super) fn share_waiting(&mut self, now: Instant, key: SessionKey) {
        let Some(flow) = self.sessions.get_mut(key).and_then(|session| session.flow.as_mut()) else { return };
        for (message, delivery) in flow.queue.take_shared() {
            let connected = |rank| if rank < Rank::Away { rank } else { Rank::Never };
            if let Err(delivery) = self.redeliver(now, &message, delivery, connected)
                && let Some(session) = self.sessions.get_mut(key)
                // It was in there a moment ago, however many wait.
                && let Err(dropped) = session.flow().queue.push(now, &self.config, true, message, delivery)
            {
                self.count_dropped(now, key, dropped);
            }
        }
    }

    /// Gives what an ended session has left of its groups' messages to other members: what it was never sent, and what
    /// of QoS 1 it has not acknowledged. A message of QoS 2 that it was sent goes to nobody else [MQTT-4.8.2-5].
    pub(super) fn share_left(&mut self, now: Instant, session: &mut Session) {
        let Some(flow) = &mut session.flow else { return };
        let begun = flow.outbox.drain().unacknowledged.into_iter().filter_map(|(publish, flight)| {
            let Flight { message, shared, .. } = flight;
            let delivery = Delivery {
                qos: publish.qos,
                retain: publish.retain,
                subscription_ids: Vec::new(),
                shared: Some(shared?),
            };
            (publish.qos == QoS::AtLeastOnce).then_some((message, delivery))
        });
        let left: Vec<_> = begun.chain(flow.queue.take_shared()).collect();
        for (message, delivery) in left {
            // Whom it cannot be given to has nobody left to wait for it.
            let _ = self.redeliver(now, &message, delivery, |rank| rank);
        }
    }

    fn redeliver(
        &mut self,
        now: Instant,
        message: &Message,
        delivery: Delivery,
        allowed: impl Fn(Rank) -> Rank,
    ) -> Result<(), Delivery> {
        if message.is_expired(now) {
            // Its delivery to another member has not begun [MQTT-3.3.2-5].
            return Ok(());
        }
        let Some(name) = &delivery.shared else { return Err(delivery) };
        let (qos, retain) = (message.publish().qos, message.publish().retain);
        let member = self.subscriptions.member(name, qos, retain, |key| allowed(self.rank(key)));
        let Some((key, delivery)) = member else { return Err(delivery) };
        self.deliver(now, key, message.clone(), delivery);
        Ok(())
    }
}
