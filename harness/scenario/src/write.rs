//! From typed values back to YAML: a file as a person would have written it.
//!
//! Values stand on one line in flow style as long as that is no wider than [`WIDTH`]; what is longer is spread over
//! lines. The story, the expectations and the rows of a table have a line each.

use std::collections::BTreeMap;

use crate::ast::{File, Fill, Map, Place};
use crate::tree::{Node, NodeKind, Scalar};

/// Maximum width of a line, in characters; a single text that is longer cannot be broken.
pub const WIDTH: usize = 120;

/// The column at which comments behind short lines begin.
const COMMENT_COLUMN: usize = 64;

/// The order of the keys of a file.
const ORDER: [&str; 26] = [
    "grammar",
    "about",
    "tags",
    "clauses",
    "reports",
    "mqtt",
    "requires",
    "only_on",
    "include",
    "let",
    "matrix",
    "pairs",
    "table",
    "seeds",
    "exclude",
    "waive",
    "network",
    "brokers",
    "raw_brokers",
    "clients",
    "raw_clients",
    "links",
    "tolerance",
    "steps",
    "until",
    "expect",
];

/// The keys that define parameters. Their order has a meaning: a value may use the names above it.
const PARAMETERS: [&str; 4] = ["let", "matrix", "pairs", "table"];

/// The keys whose values are a list with a line for each item.
const LINES: [&str; 3] = ["table", "steps", "expect"];

/// Comments to be written beside the values of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comments {
    /// Lines at the top of the file.
    pub head: Vec<String>,
    /// Comments on keys of the file, by name.
    pub keys: BTreeMap<String, String>,
    /// Comments on nodes, by name.
    pub nodes: BTreeMap<String, String>,
    /// Comments on steps, by their place in the script, from 0.
    pub steps: BTreeMap<usize, String>,
    /// Comments on expectations, by their place in the list, from 0.
    pub expectations: BTreeMap<usize, String>,
}

impl File {
    /// Returns the file as YAML: text that, when it is read, gives these values again.
    pub fn to_yaml(&self, comments: &Comments) -> String {
        to_yaml(self.entries(Fill::default()), comments)
    }
}

/// Writes the keys of a file with their values in the usual order.
pub(crate) fn to_yaml(mut entries: Vec<(&'static str, Place, Node)>, comments: &Comments) -> String {
    let mut writer = Writer { out: String::new(), comments };
    for line in comments.head.iter().flat_map(|text| text.lines()) {
        writer.out.push_str(format!("# {line}").trim_end());
        writer.out.push('\n');
    }
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    // Those that define parameters stay in the order in which they are there.
    entries.sort_by_key(|(name, key, _)| {
        let first = if PARAMETERS.contains(name) { place("let") } else { place(name) };
        (first, if PARAMETERS.contains(name) { key.span.start } else { Default::default() }, place(name))
    });
    for (name, _, value) in &entries {
        writer.key(name, value);
    }
    writer.out
}

struct Writer<'a> {
    out: String,
    comments: &'a Comments,
}

