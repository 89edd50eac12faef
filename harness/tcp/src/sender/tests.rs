use rstest::rstest;

use super::*;

const GIVE_UP: Duration = Duration::from_secs(10);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn syn() -> Segment {
    Segment { flag: Flag::Syn, ..Segment::default() }
}

/// Bytes that have this number in their stream, from 1; an acknowledgement if there are none.
fn data(sequence: u64, payload: &'static str) -> Segment {
    let payload = Payload::from_slice(payload.as_bytes());
    Segment { sequence, payload, acknowledgement: Some(1), ..Segment::default() }
}

/// Returns the sender of a direction in which SYN and three bytes have left at these times.
fn begun(syn_at: u64, bytes: u64) -> Sender {
    let mut sender = Sender::default();
    sender.sent(&syn(), ms(syn_at), GIVE_UP);
    sender.sent(&data(1, "abc"), ms(bytes), GIVE_UP);
    sender
}

#[test]
fn sequence_numbers_are_those_of_what_was_sent() {
    let mut sender = Sender::default();
    sender.sent(&data(0, ""), ms(0), GIVE_UP);
    assert!(!sender.is_outstanding());
    assert_eq!((sender.failure_due(), sender.next_sequence()), (None, 0));
    sender.sent(&syn(), ms(0), GIVE_UP);
    sender.sent(&data(1, "abc"), ms(0), GIVE_UP);
    assert_eq!(sender.next_sequence(), 4);
    assert_eq!((data(1, "abc").stream_offset(), data(4, "defg").stream_offset()), (3, 7));
}

#[test]
fn what_is_written_while_the_window_lets_a_part_through_leaves_in_its_order() {
    let mut sender = Sender { window: 4, ..Sender::default() };
    let (mut written, mut left) = (Vec::new(), Vec::new());
    for round in 0..40_u8 {
        let more = [round; 5];
        assert_eq!(sender.write(&more), more.len());
        written.extend(more);
        while let Some((payload, flag)) = sender.next_segment() {
            assert!(payload.len() <= 4 && flag == Flag::None);
            left.extend_from_slice(&payload);
            sender.next += payload.len() as u64;
        }
        sender.acknowledged = sender.next;
        assert_eq!((sender.unsent_len(), &left[..]), (written.len() - left.len(), &written[..left.len()]));
    }
    (sender.window, sender.acknowledged) = (u16::MAX, sender.next);
    left.extend_from_slice(&sender.next_segment().expect("the rest").0);
    assert_eq!((left, sender.has_unsent()), (written, false));
}

#[rstest]
#[case::nothing(&[], Some(11_000))]
#[case::a_part(&[(1, 4000)], Some(14_000))]
#[case::the_same_part_again(&[(1, 4000), (1, 5000)], Some(14_000))]
#[case::an_older_part(&[(2, 4000), (1, 5000)], Some(14_000))]
#[case::what_was_never_sent(&[(5, 4000)], Some(11_000))]
#[case::all(&[(4, 4000)], None)]
fn socket_fails_so_long_after_the_oldest_byte_or_the_last_progress(
    #[case] acks: &[(u64, u64)],
    #[case] due: Option<u64>,
) {
    let mut sender = begun(1000, 2000);
    for &(up_to, at) in acks {
        sender.acknowledged(up_to, ms(at));
    }
    assert_eq!(sender.failure_due(), due.map(ms));
}

#[test]
fn patience_is_that_of_the_time_at_which_waiting_began() {
    let mut sender = begun(1000, 2000);
    sender.acknowledged(4, ms(2010));
    sender.sent(&data(4, "d"), ms(5000), ms(300));
    sender.sent(&data(5, "e"), ms(5100), ms(900));
    assert_eq!(sender.failure_due(), Some(ms(5300)));
}

#[rstest]
#[case::syn(syn(), 20, 1000)]
#[case::at_least(data(1, "abc"), 20, 200)]
#[case::three_round_trips(data(1, "abc"), 100, 300)]
#[case::at_most(data(1, "abc"), 60_000, 120_000)]
fn first_time_out(#[case] lost: Segment, #[case] round_trip: u64, #[case] expected: u64) {
    assert_eq!(Sender::default().lose(lost, ms(5000), ms(round_trip)), Some(ms(5000 + expected)));
}

#[test]
fn time_out_doubles_until_two_minutes_and_starts_again_with_progress() {
    let mut sender = begun(0, 0);
    let mut at = sender.lose(data(1, "abc"), ms(0), ms(20)).unwrap();
    let mut waits = vec![at];
    for _ in 0..11 {
        assert!(sender.begin_retry(at));
        let next = sender.retry_failed(at).unwrap();
        waits.push(next - at);
        at = next;
    }
    let seconds = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 102_400, 120_000, 120_000];
    assert_eq!(waits, seconds.map(ms));
    assert!(sender.begin_retry(at));
    assert_eq!(sender.take_lost(true).len(), 1);
    sender.acknowledged(4, at);
    assert_eq!(sender.lose(data(4, "d"), at, ms(20)), Some(at + ms(200)));
}

