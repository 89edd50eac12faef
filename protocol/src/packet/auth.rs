use bytes::Bytes;
use bytestring::ByteString;

use super::UserProperties;
use crate::ReasonCode;
use crate::codec::{DecodeError, EncodeError, Property, Reader, Role, Writer};

/// AUTH: one step of enhanced authentication (§3.15, 5.0 only).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Auth {
    /// 0x00 Success, 0x18 Continue authentication or 0x19 Re-authenticate.
    pub reason: ReasonCode,
    /// Authentication Method.
    pub authentication_method: Option<ByteString>,
    /// Authentication Data.
    pub authentication_data: Option<Bytes>,
    /// Reason String.
    pub reason_string: Option<ByteString>,
    /// User Properties.
    pub user_properties: UserProperties,
}

/// §3.15.2. The empty body, which §3.15.2.1 allows, stands for Success without properties.
impl Auth {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let mut auth = Self::default();
        if !reader.is_empty() {
            auth.reason = ReasonCode::new(reader.u8()?);
            auth.decode_properties(reader)?;
            auth.check()?;
        }
        let wrong_side = match reader.reader() {
            Role::Client => ReasonCode::RE_AUTHENTICATE,
            Role::Server => ReasonCode::SUCCESS,
        };
        if auth.reason == wrong_side {
            return Err(DecodeError::protocol("MQTT-3.15.2-1", "reason code that only the other side may send"));
        }
        Ok(auth)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        if !writer.version().is_v5() {
            return Err(EncodeError { clause: "§2.2.1", what: "AUTH in 3.1.1, which has none" });
        }
        if *self == Self::default() {
            return Ok(());
        }
        self.check()?;
        writer.u8(self.reason.value());
        writer.properties(|writer| {
            writer.property_string(Property::AuthenticationMethod, self.authentication_method.as_ref())?;
            writer.property_binary(Property::AuthenticationData, self.authentication_data.as_ref())?;
            writer.property_string(Property::ReasonString, self.reason_string.as_ref())?;
            writer.user_properties(&self.user_properties)
        })
    }

    fn decode_properties(&mut self, reader: &mut Reader) -> Result<(), DecodeError> {
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::AuthenticationMethod => {
                    properties.once(&mut self.authentication_method, "§3.15.2.2.2", Reader::string)?;
                }
                Property::AuthenticationData => {
                    properties.once(&mut self.authentication_data, "§3.15.2.2.3", Reader::binary)?;
                }
                Property::ReasonString => properties.once(&mut self.reason_string, "§3.15.2.2.4", Reader::string)?,
                Property::User => self.user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), DecodeError> {
        if !matches!(
            self.reason,
            ReasonCode::SUCCESS | ReasonCode::CONTINUE_AUTHENTICATION | ReasonCode::RE_AUTHENTICATE
        ) {
            return Err(DecodeError::protocol("MQTT-3.15.2-1", "reason code that AUTH does not have"));
        }
        if self.authentication_method.is_none() {
            return Err(DecodeError::protocol("§3.15.2.2.2", "AUTH without authentication method"));
        }
        Ok(())
    }
}
