//! The file as a tree in which every value knows where it stands.
//!
//! YAML's own types are left aside: a scalar is its text, and who reads it decides what it is. So `5.0` stays `5.0`.

use std::rc::Rc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::error::{Sink, Span};
use crate::plan::Position;

/// How deep lists and maps may be nested.
const MAX_DEPTH: usize = 64;

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
        let Position { line, column } = self.span.start;
        let at = |index| Position { line, column: column + offset + index };
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
/// `None` if it is no YAML, or none that ends.
pub(super) fn parse(text: &str, sink: &Sink) -> Option<Node> {
    if !indentation_is_spaces(text, sink) {
        return None;
    }
    let mut builder = Builder { parser: Parser::new_from_str(text), sink };
    let node = match builder.document() {
        Ok(node) => node,
        Err(Stop::Syntax(error)) => {
            report_syntax(text, &error, sink);
            return None;
        }
        Err(Stop::Reported) => return None,
    };
    if node.is_none() {
        sink.push(Span::default_start(), "the file is empty; a scenario has at least `steps` or `expect`", None);
    }
    node
}

impl Span {
    /// The first character of a file.
    pub(super) fn default_start() -> Self {
        Self { start: Position { line: 1, column: 1 }, end: Position { line: 1, column: 2 } }
    }
}

fn indentation_is_spaces(text: &str, sink: &Sink) -> bool {
    let before = sink.len();
    for (number, line) in (1..).zip(text.lines()) {
        let indentation = line.len() - line.trim_start().len();
        if let Some(column) = line[..indentation].chars().position(|c| c == '\t').and_then(|c| u32::try_from(c).ok()) {
            let at = |column| Position { line: number, column };
            let span = Span { start: at(column + 1), end: at(column + 2) };
            sink.push(span, "a tab in the indentation; YAML indents with spaces", None);
        }
    }
    sink.len() == before
}

fn report_syntax(text: &str, error: &ScanError, sink: &Sink) {
    let start = position(error.marker());
    let end = Position { column: start.column + 1, ..start };
    let line = text.lines().nth(start.line.saturating_sub(1) as usize).unwrap_or_default();
    let before: String = line.chars().take(start.column as usize + 1).collect();
    let hint = if before.contains("${") || line.contains("${") {
        Some("a parameter is written `<k>`; `${k}` is a map to YAML".to_owned())
    } else if line.trim_start().starts_with(['%', '@', '`']) {
        Some("quote a text that begins with this character".to_owned())
    } else {
        None
    };
    sink.push(Span { start, end }, format!("this is no YAML: {}", error.info()), hint);
}

enum Stop {
    Syntax(ScanError),
    Reported,
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    sink: &'a Sink,
}

impl<'a> Builder<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), Stop> {
        match self.parser.next() {
            Some(Ok((event, span))) => Ok((event, Span { start: position(&span.start), end: position(&span.end) })),
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
                Kind::Scalar(scalar(&text, style, span))
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
            if self.is_new_key(&key, &entries) {
                entries.push((key, value));
            }
        }
    }

    fn is_new_key(&self, key: &Node, entries: &[(Node, Node)]) -> bool {
        let Some(text) = key.text() else {
            if key.kind != Kind::Broken {
                self.sink.push(key.span, "a key must be a word, not a list or a map", None);
            }
            return false;
        };
        let first = entries.iter().find(|(earlier, _)| earlier.text() == Some(text));
        if let Some((earlier, _)) = first {
            let line = earlier.span.start.line;
            self.sink.push(key.span, format!("the key `{text}` stands here twice, first in line {line}"), None);
        }
        first.is_none()
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

fn position(marker: &Marker) -> Position {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Position { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Source;
    use proptest::prelude::*;

    fn read(text: &str) -> (Option<Node>, String) {
        let sink = Sink::new(Rc::new(Source { path: "a.yaml".into(), text: text.into() }));
        let node = parse(text, &sink);
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
