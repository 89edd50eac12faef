use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode};

use super::link::Link;
use super::request::{Request, RequestKind};
use super::size::packet_size;
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
        if let Some(reason) = up.limits.refuse(&publish, self.version()) {
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
            if let Some(reason) = self.refuse_packet(&packet) {
                self.session.outbox.release_id(id);
                self.refuse_request(request, reason);
            } else {
                self.session.ask(id, request);
                self.write(now, packet);
            }
        }
    }

    /// Why a SUBSCRIBE or UNSUBSCRIBE cannot be sent. One of the application was checked when it was given, those of
    /// the options never were.
    fn refuse_packet(&self, packet: &Packet) -> Option<ReasonCode> {
        let Link::Up(up) = &self.link else { return None };
        match packet_size(packet, self.version()) {
            Ok(size) if size <= up.limits.maximum_packet_size => None,
            Ok(_) => Some(ReasonCode::PACKET_TOO_LARGE), // [MQTT-3.2.2-15]
            Err(_) => Some(ReasonCode::TOPIC_FILTER_INVALID),
        }
    }

    fn refuse_request(&mut self, request: Request, reason: ReasonCode) {
        let token = request.token;
        self.tell(match request.kind {
            RequestKind::Subscribe(list) => Event::Subscribed { token, reasons: vec![reason; list.len()] },
            RequestKind::Unsubscribe(list) => Event::Unsubscribed { token, reasons: vec![reason; list.len()] },
        });
    }
}
