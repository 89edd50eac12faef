//! What is wrong with a scenario, and the one place where that becomes text.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use unicode_width::UnicodeWidthStr as _;

use crate::plan::{Position, Source};

/// Maximum number of errors of one file that are shown; the rest is counted.
const SHOWN: usize = 50;

/// Number of characters of a long line that are shown.
const LINE_WIDTH: usize = 140;

/// Maximum length of a message, in characters.
const MESSAGE_LENGTH: usize = 600;

/// A range of a scenario's text; the end is exclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first character.
    pub start: Position,
    /// The character after the last.
    pub end: Position,
}

impl Span {
    /// The characters `from..to` of the line, counted from the start of the span.
    pub(super) fn part(self, from: usize, to: usize) -> Self {
        let (Ok(from), Ok(to)) = (u32::try_from(from), u32::try_from(to)) else { return self };
        let at = |index: u32| Position { column: self.start.column.saturating_add(index), ..self.start };
        Self { start: at(from), end: at(to) }
    }
}

/// An error in a scenario.
///
/// Its [`Display`](std::fmt::Display) is the whole message: `file:line:col: message`, the line, a mark under the range,
/// and a note beside the mark.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", render(self))]
pub struct Error {
    /// The file. Its text is empty if it could not be read.
    pub source_file: Arc<Source>,
    /// The place in the file; `None` if it could not be read.
    pub span: Option<Span>,
    /// The description in one sentence without a full stop.
    pub message: String,
    /// The note beside the mark: what is accepted, or where to read more.
    pub note: Option<String>,
    /// The place of the first of two things of which there may be one. The error is about the second.
    pub first: Option<Span>,
    /// True if it is only a warning.
    pub is_warning: bool,
}

impl Error {
    /// An error of a file as a whole: it cannot be read.
    pub(super) fn of_file(path: &str, message: impl Into<String>) -> Self {
        let source = Source { path: path.to_owned(), text: String::new(), ..Source::default() };
        Self {
            source_file: Arc::new(source),
            span: None,
            message: message.into(),
            note: None,
            first: None,
            is_warning: false,
        }
    }
}

/// All that is wrong with one or more scenarios: never empty, in the order of the files and of their lines, each
/// error once.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", render_all(&self.list))]
pub struct Errors {
    list: Vec<Error>,
}

impl Errors {
    /// Collects the errors of several results; `None` if there are none.
    pub fn collect(errors: impl IntoIterator<Item = Self>) -> Option<Self> {
        let mut list: Vec<Error> = Vec::new();
        for error in errors.into_iter().flat_map(|errors| errors.list) {
            // What is wrong in a fragment is wrong in each file that includes it.
            let is_same = |other: &Error| {
                (other.span, &other.message) == (error.span, &error.message)
                    && other.source_file.path == error.source_file.path
            };
            let of_fragment = error.span.is_some_and(|span| span.start.file > 0);
            if !of_fragment || !list.iter().any(is_same) {
                list.push(error);
            }
        }
        (!list.is_empty()).then_some(Self { list })
    }

    /// The errors one by one.
    pub fn iter(&self) -> impl Iterator<Item = &Error> {
        self.list.iter()
    }

    /// Returns how many there are; at least one.
    #[expect(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.list.len()
    }
}

impl From<Error> for Errors {
    fn from(error: Error) -> Self {
        Self { list: vec![error] }
    }
}

/// Collects the errors of one file while it is read: sorted by place, equal ones once.
#[derive(Debug)]
pub(super) struct Diagnostics {
    source: Arc<Source>,
    /// Fragments that it includes; the first has the number 1.
    fragments: RefCell<Vec<Arc<Source>>>,
    found: RefCell<BTreeSet<(Span, String, Option<String>)>>,
    /// The place of the first thing, for each error about a second.
    firsts: RefCell<BTreeMap<(Span, String), Span>>,
}

impl Diagnostics {
    pub(super) fn new(source: Arc<Source>) -> Self {
        Self { source, fragments: RefCell::default(), found: RefCell::default(), firsts: RefCell::default() }
    }

    /// A diagnostics for a file and the fragments that it includes.
    pub(super) fn with_fragments(source: Arc<Source>, fragments: &[Arc<Source>]) -> Self {
        Self { fragments: RefCell::new(fragments.to_vec()), ..Self::new(source) }
    }

