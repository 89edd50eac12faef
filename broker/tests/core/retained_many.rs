//! More retained messages for a subscription than a client takes at once: they are read from the store as it has room.

use halfopen_broker::core::{Authorize, ConnectionId, Operation, Who};
use halfopen_broker::{Access, Config, QueuePolicy};
use halfopen_protocol::packet::{
    Connect, Publish, QoS, RetainHandling, Subscribe, Subscription, Unsubscribe, UserProperties,
};
use halfopen_protocol::{Packet, PacketType, Version};
use rstest::rstest;

use crate::fixture::{World, ack, id, lasting, message, secs, subscribe, unsubscribe, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// Publishes a retained message of each of these payloads to `r/0000`, `r/0001` and so on.
fn retain(world: &mut World, qos: QoS, payloads: impl IntoIterator<Item = String>) {
    let publisher = world.client(V5, "retaining publisher");
    for (number, payload) in payloads.into_iter().enumerate() {
        let topic = format!("r/{number:04}").into();
        let publish = Publish { topic, payload: payload.into(), retain: true, ..Publish::default() };
        world.send(publisher, Packet::from(with_qos(publish, qos, 1)));
    }
}

/// A broker with the retained messages `r/0000 0`, `r/0001 1` and `r/0002 2` of QoS 1, which keeps room for one message
/// in a queue.
fn three_retained() -> World {
    let mut world = World::with(Config { queue_messages: 1, ..Config::default() });
    retain(&mut world, QoS::AtLeastOnce, (0..3).map(|number| number.to_string()));
    world
}

/// A client that takes one message above QoS 0 at a time, and keeps its session.
fn one_at_a_time(client_id: &'static str) -> Connect {
    Connect { receive_maximum: Some(1), ..lasting(V5, client_id, 100) }
}

/// Publishes a live message of this QoS as another client.
fn publish(world: &mut World, qos: QoS, publish: Publish) {
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(with_qos(publish, qos, 1)));
}

/// Acknowledges each message as it comes, until none does, and gives all: topic, payload and RETAIN.
fn read_all(world: &mut World, client: ConnectionId) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let packets = world.received(client);
        if packets.is_empty() {
            return all;
        }
        for packet in packets {
            let Packet::Publish(publish) = packet else { continue };
            if let Some(id) = publish.packet_id {
                world.send(client, Packet::PubAck(ack(id.get())));
            }
            let retain = if publish.retain { " retained" } else { "" };
            all.push(format!("{} {}{retain}", publish.topic, String::from_utf8_lossy(&publish.payload)));
        }
    }
}

#[rstest]
#[case::window_of_the_broker(None)]
#[case::window_of_the_client(Some(20))]
fn all_arrive_however_many_and_in_the_order_of_their_topics(
    #[values(V3, V5)] version: Version,
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce)] qos: QoS,
    #[case] receive_maximum: Option<u16>,
) {
    let mut world = World::new();
    retain(&mut world, QoS::AtLeastOnce, (0..5000).map(|number| format!("{number:0100}")));
    let receive_maximum = receive_maximum.filter(|_| version.is_v5());
    let client = world.connect(Connect { receive_maximum, ..Connect::new(version, "c") });
    world.send(client, subscribe(Subscription::new("#", qos)));
    let expected: Vec<_> = (0..5000).map(|number| format!("r/{number:04} {number:0100} retained")).collect();
    assert!(read_all(&mut world, client) == expected);
}

#[rstest]
fn they_take_no_room_in_the_queue(
    #[values(QueuePolicy::DropNewest, QueuePolicy::DropOldest)] queue_policy: QueuePolicy,
) {
    let mut world = World::with(Config { queue_messages: 1, queue_policy, ..Config::default() });
    retain(&mut world, QoS::AtLeastOnce, ["a", "b", "c"].map(String::from));
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    assert_eq!(world.broker.client("c").map(|state| state.queued), Some(0));
    publish(&mut world, QoS::AtLeastOnce, message("r/9", "live"));
    assert_eq!(
        read_all(&mut world, client),
        ["r/0000 a retained", "r/0001 b retained", "r/0002 c retained", "r/9 live"]
    );
}

