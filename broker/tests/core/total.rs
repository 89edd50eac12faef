//! What is held for all clients together has a limit, and each part of it can reach it.

use bytes::BytesMut;
use halfopen_broker::core::{CloseReason, ConnectionId};
use halfopen_broker::{Config, QueuePolicy};
use halfopen_protocol::packet::{Ack, Connect, Publish, QoS, Subscribe, Subscription, UserProperties, Will};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use rstest::rstest;

use crate::fixture::{World, ack, disconnect, id, lasting, message, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
/// What a message counts for in a queue beside its text.
const MESSAGE: usize = 256;

/// Lets this many more bytes be held.
fn leave_room_for(world: &mut World, bytes: usize) {
    let total_bytes = world.broker.held_bytes() + bytes;
    world.broker.handle_config(world.now, Config { total_bytes, ..world.broker.config().clone() });
}

/// The reason code of the answer to a packet.
fn answer(world: &mut World, client: ConnectionId, packet: Packet) -> u8 {
    world.send(client, packet);
    match &world.received(client)[..] {
        [Packet::SubAck(suback)] => suback.reasons[0].value(),
        [Packet::PubAck(ack) | Packet::PubRec(ack)] => ack.reason.value(),
        [Packet::ConnAck(connack)] => connack.reason.value(),
        packets => panic!("{packets:?}"),
    }
}

/// A SUBSCRIBE to a filter of this many bytes, which says its number.
fn long_filter(number: usize, bytes: usize) -> Packet {
    let filter = format!("{number:0bytes$}");
    Packet::Subscribe(Subscribe {
        packet_id: id(1),
        subscription_id: None,
        user_properties: UserProperties::new(),
        subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
    })
}

#[rstest]
#[case::v5(V5, 0x97)]
#[case::v3(V3, 0x80)]
fn the_subscriptions_of_a_session_are_limited_in_bytes(#[case] version: Version, #[case] reason: u8) {
    let mut world = World::new();
    let client = world.client(version, "c");
    let reasons: Vec<_> = (0..1000).map(|number| answer(&mut world, client, long_filter(number, 60_000))).collect();
    // Twice the filter and 128 for its only level.
    let room = 4 * MIB / (2 * 60_000 + 128);
    assert!(reasons[..room].iter().all(|&granted| granted == 0));
    assert!(reasons[room..].iter().all(|&refused| refused == reason));
    assert!(world.broker.held_bytes() < 4 * MIB + KIB);
    // One that is there may be given new options, and one that goes makes room.
    assert_eq!(answer(&mut world, client, long_filter(0, 60_000)), 0);
}

#[test]
fn the_subscriptions_of_all_sessions_are_limited_in_bytes() {
    let mut world = World::with(Config { total_bytes: 10 * MIB, ..Config::default() });
    let mut granted = 0;
    for number in 0..10 {
        let client = world.connect(Connect::new(V5, format!("client {number}")));
        granted += (0..34).filter(|&number| answer(&mut world, client, long_filter(number, 60_000)) == 0).count();
    }
    assert!((85..90).contains(&granted), "{granted}");
    assert!(world.broker.held_bytes() <= 10 * MIB);
}

#[rstest]
fn half_read_packets_of_all_clients_are_limited(#[values(V3, V5)] version: Version) {
    let mut world = World::with(Config { total_bytes: 20 * MIB, ..Config::default() });
    let small = world.client(version, "small");
    let clients: Vec<_> =
        (0..40).map(|number| world.connect(Connect::new(version, format!("client {number}")))).collect();
    // A packet of 2 MiB of which the last byte never comes, read in pieces as from a socket.
    let mut packet = BytesMut::new();
    let publish = Publish { payload: vec![0; 2 * MIB].into(), ..message("t", "") };
    encode(&Packet::from(publish), version, &mut packet).expect("a valid packet");
    for piece in packet[..packet.len() - 1].chunks(64 * KIB) {
        for &client in &clients {
            world.send_bytes(client, piece);
            assert!(world.broker.held_bytes() <= 20 * MIB + 128 * KIB, "{}", world.broker.held_bytes());
        }
    }
    let closed: Vec<_> = clients.iter().copied().filter(|&client| !world.is_open(client)).collect();
    assert!((30..40).contains(&closed.len()), "{}", closed.len());
    for client in closed {
        assert_eq!(world.why_closed(client), CloseReason::Quota);
        let expected = version.is_v5().then(|| disconnect(ReasonCode::QUOTA_EXCEEDED));
        assert_eq!(world.received(client), Vec::from_iter(expected));
    }
    // Who sends whole packets, or little of one, is let be.
    world.send_bytes(small, &[0x30, 0x05, 0x00]);
    assert!(world.is_open(small));
    for client in clients {
        world.cut(client);
    }
    assert!(world.broker.held_bytes() < 2 * KIB, "{}", world.broker.held_bytes());
}

#[rstest]
#[case::v5(V5, 0x97)]
#[case::v3(V3, 0x03)]
fn identifiers_and_wills_are_limited(#[case] version: Version, #[case] reason: u8) {
    let mut world = World::new();
    let known = world.connect(lasting(version, "known", 100));
    world.cut(known);
    leave_room_for(&mut world, 1000);
    let connect = |client_id: String, will: Option<Will>| {
        Packet::from(Connect { will: will.map(Box::new), ..Connect::new(version, client_id) })
    };
    let large = Will { payload: vec![0; 1000].into(), ..will() };
    for packet in [connect("x".repeat(1001), None), connect("known".into(), Some(large))] {
        let peer = world.open();
        assert_eq!(answer(&mut world, peer, packet), reason);
    }
    let peer = world.open();
    assert_eq!(answer(&mut world, peer, connect("x".repeat(1000), None)), 0);
    // Who has a session may come back.
    let (_, connack) = world.connect_and_ack(lasting(version, "known", 100));
    assert!(connack.session_present);
}

#[rstest]
#[case::newest(QueuePolicy::DropNewest, &["t 1", "t 22"])]
#[case::oldest(QueuePolicy::DropOldest, &["t 333"])]
fn messages_of_all_clients_are_limited(#[case] queue_policy: QueuePolicy, #[case] expected: &[&str]) {
    let mut world = World::with(Config { queue_policy, ..Config::default() });
    let other = world.client(V5, "other");
    world.subscribe(other, Subscription::new("other", QoS::AtLeastOnce));
    let client = world.connect(lasting(V5, "c", 100));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    let publish = |world: &mut World, topic, payload| {
        world.send(publisher, Packet::from(with_qos(message(topic, payload), QoS::AtLeastOnce, 1)));
    };
    // A message counts with its topic and its payload, too; unacknowledged as well as waiting.
    leave_room_for(&mut world, 3 * MESSAGE + 11);
    publish(&mut world, "other", "");
    for payload in ["1", "22", "333"] {
        publish(&mut world, "t", payload);
    }
    let client = world.connect(lasting(V5, "c", 100));
    assert_eq!(world.messages(client), expected);
    // What is acknowledged makes room.
    for packet_id in 1..=2 {
        world.send(client, Packet::PubAck(ack(packet_id)));
    }
    world.send(other, Packet::PubAck(ack(1)));
    publish(&mut world, "t", "123456789");
    assert_eq!(world.messages(client), ["t 123456789"]);
}

#[test]
fn what_waits_goes_out_even_if_nothing_more_may_be_held() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 100));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    for _ in 0..10 {
        world.send(publisher, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 1)));
    }
    world.broker.handle_config(world.now, Config { total_bytes: 0, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 100));
    assert_eq!(world.messages(client).len(), 10);
}

