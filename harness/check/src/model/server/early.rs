//! Messages that a server sends before the trace shows why: it may publish the wills of connections that it closes only after
//! that, at the same instant or, in real time, within the tolerance.

use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::Publish;

use super::Server;
use super::publication::Publication;
use crate::model::finding::{Finding, Findings};

/// A message that was sent and for which there is no reason yet.
#[derive(Clone, Debug)]
pub(super) struct Early {
    pub(super) client_id: ByteString,
    pub(super) topic: ByteString,
    pub(super) publish: Publish,
    /// The time at which it was sent.
    pub(super) at: Instant,
    /// The finding if no reason follows at the same instant, or within the tolerance.
    pub(super) finding: Finding,
}

impl Server {
    /// Takes a publication that has become owed for the reason of what was sent just before.
    pub(super) fn settle_early(&mut self, publication: &Publication) {
        let mut early = std::mem::take(&mut self.early);
        early.retain(|early| {
            let is_it = early.topic == publication.topic && early.publish.payload == publication.payload;
            !is_it || self.take_copy(&early.client_id, &early.topic, &early.publish).is_none()
        });
        self.early = early;
    }

    /// Finds what was sent for no reason, and for which none can follow any more at `next`, the next instant.
    pub(super) fn judge_early(&mut self, next: Instant, findings: &mut Findings) {
        let tolerance = self.settings.tolerance;
        self.early.extract_if(.., |early| early.at + tolerance < next).for_each(|early| findings.add(early.finding));
    }
}
