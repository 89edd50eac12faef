//! The edges of what a session and QoS 1 promise: who is owed something, until when, and who is not.

use crate::plan::BrokerProgram;
use std::sync::Arc;

use super::*;

/// How many breaches of this rule there are.
fn breaches(rule: &str, plan: &Plan, story: &mut TraceBuilder, end: u64) -> usize {
    let outcome = check(plan, &story.end(end));
    outcome.violations.iter().filter(|violation| violation.text.contains(rule)).count()
}

fn broker(change: impl FnOnce(&mut BrokerProgram)) -> Plan {
    let mut plan = ours();
    if let Program::Broker(program) = &mut plan.nodes[BROKER.0].program {
        change(program);
    }
    plan
}

/// The watcher leaves a session, which the broker sees at 230 ms, and is answered when it is back at this time.
fn back_at(
    at: u64,
    first: Connect,
    then: impl FnOnce(&mut TraceBuilder),
    second: Connect,
    session_present: bool,
) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, first, false);
    then(&mut story);
    leaves(&mut story, 0, 220, WATCHER);
    joins(&mut story, 1, at - 30, WATCHER, second, session_present);
    story
}

fn lasting(seconds: u32) -> Connect {
    Connect { clean_start: false, session_expiry: Some(seconds), ..connect("watcher", 0) }
}

fn nothing(_: &mut TraceBuilder) {}

#[rstest]
#[case::none(false, 0)]
#[case::one(true, 1)]
fn nobody_has_a_session_who_comes_for_the_first_time(#[case] session_present: bool, #[case] expected: usize) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, persistent("watcher"), session_present);
    assert_eq!(breaches("broker_keeps_sessions", &ours(), &mut story, 100), expected);
}

#[rstest]
#[case::it_may_be_there_when_it_ends(100_230, lasting(100), true, 0)]
#[case::it_may_be_gone_when_it_ends(100_230, lasting(100), false, 0)]
#[case::it_is_gone_for_who_begins_anew(100_230, Connect { clean_start: true, ..lasting(100) }, true, 1)]
#[case::it_is_there_for_years(3_000_000_000, lasting(u32::MAX), true, 0)]
#[case::it_is_missed_for_years(3_000_000_000, lasting(u32::MAX), false, 1)]
fn session_ends_when_it_was_to(
    #[case] at: u64,
    #[case] who: Connect,
    #[case] session_present: bool,
    #[case] expected: usize,
) {
    let first = Connect { clean_start: false, ..who.clone() };
    let mut story = back_at(at, first, nothing, who, session_present);
    let plan = broker(|broker| broker.config.maximum_session_expiry = u32::MAX);
    assert_eq!(breaches("broker_keeps_sessions", &plan, &mut story, at + 100), expected);
}

#[rstest]
#[case::in_time(50_229, true, 0)]
#[case::too_late(50_231, true, 1)]
fn session_lasts_no_longer_than_the_broker_allows(
    #[case] at: u64,
    #[case] session_present: bool,
    #[case] expected: usize,
) {
    let plan = broker(|broker| broker.config.maximum_session_expiry = 50);
    let kept = || Connect { version: Version::V3_1_1, session_expiry: None, ..lasting(100) };
    let mut story = back_at(at, kept(), nothing, kept(), session_present);
    assert_eq!(breaches("broker_keeps_sessions", &plan, &mut story, at + 100), expected);
}

#[rstest]
#[case::shortened(WATCHER, 100, 5, 5_229, true, 0)]
#[case::shortened_and_over(WATCHER, 100, 5, 5_231, true, 1)]
#[case::said_by_the_broker(BROKER, 100, 5, 5_231, true, 0)]
#[case::not_raised_from_zero(WATCHER, 0, 50, 5_231, true, 1)]
#[case::raised(WATCHER, 1, 50, 5_231, true, 0)]
fn disconnect_says_anew_for_how_long(
    #[case] from: NodeId,
    #[case] asked: u32,
    #[case] said: u32,
    #[case] at: u64,
    #[case] session_present: bool,
    #[case] expected: usize,
) {
    let to = if from == BROKER { WATCHER } else { BROKER };
    let disconnect = Disconnect { session_expiry: Some(said), ..Disconnect::default() };
    let says = |story: &mut TraceBuilder| {
        story.at(215).packet(0, from, to, Packet::Disconnect(disconnect));
    };
    let mut story = back_at(at, lasting(asked), says, lasting(asked), session_present);
    assert_eq!(breaches("broker_keeps_sessions", &ours(), &mut story, at + 100), expected);
}

