//! Silence: [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0), and the time that CONNECT may take (§3.1.4).

use std::time::Duration;

use halfopen_broker::Config;
use halfopen_broker::core::{CloseReason, Timer};
use halfopen_protocol::packet::{Connect, QoS, Subscription};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, disconnect, message, secs, subscribe, unsubscribe, with_qos};

fn with_keep_alive(version: Version, keep_alive: u16) -> Connect {
    Connect { keep_alive, ..Connect::new(version, "sensor") }
}

#[rstest]
fn a_silent_client_is_closed_at_one_and_a_half_times_its_keep_alive_to_the_millisecond(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values((1, 1_500), (2, 3_000), (3, 4_500), (5, 7_500), (60, 90_000), (65_535, 98_302_500))] (keep_alive, millis): (u16, u64),
) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, keep_alive));
    let at = world.now;
    let due = at + Duration::from_millis(millis);
    assert_eq!(world.broker.poll_timeout(), Some((due, Timer::KeepAlive)));

    world.advance_to_just_before(Duration::from_millis(millis));
    assert!(world.is_open(sensor));
    assert_eq!(world.received(sensor), []);

    world.advance(Duration::from_millis(1));
    assert_eq!(world.closed(sensor), Some((due, CloseReason::KeepAlive { since: PacketType::Connect, at, due })));
    let expected = if version.is_v5() { vec![disconnect(ReasonCode::KEEP_ALIVE_TIMEOUT)] } else { vec![] };
    assert_eq!(world.received(sensor), expected);
    assert_eq!(world.broker.client("sensor"), None);
}

#[rstest]
fn keep_alive_0_waits_for_ever(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 0));
    assert_eq!(world.broker.poll_timeout(), None);
    world.advance(secs(10 * 365 * 24 * 3600));
    assert!(world.is_open(sensor));
}

#[rstest]
fn every_kind_of_packet_from_the_client_counts(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(
        Packet::PingReq,
        Packet::from(message("t", "0")),
        Packet::from(with_qos(message("t", "1"), QoS::AtLeastOnce, 1)),
        Packet::from(with_qos(message("t", "2"), QoS::ExactlyOnce, 1)),
        Packet::PubAck(ack(7)),
        Packet::PubRec(ack(7)),
        Packet::PubRel(ack(7)),
        Packet::PubComp(ack(7)),
        subscribe(Subscription::new("t", QoS::AtMostOnce)),
        unsubscribe("t")
    )]
    packet: Packet,
) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    world.advance(secs(6));
    let at = world.now;
    world.send(sensor, packet.clone());
    world.advance_to_just_before(Duration::from_millis(7_500));
    assert!(world.is_open(sensor));
    world.advance(Duration::from_millis(1));
    let due = at + Duration::from_millis(7_500);
    let reason = CloseReason::KeepAlive { since: packet.packet_type(), at, due };
    assert_eq!(world.closed(sensor), Some((due, reason)));
}

#[rstest]
fn a_packet_at_the_very_instant_of_the_deadline_is_in_time(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    world.now += Duration::from_millis(7_500);
    world.send(sensor, Packet::PingReq);
    world.advance_to_just_before(Duration::from_millis(7_500));
    assert!(world.is_open(sensor));
    world.advance(Duration::from_millis(1));
    assert!(!world.is_open(sensor));
}

#[rstest]
fn what_the_broker_sends_does_not_count(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    world.subscribe(sensor, Subscription::new("t", QoS::AtMostOnce));
    let at = world.now;
    let publisher = world.client(version, "publisher");
    for _ in 0..7 {
        world.advance(secs(1));
        world.send(publisher, Packet::from(message("t", "tick")));
    }
    world.advance(secs(1));
    assert_eq!(world.messages(sensor).len(), 7);
    assert_eq!(world.closed(sensor).map(|(closed, _)| closed), Some(at + Duration::from_millis(7_500)));
}

#[rstest]
fn a_part_of_a_packet_does_not_count_until_it_is_whole(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    let half_sent = world.connect(Connect { keep_alive: 5, ..Connect::new(version, "completes") });
    let connected = world.now;
    world.advance(secs(4));
    world.send_bytes(sensor, &[0xC0]);
    world.send_bytes(half_sent, &[0xC0]);
    world.advance(secs(2));
    world.send_bytes(half_sent, &[0x00]);
    let whole = world.now;
    world.advance(secs(20));
    let timeout = Duration::from_millis(7_500);
    assert_eq!(world.closed(sensor).map(|(at, _)| at), Some(connected + timeout));
    assert_eq!(world.closed(half_sent).map(|(at, _)| at), Some(whole + timeout));
}

