use bytestring::ByteString;

use super::{PacketId, UserProperties};
use crate::ReasonCode;

/// The body that PUBACK, PUBREC, PUBREL and PUBCOMP share (§3.4 to §3.7).
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// This reason, and nothing more.
    pub fn with_reason(packet_id: PacketId, reason: ReasonCode) -> Self {
        Self { packet_id, reason, reason_string: None, user_properties: UserProperties::new() }
    }
}
