//! Values that take little room while there is little to hold: there may be a million connections and sessions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut, Index, IndexMut};
use std::sync::Arc;

/// A value that all its copies share, until one of them is changed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Creates the first copy of a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// Returns the pointer that the copies share.
    pub fn into_arc(self) -> Arc<T> {
        self.0
    }
}

impl<T: Clone> Shared<T> {
    /// Returns the value itself.
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    /// Makes the value its own, if it is shared, so that the other copies stay as they are.
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A type that has an empty value.
pub trait Empty: Default + 'static {
    /// The empty value, which is the default.
    const EMPTY: &'static Self;
}

/// A value that is mostly empty, and takes the room of a pointer until it is changed.
///
/// To read it costs no room. To change it does, also where nothing changes: what may well be empty is looked at with
/// [`existing`](Self::existing) first.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    /// Creates an empty value.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns the value if it may be another than the empty one.
    pub fn existing(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Makes the value empty, and gives its room back.
    pub fn clear(&mut self) {
        self.0 = None;
    }
}

impl<T: Default> Rare<T> {
    /// Returns the value itself.
    pub fn into_inner(self) -> T {
        self.0.map_or_else(T::default, |value| *value)
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self(Some(Box::new(value)))
    }
}

impl<T: Empty> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::EMPTY)
    }
}

impl<T: Empty> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.write_str("empty"),
        }
    }
}

/// A queue that is mostly empty or holds one item: it takes the room of a pointer, and that of the item, as long as there is one.
#[derive(Clone, Debug)]
pub struct Few<T>(Option<Box<Waiting<T>>>);

#[derive(Clone, Debug)]
enum Waiting<T> {
    One(T),
    /// Never empty.
    Many(VecDeque<T>),
}

impl<T> Few<T> {
    /// Creates an empty queue.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        match self.0.as_deref() {
            None => 0,
            Some(Waiting::One(_)) => 1,
            Some(Waiting::Many(items)) => items.len(),
        }
    }

    /// Adds an item at the end.
    pub fn push_back(&mut self, item: T) {
        match self.0.as_deref_mut() {
            None => self.0 = Some(Box::new(Waiting::One(item))),
            Some(Waiting::Many(items)) => items.push_back(item),
            Some(waiting) => {
                if let Waiting::One(first) = std::mem::replace(waiting, Waiting::Many(VecDeque::new())) {
                    *waiting = Waiting::Many(VecDeque::from([first, item]));
                }
            }
        }
    }

    /// Returns the first item.
    pub fn front(&self) -> Option<&T> {
        self.iter().next()
    }

    /// Removes the first item, and returns it.
    pub fn pop_front(&mut self) -> Option<T> {
        self.remove(0)
    }

    /// Removes the item at this place, from 0, and returns it.
    pub fn remove(&mut self, place: usize) -> Option<T> {
        if let Waiting::Many(items) = self.0.as_deref_mut()?
            && (items.len() > 1 || place > 0)
        {
            return items.remove(place);
        }
        match *self.0.take_if(|_| place == 0)? {
            Waiting::One(item) => Some(item),
            Waiting::Many(mut items) => items.pop_front(),
        }
    }

    /// Removes all items.
    pub fn clear(&mut self) {
        self.0 = None;
    }

    /// Returns all items in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (one, many) = match self.0.as_deref() {
            None => (None, None),
            Some(Waiting::One(item)) => (Some(item), None),
            Some(Waiting::Many(items)) => (None, Some(items)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }

    /// Returns all items in their order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let (one, many) = match self.0.as_deref_mut() {
            None => (None, None),
            Some(Waiting::One(item)) => (Some(item), None),
            Some(Waiting::Many(items)) => (None, Some(items)),
        };
        one.into_iter().chain(many.into_iter().flatten())
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A list of which nothing is removed, and which grows by a page at a time: nothing is moved for it, and it has no room for
/// twice as much as there is.
#[derive(Clone, Debug)]
pub struct Pages<T>(Vec<Vec<T>>);

/// Number of items on a page.
const PAGE: usize = 1024;

