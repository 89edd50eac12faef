use std::io;
use std::time::Duration;

use halfopen_protocol::Clock;

use super::hub::Hub;
use super::{Listener, Observer};

/// Pause after a failure to accept a connection, for want of file descriptors for example.
const PAUSE: Duration = Duration::from_millis(500);

/// Accepts connections until the listener is of no more use, and gives its error.
pub(super) async fn run<L, C, O>(mut listener: L, hub: &Hub<L, C, O>) -> io::Error
where
    L: Listener,
    C: Clock,
    O: Observer<L::Peer>,
{
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => hub.open(stream, peer),
            Err(error) if is_final(&error) => return error,
            Err(error) => {
                hub.accept_failed(&error);
                if !concerns_one_connection(&error) {
                    let clock = hub.clock();
                    clock.sleep_until(clock.now() + PAUSE).await;
                }
            }
        }
    }
}

/// Returns whether the listener itself is broken.
fn is_final(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput
            | io::ErrorKind::NotConnected
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::Unsupported
    )
}

/// Returns whether a connection was gone before it could be accepted: the next one may be there already.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}
