//! What the broker does not accept, and what it says about it.

use halfopen_broker::core::CloseReason;
use halfopen_broker::{Broker, Config};
use halfopen_protocol::packet::{Auth, ConnAck, Connect, QoS};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{SEED, World, disconnect};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn refused(code: u8) -> Packet {
    Packet::from(ConnAck { reason: ReasonCode::new(code), ..ConnAck::default() })
}

fn connect_with_level(level: u8) -> Vec<u8> {
    let properties: &[u8] = if level >= 5 { &[0] } else { &[] };
    let body = [b"\0\x04MQTT", &[level, 2, 0, 0][..], properties, b"\0\x01c"].concat();
    [&[0x10, body.len() as u8][..], &body].concat()
}

#[rstest]
#[case(3, &[0x20, 2, 0, 0x01])]
#[case(6, &[0x20, 2, 0, 1])]
#[case(0x84, &[0x20, 2, 0, 1])]
fn an_unknown_version_is_refused_as_3_1_1_demands(#[case] level: u8, #[case] expected: &[u8]) {
    let mut world = World::new();
    let peer = world.open();
    world.broker.handle_bytes(world.now, peer, &connect_with_level(level));
    let mut sent = Vec::new();
    while let Some(output) = world.broker.poll_output() {
        if let halfopen_broker::core::Output::Send { bytes, .. } = output {
            sent.extend_from_slice(&bytes);
        }
    }
    assert_eq!(sent, expected);
    assert_eq!(world.broker.connection_count(), 0);
}

#[test]
fn the_versions_that_exist_are_accepted() {
    for level in [4, 5] {
        let mut world = World::new();
        let peer = world.open();
        world.send_bytes(peer, &connect_with_level(level));
        assert!(world.is_open(peer));
        assert!(world.broker.client("c").is_some());
    }
}

#[test]
fn an_empty_identifier_is_refused_in_3_1_1_if_the_session_is_to_be_kept() {
    let mut world = World::new();
    let peer = world.open();
    // No codec of ours would write it.
    world.send_bytes(peer, b"\x10\x0C\0\x04MQTT\x04\0\0\0\0\0");
    // [MQTT-3.1.3-8] (3.1.1)
    assert_eq!(world.received(peer), [refused(2)]);
    assert!(!world.is_open(peer));
}

/// The client identifiers that a broker with this seed assigns to the first two clients, after a client named `known`.
fn assigned(seed: [u8; 32], known: &str) -> [String; 2] {
    let mut world = World::of(Broker::new(Config::default(), seed));
    world.connect(Connect::new(V5, known.to_owned()));
    std::array::from_fn(|_| {
        let (_, connack) = world.connect_and_ack(Connect::new(V5, ""));
        connack.assigned_client_id.expect("an identifier").to_string()
    })
}

#[test]
fn an_empty_identifier_gets_one_that_nobody_has_and_5_0_is_told_which() {
    let [first, second] = assigned(SEED, "known");
    assert_eq!(first.len(), "auto-".len() + 32, "{first}");
    assert_ne!(first, second);
    let [other, _] = assigned(SEED, &first);
    assert_eq!(other, second, "the first one is taken");

    let mut world = World::new();
    let (_, old) = world.connect_and_ack(Connect::new(V3, ""));
    let (_, named) = world.connect_and_ack(Connect::new(V5, "named"));
    assert_eq!((old.assigned_client_id, named.assigned_client_id), (None, None));
    assert_eq!(world.broker.session_count(), 2);
}

#[test]
fn assigned_identifiers_follow_from_the_seed_alone() {
    assert_eq!(assigned([1; 32], "known"), assigned([1; 32], "known"));
    let (one, other) = (assigned([1; 32], "known"), assigned([2; 32], "known"));
    assert!(one.iter().all(|client_id| !other.contains(client_id)));
}

#[test]
fn an_authentication_method_is_refused() {
    let mut world = World::new();
    let peer = world.open();
    let connect = Connect { authentication_method: Some("SCRAM".into()), ..Connect::new(V5, "c") };
    world.send(peer, Packet::from(connect));
    assert_eq!(world.received(peer), [refused(0x8C)]);
    let reason = ReasonCode::BAD_AUTHENTICATION_METHOD;
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason });
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
fn the_first_packet_must_be_connect(#[values(&[0xC0, 0x00], &[0xE0, 0x00])] bytes: &[u8]) {
    let mut world = World::new();
    let peer = world.open();
    world.send_bytes(peer, bytes);
    assert_eq!(world.received(peer), []);
    assert!(matches!(world.why_closed(peer), CloseReason::Protocol { .. }));
}

