//! Duties of a server towards clients that break rules, and what it says.

use halfopen_protocol::packet::Disconnect;

use super::*;
use crate::plan::{AccessList, AccessRights};

fn broker(change: impl FnOnce(&mut crate::plan::BrokerProgram)) -> Plan {
    let mut plan = plan();
    let Program::Broker(broker) = &mut plan.nodes[BROKER.0].program else { unreachable!() };
    change(broker);
    plan
}

/// The sensor sends what it must not.
#[rstest]
#[case::closed(Some((0x82, 110)), &[])]
#[case::with_another_code(Some((0x81, 110)), &["broker_answers"])]
#[case::open_for_ever(None, &["broker_answers"])]
#[case::said_and_left_open(Some((0x82, 60_000)), &["broker_answers"])]
fn server_closes_who_sends_a_second_connect(#[case] closed: Option<(u8, u64)>, #[case] expected: &[&str]) {
    let again = Packet::from(connect("sensor", 0));
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false).says(0, 100, SENSOR, again);
    if let Some((reason, at)) = closed {
        tale = tale.hears(0, 110, SENSOR, disconnect(reason));
        tale.0.at(at).item(0, BROKER, SENSOR, Transmission::Fin);
    }
    assert_eq!(tale.broken(&plan(), 70_000), expected);
}

#[rstest]
#[case::as_it_is_set(Some(QoS::AtLeastOnce), &[])]
#[case::not_at_all(None, &["broker_answers"])]
fn server_announces_what_it_is_set_to(#[case] maximum_qos: Option<QoS>, #[case] expected: &[&str]) {
    let plan = broker(|broker| broker.config.maximum_qos = QoS::AtLeastOnce);
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 0)));
    let connack = ConnAck { maximum_qos, ..ConnAck::default() };
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    assert_eq!(tale.broken(&plan, 1000), expected);
}

#[rstest]
#[case::of_no_size_that_matters(100, &[])]
#[case::larger_than_the_client_takes(20, &["broker_answers"])]
fn server_spares_a_client_large_packets(#[case] maximum: u32, #[case] expected: &[&str]) {
    let sensor = Connect { maximum_packet_size: Some(maximum), ..connect("sensor", 0) };
    let tale = Tale::new().joins(0, 0, SENSOR, sensor, false).says(0, 100, SENSOR, publish(1, 7, "x"));
    let puback = Packet::PubAck(Ack { reason_string: Some("twenty bytes and more".into()), ..ack(7) });
    assert_eq!(tale.hears(0, 110, SENSOR, puback).broken(&plan(), 1000), expected);
}

#[rstest]
#[case::with_a_subscriber(true, &["broker_answers"])]
#[case::without_one(false, &[])]
fn server_knows_whether_a_message_has_a_subscriber(#[case] is_subscribed: bool, #[case] expected: &[&str]) {
    let tale = match is_subscribed {
        true => audience(),
        false => Tale::new().joins(1, 0, SENSOR, connect("sensor", 0), false),
    };
    let puback = Packet::PubAck(Ack { reason: ReasonCode::NO_MATCHING_SUBSCRIBERS, ..ack(7) });
    let tale = tale.says(1, 200, SENSOR, publish(1, 7, "x")).hears(1, 210, SENSOR, puback);
    let tale = tale.hears_if(is_subscribed, 0, 210, WATCHER, publish(1, 1, "x"));
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::it_was(true, 0x00, &[])]
#[case::it_was_not(false, 0x11, &[])]
#[case::it_was_and_the_server_denies_it(true, 0x11, &["broker_answers"])]
#[case::it_was_not_and_the_server_says_so(false, 0x00, &["broker_answers"])]
fn unsuback_says_whether_a_filter_was_subscribed(
    #[case] is_subscribed: bool,
    #[case] reason: u8,
    #[case] expected: &[&str],
) {
    let id = 2.try_into().unwrap();
    let filters = vec![if is_subscribed { "t".into() } else { "u".into() }];
    let unsubscribe = Unsubscribe { packet_id: id, user_properties: Vec::new(), filters };
    let reasons = vec![ReasonCode::new(reason)];
    let unsuback = UnsubAck { packet_id: id, reason_string: None, user_properties: Vec::new(), reasons };
    let tale = audience().says(0, 200, WATCHER, Packet::Unsubscribe(unsubscribe));
    assert_eq!(tale.hears(0, 210, WATCHER, Packet::UnsubAck(unsuback)).broken(&plan(), 1000), expected);
}

