use std::cell::Cell;
use std::rc::Rc;

use super::Config;

/// Counts the bytes that the broker holds for all clients together: sessions, subscriptions, messages, half-read
/// packets and output.
#[derive(Debug, Default)]
pub(super) struct Held {
    bytes: Cell<usize>,
    messages: Cell<usize>,
    message_bytes: Cell<usize>,
}

impl Held {
    /// Returns roughly how many bytes are held in all.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }

    /// Returns how many messages above QoS 0 wait or are unacknowledged, counted once for each client.
    pub(super) fn messages(&self) -> usize {
        self.messages.get()
    }

    /// Returns roughly how many bytes these messages have.
    pub(super) fn message_bytes(&self) -> usize {
        self.message_bytes.get()
    }

    /// Returns whether this many more bytes may be held. No bytes always may.
    pub(super) fn has_room(&self, config: &Config, bytes: usize) -> bool {
        bytes == 0 || self.bytes() + bytes <= config.total_bytes
    }

    /// Returns whether more is held than may be.
    pub(super) fn is_too_much(&self, config: &Config) -> bool {
        self.bytes() > config.total_bytes
    }
}

/// A part of what is held, which is no longer when this is dropped.
#[derive(Debug)]
pub(super) struct Share {
    bytes: usize,
    all: Rc<Held>,
}

impl Share {
    /// Returns an empty part.
    pub(super) fn new(all: &Rc<Held>) -> Self {
        Self { bytes: 0, all: Rc::clone(all) }
    }

    /// Returns a part of the same size of something else.
    pub(super) fn copy(&self, all: &Rc<Held>) -> Self {
        let mut copy = Self::new(all);
        copy.set(self.bytes);
        copy
    }

    /// Returns the bytes of this part.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns what this is a part of.
    pub(super) fn all(&self) -> &Rc<Held> {
        &self.all
    }

    /// Changes the bytes of this part.
    pub(super) fn set(&mut self, bytes: usize) {
        self.all.bytes.set(self.all.bytes.get() - self.bytes + bytes);
        self.bytes = bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// A part of what is held that consists of messages above QoS 0.
#[derive(Debug)]
pub(super) struct MessageShare {
    share: Share,
    messages: usize,
}

impl MessageShare {
    /// Returns an empty part.
    pub(super) fn new(all: &Rc<Held>) -> Self {
        Self { share: Share::new(all), messages: 0 }
    }

    /// Returns a part of the same size of something else.
    pub(super) fn copy(&self, all: &Rc<Held>) -> Self {
        let mut copy = Self::new(all);
        copy.set(self.messages, self.bytes());
        copy
    }

    /// Returns the bytes of this part.
    pub(super) fn bytes(&self) -> usize {
        self.share.bytes()
    }

    /// Returns what this is a part of.
    pub(super) fn all(&self) -> &Held {
        self.share.all()
    }

    /// Adds a message.
    pub(super) fn add(&mut self, bytes: usize) {
        self.set(self.messages + 1, self.bytes() + bytes);
    }

    /// Removes a message.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.set(self.messages - 1, self.bytes() - bytes);
    }

    fn set(&mut self, messages: usize, bytes: usize) {
        let all = self.share.all();
        all.messages.set(all.messages.get() - self.messages + messages);
        all.message_bytes.set(all.message_bytes.get() - self.bytes() + bytes);
        self.messages = messages;
        self.share.set(bytes);
    }
}

impl Drop for MessageShare {
    fn drop(&mut self) {
        self.set(0, 0);
    }
}
