//! What only 5.0 has, on the way out.

use std::time::Duration;

use halfopen_protocol::packet::{ConnAck, Disconnect, Publish, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, message, options, suback};
use crate::core::{AckDetails, CommandError, Event, Options, SubscribeRequest, Token, UnsubscribeRequest};

const V5: Version = Version::V5_0;

fn aliases(packets: &[Packet]) -> Vec<(String, Option<u16>)> {
    let alias = |packet: &Packet| match packet {
        Packet::Publish(publish) => Some((publish.topic.to_string(), publish.topic_alias)),
        _ => None,
    };
    packets.iter().filter_map(alias).collect()
}

fn to(topic: &str, qos: QoS) -> Publish {
    Publish { topic: topic.into(), ..message(qos, "m") }
}

// Shows 5.0 MQTT-3.2.2-17, 5.0 MQTT-3.3.2-9, 5.0 MQTT-3.3.2-7.
#[test]
fn topics_get_aliases_as_far_as_the_broker_allows_and_never_across_connections() {
    let options = Options { topic_aliases: 10, ..options(V5, 10) };
    let mut bench = Bench::connected_with(options, ConnAck { topic_alias_maximum: Some(1), ..ConnAck::default() });
    for topic in ["a", "a", "b", "a"] {
        bench.client.publish(bench.now, to(topic, QoS::AtLeastOnce)).expect("there is room");
    }
    let expected = [("a", Some(1)), ("", Some(1)), ("b", None), ("", Some(1))];
    assert_eq!(aliases(&bench.sent()), expected.map(|(topic, alias)| (topic.to_owned(), alias)));
    bench.reconnect(true);
    assert_eq!(aliases(&bench.sent()), ["a", "a", "b", "a"].map(|topic| (topic.to_owned(), None)));
}

// Shows 5.0 MQTT-3.2.2-18.
#[rstest]
#[case::not_offered(10, None)]
#[case::not_wanted(0, Some(10))]
fn without_both_sides_there_are_no_aliases(#[case] wanted: u16, #[case] offered: Option<u16>) {
    let options = Options { topic_aliases: wanted, ..options(V5, 10) };
    let mut bench = Bench::connected_with(options, ConnAck { topic_alias_maximum: offered, ..ConnAck::default() });
    bench.publish(QoS::AtMostOnce, "m");
    assert_eq!(aliases(&bench.sent()), [("a/b".to_owned(), None)]);
}

#[test]
fn an_alias_that_would_make_the_packet_too_large_is_left_out() {
    let options = Options { topic_aliases: 10, ..options(V5, 10) };
    // PUBLISH a/b with one byte: 2 + 5 + 1 + 1, and three more for the alias.
    let connack = ConnAck { topic_alias_maximum: Some(9), maximum_packet_size: Some(9), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options, connack);
    bench.publish(QoS::AtMostOnce, "m");
    assert_eq!(aliases(&bench.sent()), [("a/b".to_owned(), None)]);
}

#[test]
fn expiry_runs_while_a_message_waits() {
    let mut bench = Bench::new(options(V5, 60));
    let expiring = |expiry| Publish { message_expiry: Some(expiry), ..message(QoS::AtLeastOnce, "m") };
    let lost = bench.client.publish(bench.now, expiring(5)).expect("there is room");
    bench.client.publish(bench.now, expiring(6)).expect("there is room");
    bench.client.publish(bench.now, message(QoS::AtLeastOnce, "m")).expect("there is room");
    bench.jump(bench.now + Duration::from_millis(5900));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    let mut expiries = Vec::new();
    let mut expired = Vec::new();
    for output in bench.take() {
        match output {
            crate::core::Output::Event(Event::Sending(Packet::Publish(publish))) => {
                expiries.push(publish.message_expiry)
            }
            crate::core::Output::Event(Event::Expired { token }) => expired.push(token),
            _ => {}
        }
    }
    assert_eq!((expiries, expired), (vec![Some(1), None], vec![lost]));
}

