//! The file as a tree in which every value knows where it stands.
//!
//! YAML's own types are left aside: a scalar is its text, and who reads it decides what it is. So `5.0` stays `5.0`.

mod build;
mod parts;
mod syntax;

use std::sync::Arc;

use self::build::{SourcePart, Stop, document};
use self::parts::{by_parts, tabs};
use self::syntax::report_syntax;
use super::error::{Diagnostics, Span};
use crate::plan::Position;

/// The name of a parameter and the line in which it was used.
pub(super) type Origin = (Arc<str>, u32);

/// A value of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Node {
    /// The place.
    pub(super) span: Span,
    /// The kind.
    pub(super) kind: NodeKind,
    /// The parameter that brought it here and the line in which that was used, if one did.
    pub(super) used_as: Option<Origin>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum NodeKind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// Something about which an error has been reported: nothing more is said about it.
    #[default]
    Broken,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) quoted: bool,
    /// Number of characters after that the start of the span the text begins, if it stands there letter by letter.
    pub(super) offset: Option<u32>,
}

impl Node {
    /// A text as it stands, without a place.
    pub(super) fn word(text: impl Into<String>) -> Self {
        Self::scalar(text, false)
    }

    /// A text that is never taken for nothing, without a place.
    pub(super) fn quoted(text: impl Into<String>) -> Self {
        Self::scalar(text, true)
    }

    fn scalar(text: impl Into<String>, quoted: bool) -> Self {
        let kind = NodeKind::Scalar(Scalar { text: text.into(), quoted, offset: None });
        Self { kind, ..Self::default() }
    }

    /// A list without a place.
    pub(super) fn list(items: impl IntoIterator<Item = Self>) -> Self {
        Self { kind: NodeKind::List(items.into_iter().collect()), ..Self::default() }
    }

    /// A map without a place.
    pub(super) fn map(entries: impl IntoIterator<Item = (Self, Self)>) -> Self {
        Self { kind: NodeKind::Map(entries.into_iter().collect()), ..Self::default() }
    }

    /// Returns whether both say the same, wherever they stand and however they are quoted.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (NodeKind::Scalar(a), NodeKind::Scalar(b)) => a.text == b.text && self.is_null() == other.is_null(),
            (NodeKind::List(a), NodeKind::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same(b))
            }
            (NodeKind::Map(a), NodeKind::Map(b)) => {
                let same = |((a, b), (c, d)): (&(Self, Self), &(Self, Self))| a.says_the_same(c) && b.says_the_same(d);
                a.len() == b.len() && a.iter().zip(b).all(same)
            }
            (NodeKind::Broken, NodeKind::Broken) => true,
            _ => false,
        }
    }

    /// Returns whether nothing was written: `key:` alone, or `~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar(scalar) if !scalar.quoted && matches!(scalar.text.as_str(), "" | "~" | "null"))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The entries of a map; of anything else none.
    pub(super) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            NodeKind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// The range of characters `from..to` of a scalar's text, or the whole where that is not known.
    pub(super) fn span_of(&self, from: usize, to: usize) -> Span {
        match &self.kind {
            NodeKind::Scalar(Scalar { offset: Some(offset), .. }) => {
                self.span.part(*offset as usize + from, *offset as usize + to)
            }
            _ => self.span,
        }
    }

    /// Returns the value in one line, as it would be written in flow style.
    pub(super) fn flow(&self) -> String {
        match &self.kind {
            NodeKind::Scalar(scalar) => scalar.text.replace('\n', "\\n"),
            NodeKind::List(items) => {
                format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", "))
            }
            NodeKind::Map(entries) if entries.is_empty() => "{}".to_owned(),
            NodeKind::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{}: {}", key.flow(), value.flow())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            NodeKind::Broken => "?".to_owned(),
        }
    }
}

/// Reads the one document of a file. Equal keys, aliases and tags are reported and the rest is read nevertheless;
/// `None` if there is nothing to read.
///
/// If it is no YAML as a whole, each part that begins with a key at the margin is read by itself: one that is wrong
/// is reported and broken, and the others can be read.
pub(super) fn parse(text: &str, file: u16, diagnostics: &Diagnostics) -> Option<Node> {
    let tabs = tabs(text, file, diagnostics);
    if tabs.is_empty() {
        match document(text, SourcePart { file, line: 0 }, diagnostics) {
            Ok(Some(node)) => return Some(node),
            Ok(None) => {
                let message = "the file is empty; a scenario has at least `steps` or `expect`";
                diagnostics.push(start_of(file), message, None);
                return None;
            }
            Err(Stop::Reported) => return None,
            Err(Stop::Syntax(error)) => {
                let before = diagnostics.len();
                let root = by_parts(text, file, &tabs, diagnostics);
                if diagnostics.len() == before {
                    report_syntax(text, &error, SourcePart { file, line: 0 }, diagnostics);
                    return None;
                }
                return root;
            }
        }
    }
    by_parts(text, file, &tabs, diagnostics)
}

/// The first character of a file.
fn start_of(file: u16) -> Span {
    let at = |column| Position { file, line: 1, column };
    Span { start: at(1), end: at(2) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Source;
    use proptest::prelude::*;

    fn read(text: &str) -> (Option<Node>, String) {
        let diagnostics =
            Diagnostics::new(Arc::new(Source { path: "a.yaml".into(), text: text.into(), ..Source::default() }));
        let node = parse(text, 0, &diagnostics);
        let errors = diagnostics.finish(()).err().map_or_else(String::new, |errors| errors.to_string());
        (node, errors)
    }

    #[test]
    fn every_value_knows_its_line_and_columns() {
        let (node, _) = read("a:\n  b: { c: 'd e', f: [1.5 * <k>] }\n");
        let root = node.unwrap();
        let inner = root.get("a").unwrap().get("b").unwrap();
        let at = |node: &Node| (node.span.start.line, node.span.start.column, node.span.end.column);
        assert_eq!(at(inner.get("c").unwrap()), (2, 11, 16));
        assert_eq!(inner.get("c").unwrap().span_of(2, 3).start.column, 14);
        let NodeKind::List(items) = &inner.get("f").unwrap().kind else { panic!("no list") };
        assert_eq!(at(&items[0]), (2, 22, 31));
        assert_eq!(items[0].span_of(6, 9).start.column, 28);
    }

    #[test]
    fn flow_is_one_line_whatever_was_written() {
        let (node, _) = read("a:\n  - b: c\n    d: []\n  - 5.0\n");
        assert_eq!(node.unwrap().flow(), "{ a: [{ b: c, d: [] }, 5.0] }");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in any::<String>()) {
            read(&text);
        }

        #[test]
        fn nothing_that_resembles_yaml_makes_it_panic(text in "[a-c:\\[\\]{},&*!|>'\"%@\\- \n#?~<]{0,200}") {
            read(&text);
        }
    }
}
