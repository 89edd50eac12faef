//! Each invariant is seen to break, on a trace in which little else is wrong, and to hold 1 ms or one packet beside.

use std::time::Duration;

use halfopen_protocol::packet::{
    Ack, ConnAck, Connect, Disconnect, PacketId, Publish, QoS, SubAck, Subscribe, Subscription,
};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};
use rstest::rstest;

use crate::check;
use crate::plan::{
    Because, ClientProgram, ClientSettings, Command, Invariant, NodeFault, NodeId, Plan, Position, Program, StepKind,
    Waiver,
};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, WATCHER, connect, plan, step};
use crate::trace::{EventKind, Transmission};

mod counted;
mod edges;
mod promises;

/// The sensor is a client of the project, the watcher a raw one.
fn ours() -> Plan {
    let mut plan = plan();
    let options = ClientSettings::new(Version::V5_0, "sensor");
    plan.nodes[SENSOR.0].program = Program::Client(ClientProgram::new(options, BROKER));
    plan
}

/// The plan without the duties of the reference model, but for these: the stories here are told only as far as one invariant
/// needs it.
fn with_duties(plan: &Plan, duties: &[Invariant]) -> Plan {
    let mut plan = plan.clone();
    let others = Invariant::duties().filter(|invariant| !duties.contains(invariant));
    let waiver = |invariant| Waiver { position: Position::default(), invariant, reason: String::new() };
    plan.waived.extend(others.map(waiver));
    plan
}

/// The names of the invariants that do not hold.
fn broken(plan: &Plan, story: &mut TraceBuilder, end: u64) -> Vec<String> {
    broken_with(&[], plan, story, end)
}

/// The names of the invariants and of these duties that do not hold.
fn broken_with(duties: &[Invariant], plan: &Plan, story: &mut TraceBuilder, end: u64) -> Vec<String> {
    let outcome = check(&with_duties(plan, duties), &story.end(end));
    let mut names: Vec<String> =
        outcome.violations.iter().map(|violation| violation.text.replace("invariant ", "").replace('`', "")).collect();
    names.dedup();
    names
}

fn id(id: u16) -> PacketId {
    id.try_into().unwrap()
}

fn message(qos: u8, packet_id: u16, payload: &str, dup: bool) -> Packet {
    Packet::from(Publish {
        topic: "t".into(),
        payload: bytes::Bytes::copy_from_slice(payload.as_bytes()),
        qos: QoS::new(qos).unwrap(),
        packet_id: (qos > 0).then(|| id(packet_id)),
        dup,
        ..Publish::default()
    })
}

fn delivered(node: NodeId, packet: Packet) -> EventKind {
    let Packet::Publish(message) = packet else { panic!("no message") };
    EventKind::Delivered { node, message }
}

fn persistent(client_id: &str) -> Connect {
    Connect { clean_start: false, session_expiry: Some(100), ..connect(client_id, 0) }
}

fn connack(session_present: bool) -> Packet {
    Packet::from(ConnAck { session_present, ..ConnAck::default() })
}

/// A client connects at this time, in milliseconds, and is told whether there is a session.
fn joins(story: &mut TraceBuilder, connection: u32, at: u64, node: NodeId, packet: Connect, session_present: bool) {
    story.at(at).item(connection, node, BROKER, Transmission::Open);
    story.at(at + 20).packet(connection, node, BROKER, Packet::from(packet));
    story.at(at + 30).packet(connection, BROKER, node, connack(session_present));
}

/// The node subscribes to `t`.
fn subscribes(story: &mut TraceBuilder, connection: u32, at: u64, node: NodeId, qos: u8) {
    let subscription = Subscription::new("t", QoS::new(qos).unwrap());
    story.at(at).packet(
        connection,
        node,
        BROKER,
        Packet::Subscribe(Subscribe {
            packet_id: id(99),
            subscription_id: None,
            user_properties: Vec::new(),
            subscriptions: vec![subscription],
        }),
    );
    story.at(at + 10).packet(
        connection,
        BROKER,
        node,
        Packet::SubAck(SubAck {
            packet_id: id(99),
            reason_string: None,
            user_properties: Vec::new(),
            reasons: vec![ReasonCode::new(qos)],
        }),
    );
}

fn leaves(story: &mut TraceBuilder, connection: u32, at: u64, node: NodeId) {
    story.at(at).item(connection, node, BROKER, Transmission::Fin).at(at + 10).item(
        connection,
        BROKER,
        node,
        Transmission::Fin,
    );
}