#[test]
fn retained_messages_count() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    leave_room_for(&mut world, 300);
    let retain = |topic, payload| {
        Packet::from(Publish { retain: true, ..with_qos(message(topic, payload), QoS::AtLeastOnce, 1) })
    };
    assert_eq!(answer(&mut world, client, retain("a", "1")), 0x10);
    assert_eq!(answer(&mut world, client, retain("b", "1")), 0x10);
    assert_eq!(answer(&mut world, client, retain("c", "1")), 0x97);
    assert_eq!(answer(&mut world, client, retain("a", "2")), 0x10);
}

#[test]
fn identifiers_of_received_messages_count() {
    let mut world = World::new();
    let new = world.client(V5, "new");
    let old = world.client(V3, "old");
    leave_room_for(&mut world, 64);
    let publish = |number| Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, number));
    assert_eq!([1, 2, 3].map(|number| answer(&mut world, new, publish(number))), [0x10, 0x10, 0x97]);
    world.send(old, publish(1));
    assert_eq!(world.why_closed(old), CloseReason::Quota);
    // It ended with its session, and so does what was received.
    world.send(new, Packet::PubRel(ack(1)));
    assert_eq!(world.received(new), [Packet::PubComp(ack(1))]);
    assert_eq!(answer(&mut world, new, publish(4)), 0x10);
}

#[test]
fn topic_aliases_count() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    leave_room_for(&mut world, 100 * KIB);
    for alias in 1..=2 {
        let topic = "x".repeat(60_000).into();
        world.send(client, Packet::from(Publish { topic, topic_alias: Some(alias), ..message("", "") }));
    }
    assert_eq!(world.why_closed(client), CloseReason::Quota);
}

#[test]
fn answers_that_are_not_read_count() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    leave_room_for(&mut world, 0);
    world.stop_reading(client);
    world.send_bytes(client, &[0xC0, 0x00].repeat(32 * KIB));
    assert!(world.is_open(client));
    world.send_bytes(client, &[0xC0, 0x00]);
    assert_eq!(world.why_closed(client), CloseReason::Quota);
}

#[test]
fn messages_to_clients_that_do_not_read_count() {
    let mut world = World::with(Config { total_bytes: 2 * MIB, ..Config::default() });
    let slow: Vec<_> = (0..40).map(|number| world.connect(Connect::new(V5, format!("slow {number}")))).collect();
    for &slow in &slow {
        world.subscribe(slow, Subscription::new("t", QoS::AtMostOnce));
        world.stop_reading(slow);
    }
    let publisher = world.client(V5, "publisher");
    for _ in 0..50 {
        let publish = Publish { payload: vec![0; 10 * KIB].into(), ..message("t", "") };
        world.send(publisher, Packet::from(publish));
    }
    assert!(world.broker.held_bytes() < 2 * MIB + 40 * 11 * KIB, "{}", world.broker.held_bytes());
    world.send(publisher, Packet::from(with_qos(message("u", "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(
        world.received(publisher),
        [Packet::PubAck(Ack::with_reason(id(1), ReasonCode::NO_MATCHING_SUBSCRIBERS))]
    );
}
