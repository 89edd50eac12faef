use bytes::Bytes;
use bytestring::ByteString;

use super::{QoS, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{ReasonCode, Version};

/// CONNACK: the server's answer to CONNECT (§3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ConnAck {
    /// Session Present: the server still had a session of this client (§3.2.2.1.1).
    pub session_present: bool,
    /// 5.0: the Connect Reason Code. 3.1.1: the Connect Return Code, 0 to 5, in the same byte.
    pub reason: ReasonCode,
    /// 5.0: Session Expiry Interval in seconds that the server uses instead of the client's (§3.2.2.3.2).
    pub session_expiry: Option<u32>,
    /// 5.0: Receive Maximum, 1 to 65535, `None` is 65535 (§3.2.2.3.3).
    pub receive_maximum: Option<u16>,
    /// 5.0: Maximum QoS, 0 or 1; `None` is 2 (§3.2.2.3.4).
    pub maximum_qos: Option<QoS>,
    /// 5.0: Retain Available, `None` is true (§3.2.2.3.5).
    pub retain_available: Option<bool>,
    /// 5.0: Maximum Packet Size in bytes, at least 1 (§3.2.2.3.6).
    pub maximum_packet_size: Option<u32>,
    /// 5.0: Assigned Client Identifier (§3.2.2.3.7).
    pub assigned_client_id: Option<ByteString>,
    /// 5.0: Topic Alias Maximum, `None` is 0 (§3.2.2.3.8).
    pub topic_alias_maximum: Option<u16>,
    /// 5.0: Reason String (§3.2.2.3.9).
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Wildcard Subscription Available, `None` is true (§3.2.2.3.11).
    pub wildcard_subscription_available: Option<bool>,
    /// 5.0: Subscription Identifiers Available, `None` is true (§3.2.2.3.12).
    pub subscription_identifiers_available: Option<bool>,
    /// 5.0: Shared Subscription Available, `None` is true (§3.2.2.3.13).
    pub shared_subscription_available: Option<bool>,
    /// 5.0: Server Keep Alive in seconds, which the client must use instead of its own (§3.2.2.3.14).
    pub server_keep_alive: Option<u16>,
    /// 5.0: Response Information (§3.2.2.3.15).
    pub response_information: Option<ByteString>,
    /// 5.0: Server Reference (§3.2.2.3.16).
    pub server_reference: Option<ByteString>,
    /// 5.0: Authentication Method.
    pub authentication_method: Option<ByteString>,
    /// 5.0: Authentication Data.
    pub authentication_data: Option<Bytes>,
}

