//! The sessions of a server, by place and by client identifier.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use bytestring::ByteString;
use halfopen_protocol::Pages;

use super::session::Session;

/// The place at which a session stands for as long as it exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

/// The sessions of a server. There may be a million of them: who knows the place of one finds it without a search, and others
/// by the hash of its client identifier, since to compare texts takes long.
#[derive(Default)]
pub(super) struct Sessions {
    places: Pages<Option<Box<Session>>>,
    /// Places that are free again.
    free: Vec<Place>,
    by_hash: BTreeSet<(u64, Place)>,
}

impl Sessions {
    /// Returns the session that stands at a place.
    pub(super) fn at(&self, place: Place) -> Option<&Session> {
        self.places.get(place.0 as usize)?.as_deref()
    }

    /// Returns the session that stands at a place, to be changed.
    pub(super) fn at_mut(&mut self, place: Place) -> Option<&mut Session> {
        self.places.get_mut(place.0 as usize)?.as_deref_mut()
    }

    /// Returns the session of a client, which probably stands at this place.
    pub(super) fn near(&self, place: Place, client_id: &ByteString) -> Option<&Session> {
        let is_same = |known: &ByteString| std::ptr::eq(&**known, &**client_id) || known == client_id;
        self.at(place).filter(|session| is_same(&session.client_id)).or_else(|| self.get(client_id))
    }

    /// Returns the place of the session of a client.
    pub(super) fn place_of(&self, client_id: &str) -> Option<Place> {
        let hash = hash(client_id);
        let mut alike = self.by_hash.range((hash, Place(0))..=(hash, Place(u32::MAX))).map(|(_, place)| *place);
        alike.find(|place| self.at(*place).is_some_and(|session| session.client_id == *client_id))
    }

    /// Returns the session of a client.
    pub(super) fn get(&self, client_id: &str) -> Option<&Session> {
        self.at(self.place_of(client_id)?)
    }

    /// Returns the session of a client, to be changed.
    pub(super) fn get_mut(&mut self, client_id: &str) -> Option<&mut Session> {
        self.at_mut(self.place_of(client_id)?)
    }

    /// Returns whether a client has a session.
    pub(super) fn contains(&self, client_id: &str) -> bool {
        self.place_of(client_id).is_some()
    }

    /// Returns the number of sessions.
    pub(super) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Adds the session of a client that has none.
    pub(super) fn insert(&mut self, session: Session) {
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(None);
            Place(u32::try_from(self.places.len() - 1).expect("fewer than four billion"))
        });
        self.by_hash.insert((hash(&session.client_id), place));
        self.places[place.0 as usize] = Some(Box::new(session));
    }

    /// Removes the session of a client, and returns it.
    pub(super) fn remove(&mut self, client_id: &ByteString) -> Option<Box<Session>> {
        let place = self.place_of(client_id)?;
        self.by_hash.remove(&(hash(client_id), place));
        self.free.push(place);
        self.places[place.0 as usize].take()
    }

    /// Removes all sessions.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Returns all sessions, mostly in the order in which they began.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Session> {
        self.places.iter().flatten().map(|session| &**session)
    }

    /// Returns all sessions, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.places.iter_mut().flatten().map(|session| &mut **session)
    }
}

fn hash(client_id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    client_id.hash(&mut hasher);
    hasher.finish()
}
