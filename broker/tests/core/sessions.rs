//! What is kept of a client that is away, and for how long (§3.1.2.4, §4.1).

use halfopen_broker::Config;
use halfopen_broker::core::Timer;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, QoS, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, disconnect, lasting, message, secs, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

#[rstest]
#[case::v3_kept(lasting(V3, "c", u32::MAX), lasting(V3, "c", u32::MAX), true)]
#[case::v3_was_clean(lasting(V3, "c", 0), lasting(V3, "c", u32::MAX), false)]
#[case::v3_is_clean(lasting(V3, "c", u32::MAX), lasting(V3, "c", 0), false)]
#[case::v5_kept(lasting(V5, "c", 100), lasting(V5, "c", 100), true)]
#[case::v5_no_expiry(lasting(V5, "c", 0), lasting(V5, "c", 100), false)]
#[case::v5_clean_start(lasting(V5, "c", 100), Connect { clean_start: true, ..lasting(V5, "c", 100) }, false)]
#[case::v5_began_clean(Connect { clean_start: true, ..lasting(V5, "c", 100) }, lasting(V5, "c", 100), true)]
#[case::v3_then_v5(lasting(V3, "c", u32::MAX), lasting(V5, "c", 0), true)]
#[case::v5_then_v3(lasting(V5, "c", 100), lasting(V3, "c", u32::MAX), true)]
#[case::someone_else(lasting(V5, "c", 100), lasting(V5, "d", 100), false)]
fn session_present_says_whether_a_session_was_kept(
    #[case] first: Connect,
    #[case] second: Connect,
    #[case] expected: bool,
    #[values(false, true)] in_order: bool,
) {
    let mut world = World::new();
    let (client, connack) = world.connect_and_ack(first);
    assert!(!connack.session_present);
    if in_order {
        world.send(client, disconnect(ReasonCode::SUCCESS))
    } else {
        world.cut(client)
    }
    world.advance(secs(50));
    assert_eq!(world.connect_and_ack(second).1.session_present, expected);
}

#[rstest]
#[case::in_time(99_999, true)]
#[case::too_late(100_000, false)]
fn a_session_ends_when_its_expiry_interval_has_passed_since_the_close(#[case] millis: u64, #[case] present: bool) {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 100));
    // Nothing counts while the connection is open [MQTT-4.1.0-1].
    world.advance(secs(500));
    world.cut(client);
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(100), Timer::SessionExpiry)));
    world.advance(std::time::Duration::from_millis(millis));
    assert_eq!(world.connect_and_ack(lasting(V5, "c", 100)).1.session_present, present);
    assert_eq!(world.broker.poll_timeout(), None);
}

#[test]
fn after_a_keep_alive_timeout_the_expiry_counts_from_the_brokers_close() {
    let mut world = World::new();
    world.connect(Connect { keep_alive: 10, ..lasting(V5, "c", 100) });
    world.advance_to_just_before(secs(115));
    assert_eq!(world.broker.session_count(), 1);
    world.advance(std::time::Duration::from_millis(1));
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
#[case::v3(lasting(V3, "c", u32::MAX))]
#[case::v5(lasting(V5, "c", u32::MAX))]
fn some_sessions_never_end(#[case] connect: Connect) {
    let mut world = World::new();
    let client = world.connect(connect.clone());
    world.cut(client);
    assert_eq!(world.broker.poll_timeout(), None);
    world.advance(secs(200 * 365 * 24 * 3600));
    assert!(world.connect_and_ack(connect).1.session_present);
}

#[rstest]
#[case::unchanged(None, 100)]
#[case::shorter(Some(10), 10)]
#[case::longer(Some(1000), 1000)]
#[case::none(Some(0), 0)]
fn disconnect_may_change_the_expiry(#[case] session_expiry: Option<u32>, #[case] lasts: u64) {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 100));
    world.send(client, Packet::Disconnect(Disconnect { session_expiry, ..Disconnect::default() }));
    if lasts > 0 {
        world.advance_to_just_before(secs(lasts));
        assert_eq!(world.broker.session_count(), 1);
        world.advance(std::time::Duration::from_millis(1));
    }
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
fn messages_wait_for_a_client_that_is_away(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let client = world.connect(lasting(version, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    world.cut(client);
    let publisher = world.client(version, "publisher");
    world.send(publisher, Packet::from(message("t", "not kept")));
    world.send(publisher, Packet::from(with_qos(message("t", "one"), QoS::AtLeastOnce, 1)));
    world.send(publisher, Packet::from(with_qos(message("t", "two"), QoS::ExactlyOnce, 2)));
    let state = world.broker.client("c").expect("a session");
    assert_eq!((state.connected, state.queued, state.in_flight), (false, 2, 0));

    let client = world.connect(lasting(version, "c", 1000));
    let one = Packet::from(with_qos(message("t", "one"), QoS::AtLeastOnce, 1));
    let two = Packet::from(with_qos(message("t", "two"), QoS::ExactlyOnce, 2));
    assert_eq!(world.received(client), [one, two]);
    let state = world.broker.client("c").expect("a session");
    assert_eq!((state.connected, state.queued, state.in_flight), (true, 0, 2));
    let other = world.broker.client("publisher").expect("a session");
    assert_eq!((other.queued, other.in_flight), (0, 0));
}

#[test]
fn a_new_session_has_nothing_of_the_old_one() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::ExactlyOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "old"), QoS::AtLeastOnce, 1)));

    let client = world.connect(Connect { clean_start: true, ..lasting(V5, "c", 1000) });
    world.send(publisher, Packet::from(with_qos(message("t", "new"), QoS::AtLeastOnce, 1)));
    assert_eq!(world.received(client), []);
}

