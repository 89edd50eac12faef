use bytes::Bytes;
use rstest::rstest;
use turmoil_net::{TcpFlags, Transport};

use super::*;
use crate::plan::NodeId;
use crate::sim::address::{PORT, address};

const SYN: TcpFlags = TcpFlags { syn: true, ack: false, fin: false, rst: false, psh: false, urg: false };
const ACK: TcpFlags = TcpFlags { syn: false, ack: true, fin: false, rst: false, psh: false, urg: false };
const GIVE_UP: Duration = Duration::from_secs(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn packet(flags: TcpFlags, seq: u32, payload: &'static str) -> Packet {
    let payload = Bytes::from_static(payload.as_bytes());
    let segment = TcpSegment { src_port: 50_000, dst_port: PORT, seq, ack: 0, flags, window: u16::MAX, payload };
    Packet { src: address(NodeId(1)), dst: address(NodeId(0)), ttl: 64, payload: Transport::Tcp(segment) }
}

fn data(seq: u32, payload: &'static str) -> Packet {
    packet(ACK, seq, payload)
}

/// A direction in which SYN, numbered 100, and three bytes have left at these times.
fn begun(syn: u64, bytes: u64) -> Flow {
    let mut flow = Flow::default();
    flow.sent(&packet(SYN, 100, ""), ms(syn), GIVE_UP);
    flow.sent(&data(101, "abc"), ms(bytes), GIVE_UP);
    flow
}

#[test]
fn stream_begins_with_what_takes_a_number() {
    let mut flow = Flow::default();
    flow.sent(&data(77, ""), ms(0), GIVE_UP);
    assert!(!flow.is_outstanding());
    assert_eq!((flow.failure_due(), flow.next_sequence()), (None, 0));
    flow.sent(&packet(SYN, 100, ""), ms(0), GIVE_UP);
    flow.sent(&data(101, "abc"), ms(0), GIVE_UP);
    assert_eq!(flow.next_sequence(), 104);
    assert_eq!(flow.bytes_up_to(segment(&data(101, "abc")).unwrap()), 3);
    assert_eq!(flow.bytes_up_to(segment(&data(104, "defg")).unwrap()), 7);
}

#[rstest]
#[case::nothing(&[], Some(11_000))]
#[case::a_part(&[(101, 4000)], Some(14_000))]
#[case::the_same_part_again(&[(101, 4000), (101, 5000)], Some(14_000))]
#[case::an_older_part(&[(102, 4000), (101, 5000)], Some(14_000))]
#[case::what_was_never_sent(&[(105, 4000)], Some(11_000))]
#[case::all(&[(104, 4000)], None)]
fn socket_fails_so_long_after_the_oldest_byte_or_the_last_progress(
    #[case] acks: &[(u32, u64)],
    #[case] due: Option<u64>,
) {
    let mut flow = begun(1000, 2000);
    for &(up_to, at) in acks {
        flow.acknowledged(up_to, ms(at));
    }
    assert_eq!(flow.failure_due(), due.map(ms));
}

#[test]
fn patience_is_that_of_the_time_at_which_waiting_began() {
    let mut flow = begun(1000, 2000);
    flow.acknowledged(104, ms(2010));
    flow.sent(&data(104, "d"), ms(5000), ms(300));
    flow.sent(&data(105, "e"), ms(5100), ms(900));
    assert_eq!(flow.failure_due(), Some(ms(5300)));
}

#[rstest]
#[case::syn(packet(SYN, 100, ""), 20, 1000)]
#[case::at_least(data(101, "abc"), 20, 200)]
#[case::three_round_trips(data(101, "abc"), 100, 300)]
#[case::at_most(data(101, "abc"), 60_000, 120_000)]
fn first_time_out(#[case] lost: Packet, #[case] round_trip: u64, #[case] expected: u64) {
    assert_eq!(Flow::default().lose(lost, ms(5000), ms(round_trip)), Some(ms(5000 + expected)));
}

#[test]
fn time_out_doubles_until_two_minutes_and_starts_again_with_progress() {
    let mut flow = begun(0, 0);
    let mut at = flow.lose(data(101, "abc"), ms(0), ms(20)).unwrap();
    let mut waits = vec![at];
    for _ in 0..11 {
        assert!(flow.begin_retry(at));
        let next = flow.retry_failed(at).unwrap();
        waits.push(next - at);
        at = next;
    }
    let seconds = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400, 120_000, 120_000];
    assert_eq!(waits, seconds.map(ms));
    assert!(flow.begin_retry(at));
    assert_eq!(flow.take_lost(true).len(), 1);
    flow.acknowledged(104, at);
    assert_eq!(flow.lose(data(104, "d"), at, ms(20)), Some(at + ms(200)));
}

