use bytestring::ByteString;

use super::UserProperties;
use crate::ReasonCode;

/// DISCONNECT: the last packet of a connection (§3.14).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// This reason, and nothing more.
    pub fn new(reason: ReasonCode) -> Self {
        Self { reason, ..Self::default() }
    }
}
