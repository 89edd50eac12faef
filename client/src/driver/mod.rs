//! Runs a [`Client`] over any byte stream and any clock, as one future without tasks of its own.
//!
//! Whatever comes, the order at one instant is: commands are done, bytes are read, time-outs are judged.

mod clock;
mod command;
mod tcp;
mod wire;

#[cfg(test)]
mod tests;

use std::future::{Future, poll_fn};
use std::io;
use std::time::Duration;

use halfopen_protocol::{Clock, Instant};
use tokio::io::{AsyncRead, AsyncWrite};

pub use self::clock::TokioClock;
pub use self::command::{Command, Commands, Order};
pub use self::tcp::Tcp;
use self::wire::{Io, Wire};
use crate::core::{Client, Event, Output};

/// Time for which, after an asked-for DISCONNECT, a slow peer may take what was written before it.
const LINGER: Duration = Duration::from_secs(5);

/// Opens connections to the broker.
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
///
/// It connects when the client has been told to, before or by [`Command::Connect`]. Each event is handed to
/// `on_event` with the time at which it happened, and so is each command that the client does not accept
/// ([`Event::Rejected`]); an event that follows from a command comes after it.
///
/// A connection that the client closes is dropped at once, with what the socket will not take, except after
/// [`Command::Disconnect`]: then what is still to be written gets up to five seconds. Dropping the future drops the
/// socket, as the end of a process does.
pub fn run<T: Connector, C: Clock, Q: Commands>(
    client: Client,
    mut connector: T,
    clock: C,
    commands: Q,
    on_event: impl FnMut(Instant, Event),
) -> impl Future<Output = ()> {
    // Made here and not in the future, which would hold the client twice: as its argument, and where it was moved to.
    let mut driver = Driver { client, clock, commands: Some(commands), on_event };
    async move {
        let mut next = driver.drain(None::<&mut Wire<T::Stream>>);
        loop {
            next = match next {
                Next::Connect => {
                    // Boxed, so that a client that is connected does not hold the room for it: there may be a million of them.
                    let mut wire = match Box::pin(driver.connecting(&mut connector)).await {
                        Ok(wire) => wire,
                        Err(instead) => {
                            next = instead;
                            continue;
                        }
                    };
                    // Lent, and boxed, since a future holds what it moves more than once.
                    driver.connected(&mut wire).await
                }
                Next::Same | Next::Close if driver.is_over() => return,
                Next::Same | Next::Close => driver.disconnected::<T::Stream>().await,
            };
        }
    }
}

struct Driver<C, Q, F> {
    client: Client,
    clock: C,
    /// The channel of commands; `None` once it is closed.
    commands: Option<Q>,
    on_event: F,
}

/// The next thing that the client wants of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// The transport stays as it is.
    Same,
    /// A new one.
    Connect,
    /// The transport is not needed any more.
    Close,
}

impl<C: Clock, Q: Commands, F: FnMut(Instant, Event)> Driver<C, Q, F> {
    /// Waits without a connection for a command or for the time of the next attempt.
    async fn disconnected<S: AsyncRead + AsyncWrite + Unpin>(&mut self) -> Next {
        tokio::select! {
            biased;
            command = next_command(&mut self.commands) => self.command(command),
            () = time_out(&self.client, &self.clock) => self.client.handle_timeout(self.clock.now()),
        }
        self.drain(None::<&mut Wire<S>>)
    }

    /// Opens a connection, unless the client gives up before it is open.
    async fn connecting<T: Connector>(&mut self, connector: &mut T) -> Result<Box<Wire<T::Stream>>, Next> {
        let mut opening = std::pin::pin!(connector.connect());
        loop {
            tokio::select! {
                biased;
                result = &mut opening => match result {
                    Ok(stream) => {
                        let mut wire = Box::new(Wire::new(stream));
                        self.client.handle_connected(self.clock.now());
                        return match self.drain(Some(&mut *wire)) {
                            Next::Same => Ok(wire),
                            next => Err(next),
                        };
                    }
                    Err(error) => {
                        self.client.handle_connect_failed(self.clock.now(), error.to_string());
                        return Err(self.drain(None::<&mut Wire<T::Stream>>));
                    }
                },
                command = next_command(&mut self.commands) => self.command(command),
                () = time_out(&self.client, &self.clock) => self.client.handle_timeout(self.clock.now()),
            }
            let next = self.drain(None::<&mut Wire<T::Stream>>);
            if next != Next::Same {
                return Err(next);
            }
        }
    }

