//! Duties of a client towards its application.

use super::*;
use crate::plan::{Acknowledge, Action, Command, StepKind};
use crate::trace::fixture::step;

/// The plan in which the sensor is told this in a step of line 1.
fn told(commands: Vec<Command>) -> Plan {
    let mut plan = ours();
    let actions = commands.into_iter().map(Action::from).collect();
    plan.steps.push(step(1, "sensor: …", StepKind::Node { nodes: vec![SENSOR], actions }));
    plan
}

/// The sensor is connected, and is told what stands in line 1 at 100 ms.
fn tells() -> Tale {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).step(1, "sensor: …");
    tale
}

#[rstest]
#[case::as_it_was_given(Some(message(1, 1, "x")), &[])]
#[case::never(None, &["client_publishes"])]
#[case::another_payload(Some(message(1, 1, "y")), &["client_publishes"])]
#[case::at_another_qos(Some(message(0, 1, "x")), &["client_publishes"])]
#[case::with_retain(Some(Publish { retain: true, ..message(1, 1, "x") }), &["client_publishes"])]
#[case::with_a_lifetime(Some(Publish { message_expiry: Some(9), ..message(1, 1, "x") }), &["client_publishes"])]
fn client_publishes_what_its_application_gives(#[case] sent: Option<Publish>, #[case] expected: &[&str]) {
    let plan = told(vec![Command::Publish(Publish { packet_id: None, ..message(1, 1, "x") })]);
    let mut tale = tells();
    if let Some(sent) = sent {
        tale = tale.says(0, 100, SENSOR, Packet::from(sent)).hears(0, 120, SENSOR, Packet::PubAck(ack(1)));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 3000), expected);
}

#[rstest]
#[case::of_the_project(false, 1510, &["client_publishes"])]
#[case::of_others(true, 1510, &[])]
#[case::of_others_late(true, 3500, &["client_publishes"])]
fn another_program_may_first_finish_what_it_has_begun(
    #[case] is_foreign: bool,
    #[case] at: u64,
    #[case] expected: &[&str],
) {
    let given = |qos, payload| Command::Publish(Publish { packet_id: None, ..message(qos, 1, payload) });
    let mut plan = told(vec![given(1, "x"), given(0, "y")]);
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let tale = tells().says(0, 100, SENSOR, publish(1, 1, "x")).hears(0, 1500, SENSOR, Packet::PubAck(ack(1)));
    let tale = tale.says(0, at, SENSOR, publish(0, 1, "y"));
    assert_eq!(broken_by_client_of(&plan, tale, 5000), expected);
}

/// The second message is one too many: the client closes, once it has seen that.
#[rstest]
#[case::at_that_instant(false, 110, &[])]
#[case::later(false, 200, &["packet_ids"])]
#[case::by_another_program(true, 200, &[])]
fn client_may_answer_what_it_takes_before_it_sees_that_there_is_too_much(
    #[case] is_foreign: bool,
    #[case] at: u64,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let narrow = Connect { receive_maximum: Some(1), ..connect("sensor", 60) };
    let tale = Tale::new().joins(0, 0, SENSOR, narrow, false);
    let tale = tale.hears(0, 100, SENSOR, publish(1, 1, "x")).hears(0, 100, SENSOR, publish(1, 2, "y"));
    let tale = tale.says(0, at, SENSOR, Packet::PubAck(ack(1))).says(0, at, SENSOR, Packet::PubAck(ack(2)));
    let broken = tale.broken(&plan, 1000);
    let of_answers: Vec<&String> = broken.iter().filter(|name| *name == "packet_ids").collect();
    assert_eq!(of_answers, expected);
}

/// A client may leave out of a message what the server does not take (§3.2.2.3.4, §3.2.2.3.5).
#[rstest]
#[case::without_both(0, false, true, &[])]
#[case::with_retain(0, true, true, &["client_obeys_limits"])]
#[case::without_retain_that_the_server_takes(1, false, false, &["client_publishes"])]
fn client_gives_a_server_as_much_as_it_takes(
    #[case] qos: u8,
    #[case] retain: bool,
    #[case] is_limited: bool,
    #[case] expected: &[&str],
) {
    let given = Publish { packet_id: None, retain: true, ..message(1, 1, "x") };
    let plan = told(vec![Command::Publish(given)]);
    let connack = ConnAck {
        maximum_qos: is_limited.then_some(QoS::AtMostOnce),
        retain_available: is_limited.then_some(false),
        ..ConnAck::default()
    };
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 60)));
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    tale.0.at(100).step(1, "sensor: …");
    let mut tale = tale.says(0, 100, SENSOR, Packet::from(Publish { retain, ..message(qos, 1, "x") }));
    if qos > 0 {
        tale = tale.hears(0, 120, SENSOR, Packet::PubAck(ack(1)));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 3000), expected);
}