#[test]
fn expired_messages_make_room_in_the_queue() {
    let mut bench = Bench::new(Options { queue_limit: 1, ..options(V5, 60) });
    let expiring = Publish { message_expiry: Some(5), ..message(QoS::AtMostOnce, "m") };
    bench.client.publish(bench.now, expiring).expect("there is room");
    assert_eq!(bench.client.publish(bench.now, message(QoS::AtMostOnce, "n")), Err(CommandError::QueueFull));
    bench.jump(bench.now + Duration::from_secs(5));
    assert!(bench.client.publish(bench.now, message(QoS::AtMostOnce, "n")).is_ok());
}

#[rstest]
#[case::shared(ConnAck { shared_subscription_available: Some(false), ..ConnAck::default() }, &["a", "b/+"], &[0, 0x9E, 0])]
#[case::wildcard(ConnAck { wildcard_subscription_available: Some(false), ..ConnAck::default() }, &["a", "$share/g/a"], &[0, 0, 0xA2])]
fn filters_that_the_broker_does_not_take_are_not_sent_and_answered_all_the_same(
    #[case] connack: ConnAck,
    #[case] sent: &[&str],
    #[case] expected: &[u8],
) {
    let mut bench = Bench::connected_with(options(V5, 10), connack);
    let filters = ["a", "$share/g/a", "b/+"].map(|filter| Subscription::new(filter, QoS::AtMostOnce));
    let token = bench.client.subscribe(bench.now, filters.to_vec()).expect("they are valid");
    let packets = bench.sent();
    let [Packet::Subscribe(subscribe)] = &*packets else { panic!("{packets:?}") };
    assert_eq!(subscribe.subscriptions.iter().map(|one| &*one.filter).collect::<Vec<_>>(), sent);
    bench.receive(suback(1, &[0, 0]));
    let reasons = expected.iter().copied().map(ReasonCode::new).collect();
    assert_eq!(bench.events(), [Event::Subscribed { token, reasons, details: AckDetails::default() }]);
}

#[test]
fn identifiers_that_the_broker_does_not_take_are_not_sent_at_all() {
    let connack = ConnAck { subscription_identifiers_available: Some(false), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 10), connack);
    let subscriptions = vec![Subscription::new("a", QoS::AtMostOnce)];
    let request = SubscribeRequest { subscriptions, subscription_id: Some(7), ..SubscribeRequest::default() };
    let token = bench.client.subscribe(bench.now, request).expect("it is valid");
    let reasons = vec![ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED];
    assert_eq!(bench.events(), [Event::Subscribed { token, reasons, details: AckDetails::default() }]);
    assert_eq!(bench.client.session.requests.len(), 0);
}

#[test]
fn requests_carry_their_properties_and_identifiers_survive_the_loss_of_the_session() {
    let mut bench = Bench::connected(options(V5, 10));
    let user_properties = vec![("k".into(), "v".into())];
    for (filter, id) in [("a", 7), ("b", 8)] {
        let request = SubscribeRequest {
            subscriptions: vec![Subscription::new(filter, QoS::AtMostOnce)],
            subscription_id: Some(id),
            user_properties: user_properties.clone(),
        };
        bench.client.subscribe(bench.now, request).expect("it is valid");
    }
    let packets = bench.sent();
    let [Packet::Subscribe(first), _] = &*packets else { panic!("{packets:?}") };
    assert_eq!((first.subscription_id, &first.user_properties), (Some(7), &user_properties));
    bench.receive(suback(1, &[0]));
    bench.receive(suback(2, &[0]));
    bench.reconnect(false);
    let ids: Vec<_> = bench
        .sent()
        .iter()
        .filter_map(|packet| match packet {
            Packet::Subscribe(subscribe) => Some((subscribe.subscription_id, subscribe.subscriptions.len())),
            _ => None,
        })
        .collect();
    assert_eq!(ids, [(Some(7), 1), (Some(8), 1)]);
    let request = UnsubscribeRequest { filters: vec!["a".into()], user_properties: user_properties.clone() };
    bench.client.unsubscribe(bench.now, request).expect("it is valid");
    let packets = bench.sent();
    let [Packet::Unsubscribe(unsubscribe)] = &*packets else { panic!("{packets:?}") };
    assert_eq!(unsubscribe.user_properties, user_properties);
}