    /// Carries bytes until the connection ends.
    async fn connected<S: AsyncRead + AsyncWrite + Unpin>(&mut self, wire: &mut Wire<S>) -> Next {
        loop {
            let mut may_linger = false;
            let mut is_closed = false;
            tokio::select! {
                biased;
                command = next_command(&mut self.commands) => {
                    may_linger = command.as_ref().is_some_and(Order::may_linger);
                    self.command(command);
                }
                io = wire.next(self.client.is_listening()) => match io {
                    Ok(Io::Written) => {
                        let now = self.clock.now();
                        self.client.handle_written(now);
                        if !wire.is_congested() {
                            self.client.handle_congestion(now, false);
                        }
                    }
                    Ok(Io::Relieved) => self.client.handle_congestion(self.clock.now(), false),
                    Ok(Io::Read(bytes)) => {
                        let now = self.clock.now();
                        self.client.handle_bytes(now, &bytes);
                        self.catch_up(now);
                    }
                    Err(transport) => {
                        self.client.handle_closed(self.clock.now(), transport);
                        is_closed = true;
                    }
                },
                () = time_out(&self.client, &self.clock) => self.client.handle_timeout(self.clock.now()),
            }
            let next = self.drain(Some(&mut *wire));
            if is_closed {
                return next;
            }
            if next != Next::Same {
                wire.finish_at_once().await;
                if may_linger {
                    self.linger(wire).await;
                }
                return next;
            }
        }
    }

    /// A stream of bytes without end must not hold up what has long been due. What is due at this very instant waits,
    /// since more bytes may be there.
    fn catch_up(&mut self, now: Instant) {
        if self.client.poll_timeout().is_some_and(|(due, _)| due < now) {
            self.client.handle_timeout(now);
        }
    }

    async fn linger<S: AsyncRead + AsyncWrite + Unpin>(&self, wire: &mut Wire<S>) {
        tokio::select! {
            biased;
            () = wire.finish() => {}
            () = self.clock.sleep_until(self.clock.now() + LINGER) => {}
        }
    }

    fn command(&mut self, command: Option<Q::Order>) {
        let now = self.clock.now();
        let done = match command {
            None => {
                self.commands = None;
                Ok(())
            }
            Some(command) => command.perform(&mut self.client, now),
        };
        if let Err(error) = done {
            (self.on_event)(now, Event::Rejected(error));
        }
    }

    /// Does what the client wants done, and says what it wants of the transport.
    fn drain<S: AsyncRead + AsyncWrite + Unpin>(&mut self, mut wire: Option<&mut Wire<S>>) -> Next {
        let mut next = Next::Same;
        while let Some(output) = self.client.poll_output() {
            match output {
                Output::Connect => next = Next::Connect,
                Output::Close => next = Next::Close,
                Output::Send(bytes) => {
                    if let Some(wire) = &mut wire {
                        wire.push(&bytes);
                        if wire.is_congested() {
                            self.client.handle_congestion(self.clock.now(), true);
                        }
                    }
                }
                Output::Event(event) => (self.on_event)(self.clock.now(), event),
            }
        }
        next
    }

    fn is_over(&self) -> bool {
        self.commands.is_none() && self.client.is_idle()
    }
}

/// The next command; `None` once, when there will be no more.
async fn next_command<Q: Commands>(commands: &mut Option<Q>) -> Option<Q::Order> {
    match commands {
        Some(commands) => poll_fn(|cx| commands.poll_next(cx)).await,
        None => std::future::pending().await,
    }
}

/// Waits until the client is to be told that time has passed.
async fn time_out<C: Clock>(client: &Client, clock: &C) {
    match client.poll_timeout() {
        Some((due, _)) => clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}