impl Writer<'_> {
    /// A key of the file with its value.
    fn key(&mut self, name: &str, value: &Node) {
        let comments = self.comments;
        let comment = comments.keys.get(name);
        match &value.kind {
            NodeKind::List(items) if LINES.contains(&name) && !items.is_empty() => {
                self.line(0, &format!("{name}:"), comment);
                for (place, item) in items.iter().enumerate() {
                    let comment = match name {
                        "steps" => comments.steps.get(&place),
                        "expect" => comments.expectations.get(&place),
                        _ => None,
                    };
                    self.value(2, "- ", item, comment);
                }
            }
            NodeKind::Map(nodes) if nodes.iter().any(|(node, _)| self.of_node(node).is_some()) => {
                self.line(0, &format!("{name}:"), comment);
                for (node, value) in nodes {
                    self.value(2, &format!("{}: ", scalar(node, false)), value, comments.nodes.get(&node.flow()));
                }
            }
            _ => self.value(0, &format!("{name}: "), value, comment),
        }
    }

    fn of_node(&self, name: &Node) -> Option<&String> {
        self.comments.nodes.get(name.text()?)
    }

    /// A line, and the comment behind it or, where there is no room, above it.
    fn line(&mut self, indent: usize, text: &str, comment: Option<&String>) {
        let space = " ".repeat(indent);
        let line = format!("{space}{text}");
        let width = line.trim_end().chars().count();
        match comment.filter(|comment| !comment.is_empty()) {
            None => self.out.push_str(line.trim_end()),
            Some(comment) if !comment.contains('\n') => {
                let gap = COMMENT_COLUMN.saturating_sub(width).max(2);
                match width + gap + 2 + comment.chars().count() <= WIDTH {
                    true => self.out.push_str(&format!("{}{}# {comment}", line.trim_end(), " ".repeat(gap))),
                    false => self.out.push_str(&format!("{space}# {comment}\n{}", line.trim_end())),
                }
            }
            Some(comment) => {
                comment.lines().for_each(|line| self.out.push_str(&format!("{space}# {line}\n")));
                self.out.push_str(line.trim_end());
            }
        }
        self.out.push('\n');
    }

    /// A value behind its dash, its key or both: on this line if it fits, otherwise on lines of its own.
    fn value(&mut self, indent: usize, before: &str, value: &Node, comment: Option<&String>) {
        let is_item = before == "- ";
        // What belongs to a key stands farther right than it, also where the key stands behind a dash.
        let inner = indent + if before.starts_with("- ") && !is_item { 4 } else { 2 };
        let text = format!("{before}{}", flow(value, false));
        let fits = indent + text.chars().count() <= WIDTH;
        match &value.kind {
            NodeKind::Map(entries) if is_item && (entries.len() == 1 || !fits && !entries.is_empty()) => {
                for (place, (key, value)) in entries.iter().enumerate() {
                    let key = format!("{}: ", scalar(key, false));
                    match place {
                        0 => self.value(indent, &format!("- {key}"), value, comment),
                        _ => self.value(inner, &key, value, None),
                    }
                }
            }
            NodeKind::Map(entries) if !fits && !entries.is_empty() => {
                self.line(indent, before, comment);
                for (key, value) in entries {
                    self.value(inner, &format!("{}: ", scalar(key, false)), value, None);
                }
            }
            NodeKind::List(items) if !fits && !items.is_empty() => {
                self.line(indent, before, comment);
                items.iter().for_each(|item| self.value(inner, "- ", item, None));
            }
            _ => self.line(indent, &text, comment),
        }
    }
}

/// A value on one line; `is_inside` of brackets.
fn flow(node: &Node, is_inside: bool) -> String {
    match &node.kind {
        NodeKind::Scalar(_) => scalar(node, is_inside),
        NodeKind::List(items) => {
            format!("[{}]", items.iter().map(|item| flow(item, true)).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Map(entries) if entries.is_empty() => "{}".to_owned(),
        NodeKind::Map(entries) => {
            let entry = |(key, value): &(Node, Node)| format!("{}: {}", scalar(key, true), flow(value, true));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        NodeKind::Broken => "~".to_owned(),
    }
}

/// A text, in quotes if it would be something else without them.
fn scalar(node: &Node, is_inside: bool) -> String {
    let NodeKind::Scalar(Scalar { text, quoted, .. }) = &node.kind else { return flow(node, is_inside) };
    let is_null = matches!(text.as_str(), "" | "~" | "null");
    if is_null && !quoted {
        return "~".to_owned();
    }
    // In quotes a parameter is filled in as text, and its value may be no list or map.
    let is_quoted_parameter = *quoted && text.starts_with('<') && text.ends_with('>');
    if !is_null && !is_quoted_parameter && is_plain(text, is_inside) {
        return text.clone();
    }
    if text.chars().any(|c| c.is_control() || c == '\u{feff}' || c == '\u{2028}' || c == '\u{2029}') {
        return escaped(text);
    }
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns whether a text can stand without quotes.
fn is_plain(text: &str, is_inside: bool) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second = text.chars().nth(1).unwrap_or(' ');
    let begins_well = match first {
        '-' | '?' | ':' => !second.is_whitespace() && (!is_inside || !",[]{}".contains(second)),
        ',' | '[' | ']' | '{' | '}' | '#' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => false,
        first => !first.is_whitespace(),
    };
    begins_well
        && !text.ends_with([' ', ':'])
        && !text.starts_with("---")
        && !text.starts_with("...")
        && !text.contains(": ")
        && !text.contains(" #")
        && !text
            .chars()
            .any(|c| c.is_control() || c == '\u{feff}' || c == '\u{2028}' || c == '\u{2029}' || c == '\u{a0}')
        && !(is_inside && text.contains([',', '[', ']', '{', '}']))
}

fn escaped(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 || (0x7f..0xa0).contains(&u32::from(c)) => {
                out.push_str(&format!("\\x{:02x}", u32::from(c)));
            }
            '\u{feff}' | '\u{2028}' | '\u{2029}' => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
