use halfopen_protocol::flow::{FlowError, PubRecOutcome, Receipt};
use halfopen_protocol::packet::{Ack, Publish, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::access::Operation;
use super::aliases::AliasError;
use super::deliver::Routed;
use super::message::Message;
use super::session::{Flow, Session, SessionKey};
use super::sys::is_reserved;
use super::{Broker, CloseReason, ConnectionId};

/// A message that the broker does not take, and why.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    reason: ReasonCode,
    what: &'static str,
}

/// Messages from clients, and the acknowledgements of both directions (§4.3).
impl Broker {
    pub(super) fn handle_publish(&mut self, now: Instant, connection: ConnectionId, mut publish: Publish) {
        if let Err(reason) = self.judge_publish(connection, &mut publish) {
            return self.close(now, connection, reason);
        }
        let Some(key) = self.session_of(connection) else { return };
        let Some(session) = self.sessions.get_mut(key) else { return };
        let receipt = match publish.qos {
            QoS::AtMostOnce => Ok(Receipt { deliver: true, answer: None }),
            _ => session.flow().inbox.handle_publish(&publish),
        };
        if publish.qos == QoS::ExactlyOnce {
            session.count_held();
            let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
            if !is_v5 && self.sessions.held().is_too_much(&self.config) {
                // There is no way to refuse the message alone.
                return self.close(now, connection, CloseReason::Quota);
            }
        }
        let receipt = match receipt {
            Ok(receipt) => receipt,
            Err(error) => return self.flow_violation(now, connection, error),
        };
        // What was handed on before is not asked about again.
        let mut routed = Routed::Kept;
        if receipt.deliver {
            if let Err(refusal) = self.check_publish(now, connection, key, &publish) {
                self.counters.publish_dropped += 1;
                return self.refuse_publish(now, connection, &publish, receipt.answer, refusal);
            }
            routed = self.route(now, &Message::new(now, &publish), Some(key));
        }
        if routed == Routed::Dropped {
            let refusal = Refusal { reason: ReasonCode::QUOTA_EXCEEDED, what: "no subscriber has room for it" };
            return self.refuse_publish(now, connection, &publish, receipt.answer, refusal);
        }
        if let Some(mut answer) = receipt.answer {
            if let Packet::PubAck(ack) | Packet::PubRec(ack) = &mut answer
                && routed == Routed::Unwanted
                && self.connections.get(&connection).is_some_and(|open| open.version.is_v5())
            {
                // §3.4.2.1, §3.5.2.1
                ack.reason = ReasonCode::NO_MATCHING_SUBSCRIBERS;
            }
            self.send(now, connection, answer);
        }
    }

    /// Returns what no client may do in a PUBLISH. Resolves a topic alias.
    fn judge_publish(&mut self, connection: ConnectionId, publish: &mut Publish) -> Result<(), CloseReason> {
        let Some(open) = self.connections.get_mut(&connection) else { return Ok(()) };
        open.resolve_alias(publish, self.config.topic_alias_maximum).map_err(|error| match error {
            AliasError::TooLarge => CloseReason::Protocol {
                reason: ReasonCode::TOPIC_ALIAS_INVALID,
                clause: "MQTT-3.3.2-9",
                what: "topic alias above the topic alias maximum",
            },
            AliasError::Unknown => CloseReason::Protocol {
                reason: ReasonCode::PROTOCOL_ERROR,
                clause: "§3.3.2.3.4",
                what: "topic alias that stands for no topic",
            },
        })?;
        if !publish.subscription_ids.is_empty() {
            let reason = ReasonCode::PROTOCOL_ERROR;
            let what = "subscription identifier in a client's PUBLISH";
            return Err(CloseReason::Protocol { reason, clause: "MQTT-3.3.4-6", what });
        }
        if !open.version.is_v5() && !self.config.retain_available {
            // 3.1.1 has no way to tell the client before.
            publish.retain = false;
        }
        self.config.check_publish(publish).map_err(CloseReason::from)
    }