#[test]
fn one_attempt_is_for_all_that_is_lost_and_only_at_its_time() {
    let mut sender = begun(0, 0);
    assert!(!sender.is_held_up());
    assert_eq!(sender.lose(data(1, "a"), ms(0), ms(20)), Some(ms(200)));
    assert_eq!(sender.lose(data(2, "bc"), ms(50), ms(20)), None);
    assert!(sender.is_held_up());
    assert!(!sender.begin_retry(ms(199)));
    assert!(sender.begin_retry(ms(200)));
    assert!(!sender.begin_retry(ms(200)), "it is made once");
    let again: Vec<u64> = sender.take_lost(true).iter().map(|segment| segment.sequence).collect();
    assert_eq!(again, [1, 2]);
    assert!(!sender.has_losses() && !sender.is_held_up());
}

#[test]
fn attempt_for_nothing_is_none_and_doubles_nothing() {
    let mut sender = begun(0, 0);
    sender.lose(data(1, "a"), ms(0), ms(20));
    sender.take_lost(true);
    assert!(!sender.begin_retry(ms(200)));
    assert_eq!(sender.lose(data(1, "a"), ms(1000), ms(20)), Some(ms(1200)));
}

#[test]
fn bytes_do_not_wait_for_an_acknowledgement_that_was_lost_before() {
    let mut sender = begun(0, 0);
    assert_eq!(sender.lose_ack(data(4, ""), ms(0), ms(100)), Some(ms(300)));
    assert!(sender.begin_retry(ms(300)));
    assert_eq!(sender.retry_failed(ms(300)), Some(ms(900)));
    assert_eq!(sender.lose(data(4, "d"), ms(400), ms(20)), Some(ms(600)));
    assert_eq!(sender.take_lost(true).len(), 1, "they carry it themselves");
}

#[test]
fn acknowledgement_that_is_lost_after_bytes_follows_them_where_it_has_a_way() {
    let lost = || {
        let mut sender = begun(0, 0);
        sender.lose(data(1, "a"), ms(0), ms(20));
        sender.lose_ack(data(4, ""), ms(10), ms(20));
        sender.lose(data(2, "bc"), ms(20), ms(20));
        sender
    };
    assert_eq!(lost().take_lost(true).len(), 3);
    let mut sender = lost();
    assert_eq!(sender.take_lost(false).len(), 2);
    assert!(sender.has_losses() && !sender.is_held_up());
    let mut sender = lost();
    sender.drop_lost_ack();
    assert!(sender.begin_retry(ms(200)), "the bytes are still to be sent again");
    assert_eq!(sender.take_lost(true).len(), 2);
}

#[test]
fn acknowledgement_is_lost_since_it_first_was() {
    let mut sender = begun(0, 0);
    assert_eq!(sender.ack_lost_since(), None);
    sender.lose_ack(data(4, ""), ms(10), ms(20));
    sender.lose_ack(data(4, ""), ms(50), ms(20));
    assert_eq!(sender.ack_lost_since(), Some(ms(10)));
    sender.drop_lost_ack();
    assert_eq!(sender.ack_lost_since(), None);
    assert!(!sender.begin_retry(ms(210)), "nothing is left to be sent again");
    assert_eq!(sender.lose(data(1, "a"), ms(250), ms(20)), Some(ms(450)));
}

#[test]
fn who_has_no_socket_sends_nothing_again_and_waits_for_nothing() {
    let mut sender = begun(0, 0);
    sender.lose(data(1, "a"), ms(0), ms(20));
    sender.lose_ack(data(4, ""), ms(10), ms(20));
    sender.forget();
    assert!(!sender.has_losses() && !sender.is_outstanding());
    assert_eq!((sender.failure_due(), sender.ack_lost_since()), (None, None));
    assert_eq!(sender.lose(data(1, "a"), ms(100), ms(20)), Some(ms(300)), "no older attempt is planned");
}

#[test]
fn attempt_whose_time_has_passed_is_made_and_one_that_is_ahead_is_not() {
    let mut sender = begun(0, 0);
    let at = sender.lose(data(1, "abc"), ms(0), ms(20)).unwrap();
    assert!(!sender.begin_retry(at - ms(1)));
    assert!(sender.begin_retry(at + ms(7)));
    assert!(!sender.begin_retry(at + ms(8)), "it is made once");
}
