//! Which subscriptions a topic matches, without looking at all of them.

use std::collections::BTreeMap;

use bytestring::ByteString;
use halfopen_protocol::topic;

use super::index::SessionId;

/// The subscriptions of all sessions of one broker, by the levels of their filters.
pub(super) struct FilterTree<T> {
    /// The first is the root.
    levels: Vec<Level<T>>,
}

struct Level<T> {
    below: BTreeMap<ByteString, usize>,
    here: BTreeMap<(SessionId, ByteString), T>,
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { below: BTreeMap::new(), here: BTreeMap::new() }
    }
}

impl<T> Default for FilterTree<T> {
    fn default() -> Self {
        Self { levels: vec![Level::default()] }
    }
}

impl<T> FilterTree<T> {
    /// The subscription of a session to this filter, made if there is none. The group of a shared subscription is part
    /// of its name, but not of what it matches.
    pub(super) fn entry(&mut self, session: SessionId, filter: &ByteString, make: impl FnOnce() -> T) -> &mut T {
        let mut place = 0;
        for level in unshared(filter).split('/') {
            place = match self.levels[place].below.get(level) {
                Some(next) => *next,
                None => {
                    let next = self.levels.len();
                    self.levels.push(Level::default());
                    self.levels[place].below.insert(level.into(), next);
                    next
                }
            };
        }
        self.levels[place].here.entry((session, filter.clone())).or_insert_with(make)
    }

    /// Ends the subscription of a session to this filter.
    pub(super) fn remove(&mut self, session: SessionId, filter: &ByteString) -> Option<T> {
        let mut place = 0;
        for level in unshared(filter).split('/') {
            place = *self.levels[place].below.get(level)?;
        }
        self.levels[place].here.remove(&(session, filter.clone()))
    }

    /// Returns all subscriptions that a topic matches (§4.7), by session.
    pub(super) fn matching(&self, topic: &str) -> BTreeMap<SessionId, Vec<&T>> {
        let levels: Vec<&str> = topic.split('/').collect();
        let mut found: BTreeMap<SessionId, Vec<&T>> = BTreeMap::new();
        let mut open = vec![(0, 0)];
        while let Some((place, depth)) = open.pop() {
            let level: &Level<T> = &self.levels[place];
            // [MQTT-4.7.2-1]
            let has_wildcards = depth > 0 || !topic.starts_with('$');
            let mut take = |place: usize| {
                for ((session, _), subscription) in &self.levels[place].here {
                    found.entry(*session).or_default().push(subscription);
                }
            };
            if let Some(rest) = level.below.get("#").filter(|_| has_wildcards) {
                take(*rest);
            }
            let Some(name) = levels.get(depth) else {
                take(place);
                continue;
            };
            let one = level.below.get("+").filter(|_| has_wildcards);
            let exact = level.below.get(*name).filter(|_| !matches!(*name, "+" | "#"));
            open.extend(one.into_iter().chain(exact).map(|next| (*next, depth + 1)));
        }
        found
    }
}

/// The filter without the group of a shared subscription.
pub(super) fn unshared(filter: &str) -> &str {
    topic::shared(filter).map_or(filter, |shared| shared.filter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::invariant::index::SessionId;

    proptest! {
        /// The tree finds exactly what the rule of the protocol crate finds filter by filter.
        #[test]
        fn tree_agrees_with_the_rule(
            filters in prop::collection::vec("(\\$share/g/)?(\\$?[ab]?|\\+)(/([ab]?|\\+)){0,2}(/#)?", 0..12),
            name in "\\$?[ab]?(/[ab]?){0,3}",
        ) {
            let mut tree = FilterTree::default();
            for (number, filter) in filters.iter().enumerate() {
                tree.entry(SessionId::of(number % 3), &filter.as_str().into(), || number);
            }
            let mut expected: BTreeMap<SessionId, usize> = BTreeMap::new();
            let all: std::collections::BTreeSet<(usize, &String)> =
                filters.iter().enumerate().map(|(number, filter)| (number % 3, filter)).collect();
            for (session, filter) in all {
                if topic::matches(unshared(filter), &name) {
                    *expected.entry(SessionId::of(session)).or_default() += 1;
                }
            }
            let found: BTreeMap<SessionId, usize> =
                tree.matching(&name).into_iter().map(|(session, found)| (session, found.len())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