    /// Takes note of a fragment; its number in positions.
    pub(super) fn add_fragment(&self, fragment: Arc<Source>) -> u16 {
        let mut fragments = self.fragments.borrow_mut();
        fragments.push(fragment);
        u16::try_from(fragments.len()).unwrap_or(u16::MAX)
    }

    /// Returns all fragments so far.
    pub(super) fn fragments(&self) -> Vec<Arc<Source>> {
        self.fragments.borrow().clone()
    }

    fn source_of(&self, span: Span) -> Arc<Source> {
        let index = usize::from(span.start.file).checked_sub(1);
        index.and_then(|index| self.fragments.borrow().get(index).cloned()).unwrap_or_else(|| self.source.clone())
    }

    /// Returns where something stands, seen from another place: `line 3`, or `lib/watcher.yaml:3`.
    pub(super) fn place(&self, span: Span, from: Span) -> String {
        match span.start.file == from.start.file {
            true => format!("line {}", span.start.line),
            false => format!("{}:{}", self.source_of(span).path, span.start.line),
        }
    }

    pub(super) fn push(&self, span: Span, message: impl Into<String>, note: Option<String>) {
        let message = message.into();
        let mut found = self.found.borrow_mut();
        // The same in a run of the other version may have another note, as what is known differs.
        let first = (span, message.clone(), None);
        if found.range(first..).next().is_none_or(|(at, said, _)| (*at, said) != (span, &message)) {
            found.insert((span, message, note));
        }
    }

    /// Reports something of which there may be one and that stands at `first` already.
    pub(super) fn push_second(&self, span: Span, first: Span, message: impl Into<String>) {
        let mut message = message.into();
        if first.start.file == span.start.file {
            self.firsts.borrow_mut().entry((span, message.clone())).or_insert(first);
        } else {
            message = format!("{message}; the first is {}", self.place(first, span));
        }
        self.push(span, message, None);
    }

