use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::Packet;

use super::segments::{Segment, segments};
use super::*;
use crate::plan::{Program, Transport};
use crate::trace::fixture::{BROKER, SENSOR, TraceBuilder, connect, plan, silent_client};
use crate::trace::{ConnectionId, EventKind, Transmission, WebSocketItem};

fn shown(segment: &Segment) -> String {
    let flags = [(segment.syn, "S"), (segment.fin, "F"), (segment.rst, "R")];
    let flags: String = flags.iter().filter(|(is, _)| *is).map(|(_, flag)| *flag).collect();
    let at = segment.at.as_secs_f64();
    let lost = if segment.comment.is_some() { " lost" } else { "" };
    let acknowledged = segment.acknowledged.unwrap_or_default();
    format!("{at:.3} {} {flags} {} {acknowledged} {}{lost}", segment.from.0, segment.sequence, segment.payload.len())
}

#[test]
fn sequence_numbers_count_what_was_sent_and_acknowledgements_what_came() {
    let mut story = TraceBuilder::new();
    story.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).event(EventKind::Established { connection: ConnectionId(0), node: SENSOR });
    story.packet(0, SENSOR, BROKER, Packet::from(connect("sensor", 5)));
    story.at(30).packet(0, BROKER, SENSOR, Packet::ConnAck(Default::default()));
    story.at(1000).lost(0, SENSOR, BROKER, Transmission::from(Packet::PingReq));
    story.at(2000).item(0, BROKER, SENSOR, Transmission::Fin);
    story.at(3000).lost(0, SENSOR, BROKER, Transmission::Rst);
    let shown: Vec<String> = segments(&plan(), &story.end(4000)).iter().map(shown).collect();
    let expected = [
        "0.000 1 S 1000 0 0",
        "0.010 0 S 501000 1001 0",
        "0.020 1  1001 501001 0",
        "0.020 1  1001 501001 21",
        "0.030 0  501001 1022 0",
        "0.030 0  501001 1022 5",
        "0.040 1  1022 501006 0",
        "1.000 1  1022 501006 2 lost",
        "2.000 0 F 501006 1022 0",
        "2.010 1  1024 501007 0",
        "3.000 1 R 1024 501007 0 lost",
    ];
    assert_eq!(shown, expected);
}

#[test]
fn bytes_that_make_no_packet_say_why() {
    let mut story = TraceBuilder::new();
    story.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).event(EventKind::Established { connection: ConnectionId(0), node: SENSOR });
    story.item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from_static(&[0xC1, 0])));
    story.at(100).lost(0, BROKER, SENSOR, Transmission::Bytes(Bytes::from_static(&[0x20])));
    let segments = segments(&plan(), &story.end(200));
    let comments: Vec<_> = segments.iter().filter_map(|segment| segment.comment.as_deref()).collect();
    let [malformed, half] = comments.as_slice() else { panic!("{comments:?}") };
    assert!(malformed.starts_with("malformed: ") && malformed.contains("MQTT-"), "{malformed}");
    assert_eq!(*half, "the beginning of a packet that never went on; lost, or still under way at the end of the run");
}

#[test]
fn websocket_is_http_and_then_frames() {
    let mut plan = plan();
    let Program::Broker(broker) = &mut plan.nodes[BROKER.0].program else { panic!("it is a broker") };
    broker.transport = Transport::WebSocket;
    let websocket = |item| Transmission::WebSocket(Arc::new(item));
    let mut story = TraceBuilder::new();
    story.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).event(EventKind::Established { connection: ConnectionId(0), node: SENSOR });
    story.item(0, SENSOR, BROKER, websocket(WebSocketItem::Request(Bytes::from_static(b"GET"))));
    story.at(30).item(0, BROKER, SENSOR, websocket(WebSocketItem::Response(Bytes::from_static(b"HTTP"))));
    story.at(40).packet(0, SENSOR, BROKER, Packet::PingReq);
    story.at(50).packet(0, BROKER, SENSOR, Packet::PingResp);
    story.at(60).item(0, BROKER, SENSOR, websocket(WebSocketItem::Text(Bytes::from_static(b"x"))));
    let segments = segments(&plan, &story.end(200));
    let payloads = segments.iter().filter(|segment| !segment.payload.is_empty());
    let shown: Vec<_> = payloads.map(|segment| (segment.ports.0 == 8080, segment.payload.to_vec())).collect();
    let expected = [
        (false, b"GET".to_vec()),
        (true, b"HTTP".to_vec()),
        (false, vec![0x82, 0x82, 0, 0, 0, 0, 0xC0, 0]),
        (true, vec![0x82, 2, 0xD0, 0]),
        (true, vec![0x81, 1, b'x']),
    ];
    assert_eq!(shown, expected);
}

#[test]
fn large_payload_is_many_segments() {
    let mut story = TraceBuilder::new();
    story.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    story.at(20).event(EventKind::Established { connection: ConnectionId(0), node: SENSOR });
    story.item(0, SENSOR, BROKER, Transmission::Bytes(Bytes::from(vec![0; 100_000])));
    let sizes: Vec<usize> = segments(&plan(), &story.end(100)).iter().map(|segment| segment.payload.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 100_000);
    assert!(sizes.iter().all(|size| *size <= 32 * 1024), "{sizes:?}");
}

#[test]
fn the_file_is_read_back_with_the_times_of_the_run() {
    let bytes = pcapng(&plan(), &silent_client().end(8530)).unwrap();
    let mut reader = pcap_file::pcapng::PcapNgReader::new(&bytes[..]).unwrap();
    let mut times = Vec::new();
    while let Some(block) = reader.next_block() {
        if let pcap_file::pcapng::Block::EnhancedPacket(packet) = block.unwrap() {
            times.push(packet.timestamp);
        }
    }
    assert!(times.contains(&Duration::from_millis(7530)), "{times:?}");
    assert!(times.is_sorted(), "{times:?}");
}

#[test]
fn each_member_of_a_large_group_has_an_address_of_its_own() {
    let addresses = [0, 254, 65_534, 65_535, 999_999].map(|node| address(NodeId(node)));
    assert_eq!(addresses, [[10, 0, 0, 1], [10, 0, 0, 255], [10, 0, 255, 255], [10, 1, 0, 0], [10, 15, 66, 64]]);
}
