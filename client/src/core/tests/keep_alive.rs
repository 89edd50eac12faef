use std::time::Duration;

use halfopen_protocol::packet::{ConnAck, QoS};
use halfopen_protocol::{Instant, Packet, PacketType, Version};
use rstest::rstest;

use super::bench::{Bench, incoming, options};
use crate::core::link::Link;
use crate::core::{DisconnectReason, Event, Options, Output, Timer};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn at(after_connect: f64) -> Instant {
    Instant::from_secs(100) + seconds(after_connect)
}

#[rstest]
#[case(1)]
#[case(2)]
#[case(3)]
#[case(5)]
#[case(60)]
#[case(65535)]
fn pingreq_goes_out_exactly_one_interval_after_the_last_packet_sent(
    #[case] interval: u16,
    #[values(V3, V5)] version: Version,
) {
    let mut bench = Bench::connected(options(version, interval));
    for round in 1..=3_u16 {
        assert_eq!(bench.wake(), Some((at(f64::from(interval) * f64::from(round)), Timer::KeepAlive)));
        assert_eq!(bench.sent_types(), [PacketType::PingReq]);
        bench.receive(Packet::PingResp);
    }
}

#[rstest]
fn keep_alive_zero_never_pings(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 0));
    assert_eq!(bench.due(), None);
    bench.publish(QoS::AtMostOnce, "1");
    assert_eq!(bench.due(), None);
}

#[rstest]
#[case::shorter(Some(5), Some(5.0))]
#[case::longer(Some(120), Some(120.0))]
#[case::off(Some(0), None)]
#[case::not_sent(None, Some(60.0))]
fn server_keep_alive_replaces_what_was_asked_for(#[case] server: Option<u16>, #[case] due: Option<f64>) {
    let connack = ConnAck { server_keep_alive: server, ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 60), connack);
    assert_eq!(bench.due(), due.map(|due| (at(due), Timer::KeepAlive)));
}

#[test]
fn interval_counts_from_connect_and_neither_from_the_attempt_nor_from_connack() {
    let mut bench = Bench::new(options(V3, 5));
    bench.client.connect(bench.now);
    bench.jump(at(1.0));
    bench.client.handle_connected(bench.now);
    bench.jump(at(3.0));
    bench.receive(Packet::ConnAck(Default::default()));
    assert_eq!(bench.due(), Some((at(6.0), Timer::KeepAlive)));
}

#[test]
fn connack_is_the_first_sign_of_life() {
    let mut bench = Bench::new(options(V3, 10));
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.jump(at(4.0));
    bench.receive(Packet::ConnAck(Default::default()));
    bench.jump(at(13.0));
    bench.publish(QoS::AtMostOnce, "1");
    assert_eq!(bench.due(), Some((at(19.0), Timer::KeepAlive)));
}

#[test]
fn a_client_that_is_called_back_late_tells_when_the_time_was_over() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.wake();
    bench.jump(at(18.0));
    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.ended(), Some(DisconnectReason::NoPingresp { at: at(10.0), due: at(15.0) }));

    let mut bench = Bench::new(options(V3, 10));
    bench.client.connect(bench.now);
    bench.jump(at(18.0));
    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.ended(), Some(DisconnectReason::NoConnack { at: at(0.0), due: at(10.0) }));
}

#[test]
fn interval_that_ended_before_connack_is_due_at_once() {
    let mut bench = Bench::new(options(V3, 5));
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.jump(at(6.0));
    bench.receive(Packet::ConnAck(Default::default()));
    assert_eq!(bench.client.poll_timeout(), Some((at(5.0), Timer::KeepAlive)));
    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.sent_types().last(), Some(&PacketType::PingReq));
    assert_eq!(bench.due(), Some((at(8.5), Timer::PingResponse)));
}

#[rstest]
#[case::at_most_once(QoS::AtMostOnce)]
#[case::at_least_once(QoS::AtLeastOnce)]
fn what_is_sent_puts_pingreq_off(#[case] qos: QoS) {
    let mut bench = Bench::connected(options(V3, 10));
    bench.run(at(7.0));
    bench.publish(qos, "1");
    bench.receive(incoming(QoS::AtMostOnce, 0, "1"));
    assert_eq!(bench.due(), Some((at(17.0), Timer::KeepAlive)));
}

#[rstest]
fn a_client_that_only_sends_learns_within_two_intervals_that_nobody_is_there(#[values(V3, V5)] version: Version) {
    let mut bench = Bench::connected(options(version, 10));
    for second in 1..=20 {
        bench.run(at(f64::from(second)));
        bench.publish(QoS::AtMostOnce, "1");
    }
    assert_eq!(bench.ended(), Some(DisconnectReason::NoPingresp { at: at(15.0), due: at(20.0) }));
}

#[test]
fn what_is_received_does_not_put_pingreq_off() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.run(at(7.0));
    bench.receive(incoming(QoS::AtMostOnce, 0, "1"));
    assert_eq!(bench.due(), Some((at(10.0), Timer::KeepAlive)));
}

#[test]
fn an_acknowledgement_is_a_packet_sent() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.run(at(7.0));
    bench.receive(incoming(QoS::AtLeastOnce, 1, "1"));
    assert_eq!(bench.due(), Some((at(17.0), Timer::KeepAlive)));
}

