//! QoS 0, 1 and 2 in both directions, and across connections (§4.3, §4.4).

use halfopen_broker::Config;
use halfopen_broker::core::CloseReason;
use halfopen_protocol::packet::{Ack, Connect, Publish, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, disconnect, id, lasting, message, secs, unheard, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

#[rstest]
fn each_level_is_answered_as_it_demands(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    world.watcher(version, "t", QoS::AtMostOnce);
    let publisher = world.client(version, "publisher");
    let table = [
        (QoS::AtMostOnce, vec![]),
        (QoS::AtLeastOnce, vec![Packet::PubAck(ack(5))]),
        (QoS::ExactlyOnce, vec![Packet::PubRec(ack(5))]),
    ];
    for (qos, expected) in table {
        world.send(publisher, Packet::from(with_qos(message("t", "x"), qos, 5)));
        assert_eq!(world.received(publisher), expected);
    }
}

#[test]
fn a_5_0_publisher_is_told_that_nobody_listens() {
    let mut world = World::new();
    let publisher = world.client(V5, "publisher");
    // Its own subscription is none to messages of its own, and others' filters do not match.
    world.subscribe(publisher, Subscription { no_local: true, ..Subscription::new("t", QoS::AtMostOnce) });
    world.watcher(V5, "u", QoS::AtMostOnce);
    let publish = |topic, qos| Packet::from(with_qos(message(topic, "x"), qos, 5));
    world.send(publisher, publish("t", QoS::AtLeastOnce));
    world.send(publisher, publish("t", QoS::ExactlyOnce));
    assert_eq!(world.received(publisher), [Packet::PubAck(unheard(5)), Packet::PubRec(unheard(5))]);
    // The flow goes on as ever.
    world.send(publisher, Packet::PubRel(ack(5)));
    world.send(publisher, publish("u", QoS::AtLeastOnce));
    assert_eq!(world.received(publisher), [Packet::PubComp(ack(5)), Packet::PubAck(ack(5))]);
    // 3.1.1 has no reasons.
    let old = world.client(V3, "old");
    world.send(old, publish("t", QoS::AtLeastOnce));
    assert_eq!(world.received(old), [Packet::PubAck(ack(5))]);
}

#[test]
fn who_waits_without_a_connection_listens_too() {
    let mut world = World::new();
    let away = world.connect(lasting(V5, "away", 100));
    world.subscribe(away, Subscription::new("t", QoS::AtLeastOnce));
    world.cut(away);
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 5)));
    assert_eq!(world.received(publisher), [Packet::PubAck(ack(5))]);
}

#[rstest]
fn a_message_goes_out_at_the_lower_of_both_levels(
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce)] published: QoS,
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce)] granted: QoS,
) {
    let mut world = World::new();
    let watcher = world.watcher(V3, "t", granted);
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "x"), published, 77)));
    let expected = with_qos(message("t", "x"), published.min(granted), 1);
    assert_eq!(world.received(watcher), [Packet::from(expected)]);
}

#[rstest]
fn a_qos_2_message_that_is_sent_again_is_delivered_once(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let watcher = world.watcher(version, "t", QoS::AtMostOnce);
    let publisher = world.connect(lasting(version, "publisher", 1000));
    let publish = with_qos(message("t", "x"), QoS::ExactlyOnce, 5);
    world.send(publisher, Packet::from(publish.clone()));
    world.cut(publisher);

    let publisher = world.connect(lasting(version, "publisher", 1000));
    world.send(publisher, Packet::from(Publish { dup: true, ..publish.clone() }));
    assert_eq!(world.received(publisher), [Packet::PubRec(ack(5))]);
    world.send(publisher, Packet::PubRel(ack(5)));
    assert_eq!(world.received(publisher), [Packet::PubComp(ack(5))]);
    assert_eq!(world.messages(watcher), ["t x"]);

    // From PUBCOMP on the identifier means a new message, whatever DUP says.
    world.send(publisher, Packet::from(Publish { dup: true, ..publish }));
    assert_eq!(world.messages(watcher), ["t x"]);
}

#[rstest]
fn a_qos_1_message_that_is_sent_again_is_delivered_again(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let watcher = world.watcher(version, "t", QoS::AtMostOnce);
    let publisher = world.client(version, "publisher");
    let publish = with_qos(message("t", "x"), QoS::AtLeastOnce, 5);
    world.send(publisher, Packet::from(publish.clone()));
    world.send(publisher, Packet::from(Publish { dup: true, ..publish }));
    // DUP of the incoming packet is not passed on [MQTT-3.3.1-3].
    let once = Packet::from(message("t", "x"));
    assert_eq!(world.received(watcher), [once.clone(), once]);
}