#[test]
fn a_full_queue_drops_what_comes_new() {
    let mut world = World::with(Config { queue_messages: 2, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    for payload in ["1", "2", "3"] {
        world.send(publisher, Packet::from(with_qos(message("t", payload), QoS::AtLeastOnce, 1)));
    }
    let client = world.connect(lasting(V5, "c", 1000));
    assert_eq!(world.messages(client), ["t 1", "t 2"]);
}

#[test]
fn a_queue_is_bounded_in_bytes_too_but_one_message_always_fits() {
    let mut world = World::with(Config { queue_bytes: 10, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    for payload in ["longer than ten bytes", "2"] {
        world.send(publisher, Packet::from(with_qos(message("t", payload), QoS::AtLeastOnce, 1)));
    }
    let client = world.connect(lasting(V5, "c", 1000));
    assert_eq!(world.messages(client), ["t longer than ten bytes"]);
}

#[rstest]
#[case::fresh(0, Some(10))]
#[case::part_of_a_second(1_999, Some(9))]
#[case::last_millisecond(9_999, Some(1))]
#[case::expired(10_000, None)]
fn a_message_that_waits_grows_older(#[case] waits: u64, #[case] left: Option<u32>) {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    let expiring = Publish { message_expiry: Some(10), ..with_qos(message("t", "x"), QoS::AtLeastOnce, 1) };
    world.send(publisher, Packet::from(expiring.clone()));
    world.advance(std::time::Duration::from_millis(waits));
    let client = world.connect(lasting(V5, "c", 1000));
    let expected = left.map(|left| Packet::from(Publish { message_expiry: Some(left), ..expiring }));
    assert_eq!(world.received(client), Vec::from_iter(expected));
}

#[test]
fn a_message_that_was_sent_before_is_sent_again_even_if_it_has_expired_meanwhile() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("#", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    let expiring = Publish { message_expiry: Some(10), ..with_qos(message("t", "x"), QoS::AtLeastOnce, 1) };
    world.send(publisher, Packet::from(expiring.clone()));
    world.cut(client);
    for (waits, left) in [(4, 6), (20, 0)] {
        world.advance(secs(waits));
        let client = world.connect(lasting(V5, "c", 1000));
        let again = Publish { dup: true, message_expiry: Some(left), ..expiring.clone() };
        assert_eq!(world.received(client), [Packet::from(again)]);
        world.cut(client);
    }
}

#[rstest]
#[case::that_it_ends_with_the_connection(0, true)]
#[case::that_it_lasts_for_a_second(1, false)]
fn who_has_no_expiry_may_say_in_disconnect(#[case] session_expiry: u32, #[case] allowed: bool) {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world
        .send(client, Packet::Disconnect(Disconnect { session_expiry: Some(session_expiry), ..Disconnect::default() }));
    assert_eq!(world.received(client), if allowed { vec![] } else { vec![disconnect(ReasonCode::PROTOCOL_ERROR)] });
    assert_eq!(world.broker.session_count(), 0);
}

#[rstest]
#[case::as_long_as_allowed(Some(60), 60, None)]
#[case::longer(Some(61), 60, Some(60))]
#[case::none(None, 60, None)]
#[case::none_where_none_is_allowed(None, 0, None)]
fn an_expiry_that_is_too_long_is_cut_and_the_client_told(
    #[case] asked: Option<u32>,
    #[case] maximum_session_expiry: u32,
    #[case] told: Option<u32>,
) {
    let mut world = World::with(Config { maximum_session_expiry, ..Config::default() });
    let (client, connack) = world.connect_and_ack(Connect { session_expiry: asked, ..Connect::new(V5, "c") });
    assert_eq!(connack.session_expiry, told);
    world.cut(client);
    let ends =
        told.or(asked).map(|secs| (world.now + std::time::Duration::from_secs(secs.into()), Timer::SessionExpiry));
    assert_eq!(world.broker.poll_timeout(), ends);
}

#[test]
fn a_session_that_ends_takes_its_subscriptions_and_its_will_s_clock_along() {
    let mut world = World::with(Config { sys_interval: secs(10), ..Config::default() });
    let will = Will { delay: Some(1000), ..will() };
    let client = world.connect(Connect { will: Some(will.into()), ..lasting(V5, "c", 5) });
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    world.cut(client);
    world.advance(secs(5));
    assert_eq!(world.broker.session_count(), 0);
    assert_eq!(world.broker.poll_timeout(), None);

    // Statistics count what is subscribed to.
    world.broker.handle_start(world.now);
    let watcher = world.client(V5, "watcher");
    let packets = world.subscribe(watcher, Subscription::new("$SYS/broker/subscriptions/count", QoS::AtMostOnce));
    assert_eq!(packets.len(), 1);
    assert!(matches!(&packets[0], Packet::Publish(publish) if publish.payload == "0"), "{packets:?}");
}

#[test]
fn subscriptions_outlive_the_connection_and_end_with_the_session() {
    let mut world = World::new();
    let client = world.connect(lasting(V5, "c", 10));
    world.subscribe(client, Subscription::new("t", QoS::AtMostOnce));
    world.cut(client);
    let client = world.connect(lasting(V5, "c", 10));
    let publisher = world.client(V5, "publisher");
    world.send(publisher, Packet::from(message("t", "kept")));
    assert_eq!(world.messages(client), ["t kept"]);
    world.cut(client);
    world.advance(secs(10));
    let client = world.connect(lasting(V5, "c", 10));
    world.send(publisher, Packet::from(message("t", "gone")));
    assert_eq!(world.received(client), []);
}

#[test]
fn what_has_expired_makes_room_in_a_full_queue() {
    let mut world = World::with(Config { queue_messages: 2, ..Config::default() });
    let client = world.connect(lasting(V5, "c", 1000));
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    world.cut(client);
    let publisher = world.client(V5, "publisher");
    for (payload, message_expiry) in [("1", None), ("2", Some(5)), ("3", None), ("4", None)] {
        let publish = Publish { message_expiry, ..message("t", payload) };
        world.send(publisher, Packet::from(with_qos(publish, QoS::AtLeastOnce, 1)));
        world.advance(secs(5));
    }
    let client = world.connect(lasting(V5, "c", 1000));
    assert_eq!(world.messages(client), ["t 1", "t 3"]);
}

#[test]
fn a_message_that_expires_at_once_reaches_who_is_there() {
    let mut world = World::new();
    let client = world.watcher(V5, "t", QoS::AtLeastOnce);
    let publisher = world.client(V5, "publisher");
    let publish = Publish { message_expiry: Some(0), ..message("t", "x") };
    world.send(publisher, Packet::from(with_qos(publish, QoS::AtLeastOnce, 1)));
    assert_eq!(world.messages(client), ["t x"]);
}

#[test]
fn a_message_with_5_0_properties_goes_to_a_3_1_1_client_without_them() {
    let mut world = World::new();
    let client = world.client(V3, "c");
    world.subscribe(client, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(V5, "publisher");
    let rich = Publish {
        content_type: Some("text/plain".into()),
        message_expiry: Some(7),
        user_properties: vec![("a".into(), "b".into())],
        ..with_qos(message("t", "x"), QoS::AtLeastOnce, 9)
    };
    world.send(publisher, Packet::from(rich));
    assert_eq!(world.received(publisher), [Packet::PubAck(ack(9))]);
    assert_eq!(world.received(client), [Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 1))]);
}
