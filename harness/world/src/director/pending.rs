use std::time::Duration;

use super::inbox::Inboxes;
use crate::plan::Moment;
use crate::trace::find::Awaited;

/// A moment whose event may yet have to come.
pub(super) struct Pending {
    moment: Moment,
    event: Option<Awaited>,
}

impl Pending {
    /// Begins to wait for `moment`, which is one of the plan.
    pub(super) fn new(moment: Moment, inboxes: &Inboxes) -> Self {
        Self { event: inboxes.wait_for(&moment.event), moment }
    }

    /// The instant, once it is known.
    pub(super) fn resolve(&self, inboxes: &Inboxes) -> Option<Duration> {
        let at = inboxes.time(&self.moment.event, self.event.as_ref()?)?;
        let offset = Duration::from_millis(self.moment.offset_ms.unsigned_abs());
        Some(if self.moment.offset_ms < 0 { at.saturating_sub(offset) } else { at + offset })
    }

    /// Waits for the next time that the event happens.
    pub(super) fn again(&mut self) {
        if let Some(event) = &mut self.event {
            event.again();
        }
    }

    /// Returns the text in the file.
    pub(super) fn text(&self) -> &str {
        &self.moment.text
    }
}
