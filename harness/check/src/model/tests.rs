//! Each duty is seen to break on a short story, and to hold on the same story told right.

use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::{
    Ack, ConnAck, Connect, Publish, QoS, RetainHandling, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will,
};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::Model;
use crate::plan::{Because, ClientProgram, ClientSettings, NodeFault, NodeId, Plan, Program, Reconnect};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, WATCHER, connect, disconnect, plan};
use crate::trace::{EventKind, Transmission};

mod choices;
mod clients;
mod memory;
mod servers;
mod websocket;

/// Tells a story of the broker with two raw clients, which are not judged.
struct Tale(TraceBuilder);

impl Tale {
    fn new() -> Self {
        Self(TraceBuilder::new())
    }

    /// A client connects at this time, in milliseconds, and has a CONNACK 30 ms later.
    fn joins(mut self, connection: u32, at: u64, node: NodeId, packet: Connect, session_present: bool) -> Self {
        let connack = ConnAck { session_present, ..ConnAck::default() };
        self.0.at(at).item(connection, node, BROKER, Transmission::Open);
        self.0.at(at + 20).packet(connection, node, BROKER, Packet::from(packet));
        self.0.at(at + 30).packet(connection, BROKER, node, Packet::from(connack));
        self
    }

    fn says(mut self, connection: u32, at: u64, node: NodeId, packet: Packet) -> Self {
        self.0.at(at).packet(connection, node, BROKER, packet);
        self
    }

    fn hears(mut self, connection: u32, at: u64, node: NodeId, packet: Packet) -> Self {
        self.0.at(at).packet(connection, BROKER, node, packet);
        self
    }

    fn hears_if(self, is_so: bool, connection: u32, at: u64, node: NodeId, packet: Packet) -> Self {
        if is_so { self.hears(connection, at, node, packet) } else { self }
    }

    /// The watcher subscribes, and the broker grants it.
    fn subscribes(self, connection: u32, at: u64, subscription: Subscription, number: Option<u32>) -> Self {
        let granted = suback(subscription.qos);
        self.asks(connection, at, subscription, number).hears(connection, at + 10, WATCHER, granted)
    }

    /// The watcher sends SUBSCRIBE.
    fn asks(self, connection: u32, at: u64, subscription: Subscription, number: Option<u32>) -> Self {
        let subscribe = Subscribe {
            packet_id: 99.try_into().unwrap(),
            subscription_id: number,
            user_properties: Vec::new(),
            subscriptions: vec![subscription],
        };
        self.says(connection, at, WATCHER, Packet::Subscribe(subscribe))
    }

    /// The connection breaks at this time: the broker receives RST 10 ms later.
    fn breaks(mut self, connection: u32, at: u64, node: NodeId) -> Self {
        self.0.at(at).item(connection, node, BROKER, Transmission::Rst);
        self
    }

    /// Returns the names of the duties that are broken, when the run ends at this time.
    fn broken(mut self, plan: &Plan, end: u64) -> Vec<String> {
        let trace = self.0.end(end);
        let mut model = Model::new(plan);
        trace.events.iter().for_each(|event| model.event(event));
        let (found, _) = model.finish(trace.end).into_parts();
        let mut names: Vec<String> = found.iter().map(|finding| finding.duty.name().to_owned()).collect();
        names.dedup();
        names
    }
}

/// The watcher is subscribed to `t` at QoS 2, and the sensor is connected.
fn audience() -> Tale {
    let watcher = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let tale = Tale::new().joins(0, 0, WATCHER, watcher, false).joins(1, 0, SENSOR, connect("sensor", 0), false);
    tale.subscribes(0, 100, Subscription::new("t", QoS::ExactlyOnce), None)
}

/// Returns the answer to the SUBSCRIBE of the watcher.
fn suback(qos: QoS) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: 99.try_into().unwrap(),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::new(qos as u8)],
    })
}

