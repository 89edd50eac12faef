use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use halfopen_protocol::Clock;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Observer;
use super::hub::Hub;
use super::outgoing::Outgoing;
use crate::core::ConnectionId;

/// Reads and writes one connection until either side ends it.
pub(super) async fn run<S, P, C, O>(mut stream: S, id: ConnectionId, outgoing: Rc<RefCell<Outgoing>>, hub: Hub<P, C, O>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    C: Clock,
    O: Observer<P>,
{
    loop {
        let login = outgoing.borrow_mut().take_login();
        if let Some(login) = login {
            // Until the password is judged nothing is read: what it holds back stays at the peer.
            tokio::select! {
                biased;
                () = poll_fn(|cx| outgoing.borrow_mut().poll_closing(cx)) => {}
                accepted = hub.verify(login) => hub.verified(id, accepted),
            }
            continue;
        }
        match poll_fn(|cx| poll_step(&mut stream, &outgoing, &hub, cx)).await {
            Step::Read(length) => hub.received(id, length),
            Step::Written(bytes) => hub.written(id, bytes),
            Step::Ended => {
                hub.closed(id);
                break;
            }
            Step::Close => {
                poll_fn(|cx| poll_close(&mut stream, &outgoing, &hub, cx)).await;
                break;
            }
        }
    }
    drop(stream);
    hub.task_ended();
}

/// What happens next on a connection.
enum Step {
    /// This much was read into the shared buffer.
    Read(usize),
    /// This much has left.
    Written(usize),
    /// The transport has ended.
    Ended,
    /// The broker closes it.
    Close,
}

fn poll_step<S, P, C, O>(
    stream: &mut S,
    outgoing: &RefCell<Outgoing>,
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
fn poll_close<S, P, C, O>(
    stream: &mut S,
    outgoing: &RefCell<Outgoing>,
    hub: &Hub<P, C, O>,
    cx: &mut Context<'_>,
) -> Poll<()>
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
    Poll::Ready(())
}

/// How often a connection that is closed is read from once more, to empty its socket: 1 MiB with the shared buffer.
const READS_AT_CLOSE: usize = 16;

fn poll_read<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut [u8], cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let mut buffer = ReadBuf::new(buffer);
    Pin::new(stream).poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len())
}
