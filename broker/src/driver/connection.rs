use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use halfopen_protocol::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Observer;
use super::hub::{ConnectionHandle, Hub, Verdict};
use super::outgoing::WriteQueue;
use crate::core::ConnectionId;

/// Reads and writes one connection until either side ends it. Written out, not `async`: with thousands of idle
/// connections the size of this is most of what the broker holds.
pub(super) struct ConnectionTask<S, P, C, O> {
    /// The socket; `None` when all is over.
    stream: Option<S>,
    id: ConnectionId,
    handle: Rc<ConnectionHandle<P>>,
    hub: Hub<P, C, O>,
    /// A password that is being judged.
    verdict: Option<Verdict>,
}

impl<S, P, C, O> ConnectionTask<S, P, C, O> {
    pub(super) fn new(stream: S, id: ConnectionId, handle: Rc<ConnectionHandle<P>>, hub: Hub<P, C, O>) -> Self {
        Self { stream: Some(stream), id, handle, hub, verdict: None }
    }
}

impl<S, P, C, O> Future for ConnectionTask<S, P, C, O>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
    O: Observer<P>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { stream: slot, id, handle, hub, verdict } = &mut *self;
        let (id, outgoing) = (*id, &handle.outgoing);
        let Some(stream) = slot else { return Poll::Ready(()) };
        loop {
            if let Some(login) = outgoing.borrow_mut().take_login() {
                *verdict = Some(hub.verify(login));
            }
            // Until the password is judged nothing is read: what it holds back stays at the peer.
            if let Some(judge) = verdict.as_mut().filter(|_| !outgoing.borrow().is_closing()) {
                outgoing.borrow_mut().register(cx.waker());
                let accepted = ready!(judge.as_mut().poll(cx));
                *verdict = None;
                hub.verified(id, accepted);
                continue;
            }
            match ready!(poll_step(stream, outgoing, hub, cx)) {
                Step::Read(length) => hub.received(id, length),
                Step::Written(bytes) => hub.written(id, bytes),
                Step::Ended => {
                    hub.closed(id);
                    break;
                }
                Step::Close => {
                    close(stream, outgoing, hub, cx);
                    break;
                }
            }
        }
        *slot = None;
        hub.task_ended();
        Poll::Ready(())
    }
}

/// The next thing that happened on a connection.
enum Step {
    /// This many bytes were read into the shared buffer.
    Read(usize),
    /// This many bytes were written.
    Written(usize),
    /// The transport has ended.
    Ended,
    /// The broker closes it.
    Close,
}

fn poll_step<S, P, C, O>(
    stream: &mut S,
    outgoing: &RefCell<WriteQueue>,
    hub: &Hub<P, C, O>,
    cx: &mut Context<'_>,
) -> Poll<Step>
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
    O: Observer<P>,
{
    let mut outgoing = outgoing.borrow_mut();
    if outgoing.is_closing() {
        return Poll::Ready(Step::Close);
    }
    outgoing.register(cx.waker());
    let is_broken = match outgoing.poll_write(stream, cx) {
        Poll::Ready(Ok(bytes)) => return Poll::Ready(Step::Written(bytes)),
        // What the peer sent before it went away is read first: it may have said goodbye.
        Poll::Ready(Err(_)) => true,
        // Reading goes on, however long the peer takes.
        Poll::Pending => false,
    };
    drop(outgoing);
    match hub.with_buffer(|buffer| poll_read(stream, buffer, cx)) {
        Poll::Ready(Ok(length @ 1..)) => Poll::Ready(Step::Read(length)),
        Poll::Pending if !is_broken => Poll::Pending,
        _ => Poll::Ready(Step::Ended),
    }
}

/// Writes what the socket takes at once, and ends it in order if it can. Never waits for the peer.
fn close<S, P, C, O>(stream: &mut S, outgoing: &RefCell<WriteQueue>, hub: &Hub<P, C, O>, cx: &mut Context<'_>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
    O: Observer<P>,
{
    let _ = outgoing.borrow_mut().poll_write(stream, cx);
    let _ = Pin::new(&mut *stream).poll_shutdown(cx);
    // Unread bytes would turn the close into a reset, which may destroy what was just written before the peer reads it.
    hub.with_buffer(|buffer| {
        for _ in 0..READS_AT_CLOSE {
            if !matches!(poll_read(stream, buffer, cx), Poll::Ready(Ok(1..))) {
                break;
            }
        }
    });
}

/// Maximum number of further reads from a closed connection, to empty its socket: 1 MiB with the shared
/// buffer.
const READS_AT_CLOSE: usize = 16;

fn poll_read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}