fn message(qos: u8, id: u16, payload: &str) -> Publish {
    Publish {
        topic: "t".into(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        qos: QoS::new(qos).unwrap(),
        packet_id: (qos > 0).then(|| id.try_into().unwrap()),
        ..Publish::default()
    }
}

fn publish(qos: u8, id: u16, payload: &str) -> Packet {
    Packet::from(message(qos, id, payload))
}

fn ack(id: u16) -> Ack {
    Ack::new(id.try_into().unwrap())
}

#[rstest]
#[case::answered(true, &[])]
#[case::unanswered(false, &["broker_answers"])]
fn server_answers_pingreq(#[case] answers: bool, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false).says(0, 100, SENSOR, Packet::PingReq);
    assert_eq!(tale.hears_if(answers, 0, 110, SENSOR, Packet::PingResp).broken(&plan(), 3000), expected);
}

#[rstest]
#[case::to_its_message(7, &[])]
#[case::to_another(8, &["packet_ids"])]
fn server_acknowledges_what_came(#[case] id: u16, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false).says(0, 100, SENSOR, publish(1, 7, "x"));
    let tale = tale.hears(0, 110, SENSOR, Packet::PubAck(ack(id)));
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::once(1, &[])]
#[case::never(0, &["broker_delivers"])]
#[case::twice(2, &["broker_delivers"])]
fn server_passes_a_message_on_once(#[case] times: u64, #[case] expected: &[&str]) {
    let mut tale = audience().says(1, 200, SENSOR, publish(0, 0, "x"));
    for time in 0..times {
        tale = tale.hears(0, 210 + time, WATCHER, publish(0, 0, "x"));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

#[test]
fn server_passes_two_equal_messages_on_and_not_one_twice_for_a_lost_one() {
    let tale = audience().says(1, 200, SENSOR, publish(0, 0, "x")).says(1, 300, SENSOR, publish(0, 0, "x"));
    let tale = tale.hears(0, 210, WATCHER, publish(0, 0, "x"));
    assert_eq!(tale.broken(&plan(), 3000), ["broker_delivers"]);
}

#[rstest]
#[case::as_published(1, false, &[])]
#[case::at_a_lower_qos(0, false, &["broker_delivers"])]
#[case::with_retain(1, true, &["broker_delivers"])]
fn server_passes_a_message_on_as_it_was_published(#[case] qos: u8, #[case] retain: bool, #[case] expected: &[&str]) {
    let sent = Publish { retain: true, ..message(1, 7, "x") };
    let tale = audience().says(1, 200, SENSOR, Packet::from(sent)).hears(1, 210, SENSOR, Packet::PubAck(ack(7)));
    let copy = Packet::from(Publish { retain, ..message(qos, 1, "x") });
    let tale = tale.hears(0, 210, WATCHER, copy);
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::counted_down(Some(7), &[])]
#[case::not_counted_down(Some(10), &["broker_delivers"])]
#[case::left_out(None, &["broker_delivers"])]
fn server_counts_the_lifetime_of_a_message_down(#[case] left: Option<u32>, #[case] expected: &[&str]) {
    let again = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let sent = Publish { message_expiry: Some(10), ..message(1, 7, "x") };
    let tale = audience().breaks(0, 150, WATCHER).says(1, 200, SENSOR, Packet::from(sent));
    let tale = tale.hears(1, 210, SENSOR, Packet::PubAck(ack(7))).joins(2, 3200, WATCHER, again, true);
    let copy = Packet::from(Publish { message_expiry: left, ..message(1, 1, "x") });
    assert_eq!(tale.hears(2, 3240, WATCHER, copy).broken(&plan(), 4000), expected);
}

#[rstest]
#[case::with_retain(Some(true), RetainHandling::Send, &[])]
#[case::without_retain(Some(false), RetainHandling::Send, &["broker_delivers"])]
#[case::not_at_all(None, RetainHandling::Send, &["broker_delivers"])]
#[case::not_asked_for(None, RetainHandling::DoNotSend, &[])]
#[case::although_not_asked_for(Some(true), RetainHandling::DoNotSend, &["broker_delivers"])]
fn server_sends_what_is_retained(
    #[case] sent: Option<bool>,
    #[case] retain_handling: RetainHandling,
    #[case] expected: &[&str],
) {
    let retained = Publish { retain: true, ..message(0, 0, "x") };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 50, SENSOR, Packet::from(retained));
    let subscription = Subscription { retain_handling, ..Subscription::new("t", QoS::AtMostOnce) };
    let mut tale = tale.subscribes(0, 100, subscription, None);
    if let Some(retain) = sent {
        tale = tale.hears(0, 110, WATCHER, Packet::from(Publish { retain, ..message(0, 0, "x") }));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

/// A server may drop a message that was not released with the session of its publisher (§4.3.3).
#[rstest]
#[case::not_released(false, &[])]
#[case::released(true, &["broker_delivers"])]
fn server_retains_what_is_released(#[case] is_released: bool, #[case] expected: &[&str]) {
    let retained = Publish { retain: true, ..message(2, 7, "x") };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false).says(1, 50, SENSOR, Packet::from(retained));
    let mut tale = tale.hears(1, 60, SENSOR, Packet::PubRec(ack(7)));
    if is_released {
        tale = tale.says(1, 70, SENSOR, Packet::PubRel(ack(7))).hears(1, 80, SENSOR, Packet::PubComp(ack(7)));
    }
    tale.0.at(90).item(1, SENSOR, BROKER, Transmission::Rst);
    let tale = tale.subscribes(0, 200, Subscription::new("t", QoS::AtMostOnce), None);
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

#[rstest]
#[case::nothing(false, &[])]
#[case::a_message(true, &["broker_delivers"])]
fn server_sends_nothing_after_unsuback(#[case] sends: bool, #[case] expected: &[&str]) {
    let unsubscribe =
        Unsubscribe { packet_id: 5.try_into().unwrap(), user_properties: Vec::new(), filters: vec!["t".into()] };
    let unsuback = UnsubAck {
        packet_id: 5.try_into().unwrap(),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::SUCCESS],
    };
    let tale = audience().says(0, 150, WATCHER, Packet::Unsubscribe(unsubscribe));
    let tale = tale.hears(0, 160, WATCHER, Packet::UnsubAck(unsuback)).says(1, 200, SENSOR, publish(0, 0, "x"));
    assert_eq!(tale.hears_if(sends, 0, 210, WATCHER, publish(0, 0, "x")).broken(&plan(), 3000), expected);
}

/// [MQTT-4.8.2-5] for QoS 2; with QoS 1 it should go to another member.
#[rstest]
#[case::at_least_once(1, 1, &[])]
#[case::twice(1, 2, &["broker_delivers"])]
#[case::exactly_once(2, 1, &["broker_delivers"])]
fn message_of_a_member_whose_session_ended_goes_to_another(
    #[case] qos: u8,
    #[case] times: usize,
    #[case] expected: &[&str],
) {
    let shared = || Subscription::new("$share/g/t", QoS::ExactlyOnce);
    let tale = Tale::new().joins(0, 0, WATCHER, connect("first", 0), false);
    let tale = tale.joins(1, 0, WATCHER, connect("second", 0), false).joins(2, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, shared(), None).subscribes(1, 100, shared(), None);
    let answer = if qos == 1 { Packet::PubAck(ack(7)) } else { Packet::PubRec(ack(7)) };
    let tale = tale.says(2, 200, SENSOR, publish(qos, 7, "x")).hears(2, 210, SENSOR, answer);
    let tale = if qos == 2 { tale.says(2, 220, SENSOR, Packet::PubRel(ack(7))) } else { tale };
    let mut tale = tale.hears(0, 240, WATCHER, publish(qos, 1, "x")).breaks(0, 300, WATCHER);
    for id in 1..=times {
        tale = tale.hears(1, 310, WATCHER, publish(qos, u16::try_from(id).unwrap(), "x"));
    }
    let broken = tale.broken(&plan(), 400);
    assert!(broken.iter().any(|duty| duty == "broker_delivers") != expected.is_empty(), "{broken:?}");
}

fn will() -> Will {
    Will {
        topic: "t".into(),
        payload: "x".into(),
        qos: QoS::AtMostOnce,
        retain: false,
        delay: None,
        payload_format: None,
        message_expiry: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    }
}

/// At one instant, or within the tolerance, a server may publish a will before it closes the connection.
#[rstest]
#[case::at_the_same_instant(0, 310, &[])]
#[case::before(0, 309, &["broker_delivers"])]
#[case::within_the_tolerance(50, 260, &[])]
#[case::before_the_tolerance(50, 259, &["broker_delivers"])]
fn will_may_go_out_before_the_connection_is_closed(
    #[case] tolerance: u64,
    #[case] published: u64,
    #[case] expected: &[&str],
) {
    let plan = Plan { tolerance: Duration::from_millis(tolerance), ..plan() };
    let sensor = Connect { will: Some(will().into()), ..connect("sensor", 0) };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false).joins(1, 0, SENSOR, sensor, false);
    let tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), None);
    let mut tale = tale.hears(0, published, WATCHER, publish(0, 0, "x"));
    tale.0.at(310).item(1, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan, 5000), expected);
}

