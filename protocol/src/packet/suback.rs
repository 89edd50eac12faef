use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{ReasonCode, Version};

/// SUBACK: the server's answer to SUBSCRIBE (§3.9).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SubAck {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// 5.0: Reason String.
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// The reason code of each filter, in order. 3.1.1 knows only 0x00, 0x01, 0x02 and 0x80 [MQTT-3.9.3-2].
    pub reasons: Vec<ReasonCode>,
}

/// §3.9.2 and §3.9.3.
impl SubAck {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let (mut reason_string, mut user_properties) = (None, UserProperties::new());
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::ReasonString => properties.once(&mut reason_string, "§3.9.2.1.2", Reader::string)?,
                Property::User => user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        let reasons = reader.rest().iter().copied().map(ReasonCode::new).collect();
        let suback = Self { packet_id, reason_string, user_properties, reasons };
        suback.check(reader.version())?;
        Ok(suback)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(writer.version())?;
        writer.u16(self.packet_id.get());
        writer.properties(|writer| {
            writer.property_string(Property::ReasonString, self.reason_string.as_ref())?;
            writer.user_properties(&self.user_properties)
        })?;
        for reason in &self.reasons {
            writer.u8(reason.value());
        }
        Ok(())
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        if self.reasons.is_empty() {
            let clause = version.clause("MQTT-3.8.4-5", "MQTT-3.8.4-6");
            return Err(DecodeError::protocol(clause, "SUBACK without a reason code"));
        }
        let is_known = |reason: &ReasonCode| match reason.value() {
            0x00..=0x02 | 0x80 => true,
            0x83 | 0x87 | 0x8F | 0x91 | 0x97 | 0x9E | 0xA1 | 0xA2 => version.is_v5(),
            _ => false,
        };
        if self.reasons.iter().all(is_known) {
            Ok(())
        } else {
            Err(DecodeError::protocol("MQTT-3.9.3-2", "reason code that SUBACK does not have"))
        }
    }
}
