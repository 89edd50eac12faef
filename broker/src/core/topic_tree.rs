use std::collections::BTreeMap;
use std::ops::Bound;

/// Values by topic name or topic filter, level by level.
///
/// The nodes stand in one list and name each other by index, so that neither a walk nor a drop recurses: a topic may
/// have 32,768 levels, and a peer chooses how deep this gets.
#[derive(Clone, Debug)]
pub(super) struct TopicTree<V> {
    nodes: Vec<Node<V>>,
    free: Vec<usize>,
    values: usize,
}

#[derive(Clone, Debug)]
struct Node<V> {
    parent: usize,
    level: Box<str>,
    children: BTreeMap<Box<str>, usize>,
    value: Option<V>,
}

const ROOT: usize = 0;

/// Approximate overhead of a level of a path beside its text, in bytes.
pub(super) const LEVEL: usize = 128;

impl<V> TopicTree<V> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::new(ROOT, "")], free: Vec::new(), values: 0 }
    }

    /// Returns how many values there are.
    pub(super) fn len(&self) -> usize {
        self.values
    }

    /// The value at exactly this path.
    pub(super) fn get(&self, path: &str) -> Option<&V> {
        self.nodes[self.find(path)?].value.as_ref()
    }

    /// The value at exactly this path.
    pub(super) fn get_mut(&mut self, path: &str) -> Option<&mut V> {
        let node = self.find(path)?;
        self.nodes[node].value.as_mut()
    }

    /// The value at exactly this path, made if there is none.
    pub(super) fn get_or_insert_with(&mut self, path: &str, value: impl FnOnce() -> V) -> &mut V {
        let mut node = ROOT;
        for level in path.split('/') {
            node = match self.nodes[node].children.get(level) {
                Some(&child) => child,
                None => self.add(node, level),
            };
        }
        let values = &mut self.values;
        self.nodes[node].value.get_or_insert_with(|| {
            *values += 1;
            value()
        })
    }

    /// Takes out the value at exactly this path, and all nodes that it alone needed.
    pub(super) fn remove(&mut self, path: &str) -> Option<V> {
        let node = self.find(path)?;
        let value = self.nodes[node].value.take()?;
        self.values -= 1;
        self.prune(node);
        Some(value)
    }

    /// Calls `found` with the value of each filter that matches the topic name (§4.7.1, [MQTT-4.7.2-1]).
    pub(super) fn matching_filters<'a>(&'a self, topic: &str, mut found: impl FnMut(&'a V)) {
        let mut frontier = vec![ROOT];
        let mut next = Vec::new();
        for (depth, level) in topic.split('/').enumerate() {
            let wildcards = depth > 0 || !topic.starts_with('$');
            for &node in &frontier {
                if wildcards {
                    self.child_value(node, "#").map(&mut found);
                    next.extend(self.child(node, "+"));
                }
                next.extend(self.child(node, level));
            }
            frontier.clear();
            std::mem::swap(&mut frontier, &mut next);
        }
        for node in frontier {
            self.nodes[node].value.as_ref().map(&mut found);
            // "a/#" matches "a" too (§4.7.1.2).
            self.child_value(node, "#").map(&mut found);
        }
    }

    /// Returns the values of the topic names that the filter matches from this topic name on, in the order of the
    /// names' levels (§4.7.1, [MQTT-4.7.2-1]). The topic name need not be there any more, but matches the filter.
    pub(super) fn matching_topics<'a>(&'a self, filter: &'a str, from: Bound<&'a str>) -> MatchingTopics<'a, V> {
        let mut walk = MatchingTopics { tree: self, levels: filter.split('/').collect(), path: Vec::new() };
        let (topic, last) = match from {
            Bound::Unbounded => {
                walk.path.push((ROOT, Bound::Unbounded));
                return walk;
            }
            Bound::Included(topic) => (topic, Bound::Included as fn(_) -> _),
            Bound::Excluded(topic) => (topic, Bound::Excluded as fn(_) -> _),
        };
        let mut node = Some(ROOT);
        let mut levels = topic.split('/').peekable();
        while let (Some(parent), Some(level)) = (node, levels.next()) {
            let is_last = levels.peek().is_none();
            walk.path.push((parent, if is_last { last(level) } else { Bound::Excluded(level) }));
            node = self.child(parent, level);
        }
        if let (Some(node), Bound::Excluded(_)) = (node, from) {
            walk.path.push((node, Bound::Unbounded));
        }
        walk
    }

    fn child(&self, node: usize, level: &str) -> Option<usize> {
        self.nodes[node].children.get(level).copied()
    }

    fn child_value(&self, node: usize, level: &str) -> Option<&V> {
        self.nodes[self.child(node, level)?].value.as_ref()
    }

    fn find(&self, path: &str) -> Option<usize> {
        path.split('/').try_fold(ROOT, |node, level| self.child(node, level))
    }

    fn add(&mut self, parent: usize, level: &str) -> usize {
        let node = Node::new(parent, level);
        let index = match self.free.pop() {
            Some(index) => {
                self.nodes[index] = node;
                index
            }
            None => {
                self.nodes.push(node);
                self.nodes.len() - 1
            }
        };
        self.nodes[parent].children.insert(level.into(), index);
        index
    }

    fn prune(&mut self, mut node: usize) {
        while node != ROOT && self.nodes[node].value.is_none() && self.nodes[node].children.is_empty() {
            let parent = self.nodes[node].parent;
            let level = std::mem::take(&mut self.nodes[node].level);
            self.nodes[parent].children.remove(&level);
            self.free.push(node);
            node = parent;
        }
    }
}

