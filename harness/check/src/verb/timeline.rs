use std::time::Duration;

/// A state over time, and whether it is the one that is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Timeline {
    /// Changes, in order; the first is at 0.
    changes: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    at: Duration,
    is_wanted: bool,
    text: String,
}

impl Timeline {
    /// A state that is so from the start.
    pub(super) fn new(is_wanted: bool, text: String) -> Self {
        Self { changes: vec![Change { at: Duration::ZERO, is_wanted, text }] }
    }

    /// Changes the state from this time on.
    pub(super) fn change(&mut self, at: Duration, is_wanted: bool, text: String) {
        self.changes.push(Change { at, is_wanted, text });
    }

    /// The state at this time in words, after all that happened then.
    pub(crate) fn text(&self, at: Duration) -> &str {
        &self.at(at).text
    }

    /// Returns when the state is first the wanted one (or another) from `from` to `to`, both included; what was at
    /// `from` counts.
    pub(crate) fn first(&self, is_wanted: bool, from: Duration, to: Duration) -> Option<Duration> {
        if self.at(from).is_wanted == is_wanted {
            return Some(from);
        }
        let later = |change: &&Change| change.at > from && change.at <= to && change.is_wanted == is_wanted;
        self.changes.iter().find(later).map(|change| change.at)
    }

    fn at(&self, at: Duration) -> &Change {
        let after = self.changes.partition_point(|change| change.at <= at);
        &self.changes[after.max(1) - 1]
    }
}
