use bytes::Bytes;
use bytestring::ByteString;

use super::{PacketId, QoS, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Role, Writer};
use crate::{ReasonCode, Version, topic};

/// PUBLISH: an application message on its way (§3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Publish {
    /// DUP: this may have been sent before (§3.3.1.1).
    pub dup: bool,
    /// The quality of service of this delivery.
    pub qos: QoS,
    /// RETAIN (§3.3.1.3).
    pub retain: bool,
    /// Topic Name; in 5.0 empty if `topic_alias` stands for it.
    pub topic: ByteString,
    /// Packet Identifier: present exactly for QoS 1 and 2 [MQTT-2.2.1-2] (5.0), [MQTT-2.3.1-5] (3.1.1).
    pub packet_id: Option<PacketId>,
    /// 5.0: Payload Format Indicator, true for UTF-8 (§3.3.2.3.2).
    pub payload_format: Option<bool>,
    /// 5.0: Message Expiry Interval in seconds (§3.3.2.3.3).
    pub message_expiry: Option<u32>,
    /// 5.0: Topic Alias, never 0 [MQTT-3.3.2-8].
    pub topic_alias: Option<u16>,
    /// 5.0: Response Topic (§3.3.2.3.5).
    pub response_topic: Option<ByteString>,
    /// 5.0: Correlation Data (§3.3.2.3.6).
    pub correlation_data: Option<Bytes>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Subscription Identifiers, 1 to 268,435,455 each; several only from the server (§3.3.2.3.8).
    pub subscription_ids: Vec<u32>,
    /// 5.0: Content Type (§3.3.2.3.9).
    pub content_type: Option<ByteString>,
    /// The application message itself.
    pub payload: Bytes,
}

/// §3.3.1 to §3.3.3.
impl Publish {
    /// `flags` are those of the fixed header, in which QoS 3 was refused before.
    pub(crate) fn decode(flags: u8, reader: &mut Reader) -> Result<Self, DecodeError> {
        let qos = QoS::new(flags >> 1 & 0b11).ok_or(DecodeError::malformed("MQTT-3.3.1-4", "PUBLISH with QoS 3"))?;
        let mut publish =
            Self { dup: flags & 0b1000 != 0, qos, retain: flags & 1 != 0, topic: reader.string()?, ..Self::default() };
        if qos != QoS::AtMostOnce {
            publish.packet_id = Some(reader.packet_id()?);
        }
        publish.decode_properties(reader)?;
        publish.payload = reader.rest();
        publish.check(reader.version())?;
        if reader.reader() == Role::Server && !publish.subscription_ids.is_empty() {
            return Err(DecodeError::protocol("MQTT-3.3.4-6", "subscription identifier in a PUBLISH from a client"));
        }
        Ok(publish)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(writer.version())?;
        writer.string(&self.topic)?;
        if let Some(id) = self.packet_id {
            writer.u16(id.get());
        }
        writer.properties(|writer| self.encode_properties(writer))?;
        writer.bytes(&self.payload);
        Ok(())
    }

    /// The lower half of the first byte (§3.3.1).
    pub(crate) fn flags(&self) -> u8 {
        u8::from(self.dup) << 3 | self.qos.level() << 1 | u8::from(self.retain)
    }

    fn decode_properties(&mut self, reader: &mut Reader) -> Result<(), DecodeError> {
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::PayloadFormat => properties.flag_once(&mut self.payload_format, "§3.3.2.3.2")?,
                Property::MessageExpiry => properties.once(&mut self.message_expiry, "§3.3.2.3.3", Reader::u32)?,
                Property::TopicAlias => properties.once(&mut self.topic_alias, "§3.3.2.3.4", Reader::u16)?,
                Property::ResponseTopic => properties.once(&mut self.response_topic, "§3.3.2.3.5", Reader::string)?,
                Property::CorrelationData => {
                    properties.once(&mut self.correlation_data, "§3.3.2.3.6", Reader::binary)?;
                }
                Property::User => self.user_properties.push(properties.pair()?),
                Property::SubscriptionId => self.subscription_ids.push(properties.varint()?),
                Property::ContentType => properties.once(&mut self.content_type, "§3.3.2.3.9", Reader::string)?,
                other => return Err(other.not_allowed()),
            }
        }
        Ok(())
    }

    fn encode_properties(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.property_flag(Property::PayloadFormat, self.payload_format);
        writer.property_u32(Property::MessageExpiry, self.message_expiry);
        writer.property_u16(Property::TopicAlias, self.topic_alias);
        writer.property_string(Property::ResponseTopic, self.response_topic.as_ref())?;
        writer.property_binary(Property::CorrelationData, self.correlation_data.as_ref())?;
        writer.user_properties(&self.user_properties)?;
        for id in &self.subscription_ids {
            writer.subscription_id(*id);
        }
        writer.property_string(Property::ContentType, self.content_type.as_ref())
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        self.check_header(version)?;
        if self.topic_alias == Some(0) {
            return Err(DecodeError {
                reason: ReasonCode::TOPIC_ALIAS_INVALID,
                clause: "MQTT-3.3.2-8",
                what: "topic alias 0",
            });
        }
        if !self.topic.is_empty() {
            check_topic(&self.topic, version)?;
        } else if !version.is_v5() {
            return Err(DecodeError::malformed("MQTT-4.7.3-1", "PUBLISH with an empty topic name"));
        } else if self.topic_alias.is_none() {
            return Err(DecodeError::protocol("§3.3.2.1", "PUBLISH with neither topic name nor topic alias"));
        }
        if let Some(response_topic) = &self.response_topic {
            check_response_topic(response_topic)?;
        }
        if self.subscription_ids.iter().any(|id| !super::is_subscription_id(*id)) {
            return Err(DecodeError::protocol("§3.3.2.3.8", "subscription identifier 0 or above 268,435,455"));
        }
        Ok(())
    }

    fn check_header(&self, version: Version) -> Result<(), DecodeError> {
        match (self.qos, self.packet_id) {
            (QoS::AtMostOnce, _) if self.dup => Err(DecodeError::protocol("MQTT-3.3.1-2", "DUP on a PUBLISH of QoS 0")),
            (QoS::AtMostOnce, Some(_)) => {
                let clause = version.clause("MQTT-2.3.1-5", "MQTT-2.2.1-2");
                Err(DecodeError::protocol(clause, "packet identifier on a PUBLISH of QoS 0"))
            }
            (QoS::AtLeastOnce | QoS::ExactlyOnce, None) => {
                let clause = version.clause("MQTT-2.3.1-1", "MQTT-2.2.1-3");
                Err(DecodeError::protocol(clause, "PUBLISH above QoS 0 without packet identifier"))
            }
            _ => Ok(()),
        }
    }
}

fn check_topic(topic: &str, version: Version) -> Result<(), DecodeError> {
    if topic.contains(['+', '#']) {
        return Err(DecodeError::malformed("MQTT-3.3.2-2", "topic name with a wildcard"));
    }
    topic::check_name(topic, version).map_err(DecodeError::from)
}

/// Returns what PUBLISH and will have in common (§3.3.2.3.5, §3.1.3.2.6).
pub(super) fn check_response_topic(topic: &str) -> Result<(), DecodeError> {
    if topic.contains(['+', '#']) {
        return Err(DecodeError::malformed("MQTT-3.3.2-14", "response topic with a wildcard"));
    }
    topic::check_name(topic, Version::V5_0).map_err(DecodeError::from)
}
