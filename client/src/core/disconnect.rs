//! How the application ends a connection.

use halfopen_protocol::packet::Disconnect;
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::link::Link;
use super::size::packet_size;
use super::{Client, CommandError, DisconnectReason};

impl Client {
    /// Sends DISCONNECT and closes [MQTT-3.14.4-1]; or gives up connecting. Does not connect again on its own. What
    /// still waits to be sent or acknowledged waits for a later [`connect`](Self::connect).
    ///
    /// DISCONNECT of 3.1.1 has no reason and always deletes the will. So with any other reason than 0x00 a client of
    /// 3.1.1 closes without it.
    pub fn disconnect(&mut self, now: Instant, reason: ReasonCode) {
        self.send_disconnect(now, Disconnect::new(reason));
    }

    /// [`disconnect`](Self::disconnect) with everything that DISCONNECT can say in 5.0: another Session Expiry Interval,
    /// Reason String, User Properties. What is for people is left out if the broker takes no packet of that size
    /// [MQTT-3.14.2-3], [MQTT-3.14.2-4].
    ///
    /// # Errors
    /// CONNECT had no Session Expiry Interval and this has one; or it has no form in the version. Nothing was done.
    pub fn disconnect_with(&mut self, now: Instant, mut disconnect: Disconnect) -> Result<(), CommandError> {
        let had_none = self.options.connect.session_expiry.unwrap_or(0) == 0;
        if had_none && disconnect.session_expiry.is_some_and(|expiry| expiry > 0) {
            return Err(CommandError::SessionExpiry);
        }
        let size = packet_size(&Packet::Disconnect(disconnect.clone()), self.version())?;
        if let Link::Up(up) = &self.link
            && size > up.limits.maximum_packet_size
        {
            disconnect.reason_string = None;
            disconnect.user_properties.clear();
        }
        self.send_disconnect(now, disconnect);
        Ok(())
    }

    /// Closes without DISCONNECT, so that the broker publishes the will; or gives up connecting. Does not connect again
    /// on its own.
    pub fn close(&mut self, now: Instant) {
        match self.link {
            Link::Idle => {}
            Link::Waiting { .. } => self.lose(now, DisconnectReason::Asked),
            Link::Opening(_) | Link::Handshake(_) | Link::Up(_) => self.end(now, DisconnectReason::Asked),
        }
    }

    fn send_disconnect(&mut self, now: Instant, disconnect: Disconnect) {
        let has_transport = matches!(self.link, Link::Handshake(_) | Link::Up(_));
        if has_transport && (self.version().is_v5() || disconnect.reason == ReasonCode::SUCCESS) {
            self.write(now, Packet::Disconnect(disconnect));
        }
        self.close(now);
    }
}
