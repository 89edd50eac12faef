//! The QoS flows, step by step.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use halfopen_protocol::flow::{Drained, Inbox, Outbox, PubRecOutcome, Receipt};
use halfopen_protocol::packet::{Ack, PacketId, Publish, QoS};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use Version::{V3_1_1, V5_0};

#[test]
fn a_message_of_qos_1_goes_out_with_an_identifier_and_ends_with_puback() {
    let mut outbox = Outbox::new(10);
    let sent = outbox.send(Publish { dup: true, ..message(AtLeastOnce, "m") }, 'm').unwrap();
    assert_eq!(sent, Packet::from(numbered(AtLeastOnce, "m", 1)));
    assert_eq!(outbox.in_flight(), 1);
    assert_eq!(outbox.handle_puback(&ack(1)), Ok(Some((numbered(AtLeastOnce, "m", 1), 'm'))));
    assert!(outbox.is_empty());
    assert_eq!(outbox.handle_puback(&ack(1)), Ok(None));
}

#[test]
fn a_message_of_qos_2_ends_with_pubcomp() {
    let mut outbox = Outbox::new(10);
    outbox.send(message(ExactlyOnce, "m"), 'm').unwrap();
    assert_eq!(outbox.handle_pubrec(&ack(1), V5_0), Ok(release(Ack::new(id(1)))));
    assert!(!outbox.is_empty());
    assert_eq!(outbox.handle_pubcomp(&ack(1)), Ok(Some('m')));
    assert!(outbox.is_empty());
}

#[test]
fn a_message_of_qos_0_is_not_kept() {
    let mut outbox = Outbox::new(0);
    let sent_before = Publish { dup: true, packet_id: Some(id(9)), ..message(AtMostOnce, "m") };
    assert_eq!(outbox.send(sent_before, ()), Ok(Packet::from(message(AtMostOnce, "m"))));
    assert!(outbox.is_empty());
}

#[test]
fn a_full_window_gives_the_message_back() {
    let mut outbox = Outbox::new(1);
    assert!(outbox.has_room());
    outbox.send(message(ExactlyOnce, "first"), 1).unwrap();
    assert!(!outbox.has_room());
    assert_eq!(outbox.send(message(AtLeastOnce, "second"), 2), Err((message(AtLeastOnce, "second"), 2)));

    // PUBREC gives no quota back, PUBCOMP does (§4.9).
    let _ = outbox.handle_pubrec(&ack(1), V5_0).unwrap();
    assert!(!outbox.has_room());
    outbox.handle_pubcomp(&ack(1)).unwrap();
    assert!(outbox.has_room());
}

#[test]
fn a_refusal_ends_the_flow_and_gives_its_quota_back() {
    let mut outbox = Outbox::new(1);
    outbox.send(message(ExactlyOnce, "m"), 'm').unwrap();
    let refusal = Ack::with_reason(id(1), ReasonCode::QUOTA_EXCEEDED);
    let refused = PubRecOutcome::Refused(numbered(ExactlyOnce, "m", 1), 'm');
    assert_eq!(outbox.handle_pubrec(&refusal, V5_0), Ok(refused));
    assert!(outbox.is_empty() && outbox.has_room());
    assert_eq!(outbox.handle_pubrec(&refusal, V5_0), Ok(PubRecOutcome::Nothing));
}

#[rstest]
#[case(V3_1_1, ReasonCode::SUCCESS)]
#[case(V5_0, ReasonCode::PACKET_IDENTIFIER_NOT_FOUND)]
fn what_is_not_known_is_answered_so_that_the_other_side_can_finish(
    #[case] version: Version,
    #[case] reason: ReasonCode,
) {
    let answer = Ack::with_reason(id(9), reason);
    assert_eq!(Outbox::<()>::new(1).handle_pubrec(&ack(9), version), Ok(release(answer.clone())));
    assert_eq!(Inbox::new(1).handle_pubrel(&ack(9), version), Packet::PubComp(answer));
    assert_eq!(Outbox::<()>::new(1).handle_pubcomp(&ack(9)), Ok(None));
}

