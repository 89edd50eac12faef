//! The control packets of both versions, one file each (§2 and §3).
//!
//! A field that only 5.0 has is an `Option`, a list or a number with the standard's default, and [`encode`](crate::encode)
//! refuses it in 3.1.1 when it is set. Strings and payloads are slices of the buffer they were decoded from.

mod ack;
mod auth;
mod connack;
mod connect;
mod connect_codec;
mod disconnect;
mod publish;
mod suback;
mod subscribe;
mod unsuback;
mod unsubscribe;

use std::fmt;
use std::num::NonZeroU16;
use std::sync::Arc;

use bytestring::ByteString;

pub use self::ack::Ack;
pub use self::auth::Auth;
pub use self::connack::ConnAck;
pub use self::connect::{Connect, Will};
pub use self::disconnect::Disconnect;
pub use self::publish::Publish;
pub use self::suback::SubAck;
pub use self::subscribe::{RetainHandling, Subscribe, Subscription};
pub use self::unsuback::UnsubAck;
pub use self::unsubscribe::Unsubscribe;

/// A packet identifier: never 0 [MQTT-2.3.1-1] in 3.1.1, [MQTT-2.2.1-3] in 5.0.
pub type PacketId = NonZeroU16;

/// User properties of 5.0 in the order in which they stand (§3.1.2.11.8).
pub type UserProperties = Vec<(ByteString, ByteString)>;

/// An MQTT control packet.
///
/// The large ones are shared: to clone or to move a packet costs little.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Packet {
    /// §3.1, client to server.
    Connect(Arc<Connect>),
    /// §3.2, server to client.
    ConnAck(Arc<ConnAck>),
    /// §3.3, both ways.
    Publish(Arc<Publish>),
    /// §3.4, both ways.
    PubAck(Ack),
    /// §3.5, both ways.
    PubRec(Ack),
    /// §3.6, both ways.
    PubRel(Ack),
    /// §3.7, both ways.
    PubComp(Ack),
    /// §3.8, client to server.
    Subscribe(Subscribe),
    /// §3.9, server to client.
    SubAck(SubAck),
    /// §3.10, client to server.
    Unsubscribe(Unsubscribe),
    /// §3.11, server to client.
    UnsubAck(UnsubAck),
    /// §3.12, client to server.
    PingReq,
    /// §3.13, server to client.
    PingResp,
    /// §3.14, client to server; in 5.0 both ways.
    Disconnect(Disconnect),
    /// §3.15, both ways, 5.0 only.
    Auth(Auth),
}

impl Packet {
    /// Returns which of the fifteen it is.
    pub fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }
}

impl From<Connect> for Packet {
    fn from(connect: Connect) -> Self {
        Self::Connect(Arc::new(connect))
    }
}

impl From<ConnAck> for Packet {
    fn from(connack: ConnAck) -> Self {
        Self::ConnAck(Arc::new(connack))
    }
}

impl From<Publish> for Packet {
    fn from(publish: Publish) -> Self {
        Self::Publish(Arc::new(publish))
    }
}

/// The type of a control packet, with its number in the fixed header (§2.1.2 in 5.0, §2.2.1 in 3.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the standard's own, explained at each packet")]
pub enum PacketType {
    Connect = 1,
    ConnAck = 2,
    Publish = 3,
    PubAck = 4,
    PubRec = 5,
    PubRel = 6,
    PubComp = 7,
    Subscribe = 8,
    SubAck = 9,
    Unsubscribe = 10,
    UnsubAck = 11,
    PingReq = 12,
    PingResp = 13,
    Disconnect = 14,
    Auth = 15,
}

impl PacketType {
    /// All fifteen, by their number.
    pub const ALL: [Self; 15] = [
        Self::Connect,
        Self::ConnAck,
        Self::Publish,
        Self::PubAck,
        Self::PubRec,
        Self::PubRel,
        Self::PubComp,
        Self::Subscribe,
        Self::SubAck,
        Self::Unsubscribe,
        Self::UnsubAck,
        Self::PingReq,
        Self::PingResp,
        Self::Disconnect,
        Self::Auth,
    ];

    /// The type with this number in the upper half of the first byte; `None` for 0 and above 15.
    pub fn new(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number.checked_sub(1)?)).copied()
    }

    /// The name as the standard writes it, in capitals.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "CONNECT",
            Self::ConnAck => "CONNACK",
            Self::Publish => "PUBLISH",
            Self::PubAck => "PUBACK",
            Self::PubRec => "PUBREC",
            Self::PubRel => "PUBREL",
            Self::PubComp => "PUBCOMP",
            Self::Subscribe => "SUBSCRIBE",
            Self::SubAck => "SUBACK",
            Self::Unsubscribe => "UNSUBSCRIBE",
            Self::UnsubAck => "UNSUBACK",
            Self::PingReq => "PINGREQ",
            Self::PingResp => "PINGRESP",
            Self::Disconnect => "DISCONNECT",
            Self::Auth => "AUTH",
        }
    }
}

impl fmt::Display for PacketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Quality of service (§4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum QoS {
    /// 0: delivered once or not at all (§4.3.1).
    #[default]
    AtMostOnce = 0,
    /// 1: delivered, perhaps more than once (§4.3.2).
    AtLeastOnce = 1,
    /// 2: delivered, and not twice (§4.3.3).
    ExactlyOnce = 2,
}

impl QoS {
    /// The level with this number; `None` above 2.
    pub fn new(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }

    /// 0, 1 or 2.
    pub fn level(self) -> u8 {
        self as u8
    }
}

/// Subscription Identifiers go from 1 to 268,435,455 (§3.8.2.1.2, §3.3.2.3.8).
fn is_subscription_id(id: u32) -> bool {
    (1..=268_435_455).contains(&id)
}
