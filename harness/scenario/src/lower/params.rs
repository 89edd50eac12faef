//! Parameters: `<name>` and `<node.field>`, put in before anything is typed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::error::{Diagnostics, Span};
use crate::suggest::did_you_mean;
use crate::time;
use crate::tree::{Node, NodeKind, Scalar};

/// A name that holds for a while, and its value.
type Local = (&'static str, Rc<Node>);

/// The values that names stand for in one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Params {
    values: BTreeMap<String, Rc<Node>>,
    /// Values that hold only while something is lowered, the innermost last: `<i>` of a member, `<round>` of a
    /// repetition.
    locals: Rc<RefCell<Vec<Local>>>,
    /// Names whose definition is wrong: what hangs on them stays silent.
    broken: BTreeSet<String>,
    /// True if names may exist that cannot be known here; then unknown ones stay silent.
    pub(crate) open: bool,
    /// Fields of the nodes that are read already.
    fields: BTreeMap<String, BTreeMap<String, String>>,
    /// All nodes, read or not.
    nodes: BTreeSet<String>,
    /// The names that were used, in any run of the file.
    pub(crate) used: Rc<RefCell<BTreeSet<String>>>,
}

/// The parameter for the number of a member of a group.
pub(super) const MEMBER: &str = "i";

/// The parameter for the number of a repetition.
pub(super) const ROUND: &str = "round";

enum Found {
    Value(Rc<Node>),
    Text(String),
    Nothing,
}

