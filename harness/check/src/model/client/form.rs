//! The form of what a client writes: see [`broken_form`].

use halfopen_protocol::{Role, Version};

use super::Client;
use crate::model::finding::{Findings, shown};
use crate::model::form::broken_form;
use crate::plan::Invariant;
use crate::trace::WebSocketItem;

impl Client {
    /// Takes note of an item of WebSocket.
    pub(super) fn receive_websocket(&mut self, item: &WebSocketItem) {
        let now = self.now;
        if let (WebSocketItem::Text(_), Some(connection)) = (item, &mut self.connection) {
            connection.misused_at.get_or_insert(now);
            connection.has_had_text = true;
        }
    }

    /// Judges whether the client has closed after a text frame.
    pub(super) fn judge_text(&self, findings: &mut Findings) {
        let connection = self.connection.as_ref().filter(|connection| connection.has_had_text);
        let Some(since) = connection.and_then(|connection| connection.misused_at) else { return };
        if self.is_overdue(since) {
            let owed = format!("{} closes the connection after a text frame at {}", self.name, shown(since));
            let actual = format!("open until {}", shown(self.now));
            findings.push(Invariant::ClientAnswers, "MQTT-6.0.0-1", &owed, actual);
        }
    }

    /// Judges bytes that the client writes and that are no packet.
    pub(super) fn send_bytes(&self, bytes: &[u8], findings: &mut Findings) {
        let connect = self.connection.as_ref().and_then(|connection| connection.connect.as_ref());
        // CONNECT is read in the version that it names.
        let version = connect.map_or(Version::V5_0, |connect| connect.version);
        if let Some(error) = broken_form(bytes, version, Role::Server) {
            let owed = format!("{} writes packets as they are defined", self.name);
            let actual = format!("{}, at {}", error.what, shown(self.now));
            findings.push(Invariant::ClientAnswers, error.clause, &owed, actual);
        }
    }
}
