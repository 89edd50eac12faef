//! A broker on a free port, for as long as a test runs.

use std::net::SocketAddr;

use halfopen_broker::{Broker, Observer, TokioClock, serve};
use tokio::net::TcpListener;

/// Runs the test with the address of the broker.
pub(crate) async fn serving<T>(
    broker: Broker,
    observer: impl Observer<SocketAddr> + 'static,
    test: impl AsyncFnOnce(SocketAddr) -> T,
) -> T {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    let never = std::future::pending::<()>();
    tokio::select! {
        biased;
        result = serve(broker, listener, TokioClock::new(), observer, never) => panic!("the broker ended: {result:?}"),
        result = test(address) => result,
    }
}
