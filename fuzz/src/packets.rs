//! Packets that are mostly right, so that what lies behind the decoder is reached, and bytes that are not.

use arbitrary::Arbitrary;
use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe, Will,
};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};

const TOPICS: [&str; 8] = ["a", "a/b", "a/b/c", "b", "/", "$SYS/x", "a//c", "long/long/long/long"];
const FILTERS: [&str; 16] = [
    "a",
    "#",
    "+",
    "a/#",
    "+/b",
    "a/+/c",
    "$share/g/a",
    "$share/g/#",
    "$share/h/+/b",
    "$SYS/#",
    "/",
    "a/b",
    "b",
    "+/+",
    "$share/g",
    "long/#",
];

/// A message.
#[derive(Arbitrary, Debug)]
pub struct Message {
    topic: u8,
    qos: u8,
    retain: bool,
    dup: bool,
    id: u8,
    size: u16,
    expiry: Option<u8>,
    alias: Option<u8>,
    property: bool,
}

impl Message {
    /// As a PUBLISH; without an identifier for QoS 0.
    pub fn publish(&self, version: Version) -> Publish {
        let qos = qos(self.qos);
        let is_v5 = version.is_v5();
        let property = ("name".into(), "value".into());
        Publish {
            dup: self.dup && qos != QoS::AtMostOnce,
            qos,
            retain: self.retain,
            topic: TOPICS[usize::from(self.topic) % TOPICS.len()].into(),
            packet_id: (qos != QoS::AtMostOnce).then(|| packet_id(self.id)),
            message_expiry: self.expiry.map(u32::from).filter(|_| is_v5),
            topic_alias: self.alias.map(u16::from).filter(|_| is_v5),
            user_properties: if is_v5 && self.property { vec![property] } else { Vec::new() },
            payload: vec![b'x'; usize::from(self.size % 2048)].into(),
            ..Publish::default()
        }
    }
}

/// What a client sends.
#[derive(Arbitrary, Debug)]
pub enum FromClient {
    /// CONNECT.
    Connect(Opening),
    /// PUBLISH.
    Publish(Message),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Answer),
    /// SUBSCRIBE.
    Subscribe(u8, Option<u8>, Vec<Wish>),
    /// UNSUBSCRIBE.
    Unsubscribe(u8, Vec<u8>),
    /// PINGREQ.
    PingReq,
    /// DISCONNECT.
    Disconnect(u8, Option<u8>),
    /// AUTH.
    Auth(Exchange),
    /// Bytes.
    Raw(Vec<u8>),
}

/// A CONNECT.
#[derive(Arbitrary, Debug)]
pub struct Opening {
    /// Whether it is of 5.0.
    pub is_v5: bool,
    id: u8,
    clean_start: bool,
    keep_alive: u8,
    will: Option<(Message, u8)>,
    session_expiry: Option<u32>,
    receive_maximum: Option<u8>,
    maximum_packet_size: Option<u16>,
    topic_alias_maximum: Option<u8>,
    method: Option<u8>,
}

impl Opening {
    /// Its version.
    pub fn version(&self) -> Version {
        if self.is_v5 { Version::V5_0 } else { Version::V3_1_1 }
    }

    /// As a packet.
    pub fn connect(&self) -> Connect {
        let version = self.version();
        let mut connect = Connect::new(version, client_id(self.id));
        connect.clean_start = self.clean_start;
        connect.keep_alive = self.keep_alive.into();
        connect.will = self.will.as_ref().map(|(message, delay)| {
            let publish = message.publish(version);
            Will {
                topic: publish.topic,
                payload: publish.payload,
                qos: publish.qos,
                retain: publish.retain,
                delay: self.is_v5.then_some((*delay).into()),
                message_expiry: publish.message_expiry,
                ..Will::default()
            }
            .into()
        });
        if self.is_v5 {
            connect.session_expiry = self.session_expiry;
            connect.receive_maximum = self.receive_maximum.map(|maximum| u16::from(maximum).max(1));
            connect.maximum_packet_size = self.maximum_packet_size.map(|maximum| u32::from(maximum).max(1));
            connect.topic_alias_maximum = self.topic_alias_maximum.map(u16::from);
            connect.authentication_method = self.method.map(method);
        }
        connect
    }
}