/// The access list lets everybody read `t`, and nobody write it.
#[rstest]
#[case::refuses(0x87, false, &[])]
#[case::takes(0x00, false, &["broker_answers"])]
#[case::passes_on(0x87, true, &["broker_delivers"])]
fn what_an_access_list_forbids_goes_to_nobody(#[case] reason: u8, #[case] passes: bool, #[case] expected: &[&str]) {
    let rights = AccessRights { read: vec!["t".to_owned()], ..AccessRights::default() };
    let list = AccessList { everybody: rights, ..AccessList::default() };
    let plan = broker(|broker| broker.access = Some(list));
    let puback = Packet::PubAck(Ack { reason: ReasonCode::new(reason), ..ack(7) });
    let tale = audience().says(1, 200, SENSOR, publish(1, 7, "x")).hears(1, 210, SENSOR, puback);
    assert_eq!(tale.hears_if(passes, 0, 210, WATCHER, publish(1, 1, "x")).broken(&plan, 1000), expected);
}

/// A Payload Format Indicator of 0 is equivalent to none (§3.3.2.3.2).
#[rstest]
#[case::left_out(Some(false), None, &[])]
#[case::added(None, Some(false), &[])]
#[case::lost(Some(true), None, &["broker_delivers"])]
#[case::made_up(None, Some(true), &["broker_delivers"])]
fn payload_format_is_passed_on(#[case] published: Option<bool>, #[case] sent: Option<bool>, #[case] expected: &[&str]) {
    let with = |payload_format| Packet::from(Publish { payload_format, ..message(0, 0, "x") });
    let tale = audience().says(1, 200, SENSOR, with(published)).hears(0, 210, WATCHER, with(sent));
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

/// A message of QoS 1 that the watcher has not acknowledged when it comes back after ten seconds.
#[rstest]
#[case::as_it_was(message_with("a", 90), &[])]
#[case::with_another_user_property(message_with("b", 90), &["broker_settles"])]
#[case::with_another_retain(Publish { retain: true, ..message_with("a", 90) }, &["broker_settles"])]
#[case::with_another_qos(Publish { qos: QoS::ExactlyOnce, ..message_with("a", 90) }, &["broker_settles"])]
#[case::with_the_lifetime_that_it_had(message_with("a", 100), &["broker_delivers"])]
#[case::without_a_lifetime(Publish { message_expiry: None, ..message_with("a", 90) }, &["broker_delivers"])]
fn message_that_is_sent_again_is_the_same(#[case] again: Publish, #[case] expected: &[&str]) {
    let tale = audience().says(
        1,
        200,
        SENSOR,
        Packet::from(Publish { packet_id: Some(5.try_into().unwrap()), ..message_with("a", 100) }),
    );
    let tale = tale.hears(1, 210, SENSOR, Packet::PubAck(ack(5)));
    let mut tale = tale.hears(0, 210, WATCHER, Packet::from(message_with("a", 100)));
    tale = tale.breaks(0, 300, WATCHER);
    let back = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let tale = tale.joins(2, 10_180, WATCHER, back, true);
    let tale = tale.hears(2, 10_210, WATCHER, Packet::from(Publish { dup: true, ..again }));
    assert_eq!(tale.says(2, 10_220, WATCHER, Packet::PubAck(ack(1))).broken(&plan(), 10_300), expected);
}

/// A message of QoS 1 with packet identifier 1, this user property and this lifetime in seconds.
fn message_with(property: &str, expiry: u32) -> Publish {
    let user_properties = vec![("who".into(), property.into())];
    Publish { user_properties, message_expiry: Some(expiry), ..message(1, 1, "x") }
}

#[rstest]
#[case::of_its_subscription(vec![7], false, &[])]
#[case::none(vec![], false, &["broker_delivers"])]
#[case::with_retain(vec![7], true, &["broker_delivers"])]
fn member_of_a_group_gets_what_its_subscription_asks_for(
    #[case] subscription_ids: Vec<u32>,
    #[case] retain: bool,
    #[case] expected: &[&str],
) {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, Subscription::new("$share/g/t", QoS::AtLeastOnce), Some(7));
    let tale = tale.says(1, 200, SENSOR, Packet::from(Publish { retain: true, ..message(0, 0, "x") }));
    let copy = Publish { subscription_ids, retain, ..message(0, 0, "x") };
    assert_eq!(tale.hears(0, 210, WATCHER, Packet::from(copy)).broken(&plan(), 1000), expected);
}

