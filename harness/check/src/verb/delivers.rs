use halfopen_protocol::Packet;

use super::Match;
use super::near::Near;
use crate::plan::{FieldPattern, NodeId};
use crate::trace::{Event, EventKind, differences, message_matches};

/// `delivers`: a client hands a message to its application. Several patterns are an order with others between, and count
/// as one when the last of them has come; the order begins again after that.
#[derive(Clone, Debug)]
pub(crate) struct Delivers {
    node: NodeId,
    patterns: Vec<Vec<FieldPattern>>,
    /// Which pattern is to be matched next.
    next: usize,
    near: Near,
}

impl Delivers {
    pub(super) fn new(node: NodeId, patterns: Vec<Vec<FieldPattern>>) -> Self {
        Self { node, patterns, next: 0, near: Near::default() }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<Match> {
        let EventKind::Delivered { node, message } = &event.kind else { return None };
        if *node != self.node {
            return None;
        }
        let pattern = self.patterns.get(self.next)?;
        if !message_matches(pattern, message) {
            self.near.meets("message", event.at, &differences(pattern, &Packet::Publish(message.clone())));
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
        self.near.text()
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
