use std::cell::Cell;
use std::rc::Rc;

/// How many messages above QoS 0 are held for all clients together, counted once for each client.
#[derive(Debug, Default)]
pub(super) struct Held {
    messages: Cell<usize>,
    bytes: Cell<usize>,
}

impl Held {
    /// How many messages.
    pub(super) fn messages(&self) -> usize {
        self.messages.get()
    }

    /// Roughly how many bytes they have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.get()
    }
}

/// One part of [`Held`], which leaves it when this is dropped.
#[derive(Debug)]
pub(super) struct Tally {
    messages: usize,
    bytes: usize,
    all: Rc<Held>,
}

impl Tally {
    /// An empty part of `all`.
    pub(super) fn new(all: &Rc<Held>) -> Self {
        Self { messages: 0, bytes: 0, all: Rc::clone(all) }
    }

    /// The same as a part of something else.
    pub(super) fn copy(&self, all: &Rc<Held>) -> Self {
        let mut copy = Self::new(all);
        copy.messages = self.messages;
        copy.bytes = self.bytes;
        all.messages.set(all.messages.get() + self.messages);
        all.bytes.set(all.bytes.get() + self.bytes);
        copy
    }

    /// The bytes of this part.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What this is a part of.
    pub(super) fn all(&self) -> &Held {
        &self.all
    }

    /// One message more.
    pub(super) fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes;
        self.all.messages.set(self.all.messages.get() + 1);
        self.all.bytes.set(self.all.bytes.get() + bytes);
    }

    /// One message less.
    pub(super) fn remove(&mut self, bytes: usize) {
        self.take(1, bytes);
    }

    fn take(&mut self, messages: usize, bytes: usize) {
        self.messages -= messages;
        self.bytes -= bytes;
        self.all.messages.set(self.all.messages.get() - messages);
        self.all.bytes.set(self.all.bytes.get() - bytes);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.take(self.messages, self.bytes);
    }
}
