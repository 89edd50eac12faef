use bytes::Bytes;
use bytestring::ByteString;

use super::{PacketId, QoS, UserProperties};

/// PUBLISH: an application message on its way (§3.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// DUP: this may have been sent before (§3.3.1.1).
    pub dup: bool,
    /// The quality of service of this delivery.
    pub qos: QoS,
    /// RETAIN (§3.3.1.3).
    pub retain: bool,
    /// Topic Name; in 5.0 empty if `topic_alias` stands for it.
    pub topic: ByteString,
    /// Packet Identifier: present exactly for QoS 1 and 2 [MQTT-2.2.1-2] (5.0), [MQTT-2.3.1-5] (3.1.1).
    pub packet_id: Option<PacketId>,
    /// 5.0: Payload Format Indicator, true for UTF-8 (§3.3.2.3.2).
    pub payload_format: Option<bool>,
    /// 5.0: Message Expiry Interval in seconds (§3.3.2.3.3).
    pub message_expiry: Option<u32>,
    /// 5.0: Topic Alias, never 0 [MQTT-3.3.2-8].
    pub topic_alias: Option<u16>,
    /// 5.0: Response Topic (§3.3.2.3.5).
    pub response_topic: Option<ByteString>,
    /// 5.0: Correlation Data (§3.3.2.3.6).
    pub correlation_data: Option<Bytes>,
    /// 5.0: User Properties.
    pub user_properties: UserProperties,
    /// 5.0: Subscription Identifiers, 1 to 268,435,455 each; several only from the server (§3.3.2.3.8).
    pub subscription_ids: Vec<u32>,
    /// 5.0: Content Type (§3.3.2.3.9).
    pub content_type: Option<ByteString>,
    /// The application message itself.
    pub payload: Bytes,
}
