//! When a will is published and when it is not (§3.1.2.5).

use std::time::Duration;

use halfopen_broker::core::{ConnectionId, Timer};
use halfopen_protocol::packet::{Connect, Disconnect, Publish, QoS, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, disconnect, lasting, message, secs, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
enum End {
    Cut,
    Silence,
    Violation,
    Malformed,
    Disconnect,
    DisconnectWithWill,
    DisconnectWithError,
    Takeover,
    Shutdown,
}

fn end(world: &mut World, sensor: ConnectionId, version: Version, end: End) {
    match end {
        End::Cut => world.cut(sensor),
        End::Silence => world.advance(secs(15)),
        End::Violation => world.send(sensor, Packet::from(Connect::new(version, "sensor"))),
        End::Malformed => world.send_bytes(sensor, &[0xF0, 0xFF, 0xFF, 0xFF, 0xFF]),
        End::Disconnect => world.send(sensor, disconnect(ReasonCode::SUCCESS)),
        End::DisconnectWithWill => world.send(sensor, disconnect(ReasonCode::DISCONNECT_WITH_WILL)),
        End::DisconnectWithError => world.send(sensor, disconnect(ReasonCode::UNSPECIFIED_ERROR)),
        End::Takeover => {
            world.client(version, "sensor");
        }
        End::Shutdown => {
            world.broker.handle_shutdown(world.now);
            world.drain();
        }
    }
}

#[rstest]
#[case::v3_crash(V3, End::Cut, true)]
#[case::v3_silence(V3, End::Silence, true)]
#[case::v3_violation(V3, End::Violation, true)]
#[case::v3_malformed(V3, End::Malformed, true)]
#[case::v3_disconnect(V3, End::Disconnect, false)]
#[case::v3_takeover(V3, End::Takeover, true)]
#[case::v5_crash(V5, End::Cut, true)]
#[case::v5_silence(V5, End::Silence, true)]
#[case::v5_violation(V5, End::Violation, true)]
#[case::v5_malformed(V5, End::Malformed, true)]
#[case::v5_disconnect(V5, End::Disconnect, false)]
#[case::v5_disconnect_with_will(V5, End::DisconnectWithWill, true)]
#[case::v5_disconnect_with_error(V5, End::DisconnectWithError, true)]
#[case::v5_takeover(V5, End::Takeover, true)]
fn the_way_a_connection_ends_decides_about_the_will(
    #[case] version: Version,
    #[case] how: End,
    #[case] published: bool,
    #[values(0, 100)] session_expiry: u32,
) {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let connect = lasting(version, "sensor", session_expiry);
    let sensor = world.connect(Connect { keep_alive: 10, will: Some(will().into()), ..connect });
    assert!(world.broker.client("sensor").is_some_and(|client| client.has_will));
    end(&mut world, sensor, version, how);
    assert_eq!(world.messages(watcher), if published { vec!["will gone"] } else { vec![] });
    // Whatever comes later, it is not published again [MQTT-3.1.2-10].
    world.advance(secs(1000));
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[test]
fn a_client_without_a_will_leaves_silently() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "#", QoS::AtMostOnce);
    let sensor = world.client(V3, "sensor");
    world.cut(sensor);
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[test]
fn the_will_follows_the_close_at_the_very_instant() {
    let mut world = World::new();
    let watcher = world.watcher(V3, "will", QoS::AtMostOnce);
    world.connect(Connect { keep_alive: 5, will: Some(will().into()), ..Connect::new(V3, "sensor") });
    world.advance_to_just_before(Duration::from_millis(7_500));
    assert_eq!(world.messages(watcher), Vec::<String>::new());
    world.advance(Duration::from_millis(1));
    assert_eq!(world.messages(watcher), ["will gone"]);
}

#[rstest]
#[case::delay_first(30, 100, 30)]
#[case::both_at_once(30, 30, 30)]
#[case::session_ends_first(100, 30, 30)]
#[case::session_ends_at_the_close(100, 0, 0)]
#[case::session_never_ends(100, u32::MAX, 100)]
#[case::no_delay(0, 100, 0)]
fn a_delayed_will_waits_for_its_delay_or_the_end_of_the_session(
    #[case] delay: u32,
    #[case] session_expiry: u32,
    #[case] after: u64,
) {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let will = Will { delay: Some(delay), ..will() };
    let sensor = world.connect(Connect { will: Some(will.into()), ..lasting(V5, "sensor", session_expiry) });
    world.advance(secs(77));
    world.cut(sensor);
    if after > 0 {
        world.advance_to_just_before(secs(after));
        assert_eq!(world.messages(watcher), Vec::<String>::new());
        world.advance(Duration::from_millis(1));
    }
    assert_eq!(world.messages(watcher), ["will gone"]);
    world.advance(secs(1000));
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[test]
fn a_will_that_waits_is_a_timer_of_its_own() {
    let mut world = World::new();
    let will = Will { delay: Some(30), ..will() };
    let sensor = world.connect(Connect { will: Some(will.into()), ..lasting(V5, "sensor", 100) });
    world.cut(sensor);
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(30), Timer::WillDelay)));
    world.advance(secs(30));
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(70), Timer::SessionExpiry)));
    world.advance(secs(70));
    assert_eq!(world.broker.poll_timeout(), None);
    assert_eq!(world.broker.session_count(), 0);
}