#[rstest]
#[case::on_the_millisecond(5020, &[])]
#[case::a_millisecond_late(5021, &["client_keeps_its_interval"])]
fn client_keeps_its_interval(#[case] ping: u64, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 5), false);
    story.at(ping).packet(0, SENSOR, BROKER, Packet::PingReq);
    assert_eq!(broken(&ours(), &mut story, 6000), expected);
}

#[test]
fn client_that_is_told_to_be_silent_keeps_its_interval_and_one_that_falls_silent_does_not() {
    let silent = |told: bool| {
        let mut plan = ours();
        let actions = vec![Command::StopPinging.into()];
        plan.steps.push(step(5, "sensor: stop_pinging", StepKind::Node { nodes: vec![SENSOR], actions }));
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, SENSOR, connect("sensor", 5), false);
        story.at(if told { 100 } else { 5500 }).step(5, "sensor: stop_pinging");
        broken(&plan, &mut story, 6000)
    };
    assert_eq!(silent(true), Vec::<String>::new());
    assert_eq!(silent(false), ["client_keeps_its_interval"]);
}

#[rstest]
#[case::on_the_millisecond(7530, Because::KeepAlive, &[])]
#[case::a_millisecond_early(7529, Because::KeepAlive, &["broker_keeps_its_deadline"])]
#[case::a_millisecond_late(7531, Because::KeepAlive, &["broker_keeps_its_deadline"])]
#[case::early_for_another_reason(7529, Because::Shutdown, &[])]
fn broker_keeps_its_deadline(#[case] at: u64, #[case] because: Because, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 5), false);
    story.at(at).closing(0, BROKER, WATCHER, because, Some((PacketType::Connect, 30, 7530)));
    story.item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(broken(&ours(), &mut story, 9000), expected);
}

#[test]
fn broker_that_never_closes_or_only_says_so_breaks_its_deadline() {
    let mut in_time = TraceBuilder::new();
    joins(&mut in_time, 0, 0, WATCHER, connect("watcher", 5), false);
    assert_eq!(broken(&ours(), &mut in_time, 7530), Vec::<String>::new());
    let mut never = TraceBuilder::new();
    joins(&mut never, 0, 0, WATCHER, connect("watcher", 5), false);
    assert_eq!(broken(&ours(), &mut never, 7531), ["broker_keeps_its_deadline"]);
    let mut says = TraceBuilder::new();
    joins(&mut says, 0, 0, WATCHER, connect("watcher", 5), false);
    says.at(7530).closing(0, BROKER, WATCHER, Because::KeepAlive, None);
    assert_eq!(broken(&ours(), &mut says, 8000), ["broker_keeps_its_deadline"]);
    let mut zero = TraceBuilder::new();
    joins(&mut zero, 0, 0, WATCHER, connect("watcher", 0), false);
    zero.at(300_000).closing(0, BROKER, WATCHER, Because::KeepAlive, None).item(0, BROKER, WATCHER, Transmission::Fin);
    assert_eq!(broken(&ours(), &mut zero, 300_000), ["broker_keeps_its_deadline"]);
}

#[rstest]
#[case::delivered_first(true, &[])]
#[case::never_delivered(false, &["qos_1_at_least_once"])]
fn client_acknowledges_what_it_delivered(#[case] is_delivered: bool, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    subscribes(&mut story, 0, 50, SENSOR, 1);
    story.at(100).packet(0, BROKER, SENSOR, message(1, 7, "x", false));
    if is_delivered {
        story.at(110).event(delivered(SENSOR, message(1, 7, "x", false)));
    }
    story.at(110).packet(0, SENSOR, BROKER, Packet::PubAck(Ack::new(id(7))));
    assert_eq!(broken(&ours(), &mut story, 2000), expected);
}

#[rstest]
#[case::sent_again(Some(true), true, &[])]
#[case::never(None, true, &["client_settles"])]
#[case::without_dup(Some(false), true, &["resend_only_on_resume"])]
#[case::not_resumed(Some(true), false, &["resend_only_on_resume"])]
fn what_is_not_acknowledged_is_sent_again_on_resume(
    #[case] again: Option<bool>,
    #[case] session_present: bool,
    #[case] expected: &[&str],
) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
    story.at(100).packet(0, SENSOR, BROKER, message(1, 7, "x", false));
    leaves(&mut story, 0, 200, SENSOR);
    let second = if session_present { persistent("sensor") } else { connect("sensor", 0) };
    joins(&mut story, 1, 1000, SENSOR, second, session_present);
    if let Some(dup) = again {
        story.at(1040).packet(1, SENSOR, BROKER, message(1, 7, "x", dup));
        story.at(1050).packet(1, BROKER, SENSOR, Packet::PubAck(Ack::new(id(7))));
    }
    assert_eq!(broken_with(&[Invariant::ClientSettles], &ours(), &mut story, 9000), expected);
}

