//! The form of what a server writes, see [`broken_form`], and what it may say to a
//! CONNECT that has none (§3.1.4).

use halfopen_protocol::{PacketType, Role, Version};

use super::Server;
use super::violation::Violation;
use crate::model::finding::{Findings, shown};
use crate::model::form::broken_form;
use crate::model::websocket;
use crate::plan::Invariant;
use crate::trace::{ConnectionId, WebSocketItem};

/// A CONNECT that is malformed.
#[derive(Clone, Copy, Debug)]
pub(super) struct MalformedConnect {
    /// The protocol level, if it names one.
    level: Option<u8>,
}

impl MalformedConnect {
    fn new(bytes: &[u8]) -> Self {
        const NAME: &[u8] = b"\0\x04MQTT";
        // Behind the fixed header, which has at most five bytes.
        let name = bytes.windows(NAME.len()).take(6).position(|window| window == NAME);
        Self { level: name.and_then(|place| bytes.get(place + NAME.len()).copied()) }
    }

    /// Returns whether a server may refuse it by CONNACK: in 3.1.1 it closes without [MQTT-3.1.4-1].
    pub(super) fn may_be_refused(self) -> bool {
        self.level != Some(Version::V3_1_1.level())
    }
}

impl Server {
    /// Takes note of bytes of a client that are no packet. Those that can become none are a reason to close ([MQTT-4.8.0-1] of
    /// 3.1.1, [MQTT-4.13.1-1] of 5.0).
    pub(super) fn receive_bytes(&mut self, id: ConnectionId, bytes: &[u8]) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        if connection.connect.is_none() {
            if bytes.first().is_some_and(|first| first >> 4 == PacketType::Connect as u8) {
                connection.malformed_connect = Some(MalformedConnect::new(bytes));
            }
            return;
        }
        // What comes before CONNACK, or behind DISCONNECT, is another matter.
        if connection.session.is_some()
            && connection.disconnect.is_none()
            && connection.violation.is_none()
            && let Some(error) = broken_form(bytes, connection.version(), Role::Server)
        {
            connection.violation = Some(Box::new(Violation::of_malformed(&error, now)));
        }
    }

    /// Takes note of an item of WebSocket. A text frame is a reason to close ([MQTT-6.0.0-1]).
    pub(super) fn receive_websocket(&mut self, id: ConnectionId, item: &WebSocketItem) {
        let now = self.now;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.offers_mqtt |= websocket::offers_mqtt(item);
        if matches!(item, WebSocketItem::Text(_)) && connection.violation.is_none() {
            connection.violation = Some(Box::new(Violation::of_text_frame(now)));
        }
    }

    /// Judges an item of WebSocket that the server sends.
    pub(super) fn send_websocket(&self, id: ConnectionId, item: &WebSocketItem, findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id) else { return };
        websocket::judge(Invariant::BrokerAnswers, &self.name, item, connection.offers_mqtt, self.now, findings);
    }

    /// Judges bytes that the server writes and that are no packet, also on a connection that it ends at this instant.
    pub(super) fn send_bytes(&self, id: ConnectionId, bytes: &[u8], findings: &mut Findings) {
        let Some(connection) = self.connections.get(&id).or_else(|| self.lately.get(&id).map(Box::as_ref)) else {
            return;
        };
        let version = match (&connection.connect, connection.malformed_connect) {
            (Some(connect), _) => connect.version,
            (None, Some(MalformedConnect { level: Some(level) })) if level == Version::V3_1_1.level() => {
                Version::V3_1_1
            }
            (None, Some(MalformedConnect { level: Some(level) })) if level == Version::V5_0.level() => Version::V5_0,
            // Which form a server chooses for who speaks neither version is its own affair.
            _ => return,
        };
        if let Some(error) = broken_form(bytes, version, Role::Client) {
            let client = self.node_name(connection.client);
            let owed = format!("{} writes to {client} packets of {version} as they are defined", self.name);
            findings.push(
                Invariant::BrokerAnswers,
                error.clause,
                &owed,
                format!("{}, at {}", error.what, shown(self.now)),
            );
        }
    }
}