/// Of a message and a SUBSCRIBE that come at one instant, either may have been first.
#[rstest]
#[case::at_the_same_instant(100, &[])]
#[case::before(99, &["broker_delivers"])]
fn message_of_the_instant_of_the_subscription_may_be_sent(#[case] at: u64, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let mut tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    tale.0.at(at).packet(1, SENSOR, BROKER, publish(0, 0, "x"));
    let tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), None);
    assert_eq!(tale.hears(0, 110, WATCHER, publish(0, 0, "x")).broken(&plan(), 3000), expected);
}

#[rstest]
#[case::at_once(0, None, Some(310), &[])]
#[case::never(0, None, None, &["broker_delivers"])]
#[case::although_it_was_deleted(0, Some(0x00), Some(310), &["broker_delivers"])]
#[case::although_it_said_goodbye(0, Some(0x04), Some(310), &[])]
#[case::after_its_delay(2, None, Some(2310), &[])]
#[case::before_its_delay(2, None, Some(310), &["broker_delivers"])]
fn server_publishes_a_will(
    #[case] delay: u32,
    #[case] goodbye: Option<u8>,
    #[case] published: Option<u64>,
    #[case] expected: &[&str],
) {
    let will = Will { delay: Some(delay), ..will() };
    let sensor = Connect { will: Some(will.into()), session_expiry: Some(100), ..connect("sensor", 0) };
    let mut tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false).joins(1, 0, SENSOR, sensor, false);
    tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), None);
    if let Some(reason) = goodbye {
        tale = tale.says(1, 290, SENSOR, disconnect(reason));
    }
    tale = tale.breaks(1, 300, SENSOR);
    if let Some(at) = published {
        tale = tale.hears(0, at, WATCHER, publish(0, 0, "x"));
    }
    assert_eq!(tale.broken(&plan(), 5000), expected);
}

