use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::ReasonCode;
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};

/// UNSUBACK: the server's answer to UNSUBSCRIBE (§3.11).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnsubAck {
    /// The identifier of the UNSUBSCRIBE.
    pub packet_id: PacketId,
    /// 5.0: Reason String.
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: one per filter, in its order; always empty in 3.1.1.
    pub reasons: Vec<ReasonCode>,
}

/// §3.11.2 and §3.11.3. 3.1.1 has the identifier only.
impl UnsubAck {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let (mut reason_string, mut user_properties) = (None, UserProperties::new());
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::ReasonString => properties.once(&mut reason_string, "§3.11.2.1.2", Reader::string)?,
                Property::User => user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        let reasons = match reader.version().is_v5() {
            true => reader.rest().iter().copied().map(ReasonCode::new).collect(),
            false => Vec::new(),
        };
        let unsuback = Self { packet_id, reason_string, user_properties, reasons };
        if reader.version().is_v5() {
            unsuback.check()?;
        }
        Ok(unsuback)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if writer.version().is_v5() {
            self.check()?;
        } else if !self.reasons.is_empty() {
            return Err(EncodeError { clause: "§3.11.3", what: "reason code in 3.1.1, which has none" });
        }
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

    fn check(&self) -> Result<(), DecodeError> {
        if self.reasons.is_empty() {
            return Err(DecodeError::protocol("§3.11.3", "UNSUBACK without a reason code"));
        }
        let is_known = |reason: &ReasonCode| matches!(reason.value(), 0x00 | 0x11 | 0x80 | 0x83 | 0x87 | 0x8F | 0x91);
        if self.reasons.iter().all(is_known) {
            Ok(())
        } else {
            Err(DecodeError::protocol("MQTT-3.11.3-2", "reason code that UNSUBACK does not have"))
        }
    }
}
