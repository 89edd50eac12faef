//! The broker on a real port: what only a socket with its own buffers shows.

use std::future::pending;
use std::time::Duration;

use bytes::BytesMut;
use halfopen_broker::{Broker, Config, TokioClock, serve};
use halfopen_protocol::packet::{Connect, PacketId, Publish, QoS, Subscribe, Subscription, UserProperties};
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// When a test that waits for what never comes fails.
const HANGS: Duration = Duration::from_secs(60);

/// A client of 5.0 that has been accepted.
struct Client {
    stream: TcpStream,
    bytes: BytesMut,
}

impl Client {
    async fn connect(port: u16, client_id: &'static str) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).await.expect("the broker listens");
        let mut client = Self { stream, bytes: BytesMut::new() };
        client.send([Packet::from(Connect::new(Version::V5_0, client_id))]).await;
        assert!(matches!(client.receive().await, Packet::ConnAck(_)));
        client
    }

    async fn send(&mut self, packets: impl IntoIterator<Item = Packet>) {
        let mut bytes = BytesMut::new();
        for packet in packets {
            encode(&packet, Version::V5_0, &mut bytes).expect("a valid packet");
        }
        self.stream.write_all(&bytes).await.expect("the broker reads");
    }

    async fn receive(&mut self) -> Packet {
        let options = DecodeOptions { version: Version::V5_0, reader: Role::Client, maximum_packet_size: u32::MAX };
        loop {
            if let Some(packet) = decode(&mut self.bytes, &options).expect("a valid packet") {
                return packet;
            }
            assert_ne!(self.stream.read_buf(&mut self.bytes).await.expect("no error"), 0, "the broker has closed");
        }
    }
}

async fn beside_a_broker(config: Config, test: impl AsyncFnOnce(u16)) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let port = listener.local_addr().expect("a port").port();
    tokio::select! {
        biased;
        ended = tokio::time::timeout(HANGS, test(port)) => ended.expect("what is waited for comes"),
        ended = serve(Broker::new(config, [0; 32]), listener, TokioClock::new(), (), pending()) => panic!("the server ended: {ended:?}"),
    }
}

fn publish(topic: String, payload: &[u8], retain: bool) -> Packet {
    Packet::from(Publish { topic: topic.into(), payload: payload.to_vec().into(), retain, ..Publish::default() })
}

#[tokio::test]
async fn retained_messages_of_qos_0_all_arrive_though_they_are_more_than_the_write_buffer_holds() {
    beside_a_broker(Config::default(), async |port| {
        let mut publisher = Client::connect(port, "publisher").await;
        publisher.send((0..3000).map(|number| publish(format!("r/{number}"), &[0; 2000], true))).await;
        publisher.send([Packet::PingReq]).await;
        assert_eq!(publisher.receive().await, Packet::PingResp);
        let mut client = Client::connect(port, "c").await;
        let subscribe = Subscribe {
            packet_id: PacketId::MIN,
            subscription_id: None,
            user_properties: UserProperties::new(),
            subscriptions: vec![Subscription::new("#", QoS::AtMostOnce)],
        };
        client.send([Packet::Subscribe(subscribe), Packet::PingReq]).await;
        assert!(matches!(client.receive().await, Packet::SubAck(_)));
        let (mut arrived, mut answers) = (0, 0);
        while arrived < 3000 || answers < 1 {
            match client.receive().await {
                Packet::Publish(publish) if publish.retain => arrived += 1,
                Packet::PingResp => answers += 1,
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}
