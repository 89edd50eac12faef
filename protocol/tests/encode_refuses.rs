//! What has no form in a version, or what no side may send, is not written.

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, RetainHandling, SubAck, Subscribe, Subscription,
    UnsubAck, Unsubscribe, Will,
};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use rstest::rstest;

use Version::{V3_1_1, V5_0};

#[rstest]
#[case::other_version(V5_0, connect(V3_1_1, |_| ()), "§3.1.2.2")]
#[case::session_expiry(V3_1_1, connect(V3_1_1, |connect| connect.session_expiry = Some(1)), "§2.3")]
#[case::will_delay(V3_1_1, with_will(V3_1_1, |will| will.delay = Some(1)), "§2.3")]
#[case::lone_password(V3_1_1, connect(V3_1_1, |connect| connect.password = Some(Bytes::new())), "MQTT-3.1.2-22")]
#[case::nameless_session(V3_1_1, connect(V3_1_1, nameless_session), "MQTT-3.1.3-7")]
#[case::nul(V3_1_1, connect(V3_1_1, |connect| connect.client_id = "a\0".into()), "MQTT-1.5.3-2")]
#[case::nul(V5_0, connect(V5_0, |connect| connect.username = Some("\0".into())), "MQTT-1.5.4-2")]
#[case::long_string(V3_1_1, connect(V3_1_1, |connect| connect.client_id = long()), "§1.5.3")]
#[case::long_data(V5_0, connect(V5_0, |connect| connect.password = Some(long().into_bytes())), "§1.5.6")]
#[case::receive_maximum_0(V5_0, connect(V5_0, |connect| connect.receive_maximum = Some(0)), "§3.1.2.11.3")]
#[case::packet_size_0(V5_0, connect(V5_0, |connect| connect.maximum_packet_size = Some(0)), "§3.1.2.11.4")]
#[case::lone_data(V5_0, connect(V5_0, |connect| connect.authentication_data = Some(Bytes::new())), "§3.1.2.11.10")]
#[case::will_wildcard(V3_1_1, with_will(V3_1_1, |will| will.topic = "#".into()), "MQTT-4.7.1-1")]
#[case::return_code(V3_1_1, connack(|connack| connack.reason = ReasonCode::NOT_AUTHORIZED), "§3.2.2.3")]
#[case::reason(V5_0, connack(|connack| connack.reason = ReasonCode::KEEP_ALIVE_TIMEOUT), "MQTT-3.2.2-8")]
#[case::keep_alive(V3_1_1, connack(|connack| connack.server_keep_alive = Some(1)), "§2.3")]
#[case::session_of_a_refusal(V5_0, connack(session_of_a_refusal), "MQTT-3.2.2-6")]
#[case::maximum_qos_2(V5_0, connack(|connack| connack.maximum_qos = Some(QoS::ExactlyOnce)), "§3.2.2.3.4")]
#[case::no_id(V3_1_1, publish(|publish| publish.qos = QoS::AtLeastOnce), "MQTT-2.3.1-1")]
#[case::no_id(V5_0, publish(|publish| publish.qos = QoS::ExactlyOnce), "MQTT-2.2.1-3")]
#[case::id_at_qos_0(V3_1_1, publish(|publish| publish.packet_id = Some(id())), "MQTT-2.3.1-5")]
#[case::id_at_qos_0(V5_0, publish(|publish| publish.packet_id = Some(id())), "MQTT-2.2.1-2")]
#[case::dup_at_qos_0(V5_0, publish(|publish| publish.dup = true), "MQTT-3.3.1-2")]
#[case::wildcard(V5_0, publish(|publish| publish.topic = "a/+".into()), "MQTT-3.3.2-2")]
#[case::empty_topic(V3_1_1, publish(|publish| publish.topic = "".into()), "MQTT-4.7.3-1")]
#[case::empty_topic(V5_0, publish(|publish| publish.topic = "".into()), "§3.3.2.1")]
#[case::alias_0(V5_0, publish(|publish| publish.topic_alias = Some(0)), "MQTT-3.3.2-8")]
#[case::alias(V3_1_1, publish(|publish| publish.topic_alias = Some(1)), "§2.3")]
#[case::subscription_id(V5_0, publish(|publish| publish.subscription_ids = vec![1, 0x1000_0000]), "§3.3.2.3.8")]
#[case::too_large(V3_1_1, publish(|publish| publish.payload = vec![0; 0x1000_0000].into()), "§2.2.3")]
#[case::ack_reason(V3_1_1, Packet::PubAck(refused()), "§3.4.2")]
#[case::ack_reason(V5_0, Packet::PubRel(refused()), "MQTT-3.6.2-1")]
#[case::ack_text(V3_1_1, Packet::PubRec(Ack { reason_string: Some("".into()), ..Ack::new(id()) }), "§2.3")]
#[case::no_filter(V5_0, subscribe(&[]), "MQTT-3.8.3-2")]
#[case::bad_filter(V3_1_1, subscribe(&[Subscription::new("a#", QoS::AtMostOnce)]), "MQTT-4.7.1-2")]
#[case::no_local_in_3_1_1(V3_1_1, subscribe(&[no_local("a")]), "MQTT-3.8.3-4")]
#[case::retain_handling_in_3_1_1(V3_1_1, subscribe(&[never_retained()]), "MQTT-3.8.3-4")]
#[case::no_local_shared(V5_0, subscribe(&[no_local("$share/g/a")]), "MQTT-3.8.3-4")]
#[case::code_of_5_0(V3_1_1, suback(&[0x87]), "MQTT-3.9.3-2")]
#[case::no_code(V5_0, suback(&[]), "MQTT-3.8.4-6")]
#[case::no_filter(V3_1_1, Packet::Unsubscribe(unsubscribe()), "MQTT-3.10.3-2")]
#[case::codes_in_3_1_1(V3_1_1, unsuback(&[0]), "§3.11.3")]
#[case::no_code(V5_0, unsuback(&[]), "§3.11.3")]
#[case::reason_in_3_1_1(V3_1_1, Packet::Disconnect(Disconnect::new(ReasonCode::PROTOCOL_ERROR)), "§3.14.2")]
#[case::reason(V5_0, Packet::Disconnect(Disconnect::new(ReasonCode::BANNED)), "MQTT-3.14.2-1")]
#[case::auth_in_3_1_1(V3_1_1, Packet::Auth(Auth::default()), "§2.2.1")]
#[case::no_method(V5_0, Packet::Auth(Auth { reason_string: Some("".into()), ..Auth::default() }), "§3.15.2.2.2")]
fn to_write(#[case] version: Version, #[case] packet: Packet, #[case] clause: &str) {
    let mut bytes = BytesMut::from(&b"before"[..]);
    assert_eq!(encode(&packet, version, &mut bytes).unwrap_err().clause, clause);
    assert_eq!(bytes, b"before"[..]);
}

