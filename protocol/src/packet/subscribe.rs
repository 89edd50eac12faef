use bytestring::ByteString;

use super::{PacketId, QoS, UserProperties};
use crate::codec::{DecodeError, EncodeError, Property, Reader, Writer};
use crate::{Version, topic};

/// SUBSCRIBE: the client asks for topics (§3.8).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscribe {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// 5.0: Subscription Identifier, 1 to 268,435,455 (§3.8.2.1.2).
    pub subscription_id: Option<u32>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// The filters with their options; at least one [MQTT-3.8.3-3] (3.1.1), [MQTT-3.8.3-2] (5.0).
    pub subscriptions: Vec<Subscription>,
}

/// A topic filter of a SUBSCRIBE, with its options (§3.8.3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The topic filter.
    pub filter: ByteString,
    /// The highest QoS at which the server may send.
    pub qos: QoS,
    /// 5.0: No Local.
    pub no_local: bool,
    /// 5.0: Retain As Published.
    pub retain_as_published: bool,
    /// 5.0: Retain Handling.
    pub retain_handling: RetainHandling,
}

impl Subscription {
    /// Creates a subscription to this filter at this QoS, everything else as in 3.1.1.
    pub fn new(filter: impl Into<ByteString>, qos: QoS) -> Self {
        Self {
            filter: filter.into(),
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::default(),
        }
    }
}

/// The condition for sending retained messages to a subscription (§3.8.3.1 of 5.0).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum RetainHandling {
    /// 0: at each SUBSCRIBE; what 3.1.1 always does.
    #[default]
    Send = 0,
    /// 1: only if the subscription did not exist yet.
    SendIfNew = 1,
    /// 2: never.
    DoNotSend = 2,
}

/// §3.8.2 and §3.8.3.
impl Subscribe {
    pub(crate) fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let packet_id = reader.packet_id()?;
        let (mut subscription_id, mut user_properties) = (None, UserProperties::new());
        let mut properties = reader.properties()?;
        while let Some(property) = properties.next_property()? {
            match property {
                Property::SubscriptionId => properties.once(&mut subscription_id, "§3.8.2.1.2", Reader::varint)?,
                Property::User => user_properties.push(properties.pair()?),
                other => return Err(other.not_allowed()),
            }
        }
        let mut subscriptions = Vec::new();
        while !reader.is_empty() {
            subscriptions.push(Subscription::decode(reader)?);
        }
        let subscribe = Self { packet_id, subscription_id, user_properties, subscriptions };
        subscribe.check(reader.version())?;
        Ok(subscribe)
    }

    pub(crate) fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        self.check(writer.version())?;
        writer.u16(self.packet_id.get());
        writer.properties(|writer| {
            if let Some(id) = self.subscription_id {
                writer.subscription_id(id);
            }
            writer.user_properties(&self.user_properties)
        })?;
        self.subscriptions.iter().try_for_each(|subscription| subscription.encode(writer))
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        if self.subscription_id.is_some_and(|id| !super::is_subscription_id(id)) {
            return Err(DecodeError::protocol("§3.8.2.1.2", "subscription identifier 0 or above 268,435,455"));
        }
        if self.subscriptions.is_empty() {
            let clause = version.clause("MQTT-3.8.3-3", "MQTT-3.8.3-2");
            return Err(DecodeError::protocol(clause, "SUBSCRIBE without a topic filter"));
        }
        self.subscriptions.iter().try_for_each(|subscription| subscription.check(version))
    }
}

impl Subscription {
    const NO_LOCAL: u8 = 0b0000_0100;
    const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;

    fn decode(reader: &mut Reader) -> Result<Self, DecodeError> {
        let filter = reader.string()?;
        let options = reader.u8()?;
        let version = reader.version();
        // All but the QoS is reserved in 3.1.1, the two highest bits in 5.0.
        let reserved = if version.is_v5() { 0b1100_0000 } else { 0b1111_1100 };
        if options & reserved != 0 {
            let clause = version.clause("MQTT-3.8.3-4", "MQTT-3.8.3-5");
            return Err(DecodeError::malformed(clause, "reserved bits of the subscription options"));
        }
        let qos = QoS::new(options & 0b11).ok_or_else(|| {
            DecodeError::protocol(version.clause("MQTT-3.8.3-4", "§3.8.3.1"), "subscription with QoS 3")
        })?;
        let retain_handling = match options >> 4 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(DecodeError::protocol("§3.8.3.1", "subscription with retain handling 3")),
        };
        Ok(Self {
            filter,
            qos,
            no_local: options & Self::NO_LOCAL != 0,
            retain_as_published: options & Self::RETAIN_AS_PUBLISHED != 0,
            retain_handling,
        })
    }

    fn encode(&self, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
        let mut options = self.qos.level() | (self.retain_handling as u8) << 4;
        if self.no_local {
            options |= Self::NO_LOCAL;
        }
        if self.retain_as_published {
            options |= Self::RETAIN_AS_PUBLISHED;
        }
        if !writer.version().is_v5() && options != self.qos.level() {
            return Err(EncodeError { clause: "MQTT-3.8.3-4", what: "subscription option that 3.1.1 does not have" });
        }
        writer.string(&self.filter)?;
        writer.u8(options);
        Ok(())
    }

    fn check(&self, version: Version) -> Result<(), DecodeError> {
        topic::check_filter(&self.filter, version)?;
        if self.no_local && topic::shared(&self.filter).is_some() {
            return Err(DecodeError::protocol("MQTT-3.8.3-4", "no local on a shared subscription"));
        }
        Ok(())
    }
}