#[rstest]
#[case::sent_anew(false, true, &[])]
#[case::lost(false, false, &["client_publishes"])]
#[case::lost_by_another_program(true, false, &[])]
fn message_that_a_lost_session_had_is_sent_anew(
    #[case] is_foreign: bool,
    #[case] again: bool,
    #[case] expected: &[&str],
) {
    let mut plan = told(vec![Command::Publish(Publish { packet_id: None, ..message(1, 1, "x") })]);
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let mut tale = tells().says(0, 100, SENSOR, publish(1, 1, "x"));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(1, 1210, SENSOR, connect("sensor", 60), false);
    if again {
        tale = tale.says(1, 1250, SENSOR, publish(1, 1, "x")).hears(1, 1260, SENSOR, Packet::PubAck(ack(1)));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 4000), expected);
}

#[rstest]
#[case::as_it_came(message(1, 3, "x"), &[])]
#[case::with_retain(Publish { retain: true, ..message(1, 3, "x") }, &["client_delivers"])]
#[case::without_its_property(Publish { content_type: Some("a".into()), ..message(1, 3, "x") }, &["client_delivers"])]
fn client_hands_a_message_on_as_it_came(#[case] given: Publish, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).hears(0, 100, SENSOR, publish(1, 3, "x"));
    let mut tale = tale.says(0, 110, SENSOR, Packet::PubAck(ack(3)));
    tale.0.at(110).event(EventKind::Delivered { node: SENSOR, message: given.into() });
    assert_eq!(broken_by_client(tale, 3000), expected);
}

fn subscribe(filter: &str, qos: QoS) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id: 1.try_into().unwrap(),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![Subscription::new(filter, qos)],
    })
}

fn suback(qos: QoS) -> Packet {
    let reasons = vec![ReasonCode::new(qos as u8)];
    Packet::SubAck(SubAck {
        packet_id: 1.try_into().unwrap(),
        reason_string: None,
        user_properties: Vec::new(),
        reasons,
    })
}

/// The application subscribes while the client runs; the session is lost after that.
#[rstest]
#[case::again(Some(("t", QoS::AtLeastOnce)), &[])]
#[case::not_again(None, &["client_reconnects"])]
#[case::with_other_options(Some(("t", QoS::AtMostOnce)), &["client_reconnects"])]
fn subscription_that_was_made_at_run_time_is_made_again(#[case] again: Option<(&str, QoS)>, #[case] expected: &[&str]) {
    let subscriptions = vec![Subscription::new("t", QoS::AtLeastOnce)];
    let plan = told(vec![Command::Subscribe { subscriptions, subscription_id: None }]);
    let tale = tells().says(0, 100, SENSOR, subscribe("t", QoS::AtLeastOnce));
    let mut tale = tale.hears(0, 110, SENSOR, suback(QoS::AtLeastOnce));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(1, 1210, SENSOR, connect("sensor", 60), false);
    if let Some((filter, qos)) = again {
        tale = tale.says(1, 1250, SENSOR, subscribe(filter, qos)).hears(1, 1260, SENSOR, suback(qos));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 4000), expected);
}

#[rstest]
#[case::once(false, &[])]
#[case::twice(true, &["client_reconnects"])]
fn client_subscribes_once_on_a_connection(#[case] again: bool, #[case] expected: &[&str]) {
    let mut plan = ours();
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.subscriptions = vec![Subscription::new("t", QoS::AtLeastOnce)];
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    let mut tale = tale.says(0, 50, SENSOR, subscribe("t", QoS::AtLeastOnce));
    tale = tale.hears(0, 60, SENSOR, suback(QoS::AtLeastOnce));
    if again {
        tale =
            tale.says(0, 80, SENSOR, subscribe("t", QoS::AtLeastOnce)).hears(0, 90, SENSOR, suback(QoS::AtLeastOnce));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 4000), expected);
}

/// The connection is lost after the message was given to the application, before or after PUBREC; then it comes again.
#[rstest]
#[case::before_it_was_acknowledged(true, false, &[])]
#[case::after_it_was_acknowledged(true, true, &["client_delivers"])]
#[case::by_a_client_that_acknowledges_itself(false, false, &["client_delivers"])]
fn application_is_given_again_what_it_has_not_taken_over(
    #[case] acknowledges: bool,
    #[case] is_acknowledged: bool,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.connect.clean_start = false;
    let way = Acknowledge { after: Duration::from_secs(1), reason: ReasonCode::SUCCESS };
    client.options.acknowledge = acknowledges.then_some(way).into_iter().collect();
    let sensor = || Connect { clean_start: false, ..connect("sensor", 60) };
    let tale = Tale::new().joins(0, 0, SENSOR, sensor(), false).hears(0, 100, SENSOR, publish(2, 3, "x"));
    let mut tale = delivered(tale, 110, 2);
    if is_acknowledged {
        tale = tale.says(0, 120, SENSOR, Packet::PubRec(ack(3)));
    }
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    let again = Packet::from(Publish { dup: true, ..message(2, 3, "x") });
    tale = tale.joins(1, 1210, SENSOR, sensor(), true).hears(1, 1250, SENSOR, again);
    tale = delivered(tale, 1260, 2).says(1, 1300, SENSOR, Packet::PubRec(ack(3)));
    tale = tale.hears(1, 1310, SENSOR, Packet::PubRel(ack(3))).says(1, 1320, SENSOR, Packet::PubComp(ack(3)));
    assert_eq!(broken_by_client_of(&plan, tale, 4000), expected);
}

