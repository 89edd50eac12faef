use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::io::{self, IoSlice};
use std::num::NonZeroU32;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use halfopen_protocol::{Clock, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// The resolution of clocks: a busy broker may begin later than it could have, by up to this.
const RESOLUTION: Duration = Duration::from_millis(1);

/// The pace of a broker that takes time for each packet. It reads from one connection after the other, in the order in
/// which they asked, and from the next only when it has handled what it read. What it has not read waits in its
/// sockets.
pub(super) struct Pace {
    cost: Duration,
    /// The right to read: one permit, which comes back when the broker has handled what was read.
    turns: Arc<Semaphore>,
    /// Something was read.
    read: Notify,
    /// Number of packets in what was read.
    packets: Cell<u32>,
}

impl Pace {
    /// Creates the pace of a broker that handles this many packets in a second.
    pub(super) fn new(per_second: NonZeroU32) -> Rc<Self> {
        Rc::new(Self {
            cost: Duration::from_secs(1) / per_second.get(),
            turns: Arc::new(Semaphore::new(1)),
            read: Notify::new(),
            packets: Cell::new(0),
        })
    }

    /// Takes note of a packet in what was read.
    pub(super) fn note_packet(&self) {
        self.packets.set(self.packets.get() + 1);
    }

    /// Lets the broker read again each time it has handled what it read.
    pub(super) async fn run<C: Clock>(&self, clock: C) -> Infallible {
        let mut free_at = Duration::ZERO;
        loop {
            self.read.notified().await;
            let now = clock.now().since_origin();
            // A part of a packet costs as much as a packet: it is read and looked at.
            free_at = free_at.max(now.saturating_sub(RESOLUTION)) + self.cost * self.packets.take().max(1);
            if free_at > now {
                clock.sleep_until(Instant::new(free_at)).await;
            }
            self.turns.add_permits(1);
        }
    }
}

/// A connection of a broker, which may have a pace.
pub(super) struct Paced<S> {
    stream: S,
    pace: Option<Waiting>,
}

/// A connection's place among those that want to be read from.
struct Waiting {
    pace: Rc<Pace>,
    turn: Option<Turn>,
}

type Turn = Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>>>>;

impl<S> Paced<S> {
    /// Wraps a connection of a broker with this pace.
    pub(super) fn new(stream: S, pace: Option<&Rc<Pace>>) -> Self {
        Self { stream, pace: pace.map(|pace| Waiting { pace: Rc::clone(pace), turn: None }) }
    }
}

impl Waiting {
    /// Waits for the turn of this connection.
    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Option<OwnedSemaphorePermit>> {
        let turn = self.turn.get_or_insert_with(|| {
            let turns = Arc::clone(&self.pace.turns);
            Box::pin(async move { turns.acquire_owned().await.ok() })
        });
        let permit = ready!(turn.as_mut().poll(cx));
        self.turn = None;
        Poll::Ready(permit)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Paced<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, pace } = &mut *self;
        let Some(waiting) = pace else { return Pin::new(stream).poll_read(cx, buf) };
        let permit = ready!(waiting.poll_turn(cx));
        let before = buf.filled().len();
        // Without anything to read, the turn goes to the next.
        let result = ready!(Pin::new(stream).poll_read(cx, buf));
        if buf.filled().len() > before {
            permit.into_iter().for_each(OwnedSemaphorePermit::forget);
            waiting.pace.read.notify_one();
        }
        Poll::Ready(result)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
