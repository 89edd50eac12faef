use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite as _;

use crate::network::{Network, Peer};
use crate::node::client_id::LearnedClientId;

/// A connection between the world and a socket of the process.
pub(super) struct ForeignConnection<N: Network> {
    pub(super) stream: N::Stream,
    pub(super) peer: Peer,
    /// The bytes that the process has sent and the world has not taken.
    pub(super) out: VecDeque<u8>,
    /// The bytes that have arrived and for which the process's socket had no room.
    pub(super) back: Vec<u8>,
    pub(super) client_id: LearnedClientId,
    /// More may arrive.
    pub(super) reads: bool,
    /// The action that follows when all is sent.
    pub(super) then: Then,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    GoOn,
    /// FIN, but it still reads.
    Finish,
    Finished,
}

impl<N: Network> ForeignConnection<N> {
    pub(super) fn new(stream: N::Stream, peer: Peer) -> Self {
        let (out, back, client_id) = Default::default();
        Self { stream, peer, out, back, client_id, reads: true, then: Then::GoOn }
    }

    /// Writes what is to be sent; ready when all is, and its end, too.
    pub(super) fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let (first, _) = self.out.as_slices();
            match Pin::new(&mut self.stream).poll_write(cx, first) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => drop(self.out.drain(..count)),
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        if self.then == Then::Finish {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Ready(Ok(())) => self.then = Then::Finished,
                other => return other,
            }
        }
        Poll::Ready(Ok(()))
    }
}