#[test]
fn a_repeated_pubrec_is_answered_again() {
    let mut outbox = Outbox::new(1);
    outbox.send(message(ExactlyOnce, "m"), ()).unwrap();
    for _ in 0..2 {
        assert_eq!(outbox.handle_pubrec(&ack(1), V5_0), Ok(release(ack(1))));
    }
}

#[rstest]
#[case::puback_for_qos_2(ExactlyOnce, |outbox: &mut Outbox<()>| outbox.handle_puback(&ack(1)).map(drop))]
#[case::pubrec_for_qos_1(AtLeastOnce, |outbox: &mut Outbox<()>| outbox.handle_pubrec(&ack(1), V5_0).map(drop))]
#[case::pubcomp_for_qos_1(AtLeastOnce, |outbox: &mut Outbox<()>| outbox.handle_pubcomp(&ack(1)).map(drop))]
#[case::pubcomp_before_pubrec(ExactlyOnce, |outbox: &mut Outbox<()>| outbox.handle_pubcomp(&ack(1)).map(drop))]
#[case::puback_for_a_subscribe(ExactlyOnce, |outbox: &mut Outbox<()>| {
    let subscribe = outbox.reserve_id().unwrap();
    outbox.handle_puback(&Ack::new(subscribe)).map(drop)
})]
#[case::refusal_after_acceptance(ExactlyOnce, |outbox: &mut Outbox<()>| {
    let _ = outbox.handle_pubrec(&ack(1), V5_0)?;
    outbox.handle_pubrec(&Ack::with_reason(id(1), ReasonCode::NOT_AUTHORIZED), V5_0).map(drop)
})]
fn an_acknowledgement_of_another_flow_is_a_protocol_error(
    #[case] qos: QoS,
    #[case] handle: fn(&mut Outbox<()>) -> Result<(), halfopen_protocol::flow::FlowError>,
) {
    let mut outbox = Outbox::new(10);
    outbox.send(message(qos, "m"), ()).unwrap();
    assert_eq!(handle(&mut outbox).unwrap_err().reason, ReasonCode::PROTOCOL_ERROR);
}

// Shows 3.1.1 MQTT-2.3.1-3, 3.1.1 MQTT-4.6.0-1, 3.1.1 MQTT-4.6.0-4, 5.0 MQTT-4.6.0-1, 5.0 MQTT-4.6.0-4,
// 5.0 MQTT-4.3.3-6.
#[test]
fn a_resumed_session_sends_everything_again_oldest_first_with_dup() {
    let mut outbox = Outbox::new(10);
    for (qos, text) in [(AtLeastOnce, "a"), (ExactlyOnce, "b"), (ExactlyOnce, "c"), (AtLeastOnce, "d")] {
        outbox.send(message(qos, text), ()).unwrap();
    }
    let _ = outbox.handle_pubrec(&ack(3), V5_0).unwrap();
    let _ = outbox.handle_pubrec(&ack(2), V5_0).unwrap();

    outbox.set_window(10);
    let again = |qos, text, id| Packet::from(Publish { dup: true, ..numbered(qos, text, id) });
    assert_eq!(
        outbox.resend(),
        // PUBREL in the order of the PUBRECs [MQTT-4.6.0-4], and never again the PUBLISH [MQTT-4.3.3-6].
        [again(AtLeastOnce, "a", 1), again(AtLeastOnce, "d", 4), Packet::PubRel(ack(3)), Packet::PubRel(ack(2))]
    );
    assert_eq!(outbox.poll_resend(), None);
}