fn id() -> PacketId {
    PacketId::MIN
}

fn long() -> bytestring::ByteString {
    "a".repeat(65_536).into()
}

fn connect(version: Version, change: fn(&mut Connect)) -> Packet {
    let mut connect = Connect::new(version, "c");
    change(&mut connect);
    Packet::from(connect)
}

fn nameless_session(connect: &mut Connect) {
    connect.client_id = "".into();
    connect.clean_start = false;
}

fn with_will(version: Version, change: fn(&mut Will)) -> Packet {
    let mut will = Will { topic: "t".into(), ..Will::default() };
    change(&mut will);
    Packet::from(Connect { will: Some(will.into()), ..Connect::new(version, "c") })
}

fn connack(change: fn(&mut ConnAck)) -> Packet {
    let mut connack = ConnAck::default();
    change(&mut connack);
    Packet::from(connack)
}

fn session_of_a_refusal(connack: &mut ConnAck) {
    connack.session_present = true;
    connack.reason = ReasonCode::NOT_AUTHORIZED;
}

fn publish(change: fn(&mut Publish)) -> Packet {
    let mut publish = Publish { topic: "t".into(), ..Publish::default() };
    change(&mut publish);
    Packet::from(publish)
}

fn refused() -> Ack {
    Ack::with_reason(id(), ReasonCode::NOT_AUTHORIZED)
}

fn subscribe(subscriptions: &[Subscription]) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: id(),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: subscriptions.to_vec(),
    })
}

fn no_local(filter: &'static str) -> Subscription {
    Subscription { no_local: true, ..Subscription::new(filter, QoS::AtMostOnce) }
}

fn never_retained() -> Subscription {
    Subscription { retain_handling: RetainHandling::DoNotSend, ..Subscription::new("a", QoS::AtMostOnce) }
}

fn suback(codes: &[u8]) -> Packet {
    let reasons = codes.iter().copied().map(ReasonCode::new).collect();
    Packet::SubAck(SubAck { packet_id: id(), reason_string: None, user_properties: Vec::new(), reasons })
}

fn unsubscribe() -> Unsubscribe {
    Unsubscribe { packet_id: id(), user_properties: Vec::new(), filters: Vec::new() }
}

fn unsuback(codes: &[u8]) -> Packet {
    let reasons = codes.iter().copied().map(ReasonCode::new).collect();
    Packet::UnsubAck(UnsubAck { packet_id: id(), reason_string: None, user_properties: Vec::new(), reasons })
}
