use bytestring::ByteString;

use super::UserProperties;
use crate::ReasonCode;
use crate::codec::{DecodeError, EncodeError, Property, Reader, Role, Writer};

/// DISCONNECT: the last packet of a connection (§3.14).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Disconnect {
    /// 5.0: why; always [`ReasonCode::SUCCESS`] in 3.1.1.
    pub reason: ReasonCode,
    /// 5.0: Session Expiry Interval in seconds, never from the server [MQTT-3.14.2-2].
    pub session_expiry: Option<u32>,
    /// 5.0: Reason String.
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Server Reference.
    pub server_reference: Option<ByteString>,
}

impl Disconnect {
    /// Creates a packet with this reason, and nothing more.
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, ..Self::default() }
    }
}

/// §3.14.2. In 5.0 the properties may be left out when there are none, and then the reason, too, if it is 0x00.
impl Disconnect {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut disconnect = Self::default();
        if !reader.is_empty() {
            disconnect.reason = ReasonCode::new(reader.u8()?);
        }
        if !reader.is_empty() {
            disconnect.decode_properties(reader)?;
        }
        disconnect.check()?;
        match reader.reader() {
            Role::Client if disconnect.session_expiry.is_some() => {
                Err(DecodeError::protocol("MQTT-3.14.2-2", "session expiry interval in a DISCONNECT from the server"))
            }
            Role::Client if disconnect.reason == ReasonCode::DISCONNECT_WITH_WILL => {
                Err(DecodeError::protocol("MQTT-3.14.2-1", "reason code that only a client may send"))
            }
            Role::Server if is_for_servers_only(disconnect.reason) => {
                Err(DecodeError::protocol("MQTT-3.14.2-1", "reason code that only a server may send"))
            }
            _ => Ok(disconnect),
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check()?;
        if !writer.version().is_v5() {
            if self.reason != ReasonCode::SUCCESS {
                return Err(EncodeError { clause: "§3.14.2", what: "reason code in 3.1.1, which has none" });
            }
            return writer.properties(|writer| self.encode_properties(writer));
        }
        let has_properties = *self != Self::new(self.reason);
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
                Property::SessionExpiry => properties.once(&mut self.session_expiry, "§3.14.2.2.2", Reader::u32)?,
                Property::ReasonString => properties.once(&mut self.reason_string, "§3.14.2.2.3", Reader::string)?,
                Property::User => self.user_properties.push(properties.pair()?),
                Property::ServerReference => {
                    properties.once(&mut self.server_reference, "§3.14.2.2.5", Reader::string)?;
                }
                other => return Err(other.not_allowed()),
            }
        }
        Ok(())
    }

    fn encode_properties(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        writer.property_u32(Property::SessionExpiry, self.session_expiry);
        writer.property_string(Property::ReasonString, self.reason_string.as_ref())?;
        writer.user_properties(&self.user_properties)?;
        writer.property_string(Property::ServerReference, self.server_reference.as_ref())
    }

    fn check(&self) -> Result<(), DecodeError> {
        let is_for_both = matches!(
            self.reason.value(),
            // §2.4 lists 0x8C for DISCONNECT, the table in §3.14.2.1 leaves it out; so nobody is blamed for it.
            0x00 | 0x04 | 0x80..=0x83 | 0x8C | 0x90 | 0x93..=0x99
        );
        if is_for_both || is_for_servers_only(self.reason) {
            Ok(())
        } else {
            Err(DecodeError::protocol("MQTT-3.14.2-1", "reason code that DISCONNECT does not have"))
        }
    }
}

fn is_for_servers_only(reason: ReasonCode) -> bool {
    matches!(reason.value(), 0x87 | 0x89 | 0x8B | 0x8D..=0x8F | 0x9A..=0xA2)
}
