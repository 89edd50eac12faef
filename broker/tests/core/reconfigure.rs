//! Another configuration and other rights while the broker runs.

use std::time::Duration;

use halfopen_broker::core::{Authorize, Operation, Timer, Who};
use halfopen_broker::{Access, Config};
use halfopen_protocol::packet::{Connect, QoS, Subscription, Will};
use halfopen_protocol::{Packet, Version};
use rstest::rstest;

use crate::fixture::{World, lasting, message, secs, will, with_qos};

const V5: Version = Version::V5_0;

/// Everything is forbidden.
#[derive(Debug)]
struct Closed;

impl Authorize for Closed {
    fn allows(&self, _: Who<'_>, _: Operation, _: &str) -> bool {
        false
    }
}

/// Nobody may publish.
#[derive(Debug)]
struct ReadOnly;

impl Authorize for ReadOnly {
    fn allows(&self, _: Who<'_>, operation: Operation, _: &str) -> bool {
        operation != Operation::Publish
    }
}

fn reconfigure(world: &mut World, config: Config) {
    world.broker.handle_config(world.now, config);
    world.drain();
}

#[test]
fn another_configuration_holds_but_for_what_clients_were_told() {
    let mut world = World::with(Config { maximum_packet_size: 100, receive_maximum: 7, ..Config::default() });
    let client = world.client(V5, "c");
    world.subscribe(client, Subscription::new("a", QoS::AtMostOnce));
    let config = Config {
        subscriptions: 1,
        server_keep_alive: Some(9),
        connect_timeout: secs(1),
        maximum_qos: QoS::AtMostOnce,
        retain_available: false,
        ..Config::default()
    };
    reconfigure(&mut world, config);
    let (late, connack) = world.connect_and_ack(Connect::new(V5, "late"));
    assert_eq!((connack.maximum_packet_size, connack.receive_maximum), (Some(100), Some(7)));
    assert_eq!((connack.server_keep_alive, connack.maximum_qos, connack.retain_available), (Some(9), None, None));
    // What is there stays, and is full.
    world.send(client, crate::fixture::subscribe(Subscription::new("b", QoS::AtMostOnce)));
    let Some(Packet::SubAck(suback)) = world.received(client).pop() else { panic!("no SUBACK") };
    assert_eq!(suback.reasons[0].value(), 0x97);
    world.send(late, Packet::from(with_qos(message("a", "x"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.messages(client), ["a x"]);
    let stranger = world.open();
    world.advance(secs(9));
    assert!(world.is_open(stranger));
}

#[test]
fn statistics_may_begin_and_end_later() {
    let mut world = World::new();
    world.broker.handle_start(world.now);
    let with = |sys_interval| Config { sys_interval, ..Config::default() };
    for interval in [secs(10), Duration::ZERO, secs(5)] {
        reconfigure(&mut world, with(interval));
        let next = (interval > Duration::ZERO).then(|| (world.now + interval, Timer::Statistics));
        assert_eq!(world.broker.poll_timeout(), next);
    }
    world.advance(secs(5));
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(5), Timer::Statistics)));
}

#[test]
fn other_rights_hold_for_those_that_are_connected_too() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "a", QoS::AtMostOnce);
    let publisher = world.client(V5, "publisher");
    world.broker.handle_access(Access { authorizer: Some(Box::new(Closed)), ..Access::default() });
    world.send(publisher, Packet::from(message("a", "x")));
    assert_eq!(world.messages(watcher), [""; 0]);
    assert_eq!(world.denied, [(Operation::Publish, "a".to_owned())]);
    assert!(world.is_open(watcher) && world.is_open(publisher));
}

#[rstest]
#[case::at_once(0, 0)]
#[case::delayed(5, 100)]
#[case::at_the_end_of_its_session(100, 5)]
fn will_needs_the_right_to_publish_when_it_is_published(#[case] delay: u32, #[case] expiry: u32) {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let left = |world: &mut World| {
        let will = Will { delay: Some(delay), ..will() };
        let device = world.connect(Connect { will: Some(will.into()), ..lasting(V5, "device", expiry) });
        world.cut(device);
        world.advance(secs(5));
        world.messages(watcher).len()
    };
    assert_eq!(left(&mut world), 1);
    let will = Will { delay: Some(delay), ..will() };
    let device = world.connect(Connect { will: Some(will.into()), ..lasting(V5, "device", expiry) });
    world.broker.handle_access(Access { authorizer: Some(Box::new(ReadOnly)), ..Access::default() });
    world.cut(device);
    world.advance(secs(5));
    assert_eq!(world.messages(watcher), [""; 0]);
}