impl Params {
    pub(crate) fn set(&mut self, name: &str, value: Node) {
        self.values.insert(name.to_owned(), Rc::new(value));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// Does something while a name has this value.
    pub(crate) fn with_local<T>(&self, name: &'static str, value: impl Into<String>, run: impl FnOnce() -> T) -> T {
        self.locals.borrow_mut().push((name, Rc::new(Node::word(value))));
        let result = run();
        self.locals.borrow_mut().pop();
        result
    }

    pub(crate) fn set_broken(&mut self, name: &str) {
        self.broken.insert(name.to_owned());
    }

    pub(crate) fn set_nodes(&mut self, names: impl IntoIterator<Item = String>) {
        self.nodes.extend(names);
    }

    /// Sets the fields of a node; `None` for a node that is wrong.
    pub(crate) fn set_fields(&mut self, node: &str, fields: Option<BTreeMap<String, String>>) {
        match fields {
            Some(fields) => drop(self.fields.insert(node.to_owned(), fields)),
            None => self.set_broken(node),
        }
    }

    /// The tree with all parameters in it filled in.
    pub(crate) fn substitute(&self, node: &Node, diagnostics: &Diagnostics) -> Node {
        let kind = match &node.kind {
            NodeKind::Scalar(scalar) => return self.scalar(node, scalar, diagnostics),
            NodeKind::List(items) => {
                NodeKind::List(items.iter().map(|item| self.substitute(item, diagnostics)).collect())
            }
            NodeKind::Map(entries) => NodeKind::Map(
                entries
                    .iter()
                    .map(|(key, value)| (self.substitute(key, diagnostics), self.substitute(value, diagnostics)))
                    .collect(),
            ),
            NodeKind::Broken => NodeKind::Broken,
        };
        Node { kind, ..node.clone_place() }
    }

    fn scalar(&self, node: &Node, scalar: &Scalar, diagnostics: &Diagnostics) -> Node {
        let references = references(&scalar.text);
        let [first, ..] = references.as_slice() else { return node.clone() };
        let broken = || Node { kind: NodeKind::Broken, ..node.clone_place() };
        let span = |reference: &Reference| node.span_of(reference.from, reference.to);
        if first.name.len() + 2 == scalar.text.len() && !scalar.quoted {
            return match self.find(&first.name, span(first), diagnostics) {
                Found::Value(value) => {
                    let used_as = Some((Arc::from(first.name.as_str()), node.span.start.line));
                    Node { used_as, ..Node::clone(&value) }
                }
                Found::Text(text) => scalar_node(node, text),
                Found::Nothing => broken(),
            };
        }
        let mut text = String::new();
        let mut end = 0;
        for reference in &references {
            let Some(value) = self.text(&reference.name, span(reference), diagnostics) else { return broken() };
            text.push_str(&scalar.text[end..reference.start]);
            text.push_str(&value);
            end = reference.end;
        }
        text.push_str(&scalar.text[end..]);
        scalar_node(node, text)
    }

    /// Returns the tree with the parameters filled in that have a value in the run; fields of nodes and the numbers of members
    /// and rounds stay parameters.
    pub(super) fn fill_known(&self, node: &Node) -> Node {
        let fill = |node: &Node| self.fill_known(node);
        let kind = match &node.kind {
            NodeKind::Scalar(scalar) => return self.fill_scalar(node, scalar),
            NodeKind::List(items) => NodeKind::List(items.iter().map(fill).collect()),
            NodeKind::Map(entries) => {
                NodeKind::Map(entries.iter().map(|(key, value)| (fill(key), fill(value))).collect())
            }
            NodeKind::Broken => NodeKind::Broken,
        };
        Node { kind, ..node.clone_place() }
    }

    fn fill_scalar(&self, node: &Node, scalar: &Scalar) -> Node {
        let references = references(&scalar.text);
        if let [only] = references.as_slice()
            && only.end - only.start == scalar.text.len()
            && !scalar.quoted
            && let Some(value) = self.values.get(&only.name)
        {
            return Node::clone(value);
        }
        let (mut text, mut end) = (String::new(), 0);
        for reference in &references {
            let value = self.values.get(&reference.name).and_then(|value| value.text());
            let Some(value) = value else { continue };
            text.push_str(&scalar.text[end..reference.start]);
            text.push_str(&bracketed(value));
            end = reference.end;
        }
        text.push_str(&scalar.text[end..]);
        if end == 0 { node.clone() } else { scalar_node(node, text) }
    }

    /// Returns what stands for a parameter at a span inside of a text; nothing if it is wrong, which is reported.
    pub(crate) fn text(&self, name: &str, span: Span, diagnostics: &Diagnostics) -> Option<String> {
        match self.find(name, span, diagnostics) {
            Found::Value(value) => match value.text() {
                Some(text) => Some(bracketed(text)),
                None if value.kind == NodeKind::Broken => None,
                None => {
                    let message = format!("`<{name}>` is a list or a map here, which cannot stand inside a text");
                    diagnostics.push(span, message, None);
                    None
                }
            },
            Found::Text(text) => Some(text),
            Found::Nothing => None,
        }
    }

    fn find(&self, name: &str, span: Span, diagnostics: &Diagnostics) -> Found {
        let fail = |message: String| {
            diagnostics.push(span, message, None);
            Found::Nothing
        };
        let Some((owner, field)) = name.rsplit_once('.') else {
            if let Some((_, value)) = self.locals.borrow().iter().rev().find(|(local, _)| *local == name) {
                return Found::Value(value.clone());
            }
            self.used.borrow_mut().insert(name.to_owned());
            return match self.values.get(name) {
                Some(value) => Found::Value(value.clone()),
                None if self.open || self.broken.contains(name) => Found::Nothing,
                None if name == MEMBER => fail(
                    "`<i>` is the number of a member; it is known in the declaration of a node with `count`, and in \
                     actions and expectations of such a group"
                        .into(),
                ),
                None if name == ROUND => fail(
                    "`<round>` is the number of a repetition; it is known in the steps of `repeat`, `every` and \
                     `whenever`"
                        .into(),
                ),
                None => {
                    let hint = did_you_mean(name, self.values.keys().map(String::as_str));
                    fail(format!("unknown parameter `<{name}>`{hint}"))
                }
            };
        };
        match self.fields.get(owner) {
            Some(fields) => match fields.get(field) {
                Some(value) => Found::Text(value.clone()),
                None => {
                    let hint = did_you_mean(field, fields.keys().map(String::as_str));
                    let known = fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    let note = hint.is_empty().then(|| format!("known: {known}"));
                    diagnostics.push(span, format!("`{owner}` has no field `{field}` to refer to{hint}"), note);
                    Found::Nothing
                }
            },
            None if self.open || self.broken.contains(owner) => Found::Nothing,
            None if self.nodes.contains(owner) => {
                fail(format!("`<{name}>` is not known yet: only what stands above, brokers first, can be referred to"))
            }
            None => {
                let hint = did_you_mean(owner, self.nodes.iter().map(String::as_str));
                fail(format!("unknown node `{owner}` in `<{name}>`{hint}"))
            }
        }
    }
}

impl Node {
    /// A node of the same place without a value yet.
    fn clone_place(&self) -> Self {
        Self { span: self.span, kind: NodeKind::Broken, used_as: self.used_as.clone() }
    }
}

fn scalar_node(node: &Node, text: String) -> Node {
    let quoted = matches!(&node.kind, NodeKind::Scalar(scalar) if scalar.quoted);
    Node { kind: NodeKind::Scalar(Scalar { text, quoted, offset: None }), ..node.clone_place() }
}

/// A duration that is computed from several stands in another one as if in brackets.
fn bracketed(text: &str) -> String {
    let composite = text.contains([' ', '+', '-', '*', '/']);
    if composite && time::quantity(text).is_ok() { format!("({text})") } else { text.to_owned() }
}

/// A value with its parameters filled in, and computed where it is a duration that must be.
pub(crate) fn computed(node: Node) -> Node {
    let Some(text) = node.text() else { return node };
    if !text.contains([' ', '+', '-', '*', '/', '(']) {
        return node;
    }
    match time::duration(text) {
        Ok(duration) => scalar_node(&node, time::format(duration)),
        Err(_) => node,
    }
}

/// Returns whether parameters stand in a text, or in a key of a map.
pub(crate) fn has_parameters(node: &Node) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => !references(&scalar.text).is_empty(),
        NodeKind::Map(entries) => {
            entries.iter().any(|(key, _)| matches!(key.kind, NodeKind::Scalar(_)) && has_parameters(key))
        }
        NodeKind::List(_) | NodeKind::Broken => false,
    }
}

