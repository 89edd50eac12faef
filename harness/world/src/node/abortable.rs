use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::WorldClock;
use super::client::Transport;
use crate::network::Network;

/// A connection of a program that knows only how to close in order: the story may make it an abort.
pub(super) struct Abortable<N: Network, C: WorldClock> {
    stream: Option<N::Stream>,
    transport: Rc<Transport<N, C>>,
}

impl<N: Network, C: WorldClock> Abortable<N, C> {
    pub(super) fn new(stream: N::Stream, transport: &Rc<Transport<N, C>>) -> Self {
        // What was to be aborted has ended otherwise.
        transport.aborts.set(false);
        Self { stream: Some(stream), transport: Rc::clone(transport) }
    }

    fn stream(&mut self) -> io::Result<Pin<&mut N::Stream>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Aborts the connection if that is what the story wants; whether it does.
    fn abort(&mut self) -> bool {
        if !self.transport.aborts.get() {
            return false;
        }
        if let Some(stream) = self.stream.take() {
            self.transport.network.abort(stream);
        }
        true
    }
}

impl<N: Network, C: WorldClock> AsyncRead for Abortable<N, C> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl<N: Network, C: WorldClock> AsyncWrite for Abortable<N, C> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.abort() {
            return Poll::Ready(Ok(()));
        }
        self.stream()?.poll_shutdown(cx)
    }
}

impl<N: Network, C: WorldClock> Drop for Abortable<N, C> {
    fn drop(&mut self) {
        self.abort();
    }
}