#[rstest]
fn a_second_connect_is_a_protocol_error(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let peer = world.client(version, "c");
    world.send(peer, Packet::from(Connect::new(version, "c")));
    let expected = if version.is_v5() { vec![disconnect(ReasonCode::PROTOCOL_ERROR)] } else { vec![] };
    assert_eq!(world.received(peer), expected);
    let reason = world.why_closed(peer);
    assert!(matches!(reason, CloseReason::Protocol { clause: "MQTT-3.1.0-2", .. }), "{reason:?}");
}

#[rstest]
#[case::reserved_flags(&[0xC1, 0x00], 0x81)]
#[case::type_0(&[0x00, 0x00], 0x81)]
#[case::length_of_five_bytes(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], 0x81)]
#[case::qos_3(&[0x36, 0x05, 0x00, 0x01, b't', 0x00, 0x01], 0x81)]
#[case::server_packet(&[0xD0, 0x00], 0x82)]
#[case::too_large(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], 0x95)]
#[case::wildcard_topic(&[0x30, 0x05, 0x00, 0x01, b'#', 0x00, b'x'], 0x81)]
#[case::second_connect_of_no_version(&connect_with_level(9), 0x82)]
fn a_5_0_client_that_sends_nonsense_is_told_what_was_wrong(#[case] bytes: &[u8], #[case] reason: u8) {
    let mut world = World::new();
    let peer = world.client(V5, "c");
    world.send_bytes(peer, bytes);
    assert_eq!(world.received(peer), [disconnect(ReasonCode::new(reason))]);
    let why = world.why_closed(peer);
    assert!(matches!(why, CloseReason::Protocol { clause, .. } if !clause.is_empty()), "{why:?}");
}

#[rstest]
#[case::reserved_flags(&[0xC1, 0x00])]
#[case::too_large(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F])]
fn a_3_1_1_client_that_sends_nonsense_is_closed_without_a_word(#[case] bytes: &[u8]) {
    let mut world = World::new();
    let peer = world.client(V3, "c");
    world.send_bytes(peer, bytes);
    assert_eq!(world.received(peer), []);
    assert!(!world.is_open(peer));
}

#[test]
fn nothing_behind_a_fatal_packet_is_looked_at() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "t", QoS::AtMostOnce);
    let peer = world.client(V5, "c");
    world.send_bytes(peer, &[&[0xE0, 0x00][..], &[0x30, 0x05, 0, 1, b't', 0, b'x']].concat());
    assert_eq!(world.why_closed(peer), CloseReason::Disconnected);
    assert_eq!(world.received(watcher), []);
}

#[test]
fn a_malformed_5_0_connect_is_answered_and_one_of_3_1_1_is_not() {
    for (level, expected) in [(5, vec![refused(0x81)]), (4, vec![])] {
        let mut world = World::new();
        let peer = world.open();
        let mut bytes = connect_with_level(level);
        // The reserved connect flag [MQTT-3.1.2-3].
        bytes[9] |= 1;
        world.send_bytes(peer, &bytes);
        assert_eq!(world.received(peer), expected, "level {level}");
        assert!(matches!(world.why_closed(peer), CloseReason::Protocol { .. }));
    }
}

#[test]
fn auth_without_a_method_is_a_protocol_error() {
    let mut world = World::new();
    let peer = world.client(V5, "c");
    let auth =
        Auth { reason: ReasonCode::RE_AUTHENTICATE, authentication_method: Some("SCRAM".into()), ..Auth::default() };
    world.send(peer, Packet::Auth(auth));
    assert_eq!(world.received(peer), [disconnect(ReasonCode::PROTOCOL_ERROR)]);
}

#[test]
fn connack_says_what_a_client_must_know() {
    let config = Config { receive_maximum: 7, maximum_packet_size: 1000, ..Config::default() };
    let (_, connack) = World::with(config.clone()).connect_and_ack(Connect::new(V5, "c"));
    let expected = ConnAck {
        receive_maximum: Some(7),
        maximum_packet_size: Some(1000),
        topic_alias_maximum: Some(10),
        ..ConnAck::default()
    };
    assert_eq!(connack, expected);
    let (_, connack) = World::with(config).connect_and_ack(Connect::new(V3, "c"));
    assert_eq!(connack, ConnAck::default());
}
