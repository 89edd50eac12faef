use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{PacketType, ReasonCode};

/// The body that PUBACK, PUBREC, PUBREL and PUBCOMP share (§3.4 to §3.7).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ack {
    /// The identifier of the PUBLISH that this belongs to.
    pub packet_id: PacketId,
    /// 5.0: the reason code; always [`ReasonCode::SUCCESS`] in 3.1.1.
    pub reason: ReasonCode,
    /// 5.0: Reason String.
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
}

impl Ack {
    /// Success, and nothing more.
    pub fn new(packet_id: PacketId) -> Self {
        Self::with_reason(packet_id, ReasonCode::SUCCESS)
    }

    /// Creates an acknowledgement with this reason, and nothing more.
    pub fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, reason_string: None, user_properties: UserProperties::new() }
    }
}

/// §3.4.2 to §3.7.2. In 5.0 the properties may be left out when there are none, and then the reason, too, if it is
/// Success.
impl Ack {
    pub(crate) fn decode(packet_type: PacketType, reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut ack = Self::new(reader.packet_id()?);
        if reader.version().is_v5() && !reader.is_empty() {
            ack.reason = ReasonCode::new(reader.u8()?);
        }
        if reader.version().is_v5() && !reader.is_empty() {
            ack.decode_properties(reader)?;
        }
        ack.check(packet_type)?;
        Ok(ack)
    }

    pub(crate) fn encode(&self, packet_type: PacketType, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(packet_type)?;
        writer.u16(self.packet_id.get());
        if !writer.version().is_v5() {
            if self.reason != ReasonCode::SUCCESS {
                return Err(EncodeError { clause: "§3.4.2", what: "reason code in 3.1.1, which has none" });
            }
            return writer.properties(|writer| self.encode_properties(writer));
        }
        let has_properties = self.reason_string.is_some() || !self.user_properties.is_empty();
        if has_properties || self.reason != ReasonCode::SUCCESS {
            writer.u8(self.reason.value());
        }
        if has_properties {
            writer.properties(|writer| self.encode_properties(writer))?;
        }
        Ok(())
    }

    fn decode_properties(&mut self, reader: &mut Reader) -> Result<(), DecodeError> {
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::ReasonString => properties.once(&mut self.reason_string, "§3.4.2.2.2", Reader::string)?,
                Property::User => self.user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        Ok(())
    }

    fn encode_properties(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.property_string(Property::ReasonString, self.reason_string.as_ref())?;
        writer.user_properties(&self.user_properties)
    }

    fn check(&self, packet_type: PacketType) -> Result<(), DecodeError> {
        let (clause, is_known) = match packet_type {
            PacketType::PubAck => ("MQTT-3.4.2-1", is_receipt(self.reason)),
            PacketType::PubRec => ("MQTT-3.5.2-1", is_receipt(self.reason)),
            PacketType::PubRel => ("MQTT-3.6.2-1", is_completion(self.reason)),
            _ => ("MQTT-3.7.2-1", is_completion(self.reason)),
        };
        if is_known {
            Ok(())
        } else {
            Err(DecodeError::protocol(clause, "reason code that this acknowledgement does not have"))
        }
    }
}

fn is_receipt(reason: ReasonCode) -> bool {
    matches!(reason.value(), 0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99)
}

fn is_completion(reason: ReasonCode) -> bool {
    matches!(reason, ReasonCode::SUCCESS | ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)
}
