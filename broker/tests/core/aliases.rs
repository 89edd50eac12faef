//! Topic aliases of 5.0, which live as long as one connection (§3.3.2.3.4).

use halfopen_broker::Config;
use halfopen_broker::core::{CloseReason, ConnectionId};
use halfopen_protocol::packet::{Connect, Publish, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};

use crate::fixture::{World, ack, disconnect, lasting, message, with_qos};

const V5: Version = Version::V5_0;

fn aliased(topic: &'static str, alias: u16) -> Packet {
    Packet::from(Publish { topic_alias: Some(alias), ..message(topic, "x") })
}

/// The topics and aliases of the messages that came.
fn seen(world: &mut World, client: ConnectionId) -> Vec<(String, Option<u16>)> {
    let pair = |packet| match packet {
        Packet::Publish(publish) => (publish.topic.to_string(), publish.topic_alias),
        other => panic!("{other:?}"),
    };
    world.received(client).into_iter().map(pair).collect()
}

/// A watcher of everything that takes two aliases.
fn watcher(world: &mut World) -> ConnectionId {
    let watcher = world.connect(Connect { topic_alias_maximum: Some(2), ..lasting(V5, "watcher", 100) });
    world.subscribe(watcher, Subscription::new("#", QoS::AtLeastOnce));
    watcher
}

#[test]
fn a_clients_alias_stands_for_the_topic_it_was_last_sent_with() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "#", QoS::AtMostOnce);
    let (client, connack) = world.connect_and_ack(Connect::new(V5, "c"));
    assert_eq!(connack.topic_alias_maximum, Some(10));
    for packet in [aliased("a", 1), aliased("b", 10), aliased("", 1), aliased("", 10), aliased("c", 1), aliased("", 1)]
    {
        world.send(client, packet);
    }
    assert_eq!(world.messages(watcher), ["a x", "b x", "a x", "b x", "c x", "c x"]);
}

#[test]
fn an_alias_of_one_client_means_nothing_to_another_nor_to_its_next_connection() {
    let mut world = World::new();
    let first = world.client(V5, "first");
    world.send(first, aliased("a", 1));
    let second = world.client(V5, "second");
    world.send(second, aliased("", 1));
    assert_eq!(world.received(second), [disconnect(ReasonCode::PROTOCOL_ERROR)]);
    let again = world.connect(Connect { clean_start: false, ..Connect::new(V5, "first") });
    world.send(again, aliased("", 1));
    assert_eq!(world.received(again), [disconnect(ReasonCode::PROTOCOL_ERROR)]);
}

#[test]
fn an_alias_above_the_maximum_ends_the_connection() {
    for (maximum, alias) in [(10, 11), (0, 1)] {
        let mut world = World::with(Config { topic_alias_maximum: maximum, ..Config::default() });
        let (client, connack) = world.connect_and_ack(Connect::new(V5, "c"));
        assert_eq!(connack.topic_alias_maximum.unwrap_or(0), maximum);
        world.send(client, aliased("t", alias));
        assert_eq!(world.received(client), [disconnect(ReasonCode::TOPIC_ALIAS_INVALID)]);
        assert!(matches!(world.why_closed(client), CloseReason::Protocol { clause: "MQTT-3.3.2-9", .. }));
    }
}

#[test]
fn the_broker_sets_as_many_aliases_as_the_client_takes() {
    let mut world = World::new();
    let watcher = watcher(&mut world);
    let publisher = world.client(V5, "publisher");
    for topic in ["a", "b", "c", "b", "a", "c"] {
        world.send(publisher, Packet::from(message(topic, "x")));
    }
    let expected = [("a", Some(1)), ("b", Some(2)), ("c", None), ("", Some(2)), ("", Some(1)), ("c", None)];
    assert_eq!(seen(&mut world, watcher), expected.map(|(topic, alias)| (topic.to_owned(), alias)));
}

#[test]
fn a_client_that_announces_none_gets_none_and_neither_does_3_1_1() {
    for version in Version::ALL {
        let mut world = World::new();
        let watcher = world.watcher(version, "#", QoS::AtMostOnce);
        world.send(watcher, Packet::from(message("a", "x")));
        world.send(watcher, Packet::from(message("a", "x")));
        assert_eq!(seen(&mut world, watcher), [("a".to_owned(), None), ("a".to_owned(), None)]);
    }
}

#[test]
fn what_is_sent_again_on_a_new_connection_carries_its_topic_again() {
    let mut world = World::new();
    let old = watcher(&mut world);
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(message("a", "x")));
    world.send(publisher, Packet::from(with_qos(message("a", "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(seen(&mut world, old), [("a".to_owned(), Some(1)), (String::new(), Some(1))]);
    world.cut(old);
    let new = world.connect(Connect { topic_alias_maximum: Some(2), ..lasting(V5, "watcher", 100) });
    assert_eq!(seen(&mut world, new), [("a".to_owned(), Some(1))]);
    world.send(new, Packet::PubAck(ack(1)));
    assert!(world.is_open(new));
}

#[test]
fn an_alias_is_left_out_where_it_would_make_the_packet_too_large() {
    let mut world = World::new();
    let connect =
        Connect { topic_alias_maximum: Some(2), maximum_packet_size: Some(16), ..Connect::new(V5, "watcher") };
    let watcher = world.connect(connect);
    world.subscribe(watcher, Subscription::new("#", QoS::AtMostOnce));
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(message("topic", "123456")));
    world.send(publisher, Packet::from(message("topic", "1234567")));
    assert_eq!(seen(&mut world, watcher), [("topic".to_owned(), None)]);
}
