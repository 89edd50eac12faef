use std::sync::Arc;

use halfopen_protocol::flow::PubRecOutcome;
use halfopen_protocol::packet::{Ack, ConnAck, Publish, QoS, SubAck, UnsubAck};
use halfopen_protocol::{DecodeOptions, Instant, Packet, Rare, ReasonCode, Role, decode, decode_one};

use super::aliases::Aliases;
use super::limits::Limits;
use super::link::{Link, Up};
use super::request::RequestKind;
use super::violation::Violation;
use super::{AckDetails, Client, DisconnectReason, Event};

/// Handling of packets from the broker.
impl Client {
    /// Returns the packet that these bytes are, if they are exactly one and nothing waits before it.
    pub(super) fn packet_of(&self, bytes: &[u8]) -> Option<Packet> {
        let is_ready = self.is_listening() && matches!(&self.link, Link::Up(up) if up.buffer.is_none());
        if is_ready { decode_one(bytes, &self.decode_options()) } else { None }
    }

    fn decode_options(&self) -> DecodeOptions {
        DecodeOptions {
            version: self.version(),
            reader: Role::Client,
            maximum_packet_size: self.options.connect.maximum_packet_size.unwrap_or(self.options.packet_limit),
        }
    }

    /// Takes the next packet out of what has come; closes if there is none to be had.
    pub(super) fn next_packet(&mut self, now: Instant) -> Option<Packet> {
        let options = self.decode_options();
        match decode(self.link.buffer()?, &options) {
            Ok(packet) => packet,
            Err(error) => {
                self.fail(now, error.into());
                None
            }
        }
    }

    pub(super) fn handle_packet(&mut self, now: Instant, packet: Packet) {
        self.tell(Event::Received(packet.clone()));
        let handled = match (&self.link, packet) {
            (_, packet) if self.has_unwanted_problem(&packet) => {
                Err(Violation::protocol("MQTT-3.1.2-29", "problem information that was not asked for"))
            }
            (Link::Handshake(_), Packet::ConnAck(connack)) => self.handle_connack(now, connack),
            (Link::Handshake(_), Packet::Auth(auth)) => self.handle_auth_in_handshake(now, &auth),
            (Link::Handshake(_), _) => Err(Violation::protocol("MQTT-3.2.0-1", "a packet before CONNACK")),
            (Link::Up(_), packet) => self.handle_packet_when_up(now, packet),
            _ => Ok(()),
        };
        if let Err(violation) = handled {
            self.fail(now, violation);
        }
    }

    fn handle_packet_when_up(&mut self, now: Instant, packet: Packet) -> Result<(), Violation> {
        match packet {
            Packet::ConnAck(_) => {
                let clause = if self.version().is_v5() { "MQTT-3.2.0-2" } else { "§3.2" };
                return Err(Violation::protocol(clause, "a second CONNACK"));
            }
            Packet::Publish(publish) => self.handle_publish(now, Arc::unwrap_or_clone(publish))?,
            Packet::PubAck(ack) => {
                if let Some((_, token)) = self.session.outbox.handle_puback(&ack)? {
                    self.tell(Event::Published { token, reason: ack.reason, details: ack.into() });
                }
            }
            Packet::PubRec(ack) => self.handle_pubrec(now, ack)?,
            Packet::PubRel(ack) => {
                if let Some(receipts) = self.session.receipts.existing() {
                    receipts.released(ack.packet_id);
                }
                let answer = self.session.inbox.handle_pubrel(&ack, self.version());
                self.write(now, answer);
            }
            Packet::PubComp(ack) => {
                // Not the reason of PUBCOMP: PUBREC has taken the message over, and 0x92 only says that an earlier PUBCOMP
                // was lost, which is no error after a resume (§3.7.2.1).
                if let Some(token) = self.session.outbox.handle_pubcomp(&ack)? {
                    self.tell(Event::Published { token, reason: ReasonCode::SUCCESS, details: ack.into() });
                }
            }
            Packet::SubAck(suback) => self.handle_suback(suback)?,
            Packet::UnsubAck(unsuback) => self.handle_unsuback(unsuback)?,
            Packet::PingResp => {
                if let Link::Up(up) = &mut self.link {
                    up.keep_alive.answered();
                }
            }
            // In 3.1.1 it is for clients alone, and was not decoded.
            Packet::Disconnect(disconnect) => {
                self.end(now, DisconnectReason::Server(Box::new(disconnect)));
            }
            Packet::Auth(auth) => self.handle_auth_when_up(now, &auth)?,
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::PingReq => {
                return Err(Violation::protocol("§2.1.2", "a packet that only clients send"));
            }
        }
        self.pump(now);
        Ok(())
    }

