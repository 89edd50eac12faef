//! Retained messages (§3.3.1.3).

use halfopen_protocol::packet::{Publish, QoS, RetainHandling, Subscription};
use halfopen_protocol::{Packet, Version};
use rstest::rstest;

use crate::fixture::{World, message, secs, subscribe, unsubscribe, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn retained(topic: &'static str, payload: &'static str) -> Packet {
    Packet::from(Publish { retain: true, ..message(topic, payload) })
}

fn world_with(messages: &[(&'static str, &'static str)]) -> World {
    let mut world = World::new();
    let publisher = world.client(V5, "publisher");
    for (topic, payload) in messages {
        world.send(publisher, retained(topic, payload));
    }
    world
}

#[rstest]
fn a_new_subscriber_gets_the_last_message_of_each_topic_marked_as_retained(#[values(V3, V5)] version: Version) {
    let mut world = world_with(&[("a", "old"), ("b", "1"), ("a", "new"), ("c/d", "2")]);
    let client = world.client(version, "c");
    let got = world.subscribe(client, Subscription::new("+", QoS::AtMostOnce));
    assert_eq!(got, [retained("a", "new"), retained("b", "1")]);
}

#[rstest]
fn an_existing_subscriber_gets_it_unmarked(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let watcher = world.watcher(version, "a", QoS::AtMostOnce);
    let publisher = world.client(version, "publisher");
    world.send(publisher, retained("a", "x"));
    assert_eq!(world.received(watcher), [Packet::from(message("a", "x"))]);
}

#[rstest]
fn an_empty_message_removes_it_and_is_delivered(#[values(V3, V5)] version: Version) {
    let mut world = world_with(&[("a", "x")]);
    let watcher = world.watcher(version, "a", QoS::AtMostOnce);
    let publisher = world.client(version, "p");
    world.send(publisher, retained("a", ""));
    assert_eq!(world.received(watcher), [Packet::from(message("a", ""))]);
    assert_eq!(world.broker.retained_count(), 0);
}

#[test]
fn a_message_without_the_flag_leaves_it_alone() {
    let mut world = world_with(&[("a", "kept")]);
    let publisher = world.client(V5, "p");
    world.send(publisher, Packet::from(message("a", "passing")));
    world.send(publisher, Packet::from(message("a", "")));
    let client = world.client(V5, "c");
    assert_eq!(world.subscribe(client, Subscription::new("a", QoS::AtMostOnce)), [retained("a", "kept")]);
}

#[test]
fn it_outlives_the_session_of_its_publisher() {
    let mut world = World::new();
    let publisher = world.client(V3, "p");
    world.send(publisher, retained("a", "x"));
    world.cut(publisher);
    assert_eq!(world.broker.session_count(), 0);
    assert_eq!(world.broker.retained_count(), 1);
}

#[rstest]
#[case(QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtLeastOnce)]
#[case(QoS::AtMostOnce, QoS::ExactlyOnce, QoS::AtMostOnce)]
fn it_is_sent_at_the_lower_of_both_levels(#[case] published: QoS, #[case] granted: QoS, #[case] expected: QoS) {
    let mut world = World::new();
    let publisher = world.client(V5, "p");
    let publish = Publish { retain: true, ..message("a", "x") };
    world.send(publisher, Packet::from(with_qos(publish.clone(), published, 5)));
    let client = world.client(V5, "c");
    let got = world.subscribe(client, Subscription::new("a", granted));
    assert_eq!(got, [Packet::from(with_qos(publish, expected, 1))]);
}

#[rstest]
#[case(RetainHandling::Send, [true, true, true])]
#[case(RetainHandling::SendIfNew, [true, false, true])]
#[case(RetainHandling::DoNotSend, [false, false, false])]
fn retain_handling_decides_when_it_is_sent(#[case] retain_handling: RetainHandling, #[case] expected: [bool; 3]) {
    let mut world = world_with(&[("a", "x")]);
    let client = world.client(V5, "c");
    let subscription = Subscription { retain_handling, ..Subscription::new("a", QoS::AtMostOnce) };
    // New, repeated, and new again after UNSUBSCRIBE.
    let first = world.subscribe(client, subscription.clone()).len();
    let second = world.subscribe(client, subscription.clone()).len();
    world.send(client, unsubscribe("a"));
    world.received(client);
    let third = world.subscribe(client, subscription).len();
    assert_eq!([first == 1, second == 1, third == 1], expected);
}

#[test]
fn a_repeated_subscribe_of_3_1_1_sends_it_again() {
    let mut world = world_with(&[("a", "x")]);
    let client = world.client(V3, "c");
    for _ in 0..2 {
        assert_eq!(world.subscribe(client, Subscription::new("a", QoS::AtMostOnce)), [retained("a", "x")]);
    }
}

#[rstest]
#[case(true, true, true)]
#[case(true, false, false)]
#[case(false, true, false)]
fn retain_as_published_passes_the_flag_on(#[case] flag: bool, #[case] as_published: bool, #[case] expected: bool) {
    let mut world = World::new();
    let client = world.client(V5, "c");
    let subscription = Subscription { retain_as_published: as_published, ..Subscription::new("a", QoS::AtMostOnce) };
    world.subscribe(client, subscription);
    let publisher = world.client(V5, "p");
    world.send(publisher, Packet::from(Publish { retain: flag, ..message("a", "x") }));
    assert_eq!(world.received(client), [Packet::from(Publish { retain: expected, ..message("a", "x") })]);
}

#[rstest]
#[case(9, Some(1))]
#[case(10, None)]
fn it_expires(#[case] after: u64, #[case] left: Option<u32>) {
    let mut world = World::new();
    let publisher = world.client(V5, "p");
    let publish = Publish { retain: true, message_expiry: Some(10), ..message("a", "x") };
    world.send(publisher, Packet::from(publish.clone()));
    world.advance(secs(after));
    let client = world.client(V5, "c");
    let got = world.subscribe(client, Subscription::new("a", QoS::AtMostOnce));
    let expected = left.map(|left| Packet::from(Publish { message_expiry: Some(left), ..publish }));
    assert_eq!(got, Vec::from_iter(expected));
    assert_eq!(world.broker.retained_count(), usize::from(left.is_some()));
}

#[test]
fn those_of_the_server_are_hidden_from_leading_wildcards() {
    let mut world = world_with(&[("$SYS/x", "hidden"), ("a", "seen")]);
    let client = world.client(V3, "c");
    world.send(client, subscribe(Subscription::new("#", QoS::AtMostOnce)));
    assert_eq!(world.messages(client), ["a seen"]);
}
