//! A scenario as a tree of values that can be taken away one by one, for those who make a scenario smaller.
//!
//! Whether what is left is a scenario is not looked at: it is written, and read again.

use crate::ast::{File, Fill, Map as _, Place};
use crate::tree::{Node, NodeKind};
use crate::write::{Comments, to_yaml};

/// A scenario that is being edited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    entries: Vec<(&'static str, Place, Node)>,
}

/// A place in a [`Draft`]: a key of the file, then places in maps and lists, from 0.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DraftPath {
    key: &'static str,
    places: Vec<usize>,
}

impl DraftPath {
    /// Returns the key of the file below which the place is.
    pub fn key(&self) -> &'static str {
        self.key
    }

    /// Returns the first place below the key: of `steps` that of the step, from 0.
    pub fn first(&self) -> Option<usize> {
        self.places.first().copied()
    }

    /// Returns how deep below its key the place is; 0 for the key itself.
    pub fn depth(&self) -> usize {
        self.places.len()
    }
}

/// The keys of a file whose values are nodes by their names.
const NODES: [&str; 4] = ["brokers", "raw_brokers", "clients", "raw_clients"];

impl From<&File> for Draft {
    fn from(file: &File) -> Self {
        Self { entries: file.entries(Fill::default()) }
    }
}

impl Draft {
    /// Returns the draft as YAML.
    pub fn to_yaml(&self, comments: &Comments) -> String {
        to_yaml(self.entries.clone(), comments)
    }

    /// Returns all values that can be taken away: those that stand farther out first, and of one depth the last first.
    pub fn pieces(&self) -> Vec<DraftPath> {
        let mut pieces = Vec::new();
        for &(key, _, ref node) in &self.entries {
            pieces.push(DraftPath { key, places: Vec::new() });
            collect(key, node, &mut Vec::new(), &mut |path, _| pieces.push(path));
        }
        pieces.sort_by(|a, b| a.depth().cmp(&b.depth()).then(b.cmp(a)));
        pieces
    }

    /// Returns all texts, numbers and durations with their places.
    pub fn texts(&self) -> Vec<(DraftPath, String)> {
        let mut texts = Vec::new();
        for &(key, _, ref node) in &self.entries {
            let mut take = |path, node: &Node| texts.extend(node.text().map(|text| (path, text.to_owned())));
            take(DraftPath { key, places: Vec::new() }, node);
            collect(key, node, &mut Vec::new(), &mut take);
        }
        texts
    }

    /// Returns the name of the key that stands before a value of a map, and that of the map's own key and so on
    /// outwards.
    pub fn keys_of(&self, path: &DraftPath) -> Vec<String> {
        let mut keys = vec![path.key.to_owned()];
        let mut node = self.entries.iter().find(|(key, ..)| *key == path.key).map(|(_, _, node)| node);
        for &place in &path.places {
            node = match node.map(|node| &node.kind) {
                Some(NodeKind::List(items)) => items.get(place),
                Some(NodeKind::Map(entries)) => entries.get(place).map(|(key, value)| {
                    keys.extend(key.text().map(str::to_owned));
                    value
                }),
                _ => None,
            };
        }
        keys.reverse();
        keys
    }

    /// Returns the names of all nodes that are declared, the last first.
    pub fn nodes(&self) -> Vec<String> {
        let declared = self.entries.iter().filter(|(key, ..)| NODES.contains(key));
        let names = declared.flat_map(|(_, _, node)| node.entries()).filter_map(|(name, _)| name.text());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.reverse();
        names
    }

    /// Returns the number of steps.
    pub fn steps(&self) -> usize {
        match self.entries.iter().find(|(key, ..)| *key == "steps").map(|(_, _, node)| &node.kind) {
            Some(NodeKind::List(steps)) => steps.len(),
            _ => 0,
        }
    }

    /// Returns the draft without these values.
    #[must_use]
    pub fn without(&self, paths: &[DraftPath]) -> Self {
        // From the back, so that the other places stay what they are.
        let mut paths = paths.to_vec();
        paths.sort();
        let mut draft = self.clone();
        for path in paths.iter().rev() {
            draft.take_away(path);
        }
        draft
    }

    /// Returns the draft without these steps, by their places from 0.
    #[must_use]
    pub fn without_steps(&self, steps: &[usize]) -> Self {
        let path = |place: &usize| DraftPath { key: "steps", places: vec![*place] };
        self.without(&steps.iter().map(path).collect::<Vec<_>>())
    }

    /// Returns the draft without a node and without everything that names it.
    #[must_use]
    pub fn without_node(&self, name: &str) -> Self {
        let mut draft = self.clone();
        for (_, _, node) in &mut draft.entries {
            drop_named(node, name);
        }
        draft.entries.retain(|(key, _, node)| !is_empty(node) || !NODES.contains(key) && *key != "links");
        draft
    }

    /// Returns the draft with another text in this place.
    #[must_use]
    pub fn with_text(&self, path: &DraftPath, text: &str) -> Self {
        let mut draft = self.clone();
        let entry = draft.entries.iter_mut().find(|(key, ..)| *key == path.key);
        if let Some(node) = entry.and_then(|(_, _, node)| descend(node, &path.places)) {
            *node = Node::word(text);
        }
        draft
    }

