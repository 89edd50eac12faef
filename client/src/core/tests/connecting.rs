use std::time::Duration;

use halfopen_protocol::packet::{ConnAck, Connect, Disconnect, QoS};
use halfopen_protocol::{Instant, Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, options};
use crate::core::{DisconnectReason, Event, Output, Timer, Transport};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

// Shows 3.1.1 MQTT-3.1.0-1, 5.0 MQTT-3.1.0-1.
#[rstest]
fn the_transport_comes_first_then_connect_then_connack(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::new(options(version, 60));
    assert_eq!(bench.take(), []);
    bench.client.connect(bench.now);
    assert_eq!(bench.take(), [Output::Connect]);
    bench.client.handle_connected(bench.now);
    assert_eq!(bench.sent_types(), [PacketType::Connect]);
    bench.receive(Packet::ConnAck(Default::default()));
    assert_eq!(bench.events(), [Event::Connected(Default::default())]);
    assert!(bench.client.is_up());
}

#[test]
fn connect_does_nothing_while_an_attempt_is_under_way_or_a_connection_up() {
    let mut bench = Bench::new(options(V5, 60));
    bench.client.connect(bench.now);
    bench.take();
    bench.client.connect(bench.now);
    assert_eq!(bench.take(), []);
    bench.accept(ConnAck::default());
    bench.take();
    bench.client.connect(bench.now);
    assert_eq!(bench.take(), []);
}

#[rstest]
#[case::without_a_transport(false)]
#[case::without_connack(true)]
fn transport_and_connack_share_one_time_limit(#[case] has_transport: bool) {
    let mut bench = Bench::new(options(V3, 60));
    let began = bench.now;
    bench.client.connect(began);
    bench.jump(began + Duration::from_secs(4));
    if has_transport {
        bench.client.handle_connected(bench.now);
    }
    let due = began + Duration::from_secs(10);
    assert_eq!(bench.wake(), Some((due, Timer::Connect)));
    assert!(bench.take().contains(&Output::Close));
    assert!(bench.client.is_idle());
}

#[test]
fn a_late_connack_says_since_when() {
    let mut bench = Bench::new(options(V3, 60));
    let began = bench.now;
    bench.client.connect(began);
    bench.client.handle_connected(bench.now);
    bench.wake();
    let due = began + Duration::from_secs(10);
    assert_eq!(bench.ended(), Some(DisconnectReason::NoConnack { at: began, due }));
}

#[rstest]
#[case(V3, 5)]
#[case(V5, 0x87)]
fn a_refusal_closes_and_tells_the_code(#[case] version: Version, #[case] code: u8) {
    let mut bench = Bench::new(options(version, 60));
    bench.client.connect(bench.now);
    let connack = ConnAck { reason: ReasonCode::new(code), ..ConnAck::default() };
    bench.accept(connack.clone());
    let outputs = bench.take();
    assert!(outputs.contains(&Output::Close));
    let reason = DisconnectReason::Refused(connack.into());
    assert_eq!(outputs.last(), Some(&Output::Event(Event::Disconnected { reason, retry_at: None })));
}

// Shows 5.0 MQTT-3.2.2-4.
#[rstest]
#[case(V3, "MQTT-3.2.2-1")]
#[case(V5, "MQTT-3.2.2-2")]
fn session_present_after_a_clean_start_is_an_error(#[case] version: Version, #[case] expected: &str) {
    let mut bench = Bench::new(options(version, 60));
    bench.client.connect_with(bench.now, true);
    bench.accept(ConnAck { session_present: true, ..ConnAck::default() });
    let ended = bench.ended();
    assert!(matches!(ended, Some(DisconnectReason::Protocol { clause, .. }) if clause == expected), "{ended:?}");
}

#[test]
fn clean_start_can_be_overridden_until_the_next_connect() {
    let mut bench = Bench::new(options(V5, 60));
    let mut clean_starts = Vec::new();
    for clean_start in [Some(false), None, Some(true)] {
        match clean_start {
            Some(clean_start) => bench.client.connect_with(bench.now, clean_start),
            None => bench.client.connect(bench.now),
        }
        bench.client.handle_connected(bench.now);
        clean_starts.extend(bench.sent().into_iter().filter_map(|packet| match packet {
            Packet::Connect(connect) => Some(connect.clean_start),
            _ => None,
        }));
        bench.client.close(bench.now);
    }
    assert_eq!(clean_starts, [false, true, true]);
}

#[test]
fn an_assigned_name_is_used_from_then_on() {
    let mut options = options(V5, 60);
    options.connect.client_id = "".into();
    let mut bench =
        Bench::connected_with(options, ConnAck { assigned_client_id: Some("x1".into()), ..ConnAck::default() });
    bench.client.handle_closed(bench.now, Transport::Reset);
    bench.client.connect_with(bench.now, false);
    bench.client.handle_connected(bench.now);
    let sent = bench.sent();
    assert!(matches!(&sent[..], [Packet::Connect(connect)] if connect.client_id == "x1"), "{sent:?}");
}