#[test]
fn what_is_subscribed_again_is_split_where_one_packet_would_be_too_large() {
    let mut options = options(V5, 10);
    options.subscriptions = (0..8).map(|n| Subscription::new(format!("filter/{n}"), QoS::AtMostOnce)).collect();
    let mut bench = Bench::new(options);
    bench.client.connect(bench.now);
    bench.accept(ConnAck { maximum_packet_size: Some(40), ..ConnAck::default() });
    let sent: Vec<_> = bench
        .sent()
        .iter()
        .filter_map(|packet| match packet {
            Packet::Subscribe(subscribe) => Some((subscribe.packet_id.get(), subscribe.subscriptions.len())),
            _ => None,
        })
        .collect();
    assert_eq!(sent.iter().map(|(_, count)| *count).collect::<Vec<_>>(), [2, 2, 2, 2]);
    bench.receive(suback(sent[0].0, &[0, 0]));
    assert!(matches!(&*bench.events(), [Event::Subscribed { token: Token::OWN, .. }]));
}

#[rstest]
#[case::kept(Some(10), Some(60), Ok(()))]
#[case::ended(Some(10), Some(0), Ok(()))]
#[case::not_kept_by_connect(None, Some(60), Err(CommandError::SessionExpiry))]
#[case::not_kept_by_connect_either(Some(0), Some(60), Err(CommandError::SessionExpiry))]
#[case::not_kept_for_a_second(None, Some(1), Err(CommandError::SessionExpiry))]
#[case::nothing_to_keep(None, Some(0), Ok(()))]
fn disconnect_changes_the_session_expiry_where_connect_had_one(
    #[case] connect: Option<u32>,
    #[case] session_expiry: Option<u32>,
    #[case] expected: Result<(), CommandError>,
) {
    let mut options = options(V5, 10);
    options.connect.session_expiry = connect;
    let mut bench = Bench::connected(options);
    let disconnect = Disconnect { session_expiry, ..Disconnect::default() };
    assert_eq!(bench.client.disconnect_with(bench.now, disconnect.clone()), expected);
    let sent = bench.sent();
    assert_eq!(sent.last(), expected.is_ok().then_some(&Packet::Disconnect(disconnect)));
}

// Shows 5.0 MQTT-3.14.2-3, 5.0 MQTT-3.14.2-4.
#[test]
fn what_is_for_people_is_left_out_of_a_disconnect_that_would_be_too_large() {
    let connack = ConnAck { maximum_packet_size: Some(20), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 10), connack);
    let reason_string = Some("a".repeat(30).into());
    let user_properties = vec![("k".into(), "v".repeat(30).into())];
    let disconnect = Disconnect { reason_string, user_properties, ..Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL) };
    bench.client.disconnect_with(bench.now, disconnect).expect("it is valid");
    assert_eq!(bench.sent(), [Packet::Disconnect(Disconnect::new(ReasonCode::DISCONNECT_WITH_WILL))]);
}

// Shows 5.0 MQTT-3.3.4-6.
#[test]
fn only_brokers_send_subscription_identifiers() {
    let mut bench = Bench::connected(options(V5, 10));
    let publish = Publish { subscription_ids: vec![1], ..message(QoS::AtMostOnce, "m") };
    assert_eq!(bench.client.publish(bench.now, publish), Err(CommandError::SubscriptionId));
}

#[test]
fn without_an_announced_maximum_packets_have_a_limit_of_the_options() {
    let mut bench = Bench::connected(Options { packet_limit: 20, ..options(Version::V3_1_1, 10) });
    bench.client.handle_bytes(bench.now, &[0x30, 19]);
    let Some(crate::core::DisconnectReason::Protocol { reason, .. }) = bench.ended() else { panic!("it went on") };
    assert_eq!(reason, ReasonCode::PACKET_TOO_LARGE);
}