/// The application of another program makes the subscriptions of its client in each new session.
#[rstest]
#[case::not_again(false, false, &[])]
#[case::again(false, true, &["client_reconnects"])]
#[case::again_by_another_program(true, true, &[])]
fn subscription_that_was_given_up_is_not_made_again(
    #[case] is_foreign: bool,
    #[case] again: bool,
    #[case] expected: &[&str],
) {
    let mut plan = told(vec![Command::Unsubscribe(vec!["t".to_owned()])]);
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.subscriptions = vec![Subscription::new("t", QoS::AtLeastOnce)];
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    let tale = tale.says(0, 50, SENSOR, subscribe("t", QoS::AtLeastOnce));
    let mut tale = tale.hears(0, 60, SENSOR, suback(QoS::AtLeastOnce));
    tale.0.at(100).step(1, "sensor: …");
    let filters = vec!["t".into()];
    let id = 2.try_into().unwrap();
    let unsubscribe = Unsubscribe { packet_id: id, user_properties: Vec::new(), filters };
    let reasons = vec![ReasonCode::SUCCESS];
    let unsuback = UnsubAck { packet_id: id, reason_string: None, user_properties: Vec::new(), reasons };
    tale = tale.says(0, 100, SENSOR, Packet::Unsubscribe(unsubscribe));
    tale = tale.hears(0, 110, SENSOR, Packet::UnsubAck(unsuback));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(1, 1210, SENSOR, connect("sensor", 60), false);
    if again {
        tale = tale.says(1, 1250, SENSOR, subscribe("t", QoS::AtLeastOnce));
        tale = tale.hears(1, 1260, SENSOR, suback(QoS::AtLeastOnce));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 4000), expected);
}

/// The server has set 30 s instead of 60 s on the first connection.
#[rstest]
#[case::its_own(false, 60, &[])]
#[case::that_of_the_server(false, 30, &["client_reconnects"])]
#[case::that_of_the_server_by_another_program(true, 30, &[])]
#[case::one_of_nobody_by_another_program(true, 20, &["client_reconnects"])]
fn client_connects_again_with_its_own_keep_alive(
    #[case] is_foreign: bool,
    #[case] keep_alive: u16,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    let connack = ConnAck { server_keep_alive: Some(30), ..ConnAck::default() };
    tale = tale.hears(0, 50, SENSOR, Packet::from(connack));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(1, 1210, SENSOR, connect("sensor", keep_alive), false);
    assert_eq!(broken_by_client_of(&plan, tale, 1300), expected);
}

/// Each pause is twice the one before; the connection lasts for 0.1 s, which starts nothing over. Another program may begin with the
/// first pause again, or connect at once after a connection that was accepted.
#[rstest]
#[case::twice_as_long(false, 3310, &[])]
#[case::as_long_as_the_first(false, 2310, &["client_reconnects"])]
#[case::as_long_as_the_first_of_another(true, 2310, &[])]
#[case::at_once_as_another(true, 1310, &[])]
#[case::at_once(false, 1310, &["client_reconnects"])]
fn second_pause_is_longer_than_the_first(#[case] is_foreign: bool, #[case] at: u64, #[case] expected: &[&str]) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.reconnect.as_mut().unwrap().max = Duration::from_secs(10);
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(1, 1110, SENSOR, connect("sensor", 60), false);
    tale.0.at(1300).item(1, BROKER, SENSOR, Transmission::Rst);
    tale = tale.joins(2, at, SENSOR, connect("sensor", 60), false);
    assert_eq!(broken_by_client_of(&plan, tale, at + 100), expected);
}

#[rstest]
#[case::own_client_before_pubrel(false, false, &["client_delivers"])]
#[case::another_before_pubrel(true, false, &[])]
#[case::another_after_pubrel(true, true, &["client_delivers"])]
fn message_of_qos_2_is_handed_on_at_pubrel_at_the_latest(
    #[case] is_foreign: bool,
    #[case] is_released: bool,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).hears(0, 100, SENSOR, publish(2, 3, "x"));
    let mut tale = tale.says(0, 110, SENSOR, Packet::PubRec(ack(3)));
    if is_released {
        tale = tale.hears(0, 130, SENSOR, Packet::PubRel(ack(3))).says(0, 140, SENSOR, Packet::PubComp(ack(3)));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 3000), expected);
}

