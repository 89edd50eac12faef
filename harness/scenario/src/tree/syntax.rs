//! What the parser's complaints mean to an author.

use saphyr_parser::ScanError;

use super::build::SourcePart;
use crate::error::{Diagnostics, Span};
use crate::plan::Position;

pub(super) fn report_syntax(text: &str, error: &ScanError, place: SourcePart, diagnostics: &Diagnostics) {
    let mut start = place.position(error.marker());
    let mut hint = None;
    if let Some((sign, line, column)) = unclosed(text).filter(|_| {
        ["flow", "invalid indentation", "expected node content"].iter().any(|word| error.info().contains(word))
    }) {
        let at = Position { file: place.file, line: line + place.line, column };
        // Where a bracket is missing the text ends, or goes on with something else: what matters is which one it is.
        let cut = text.lines().nth(line.saturating_sub(1) as usize).is_some_and(|line| line.contains(" #"));
        let comment = if cut { "; ` #` begins a comment, quote the text that has it" } else { "" };
        hint = Some(format!("this `{sign}` is not closed{comment}"));
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
    diagnostics.push(Span { start, end }, format!("this is no YAML: {}", error.info()), hint);
}

/// Returns what its author may have meant, as far as the parser's complaint tells.
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
