//! The file as a tree in which every value knows where it stands.
//!
//! YAML's own types are left aside: a scalar is its text, and who reads it decides what it is. So `5.0` stays `5.0`.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::error::{Sink, Span};
use crate::plan::Position;

/// How deep lists and maps may be nested.
const MAX_DEPTH: usize = 64;

/// From how many bytes on a line is not read by people.
const LONG_LINE: usize = 4_096;

/// How many keys at the margin a file that is no YAML may have for its parts to be read one by one.
const MAX_PARTS: usize = 200;

/// A value of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// Where it stands.
    pub(super) span: Span,
    /// What it is.
    pub(super) kind: Kind,
    /// The parameter that brought it here and the line in which that was used, if one did.
    pub(super) used_as: Option<(Rc<str>, u32)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
    /// Something about which an error has been reported: nothing more is said about it.
    Broken,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    pub(super) text: String,
    pub(super) quoted: bool,
    /// How many characters after the start of the span the text begins, if it stands there letter by letter.
    pub(super) offset: Option<u32>,
}

impl Node {
    /// Whether nothing was written: `key:` alone, or `~`.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(scalar) if !scalar.quoted && matches!(scalar.text.as_str(), "" | "~" | "null"))
    }

    /// The text of a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// The entries of a map; of anything else none.
    pub(super) fn entries(&self) -> &[(Self, Self)] {
        match &self.kind {
            Kind::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a key of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key.text() == Some(name)).map(|(_, value)| value)
    }

    /// The range of characters `from..to` of a scalar's text, or the whole where that is not known.
    pub(super) fn span_of(&self, from: usize, to: usize) -> Span {
        let Kind::Scalar(Scalar { offset: Some(offset), .. }) = &self.kind else { return self.span };
        let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(to)) else { return self.span };
        let start = self.span.start;
        let at = |index| Position { column: start.column + offset + index, ..start };
        Span { start: at(from), end: at(to) }
    }

    /// In one line, as it would be written in flow style.
    pub(super) fn flow(&self) -> String {
        match &self.kind {
            Kind::Scalar(scalar) => scalar.text.replace('\n', "\\n"),
            Kind::List(items) => {
                format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", "))
            }
            Kind::Map(entries) if entries.is_empty() => "{}".to_owned(),
            Kind::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|(key, value)| format!("{}: {}", key.flow(), value.flow())).collect();
                format!("{{ {} }}", entries.join(", "))
            }
            Kind::Broken => "?".to_owned(),
        }
    }
}

/// Reads the one document of a file. Equal keys, aliases and tags are reported and the rest is read nevertheless;
/// `None` if there is nothing to read.
///
/// If it is no YAML as a whole, each part that begins with a key at the margin is read by itself: one that is wrong
/// is reported and broken, and the others can be read.
pub(super) fn parse(text: &str, file: u16, sink: &Sink) -> Option<Node> {
    let tabs = tabs(text, file, sink);
    if tabs.is_empty() {
        match document(text, Place { file, line: 0 }, sink) {
            Ok(Some(node)) => return Some(node),
            Ok(None) => {
                let message = "the file is empty; a scenario has at least `steps` or `expect`";
                sink.push(start_of(file), message, None);
                return None;
            }
            Err(Stop::Reported) => return None,
            Err(Stop::Syntax(error)) => {
                let before = sink.len();
                let root = by_parts(text, file, &tabs, sink);
                if sink.len() == before {
                    report_syntax(text, &error, Place { file, line: 0 }, sink);
                    return None;
                }
                return root;
            }
        }
    }
    by_parts(text, file, &tabs, sink)
}

/// The file as parts, each a key at the margin with all that belongs to it.
fn by_parts(text: &str, file: u16, tabs: &BTreeSet<u32>, sink: &Sink) -> Option<Node> {
    let parts = parts(text);
    if parts.len() > MAX_PARTS {
        return None;
    }
    let mut entries: Vec<(Node, Node)> = Vec::new();
    for part in parts {
        let lines = part.first_line + 1..=part.first_line + part.lines;
        let read = match tabs.range(lines).next() {
            Some(_) => None,
            None => match document(part.text, Place { file, line: part.first_line }, sink) {
                Ok(read) => read,
                Err(Stop::Reported) => None,
                Err(Stop::Syntax(error)) => {
                    report_syntax(part.text, &error, Place { file, line: part.first_line }, sink);
                    None
                }
            },
        };
        match read.map(|node| node.kind) {
            Some(Kind::Map(read)) => {
                for (key, value) in read {
                    match entries.iter().find(|(earlier, _)| earlier.text() == key.text()) {
                        Some((earlier, _)) => report_twice(earlier, &key, sink),
                        None => entries.push((key, value)),
                    }
                }
            }
            _ => entries.extend(part.key.map(|key| broken_entry(key, file, part.first_line + 1))),
        }
    }
    Some(Node { span: start_of(file), kind: Kind::Map(entries), used_as: None })
}