#[rstest]
#[case::a_name_without_proof_is_no_other_user(Some("eve"), false, 1)]
#[case::the_same_user_has_it(None, false, 1)]
fn session_is_of_its_user(#[case] user: Option<&str>, #[case] session_present: bool, #[case] expected: usize) {
    let second = Connect { username: user.map(Into::into), ..lasting(100) };
    let mut story = back_at(1000, lasting(100), nothing, second, session_present);
    assert_eq!(breaches("broker_keeps_sessions", &ours(), &mut story, 2000), expected);
}

#[rstest]
#[case::kept(true, true, 0)]
#[case::forgotten(true, false, 1)]
#[case::nothing_is_known(false, false, 0)]
fn durable_broker_knows_after_a_crash(#[case] durable: bool, #[case] session_present: bool, #[case] expected: usize) {
    let mut story = back_at(9000, lasting(100), nothing, lasting(100), session_present);
    story.at(5000).change(BROKER, NodeFault::Crash).at(6000).change(BROKER, NodeFault::Restart);
    assert_eq!(
        breaches("broker_keeps_sessions", &broker(|broker| broker.durable = durable), &mut story, 9100),
        expected
    );
}

#[rstest]
#[case::gone(false, 0)]
#[case::there(true, 1)]
fn session_that_ends_with_its_connection_is_not_taken_over(#[case] session_present: bool, #[case] expected: usize) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
    joins(&mut story, 1, 1000, WATCHER, persistent("watcher"), session_present);
    story.at(1030).closing(0, BROKER, WATCHER, Because::Takeover, None).item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(breaches("broker_keeps_sessions", &ours(), &mut story, 2000), expected);
}

#[rstest]
#[case::before_it_asked(59, "t", 1)]
#[case::when_it_asked(60, "t", 0)]
#[case::after_it_was_granted(200, "t", 0)]
#[case::something_else(200, "u", 1)]
fn message_comes_from_the_subscribe_on(#[case] at: u64, #[case] topic: &str, #[case] expected: usize) {
    let mut story = watcher_that_subscribes(50, 0);
    let message = Packet::from(Publish { topic: topic.into(), ..Publish::default() });
    joins(&mut story, 1, 0, SENSOR, connect("sensor", 0), false);
    story.at(at - 10).packet(1, SENSOR, BROKER, message.clone());
    story.at(at).packet(0, BROKER, WATCHER, message);
    assert_eq!(breaches("broker_delivers", &ours(), &mut story, 1000), expected);
}

fn watcher_that_subscribes(at: u64, qos: u8) -> TraceBuilder {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
    subscribes(&mut story, 0, at, WATCHER, qos);
    story
}

#[derive(Clone, Copy)]
enum Does {
    /// It receives a message.
    Gets(u16),
    Delivers(NodeId, u8, u16),
    Acknowledges(u16),
}
use Does::{Acknowledges, Delivers, Gets};

#[rstest]
#[case::each_once(&[Gets(7), Gets(8), Delivers(SENSOR, 1, 7), Delivers(SENSOR, 1, 8), Acknowledges(7), Acknowledges(8)], 0)]
#[case::a_second_one_without_delivery(&[Gets(7), Delivers(SENSOR, 1, 7), Acknowledges(7), Gets(7), Acknowledges(7)], 1)]
#[case::a_repetition_without_delivery(&[Gets(7), Gets(7), Delivers(SENSOR, 1, 7), Acknowledges(7), Acknowledges(7)], 0)]
#[case::a_repetition_without_any(&[Gets(7), Gets(7), Acknowledges(7), Acknowledges(7)], 2)]
#[case::twice_for_two(&[Gets(7), Delivers(SENSOR, 1, 7), Acknowledges(7), Gets(7), Delivers(SENSOR, 1, 7), Acknowledges(7)], 0)]
#[case::another_one(&[Gets(7), Gets(8), Delivers(SENSOR, 1, 7), Acknowledges(8)], 1)]
#[case::delivered_to_somebody_else(&[Gets(7), Delivers(WATCHER, 1, 7), Acknowledges(7)], 1)]
#[case::delivered_at_another_qos(&[Gets(7), Delivers(SENSOR, 2, 7), Acknowledges(7)], 1)]
fn client_acknowledges_each_delivery(#[case] does: &[Does], #[case] expected: usize) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    for (at, what) in (100..).step_by(20).zip(does) {
        match *what {
            Gets(packet_id) => story.at(at).packet(0, BROKER, SENSOR, message(1, packet_id, "x", false)),
            Delivers(node, qos, packet_id) => story.at(at).event(delivered(node, message(qos, packet_id, "x", false))),
            Acknowledges(packet_id) => story.at(at).packet(0, SENSOR, BROKER, Packet::PubAck(Ack::new(id(packet_id)))),
        };
    }
    assert_eq!(breaches("qos_1", &ours(), &mut story, 500), expected);
}

