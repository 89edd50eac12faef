//! Publishes one message of each QoS: `cargo run -p halfopen-client --example publish`.

use halfopen_client::{ConnectOptions, Error, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run("localhost", 1883).await
}

pub(crate) async fn run(host: &str, port: u16) -> Result<(), Error> {
    let (client, _messages) = ConnectOptions::new(host, port).client_id("example-publish").connect().await?;
    for (level, qos) in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().enumerate() {
        client.publish("example/greeting", qos, format!("hello at QoS {level}")).await?;
    }
    client.disconnect().await
}