/// A part of a file, from a key at the margin to before the next.
struct Part<'a> {
    key: Option<&'a str>,
    text: &'a str,
    /// How many lines stand before it.
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
    (node(Kind::Scalar(scalar)), node(Kind::Broken))
}

fn document(text: &str, place: Place, sink: &Sink) -> Result<Option<Node>, Stop> {
    Builder { parser: Parser::new_from_str(text), lines: text.lines().collect(), place, sink }.document()
}

fn report_twice(earlier: &Node, key: &Node, sink: &Sink) {
    let text = key.text().unwrap_or_default();
    let line = earlier.span.start.line;
    sink.push(key.span, format!("the key `{text}` stands here twice, first in line {line}"), None);
}

/// The first character of a file.
fn start_of(file: u16) -> Span {
    let at = |column| Position { file, line: 1, column };
    Span { start: at(1), end: at(2) }
}

/// The lines that are indented with tabs; reported.
fn tabs(text: &str, file: u16, sink: &Sink) -> BTreeSet<u32> {
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
            sink.push(span, "a tab in the indentation; YAML indents with spaces", None);
            lines.insert(line);
        }
    }
    lines
}

fn report_syntax(text: &str, error: &ScanError, place: Place, sink: &Sink) {
    let mut start = place.position(error.marker());
    let mut hint = None;
    if let Some((sign, line, column)) = unclosed(text).filter(|_| error.info().contains("flow")) {
        let at = Position { file: place.file, line: line + place.line, column };
        // Where a bracket is missing the text ends, or goes on with something else: what matters is which one it is.
        hint = Some(format!("this `{sign}` is not closed"));
        start = at;
    }
    let end = Position { column: start.column + 1, ..start };
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
    let hint = if hint.is_some() {
        hint
    } else if text.lines().any(|line| line.contains("${")) {
        Some("a parameter is written `<k>`; `${k}` is a map to YAML".to_owned())
    } else {
        what_may_help(error, line).map(str::to_owned)
    };
    sink.push(Span { start, end }, format!("this is no YAML: {}", error.info()), hint);
}

/// What its author may have meant, as far as the parser's complaint tells.
fn what_may_help(error: &ScanError, line: &str) -> Option<&'static str> {
    let (info, column) = (error.info(), error.marker().col());
    let rest: String = line.chars().skip(column).collect();
    let before: String = line.chars().take(column).collect();
    Some(match info {
        _ if rest.starts_with(['%', '@', '`']) => "quote a text that begins with this character",
        _ if info.contains("unknown anchor") => "quote a text that begins with `*`",
        _ if info.contains("valid YAML whitespace") && before.ends_with('\t') => "a tab; YAML wants a space here",
        _ if info.contains("mapping values are not allowed") && before.contains(": ") => {
            "quote a text that has a `: ` in it"
        }
        _ if info.contains("mapping values are not allowed") => "is a `:` missing in the line before?",
        _ if info.contains("expected '-' indicator") => "is a `- ` missing here? Each item of a list begins with it",
        _ if info.contains("expected key") => "is it indented as far as the lines that it belongs to?",
        _ if info.contains("unexpected end of stream") => "this quote is not closed",
        _ if info.contains("misplaced bracket") => "nothing is open here; is it one bracket too many?",
        _ if info.contains("expected node content") => "quote a text that begins with `#` or `-`, or has a ` #` in it",
        _ => return None,
    })
}

/// The innermost bracket that is open at the end of a text, with its line and column.
fn unclosed(text: &str) -> Option<(char, u32, u32)> {
    let mut open = Vec::new();
    for (line, content) in (1..).zip(text.lines()) {
        let mut quote = None;
        let mut before = ' ';
        for (column, c) in (1..).zip(content.chars()) {
            match quote {
                Some(end) if c == end => quote = None,
                Some(_) => {}
                None if c == '#' && before.is_whitespace() => break,
                None if matches!(c, '\'' | '"') && matches!(before, ' ' | '[' | '{' | ',') => quote = Some(c),
                None if matches!(c, '[' | '{') => open.push((c, line, column)),
                None if matches!(c, ']' | '}') => drop(open.pop()),
                None => {}
            }
            before = c;
        }
    }
    open.pop()
}

enum Stop {
    Syntax(ScanError),
    Reported,
}