#[test]
fn the_server_keep_alive_replaces_that_of_a_5_0_client_and_is_announced() {
    let mut world = World::with(Config { server_keep_alive: Some(10), ..Config::default() });
    let (sensor, connack) = world.connect_and_ack(with_keep_alive(Version::V5_0, 60));
    assert_eq!(connack.server_keep_alive, Some(10));
    world.advance_to_just_before(secs(15));
    assert!(world.is_open(sensor));
    world.advance(Duration::from_millis(1));
    assert!(!world.is_open(sensor));
}

#[test]
fn a_server_keep_alive_of_0_switches_the_watch_off() {
    let mut world = World::with(Config { server_keep_alive: Some(0), ..Config::default() });
    let (sensor, connack) = world.connect_and_ack(with_keep_alive(Version::V5_0, 60));
    assert_eq!(connack.server_keep_alive, Some(0));
    world.advance(secs(100_000));
    assert!(world.is_open(sensor));
}

#[test]
fn a_3_1_1_client_keeps_its_own_keep_alive_since_it_cannot_be_told() {
    let mut world = World::with(Config { server_keep_alive: Some(10), ..Config::default() });
    let sensor = world.connect(with_keep_alive(Version::V3_1_1, 60));
    world.advance_to_just_before(secs(90));
    assert!(world.is_open(sensor));
}

#[rstest]
#[case::too_short(5, Some(10))]
#[case::just_long_enough(10, None)]
#[case::just_short_enough(60, None)]
#[case::too_long(61, Some(60))]
#[case::none_at_all(0, Some(60))]
fn a_5_0_client_is_told_a_keep_alive_within_the_limits(#[case] own: u16, #[case] told: Option<u16>) {
    let config = Config { min_keep_alive: Some(10), max_keep_alive: Some(60), ..Config::default() };
    let mut world = World::with(config);
    let (sensor, connack) = world.connect_and_ack(with_keep_alive(Version::V5_0, own));
    assert_eq!(connack.server_keep_alive, told);
    world.advance_to_just_before(secs(told.unwrap_or(own).into()) * 3 / 2);
    assert!(world.is_open(sensor));
    world.advance(Duration::from_millis(1));
    assert!(!world.is_open(sensor));
}

#[rstest]
#[case::the_longest_is_not_none(Config { max_keep_alive: Some(65_535), ..Config::default() }, 0, Some(65_535))]
#[case::the_longest_is_long_enough(Config { min_keep_alive: Some(65_535), ..Config::default() }, 65_534, Some(65_535))]
#[case::none_is_not_short(Config { min_keep_alive: Some(10), ..Config::default() }, 0, None)]
#[case::none_is_the_longest(Config { max_keep_alive: Some(0), ..Config::default() }, 60, None)]
#[case::all_are_to_have_none(Config { min_keep_alive: Some(0), ..Config::default() }, 60, Some(0))]
#[case::the_longest_wins(
    Config { min_keep_alive: Some(60), max_keep_alive: Some(10), ..Config::default() }, 30, Some(10)
)]
#[case::the_server_keep_alive_wins(
    Config { server_keep_alive: Some(99), max_keep_alive: Some(10), ..Config::default() }, 30, Some(99)
)]
fn a_limit_of_the_keep_alive_may_be_0_or_contradict_another(
    #[case] config: Config,
    #[case] own: u16,
    #[case] told: Option<u16>,
) {
    let (_, connack) = World::with(config).connect_and_ack(with_keep_alive(Version::V5_0, own));
    assert_eq!(connack.server_keep_alive, told);
}

#[test]
fn a_3_1_1_client_keeps_its_own_keep_alive_whatever_the_limits() {
    let config = Config { min_keep_alive: Some(50), max_keep_alive: Some(50), ..Config::default() };
    let mut world = World::with(config);
    let short = world.connect(Connect { client_id: "a".into(), ..with_keep_alive(Version::V3_1_1, 10) });
    let long = world.connect(Connect { client_id: "b".into(), ..with_keep_alive(Version::V3_1_1, 100) });
    world.advance(secs(15));
    assert!(!world.is_open(short));
    world.advance_to_just_before(secs(135));
    assert!(world.is_open(long));
}