/// One filter of a SUBSCRIBE.
#[derive(Arbitrary, Debug)]
pub struct Wish {
    filter: u8,
    qos: u8,
    no_local: bool,
    retain_as_published: bool,
}

impl Wish {
    /// As it stands in the packet.
    pub fn subscription(&self, version: Version) -> Subscription {
        let mut subscription = Subscription::new(filter(self.filter), qos(self.qos));
        subscription.no_local = version.is_v5() && self.no_local;
        subscription.retain_as_published = version.is_v5() && self.retain_as_published;
        subscription
    }
}

/// An acknowledgement.
#[derive(Arbitrary, Debug)]
pub struct Answer {
    kind: u8,
    id: u8,
    fails: bool,
}

impl Answer {
    fn packet(&self, version: Version) -> Packet {
        let mut ack = Ack::new(packet_id(self.id));
        let is_release = self.kind % 4 >= 2;
        if version.is_v5() && self.fails {
            // Packet Identifier not found, or Quota exceeded.
            ack.reason = ReasonCode::new(if is_release { 0x92 } else { 0x97 });
        }
        match self.kind % 4 {
            0 => Packet::PubAck(ack),
            1 => Packet::PubRec(ack),
            2 => Packet::PubRel(ack),
            _ => Packet::PubComp(ack),
        }
    }
}

/// A step of an authentication.
#[derive(Arbitrary, Debug)]
pub struct Exchange {
    reason: u8,
    method: Option<u8>,
    data: Option<Vec<u8>>,
}

impl Exchange {
    fn packet(&self) -> Packet {
        Packet::Auth(Auth {
            reason: ReasonCode::new([0x00, 0x18, 0x19][usize::from(self.reason % 3)]),
            authentication_method: self.method.map(method),
            authentication_data: self.data.clone().map(Into::into),
            ..Auth::default()
        })
    }
}

impl FromClient {
    /// The bytes; none if the packet has no form.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let packet = match self {
            Self::Connect(opening) => {
                return write(&Packet::from(opening.connect()), opening.version());
            }
            Self::Publish(message) => Packet::from(message.publish(version)),
            Self::Ack(answer) => answer.packet(version),
            Self::Subscribe(id, subscription_id, wishes) => Packet::Subscribe(Subscribe {
                packet_id: packet_id(*id),
                subscription_id: subscription_id.map(u32::from).filter(|_| version.is_v5()),
                user_properties: Vec::new(),
                subscriptions: wishes.iter().map(|wish| wish.subscription(version)).collect(),
            }),
            Self::Unsubscribe(id, filters) => Packet::Unsubscribe(Unsubscribe {
                packet_id: packet_id(*id),
                user_properties: Vec::new(),
                filters: filters.iter().map(|&number| filter(number)).collect(),
            }),
            Self::PingReq => Packet::PingReq,
            Self::Disconnect(reason, session_expiry) => Packet::Disconnect(Disconnect {
                session_expiry: session_expiry.map(u32::from).filter(|_| version.is_v5()),
                ..Disconnect::new(ReasonCode::new(if version.is_v5() && reason % 2 == 1 { 0x04 } else { 0 }))
            }),
            Self::Auth(exchange) => exchange.packet(),
            Self::Raw(bytes) => return bytes.clone(),
        };
        write(&packet, version)
    }
}

/// What a server sends.
#[derive(Arbitrary, Debug)]
pub enum FromServer {
    /// CONNACK.
    ConnAck(Welcome),
    /// PUBLISH.
    Publish(Message),
    /// PUBACK, PUBREC, PUBREL or PUBCOMP.
    Ack(Answer),
    /// SUBACK, with the given number of codes.
    SubAck(u8, u8, u8),
    /// UNSUBACK, with the given number of codes.
    UnsubAck(u8, u8),
    /// PINGRESP.
    PingResp,
    /// DISCONNECT.
    Disconnect(u8),
    /// AUTH.
    Auth(Exchange),
    /// Bytes.
    Raw(Vec<u8>),
}

