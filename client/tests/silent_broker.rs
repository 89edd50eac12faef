//! The handle that applications use, against brokers that do not answer. Time is virtual from the moment when the client
//! is connected.

use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_client::core::{AuthError, DisconnectReason, Mechanism};
use halfopen_client::{Client, ConnectOptions, Error, Messages, QoS, State};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, pause, timeout};

const PATIENCE: Duration = Duration::from_secs(3);

/// Says nothing and believes everything.
#[derive(Debug)]
struct Trusting;

impl Mechanism for Trusting {
    fn name(&self) -> ByteString {
        "T".into()
    }

    fn start(&mut self) -> Option<Bytes> {
        None
    }

    fn challenge(&mut self, _: Option<&[u8]>) -> Result<Option<Bytes>, AuthError> {
        Ok(None)
    }

    fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthError> {
        Ok(())
    }
}

/// A client whose broker sends this CONNACK, and never anything again.
async fn connected(
    connack: &[u8],
    change: impl FnOnce(ConnectOptions) -> ConnectOptions,
) -> (Client, Messages, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let options = change(ConnectOptions::new("127.0.0.1", port).client_id("c").keep_alive(0).reconnect(None));
    let accept = async {
        let (mut stream, _) = listener.accept().await.expect("the client connects");
        stream.read_buf(&mut bytes::BytesMut::new()).await.expect("CONNECT comes");
        stream.write_all(connack).await.expect("the client reads");
        stream
    };
    let (stream, connected) = tokio::join!(accept, options.connect());
    let (client, messages) = connected.expect("the broker has accepted");
    pause();
    (client, messages, stream)
}

const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

#[tokio::test]
async fn every_request_fails_when_its_time_is_over() {
    let (client, _messages, _stream) = connected(&CONNACK, |options| options.request_timeout(PATIENCE)).await;
    for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let start = Instant::now();
        assert_eq!(client.publish("a", qos, "1").await.map(drop), Err(Error::TimedOut));
        assert!(start.elapsed().abs_diff(PATIENCE) < Duration::from_millis(10), "{:?}", start.elapsed());
    }
    assert_eq!(client.subscribe("a", QoS::AtMostOnce).await, Err(Error::TimedOut));
    assert_eq!(client.unsubscribe("a").await, Err(Error::TimedOut));
    assert!(matches!(&*client.state().borrow(), State::Connected(_)), "that is no reason to leave");
    assert_eq!(client.disconnect().await, Ok(()));
}

#[tokio::test]
async fn without_a_time_a_request_waits() {
    let (client, _messages, _stream) = connected(&CONNACK, |options| options).await;
    let waited = timeout(Duration::from_secs(100_000), client.publish("a", QoS::AtLeastOnce, "1")).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[tokio::test]
async fn a_message_that_finds_no_room_in_the_queue_in_time_fails() {
    let (client, _messages, _stream) =
        connected(&CONNACK, |options| options.request_timeout(PATIENCE).with(|options| options.queue_limit = 1)).await;
    for _ in 0..2 {
        assert_eq!(client.publish("a", QoS::AtLeastOnce, "1").await.map(drop), Err(Error::TimedOut));
    }
}

#[tokio::test]
async fn a_re_authentication_without_answer_ends_the_connection() {
    let connack = [0x20, 7, 0, 0, 4, 0x15, 0, 1, b'T'];
    let (client, _messages, _stream) = connected(&connack, |options| options.mechanism(Trusting)).await;
    let start = Instant::now();
    let failed = client.reauthenticate().await;
    assert!(matches!(failed, Err(Error::Disconnected(DisconnectReason::NoAuth { .. }))), "{failed:?}");
    assert!(start.elapsed().abs_diff(Duration::from_secs(10)) < Duration::from_millis(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_broker_that_reads_nothing_holds_up_disconnect_for_five_seconds_at_most() {
    let (client, _messages, _stream) = connected(&CONNACK, |options| options).await;
    for _ in 0..16 {
        // They wait for a socket that takes no more; giving up on them takes nothing back.
        let published = client.publish("a", QoS::AtMostOnce, vec![0; 1024 * 1024]);
        let _ = timeout(Duration::from_millis(1), published).await;
    }
    let start = Instant::now();
    assert_eq!(client.disconnect().await, Ok(()));
    assert!((1..=5).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
}

#[tokio::test]
async fn disconnect_ends_an_attempt_to_connect_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let (client, mut messages) = ConnectOptions::new("127.0.0.1", port).start().expect("there is randomness");
    let (mut stream, _) = listener.accept().await.expect("the client connects");
    stream.read_buf(&mut bytes::BytesMut::new()).await.expect("CONNECT comes");
    assert_eq!(client.disconnect().await, Ok(()));
    assert!(messages.recv().await.is_none());
}

#[tokio::test]
async fn without_connack_the_attempt_fails_when_its_time_is_over() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    pause();
    let start = Instant::now();
    let refused = ConnectOptions::new("127.0.0.1", port).connect_timeout(PATIENCE).connect().await.map(drop);
    assert!(matches!(refused, Err(Error::Disconnected(DisconnectReason::NoConnack { .. }))), "{refused:?}");
    assert!(start.elapsed() < PATIENCE * 2, "{:?}", start.elapsed());
}
