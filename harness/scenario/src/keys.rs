//! The tables of keys: which keys a map may have, and what they mean.
//!
//! One table per kind of map. Reading, error messages and the schema for editors come from the same table:
//! `key("latency", "how long a packet travels one way").takes(ValueKind::Duration).or("10ms")`.

/// A table: what a map is, and the keys that it may have.
#[derive(Debug)]
pub(super) struct Table {
    /// The name with its article: `a client`.
    pub(super) what: &'static str,
    /// The keys, in groups so that tables can share some.
    pub(super) keys: &'static [&'static [Key]],
}

impl Table {
    pub(super) fn find(&self, name: &str) -> Option<&'static Key> {
        let name = word_of(name);
        self.all().find(|key| key.name == name)
    }

    /// Returns this table and all that its keys lead to.
    pub(super) fn reachable(&'static self) -> Vec<&'static Self> {
        let mut found: Vec<&'static Self> = Vec::new();
        let mut ahead = vec![self];
        while let Some(table) = ahead.pop() {
            if !found.iter().any(|known| known.what == table.what) {
                found.push(table);
                table.all().for_each(|key| key.takes.tables(&mut ahead));
            }
        }
        found
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        self.keys.iter().copied().flatten()
    }
}

/// Keys that may be written in the standards' words, too: the word, and ours.
pub(super) const SAME_WORDS: [(&str, &str); 2] = [("clean_session", "clean"), ("clean_start", "clean")];

/// Returns the key that is meant by a key as it is written.
pub(super) fn word_of(written: &str) -> &str {
    SAME_WORDS.iter().find(|(word, _)| *word == written).map_or(written, |(_, ours)| ours)
}

/// A key of a map, or a word of a list of words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) status: Status,
    /// The meaning in one sentence, without the default.
    pub(super) about: &'static str,
    /// The kind of value.
    pub(super) takes: ValueKind,
    /// The default, in the words of the reference.
    pub(super) default: Option<&'static str>,
}

/// A kind of value under a key. Readers decide what is right; this tells editors, which complete and underline.
///
/// Everywhere a parameter, `<name>`, may stand as well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum ValueKind {
    /// Nobody has said it: a word of a list of words.
    #[default]
    Unsaid,
    /// Whatever YAML can say.
    Anything,
    /// No value: the key is a word by itself, as `crash` is.
    Nothing,
    /// A text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A whole number between two others, decimal or as `0x…`.
    Number(u64, u64),
    /// `1.5` or `50%`.
    Factor,
    /// `5s`, `1.5 * <k>`.
    Duration,
    /// `20s`, `1s after MARK`.
    Moment,
    /// `50s .. 51s`.
    Moments,
    /// `2`, `2..`, `..4`.
    Count,
    /// A duration or a range of them.
    Gap,
    /// The name of a node.
    Node,
    /// `a -> b`, `a <-> b` or a node.
    Link,
    /// `a#2`.
    Connection,
    /// `3.1.1` or `5.0`.
    Version,
    /// A text, `{ size }` or `{ hex }`.
    Payload,
    /// The name of a packet.
    Packet,
    /// A packet, or a map of one with fields to match.
    Pattern,
    /// A packet, a map of one with its fields, or bytes; or a list of them.
    Outgoing,
    /// A map of fields of this packet, to match.
    Fields(&'static str),
    /// A message to publish.
    Message,
    /// A row of the table.
    Row,
    /// The story.
    Steps,
    /// A line of the story.
    Step,
    /// A list of expectations.
    Expectations,
    /// An expectation.
    Expectation,
    /// A word out of these.
    Words(&'static [Key]),
    /// A map with these keys.
    Map(&'static Table),
    /// A map with one of these keys.
    Line(&'static [Key]),
    /// A map with names of one's own.
    Named(&'static Self),
    /// A list.
    List(&'static Self),
    /// A value, or a list.
    Several(&'static Self),
    /// A value that may be left out.
    Optional(&'static Self),
    /// A value of one of these kinds.
    Either(&'static [Self]),
}

impl ValueKind {
    /// The tables that this leads to.
    pub(super) fn tables(&self, found: &mut Vec<&'static Table>) {
        match self {
            Self::Map(table) => found.push(table),
            Self::Line(keys) => keys.iter().for_each(|key| key.takes.tables(found)),
            Self::Named(inner) | Self::List(inner) | Self::Several(inner) | Self::Optional(inner) => {
                inner.tables(found)
            }
            Self::Either(choices) => choices.iter().for_each(|choice| choice.tables(found)),
            Self::Steps => super::ast::StepWord::KEYS.iter().for_each(|key| match key.takes {
                // It has no keys of its own.
                Self::Steps => {}
                takes => takes.tables(found),
            }),
            Self::Expectations | Self::Expectation => found.push(&super::ast::EXPECTATION),
            _ => {}
        }
    }
}

/// The versions in which a key can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    /// Both versions.
    Ready,
    /// Runs of 5.0 only.
    Since5,
    /// Never here, for this reason.
    Never(&'static str),
}

impl Key {
    const fn new(name: &'static str, status: Status, about: &'static str) -> Self {
        Self { name, status, about, takes: ValueKind::Unsaid, default: None }
    }

    /// Sets the kind of value.
    pub(super) const fn takes(mut self, takes: ValueKind) -> Self {
        self.takes = takes;
        self
    }

    /// Sets the default.
    pub(super) const fn or(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }
}

pub(super) const fn key(name: &'static str, about: &'static str) -> Key {
    Key::new(name, Status::Ready, about)
}

pub(super) const fn never(name: &'static str, reason: &'static str) -> Key {
    Key::new(name, Status::Never(reason), reason)
}
