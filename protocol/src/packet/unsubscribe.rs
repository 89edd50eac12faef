use bytestring::ByteString;

use super::{PacketId, UserProperties};

/// UNSUBSCRIBE: the client no longer wants topics (§3.10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsubscribe {
    /// Packet Identifier.
    pub packet_id: PacketId,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// The topic filters, at least one [MQTT-3.10.3-2].
    pub filters: Vec<ByteString>,
}