#[test]
fn a_smaller_window_after_a_resume_holds_back_publish_but_not_pubrel() {
    let mut outbox = Outbox::new(10);
    for (qos, text) in [(ExactlyOnce, "a"), (AtLeastOnce, "b"), (AtLeastOnce, "c")] {
        outbox.send(message(qos, text), ()).unwrap();
    }
    let _ = outbox.handle_pubrec(&ack(1), V5_0).unwrap();

    outbox.set_window(1);
    let again = |text, id| Packet::from(Publish { dup: true, ..numbered(AtLeastOnce, text, id) });
    assert_eq!(outbox.resend(), [again("b", 2), Packet::PubRel(ack(1))]);
    outbox.handle_pubcomp(&ack(1)).unwrap();
    assert_eq!(outbox.poll_resend(), None);
    assert!(!outbox.has_room());
    outbox.handle_puback(&ack(2)).unwrap();
    // What is older goes first: there is quota, but not for a new message [MQTT-4.6.0-1].
    assert!(!outbox.has_room());
    assert_eq!(outbox.poll_resend(), Some(again("c", 3)));
    outbox.handle_puback(&ack(3)).unwrap();
    assert!(outbox.has_room());
}

#[test]
fn a_message_that_waits_to_be_sent_again_may_be_acknowledged_all_the_same() {
    let mut outbox = Outbox::new(10);
    for text in ["a", "b", "c"] {
        outbox.send(message(ExactlyOnce, text), text).unwrap();
    }
    outbox.set_window(1);
    assert_eq!(outbox.resend().len(), 1);

    assert_eq!(outbox.handle_pubrec(&ack(2), V5_0), Ok(release(ack(2))));
    assert_eq!(outbox.handle_pubcomp(&ack(2)), Ok(Some("b")));
    assert_eq!(outbox.poll_resend(), None, "the window is full");
    let _ = outbox.handle_pubrec(&ack(1), V5_0).unwrap();
    outbox.handle_pubcomp(&ack(1)).unwrap();
    let third = Publish { dup: true, ..numbered(ExactlyOnce, "c", 3) };
    assert_eq!(outbox.poll_resend(), Some(Packet::from(third)));
    assert_eq!(outbox.poll_resend(), None);
}

#[test]
fn what_waits_to_be_sent_again_and_is_acknowledged_holds_nothing_back() {
    let mut outbox = Outbox::new(10);
    for text in ["a", "b", "c"] {
        outbox.send(message(AtLeastOnce, text), ()).unwrap();
    }
    outbox.set_window(1);
    assert_eq!(outbox.resend().len(), 1);
    outbox.handle_puback(&ack(2)).unwrap();
    outbox.handle_puback(&ack(1)).unwrap();
    let third = Publish { dup: true, ..numbered(AtLeastOnce, "c", 3) };
    assert_eq!(outbox.poll_resend(), Some(Packet::from(third)));
    outbox.handle_puback(&ack(3)).unwrap();
    assert!(outbox.has_room());
}

#[test]
fn a_message_that_cannot_be_sent_any_more_is_discarded_and_holds_nothing_back() {
    let mut outbox = Outbox::new(10);
    outbox.send(message(AtLeastOnce, "large"), 'l').unwrap();
    outbox.send(message(ExactlyOnce, "released"), 'r').unwrap();
    outbox.send(message(AtLeastOnce, "small"), 's').unwrap();
    let _ = outbox.handle_pubrec(&ack(2), V5_0).unwrap();
    outbox.set_window(1);
    outbox.restart();
    assert!(outbox.poll_resend().is_some());
    assert_eq!(outbox.discard(id(1)), Some((numbered(AtLeastOnce, "large", 1), 'l')));
    // A PUBREL has no message any more, and an identifier that is free has none.
    assert_eq!((outbox.discard(id(2)), outbox.discard(id(1))), (None, None));
    let small = Publish { dup: true, ..numbered(AtLeastOnce, "small", 3) };
    let next: Vec<Packet> = std::iter::from_fn(|| outbox.poll_resend()).collect();
    assert!(next.contains(&Packet::from(small)), "{next:?}");
}