#[test]
fn message_of_a_lost_session_is_not_released_by_the_pubrel_of_another() {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = Some("another".to_owned());
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).hears(0, 100, SENSOR, publish(2, 3, "x"));
    let mut tale = tale.says(0, 110, SENSOR, Packet::PubRec(ack(3)));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    let tale = tale.joins(1, 1210, SENSOR, connect("sensor", 60), false).hears(1, 1300, SENSOR, publish(2, 3, "y"));
    let tale = tale.says(1, 1310, SENSOR, Packet::PubRec(ack(3))).hears(1, 1330, SENSOR, Packet::PubRel(ack(3)));
    let mut tale = tale.says(1, 1340, SENSOR, Packet::PubComp(ack(3)));
    tale.0.at(1340).event(EventKind::Delivered { node: SENSOR, message: message(2, 3, "y").into() });
    assert_eq!(broken_by_client_of(&plan, tale, 4000), Vec::<String>::new());
}

/// The application unsubscribes while there is no connection, and the server has lost the session.
#[rstest]
#[case::only_unsubscribed(false, &[])]
#[case::subscribed_again_first(true, &["client_reconnects"])]
fn what_is_given_up_while_away_is_not_subscribed_again(#[case] again: bool, #[case] expected: &[&str]) {
    let mut plan = told(vec![Command::Unsubscribe(vec!["t".to_owned()])]);
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.subscriptions = vec![Subscription::new("t", QoS::AtLeastOnce)];
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    let tale = tale.says(0, 50, SENSOR, subscribe("t", QoS::AtLeastOnce));
    let mut tale = tale.hears(0, 60, SENSOR, suback(QoS::AtLeastOnce));
    tale.0.at(200).item(0, BROKER, SENSOR, Transmission::Rst);
    tale.0.at(300).step(1, "sensor: …");
    tale = tale.joins(1, 1210, SENSOR, connect("sensor", 60), false);
    if again {
        tale = tale.says(1, 1250, SENSOR, subscribe("t", QoS::AtLeastOnce)).hears(
            1,
            1260,
            SENSOR,
            suback(QoS::AtLeastOnce),
        );
    }
    let id = 3.try_into().unwrap();
    let unsubscribe = Unsubscribe { packet_id: id, user_properties: Vec::new(), filters: vec!["t".into()] };
    let unsuback = UnsubAck { packet_id: id, reason_string: None, user_properties: Vec::new(), reasons: vec![] };
    tale = tale.says(1, 1270, SENSOR, Packet::Unsubscribe(unsubscribe));
    assert_eq!(broken_by_client_of(&plan, tale.hears(1, 1280, SENSOR, Packet::UnsubAck(unsuback)), 4000), expected);
}

#[rstest]
#[case::no_packet(b"\x36\x05\0\x01t\0\x01", &["client_answers"])]
#[case::beginning_of_a_packet(b"\x30\x05\0\x01t", &[])]
fn client_writes_packets(#[case] bytes: &'static [u8], #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from_static(bytes)));
    assert_eq!(broken_by_client_of(&ours(), tale, 1000), expected);
}

/// A message of QoS 1 comes, and FIN at this time.
#[rstest]
#[case::at_once(true, 100, &[])]
#[case::later(true, 150, &["client_delivers"])]
#[case::of_the_project(false, 100, &["client_delivers"])]
fn what_comes_with_the_end_of_its_connection_may_be_unread(
    #[case] is_foreign: bool,
    #[case] at: u64,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].played_by = is_foreign.then(|| "another".to_owned());
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    let mut tale = tale.hears(0, 100, SENSOR, publish(1, 3, "x"));
    tale.0.at(at).item(0, BROKER, SENSOR, Transmission::Fin);
    let mut found = broken_by_client_of(&plan, tale, 3000);
    found.retain(|duty| duty == "client_delivers");
    assert_eq!(found, expected);
}

/// A packet that is not whole may still become one.
#[rstest]
#[case::closes(&[0xD1, 0x00], true, &[])]
#[case::goes_on(&[0xD1, 0x00], false, &["client_answers"])]
#[case::a_part(&[0xD0], false, &[])]
fn client_closes_after_what_is_no_packet(
    #[case] bytes: &'static [u8],
    #[case] closes: bool,
    #[case] expected: &[&str],
) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, BROKER, SENSOR, Transmission::Bytes(bytes.into()));
    if closes {
        tale.0.at(110).item(0, SENSOR, BROKER, Transmission::Fin);
    }
    assert_eq!(broken_by_client(tale, if closes { 500 } else { 20_000 }), expected);
}