#[rstest]
#[case::ended(false, &[])]
#[case::kept_for_as_long_as_it_asked(true, &[])]
fn server_may_keep_no_session_longer_than_its_limit(#[case] is_kept: bool, #[case] expected: &[&str]) {
    let plan = broker(|broker| broker.config.maximum_session_expiry = 10);
    let sensor = || Connect { clean_start: false, session_expiry: Some(5), ..connect("sensor", 0) };
    let longer = Disconnect { session_expiry: Some(100), ..Disconnect::default() };
    let tale = Tale::new().joins(0, 0, SENSOR, sensor(), false).says(0, 100, SENSOR, Packet::Disconnect(longer));
    let tale = tale.breaks(0, 110, SENSOR).joins(1, 50_000, SENSOR, sensor(), is_kept);
    assert_eq!(tale.broken(&plan, 51_000), expected);
}

/// The session of the sensor ends with its connection, at 1.010, and comes back with a connection whose first packet is read with its opening.
#[rstest]
#[case::a_second_later(0, 2000, &["broker_keeps_sessions"])]
#[case::a_second_later_with_a_tolerance(1, 2000, &["broker_keeps_sessions"])]
#[case::within_the_tolerance(100, 1050, &[])]
fn session_that_has_ended_is_over_when_its_tolerance_is(
    #[case] tolerance: u64,
    #[case] at: u64,
    #[case] expected: &[&str],
) {
    let plan = Plan { tolerance: Duration::from_millis(tolerance), ..plan() };
    let back = Connect { clean_start: false, session_expiry: Some(100), ..connect("sensor", 0) };
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false).breaks(0, 1000, SENSOR);
    tale.0.at(at).item(1, SENSOR, BROKER, Transmission::Open);
    let connack = ConnAck { session_present: true, ..ConnAck::default() };
    let tale = tale.says(1, at, SENSOR, Packet::from(back)).hears(1, at + 10, SENSOR, Packet::from(connack));
    assert_eq!(tale.broken(&plan, 3000), expected);
}

#[rstest]
#[case::in_one_copy(&[&[1, 2][..]], &[])]
#[case::in_a_copy_for_each(&[&[1][..], &[2][..]], &[])]
#[case::but_one(&[&[1][..]], &["broker_delivers"])]
fn copies_of_a_message_name_all_subscriptions(#[case] copies: &[&[u32]], #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), Some(1));
    let tale = tale.subscribes(0, 120, Subscription::new("+", QoS::AtMostOnce), Some(2));
    let mut tale = tale.says(1, 200, SENSOR, publish(0, 0, "x"));
    for ids in copies {
        let copy = Publish { subscription_ids: ids.to_vec(), ..message(0, 0, "x") };
        tale = tale.hears(0, 210, WATCHER, Packet::from(copy));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

/// The run ends long after the lifetime of the message.
#[rstest]
#[case::sent(5, true, &[])]
#[case::never_sent(5, false, &["broker_delivers"])]
#[case::over_before_it_was_late(1, false, &[])]
fn message_is_owed_for_as_long_as_it_lives(#[case] expiry: u32, #[case] is_sent: bool, #[case] expected: &[&str]) {
    let short_lived = |id| Packet::from(Publish { message_expiry: Some(expiry), ..message(1, id, "x") });
    let tale = audience().says(1, 200, SENSOR, short_lived(7)).hears(1, 210, SENSOR, Packet::PubAck(ack(7)));
    assert_eq!(tale.hears_if(is_sent, 0, 210, WATCHER, short_lived(1)).broken(&plan(), 60_000), expected);
}

/// The sensor has a malformed CONNECT of this level, or none, and the server writes these bytes to it.
#[rstest]
#[case::connack_of_5_0(Some(5), b"\x20\x03\0\x81\0", &[])]
#[case::connack_of_3_1_1_to_5_0(Some(5), b"\x20\x02\0\x81", &["broker_answers"])]
#[case::beginning_of_a_connack(Some(5), b"\x20\x03\0", &[])]
#[case::connack_to_3_1_1(Some(4), b"\x20\x03\0\x81\0", &["broker_answers"])]
#[case::connack_to_another_level(Some(9), b"\x20\x02\0\x01", &[])]
#[case::no_packet_after_a_good_connect(None, b"\xf1\0", &["broker_answers"])]
fn server_writes_packets(
    #[case] level: Option<u8>,
    #[case] bytes: &'static [u8],
    #[case] expected: &[&str],
    #[values(false, true)] says_that_it_closes: bool,
) {
    let mut tale = Tale::new();
    match level {
        None => tale = tale.joins(0, 0, SENSOR, connect("sensor", 0), false),
        Some(level) => {
            let malformed = [b"\x10\x0d\0\x04MQTT".as_slice(), &[level, 3], b"\0\x3c\0\x01a"].concat();
            tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
            tale.0.at(20).item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from(malformed)));
        }
    }
    if says_that_it_closes {
        tale.0.at(40).closing(0, BROKER, SENSOR, Because::Malformed, None);
    }
    tale.0.at(40).item(0, BROKER, SENSOR, Transmission::Bytes(Bytes::from_static(bytes)));
    tale.0.at(40).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

/// A packet that is not whole may still become one.
#[rstest]
#[case::closes(&[0xC1, 0x00], true, &[])]
#[case::goes_on(&[0xC1, 0x00], false, &["broker_answers"])]
#[case::a_part(&[0xC0], false, &[])]
fn server_closes_after_what_is_no_packet(
    #[case] bytes: &'static [u8],
    #[case] closes: bool,
    #[case] expected: &[&str],
) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, SENSOR, BROKER, Transmission::Bytes(bytes.into()));
    if closes {
        tale.0.at(110).item(0, BROKER, SENSOR, Transmission::Fin);
    }
    assert_eq!(tale.broken(&plan(), 20_000), expected);
}

