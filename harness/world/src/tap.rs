use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use halfopen_protocol::{PacketType, Role};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::connection_tap::ConnectionTap;
use crate::trace::Transmission;

/// An engine's socket, as a [`Tap`] needs it.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + 'static {
    /// Returns whether the connection would be aborted if the socket were dropped now, because bytes that arrived have
    /// not been read.
    fn has_unread(&mut self) -> bool;

    /// Returns how the connection has ended, if it has and the program would see it with its next read.
    fn waiting_end(&mut self) -> Option<Transmission> {
        None
    }

    /// Dropping the socket will abort the connection.
    fn abort(&mut self);

    /// Returns whether the host has no power: nothing of what happens to the socket gets out.
    fn is_powerless(&self) -> bool {
        false
    }

    /// A whole packet has just been written and is about to leave.
    fn about_to_leave(&mut self, packet: PacketType) {
        let _ = packet;
    }
}

/// A socket that records what passes through it, and how it ends, from the point of view of its program.
pub(crate) struct Tap<S: Socket> {
    socket: S,
    connection_tap: Rc<ConnectionTap>,
    side: Role,
    aborts: bool,
}

impl<S: Socket> Tap<S> {
    /// Taps the end of a connection that is on this side.
    pub(crate) fn new(socket: S, connection_tap: Rc<ConnectionTap>, side: Role) -> Self {
        Self { socket, connection_tap, side, aborts: false }
    }

    /// Ends the connection by RST.
    pub(crate) fn abort(mut self) {
        self.aborts = true;
        self.socket.abort();
    }

    fn failed(&self, error: &io::Error) {
        if let Some(how) = failure(error) {
            self.connection_tap.saw_end(self.side, how);
        }
    }

    /// Records an end that has arrived, at the latest when the program ends the connection.
    fn see_waiting_end(&mut self) {
        if let Some(how) = self.socket.waiting_end() {
            self.connection_tap.saw_end(self.side, how);
        }
    }
}

/// Returns how an error ends a connection, if it does.
pub(crate) fn failure(error: &io::Error) -> Option<Transmission> {
    match error.kind() {
        io::ErrorKind::ConnectionReset => Some(Transmission::Rst),
        io::ErrorKind::TimedOut => Some(Transmission::TimedOut),
        _ => None,
    }
}

impl<S: Socket> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let room = buf.remaining();
        let before = buf.filled().len();
        let result = ready!(Pin::new(&mut self.socket).poll_read(cx, buf));
        match &result {
            Ok(()) => match buf.filled().len() - before {
                0 if room > 0 => self.connection_tap.saw_end(self.side, Transmission::Fin),
                0 => {}
                count => self.connection_tap.read(self.side, count),
            },
            Err(error) => self.failed(error),
        }
        Poll::Ready(result)
    }
}

impl<S: Socket> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(Pin::new(&mut self.socket).poll_write(cx, buf));
        match &result {
            Ok(count) => {
                for packet in self.connection_tap.wrote(self.side, &buf[..*count]) {
                    self.socket.about_to_leave(packet);
                }
            }
            Err(error) => self.failed(error),
        }
        Poll::Ready(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.socket).poll_shutdown(cx));
        match &result {
            Ok(()) => {
                self.see_waiting_end();
                self.connection_tap.finished(self.side);
            }
            Err(error) => self.failed(error),
        }
        Poll::Ready(result)
    }
}

impl<S: Socket> Drop for Tap<S> {
    fn drop(&mut self) {
        if !self.socket.is_powerless() {
            self.see_waiting_end();
        }
        if self.connection_tap.has_failed(self.side) {
            return;
        }
        if self.socket.is_powerless() {
            self.connection_tap.abandoned(self.side);
        } else if self.aborts || self.socket.has_unread() {
            self.connection_tap.aborted(self.side);
        } else {
            self.connection_tap.finished(self.side);
        }
    }
}
