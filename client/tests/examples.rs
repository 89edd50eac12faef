//! The examples run, against the project's broker on a free port.

#[expect(dead_code, reason = "its main is for cargo run")]
#[path = "../examples/publish.rs"]
mod publish;
#[expect(dead_code, reason = "its main is for cargo run")]
#[path = "../examples/request_response.rs"]
mod request_response;
#[expect(dead_code, reason = "its main is for cargo run")]
#[path = "../examples/subscribe.rs"]
mod subscribe;

mod serving;

use std::net::SocketAddr;

use halfopen_broker::core::Event;
use halfopen_broker::{Broker, Config, Observer};
use halfopen_client::{ConnectOptions, QoS};
use halfopen_protocol::{Instant, PacketType};
use tokio::sync::mpsc;

use self::serving::serving;

/// Tells of every packet that comes, and from whom.
struct Watching(mpsc::UnboundedSender<(String, PacketType)>);

impl Observer<SocketAddr> for Watching {
    fn event(&mut self, _: Instant, _: &SocketAddr, event: &Event) {
        if let Event::Received { client_id, packet, .. } = event {
            self.0.send((client_id.to_string(), packet.packet_type())).expect("the test is there");
        }
    }
}

type Seen = mpsc::UnboundedReceiver<(String, PacketType)>;

async fn with_broker<T>(test: impl AsyncFnOnce(u16, Seen) -> T) -> T {
    let (tell, seen) = mpsc::unbounded_channel();
    let broker = Broker::new(Config::default(), [0; 32]);
    serving(broker, Watching(tell), async |address| test(address.port(), seen).await).await
}

async fn wait_for(seen: &mut Seen, client: &str, packet: PacketType) {
    while seen.recv().await.expect("the broker runs") != (client.to_owned(), packet) {}
}

#[tokio::test]
async fn publish_publishes_every_qos() {
    with_broker(async |port, _seen| {
        let options = ConnectOptions::new("127.0.0.1", port).client_id("watcher");
        let (client, mut messages) = options.connect().await.expect("the broker accepts everybody");
        client.subscribe("example/#", QoS::ExactlyOnce).await.expect("the broker takes it");
        let ran = publish::run("127.0.0.1", port).await;
        assert_eq!(ran, Ok(()));
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            assert_eq!(messages.recv().await.expect("it is connected").qos, qos);
        }
    })
    .await;
}

#[tokio::test]
async fn request_response_gets_its_answer() {
    with_broker(async |port, _seen| assert_eq!(request_response::run("127.0.0.1", port).await, Ok("42".to_owned())))
        .await;
}

#[tokio::test]
async fn subscribe_takes_what_is_published() {
    with_broker(async |port, mut seen| {
        let test = async {
            wait_for(&mut seen, "example-subscribe", PacketType::Subscribe).await;
            publish::run("127.0.0.1", port).await.expect("the broker takes it");
            wait_for(&mut seen, "example-subscribe", PacketType::PubAck).await;
            wait_for(&mut seen, "example-subscribe", PacketType::PubRec).await;
        };
        tokio::select! {
            biased;
            ended = subscribe::run("127.0.0.1", port) => panic!("it ended: {ended:?}"),
            () = test => {}
        }
    })
    .await;
}