#[rstest]
fn a_live_message_does_not_overtake_the_retained_one_of_its_topic(
    #[values(QoS::AtMostOnce, QoS::AtLeastOnce)] qos: QoS,
) {
    let mut world = World::new();
    retain(&mut world, QoS::AtLeastOnce, ["1", "2"].map(String::from));
    publish(&mut world, qos, Publish { retain: true, ..message("r/0001", "old") });
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/#", QoS::AtLeastOnce)));
    for payload in ["new", "newer"] {
        publish(&mut world, qos, message("r/0001", payload));
    }
    assert_eq!(
        read_all(&mut world, client),
        ["r/0000 1 retained", "r/0001 old retained", "r/0001 new", "r/0001 newer"]
    );
}

#[test]
fn one_that_is_replaced_meanwhile_comes_once_as_a_live_message() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    publish(&mut world, QoS::AtLeastOnce, Publish { retain: true, ..message("r/0001", "new") });
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained", "r/0002 2 retained", "r/0001 new"]);
}

#[test]
fn one_that_is_removed_meanwhile_is_not_sent() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    publish(&mut world, QoS::AtMostOnce, Publish { retain: true, ..message("r/0001", "") });
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained", "r/0002 2 retained", "r/0001 "]);
}

#[test]
fn one_that_expires_meanwhile_is_not_sent_and_the_others_say_what_is_left() {
    let mut world = World::new();
    for (topic, message_expiry) in [("r/1", 10), ("r/2", 10), ("r/3", 30)] {
        let retained = Publish { retain: true, message_expiry: Some(message_expiry), ..message(topic, "x") };
        publish(&mut world, QoS::AtLeastOnce, retained);
    }
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    world.received(client);
    world.advance(secs(10));
    world.send(client, Packet::PubAck(ack(1)));
    let packets = world.received(client);
    let [Packet::Publish(only)] = &packets[..] else { panic!("{packets:?}") };
    assert_eq!((&*only.topic, only.message_expiry), ("r/3", Some(20)));
    // That the first one has expired since, too, nobody has noticed.
    assert_eq!(world.broker.retained_count(), 2);
}

#[test]
fn after_unsubscribe_no_more_are_sent_whatever_is_subscribed_to_then() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    world.send(client, unsubscribe("r/+"));
    let again =
        Subscription { retain_handling: RetainHandling::DoNotSend, ..Subscription::new("r/+", QoS::AtLeastOnce) };
    world.send(client, subscribe(again));
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained"]);
}

#[test]
fn a_repeated_subscribe_begins_again_and_sends_the_rest_only_once() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    let again = Packet::Subscribe(Subscribe {
        packet_id: id(2),
        subscription_id: Some(7),
        user_properties: UserProperties::new(),
        subscriptions: vec![Subscription::new("r/+", QoS::AtMostOnce)],
    });
    world.send(client, again);
    let packets = world.received(client);
    let described: Vec<_> = packets
        .iter()
        .filter_map(|packet| match packet {
            Packet::Publish(publish) => Some((&*publish.topic, publish.qos.level(), publish.subscription_ids.clone())),
            _ => None,
        })
        .collect();
    let seven = vec![7];
    let expected =
        [("r/0000", 1, vec![]), ("r/0000", 0, seven.clone()), ("r/0001", 0, seven.clone()), ("r/0002", 0, seven)];
    assert_eq!(described, expected);
}

#[test]
fn a_repeated_subscribe_that_wants_none_loses_none_of_those_on_their_way() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    let again =
        Subscription { retain_handling: RetainHandling::SendIfNew, ..Subscription::new("r/+", QoS::AtLeastOnce) };
    world.send(client, subscribe(again));
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained", "r/0001 1 retained", "r/0002 2 retained"]);
}

