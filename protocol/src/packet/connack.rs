use bytes::Bytes;
use bytestring::ByteString;

use super::{QoS, UserProperties};
use crate::ReasonCode;

/// CONNACK: the server's answer to CONNECT (§3.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnAck {
    /// Session Present: the server still had a session of this client (§3.2.2.1.1).
    pub session_present: bool,
    /// 5.0: the Connect Reason Code. 3.1.1: the Connect Return Code, 0 to 5, in the same byte.
    pub reason: ReasonCode,
    /// 5.0: Session Expiry Interval in seconds that the server uses instead of the client's (§3.2.2.3.2).
    pub session_expiry: Option<u32>,
    /// 5.0: Receive Maximum, 1 to 65535, `None` is 65535 (§3.2.2.3.3).
    pub receive_maximum: Option<u16>,
    /// 5.0: Maximum QoS, 0 or 1; `None` is 2 (§3.2.2.3.4).
    pub maximum_qos: Option<QoS>,
    /// 5.0: Retain Available, `None` is true (§3.2.2.3.5).
    pub retain_available: Option<bool>,
    /// 5.0: Maximum Packet Size in bytes, at least 1 (§3.2.2.3.6).
    pub maximum_packet_size: Option<u32>,
    /// 5.0: Assigned Client Identifier (§3.2.2.3.7).
    pub assigned_client_id: Option<ByteString>,
    /// 5.0: Topic Alias Maximum, `None` is 0 (§3.2.2.3.8).
    pub topic_alias_maximum: Option<u16>,
    /// 5.0: Reason String (§3.2.2.3.9).
    pub reason_string: Option<ByteString>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Wildcard Subscription Available, `None` is true (§3.2.2.3.11).
    pub wildcard_subscription_available: Option<bool>,
    /// 5.0: Subscription Identifiers Available, `None` is true (§3.2.2.3.12).
    pub subscription_identifiers_available: Option<bool>,
    /// 5.0: Shared Subscription Available, `None` is true (§3.2.2.3.13).
    pub shared_subscription_available: Option<bool>,
    /// 5.0: Server Keep Alive in seconds, which the client must use instead of its own (§3.2.2.3.14).
    pub server_keep_alive: Option<u16>,
    /// 5.0: Response Information (§3.2.2.3.15).
    pub response_information: Option<ByteString>,
    /// 5.0: Server Reference (§3.2.2.3.16).
    pub server_reference: Option<ByteString>,
    /// 5.0: Authentication Method.
    pub authentication_method: Option<ByteString>,
    /// 5.0: Authentication Data.
    pub authentication_data: Option<Bytes>,
}
