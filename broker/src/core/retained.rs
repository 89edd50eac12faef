use std::time::Duration;

use halfopen_protocol::Instant;
use halfopen_protocol::packet::Publish;

use super::Config;
use super::message::{Message, size};
use super::topic_tree::TopicTree;

/// The retained messages, one for each topic (§3.3.1.3).
#[derive(Clone, Debug)]
pub(super) struct Retained {
    tree: TopicTree<Message>,
    bytes: usize,
    swept: Option<Instant>,
}

/// What a level of a topic costs beside its text, roughly.
const LEVEL: usize = 128;

/// How often all messages are looked through for expired ones, at most, while there is no room.
const SWEEP: Duration = Duration::from_secs(1);

impl Retained {
    pub(super) fn new() -> Self {
        Self { tree: TopicTree::new(), bytes: 0, swept: None }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    /// How many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether the limits allow to store this message in place of the one before.
    pub(super) fn has_room(&mut self, now: Instant, config: &Config, publish: &Publish) -> bool {
        if self.fits(config, publish) {
            return true;
        }
        if self.swept.is_some_and(|swept| now < swept + SWEEP) {
            return false;
        }
        self.swept = Some(now);
        self.matching(now, "#");
        self.matching(now, "$SYS/#");
        self.fits(config, publish)
    }

    /// Stores the message in place of the one before [MQTT-3.3.1-5]; an empty one only removes that
    /// [MQTT-3.3.1-6], [MQTT-3.3.1-7] (5.0), [MQTT-3.3.1-10], [MQTT-3.3.1-11] (3.1.1).
    pub(super) fn store(&mut self, message: &Message) {
        let topic = &message.publish().topic;
        self.remove(topic);
        if !message.publish().payload.is_empty() {
            self.bytes += cost(message.publish());
            self.tree.get_or_insert_with(topic, || message.clone());
        }
    }

    /// Those that a filter matches and that are not too old, which are removed here.
    pub(super) fn matching(&mut self, now: Instant, filter: &str) -> Vec<Message> {
        let mut messages = Vec::new();
        self.tree.matching_topics(filter, |message| messages.push(message.clone()));
        messages.retain(|message| {
            let expired = message.is_expired(now);
            if expired {
                self.remove(&message.publish().topic);
            }
            !expired
        });
        messages
    }

    /// Forgets what is stored for a topic.
    pub(super) fn remove(&mut self, topic: &str) {
        if let Some(message) = self.tree.remove(topic) {
            self.bytes -= cost(message.publish());
        }
    }

    fn fits(&self, config: &Config, publish: &Publish) -> bool {
        if publish.payload.is_empty() {
            return true;
        }
        let before = self.tree.get(&publish.topic).map(|message| cost(message.publish()));
        let count = self.tree.len() + usize::from(before.is_none());
        count <= config.retained_messages && self.bytes - before.unwrap_or(0) + cost(publish) <= config.retained_bytes
    }
}

fn cost(publish: &Publish) -> usize {
    size(publish) + LEVEL * publish.topic.split('/').count()
}