/// The sensor sends two messages where the broker takes one at a time.
#[rstest]
#[case::as_what_it_is(0x93, &[])]
#[case::as_a_quota(0x97, &["receive_maximum"])]
fn server_says_that_messages_are_too_many(#[case] reason: u8, #[case] expected: &[&str]) {
    let plan = broker(|broker| broker.config.receive_maximum = 1.try_into().unwrap());
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 0)));
    let connack = ConnAck { receive_maximum: Some(1), ..ConnAck::default() };
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    let tale = tale.says(0, 100, SENSOR, publish(2, 1, "x")).says(0, 100, SENSOR, publish(2, 2, "y"));
    let mut tale = tale.hears(0, 110, SENSOR, disconnect(reason));
    tale.0.at(110).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan, 1000), expected);
}

/// A message of QoS 2 that goes to nobody. Its publisher sends what is no packet at 0.300, and is closed.
#[rstest]
#[case::never_released(None, &[])]
#[case::released_behind_what_is_no_packet(Some(300), &[])]
#[case::released_before(Some(250), &["broker_delivers"])]
fn server_may_not_read_what_comes_behind_what_is_no_packet(#[case] released: Option<u64>, #[case] expected: &[&str]) {
    let pubrel = || Packet::PubRel(ack(7));
    let mut tale = audience().says(1, 200, SENSOR, publish(2, 7, "x"));
    tale = tale.hears(1, 210, SENSOR, Packet::PubRec(ack(7)));
    if released == Some(250) {
        tale = tale.says(1, 250, SENSOR, pubrel()).hears(1, 260, SENSOR, Packet::PubComp(ack(7)));
    }
    tale.0.at(300).item(1, SENSOR, BROKER, Transmission::Bytes(Bytes::from_static(&[0xC1, 0x00])));
    if released == Some(300) {
        tale = tale.says(1, 300, SENSOR, pubrel());
    }
    tale.0.at(310).item(1, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan(), 20_000), expected);
}

/// A topic retains "a", then nothing, then "b"; the watcher subscribes after that.
#[rstest]
#[case::sent(true, &[])]
#[case::not_sent(false, &["broker_delivers"])]
fn what_is_retained_after_a_removal_is_owed(#[case] is_sent: bool, #[case] expected: &[&str]) {
    let retained = |payload| Packet::from(Publish { retain: true, ..message(0, 0, payload) });
    let mut tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    for (at, payload) in [(100, "a"), (200, ""), (300, "b")] {
        tale = tale.says(1, at, SENSOR, retained(payload));
    }
    let tale = tale.subscribes(0, 400, Subscription::new("t", QoS::AtMostOnce), None);
    assert_eq!(tale.hears_if(is_sent, 0, 410, WATCHER, retained("b")).broken(&plan(), 20_000), expected);
}

/// The sensor had no session expiry, and sends a DISCONNECT with one: a protocol error, after which its will goes out.
#[rstest]
#[case::published(true, &[])]
#[case::not_published(false, &["broker_delivers"])]
fn will_is_published_after_a_disconnect_that_breaks_a_rule(#[case] is_published: bool, #[case] expected: &[&str]) {
    let will = Will { topic: "t".into(), payload: "gone".into(), ..Will::default() };
    let sensor = Connect { will: Some(will.into()), ..connect("sensor", 0) };
    let mut tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    tale = tale.joins(1, 0, SENSOR, sensor, false);
    tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), None);
    let wrong = Disconnect { session_expiry: Some(100), ..Disconnect::default() };
    tale = tale.says(1, 200, SENSOR, Packet::Disconnect(wrong)).hears(1, 210, SENSOR, disconnect(0x82));
    tale.0.at(210).item(1, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.hears_if(is_published, 0, 210, WATCHER, publish(0, 0, "gone")).broken(&plan(), 20_000), expected);
}
