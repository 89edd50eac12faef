use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{Version, topic};

/// UNSUBSCRIBE: the client no longer wants topics (§3.10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unsubscribe {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// The topic filters, at least one [MQTT-3.10.3-2].
    pub filters: Vec<ByteString>,
}

/// §3.10.2 and §3.10.3.
impl Unsubscribe {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let mut user_properties = UserProperties::new();
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::User => user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        let mut filters = Vec::new();
        while !reader.is_empty() {
            filters.push(reader.string()?);
        }
        let unsubscribe = Self { packet_id, user_properties, filters };
        unsubscribe.check(reader.version())?;
        Ok(unsubscribe)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(writer.version())?;
        writer.u16(self.packet_id.get());
        writer.properties(|writer| writer.user_properties(&self.user_properties))?;
        self.filters.iter().try_for_each(|filter| writer.string(filter))
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        if self.filters.is_empty() {
            return Err(DecodeError::protocol("MQTT-3.10.3-2", "UNSUBSCRIBE without a topic filter"));
        }
        for filter in &self.filters {
            topic::check_filter(filter, version)?;
        }
        Ok(())
    }
}
