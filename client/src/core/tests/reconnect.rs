use std::time::Duration;

use halfopen_protocol::packet::ConnAck;
use halfopen_protocol::{Instant, ReasonCode, Version};
use proptest::prelude::*;
use rstest::rstest;

use super::bench::{Bench, options};
use crate::core::backoff::Backoff;
use crate::core::{DisconnectReason, Event, Output, Reconnect, Timer, Transport};

const V3: Version = Version::V3_1_1;

fn reconnect(jitter: f64) -> Reconnect {
    Reconnect { jitter, ..Reconnect::default() }
}

fn pauses(settings: Reconnect, seed: u64, count: usize) -> Vec<u128> {
    let mut backoff = Backoff::new(settings, seed);
    (0..count).map(|_| backoff.next(Instant::ZERO).since_origin().as_millis()).collect()
}

fn reconnecting(jitter: f64) -> Bench {
    let mut options = options(V3, 60);
    options.reconnect = Some(Box::new(reconnect(jitter)));
    Bench::new(options)
}

impl Bench {
    fn refuse_transport(&mut self) -> Option<Instant> {
        self.client.handle_connect_failed(self.now, "connection refused".into());
        self.take().into_iter().find_map(|output| match output {
            Output::Event(Event::Disconnected { retry_at, .. }) => retry_at,
            _ => None,
        })
    }
}

#[rstest]
#[case::doubled_up_to_the_longest(reconnect(0.0), &[1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])]
#[case::constant(Reconnect { factor: 1.0, ..reconnect(0.0) }, &[1000, 1000, 1000])]
#[case::never_shorter(Reconnect { factor: 0.5, ..reconnect(0.0) }, &[1000, 1000, 1000])]
#[case::no_number(Reconnect { factor: f64::NAN, jitter: f64::NAN, ..reconnect(0.0) }, &[0])]
#[case::first_above_the_longest(Reconnect { min: Duration::from_secs(60), ..reconnect(0.0) }, &[30_000, 30_000])]
fn pauses_grow_to_the_longest(#[case] settings: Reconnect, #[case] expected: &[u128]) {
    assert_eq!(pauses(settings, 7, expected.len()), expected);
}

#[rstest]
#[case(0, &[1209, 1932, 4797, 4481, 22_066, 31_486, 39_870])]
#[case(7, &[658, 1336, 4817, 9814, 17_620, 25_781, 17_492])]
fn pauses_are_the_same_for_the_same_seed(#[case] seed: u64, #[case] expected: &[u128]) {
    assert_eq!(pauses(reconnect(0.5), seed, 7), expected);
}

proptest! {
    #[test]
    fn a_pause_differs_from_its_base_by_no_more_than_the_jitter(
        seed: u64, min in 0_u64..100_000, max in 0_u64..100_000, factor in 0.0..10.0_f64, jitter in 0.0..=1.0_f64,
    ) {
        let settings = Reconnect {
            min: Duration::from_millis(min), max: Duration::from_millis(max), factor, jitter, ..Reconnect::default()
        };
        let exact = Reconnect { jitter: 0.0, ..settings };
        for (pause, base) in pauses(settings, seed, 20).into_iter().zip(pauses(exact, seed, 20)) {
            prop_assert!(base <= u128::from(max));
            let (pause, base) = (pause as f64, base as f64);
            prop_assert!((pause - base).abs() <= (base + 1.0) * jitter + 1.0, "{pause} for {base}");
        }
    }
}

#[test]
fn failed_attempts_are_repeated_after_growing_pauses_from_the_very_first() {
    let mut bench = reconnecting(0.0);
    bench.client.connect(bench.now);
    for pause in [1, 2, 4, 8, 16, 30, 30] {
        let retry_at = bench.now + Duration::from_secs(pause);
        assert_eq!(bench.refuse_transport(), Some(retry_at));
        assert_eq!(bench.wake(), Some((retry_at, Timer::Reconnect)));
        assert_eq!(bench.take(), [Output::Connect]);
    }
}

#[rstest]
#[case::stable(10.0, 1)]
#[case::thrown_out_again(9.999, 2)]
fn only_a_connection_that_lasts_starts_the_pauses_over(#[case] lasts: f64, #[case] pause: u64) {
    let mut bench = reconnecting(0.0);
    bench.client.connect(bench.now);
    bench.refuse_transport();
    bench.wake();
    // CONNACK takes its time, which is none of the connection's.
    bench.client.handle_connected(bench.now);
    bench.jump(bench.now + Duration::from_secs(3));
    bench.receive(halfopen_protocol::Packet::ConnAck(Default::default()));
    bench.take();
    bench.jump(bench.now + Duration::from_secs_f64(lasts));
    bench.client.handle_closed(bench.now, Transport::Eof);
    assert_eq!(bench.due(), Some((bench.now + Duration::from_secs(pause), Timer::Reconnect)));
}

#[test]
fn a_refusal_does_not_start_the_pauses_over() {
    let mut bench = reconnecting(0.0);
    bench.client.connect(bench.now);
    for pause in [1, 2, 4] {
        bench.accept(ConnAck { reason: ReasonCode::new(3), ..ConnAck::default() });
        assert_eq!(bench.due(), Some((bench.now + Duration::from_secs(pause), Timer::Reconnect)));
        bench.wake();
    }
}

#[test]
fn a_pause_is_ended_by_connect_and_by_close() {
    let mut bench = reconnecting(0.0);
    bench.client.connect(bench.now);
    bench.refuse_transport();
    bench.client.connect(bench.now);
    assert_eq!(bench.take(), [Output::Connect]);
    bench.refuse_transport();
    bench.client.close(bench.now);
    assert_eq!(bench.ended(), Some(DisconnectReason::Asked));
    assert!(bench.client.is_idle());
    assert_eq!(bench.due(), None);
}

#[rstest]
#[case::disconnect(true)]
#[case::close(false)]
fn who_asks_for_the_end_is_left_alone(#[case] disconnect: bool) {
    let mut bench = reconnecting(0.5);
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    if disconnect {
        bench.client.disconnect(bench.now, ReasonCode::SUCCESS);
    } else {
        bench.client.close(bench.now);
    }
    assert_eq!(bench.ended(), Some(DisconnectReason::Asked));
    assert_eq!(bench.due(), None);
}

#[test]
fn a_clean_start_is_clean_each_time() {
    let mut bench = reconnecting(0.0);
    bench.client.connect_with(bench.now, false);
    for _ in 0..2 {
        bench.client.handle_connected(bench.now);
        let sent = bench.sent();
        assert!(matches!(&sent[..], [halfopen_protocol::Packet::Connect(connect)] if !connect.clean_start), "{sent:?}");
        bench.client.handle_closed(bench.now, Transport::Reset);
        bench.wake();
    }
}
