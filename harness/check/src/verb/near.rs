use std::time::Duration;

/// The packet that came closest to a pattern without matching it, for messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    text: Option<String>,
    /// Number of fields that differ.
    differences: usize,
}

impl Near {
    /// Takes note of something of the wanted kind that differs in these fields, unless something closer came before.
    pub(super) fn meets(&mut self, what: &str, at: Duration, differences: &[String]) {
        if self.text.is_some() && self.differences <= differences.len() {
            return;
        }
        self.differences = differences.len();
        self.text = Some(format!("another {what} at {:.3}, with {}", at.as_secs_f64(), differences.join(", ")));
    }

    /// `another PUBLISH at 1.030, with retain=false`.
    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}
