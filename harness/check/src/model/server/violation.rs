//! What a client must not do: the server closes the connection (§4.8 of 3.1.1, §4.13 of 5.0), and in 5.0 says why if it says
//! anything. After it has sent DISCONNECT, or a CONNACK that refuses, it closes in any case.

use bytes::BytesMut;
use halfopen_protocol::packet::{Disconnect, Publish, QoS, Subscribe};
use halfopen_protocol::{DecodeError, Instant, Packet, ReasonCode, encode};

use super::Server;
use super::connection::Connection;
use crate::model::finding::{Findings, clause_of, shown};
use crate::plan::{Invariant, NodeId};
use crate::trace::ConnectionId;

/// Number of bytes that a server surely holds for one client.
const MUCH: usize = 32 * 1024;

/// A rule that a client has broken.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    clause: &'static str,
    what: String,
    /// The reason code of DISCONNECT; any if `None`.
    reason: Option<ReasonCode>,
    at: Instant,
}

impl Violation {
    /// A text frame of WebSocket.
    pub(super) fn of_text_frame(at: Instant) -> Self {
        Self { clause: "MQTT-6.0.0-1", what: "a text frame".to_owned(), reason: None, at }
    }

    /// Bytes that are no packet. Which of several rules they break first is told by no standard, and so neither is the reason.
    pub(super) fn of_malformed(error: &DecodeError, at: Instant) -> Self {
        Self { clause: error.clause, what: format!("what is no packet ({})", error.what), reason: None, at }
    }
}

impl Connection {
    /// Returns the rule that this packet of the client breaks, if it breaks one that the server has to close for.
    fn broken_by(&self, packet: &Packet, now: Instant) -> Option<Violation> {
        let broken = |clause, what: &str, reason| {
            Some(Violation { clause, what: what.to_owned(), reason: Some(reason), at: now })
        };
        let name = packet.packet_type().name();
        match packet {
            Packet::Connect(_) if self.connect.is_none() => return None,
            _ if self.connect.is_none() => {
                return broken("MQTT-3.1.0-1", &format!("{name} before CONNECT"), ReasonCode::PROTOCOL_ERROR);
            }
            // What comes before CONNACK is another matter.
            _ if self.session.is_none() => return None,
            // No packet is smaller.
            Packet::PingReq => return None,
            Packet::Connect(_) => {
                return broken("MQTT-3.1.0-2", "a second CONNECT", ReasonCode::PROTOCOL_ERROR);
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                let what = format!("{name}, which only a server sends");
                return broken("§2.1.2", &what, ReasonCode::PROTOCOL_ERROR);
            }
            _ => {}
        }
        let announced = self.announced.as_ref().filter(|_| self.is_v5())?;
        let maximum = announced.maximum_packet_size.map_or(usize::MAX, |size| size as usize);
        let mut bytes = BytesMut::new();
        if maximum < usize::MAX && encode(packet, self.version(), &mut bytes).is_ok() && bytes.len() > maximum {
            let what = format!("{name} of {} bytes, more than the server takes", bytes.len());
            return broken("MQTT-3.2.2-15", &what, ReasonCode::PACKET_TOO_LARGE);
        }
        let (clause, what, reason) = match packet {
            Packet::Publish(publish) => self.publish_breaks(publish)?,
            Packet::Subscribe(subscribe) => self.subscribe_breaks(subscribe)?,
            Packet::Disconnect(disconnect) => self.disconnect_breaks(disconnect)?,
            _ => return None,
        };
        broken(clause, what, reason)
    }

    fn publish_breaks(&self, publish: &Publish) -> Option<(&'static str, &'static str, ReasonCode)> {
        let announced = self.announced.as_ref()?;
        let aliases = announced.topic_alias_maximum.unwrap_or(0);
        Some(match publish.topic_alias {
            Some(alias) if alias == 0 || alias > aliases => {
                ("MQTT-3.3.2-9", "a topic alias above Topic Alias Maximum", ReasonCode::TOPIC_ALIAS_INVALID)
            }
            Some(alias) if publish.topic.is_empty() && !self.aliases.0.contains_key(&alias) => {
                ("§3.3.2.3.4", "a topic alias that stands for nothing", ReasonCode::PROTOCOL_ERROR)
            }
            _ if !publish.subscription_ids.is_empty() => {
                ("MQTT-3.3.4-6", "PUBLISH with a subscription identifier", ReasonCode::PROTOCOL_ERROR)
            }
            _ if publish.qos > announced.maximum_qos.unwrap_or(QoS::ExactlyOnce) => {
                ("MQTT-3.2.2-11", "PUBLISH above Maximum QoS", ReasonCode::QOS_NOT_SUPPORTED)
            }
            _ if publish.retain && announced.retain_available == Some(false) => {
                ("MQTT-3.2.2-14", "PUBLISH with RETAIN, which the server has not", ReasonCode::RETAIN_NOT_SUPPORTED)
            }
            _ => return None,
        })
    }

    fn subscribe_breaks(&self, subscribe: &Subscribe) -> Option<(&'static str, &'static str, ReasonCode)> {
        let announced = self.announced.as_ref()?;
        let mut filters = subscribe.subscriptions.iter().map(|one| &*one.filter);
        let is_shared = |filter: &str| filter.starts_with("$share/");
        if announced.shared_subscription_available == Some(false) && filters.clone().any(is_shared) {
            let what = "a shared subscription, which the server has not";
            return Some(("§3.2.2.3.13", what, ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED));
        }
        if announced.subscription_identifiers_available == Some(false) && subscribe.subscription_id.is_some() {
            let what = "a subscription identifier, which the server has not";
            return Some(("§3.2.2.3.12", what, ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED));
        }
        if announced.wildcard_subscription_available == Some(false) && filters.any(|filter| filter.contains(['+', '#']))
        {
            let what = "a wildcard, which the server has not";
            return Some(("§3.2.2.3.11", what, ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED));
        }
        None
    }

