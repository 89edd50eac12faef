use std::collections::BTreeMap;

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

impl<V> TopicTree<V> {
    pub(super) fn new() -> Self {
        Self { nodes: vec![Node::new(ROOT, "")], free: Vec::new(), values: 0 }
    }

    /// How many values there are.
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

    /// Calls `found` with the value of each topic name that the filter matches, in the order of the names' levels.
    pub(super) fn matching_topics<'a>(&'a self, filter: &str, mut found: impl FnMut(&'a V)) {
        let mut frontier = vec![ROOT];
        let mut next = Vec::new();
        for (depth, level) in filter.split('/').enumerate() {
            let hidden = |name: &str| depth == 0 && name.starts_with('$');
            for &node in &frontier {
                match level {
                    "#" => {
                        self.nodes[node].value.as_ref().map(&mut found);
                        let children = self.nodes[node].children.iter().filter(|(name, _)| !hidden(name));
                        children.for_each(|(_, &child)| self.visit(child, &mut found));
                    }
                    "+" => next.extend(
                        self.nodes[node].children.iter().filter(|(name, _)| !hidden(name)).map(|(_, &child)| child),
                    ),
                    name => next.extend(self.child(node, name)),
                }
            }
            frontier.clear();
            std::mem::swap(&mut frontier, &mut next);
        }
        frontier.into_iter().filter_map(|node| self.nodes[node].value.as_ref()).for_each(found);
    }

    /// Calls `found` with all values at and below a node.
    fn visit<'a>(&'a self, node: usize, found: &mut impl FnMut(&'a V)) {
        let mut stack = vec![node];
        while let Some(node) = stack.pop() {
            let node = &self.nodes[node];
            node.value.as_ref().map(&mut *found);
            stack.extend(node.children.values().rev());
        }
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
        let mut found = Vec::new();
        tree.matching_topics(filter, |topic| found.push(topic.clone()));
        found
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
    }
}
