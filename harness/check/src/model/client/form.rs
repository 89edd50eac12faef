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
        if matches!(item, WebSocketItem::Text(_)) {
            self.has_to_close("MQTT-6.0.0-1", "a text frame".to_owned());
        }
    }

    /// Takes note of bytes of the server that are no packet. Those that can become none are a reason to close ([MQTT-4.8.0-1] of
    /// 3.1.1, [MQTT-4.13.1-1] of 5.0).
    pub(super) fn receive_bytes(&mut self, bytes: &[u8]) {
        let is_accepted = self.connection.as_ref().is_some_and(|connection| connection.limits.is_some());
        if let Some(error) = broken_form(bytes, self.version(), Role::Client).filter(|_| is_accepted) {
            self.has_to_close(error.clause, format!("what is no packet ({})", error.what));
        }
    }

    fn has_to_close(&mut self, clause: &'static str, what: String) {
        let now = self.now;
        if let Some(connection) = self.connection.as_mut().filter(|connection| connection.misused_at.is_none()) {
            connection.misused_at = Some(now);
            connection.closes_for = Some(Box::new((clause, what)));
        }
    }

    /// Judges whether the client has closed after what no server may send.
    pub(super) fn judge_misuse(&self, findings: &mut Findings) {
        let Some(connection) = &self.connection else { return };
        let (Some(since), Some(why)) = (connection.misused_at, &connection.closes_for) else { return };
        if self.is_overdue(since) {
            let (clause, what) = &**why;
            let owed = format!("{} closes the connection after {what} at {}", self.name, shown(since));
            findings.push(Invariant::ClientAnswers, clause, &owed, format!("open until {}", shown(self.now)));
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
