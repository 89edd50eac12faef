//! The source of chance: ChaCha8 from a seed, the same on every platform.

use halfopen_plan::Seed;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// Draws numbers and choices from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Creates a source that draws the same for the same seed.
    pub(crate) fn new(seed: Seed) -> Self {
        Self(ChaCha8Rng::from_seed(seed.bytes()))
    }

    /// Returns a number below `bound`; 0 if the bound is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0.next_u64() % bound.max(1)
    }

    /// Returns whether something happens that happens in `percent` of 100 cases.
    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Returns one of the items.
    ///
    /// # Panics
    /// If there are none.
    pub(crate) fn pick<T: Clone>(&mut self, items: &[T]) -> T {
        items[self.place(items.len())].clone()
    }

    /// Returns a place in a list of this length.
    pub(crate) fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or_default()
    }

    /// Returns one of the items, each as often as its weight says; nothing if all weights are 0.
    pub(crate) fn weighted<T: Clone>(&mut self, items: &[(u64, T)]) -> Option<T> {
        let sum: u64 = items.iter().map(|(weight, _)| weight).sum();
        let mut at = (sum > 0).then(|| self.below(sum))?;
        for (weight, item) in items {
            match at.checked_sub(*weight) {
                Some(rest) => at = rest,
                None => return Some(item.clone()),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same_numbers_on_every_platform() {
        let mut random = Random::new(Seed(7).derive("test"));
        let drawn: Vec<u64> = (0..4).map(|_| random.below(1_000_000)).collect();
        assert_eq!(drawn, [300_029, 993_826, 916_461, 398_648]);
    }

    #[test]
    fn what_has_no_weight_is_never_drawn() {
        let mut random = Random::new(Seed(1));
        assert!((0..1_000).all(|_| random.weighted(&[(0, 'a'), (3, 'b')]) == Some('b')));
        assert_eq!(random.weighted(&[(0, 'a')]), None);
    }
}
