use std::io::Cursor;

use bytes::{Buf as _, Bytes, BytesMut};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The kind of a frame (RFC 6455 §11.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FrameKind {
    /// Data in binary, which MQTT is carried in ([MQTT-6.0.0-1]).
    Binary,
    /// Data in UTF-8.
    Text,
    /// The end of the connection.
    Close,
    /// The question whether the other side is there.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl FrameKind {
    /// Returns the head of a whole frame of this kind.
    pub(super) fn header(self, mask: Option<[u8; 4]>) -> FrameHeader {
        let opcode = match self {
            Self::Binary => OpCode::Data(Data::Binary),
            Self::Text => OpCode::Data(Data::Text),
            Self::Close => OpCode::Control(Control::Close),
            Self::Ping => OpCode::Control(Control::Ping),
            Self::Pong => OpCode::Control(Control::Pong),
        };
        FrameHeader { opcode, mask, ..FrameHeader::default() }
    }
}

/// Returns the bytes of a whole frame, masked if it comes from a client.
pub fn frame(kind: FrameKind, payload: &[u8], mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(payload.len() + 14);
    kind.header(mask).format(payload.len() as u64, &mut bytes).expect("a vector takes all");
    let mask = mask.unwrap_or_default();
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// One direction of a connection, as an observer between the sides sees it.
///
/// It judges nothing: a side that sends what is forbidden is seen to do so. Nothing bounds what it holds.
#[derive(Debug, Default)]
pub struct Observer {
    bytes: BytesMut,
    phase: Phase,
}

/// A part of what goes in one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// The request or the response of HTTP, up to its empty line.
    Http(Bytes),
    /// A part of what is in a binary frame.
    Data {
        /// The bytes, without their mask.
        bytes: Bytes,
        /// True if the frame ends with them.
        ends_frame: bool,
    },
    /// Another frame, which is whole. One of a message that continues a text is a text.
    Frame(FrameKind, Bytes),
    /// Bytes that are neither HTTP nor a frame. Whatever follows them is none either.
    Garbled(Bytes),
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Http,
    /// Between two frames; the message that goes on is of this kind.
    Frames(FrameKind),
    /// In a binary frame, with this number of bytes left, from the next byte of the mask on.
    Data {
        left: u64,
        mask: [u8; 4],
    },
    Garbled,
}

impl Observer {
    /// Takes bytes that follow.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Returns the number of bytes that have no meaning yet.
    pub fn pending(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the bytes that have no meaning yet, and will have none.
    pub fn take_pending(&mut self) -> Bytes {
        self.bytes.split().freeze()
    }

    /// Returns the next part, if it is there.
    pub fn next_piece(&mut self) -> Option<Piece> {
        if self.bytes.is_empty() {
            // An idle connection holds no buffer.
            self.bytes = BytesMut::new();
            return None;
        }
        match &mut self.phase {
            Phase::Http => self.next_http(),
            Phase::Frames(message) => {
                let message = *message;
                self.next_frame(message)
            }
            Phase::Data { left, mask } => {
                let length = usize::try_from(*left).map_or(self.bytes.len(), |left| left.min(self.bytes.len()));
                let mut bytes = self.bytes.split_to(length);
                unmask(&mut bytes, *mask);
                mask.rotate_left(length % 4);
                *left -= length as u64;
                let ends_frame = *left == 0;
                if ends_frame {
                    self.phase = Phase::Frames(FrameKind::Binary);
                }
                Some(Piece::Data { bytes: bytes.freeze(), ends_frame })
            }
            Phase::Garbled => Some(Piece::Garbled(self.take_pending())),
        }
    }

    fn next_http(&mut self) -> Option<Piece> {
        const END: &[u8] = b"\r\n\r\n";
        let begins = |word: &[u8]| {
            let length = word.len().min(self.bytes.len());
            self.bytes[..length] == word[..length]
        };
        let (is_request, is_response) = (begins(b"GET "), begins(b"HTTP/1.1 "));
        if !is_request && !is_response {
            self.phase = Phase::Garbled;
            return self.next_piece();
        }
        let end = self.bytes.windows(END.len()).position(|window| window == END)? + END.len();
        let switches = is_request || self.bytes.starts_with(b"HTTP/1.1 101");
        // The text of another answer is not looked at.
        self.phase = if switches { Phase::Frames(FrameKind::Binary) } else { Phase::Garbled };
        Some(Piece::Http(self.bytes.split_to(end).freeze()))
    }

    fn next_frame(&mut self, message: FrameKind) -> Option<Piece> {
        let mut cursor = Cursor::new(&self.bytes[..]);
        let (header, length) = match FrameHeader::parse(&mut cursor) {
            Ok(parsed) => parsed?,
            Err(_) => {
                self.phase = Phase::Garbled;
                return self.next_piece();
            }
        };
        let head = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let mask = header.mask.unwrap_or_default();
        let kind = match header.opcode {
            OpCode::Data(Data::Binary) => FrameKind::Binary,
            OpCode::Data(Data::Continue) => message,
            OpCode::Data(_) => FrameKind::Text,
            OpCode::Control(Control::Ping) => FrameKind::Ping,
            OpCode::Control(Control::Pong) => FrameKind::Pong,
            OpCode::Control(_) => FrameKind::Close,
        };
        if kind == FrameKind::Binary {
            self.bytes.advance(head);
            if length == 0 {
                self.phase = Phase::Frames(FrameKind::Binary);
                return Some(Piece::Data { bytes: Bytes::new(), ends_frame: true });
            }
            self.phase = Phase::Data { left: length, mask };
            return self.next_piece();
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if self.bytes.len() - head < length {
            return None;
        }
        self.bytes.advance(head);
        let mut payload = self.bytes.split_to(length);
        unmask(&mut payload, mask);
        self.phase = Phase::Frames(if kind == FrameKind::Text { kind } else { message });
        Some(Piece::Frame(kind, payload.freeze()))
    }
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    bytes.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
}
