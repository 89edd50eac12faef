//! Reading typed values out of the tree: each gives the value, or reports what is wrong with it and gives nothing. What
//! has been reported already is passed over in silence.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::value::Place;
use crate::error::{Diagnostics, Span};
use crate::keys::{Key, Status, Table, word_of};
use crate::lower::Role;
use crate::reference::see;
use crate::suggest::{did_you_mean, one_of};
use crate::time::TimeError;
use crate::tree::{Node, NodeKind};

/// The greatest number of words that are listed where one of them is expected.
const FEW_WORDS: usize = 4;

/// The greatest number of nodes that are listed where one of them is expected.
const FEW_NODES: usize = 10;

/// The names in a file, as far as they are known before any parameter is: to tell a slip from a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outline {
    /// The nodes that are declared, and what runs on them.
    pub(crate) nodes: BTreeMap<String, Role>,
    /// The names of groups.
    pub(crate) groups: BTreeSet<String>,
    /// Instants that the story names.
    pub(crate) marks: BTreeSet<String>,
    /// True if the story names instants that a parameter stands for.
    pub(crate) has_unknown_marks: bool,
    /// Names that are there and wrong, which has been reported.
    pub(crate) broken: BTreeSet<String>,
    /// True if names may exist that cannot be known here: a part of the file could not be read.
    pub(crate) is_open: bool,
}

impl Outline {
    /// Returns whether this names an instant, as far as that can be known here.
    pub(crate) fn may_be_mark(&self, word: &str) -> bool {
        self.marks.contains(word) || self.has_unknown_marks && !self.has_node(word)
    }

    /// Returns whether this names a node, a group, or what may be a member of one.
    pub(crate) fn has_node(&self, word: &str) -> bool {
        self.nodes.contains_key(word) || self.is_member(word) || self.sections().any(|section| section == word)
    }

    /// Returns what runs on the nodes that a name stands for.
    pub(crate) fn role(&self, word: &str) -> Option<Role> {
        let group = || word.rsplit_once('.').and_then(|(group, _)| self.nodes.get(group));
        let of_section = || Role::ALL.into_iter().find(|role| role.section() == word);
        self.nodes.get(word).or_else(group).copied().or_else(of_section)
    }

    fn is_member(&self, word: &str) -> bool {
        word.rsplit_once('.').is_some_and(|(group, number)| {
            self.groups.contains(group) && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    /// Returns whether an unknown name is not to be reported.
    pub(crate) fn is_silent(&self, name: &str) -> bool {
        self.is_open || self.broken.contains(name)
    }

    /// The names that a line may begin with: those of nodes, groups and roles.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + '_ {
        self.nodes.keys().map(String::as_str).chain(self.sections().map(|section| -> &str { section }))
    }

    /// The groups of all nodes of a role.
    fn sections(&self) -> impl Iterator<Item = &'static str> + '_ {
        Role::ALL.into_iter().filter(|role| self.nodes.values().any(|of| of == role)).map(Role::section)
    }
}

/// The context of reading.
pub(crate) struct Reading<'a> {
    pub(crate) diagnostics: &'a Diagnostics,
    pub(crate) outline: &'a Outline,
    /// The number of values that could not be read so far.
    pub(crate) failures: Cell<usize>,
    /// The role of the node whose actions are read.
    pub(crate) acting: Cell<Option<Role>>,
}

impl<'a> Reading<'a> {
    pub(crate) fn new(diagnostics: &'a Diagnostics, outline: &'a Outline) -> Self {
        Self { diagnostics, outline, failures: Cell::new(0), acting: Cell::new(None) }
    }

    /// Takes note of a value that cannot be read, where that has been reported.
    pub(crate) fn fail(&self) {
        self.failures.set(self.failures.get() + 1);
    }

    pub(crate) fn error(&self, node: &Node, message: impl Into<String>) {
        self.error_at(&Place::of(node), node.span, message, None);
    }

    /// Reports something of which there may be one and that stands at `first` already.
    pub(crate) fn error_second(&self, node: &Node, first: Span, message: impl Into<String>) {
        self.fail();
        self.diagnostics.push_second(node.span, first, message);
    }

    pub(crate) fn error_with_note(&self, node: &Node, message: impl Into<String>, note: impl Into<String>) {
        self.error_at(&Place::of(node), node.span, message, Some(note.into()));
    }

    /// Reports an error at a part of what stands at a place.
    pub(crate) fn error_at(&self, place: &Place, span: Span, message: impl Into<String>, note: Option<String>) {
        self.fail();
        let used = place.used_as().map(|(name, line)| format!("used as `<{name}>` in line {line}"));
        let notes: Vec<String> = [note, used].into_iter().flatten().collect();
        self.diagnostics.push(span, message, (!notes.is_empty()).then(|| notes.join("; ")));
    }