#[rstest]
fn what_a_client_has_not_acknowledged_is_sent_again_when_it_returns(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let client = world.connect(lasting(version, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    let publisher = world.client(version, "publisher");
    let one = with_qos(message("t", "one"), QoS::AtLeastOnce, 1);
    let two = with_qos(message("t", "two"), QoS::ExactlyOnce, 2);
    let three = with_qos(message("t", "three"), QoS::ExactlyOnce, 3);
    for publish in [&one, &two, &three] {
        world.send(publisher, Packet::from(publish.clone()));
    }
    let sent: Vec<_> = [&one, &two, &three].map(|publish| Packet::from(publish.clone())).into();
    assert_eq!(world.received(client), sent);
    world.send(client, Packet::PubRec(ack(3)));
    assert_eq!(world.received(client), [Packet::PubRel(ack(3))]);
    // Nothing is sent again while the connection lasts.
    world.advance(std::time::Duration::from_secs(10_000));
    assert_eq!(world.received(client), []);
    world.cut(client);

    let client = world.connect(lasting(version, "c", 1000));
    let again = [
        Packet::from(Publish { dup: true, ..one }),
        Packet::from(Publish { dup: true, ..two }),
        Packet::PubRel(ack(3)),
    ];
    assert_eq!(world.received(client), again);
    world.send(client, Packet::PubAck(ack(1)));
    world.send(client, Packet::PubRec(ack(2)));
    world.send(client, Packet::PubComp(ack(2)));
    world.send(client, Packet::PubComp(ack(3)));
    assert_eq!(world.received(client), [Packet::PubRel(ack(2))]);
    assert_eq!(world.broker.client("c").map(|client| client.in_flight), Some(0));

    world.cut(client);
    let client = world.connect(lasting(version, "c", 1000));
    assert_eq!(world.received(client), []);
}

#[test]
fn no_more_messages_are_open_than_the_client_allows() {
    let mut world = World::new();
    let client = world.connect(Connect { receive_maximum: Some(2), ..Connect::new(V5, "c") });
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    let publisher = world.client(V5, "publisher");
    for (number, payload) in ["1", "2", "3", "4"].into_iter().enumerate() {
        let qos = if number % 2 == 0 { QoS::AtLeastOnce } else { QoS::ExactlyOnce };
        world.send(publisher, Packet::from(with_qos(message("t", payload), qos, 1)));
        world.send(publisher, Packet::PubRel(ack(1)));
    }
    assert_eq!(world.messages(client), ["t 1", "t 2"]);
    world.send(client, Packet::PubAck(ack(1)));
    assert_eq!(world.messages(client), ["t 3"]);
    world.send(client, Packet::PubRec(ack(2)));
    assert_eq!(world.messages(client), Vec::<String>::new());
    world.send(client, Packet::PubComp(ack(2)));
    assert_eq!(world.messages(client), ["t 4"]);
}

#[test]
fn a_used_up_quota_holds_back_nothing_but_messages() {
    let mut world = World::new();
    let client = world.connect(Connect { receive_maximum: Some(1), ..Connect::new(V5, "c") });
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    for packet_id in [1, 2] {
        world.send(client, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, packet_id)));
    }
    world.received(client);
    world.send(client, Packet::PingReq);
    assert_eq!(world.received(client), [Packet::PingResp]);
}

#[test]
fn a_5_0_client_that_refuses_a_message_does_not_get_it_again() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, 1)));
    world.send(client, Packet::PubRec(Ack::with_reason(ack(1).packet_id, ReasonCode::QUOTA_EXCEEDED)));
    world.received(client);
    world.cut(client);
    let client = world.connect(lasting(V5, "c", 1000));
    assert_eq!(world.received(client), []);
}

#[test]
fn more_open_messages_than_announced_end_the_connection() {
    let mut world = World::with(Config { receive_maximum: 2, ..Config::default() });
    let (client, connack) = world.connect_and_ack(Connect::new(V5, "c"));
    assert_eq!(connack.receive_maximum, Some(2));
    for packet_id in [1, 2] {
        world.send(client, Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, packet_id)));
    }
    assert!(world.is_open(client));
    world.received(client);
    world.send(client, Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, 3)));
    assert_eq!(world.received(client), [disconnect(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED)]);
    assert!(!world.is_open(client));
}

#[test]
fn a_pubrel_for_nothing_is_answered_with_not_found_in_5_0() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.send(client, Packet::PubRel(ack(9)));
    let answer = Ack::with_reason(ack(9).packet_id, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND);
    assert_eq!(world.received(client), [Packet::PubComp(answer)]);
}

#[rstest]
fn an_acknowledgement_of_the_wrong_flow_is_a_protocol_error(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let client = world.client(version, "c");
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    world.send(client, Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, 1)));
    world.received(client);
    world.send(client, Packet::PubAck(ack(1)));
    let reason = world.why_closed(client);
    assert!(matches!(reason, CloseReason::Protocol { reason: ReasonCode::PROTOCOL_ERROR, .. }), "{reason:?}");
}

