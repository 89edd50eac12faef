//! The tables of keys: which keys a map may have, what they mean, and which of them work so far.
//!
//! One table per kind of map. Reading, error messages and, later, the schema for editors come from the same table.

/// What a map is, and the keys that it may have.
#[derive(Debug)]
pub(super) struct Table {
    /// With its article: `a client`.
    pub(super) what: &'static str,
    /// The keys, in groups so that tables can share some.
    pub(super) keys: &'static [&'static [Key]],
}

impl Table {
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        self.all().find(|key| key.name == name)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().copied().flatten()
    }
}

/// A key of a map, or a word of a list of words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// What it means, in one sentence. Read by tests and by whoever writes the schema.
    #[expect(dead_code, reason = "for the schema that editors will read")]
    pub(super) about: &'static str,
}

/// Whether a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// In both versions.
    Ready,
    /// In runs of 5.0 only.
    Since5,
    /// Part of the language, but not built yet.
    NotYet,
    /// Never here, for this reason.
    Never(&'static str),
}

pub(super) const fn key(name: &'static str, about: &'static str) -> Key {
    Key { name, status: Status::Ready, about }
}

pub(super) const fn since_5(name: &'static str, about: &'static str) -> Key {
    Key { name, status: Status::Since5, about }
}

pub(super) const fn not_yet(name: &'static str, about: &'static str) -> Key {
    Key { name, status: Status::NotYet, about }
}

pub(super) const fn never(name: &'static str, reason: &'static str) -> Key {
    Key { name, status: Status::Never(reason), about: reason }
}