    pub(super) fn len(&self) -> usize {
        self.found.borrow().len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what was found, or `value` if that is nothing.
    pub(super) fn finish<T>(self, value: T) -> Result<T, Errors> {
        let found = self.found.take();
        let firsts = self.firsts.take();
        let list: Vec<_> = found
            .into_iter()
            .map(|(span, message, note)| Error {
                source_file: self.source_of(span),
                span: Some(span),
                first: firsts.get(&(span, message.clone())).copied(),
                message,
                note,
                is_warning: false,
            })
            .collect();
        if list.is_empty() { Ok(value) } else { Err(Errors { list }) }
    }
}

fn render_all(list: &[Error]) -> String {
    let mut text = String::new();
    for of_file in list.chunk_by(|a, b| a.source_file.path == b.source_file.path) {
        for error in of_file.iter().take(SHOWN) {
            text.push_str(&render(error));
            text.push('\n');
        }
        if of_file.len() > SHOWN {
            let path = &of_file[0].source_file.path;
            text.push_str(&format!("{path}: {} errors more\n", of_file.len() - SHOWN));
        }
    }
    text.truncate(text.trim_end().len());
    text
}

fn render(error: &Error) -> String {
    let path = &error.source_file.path;
    let Some(span) = error.span else { return format!("{path}: {}", error.message) };
    let Position { line, column, .. } = span.start;
    let kind = if error.is_warning { "warning: " } else { "" };
    let mut text = format!("{path}:{line}:{column}: {kind}{}", shortened(&error.message));
    if let Some(first) = error.first {
        text.push_str(&two_places(error, first, span));
        return text;
    }
    let content = error.source_file.line(line);
    if !content.trim().is_empty() {
        text.push_str(&excerpt(content, span, error.note.as_deref()));
    }
    text
}

/// A message without the middle of a very long word in it.
fn shortened(message: &str) -> String {
    let length = message.chars().count();
    if length <= MESSAGE_LENGTH {
        return message.to_owned();
    }
    let begin: String = message.chars().take(MESSAGE_LENGTH / 2).collect();
    let end: String = message.chars().skip(length - MESSAGE_LENGTH / 2).collect();
    format!("{begin} … {end}")
}

/// Returns the lines of both places with their marks, and a word beside each.
fn two_places(error: &Error, first: Span, second: Span) -> String {
    let lines = first.start.line.min(second.start.line)..=first.end.line.max(second.end.line);
    let text: Vec<&str> = lines.clone().map(|line| error.source_file.line(line)).collect();
    let place = |position: Position| {
        let before = lines.clone().zip(&text).take_while(|(line, _)| *line < position.line);
        let line = error.source_file.line(position.line);
        let column = position.column.saturating_sub(1) as usize;
        let within = line.char_indices().nth(column).map_or(line.len(), |(byte, _)| byte);
        before.map(|(_, text)| text.len() + 1).sum::<usize>() + within
    };
    let range = |span: Span| place(span.start)..place(span.end);
    let source = text.join("\n");
    let snippet = Snippet::source(&source)
        .line_start(*lines.start() as usize)
        .annotation(AnnotationKind::Context.span(range(first)).label("first here"))
        .annotation(AnnotationKind::Primary.span(range(second)).label("and here"));
    let shown = Renderer::plain().render(&[Group::with_level(Level::ERROR).element(snippet)]);
    // The first line is an empty one above the excerpt.
    shown.lines().skip(1).fold(String::new(), |text, line| format!("{text}\n  {}", line.trim_end()))
}

/// The line with its number, and the mark under it.
fn excerpt(content: &str, span: Span, note: Option<&str>) -> String {
    let characters: Vec<char> = content.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let start = (span.start.column.saturating_sub(1) as usize).min(characters.len());
    let line_end = content.trim_end().chars().count();
    let end = if span.end.line == span.start.line { span.end.column.saturating_sub(1) as usize } else { line_end };
    let end = end.min(characters.len());

    let first = if characters.len() <= LINE_WIDTH { 0 } else { start.saturating_sub(LINE_WIDTH / 2) };
    let last = characters.len().min(first + LINE_WIDTH);
    let prefix = if first > 0 { "… " } else { "" };
    let suffix = if last < characters.len() { " …" } else { "" };
    let shown: String = characters[first..last].iter().collect();

    let number = format!("  {}", span.start.line);
    // What stands before and above the mark, as wide as a terminal shows it.
    let columns = |from: usize, to: usize| characters[from..to.max(from)].iter().collect::<String>().width();
    let width = columns(start, end.min(last)).max(1);
    let mut text = format!("\n{number} | {prefix}{}{suffix}\n", shown.trim_end());
    text.push_str(&" ".repeat(number.chars().count()));
    text.push_str(" | ");
    text.push_str(&" ".repeat(prefix.width() + columns(first, start)));
    text.push_str(&"^".repeat(width));
    if let Some(note) = note {
        text.push(' ');
        text.push_str(note);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str, line: u32, columns: std::ops::Range<u32>, note: Option<&str>) -> String {
        let source = Source { path: "a.yaml".into(), text: text.into(), ..Source::default() };
        let at = |column| Position::new(line, column);
        let span = Span { start: at(columns.start), end: at(columns.end) };
        let error = Error {
            source_file: Arc::new(source),
            span: Some(span),
            message: "oh".into(),
            note: note.map(str::to_owned),
            first: None,
            is_warning: false,
        };
        error.to_string()
    }

    #[test]
    fn the_mark_stands_under_the_range_and_the_note_beside_it() {
        let shown = error("a:\n  sensor: { keepalive: 5s }\n", 2, 13..22, Some("see reference"));
        assert_eq!(
            shown,
            "a.yaml:2:13: oh\n  2 |   sensor: { keepalive: 5s }\n    |             ^^^^^^^^^ see reference"
        );
    }

    #[test]
    fn a_long_line_is_shown_around_the_mark() {
        let text = format!("{}here{}", "x".repeat(500), "y".repeat(500));
        let shown = error(&text, 1, 501..505, None);
        let mut lines = shown.lines().skip(1);
        let (line, mark) = (lines.next().unwrap(), lines.next().unwrap());
        let column = mark.find('^').unwrap();
        assert_eq!(line.chars().skip(column).take(4).collect::<String>(), "here");
        assert!(line.chars().count() < 160 && mark.ends_with(" ^^^^"));
    }

    #[rstest::rstest]
    #[case("a: 温度計 x", 10)]
    #[case("a: '🌡️' x", 8)]
    #[case("a:\tü\tx", 5)]
    fn the_mark_is_under_its_word_behind_characters_of_any_width(#[case] text: &str, #[case] columns: usize) {
        let column = u32::try_from(text.chars().position(|c| c == 'x').unwrap()).unwrap() + 1;
        let shown = error(text, 1, column..column + 1, None);
        assert_eq!(shown.lines().nth(2).unwrap().find('^'), Some("    | ".len() + columns), "{shown}");
    }

    #[test]
    fn control_characters_of_a_file_do_not_reach_the_terminal() {
        assert!(!error("a: \u{1b}[31m", 1, 1..2, None).contains('\u{1b}'));
    }
}