/// Which file is read, and how many of its lines stand before what is read.
#[derive(Clone, Copy)]
struct Place {
    file: u16,
    line: u32,
}

impl Place {
    fn position(self, marker: &Marker) -> Position {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let line = number(marker.line()).max(1).saturating_add(self.line);
        Position { file: self.file, line, column: number(marker.col()).saturating_add(1) }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Vec<&'a str>,
    place: Place,
    sink: &'a Sink,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next() {
            Some(Ok((event, span))) => {
                let span = Span { start: self.place.position(&span.start), end: self.place.position(&span.end) };
                Ok((event, span))
            }
            Some(Err(error)) => Err(Stop::Syntax(error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Result<Option<Node>, Stop> {
        let mut document = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, _) => return Ok(document),
                (Event::DocumentStart(_), span) => {
                    if document.is_some() {
                        self.sink.push(span, "a second document in one file; a file is one scenario", None);
                        return Err(Stop::Reported);
                    }
                    let (event, span) = self.next()?;
                    let node = self.node(event, span, 0)?;
                    // What holds nothing but comments reads as an empty document or as none.
                    document = (!node.is_null()).then_some(node);
                }
                _ => {}
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Stop> {
        if depth > MAX_DEPTH {
            self.sink.push(span, format!("nested more than {MAX_DEPTH} deep"), None);
            return Err(Stop::Reported);
        }
        let kind = match event {
            Event::Alias(_) => {
                self.sink.push(span, "an alias; a scenario names a value in `let` and uses it as `<name>`", None);
                Kind::Broken
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                let span = if style == ScalarStyle::Plain { span } else { self.without_space(span) };
                return Ok(Node { span, kind: Kind::Scalar(scalar(&text, style, span)), used_as: None });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                return self.list(span, depth);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                return self.map(span, depth);
            }
            _ => Kind::Broken,
        };
        Ok(Node { span, kind, used_as: None })
    }

    /// The parser takes the space behind a quoted text for a part of it. Lines that nobody reads are not searched.
    fn without_space(&self, span: Span) -> Span {
        let line = span.end.line.checked_sub(self.place.line + 1);
        let line = line.and_then(|line| self.lines.get(line as usize)).copied().unwrap_or_default();
        if line.len() > LONG_LINE {
            return span;
        }
        let columns = span.end.column.saturating_sub(1) as usize;
        let text: String = line.chars().take(columns).collect();
        let space = text.chars().count() - text.trim_end().chars().count();
        let column = span.end.column.saturating_sub(u32::try_from(space).unwrap_or(0));
        if span.start.line == span.end.line && column <= span.start.column {
            return span;
        }
        Span { end: Position { column, ..span.end }, ..span }
    }

    fn refuse(&self, span: Span, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.sink.push(span, "an anchor; a scenario names a value in `let` and uses it as `<name>`", None);
        }
        if tagged {
            self.sink.push(span, "a YAML tag; a scenario has none", None);
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = Span { start: start.start, end: end.end };
                    return Ok(Node { span, kind: Kind::List(items), used_as: None });
                }
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                // A block map has no bracket of its own: it begins with its first key.
                let begin = entries.first().map_or(start.start, |(key, _)| start.start.min(key.span.start));
                let span = Span { start: begin, end: span.end };
                return Ok(Node { span, kind: Kind::Map(entries), used_as: None });
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(text) = key.text() else {
                if key.kind != Kind::Broken {
                    self.sink.push(key.span, "a key must be a word, not a list or a map", None);
                }
                continue;
            };
            match places.get(text) {
                Some(place) => report_twice(&entries[*place].0, &key, self.sink),
                None => {
                    places.insert(text.to_owned(), entries.len());
                    entries.push((key, value));
                }
            }
        }
    }
}

fn scalar(text: &str, style: ScalarStyle, span: Span) -> Scalar {
    let quoted = style != ScalarStyle::Plain;
    let characters = text.chars().count() as u64;
    let one_line = span.start.line == span.end.line;
    let width = u64::from(span.end.column.saturating_sub(span.start.column));
    let offset = match style {
        ScalarStyle::Plain if one_line && width == characters => Some(0),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted if one_line && width == characters + 2 => Some(1),
        _ => None,
    };
    Scalar { text: text.to_owned(), quoted, offset }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Source;
    use proptest::prelude::*;

    fn read(text: &str) -> (Option<Node>, String) {
        let sink = Sink::new(Rc::new(Source { path: "a.yaml".into(), text: text.into() }));
        let node = parse(text, 0, &sink);
        let errors = sink.finish(()).err().map_or_else(String::new, |errors| errors.to_string());
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
        let Kind::List(items) = &inner.get("f").unwrap().kind else { panic!("no list") };
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
