use std::collections::BTreeMap;

use bytestring::ByteString;
use halfopen_protocol::packet::Publish;

use super::message::own;

/// The topic aliases of one connection, in both directions.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    pub(super) incoming: IncomingAliases,
    pub(super) outgoing: OutgoingAliases,
}

impl Aliases {
    /// Creates a table in which the broker may set at most this many, which is not more than the client takes
    /// [MQTT-3.1.2-26].
    pub(super) fn new(maximum: u16) -> Self {
        let outgoing = OutgoingAliases { maximum, ..OutgoingAliases::default() };
        Self { incoming: IncomingAliases::default(), outgoing }
    }
}

/// The topic aliases that a client has set on its connection (§3.3.2.3.4); none outlives it [MQTT-3.3.2-7].
#[derive(Debug, Default)]
pub(super) struct IncomingAliases {
    topics: BTreeMap<u16, ByteString>,
    /// Total size of the topics in bytes.
    bytes: usize,
}

/// The reason why the topic alias of a PUBLISH is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AliasError {
    /// Above what was announced [MQTT-3.3.2-9].
    TooLarge,
    /// Stands for no topic yet (§3.3.2.3.4).
    Unknown,
}

impl IncomingAliases {
    /// Returns how many bytes the topics have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts the topic of a PUBLISH in the place of its alias, and remembers it if it is new.
    pub(super) fn resolve(&mut self, publish: &mut Publish, maximum: u16) -> Result<(), AliasError> {
        let Some(alias) = publish.topic_alias.take() else { return Ok(()) };
        if alias > maximum {
            return Err(AliasError::TooLarge);
        }
        if publish.topic.is_empty() {
            publish.topic = self.topics.get(&alias).ok_or(AliasError::Unknown)?.clone();
        } else {
            let before = self.topics.insert(alias, own(&publish.topic));
            self.bytes = self.bytes + publish.topic.len() - before.map_or(0, |before| before.len());
        }
        Ok(())
    }
}

/// The topic aliases that the broker has set on a connection: the first topics that come get them.
#[derive(Debug, Default)]
pub(super) struct OutgoingAliases {
    aliases: BTreeMap<ByteString, u16>,
    /// Total size of the topics in bytes.
    bytes: usize,
    maximum: u16,
}

impl OutgoingAliases {
    /// Returns whether the broker may set one.
    #[cfg(feature = "defects")]
    pub(super) fn is_allowed(&self) -> bool {
        self.maximum > 0
    }

    /// Returns how many bytes the topics have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The alias of a topic, and whether the client knows it already; `None` if there is none left.
    pub(super) fn get(&self, topic: &ByteString) -> Option<(u16, bool)> {
        if self.maximum == 0 {
            return None;
        }
        if let Some(&alias) = self.aliases.get(topic) {
            return Some((alias, true));
        }
        let next = u16::try_from(self.aliases.len()).ok()?.checked_add(1)?;
        (next <= self.maximum).then_some((next, false))
    }

    /// The client has been sent this alias with its topic.
    pub(super) fn insert(&mut self, topic: ByteString, alias: u16) {
        self.bytes += topic.len();
        self.aliases.insert(topic, alias);
    }
}
