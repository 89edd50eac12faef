use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use tokio::io::AsyncWrite;

use super::observer::{FrameKind, frame};

/// Makes frames of what is written: one of each write, whatever the packets in it are.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    /// The source of masks: a client has one, a server masks nothing (RFC 6455 §5.1).
    masks: Option<Box<ChaCha8Rng>>,
    /// The mask of the data frame that has begun, turned so that its first byte is that for the next byte.
    mask: [u8; 4],
    /// The bytes that precede the next data frame: the answer to the request, and control frames.
    between: Vec<u8>,
    /// An answer to a ping that waits for `between` to leave.
    pong: Option<Vec<u8>>,
    /// The head of the data frame that has begun, and how much of it is left.
    head: Head,
    /// Number of bytes of a data frame that its head has announced and that are not written yet.
    rest: usize,
}

#[derive(Debug, Default)]
struct Head {
    bytes: [u8; LONGEST_HEAD],
    start: usize,
    end: usize,
}

/// Two bytes, eight for a length, four for the mask.
const LONGEST_HEAD: usize = 14;
/// Number of bytes that are masked and written at once.
const CHUNK: usize = 4096;
/// Number of pieces that go into one system call, and the head.
const SLICES: usize = 33;

impl FrameWriter {
    /// Creates the writer of a client, whose frames are masked.
    pub(super) fn masking(masks: ChaCha8Rng) -> Self {
        Self { masks: Some(Box::new(masks)), ..Self::default() }
    }

    /// Adds bytes as they are, to be written between frames.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.between.extend_from_slice(bytes);
    }

    /// Adds a whole frame, to be written between those of the data. The payload of a control frame has at most 125 bytes.
    pub(super) fn frame(&mut self, kind: FrameKind, payload: &[u8]) {
        let mask = self.next_mask();
        self.push(&frame(kind, payload, mask));
    }

    /// Answers a ping, in place of one before that has not been answered yet: a peer that only pings and never reads
    /// makes this hold no more.
    pub(super) fn pong(&mut self, payload: &[u8]) {
        if self.between.is_empty() {
            self.frame(FrameKind::Pong, payload);
        } else {
            self.pong = Some(payload.to_vec());
        }
    }

    /// Writes what goes between frames, unless a data frame has begun that is not complete: that one comes first.
    pub(super) fn poll_flush<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_inside_frame() {
            return Poll::Pending;
        }
        while !self.between.is_empty() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, &self.between))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.between.drain(..written);
            if self.between.is_empty() {
                // An idle connection holds no buffer.
                self.between = Vec::new();
                if let Some(pong) = self.pong.take() {
                    self.frame(FrameKind::Pong, &pong);
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes these bytes or a part of them, and gives how much that was.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.is_inside_frame() {
            ready!(self.poll_flush(stream, cx))?;
            self.rest = pieces.iter().map(|piece| piece.len()).sum();
            if self.rest == 0 {
                return Poll::Ready(Ok(0));
            }
            let mask = self.next_mask();
            self.mask = mask.unwrap_or_default();
            self.head = Head::new(FrameKind::Binary, self.rest, mask);
        }
        loop {
            let written = ready!(self.poll_write_once(stream, cx, pieces))?;
            let of_head = written.min(self.head.left().len());
            self.head.start += of_head;
            let of_payload = written - of_head;
            self.rest -= of_payload;
            self.mask.rotate_left(of_payload % 4);
            if of_payload > 0 {
                if self.rest == 0 {
                    // What had to wait for the end of this frame.
                    let _ = self.poll_flush(stream, cx);
                }
                return Poll::Ready(Ok(of_payload));
            }
        }
    }

    /// Writes a part of the head and of what the frame still needs.
    fn poll_write_once<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.masks.is_some() {
            return self.poll_write_masked(stream, cx, pieces);
        }
        let mut slices = [IoSlice::new(&[]); SLICES];
        slices[0] = IoSlice::new(self.head.left());
        let mut room = self.rest;
        for (slice, piece) in slices[1..].iter_mut().zip(pieces) {
            let length = piece.len().min(room);
            *slice = IoSlice::new(&piece[..length]);
            room -= length;
        }
        let written = if stream.is_write_vectored() {
            ready!(Pin::new(stream).poll_write_vectored(cx, &slices))?
        } else {
            let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
            ready!(Pin::new(stream).poll_write(cx, first))?
        };
        match written {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        }
    }

    /// Writes a part of the head and of what the frame still needs, masked.
    fn poll_write_masked<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut chunk = Vec::with_capacity(LONGEST_HEAD + self.rest.min(CHUNK));
        chunk.extend_from_slice(self.head.left());
        let bytes = pieces.iter().flat_map(|piece| piece.iter()).take(self.rest.min(CHUNK));
        chunk.extend(bytes.zip(self.mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        match ready!(Pin::new(stream).poll_write(cx, &chunk))? {
            0 => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            written => Poll::Ready(Ok(written)),
        }
    }

    fn next_mask(&mut self) -> Option<[u8; 4]> {
        self.masks.as_mut().map(|masks| masks.next_u32().to_be_bytes())
    }

    fn is_inside_frame(&self) -> bool {
        self.rest > 0
    }
}

impl Head {
    fn new(kind: FrameKind, length: usize, mask: Option<[u8; 4]>) -> Self {
        let mut bytes = [0; LONGEST_HEAD];
        let mut free = &mut bytes[..];
        kind.header(mask).format(length as u64, &mut free).expect("there is room for the longest");
        let end = LONGEST_HEAD - free.len();
        Self { bytes, start: 0, end }
    }

    fn left(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}
