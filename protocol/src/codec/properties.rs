use bytes::Bytes;
use bytestring::ByteString;

use super::{DecodeError, EncodeError, Reader, Writer};
use crate::packet::UserProperties;

/// The properties of 5.0 by their identifiers (§2.2.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Property {
    PayloadFormat = 0x01,
    MessageExpiry = 0x02,
    ContentType = 0x03,
    ResponseTopic = 0x08,
    CorrelationData = 0x09,
    SubscriptionId = 0x0B,
    SessionExpiry = 0x11,
    AssignedClientId = 0x12,
    ServerKeepAlive = 0x13,
    AuthenticationMethod = 0x15,
    AuthenticationData = 0x16,
    RequestProblemInformation = 0x17,
    WillDelay = 0x18,
    RequestResponseInformation = 0x19,
    ResponseInformation = 0x1A,
    ServerReference = 0x1C,
    ReasonString = 0x1F,
    ReceiveMaximum = 0x21,
    TopicAliasMaximum = 0x22,
    TopicAlias = 0x23,
    MaximumQos = 0x24,
    RetainAvailable = 0x25,
    User = 0x26,
    MaximumPacketSize = 0x27,
    WildcardSubscriptionAvailable = 0x28,
    SubscriptionIdsAvailable = 0x29,
    SharedSubscriptionAvailable = 0x2A,
}

impl Property {
    const ALL: [Self; 27] = [
        Self::PayloadFormat,
        Self::MessageExpiry,
        Self::ContentType,
        Self::ResponseTopic,
        Self::CorrelationData,
        Self::SubscriptionId,
        Self::SessionExpiry,
        Self::AssignedClientId,
        Self::ServerKeepAlive,
        Self::AuthenticationMethod,
        Self::AuthenticationData,
        Self::RequestProblemInformation,
        Self::WillDelay,
        Self::RequestResponseInformation,
        Self::ResponseInformation,
        Self::ServerReference,
        Self::ReasonString,
        Self::ReceiveMaximum,
        Self::TopicAliasMaximum,
        Self::TopicAlias,
        Self::MaximumQos,
        Self::RetainAvailable,
        Self::User,
        Self::MaximumPacketSize,
        Self::WildcardSubscriptionAvailable,
        Self::SubscriptionIdsAvailable,
        Self::SharedSubscriptionAvailable,
    ];

    fn new(id: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|property| u32::from(*property as u8) == id)
    }

    /// The error for a property that this packet does not have.
    pub(crate) fn not_allowed(self) -> DecodeError {
        DecodeError::malformed("§2.2.2.2", "property that this packet does not have")
    }
}

impl Reader {
    /// The properties that begin here, to be read apart; none in 3.1.1 [MQTT-2.2.2-1].
    pub(crate) fn properties(&mut self) -> Result<Self, DecodeError> {
        let len = if self.version().is_v5() { self.varint()? } else { 0 };
        self.split(len as usize, "§2.2.2.1")
    }

    /// The identifier of the next property, whose value comes next; `None` after the last.
    pub(crate) fn next_property(&mut self) -> Result<Option<Property>, DecodeError> {
        if self.is_empty() {
            return Ok(None);
        }
        let known = Property::new(self.varint()?);
        known.map(Some).ok_or(DecodeError::malformed("§2.2.2.2", "property that does not exist"))
    }

    /// The value of a property that may stand there once; `section` says so.
    pub(crate) fn once<T>(
        &mut self,
        slot: &mut Option<T>,
        section: &'static str,
        read: impl FnOnce(&mut Self) -> Result<T, DecodeError>,
    ) -> Result<(), DecodeError> {
        if slot.is_some() {
            return Err(DecodeError::protocol(section, "property that stands there twice"));
        }
        *slot = Some(read(self)?);
        Ok(())
    }

    /// The same for a byte that is 0 or 1.
    pub(crate) fn flag_once(&mut self, slot: &mut Option<bool>, section: &'static str) -> Result<(), DecodeError> {
        self.once(slot, section, |reader| match reader.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(DecodeError::protocol(section, "property that must be 0 or 1")),
        })
    }

    /// A UTF-8 String Pair (§1.5.7).
    pub(crate) fn pair(&mut self) -> Result<(ByteString, ByteString), DecodeError> {
        Ok((self.string()?, self.string()?))
    }
}

impl Writer<'_> {
    /// Property Length and the properties that `write` writes. 3.1.1 has none, and none must be set.
    pub(crate) fn properties(
        &mut self,
        write: impl Fn(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        let len = self.count(&write)?;
        if !self.version().is_v5() {
            return if len == 0 {
                Ok(())
            } else {
                Err(EncodeError { clause: "§2.3", what: "property in 3.1.1, which has none" })
            };
        }
        self.varint(len);
        write(self)
    }

    /// The length of what `write` writes.
    pub(crate) fn count(
        &self,
        write: impl Fn(&mut Writer<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        let mut counter = Writer::counting(self.version());
        write(&mut counter)?;
        Ok(counter.len())
    }

    pub(crate) fn property_flag(&mut self, property: Property, value: Option<bool>) {
        self.property_u8(property, value.map(u8::from));
    }

    pub(crate) fn property_u8(&mut self, property: Property, value: Option<u8>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.u8(value);
        }
    }

    pub(crate) fn property_u16(&mut self, property: Property, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.u16(value);
        }
    }

    pub(crate) fn property_u32(&mut self, property: Property, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(property as u8);
            self.u32(value);
        }
    }

    pub(crate) fn property_string(
        &mut self,
        property: Property,
        value: Option<&ByteString>,
    ) -> Result<(), EncodeError> {
        let Some(value) = value else { return Ok(()) };
        self.u8(property as u8);
        self.string(value)
    }

    pub(crate) fn property_binary(&mut self, property: Property, value: Option<&Bytes>) -> Result<(), EncodeError> {
        let Some(value) = value else { return Ok(()) };
        self.u8(property as u8);
        self.binary(value)
    }

    pub(crate) fn subscription_id(&mut self, id: u32) {
        self.u8(Property::SubscriptionId as u8);
        self.varint(id as usize);
    }

    pub(crate) fn user_properties(&mut self, properties: &UserProperties) -> Result<(), EncodeError> {
        for (name, value) in properties {
            self.u8(Property::User as u8);
            self.string(name)?;
            self.string(value)?;
        }
        Ok(())
    }
}
