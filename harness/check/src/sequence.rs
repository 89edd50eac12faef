//! Whether things come out in the order in which they went in, where equal ones cannot be told apart.

use std::collections::{BTreeMap, VecDeque};

/// Number of things that are compared with each other where several look alike.
const FEW: usize = 16;

/// The order of things that went in, by what they look like (`K`).
///
/// Each has a source `S`; what comes out is on a lane `L`, which must be in order by itself.
pub(super) struct Sequence<K, S, L> {
    waiting: BTreeMap<K, Waiting<S>>,
    /// The latest on each lane, by the place at which it went in.
    latest: BTreeMap<L, u64>,
    next: u64,
}

struct Waiting<S> {
    places: VecDeque<Place<S>>,
    /// True if one was overtaken: what looks like it comes out too late after that.
    is_overtaken: bool,
    /// Number of those that came out and may have been of another source.
    guesses: usize,
}

struct Place<S> {
    number: u64,
    source: S,
    /// True if it need not come out: a further copy of the one before.
    is_copy: bool,
}

impl<K, S, L> Sequence<K, S, L> {
    /// Creates a sequence into which nothing has gone.
    pub(super) const fn new() -> Self {
        Self { waiting: BTreeMap::new(), latest: BTreeMap::new(), next: 0 }
    }
}

impl<K: Ord, S: Clone + PartialEq, L: Ord> Sequence<K, S, L> {
    /// Something goes in, of which up to `copies` copies may come out.
    pub(super) fn enter(&mut self, key: K, source: &S, copies: usize) {
        let waiting = self.waiting.entry(key).or_insert_with(|| Waiting {
            places: VecDeque::new(),
            is_overtaken: false,
            guesses: 0,
        });
        let number = self.next;
        let place = |copy| Place { number, source: source.clone(), is_copy: copy > 0 };
        waiting.places.extend((0..copies).map(place));
        self.next += 1;
    }

    /// Something comes out; whether it is in order on its lane. What never went in is.
    ///
    /// It is taken for the first in order of those that look alike, and each of them is looked at once. If they are of several
    /// sources, one before which nothing waits on its lane is preferred. One that comes out too late may have been taken for that of
    /// another source before: then both are in order.
    pub(super) fn leave(&mut self, key: &K, lane: impl Fn(&K, &S) -> L) -> bool {
        let free = self.place_of_free(key, &lane);
        let Some(waiting) = self.waiting.get_mut(key) else { return true };
        if let Some(place) = free.and_then(|free| waiting.places.remove(free)) {
            waiting.places.push_front(place);
        }
        let mut taken = None;
        while let Some(Place { number, source, is_copy }) = waiting.places.pop_front() {
            let latest = self.latest.entry(lane(key, &source)).or_insert(number);
            if number >= *latest {
                *latest = number;
                taken = Some(source);
                break;
            }
            waiting.is_overtaken |= !is_copy;
        }
        let mut is_late = false;
        if let Some(taken) = taken {
            let could_be = |other: &Place<S>| {
                let latest = self.latest.get(&lane(key, &other.source));
                other.source != taken && latest.is_none_or(|latest| other.number >= *latest)
            };
            waiting.guesses += usize::from(waiting.places.iter().take(FEW).any(could_be));
        } else if std::mem::take(&mut waiting.is_overtaken) {
            is_late = waiting.guesses == 0;
            waiting.guesses = waiting.guesses.saturating_sub(1);
        }
        if waiting.places.is_empty() && !waiting.is_overtaken {
            self.waiting.remove(key);
        }
        !is_late
    }

    /// Returns which of those that look like this is in order and overtakes nothing, if they are of several sources. Where much
    /// waits, only the first few are looked at.
    fn place_of_free(&self, key: &K, lane: &impl Fn(&K, &S) -> L) -> Option<usize> {
        let places = &self.waiting.get(key)?.places;
        let first = &places.front()?.source;
        let is_alone = places.iter().take(FEW).all(|place| place.source == *first);
        if is_alone || self.waiting.len() > FEW {
            return None;
        }
        places.iter().take(FEW).position(|candidate| {
            let its_lane = lane(key, &candidate.source);
            let mut all = self
                .waiting
                .iter()
                .flat_map(|(other, waiting)| waiting.places.iter().take(FEW).map(move |place| (other, place)));
            let overtakes = all.any(|(other, place)| {
                !place.is_copy && place.number < candidate.number && lane(other, &place.source) == its_lane
            });
            !overtakes && self.latest.get(&its_lane).is_none_or(|latest| candidate.number >= *latest)
        })
    }

    /// Something comes out that may be this or what never went in: one of those that look like it is not looked at.
    pub(super) fn pass(&mut self, key: &K) {
        let Some(waiting) = self.waiting.get_mut(key) else { return };
        waiting.places.pop_front();
        if waiting.places.is_empty() && !waiting.is_overtaken {
            self.waiting.remove(key);
        }
    }

    /// Forgets what went in and has not come out.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
    }
}

impl<K, S, L> Default for Sequence<K, S, L> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    /// Things go in, each with its source, which is its lane, and the number of its copies; what comes out is in order, or late.
    #[rstest]
    #[case::taken_for_the_one_that_overtakes_nothing(
        &[("small", 2, 1), ("large", 2, 1), ("large", 0, 1)], &["large", "small", "large"], &[])]
    #[case::perhaps_taken_for_that_of_another_source_before(
        &[("lost", 2, 1), ("small", 2, 1), ("other", 2, 1), ("small", 1, 1)], &["small", "other", "small"], &[])]
    #[case::behind_a_further_copy_that_need_not_come_out(
        &[("other", 3, 2), ("small", 2, 1), ("large", 2, 1), ("large", 3, 1)], &["other", "large", "small"], &[])]
    #[case::behind_a_later_one(&[("small", 2, 1), ("large", 2, 1)], &["large", "small"], &["small"])]
    fn what_comes_out_is_in_order_or_late(
        #[case] entering: &[(&'static str, u8, usize)],
        #[case] leaving: &[&'static str],
        #[case] late: &[&str],
    ) {
        let mut sequence = Sequence::<&str, u8, u8>::new();
        for (key, source, copies) in entering {
            sequence.enter(key, source, *copies);
        }
        let mut leaving = leaving.to_vec();
        leaving.retain(|key| !sequence.leave(key, |_, source| *source));
        assert_eq!(leaving, late);
    }
}