#[rstest]
#[case::still_there(50_000, true, &[])]
#[case::forgotten(50_000, false, &["broker_keeps_sessions"])]
#[case::over(150_000, false, &[])]
#[case::kept_too_long(150_000, true, &["broker_keeps_sessions"])]
fn server_has_the_session_until_it_ends(#[case] at: u64, #[case] present: bool, #[case] expected: &[&str]) {
    let again = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let tale = audience().breaks(0, 300, WATCHER).joins(2, at, WATCHER, again, present);
    assert_eq!(tale.broken(&plan(), at + 100), expected);
}

#[rstest]
#[case::closed(true, &[])]
#[case::left_open(false, &["broker_keeps_sessions"])]
fn server_closes_the_connection_that_is_taken_over(#[case] closes: bool, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false);
    let mut tale = tale.joins(1, 1000, SENSOR, connect("sensor", 0), false);
    if closes {
        tale.0.at(1030).item(0, BROKER, SENSOR, Transmission::Fin);
    }
    assert_eq!(tale.broken(&plan(), 4000), expected);
}

#[rstest]
#[case::with_dup(Some(true), &[])]
#[case::without_dup(Some(false), &["resend_only_on_resume"])]
#[case::not_at_all(None, &["broker_settles"])]
fn server_sends_again_what_a_resumed_session_left(#[case] dup: Option<bool>, #[case] expected: &[&str]) {
    let again = Connect { clean_start: false, session_expiry: Some(100), ..connect("watcher", 0) };
    let tale = audience().says(1, 200, SENSOR, publish(1, 7, "x")).hears(1, 210, SENSOR, Packet::PubAck(ack(7)));
    let tale = tale.hears(0, 210, WATCHER, publish(1, 1, "x")).breaks(0, 250, WATCHER);
    let mut tale = tale.joins(2, 500, WATCHER, again, true);
    if let Some(dup) = dup {
        tale = tale.hears(2, 540, WATCHER, Packet::from(Publish { dup, ..message(1, 1, "x") }));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

#[rstest]
#[case::own_message_kept_back(false, &[])]
#[case::own_message_sent_back(true, &["broker_delivers"])]
fn server_keeps_no_local(#[case] sends: bool, #[case] expected: &[&str]) {
    let subscription = Subscription { no_local: true, ..Subscription::new("t", QoS::AtMostOnce) };
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.subscribes(0, 100, subscription, None).says(0, 200, WATCHER, publish(0, 0, "x"));
    assert_eq!(tale.hears_if(sends, 0, 210, WATCHER, publish(0, 0, "x")).broken(&plan(), 3000), expected);
}

#[rstest]
#[case::with_it(vec![5], &[])]
#[case::without_it(vec![], &["broker_delivers"])]
fn server_sends_the_identifier_of_the_subscription(#[case] subscription_ids: Vec<u32>, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, Subscription::new("t", QoS::AtMostOnce), Some(5));
    let tale = tale.says(1, 200, SENSOR, publish(0, 0, "x"));
    let copy = Packet::from(Publish { subscription_ids, ..message(0, 0, "x") });
    assert_eq!(tale.hears(0, 210, WATCHER, copy).broken(&plan(), 3000), expected);
}

#[rstest]
#[case::one_member(1, &[])]
#[case::no_member(0, &["broker_delivers"])]
#[case::twice(2, &["broker_delivers"])]
fn server_sends_a_message_to_one_member_of_a_group(#[case] times: u64, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, WATCHER, connect("watcher", 0), false);
    let tale = tale.joins(1, 0, SENSOR, connect("sensor", 0), false);
    let tale = tale.subscribes(0, 100, Subscription::new("$share/g/t", QoS::AtMostOnce), None);
    let mut tale = tale.says(1, 200, SENSOR, publish(0, 0, "x"));
    for time in 0..times {
        tale = tale.hears(0, 210 + time, WATCHER, publish(0, 0, "x"));
    }
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

/// The sensor is a client of the project that connects again after 1 s.
fn ours() -> Plan {
    let mut plan = plan();
    let mut options = ClientSettings::new(Version::V5_0, "sensor");
    options.reconnect = Some(Reconnect {
        min: Duration::from_secs(1),
        max: Duration::from_secs(1),
        factor: 2.0,
        jitter: 0.0,
        stable: Duration::from_secs(60),
    });
    plan.nodes[SENSOR.0].program = Program::Client(ClientProgram::new(options, BROKER));
    plan
}

/// The names of the client's duties that are broken.
fn broken_by_client(tale: Tale, end: u64) -> Vec<String> {
    broken_by_client_of(&ours(), tale, end)
}

/// The same of a plan.
fn broken_by_client_of(plan: &Plan, tale: Tale, end: u64) -> Vec<String> {
    let names = tale.broken(plan, end);
    names.into_iter().filter(|name| name.starts_with("client")).collect()
}

fn delivered(mut tale: Tale, at: u64, qos: u8) -> Tale {
    tale.0.at(at).event(EventKind::Delivered { node: SENSOR, message: message(qos, 3, "x").into() });
    tale
}

#[rstest]
#[case::acknowledged(true, &[])]
#[case::unacknowledged(false, &["client_answers"])]
fn client_acknowledges_what_comes(#[case] answers: bool, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).hears(0, 100, SENSOR, publish(1, 3, "x"));
    let tale = delivered(tale, 110, 1);
    let tale = if answers { tale.says(0, 110, SENSOR, Packet::PubAck(ack(3))) } else { tale };
    assert_eq!(broken_by_client(tale, 3000), expected);
}

#[rstest]
#[case::once(1, &[])]
#[case::never(0, &["client_delivers"])]
#[case::twice(2, &["client_delivers"])]
fn client_delivers_a_message_of_qos_2_once(#[case] times: u64, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).hears(0, 100, SENSOR, publish(2, 3, "x"));
    let again = Packet::from(Publish { dup: true, ..message(2, 3, "x") });
    let tale = tale.says(0, 110, SENSOR, Packet::PubRec(ack(3))).hears(0, 200, SENSOR, again);
    let mut tale = tale.says(0, 210, SENSOR, Packet::PubRec(ack(3)));
    for time in 0..times {
        tale = delivered(tale, 220 + time, 2);
    }
    assert_eq!(broken_by_client(tale, 3000), expected);
}

#[rstest]
#[case::at_the_maximum(0, &[])]
#[case::above_it(1, &["client_obeys_limits"])]
fn client_publishes_at_most_at_the_maximum_qos(#[case] qos: u8, #[case] expected: &[&str]) {
    let connack = ConnAck { maximum_qos: Some(QoS::AtMostOnce), ..ConnAck::default() };
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 60)));
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    let tale = tale.says(0, 100, SENSOR, publish(qos, 3, "x"));
    let broken = broken_by_client(tale, 1000);
    // Nobody has told it to publish, which is another duty.
    let broken: Vec<&String> = broken.iter().filter(|name| *name != "client_publishes").collect();
    assert_eq!(broken, expected);
}

