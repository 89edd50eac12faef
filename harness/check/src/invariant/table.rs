use std::marker::PhantomData;

/// An id that is the place of something in a list: 0, 1, 2 and so on.
pub(super) trait Place: Copy {
    fn at(place: usize) -> Self;
    fn place(self) -> usize;
}

/// A map from ids that are places in a list, ordered by id. To look something up costs the same however many there are.
pub(super) struct Table<K, V> {
    values: Vec<Option<V>>,
    keys: PhantomData<K>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { values: Vec::new(), keys: PhantomData }
    }
}

impl<K: Place, V> Table<K, V> {
    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.values.get(key.place())?.as_ref()
    }

    pub(super) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        self.values.get_mut(key.place())?.as_mut()
    }

    pub(super) fn get_or_insert_with(&mut self, key: K, make: impl FnOnce() -> V) -> &mut V {
        let place = key.place();
        if place >= self.values.len() {
            self.values.resize_with(place + 1, || None);
        }
        self.values[place].get_or_insert_with(make)
    }

    pub(super) fn remove(&mut self, key: K) -> Option<V> {
        self.values.get_mut(key.place())?.take()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.values.iter().enumerate().filter_map(|(place, value)| Some((K::at(place), value.as_ref()?)))
    }
}
