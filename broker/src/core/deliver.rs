use bytes::BytesMut;
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{Instant, Packet, Version, encode};
use std::sync::Arc;

use super::access::Operation;
use super::message::{Delivery, Message, remaining};
use super::queue::Waiting;
use super::session::{Flight, SessionKey};
use super::subscriptions::Rank;
use super::sys::is_reserved;
use super::{Broker, ConnectionId};

/// The result of routing a message: for several clients, the last of these that holds for one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Routed {
    /// No client has a matching subscription and the permission to receive it.
    Unwanted,
    /// There was no room for it.
    Dropped,
    /// The message was sent, or waits to be sent.
    Kept,
}

/// Messages to clients.
impl Broker {
    /// Hands a message to all who want it, and keeps it if it is to be retained. `from` is the session it comes from.
    pub(super) fn route(&mut self, now: Instant, message: &Message, from: Option<SessionKey>) -> Routed {
        let publish = message.publish();
        let mut is_stored = false;
        if publish.retain
            && (from.is_none() && is_reserved(&publish.topic) || self.retained.has_room(now, &self.config, publish))
        {
            self.retained.store(message);
            is_stored = true;
        } else if publish.retain {
            // A client that is too late for this one must not get the one before.
            self.retained.remove(&publish.topic);
        }
        let rank =
            |key| if self.allows(key, Operation::Receive, &publish.topic) { self.rank(key) } else { Rank::Never };
        let mut routed = Routed::Unwanted;
        for (key, delivery) in self.subscriptions.receivers(&publish.topic, publish.qos, publish.retain, from, rank) {
            routed = routed.max(self.deliver(now, key, message.clone(), delivery));
        }
        // What is retained is not refused.
        if is_stored && routed == Routed::Dropped { Routed::Kept } else { routed }
    }

    /// Sends a message to one client, or keeps it until it can be sent. QoS 0 is not kept.
    pub(super) fn deliver(&mut self, now: Instant, key: SessionKey, message: Message, delivery: Delivery) -> Routed {
        if !self.allows(key, Operation::Receive, &message.publish().topic) {
            return Routed::Unwanted;
        }
        let Some(session) = self.sessions.get_mut(key) else { return Routed::Unwanted };
        if delivery.qos == QoS::AtMostOnce {
            let Some(connection) = session.connection else { return Routed::Kept };
            if session.flow.as_ref().is_none_or(|flow| !flow.queue.holds_back_qos_0()) {
                if self.takes_messages(connection) {
                    self.send(now, connection, Packet::from(message.to_publish(now, &delivery)));
                } else {
                    self.count_dropped(now, key, 1);
                }
                return Routed::Kept;
            }
        }
        let is_connected = session.connection.is_some();
        let (dropped, routed) = match session.flow().queue.push(now, &self.config, is_connected, message, delivery) {
            Ok(dropped) => (dropped, Routed::Kept),
            Err(dropped) => (dropped, Routed::Dropped),
        };
        self.count_dropped(now, key, dropped);
        self.send_waiting(now, key);
        routed
    }

    /// Sends again what an earlier connection left unacknowledged, oldest first [MQTT-4.4.0-1], and then what waits, as
    /// far as the client has room.
    pub(super) fn resend(&mut self, now: Instant, key: SessionKey) {
        if let Some(flow) = self.sessions.get_mut(key).and_then(|session| session.flow.as_mut()) {
            flow.outbox.restart();
        }
        self.send_waiting(now, key);
    }

    /// Sends what waits for the client, as far as it has room.
    pub(super) fn send_waiting(&mut self, now: Instant, key: SessionKey) {
        while let Some((connection, packet)) = self.poll_waiting(now, key) {
            self.send(now, connection, packet);
        }
        self.count_dropped(now, key, 0);
    }

