//! What a broker takes over from one whose process has ended (§4.1).

use halfopen_broker::Config;
use halfopen_broker::core::Timer;
use halfopen_protocol::packet::{Connect, Publish, QoS, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, disconnect, lasting, message, secs, will, with_qos};

const V5: Version = Version::V5_0;

/// The process of the broker ends, and one begins that remembers; `down` seconds pass in between.
fn restart(mut world: World, down: u64) -> World {
    let state = world.broker.durable_state();
    let mut next = World::with(Config::default());
    next.now = world.now + secs(down);
    next.broker.handle_durable_state(next.now, state);
    world.drain();
    next.drain();
    next
}

#[test]
fn subscriptions_and_waiting_and_unacknowledged_and_retained_messages_are_remembered() {
    let mut world = World::new();
    let boss = world.client(V5, "boss");
    let device = world.connect(lasting(V5, "device", 100));
    world.subscribe(device, Subscription::new("jobs/+", QoS::AtLeastOnce));
    world.send(boss, Packet::from(with_qos(message("jobs/1", "unacknowledged"), QoS::AtLeastOnce, 1)));
    world.send(boss, Packet::from(Publish { retain: true, ..message("status", "on") }));
    world.cut(device);
    world.send(boss, Packet::from(with_qos(message("jobs/2", "waits"), QoS::AtLeastOnce, 2)));

    let mut world = restart(world, 10);
    let (device, connack) = world.connect_and_ack(lasting(V5, "device", 100));
    assert!(connack.session_present);
    assert_eq!(world.messages(device), ["jobs/1 unacknowledged", "jobs/2 waits"]);
    let boss = world.client(V5, "boss");
    world.send(boss, Packet::from(with_qos(message("jobs/3", "new"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.messages(device), ["jobs/3 new"]);
    let answers = world.subscribe(device, Subscription::new("status", QoS::AtMostOnce));
    let retained = Publish { retain: true, ..message("status", "on") };
    assert!(answers.contains(&Packet::from(retained)), "{answers:?}");
}

#[rstest]
#[case::in_time(89, true)]
#[case::too_late(90, false)]
fn a_session_that_waited_for_its_end_ends_when_it_would_have(#[case] later: u64, #[case] present: bool) {
    let mut world = World::new();
    let device = world.connect(lasting(V5, "device", 100));
    world.send(device, disconnect(ReasonCode::SUCCESS));
    let mut world = restart(world, 10);
    world.advance(secs(later));
    assert_eq!(world.connect_and_ack(lasting(V5, "device", 100)).1.session_present, present);
}

#[test]
fn a_session_whose_end_fell_into_the_rest_is_gone_at_once() {
    let mut world = World::new();
    let device = world.connect(lasting(V5, "device", 100));
    world.cut(device);
    let world = restart(world, 100);
    assert_eq!((world.broker.session_count(), world.broker.poll_timeout()), (0, None));
}

#[test]
fn a_connection_that_was_open_ends_with_the_restart() {
    let mut world = World::new();
    world.connect(lasting(V5, "kept", 100));
    world.connect(lasting(V5, "clean", 0));
    let world = restart(world, 500);
    assert!(world.broker.client("kept").is_some_and(|state| !state.connected));
    assert!(world.broker.client("clean").is_none());
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(100), Timer::SessionExpiry)));
}

#[test]
fn the_will_of_a_connection_that_was_open_waits_for_who_comes_back() {
    let mut world = World::new();
    let watcher = world.connect(lasting(V5, "watcher", 1000));
    world.subscribe(watcher, Subscription::new("will", QoS::AtLeastOnce));
    world.connect(Connect { will: Some(Will { qos: QoS::AtLeastOnce, ..will() }.into()), ..lasting(V5, "device", 0) });
    let mut world = restart(world, 10);
    let watcher = world.connect(lasting(V5, "watcher", 1000));
    assert_eq!(world.messages(watcher), ["will gone"]);
}

#[test]
fn what_is_held_for_all_is_counted_anew() {
    let mut world = World::new();
    let boss = world.client(V5, "boss");
    let device = world.connect(lasting(V5, "device", 100));
    world.subscribe(device, Subscription::new("jobs", QoS::AtLeastOnce));
    world.cut(device);
    world.send(boss, Packet::from(with_qos(message("jobs", "waits"), QoS::AtLeastOnce, 1)));
    let queued = |world: &World| world.broker.client("device").map(|state| state.queued);
    // Copies that are dropped take nothing with them, and give nothing back.
    drop(world.broker.durable_state());
    let state = world.broker.durable_state();
    drop(world);
    let mut next = World::new();
    next.broker.handle_durable_state(next.now, state);
    assert_eq!(queued(&next), Some(1));
    let device = next.connect(lasting(V5, "device", 100));
    assert_eq!(next.messages(device), ["jobs waits"]);
}

#[test]
fn a_will_that_waited_for_its_delay_waits_on_and_comes_when_it_would_have() {
    let mut world = World::new();
    let delayed = Will { delay: Some(30), retain: true, ..will() };
    let device = world.connect(Connect { will: Some(delayed.into()), ..lasting(V5, "device", 100) });
    world.cut(device);
    let mut world = restart(world, 10);
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(20), Timer::WillDelay)));
    world.advance_to_just_before(secs(20));
    assert_eq!(world.broker.retained_count(), 0);
    world.advance(secs(1));
    assert_eq!(world.broker.retained_count(), 1);
}