/// The topic names that a filter matches; see [`TopicTree::matching_topics`].
pub(super) struct MatchingTopics<'a, V> {
    tree: &'a TopicTree<V>,
    /// The levels of the filter.
    levels: Vec<&'a str>,
    /// The nodes from the root to where the walk stands, each with its children that are still to be visited.
    path: Vec<(usize, Bound<&'a str>)>,
}

impl<'a, V> Iterator for MatchingTopics<'a, V> {
    type Item = &'a V;

    fn next(&mut self) -> Option<&'a V> {
        while let Some(depth) = self.path.len().checked_sub(1) {
            let last = self.levels.len() - 1;
            let pattern =
                if depth >= last && self.levels[last] == "#" { Some("#") } else { self.levels.get(depth).copied() };
            let Some((child, name)) = pattern.and_then(|pattern| self.next_child(depth, pattern)) else {
                self.path.pop();
                continue;
            };
            self.path[depth].1 = Bound::Excluded(name);
            self.path.push((child, Bound::Unbounded));
            // "a/#" matches "a" too (§4.7.1.2).
            let is_whole = pattern == Some("#") || depth == last || depth + 1 == last && self.levels[last] == "#";
            if let Some(value) = self.tree.nodes[child].value.as_ref().filter(|_| is_whole) {
                return Some(value);
            }
        }
        None
    }
}

impl<'a, V> MatchingTopics<'a, V> {
    /// Returns the next child of the last node of the path that matches this level of a filter.
    fn next_child(&self, depth: usize, pattern: &str) -> Option<(usize, &'a str)> {
        let (node, from) = self.path[depth];
        let children = &self.tree.nodes[node].children;
        let hidden = |name: &str| depth == 0 && name.starts_with('$');
        let found = match pattern {
            "#" | "+" => children.range::<str, _>((from, Bound::Unbounded)).find(|(name, _)| !hidden(name)),
            name => children.get_key_value(name).filter(|_| match from {
                Bound::Unbounded => true,
                Bound::Included(from) => name >= from,
                Bound::Excluded(from) => name > from,
            }),
        };
        found.map(|(name, &child)| (child, &**name))
    }
}

impl<V> Node<V> {
    fn new(parent: usize, level: &str) -> Self {
        Self { parent, level: level.into(), children: BTreeMap::new(), value: None }
    }
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::topic;
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn tree(paths: &[&str]) -> TopicTree<String> {
        let mut tree = TopicTree::new();
        for path in paths {
            tree.get_or_insert_with(path, || (*path).to_owned());
        }
        tree
    }

    fn filters_for(tree: &TopicTree<String>, topic: &str) -> Vec<String> {
        let mut found = Vec::new();
        tree.matching_filters(topic, |filter| found.push(filter.clone()));
        found.sort();
        found
    }

    fn topics_for(tree: &TopicTree<String>, filter: &str) -> Vec<String> {
        tree.matching_topics(filter, Bound::Unbounded).cloned().collect()
    }

    #[rstest]
    #[case("sport/tennis", &["#", "+/+", "+/tennis", "sport/#", "sport/+", "sport/tennis", "sport/tennis/#"])]
    #[case("sport", &["#", "+", "sport/#"])]
    #[case("/finance", &["#", "+/+", "/+"])]
    #[case("$SYS/uptime", &["$SYS/#", "$SYS/+"])]
    #[case("sport/", &["#", "+/+", "sport/#", "sport/+"])]
    fn a_topic_finds_exactly_the_filters_that_match(#[case] topic: &str, #[case] expected: &[&str]) {
        let all = tree(&[
            "#",
            "+",
            "+/+",
            "/+",
            "+/tennis",
            "sport/#",
            "sport/+",
            "sport/tennis",
            "sport/tennis/#",
            "$SYS/#",
            "$SYS/+",
            "sport/tennis/+",
        ]);
        assert_eq!(filters_for(&all, topic), expected);
    }

