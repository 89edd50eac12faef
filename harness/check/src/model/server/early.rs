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
    /// What is wrong if no reason follows at the same instant.
    pub(super) finding: Finding,
}

impl Server {
    /// This publication has become owed: it is what may have been sent at the same instant before.
    pub(super) fn settle_early(&mut self, publication: &Publication) {
        let (sessions, groups) = (&mut self.sessions, &mut self.groups);
        self.early.retain(|early| {
            if early.topic != publication.topic || early.publish.payload != publication.payload {
                return true;
            }
            let Some(session) = sessions.get_mut(&early.client_id) else { return true };
            let content = (early.topic.clone(), early.publish.payload.clone());
            session.owed.take(&early.topic, &early.publish).is_none()
                && groups.take(&early.client_id, &session.subscriptions, &content, early.publish.qos).is_none()
        });
    }

    /// The instant is over: what was sent at it for no reason was wrong.
    pub(super) fn judge_early(&mut self, findings: &mut Findings) {
        self.early.drain(..).for_each(|early| findings.add(early.finding));
    }
}
