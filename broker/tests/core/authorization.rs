//! What clients may do.

use halfopen_broker::Access;
use halfopen_broker::core::{Authorize, CloseReason, Operation, Who};
use halfopen_protocol::packet::{Ack, ConnAck, Connect, PacketId, QoS, SubAck, Subscribe, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use crate::fixture::{World, ack, message, will, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

/// Nobody but the client `boss` has to do with topics that begin with `boss/`; filters are not looked at closely.
#[derive(Debug)]
struct Boss;

impl Authorize for Boss {
    fn allows(&self, who: Who<'_>, operation: Operation, topic: &str) -> bool {
        let secret = topic.starts_with("boss/");
        who.client_id == "boss" || !secret || operation == Operation::Subscribe && topic.contains('#')
    }
}

fn world() -> World {
    World::with_access(Access { authorizer: Some(Box::new(Boss)), ..Access::default() })
}

fn granted(reasons: &[u8]) -> Packet {
    Packet::SubAck(SubAck {
        packet_id: PacketId::MIN,
        reason_string: None,
        user_properties: Vec::new(),
        reasons: reasons.iter().copied().map(ReasonCode::new).collect(),
    })
}

// Shows 5.0 MQTT-4.3.3-9.
#[test]
fn a_message_that_may_not_be_published_is_refused_in_5_0() {
    let mut world = world();
    let watcher = world.client(V5, "boss");
    world.subscribe(watcher, Subscription::new("#", QoS::ExactlyOnce));
    let peer = world.client(V5, "c");
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        world.send(peer, Packet::from(with_qos(message("boss/desk", "x"), qos, 7)));
    }
    let refused = || Ack::with_reason(PacketId::new(7).expect("not 0"), ReasonCode::NOT_AUTHORIZED);
    assert_eq!(world.received(peer), [Packet::PubAck(refused()), Packet::PubRec(refused())]);
    assert_eq!(world.messages(watcher), Vec::<String>::new());
    assert_eq!(world.denied, vec![(Operation::Publish, "boss/desk".to_owned()); 3]);
    // The identifier is free again [MQTT-4.3.3-9].
    world.send(peer, Packet::from(with_qos(message("desk", "y"), QoS::ExactlyOnce, 7)));
    assert_eq!(world.received(peer), [Packet::PubRec(ack(7))]);
    assert_eq!(world.messages(watcher), ["desk y"]);
}

// Shows 3.1.1 MQTT-3.3.5-2.
#[test]
fn it_is_acknowledged_and_dropped_in_3_1_1() {
    let mut world = world();
    let watcher = world.client(V5, "boss");
    world.subscribe(watcher, Subscription::new("#", QoS::ExactlyOnce));
    let peer = world.client(V3, "c");
    world.send(peer, Packet::from(with_qos(message("boss/desk", "x"), QoS::AtLeastOnce, 7)));
    world.send(peer, Packet::from(with_qos(message("boss/desk", "x"), QoS::ExactlyOnce, 8)));
    world.send(peer, Packet::PubRel(ack(8)));
    assert_eq!(world.received(peer), [Packet::PubAck(ack(7)), Packet::PubRec(ack(8)), Packet::PubComp(ack(8))]);
    assert_eq!(world.messages(watcher), Vec::<String>::new());
}

#[test]
fn a_retained_message_that_may_not_be_published_is_not_kept() {
    let mut world = world();
    let peer = world.client(V5, "c");
    let mut retained = message("boss/desk", "x");
    retained.retain = true;
    world.send(peer, Packet::from(retained));
    let watcher = world.client(V5, "boss");
    assert_eq!(world.subscribe(watcher, Subscription::new("#", QoS::AtMostOnce)), []);
}

#[rstest]
#[case(V3, 0x80)]
#[case(V5, 0x87)]
fn a_filter_that_may_not_be_subscribed_to_is_refused_alone(#[case] version: Version, #[case] reason: u8) {
    let mut world = world();
    let peer = world.client(version, "c");
    world.send(
        peer,
        Packet::Subscribe(Subscribe {
            packet_id: PacketId::MIN,
            subscription_id: None,
            user_properties: Vec::new(),
            subscriptions: ["a", "boss/desk", "b"].map(|filter| Subscription::new(filter, QoS::AtLeastOnce)).to_vec(),
        }),
    );
    assert_eq!(world.received(peer), [granted(&[1, reason, 1])]);
    let boss = world.client(V5, "boss");
    world.send(boss, Packet::from(message("boss/desk", "x")));
    assert_eq!(world.messages(peer), Vec::<String>::new());
}

#[rstest]
fn a_wildcard_brings_only_what_may_be_received(#[values(V3, V5)] version: Version) {
    let mut world = world();
    let boss = world.client(V5, "boss");
    let mut kept = message("boss/calendar", "full");
    kept.retain = true;
    world.send(boss, Packet::from(kept));
    let peer = world.client(version, "c");
    assert_eq!(world.subscribe(peer, Subscription::new("#", QoS::AtLeastOnce)), []);
    world.send(boss, Packet::from(message("boss/desk", "x")));
    world.send(boss, Packet::from(message("desk", "y")));
    assert_eq!(world.messages(peer), ["desk y"]);
}

#[rstest]
#[case(V3, 0x05)]
#[case(V5, 0x87)]
fn a_will_that_may_not_be_published_is_refused_at_once(#[case] version: Version, #[case] reason: u8) {
    let mut world = world();
    let peer = world.open();
    let will = Will { topic: "boss/desk".into(), ..will() };
    world.send(peer, Packet::from(Connect { will: Some(will.into()), ..Connect::new(version, "c") }));
    let reason = ReasonCode::new(reason);
    assert_eq!(world.received(peer), [Packet::from(ConnAck { reason, ..ConnAck::default() })]);
    assert_eq!(world.why_closed(peer), CloseReason::Refused { reason });
    assert_eq!(world.broker.session_count(), 0);
}
