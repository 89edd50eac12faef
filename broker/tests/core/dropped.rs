//! What becomes of messages for which a client has no room: as few as possible are dropped, and those are told about.

use halfopen_broker::core::ConnectionId;
use halfopen_broker::{Config, QueuePolicy};
use halfopen_protocol::packet::{Ack, Connect, Publish, QoS, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, id, lasting, message, secs, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// Acknowledges each message as it comes, until none does, and counts them.
fn count_all(world: &mut World, client: ConnectionId) -> usize {
    let mut count = 0;
    loop {
        let packets = world.received(client);
        if packets.is_empty() {
            return count;
        }
        for packet in packets {
            let answer = match packet {
                Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
                    (QoS::AtLeastOnce, Some(id)) => Packet::PubAck(Ack::new(id)),
                    (QoS::ExactlyOnce, Some(id)) => Packet::PubRec(Ack::new(id)),
                    _ => continue,
                },
                Packet::PubRel(pubrel) => {
                    world.send(client, Packet::PubComp(Ack::new(pubrel.packet_id)));
                    continue;
                }
                _ => continue,
            };
            count += 1;
            world.send(client, answer);
        }
    }
}

/// The reason in the PUBACK or PUBREC for a message of the client's.
fn publish(world: &mut World, publisher: ConnectionId, publish: Publish) -> u8 {
    world.send(publisher, Packet::from(publish));
    let packets = world.received(publisher);
    let [Packet::PubAck(ack) | Packet::PubRec(ack)] = &packets[..] else { panic!("{packets:?}") };
    ack.reason.value()
}

/// A client that is away, and for which no message waits for want of room.
fn away(world: &mut World, client_id: &'static str, qos: QoS) {
    let client = world.connect(lasting(V5, client_id, 1000));
    world.subscribe(client, Subscription::new("t", qos));
    world.cut(client);
}

fn no_room(queue_policy: QueuePolicy) -> World {
    World::with(Config { queue_messages: 0, queue_policy, ..Config::default() })
}

#[rstest]
fn a_burst_at_one_instant_reaches_a_client_that_reads_as_a_whole(
    #[values(V3, V5)] version: Version,
    #[values(QoS::AtLeastOnce, QoS::ExactlyOnce)] qos: QoS,
) {
    let mut world = World::new();
    let client = world.watcher(version, "t", qos);
    let publisher = world.client(V3, "publisher");
    for number in 1..=3000 {
        world.send(publisher, Packet::from(with_qos(message("t", "x"), qos, number)));
    }
    assert_eq!(count_all(&mut world, client), 3000);
}

#[test]
fn wills_of_thousands_at_one_instant_reach_a_client_that_reads() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtLeastOnce);
    for number in 0..3000 {
        let connect = Connect::new(V3, format!("device {number}"));
        let will = Will { qos: QoS::AtLeastOnce, ..will() };
        world.connect(Connect { will: Some(will.into()), keep_alive: 10, ..connect });
    }
    world.advance(secs(15));
    assert_eq!(count_all(&mut world, watcher), 3000);
}

#[test]
fn the_number_of_messages_limits_what_is_kept_for_a_client_that_is_away() {
    let mut world = World::with(Config { queue_messages: 2, in_flight_messages: 1, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 100));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    let publish =
        |world: &mut World, number| publish(world, publisher, with_qos(message("t", "x"), QoS::AtLeastOnce, number));
    assert_eq!([1, 2, 3, 4].map(|number| publish(&mut world, number)), [0; 4]);
    // What waits already stays.
    world.cut(client);
    assert_eq!(world.broker.client("c").map(|state| state.queued), Some(3));
    assert_eq!(publish(&mut world, 5), 0x97);
    let client = world.connect(lasting(V5, "c", 100));
    assert_eq!(count_all(&mut world, client), 4);
}

