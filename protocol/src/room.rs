//! Values that take little room while there is little to hold: there may be a million connections and sessions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::ops::{Deref, DerefMut};
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
}
