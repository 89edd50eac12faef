//! Messages that a server sends before the trace shows why: at one instant it may publish the wills of connections that it
//! closes only after that.

use bytestring::ByteString;
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
    /// The finding if no reason follows at the same instant.
    pub(super) finding: Finding,
}

impl Server {
    /// Takes a publication that has become owed for the reason of what was sent at the same instant before.
    pub(super) fn settle_early(&mut self, publication: &Publication) {
        let mut early = std::mem::take(&mut self.early);
        early.retain(|early| {
            let is_it = early.topic == publication.topic && early.publish.payload == publication.payload;
            !is_it || self.take_copy(&early.client_id, &early.topic, &early.publish).is_none()
        });
        self.early = early;
    }

    /// The instant is over: what was sent at it for no reason was wrong.
    pub(super) fn judge_early(&mut self, findings: &mut Findings) {
        self.early.drain(..).for_each(|early| findings.add(early.finding));
    }
}