#[test]
fn what_an_earlier_connection_had_still_to_send_again_is_not_sent_before_the_next_one_asks() {
    let mut outbox = Outbox::new(10);
    for text in ["a", "b"] {
        outbox.send(message(AtLeastOnce, text), ()).unwrap();
    }
    outbox.set_window(1);
    assert_eq!(outbox.resend().len(), 1);
    outbox.set_window(10);
    assert_eq!(outbox.poll_resend(), None);
    assert_eq!(outbox.resend().len(), 2);
}

#[test]
fn a_lost_session_has_nothing_to_send_again_and_its_identifiers_are_free() {
    let mut outbox = Outbox::new(10);
    for text in ["a", "b"] {
        outbox.send(message(AtLeastOnce, text), ()).unwrap();
    }
    outbox.set_window(1);
    assert_eq!(outbox.resend().len(), 1);
    let _ = outbox.drain();
    assert!(outbox.has_room());
    assert_eq!(outbox.handle_puback(&ack(1)), Ok(None));
}

#[test]
fn a_lost_session_gives_back_what_the_receiver_may_not_have() {
    let mut outbox = Outbox::new(3);
    for (qos, text) in [(ExactlyOnce, "a"), (AtLeastOnce, "b"), (ExactlyOnce, "c")] {
        outbox.send(message(qos, text), text).unwrap();
    }
    let _ = outbox.handle_pubrec(&ack(1), V5_0).unwrap();
    let reserved = outbox.reserve_id().unwrap();

    let unacknowledged = vec![(message(AtLeastOnce, "b"), "b"), (message(ExactlyOnce, "c"), "c")];
    assert_eq!(outbox.drain(), Drained { unacknowledged, released: vec!["a"] });
    assert!(outbox.is_empty() && outbox.has_room());
    assert_eq!(outbox.resend(), []);
    assert!(outbox.release_id(reserved));
}

// Shows 3.1.1 MQTT-2.3.1-2, 5.0 MQTT-2.2.1-3.
#[test]
fn identifiers_are_shared_with_subscribe_and_rest_before_they_are_used_again() {
    let mut outbox = Outbox::new(u16::MAX);
    let first = outbox.reserve_id().unwrap();
    outbox.send(message(AtLeastOnce, "m"), ()).unwrap();
    assert!(outbox.release_id(first));
    assert!(!outbox.release_id(first));
    assert!(!outbox.release_id(id(2)), "a PUBLISH has it");
    assert_eq!(outbox.reserve_id(), Some(id(3)));

    let others: Vec<_> = std::iter::from_fn(|| outbox.reserve_id()).collect();
    assert_eq!(others.len(), 65_535 - 2);
    assert_eq!(others.last(), Some(&id(1)));
    assert!(!outbox.has_room());
    assert!(outbox.send(message(AtLeastOnce, "m"), ()).is_err());
}

#[test]
fn the_identifier_of_a_message_that_waits_is_passed_over_when_the_others_have_been_used() {
    let mut outbox = Outbox::new(u16::MAX);
    outbox.send(message(AtLeastOnce, "m"), ()).unwrap();
    for _ in 2..=u16::MAX {
        let id = outbox.reserve_id().unwrap();
        assert!(outbox.release_id(id));
    }
    assert_eq!(outbox.reserve_id(), Some(id(2)));
}