#[rstest]
#[case::fresh(0, true)]
#[case::within_the_first_second(999, true)]
#[case::a_second_old(1000, false)]
fn a_message_that_expires_at_once_is_sent_within_the_second(#[case] waits: u64, #[case] is_sent: bool) {
    let mut bench = Bench::new(Options { queue_limit: 1, ..options(V5, 60) });
    let expiring = Publish { message_expiry: Some(0), ..message(QoS::AtMostOnce, "m") };
    let token = bench.client.publish(bench.now, expiring).expect("there is room");
    bench.jump(bench.now + Duration::from_millis(waits));
    // Whether it makes room shows whether it has expired.
    let next = bench.client.publish(bench.now, message(QoS::AtMostOnce, "n"));
    assert_eq!(next.is_err(), is_sent);
    assert_eq!(bench.events(), if is_sent { vec![] } else { vec![Event::Expired { token }] });
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    let expected = if is_sent { Some(0) } else { None };
    let packets = bench.sent();
    let [_, Packet::Publish(publish)] = &*packets else { panic!("{packets:?}") };
    assert_eq!(publish.message_expiry, expected);
}

#[test]
fn only_what_has_expired_makes_room() {
    let mut bench = Bench::new(Options { queue_limit: 2, ..options(V5, 60) });
    let expiring = |expiry| Publish { message_expiry: Some(expiry), ..message(QoS::AtMostOnce, "m") };
    bench.client.publish(bench.now, expiring(9)).expect("there is room");
    let token = bench.client.publish(bench.now, expiring(5)).expect("there is room");
    bench.jump(bench.now + Duration::from_secs(5));
    assert!(bench.client.publish(bench.now, expiring(9)).is_ok());
    assert_eq!(bench.client.publish(bench.now, expiring(9)), Err(CommandError::QueueFull));
    assert_eq!(bench.events(), [Event::Expired { token }]);
}

#[test]
fn without_room_for_any_nothing_waits_for_a_connection() {
    let mut bench = Bench::new(Options { queue_limit: 0, ..options(V5, 60) });
    assert_eq!(bench.client.publish(bench.now, message(QoS::AtLeastOnce, "m")), Err(CommandError::QueueFull));
}

#[test]
fn a_disconnect_that_just_fits_says_everything() {
    // DISCONNECT: 2 + reason 1 + length of the properties 1 + reason string 3 + 13.
    let connack = ConnAck { maximum_packet_size: Some(20), ..ConnAck::default() };
    let mut bench = Bench::connected_with(options(V5, 10), connack);
    let disconnect = Disconnect { reason_string: Some("a".repeat(13).into()), ..Disconnect::default() };
    bench.client.disconnect_with(bench.now, disconnect.clone()).expect("it is valid");
    assert_eq!(bench.sent(), [Packet::Disconnect(disconnect)]);
}

#[test]
fn what_is_sent_anew_since_the_session_was_lost_expires_anew() {
    let mut bench = Bench::connected(options(V5, 60));
    let expiring = Publish { message_expiry: Some(5), ..message(QoS::AtLeastOnce, "m") };
    bench.client.publish(bench.now, expiring).expect("there is room");
    bench.jump(bench.now + Duration::from_secs(7));
    bench.take();
    bench.reconnect(false);
    let packets = bench.sent();
    let [_, Packet::Publish(publish)] = &*packets else { panic!("{packets:?}") };
    assert_eq!((publish.dup, publish.message_expiry), (false, Some(5)));
}

#[rstest]
#[case::in_time(999, true)]
#[case::too_late(1000, false)]
fn a_message_that_may_wait_for_a_second_is_not_sent_after_it(#[case] waits: u64, #[case] is_sent: bool) {
    let mut bench = Bench::new(options(V5, 60));
    let expiring = Publish { message_expiry: Some(1), ..message(QoS::AtMostOnce, "m") };
    bench.client.publish(bench.now, expiring.clone()).expect("there is room");
    bench.jump(bench.now + Duration::from_millis(waits));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    assert_eq!(bench.sent()[1..], *Vec::from_iter(is_sent.then_some(Packet::from(expiring))));
}
