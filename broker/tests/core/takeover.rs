//! A client that connects while the broker still believes in its old connection: [MQTT-3.1.4-2] (3.1.1),
//! [MQTT-3.1.4-3] (5.0).

use bytes::BytesMut;
use halfopen_broker::core::{CloseReason, Event, Output};
use halfopen_protocol::packet::{Connect, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use rstest::rstest;

use crate::fixture::{World, disconnect, lasting, message, secs, with_qos};

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

#[rstest]
fn the_old_connection_is_closed_and_5_0_is_told(#[values(V3, V5)] old: Version, #[values(V3, V5)] new: Version) {
    let mut world = World::new();
    let first = world.client(old, "c");
    let second = world.client(new, "c");
    let expected = if old.is_v5() { vec![disconnect(ReasonCode::SESSION_TAKEN_OVER)] } else { vec![] };
    assert_eq!(world.received(first), expected);
    assert_eq!(world.why_closed(first), CloseReason::Takeover);
    assert!(world.is_open(second));
}

#[rstest]
fn the_new_connection_gets_what_the_old_one_had_not_acknowledged(#[values(V3, V5)] version: Version) {
    let mut world = World::new();
    let first = world.connect(lasting(version, "c", 1000));
    world.subscribe(first, Subscription::new("t", QoS::AtLeastOnce));
    let publisher = world.client(version, "publisher");
    world.send(publisher, Packet::from(with_qos(message("t", "x"), QoS::AtLeastOnce, 1)));
    let (second, connack) = world.connect_and_ack(lasting(version, "c", 1000));
    assert!(connack.session_present);
    assert_eq!(world.messages(second), ["t x"]);
}

#[test]
fn neither_the_end_nor_the_silence_of_the_old_connection_harms_the_new_one() {
    let mut world = World::new();
    let first = world.connect(Connect { keep_alive: 10, ..lasting(V5, "c", 1000) });
    world.advance(secs(14));
    let second = world.connect(Connect { keep_alive: 10, ..lasting(V5, "c", 1000) });
    world.cut(first);
    world.send_bytes(first, &[0xC0, 0x00]);
    world.advance(secs(14));
    assert!(world.is_open(second));
    assert!(world.broker.client("c").is_some_and(|client| client.connected));
}

#[test]
fn a_connect_that_is_refused_takes_nothing_over() {
    let mut world = World::new();
    let first = world.client(V5, "c");
    let second = world.open();
    let refused = Connect { authentication_method: Some("SCRAM".into()), ..Connect::new(V5, "c") };
    world.send(second, Packet::from(refused));
    assert!(!world.is_open(second));
    assert!(world.is_open(first));
}

#[test]
fn the_session_of_a_clean_connection_is_not_taken_over() {
    let mut world = World::new();
    world.connect(lasting(V3, "c", 0));
    assert!(!world.connect_and_ack(lasting(V3, "c", u32::MAX)).1.session_present);
}

/// Names what the broker wants done, in its order.
fn steps(world: &mut World) -> Vec<String> {
    std::iter::from_fn(|| world.broker.poll_output())
        .filter_map(|output| match output {
            Output::Send { .. } => Some("send".to_owned()),
            Output::Close { .. } => Some("close".to_owned()),
            Output::Event(Event::Received { packet, .. }) => Some(format!("received {}", packet.packet_type())),
            Output::Event(Event::Sending { packet, .. }) => Some(format!("sending {}", packet.packet_type())),
            Output::Event(Event::Closing { .. }) => Some("closing".to_owned()),
            Output::Event(Event::Closed { client_id, .. }) => Some(format!("{client_id} closed")),
            _ => None,
        })
        .collect()
}

#[test]
fn the_old_connection_is_told_and_closed_before_the_new_one_is_accepted() {
    let mut world = World::new();
    world.client(V5, "c");
    let second = world.broker.handle_open(world.now);
    let mut bytes = BytesMut::new();
    encode(&Packet::from(Connect::new(V5, "c")), V5, &mut bytes).expect("a valid packet");
    world.broker.handle_bytes(world.now, second, &bytes);
    let expected = ["received CONNECT", "closing", "sending DISCONNECT", "send", "close", "sending CONNACK", "send"];
    assert_eq!(steps(&mut world), expected);
}

#[test]
fn the_end_of_a_transport_is_told_once_and_asks_for_nothing() {
    let mut world = World::new();
    let client = world.client(V5, "c");
    world.broker.handle_closed(world.now, client);
    assert_eq!(steps(&mut world), ["c closed"]);
    world.broker.handle_closed(world.now, client);
    assert_eq!(steps(&mut world), [""; 0]);
}