#[test]
fn a_message_of_qos_2_is_handed_on_once_until_its_pubrel() {
    let mut inbox = Inbox::new(1);
    assert!(inbox.is_empty());
    let answer = Some(Packet::PubRec(ack(7)));
    let publish = numbered(ExactlyOnce, "m", 7);
    assert_eq!(inbox.handle_publish(&publish), Ok(Receipt { deliver: true, answer: answer.clone() }));
    let again = Publish { dup: true, ..publish.clone() };
    assert_eq!(inbox.handle_publish(&again), Ok(Receipt { deliver: false, answer: answer.clone() }));
    // DUP says nothing: without it the identifier is the same, too.
    assert_eq!(inbox.handle_publish(&publish), Ok(Receipt { deliver: false, answer: answer.clone() }));
    assert_eq!((inbox.len(), inbox.open()), (1, 1));
    assert!(!inbox.is_empty() && inbox.is_open(id(7)) && !inbox.is_open(id(8)));

    assert_eq!(inbox.handle_pubrel(&ack(7), V5_0), Packet::PubComp(ack(7)));
    assert!(inbox.is_empty());
    assert_eq!((inbox.len(), inbox.open()), (0, 0));
    assert_eq!(inbox.handle_publish(&again), Ok(Receipt { deliver: true, answer }));
}

#[test]
fn a_message_of_qos_1_is_handed_on_each_time() {
    let mut inbox = Inbox::new(1);
    for _ in 0..2 {
        let receipt = Receipt { deliver: true, answer: Some(Packet::PubAck(ack(7))) };
        assert_eq!(inbox.handle_publish(&numbered(AtLeastOnce, "m", 7)), Ok(receipt));
    }
    let receipt = Receipt { deliver: true, answer: None };
    assert_eq!(inbox.handle_publish(&message(AtMostOnce, "m")), Ok(receipt));
}

#[test]
fn a_refused_identifier_is_new_again() {
    let mut inbox = Inbox::new(1);
    let publish = numbered(ExactlyOnce, "m", 7);
    let _ = inbox.handle_publish(&publish).unwrap();
    let refusal = Ack::with_reason(id(7), ReasonCode::QUOTA_EXCEEDED);
    assert_eq!(inbox.refuse(&publish, ReasonCode::QUOTA_EXCEEDED), Some(Packet::PubRec(refusal)));
    assert!(inbox.handle_publish(&publish).unwrap().deliver);
}

#[test]
fn more_than_the_receive_maximum_on_one_connection_is_an_error() {
    let mut inbox = Inbox::new(1);
    let _ = inbox.handle_publish(&numbered(ExactlyOnce, "a", 1)).unwrap();
    let error = inbox.handle_publish(&numbered(ExactlyOnce, "b", 2)).unwrap_err();
    assert_eq!(error.reason, ReasonCode::RECEIVE_MAXIMUM_EXCEEDED);

    // On the next connection the sender repeats PUBREL for the first, which costs no quota.
    inbox.set_maximum(1);
    assert!(inbox.handle_publish(&numbered(ExactlyOnce, "b", 2)).unwrap().deliver);
    assert!(!inbox.handle_publish(&numbered(ExactlyOnce, "b", 2)).unwrap().deliver);
    inbox.clear();
    assert!(inbox.is_empty());
    // With the session goes what it used up of the maximum.
    assert!(inbox.handle_publish(&numbered(ExactlyOnce, "c", 3)).unwrap().deliver);
}

#[test]
fn the_receive_maximum_is_that_of_the_connection() {
    let mut inbox = Inbox::new(1);
    inbox.set_maximum(2);
    for id in [1, 2] {
        assert!(inbox.handle_publish(&numbered(ExactlyOnce, "m", id)).unwrap().deliver);
    }
    assert!(inbox.handle_publish(&numbered(ExactlyOnce, "m", 3)).is_err());
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn ack(packet_id: u16) -> Ack {
    Ack::new(id(packet_id))
}

fn release<T>(pubrel: Ack) -> PubRecOutcome<T> {
    PubRecOutcome::Release(Packet::PubRel(pubrel))
}

fn message(qos: QoS, text: &'static str) -> Publish {
    Publish { qos, topic: "t".into(), payload: text.into(), ..Publish::default() }
}

fn numbered(qos: QoS, text: &'static str, packet_id: u16) -> Publish {
    Publish { packet_id: Some(id(packet_id)), ..message(qos, text) }
}