/// §3.2.2.
impl ConnAck {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let flags = reader.u8()?;
        if flags & !1 != 0 {
            let clause = reader.version().clause("§3.2.2.1", "MQTT-3.2.2-1");
            return Err(DecodeError::malformed(clause, "reserved connect acknowledge flags"));
        }
        let reason = ReasonCode::new(reader.u8()?);
        let mut connack = Self { session_present: flags == 1, reason, ..Self::default() };
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            connack.decode_property(property, &mut properties)?;
        }
        connack.check(reader.version())?;
        Ok(connack)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(writer.version())?;
        writer.u8(u8::from(self.session_present));
        writer.u8(self.reason.value());
        writer.properties(|writer| self.encode_properties(writer))
    }

    fn decode_property(&mut self, property: Property, value: &mut Reader) -> Result<(), DecodeError> {
        match property {
            Property::SessionExpiry => value.once(&mut self.session_expiry, "§3.2.2.3.2", Reader::u32),
            Property::ReceiveMaximum => value.once(&mut self.receive_maximum, "§3.2.2.3.3", Reader::u16),
            Property::MaximumQos => value.once(&mut self.maximum_qos, "§3.2.2.3.4", maximum_qos),
            Property::RetainAvailable => value.flag_once(&mut self.retain_available, "§3.2.2.3.5"),
            Property::MaximumPacketSize => value.once(&mut self.maximum_packet_size, "§3.2.2.3.6", Reader::u32),
            Property::AssignedClientId => value.once(&mut self.assigned_client_id, "§3.2.2.3.7", Reader::string),
            Property::TopicAliasMaximum => value.once(&mut self.topic_alias_maximum, "§3.2.2.3.8", Reader::u16),
            Property::ReasonString => value.once(&mut self.reason_string, "§3.2.2.3.9", Reader::string),
            Property::User => {
                self.user_properties.push(value.pair()?);
                Ok(())
            }
            Property::WildcardSubscriptionAvailable => {
                value.flag_once(&mut self.wildcard_subscription_available, "§3.2.2.3.11")
            }
            Property::SubscriptionIdsAvailable => {
                value.flag_once(&mut self.subscription_identifiers_available, "§3.2.2.3.12")
            }
            Property::SharedSubscriptionAvailable => {
                value.flag_once(&mut self.shared_subscription_available, "§3.2.2.3.13")
            }
            Property::ServerKeepAlive => value.once(&mut self.server_keep_alive, "§3.2.2.3.14", Reader::u16),
            Property::ResponseInformation => value.once(&mut self.response_information, "§3.2.2.3.15", Reader::string),
            Property::ServerReference => value.once(&mut self.server_reference, "§3.2.2.3.16", Reader::string),
            Property::AuthenticationMethod => {
                value.once(&mut self.authentication_method, "§3.2.2.3.17", Reader::string)
            }
            Property::AuthenticationData => value.once(&mut self.authentication_data, "§3.2.2.3.18", Reader::binary),
            other => Err(other.not_allowed()),
        }
    }

    fn encode_properties(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.property_u32(Property::SessionExpiry, self.session_expiry);
        writer.property_u16(Property::ReceiveMaximum, self.receive_maximum);
        writer.property_u8(Property::MaximumQos, self.maximum_qos.map(QoS::level));
        writer.property_flag(Property::RetainAvailable, self.retain_available);
        writer.property_u32(Property::MaximumPacketSize, self.maximum_packet_size);
        writer.property_string(Property::AssignedClientId, self.assigned_client_id.as_ref())?;
        writer.property_u16(Property::TopicAliasMaximum, self.topic_alias_maximum);
        writer.property_string(Property::ReasonString, self.reason_string.as_ref())?;
        writer.user_properties(&self.user_properties)?;
        writer.property_flag(Property::WildcardSubscriptionAvailable, self.wildcard_subscription_available);
        writer.property_flag(Property::SubscriptionIdsAvailable, self.subscription_identifiers_available);
        writer.property_flag(Property::SharedSubscriptionAvailable, self.shared_subscription_available);
        writer.property_u16(Property::ServerKeepAlive, self.server_keep_alive);
        writer.property_string(Property::ResponseInformation, self.response_information.as_ref())?;
        writer.property_string(Property::ServerReference, self.server_reference.as_ref())?;
        writer.property_string(Property::AuthenticationMethod, self.authentication_method.as_ref())?;
        writer.property_binary(Property::AuthenticationData, self.authentication_data.as_ref())
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        if self.session_present && self.reason != ReasonCode::SUCCESS {
            let clause = version.clause("MQTT-3.2.2-4", "MQTT-3.2.2-6");
            return Err(DecodeError::protocol(clause, "session present in a CONNACK that refuses"));
        }
        let is_known = match version {
            Version::V3_1_1 => self.reason.value() <= 5,
            Version::V5_0 => matches!(
                self.reason.value(),
                0x00 | 0x80..=0x8A | 0x8C | 0x90 | 0x95 | 0x97 | 0x99..=0x9D | 0x9F
            ),
        };
        if !is_known {
            let clause = version.clause("§3.2.2.3", "MQTT-3.2.2-8");
            return Err(DecodeError::protocol(clause, "reason code that CONNACK does not have"));
        }
        if self.receive_maximum == Some(0) {
            return Err(DecodeError::protocol("§3.2.2.3.3", "receive maximum 0"));
        }
        if self.maximum_qos == Some(QoS::ExactlyOnce) {
            return Err(DecodeError::protocol("§3.2.2.3.4", "maximum QoS other than 0 and 1"));
        }
        if self.maximum_packet_size == Some(0) {
            return Err(DecodeError::protocol("§3.2.2.3.6", "maximum packet size 0"));
        }
        Ok(())
    }
}

fn maximum_qos(value: &mut Reader) -> Result<QoS, DecodeError> {
    QoS::new(value.u8()?).ok_or(DecodeError::protocol("§3.2.2.3.4", "maximum QoS other than 0 and 1"))
}
