//! The sending side, by itself.

use rstest::rstest;

use super::*;

#[rstest]
#[case::under_way(1_000, true)]
#[case::perhaps_too_large_now(200, false)]
fn identifier_of_a_message_is_free_for_a_request_where_its_flow_may_be_over(#[case] size: usize, #[case] broken: bool) {
    let (now, id) = (Instant::ZERO, PacketId::MIN);
    let message = Publish { qos: QoS::AtLeastOnce, packet_id: Some(id), ..Publish::default() };
    let mut sender = Sender::new(10);
    sender.connected(now, 10, 1_000);
    sender.publish(now, Version::V5_0, &"t".into(), &message);
    sender.disconnected();
    sender.connected(now, 10, size);
    assert_eq!(sender.request(now, Version::V5_0, id).is_some(), broken);
}

#[test]
fn what_was_not_known_to_be_under_way_has_no_place_behind_what_follows_it() {
    let now = Instant::ZERO;
    let id = |id| PacketId::new(id).unwrap();
    let message = |of, dup| Publish { qos: QoS::AtLeastOnce, packet_id: Some(id(of)), dup, ..Publish::default() };
    let mut sender = Sender::new(10);
    let mut broken = Vec::new();
    sender.connected(now, 10, 1_000);
    for of in [1, 2] {
        broken.extend(sender.publish(now, Version::V5_0, &"t".into(), &message(of, false)).1);
    }
    // The sender has not read the acknowledgement, and sends the message again.
    sender.acknowledged(now, PacketType::PubAck, &Ack::new(id(1)));
    sender.may_have_begun();
    for _ in 0..2 {
        sender.disconnected();
        sender.connected(now, 10, 1_000);
        for of in [1, 2] {
            broken.extend(sender.publish(now, Version::V5_0, &"t".into(), &message(of, true)).1);
        }
    }
    assert!(broken.is_empty(), "{}", broken[0].actual);
}

/// An answer comes before anything was sent again: the sender may not have read it when it sends again.
#[rstest]
#[case::puback(QoS::AtLeastOnce, PacketType::PubAck)]
#[case::pubrec(QoS::ExactlyOnce, PacketType::PubRec)]
fn answer_that_comes_first_on_a_connection_may_not_have_been_read(#[case] qos: QoS, #[case] answer: PacketType) {
    let (now, id) = (Instant::ZERO, PacketId::MIN);
    let message = Publish { qos, packet_id: Some(id), ..Publish::default() };
    let mut sender = Sender::new(10);
    sender.connected(now, 10, 1_000);
    sender.publish(now, Version::V3_1_1, &"t".into(), &message);
    sender.disconnected();
    let later = Instant::from_secs(1);
    sender.connected(later, 10, 1_000);
    sender.acknowledged(later, answer, &Ack::new(id));
    let again = Publish { dup: true, ..message };
    let (_, broken) = sender.publish(later, Version::V3_1_1, &"t".into(), &again);
    assert!(broken.is_none());
}
