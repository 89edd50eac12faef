//! A long queue is given to the driver bit by bit, so that the driver can say that it has enough.

use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::{ConnAck, Publish, QoS};
use halfopen_protocol::{Packet, Version};
use rstest::rstest;

use super::bench::{Bench, brief, message, options};
use crate::core::{Options, Output, Transport};

const LARGE: usize = 100 * 1024;

/// A client with as many messages of 100 KiB in its queue, whose CONNACK has just come.
fn accepted(messages: usize, options: Options) -> Bench {
    let mut bench = Bench::new(options);
    for _ in 0..messages {
        bench.client.publish(bench.now, large(QoS::AtLeastOnce)).expect("there is room");
    }
    bench.client.connect_with(bench.now, false);
    bench.accept(ConnAck { session_present: true, ..ConnAck::default() });
    bench
}

fn large(qos: QoS) -> Publish {
    Publish { payload: Bytes::from(vec![0; LARGE]), ..message(qos, "") }
}

/// Takes outputs until a driver that wants no more than the given number of bytes has them, and counts what still comes
/// then.
fn bytes_after(bench: &mut Bench, limit: usize) -> (usize, usize) {
    let (mut before, mut after) = (0, 0);
    while let Some(output) = bench.client.poll_output() {
        let Output::Send(bytes) = output else { continue };
        if before <= limit {
            before += bytes.len();
            if before > limit {
                bench.client.handle_congestion(bench.now, true);
            }
        } else {
            after += bytes.len();
        }
    }
    (before, after)
}

#[rstest]
fn an_offline_queue_stops_soon_after_the_driver_has_enough(#[values(false, true)] is_sent_again: bool) {
    let mut bench = accepted(100, options(Version::V3_1_1, 0));
    if is_sent_again {
        bench.take();
        bench.client.handle_closed(bench.now, Transport::Reset);
        bench.client.connect_with(bench.now, false);
        bench.accept(ConnAck { session_present: true, ..ConnAck::default() });
    }
    let (before, after) = bytes_after(&mut bench, 1024 * 1024);
    assert!(before > 1024 * 1024, "only {before} bytes came");
    assert!(after <= 400 * 1024, "{after} bytes came after it was enough");
    bench.client.handle_congestion(bench.now, false);
    let (before, after) = bytes_after(&mut bench, usize::MAX);
    assert!(before > 8 * 1024 * 1024, "the rest waits in vain: {before} {after}");
}

#[test]
fn a_driver_that_has_never_enough_gets_all_in_order() {
    let mut bench = Bench::new(options(Version::V3_1_1, 0));
    let mut expected = vec!["CONNECT".to_owned()];
    for number in 0..20_u8 {
        let qos = if number % 3 == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        let payload = Bytes::from(vec![b'a' + number; LARGE]);
        let publish = Publish { payload: payload.clone(), ..message(qos, "") };
        bench.client.publish(bench.now, publish).expect("there is room");
        expected.push(String::from_utf8_lossy(&payload[..1]).into_owned());
    }
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    let came: Vec<_> = bench
        .sent()
        .iter()
        .map(|packet| match packet {
            Packet::Publish(publish) => String::from_utf8_lossy(&publish.payload[..1]).into_owned(),
            packet => packet.packet_type().name().to_owned(),
        })
        .collect();
    assert_eq!(came, expected);
}

#[test]
fn messages_of_qos_0_never_overtake_each_other() {
    let mut bench = Bench::new(options(Version::V3_1_1, 0));
    bench.publish(QoS::AtMostOnce, "1");
    bench.client.connect(bench.now);
    bench.client.handle_connected(bench.now);
    bench.take();
    bench.accept(ConnAck::default());
    bench.client.handle_congestion(bench.now, true);
    bench.publish(QoS::AtMostOnce, "2");
    bench.client.handle_congestion(bench.now, false);
    bench.publish(QoS::AtMostOnce, "3");
    assert_eq!(brief(&bench.sent()), ["PUBLISH 0 1", "PUBLISH 0 2", "PUBLISH 0 3"]);

    let mut bench = Bench::new(options(Version::V5_0, 0));
    bench.publish(QoS::AtLeastOnce, "1");
    bench.publish(QoS::AtLeastOnce, "2");
    bench.publish(QoS::AtMostOnce, "3");
    bench.client.connect(bench.now);
    bench.accept(ConnAck { receive_maximum: Some(1), ..ConnAck::default() });
    bench.publish(QoS::AtMostOnce, "4");
    assert_eq!(brief(&bench.sent()), ["CONNECT", "PUBLISH 1 1"], "3 waits behind 2, and so does 4");
    bench.receive(Packet::PubAck(super::bench::ack(1)));
    assert_eq!(brief(&bench.sent()), ["PUBLISH 2 2", "PUBLISH 0 3", "PUBLISH 0 4"]);
}

#[test]
fn what_expires_while_a_driver_has_enough_is_not_sent() {
    let mut bench = Bench::new(options(Version::V5_0, 0));
    bench.client.connect(bench.now);
    bench.accept(ConnAck::default());
    bench.client.handle_congestion(bench.now, true);
    bench.take();
    let publish = Publish { message_expiry: Some(5), ..message(QoS::AtLeastOnce, "1") };
    bench.client.publish(bench.now, publish).expect("there is room");
    bench.now += Duration::from_secs(5);
    bench.client.handle_congestion(bench.now, false);
    assert_eq!(brief(&bench.sent()), [""; 0]);
}
