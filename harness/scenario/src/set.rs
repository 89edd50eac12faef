//! Values that are given from outside in the place of those of a file's `let`: `halfopen run --set devices=50000`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::Scenario;
use crate::error::{Diagnostics, Error, Errors, Span};
use crate::plan::{Position, Source};
use crate::suggest::did_you_mean;
use crate::tree::{self, Node, NodeKind};

/// Returns the file with these values where its `let` has these names. What it does not have is left alone: other files may
/// have it, see [`check_set`].
pub(super) fn with_values(source: Source, values: &BTreeMap<String, String>) -> Source {
    if values.is_empty() {
        return source;
    }
    let original = Arc::new(source);
    // What is wrong in the file is reported when it is read.
    let root = tree::parse(&original.text, 0, &Diagnostics::new(Arc::clone(&original)));
    let mut source = Source::clone(&original);
    let lets = root.as_ref().and_then(|root| root.get("let")).map(Node::entries).unwrap_or_default();
    // From the last on, so that the places of those before stay.
    for (name, value) in lets.iter().rev() {
        let Some((name, text)) = name.text().and_then(|name| values.get_key_value(name)) else { continue };
        let is_one = !matches!(value.kind, NodeKind::Map(_) | NodeKind::List(_));
        if let Some(range) = range_of(&source.text, value.span).filter(|_| is_one) {
            source.text.replace_range(range, &scalar(text));
            source.set.insert(name.clone(), text.clone());
        }
    }
    source
}

/// Checks that each of these names has been found in a scenario.
///
/// # Errors
/// Returns one error for each name that no `let` has.
pub fn check_set<'a>(
    scenarios: impl Iterator<Item = &'a Scenario>,
    values: &BTreeMap<String, String>,
) -> Result<(), Errors> {
    let (mut found, mut known) = (BTreeSet::new(), BTreeSet::new());
    for scenario in scenarios {
        found.extend(scenario.source.set.keys().map(String::as_str));
        known.extend(
            scenario.file.values.iter().flat_map(|lets| lets.value.0.iter().map(|(name, _)| name.text.as_str())),
        );
    }
    let unknown = values.iter().filter(|(name, _)| !found.contains(name.as_str())).map(|(name, value)| {
        let message = match known.contains(name.as_str()) {
            true => {
                format!("the value of `{name}` in `let` is no single word or number, so it cannot be set from outside")
            }
            false => format!("no scenario here has `{name}` in its `let`{}", did_you_mean(name, known.iter().copied())),
        };
        Errors::from(Error::of_file(&format!("--set {name}={value}"), message))
    });
    Errors::collect(unknown).map_or(Ok(()), Err)
}

/// Returns the bytes of a place in a text that stands on one line.
fn range_of(text: &str, span: Span) -> Option<Range<usize>> {
    let at = |position: Position| {
        let before: usize = text.split_inclusive('\n').take(position.line as usize - 1).map(str::len).sum();
        let line = text[before..].split('\n').next()?;
        let mut places = line.char_indices().map(|(place, _)| place).chain([line.len()]);
        Some(before + places.nth(position.column as usize - 1)?)
    };
    (span.start.line == span.end.line).then_some(at(span.start)?..at(span.end)?)
}

/// Writes a value as YAML: in quotes where it would mean more than itself.
fn scalar(value: &str) -> String {
    let is_plain = !value.is_empty() && !value.contains(|c: char| c.is_control() || "{}[],#'\":&*!|>@`".contains(c));
    if is_plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn set(text: &str, name: &str, value: &str) -> String {
        let source = Source { text: text.to_owned(), ..Source::default() };
        with_values(source, &BTreeMap::from([(name.to_owned(), value.to_owned())])).text
    }

    #[rstest]
    #[case::in_braces("let: { a: 1, devices: 200 }\nsteps: []\n", "let: { a: 1, devices: 5000 }\nsteps: []\n")]
    #[case::in_a_block("let:\n  devices: 200 # many\n  b: 2\n", "let:\n  devices: 5000 # many\n  b: 2\n")]
    #[case::behind_other_letters("let: { ä: ö, devices: '200' }\n", "let: { ä: ö, devices: 5000 }\n")]
    #[case::of_a_map_there_is_no_one_value("let: { devices: { a: 1 } }\n", "let: { devices: { a: 1 } }\n")]
    #[case::elsewhere_the_word_means_something_else("matrix: { devices: [1] }\n", "matrix: { devices: [1] }\n")]
    fn a_value_stands_where_the_old_one_stood(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(set(text, "devices", "5000"), expected);
    }

    #[rstest]
    #[case("80%", "80%")]
    #[case("5 min", "5 min")]
    #[case("a: b", "'a: b'")]
    #[case("it's", "'it''s'")]
    #[case("", "''")]
    fn a_value_means_itself(#[case] value: &str, #[case] written: &str) {
        assert_eq!(set("let: { a: 1 }\n", "a", value), format!("let: {{ a: {written} }}\n"));
    }
}
