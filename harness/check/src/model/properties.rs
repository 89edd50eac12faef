use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, UserProperties};

/// The properties of a message that stay as they were published, whoever sends it and however often [MQTT-3.3.2-4],
/// [MQTT-3.3.2-15], [MQTT-3.3.2-16], [MQTT-3.3.2-17], [MQTT-3.3.2-20].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    payload_format: Option<bool>,
    response_topic: Option<ByteString>,
    correlation_data: Option<Bytes>,
    user_properties: UserProperties,
    content_type: Option<ByteString>,
}

/// Returns whether two Payload Format Indicators say the same: one of 0 is equivalent to none (§3.3.2.3.2).
pub(super) fn is_same_format(one: Option<bool>, other: Option<bool>) -> bool {
    one.unwrap_or(false) == other.unwrap_or(false)
}

impl Properties {
    /// Returns the properties of a PUBLISH.
    pub(super) fn of(publish: &Publish) -> Self {
        Self {
            payload_format: publish.payload_format,
            response_topic: publish.response_topic.clone(),
            correlation_data: publish.correlation_data.clone(),
            user_properties: publish.user_properties.clone(),
            content_type: publish.content_type.clone(),
        }
    }

    /// Returns whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns how many bytes they take in a packet (§2.2.2).
    pub(super) fn bytes(&self) -> usize {
        let texts = [&self.response_topic, &self.content_type].into_iter().flatten().map(|text| 3 + text.len());
        let users = self.user_properties.iter().map(|(name, value)| 5 + name.len() + value.len());
        let correlation_data = self.correlation_data.as_ref().map_or(0, |data| 3 + data.len());
        let payload_format = if self.payload_format.is_some() { 2 } else { 0 };
        payload_format + correlation_data + texts.chain(users).sum::<usize>()
    }

    /// Returns what a PUBLISH of 5.0 of the same message says otherwise, if anything: the clause and the name.
    pub(super) fn altered_by(&self, sent: &Publish) -> Option<(&'static str, &'static str)> {
        let all = [
            (!is_same_format(self.payload_format, sent.payload_format), "MQTT-3.3.2-4", "Payload Format Indicator"),
            (self.response_topic != sent.response_topic, "MQTT-3.3.2-15", "Response Topic"),
            (self.correlation_data != sent.correlation_data, "MQTT-3.3.2-16", "Correlation Data"),
            (self.user_properties != sent.user_properties, "MQTT-3.3.2-17", "User Property"),
            (self.content_type != sent.content_type, "MQTT-3.3.2-20", "Content Type"),
        ];
        all.into_iter().find(|(is_altered, ..)| *is_altered).map(|(_, clause, name)| (clause, name))
    }
}
