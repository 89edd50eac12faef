//! Shared subscriptions: one member of a group gets each message (§4.8.2 of 5.0).

use halfopen_broker::core::ConnectionId;
use halfopen_protocol::packet::{Ack, Publish, QoS, Subscribe, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, id, lasting, message, secs, unsubscribe, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;
const SHARED: &str = "$share/g/t";

/// Members of one group with sessions of 100 s, and a publisher.
fn group(version: Version, qos: QoS) -> (World, [ConnectionId; 2], ConnectionId) {
    let mut world = World::new();
    let members = ["a", "b"].map(|name| {
        let member = world.connect(lasting(version, name, 100));
        world.subscribe(member, Subscription::new(SHARED, qos));
        member
    });
    let publisher = world.client(V5, "publisher");
    (world, members, publisher)
}

fn publish(world: &mut World, publisher: ConnectionId, qos: QoS, payloads: &[&'static str]) {
    for payload in payloads {
        world.send(publisher, Packet::from(with_qos(message("t", payload), qos, 1)));
        if qos == QoS::ExactlyOnce {
            world.send(publisher, Packet::PubRel(ack(1)));
        }
    }
}

#[rstest]
fn members_take_turns(#[values(V3, V5)] version: Version) {
    let (mut world, [a, b], publisher) = group(version, QoS::AtMostOnce);
    publish(&mut world, publisher, QoS::AtMostOnce, &["1", "2", "3", "4", "5"]);
    assert_eq!(world.messages(a), ["t 1", "t 3", "t 5"]);
    assert_eq!(world.messages(b), ["t 2", "t 4"]);
}

#[test]
fn each_group_and_each_plain_subscription_gets_its_own_copy() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtMostOnce);
    for (filter, subscription_id) in [("$share/other/+", Some(7)), ("t", Some(8))] {
        let subscriptions = vec![Subscription::new(filter, QoS::AtMostOnce)];
        let subscribe = Subscribe { packet_id: id(1), subscription_id, user_properties: Vec::new(), subscriptions };
        world.send(b, Packet::Subscribe(subscribe));
    }
    world.received(b);
    publish(&mut world, publisher, QoS::AtMostOnce, &["1"]);
    assert_eq!(world.messages(a), ["t 1"]);
    let copy = |subscription_id| Packet::from(Publish { subscription_ids: vec![subscription_id], ..message("t", "1") });
    assert_eq!(world.received(b), [copy(8), copy(7)]);
}

#[test]
fn a_member_gets_no_more_than_the_qos_of_its_subscription() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtLeastOnce);
    world.subscribe(b, Subscription::new(SHARED, QoS::AtMostOnce));
    publish(&mut world, publisher, QoS::ExactlyOnce, &["1", "2"]);
    assert_eq!(world.received(a), [Packet::from(with_qos(message("t", "1"), QoS::AtLeastOnce, 1))]);
    assert_eq!(world.received(b), [Packet::from(message("t", "2"))]);
}

#[test]
fn nothing_retained_is_sent_for_a_shared_subscription() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.send(client, Packet::from(Publish { retain: true, ..message("t", "x") }));
    assert_eq!(world.subscribe(client, Subscription::new(SHARED, QoS::AtMostOnce)), []);
}

#[test]
fn wildcards_of_a_shared_subscription_keep_out_of_dollar_topics() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.subscribe(client, Subscription::new("$share/g/#", QoS::AtMostOnce));
    world.send(client, Packet::from(message("$own/x", "hidden")));
    world.send(client, Packet::from(message("a/b", "seen")));
    assert_eq!(world.messages(client), ["a/b seen"]);
}

#[test]
fn who_leaves_the_group_gets_nothing_more() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtMostOnce);
    world.send(a, unsubscribe(SHARED));
    world.received(a);
    publish(&mut world, publisher, QoS::AtMostOnce, &["1", "2"]);
    assert_eq!(world.messages(a), [""; 0]);
    assert_eq!(world.messages(b), ["t 1", "t 2"]);
}

#[test]
fn members_with_a_connection_come_first_and_without_any_messages_wait() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtLeastOnce);
    world.cut(a);
    publish(&mut world, publisher, QoS::AtLeastOnce, &["1", "2"]);
    assert_eq!(world.messages(b), ["t 1", "t 2"]);
    world.cut(b);
    publish(&mut world, publisher, QoS::AtLeastOnce, &["3", "4"]);
    publish(&mut world, publisher, QoS::AtMostOnce, &["lost"]);
    let a = world.connect(lasting(V5, "a", 100));
    let b = world.connect(lasting(V5, "b", 100));
    assert_eq!(world.messages(a), ["t 3"]);
    // What it did not acknowledge, and what waited.
    assert_eq!(world.messages(b), ["t 1", "t 2", "t 4"]);
}

// Shows 5.0 MQTT-4.8.2-5.
#[rstest]
#[case::qos_1_is_given_to_another(QoS::AtLeastOnce, &["t 1"])]
#[case::qos_2_is_given_to_nobody(QoS::ExactlyOnce, &[])]
fn when_the_session_of_a_member_ends_what_it_was_sent(#[case] qos: QoS, #[case] expected: &[&str]) {
    let (mut world, [a, b], publisher) = group(V5, qos);
    publish(&mut world, publisher, qos, &["1"]);
    assert_eq!(world.messages(a), ["t 1"]);
    world.cut(a);
    // It may still come back.
    assert_eq!(world.messages(b), [""; 0]);
    world.advance(secs(100));
    assert_eq!(world.messages(b), expected);
}

#[test]
fn what_a_lost_member_was_never_sent_goes_to_another_at_once() {
    let (mut world, [a, b], publisher) = group(V5, QoS::ExactlyOnce);
    world.send(b, unsubscribe(SHARED));
    world.received(b);
    let payloads: Vec<&str> = vec!["x"; 1001];
    publish(&mut world, publisher, QoS::ExactlyOnce, &payloads);
    assert_eq!(world.messages(a).len(), 1000);
    world.subscribe(b, Subscription::new(SHARED, QoS::ExactlyOnce));
    world.cut(a);
    assert_eq!(world.messages(b).len(), 1);
    assert_eq!(world.broker.client("a").map(|client| client.queued), Some(0));
}

#[test]
fn a_member_that_has_acknowledged_or_refused_a_message_was_the_last_to_get_it() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtLeastOnce);
    publish(&mut world, publisher, QoS::AtLeastOnce, &["1", "2", "3"]);
    world.received(b);
    world.send(a, Packet::PubAck(ack(1)));
    world.send(a, Packet::PubAck(Ack::with_reason(id(2), ReasonCode::QUOTA_EXCEEDED)));
    world.cut(a);
    world.advance(secs(100));
    assert_eq!(world.broker.session_count(), 2);
    assert_eq!(world.messages(b), [""; 0]);
}

#[test]
fn a_member_that_is_busy_is_passed_over() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtMostOnce);
    world.stop_reading(a);
    let big: &'static str = Box::leak("x".repeat(5_000_000).into_boxed_str());
    publish(&mut world, publisher, QoS::AtMostOnce, &[big, "1", "2", "3"]);
    assert_eq!(world.messages(b), ["t 1", "t 2", "t 3"]);
}

#[test]
fn a_new_session_is_no_member() {
    let (mut world, [a, b], publisher) = group(V5, QoS::AtMostOnce);
    world.cut(a);
    let a = world.client(V5, "a");
    publish(&mut world, publisher, QoS::AtMostOnce, &["1", "2"]);
    assert_eq!(world.messages(a), [""; 0]);
    assert_eq!(world.messages(b), ["t 1", "t 2"]);
}
