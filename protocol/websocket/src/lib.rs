//! MQTT over WebSocket (§6), as a stream of bytes for a driver: the side of the server, that of the client, and what an
//! observer between them sees.
//!
//! What is inside the frames goes straight to the reader's own buffer, piece by piece: however long frames and messages
//! are, nothing of them is held here, and packets may begin and end in any of them ([MQTT-6.0.0-2]). So the broker's
//! limits on packets are the only ones that are needed. HTTP and the heads of frames are read by `tungstenite`.

mod answer;
mod carried;
mod incoming;
mod observer;
mod offer;
mod outgoing;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use halfopen_protocol::Role;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::coding::CloseCode;

use self::answer::Answer;
pub use self::carried::Carried;
use self::incoming::{End, Incoming};
pub use self::observer::{FrameKind, Observer, Piece, frame};
use self::offer::Offer;
use self::outgoing::FrameWriter;

/// The name of the subprotocol that a client offers and a server selects ([MQTT-6.0.0-3], [MQTT-6.0.0-4]).
pub const SUBPROTOCOL: &str = "mqtt";

/// The path that clients of the project ask for: that of most brokers.
pub const PATH: &str = "/mqtt";

/// One side of a WebSocket with the subprotocol `mqtt`.
///
/// Reading also drives the upgrade from HTTP and answers pings; nothing is written before that is complete. A peer that breaks
/// a rule is told so in a close frame, and reading then gives an error.
#[derive(Debug)]
pub struct WebSocket<S> {
    stream: S,
    side: Role,
    phase: Phase,
    outgoing: FrameWriter,
    /// True if the peer has been told of the end, or is about to be.
    is_closing: bool,
}

#[derive(Debug)]
enum Phase {
    /// The server reads the request.
    Answer(Answer),
    /// The client reads the answer to its request.
    Offer(Offer),
    Open(Incoming),
    /// Reading has ended.
    Over,
}

/// Maximum number of further reads from a refused peer: bytes that nobody read would turn the close
/// into a reset, which may destroy what it is told.
const READS_AT_END: usize = 16;

impl<S: AsyncRead + AsyncWrite + Unpin> WebSocket<S> {
    /// Creates the side of the server, which has read nothing yet.
    pub fn server(stream: S) -> Self {
        let (phase, outgoing) = (Phase::Answer(Answer::default()), FrameWriter::default());
        Self { stream, side: Role::Server, phase, outgoing, is_closing: false }
    }

    /// Creates the side of the client, which asks `host` for this path. The key and the masks are drawn from `seed`.
    pub fn client(stream: S, host: &str, path: &str, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let offer = Offer::new(&mut random);
        let request = offer.request(host, path);
        let mut outgoing = FrameWriter::masking(random);
        outgoing.push(&request);
        Self { stream, side: Role::Client, phase: Phase::Offer(offer), outgoing, is_closing: false }
    }

    /// Returns whether the upgrade is complete, so that frames may be sent.
    pub fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open(_))
    }

    /// Returns the stream below.
    pub fn into_inner(self) -> S {
        self.stream
    }

    /// Sends a whole frame of this kind behind what has been written. It leaves with the next write, read or flush.
    pub fn push_frame(&mut self, kind: FrameKind, payload: &[u8]) {
        self.outgoing.frame(kind, payload);
    }

    /// Reads on in the request.
    fn poll_answer(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Phase::Answer(answer) = &mut self.phase else { return Poll::Ready(Ok(())) };
        let free = buffer.initialize_unfilled();
        let room = free.len().min(answer.room());
        let mut request = ReadBuf::new(&mut free[..room]);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut request))?;
        if request.filled().is_empty() {
            self.phase = Phase::Over;
            return Poll::Ready(Ok(()));
        }
        match answer.read(request.filled()) {
            Ok(None) => {}
            Ok(Some(response)) => {
                self.outgoing.push(&response);
                self.phase = Phase::Open(Incoming::new(self.side));
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

    /// Reads on in the answer to the request. Frames may follow at once.
    fn poll_offer(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let count = ready!(self.poll_raw(cx, buffer))?;
        let bytes = &mut buffer.initialize_unfilled()[..count];
        let Phase::Offer(offer) = &mut self.phase else { return Poll::Ready(Ok(())) };
        match offer.read(bytes) {
            Ok(None) => Poll::Ready(Ok(())),
            Ok(Some(used)) => {
                bytes.copy_within(used.., 0);
                self.phase = Phase::Open(Incoming::new(self.side));
                self.take_frames(buffer, count - used);
                // What waited to be written may go now.
                cx.waker().wake_by_ref();
                Poll::Ready(Ok(()))
            }
            Err(refused) => {
                self.end(cx, buffer);
                Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, refused)))
            }
        }
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
        let count = ready!(self.poll_raw(cx, buffer))?;
        self.take_frames(buffer, count);
        Poll::Ready(Ok(()))
    }

    /// Reads bytes behind what fills the buffer, and returns how many; none are the end of the stream.
    fn poll_raw(&mut self, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let mut raw = ReadBuf::new(buffer.initialize_unfilled());
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut raw))?;
        if raw.filled().is_empty() {
            self.phase = Phase::Over;
        }
        Poll::Ready(Ok(raw.filled().len()))
    }

    /// Takes the frames in the bytes behind what fills the buffer, and leaves there what is inside them.
    fn take_frames(&mut self, buffer: &mut ReadBuf<'_>, count: usize) {
        let Phase::Open(incoming) = &mut self.phase else { return };
        let length = incoming.read(&mut buffer.initialize_unfilled()[..count]);
        if let Some(ping) = incoming.take_ping() {
            self.outgoing.pong(&ping);
        }
        buffer.advance(length);
    }

    /// A close frame, once.
    fn close(&mut self, payload: &[u8]) {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.outgoing.frame(FrameKind::Close, payload);
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
                Phase::Answer(_) => ready!(this.poll_answer(cx, buffer))?,
                Phase::Offer(_) => ready!(this.poll_offer(cx, buffer))?,
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
            Phase::Answer(_) | Phase::Offer(_) => Poll::Pending,
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
