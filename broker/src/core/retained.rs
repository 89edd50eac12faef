use halfopen_protocol::Instant;

use super::message::Message;
use super::topic_tree::TopicTree;

/// The retained messages, one for each topic (§3.3.1.3).
#[derive(Debug)]
pub(super) struct Retained(TopicTree<Message>);

impl Retained {
    pub(super) fn new() -> Self {
        Self(TopicTree::new())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Stores the message in place of the one before [MQTT-3.3.1-5]; an empty one only removes that
    /// [MQTT-3.3.1-6], [MQTT-3.3.1-7] (5.0), [MQTT-3.3.1-10], [MQTT-3.3.1-11] (3.1.1).
    pub(super) fn store(&mut self, message: &Message) {
        let topic = &message.publish().topic;
        if message.publish().payload.is_empty() {
            self.0.remove(topic);
            return;
        }
        // Whoever is too late for this one must not get the one before.
        *self.0.get_or_insert_with(topic, || message.clone()) = message.clone();
    }

    /// Those that a filter matches and that are not too old, which are removed here.
    pub(super) fn matching(&mut self, now: Instant, filter: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        self.0.matching_topics(filter, |message| messages.push(message.clone()));
        messages.retain(|message| {
            let expired = message.is_expired(now);
            if expired {
                self.0.remove(&message.publish().topic);
            }
            !expired
        });
        messages
    }
}