    fn handle_connack(&mut self, now: Instant, connack: Arc<ConnAck>) -> Result<(), Violation> {
        let Link::Handshake(handshake) = &mut self.link else { return Ok(()) };
        if connack.reason != ReasonCode::SUCCESS {
            self.end(now, DisconnectReason::Refused(connack));
            return Ok(());
        }
        if handshake.clean_start && connack.session_present {
            let clause = if self.version().is_v5() { "MQTT-3.2.2-2" } else { "MQTT-3.2.2-1" };
            return Err(Violation::protocol(clause, "session present after a clean start"));
        }
        self.accept_authentication(now, &connack)?;
        let Link::Handshake(handshake) = &mut self.link else { return Ok(()) };
        let seconds = connack.server_keep_alive.unwrap_or(self.options.connect.keep_alive);
        let connect_sent = handshake.connect_sent;
        let keep_alive = self.keep_alive_or_defect(seconds, connect_sent, now);
        let Link::Handshake(handshake) = &mut self.link else { return Ok(()) };
        let limits = Limits::new(&connack);
        self.link = Link::Up(Box::new(Up {
            keep_alive,
            limits,
            buffer: Some(Box::new(std::mem::take(&mut handshake.buffer))),
            aliases: Rare::new(),
            outgoing: Aliases::new(connack.topic_alias_maximum.unwrap_or(0).min(self.options.topic_aliases)),
            since: now,
            authentication_method: handshake.authentication_method.take().map(Box::new),
            authenticating: None,
            is_congested: false,
        }));
        self.assigned_id = connack.assigned_client_id.clone().map(Box::new).or(self.assigned_id.take());
        let session_present = connack.session_present;
        self.tell(Event::Connected(connack));
        self.begin_session(now, session_present, limits.receive_maximum);
        Ok(())
    }

    fn begin_session(&mut self, now: Instant, session_present: bool, window: u16) {
        self.session.outbox.set_window(window);
        self.session.inbox.set_maximum(self.options.connect.receive_maximum.unwrap_or(u16::MAX));
        if session_present {
            self.session.outbox.restart();
        } else {
            for token in self.session.start_over(now) {
                self.tell(Event::Published { token, reason: ReasonCode::SUCCESS, details: AckDetails::default() });
            }
        }
        self.pump(now);
    }

    fn handle_publish(&mut self, now: Instant, publish: Publish) -> Result<(), Violation> {
        // The alias first: with a bad one the connection ends, and the inbox must not hold what was not handed on.
        let message = self.resolve_alias(publish)?;
        if self.session.receipts.holds(&message) {
            // Sent again before it was acknowledged, as some brokers of 3.1.1 do. The answer will come.
            return Ok(());
        }
        self.check_receive_maximum(&message)?;
        let receipt = self.session.inbox.handle_publish(&message)?;
        let id = message.packet_id;
        if receipt.deliver && self.deliver(message) {
            return Ok(());
        }
        let Some(answer) = receipt.answer else { return Ok(()) };
        let waits = match (id, self.session.receipts.existing()) {
            (Some(id), Some(receipts)) if !receipt.deliver => receipts.wait_again(id),
            _ => false,
        };
        if !waits {
            self.write(now, answer);
        }
        Ok(())
    }

    /// Hands a message on. True if its acknowledgement is the application's.
    fn deliver(&mut self, message: Publish) -> bool {
        let message = Arc::new(message);
        if let Some(credit) = &mut self.credit {
            *credit = credit.saturating_sub(1);
        }
        let ticket = match self.options.manual_acknowledgement {
            true => self.session.receipts.hold(&message),
            false => None,
        };
        self.tell(match ticket {
            Some(ticket) => Event::Unacknowledged { message, ticket },
            None => Event::Message(message),
        });
        ticket.is_some()
    }

    /// Our own Receive Maximum, which messages of both QoS use up until they are acknowledged [MQTT-3.3.4-9]. The inbox
    /// knows of those of QoS 2 only.
    fn check_receive_maximum(&self, message: &Publish) -> Result<(), Violation> {
        let Some(id) = message.packet_id else { return Ok(()) };
        let open = self.session.receipts.open_at_least_once() + self.session.inbox.open();
        let is_repeated = message.qos == QoS::ExactlyOnce && self.session.inbox.is_open(id);
        if is_repeated || open < usize::from(self.options.connect.receive_maximum.unwrap_or(u16::MAX)) {
            return Ok(());
        }
        let what = "more PUBLISH packets open than the receive maximum allows";
        Err(Violation { reason: ReasonCode::RECEIVE_MAXIMUM_EXCEEDED, clause: "MQTT-3.3.4-9", what })
    }

