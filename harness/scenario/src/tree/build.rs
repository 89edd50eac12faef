//! From the parser's events to a tree.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, StrInput};

use super::{Node, NodeKind, Scalar};
use crate::error::{Diagnostics, Span};
use crate::plan::Position;

/// Maximum depth of nested lists and maps.
const MAX_DEPTH: usize = 64;

/// Number of bytes above which a line is not read by people.
const LONG_LINE: usize = 4_096;

pub(super) fn document(text: &str, place: SourcePart, diagnostics: &Diagnostics) -> Result<Option<Node>, Stop> {
    Builder { parser: Parser::new_from_str(text), lines: text.lines().collect(), place, diagnostics }.document()
}

pub(super) enum Stop {
    Syntax(ScanError),
    Reported,
}

/// The file that is read, and the number of its lines before the part that is read.
#[derive(Clone, Copy)]
pub(super) struct SourcePart {
    pub(super) file: u16,
    pub(super) line: u32,
}

impl SourcePart {
    pub(super) fn position(self, marker: &Marker) -> Position {
        let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
        let line = number(marker.line()).max(1).saturating_add(self.line);
        Position { file: self.file, line, column: number(marker.col()).saturating_add(1) }
    }
}

struct Builder<'a> {
    parser: Parser<'a, StrInput<'a>>,
    lines: Vec<&'a str>,
    place: SourcePart,
    diagnostics: &'a Diagnostics,
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
                        self.diagnostics.push(span, "a second document in one file; a file is one scenario", None);
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
            self.diagnostics.push(span, format!("nested more than {MAX_DEPTH} deep"), None);
            return Err(Stop::Reported);
        }
        let kind = match event {
            Event::Alias(_) => {
                self.diagnostics.push(
                    span,
                    "an alias; a scenario names a value in `let` and uses it as `<name>`",
                    None,
                );
                NodeKind::Broken
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                let span = if style == ScalarStyle::Plain { span } else { self.without_space(span) };
                return Ok(Node { span, kind: NodeKind::Scalar(scalar(&text, style, span)), used_as: None });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                return self.list(span, depth);
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse(span, anchor, tag.is_some());
                return self.map(span, depth);
            }
            _ => NodeKind::Broken,
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
            self.diagnostics.push(span, "an anchor; a scenario names a value in `let` and uses it as `<name>`", None);
        }
        if tagged {
            self.diagnostics.push(span, "a YAML tag; a scenario has none", None);
        }
    }

    fn list(&mut self, start: Span, depth: usize) -> Result<Node, Stop> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => {
                    let span = Span { start: start.start, end: end.end };
                    return Ok(Node { span, kind: NodeKind::List(items), used_as: None });
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
                return Ok(Node { span, kind: NodeKind::Map(entries), used_as: None });
            }
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            let Some(text) = key.text() else {
                if key.kind != NodeKind::Broken {
                    self.diagnostics.push(key.span, "a key must be a word, not a list or a map", None);
                }
                continue;
            };
            match places.get(text) {
                Some(place) => report_twice(&entries[*place].0, &key, self.diagnostics),
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

pub(super) fn report_twice(earlier: &Node, key: &Node, diagnostics: &Diagnostics) {
    let text = key.text().unwrap_or_default();
    diagnostics.push_second(key.span, earlier.span, format!("the key `{text}` stands here twice"));
}
