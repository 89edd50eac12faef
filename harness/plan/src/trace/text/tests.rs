use bytes::Bytes;
use halfopen_protocol::packet::{ConnAck, PacketId, Publish, QoS, Subscribe, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode};
use insta::assert_snapshot;

use super::*;
use crate::NodeFault;
use crate::StepId;
use crate::trace::fixture::{
    BROKER, SENSOR, TraceBuilder, WATCHER, connect, disconnect, plan, publish, silent_client, step,
};
use crate::trace::{EventKind, Transmission};
use crate::{Because, NetworkFault, StepKind};

fn shown(story: &mut TraceBuilder, end: u64) -> String {
    text(&plan(), &story.end(end))
}

#[test]
fn silent_client_reads_as_a_story() {
    assert_snapshot!(shown(&mut silent_client(), 9000));
}

#[test]
fn lost_and_held_packets_and_a_margin() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5)).step(6, "sensor: power_loss");
    story.change(SENSOR, NodeFault::PowerLoss);
    story.at(7532).closing(
        0,
        BROKER,
        SENSOR,
        Because::KeepAlive,
        Some((halfopen_protocol::PacketType::Connect, 30, 7530)),
    );
    story.lost(0, BROKER, SENSOR, Transmission::from(disconnect(0x8d))).lost(0, BROKER, SENSOR, Transmission::Fin);
    story.at(8995).lost(1, BROKER, WATCHER, Transmission::from(publish("s/1", "offline")));
    assert_snapshot!(shown(&mut story, 9000));
}

#[test]
fn what_repeats_is_folded() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 10)).step(5, "wait 1h");
    for n in 1..=360 {
        story.at(n * 10_000 + 20).packet(0, SENSOR, BROKER, Packet::PingReq);
        story.at(n * 10_000 + 30).packet(0, BROKER, SENSOR, Packet::PingResp);
    }
    story.at(3_600_040).step(6, "sensor: stop_pinging").at(3_600_040).step(7, "wait 1h");
    story.at(3_615_030).closing(0, BROKER, SENSOR, Because::KeepAlive, None);
    assert_snapshot!(shown(&mut story, 4_000_000));
}

/// One long line pads none of the others.
#[test]
fn braces_stand_behind_the_lines_of_usual_length() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 10));
    for n in 1..=5 {
        story.at(n * 1000).packet(0, SENSOR, BROKER, publish(&"long/".repeat(40), "tick"));
        story.at(n * 1000 + 30).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    let text = shown(&mut story, 9000);
    let braces: Vec<_> = text.lines().filter_map(|line| line.find('}')).collect();
    assert!(matches!(braces[..], [long, DETAILS] if long > 120), "{text}");
}

#[test]
fn folded_headings_are_followed_by_the_last_of_them() {
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 10));
    for n in 1..=20 {
        story.at(n * 5000).step(5, "sensor: publish tick");
        story.packet(0, SENSOR, BROKER, publish("news", "tick"));
    }
    story.at(100_500).packet(0, SENSOR, BROKER, Packet::PingReq);
    assert_snapshot!(shown(&mut story, 101_000));
}

#[test]
fn fold_begins_with_the_heading_of_what_repeats() {
    let mut story = TraceBuilder::new();
    story.at(0).step(5, "every 5s").step(6, "sensor: publish tick").step(7, "wait 1min");
    for n in 0..5 {
        if n > 0 {
            story.at(n * 5000).step(6, "sensor: publish tick");
        }
        story.packet(0, SENSOR, BROKER, publish("news", "tick"));
    }
    assert_snapshot!(shown(&mut story, 61_000));
}

#[test]
fn twice_is_not_folded_and_another_rhythm_ends_a_fold() {
    let mut story = TraceBuilder::new();
    for at in [1000, 2000, 3000, 4500, 6000] {
        story.at(at).packet(0, SENSOR, BROKER, Packet::PingReq);
    }
    assert_snapshot!(shown(&mut story, 7000));
}