    /// Returns whether a packet has a reason string or user properties although Request Problem Information is 0, and
    /// is not PUBLISH, CONNACK or DISCONNECT.
    fn has_unwanted_problem(&self, packet: &Packet) -> bool {
        if self.options.connect.request_problem_information != Some(false) {
            return false;
        }
        let (reason_string, user_properties) = match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                (&ack.reason_string, &ack.user_properties)
            }
            Packet::SubAck(suback) => (&suback.reason_string, &suback.user_properties),
            Packet::UnsubAck(unsuback) => (&unsuback.reason_string, &unsuback.user_properties),
            Packet::Auth(auth) => (&auth.reason_string, &auth.user_properties),
            _ => return false,
        };
        reason_string.is_some() || !user_properties.is_empty()
    }

    /// Puts the topic in the place of its alias (§3.3.2.3.4).
    fn resolve_alias(&mut self, mut publish: Publish) -> Result<Publish, Violation> {
        let Some(alias) = publish.topic_alias else { return Ok(publish) };
        let maximum = self.options.connect.topic_alias_maximum.unwrap_or(0);
        if alias == 0 || alias > maximum {
            let reason = ReasonCode::TOPIC_ALIAS_INVALID;
            return Err(Violation { reason, clause: "§3.3.2.3.4", what: "topic alias above the maximum" });
        }
        let Link::Up(up) = &mut self.link else { return Ok(publish) };
        if publish.topic.is_empty() {
            let unknown = Violation::protocol("§3.3.2.3.4", "topic alias that was not set");
            publish.topic = up.aliases.get(&alias).ok_or(unknown)?.clone();
        } else {
            up.aliases.insert(alias, publish.topic.clone());
        }
        Ok(publish)
    }

    fn handle_pubrec(&mut self, now: Instant, ack: Ack) -> Result<(), Violation> {
        match self.session.outbox.handle_pubrec(&ack, self.version())? {
            PubRecOutcome::Release(pubrel) => self.write(now, pubrel),
            PubRecOutcome::Refused(_, token) => {
                self.tell(Event::Published { token, reason: ack.reason, details: ack.into() });
            }
            PubRecOutcome::Nothing => {}
        }
        Ok(())
    }

    fn handle_suback(&mut self, mut suback: SubAck) -> Result<(), Violation> {
        let Some(asked) = self.session.answer(suback.packet_id) else {
            return Err(Violation::protocol("MQTT-3.8.4-2", "SUBACK that answers no SUBSCRIBE"));
        };
        let RequestKind::Subscribe(request) = &asked.request.kind else {
            return Err(Violation::protocol("MQTT-3.8.4-2", "SUBACK that answers an UNSUBSCRIBE"));
        };
        if suback.reasons.len() != asked.sent() {
            let clause = if self.version().is_v5() { "MQTT-3.8.4-6" } else { "MQTT-3.8.4-5" };
            return Err(Violation::protocol(clause, "SUBACK without one code per filter"));
        }
        let reasons = asked.merge(std::mem::take(&mut suback.reasons));
        self.session.remember(asked.request.token, request, &reasons);
        self.tell(Event::Subscribed { token: asked.request.token, reasons, details: suback.into() });
        Ok(())
    }

    fn handle_unsuback(&mut self, mut unsuback: UnsubAck) -> Result<(), Violation> {
        let clause = if self.version().is_v5() { "MQTT-3.10.4-5" } else { "MQTT-3.10.4-4" };
        let Some(asked) = self.session.answer(unsuback.packet_id) else {
            return Err(Violation::protocol(clause, "UNSUBACK that answers no UNSUBSCRIBE"));
        };
        let RequestKind::Unsubscribe(request) = &asked.request.kind else {
            return Err(Violation::protocol(clause, "UNSUBACK that answers a SUBSCRIBE"));
        };
        if self.version().is_v5() && unsuback.reasons.len() != request.filters.len() {
            return Err(Violation::protocol("§3.11.3", "UNSUBACK without one code per filter"));
        }
        self.session.forget(&request.filters);
        let reasons = std::mem::take(&mut unsuback.reasons);
        self.tell(Event::Unsubscribed { token: asked.request.token, reasons, details: unsuback.into() });
        Ok(())
    }
}
