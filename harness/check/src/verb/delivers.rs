use super::Match;
use crate::plan::{FieldPattern, NodeId};
use crate::trace::{Event, EventKind, message_matches};

/// `delivers`: a client hands a message to its application. Several patterns are an order with others between, and count
/// as one when the last of them has come; the order begins again after that.
#[derive(Clone, Debug)]
pub(crate) struct Delivers {
    node: NodeId,
    patterns: Vec<Vec<FieldPattern>>,
    /// Which pattern is to be matched next.
    next: usize,
    near: Option<String>,
}

impl Delivers {
    pub(super) fn new(node: NodeId, patterns: Vec<Vec<FieldPattern>>) -> Self {
        Self { node, patterns, next: 0, near: None }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<Match> {
        let EventKind::Delivered { node, message } = &event.kind else { return None };
        if *node != self.node {
            return None;
        }
        if !message_matches(self.patterns.get(self.next)?, message) {
            self.near.get_or_insert_with(|| format!("another message at {:.3}", event.at.as_secs_f64()));
            return None;
        }
        self.next += 1;
        if self.next < self.patterns.len() {
            return None;
        }
        self.next = 0;
        Some(Match { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.as_deref()
    }
}

/// "a message", or "a message { payload: once }", or for an order several with "then" between.
pub(super) fn text(patterns: &[Vec<FieldPattern>]) -> String {
    patterns.iter().map(|pattern| message_text(pattern)).collect::<Vec<_>>().join(" then ")
}

fn message_text(pattern: &[FieldPattern]) -> String {
    if pattern.is_empty() {
        return "a message".to_owned();
    }
    let fields: Vec<String> = pattern.iter().map(ToString::to_string).collect();
    format!("a message {{ {} }}", fields.join(", "))
}