#[rstest]
#[case::gives_up(7_520, &[])]
#[case::gives_up_late(7_522, &["client_gives_up"])]
#[case::waits_for_ever(60_000, &["client_gives_up"])]
fn client_does_not_wait_for_pingresp_for_ever(#[case] closes: u64, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 5), false);
    let mut tale = tale.says(0, 5020, SENSOR, Packet::PingReq);
    tale.0.at(closes).item(0, SENSOR, BROKER, Transmission::Fin);
    let mut plan = ours();
    if let Program::Client(client) = &mut plan.nodes[SENSOR.0].program {
        client.options.connect.keep_alive = 5;
    }
    assert_eq!(broken_by_client_of(&plan, tale, closes + 500), expected);
}

#[rstest]
#[case::in_time(1110, &[])]
#[case::too_early(600, &["client_reconnects"])]
#[case::too_late(3000, &["client_reconnects"])]
fn client_connects_again_after_its_pause(#[case] at: u64, #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, BROKER, SENSOR, Transmission::Rst);
    let tale = tale.joins(1, at, SENSOR, connect("sensor", 60), false);
    assert_eq!(broken_by_client(tale, at + 100), expected);
}

/// A client need not wait for CONNACK before it asks for something (§3.1.4).
#[rstest]
#[case::malformed_connect_is_refused(0x10, 0x81, &[])]
#[case::malformed_connect_is_accepted(0x10, 0x00, &["broker_answers"])]
#[case::something_else_is_refused(0xc0, 0x81, &["broker_answers"])]
fn connack_answers_a_connect(#[case] first: u8, #[case] reason: u8, #[case] expected: &[&str]) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).item(0, SENSOR, BROKER, Transmission::Bytes(vec![first, 0xff, 0xff, 0xff, 0xff].into()));
    let connack = ConnAck { reason: ReasonCode::new(reason), ..Default::default() };
    tale.0.at(40).packet(0, BROKER, SENSOR, Packet::from(connack)).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan(), 3000), expected);
}