#[rstest]
#[case::nobody_has_room(QueuePolicy::DropNewest, &[], false, 0x97)]
#[case::one_has_room(QueuePolicy::DropNewest, &[QoS::AtLeastOnce], false, 0)]
#[case::one_gets_it_at_qos_0(QueuePolicy::DropNewest, &[QoS::AtMostOnce], false, 0)]
#[case::it_is_retained(QueuePolicy::DropNewest, &[], true, 0)]
fn the_publisher_is_told_if_nobody_gets_the_message(
    #[values(QoS::AtLeastOnce, QoS::ExactlyOnce)] qos: QoS,
    #[case] queue_policy: QueuePolicy,
    #[case] readers: &[QoS],
    #[case] retain: bool,
    #[case] expected: u8,
) {
    let mut world = no_room(queue_policy);
    away(&mut world, "away", qos);
    away(&mut world, "away too", qos);
    for &qos in readers {
        world.watcher(V5, "t", qos);
    }
    let publisher = world.client(V5, "publisher");
    let message = Publish { retain, ..with_qos(message("t", "x"), qos, 1) };
    assert_eq!(publish(&mut world, publisher, message), expected);
}

#[test]
fn older_messages_that_are_dropped_concern_nobody_who_publishes() {
    let mut world =
        World::with(Config { queue_messages: 1, queue_policy: QueuePolicy::DropOldest, ..Config::default() });
    away(&mut world, "away", QoS::AtLeastOnce);
    let publisher = world.client(V5, "publisher");
    let reasons =
        [1, 2, 3].map(|number| publish(&mut world, publisher, with_qos(message("t", "x"), QoS::AtLeastOnce, number)));
    assert_eq!(reasons, [0; 3]);
    assert_eq!(world.broker.client("away").map(|state| state.dropped), Some(2));
}

#[test]
fn after_a_refusal_the_identifier_is_free_and_3_1_1_is_told_nothing() {
    let mut world = no_room(QueuePolicy::DropNewest);
    away(&mut world, "away", QoS::ExactlyOnce);
    let publisher = world.client(V5, "publisher");
    assert_eq!(publish(&mut world, publisher, with_qos(message("t", "x"), QoS::ExactlyOnce, 1)), 0x97);
    world.watcher(V5, "t", QoS::ExactlyOnce);
    assert_eq!(publish(&mut world, publisher, with_qos(message("t", "y"), QoS::ExactlyOnce, 1)), 0);
    assert_eq!(world.broker.client("watcher").map(|state| state.in_flight), Some(1));

    let mut world = no_room(QueuePolicy::DropNewest);
    away(&mut world, "away", QoS::AtLeastOnce);
    let old = world.client(V3, "old");
    world.send(old, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.received(old), [Packet::PubAck(ack(1))]);
}

#[test]
fn the_operator_is_told_at_once_and_then_at_most_every_ten_seconds() {
    let mut world = no_room(QueuePolicy::DropNewest);
    let start = world.now;
    away(&mut world, "one", QoS::AtLeastOnce);
    let publisher = world.client(V5, "publisher");
    let publish = |world: &mut World| {
        publish(world, publisher, with_qos(message("t", "x"), QoS::AtLeastOnce, 1));
    };
    publish(&mut world);
    publish(&mut world);
    world.advance(secs(9));
    publish(&mut world);
    away(&mut world, "other", QoS::AtLeastOnce);
    publish(&mut world);
    world.advance(secs(1));
    publish(&mut world);
    // The last one of all, once there is anything to do for the client.
    world.advance(secs(10));
    world.connect(lasting(V5, "other", 1000));
    let told: Vec<_> = world
        .dropped
        .iter()
        .map(|(at, who, messages)| (at.saturating_since(start).as_secs(), &**who, *messages))
        .collect();
    assert_eq!(told, [(0, "one", 1), (9, "other", 1), (10, "one", 4), (20, "other", 1)]);
    assert_eq!(world.broker.client("one").map(|state| state.dropped), Some(5));
}

#[test]
fn what_a_slow_reader_misses_of_qos_0_is_told_about_too() {
    let mut world = World::with(Config { write_buffer: 10, ..Config::default() });
    let slow = world.watcher(V5, "t", QoS::AtMostOnce);
    world.stop_reading(slow);
    let publisher = world.client(V5, "publisher");
    for _ in 0..3 {
        world.send(publisher, Packet::from(message("t", "more than ten bytes")));
    }
    let told: Vec<_> = world.dropped.iter().map(|(_, who, messages)| (&**who, *messages)).collect();
    assert_eq!(told, [("watcher", 1)]);
    assert_eq!(world.broker.client("watcher").map(|state| state.dropped), Some(2));
    let publish = with_qos(message("t", "x"), QoS::AtLeastOnce, 1);
    world.send(publisher, Packet::from(publish));
    assert_eq!(world.received(publisher), [Packet::PubAck(Ack::with_reason(id(1), ReasonCode::SUCCESS))]);
}