#[test]
fn sent_again_on_the_same_connection_is_a_breach() {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    story.at(100).packet(0, SENSOR, BROKER, message(1, 7, "x", false));
    story.at(5000).packet(0, SENSOR, BROKER, message(1, 7, "x", true));
    assert_eq!(broken(&ours(), &mut story, 9000), ["resend_only_on_resume"]);
}

#[rstest]
#[case::to_all(&[SENSOR, WATCHER], &[])]
#[case::not_to_one(&[SENSOR], &["broker_delivers"])]
fn what_the_broker_took_it_passes_on(#[case] to: &[NodeId], #[case] expected: &[&str]) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].program = plan.nodes[WATCHER.0].program.clone();
    let mut story = TraceBuilder::new();
    for (connection, node, name) in [(0, SENSOR, "sensor"), (1, WATCHER, "watcher")] {
        joins(&mut story, connection, 0, node, connect(name, 0), false);
        subscribes(&mut story, connection, 50, node, 1);
    }
    story.at(100).packet(0, SENSOR, BROKER, message(1, 3, "x", false));
    story.at(110).packet(0, BROKER, SENSOR, Packet::PubAck(Ack::new(id(3))));
    for &node in to {
        story.at(110).packet(u32::from(node == WATCHER), BROKER, node, message(1, 7, "x", false));
    }
    assert_eq!(broken_with(&[Invariant::BrokerDelivers], &plan, &mut story, 9000), expected);
}

#[rstest]
#[case::once(&["deliver", "release"], &[])]
#[case::twice(&["deliver", "deliver", "release"], &["qos_2_exactly_once"])]
#[case::again_after_the_release(&["deliver", "release", "deliver"], &[])]
#[case::acknowledged_and_not_delivered(&["release"], &["qos_2_exactly_once"])]
fn client_delivers_once(#[case] does: &[&str], #[case] expected: &[&str]) {
    // A raw broker may send what nobody has published.
    let mut plan = ours();
    plan.nodes[BROKER.0].program = Program::RawBroker(Box::default());
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    subscribes(&mut story, 0, 50, SENSOR, 2);
    story.at(100).packet(0, BROKER, SENSOR, message(2, 7, "x", false));
    for (place, what) in (1..).zip(does) {
        story.at(100 + place * 20);
        if *what == "deliver" {
            story.event(delivered(SENSOR, message(2, 7, "x", false)));
        } else {
            story.packet(0, SENSOR, BROKER, Packet::PubRec(Ack::new(id(7))));
            story.at(110 + place * 20).packet(0, BROKER, SENSOR, Packet::PubRel(Ack::new(id(7))));
        }
    }
    assert_eq!(broken(&plan, &mut story, 2000), expected);
}

#[test]
fn message_that_was_taken_over_is_never_sent_again_but_its_pubrel_is() {
    let resumed = |again: Option<Packet>| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
        story.at(100).packet(0, SENSOR, BROKER, message(2, 7, "x", false));
        story.at(110).packet(0, BROKER, SENSOR, Packet::PubRec(Ack::new(id(7))));
        leaves(&mut story, 0, 200, SENSOR);
        joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), true);
        if let Some(again) = again {
            story.at(1040).packet(1, SENSOR, BROKER, again);
        }
        broken_with(&[Invariant::ClientSettles], &ours(), &mut story, 9000)
    };
    assert_eq!(resumed(Some(Packet::PubRel(Ack::new(id(7))))), Vec::<String>::new());
    assert_eq!(resumed(None), ["client_settles"]);
    assert_eq!(resumed(Some(message(2, 7, "x", true))), ["client_settles"]);
}

