use halfopen_protocol::packet::ConnAck;
use halfopen_protocol::{DecodeError, Instant, Packet, PacketType, ReasonCode, Version};
use std::sync::Arc;

use super::{Broker, CloseReason, ConnectionId, Event};

/// Handling of received packets, type by type.
impl Broker {
    /// A whole packet came.
    pub(super) fn handle_packet(&mut self, now: Instant, connection: ConnectionId, packet: Packet) {
        let client_id = self.client_id(connection);
        self.tell(Event::Received { connection, client_id, packet: packet.clone() });
        self.counters.received(&packet);
        self.handle_activity(now, connection, packet.packet_type());
        let open = self.connections.get(&connection);
        let connected = open.is_some_and(|open| open.client.is_some());
        let authenticating = open.is_some_and(|open| open.pending.is_some());
        match packet {
            Packet::Auth(auth) if authenticating => self.handle_auth(now, connection, &auth),
            Packet::Disconnect(_) if authenticating => self.close(now, connection, CloseReason::Disconnected),
            _ if authenticating => {
                self.refuse_violation(now, connection, "MQTT-3.1.2-30", "neither AUTH nor DISCONNECT before CONNACK");
            }
            Packet::Connect(connect) if !connected => {
                self.handle_connect(now, connection, Arc::unwrap_or_clone(connect))
            }
            Packet::Connect(_) => self.violation(now, connection, "MQTT-3.1.0-2", "second CONNECT"),
            _ if !connected => self.violation(now, connection, "MQTT-3.1.0-1", "first packet is not CONNECT"),
            Packet::Publish(publish) => self.handle_publish(now, connection, Arc::unwrap_or_clone(publish)),
            Packet::PubAck(puback) => self.handle_puback(now, connection, &puback),
            Packet::PubRec(pubrec) => self.handle_pubrec(now, connection, &pubrec),
            Packet::PubRel(pubrel) => self.handle_pubrel(now, connection, &pubrel),
            Packet::PubComp(pubcomp) => self.handle_pubcomp(now, connection, &pubcomp),
            Packet::Subscribe(subscribe) => self.handle_subscribe(now, connection, subscribe),
            Packet::Unsubscribe(unsubscribe) => self.handle_unsubscribe(now, connection, &unsubscribe),
            Packet::PingReq => self.send(now, connection, Packet::PingResp), // [MQTT-3.12.4-1]
            Packet::Disconnect(disconnect) => self.handle_disconnect(now, connection, &disconnect),
            Packet::Auth(auth) => self.handle_auth(now, connection, &auth),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                self.violation(now, connection, "§2.1.2", "a packet that only a server sends");
            }
        }
    }

    /// Bytes came that are no packet [MQTT-4.8.0-1] (3.1.1), [MQTT-4.13.1-1] (5.0). `level` is the protocol level, if
    /// they began a CONNECT.
    pub(super) fn handle_malformed(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        error: &DecodeError,
        level: Option<u8>,
    ) {
        match level {
            // Whatever its level: 3.1.1 demands 0x01 for one that we do not have [MQTT-3.1.2-2] (3.1.1), and 5.0 leaves
            // the answer open [MQTT-3.1.2-2] (5.0).
            Some(_) if error.reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION => {
                return self.refuse(now, connection, Version::V3_1_1, ReasonCode::new(1));
            }
            // 5.0 may say what is wrong with a CONNECT (§3.1.4); 3.1.1 must not [MQTT-3.1.4-1] (3.1.1).
            Some(level) if level == Version::V5_0.level() => {
                let reason = Some(error.reason).filter(|reason| CONNACK_REASONS.contains(&reason.value()));
                let reason = reason.unwrap_or(ReasonCode::PROTOCOL_ERROR);
                self.send_refusal(now, connection, Version::V5_0, reason);
            }
            _ => {}
        }
        let reason = CloseReason::Protocol { reason: error.reason, clause: error.clause, what: error.what };
        self.close(now, connection, reason);
    }

    /// A client breaks a rule that has no reason code of its own.
    pub(super) fn violation(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        clause: &'static str,
        what: &'static str,
    ) {
        let reason = CloseReason::Protocol { reason: ReasonCode::PROTOCOL_ERROR, clause, what };
        self.close(now, connection, reason);
    }

    /// Answers a CONNECT with this reason (return code of 3.1.1) and closes [MQTT-3.2.2-5] (3.1.1), [MQTT-3.2.2-7]
    /// (5.0).
    pub(super) fn refuse(&mut self, now: Instant, connection: ConnectionId, version: Version, reason: ReasonCode) {
        self.send_refusal(now, connection, version, reason);
        self.close(now, connection, CloseReason::Refused { reason });
    }

    pub(super) fn send_refusal(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        version: Version,
        reason: ReasonCode,
    ) {
        if let Some(open) = self.connections.get_mut(&connection) {
            open.version = version;
        }
        let server_reference = self.referral(version, reason);
        let connack = ConnAck { reason, server_reference, ..ConnAck::default() };
        self.send(now, connection, Packet::from(connack));
    }

    /// The keep-alive counts from here again.
    pub(super) fn handle_activity(&mut self, now: Instant, connection: ConnectionId, packet: PacketType) {
        let Some(open) = self.connections.get_mut(&connection) else { return };
        let before = open.deadline(&self.config);
        if let Some(client) = &mut open.client {
            client.keep_alive.handle_packet(now, packet);
            self.set_deadline(connection, before);
        }
    }
}

/// The codes of 0x80 and above that CONNACK may carry (§3.2.2.2).
const CONNACK_REASONS: [u8; 21] = [
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C,
    0x9D, 0x9F,
];
