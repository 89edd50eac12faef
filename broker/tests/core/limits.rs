//! Everything that a peer can make the broker hold has a limit, and each can be reached.

use halfopen_broker::core::{CloseReason, ConnectionId};
use halfopen_broker::{Access, Broker, Config, QueuePolicy};
use halfopen_protocol::packet::{Ack, Connect, Publish, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{SEED, World, ack, disconnect, id, lasting, message, subscribe, unheard, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// What a message counts for in a queue beside its text.
const MESSAGE: usize = 256;

fn suback_reason(world: &mut World, client: ConnectionId, filter: &'static str) -> u8 {
    world.send(client, subscribe(Subscription::new(filter, QoS::AtMostOnce)));
    let packets = world.received(client);
    let [Packet::SubAck(suback)] = &packets[..] else { panic!("{packets:?}") };
    suback.reasons[0].value()
}

fn connack_reason(world: &mut World, connect: Connect) -> u8 {
    let peer = world.open();
    world.send(peer, Packet::from(connect));
    let packets = world.received(peer);
    let [Packet::ConnAck(connack)] = &packets[..] else { panic!("{packets:?}") };
    connack.reason.value()
}

#[test]
fn too_many_connections_that_say_nothing_are_closed_at_once() {
    let mut world = World::with(Config { pending_connections: 2, ..Config::default() });
    let first = world.open();
    let second = world.open();
    let third = world.open();
    assert_eq!(world.why_closed(third), CloseReason::TooManyConnections);
    world.send(first, Packet::from(Connect::new(V5, "c")));
    world.cut(second);
    // Neither an accepted connection nor a gone one counts.
    for _ in 0..2 {
        let next = world.open();
        assert!(world.is_open(next));
    }
    let last = world.open();
    assert!(!world.is_open(last));
}

#[test]
fn a_first_packet_has_a_limit_of_its_own() {
    let mut world = World::with(Config { maximum_connect_size: 20, ..Config::default() });
    let stranger = world.open();
    world.send_bytes(stranger, &[0x10, 19]);
    assert!(matches!(world.why_closed(stranger), CloseReason::Protocol { .. }));
    let client = world.client(V5, "c");
    world.send(client, Packet::from(message("a topic name of", "more than twenty bytes")));
    assert!(world.is_open(client));
}

#[rstest]
#[case::v5(V5, 0x97)]
#[case::v3(V3, 0x03)]
fn sessions_are_limited_in_number(#[case] version: Version, #[case] reason: u8) {
    let mut world = World::with(Config { sessions: 2, ..Config::default() });
    // Nothing ends by itself.
    let first = world.connect(lasting(version, "1", u32::MAX));
    world.cut(first);
    world.client(version, "2");
    assert_eq!(connack_reason(&mut world, Connect::new(version, "3")), reason);
    assert_eq!(connack_reason(&mut world, Connect::new(version, "")), reason);
    // A client that has a session may come back.
    assert_eq!(connack_reason(&mut world, lasting(version, "1", u32::MAX)), 0);
    assert_eq!(connack_reason(&mut world, Connect::new(version, "2")), 0);
    assert_eq!(world.broker.session_count(), 2);
}

#[test]
fn the_session_that_ends_next_makes_room_for_another() {
    let mut world = World::with(Config { sessions: 4, ..Config::default() });
    let leaving = [("later", 100), ("next", 50), ("never", u32::MAX)];
    for (client_id, secs) in leaving {
        let client = world.connect(Connect { will: Some(will().into()), ..lasting(V5, client_id, secs) });
        world.send(client, disconnect(ReasonCode::DISCONNECT_WITH_WILL));
    }
    let connected = world.connect(lasting(V5, "connected", 10));
    let exists = |world: &World, client_id: &str| world.broker.client(client_id).is_some();
    assert_eq!(connack_reason(&mut world, Connect::new(V5, "first")), 0);
    assert_eq!(["later", "next", "never"].map(|client_id| exists(&world, client_id)), [true, false, true]);
    assert_eq!(connack_reason(&mut world, lasting(V5, "second", 10)), 0);
    assert_eq!(["later", "next", "never"].map(|client_id| exists(&world, client_id)), [false, false, true]);
    // All others are connected or stay for ever.
    assert_eq!(connack_reason(&mut world, Connect::new(V5, "third")), 0x97);
    assert!(world.is_open(connected));
    assert_eq!(world.broker.session_count(), 4);
}

#[test]
fn a_stranger_ends_no_session() {
    let access = Access { anonymous: false, ..Access::default() };
    let mut world = World::of(Broker::with_access(Config { sessions: 1, ..Config::default() }, access, SEED));
    let login = || Connect { username: Some("ann".into()), ..lasting(V5, "c", 10) };
    assert_eq!(connack_reason(&mut world, login()), 0x87);
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
#[case::v5(V5, 0x97)]
#[case::v3(V3, 0x80)]
fn subscriptions_of_a_session_are_limited_in_number(#[case] version: Version, #[case] reason: u8) {
    let mut world = World::with(Config { subscriptions: 2, ..Config::default() });
    let client = world.client(version, "c");
    assert_eq!(suback_reason(&mut world, client, "a"), 0);
    assert_eq!(suback_reason(&mut world, client, "b"), 0);
    assert_eq!(suback_reason(&mut world, client, "c"), reason);
    // A filter that is there already may be given new options.
    assert_eq!(suback_reason(&mut world, client, "b"), 0);
    let other = world.client(version, "other");
    assert_eq!(suback_reason(&mut world, other, "c"), 0);
    world.send(client, Packet::from(message("c", "x")));
    assert_eq!(world.messages(client), [""; 0]);
}

#[rstest]
#[case::v5(V5, 0x8F)]
#[case::v3(V3, 0x80)]
fn filters_are_limited_in_depth_and_length(#[case] version: Version, #[case] reason: u8) {
    let mut world = World::with(Config { topic_levels: 3, topic_length: 10, ..Config::default() });
    let client = world.client(version, "c");
    assert_eq!(suback_reason(&mut world, client, "a/b/c"), 0);
    assert_eq!(suback_reason(&mut world, client, "a/b/c/d"), reason);
    assert_eq!(suback_reason(&mut world, client, "0123456789"), 0);
    assert_eq!(suback_reason(&mut world, client, "0123456789a"), reason);
}

#[rstest]
fn topics_are_limited_in_depth_and_length(#[values("a/b/c/d", "0123456789a")] topic: &'static str) {
    let mut world = World::with(Config { topic_levels: 3, topic_length: 10, ..Config::default() });
    let watcher = world.watcher(V5, "#", QoS::AtMostOnce);
    let new = world.client(V5, "new");
    world.send(new, Packet::from(message(topic, "x")));
    world.send(new, Packet::from(with_qos(message(topic, "x"), QoS::AtLeastOnce, 1)));
    world.send(new, Packet::from(with_qos(message(topic, "x"), QoS::ExactlyOnce, 2)));
    let refused = |packet_id| Ack::with_reason(id(packet_id), ReasonCode::TOPIC_NAME_INVALID);
    assert_eq!(world.received(new), [Packet::PubAck(refused(1)), Packet::PubRec(refused(2))]);
    // The flow is over with the refusal: the identifier is free.
    world.send(new, Packet::from(with_qos(message("a", "x"), QoS::ExactlyOnce, 2)));
    assert_eq!(world.received(new), [Packet::PubRec(ack(2))]);
    let old = world.client(V3, "old");
    world.send(old, Packet::from(with_qos(message(topic, "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.received(old), [Packet::PubAck(ack(1))]);
    assert_eq!(world.messages(watcher), ["a x"]);
}

#[test]
fn a_will_has_the_limits_of_a_message() {
    let mut world = World::with(Config { topic_length: 3, ..Config::default() });
    let connect = |version| Connect { will: Some(will().into()), ..Connect::new(version, "c") };
    assert_eq!(connack_reason(&mut world, connect(V5)), 0x90);
    assert_eq!(connack_reason(&mut world, connect(V3)), 3);
}

#[test]
fn nobody_but_the_broker_publishes_to_sys() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "$SYS/#", QoS::AtMostOnce);
    let client = world.client(V5, "c");
    for topic in ["$SYS", "$SYS/broker/version"] {
        world.send(client, Packet::from(with_qos(message(topic, "x"), QoS::AtLeastOnce, 1)));
        assert_eq!(world.received(client), [Packet::PubAck(Ack::with_reason(id(1), ReasonCode::NOT_AUTHORIZED))]);
    }
    assert_eq!(world.received(watcher), []);
    world.send(client, Packet::from(with_qos(message("$SYSTEM", "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.received(client), [Packet::PubAck(unheard(1))]);
}

#[test]
fn a_client_that_takes_not_even_connack_is_closed() {
    let mut world = World::new();
    let peer = world.open();
    let connect = Connect { maximum_packet_size: Some(4), ..Connect::new(V5, "c") };
    world.send(peer, Packet::from(connect));
    assert_eq!(world.received(peer), []);
    assert!(!world.is_open(peer));
}

#[test]
fn a_packet_above_the_announced_size_ends_the_connection() {
    let mut world = World::with(Config { maximum_packet_size: 100, ..Config::default() });
    let (client, connack) = world.connect_and_ack(Connect::new(V5, "c"));
    assert_eq!(connack.maximum_packet_size, Some(100));
    // Its length is enough.
    world.send_bytes(client, &[0x30, 99]);
    assert_eq!(world.received(client), [disconnect(ReasonCode::PACKET_TOO_LARGE)]);
}

#[rstest]
#[case::newest(QueuePolicy::DropNewest, &["t 1", "t 2"])]
#[case::oldest(QueuePolicy::DropOldest, &["t 2", "t 3"])]
fn a_full_queue_drops_as_it_is_told(#[case] queue_policy: QueuePolicy, #[case] expected: &[&str]) {
    for (queue_messages, queue_bytes) in [(2, 1000), (1000, 2 * (MESSAGE + 2))] {
        let mut world = World::with(Config { queue_policy, queue_messages, queue_bytes, ..Config::default() });
        let client = world.connect(lasting(V5, "c", 100));
        world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
        world.cut(client);
        let publisher = world.client(V5, "publisher");
        for payload in ["1", "2", "3"] {
            world.send(publisher, Packet::from(with_qos(message("t", payload), QoS::AtLeastOnce, 1)));
        }
        let client = world.connect(lasting(V5, "c", 100));
        assert_eq!(world.messages(client), expected);
    }
}

#[rstest]
#[case::payload(|text: &str| Publish { payload: text.to_owned().into(), ..Publish::default() })]
#[case::response_topic(|text: &str| Publish { response_topic: Some(text.into()), ..Publish::default() })]
#[case::content_type(|text: &str| Publish { content_type: Some(text.into()), ..Publish::default() })]
#[case::correlation_data(|text: &str| Publish { correlation_data: Some(text.to_owned().into()), ..Publish::default() })]
#[case::user_property(|text: &str| Publish { user_properties: vec![("a".into(), text.into())], ..Publish::default() })]
fn what_is_unacknowledged_is_limited_in_bytes_too(#[case] with: fn(&str) -> Publish) {
    let mut world = World::with(Config { queue_bytes: 2 * MESSAGE + 4, ..Config::default() });
    let client = world.watcher(V5, "t", QoS::ExactlyOnce);
    let publisher = world.client(V5, "publisher");
    let large = Publish { topic: "t".into(), ..with(&"x".repeat(2 * MESSAGE)) };
    for publish in [large, message("t", "2"), message("t", "3")] {
        world.send(publisher, Packet::from(with_qos(publish, QoS::AtLeastOnce, 1)));
    }
    assert_eq!(world.messages(client).len(), 1);
    world.send(client, Packet::PubAck(ack(1)));
    assert_eq!(world.messages(client), ["t 2", "t 3"]);
}

#[rstest]
#[case::number(Config { retained_messages: 2, ..Config::default() })]
#[case::bytes(Config { retained_bytes: 2 * 128 + 4, ..Config::default() })]
fn retained_messages_are_limited(#[case] config: Config) {
    let mut world = World::with(config);
    let client = world.client(V5, "c");
    let retained = |topic, payload| {
        Packet::from(Publish { retain: true, ..with_qos(message(topic, payload), QoS::AtLeastOnce, 1) })
    };
    for (topic, payload, reason) in
        [("a", "1", 0x10), ("b", "1", 0x10), ("c", "1", 0x97), ("b", "2", 0x10), ("a", "", 0x10), ("c", "2", 0x10)]
    {
        world.send(client, retained(topic, payload));
        let expected = Ack::with_reason(id(1), ReasonCode::new(reason));
        assert_eq!(world.received(client), [Packet::PubAck(expected)], "{topic} {payload}");
    }
    // Who cannot be told has it delivered, and nothing older is left in its place.
    let watcher = world.watcher(V3, "#", QoS::AtMostOnce);
    assert_eq!(world.messages(watcher), [""; 0]);
    world.send(client, Packet::from(Publish { retain: true, ..message("d", "3") }));
    assert_eq!(world.messages(watcher), ["d 3"]);
    assert_eq!(world.broker.retained_count(), 2);
}

#[test]
fn expired_retained_messages_make_room() {
    let mut world = World::with(Config { retained_messages: 1, ..Config::default() });
    let client = world.client(V5, "c");
    let short = Publish { retain: true, message_expiry: Some(5), ..message("a", "1") };
    world.send(client, Packet::from(short));
    world.send(client, Packet::from(Publish { retain: true, ..message("b", "1") }));
    world.advance(crate::fixture::secs(5));
    world.send(client, Packet::from(Publish { retain: true, ..message("c", "1") }));
    assert_eq!(world.subscribe(client, Subscription::new("c", QoS::AtMostOnce)).len(), 1);
    assert_eq!(world.broker.retained_count(), 1);
}

#[test]
fn what_is_as_the_standard_has_it_anyway_is_not_announced() {
    let config = Config { receive_maximum: u16::MAX, topic_alias_maximum: 0, ..Config::default() };
    let (_, connack) = World::with(config).connect_and_ack(Connect::new(V5, "c"));
    assert_eq!((connack.receive_maximum, connack.topic_alias_maximum), (None, None));
    let config = Config { receive_maximum: u16::MAX - 1, topic_alias_maximum: 1, ..Config::default() };
    let (_, connack) = World::with(config).connect_and_ack(Connect::new(V5, "c"));
    assert_eq!((connack.receive_maximum, connack.topic_alias_maximum), (Some(u16::MAX - 1), Some(1)));
}
