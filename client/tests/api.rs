//! The handle that applications use, against the project's broker on a free port.

mod serving;

use halfopen_broker::{Broker, Config};
use halfopen_client::core::{CommandError, DisconnectReason};
use halfopen_client::{
    AckDetails, Client, ConnectOptions, Error, Messages, Publish, Published, QoS, ReasonCode, Refusal, State,
    Subscribed, Subscription, Version,
};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use self::serving::serving;

const V3: Version = Version::V3_1_1;
const V5: Version = Version::V5_0;

async fn with_broker<T>(test: impl AsyncFnOnce(ConnectOptions) -> T) -> T {
    let broker = Broker::new(Config::default(), [0; 32]);
    serving(broker, (), async |address| test(ConnectOptions::new("127.0.0.1", address.port())).await).await
}

async fn connect(options: ConnectOptions) -> (Client, Messages) {
    options.connect().await.expect("the broker accepts everybody")
}

#[rstest]
#[case(V3)]
#[case(V5)]
#[tokio::test]
async fn messages_of_every_qos_come_in_order(#[case] version: Version) {
    with_broker(async |options| {
        let (client, mut messages) = connect(options.version(version).client_id("c")).await;
        assert_eq!(client.subscribe("a/#", QoS::ExactlyOnce).await, Ok(QoS::ExactlyOnce));
        for (payload, qos) in [("0", QoS::AtMostOnce), ("1", QoS::AtLeastOnce), ("2", QoS::ExactlyOnce)] {
            client.publish("a/b", qos, payload).await.expect("the broker takes it");
            let message = messages.recv().await.expect("it is connected");
            assert_eq!((&*message.payload, message.qos), (payload.as_bytes(), qos));
        }
        client.unsubscribe("a/#").await.expect("it was subscribed");
        client.disconnect().await.expect("it was connected");
        assert!(messages.recv().await.is_none());
        assert_eq!(client.publish("a/b", QoS::AtLeastOnce, "3").await, Err(Error::Closed));
    })
    .await;
}

#[tokio::test]
async fn errors_reach_the_caller_that_asked() {
    with_broker(async |options| {
        let (client, _messages) = connect(options).await;
        let wildcard = client.publish("a/+", QoS::AtMostOnce, "").await;
        assert!(matches!(wildcard, Err(Error::Rejected(CommandError::Invalid(_)))), "{wildcard:?}");
        let filter = client.subscribe("a/#/b", QoS::AtMostOnce).await;
        assert!(matches!(filter, Err(Error::Rejected(CommandError::Invalid(_)))), "{filter:?}");
        assert_eq!(client.reauthenticate().await, Err(Error::Rejected(CommandError::NoMechanism)));
        assert!(matches!(&*client.state().borrow(), State::Connected(_)));
    })
    .await;
}

#[tokio::test]
async fn a_first_attempt_that_fails_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let refused = ConnectOptions::new("127.0.0.1", port).connect().await.map(drop);
    assert!(matches!(refused, Err(Error::Disconnected(DisconnectReason::ConnectFailed(_)))), "{refused:?}");
}

