use std::collections::BTreeMap;

use bytestring::ByteString;
use halfopen_protocol::Rare;
use halfopen_protocol::packet::Publish;

/// Topic aliases for what goes out on one connection (§3.3.2.3.4 of 5.0): the first topics get one, as far as the
/// broker and the options allow.
#[derive(Debug, Default)]
pub(super) struct Aliases {
    maximum: u16,
    known: Rare<BTreeMap<ByteString, u16>>,
}

impl Aliases {
    /// Creates a table of at most `maximum` aliases; with 0 none at all [MQTT-3.2.2-18].
    pub(super) fn new(maximum: u16) -> Self {
        Self { maximum, known: Rare::new() }
    }

    /// The message with an alias in place of its topic, or in addition to it at the first time; `None` if there is no
    /// alias for it. Nothing is remembered until [`remember`](Self::remember).
    pub(super) fn apply(&self, publish: &Publish) -> Option<Publish> {
        if let Some(&alias) = self.known.get(&publish.topic) {
            return Some(Publish { topic: ByteString::new(), topic_alias: Some(alias), ..publish.clone() });
        }
        // From 1 on [MQTT-3.3.2-8], never above the maximum [MQTT-3.2.2-17], [MQTT-3.3.2-9].
        let alias = u16::try_from(self.known.len() + 1).ok().filter(|alias| *alias <= self.maximum)?;
        Some(Publish { topic_alias: Some(alias), ..publish.clone() })
    }

    /// The broker will know this alias, since the message that sets it goes out.
    pub(super) fn remember(&mut self, publish: &Publish) {
        if let (Some(alias), false) = (publish.topic_alias, publish.topic.is_empty()) {
            self.known.insert(publish.topic.clone(), alias);
        }
    }
}