    /// Reports what is wrong with some characters of a text, which is explained where `what` is. An empty message has
    /// been reported elsewhere.
    pub(crate) fn part_error(&self, place: &Place, error: &TimeError, what: &str) {
        match error.message.is_empty() {
            true => self.fail(),
            false => {
                let span = place.part(error.from, error.to);
                self.error_at(place, span, error.message.clone(), Some(see(what)));
            }
        }
    }

    /// Returns the items of a list, or anything else as a list of one.
    pub(crate) fn one_or_more<'n>(&self, node: &'n Node) -> &'n [Node] {
        match &node.kind {
            NodeKind::List(items) => {
                if items.is_empty() {
                    self.error(node, "an empty list");
                }
                items
            }
            _ => std::slice::from_ref(node),
        }
    }

    /// Returns the items of a list.
    pub(crate) fn list<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        match &node.kind {
            NodeKind::List(items) => Some(items),
            NodeKind::Broken => {
                self.fail();
                None
            }
            _ => {
                let dash = match node.entries().first() {
                    Some((key, _)) if key.text().is_some_and(|key| key.starts_with('-')) => {
                        "; a space is missing behind the `-`"
                    }
                    Some(_) => "; each begins with `- `",
                    None => "",
                };
                self.error(node, format!("expected a list of {what}, found {}{dash}", found(node)));
                None
            }
        }
    }

    /// Returns the entries of a map with free names.
    pub(crate) fn map<'n>(&self, node: &'n Node, what: &str) -> Option<&'n [(Node, Node)]> {
        match &node.kind {
            NodeKind::Map(entries) => Some(entries),
            NodeKind::Broken => {
                self.fail();
                None
            }
            _ => {
                self.error(node, format!("expected {what}, found {}", found(node)));
                None
            }
        }
    }

    /// Returns the one entry of a map of one key.
    pub(crate) fn line<'n>(&self, node: &'n Node, what: &str) -> Option<(&'n Node, &'n Node)> {
        match &node.kind {
            NodeKind::Broken => self.fail(),
            NodeKind::Map(entries) => match entries.as_slice() {
                [(key, value)] => return Some((key, value)),
                [] => self.error(node, format!("{what} has one key, this one has none")),
                [first, (second, _), ..] => {
                    let word = second.text().unwrap_or_default();
                    let how = place_of_second(what, first, word);
                    self.error(second, format!("a second key, `{word}`; {what} has one: {how}"));
                }
            },
            _ => {
                let colon = match node.text().and_then(|text| text.split_once(':')) {
                    Some((key, value)) if !value.starts_with(' ') => {
                        format!("; a space is missing: `{key}: {value}`")
                    }
                    _ => String::new(),
                };
                self.error(node, format!("expected {what}: a map of one key; found {}{colon}", found(node)));
            }
        }
        None
    }

    /// Returns the entries of a map with keys of a table.
    pub(crate) fn entries_of<'n>(&self, node: &'n Node, table: &Table) -> Option<&'n [(Node, Node)]> {
        match &node.kind {
            NodeKind::Map(entries) => return Some(entries),
            NodeKind::Broken => self.fail(),
            _ if node.is_null() => {
                self.error(node, format!("{} without a value; for the defaults write `{{}}`", table.what));
            }
            _ => {
                let message = format!("expected {} as a map, found {}", table.what, found(node));
                self.error_with_note(node, message, see(table.what));
            }
        }
        None
    }

    /// Returns the key of a table that a word names, if it can be used.
    pub(crate) fn known_key(&self, name: &Node, table: &Table) -> Option<&'static Key> {
        let Some(text) = name.text() else {
            self.fail();
            return None;
        };
        let Some(key) = table.find(text) else {
            let names = || table.all().filter(|key| !matches!(key.status, Status::Never(_))).map(|key| key.name);
            let hint = match glued(text, names()) {
                Some(hint) => hint,
                None => did_you_mean(text, names()),
            };
            let message = format!("unknown key `{text}` in {}{hint}", table.what);
            let see = see(table.what);
            if hint.is_empty() {
                let known = names().collect::<Vec<_>>().join(", ");
                self.error_with_note(name, message, format!("known: {known}; {see}"));
            } else {
                self.error_with_note(name, message, see);
            }
            return None;
        };
        if let Status::Never(reason) = key.status {
            self.error(name, reason);
            return None;
        }
        Some(key)
    }

    /// Returns whether no key before this one means the same in another word, which is reported.
    pub(crate) fn is_first(&self, name: &Node, key: &str, before: &[(Node, Node)]) -> bool {
        let Some((first, _)) = before.iter().find(|(other, _)| other.text().is_some_and(|text| word_of(text) == key))
        else {
            return true;
        };
        let (first, second) = (first.text().unwrap_or_default(), name.text().unwrap_or_default());
        self.error(name, format!("`{second}` and `{first}` are the same key; write one of them"));
        false
    }

    /// Returns the text of a scalar.
    pub(crate) fn scalar<'n>(&self, node: &'n Node, expected: &str) -> Option<&'n str> {
        match &node.kind {
            NodeKind::Broken => self.fail(),
            NodeKind::Scalar(scalar) if !node.is_null() => return Some(&scalar.text),
            _ => self.error(node, format!("expected {expected}, found {}", found(node))),
        }
        None
    }

    /// Returns the place of a word among the keys.
    pub(crate) fn word(&self, node: &Node, what: &str, keys: &'static [Key]) -> Option<usize> {
        let accepted = || keys.iter().filter(|key| !matches!(key.status, Status::Never(_))).map(|key| key.name);
        let expected = if keys.len() <= FEW_WORDS { one_of(accepted()) } else { with_article(what) };
        let text = self.scalar(node, &expected)?;
        let Some(place) = keys.iter().position(|key| key.name == text) else {
            let hint = did_you_mean(text, accepted());
            let note = format!("one of {}; {}", one_of(accepted()), see(what));
            self.error_with_note(node, format!("unknown {what} `{text}`{hint}"), note);
            return None;
        };
        if let Status::Never(reason) = keys[place].status {
            self.error(node, reason);
            return None;
        }
        Some(place)
    }

    /// Reports a name that no node has.
    pub(crate) fn unknown_node(&self, node: &Node, name: &str) {
        self.unknown_node_at(&Place::of(node), name);
    }

    /// Reports a name at a place that no node has.
    pub(crate) fn unknown_node_at(&self, place: &Place, name: &str) {
        if let Some((of, _)) = name.split_once('#').filter(|(of, _)| self.outline.has_node(of)) {
            let message =
                format!("`{name}` is a connection; write the node, `{of}`, and `connection: {name}` beside it");
            return self.error_at(place, place.span, message, Some(see("a connection")));
        }
        let hint = did_you_mean(name, self.outline.names());
        let known: Vec<_> = self.outline.nodes.keys().map(String::as_str).collect();
        let note = (hint.is_empty() && known.len() <= FEW_NODES).then(|| format!("nodes: {}", known.join(", ")));
        self.error_at(place, place.span, format!("unknown node `{name}`{hint}"), note);
    }

    /// Reads each item of a list, or a value alone; those that are right.
    pub(crate) fn each<T>(&self, items: &[Node], read: impl Fn(&Node) -> Option<T>) -> Vec<T> {
        items.iter().filter_map(read).collect()
    }
}

