use bytes::Bytes;
use bytestring::ByteString;

use super::{QoS, UserProperties};
use crate::Version;

/// CONNECT: the client asks for a connection (§3.1).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connect {
    /// The protocol level. The only packet that says which version it is of.
    pub version: Version,
    /// Clean Start of 5.0, Clean Session of 3.1.1: begin without what an earlier session left.
    pub clean_start: bool,
    /// Keep Alive in seconds; 0 switches the mechanism off (§3.1.2.10).
    pub keep_alive: u16,
    /// Client Identifier; empty asks the server to choose one (§3.1.3.1).
    pub client_id: ByteString,
    /// The message that the server publishes when the connection ends without a DISCONNECT (§3.1.2.5).
    pub will: Option<Box<Will>>,
    /// User Name.
    pub username: Option<ByteString>,
    /// Password.
    pub password: Option<Bytes>,
    /// 5.0: Session Expiry Interval in seconds, `None` is 0, `u32::MAX` is never (§3.1.2.11.2).
    pub session_expiry: Option<u32>,
    /// 5.0: Receive Maximum, 1 to 65535, `None` is 65535 (§3.1.2.11.3).
    pub receive_maximum: Option<u16>,
    /// 5.0: Maximum Packet Size in bytes, at least 1, `None` is no limit (§3.1.2.11.4).
    pub maximum_packet_size: Option<u32>,
    /// 5.0: Topic Alias Maximum, `None` is 0 (§3.1.2.11.5).
    pub topic_alias_maximum: Option<u16>,
    /// 5.0: Request Response Information, `None` is false (§3.1.2.11.6).
    pub request_response_information: Option<bool>,
    /// 5.0: Request Problem Information, `None` is true (§3.1.2.11.7).
    pub request_problem_information: Option<bool>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Authentication Method (§3.1.2.11.9).
    pub authentication_method: Option<ByteString>,
    /// 5.0: Authentication Data (§3.1.2.11.10).
    pub authentication_data: Option<Bytes>,
}

impl Connect {
    /// A clean CONNECT with nothing optional and keep-alive 0.
    pub fn new(version: Version, client_id: impl Into<ByteString>) -> Self {
        Self {
            version,
            clean_start: true,
            keep_alive: 0,
            client_id: client_id.into(),
            will: None,
            username: None,
            password: None,
            session_expiry: None,
            receive_maximum: None,
            maximum_packet_size: None,
            topic_alias_maximum: None,
            request_response_information: None,
            request_problem_information: None,
            user_properties: UserProperties::new(),
            authentication_method: None,
            authentication_data: None,
        }
    }
}

/// The will of a CONNECT (§3.1.2.5, its properties in §3.1.3.2 of 5.0).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Will {
    /// Will Topic, a topic name.
    pub topic: ByteString,
    /// Will Payload.
    pub payload: Bytes,
    /// Will QoS.
    pub qos: QoS,
    /// Will Retain.
    pub retain: bool,
    /// 5.0: Will Delay Interval in seconds, `None` is 0 (§3.1.3.2.2).
    pub delay: Option<u32>,
    /// 5.0: Payload Format Indicator, true for UTF-8 (§3.1.3.2.3).
    pub payload_format: Option<bool>,
    /// 5.0: Message Expiry Interval in seconds (§3.1.3.2.4).
    pub message_expiry: Option<u32>,
    /// 5.0: Content Type (§3.1.3.2.5).
    pub content_type: Option<ByteString>,
    /// 5.0: Response Topic (§3.1.3.2.6).
    pub response_topic: Option<ByteString>,
    /// 5.0: Correlation Data (§3.1.3.2.7).
    pub correlation_data: Option<Bytes>,
    /// 5.0: User Properties (§3.1.3.2.8).
    pub user_properties: UserProperties,
}
