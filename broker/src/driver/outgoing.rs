use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::core::Login;

/// What waits to be written to one connection. The broker bounds how much.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    waiting: VecDeque<Bytes>,
    closing: bool,
    /// A password that is to be judged before anything more is read.
    login: Option<Box<Login>>,
    waker: Option<Waker>,
}

/// How many pieces go into one system call.
const SLICES: usize = 32;

impl Outgoing {
    /// Adds bytes, to be written after those before.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.waiting.push_back(bytes);
        self.wake();
    }

    /// Nothing more comes.
    pub(super) fn close(&mut self) {
        self.closing = true;
        self.wake();
    }

    /// A password is to be judged.
    pub(super) fn verify(&mut self, login: Login) {
        self.login = Some(Box::new(login));
        self.wake();
    }

    pub(super) fn take_login(&mut self) -> Option<Login> {
        self.login.take().map(|login| *login)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Registers who is to be woken when something is added.
    pub(super) fn register(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }

    /// Writes as much as the stream takes now. Ready with how much that was, unless it was nothing.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut written = 0;
        while !self.waiting.is_empty() {
            match self.poll_write_once(stream, cx) {
                Poll::Ready(Ok(bytes)) => written += bytes,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => break,
            }
        }
        if written == 0 {
            return Poll::Pending;
        }
        if self.waiting.is_empty() {
            // An idle connection holds no buffer: there may be thousands.
            self.waiting = VecDeque::new();
        }
        Poll::Ready(Ok(written))
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

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}
