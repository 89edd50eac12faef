//! Prints what is published below `example/`, and says when the connection comes and goes:
//! `cargo run -p halfopen-client --example subscribe`.

use halfopen_client::{ConnectOptions, Error, QoS, State};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    run("localhost", 1883).await
}

pub(crate) async fn run(host: &str, port: u16) -> Result<(), Error> {
    let options = ConnectOptions::new(host, port).client_id("example-subscribe").keep_session(3600);
    let (client, mut messages) = options.connect().await?;
    client.subscribe("example/#", QoS::ExactlyOnce).await?;
    let mut state = client.state();
    loop {
        tokio::select! {
            biased;
            Ok(()) = state.changed() => match &*state.borrow_and_update() {
                State::Connecting => {}
                State::Connected(connack) => println!("connected, session present: {}", connack.session_present),
                State::Disconnected { reason, .. } => println!("disconnected: {reason:?}"),
            },
            message = messages.recv() => match message {
                Some(message) => println!("{} {}", message.topic, String::from_utf8_lossy(&message.payload)),
                None => return Ok(()),
            },
        }
    }
}