#[test]
fn a_message_too_large_for_the_client_counts_as_delivered() {
    let mut world = World::new();
    let client = world.connect(Connect { maximum_packet_size: Some(20), ..Connect::new(V5, "c") });
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        world.send(publisher, Packet::from(with_qos(message("t", "far more than twenty bytes"), qos, 1)));
        world.send(publisher, Packet::from(with_qos(message("t", "fits"), qos, 1)));
    }
    let fits =
        [with_qos(message("t", "fits"), QoS::AtMostOnce, 0), with_qos(message("t", "fits"), QoS::AtLeastOnce, 1)];
    assert_eq!(world.received(client), fits.map(Packet::from));
    assert_eq!(world.broker.client("c").map(|client| (client.queued, client.in_flight)), Some((0, 1)));
}

/// Found by `halfopen explore`: what is read from the store or waits went to no client with a Maximum Packet Size at QoS 0.
#[test]
fn a_retained_message_of_qos_0_goes_to_a_client_with_a_maximum_packet_size() {
    let mut world = World::new();
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(Publish { retain: true, ..message("t", "fits") }));
    let client = world.connect(Connect { maximum_packet_size: Some(20), ..Connect::new(V5, "c") });
    let received = world.subscribe(client, Subscription::new("#", QoS::AtMostOnce));
    let is_it = |packet: &Packet| matches!(packet, Packet::Publish(publish) if publish.topic == "t" && publish.retain);
    assert!(received.iter().any(is_it), "{received:?}");
}

#[test]
fn a_connection_has_the_window_that_its_connect_asked_for() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    for payload in ["1", "2", "3"] {
        world.send(publisher, Packet::from(with_qos(message("t", payload), QoS::AtLeastOnce, 1)));
    }
    assert_eq!(world.messages(client), ["t 1", "t 2", "t 3"]);
    world.cut(client);

    let narrow = world.connect(Connect { receive_maximum: Some(1), ..lasting(V5, "c", 1000) });
    assert_eq!(world.messages(narrow), ["t 1"]);
    world.send(narrow, Packet::PubAck(ack(1)));
    assert_eq!(world.messages(narrow), ["t 2"]);
    world.cut(narrow);

    let wide = world.connect(lasting(V5, "c", 1000));
    assert_eq!(world.messages(wide), ["t 2", "t 3"]);
}

#[test]
fn what_waits_for_the_window_before_it_is_sent_again_grows_older() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    for (payload, expiry) in [("1", 100), ("2", 200), ("3", 300)] {
        let expiring = Publish { message_expiry: Some(expiry), ..message("t", payload) };
        world.send(publisher, Packet::from(with_qos(expiring, QoS::AtLeastOnce, 1)));
        world.advance(secs(1));
    }
    world.cut(client);
    let client = world.connect(Connect { receive_maximum: Some(1), ..lasting(V5, "c", 1000) });
    let mut left = Vec::new();
    for number in 1..=3 {
        for packet in world.received(client) {
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            left.push((publish.dup, publish.message_expiry));
        }
        world.advance(secs(10));
        world.send(client, Packet::PubAck(ack(number)));
    }
    // Three, two and one seconds passed before the end of the connection; then ten for each message before.
    assert_eq!(left, [(true, Some(97)), (true, Some(188)), (true, Some(279))]);
}

#[test]
fn a_new_connection_begins_with_the_whole_receive_maximum_of_the_broker() {
    let mut world = World::with(Config { receive_maximum: 1, ..Config::default() });
    let publish = |id| Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, id));
    let client = world.connect(lasting(V5, "c", 1000));
    world.send(client, publish(1));
    world.cut(client);
    let client = world.connect(lasting(V5, "c", 1000));
    world.send(client, publish(2));
    assert!(world.is_open(client));
    world.send(client, publish(3));
    let receive_maximum_exceeded = disconnect(ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);
    assert_eq!(world.received(client).last(), Some(&receive_maximum_exceeded));

    // 3.1.1 knows of no such limit.
    let old = world.client(V3, "old");
    (1..=3).for_each(|id| world.send(old, publish(id)));
    assert!(world.is_open(old));
}

#[test]
fn a_message_that_the_client_refuses_makes_room_for_the_next() {
    // No more may be under way than one byte, and then one message more.
    let mut world = World::with(Config { queue_bytes: 1, ..Config::default() });
    let client = world.connect(Connect { receive_maximum: Some(1), ..Connect::new(V5, "c") });
    world.subscribe(client, Subscription::new("t", QoS::ExactlyOnce));
    let publisher = world.client(V5, "publisher");
    for number in 1..=3 {
        world.send(publisher, Packet::from(with_qos(message("t", "x"), QoS::ExactlyOnce, number)));
    }
    for number in 1..=2 {
        assert_eq!(world.messages(client), ["t x"]);
        world.send(client, Packet::PubRec(Ack::with_reason(id(number), ReasonCode::QUOTA_EXCEEDED)));
    }
    let state = world.broker.client("c").expect("a session");
    assert_eq!((state.in_flight, state.queued), (0, 0), "the third had no room in the queue");

    world.send(publisher, Packet::from(with_qos(message("t", "y"), QoS::AtLeastOnce, 4)));
    assert_eq!(world.messages(client), ["t y"]);
    world.send(client, Packet::PubRec(ack(3)));
    assert!(matches!(world.why_closed(client), CloseReason::Protocol { .. }));
}
