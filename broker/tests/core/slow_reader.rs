//! A client that does not read must not make the broker hold without bound, nor disturb others.

use halfopen_broker::Config;
use halfopen_broker::core::CloseReason;
use halfopen_protocol::packet::{QoS, Subscription};
use halfopen_protocol::{Packet, Version};

use crate::fixture::{World, message, with_qos};

const V5: Version = Version::V5_0;

fn small() -> Config {
    Config { write_buffer: 100, maximum_packet_size: 1000, ..Config::default() }
}

#[test]
fn for_a_slow_reader_qos_0_is_dropped_and_qos_1_waits() {
    let mut world = World::with(small());
    let slow = world.watcher(V5, "t", QoS::AtLeastOnce);
    world.stop_reading(slow);
    let publisher = world.client(V5, "publisher");
    for _ in 0..100 {
        world.send(publisher, Packet::from(message("t", "ten bytes.")));
        world.send(publisher, Packet::from(with_qos(message("t", "ten bytes."), QoS::AtLeastOnce, 1)));
    }
    let state = world.broker.client("watcher").expect("a session");
    assert_eq!(state.queued + state.in_flight, 100);
    assert!(state.in_flight < 10, "{state:?}");
    assert!(world.is_open(slow));

    // What was held back goes out as soon as the first bytes have left.
    world.broker.handle_written(world.now, slow, usize::MAX);
    world.drain();
    assert!(world.broker.client("watcher").expect("a session").queued < state.queued);
}

#[test]
fn a_client_that_asks_and_never_reads_the_answers_is_closed() {
    let mut world = World::with(small());
    let slow = world.client(V5, "slow");
    world.stop_reading(slow);
    let pings = [0xC0, 0x00].repeat(10_000);
    world.send_bytes(slow, &pings);
    assert_eq!(world.why_closed(slow), CloseReason::Quota);
}

#[test]
fn others_get_their_messages_meanwhile() {
    let mut world = World::with(small());
    let slow = world.watcher(V5, "t", QoS::AtMostOnce);
    world.stop_reading(slow);
    let quick = world.client(V5, "quick");
    world.subscribe(quick, Subscription::new("t", QoS::AtMostOnce));
    for _ in 0..100 {
        world.send(quick, Packet::from(message("t", "x")));
    }
    assert_eq!(world.messages(quick).len(), 100);
}

#[test]
fn messages_stop_when_more_than_the_write_buffer_waits() {
    let mut world = World::with(small());
    let slow = world.watcher(V5, "t", QoS::AtLeastOnce);
    world.stop_reading(slow);
    let publisher = world.client(V5, "publisher");
    for _ in 0..100 {
        // PUBLISH in ten bytes: 2, the topic 3, the identifier 2, no properties 1 and the payload 2.
        world.send(publisher, Packet::from(with_qos(message("t", "xx"), QoS::AtLeastOnce, 1)));
    }
    let in_flight = |world: &World| world.broker.client("watcher").expect("a session").in_flight;
    assert_eq!(in_flight(&world), 11);
    for (written, expected) in [(9, 11), (1, 12), (10, 13), (25, 15)] {
        world.broker.handle_written(world.now, slow, written);
        world.drain();
        assert_eq!(in_flight(&world), expected, "after {written} more bytes");
    }
}

#[test]
fn answers_may_wait_up_to_the_limit_and_not_one_more() {
    let mut world = World::with(small());
    let slow = world.client(V5, "slow");
    world.stop_reading(slow);
    // Twice the write buffer and one packet of the largest size, in answers of two bytes.
    world.send_bytes(slow, &[0xC0, 0x00].repeat((2 * 100 + 1000) / 2));
    assert!(world.is_open(slow));
    world.send_bytes(slow, &[0xC0, 0x00]);
    assert_eq!(world.why_closed(slow), CloseReason::Quota);
}