    /// Returns whether the broker takes this message at all.
    fn check_publish(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        key: SessionKey,
        publish: &Publish,
    ) -> Result<(), Refusal> {
        if is_reserved(&publish.topic) {
            return Err(Refusal { reason: ReasonCode::NOT_AUTHORIZED, what: "$SYS is the broker's own" });
        }
        if !self.permits(connection, key, Operation::Publish, &publish.topic) {
            return Err(Refusal { reason: ReasonCode::NOT_AUTHORIZED, what: "not allowed to publish to this topic" });
        }
        if !self.config.allows_topic(&publish.topic) {
            return Err(Refusal { reason: ReasonCode::TOPIC_NAME_INVALID, what: "topic name too long or too deep" });
        }
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        if is_v5 && publish.qos == QoS::ExactlyOnce && self.sessions.held().is_too_much(&self.config) {
            return Err(Refusal { reason: ReasonCode::QUOTA_EXCEEDED, what: "the server holds too much" });
        }
        // A publisher that cannot be told has the message delivered at least.
        let can_tell = is_v5 && publish.qos != QoS::AtMostOnce;
        if publish.retain && can_tell && !self.retained.has_room(now, &self.config, publish) {
            return Err(Refusal { reason: ReasonCode::QUOTA_EXCEEDED, what: "too many retained messages" });
        }
        Ok(())
    }

    /// Does not take a message: 5.0 is told why; 3.1.1 gets `answer`, as if it had been taken (§3.3.5 of 3.1.1).
    fn refuse_publish(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        publish: &Publish,
        answer: Option<Packet>,
        refusal: Refusal,
    ) {
        let explanation = self.explain(connection, refusal.what);
        let is_v5 = self.connections.get(&connection).is_some_and(|open| open.version.is_v5());
        let Some(flow) = self.flow_on(connection) else { return };
        let mut answer = if is_v5 { flow.inbox.refuse(publish, refusal.reason) } else { answer };
        self.count_session(connection);
        if let Some(Packet::PubAck(ack) | Packet::PubRec(ack)) = &mut answer {
            ack.reason_string = explanation;
        }
        if let Some(answer) = answer {
            self.send(now, connection, answer);
        }
    }

    pub(super) fn handle_pubrel(&mut self, now: Instant, connection: ConnectionId, pubrel: &Ack) {
        let Some(version) = self.connections.get(&connection).map(|open| open.version) else { return };
        let Some(flow) = self.flow_on(connection) else { return };
        let pubcomp = flow.inbox.handle_pubrel(pubrel, version);
        self.count_session(connection);
        self.send(now, connection, pubcomp);
    }

    pub(super) fn handle_puback(&mut self, now: Instant, connection: ConnectionId, puback: &Ack) {
        let Some(flow) = self.flow_on(connection) else { return };
        let settled = flow.outbox.handle_puback(puback).map(|acknowledged| {
            flow.settle(acknowledged.map(|(_, flight)| flight));
        });
        self.settle(now, connection, settled);
    }

    pub(super) fn handle_pubrec(&mut self, now: Instant, connection: ConnectionId, pubrec: &Ack) {
        let Some(version) = self.connections.get(&connection).map(|open| open.version) else { return };
        let Some(flow) = self.flow_on(connection) else { return };
        let settled = match flow.outbox.handle_pubrec(pubrec, version) {
            Ok(PubRecOutcome::Release(pubrel)) => {
                self.send(now, connection, pubrel);
                Ok(())
            }
            Ok(PubRecOutcome::Nothing) => Ok(()),
            // Nobody else gets it either [MQTT-4.8.2-6].
            Ok(PubRecOutcome::Refused(_, flight)) => {
                flow.settle(Some(flight));
                Ok(())
            }
            Err(error) => Err(error),
        };
        self.settle(now, connection, settled);
    }

    pub(super) fn handle_pubcomp(&mut self, now: Instant, connection: ConnectionId, pubcomp: &Ack) {
        let Some(flow) = self.flow_on(connection) else { return };
        let settled = flow.outbox.handle_pubcomp(pubcomp).map(|completed| flow.settle(completed));
        self.settle(now, connection, settled);
    }

    /// Sends messages that wait, after an acknowledgement has made room.
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

    /// Counts what the session of a connection holds, after a message of QoS 2 was received, refused or released.
    fn count_session(&mut self, connection: ConnectionId) {
        if let Some(session) = self.session_of(connection).and_then(|key| self.sessions.get_mut(key)) {
            session.count_held();
        }
    }

    fn flow_on(&mut self, connection: ConnectionId) -> Option<&mut Flow> {
        self.sessions.get_mut(self.session_of(connection)?).map(Session::flow)
    }
}