impl<T> Pages<T> {
    /// Creates an empty list.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an item at the end.
    pub fn push(&mut self, item: T) {
        match self.0.last_mut() {
            Some(page) if page.len() < PAGE => page.push(item),
            // The first page grows as the list does, which may stay short.
            None => self.0.push(vec![item]),
            Some(_) => {
                let mut page = Vec::with_capacity(PAGE);
                page.push(item);
                self.0.push(page);
            }
        }
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * PAGE + last.len())
    }

    /// Returns whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the item at this place, from 0.
    pub fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place / PAGE)?.get(place % PAGE)
    }

    /// Returns the item at this place, from 0, to be changed.
    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.0.get_mut(place / PAGE)?.get_mut(place % PAGE)
    }

    /// Returns all items in their order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// Returns all items in their order, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Index<usize> for Pages<T> {
    type Output = T;

    fn index(&self, place: usize) -> &T {
        &self.0[place / PAGE][place % PAGE]
    }
}

impl<T> IndexMut<usize> for Pages<T> {
    fn index_mut(&mut self, place: usize) -> &mut T {
        &mut self.0[place / PAGE][place % PAGE]
    }
}

/// Number of values in a page of [`Numbered`].
const NUMBERS: u64 = 32;

/// A map, in the order of its keys, that are numbers which are handed out one after another: to find a value costs about the same
/// however many there are, and a value takes little more room than itself.
#[derive(Clone, Debug)]
pub struct Numbered<K, V> {
    /// The pages that hold something, in the order of their numbers, which are those of keys divided by the size of a page.
    pages: VecDeque<(u64, Box<Page<V>>)>,
    len: usize,
    key: PhantomData<K>,
}

type Page<V> = [Option<V>; NUMBERS as usize];

impl<K: Copy + Into<u64> + From<u64>, V> Numbered<K, V> {
    /// Creates an empty map.
    pub const fn new() -> Self {
        Self { pages: VecDeque::new(), len: 0, key: PhantomData }
    }

    /// Returns the number of values.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let (page, place) = place_of(*key);
        self.pages[self.find(page).ok()?].1[place].as_ref()
    }

    /// Returns the value of a key, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let (page, place) = place_of(*key);
        let page = self.find(page).ok()?;
        self.pages[page].1[place].as_mut()
    }

    /// Returns whether a key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Gives a key a value, and returns the value that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (number, place) = place_of(key);
        let page = self.find(number).unwrap_or_else(|page| {
            self.pages.insert(page, (number, Box::new([const { None }; NUMBERS as usize])));
            page
        });
        let before = self.pages[page].1[place].replace(value);
        self.len += usize::from(before.is_none());
        before
    }

    /// Removes a key, and returns the value that it had.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (number, place) = place_of(*key);
        let page = self.find(number).ok()?;
        let values = &mut self.pages[page].1;
        let value = values[place].take()?;
        self.len -= 1;
        if values.iter().all(Option::is_none) {
            self.pages.remove(page);
        }
        Some(value)
    }

    /// Returns all keys with their values, in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.pages.iter().flat_map(|(page, values)| {
            let numbers = *page * NUMBERS..;
            numbers.zip(values.iter()).filter_map(|(number, value)| Some((K::from(number), value.as_ref()?)))
        })
    }

    /// Returns all keys, in their order.
    pub fn keys(&self) -> impl Iterator<Item = K> {
        self.iter().map(|(key, _)| key)
    }

    /// Returns all values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.pages.iter().flat_map(|(_, page)| page.iter().flatten())
    }

    /// Returns the place of a page; as an error the place at which it would stand. Where none is missing before it, that is
    /// known without a search.
    fn find(&self, number: u64) -> Result<usize, usize> {
        let (Some((first, _)), Some(last)) = (self.pages.front(), self.pages.len().checked_sub(1)) else {
            return Err(0);
        };
        let Some(behind) = number.checked_sub(*first) else { return Err(0) };
        let latest = usize::try_from(behind).map_or(last, |behind| behind.min(last));
        if self.pages[latest].0 == number {
            return Ok(latest);
        }
        self.pages.binary_search_by_key(&number, |(page, _)| *page)
    }
}

impl<K: Copy + Into<u64> + From<u64>, V> Default for Numbered<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Into<u64> + From<u64>, V> FromIterator<(K, V)> for Numbered<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(all: I) -> Self {
        let mut numbered = Self::new();
        for (key, value) in all {
            numbered.insert(key, value);
        }
        numbered
    }
}

/// Returns the page of a key, and its place in that.
fn place_of(key: impl Into<u64>) -> (u64, usize) {
    let number = key.into();
    (number / NUMBERS, usize::try_from(number % NUMBERS).expect("it is small"))
}

