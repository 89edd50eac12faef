use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::core::Transport;

/// The size of one read in bytes. A simulated socket tells its peer of room only when one read takes half of its 64
/// KiB.
const READ_SIZE: usize = 64 * 1024;

/// Number of unwritten bytes above which nothing is read: a peer that sends but never reads must not fill our memory
/// with the answers.
const BACKLOG: usize = 4 * 1024 * 1024;

/// Number of unwritten bytes above which no new messages are written: they wait in the client's queue, which has a
/// bound. Below the backlog, so that reading goes on.
const CONGESTED: usize = 1024 * 1024;

/// The event of a connection.
pub(super) enum Io {
    /// Bytes came in.
    Read(Vec<u8>),
    /// The socket took bytes that had waited for it.
    Written,
    /// The socket took more bytes at once than can be too many.
    Relieved,
}

/// A connection and what is still to be written to it.
pub(super) struct Wire<S> {
    stream: S,
    unwritten: BytesMut,
    /// The socket has not taken all of it at once.
    is_waiting: bool,
    needs_flush: bool,
    /// A write failed: from then on only what the peer had sent before can be read.
    write_error: Option<io::Error>,
    is_shut: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            unwritten: BytesMut::new(),
            is_waiting: false,
            needs_flush: false,
            write_error: None,
            is_shut: false,
        }
    }

    /// Queues bytes for writing.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.write_error.is_none() {
            self.unwritten.extend_from_slice(bytes);
        }
    }

    /// Returns whether too many bytes wait to be written for more messages to be added.
    pub(super) fn is_congested(&self) -> bool {
        self.unwritten.len() > CONGESTED
    }

    /// Waits for bytes, if they are wanted, or for the end of the connection, and writes meanwhile what the socket
    /// takes. Cancel safe.
    pub(super) async fn next(&mut self, is_wanted: bool) -> Result<Io, Transport> {
        poll_fn(|cx| self.poll_next(cx, is_wanted)).await
    }

    /// Writes what is left and closes in order. Cancel safe.
    pub(super) async fn finish(&mut self) {
        poll_fn(|cx| self.poll_finish(cx)).await;
    }

    /// Like [`finish`](Self::finish), but only as far as the socket goes along at once.
    pub(super) async fn finish_at_once(&mut self) {
        poll_fn(|cx| {
            let _ = self.poll_finish(cx);
            Poll::Ready(())
        })
        .await;
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let written = self.poll_write(cx);
        if self.write_error.is_none() {
            ready!(written);
        }
        if !self.is_shut {
            let _ = ready!(Pin::new(&mut self.stream).poll_shutdown(cx));
            self.is_shut = true;
        }
        Poll::Ready(())
    }

    /// Reading comes first, and again after a failed write: the peer's last words may be waiting.
    fn poll_next(&mut self, cx: &mut Context<'_>, is_wanted: bool) -> Poll<Result<Io, Transport>> {
        loop {
            if is_wanted
                && self.unwritten.len() <= BACKLOG
                && let Poll::Ready(bytes) = self.poll_read(cx)
            {
                return Poll::Ready(bytes.map(Io::Read));
            }
            if let Some(error) = &self.write_error {
                return Poll::Ready(Err(transport(error)));
            }
            let (before, was_congested) = (self.unwritten.len(), self.is_congested());
            let _ = self.poll_write(cx);
            if self.write_error.is_none() {
                let is_progress = self.is_waiting && self.unwritten.len() < before;
                self.is_waiting = !self.unwritten.is_empty();
                return match (is_progress, was_congested && !self.is_congested()) {
                    (true, _) => Poll::Ready(Ok(Io::Written)),
                    (false, true) => Poll::Ready(Ok(Io::Relieved)),
                    (false, false) => Poll::Pending,
                };
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Transport>> {
        // A connection on which little comes does not hold a buffer for much.
        let mut space = [MaybeUninit::uninit(); READ_SIZE];
        let mut buffer = ReadBuf::uninit(&mut space);
        match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
            Ok(()) if buffer.filled().is_empty() => {
                Poll::Ready(Err(self.write_error.as_ref().map_or(Transport::Eof, transport)))
            }
            Ok(()) => Poll::Ready(Ok(buffer.filled().to_vec())),
            Err(error) => Poll::Ready(Err(transport(&error))),
        }
    }

    /// Ready when all is written, or when no more can be.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let result = ready!(self.poll_write_all(cx));
        if let Err(error) = result {
            self.unwritten.clear();
            self.write_error = Some(error);
        }
        Poll::Ready(())
    }

    fn poll_write_all(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.unwritten.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.unwritten))?;
            if count == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.unwritten.advance(count);
            self.needs_flush = true;
        }
        if self.needs_flush {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }
}

/// Returns what an error says about how the connection ended.
fn transport(error: &io::Error) -> Transport {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            Transport::Reset
        }
        io::ErrorKind::TimedOut => Transport::TimedOut,
        io::ErrorKind::UnexpectedEof => Transport::Eof,
        _ => Transport::Other,
    }
}
