use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use halfopen_protocol::Role;
use halfopen_websocket::{FrameKind, Observer, Piece, SUBPROTOCOL, frame};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A subprotocol that is not the one of MQTT, and as long.
const OTHER_SUBPROTOCOL: &str = "chat";
/// The mask of frames that a server is to read; any will do.
const MASK: [u8; 4] = [1, 2, 3, 4];

/// A change that a breach makes to the frames of WebSocket (§6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameEdit {
    /// Packets are sent in text frames.
    SendText,
    /// Text frames are taken for binary ones.
    TakeText,
    /// A frame that is not one whole packet is not looked at.
    ExpectWhole,
    /// Another subprotocol is offered or selected.
    NameOther,
}

/// A breach at one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FrameBreach {
    pub(super) edit: FrameEdit,
    pub(super) side: Role,
}

/// A stream whose frames a breach changes, if there is one.
pub(crate) struct Framed<S> {
    stream: S,
    editor: Option<Box<FrameEditor>>,
}

struct FrameEditor {
    breach: FrameBreach,
    written: Observer,
    /// Bytes for the socket.
    outgoing: BytesMut,
    read: Observer,
    /// A frame that has come in part.
    partial: BytesMut,
    /// Bytes for the program.
    incoming: BytesMut,
}

impl<S> Framed<S> {
    /// Puts the breach on a stream.
    pub(crate) fn new(stream: S, breach: Option<FrameBreach>) -> Self {
        Self { stream, editor: breach.map(|breach| Box::new(FrameEditor::new(breach))) }
    }

    /// Returns the stream below.
    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl FrameEditor {
    fn new(breach: FrameBreach) -> Self {
        let (written, outgoing, read, partial, incoming) = Default::default();
        Self { breach, written, outgoing, read, partial, incoming }
    }

    /// Takes what the program writes.
    fn write(&mut self, bytes: &[u8]) {
        self.written.push(bytes);
        let mask = (self.breach.side == Role::Client).then_some(MASK);
        while let Some(piece) = self.written.next_piece() {
            let bytes = match (self.breach.edit, piece) {
                (FrameEdit::NameOther, Piece::Http(head)) => {
                    let head = String::from_utf8_lossy(&head);
                    // As it ends a field: offered or selected alone.
                    head.replace(&format!(": {SUBPROTOCOL}\r"), &format!(": {OTHER_SUBPROTOCOL}\r")).into_bytes()
                }
                (FrameEdit::SendText, Piece::Data { bytes, .. }) => frame(FrameKind::Text, &bytes, mask),
                (_, piece) => again(piece, mask),
            };
            self.outgoing.extend_from_slice(&bytes);
        }
    }

    /// Takes what arrives, and leaves in `incoming` what the program is to see.
    fn receive(&mut self, bytes: &[u8]) {
        self.read.push(bytes);
        let mask = (self.breach.side == Role::Server).then_some(MASK);
        while let Some(piece) = self.read.next_piece() {
            let bytes = match (self.breach.edit, piece) {
                (FrameEdit::TakeText, Piece::Frame(FrameKind::Text, payload)) => {
                    frame(FrameKind::Binary, &payload, mask)
                }
                (FrameEdit::ExpectWhole, Piece::Data { bytes, ends_frame }) => {
                    self.partial.extend_from_slice(&bytes);
                    if !ends_frame {
                        continue;
                    }
                    let whole = self.partial.split();
                    match super::edit::frame_length(&whole) {
                        Ok(Some(length)) if length == whole.len() => frame(FrameKind::Binary, &whole, mask),
                        _ => continue,
                    }
                }
                (_, piece) => again(piece, mask),
            };
            self.incoming.extend_from_slice(&bytes);
        }
    }
}

/// Returns the bytes of what was seen.
fn again(piece: Piece, mask: Option<[u8; 4]>) -> Vec<u8> {
    match piece {
        Piece::Http(bytes) | Piece::Garbled(bytes) => bytes.to_vec(),
        Piece::Data { bytes, .. } => frame(FrameKind::Binary, &bytes, mask),
        Piece::Frame(kind, payload) => frame(kind, &payload, mask),
    }
}

impl<S: AsyncWrite + Unpin> Framed<S> {
    /// Writes what waits for the socket.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(editor) = &mut self.editor else { return Poll::Ready(Ok(())) };
        while !editor.outgoing.is_empty() {
            let count = ready!(Pin::new(&mut self.stream).poll_write(cx, &editor.outgoing))?;
            editor.outgoing.advance(count);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Framed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        // What the socket did not take may be taken now; an error shows at the next write.
        let _ = self.poll_drain(cx);
        let Self { stream, editor } = &mut *self;
        let Some(editor) = editor else { return Pin::new(stream).poll_read(cx, buf) };
        while editor.incoming.is_empty() {
            let mut chunk = [0; 4096];
            let mut read = ReadBuf::new(&mut chunk);
            ready!(Pin::new(&mut *stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            editor.receive(read.filled());
        }
        let count = editor.incoming.len().min(buf.remaining());
        buf.put_slice(&editor.incoming.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let Some(editor) = &mut self.editor else { return Pin::new(&mut self.stream).poll_write(cx, buf) };
        editor.write(buf);
        match self.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(buf.len())),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