#[test]
fn what_a_client_refuses_it_need_not_deliver() {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    let refusal = Ack { reason: ReasonCode::new(0x87), ..Ack::new(id(7)) };
    story.at(120).packet(0, SENSOR, BROKER, Packet::PubAck(refusal));
    assert_eq!(breaches("qos_1", &ours(), &mut story, 500), 0);
}

/// What a subscriber may be owed. The broker has read the message at 2110 ms.
struct Owed {
    connect: Connect,
    subscription: Subscription,
    granted_at: u64,
    message: Packet,
    acknowledges: bool,
    leaves: bool,
    end: u64,
}

fn expires(owed: &mut Owed, secs: u32) {
    if let Packet::Publish(publish) = &mut owed.message {
        Arc::make_mut(publish).message_expiry = Some(secs);
    }
}

impl Default for Owed {
    fn default() -> Self {
        Self {
            connect: connect("watcher", 0),
            subscription: Subscription::new("t", QoS::AtLeastOnce),
            granted_at: 60,
            message: message(1, 3, "x", false),
            acknowledges: true,
            leaves: false,
            end: 3111,
        }
    }
}

#[rstest]
#[case::it_is(|_: &mut Owed| {}, 1)]
#[case::time_is_left(|owed: &mut Owed| owed.end = 3110, 0)]
#[case::was_not_acknowledged(|owed: &mut Owed| owed.acknowledges = false, 1)]
#[case::has_gone(|owed: &mut Owed| owed.leaves = true, 0)]
#[case::wants_it_once_at_most(|owed: &mut Owed| owed.subscription.qos = QoS::AtMostOnce, 1)]
#[case::of_another_topic(|owed: &mut Owed| owed.subscription = Subscription::new("u", QoS::AtLeastOnce), 0)]
#[case::shared(|owed: &mut Owed| owed.subscription = Subscription::new("$share/g/t", QoS::AtLeastOnce), 1)]
#[case::subscribed_just_before(|owed: &mut Owed| owed.granted_at = 2109, 1)]
#[case::subscribed_at_that_instant(|owed: &mut Owed| owed.granted_at = 2110, 1)]
#[case::subscribed_later(|owed: &mut Owed| owed.granted_at = 2111, 0)]
#[case::takes_no_big_ones(|owed: &mut Owed| owed.connect.maximum_packet_size = Some(7), 0)]
#[case::takes_bigger_ones(|owed: &mut Owed| owed.connect.maximum_packet_size = Some(100), 1)]
#[case::has_expired(|owed: &mut Owed| expires(owed, 1), 0)]
#[case::has_not_expired(|owed: &mut Owed| expires(owed, 2), 1)]
#[case::not_of_its_own(|owed: &mut Owed| owed.subscription.no_local = true, 1)]
fn subscriber_is_owed_a_message_of_qos_1(#[case] change: impl Fn(&mut Owed), #[case] expected: usize) {
    let mut owed = Owed::default();
    change(&mut owed);
    let mut plan = ours();
    plan.nodes[SENSOR.0].program = plan.nodes[WATCHER.0].program.clone();
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    joins(&mut story, 1, 0, WATCHER, owed.connect, false);
    let granted = ReasonCode::new(owed.subscription.qos as u8);
    let subscribe = Subscribe {
        packet_id: id(99),
        subscription_id: None,
        user_properties: Vec::new(),
        subscriptions: vec![owed.subscription],
    };
    story.at(owed.granted_at - 10).packet(1, WATCHER, BROKER, Packet::Subscribe(subscribe));
    let suback = SubAck { packet_id: id(99), reason_string: None, user_properties: Vec::new(), reasons: vec![granted] };
    story.at(owed.granted_at).packet(1, BROKER, WATCHER, Packet::SubAck(suback));
    story.at(2100).packet(0, SENSOR, BROKER, owed.message);
    if owed.acknowledges {
        story.at(2110).packet(0, BROKER, SENSOR, Packet::PubAck(Ack::new(id(3))));
    }
    if owed.leaves {
        leaves(&mut story, 1, 2300, WATCHER);
    }
    assert_eq!(breaches("broker_delivers", &plan, &mut story, owed.end), expected);
}
