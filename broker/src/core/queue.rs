use std::collections::VecDeque;

use halfopen_protocol::Instant;

use super::Config;
use super::message::{Delivery, Message};

/// The messages of QoS 1 and 2 that wait until a client is there and has room for them [MQTT-3.1.2-5] (3.1.1).
///
/// Bounded in number and size: a full queue drops what comes new.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: VecDeque<(Message, Delivery)>,
    bytes: usize,
}

impl Queue {
    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Adds a message at the end. False: there is no room, and it was dropped.
    pub(super) fn push(&mut self, now: Instant, config: &Config, message: Message, delivery: Delivery) -> bool {
        if self.is_full(config, &message) {
            self.drop_expired(now);
            if self.is_full(config, &message) {
                return false;
            }
        }
        self.bytes += message.size();
        self.messages.push_back((message, delivery));
        true
    }

    /// Takes out the oldest message that has not expired [MQTT-3.3.2-5].
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Message, Delivery)> {
        loop {
            let (message, delivery) = self.messages.pop_front()?;
            self.bytes -= message.size();
            if !message.is_expired(now) {
                return Some((message, delivery));
            }
        }
    }

    /// One message always has room, however large: the packet size bounds it.
    fn is_full(&self, config: &Config, message: &Message) -> bool {
        self.messages.len() >= config.queue_messages
            || (!self.messages.is_empty() && self.bytes + message.size() > config.queue_bytes)
    }

    fn drop_expired(&mut self, now: Instant) {
        self.messages.retain(|(message, _)| !message.is_expired(now));
        self.bytes = self.messages.iter().map(|(message, _)| message.size()).sum();
    }
}
