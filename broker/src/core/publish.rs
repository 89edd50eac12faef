use halfopen_protocol::flow::{FlowError, PubRecOutcome};
use halfopen_protocol::packet::{Ack, Publish};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::access::Deed;
use super::message::Message;
use super::session::Session;
use super::{Broker, CloseReason, ConnectionId};

/// Messages from clients, and the acknowledgements of both directions (§4.3).
impl Broker {
    pub(super) fn handle_publish(&mut self, now: Instant, connection: ConnectionId, publish: &Publish) {
        if publish.topic_alias.is_some() {
            // CONNACK has announced none.
            let what = "topic alias above the topic alias maximum, which is 0";
            let reason = ReasonCode::TOPIC_ALIAS_INVALID;
            let reason = CloseReason::Protocol { reason, clause: "MQTT-3.3.2-9", what };
            return self.close(now, connection, reason);
        }
        if !publish.subscription_ids.is_empty() {
            return self.violation(now, connection, "MQTT-3.3.4-6", "subscription identifier in a client's PUBLISH");
        }
        let Some(key) = self.session_of(connection) else { return };
        let Some(session) = self.sessions.get_mut(key) else { return };
        let mut receipt = match session.inbox.handle_publish(publish) {
            Ok(receipt) => receipt,
            Err(error) => return self.flow_violation(now, connection, error),
        };
        if receipt.deliver && !self.permits(connection, key, Deed::Publish, &publish.topic) {
            receipt.deliver = false;
            receipt.answer = self.refuse_publish(connection, publish).or(receipt.answer);
        }
        if receipt.deliver {
            self.route(now, &Message::new(now, publish), Some(key));
        }
        if let Some(answer) = receipt.answer {
            self.send(now, connection, answer);
        }
    }

    /// The answer to a message that its sender may not publish. 3.1.1 has none: it acknowledges what it drops
    /// [MQTT-3.3.5-2] (3.1.1).
    fn refuse_publish(&mut self, connection: ConnectionId, publish: &Publish) -> Option<Packet> {
        self.connections.get(&connection).filter(|open| open.version.is_v5())?;
        self.session_on(connection)?.inbox.refuse(publish, ReasonCode::NOT_AUTHORIZED)
    }

    pub(super) fn handle_pubrel(&mut self, now: Instant, connection: ConnectionId, pubrel: &Ack) {
        let Some(version) = self.connections.get(&connection).map(|open| open.version) else { return };
        let Some(session) = self.session_on(connection) else { return };
        let pubcomp = session.inbox.handle_pubrel(pubrel, version);
        self.send(now, connection, pubcomp);
    }

    pub(super) fn handle_puback(&mut self, now: Instant, connection: ConnectionId, puback: &Ack) {
        let Some(session) = self.session_on(connection) else { return };
        let settled = session.outbox.handle_puback(puback).map(drop);
        self.settle(now, connection, settled);
    }

    pub(super) fn handle_pubrec(&mut self, now: Instant, connection: ConnectionId, pubrec: &Ack) {
        let Some(version) = self.connections.get(&connection).map(|open| open.version) else { return };
        let Some(session) = self.session_on(connection) else { return };
        let settled = match session.outbox.handle_pubrec(pubrec, version) {
            Ok(PubRecOutcome::Release(pubrel)) => {
                self.send(now, connection, pubrel);
                Ok(())
            }
            Ok(PubRecOutcome::Nothing | PubRecOutcome::Refused(..)) => Ok(()),
            Err(error) => Err(error),
        };
        self.settle(now, connection, settled);
    }

    pub(super) fn handle_pubcomp(&mut self, now: Instant, connection: ConnectionId, pubcomp: &Ack) {
        let Some(session) = self.session_on(connection) else { return };
        let settled = session.outbox.handle_pubcomp(pubcomp).map(drop);
        self.settle(now, connection, settled);
    }

    /// After an acknowledgement there may be room for what waits.
    fn settle(&mut self, now: Instant, connection: ConnectionId, settled: Result<(), FlowError>) {
        match settled {
            Ok(()) => {
                if let Some(key) = self.session_of(connection) {
                    self.send_waiting(now, key);
                }
            }
            Err(error) => self.flow_violation(now, connection, error),
        }
    }

    fn flow_violation(&mut self, now: Instant, connection: ConnectionId, error: FlowError) {
        let reason = CloseReason::Protocol { reason: error.reason, clause: error.clause, what: error.what };
        self.close(now, connection, reason);
    }

    fn session_on(&mut self, connection: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(self.session_of(connection)?)
    }
}
