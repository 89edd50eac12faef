//! The sessions of a server, by client identifier.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytestring::ByteString;

use super::session::Session;

/// The sessions of a server. They stand by the hashes of their client identifiers, in an order that means nothing: there
/// may be a million of them, and to compare texts takes long.
#[derive(Default)]
pub(super) struct Sessions(BTreeMap<(u64, u32), Box<Session>>);

impl Sessions {
    /// Returns the session of a client.
    pub(super) fn get(&self, client_id: &str) -> Option<&Session> {
        let hash = hash(client_id);
        let mut alike = self.0.range((hash, 0)..=(hash, u32::MAX)).map(|(_, session)| &**session);
        alike.find(|session| session.client_id == *client_id)
    }

    /// Returns the session of a client, to be changed.
    pub(super) fn get_mut(&mut self, client_id: &str) -> Option<&mut Session> {
        let hash = hash(client_id);
        let mut alike = self.0.range_mut((hash, 0)..=(hash, u32::MAX)).map(|(_, session)| &mut **session);
        alike.find(|session| session.client_id == *client_id)
    }

    /// Returns whether a client has a session.
    pub(super) fn contains(&self, client_id: &str) -> bool {
        self.get(client_id).is_some()
    }

    /// Returns the number of sessions.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds the session of a client that has none.
    pub(super) fn insert(&mut self, session: Session) {
        let hash = hash(&session.client_id);
        let last = self.0.range((hash, 0)..=(hash, u32::MAX)).next_back().map(|((_, number), _)| *number);
        self.0.insert((hash, last.map_or(0, |number| number + 1)), Box::new(session));
    }

    /// Removes the session of a client, and returns it.
    pub(super) fn remove(&mut self, client_id: &ByteString) -> Option<Box<Session>> {
        let hash = hash(client_id);
        let mut alike = self.0.range((hash, 0)..=(hash, u32::MAX));
        let key = alike.find(|(_, session)| session.client_id == *client_id).map(|(key, _)| *key)?;
        self.0.remove(&key)
    }

    /// Removes all sessions.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns all sessions.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.0.values().map(|session| &**session)
    }

    /// Returns all sessions, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.0.values_mut().map(|session| &mut **session)
    }
}

fn hash(client_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    client_id.hash(&mut hasher);
    hasher.finish()
}
