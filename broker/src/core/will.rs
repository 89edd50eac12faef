use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::{Publish, Will};

use super::Broker;
use super::access::Operation;
use super::message::{Message, own, own_all};
use super::session::SessionKey;

/// Returns when the will of a connection that is closed at `now` is to be published, unless its session ends sooner
/// [MQTT-3.1.2-8]. 3.1.1 has no delay.
pub(super) fn due(now: Instant, will: &Will) -> Instant {
    now + Duration::from_secs(will.delay.unwrap_or(0).into())
}

/// A will in memory of its own, since it is kept for as long as the connection.
pub(super) fn owned(will: &Will) -> Will {
    Will {
        topic: own(&will.topic),
        payload: Bytes::copy_from_slice(&will.payload),
        content_type: will.content_type.as_ref().map(own),
        response_topic: will.response_topic.as_ref().map(own),
        correlation_data: will.correlation_data.as_deref().map(Bytes::copy_from_slice),
        user_properties: own_all(&will.user_properties),
        ..*will
    }
}

/// Returns how many bytes the text of a will has.
pub(super) fn size(will: &Will) -> usize {
    let texts = [&will.content_type, &will.response_topic].into_iter().flatten().map(|text| text.len()).sum::<usize>();
    let correlation = will.correlation_data.as_ref().map_or(0, Bytes::len);
    let properties: usize = will.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    will.topic.len() + will.payload.len() + texts + correlation + properties
}

/// The message that a will is [MQTT-3.1.2-16], [MQTT-3.1.2-17] (3.1.1), [MQTT-3.1.2-14], [MQTT-3.1.2-15] (5.0).
fn publish(will: Will) -> Publish {
    Publish {
        qos: will.qos,
        retain: will.retain,
        topic: will.topic,
        payload: will.payload,
        payload_format: will.payload_format,
        message_expiry: will.message_expiry,
        content_type: will.content_type,
        response_topic: will.response_topic,
        correlation_data: will.correlation_data,
        user_properties: will.user_properties,
        ..Publish::default()
    }
}

impl Broker {
    /// Publishes the will that a session still has, and forgets it [MQTT-3.1.2-10].
    pub(super) fn publish_will(&mut self, now: Instant, key: SessionKey) {
        let is_permitted = self.permits_last_will(key);
        let Some(session) = self.sessions.get_mut(key) else { return };
        let Some(will) = session.will.take() else { return };
        session.count_held();
        if is_permitted {
            self.publish_last_will(now, key, *will);
        }
    }

    /// Returns whether the client of a session may publish its will now: its rights may be others than they were at CONNECT.
    pub(super) fn permits_last_will(&self, key: SessionKey) -> bool {
        let will = self.sessions.get(key).and_then(|session| session.will.as_ref());
        will.is_none_or(|will| self.allows(key, Operation::Publish, &will.topic))
    }

    /// Publishes the will of a session that has ended.
    pub(super) fn publish_last_will(&mut self, now: Instant, from: SessionKey, will: Will) {
        self.route(now, &Message::new(now, &publish(will)), Some(from));
    }
}
