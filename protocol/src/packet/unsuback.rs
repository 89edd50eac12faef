use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::ReasonCode;

/// UNSUBACK: the server's answer to UNSUBSCRIBE (§3.11).
#[derive(Clone, Debug, PartialEq, Eq)]
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