#[test]
fn a_client_that_returns_to_its_session_in_time_takes_its_will_along() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let delayed = Will { delay: Some(30), ..will() };
    let sensor = world.connect(Connect { will: Some(delayed.into()), ..lasting(V5, "sensor", 100) });
    world.cut(sensor);
    world.advance_to_just_before(secs(30));
    // Nor does the clock of the old will set off the new one.
    world.connect(Connect { will: Some(will().into()), ..lasting(V5, "sensor", 100) });
    world.advance(secs(1000));
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[rstest]
#[case::resumed(false, vec![])]
#[case::clean(true, vec!["will gone"])]
fn at_a_takeover_a_delayed_will_is_published_only_if_the_session_ends(
    #[case] clean_start: bool,
    #[case] expected: Vec<&str>,
) {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let delayed = Will { delay: Some(30), ..will() };
    world.connect(Connect { will: Some(delayed.into()), ..lasting(V5, "sensor", 100) });
    world.connect(Connect { clean_start, ..lasting(V5, "sensor", 100) });
    world.advance(secs(1000));
    assert_eq!(world.messages(watcher), expected);
}

#[test]
fn the_will_of_a_resumed_session_is_that_of_the_new_connect() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "#", QoS::AtMostOnce);
    let first =
        world.connect(Connect { will: Some(Will { delay: Some(30), ..will() }.into()), ..lasting(V5, "sensor", 100) });
    world.cut(first);
    let new = Will { payload: "gone again".into(), ..will() };
    let second = world.connect(Connect { will: Some(new.into()), ..lasting(V5, "sensor", 100) });
    world.cut(second);
    world.advance(secs(1000));
    assert_eq!(world.messages(watcher), ["will gone again"]);
}

#[test]
fn a_disconnect_that_raises_the_session_expiry_from_0_is_none_and_the_will_is_published() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let sensor = world.connect(Connect { will: Some(will().into()), ..lasting(V5, "sensor", 0) });
    world.send(sensor, Packet::Disconnect(Disconnect { session_expiry: Some(10), ..Disconnect::default() }));
    assert_eq!(world.received(sensor), [disconnect(ReasonCode::PROTOCOL_ERROR)]);
    assert_eq!(world.messages(watcher), ["will gone"]);
}

#[rstest]
fn a_will_carries_its_qos_its_retain_flag_and_its_properties(#[values(false, true)] retain: bool) {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::ExactlyOnce);
    let properties = vec![("b".into(), "1".into()), ("a".into(), "2".into()), ("b".into(), "3".into())];
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain,
        message_expiry: Some(60),
        content_type: Some("text/plain".into()),
        payload_format: Some(true),
        response_topic: Some("answer".into()),
        correlation_data: Some("42".into()),
        user_properties: properties.clone(),
        ..will()
    };
    let sensor = world.connect(Connect { will: Some(will.into()), ..Connect::new(V5, "sensor") });
    // The interval of the message counts from its publication.
    world.advance(secs(500));
    world.cut(sensor);
    let expected = with_qos(
        Publish {
            message_expiry: Some(60),
            content_type: Some("text/plain".into()),
            payload_format: Some(true),
            response_topic: Some("answer".into()),
            correlation_data: Some("42".into()),
            user_properties: properties,
            ..message("will", "gone")
        },
        QoS::AtLeastOnce,
        1,
    );
    assert_eq!(world.received(watcher), [Packet::from(expected)]);
    assert_eq!(world.broker.retained_count(), usize::from(retain));
}

#[test]
fn a_shutdown_tells_everybody_and_sends_no_wills_after_it() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "will", QoS::AtMostOnce);
    let old = world.client(V3, "old");
    let sensor =
        world.connect(Connect { will: Some(Will { retain: true, ..will() }.into()), ..Connect::new(V5, "sensor") });
    // One that leaves before the sensor, and one that leaves after it.
    let other = world.client(V5, "other");
    world.subscribe(other, Subscription::new("#", QoS::AtLeastOnce));
    end(&mut world, sensor, V5, End::Shutdown);
    assert_eq!(world.received(watcher), [disconnect(ReasonCode::SERVER_SHUTTING_DOWN)]);
    assert_eq!(world.received(other), [disconnect(ReasonCode::SERVER_SHUTTING_DOWN)]);
    assert_eq!(world.received(old), []);
    assert!(!world.is_open(old) && !world.is_open(watcher) && !world.is_open(sensor));
    assert_eq!(world.broker.connection_count(), 0);
    assert_eq!(world.broker.retained_count(), 1, "the will is there for who comes after a restart");
    let late = world.open();
    assert!(!world.is_open(late));
}

#[test]
fn a_connection_that_never_said_connect_has_no_will() {
    let mut world = World::new();
    let watcher = world.watcher(V5, "#", QoS::AtMostOnce);
    let peer = world.open();
    world.advance(secs(10));
    assert!(!world.is_open(peer));
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[test]
fn a_client_does_not_get_its_own_will_after_it_is_gone() {
    let mut world = World::new();
    let sensor = world.connect(Connect { will: Some(will().into()), ..Connect::new(V5, "sensor") });
    world.subscribe(sensor, Subscription::new("will", QoS::AtMostOnce));
    world.cut(sensor);
    assert_eq!(world.received(sensor), []);
}