    #[rstest]
    #[case("#", &["a", "a/b", "a/b/c", "d//e"])]
    #[case("a/#", &["a", "a/b", "a/b/c"])]
    #[case("+/b", &["a/b"])]
    #[case("+/+/+", &["a/b/c", "d//e"])]
    #[case("d//e", &["d//e"])]
    #[case("$SYS/#", &["$SYS/x"])]
    #[case("a/b/c/d", &[])]
    fn a_filter_finds_exactly_the_topics_that_it_matches(#[case] filter: &str, #[case] expected: &[&str]) {
        let all = tree(&["a", "a/b", "a/b/c", "d//e", "$SYS/x"]);
        assert_eq!(topics_for(&all, filter), expected);
    }

    #[test]
    fn removing_everything_leaves_only_the_root() {
        let paths = ["a/b/c", "a/b", "a", "x/y/z"];
        let mut all = tree(&paths);
        for path in paths {
            assert_eq!(all.remove(path).as_deref(), Some(path));
            assert_eq!(all.remove(path), None);
        }
        assert_eq!(all.len(), 0);
        assert_eq!(all.nodes.len() - all.free.len(), 1);
    }

    #[test]
    fn the_deepest_topic_there_can_be_overflows_no_stack() {
        let path = "/".repeat(65_535);
        let mut all = tree(&[&path]);
        assert_eq!(topics_for(&all, "#").len(), 1);
        assert_eq!(filters_for(&all, &path).len(), 1);
        assert!(all.remove(&path).is_some());
        drop(tree(&[&path]));
    }

    proptest! {
        #[test]
        fn the_tree_agrees_with_matching_one_by_one(
            filters in proptest::collection::btree_set("([$ab+]|)(/([ab+]|)){0,3}(/#)?", 0..8),
            topics in proptest::collection::btree_set("([$ab]|)(/([ab]|)){0,4}", 1..8),
        ) {
            let filters: Vec<_> = filters.iter().filter(|filter| !filter.is_empty()).map(String::as_str).collect();
            let topics: Vec<_> = topics.iter().filter(|topic| !topic.is_empty()).map(String::as_str).collect();
            let by_filter = tree(&filters);
            let by_topic = tree(&topics);
            for topic in &topics {
                let expected: Vec<_> =
                    filters.iter().filter(|filter| topic::matches(filter, topic)).map(|f| (*f).to_owned()).collect();
                prop_assert_eq!(filters_for(&by_filter, topic), expected);
            }
            for filter in &filters {
                let mut found = topics_for(&by_topic, filter);
                found.sort();
                let expected: Vec<_> =
                    topics.iter().filter(|topic| topic::matches(filter, topic)).map(|t| (*t).to_owned()).collect();
                prop_assert_eq!(found, expected);
            }
        }

        #[test]
        fn a_walk_goes_on_from_any_topic_whether_it_is_still_there_or_not(
            filter in "([ab+]|)(/([ab+]|)){0,2}(/#)?|#|[$]/#",
            topics in proptest::collection::btree_set("([$ab]|)(/([ab]|)){0,4}", 1..12),
            removed in proptest::collection::vec(proptest::bool::ANY, 12),
        ) {
            prop_assume!(!filter.is_empty());
            let topics: Vec<_> = topics.iter().filter(|topic| !topic.is_empty()).map(String::as_str).collect();
            let mut tree = tree(&topics);
            let all = topics_for(&tree, &filter);
            for (topic, _) in all.iter().zip(&removed).filter(|(_, removed)| **removed) {
                tree.remove(topic);
            }
            let left = |from: usize| -> Vec<_> {
                all.iter().zip(&removed).skip(from).filter(|(_, removed)| !**removed).map(|(topic, _)| topic).collect()
            };
            for (at, topic) in all.iter().enumerate() {
                let after: Vec<_> = tree.matching_topics(&filter, Bound::Excluded(topic)).collect();
                prop_assert_eq!(after, left(at + 1));
                let from: Vec<_> = tree.matching_topics(&filter, Bound::Included(topic)).collect();
                prop_assert_eq!(from, left(at));
            }
        }
    }
}
