//! The smallest form of each packet, byte by byte as the standards print it.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use bytes::BytesMut;
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription, UnsubAck,
    Unsubscribe,
};
use halfopen_protocol::{DecodeOptions, Packet, ReasonCode, Role, Version, decode, encode};
use rstest::rstest;

use Version::{V3_1_1, V5_0};

#[rstest]
#[case::connect(V3_1_1, Role::Server, connect(V3_1_1), b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01c")]
#[case::connect(V5_0, Role::Server, connect(V5_0), b"\x10\x0e\0\x04MQTT\x05\x02\0\x3c\0\0\x01c")]
#[case::connack(V3_1_1, Role::Client, Packet::ConnAck(Default::default()), b"\x20\x02\0\0")]
#[case::connack(V5_0, Role::Client, Packet::ConnAck(Default::default()), b"\x20\x03\0\0\0")]
#[case::connack_of_a_session(V3_1_1, Role::Client, session_present(), b"\x20\x02\x01\0")]
#[case::publish(V3_1_1, Role::Server, publish(), b"\x3d\x08\0\x03a/b\0\x07P")]
#[case::publish(V5_0, Role::Server, publish(), b"\x3d\x09\0\x03a/b\0\x07\0P")]
#[case::puback(V3_1_1, Role::Server, Packet::PubAck(Ack::new(id(7))), b"\x40\x02\0\x07")]
#[case::puback(V5_0, Role::Server, Packet::PubAck(Ack::new(id(7))), b"\x40\x02\0\x07")]
#[case::pubrec(V5_0, Role::Server, Packet::PubRec(refused(0x97)), b"\x50\x03\0\x07\x97")]
#[case::pubrel(V3_1_1, Role::Server, Packet::PubRel(Ack::new(id(7))), b"\x62\x02\0\x07")]
#[case::pubcomp(V5_0, Role::Server, Packet::PubComp(refused(0x92)), b"\x70\x03\0\x07\x92")]
#[case::subscribe(V3_1_1, Role::Server, subscribe(), b"\x82\x06\0\x07\0\x01#\x02")]
#[case::subscribe(V5_0, Role::Server, subscribe(), b"\x82\x07\0\x07\0\0\x01#\x02")]
#[case::suback(V3_1_1, Role::Client, suback(), b"\x90\x03\0\x07\x80")]
#[case::suback(V5_0, Role::Client, suback(), b"\x90\x04\0\x07\0\x80")]
#[case::unsubscribe(V3_1_1, Role::Server, unsubscribe(), b"\xa2\x05\0\x07\0\x01#")]
#[case::unsubscribe(V5_0, Role::Server, unsubscribe(), b"\xa2\x06\0\x07\0\0\x01#")]
#[case::unsuback(V3_1_1, Role::Client, unsuback(&[]), b"\xb0\x02\0\x07")]
#[case::unsuback(V5_0, Role::Client, unsuback(&[0x11]), b"\xb0\x04\0\x07\0\x11")]
#[case::pingreq(V3_1_1, Role::Server, Packet::PingReq, b"\xc0\0")]
#[case::pingresp(V5_0, Role::Client, Packet::PingResp, b"\xd0\0")]
#[case::disconnect(V3_1_1, Role::Server, disconnect(0), b"\xe0\0")]
#[case::disconnect(V5_0, Role::Server, disconnect(0), b"\xe0\0")]
#[case::disconnect_with_will(V5_0, Role::Server, disconnect(4), b"\xe0\x01\x04")]
#[case::disconnect_by_the_server(V5_0, Role::Client, disconnect(0x8D), b"\xe0\x01\x8d")]
#[case::auth(V5_0, Role::Client, Packet::Auth(Auth::default()), b"\xf0\0")]
#[case::auth(V5_0, Role::Server, auth(), b"\xf0\x06\x18\x04\x15\0\x01m")]
fn stands_as_the_standard_prints_it(
    #[case] version: Version,
    #[case] reader: Role,
    #[case] packet: Packet,
    #[case] bytes: &[u8],
) {
    let mut encoded = BytesMut::new();
    encode(&packet, version, &mut encoded).unwrap();
    assert_eq!(encoded, bytes);

    let options = DecodeOptions { version, reader, maximum_packet_size: bytes.len() as u32 };
    assert_eq!(decode(&mut encoded, &options), Ok(Some(packet)));
    assert!(encoded.is_empty());
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn connect(version: Version) -> Packet {
    Packet::from(Connect { keep_alive: 60, ..Connect::new(version, "c") })
}

fn session_present() -> Packet {
    Packet::from(ConnAck { session_present: true, ..ConnAck::default() })
}

fn publish() -> Packet {
    Packet::from(Publish {
        dup: true,
        qos: QoS::ExactlyOnce,
        retain: true,
        topic: "a/b".into(),
        packet_id: Some(id(7)),
        payload: "P".into(),
        ..Publish::default()
    })
}

fn refused(reason: u8) -> Ack {
    Ack::with_reason(id(7), ReasonCode::new(reason))
}

fn subscribe() -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: id(7),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription::new("#", QoS::ExactlyOnce)],
    })
}

fn suback() -> Packet {
    let reasons = vec![ReasonCode::UNSPECIFIED_ERROR];
    Packet::SubAck(SubAck { packet_id: id(7), reason_string: None, user_properties: Vec::new(), reasons })
}

fn unsubscribe() -> Packet {
    Packet::Unsubscribe(Unsubscribe { packet_id: id(7), user_properties: Vec::new(), filters: vec!["#".into()] })
}

fn unsuback(reasons: &[u8]) -> Packet {
    let reasons = reasons.iter().copied().map(ReasonCode::new).collect();
    Packet::UnsubAck(UnsubAck { packet_id: id(7), reason_string: None, user_properties: Vec::new(), reasons })
}

fn disconnect(reason: u8) -> Packet {
    Packet::Disconnect(Disconnect::new(ReasonCode::new(reason)))
}

fn auth() -> Packet {
    Packet::Auth(Auth {
        reason: ReasonCode::CONTINUE_AUTHENTICATION,
        authentication_method: Some("m".into()),
        ..Auth::default()
    })
}