    fn poll_waiting(&mut self, now: Instant, key: SessionKey) -> Option<(ConnectionId, Packet)> {
        let connection = self.sessions.get(key)?.connection?;
        if !self.takes_messages(connection) {
            return None;
        }
        let open = self.connections.get(&connection)?;
        let (version, maximum) = (open.version, open.maximum_packet_size);
        if let Some(packet) = self.poll_resend(now, key, version, maximum) {
            return Some((connection, packet));
        }
        loop {
            let (message, delivery) = self.next_waiting(now, key)?;
            let mut publish = message.to_publish(now, &delivery);
            if !fits(&publish, version, maximum) {
                continue;
            }
            // The expiry is kept as it came in, to be counted down anew if this is sent again.
            let left = std::mem::replace(&mut publish.message_expiry, message.publish().message_expiry);
            let flow = self.sessions.get_mut(key)?.flow();
            if delivery.qos > QoS::AtMostOnce {
                flow.in_flight.add(message.cost());
            }
            let flight = Flight { message, shared: delivery.shared };
            let Ok(Packet::Publish(mut sent)) = flow.outbox.send(publish, flight) else { return None };
            if sent.message_expiry != left {
                Arc::make_mut(&mut sent).message_expiry = left;
            }
            return Some((connection, Packet::Publish(sent)));
        }
    }

    /// The next packet that is to be sent again. Its expiry is counted down [MQTT-3.3.2-6]. It is not dropped when it
    /// has expired, since its delivery has begun [MQTT-4.3.3-7]; but a message that the client does not take any more
    /// counts as delivered [MQTT-3.1.2-25].
    fn poll_resend(&mut self, now: Instant, key: SessionKey, version: Version, maximum: u32) -> Option<Packet> {
        let flow = self.sessions.get_mut(key)?.flow.as_mut()?;
        loop {
            let mut packet = flow.outbox.poll_resend()?;
            let Packet::Publish(publish) = &mut packet else { return Some(packet) };
            let id = publish.packet_id?;
            if !fits(publish, version, maximum) {
                let discarded = flow.outbox.discard(id);
                flow.settle(discarded.map(|(_, flight)| flight));
                continue;
            }
            if let Some(secs) = publish.message_expiry
                && let Some(flight) = flow.outbox.tag(id)
            {
                Arc::make_mut(publish).message_expiry = Some(remaining(secs, flight.message.arrived(), now));
            }
            return Some(packet);
        }
    }

    /// Takes the next message that waits for a client, or is retained for one of its subscriptions, if it has room.
    fn next_waiting(&mut self, now: Instant, key: SessionKey) -> Option<(Message, Delivery)> {
        loop {
            let flow = self.sessions.get_mut(key)?.flow.as_mut()?;
            let has_room = flow.outbox.has_room() && flow.in_flight.bytes() <= self.config.queue_bytes;
            let mut cursor = match flow.queue.pop(now, has_room)? {
                Waiting::Message(message, delivery) => return Some((message, delivery)),
                Waiting::Retained(cursor) => cursor,
            };
            let Some(message) = self.retained.next(now, &mut cursor) else { continue };
            let qos = message.publish().qos;
            let Some(delivery) = self.subscriptions.retained_delivery(key, &cursor.filter, qos) else { continue };
            let must_wait = delivery.qos > QoS::AtMostOnce && !has_room;
            if must_wait {
                cursor.step_back(&message);
            }
            self.sessions.get_mut(key)?.flow().queue.put_back(cursor);
            if must_wait {
                return None;
            }
            if self.allows(key, Operation::Receive, &message.publish().topic) {
                return Some((message, delivery));
            }
        }
    }

    /// Returns whether the bytes that wait for the client are below the limit.
    pub(super) fn takes_messages(&self, connection: ConnectionId) -> bool {
        let is_too_much = self.sessions.held().is_too_much(&self.config);
        let limit = if is_too_much { 0 } else { self.config.write_buffer };
        self.connections.get(&connection).is_some_and(|open| open.unwritten <= limit)
    }
}

/// Returns whether the client takes a packet of this size. One that it does not take counts as delivered
/// [MQTT-3.1.2-25] (5.0).
fn fits(publish: &Publish, version: Version, maximum: u32) -> bool {
    if !version.is_v5() || maximum == u32::MAX {
        return true;
    }
    let packet_id = (publish.qos > QoS::AtMostOnce).then_some(PacketId::MIN);
    let packet = Packet::from(Publish { packet_id, ..publish.clone() });
    let mut bytes = BytesMut::new();
    encode(&packet, version, &mut bytes).is_ok() && bytes.len() <= maximum as usize
}
