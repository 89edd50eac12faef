use std::collections::VecDeque;
use std::rc::Rc;

use halfopen_protocol::Instant;

use super::message::{Delivery, Message};
use super::tally::{Held, Tally};
use super::{Config, QueuePolicy};

/// The messages of QoS 1 and 2 that wait until a client is there and has room for them [MQTT-3.1.2-5] (3.1.1).
///
/// Bounded in number and size: a full queue drops what comes new, or the oldest ([`QueuePolicy`]).
#[derive(Debug)]
pub(super) struct Queue {
    messages: VecDeque<(Message, Delivery)>,
    tally: Tally,
}

impl Queue {
    /// An empty one, counted by `tally`.
    pub(super) fn new(tally: Tally) -> Self {
        Self { messages: VecDeque::new(), tally }
    }

    /// The same messages, counted in `all`.
    pub(super) fn copy(&self, all: &Rc<Held>) -> Self {
        Self { messages: self.messages.clone(), tally: self.tally.copy(all) }
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Adds a message at the end. Gives how many were dropped for want of room, this one perhaps among them.
    pub(super) fn push(&mut self, now: Instant, config: &Config, message: Message, delivery: Delivery) -> u64 {
        let mut dropped = 0;
        if self.is_full(config, &message) {
            self.drop_expired(now);
            while self.is_full(config, &message) {
                dropped += 1;
                if config.queue_policy == QueuePolicy::DropNewest || self.drop_oldest().is_none() {
                    return dropped;
                }
            }
        }
        self.tally.add(message.size());
        self.messages.push_back((message, delivery));
        dropped
    }

    /// Takes out the oldest message that has not expired [MQTT-3.3.2-5].
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Message, Delivery)> {
        loop {
            let (message, delivery) = self.drop_oldest()?;
            if !message.is_expired(now) {
                return Some((message, delivery));
            }
        }
    }

    /// Takes out all that came by shared subscriptions.
    pub(super) fn take_shared(&mut self) -> Vec<(Message, Delivery)> {
        if self.messages.iter().all(|(_, delivery)| delivery.shared.is_none()) {
            return Vec::new();
        }
        let all = std::mem::take(&mut self.messages);
        let (shared, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(_, delivery)| delivery.shared.is_some());
        self.messages = others.into();
        shared.iter().for_each(|(message, _)| self.tally.remove(message.size()));
        shared
    }

    fn drop_oldest(&mut self) -> Option<(Message, Delivery)> {
        let (message, delivery) = self.messages.pop_front()?;
        self.tally.remove(message.size());
        Some((message, delivery))
    }

    /// In an otherwise empty queue one message has room, however large: the packet size bounds it. But not if all
    /// queues together hold too much.
    fn is_full(&self, config: &Config, message: &Message) -> bool {
        self.messages.len() >= config.queue_messages
            || (!self.messages.is_empty() && self.tally.bytes() + message.size() > config.queue_bytes)
            || self.tally.all().bytes() + message.size() > config.total_queue_bytes
    }

    fn drop_expired(&mut self, now: Instant) {
        let tally = &mut self.tally;
        self.messages.retain(|(message, _)| {
            let expired = message.is_expired(now);
            if expired {
                tally.remove(message.size());
            }
            !expired
        });
    }
}
