use std::time::Duration;

use crate::plan::{Moment, Plan};
use crate::record::Recorder;
use crate::trace::find::Awaited;

/// A moment whose event may yet have to come.
pub(super) struct Pending {
    moment: Moment,
    event: Awaited,
}

impl Pending {
    /// Waits for `moment`, when the run has had `now` events so far.
    pub(super) fn new(moment: Moment, plan: &Plan, now: usize) -> Self {
        Self { event: Awaited::new(plan, &moment.event, now), moment }
    }

    /// The instant, once it is known.
    pub(super) fn resolve(&mut self, recorder: &Recorder) -> Option<Duration> {
        let at = recorder.with_events(|events| self.event.poll(events))?.at;
        let offset = Duration::from_millis(self.moment.offset_ms.unsigned_abs());
        Some(if self.moment.offset_ms < 0 { at.saturating_sub(offset) } else { at + offset })
    }

    /// As it stands in the file.
    pub(super) fn text(&self) -> &str {
        &self.moment.text
    }
}
