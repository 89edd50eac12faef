use std::collections::{BTreeMap, VecDeque};

/// Entries ordered by a key; entries of equal keys keep the order in which they were added.
///
/// Adding and removing cost the logarithm of the number of distinct keys. Keys are instants, and most entries share
/// theirs with others.
pub(crate) struct Schedule<K, T> {
    queues: BTreeMap<K, VecDeque<T>>,
    /// An emptied queue, to be used again.
    spare: VecDeque<T>,
}

impl<K: Ord + Copy, T> Schedule<K, T> {
    pub(crate) fn new() -> Self {
        Self { queues: BTreeMap::new(), spare: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, key: K, entry: T) {
        let spare = &mut self.spare;
        self.queues.entry(key).or_insert_with(|| std::mem::take(spare)).push_back(entry);
    }

    /// Returns the key of the first entry.
    pub(crate) fn first_key(&self) -> Option<K> {
        self.queues.first_key_value().map(|(key, _)| *key)
    }

    /// Returns the first entry with its key.
    pub(crate) fn first(&self) -> Option<(K, &T)> {
        let (key, queue) = self.queues.first_key_value()?;
        Some((*key, queue.front()?))
    }

    /// Removes and returns the first entry.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let mut queue = self.queues.first_entry()?;
        let entry = queue.get_mut().pop_front();
        if queue.get().is_empty() {
            self.spare = queue.remove();
            // The queue of a burst must not keep its memory for good.
            self.spare.shrink_to(64);
        }
        entry
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_come_by_key_and_in_the_order_in_which_they_were_added() {
        let mut schedule = Schedule::new();
        for (key, entry) in [(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')] {
            schedule.push(key, entry);
        }
        assert_eq!((schedule.first_key(), schedule.first()), (Some(1), Some((1, &'b'))));
        let entries: Vec<char> = std::iter::from_fn(|| schedule.pop()).collect();
        assert_eq!(entries, ['b', 'd', 'a', 'c']);
        assert_eq!(schedule.first_key(), None);
    }
}
