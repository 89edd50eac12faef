//! What is right, but may not mean what its author meant.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{Error, Span};
use super::reference::see;
use crate::plan::{Expectation, Mode, PacketPattern, Plan, Position, Verb};

/// The fields that say which message is meant; more of them say what it is like.
const WHICH: [&str; 2] = ["topic", "payload"];

/// The warnings about some runs of a file, each once.
pub(super) fn warnings(plans: &[Plan]) -> Vec<Error> {
    let mut found: BTreeMap<Position, Error> = BTreeMap::new();
    for plan in plans {
        for expectation in plan.expectations.iter().filter(|expectation| may_pass_by_itself(expectation)) {
            let position = plan.origins.expectation(expectation.id);
            found.entry(position).or_insert_with(|| narrow(plan, position));
        }
    }
    found.into_values().collect()
}

/// Returns whether a count of 0 is right and the pattern is so narrow that something else may come in its place.
fn may_pass_by_itself(expectation: &Expectation) -> bool {
    let patterns: &[PacketPattern] = match &expectation.verb {
        Verb::Receives(patterns) | Verb::Sends(patterns) => patterns,
        _ => return false,
    };
    let is_narrow = |pattern: &PacketPattern| pattern.fields.iter().any(|field| !WHICH.contains(&field.name.as_str()));
    let may_be_none = expectation.count.is_some_and(|count| count.min == 0);
    expectation.mode == Mode::Must && may_be_none && patterns.iter().any(is_narrow)
}

fn narrow(plan: &Plan, position: Position) -> Error {
    let source = plan.source_of(position);
    let content = source.line(position.line);
    let word: u32 =
        content.chars().skip(position.column.saturating_sub(1) as usize).take_while(|c| *c != ':').map(|_| 1).sum();
    let end = Position { column: position.column + word.max(1), ..position };
    let message = "the count can be 0 and the pattern says more than which message: one that differs in the rest passes, too; \
                   count the messages in one line, and say what they are like in another";
    Error {
        source_file: Arc::new(source.clone()),
        span: Some(Span { start: position, end }),
        message: message.to_owned(),
        note: Some(see("an expectation")),
        first: None,
        is_warning: true,
    }
}