#[rstest]
#[case::answered(true, &[])]
#[case::unanswered(false, &["broker_answers"])]
fn what_comes_before_connack_is_answered_after_it(#[case] answers: bool, #[case] expected: &[&str]) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 0)));
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::PingReq);
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::ConnAck(Default::default()));
    assert_eq!(tale.hears_if(answers, 0, 30, SENSOR, Packet::PingResp).broken(&plan(), 3000), expected);
}

/// Of a message that two subscriptions match, a second copy may follow: the first copies of many equal ones are told apart
/// from it all the same.
#[rstest]
#[case::each_once(12, &[])]
#[case::the_last_never(11, &["broker_delivers"])]
fn equal_messages_that_match_two_subscriptions_are_counted(#[case] sent: u64, #[case] expected: &[&str]) {
    let mut tale = audience().subscribes(0, 150, Subscription::new("#", QoS::AtMostOnce), None);
    for number in 0..12 {
        tale = tale.says(1, 1000 + number * 100, SENSOR, publish(0, 0, "x"));
        if number < sent {
            tale = tale.hears(0, 1010 + number * 100, WATCHER, publish(0, 0, "x"));
        }
    }
    assert_eq!(tale.broken(&plan(), 5000), expected);
}

/// A session of one second whose broker dies at 1 s and is back at 2 s ends between 2 and 3 s.
#[rstest]
#[case::still_there(2_500, true, &[])]
#[case::gone(2_500, false, &[])]
#[case::there_for_too_long(3_500, true, &["broker_keeps_sessions"])]
fn session_ends_over_the_death_of_a_durable_server(
    #[case] back: u64,
    #[case] session_present: bool,
    #[case] expected: &[&str],
) {
    let mut plan = plan();
    if let Program::Broker(broker) = &mut plan.nodes[BROKER.0].program {
        broker.durable = true;
    }
    let watcher = Connect { clean_start: false, session_expiry: Some(1), ..connect("watcher", 0) };
    let mut tale = Tale::new().joins(0, 0, WATCHER, watcher.clone(), false);
    tale.0.at(1_000).change(BROKER, NodeFault::PowerLoss);
    tale.0.at(2_000).change(BROKER, NodeFault::Restart);
    assert_eq!(tale.joins(1, back, WATCHER, watcher, session_present).broken(&plan, 5_000), expected);
}

