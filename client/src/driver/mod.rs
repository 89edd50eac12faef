//! Runs a [`Client`] over any byte stream and any clock, as one future without tasks of its own.

mod command;

use std::future::Future;
use std::io;

use halfopen_protocol::{Clock, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

pub use self::command::Command;
use crate::core::{Client, Event};

/// How to reach the broker.
pub trait Connector {
    /// A connection, as far as a client needs it.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Opens a connection. Dropping the future gives up.
    ///
    /// # Errors
    /// It could not be opened.
    fn connect(&mut self) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// Runs `client` until the command channel is closed and the client is disconnected for good.
pub async fn run<T: Connector, C: Clock>(
    client: Client,
    connector: T,
    clock: C,
    commands: mpsc::UnboundedReceiver<Command>,
    on_event: impl FnMut(Instant, Event),
) {
    let _ = (client, connector, clock, commands, on_event);
}
