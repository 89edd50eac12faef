use halfopen_protocol::packet::{Publish, QoS};
use halfopen_protocol::{Instant, Packet, ReasonCode};
use std::sync::Arc;

use super::link::Link;
use super::request::{Asked, Request, RequestKind};
use super::session::Waiting;
use super::size::packet_size;
use super::{AckDetails, Client, Event, Token};

/// About how many bytes are given to the driver at once, before it has had an opportunity to say that it has enough.
const BATCH: usize = 256 * 1024;

/// Sending of what waits, as soon as it may be sent.
impl Client {
    /// Sends what a connection has room for: first what a resumed session has left to send again, oldest first
    /// [MQTT-4.4.0-1], then requests, then messages in their order [MQTT-4.6.0-1].
    pub(super) fn pump(&mut self, now: Instant) {
        if !self.is_up() {
            return;
        }
        while self.may_write_more(now)
            && let Some(packet) = self.session.outbox.poll_resend()
        {
            self.send_again(now, packet);
        }
        self.send_requests(now);
        while let Some(waiting) = self.session.messages.front() {
            let must_wait = waiting.publish.qos != QoS::AtMostOnce && !self.session.outbox.has_room();
            if must_wait || !self.may_write_more(now) {
                break;
            }
            let Some(waiting) = self.session.messages.pop_front() else { break };
            match waiting.at(now) {
                Ok((publish, token)) => self.send_message(now, publish, token),
                Err(token) => self.tell(Event::Expired { token }),
            }
        }
    }

    /// Sends a packet of a resumed session again. The flow of a message that the server does not take any more ends here
    /// [MQTT-3.2.2-11], [MQTT-3.2.2-14], [MQTT-3.2.2-15].
    fn send_again(&mut self, now: Instant, packet: Packet) {
        if let (Packet::Publish(publish), Link::Up(up)) = (&packet, &self.link)
            && let Some(reason) = up.limits.refuse(publish, self.version())
        {
            if let Some((_, token)) = publish.packet_id.and_then(|id| self.session.outbox.discard(id)) {
                self.tell(Event::Published { token, reason, details: AckDetails::default() });
            }
            return;
        }
        self.write(now, packet);
    }

    /// Returns whether the driver is to be given more than it has. What it has not taken yet comes first; when it has,
    /// and has not said that it is too much, `poll_output` goes on. So a long queue is never copied as a whole.
    fn may_write_more(&mut self, now: Instant) -> bool {
        if self.unpolled >= BATCH {
            self.held = Some(now);
            return false;
        }
        !self.is_congested()
    }

    /// Sends a message for which there is room. One that the broker said it will not take is not sent.
    pub(super) fn send_message(&mut self, now: Instant, publish: Publish, token: Token) {
        let Link::Up(up) = &self.link else { return };
        if let Some(reason) = up.limits.refuse(&publish, self.version()) {
            self.tell(Event::Published { token, reason, details: AckDetails::default() });
            return;
        }
        let is_done = publish.qos == QoS::AtMostOnce;
        match self.session.outbox.send(publish, token) {
            Ok(Packet::Publish(publish)) => self.write_message(now, publish),
            Ok(packet) => self.write(now, packet),
            Err((publish, token)) => {
                return self.session.messages.push_front(Waiting { publish, token, since: now });
            }
        }
        if is_done {
            self.tell(Event::Published { token, reason: ReasonCode::SUCCESS, details: AckDetails::default() });
        }
    }

    /// Writes a PUBLISH, with an alias if there is one. What is kept to be sent again has the topic itself.
    fn write_message(&mut self, now: Instant, publish: Arc<Publish>) {
        let version = self.version();
        let Link::Up(up) = &mut self.link else { return };
        let packet = match up.outgoing.apply(&publish) {
            // The first time a topic has an alias, the packet is larger for it.
            Some(aliased) if !up.limits.is_too_large(&aliased, version) => {
                up.outgoing.remember(&aliased);
                Arc::new(aliased)
            }
            _ => publish,
        };
        self.write(now, Packet::Publish(packet));
    }

    /// Sends the requests that wait: no receive maximum holds these back [MQTT-3.3.4-8].
    fn send_requests(&mut self, now: Instant) {
        while self.may_write_more(now)
            && let Some(request) = self.session.requests.front()
        {
            let refusals = self.refuse_filters(request);
            let Some(id) = self.session.outbox.reserve_id() else { return };
            let Some(mut request) = self.session.requests.pop_front() else { return };
            let asked = Asked { id, refusals, request: request.clone() };
            let packet = request.packet_without(id, &asked.refusals);
            let reason =
                if asked.sent() == 0 { Some(ReasonCode::UNSPECIFIED_ERROR) } else { self.refuse_packet(&packet) };
            let Some(reason) = reason else {
                self.session.ask(asked);
                self.write(now, packet);
                continue;
            };
            self.session.outbox.release_id(id);
            if let (ReasonCode::PACKET_TOO_LARGE, Some(rest)) = (reason, request.split()) {
                self.session.requests.push_front(rest);
                self.session.requests.push_front(request);
            } else {
                let reasons = asked.merge(vec![reason; asked.sent()]);
                self.answer_request(&asked.request, reasons);
            }
        }
    }

    fn refuse_filters(&self, request: &Request) -> Vec<Option<ReasonCode>> {
        match (&self.link, &request.kind) {
            (Link::Up(up), RequestKind::Subscribe(request)) if self.version().is_v5() => {
                up.limits.refuse_filters(request)
            }
            _ => vec![None; request.len()],
        }
    }

    /// Returns why a SUBSCRIBE or UNSUBSCRIBE cannot be sent. One of the application was checked when it was given,
    /// those of the options never were.
    fn refuse_packet(&self, packet: &Packet) -> Option<ReasonCode> {
        let Link::Up(up) = &self.link else { return None };
        match packet_size(packet, self.version()) {
            Ok(size) if size <= up.limits.maximum_packet_size => None,
            Ok(_) => Some(ReasonCode::PACKET_TOO_LARGE), // [MQTT-3.2.2-15]
            Err(_) => Some(ReasonCode::TOPIC_FILTER_INVALID),
        }
    }

    pub(super) fn answer_request(&mut self, request: &Request, reasons: Vec<ReasonCode>) {
        let (token, details) = (request.token, AckDetails::default());
        self.tell(match request.kind {
            RequestKind::Subscribe(_) => Event::Subscribed { token, reasons, details },
            RequestKind::Unsubscribe(_) => Event::Unsubscribed { token, reasons, details },
        });
    }
}