/// Behind a large message for a client that reads nothing, the answer to its question cannot be seen.
#[rstest]
#[case::that_reads_nothing(true, &[])]
#[case::that_reads(false, &["broker_answers", "broker_delivers"])]
fn answers_wait_behind_a_large_message_for_a_client(#[case] is_deaf: bool, #[case] expected: &[&str]) {
    let large = Publish { payload: Bytes::from(vec![b'x'; 100_000]), ..message(0, 0, "") };
    let mut tale = audience();
    if is_deaf {
        tale.0.at(200).change(WATCHER, NodeFault::StopReading);
    }
    tale = tale.says(1, 300, SENSOR, Packet::from(large)).says(0, 1_700, WATCHER, Packet::PingReq);
    assert_eq!(tale.breaks(0, 5_000, WATCHER).broken(&plan(), 6_000), expected);
}

#[rstest]
#[case::accepted(0x00, &[])]
#[case::refused(0x88, &["broker_answers"])]
fn server_accepts_a_client_that_nothing_speaks_against(#[case] reason: u8, #[case] expected: &[&str]) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 0)));
    let connack = ConnAck { reason: ReasonCode::new(reason), ..ConnAck::default() };
    tale.0.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::closed(Some(10_000), &[])]
#[case::open_for_ever(None, &["broker_answers"])]
fn server_closes_a_connection_without_connect(#[case] closed: Option<u64>, #[case] expected: &[&str]) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    if let Some(closed) = closed {
        tale.0.at(closed).item(0, BROKER, SENSOR, Transmission::Fin);
    }
    assert_eq!(tale.broken(&plan(), 20_000), expected);
}

