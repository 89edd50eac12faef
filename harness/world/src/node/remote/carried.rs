use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{RemoteConnecting, RemoteStream};
use crate::network::{Network, Peer};
use crate::node::client_id::LearnedClientId;

/// Maximum number of bytes in one direction that one end has sent and the other has not taken.
const HELD: usize = 64 * 1024;

/// A connection of the world, and the real one that it goes on in.
pub(super) struct RemoteConnection<N: Network> {
    stream: N::Stream,
    pub(super) peer: Peer,
    pub(super) client_id: LearnedClientId,
    real: Real,
    to_broker: Pump,
    to_client: Pump,
}

enum Real {
    Connecting(RemoteConnecting),
    Open(Box<dyn RemoteStream>),
}

/// A direction of the proxy.
#[derive(Default)]
struct Pump {
    bytes: Vec<u8>,
    /// The sender has ended its stream.
    has_ended: bool,
    /// True if something was written that the receiver may still hold back, as TLS does.
    is_unflushed: bool,
    /// True if the receiver has been told of the end.
    is_finished: bool,
}

/// The result of one turn of a direction.
enum Pumped {
    Waits,
    /// The end that is written to has failed.
    ReaderFailed,
    /// The end that is read from has failed.
    WriterFailed,
}

impl<N: Network> RemoteConnection<N> {
    pub(super) fn new(stream: N::Stream, peer: Peer, connecting: RemoteConnecting) -> Self {
        let (client_id, to_broker, to_client) = Default::default();
        Self { stream, peer, client_id, real: Real::Connecting(connecting), to_broker, to_client }
    }

    /// Carries what there is; ready when the connection is over, with whether the broker ended it by RST.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if let Real::Connecting(connecting) = &mut self.real {
            match connecting.as_mut().poll(cx) {
                Poll::Ready(Ok(stream)) => self.real = Real::Open(stream),
                Poll::Ready(Err(_)) => return Poll::Ready(true),
                Poll::Pending => {}
            }
        }
        let client_id = &mut self.client_id;
        let learn = |bytes: &[u8]| client_id.learn(bytes);
        let Real::Open(real) = &mut self.real else {
            // What comes meanwhile waits in the node's socket.
            return Poll::Pending;
        };
        match self.to_broker.poll(cx, &mut self.stream, real, learn) {
            Pumped::Waits => {}
            Pumped::WriterFailed => {
                // RST, which is what the broker would see, or next to it where it would see a time-out.
                real.reset_when_dropped();
                return Poll::Ready(false);
            }
            Pumped::ReaderFailed => return Poll::Ready(true),
        }
        match self.to_client.poll(cx, real, &mut self.stream, |_| {}) {
            Pumped::Waits => {}
            Pumped::WriterFailed => return Poll::Ready(true),
            Pumped::ReaderFailed => {
                real.reset_when_dropped();
                return Poll::Ready(false);
            }
        }
        let is_over = self.to_broker.is_finished && self.to_client.is_finished;
        if is_over { Poll::Ready(false) } else { Poll::Pending }
    }

    /// Returns the end in the world.
    pub(super) fn into_stream(self) -> N::Stream {
        self.stream
    }
}

impl Pump {
    /// Carries bytes, and the end of the stream, from one end to the other.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut (impl AsyncRead + Unpin),
        to: &mut (impl AsyncWrite + Unpin),
        mut seen: impl FnMut(&[u8]),
    ) -> Pumped {
        loop {
            let mut moved = false;
            while !self.bytes.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, &self.bytes) {
                    Poll::Ready(Ok(count)) => {
                        self.bytes.drain(..count);
                        self.is_unflushed = true;
                    }
                    Poll::Ready(Err(_)) => return Pumped::ReaderFailed,
                    Poll::Pending => break,
                }
                moved = true;
            }
            if self.is_unflushed && self.bytes.is_empty() {
                match Pin::new(&mut *to).poll_flush(cx) {
                    Poll::Ready(Ok(())) => self.is_unflushed = false,
                    Poll::Ready(Err(_)) => return Pumped::ReaderFailed,
                    Poll::Pending => {}
                }
            }
            if self.has_ended && !self.is_finished && self.bytes.is_empty() {
                match Pin::new(&mut *to).poll_shutdown(cx) {
                    Poll::Ready(Ok(())) => self.is_finished = true,
                    Poll::Ready(Err(_)) => return Pumped::ReaderFailed,
                    Poll::Pending => {}
                }
            }
            if !self.has_ended && self.bytes.len() < HELD {
                let mut buffer = [0; 16 * 1024];
                let mut buffer = ReadBuf::new(&mut buffer);
                match Pin::new(&mut *from).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) => {
                        self.has_ended = buffer.filled().is_empty();
                        seen(buffer.filled());
                        self.bytes.extend_from_slice(buffer.filled());
                        moved = true;
                    }
                    Poll::Ready(Err(_)) => return Pumped::WriterFailed,
                    Poll::Pending => {}
                }
            }
            if !moved {
                return Pumped::Waits;
            }
        }
    }
}
