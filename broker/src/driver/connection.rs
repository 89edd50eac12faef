use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::outgoing::WriteQueue;
use super::ready::ConnectionWaker;

/// A future that resolves to whether a password is right.
pub(super) type Verdict = Pin<Box<dyn Future<Output = bool>>>;

/// One connection: its socket, and what waits to be written to it. With thousands of idle connections the size of this
/// is much of what the broker holds, so what most of them do not have is boxed.
pub(super) struct Connection<S, P> {
    stream: S,
    pub(super) peer: P,
    /// The bytes that wait to be written, while there are some.
    outgoing: Option<Box<WriteQueue>>,
    /// A password that is being judged.
    verdict: Option<Box<Verdict>>,
    waker: Arc<ConnectionWaker>,
    /// True while the connection has its turn: it need not be woken then.
    in_turn: bool,
    is_closing: bool,
}

/// The next thing that happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// This many bytes were read into the buffer.
    Read(usize),
    /// This many bytes were written.
    Written(usize),
    /// The password that was asked about is right, or wrong.
    Verified(bool),
    /// The transport has ended.
    Ended,
    /// The broker has closed the connection, and the socket may be dropped.
    Closed,
}

/// Maximum number of further reads from a closed connection, to empty its socket: 1 MiB with a buffer of 64 KiB.
const READS_AT_CLOSE: usize = 16;

impl<S, P> Connection<S, P> {
    /// Creates a connection that is to be polled for the first time.
    pub(super) fn new(stream: S, peer: P, waker: Arc<ConnectionWaker>) -> Self {
        waker.wake_by_ref();
        Self { stream, peer, outgoing: None, verdict: None, waker, in_turn: false, is_closing: false }
    }

    /// Adds bytes, to be written after those before.
    pub(super) fn send(&mut self, bytes: Bytes) {
        self.outgoing.get_or_insert_default().push(bytes);
        self.wake();
    }

    /// Marks the end: nothing more is added and nothing more is read.
    pub(super) fn close(&mut self) {
        self.is_closing = true;
        self.wake();
    }

    /// Reads nothing until this has judged a password: what the password holds back stays at the peer.
    pub(super) fn await_verdict(&mut self, verdict: Verdict) {
        self.verdict = Some(Box::new(verdict));
        self.wake();
    }

    /// Returns whether the broker has closed the connection.
    pub(super) fn is_closing(&self) -> bool {
        self.is_closing
    }

    /// Begins a turn of this connection, in which it is polled until it is pending.
    pub(super) fn begin_turn(&mut self) -> Waker {
        self.in_turn = true;
        self.waker.left_queue();
        Waker::from(Arc::clone(&self.waker))
    }

    /// Ends a turn after which nothing is left to do.
    pub(super) fn end_turn(&mut self) {
        self.in_turn = false;
    }

    /// Ends a turn for the sake of others, to go on after them.
    pub(super) fn yield_turn(&mut self) {
        self.end_turn();
        self.wake();
    }

    fn wake(&self) {
        if !self.in_turn {
            self.waker.wake_by_ref();
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin, P> Connection<S, P> {
    /// Reads and writes until something happens that the broker needs to know.
    pub(super) fn poll_step(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<Step> {
        if self.is_closing {
            self.finish(buffer, cx);
            return Poll::Ready(Step::Closed);
        }
        if let Some(verdict) = &mut self.verdict {
            let accepted = ready!(verdict.as_mut().as_mut().poll(cx));
            self.verdict = None;
            return Poll::Ready(Step::Verified(accepted));
        }
        let is_broken = match self.poll_write(cx) {
            Poll::Ready(Ok(bytes)) => return Poll::Ready(Step::Written(bytes)),
            // What the peer sent before it went away is read first: it may have said goodbye.
            Poll::Ready(Err(_)) => true,
            // Reading goes on, however long the peer takes.
            Poll::Pending => false,
        };
        match poll_read(&mut self.stream, buffer, cx) {
            Poll::Ready(Ok(length @ 1..)) => Poll::Ready(Step::Read(length)),
            Poll::Pending if !is_broken => Poll::Pending,
            _ => Poll::Ready(Step::Ended),
        }
    }

    /// Writes as much as the stream takes now. Pending if that is nothing.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(outgoing) = &mut self.outgoing else { return Poll::Pending };
        let written = ready!(outgoing.poll_write(&mut self.stream, cx));
        if outgoing.is_empty() {
            self.outgoing = None;
        }
        Poll::Ready(written)
    }

    /// Writes what the socket takes at once, and ends it in order if it can. Never waits for the peer.
    fn finish(&mut self, buffer: &mut [u8], cx: &mut Context<'_>) {
        let _ = self.poll_write(cx);
        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        // Unread bytes would turn the close into a reset, which may destroy what was just written before the peer reads
        // it.
        for _ in 0..READS_AT_CLOSE {
            if !matches!(poll_read(&mut self.stream, buffer, cx), Poll::Ready(Ok(1..))) {
                break;
            }
        }
    }
}

fn poll_read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}
