use std::ops::Bound;
use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::Publish;

use super::Config;
use super::held::{Held, Share};
use super::message::{Message, size};
use super::topic_tree::{LEVEL, TopicTree};

/// The retained messages, one for each topic (§3.3.1.3).
#[derive(Debug)]
pub(super) struct Retained {
    tree: TopicTree<Stored>,
    share: Share,
    /// Number of messages that have been stored so far, those included that are gone.
    stored: u64,
    swept: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Stored {
    message: Message,
    /// The number in the order of storing, from 1.
    number: u64,
}

/// The retained messages that a new subscription has still to be sent. They are read from the store one at a time, as
/// the client takes them, so that any number of them needs no room in its queue.
///
/// What is stored after the subscription was made is left out: the client gets that as a live message.
#[derive(Clone, Debug)]
pub(super) struct RetainedCursor {
    /// The filter of the subscription.
    pub(super) filter: ByteString,
    /// The topics that are left, in the order of their levels.
    from: Bound<ByteString>,
    /// The number of the last message that was stored before the subscription was made.
    last: u64,
}

/// Minimum time between two searches of all messages for expired ones while there is no room.
const SWEEP: Duration = Duration::from_secs(1);

impl Retained {
    /// An empty store, counted in `held`.
    pub(super) fn new(held: &Rc<Held>) -> Self {
        Self { tree: TopicTree::new(), share: Share::new(held), stored: 0, swept: None }
    }

    /// Memory of these messages, as `held` counts it.
    pub(super) fn copy(&self, held: &Rc<Held>) -> Self {
        Self { tree: self.tree.clone(), share: self.share.copy(held), ..*self }
    }

    /// Returns how many there are.
    pub(super) fn len(&self) -> usize {
        self.tree.len()
    }

    /// Returns how many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// Returns whether the limits allow to store this message in place of the one before.
    pub(super) fn has_room(&mut self, now: Instant, config: &Config, publish: &Publish) -> bool {
        if self.fits(config, publish) {
            return true;
        }
        if self.swept.is_some_and(|swept| now < swept + SWEEP) {
            return false;
        }
        self.swept = Some(now);
        self.remove_expired(now);
        self.fits(config, publish)
    }

    /// Stores the message in place of the one before [MQTT-3.3.1-5]; an empty one only removes that
    /// [MQTT-3.3.1-6], [MQTT-3.3.1-7] (5.0), [MQTT-3.3.1-10], [MQTT-3.3.1-11] (3.1.1).
    pub(super) fn store(&mut self, message: &Message) {
        let topic = &message.publish().topic;
        self.remove(topic);
        if !message.publish().payload.is_empty() {
            self.share.set(self.share.bytes() + cost(message.publish()));
            self.stored += 1;
            let number = self.stored;
            self.tree.get_or_insert_with(topic, || Stored { message: message.clone(), number });
        }
    }

    /// Returns a cursor over what is stored now and matches a filter; `None` if that is nothing.
    pub(super) fn cursor(&mut self, now: Instant, filter: &ByteString) -> Option<RetainedCursor> {
        let mut cursor = RetainedCursor { filter: filter.clone(), from: Bound::Unbounded, last: self.stored };
        let first = self.next(now, &mut cursor)?;
        cursor.step_back(&first);
        Some(cursor)
    }

    /// Moves the cursor on and returns the next message that has not expired [MQTT-3.3.2-5].
    pub(super) fn next(&mut self, now: Instant, cursor: &mut RetainedCursor) -> Option<Message> {
        loop {
            let from = cursor.from.as_ref().map(|topic| &**topic);
            let mut stored = self.tree.matching_topics(&cursor.filter, from);
            let next = stored.find(|stored| stored.number <= cursor.last)?.message.clone();
            cursor.from = Bound::Excluded(next.publish().topic.clone());
            if !next.is_expired(now) {
                return Some(next);
            }
            self.remove(&next.publish().topic);
        }
    }

    /// Forgets what is stored for a topic.
    pub(super) fn remove(&mut self, topic: &str) {
        if let Some(stored) = self.tree.remove(topic) {
            self.share.set(self.share.bytes() - cost(stored.message.publish()));
        }
    }

    fn remove_expired(&mut self, now: Instant) {
        let all = ["#", "$SYS/#"].into_iter().flat_map(|filter| self.tree.matching_topics(filter, Bound::Unbounded));
        let expired: Vec<_> =
            all.filter(|stored| stored.message.is_expired(now)).map(|stored| stored.message.clone()).collect();
        for message in expired {
            self.remove(&message.publish().topic);
        }
    }

    fn fits(&self, config: &Config, publish: &Publish) -> bool {
        if publish.payload.is_empty() {
            return true;
        }
        let before = self.tree.get(&publish.topic).map(|stored| cost(stored.message.publish()));
        let count = self.tree.len() + usize::from(before.is_none());
        let (before, after) = (before.unwrap_or(0), cost(publish));
        count <= config.retained_messages
            && self.bytes() - before + after <= config.retained_bytes
            && self.share.all().has_room(config, after.saturating_sub(before))
    }
}

impl RetainedCursor {
    /// Gives the same message again that was just taken.
    pub(super) fn step_back(&mut self, message: &Message) {
        self.from = Bound::Included(message.publish().topic.clone());
    }
}

fn cost(publish: &Publish) -> usize {
    size(publish) + LEVEL * publish.topic.split('/').count()
}
