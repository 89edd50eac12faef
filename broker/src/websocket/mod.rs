//! MQTT over WebSocket (§6), as a stream of bytes for the driver.
//!
//! What is inside the frames goes straight to the reader's own buffer, piece by piece: however long frames and messages
//! are, nothing of them is held here, and packets may begin and end in any of them ([MQTT-6.0.0-2]). So the broker's
//! limits on packets are the only ones that are needed. HTTP and the heads of frames are read by `tungstenite`.

mod incoming;
mod outgoing;
mod upgrade;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::coding::{CloseCode, Control};

use self::incoming::{End, Incoming};
use self::outgoing::FrameWriter;
use self::upgrade::Upgrade;

/// The server's side of a WebSocket with the subprotocol `mqtt`.
///
/// Reading also drives the upgrade from HTTP and answers pings. A peer that breaks a rule is told so in a close
/// frame, and reading then gives an error.
#[derive(Debug)]
pub(crate) struct WebSocket<S> {
    stream: S,
    phase: Phase,
    outgoing: FrameWriter,
    /// True if the peer has been told of the end, or is about to be.
    is_closing: bool,
}

#[derive(Debug)]
enum Phase {
    /// The request is being read.
    Upgrade(Upgrade),
    Open(Incoming),
    /// Reading has ended.
    Over,
}

/// Maximum number of further reads from a refused peer: bytes that nobody read would turn the close
/// into a reset, which may destroy what it is told.
const READS_AT_END: usize = 16;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Creates a reader that has read nothing yet.
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, phase: Phase::Upgrade(Upgrade::default()), outgoing: FrameWriter::default(), is_closing: false }
    }

    /// Reads on in the request.
    fn poll_upgrade(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Phase::Upgrade(upgrade) = &mut self.phase else { return Poll::Ready(Ok(())) };
        let free = buffer.initialize_unfilled();
        let room = free.len().min(upgrade.room());
        let mut request = ReadBuf::new(&mut free[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut request))?;
        if request.filled().is_empty() {
            self.phase = Phase::Over;
            return Poll::Ready(Ok(()));
        }
        match upgrade.read(request.filled()) {
            Ok(None) => {}
            Ok(Some(response)) => {
                self.outgoing.push(&response);
                self.phase = Phase::Open(Incoming::default());
                // What waited to be written may go now.
                cx.waker().wake_by_ref();
            }
            Err(refusal) => {
                self.outgoing.push(&refusal.response());
                self.end(cx, buffer);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refusal)));
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Reads frames, and leaves what is inside them in the buffer. Ready with nothing if they had nothing inside.
    fn poll_frames(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Phase::Open(incoming) = &mut self.phase else { return Poll::Ready(Ok(())) };
        if let Some(end) = incoming.end() {
            self.close(&end.answer());
            self.end(cx, buffer);
            return Poll::Ready(match end {
                End::Closed(_) => Ok(()),
                End::Broken { why, .. } => Err(io::Error::new(io::ErrorKind::InvalidData, why)),
            });
        }
        let mut raw = ReadBuf::new(buffer.initialize_unfilled());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut raw))?;
        let bytes = raw.filled_mut();
        if bytes.is_empty() {
            self.phase = Phase::Over;
            return Poll::Ready(Ok(()));
        }
        let length = incoming.read(bytes);
        if let Some(ping) = incoming.take_ping() {
            self.outgoing.pong(&ping);
        }
        buffer.advance(length);
        Poll::Ready(Ok(()))
    }

    /// A close frame, once.
    fn close(&mut self, payload: &[u8]) {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.outgoing.control(Control::Close, payload);
        }
    }

    /// Says what is left to say, as far as the peer takes it at once, and ends the stream.
    fn end(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) {
        self.phase = Phase::Over;
        let _ = self.outgoing.poll_flush(&mut self.stream, cx);
        let _ = Pin::new(&mut self.stream).poll_shutdown(cx);
        for _ in 0..READS_AT_END {
            let mut rest = ReadBuf::new(buffer.initialize_unfilled());
            let read = Pin::new(&mut self.stream).poll_read(cx, &mut rest);
            if !matches!(read, Poll::Ready(Ok(()))) || rest.filled().is_empty() {
                break;
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WebSocket<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        while buffer.filled().len() == before && buffer.remaining() > 0 {
            // However long the peer takes to read this, what it says is heard.
            let _ = this.outgoing.poll_flush(&mut this.stream, cx);
            match &this.phase {
                Phase::Upgrade(_) => ready!(this.poll_upgrade(cx, buffer))?,
                Phase::Open(_) => ready!(this.poll_frames(cx, buffer))?,
                Phase::Over => break,
            }
        }
        // An answer to what has just been read does not wait for more.
        let _ = this.outgoing.poll_flush(&mut this.stream, cx);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WebSocket<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match this.phase {
            // The end of the upgrade wakes the task that waits for this.
            Phase::Upgrade(_) => Poll::Pending,
            Phase::Open(_) => this.outgoing.poll_write(&mut this.stream, cx, pieces),
            Phase::Over => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.outgoing.poll_flush(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if matches!(this.phase, Phase::Open(_)) {
            this.close(&u16::from(CloseCode::Normal).to_be_bytes());
        }
        // Reading goes on as before, for a caller that wants to empty the socket.
        ready!(this.outgoing.poll_flush(&mut this.stream, cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
