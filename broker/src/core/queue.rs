use std::collections::VecDeque;
use std::rc::Rc;

use halfopen_protocol::Instant;
use halfopen_protocol::packet::QoS;

use super::held::{Held, MessageShare};
use super::message::{Delivery, Message};
use super::retained::RetainedCursor;
use super::{Config, QueuePolicy};

/// The messages that wait until a client is there and has room for them [MQTT-3.1.2-5] (3.1.1), in the order of
/// sending.
///
/// The messages are bounded in number and size: a full queue drops what comes new, or the oldest ([`QueuePolicy`]).
/// Retained messages for new subscriptions take no room: see [`RetainedCursor`].
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
    held: MessageShare,
    cursors: usize,
    /// Number of messages of QoS 0.
    at_most_once: usize,
}

/// An entry of a queue.
#[derive(Clone, Debug)]
pub(super) enum Waiting {
    Message(Message, Delivery),
    Retained(RetainedCursor),
}

impl Queue {
    /// An empty one, counted by `held`.
    pub(super) fn new(held: MessageShare) -> Self {
        Self { waiting: VecDeque::new(), held, cursors: 0, at_most_once: 0 }
    }

    /// The same messages, counted in `all`.
    pub(super) fn copy(&self, all: &Rc<Held>) -> Self {
        Self { waiting: self.waiting.clone(), held: self.held.copy(all), ..*self }
    }

    /// Returns how many messages wait, without the retained ones for new subscriptions.
    pub(super) fn len(&self) -> usize {
        self.waiting.len() - self.cursors
    }

    /// Returns whether nothing waits at all.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns whether a message of QoS 0 has to wait, too, so that it does not overtake one of its topic
    /// [MQTT-4.6.0-6].
    pub(super) fn holds_back_qos_0(&self) -> bool {
        self.cursors + self.at_most_once > 0
    }

    /// Adds a message at the end, for a client that is connected or not. Returns how many older ones were dropped to
    /// make room for it.
    ///
    /// # Errors
    /// There is no room: this message is dropped. Gives how many messages were, this one included.
    pub(super) fn push(
        &mut self,
        now: Instant,
        config: &Config,
        is_connected: bool,
        message: Message,
        delivery: Delivery,
    ) -> Result<u64, u64> {
        // A client that reads takes what waits for it: the number limits what is kept for those who are away.
        let messages = if is_connected { usize::MAX } else { config.queue_messages };
        let mut dropped = 0;
        if self.is_full(config, messages, &message) {
            self.retain(|message, _| !message.is_expired(now));
            while self.is_full(config, messages, &message) {
                if config.queue_policy == QueuePolicy::DropNewest || !self.drop_oldest() {
                    return Err(dropped + 1);
                }
                dropped += 1;
            }
        }
        self.add(Waiting::Message(message, delivery));
        Ok(dropped)
    }

    /// Adds the retained messages for a new subscription at the end, in place of those for an earlier one with the
    /// same filter [MQTT-3.8.4-3].
    pub(super) fn push_retained(&mut self, cursor: RetainedCursor) {
        self.remove_retained(&cursor.filter);
        self.add(Waiting::Retained(cursor));
    }

    /// Puts retained messages that were taken out back at the front.
    pub(super) fn put_back(&mut self, cursor: RetainedCursor) {
        self.cursors += 1;
        self.waiting.push_front(Waiting::Retained(cursor));
    }

    /// Forgets the retained messages for a subscription that have not been sent [MQTT-3.10.4-2].
    pub(super) fn remove_retained(&mut self, filter: &str) {
        if self.cursors > 0 {
            self.waiting.retain(|waiting| !matches!(waiting, Waiting::Retained(cursor) if cursor.filter == filter));
            self.cursors = self.waiting.iter().filter(|waiting| matches!(waiting, Waiting::Retained(_))).count();
        }
    }

    /// Takes out what waits for the longest time and has not expired [MQTT-3.3.2-5]. A message above QoS 0 stays unless
    /// the outbox `has_room` for it.
    pub(super) fn pop(&mut self, now: Instant, has_room: bool) -> Option<Waiting> {
        loop {
            let is_expired = match self.waiting.front()? {
                Waiting::Retained(_) => false,
                Waiting::Message(message, _) if message.is_expired(now) => true,
                Waiting::Message(_, delivery) if delivery.qos > QoS::AtMostOnce && !has_room => return None,
                Waiting::Message(..) => false,
            };
            let front = self.remove(0)?;
            if !is_expired {
                return Some(front);
            }
        }
    }

    /// Takes out all that came by shared subscriptions.
    pub(super) fn take_shared(&mut self) -> Vec<(Message, Delivery)> {
        let mut shared = Vec::new();
        self.retain(|message, delivery| {
            let stays = delivery.shared.is_none();
            if !stays {
                shared.push((message.clone(), delivery.clone()));
            }
            stays
        });
        shared
    }

    /// Returns whether there is no room. In an otherwise empty queue one message has room, however large: the packet
    /// size bounds it. But not if all that is held is too much.
    fn is_full(&self, config: &Config, messages: usize, message: &Message) -> bool {
        let waiting = self.len();
        waiting >= messages
            || (waiting != 0 && self.held.bytes() + message.cost() > config.queue_bytes)
            || !self.held.all().has_room(config, message.cost())
    }

    fn add(&mut self, waiting: Waiting) {
        match &waiting {
            Waiting::Message(message, delivery) => {
                self.held.add(message.cost());
                self.at_most_once += usize::from(delivery.qos == QoS::AtMostOnce);
            }
            Waiting::Retained(_) => self.cursors += 1,
        }
        self.waiting.push_back(waiting);
    }

    fn remove(&mut self, at: usize) -> Option<Waiting> {
        let waiting = self.waiting.remove(at)?;
        match &waiting {
            Waiting::Message(message, delivery) => {
                self.held.remove(message.cost());
                self.at_most_once -= usize::from(delivery.qos == QoS::AtMostOnce);
            }
            Waiting::Retained(_) => self.cursors -= 1,
        }
        Some(waiting)
    }

    /// Drops the message that waits for the longest time. False if there is none.
    fn drop_oldest(&mut self) -> bool {
        let oldest = self.waiting.iter().position(|waiting| matches!(waiting, Waiting::Message(..)));
        oldest.and_then(|oldest| self.remove(oldest)).is_some()
    }

    /// Keeps of the messages only those that `stays` wants.
    fn retain(&mut self, mut stays: impl FnMut(&Message, &Delivery) -> bool) {
        let (held, at_most_once) = (&mut self.held, &mut self.at_most_once);
        self.waiting.retain(|waiting| {
            let Waiting::Message(message, delivery) = waiting else { return true };
            let stays = stays(message, delivery);
            if !stays {
                held.remove(message.cost());
                *at_most_once -= usize::from(delivery.qos == QoS::AtMostOnce);
            }
            stays
        });
    }
}