    fn disconnect_breaks(&self, disconnect: &Disconnect) -> Option<(&'static str, &'static str, ReasonCode)> {
        let had_none = self.connect.as_ref().is_some_and(|connect| connect.session_expiry.unwrap_or(0) == 0);
        let what = "DISCONNECT with a Session Expiry Interval after a CONNECT with none";
        let asks = had_none && disconnect.session_expiry.is_some_and(|expiry| expiry > 0);
        asks.then_some(("§3.14.2.2.2", what, ReasonCode::PROTOCOL_ERROR))
    }
}

impl Server {
    /// Takes note of the rule that a client breaks with this packet, if it breaks one.
    pub(super) fn note_violation(&mut self, id: ConnectionId, packet: &Packet) {
        let now = self.now;
        if let Some(connection) = self.connections.get_mut(&id)
            && connection.disconnect.is_none()
            && connection.violation.is_none()
        {
            connection.violation = connection.broken_by(packet, now).map(Box::new);
        }
    }

    /// Judges a DISCONNECT of the server: after a violation it says which one.
    pub(super) fn send_disconnect(&mut self, id: ConnectionId, disconnect: &Disconnect, findings: &mut Findings) {
        let now = self.now;
        let name = self.name.clone();
        let Some(connection) = self.connection_until_now(id) else { return };
        connection.left_at.get_or_insert(now);
        let (client, heard_at) = (connection.client, connection.heard_at);
        let maximum = connection.announced.as_ref().and_then(|connack| connack.receive_maximum);
        connection.unanswered.judge_reason(&name, disconnect, maximum, now, findings);
        let Some(violation) = connection.violation.clone().filter(|violation| violation.at == now) else {
            if heard_at < now {
                self.judge_farewell(client, disconnect, findings);
            }
            return;
        };
        // At one instant the connection may have been taken over, or the server have been asked to stop; and what the client has sent too
        // much came before.
        let others = [
            ReasonCode::SESSION_TAKEN_OVER,
            ReasonCode::SERVER_SHUTTING_DOWN,
            ReasonCode::USE_ANOTHER_SERVER,
            ReasonCode::RECEIVE_MAXIMUM_EXCEEDED,
        ];
        if let Some(reason) = violation.reason.filter(|reason| *reason != disconnect.reason)
            && !others.contains(&disconnect.reason)
        {
            let client = self.node_name(client);
            let owed = format!("{} says {reason} to {client}, which sent {}", self.name, violation.what);
            let actual = format!("{} at {}", disconnect.reason, shown(now));
            findings.push(Invariant::BrokerAnswers, violation.clause, &owed, actual);
        }
    }

    /// Judges a server that ends a connection because it holds too much for it: what it has for the client must be much, for one message
    /// that the client does not take is no reason [MQTT-3.1.2-25].
    pub(super) fn judge_quota(&self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let Some(session) = connection.session.as_ref().and_then(|client_id| self.sessions.get(client_id)) else {
            return;
        };
        if connection.bytes_under_way() + session.owed.unsent_bytes() < MUCH {
            let client = self.node_name(connection.client);
            let owed = format!("{} closes {client} for want of room only if it holds much for it", self.name);
            findings.push(Invariant::BrokerAnswers, "MQTT-3.1.2-25", &owed, format!("closed at {}", shown(self.now)));
        }
    }

    /// Judges the reason of a DISCONNECT for which the client has given no cause: an orderly stop says that it is one
    /// (§3.14.2.1).
    fn judge_farewell(&self, client: NodeId, disconnect: &Disconnect, findings: &mut Findings) {
        // At one instant the connection may have been taken over, or been silent for too long.
        let right = [
            ReasonCode::SERVER_SHUTTING_DOWN,
            ReasonCode::USE_ANOTHER_SERVER,
            ReasonCode::SERVER_MOVED,
            ReasonCode::SESSION_TAKEN_OVER,
            ReasonCode::KEEP_ALIVE_TIMEOUT,
        ];
        if self.stops_at == Some(self.now) && !right.contains(&disconnect.reason) {
            let client = self.node_name(client);
            let owed = format!("{} says {} to {client} when it stops", self.name, ReasonCode::SERVER_SHUTTING_DOWN);
            let actual = format!("{} at {}", disconnect.reason, shown(self.now));
            findings.push(Invariant::BrokerAnswers, "§3.14.2.1", &owed, actual);
        }
    }

    /// Judges whether the server has closed a connection that it had to close.
    pub(super) fn judge_violation(&self, id: ConnectionId, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        let client = self.node_name(connection.client);
        let still = || format!("open until {}", shown(self.now));
        if let Some(left_at) = connection.left_at.filter(|at| self.is_overdue(connection, *at)) {
            let (what, clause) = match connection.session {
                Some(_) => ("DISCONNECT", "MQTT-3.14.4-2"),
                None => ("a refusal", clause_of(connection.version(), "MQTT-3.2.2-5", "MQTT-3.2.2-7")),
            };
            let owed = format!("{} closes the connection of {client} after {what} at {}", self.name, shown(left_at));
            findings.push(Invariant::BrokerAnswers, clause, &owed, still());
        } else if let Some(violation) = connection.violation.as_ref().filter(|_| connection.left_at.is_none())
            && self.is_overdue(connection, violation.at)
        {
            let Violation { what, at, .. } = &**violation;
            let owed = format!("{} closes the connection of {client}, which sent {what} at {}", self.name, shown(*at));
            findings.push(Invariant::BrokerAnswers, violation.clause, &owed, still());
        }
    }
}