#[rstest]
#[case::once(1, &[])]
#[case::twice(2, &["broker_delivers"])]
fn broker_passes_a_message_on_once(#[case] times: u16, #[case] expected: &[&str]) {
    let mut plan = ours();
    plan.nodes[SENSOR.0].program = plan.nodes[WATCHER.0].program.clone();
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    joins(&mut story, 1, 0, WATCHER, connect("watcher", 0), false);
    subscribes(&mut story, 1, 50, WATCHER, 2);
    story.at(100).packet(0, SENSOR, BROKER, message(2, 3, "x", false));
    story.at(110).packet(0, BROKER, SENSOR, Packet::PubRec(Ack::new(id(3))));
    for packet_id in 1..=times {
        story.at(110 + u64::from(packet_id)).packet(1, BROKER, WATCHER, message(2, packet_id, "x", false));
    }
    assert_eq!(broken_with(&[Invariant::BrokerDelivers], &plan, &mut story, 9000), expected);
}

#[rstest]
#[case::as_they_came(&["a", "b"], &[])]
#[case::the_other_way_round(&["b", "a"], &["topic_order"])]
fn messages_keep_their_order(#[case] payloads: &[&str], #[case] expected: &[&str]) {
    let mut plan = ours();
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    subscribes(&mut story, 0, 50, SENSOR, 0);
    story.at(100).packet(0, BROKER, SENSOR, message(0, 0, "a", false));
    story.at(101).packet(0, BROKER, SENSOR, message(0, 0, "b", false));
    for payload in payloads {
        story.at(120).event(delivered(SENSOR, message(0, 0, payload, false)));
    }
    assert_eq!(broken(&plan, &mut story, 2000), expected);

    plan.nodes[SENSOR.0].program = plan.nodes[WATCHER.0].program.clone();
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    joins(&mut story, 1, 0, WATCHER, connect("watcher", 0), false);
    subscribes(&mut story, 1, 50, WATCHER, 0);
    story.at(100).packet(0, SENSOR, BROKER, message(0, 0, "a", false));
    story.at(101).packet(0, SENSOR, BROKER, message(0, 0, "b", false));
    for (place, payload) in (0..).zip(payloads) {
        story.at(120 + place).packet(1, BROKER, WATCHER, message(0, 0, payload, false));
    }
    assert_eq!(broken(&plan, &mut story, 2000), expected);
}

#[test]
fn messages_are_sent_again_in_their_order() {
    let resumed = |order: [(u16, &str); 2]| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
        story.at(100).packet(0, SENSOR, BROKER, message(1, 1, "a", false));
        story.at(101).packet(0, SENSOR, BROKER, message(1, 2, "b", false));
        leaves(&mut story, 0, 200, SENSOR);
        joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), true);
        for (packet_id, payload) in order {
            story.at(1040).packet(1, SENSOR, BROKER, message(1, packet_id, payload, true));
        }
        broken(&ours(), &mut story, 1500)
    };
    assert_eq!(resumed([(1, "a"), (2, "b")]), Vec::<String>::new());
    assert_eq!(resumed([(2, "b"), (1, "a")]), ["topic_order"]);
}

#[rstest]
#[case::free_again(true, &[])]
#[case::in_use(false, &["packet_ids"])]
fn identifier_in_use_is_not_used_again(#[case] is_acknowledged: bool, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
    story.at(100).packet(0, SENSOR, BROKER, message(1, 7, "x", false));
    if is_acknowledged {
        story.at(110).packet(0, BROKER, SENSOR, Packet::PubAck(Ack::new(id(7))));
    }
    story.at(200).packet(0, SENSOR, BROKER, message(1, 7, "y", false));
    assert_eq!(broken(&ours(), &mut story, 2000), expected);
}

#[test]
fn answer_to_nothing_is_a_breach() {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
    story.at(100).packet(0, WATCHER, BROKER, message(1, 7, "x", false));
    story.at(110).packet(0, BROKER, WATCHER, Packet::PubAck(Ack::new(id(8))));
    assert_eq!(broken(&ours(), &mut story, 2000), ["packet_ids"]);
}

#[rstest]
#[case::as_many_as_allowed(2, &[])]
#[case::one_more(3, &["receive_maximum"])]
fn receive_maximum(#[case] messages: u16, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    story.item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 0)));
    let connack = ConnAck { receive_maximum: Some(2), ..ConnAck::default() };
    story.at(30).packet(0, BROKER, SENSOR, Packet::from(connack));
    for packet_id in 1..=messages {
        story.at(100).packet(0, SENSOR, BROKER, message(1, packet_id, "x", false));
    }
    assert_eq!(broken(&ours(), &mut story, 200), expected);
}

