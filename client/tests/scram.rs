//! SCRAM-SHA-256 and re-authentication, our client against our broker over TCP.

mod bob;
mod serving;

use halfopen_client::core::DisconnectReason;
use halfopen_client::{ConnectOptions, Error, QoS, ReasonCode, Scram, State};

use self::bob::broker_of_bob;
use self::serving::serving;

async fn with_broker<T>(test: impl AsyncFnOnce(ConnectOptions) -> T) -> T {
    let options = |port| ConnectOptions::new("127.0.0.1", port).client_id("c").reconnect(None);
    serving(broker_of_bob(), (), async |address| test(options(address.port())).await).await
}

fn scram(password: &str) -> Scram {
    Scram::new("bob", password, [1; 32]).expect("name and password are plain")
}

#[tokio::test]
async fn a_client_authenticates_and_does_so_again_while_it_publishes() {
    with_broker(async |options| {
        let (client, _messages) = options.mechanism(scram("secret")).connect().await.expect("that is the password");
        for _ in 0..2 {
            let publish = client.publish("a", QoS::ExactlyOnce, "1");
            let (published, authenticated) = tokio::join!(publish, client.reauthenticate());
            published.expect("the broker takes it");
            assert_eq!(authenticated, Ok(()));
        }
        assert!(matches!(&*client.state().borrow(), State::Connected(_)));
        client.disconnect().await.expect("it was connected");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_password_and_none_are_refused() {
    with_broker(async |options| {
        let refused = options.mechanism(scram("guess")).connect().await.map(drop);
        let Err(Error::Disconnected(DisconnectReason::Refused(connack))) = refused else { panic!("{refused:?}") };
        assert_eq!(connack.reason, ReasonCode::NOT_AUTHORIZED);
    })
    .await;
    with_broker(async |options| {
        let refused = options.connect().await.map(drop);
        assert!(matches!(refused, Err(Error::Disconnected(DisconnectReason::Refused(_)))), "{refused:?}");
    })
    .await;
}
