use std::collections::{BTreeMap, VecDeque};

/// Entries ordered by a key; entries of equal keys keep the order in which they were added.
///
/// Adding and removing cost the logarithm of the number of distinct keys. Keys are instants, and most entries share
/// theirs with others.
pub(crate) struct Schedule<K, T> {
    queues: BTreeMap<K, PagedQueue<T>>,
    /// An emptied page, to be used again.
    spare: VecDeque<T>,
}

/// A queue in pages: that of a burst gives its room back while it is emptied, and has none for twice as many entries. There is
/// always a page, and none is empty.
struct PagedQueue<T>(VecDeque<VecDeque<T>>);

/// Number of entries on a page.
const PAGE: usize = 256;

impl<K: Ord + Copy, T> Schedule<K, T> {
    pub(crate) fn new() -> Self {
        Self { queues: BTreeMap::new(), spare: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, key: K, entry: T) {
        let spare = &mut self.spare;
        let queue = self.queues.entry(key).or_insert_with(|| PagedQueue([std::mem::take(spare)].into()));
        match queue.0.back_mut() {
            Some(page) if page.len() < PAGE => page.push_back(entry),
            _ => {
                let mut page = VecDeque::with_capacity(PAGE);
                page.push_back(entry);
                queue.0.push_back(page);
            }
        }
    }

    /// Returns the key of the first entry.
    pub(crate) fn first_key(&self) -> Option<K> {
        self.queues.first_key_value().map(|(key, _)| *key)
    }

    /// Returns the first entry with its key.
    pub(crate) fn first(&self) -> Option<(K, &T)> {
        let (key, queue) = self.queues.first_key_value()?;
        Some((*key, queue.0.front()?.front()?))
    }

    /// Removes and returns the first entry.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let mut queue = self.queues.first_entry()?;
        let pages = &mut queue.get_mut().0;
        let page = pages.front_mut()?;
        let entry = page.pop_front();
        if page.is_empty() {
            self.spare = pages.pop_front().unwrap_or_default();
            if pages.is_empty() {
                queue.remove();
            }
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

    #[test]
    fn burst_comes_in_its_order_and_gives_its_room_back() {
        let mut schedule = Schedule::new();
        let count = 3 * PAGE + 1;
        for entry in 0..count {
            schedule.push(1, entry);
        }
        assert!((0..count).all(|entry| schedule.first() == Some((1, &entry)) && schedule.pop() == Some(entry)));
        assert!(schedule.pop().is_none() && schedule.spare.capacity() <= PAGE);
    }
}
