//! What the taps make of bytes.

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::Publish;
use halfopen_protocol::{Packet, PacketType, Version, encode};
use rstest::rstest;

use super::fixture::*;
use crate::plan::{NetworkFault, NodeFault, NodeId};
use crate::trace::{EventKind, Transmission};

const PINGREQ: &[u8] = b"\xc0\x00";

/// What was sent by the client after the SYN, when, and when it was read.
fn sent_by_client(outcome: &Outcome) -> Vec<(u128, Transmission, Option<u128>)> {
    let sent = |event: &crate::trace::Event| match &event.kind {
        EventKind::Sent { item, arrival, from: CLIENT, .. } if *item != Transmission::Open => {
            Some((event.at.as_millis(), item.clone(), arrival.map(|at| at.as_millis())))
        }
        _ => None,
    };
    outcome.trace.events.iter().filter_map(sent).collect()
}

async fn sink(host: Host) {
    serve(host, |host, mut stream| async move { host.read_all(&mut stream).await }).await;
}

fn publish(payload: Vec<u8>) -> (Packet, Bytes) {
    let packet = Packet::from(Publish { topic: "t".into(), payload: payload.into(), ..Publish::default() });
    let mut bytes = BytesMut::new();
    encode(&packet, Version::V5_0, &mut bytes).expect("a valid packet");
    (packet, bytes.freeze())
}

#[test]
fn a_packet_in_two_pieces_is_sent_and_received_with_its_last_byte() {
    let outcome = World::new()
        .node(sink)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, &PINGREQ[..1]).await;
            host.until(1_000).await;
            host.write(&mut stream, &PINGREQ[1..]).await;
            host.until(2_000).await;
        })
        .run();
    let ping = Transmission::from(Packet::PingReq);
    assert_eq!(sent_by_client(&outcome), [(1_000, ping, Some(1_010)), (2_000, Transmission::Fin, Some(2_010))]);
}

#[test]
fn a_packet_larger_than_the_window_is_one_item() {
    let (packet, bytes) = publish(vec![7; 300_000]);
    let outcome = World::new()
        .node(sink)
        .node(move |host| {
            let bytes = bytes.clone();
            async move {
                let mut stream = host.connect().await;
                host.write(&mut stream, &bytes).await;
                host.until(5_000).await;
            }
        })
        .run();
    let sent = sent_by_client(&outcome);
    assert_eq!(sent.len(), 2);
    assert_eq!(sent[0].1, Transmission::from(packet));
    assert!(sent[0].2.is_some_and(|at| at > sent[0].0), "{:?}", (sent[0].0, sent[0].2));
}

#[test]
fn what_never_becomes_a_packet_is_recorded_when_its_direction_ends() {
    let outcome = World::new()
        .node(sink)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, b"\x30\x09abc").await;
            host.until(1_000).await;
        })
        .run();
    let bytes = Transmission::Bytes(Bytes::from_static(b"\x30\x09abc"));
    assert_eq!(sent_by_client(&outcome), [(1_000, bytes, Some(1_010)), (1_000, Transmission::Fin, Some(1_010))]);
}

#[rstest]
#[case::malformed_header(b"\xc1\x00")]
#[case::malformed_body(b"\x82\x04\x00\x01zz")]
#[case::a_packet_of_the_other_side(b"\xd0\x00")]
fn what_cannot_be_decoded_is_recorded_whole_and_so_is_all_that_follows(#[case] bytes: &'static [u8]) {
    let outcome = World::new()
        .node(sink)
        .node(move |host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, PINGREQ).await;
            host.until(100).await;
            host.write(&mut stream, bytes).await;
            host.until(200).await;
            host.write(&mut stream, PINGREQ).await;
            host.until(300).await;
        })
        .run();
    let expected = [
        (20, Transmission::from(Packet::PingReq), Some(30)),
        (100, Transmission::Bytes(Bytes::from_static(bytes)), Some(110)),
        (200, Transmission::Bytes(Bytes::from_static(PINGREQ)), Some(210)),
        (300, Transmission::Fin, Some(310)),
    ];
    assert_eq!(sent_by_client(&outcome), expected);
}

#[rstest]
#[case(both_ways(), true)]
#[case(to_server(), true)]
#[case(to_client(), false)]
fn a_half_open_connection_may_begin_with_a_packet(#[case] links: Vec<(NodeId, NodeId)>, #[case] is_lost: bool) {
    let starting_with = Some(PacketType::PingReq);
    let (_, bytes) = publish(b"x".to_vec());
    let outcome = World::new()
        .node(sink)
        .node(move |host| {
            let bytes = bytes.clone();
            async move {
                let mut stream = host.connect().await;
                host.until(1_000).await;
                host.write(&mut stream, &bytes).await;
                host.until(2_000).await;
                host.write(&mut stream, PINGREQ).await;
                host.until(3_000).await;
                host.write(&mut stream, &bytes).await;
                host.until(4_000).await;
            }
        })
        .at(500, network(9, NetworkFault::HalfOpen { starting_with }.on(links)))
        .run();
    let arrivals: Vec<_> = sent_by_client(&outcome).into_iter().map(|(_, _, arrival)| arrival).collect();
    if is_lost {
        assert_eq!(arrivals, [Some(1_010), None, None, None]);
        assert_eq!(outcome.hits(), [9]);
    } else {
        assert_eq!(arrivals, [Some(1_010), Some(2_010), Some(3_010), Some(4_010)]);
        assert_eq!(outcome.hits(), [0_u32; 0]);
    }
}

#[test]
fn a_power_loss_leaves_the_unfinished_packet_and_no_end_in_the_trace() {
    let outcome = World::new()
        .node(sink)
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.write(&mut stream, b"\x30\x09abc").await;
            for_ever().await.expect("never");
        })
        .at(1_000, crate::script::EngineCommand::Node(CLIENT, NodeFault::PowerLoss))
        .run();
    let bytes = Transmission::Bytes(Bytes::from_static(b"\x30\x09abc"));
    assert_eq!(sent_by_client(&outcome), [(1_000, bytes, None)]);
}

#[test]
fn what_comes_for_a_program_that_has_closed_is_not_lost_but_answered_with_a_reset() {
    let outcome = World::new()
        .node(|host| async move { serve(host, |_, stream| async move { drop(stream) }).await })
        .node(|host| async move {
            let mut stream = host.connect().await;
            host.until(1_000).await;
            host.write(&mut stream, PINGREQ).await;
            host.read_all(&mut stream).await;
        })
        .run();
    assert_eq!(sent_by_client(&outcome)[0], (1_000, Transmission::from(Packet::PingReq), Some(1_010)));
    let received =
        outcome.trace.events.iter().filter(|event| matches!(event.kind, EventKind::Received { to: SERVER, .. }));
    assert_eq!(received.count(), 1, "only that the connection opens");
}