/// Says where a second key belongs that stands beside the only key of a line.
fn place_of_second(what: &str, (first, value): &(Node, Node), word: &str) -> String {
    let first = first.text().unwrap_or_default();
    match what {
        "an expectation" | "an alternative" | "the line in `never`" | "the line in `should`"
            if super::expect::is_qualifier(word) =>
        {
            match super::expect::with_beside_the_verb(first, value, word) {
                Some(line) => format!("write it inside the braces, beside the verb: `{line}`"),
                None => format!("write it in each of the lines of `{first}`, beside the verb"),
            }
        }
        "a packet" | "a packet, `bytes` or `text_frame`" => {
            format!("fields stand in a map behind the packet: `{{ {first}: {{ …, {word}: … }} }}`")
        }
        "a change of the network" if super::step::is_of_link_fault(word) => {
            format!("the link then stands in a map, too: `{{ {first}: {{ link: …, {word}: … }} }}`")
        }
        "a step" if super::step::has_argument(first, word) => {
            format!("write it inside the braces: `{first}: {{ …, {word}: … }}`")
        }
        "an action" if !super::action::is_action(word) => {
            format!("arguments with names stand in a map: `{{ {first}: {{ …, {word}: … }} }}`")
        }
        _ => "make it a line of its own, or mind the indentation".to_owned(),
    }
}

/// A known key with a value behind it, where the colon or the space between them is missing.
fn glued<'a>(written: &str, mut names: impl Iterator<Item = &'a str>) -> Option<String> {
    let end = written.find([':', ' '])?;
    let (key, value) = (&written[..end], written[end..].trim_start_matches([':', ' ']));
    let missing =
        if written[end..].starts_with(':') { "space is missing behind the colon" } else { "colon is missing" };
    names.any(|name| name == key).then(|| format!("; a {missing}: `{key}: {value}`"))
}

/// A word for a kind of word with its article: `an answer`.
fn with_article(what: &str) -> String {
    match what.starts_with("a ") || what.starts_with("an ") || what.starts_with('`') || what == "connect" {
        true => what.to_owned(),
        false if what.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {what}"),
        false => format!("a {what}"),
    }
}

/// Returns what a node is, for `expected …, found …`.
pub(crate) fn found(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar(_) if node.is_null() => "nothing".to_owned(),
        NodeKind::Scalar(scalar) => format!("`{}`", scalar.text.escape_debug()),
        NodeKind::List(_) => "a list".to_owned(),
        NodeKind::Map(_) => "a map".to_owned(),
        NodeKind::Broken => "nothing".to_owned(),
    }
}
