use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::ReasonCode;

/// SUBACK: the server's answer to SUBSCRIBE (§3.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubAck {
    /// The identifier of the SUBSCRIBE.
    pub packet_id: PacketId,
    /// 5.0: Reason String.
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// One per filter, in its order. 3.1.1 knows only 0x00, 0x01, 0x02 and 0x80 [MQTT-3.9.3-2].
    pub reasons: Vec<ReasonCode>,
}