/// Returns whether a parameter stands anywhere in a tree, but below keys with one of these names.
pub(super) fn mentions(node: &Node, parameter: &str, but_below: &[&str]) -> bool {
    match &node.kind {
        NodeKind::Scalar(scalar) => references(&scalar.text).iter().any(|reference| reference.name == parameter),
        NodeKind::List(items) => items.iter().any(|item| mentions(item, parameter, but_below)),
        NodeKind::Map(entries) => entries.iter().any(|(key, value)| {
            !key.text().is_some_and(|key| but_below.contains(&key))
                && (mentions(key, parameter, but_below) || mentions(value, parameter, but_below))
        }),
        NodeKind::Broken => false,
    }
}

/// Returns whether a text can be the name of a parameter, or a node and a field of it.
pub(crate) fn is_parameter_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// `<name>` in a text: its bytes `start..end`, its characters `from..to`.
struct Reference {
    name: String,
    start: usize,
    end: usize,
    from: usize,
    to: usize,
}

fn references(text: &str) -> Vec<Reference> {
    let mut found = Vec::new();
    let mut rest = 0;
    while let Some(start) = text[rest..].find('<').map(|index| index + rest) {
        rest = start + 1;
        let Some(length) = text[rest..].find(|c: char| !(c.is_ascii_alphanumeric() || "_-.".contains(c))) else {
            break;
        };
        let name = &text[rest..rest + length];
        if is_parameter_name(name) && text[rest + length..].starts_with('>') {
            let end = rest + length + 1;
            let from = text[..start].chars().count();
            found.push(Reference { name: name.to_owned(), start, end, from, to: from + length + 2 });
            rest = end;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("1.5 * <keep_alive>", &["keep_alive"])]
    #[case("<a><b.c>", &["a", "b.c"])]
    #[case("a <-> b", &[])]
    #[case("a < b > c <", &[])]
    #[case("<5> <x", &[])]
    #[case("<fleet.1.keep_alive>", &["fleet.1.keep_alive"])]
    fn references_are_names_between_angle_brackets(#[case] text: &str, #[case] names: &[&str]) {
        let found: Vec<_> = references(text).into_iter().map(|reference| reference.name).collect();
        assert_eq!(found, names);
    }

    #[rstest]
    #[case("30s - 1ms", "(30s - 1ms)")]
    #[case("5s", "5s")]
    #[case("a - b", "a - b")]
    fn only_a_computed_duration_gets_brackets(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(bracketed(text), expected);
    }
}