#[test]
fn nothing_comes_after_disconnect_but_the_end() {
    let said = |end: bool, more: bool| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, SENSOR, connect("sensor", 0), false);
        story.at(100).packet(0, SENSOR, BROKER, Packet::Disconnect(Disconnect::default()));
        if more {
            story.at(100).packet(0, SENSOR, BROKER, Packet::PingReq);
        }
        if end {
            story.at(100).item(0, SENSOR, BROKER, Transmission::Fin);
            story.at(110).item(0, BROKER, SENSOR, Transmission::Fin);
        }
        broken(&ours(), &mut story, 9000)
    };
    assert_eq!(said(true, false), Vec::<String>::new());
    assert_eq!(said(true, true), ["nothing_after_disconnect"]);
    assert_eq!(said(false, false), ["nothing_after_disconnect"]);
}

#[rstest]
#[case::resumed_in_time(100_199, true, &[])]
#[case::ended(100_201, false, &[])]
#[case::resumed_too_late(100_201, true, &["broker_keeps_sessions"])]
#[case::lost_too_early(100_199, false, &["broker_keeps_sessions"])]
fn session_present_says_the_truth(#[case] back: u64, #[case] session_present: bool, #[case] expected: &[&str]) {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, WATCHER, persistent("watcher"), false);
    leaves(&mut story, 0, 220, WATCHER);
    // The broker sees the end at 230 ms, so the session ends at 100.230; CONNACK comes 30 ms after the opening.
    joins(&mut story, 1, back, WATCHER, persistent("watcher"), session_present);
    assert_eq!(broken_with(&[Invariant::BrokerKeepsSessions], &ours(), &mut story, 101_000), expected);
}

#[test]
fn client_has_one_connection_and_what_it_subscribed_to_in_this_session() {
    let twice = |old_ends: bool| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
        joins(&mut story, 1, 1000, WATCHER, connect("watcher", 0), false);
        if old_ends {
            story.at(1030).closing(0, BROKER, WATCHER, Because::Takeover, None).item(
                0,
                BROKER,
                WATCHER,
                Transmission::Fin,
            );
        }
        broken_with(&[Invariant::BrokerKeepsSessions, Invariant::BrokerDelivers], &ours(), &mut story, 9000)
    };
    assert_eq!(twice(true), Vec::<String>::new());
    assert_eq!(twice(false), ["broker_keeps_sessions"]);

    let stray = |is_subscribed: bool| {
        let mut story = TraceBuilder::new();
        joins(&mut story, 0, 0, WATCHER, connect("watcher", 0), false);
        subscribes(&mut story, 0, 50, WATCHER, 0);
        leaves(&mut story, 0, 200, WATCHER);
        joins(&mut story, 1, 1000, WATCHER, connect("watcher", 0), false);
        if is_subscribed {
            subscribes(&mut story, 1, 1050, WATCHER, 0);
        }
        joins(&mut story, 2, 0, SENSOR, connect("sensor", 0), false);
        story.at(1090).packet(2, SENSOR, BROKER, message(0, 0, "x", false));
        story.at(1100).packet(1, BROKER, WATCHER, message(0, 0, "x", false));
        broken_with(&[Invariant::BrokerKeepsSessions, Invariant::BrokerDelivers], &ours(), &mut story, 9000)
    };
    assert_eq!(stray(true), Vec::<String>::new());
    assert_eq!(stray(false), ["broker_delivers"]);
}

#[test]
fn what_a_crash_forgets_is_no_breach() {
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, persistent("sensor"), false);
    story.at(100).packet(0, SENSOR, BROKER, message(1, 7, "x", false));
    story.at(200).change(SENSOR, NodeFault::PowerLoss).at(300).change(SENSOR, NodeFault::Restart);
    joins(&mut story, 1, 1000, SENSOR, persistent("sensor"), true);
    story.at(1030).closing(0, BROKER, SENSOR, Because::Takeover, None).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(broken(&ours(), &mut story, 9000), Vec::<String>::new());
}

#[test]
fn what_is_waived_is_only_noted() {
    let mut plan = ours();
    let position = Position { line: 2, column: 3, ..Position::default() };
    let invariant = Invariant::ClientKeepsItsInterval;
    plan.waived.push(Waiver { position, invariant, reason: "on purpose".to_owned() });
    if let Program::Client(client) = &mut plan.nodes[SENSOR.0].program {
        client.options.connect.keep_alive = 5;
    }
    let mut story = TraceBuilder::new();
    joins(&mut story, 0, 0, SENSOR, connect("sensor", 5), false);
    let outcome = check(&plan, &story.end(6000));
    assert_eq!((outcome.violations.len(), outcome.waived), (0, vec![invariant]));
}
