use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;

use super::topic::Filter;

/// The clients that are subscribed to each filter, so that a message is not compared with every subscription of every
/// session.
#[derive(Default)]
pub(super) struct Subscribers {
    /// Filters that match one topic alone, by their text.
    exact: BTreeMap<ByteString, BTreeSet<ByteString>>,
    /// All others, by their text.
    others: BTreeMap<ByteString, (Filter, BTreeSet<ByteString>)>,
}

impl Subscribers {
    /// Adds a subscription of a client.
    pub(super) fn add(&mut self, text: &ByteString, filter: &Filter, client_id: &ByteString) {
        let clients = if filter.is_topic() {
            self.exact.entry(text.clone()).or_default()
        } else {
            &mut self.others.entry(text.clone()).or_insert_with(|| (filter.clone(), BTreeSet::new())).1
        };
        clients.insert(client_id.clone());
    }

    /// Removes a subscription of a client.
    pub(super) fn remove(&mut self, text: &ByteString, client_id: &ByteString) {
        if let Some(clients) = self.exact.get_mut(text) {
            clients.remove(client_id);
            if clients.is_empty() {
                self.exact.remove(text);
            }
        } else if let Some((_, clients)) = self.others.get_mut(text) {
            clients.remove(client_id);
            if clients.is_empty() {
                self.others.remove(text);
            }
        }
    }

    /// Returns the clients with a subscription that matches this topic, shared ones among them.
    pub(super) fn of(&self, topic: &ByteString) -> BTreeSet<ByteString> {
        let matching = self.others.values().filter(|(filter, _)| filter.matches(topic)).map(|(_, clients)| clients);
        self.exact.get(topic).into_iter().chain(matching).flatten().cloned().collect()
    }
}
