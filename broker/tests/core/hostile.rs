//! Whatever peers do, and whenever, the broker neither panics nor loses count.

use std::time::Duration;

use bytes::BytesMut;
use halfopen_broker::Config;
use halfopen_broker::core::ConnectionId;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, QoS, Subscribe, Subscription, Will};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use proptest::prelude::*;

use crate::fixture::{World, ack, id, unsubscribe};

/// Something that happens to a broker.
#[derive(Clone, Debug)]
enum Act {
    Open,
    Send(usize, Vec<u8>),
    Cut(usize),
    StopReading(usize),
    Wait(u64),
    LateTimeout(u64),
}

fn version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)]
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn topic() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("a/b"), Just("$x/b"), Just("/")]
}

fn filter() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("#"), Just("+/b"), Just("a/#"), Just("$share/g/a")]
}

/// Boxed, as those below: by value, one within the other, they would fill the stack of a test.
fn connect() -> BoxedStrategy<Packet> {
    let client_id = prop_oneof![Just("a"), Just("b"), Just("")];
    let expiry = prop::option::of(prop_oneof![Just(0), Just(5), Just(u32::MAX)]);
    (version(), any::<bool>(), 0..4_u16, client_id, expiry, prop::option::of((qos(), any::<bool>(), 0..9_u32)))
        .prop_map(|(version, clean_start, keep_alive, client_id, session_expiry, will)| {
            let session_expiry = session_expiry.filter(|_| version.is_v5());
            let will = will.map(|(qos, retain, delay)| Will {
                topic: "a/b".into(),
                payload: "gone".into(),
                qos,
                retain,
                delay: version.is_v5().then_some(delay),
                ..Will::default()
            });
            let connect = Connect::new(version, client_id);
            Packet::from(Connect { clean_start, keep_alive, session_expiry, will: will.map(Box::new), ..connect })
        })
        .boxed()
}

fn packet() -> BoxedStrategy<Packet> {
    let number = 1..4_u16;
    prop_oneof![
        6 => connect(),
        6 => (topic(), qos(), any::<bool>(), number.clone(), "[xy]{0,2}").prop_map(|(topic, qos, retain, number, payload)| {
            let packet_id = (qos != QoS::AtMostOnce).then(|| id(number));
            let payload = payload.into_bytes().into();
            Packet::from(Publish { topic: topic.into(), qos, retain, packet_id, payload, ..Publish::default() })
        }),
        4 => (filter(), qos()).prop_map(|(filter, qos)| Packet::Subscribe(Subscribe {
            packet_id: id(1),
            subscription_id: None,
            user_properties: Vec::new(),
            subscriptions: vec![Subscription::new(filter, qos)],
        })),
        1 => filter().prop_map(unsubscribe),
        1 => number.clone().prop_map(|number| Packet::PubAck(ack(number))),
        1 => number.clone().prop_map(|number| Packet::PubRec(ack(number))),
        1 => number.clone().prop_map(|number| Packet::PubRel(ack(number))),
        1 => number.prop_map(|number| Packet::PubComp(ack(number))),
        1 => Just(Packet::PingReq),
        1 => prop_oneof![Just(0x00), Just(0x04)].prop_map(|reason| {
            Packet::Disconnect(Disconnect::new(ReasonCode::new(reason)))
        }),
    ]
    .boxed()
}

fn valid() -> BoxedStrategy<Vec<u8>> {
    (packet(), version())
        .prop_map(|(packet, version)| {
            let version = if let Packet::Connect(connect) = &packet { connect.version } else { version };
            let mut bytes = BytesMut::new();
            // What this version has no form for becomes nothing.
            let _ = encode(&packet, version, &mut bytes);
            bytes.to_vec()
        })
        .boxed()
}

fn bytes() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        20 => valid(),
        1 => (valid(), any::<prop::sample::Index>()).prop_map(|(mut bytes, at)| {
            bytes.truncate(at.index(bytes.len() + 1));
            bytes
        }),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
    .boxed()
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Open),
        20 => (0..5_usize, bytes()).prop_map(|(peer, bytes)| Act::Send(peer, bytes)),
        2 => (0..5_usize).prop_map(Act::Cut),
        1 => (0..5_usize).prop_map(Act::StopReading),
        3 => (0..8_000_u64).prop_map(Act::Wait),
        1 => (0..8_000_u64).prop_map(Act::LateTimeout),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
    #[test]
    fn whatever_peers_do_the_broker_lives_and_forgets_what_is_gone(acts in prop::collection::vec(act(), 1..80)) {
        let mut world = World::with(Config { queue_bytes: 1000, write_buffer: 200, ..Config::default() });
        let mut peers: Vec<ConnectionId> = vec![world.open()];
        for act in acts {
            let peer = |index: usize| peers[index % peers.len()];
            match act {
                Act::Open if peers.len() < 5 => peers.push(world.open()),
                Act::Open => {}
                Act::Send(index, bytes) => world.send_bytes(peer(index), &bytes),
                Act::Cut(index) => world.cut(peer(index)),
                Act::StopReading(index) => world.stop_reading(peer(index)),
                Act::Wait(millis) => world.advance(Duration::from_millis(millis)),
                Act::LateTimeout(millis) => {
                    world.now += Duration::from_millis(millis);
                    world.broker.handle_timeout(world.now);
                    world.drain();
                }
            }
        }
        for &peer in &peers {
            world.cut(peer);
        }
        prop_assert_eq!(world.broker.connection_count(), 0);
        // All sessions and wills are over then; only endless sessions stay, and nothing waits for anything.
        world.advance(Duration::from_secs(u32::MAX.into()));
        prop_assert_eq!(world.broker.poll_timeout(), None);
        for client_id in ["a", "b"] {
            if let Some(client) = world.broker.client(client_id) {
                prop_assert!(!client.connected && !client.has_will && client.queued <= 3, "{:?}", client);
            }
        }
        prop_assert!(world.broker.session_count() <= peers.len());
        if world.broker.session_count() + world.broker.retained_count() == 0 {
            prop_assert_eq!(world.broker.held_bytes(), 0);
        }
    }
}
