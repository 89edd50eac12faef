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
        world.send(publisher, Packet::Publish(message("t", "ten bytes.")));
        world.send(publisher, Packet::Publish(with_qos(message("t", "ten bytes."), QoS::AtLeastOnce, 1)));
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
        world.send(quick, Packet::Publish(message("t", "x")));
    }
    assert_eq!(world.messages(quick).len(), 100);
}
