use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncWrite;

/// The bytes that wait to be written to one connection. The broker bounds how many.
#[derive(Debug, Default)]
pub(super) struct WriteQueue {
    waiting: VecDeque<Bytes>,
    /// The bytes behind `waiting`: small pieces in one buffer, since each on its own would cost more than its bytes.
    small: BytesMut,
}

/// Number of pieces that go into one system call. Behind this number, small ones are put together.
const SLICES: usize = 32;

/// The largest small piece, in bytes.
const SMALL: usize = 1024;

/// Number of bytes of small pieces that are put together, roughly.
const TOGETHER: usize = 64 * 1024;

impl WriteQueue {
    /// Adds bytes, to be written after those before.
    pub(super) fn push(&mut self, bytes: Bytes) {
        if bytes.len() <= SMALL && (self.waiting.len() >= SLICES || !self.small.is_empty()) {
            self.small.extend_from_slice(&bytes);
            if self.small.len() >= TOGETHER {
                self.queue_small();
            }
        } else {
            self.queue_small();
            self.waiting.push_back(bytes);
        }
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.small.is_empty()
    }

    /// Writes as much as the stream takes now. Ready with how much that was, unless it was nothing.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while self.has_some() {
            match self.poll_write_once(stream, cx) {
                Poll::Ready(Ok(bytes)) => written += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if written == 0 {
            return Poll::Pending;
        }
        Poll::Ready(Ok(written))
    }

    /// Returns whether something waits to be written; if so, `waiting` is not empty.
    fn has_some(&mut self) -> bool {
        if self.waiting.is_empty() {
            self.queue_small();
        }
        !self.waiting.is_empty()
    }

    fn queue_small(&mut self) {
        if !self.small.is_empty() {
            self.waiting.push_back(std::mem::take(&mut self.small).freeze());
        }
    }

    fn poll_write_once<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let count = self.waiting.len().min(SLICES);
        for (slice, bytes) in slices.iter_mut().zip(&self.waiting) {
            *slice = IoSlice::new(bytes);
        }
        let written = if stream.is_write_vectored() {
            ready!(Pin::new(stream).poll_write_vectored(cx, &slices[..count]))?
        } else {
            ready!(Pin::new(stream).poll_write(cx, &slices[0]))?
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        self.advance(written);
        Poll::Ready(Ok(written))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some(first) = self.waiting.front_mut() {
            if written < first.len() {
                return first.advance(written);
            }
            written -= first.len();
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    #[test]
    fn small_pieces_that_wait_cost_little_more_than_their_bytes_and_keep_their_order() {
        let mut outgoing = WriteQueue::default();
        let mut expected = Vec::new();
        for number in 0..1_000_000_u32 {
            let piece = if number % 200_000 == 100_000 { vec![7; SMALL + 1] } else { vec![0xD0, number as u8] };
            expected.extend_from_slice(&piece);
            outgoing.push(piece.into());
        }
        assert!(outgoing.waiting.len() < 100, "{} pieces", outgoing.waiting.len());
        let mut written = Vec::new();
        let mut cx = Context::from_waker(Waker::noop());
        assert!(
            matches!(outgoing.poll_write(&mut written, &mut cx), Poll::Ready(Ok(bytes)) if bytes == expected.len())
        );
        assert!(written == expected);
        assert!(outgoing.is_empty());
    }
}