#[rstest]
fn a_resumed_session_gets_the_rest(#[values(false, true)] restarted: bool) {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    world.cut(client);
    if restarted {
        let state = world.broker.durable_state();
        world = World::new();
        world.broker.handle_durable_state(world.now, state);
    }
    publish(&mut world, QoS::AtLeastOnce, Publish { retain: true, ..message("r/0002", "new") });
    let client = world.connect(one_at_a_time("c"));
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained", "r/0001 1 retained", "r/0002 new"]);
}

#[test]
fn the_end_of_the_session_ends_them() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    let client = world.connect(Connect { clean_start: true, ..one_at_a_time("c") });
    assert_eq!(world.received(client), []);
}

/// Lets nobody receive `r/0001`.
#[derive(Debug)]
struct Secret;

impl Authorize for Secret {
    fn allows(&self, _: Who<'_>, operation: Operation, topic: &str) -> bool {
        !(operation == Operation::Receive && topic == "r/0001")
    }
}

#[test]
fn rights_hold_when_they_are_sent() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    world.send(client, subscribe(Subscription::new("r/+", QoS::AtLeastOnce)));
    world.broker.handle_access(Access { authorizer: Some(Box::new(Secret)), ..Access::default() });
    assert_eq!(read_all(&mut world, client), ["r/0000 0 retained", "r/0002 2 retained"]);
}

#[test]
fn those_of_qos_0_wait_for_room_in_the_write_buffer() {
    let mut world = World::with(Config { write_buffer: 100, ..Config::default() });
    retain(&mut world, QoS::AtMostOnce, (0..20).map(|number| format!("{number:020}")));
    let client = world.client(V5, "c");
    world.stop_reading(client);
    world.send(client, subscribe(Subscription::new("#", QoS::AtMostOnce)));
    publish(&mut world, QoS::AtMostOnce, message("r/0019", "live"));
    let sent = world.resume_reading(client);
    assert!(sent < 200, "{sent} bytes at once");
    let all = world.messages(client);
    assert_eq!(all.len(), 21);
    assert_eq!(all[19..], [format!("r/0019 {:020}", 19), "r/0019 live".into()]);
}

#[test]
fn subscriptions_of_one_packet_send_theirs_one_after_the_other() {
    let mut world = three_retained();
    let client = world.connect(one_at_a_time("c"));
    let filters = ["r/0002", "r/+"].map(|filter| Subscription::new(filter, QoS::AtLeastOnce));
    world.send(
        client,
        Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscription_id: None,
            user_properties: UserProperties::new(),
            subscriptions: filters.into(),
        }),
    );
    let unsubscribed =
        Unsubscribe { packet_id: id(2), user_properties: UserProperties::new(), filters: vec!["x".into()] };
    world.send(client, Packet::Unsubscribe(unsubscribed));
    assert_eq!(
        read_all(&mut world, client),
        ["r/0002 2 retained", "r/0000 0 retained", "r/0001 1 retained", "r/0002 2 retained"]
    );
}

#[test]
fn a_session_that_is_resumed_gets_what_is_unacknowledged_as_its_write_buffer_has_room() {
    let mut world = World::with(Config { write_buffer: 1000, maximum_packet_size: 1000, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 100));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let payload = "x".repeat(500);
    for _ in 0..50 {
        publish(&mut world, QoS::AtLeastOnce, Publish { payload: payload.clone().into(), ..message("t", "") });
    }
    world.cut(client);
    let client = world.open();
    world.stop_reading(client);
    world.send(client, Packet::from(lasting(V5, "c", 100)));
    assert!(world.is_open(client), "{:?}", world.closed(client));
    let sent = world.resume_reading(client);
    assert!(sent < 2000, "{sent} bytes at once");
    let again: Vec<_> =
        world.received(client).into_iter().filter(|packet| packet.packet_type() == PacketType::Publish).collect();
    assert_eq!(again.len(), 50);
    assert!(again.iter().all(|packet| matches!(packet, Packet::Publish(publish) if publish.dup)));
}
