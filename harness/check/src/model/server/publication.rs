use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, QoS, UserProperties};

use super::access::Permission;

/// An application message that a server has taken over and has to pass on.
#[derive(Clone, Debug)]
pub(super) struct Publication {
    /// The order in which the server took it over.
    pub(super) number: u64,
    pub(super) topic: ByteString,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// The client identifier of its publisher, also for a will.
    pub(super) publisher: ByteString,
    /// Time at which the server took it over, since the start of the run.
    pub(super) at: Duration,
    /// The Message Expiry Interval in seconds (§3.3.2.3.3).
    pub(super) expiry: Option<u32>,
    properties: Properties,
    /// The permission of its publisher.
    pub(super) permission: Permission,
    /// True if somebody was surely subscribed to its topic when it came.
    pub(super) has_subscriber: Cell<bool>,
    /// The client identifiers of the sessions that are owed it, and the filters of the groups.
    pub(super) owed_to: RefCell<Vec<ByteString>>,
    pub(super) owed_to_groups: RefCell<Vec<ByteString>>,
}

/// The properties that a server forwards unaltered [MQTT-3.3.2-4], [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17],
/// [MQTT-3.3.2-20].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Properties {
    payload_format: Option<bool>,
    response_topic: Option<ByteString>,
    correlation_data: Option<Bytes>,
    user_properties: UserProperties,
    content_type: Option<ByteString>,
}

impl Publication {
    /// A message that came in a PUBLISH on this topic, which an alias may stand for.
    pub(super) fn of(
        publish: &Publish,
        topic: ByteString,
        publisher: ByteString,
        permission: Permission,
        number: u64,
        at: Duration,
    ) -> Self {
        Self {
            number,
            topic,
            payload: publish.payload.clone(),
            qos: publish.qos,
            retain: publish.retain,
            publisher,
            at,
            expiry: publish.message_expiry,
            properties: Properties::of(publish),
            permission,
            has_subscriber: Cell::new(false),
            owed_to: RefCell::default(),
            owed_to_groups: RefCell::default(),
        }
    }

    /// Returns about how many bytes the message takes as a packet.
    pub(super) fn size(&self) -> usize {
        let users =
            self.properties.user_properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum::<usize>();
        self.topic.len() + self.payload.len() + users + 32
    }

    /// Returns when the message expires, since the start of the run; `None` for never.
    pub(super) fn expires_at(&self) -> Option<Duration> {
        self.expiry.map(|seconds| self.at + Duration::from_secs(seconds.into()))
    }

    /// Returns what a PUBLISH of 5.0 that forwards this message says otherwise, if anything.
    pub(super) fn altered_by(&self, sent: &Publish) -> Option<(&'static str, &'static str)> {
        let (mine, other) = (&self.properties, Properties::of(sent));
        if mine.payload_format != other.payload_format {
            Some(("MQTT-3.3.2-4", "Payload Format Indicator"))
        } else if mine.response_topic != other.response_topic {
            Some(("MQTT-3.3.2-15", "Response Topic"))
        } else if mine.correlation_data != other.correlation_data {
            Some(("MQTT-3.3.2-16", "Correlation Data"))
        } else if mine.user_properties != other.user_properties {
            Some(("MQTT-3.3.2-17", "User Property"))
        } else if mine.content_type != other.content_type {
            Some(("MQTT-3.3.2-20", "Content Type"))
        } else {
            None
        }
    }
}

impl Properties {
    fn of(publish: &Publish) -> Self {
        Self {
            payload_format: publish.payload_format,
            response_topic: publish.response_topic.clone(),
            correlation_data: publish.correlation_data.clone(),
            user_properties: publish.user_properties.clone(),
            content_type: publish.content_type.clone(),
        }
    }
}
