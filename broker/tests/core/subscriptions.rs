//! SUBSCRIBE, UNSUBSCRIBE, and who gets what (§3.8, §3.10, §4.7).

use halfopen_protocol::packet::{Publish, QoS, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, id, lasting, message, secs, unsubscribe, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

#[rstest]
#[case("sport/tennis/player1", "sport/tennis/player1/#", true)]
#[case("sport/tennis/player1/ranking", "sport/tennis/player1/#", true)]
#[case("sport", "sport/#", true)]
#[case("sport/tennis/player1", "sport/tennis/+", true)]
#[case("sport/tennis/player1/ranking", "sport/tennis/+", false)]
#[case("sport", "sport/+", false)]
#[case("sport/", "sport/+", true)]
#[case("/finance", "+/+", true)]
#[case("/finance", "/+", true)]
#[case("/finance", "+", false)]
#[case("$own/a", "#", false)]
#[case("$own/a", "+/a", false)]
#[case("$own/a", "$own/#", true)]
#[case("a", "A", false)]
#[case("a", "/a", false)]
fn wildcards_match_as_the_standard_says(
    #[values(V3, V5)] version: Version,
    #[case] topic: &'static str,
    #[case] filter: &'static str,
    #[case] expected: bool,
) {
    let mut world = World::new();
    let watcher = world.watcher(version, filter, QoS::AtMostOnce);
    let publisher = world.client(version, "publisher");
    world.send(publisher, Packet::from(message(topic, "x")));
    assert_eq!(!world.received(watcher).is_empty(), expected);
}

#[test]
fn several_filters_get_one_answer_in_their_order() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    let subscribe = Subscribe {
        packet_id: id(9),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![
            Subscription::new("a", QoS::ExactlyOnce),
            Subscription::new("$share/group/b", QoS::AtMostOnce),
            Subscription::new("c", QoS::AtLeastOnce),
        ],
    };
    world.send(client, Packet::Subscribe(subscribe));
    let suback = SubAck {
        packet_id: id(9),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: [0x02, 0x00, 0x01].map(ReasonCode::new).into(),
    };
    assert_eq!(world.received(client), [Packet::SubAck(suback)]);
    assert_eq!(world.broker.client("c").map(|client| client.subscriptions), Some(3));
}

#[test]
fn unsuback_says_for_each_filter_whether_there_was_a_subscription() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.subscribe(client, Subscription::new("a/+", QoS::AtMostOnce));
    let filters = vec!["a/b".into(), "a/+".into()];
    world.send(client, Packet::Unsubscribe(Unsubscribe { packet_id: id(9), user_properties: Vec::new(), filters }));
    let unsuback = UnsubAck {
        packet_id: id(9),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: [0x11, 0x00].map(ReasonCode::new).into(),
    };
    assert_eq!(world.received(client), [Packet::UnsubAck(unsuback)]);
}

#[rstest]
fn after_unsubscribe_nothing_new_comes_but_what_had_begun_is_finished(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let client = world.connect(lasting(version, "c", 1000));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(version, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "before"), QoS::AtLeastOnce, 1)));
    world.send(client, unsubscribe("t"));
    world.send(publisher, Packet::from(with_qos(message("t", "after"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.messages(client), ["t before"]);
    world.cut(client);
    let client = world.connect(lasting(version, "c", 1000));
    assert_eq!(world.messages(client), ["t before"]);
}

#[rstest]
fn overlapping_subscriptions_give_one_copy_at_the_highest_level(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let client = world.client(version, "c");
    for (filter, qos) in [("a/#", QoS::AtMostOnce), ("a/+", QoS::ExactlyOnce), ("a/b", QoS::AtLeastOnce)] {
        world.subscribe(client, Subscription::new(filter, qos));
    }
    let publisher = world.client(version, "publisher");
    world.send(publisher, Packet::from(with_qos(message("a/b", "x"), QoS::ExactlyOnce, 1)));
    assert_eq!(world.received(client), [Packet::from(with_qos(message("a/b", "x"), QoS::ExactlyOnce, 1))]);
}

#[test]
fn a_message_carries_the_identifiers_of_all_subscriptions_that_it_came_by() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    for (filter, subscription_id) in [("a/#", Some(3)), ("a/+", None), ("+/b", Some(70_000)), ("other", Some(9))] {
        let subscribe = Subscribe {
            packet_id: id(1),
            subscription_id,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
        };
        world.send(client, Packet::Subscribe(subscribe));
    }
    world.received(client);
    world.send(client, Packet::from(message("a/b", "x")));
    let packets = world.received(client);
    let [Packet::Publish(publish)] = &packets[..] else { panic!("{packets:?}") };
    let mut ids = publish.subscription_ids.clone();
    ids.sort_unstable();
    assert_eq!(ids, [3, 70_000]);
}

#[test]
fn a_repeated_filter_replaces_the_subscription() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.subscribe(client, Subscription::new("t", QoS::ExactlyOnce));
    world.subscribe(client, Subscription::new("t", QoS::AtMostOnce));
    world.send(client, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 1)));
    let packets = world.received(client);
    assert!(packets.contains(&Packet::from(message("t", "x"))), "{packets:?}");
    assert_eq!(world.broker.client("c").map(|client| client.subscriptions), Some(1));
}

#[rstest]
#[case(false, 1)]
#[case(true, 0)]
fn no_local_keeps_a_clients_own_messages_from_it(#[case] no_local: bool, #[case] own: usize) {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.subscribe(client, Subscription { no_local, ..Subscription::new("t", QoS::AtMostOnce) });
    world.send(client, Packet::from(message("t", "own")));
    assert_eq!(world.messages(client).len(), own);
    let other = world.client(V5, "other");
    world.send(other, Packet::from(message("t", "other's")));
    assert_eq!(world.messages(client), ["t other's"]);
}

#[test]
fn what_5_0_says_about_a_message_is_passed_on_unchanged() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "t", QoS::AtMostOnce);
    let publisher = world.client(V5, "publisher");
    let rich = Publish {
        payload_format: Some(true),
        message_expiry: Some(100),
        content_type: Some("text/plain".into()),
        response_topic: Some("answer".into()),
        correlation_data: Some("42".into()),
        user_properties: vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "1".into())],
        ..message("t", "x")
    };
    world.send(publisher, Packet::from(rich.clone()));
    assert_eq!(world.received(watcher), [Packet::from(rich)]);
}

#[test]
fn messages_of_one_client_arrive_in_their_order() {
    let mut world = World::new();
    let watcher = world.watcher(V3, "t", QoS::AtLeastOnce);
    let publisher = world.client(V3, "publisher");
    let payloads = ["1", "2", "3", "4", "5", "6", "7", "8"];
    for (number, payload) in (1..).zip(payloads) {
        world.send(publisher, Packet::from(with_qos(message("t", payload), QoS::AtLeastOnce, number)));
    }
    assert_eq!(world.messages(watcher), payloads.map(|payload| format!("t {payload}")));
    world.advance(secs(1));
}