/// A CONNACK.
#[derive(Arbitrary, Debug)]
pub struct Welcome {
    session_present: bool,
    refuses: bool,
    receive_maximum: Option<u8>,
    maximum_packet_size: Option<u16>,
    maximum_qos: Option<bool>,
    retain_available: Option<bool>,
    server_keep_alive: Option<u8>,
    topic_alias_maximum: Option<u8>,
    session_expiry: Option<u8>,
    assigned: bool,
    method: Option<u8>,
}

impl Welcome {
    fn connack(&self, version: Version) -> ConnAck {
        let is_v5 = version.is_v5();
        let refusal = ReasonCode::new(if is_v5 { 0x87 } else { 5 });
        let common = ConnAck {
            session_present: self.session_present && !self.refuses,
            reason: if self.refuses { refusal } else { ReasonCode::SUCCESS },
            ..ConnAck::default()
        };
        if !is_v5 {
            return common;
        }
        ConnAck {
            receive_maximum: self.receive_maximum.map(|maximum| u16::from(maximum).max(1)),
            maximum_packet_size: self.maximum_packet_size.map(|maximum| u32::from(maximum).max(1)),
            maximum_qos: self.maximum_qos.map(|one| if one { QoS::AtLeastOnce } else { QoS::AtMostOnce }),
            retain_available: self.retain_available,
            server_keep_alive: self.server_keep_alive.map(u16::from),
            topic_alias_maximum: self.topic_alias_maximum.map(u16::from),
            session_expiry: self.session_expiry.map(u32::from),
            assigned_client_id: self.assigned.then(|| "assigned".into()),
            authentication_method: self.method.map(method),
            ..common
        }
    }
}

impl FromServer {
    /// The bytes; none if the packet has no form.
    pub fn bytes(&self, version: Version) -> Vec<u8> {
        let packet = match self {
            Self::ConnAck(welcome) => Packet::from(welcome.connack(version)),
            Self::Publish(message) => Packet::from(message.publish(version)),
            Self::Ack(answer) => answer.packet(version),
            Self::SubAck(id, count, code) => Packet::SubAck(SubAck {
                packet_id: packet_id(*id),
                reason_string: None,
                user_properties: Vec::new(),
                reasons: vec![ReasonCode::new([0, 1, 2, 0x80][usize::from(code % 4)]); usize::from(count % 4)],
            }),
            Self::UnsubAck(id, count) => Packet::UnsubAck(UnsubAck {
                packet_id: packet_id(*id),
                reason_string: None,
                user_properties: Vec::new(),
                reasons: vec![ReasonCode::SUCCESS; if version.is_v5() { usize::from(count % 4) } else { 0 }],
            }),
            Self::PingResp => Packet::PingResp,
            Self::Disconnect(reason) => {
                let reasons = [0x00, 0x81, 0x82, 0x89, 0x8B, 0x8D, 0x8E, 0x9C];
                Packet::Disconnect(Disconnect::new(ReasonCode::new(reasons[usize::from(reason % 8)])))
            }
            Self::Auth(exchange) => exchange.packet(),
            Self::Raw(bytes) => return bytes.clone(),
        };
        write(&packet, version)
    }
}

fn write(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    // What has no form leaves nothing.
    let _ = encode(packet, version, &mut bytes);
    bytes.to_vec()
}

/// One of the few client identifiers, the empty one among them.
pub fn client_id(number: u8) -> ByteString {
    ["", "one", "two", "three"][usize::from(number % 4)].into()
}

/// One of the topic filters, some of them shared and some of no form.
pub fn filter(number: u8) -> ByteString {
    FILTERS[usize::from(number) % FILTERS.len()].into()
}

fn qos(number: u8) -> QoS {
    QoS::new(number % 3).expect("0, 1 or 2")
}

fn packet_id(number: u8) -> PacketId {
    PacketId::new(u16::from(number % 8) + 1).expect("not 0")
}

/// An authentication method.
pub fn method(number: u8) -> ByteString {
    ["SCRAM-SHA-256", "TEST", ""][usize::from(number % 3)].into()
}