impl<K: 'static, V: 'static> Empty for BTreeMap<K, V> {
    const EMPTY: &'static Self = &Self::new();
}

impl<T: 'static> Empty for BTreeSet<T> {
    const EMPTY: &'static Self = &Self::new();
}

impl<T: 'static> Empty for VecDeque<T> {
    const EMPTY: &'static Self = &Self::new();
}

impl<T: 'static> Empty for Vec<T> {
    const EMPTY: &'static Self = &Self::new();
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_copy_that_is_changed_leaves_the_others_alone() {
        let first = Shared::new(vec![1]);
        let mut second = first.clone();
        assert!(std::ptr::eq(&*first, &*second));
        second.push(2);
        assert_eq!((first.into_inner(), second.into_inner()), (vec![1], vec![1, 2]));
    }

    #[test]
    fn what_is_rare_is_allocated_by_a_change_and_not_by_a_look() {
        let mut rare = Rare::<Vec<u8>>::new();
        assert!(rare.is_empty() && rare.existing().is_none());
        rare.push(1);
        assert_eq!(rare.existing(), Some(&mut vec![1]));
        assert_eq!(rare.clone().into_inner(), [1]);
        rare.clear();
        assert_eq!((rare.len(), rare.existing()), (0, None));
        assert_eq!(size_of_val(&rare), size_of::<usize>());
    }

    #[test]
    fn pages_hold_their_items_in_order_with_room_for_at_most_a_page_more() {
        let mut pages = Pages::new();
        assert!(pages.is_empty() && pages.get(0).is_none());
        let count = 3 * PAGE + 1;
        for item in 0..count {
            pages.push(item);
            assert_eq!(pages.len(), item + 1);
        }
        assert!(pages.iter().copied().eq(0..count));
        pages[PAGE] = 7;
        pages.iter_mut().take(1).for_each(|item| *item = 8);
        assert_eq!((pages[0], pages.get(PAGE), pages.get(count)), (8, Some(&7), None));
        assert!(pages.get_mut(count).is_none());
        assert!(pages.0.iter().map(Vec::capacity).sum::<usize>() <= count + PAGE);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn few_items_stand_as_in_any_queue(changes in vec((any::<bool>(), 0..3_usize), 1..30)) {
            let (mut few, mut queue) = (Few::new(), VecDeque::new());
            for (step, (is_added, place)) in (0..).zip(changes) {
                if is_added {
                    few.push_back(step);
                    queue.push_back(step);
                } else if place == 0 {
                    prop_assert_eq!(few.pop_front(), queue.pop_front());
                } else {
                    prop_assert_eq!(few.remove(place), queue.remove(place));
                }
                few.iter_mut().chain(queue.iter_mut()).for_each(|item| *item += 1);
                prop_assert_eq!((few.len(), few.is_empty(), few.front()), (queue.len(), queue.is_empty(), queue.front()));
                prop_assert!(few.iter().eq(&queue));
                prop_assert_eq!(few.0.is_none(), queue.is_empty());
            }
            few.clear();
            prop_assert!(few.is_empty() && size_of_val(&few) == size_of::<usize>());
        }

        #[test]
        fn what_is_numbered_stands_as_in_a_map(changes in vec((0..500_u64, any::<bool>()), 1..300)) {
            let (mut numbered, mut map) = (Numbered::<u64, u64>::new(), BTreeMap::new());
            for (step, (number, is_added)) in (0..).zip(changes) {
                if is_added {
                    prop_assert_eq!(numbered.insert(number, step), map.insert(number, step));
                } else {
                    prop_assert_eq!(numbered.remove(&number), map.remove(&number));
                }
                prop_assert_eq!(numbered.get(&number), map.get(&number));
                prop_assert_eq!((numbered.len(), numbered.is_empty()), (map.len(), map.is_empty()));
            }
            prop_assert!(numbered.keys().eq(map.keys().copied()) && numbered.values().eq(map.values()));
            let pages: BTreeSet<u64> = map.keys().map(|key| key / NUMBERS).collect();
            prop_assert!(numbered.pages.iter().map(|(page, _)| page).eq(&pages), "a page that holds nothing is gone");
            let copy: Numbered<u64, u64> = numbered.iter().map(|(key, value)| (key, *value)).collect();
            prop_assert!(copy.iter().eq(numbered.iter()));
        }
    }
}