#[tokio::test]
async fn a_flood_waits_until_it_is_taken_and_nothing_of_it_is_lost() {
    with_broker(async |options| {
        let (client, mut messages) = connect(options.client_id("c").capacity(2)).await;
        client.subscribe("a", QoS::AtLeastOnce).await.expect("the broker takes it");
        for number in 0..20_u8 {
            client.publish("a", QoS::AtLeastOnce, vec![number]).await.expect("the broker takes it");
        }
        for number in 0..20 {
            assert_eq!(&*messages.recv().await.expect("it is connected").payload, [number]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_message_can_be_refused_by_hand_and_the_next_one_comes() {
    with_broker(async |options| {
        let options = options.client_id("c").manual_acknowledgement().keep_session(60);
        let (client, mut messages) = connect(options).await;
        client.subscribe("a", QoS::AtLeastOnce).await.expect("the broker takes it");
        client.publish("a", QoS::AtLeastOnce, "1").await.expect("the broker takes it");
        let message = messages.recv().await.expect("it is connected");
        message.refuse(ReasonCode::QUOTA_EXCEEDED);
        client.publish_with(Publish { topic: "a".into(), ..Publish::default() }).await.expect("the broker takes it");
        assert_eq!(messages.recv().await.expect("it is connected").qos, QoS::AtMostOnce);
        client.disconnect().await.expect("it was connected");
    })
    .await;
}

/// Accepts one client of 5.0, and answers its next packet with these bytes.
async fn scripted(listener: &TcpListener, answer: &[u8]) -> TcpStream {
    let (mut stream, _) = listener.accept().await.expect("the client connects");
    let mut buffer = bytes::BytesMut::new();
    assert_ne!(stream.read_buf(&mut buffer).await.expect("CONNECT comes"), 0);
    stream.write_all(&[0x20, 3, 0, 0, 0]).await.expect("the client reads");
    assert_ne!(stream.read_buf(&mut buffer).await.expect("a request comes"), 0);
    stream.write_all(answer).await.expect("the client reads");
    stream
}

async fn with_scripted<T>(answer: &[u8], test: impl AsyncFnOnce(Client) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let options = ConnectOptions::new("127.0.0.1", port).client_id("c").reconnect(None);
    let client = async {
        let (client, _messages) = connect(options).await;
        test(client).await
    };
    tokio::join!(client, scripted(&listener, answer)).0
}

/// A reason string `no` and a user property `k` = `v`.
const PROPERTIES: [u8; 13] = [12, 0x1F, 0, 2, b'n', b'o', 0x26, 0, 1, b'k', 0, 1, b'v'];

fn said() -> AckDetails {
    AckDetails { reason_string: Some("no".into()), user_properties: vec![("k".into(), "v".into())] }
}

fn answer(first: u8, id: u8, reason: Option<u8>, tail: &[u8]) -> Vec<u8> {
    let mut body = vec![0, id];
    body.extend(reason);
    body.extend(PROPERTIES);
    body.extend(tail);
    [vec![first, body.len() as u8], body].concat()
}

#[tokio::test]
async fn what_the_broker_says_with_a_refusal_is_in_the_error() {
    let refusal = |reason| Err(Error::Refused(Box::new(Refusal { reason, details: said() })));
    let puback = answer(0x40, 1, Some(0x97), &[]);
    let published = with_scripted(&puback, async |client| client.publish("a", QoS::AtLeastOnce, "1").await).await;
    assert_eq!(published, refusal(ReasonCode::QUOTA_EXCEEDED));
    assert_eq!(published.expect_err("it was refused").to_string(), "refused: Quota exceeded (0x97): no");

    let pubrec = answer(0x50, 1, Some(0x97), &[]);
    let published = with_scripted(&pubrec, async |client| client.publish("a", QoS::ExactlyOnce, "1").await).await;
    assert_eq!(published, refusal(ReasonCode::QUOTA_EXCEEDED));

    let suback = answer(0x90, 1, None, &[0x87]);
    let subscribed = with_scripted(&suback, async |client| client.subscribe("a", QoS::AtMostOnce).await).await;
    assert_eq!(
        subscribed,
        Err(Error::Refused(Box::new(Refusal { reason: ReasonCode::NOT_AUTHORIZED, details: said() })))
    );

    let unsuback = answer(0xB0, 1, None, &[0x87]);
    let unsubscribed = with_scripted(&unsuback, async |client| client.unsubscribe("a").await).await;
    assert_eq!(
        unsubscribed,
        Err(Error::Refused(Box::new(Refusal { reason: ReasonCode::NOT_AUTHORIZED, details: said() })))
    );
}

#[tokio::test]
async fn what_the_broker_says_with_a_success_is_in_the_result() {
    let puback = answer(0x40, 1, Some(0x10), &[]);
    let published = with_scripted(&puback, async |client| client.publish("a", QoS::AtLeastOnce, "1").await).await;
    assert_eq!(published, Ok(Published { reason: ReasonCode::NO_MATCHING_SUBSCRIBERS, details: said() }));

    let suback = answer(0x90, 1, None, &[1]);
    let filters = vec![Subscription::new("a", QoS::AtLeastOnce)];
    let subscribed = with_scripted(&suback, async |client| client.subscribe_with(filters).await).await;
    assert_eq!(subscribed, Ok(Subscribed { results: vec![Ok(QoS::AtLeastOnce)], details: said() }));
}

#[tokio::test]
async fn what_the_broker_says_when_it_disconnects_is_in_the_error() {
    let body = [&[0x9C, 12 + 7][..], &PROPERTIES[1..], &[0x1C, 0, 4, b'h', b':', b'1', b'2']].concat();
    let disconnect = [vec![0xE0, body.len() as u8], body].concat();
    let ended = with_scripted(&disconnect, async |client| client.publish("a", QoS::AtLeastOnce, "1").await).await;
    let Err(Error::Disconnected(DisconnectReason::Server(disconnect))) = ended else { panic!("{ended:?}") };
    assert_eq!(disconnect.reason, ReasonCode::USE_ANOTHER_SERVER);
    assert_eq!(disconnect.reason_string, said().reason_string);
    assert_eq!(disconnect.user_properties, said().user_properties);
    assert_eq!(disconnect.server_reference.as_deref(), Some("h:12"));
}