#[test]
fn fields_of_packets() {
    let id = PacketId::new(7);
    let mut full = connect("sensor with a space", 0);
    full.clean_start = false;
    full.session_expiry = Some(u32::MAX);
    full.password = Some(Bytes::from_static(&[0xff, 0x00]));
    let will = Will { topic: "s/1".into(), payload: Bytes::from_static(b"offline"), ..Will::default() };
    full.will = Some(will.into());
    let message = |payload: &[u8]| {
        Packet::from(Publish {
            topic: "a/b".into(),
            qos: QoS::AtLeastOnce,
            packet_id: id,
            dup: true,
            message_expiry: Some(30),
            user_properties: vec![("k".into(), "v".into())],
            payload: Bytes::copy_from_slice(payload),
            ..Publish::default()
        })
    };
    let refused = ConnAck { reason: ReasonCode::NOT_AUTHORIZED, ..ConnAck::default() };
    let two = ["a/+", "b"].map(|filter| Subscription::new(filter, QoS::ExactlyOnce)).to_vec();
    let subscribe =
        Subscribe { packet_id: id.unwrap(), subscription_id: None, user_properties: Vec::new(), subscriptions: two };
    let mut story = TraceBuilder::new();
    story.packet(0, SENSOR, BROKER, Packet::from(full));
    story.at(10).packet(0, BROKER, SENSOR, Packet::from(refused));
    story.at(20).packet(0, SENSOR, BROKER, Packet::Subscribe(subscribe));
    story.at(30).packet(0, SENSOR, BROKER, message(b""));
    story.at(40).packet(0, SENSOR, BROKER, message(b"line\nbreak \xc3\xa4"));
    story.at(50).packet(0, SENSOR, BROKER, message(&[b'x'; 5000]));
    story.at(60).packet(0, SENSOR, BROKER, message(&[0xc0; 300]));
    story.at(70).item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from_static(&[0x30, 0x64])));
    assert_snapshot!(shown(&mut story, 1000));
}

#[test]
fn what_is_no_packet_has_a_line_where_no_other_tells_it() {
    let mut plan = plan();
    plan.steps.push(step(
        5,
        "network: partition: sensor",
        StepKind::Network(NetworkFault::Partition { starting_with: None }.on(Vec::new())),
    ));
    let Packet::Publish(message) = publish("a", "1") else { panic!("a PUBLISH") };
    let mut story = TraceBuilder::new();
    story.connect(0, SENSOR, connect("sensor", 5));
    story.event(EventKind::Connected { node: SENSOR, session_present: false });
    story.at(50).step(5, "network: partition: sensor");
    story.at(1000).event(EventKind::FaultHit { step: StepId(5) });
    story.lost(0, SENSOR, BROKER, Transmission::from(Packet::PingReq));
    story.at(1010).packet(0, BROKER, SENSOR, publish("a", "1"));
    story.at(1020).event(EventKind::Delivered { node: SENSOR, message: message.clone() });
    story.at(1030).event(EventKind::Delivered { node: SENSOR, message });
    story.at(2000).event(EventKind::Received {
        connection: crate::trace::ConnectionId(0),
        from: BROKER,
        to: SENSOR,
        item: Transmission::TimedOut,
        sent: None,
    });
    story.at(3000).change(SENSOR, NodeFault::Crash);
    story.at(4000).event(EventKind::StepFailed { step: StepId(5), why: "no CONNACK came".to_owned() });
    assert_snapshot!(text(&plan, &story.end(5000)));
}

#[test]
fn long_names_spoil_their_own_line_only() {
    let mut plan = plan();
    plan.nodes[2].name = "a_watcher_with_a_long_name".to_owned();
    let mut story = TraceBuilder::new();
    story.packet(0, SENSOR, BROKER, publish("a", "1"));
    story.at(10).packet(1, BROKER, WATCHER, publish("a", "1"));
    story.at(20).packet(1, WATCHER, BROKER, publish("b", "1"));
    assert_snapshot!(text(&plan, &story.end(5000)));
}

/// A plan with a group of this many clients, `fleet.1` and so on, behind the broker.
fn fleet(count: u32) -> Plan {
    let mut plan = plan();
    let client = plan.nodes[SENSOR.0].clone();
    plan.nodes.truncate(1);
    plan.nodes.extend((1..=count).map(|number| crate::Node { name: format!("fleet.{number}"), ..client.clone() }));
    plan
}

#[test]
fn what_all_members_of_a_group_do_is_one_line() {
    let mut story = TraceBuilder::new();
    for number in 1..=12u32 {
        let node = crate::NodeId(number as usize);
        story.at(u64::from(number)).connect(number, node, connect(&format!("fleet.{number}"), 10));
    }
    // One of them does something else, and two are silent.
    for number in 1..=10u32 {
        let packet = if number == 7 { publish("state/7", "odd") } else { publish(&format!("state/{number}"), "up") };
        story.at(1000).packet(number, crate::NodeId(number as usize), BROKER, packet);
    }
    assert_snapshot!(text(&fleet(12), &story.end(2000)));
}

#[test]
fn what_all_members_do_again_and_again_is_folded_twice() {
    let mut story = TraceBuilder::new();
    for round in 1..=5 {
        story.at(round * 10_000).step(5, "fleet: publish");
        for number in 1..=3u32 {
            story.at(round * 10_000 + u64::from(number));
            story.packet(number, crate::NodeId(number as usize), BROKER, publish(&format!("state/{number}"), "up"));
        }
    }
    assert_snapshot!(text(&fleet(3), &story.end(60_000)));
}