#[rstest]
#[case::half_of_one_second(1, None, 1.5)]
#[case::half_of_three_seconds(3, None, 4.5)]
#[case::half_of_sixty_seconds(60, None, 90.0)]
#[case::half_of_the_longest(65535, None, 98_302.5)]
#[case::given(60, Some(2.0), 62.0)]
#[case::as_long_as_the_interval(5, Some(5.0), 10.0)]
fn closes_exactly_when_pingresp_is_late(
    #[case] interval: u16,
    #[case] ping_timeout: Option<f64>,
    #[case] due: f64,
    #[values(V3, V5)] version: Version,
) {
    let mut options = options(version, interval);
    options.ping_timeout = ping_timeout.map(seconds);
    let mut bench = Bench::connected(options);
    bench.wake();
    assert_eq!(bench.sent_types(), [PacketType::PingReq]);
    assert_eq!(bench.wake(), Some((at(due), Timer::PingResponse)));

    let reason = DisconnectReason::NoPingresp { at: at(interval.into()), due: at(due) };
    let expected = [
        Output::Event(Event::Closing(reason.clone())),
        Output::Close,
        Output::Event(Event::Disconnected { reason, retry_at: None }),
    ];
    assert_eq!(bench.take(), expected, "a bare close, no DISCONNECT");
    assert_eq!(bench.due(), None);
}

#[test]
fn pingresp_at_the_last_moment_is_in_time() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.wake();
    bench.jump(at(15.0));
    bench.receive(Packet::PingResp);
    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.ended(), None);
    assert_eq!(bench.due(), Some((at(20.0), Timer::KeepAlive)));
}

#[test]
fn bytes_are_a_sign_of_life_but_no_answer() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.wake();
    bench.jump(at(12.0));
    // The beginning of a large message: no packet yet.
    bench.client.handle_bytes(bench.now, &[0x30, 0x80, 0x80, 0x01]);
    assert_eq!(bench.due(), Some((at(17.0), Timer::PingResponse)));
    bench.wake();
    assert_eq!(bench.ended(), Some(DisconnectReason::NoPingresp { at: at(10.0), due: at(17.0) }));
}

#[test]
fn a_message_that_takes_long_to_write_puts_question_and_answer_off() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.jump(at(8.0));
    bench.client.handle_written(bench.now);
    assert_eq!(bench.wake(), Some((at(18.0), Timer::KeepAlive)));
    bench.jump(at(20.0));
    bench.client.handle_written(bench.now);
    assert_eq!(bench.due(), Some((at(25.0), Timer::PingResponse)));
}

#[test]
fn what_is_sent_meanwhile_does_not_put_off_the_close() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.wake();
    bench.run(at(13.0));
    bench.publish(QoS::AtLeastOnce, "1");
    assert_eq!(bench.due(), Some((at(15.0), Timer::PingResponse)));
}

#[test]
fn pingresp_that_was_not_asked_for_settles_no_later_question() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.run(at(1.0));
    bench.receive(Packet::PingResp);
    bench.receive(Packet::PingResp);
    bench.wake();
    assert_eq!(bench.due(), Some((at(15.0), Timer::PingResponse)));
}

#[test]
fn each_pingreq_wants_an_answer_of_its_own() {
    let mut options = options(V3, 10);
    options.ping_timeout = Some(seconds(25.0));
    let mut bench = Bench::connected(options);
    bench.run(at(20.0));
    assert_eq!(bench.sent_types(), [PacketType::PingReq; 2]);
    bench.run(at(21.0));
    bench.receive(Packet::PingResp);
    bench.run(at(45.999));
    assert_eq!(bench.ended(), None);
    bench.run(at(46.0));
    assert_eq!(bench.ended(), Some(DisconnectReason::NoPingresp { at: at(20.0), due: at(46.0) }));
}

#[test]
fn a_client_told_not_to_ping_falls_silent_and_waits_for_nothing() {
    let mut bench = Bench::connected(options(V3, 10));
    bench.wake();
    bench.take();
    bench.client.stop_pinging();
    assert_eq!(bench.due(), None);
    bench.jump(at(300.0));
    bench.client.resume_pinging(bench.now);
    assert_eq!(bench.client.poll_timeout(), Some((at(15.0), Timer::KeepAlive)));
    bench.client.handle_timeout(bench.now);
    assert_eq!(bench.sent_types(), [PacketType::PingReq]);
    assert_eq!(bench.due(), Some((at(305.0), Timer::PingResponse)));
}

#[test]
fn no_more_questions_are_remembered_than_fit() {
    let mut options = options(V3, 1);
    options.ping_timeout = Some(seconds(1000.0));
    let mut bench = Bench::connected(options);
    bench.run(at(70.0));
    assert_eq!(bench.sent_types(), [PacketType::PingReq; 70]);
    for _ in 0..63 {
        bench.receive(Packet::PingResp);
    }
    let Link::Up(up) = &bench.client.link else { panic!("it is connected") };
    assert_eq!(up.keep_alive.awaited().map(|awaited| awaited.at), Some(at(64.0)));
    bench.receive(Packet::PingResp);
    let Link::Up(up) = &bench.client.link else { panic!("it is connected") };
    assert_eq!(up.keep_alive.awaited(), None);
}

#[test]
fn room_for_more_messages_is_no_sign_of_life() {
    let mut bench = Bench::connected(Options { incoming_limit: Some(1), ..options(V3, 10) });
    bench.wake();
    bench.jump(at(12.0));
    bench.client.allow(bench.now, 1);
    assert_eq!(bench.due(), Some((at(15.0), Timer::PingResponse)));
}

#[test]
fn without_other_options_a_client_pings_once_a_minute() {
    let mut bench = Bench::connected(Options::new(V3, "c"));
    assert_eq!(bench.due(), Some((at(60.0), Timer::KeepAlive)));
}
