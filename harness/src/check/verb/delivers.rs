use super::Match;
use crate::plan::{FieldPattern, NodeId};
use crate::trace::{Event, EventKind, message_matches};

/// `delivers`: a client hands a message to its application.
#[derive(Clone, Debug)]
pub(crate) struct Delivers {
    node: NodeId,
    patterns: Vec<FieldPattern>,
    near: Option<String>,
}

impl Delivers {
    pub(super) fn new(node: NodeId, patterns: Vec<FieldPattern>) -> Self {
        Self { node, patterns, near: None }
    }

    pub(super) fn feed(&mut self, index: usize, event: &Event) -> Option<Match> {
        let EventKind::Delivered { node, message } = &event.kind else { return None };
        if *node != self.node {
            return None;
        }
        if !message_matches(&self.patterns, message) {
            self.near.get_or_insert_with(|| format!("another message at {:.3}", event.at.as_secs_f64()));
            return None;
        }
        Some(Match { index, at: event.at, said: None })
    }

    pub(super) fn near(&self) -> Option<&str> {
        self.near.as_deref()
    }
}

/// "a message", or "a message { payload: once }".
pub(super) fn text(patterns: &[FieldPattern]) -> String {
    if patterns.is_empty() {
        return "a message".to_owned();
    }
    let fields: Vec<String> = patterns.iter().map(ToString::to_string).collect();
    format!("a message {{ {} }}", fields.join(", "))
}