#[test]
fn one_attempt_is_for_all_that_is_lost_and_only_at_its_time() {
    let mut flow = begun(0, 0);
    assert!(!flow.is_held_up());
    assert_eq!(flow.lose(data(101, "a"), ms(0), ms(20)), Some(ms(200)));
    assert_eq!(flow.lose(data(102, "bc"), ms(50), ms(20)), None);
    assert!(flow.is_held_up());
    assert!(!flow.begin_retry(ms(199)));
    assert!(flow.begin_retry(ms(200)));
    assert!(!flow.begin_retry(ms(200)), "it is made once");
    let again: Vec<u32> = flow.take_lost(true).iter().map(|packet| segment(packet).unwrap().seq).collect();
    assert_eq!(again, [101, 102]);
    assert!(!flow.has_losses() && !flow.is_held_up());
}

#[test]
fn attempt_for_nothing_is_none_and_doubles_nothing() {
    let mut flow = begun(0, 0);
    flow.lose(data(101, "a"), ms(0), ms(20));
    flow.take_lost(true);
    assert!(!flow.begin_retry(ms(200)));
    assert_eq!(flow.lose(data(101, "a"), ms(1000), ms(20)), Some(ms(1200)));
}

#[test]
fn bytes_do_not_wait_for_an_acknowledgement_that_was_lost_before() {
    let mut flow = begun(0, 0);
    assert_eq!(flow.lose_ack(data(104, ""), ms(0), ms(100)), Some(ms(300)));
    assert!(flow.begin_retry(ms(300)));
    assert_eq!(flow.retry_failed(ms(300)), Some(ms(900)));
    assert_eq!(flow.lose(data(104, "d"), ms(400), ms(20)), Some(ms(600)));
    assert_eq!(flow.take_lost(true).len(), 1, "they carry it themselves");
}

#[test]
fn acknowledgement_that_is_lost_after_bytes_follows_them_where_it_has_a_way() {
    let lost = || {
        let mut flow = begun(0, 0);
        flow.lose(data(101, "a"), ms(0), ms(20));
        flow.lose_ack(data(104, ""), ms(10), ms(20));
        flow.lose(data(102, "bc"), ms(20), ms(20));
        flow
    };
    assert_eq!(lost().take_lost(true).len(), 3);
    let mut flow = lost();
    assert_eq!(flow.take_lost(false).len(), 2);
    assert!(flow.has_losses() && !flow.is_held_up());
    let mut flow = lost();
    flow.drop_lost_ack();
    assert!(flow.begin_retry(ms(200)), "the bytes are still to be sent again");
    assert_eq!(flow.take_lost(true).len(), 2);
}

#[test]
fn acknowledgement_is_lost_since_it_first_was() {
    let mut flow = begun(0, 0);
    assert_eq!(flow.ack_lost_since(), None);
    flow.lose_ack(data(104, ""), ms(10), ms(20));
    flow.lose_ack(data(104, ""), ms(50), ms(20));
    assert_eq!(flow.ack_lost_since(), Some(ms(10)));
    flow.drop_lost_ack();
    assert_eq!(flow.ack_lost_since(), None);
    assert!(!flow.begin_retry(ms(210)), "nothing is left to be sent again");
    assert_eq!(flow.lose(data(101, "a"), ms(250), ms(20)), Some(ms(450)));
}

#[test]
fn who_has_no_socket_sends_nothing_again_and_waits_for_nothing() {
    let mut flow = begun(0, 0);
    flow.lose(data(101, "a"), ms(0), ms(20));
    flow.lose_ack(data(104, ""), ms(10), ms(20));
    flow.forget();
    assert!(!flow.has_losses() && !flow.is_outstanding());
    assert_eq!((flow.failure_due(), flow.ack_lost_since()), (None, None));
    assert_eq!(flow.lose(data(101, "a"), ms(100), ms(20)), Some(ms(300)), "no older attempt is planned");
}
