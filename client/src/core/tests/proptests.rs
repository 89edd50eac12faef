use std::time::Duration;

use bytes::BytesMut;
use halfopen_protocol::packet::{Ack, ConnAck, PacketId, QoS, Subscription};
use halfopen_protocol::{Packet, ReasonCode, Version, encode};
use proptest::prelude::*;

use super::bench::{Bench, incoming, message, options, suback};
use crate::core::{Event, Output, Transport};

/// Anything that can happen to a client.
#[derive(Clone, Debug)]
enum Happening {
    Connect(Option<bool>),
    Publish(u8),
    Subscribe,
    Unsubscribe,
    Disconnect,
    Close,
    Pinging(bool),
    Connected,
    ConnectFailed,
    Packet(Packet),
    Bytes(Vec<u8>),
    Closed,
    Wake,
    Pass(u32),
}

fn packet() -> impl Strategy<Value = Packet> {
    let id = 1_u16..5;
    let ack = id.clone().prop_map(|id| Ack::new(PacketId::new(id).expect("not 0")));
    prop_oneof![
        4 => any::<bool>()
            .prop_map(|session_present| Packet::from(ConnAck { session_present, ..ConnAck::default() })),
        2 => (0_u8..3, id.clone()).prop_map(|(qos, id)| {
            let qos = QoS::new(qos).expect("below 3");
            incoming(qos, if qos == QoS::AtMostOnce { 0 } else { id }, "x")
        }),
        3 => ack.clone().prop_map(Packet::PubAck),
        3 => ack.clone().prop_map(Packet::PubRec),
        1 => ack.clone().prop_map(Packet::PubRel),
        3 => ack.prop_map(Packet::PubComp),
        1 => id.prop_map(|id| suback(id, &[0])),
        1 => Just(Packet::PingResp),
    ]
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        2 => any::<Option<bool>>().prop_map(Happening::Connect),
        4 => (0_u8..3).prop_map(Happening::Publish),
        1 => Just(Happening::Subscribe),
        1 => Just(Happening::Unsubscribe),
        1 => Just(Happening::Disconnect),
        1 => Just(Happening::Close),
        1 => any::<bool>().prop_map(Happening::Pinging),
        6 => Just(Happening::Connected),
        1 => Just(Happening::ConnectFailed),
        20 => packet().prop_map(Happening::Packet),
        1 => proptest::collection::vec(any::<u8>(), 0..20).prop_map(Happening::Bytes),
        2 => Just(Happening::Closed),
        4 => Just(Happening::Wake),
        2 => (0_u32..100_000).prop_map(Happening::Pass),
    ]
}

fn apply(bench: &mut Bench, happening: Happening) {
    let now = bench.now;
    match happening {
        Happening::Connect(None) => bench.client.connect(now),
        Happening::Connect(Some(clean_start)) => bench.client.connect_with(now, clean_start),
        Happening::Publish(qos) => {
            let _ = bench.client.publish(now, message(QoS::new(qos).expect("below 3"), "x"));
        }
        Happening::Subscribe => {
            let _ = bench.client.subscribe(now, vec![Subscription::new("a", QoS::AtMostOnce)]);
        }
        Happening::Unsubscribe => {
            let _ = bench.client.unsubscribe(now, vec!["a".into()]);
        }
        Happening::Disconnect => bench.client.disconnect(now, ReasonCode::SUCCESS),
        Happening::Close => bench.client.close(now),
        Happening::Pinging(true) => bench.client.resume_pinging(now),
        Happening::Pinging(false) => bench.client.stop_pinging(),
        Happening::Connected => bench.client.handle_connected(now),
        Happening::ConnectFailed => bench.client.handle_connect_failed(now, "refused".into()),
        Happening::Packet(packet) => bench.receive(packet),
        Happening::Bytes(bytes) => bench.client.handle_bytes(now, &bytes),
        Happening::Closed => bench.client.handle_closed(now, Transport::Reset),
        Happening::Wake => drop(bench.wake()),
        Happening::Pass(millis) => bench.jump(now + Duration::from_millis(millis.into())),
    }
}

/// What must hold of the outputs whatever happened: the bytes are the packets that the events tell of, nothing is sent
/// without a transport, and every end is told once.
struct Watch {
    version: Version,
    has_transport: bool,
    is_opening: bool,
    announced: Option<BytesMut>,
}

impl Watch {
    fn before(&mut self, happening: &Happening) {
        match happening {
            Happening::Connected if self.is_opening => {
                self.is_opening = false;
                self.has_transport = true;
            }
            Happening::ConnectFailed => self.is_opening = false,
            Happening::Closed => self.has_transport = false,
            _ => {}
        }
    }

    fn output(&mut self, output: Output) {
        match output {
            Output::Connect => {
                assert!(!self.is_opening && !self.has_transport, "a second transport");
                self.is_opening = true;
            }
            Output::Send(bytes) => {
                assert!(self.has_transport, "bytes without a transport");
                assert_eq!(self.announced.take().as_deref(), Some(&*bytes), "bytes are not those of the event");
            }
            Output::Close => {
                assert!(self.has_transport || self.is_opening, "nothing to close");
                self.has_transport = false;
                self.is_opening = false;
            }
            Output::Event(Event::Sending(packet)) => {
                let mut bytes = BytesMut::new();
                encode(&packet, self.version, &mut bytes).expect("the client sends what has a form");
                assert_eq!(self.announced.replace(bytes), None, "an event without bytes");
            }
            Output::Event(Event::Disconnected { .. }) => {
                assert!(!self.has_transport && !self.is_opening, "told before the end");
            }
            Output::Event(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn whatever_happens_outputs_fit_together(
        happenings in proptest::collection::vec(happening(), 0..200),
        version in prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)],
        reconnects: bool,
    ) {
        let mut options = options(version, 10);
        options.reconnect = reconnects.then(Box::default);
        options.queue_limit = 5;
        let mut bench = Bench::new(options);
        let mut watch = Watch { version, has_transport: false, is_opening: false, announced: None };
        for happening in happenings {
            watch.before(&happening);
            apply(&mut bench, happening);
            for output in bench.take() {
                watch.output(output);
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_are_not_hoarded(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..20),
        version in prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)],
        is_up: bool,
    ) {
        let mut options = options(version, 10);
        options.connect.maximum_packet_size = version.is_v5().then_some(64);
        let mut bench = if is_up { Bench::connected(options) } else { Bench::new(options) };
        if !is_up {
            bench.client.connect(bench.now);
            bench.client.handle_connected(bench.now);
        }
        for chunk in chunks {
            bench.client.handle_bytes(bench.now, &chunk);
            if let (true, Some(buffer)) = (version.is_v5(), bench.client.link.buffer()) {
                prop_assert!(buffer.len() < 64, "{} bytes wait for a packet that must not be that large", buffer.len());
            }
        }
    }
}