#[rstest]
#[case::told(true, &[])]
#[case::untold(false, &["broker_keeps_sessions"])]
fn server_tells_a_client_that_its_connection_is_taken_over(#[case] is_told: bool, #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 0), false);
    tale.0.at(530).closing(0, BROKER, SENSOR, Because::Takeover, None);
    tale = tale.joins(1, 500, SENSOR, connect("sensor", 0), false);
    tale = tale.hears_if(is_told, 0, 530, SENSOR, disconnect(0x8E));
    tale.0.at(530).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::in_time(30_000, &[])]
#[case::too_early(20_000, &["client_gives_up"])]
#[case::too_late(30_002, &["client_gives_up"])]
fn client_waits_as_long_as_it_is_set_to(#[case] closed: u64, #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false).says(0, 100, SENSOR, Packet::PingReq);
    tale.0.at(100 + closed).closing(0, SENSOR, BROKER, Because::NoPingresp, None);
    assert_eq!(broken_by_client(tale, 100 + closed), expected);
}

#[test]
fn client_misses_nothing_that_it_has_not_asked_for() {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(500).closing(0, SENSOR, BROKER, Because::NoPingresp, None);
    assert_eq!(broken_by_client(tale, 500), ["client_gives_up"]);
}

#[rstest]
#[case::its_own(60, &[])]
#[case::another(10, &["client_reconnects"])]
fn client_asks_for_its_own_keep_alive(#[case] keep_alive: u16, #[case] expected: &[&str]) {
    let tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", keep_alive), false);
    assert_eq!(broken_by_client(tale, 1000), expected);
}

#[rstest]
#[case::subscribes(true, false, &[])]
#[case::does_not(false, false, &["client_reconnects"])]
#[case::need_not(false, true, &[])]
fn client_subscribes_where_it_has_no_session(
    #[case] subscribes: bool,
    #[case] session_present: bool,
    #[case] expected: &[&str],
) {
    let mut plan = ours();
    let Program::Client(client) = &mut plan.nodes[SENSOR.0].program else { unreachable!() };
    client.options.subscriptions = vec![Subscription::new("t", QoS::AtMostOnce)];
    let subscribe = Subscribe {
        packet_id: 1.try_into().unwrap(),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: client.options.subscriptions.clone(),
    };
    let suback = SubAck {
        packet_id: 1.try_into().unwrap(),
        reason_string: None,
        user_properties: Vec::new(),
        reasons: vec![ReasonCode::SUCCESS],
    };
    let connect = Connect { clean_start: false, session_expiry: Some(100), ..connect("sensor", 60) };
    client.options.connect = connect.clone().into();
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect, session_present);
    if subscribes {
        tale = tale.says(0, 50, SENSOR, Packet::Subscribe(subscribe)).hears(0, 60, SENSOR, Packet::SubAck(suback));
    }
    assert_eq!(broken_by_client_of(&plan, tale, 3000), expected);
}