#[test]
fn without_a_server_keep_alive_none_is_announced() {
    let (_, connack) = World::new().connect_and_ack(with_keep_alive(Version::V5_0, 60));
    assert_eq!(connack.server_keep_alive, None);
}

#[test]
fn a_connection_without_connect_is_closed_without_a_word() {
    let mut world = World::new();
    let opened = world.now;
    let peer = world.open();
    let due = opened + secs(10);
    assert_eq!(world.broker.poll_timeout(), Some((due, Timer::Connect)));
    // Bytes that are no CONNECT yet do not help.
    world.advance(secs(9));
    world.send_bytes(peer, &[0x10]);
    world.advance(secs(1));
    assert_eq!(world.closed(peer), Some((due, CloseReason::NoConnect { opened, due })));
    assert_eq!(world.received(peer), []);
}

#[test]
fn the_connect_time_ends_with_connect() {
    let mut world = World::new();
    let peer = world.open();
    world.advance_to_just_before(secs(10));
    world.send(peer, Packet::from(Connect::new(Version::V5_0, "late")));
    world.advance(secs(100));
    assert!(world.is_open(peer));
}

#[rstest]
fn silence_counts_from_connect_and_not_from_the_opening(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.open();
    world.advance(secs(4));
    world.send(sensor, Packet::from(with_keep_alive(version, 5)));
    let due = world.now + Duration::from_millis(7_500);
    assert_eq!(world.broker.poll_timeout(), Some((due, Timer::KeepAlive)));
}

#[test]
fn the_next_deadline_is_the_earliest_of_thousands() {
    let mut world = World::new();
    for number in 0..2_000_u16 {
        let client_id = format!("client {number}");
        let keep_alive = 10_000 - number;
        world.connect(Connect { keep_alive, ..Connect::new(Version::V5_0, client_id) });
    }
    let earliest = world.now + Duration::from_millis((10_000 - 1_999) * 1_500);
    assert_eq!(world.broker.poll_timeout(), Some((earliest, Timer::KeepAlive)));
    world.advance(Duration::from_millis(10_000 * 1_500));
    assert_eq!(world.broker.connection_count(), 0);
    assert_eq!(world.broker.poll_timeout(), None);
}

#[rstest]
fn the_deadline_goes_with_the_connection(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    world.advance(secs(1));
    world.cut(sensor);
    assert_eq!(world.broker.poll_timeout(), None);

    let silent = world.open();
    world.cut(silent);
    assert_eq!(world.broker.poll_timeout(), None);
}

#[rstest]
fn each_packet_moves_the_one_deadline(#[values(Version::V3_1_1, Version::V5_0)] version: Version) {
    let mut world = World::new();
    let sensor = world.connect(with_keep_alive(version, 5));
    for _ in 0..3 {
        world.advance(secs(4));
        world.send(sensor, Packet::PingReq);
        let due = world.now + Duration::from_millis(7_500);
        assert_eq!(world.broker.poll_timeout(), Some((due, Timer::KeepAlive)));
    }
    world.cut(sensor);
    assert_eq!(world.broker.poll_timeout(), None);
}

#[test]
fn all_that_fall_silent_at_one_instant_are_closed_at_it() {
    let mut world = World::new();
    let silent: Vec<_> = (0..5_u8)
        .map(|number| Connect { session_expiry: Some(100), ..Connect::new(Version::V5_0, format!("c{number}")) })
        .map(|connect| world.connect(Connect { keep_alive: 5, ..connect }))
        .collect();
    let began = world.now;
    let due = began + Duration::from_millis(7_500);
    // Called back late, as by a busy driver: the deadline that is told is the one that passed.
    world.now = due + secs(1);
    world.broker.handle_timeout(world.now);
    world.drain();
    for connection in silent {
        let reason = CloseReason::KeepAlive { since: PacketType::Connect, at: began, due };
        assert_eq!(world.closed(connection), Some((world.now, reason)));
    }
    // What begins with the close begins when it was done.
    assert_eq!(world.broker.poll_timeout(), Some((world.now + secs(100), Timer::SessionExpiry)));
}
