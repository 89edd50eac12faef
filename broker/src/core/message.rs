use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::{Publish, QoS, UserProperties};

/// Approximate overhead of a message in a queue or in flight beside its text, in bytes.
const OVERHEAD: usize = 256;

/// An application message inside the broker, shared by all who get it.
#[derive(Clone, Debug)]
pub(super) struct Message {
    publish: Rc<Publish>,
    arrived: Instant,
}

/// The form in which a message is sent to one client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Delivery {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) subscription_ids: Vec<u32>,
    /// The shared subscription that it came by, `$share/{group}/{filter}`.
    pub(super) shared: Option<ByteString>,
}

impl Message {
    /// A message that came in at `now`, in memory of its own: what it was read from may be a far larger buffer, which
    /// one small message in a queue would otherwise keep.
    pub(super) fn new(now: Instant, publish: &Publish) -> Self {
        let publish = Publish {
            dup: false,
            packet_id: None,
            topic_alias: None,
            subscription_ids: Vec::new(),
            topic: own(&publish.topic),
            response_topic: publish.response_topic.as_ref().map(own),
            content_type: publish.content_type.as_ref().map(own),
            correlation_data: publish.correlation_data.as_deref().map(Bytes::copy_from_slice),
            user_properties: own_all(&publish.user_properties),
            payload: Bytes::copy_from_slice(&publish.payload),
            ..*publish
        };
        Self { publish: Rc::new(publish), arrived: now }
    }

    /// The message as it came in.
    pub(super) fn publish(&self) -> &Publish {
        &self.publish
    }

    /// Returns roughly how many bytes it takes in a queue or in flight.
    pub(super) fn cost(&self) -> usize {
        size(&self.publish) + OVERHEAD
    }

    /// Returns whether it is too old to be delivered (§3.3.2.3.3, [MQTT-3.3.2-5]). It is not at the instant at which it
    /// came.
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        let waited = now.saturating_since(self.arrived);
        self.publish
            .message_expiry
            .is_some_and(|secs| waited > Duration::ZERO && waited >= Duration::from_secs(secs.into()))
    }

    /// The moment it came in.
    pub(super) fn arrived(&self) -> Instant {
        self.arrived
    }

    /// The packet for one client, without an identifier.
    pub(super) fn to_publish(&self, now: Instant, delivery: &Delivery) -> Publish {
        Publish {
            qos: delivery.qos,
            retain: delivery.retain,
            subscription_ids: delivery.subscription_ids.clone(),
            message_expiry: self.publish.message_expiry.map(|secs| remaining(secs, self.arrived, now)),
            ..Publish::clone(&self.publish)
        }
    }
}

/// Returns how many bytes the text of a message has.
pub(super) fn size(publish: &Publish) -> usize {
    let properties: usize = publish.user_properties.iter().map(|(name, value)| name.len() + value.len()).sum();
    let texts = [&publish.response_topic, &publish.content_type].into_iter().flatten().map(|text| text.len());
    let correlation = publish.correlation_data.as_ref().map_or(0, Bytes::len);
    publish.topic.len() + publish.payload.len() + properties + correlation + texts.sum::<usize>()
}

/// Returns what is left of a message expiry interval, in seconds, of which only whole ones count as waited
/// [MQTT-3.3.2-6].
pub(super) fn remaining(secs: u32, arrived: Instant, now: Instant) -> u32 {
    let waited = now.saturating_since(arrived).as_secs();
    secs.saturating_sub(u32::try_from(waited).unwrap_or(u32::MAX))
}

/// A string in memory of its own.
pub(super) fn own(string: &ByteString) -> ByteString {
    ByteString::from(&**string)
}

/// User properties in memory of their own.
pub(super) fn own_all(properties: &UserProperties) -> UserProperties {
    properties.iter().map(|(name, value)| (own(name), own(value))).collect()
}
