//! Connects a [`Broker`] to sockets and a clock, on one thread.
//!
//! The same code serves a real port and a simulated one: the caller brings the connections ([`Listener`]), the time
//! ([`Clock`]) and the observer of what happens ([`Observer`]).
//!
//! One future accepts connections, one reads and writes those that have something to do, one waits for the next deadline;
//! all share a `Hub`, which owns the broker and the connections and carries out what the broker asks for. A connection is
//! no task: there may be thousands, of which most are idle. What is ready to be read is read before a deadline is judged.

mod accept;
mod change;
mod clock;
mod connection;
mod hub;
mod outgoing;
mod ready;
mod timer;

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use halfopen_protocol::{Clock, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::unconstrained;

pub use self::clock::TokioClock;
use self::hub::Hub;
use crate::core::{Broker, Event, Login};

/// A source of incoming connections.
pub trait Listener {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// The address, or whatever is known about the other end.
    type Peer: Clone + 'static;

    /// Waits for a connection. Never dropped before it is complete, except with the whole server.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, Self::Peer)>>;
}

impl Listener for TcpListener {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        Self::accept(self).await
    }
}

/// Receives the events of a broker's connections, for logs and traces. `()` ignores them.
pub trait Observer<P> {
    /// A connection was accepted.
    fn opened(&mut self, now: Instant, peer: &P) {
        let _ = (now, peer);
    }

    /// The broker states something about the connection with `peer`.
    fn event(&mut self, now: Instant, peer: &P, event: &Event);

    /// Messages to a client, which need not be connected, were dropped for want of room; see [`Output::Dropped`].
    ///
    /// [`Output::Dropped`]: crate::core::Output::Dropped
    fn dropped(&mut self, now: Instant, client_id: &str, messages: u64) {
        let _ = (now, client_id, messages);
    }

    /// All that the broker had to say and to do after something happened is said and done: a look at what it holds.
    fn settled(&mut self, now: Instant, broker: &Broker) {
        let _ = (now, broker);
    }

    /// A connection could not be accepted; the server goes on.
    fn accept_failed(&mut self, now: Instant, error: &io::Error) {
        let _ = (now, error);
    }
}

impl<P> Observer<P> for () {
    fn event(&mut self, _now: Instant, _peer: &P, _event: &Event) {}
}

/// Serves until `shutdown` completes, then tells all clients and closes.
///
/// Needs no runtime of a particular kind, as long as it is polled within tokio's; nothing here leaves the thread.
/// Dropping the future drops all sockets at once, as the end of a process does. Every CONNECT with a user name is
/// rejected if the broker asks about passwords: [`serve_verifying`] answers that.
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
    O: Observer<L::Peer>,
{
    serve_verifying(broker, listener, clock, observer, |_| std::future::ready(false), mpsc::channel(1).1, shutdown)
        .await
}

/// A change of a broker that runs, such as another configuration ([`Broker::handle_config`]).
pub type Change = Box<dyn FnOnce(&mut Broker, Instant)>;

/// The same for a broker that asks about passwords
/// ([`Access::passwords`](crate::core::Access::passwords)): `verify` says whether one is right. It may take its time;
/// only the connection that asks waits for it. The `changes` are made as they come.
///
/// # Errors
/// As [`serve`].
pub async fn serve_verifying<L, C, O, V>(
    broker: Broker,
    listener: L,
    clock: C,
    observer: O,
    verify: impl Fn(Login) -> V + 'static,
    changes: mpsc::Receiver<Change>,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()>
where
    L: Listener,
    C: Clock,
    O: Observer<L::Peer>,
    V: Future<Output = bool> + 'static,
{
    let hub = Hub::<L, C, O>::new(broker, clock, observer, Box::new(move |login| Box::pin(verify(login))));
    hub.start();
    let served = tokio::select! {
        biased;
        () = shutdown => Ok(()),
        error = accept::run(listener, &hub) => Err(error),
        () = change::run(changes, &hub) => Ok(()),
        // The hub sees to it that each connection has its turn; tokio would count what all of them do together.
        () = unconstrained(hub.serve_connections()) => Ok(()),
        () = timer::run(&hub) => Ok(()),
    };
    unconstrained(hub.shut_down()).await;
    served
}
