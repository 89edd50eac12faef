//! A table with an entry for each end of a connection.

use halfopen_protocol::Pages;

use super::index::EndId;

/// A map from the ends of connections, in their order. To look something up costs the same however many there are.
pub(super) struct Table<V>(Pages<Option<V>>);

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self(Pages::new())
    }
}

impl<V> Table<V> {
    pub(super) fn get(&self, end: EndId) -> Option<&V> {
        self.0.get(end.place())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, end: EndId) -> Option<&mut V> {
        self.0.get_mut(end.place())?.as_mut()
    }

    pub(super) fn get_or_insert_with(&mut self, end: EndId, make: impl FnOnce() -> V) -> &mut V {
        let place = end.place();
        while self.0.len() <= place {
            self.0.push(None);
        }
        self.0[place].get_or_insert_with(make)
    }

    pub(super) fn remove(&mut self, end: EndId) -> Option<V> {
        self.0.get_mut(end.place())?.take()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = EndId> {
        let there = self.0.iter().enumerate().filter(|(_, value)| value.is_some());
        there.map(|(place, _)| EndId::at(place))
    }
}