// Shows 3.1.1 MQTT-3.14.4-1, 3.1.1 MQTT-3.14.4-2, 5.0 MQTT-3.14.4-1, 5.0 MQTT-3.14.4-2.
#[rstest]
fn disconnect_sends_the_packet_then_closes_and_stays_away(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 60));
    bench.client.disconnect(bench.now, ReasonCode::SUCCESS);
    let outputs = bench.take();
    let sending = Output::Event(Event::Sending(Packet::Disconnect(Disconnect::default())));
    assert_eq!(outputs.first(), Some(&sending));
    assert!(matches!(outputs[1], Output::Send(_)));
    let rest = [
        Output::Event(Event::Closing(DisconnectReason::Asked)),
        Output::Close,
        Output::Event(Event::Disconnected { reason: DisconnectReason::Asked, retry_at: None }),
    ];
    assert_eq!(outputs[2..], rest);
    assert_eq!(bench.due(), None);
}

#[rstest]
#[case(V5, &[PacketType::Disconnect])]
#[case(V3, &[])]
fn disconnect_that_keeps_the_will_exists_only_in_5_0(#[case] version: Version, #[case] expected: &[PacketType]) {
    let mut bench = Bench::connected(options(version, 60));
    bench.client.disconnect(bench.now, ReasonCode::DISCONNECT_WITH_WILL);
    assert_eq!(bench.sent_types(), expected);
    assert!(bench.client.is_idle());
}

#[test]
fn close_sends_nothing() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.client.close(bench.now);
    let outputs = bench.take();
    assert!(outputs.contains(&Output::Close) && !outputs.iter().any(|output| matches!(output, Output::Send(_))));
}

#[test]
fn a_server_disconnect_is_told_and_answered_with_a_close() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.receive(Packet::Disconnect(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN)));
    let outputs = bench.take();
    assert!(outputs.contains(&Output::Close));
    let reason = DisconnectReason::Server(Box::new(Disconnect::new(ReasonCode::SERVER_SHUTTING_DOWN)));
    assert_eq!(outputs.last(), Some(&Output::Event(Event::Disconnected { reason, retry_at: None })));
}

#[test]
fn what_comes_after_the_end_is_ignored() {
    let mut bench = Bench::connected(options(V5, 60));
    bench.client.close(bench.now);
    bench.take();
    bench.receive(Packet::PingResp);
    bench.client.handle_closed(bench.now, Transport::Eof);
    bench.client.handle_connected(bench.now);
    bench.client.handle_connect_failed(bench.now, "late".into());
    bench.client.handle_timeout(Instant::from_secs(1_000_000));
    assert_eq!(bench.take(), []);
}

#[test]
fn a_connect_packet_that_has_no_form_is_a_failure_that_is_not_repeated() {
    let mut options = options(V3, 60);
    options.connect.session_expiry = Some(1); // 3.1.1 has no properties.
    options.reconnect = Some(Box::default());
    let mut bench = Bench::new(options);
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    let outputs = bench.take();
    let [Output::Connect, Output::Close, Output::Event(Event::Disconnected { reason, retry_at: None })] = &*outputs
    else {
        panic!("{outputs:?}");
    };
    assert!(matches!(reason, DisconnectReason::ConnectFailed(_)), "{reason:?}");
    assert!(bench.client.is_idle());
}

#[test]
fn publishing_needs_no_connection_but_a_form() {
    let mut bench = Bench::new(options(V3, 60));
    let bad = super::bench::message(QoS::AtMostOnce, "1");
    let bad = halfopen_protocol::packet::Publish { topic: "a/+".into(), ..bad };
    assert!(bench.client.publish(bench.now, bad).is_err());
    bench.publish(QoS::AtMostOnce, "1");
}

#[test]
fn connect_as_changes_the_connect_packet_for_good_and_not_its_version() {
    let mut bench = Bench::new(options(V5, 60));
    bench.client.connect_with(bench.now, false);
    bench.client.close(bench.now);
    bench.take();
    let connect = Connect { keep_alive: 7, clean_start: true, ..Connect::new(V3, "other") };
    bench.client.connect_as(bench.now, connect);
    assert_eq!(bench.take(), [Output::Connect]);
    let expected = Connect { keep_alive: 7, clean_start: true, ..Connect::new(V5, "other") };
    for _ in 0..2 {
        bench.client.handle_connected(bench.now);
        assert_eq!(bench.sent(), [Packet::from(expected.clone())]);
        bench.client.handle_closed(bench.now, Transport::Reset);
        bench.client.connect(bench.now);
        bench.take();
    }
    bench.client.connect_as(bench.now, Connect::new(V5, "too late"));
    bench.client.handle_connected(bench.now);
    assert_eq!(bench.sent(), [Packet::from(expected)]);
}

#[rstest]
fn who_gives_up_before_there_is_a_transport_sends_nothing(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::new(options(version, 60));
    bench.client.connect(bench.now);
    bench.take();
    bench.client.disconnect(bench.now, ReasonCode::SUCCESS);
    let expected = [
        Output::Event(Event::Closing(DisconnectReason::Asked)),
        Output::Close,
        Output::Event(Event::Disconnected { reason: DisconnectReason::Asked, retry_at: None }),
    ];
    assert_eq!(bench.take(), expected);
}

#[test]
fn the_old_connection_is_closed_before_the_next_is_asked_for() {
    let mut bench = Bench::connected(options(V3, 60));
    assert!(!bench.client.is_idle());
    bench.client.close(bench.now);
    assert!(bench.client.is_idle());
    bench.client.connect(bench.now);
    let outputs = bench.take();
    let place = |wanted: &Output| outputs.iter().position(|output| output == wanted);
    assert!(place(&Output::Close) < place(&Output::Connect), "{outputs:?}");
}