    fn take_away(&mut self, path: &DraftPath) {
        let Some((last, before)) = path.places.split_last() else {
            return self.entries.retain(|(key, ..)| *key != path.key);
        };
        let entry = self.entries.iter_mut().find(|(key, ..)| *key == path.key);
        let Some(parent) = entry.and_then(|(_, _, node)| descend(node, before)) else { return };
        match &mut parent.kind {
            NodeKind::List(items) if *last < items.len() => drop(items.remove(*last)),
            NodeKind::Map(entries) if *last < entries.len() => drop(entries.remove(*last)),
            _ => {}
        }
    }
}

/// Calls `take` with each value below a node.
fn collect(key: &'static str, node: &Node, places: &mut Vec<usize>, take: &mut impl FnMut(DraftPath, &Node)) {
    let children: Vec<&Node> = match &node.kind {
        NodeKind::List(items) => items.iter().collect(),
        NodeKind::Map(entries) => entries.iter().map(|(_, value)| value).collect(),
        NodeKind::Scalar(_) | NodeKind::Broken => Vec::new(),
    };
    for (place, child) in children.into_iter().enumerate() {
        places.push(place);
        take(DraftPath { key, places: places.clone() }, child);
        collect(key, child, places, take);
        places.pop();
    }
}

fn descend<'n>(node: &'n mut Node, places: &[usize]) -> Option<&'n mut Node> {
    let Some((first, rest)) = places.split_first() else { return Some(node) };
    let child = match &mut node.kind {
        NodeKind::List(items) => items.get_mut(*first),
        NodeKind::Map(entries) => entries.get_mut(*first).map(|(_, value)| value),
        NodeKind::Scalar(_) | NodeKind::Broken => None,
    };
    descend(child?, rest)
}

/// Takes away what names a node, and what is left with nothing by it.
fn drop_named(node: &mut Node, name: &str) {
    match &mut node.kind {
        NodeKind::List(items) => {
            items.retain(|item| !names(item, name));
            items.iter_mut().for_each(|item| drop_named(item, name));
            items.retain(|item| !is_empty(item));
        }
        NodeKind::Map(entries) => {
            entries.retain(|(key, _)| !names(key, name));
            entries.iter_mut().for_each(|(_, value)| drop_named(value, name));
        }
        NodeKind::Scalar(_) | NodeKind::Broken => {}
    }
}

/// Returns whether a step or a text names a node.
fn names(node: &Node, name: &str) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => {
            let is_name = |word: &str| word == name || word.split_once('#').is_some_and(|(node, _)| node == name);
            scalar.text.split_whitespace().any(is_name)
        }
        // A step that is itself about the node, or about a link of it; blocks of steps are looked into.
        NodeKind::Map(entries) => entries
            .iter()
            .any(|(key, value)| names(key, name) || matches!(key.text(), Some("network")) && contains(value, name)),
        NodeKind::List(_) | NodeKind::Broken => false,
    }
}

fn contains(node: &Node, name: &str) -> bool {
    match &node.kind {
        NodeKind::Map(entries) => entries.iter().any(|(_, value)| contains(value, name)),
        NodeKind::List(items) => items.iter().any(|item| contains(item, name)),
        NodeKind::Scalar(_) => names(node, name),
        NodeKind::Broken => false,
    }
}

fn is_empty(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Map(entries) => {
            entries.is_empty()
                || entries
                    .iter()
                    .any(|(key, value)| matches!(key.text(), Some("every" | "repeat")) && lacks_steps(value))
        }
        NodeKind::List(items) => items.is_empty(),
        NodeKind::Scalar(_) | NodeKind::Broken => false,
    }
}

fn lacks_steps(block: &Node) -> bool {
    block.get("steps").is_none_or(|steps| matches!(&steps.kind, NodeKind::List(items) if items.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Seed, Source};
    use crate::{generate, parse};

    fn draft(text: &str) -> Draft {
        let scenario = parse(
            "test".to_owned(),
            Source { path: "test.yaml".to_owned(), text: text.to_owned(), ..Source::default() },
        );
        Draft::from(&scenario.unwrap().file)
    }

    const STORY: &str = "clients: { a: { keep_alive: 10s }, b: {} }\nsteps:\n  - a: { publish: { topic: t, payload: x } }\n  - wait: 1s\n  - network: { reset: b -> broker }\n";

    #[test]
    fn draft_is_written_as_the_file_is() {
        for seed in 0..50 {
            let file = generate::file(Seed(seed));
            let comments = Comments::default();
            assert_eq!(Draft::from(&file).to_yaml(&comments), file.to_yaml(&comments));
        }
    }

    #[test]
    fn node_goes_with_all_that_names_it() {
        let text = draft(STORY).without_node("b").to_yaml(&Comments::default());
        assert!(text.contains("publish") && !text.contains("b:") && !text.contains("reset"), "{text}");
    }

    #[test]
    fn pieces_are_taken_away_by_their_places() {
        let draft = draft(STORY);
        let piece = |keys: &[&str]| draft.pieces().into_iter().find(|piece| draft.keys_of(piece) == keys).unwrap();
        let text = draft.without(&[piece(&["keep_alive", "a", "clients"])]).to_yaml(&Comments::default());
        assert!(!text.contains("keep_alive"), "{text}");
        let text = draft.without_steps(&[0, 2]).to_yaml(&Comments::default());
        assert!(text.contains("wait: 1s") && !text.contains("publish") && !text.contains("reset"), "{text}");
    }

    #[test]
    fn text_is_replaced_in_its_place() {
        let draft = draft(STORY);
        let (path, _) = draft.texts().into_iter().find(|(_, text)| text == "10s").unwrap();
        assert!(draft.with_text(&path, "5s").to_yaml(&Comments::default()).contains("keep_alive: 5s"));
    }
}
