use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::link::Link;
use super::request::{Request, RequestKind};
use super::size::{packet_size, publish_size};
use super::{Client, Event, Token};

/// What waits is sent as soon as it may be.
impl Client {
    /// Sends what a connection has room for: first what a resumed session has left to send again, oldest first
    /// [MQTT-4.4.0-1], then requests, then messages in their order [MQTT-4.6.0-1].
    pub(super) fn pump(&mut self, now: Instant) {
        if !self.is_up() {
            return;
        }
        while let Some(packet) = self.session.outbox.poll_resend() {
            self.write(now, packet);
        }
        self.send_requests(now);
        while let Some((publish, _)) = self.session.messages.front() {
            if publish.qos != QoS::AtMostOnce && !self.session.outbox.has_room() {
                break;
            }
            let Some((publish, token)) = self.session.messages.pop_front() else { break };
            self.send_message(now, publish, token);
        }
    }

    /// Sends a message for which there is room. One that the broker said it will not take is not sent.
    pub(super) fn send_message(&mut self, now: Instant, publish: Publish, token: Token) {
        let Link::Up(up) = &self.link else { return };
        let bytes = publish_size(&publish, self.version()).unwrap_or(usize::MAX);
        if let Some(reason) = up.limits.refuse(&publish, bytes) {
            self.tell(Event::Published { token, reason });
            return;
        }
        let is_done = publish.qos == QoS::AtMostOnce;
        match self.session.outbox.send(publish, token) {
            Ok(packet) => self.write(now, packet),
            Err(message) => return self.session.messages.push_front(message),
        }
        if is_done {
            self.tell(Event::Published { token, reason: ReasonCode::SUCCESS });
        }
    }

    /// No receive maximum holds these back [MQTT-3.3.4-8].
    fn send_requests(&mut self, now: Instant) {
        while !self.session.requests.is_empty() {
            let Some(id) = self.session.outbox.reserve_id() else { return };
            let Some(request) = self.session.requests.pop_front() else { return };
            let packet = request.packet(id);
            if self.is_too_large(&packet) {
                self.session.outbox.release_id(id);
                self.refuse_request(request);
            } else {
                self.session.ask(id, request);
                self.write(now, packet);
            }
        }
    }

    fn is_too_large(&self, packet: &Packet) -> bool {
        let Link::Up(up) = &self.link else { return false };
        up.limits.maximum_packet_size != usize::MAX
            && packet_size(packet, self.version()).is_ok_and(|size| size > up.limits.maximum_packet_size)
    }

    fn refuse_request(&mut self, request: Request) {
        let reason = ReasonCode::PACKET_TOO_LARGE; // [MQTT-3.2.2-15]
        let token = request.token;
        self.tell(match request.kind {
            RequestKind::Subscribe(list) => Event::Subscribed { token, reasons: vec![reason; list.len()] },
            RequestKind::Unsubscribe(list) => Event::Unsubscribed { token, reasons: vec![reason; list.len()] },
        });
    }
}
