//! SCRAM-SHA-256 and re-authentication, our client against our broker over TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use halfopen_broker::auth::{Passwords, Scram as Verifying, scram_verifier, with_user};
use halfopen_broker::core::Mechanism;
use halfopen_broker::{Access, Broker, Config, Listener, Observer, TokioClock, serve};
use halfopen_client::core::DisconnectReason;
use halfopen_client::{ConnectOptions, Error, QoS, ReasonCode, Scram, State};
use halfopen_protocol::Instant;
use tokio::net::{TcpListener, TcpStream};

struct Tcp(TcpListener);

impl Listener for Tcp {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await
    }
}

struct Nobody;

impl Observer<SocketAddr> for Nobody {
    fn event(&mut self, _: Instant, _: &SocketAddr, _: &halfopen_broker::core::Event) {}
}

/// A broker that lets nobody in but bob, who proves that he knows his password.
fn broker() -> Broker {
    let verifier = scram_verifier("secret", &[7; 16]).expect("the password is plain");
    let users = with_user("", "bob", &[verifier]).expect("the name is plain");
    let passwords = Arc::new(Passwords::parse(&users).expect("it was just made"));
    let mut count = 0;
    let nonce = move || {
        count += 1;
        format!("nonce{count}")
    };
    let mechanisms: Vec<Box<dyn Mechanism>> = vec![Box::new(Verifying::new(passwords, [3; 32], nonce))];
    Broker::with_access(Config::default(), Access { anonymous: false, passwords: false, mechanisms, authorizer: None })
}

async fn with_broker<T>(test: impl AsyncFnOnce(ConnectOptions) -> T) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let never = std::future::pending::<()>();
    tokio::select! {
        biased;
        result = serve(broker(), Tcp(listener), TokioClock::new(), Nobody, never) => panic!("it ended: {result:?}"),
        result = test(ConnectOptions::new("127.0.0.1", port).client_id("c").reconnect(None)) => result,
    }
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
