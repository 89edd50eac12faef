//! Exchanges of a server with each of its clients: see [`Sender`](crate::model::sender::Sender).

use bytestring::ByteString;
use halfopen_protocol::packet::{Ack, Publish};
use halfopen_protocol::{Instant, PacketType};

use super::Server;
use super::answers::take;
use crate::model::finding::{Findings, shown};
use crate::model::sender::{Begun, Broken, RELEASES_IN_ORDER, may_be_again};
use crate::plan::Invariant;
use crate::trace::ConnectionId;

impl Server {
    /// The server sends a PUBLISH.
    pub(super) fn begin_exchange(
        &mut self,
        id: ConnectionId,
        topic: &ByteString,
        publish: &Publish,
        findings: &mut Findings,
    ) -> Begun {
        let now = self.now;
        if publish.dup {
            self.judge_outgoing(id, findings);
        }
        let may_be_late = self.connections.get(&id).is_some_and(|connection| connection.was_stuck_at(now));
        let Some(session) = self.session_of(id) else { return Begun::New };
        let may_be = publish.dup && session.sender.has_doubtful_beginnings();
        let (begun, broken) = session.sender.publish(now, session.version, topic, publish);
        if may_be_late && begun == Begun::New {
            session.sender.doubt_lifetime(publish.packet_id);
        }
        if may_be && begun == Begun::New {
            findings.not_judged(Invariant::ResendOnlyOnResume, now, may_be_again(&self.name));
        }
        self.report_sender(broken, findings);
        begun
    }

    /// The client acknowledges something.
    pub(super) fn receive_acknowledgement(&mut self, id: ConnectionId, what: PacketType, ack: &Ack) {
        let now = self.now;
        let Some(session) = self.session_of(id) else { return };
        if session.sender.acknowledged(now, what, ack)
            && let Some(connection) = self.connections.get_mut(&id)
        {
            connection.requests.receipts.entry(ack.packet_id).or_default().push_back(now);
        }
    }

    /// The server sends PUBREL.
    pub(super) fn send_pubrel(&mut self, id: ConnectionId, pubrel: &Ack, findings: &mut Findings) {
        let now = self.now;
        self.judge_outgoing(id, findings);
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let was_asked = take(&mut connection.requests.receipts, pubrel.packet_id).is_some();
        let Some(session) = self.session_of(id) else { return };
        let broken = session.sender.release(now, session.version, pubrel, was_asked);
        // The order of PUBRELs is a duty of clients, which the project's broker takes for its own.
        let broken = broken.filter(|broken| !self.settings.is_foreign || broken.clause != RELEASES_IN_ORDER);
        self.report_sender(broken, findings);
    }

    fn report_sender(&self, broken: Option<Broken>, findings: &mut Findings) {
        if let Some(Broken { invariant, clause, owed, actual }) = broken {
            let invariant = invariant.unwrap_or(Invariant::BrokerSettles);
            findings.push(invariant, clause, &format!("{} {owed}", self.name), actual);
        }
    }

    /// Judges what a resumed session has not sent again [MQTT-4.4.0-1].
    pub(super) fn judge_outgoing(&self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Some(client_id) = &connection.session else { return };
        let session = self.sessions.at(connection.place).filter(|session| session.connection == Some(id));
        let Some(session) = session else { return };
        let (Some(accepted), Some(room)) = (connection.accepted_at, session.sender.room_since()) else { return };
        if session.sender.is_doubtful() || !self.is_overdue(connection, Instant::max(accepted, room)) {
            return;
        }
        if let Some((what, packet_id, topic)) = session.sender.left() {
            let owed = format!(
                "{} sends {} {packet_id} on {topic} to {client_id} again, whose session was resumed at {}",
                self.name,
                what.name(),
                shown(accepted)
            );
            findings.push(Invariant::BrokerSettles, "MQTT-4.4.0-1", &owed, format!("not until {}", shown(self.now)));
        }
    }
}
