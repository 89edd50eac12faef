use bytestring::ByteString;

use super::{PacketId, QoS, UserProperties};

/// SUBSCRIBE: the client asks for topics (§3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// One topic filter of a SUBSCRIBE, with its options (§3.8.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// This filter at this QoS, everything else as in 3.1.1.
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

/// When retained messages are sent for a subscription (§3.8.3.1 of 5.0).
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
