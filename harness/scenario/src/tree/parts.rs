//! A file that is no YAML as a whole, read part by part.

use std::collections::BTreeSet;

use super::build::{SourcePart, Stop, document, report_twice};
use super::syntax::report_syntax;
use super::{Node, NodeKind, Scalar, start_of};
use crate::error::{Diagnostics, Span};
use crate::plan::Position;

/// Number of keys that at the margin a file that is no YAML may have for its parts to be read one by one.
const MAX_PARTS: usize = 200;

/// The file as parts, each a key at the margin with all that belongs to it.
pub(super) fn by_parts(text: &str, file: u16, tabs: &BTreeSet<u32>, diagnostics: &Diagnostics) -> Option<Node> {
    let parts = parts(text);
    if parts.len() > MAX_PARTS {
        return None;
    }
    let mut entries: Vec<(Node, Node)> = Vec::new();
    for part in parts {
        let lines = part.first_line + 1..=part.first_line + part.lines;
        let read = match tabs.range(lines).next() {
            Some(_) => None,
            None => match document(part.text, SourcePart { file, line: part.first_line }, diagnostics) {
                Ok(read) => read,
                Err(Stop::Reported) => None,
                Err(Stop::Syntax(error)) => {
                    report_syntax(part.text, &error, SourcePart { file, line: part.first_line }, diagnostics);
                    None
                }
            },
        };
        match read.map(|node| node.kind) {
            Some(NodeKind::Map(read)) => {
                for (key, value) in read {
                    match entries.iter().find(|(earlier, _)| earlier.text() == key.text()) {
                        Some((earlier, _)) => report_twice(earlier, &key, diagnostics),
                        None => entries.push((key, value)),
                    }
                }
            }
            _ => entries.extend(part.key.map(|key| broken_entry(key, file, part.first_line + 1))),
        }
    }
    Some(Node { span: start_of(file), kind: NodeKind::Map(entries), used_as: None })
}

/// A part of a file, from a key at the margin to before the next.
struct Part<'a> {
    key: Option<&'a str>,
    text: &'a str,
    /// Number of lines that stand before it.
    first_line: u32,
    lines: u32,
}

fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts: Vec<Part<'_>> = Vec::new();
    let (mut start, mut first_line, mut key) = (0, 0, None);
    let (mut offset, mut number) = (0, 0);
    for line in text.split_inclusive('\n') {
        if let Some(name) = margin_key(line) {
            if key.is_some() || !is_comment(&text[start..offset]) {
                parts.push(Part { key, text: &text[start..offset], first_line, lines: number - first_line });
            }
            (start, first_line, key) = (offset, number, Some(name));
        }
        offset += line.len();
        number += 1;
    }
    if key.is_some() || !is_comment(&text[start..]) {
        parts.push(Part { key, text: &text[start..], first_line, lines: number - first_line });
    }
    parts
}

fn is_comment(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

/// The key that a line begins with, if that is a word at the margin.
fn margin_key(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let is_word = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    (is_word && (rest.is_empty() || rest.starts_with([' ', '\n', '\r']))).then_some(name)
}

fn broken_entry(key: &str, file: u16, line: u32) -> (Node, Node) {
    let at = |column| Position { file, line, column };
    let width = u32::try_from(key.len()).unwrap_or(0);
    let span = Span { start: at(1), end: at(1 + width) };
    let scalar = Scalar { text: key.to_owned(), quoted: false, offset: Some(0) };
    let node = |kind| Node { span, kind, used_as: None };
    (node(NodeKind::Scalar(scalar)), node(NodeKind::Broken))
}

/// The lines that are indented with tabs; reported.
pub(super) fn tabs(text: &str, file: u16, diagnostics: &Diagnostics) -> BTreeSet<u32> {
    let mut lines = BTreeSet::new();
    for (line, content) in (1..).zip(text.lines()) {
        let indentation = content.len() - content.trim_start().len();
        // A line of nothing but space is none to YAML.
        if indentation == content.len() {
            continue;
        }
        if let Some(column) = content[..indentation].chars().position(|c| c == '\t').and_then(|c| u32::try_from(c).ok())
        {
            let at = |column| Position { file, line, column };
            let span = Span { start: at(column + 1), end: at(column + 2) };
            diagnostics.push(span, "a tab in the indentation; YAML indents with spaces", None);
            lines.insert(line);
        }
    }
    lines
}
