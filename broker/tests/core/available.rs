//! What a broker can be told not to offer, and what it says to who wants it all the same (§3.2.2.3).

use halfopen_broker::core::CloseReason;
use halfopen_broker::{Config, Referral};
use halfopen_protocol::packet::{ConnAck, Connect, Disconnect, Publish, QoS, SubAck, Subscribe, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, disconnect, id, lasting, message, subscribe, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn restricted() -> Config {
    Config {
        maximum_qos: QoS::AtLeastOnce,
        retain_available: false,
        wildcard_subscriptions: false,
        subscription_identifiers: false,
        shared_subscriptions: false,
        ..Config::default()
    }
}

fn answer(world: &mut World, connect: Connect) -> ReasonCode {
    let peer = world.open();
    world.send(peer, Packet::from(connect));
    let packets = world.received(peer);
    let [Packet::ConnAck(connack)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!(world.is_open(peer), connack.reason == ReasonCode::SUCCESS);
    connack.reason
}

// Shows 5.0 MQTT-3.2.2-9.
#[test]
fn connack_says_what_there_is_not() {
    let (_, connack) = World::with(restricted()).connect_and_ack(Connect::new(V5, "c"));
    let expected = ConnAck {
        receive_maximum: Some(1000),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: Some(16 * 1024 * 1024),
        topic_alias_maximum: Some(10),
        wildcard_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        ..ConnAck::default()
    };
    assert_eq!(connack, expected);
}

#[rstest]
#[case::qos(with_qos(message("t", "x"), QoS::ExactlyOnce, 1), 0x9B)]
#[case::retain(Publish { retain: true, ..message("t", "x") }, 0x9A)]
fn a_message_that_asks_for_more_ends_the_connection(#[case] publish: Publish, #[case] reason: u8) {
    let mut world = World::with(restricted());
    let client = world.client(V5, "c");
    world.send(client, Packet::from(publish));
    assert_eq!(world.received(client), [disconnect(ReasonCode::new(reason))]);
}

// Shows 5.0 MQTT-3.2.2-12, 5.0 MQTT-3.2.2-13.
#[rstest]
#[case::qos(Will { qos: QoS::ExactlyOnce, ..will() }, 0x9B)]
#[case::retain(Will { retain: true, ..will() }, 0x9A)]
fn a_will_that_asks_for_more_is_refused(#[case] will: Will, #[case] reason: u8) {
    let mut world = World::with(restricted());
    let connect = Connect { will: Some(will.into()), ..Connect::new(V5, "c") };
    assert_eq!(answer(&mut world, connect), ReasonCode::new(reason));
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
#[case::shared("$share/g/t", None, 0x9E)]
#[case::identifier("t", Some(1), 0xA1)]
#[case::plus("+", None, 0xA2)]
#[case::hash("t/#", None, 0xA2)]
fn a_subscription_that_asks_for_more_ends_the_connection(
    #[case] filter: &'static str,
    #[case] subscription_id: Option<u32>,
    #[case] reason: u8,
) {
    let mut world = World::with(restricted());
    let client = world.client(V5, "c");
    let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
    let subscribe = Subscribe { packet_id: id(1), subscription_id, user_properties: Vec::new(), subscriptions };
    world.send(client, Packet::Subscribe(subscribe));
    assert_eq!(world.received(client), [disconnect(ReasonCode::new(reason))]);
    assert_eq!(world.broker.client("c"), None);
}

// Shows 5.0 MQTT-3.2.2-10.
#[rstest]
fn a_subscription_is_granted_at_the_maximum_qos(#[values(V3, V5)] version: Version) {
    let mut world = World::with(restricted());
    let client = world.client(version, "c");
    world.send(client, subscribe(Subscription::new("t", QoS::ExactlyOnce)));
    let reasons = vec![ReasonCode::GRANTED_QOS_1];
    let suback = SubAck { packet_id: id(1), reason_string: None, user_properties: Vec::new(), reasons };
    assert_eq!(world.received(client), [Packet::SubAck(suback)]);
}

// Shows 3.1.1 MQTT-3.8.3-2.
#[test]
fn a_3_1_1_client_which_cannot_be_told_gets_as_much_as_there_is() {
    let mut world = World::with(restricted());
    let will = Will { retain: true, ..will() };
    let client = world.connect(Connect { will: Some(will.into()), ..Connect::new(V3, "c") });
    world.send(client, subscribe(Subscription::new("+", QoS::AtMostOnce)));
    let reasons = vec![ReasonCode::UNSPECIFIED_ERROR];
    let suback = SubAck { packet_id: id(1), reason_string: None, user_properties: Vec::new(), reasons };
    assert_eq!(world.received(client), [Packet::SubAck(suback)]);
    world.subscribe(client, Subscription::new("t", QoS::AtMostOnce));
    world.send(client, Packet::from(Publish { retain: true, ..message("t", "x") }));
    assert_eq!(world.messages(client), ["t x"]);
    world.cut(client);
    assert_eq!(world.broker.retained_count(), 0);
}

#[test]
fn response_information_is_for_those_that_ask_for_it() {
    let config = Config { response_information: Some("reply/%c/".to_owned()), ..Config::default() };
    let mut world = World::with(config);
    for (asks, expected) in [(Some(true), Some("reply/c/")), (Some(false), None), (None, None)] {
        let connect = Connect { request_response_information: asks, ..Connect::new(V5, "c") };
        assert_eq!(world.connect_and_ack(connect).1.response_information.as_deref(), expected);
    }
}

// Shows 5.0 MQTT-3.14.2-3.
#[rstest]
#[case::wanted(None, 100, true)]
#[case::not_wanted(Some(false), 100, false)]
#[case::too_long(None, 20, false)]
fn a_reason_string_says_what_was_wrong(#[case] wanted: Option<bool>, #[case] size: u32, #[case] expected: bool) {
    let mut world = World::new();
    let client = world.connect(Connect { request_problem_information: wanted, ..Connect::new(V5, "c") });
    world.cut(client);
    let connect = Connect {
        request_problem_information: wanted,
        maximum_packet_size: Some(size),
        clean_start: false,
        ..Connect::new(V5, "c")
    };
    let client = world.connect(connect);
    world.send(client, Packet::from(Publish { topic_alias: Some(99), ..message("t", "x") }));
    let what = expected.then(|| "topic alias above the topic alias maximum".into());
    let disconnect = Disconnect { reason_string: what, ..Disconnect::new(ReasonCode::TOPIC_ALIAS_INVALID) };
    assert_eq!(world.received_with_reasons(client), [Packet::Disconnect(disconnect)]);
}

// Shows 5.0 MQTT-3.9.2-1.
#[rstest]
#[case::it_fits(100, true)]
#[case::too_long(20, false)]
fn a_suback_has_a_reason_string_where_it_fits(#[case] size: u32, #[case] expected: bool) {
    let mut world = World::with(Config { topic_levels: 1, ..Config::default() });
    let client = world.connect(Connect { maximum_packet_size: Some(size), ..Connect::new(V5, "c") });
    world.received(client);
    world.send(client, subscribe(Subscription::new("a/b", QoS::AtMostOnce)));
    let packets = world.received_with_reasons(client);
    let [Packet::SubAck(suback)] = &packets[..] else { panic!("{packets:?}") };
    assert!(suback.reasons[0].value() >= 0x80);
    assert_eq!(suback.reason_string.is_some(), expected);
}

#[test]
fn reason_strings_can_be_switched_off() {
    let mut world = World::with(Config { reason_strings: false, ..Config::default() });
    let client = world.client(V5, "c");
    world.send(client, Packet::from(Publish { topic_alias: Some(99), ..message("t", "x") }));
    assert_eq!(world.received_with_reasons(client), [disconnect(ReasonCode::TOPIC_ALIAS_INVALID)]);
}

#[rstest]
#[case::temporary(Referral::Temporary, 0x9C)]
#[case::permanent(Referral::Permanent, 0x9D)]
fn clients_are_sent_to_another_server(#[case] referral: Referral, #[case] reason: u8) {
    let config = Config { server_reference: Some("other:1883".to_owned()), referral, ..Config::default() };
    let mut world = World::with(config);
    let peer = world.open();
    world.send(peer, Packet::from(Connect::new(V5, "c")));
    let reason = ReasonCode::new(reason);
    let connack = ConnAck { reason, server_reference: Some("other:1883".into()), ..ConnAck::default() };
    assert_eq!(world.received(peer), [Packet::from(connack)]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason });
    assert_eq!(answer(&mut world, Connect::new(V3, "c")), ReasonCode::new(3));
}

#[test]
fn a_broker_that_stops_names_the_other_server() {
    let mut world = World::with(Config { server_reference: Some("other".to_owned()), ..Config::default() });
    let client = world.client(V5, "c");
    world.broker.handle_shutdown(world.now);
    world.drain();
    let server_reference = Some("other".into());
    let disconnect = Disconnect { server_reference, ..Disconnect::new(ReasonCode::USE_ANOTHER_SERVER) };
    assert_eq!(world.received(client), [Packet::Disconnect(disconnect)]);
}

#[rstest]
#[case::longer(100, Some(10))]
#[case::for_ever(u32::MAX, Some(10))]
#[case::as_long(10, None)]
fn a_session_expiry_is_shortened_to_the_maximum_and_the_client_told(#[case] asked: u32, #[case] told: Option<u32>) {
    let mut world = World::with(Config { maximum_session_expiry: 10, ..Config::default() });
    let (client, connack) = world.connect_and_ack(lasting(V5, "c", asked));
    assert_eq!(connack.session_expiry, told);
    world.cut(client);
    world.advance_to_just_before(crate::fixture::secs(10));
    assert_eq!(world.broker.session_count(), 1);
    world.advance(crate::fixture::secs(1));
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn the_maximum_session_expiry_binds_disconnect_and_3_1_1_too() {
    let mut world = World::with(Config { maximum_session_expiry: 10, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 5));
    world.send(client, Packet::Disconnect(Disconnect { session_expiry: Some(1000), ..Disconnect::default() }));
    let older = world.connect(lasting(V3, "d", 1));
    world.cut(older);
    world.advance_to_just_before(crate::fixture::secs(10));
    assert_eq!(world.broker.session_count(), 2);
    world.advance(crate::fixture::secs(1));
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn client_that_cannot_take_its_connack_is_refused_and_leaves_nothing() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let here = world.client(V5, "c");
    let stranger = world.open();
    let connect = Connect { will: Some(will().into()), maximum_packet_size: Some(10), ..Connect::new(V5, "c") };
    world.send(stranger, Packet::from(connect));
    let reason = ReasonCode::PACKET_TOO_LARGE;
    assert_eq!(world.received(stranger), [Packet::from(ConnAck { reason, ..ConnAck::default() })]);
    assert!(!world.is_open(stranger) && world.is_open(here));
    assert_eq!(world.messages(watcher), [""; 0]);
}
