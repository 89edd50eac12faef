use std::io::Cursor;

use halfopen_protocol::Role;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{CloseCode, Control, Data, OpCode};

/// Takes frames apart.
#[derive(Debug)]
pub(super) struct Incoming {
    /// The side that reads.
    side: Role,
    /// The beginning of a frame's head.
    head: Head,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    /// True if a message has begun that a later frame ends.
    in_message: bool,
    /// The payload of a control frame, so far.
    control: Vec<u8>,
    /// The payload of the last ping: an older one needs no answer any more (RFC 6455 §5.5.3).
    ping: Option<Vec<u8>>,
    end: Option<End>,
}

/// The reason for which nothing more is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The peer closes, with this code.
    Closed(Option<u16>),
    /// The peer broke a rule.
    Broken { code: CloseCode, why: &'static str },
}

#[derive(Debug, Default)]
struct Head {
    bytes: [u8; LONGEST_HEAD],
    length: usize,
}

/// A frame, from the next byte of its payload on.
#[derive(Debug)]
struct Frame {
    control: Option<Control>,
    rest: u64,
    /// Turned so that its first byte is that for the next byte.
    mask: [u8; 4],
}

/// Two bytes, eight for a length, four for the mask.
const LONGEST_HEAD: usize = 14;
/// RFC 6455 §5.5.
const LONGEST_CONTROL: u64 = 125;

impl Incoming {
    /// Creates one that has read nothing yet.
    pub(super) fn new(side: Role) -> Self {
        let (head, frame, in_message, control, ping, end) = Default::default();
        Self { side, head, frame, in_message, control, ping, end }
    }

    /// Reads these bytes, and leaves at their beginning what was inside the data frames: this many.
    ///
    /// After [`end`](Self::end) nothing more is read.
    pub(super) fn read(&mut self, bytes: &mut [u8]) -> usize {
        let mut inside = 0;
        let mut at = 0;
        while at < bytes.len() && self.end.is_none() {
            let Some(frame) = &mut self.frame else {
                at += self.read_head(&bytes[at..]);
                self.finish_frame();
                continue;
            };
            let left = bytes.len() - at;
            let length = usize::try_from(frame.rest).map_or(left, |rest| rest.min(left));
            frame.unmask(&mut bytes[at..at + length]);
            if frame.control.is_some() {
                self.control.extend_from_slice(&bytes[at..at + length]);
            } else {
                bytes.copy_within(at..at + length, inside);
                inside += length;
            }
            at += length;
            self.finish_frame();
        }
        inside
    }

    /// Returns the reason for which nothing more is read, if so.
    pub(super) fn end(&self) -> Option<End> {
        self.end.clone()
    }

    /// Returns what was inside a ping that is to be answered.
    pub(super) fn take_ping(&mut self) -> Option<Vec<u8>> {
        self.ping.take()
    }

    /// Takes what belongs to a frame's head, and gives how much that was.
    fn read_head(&mut self, bytes: &[u8]) -> usize {
        let before = self.head.length;
        let more = bytes.len().min(LONGEST_HEAD - before);
        self.head.bytes[before..before + more].copy_from_slice(&bytes[..more]);
        let mut cursor = Cursor::new(&self.head.bytes[..before + more]);
        match FrameHeader::parse(&mut cursor) {
            Ok(None) => {
                self.head.length = before + more;
                more
            }
            Ok(Some((header, length))) => {
                let end = usize::try_from(cursor.position()).unwrap_or(LONGEST_HEAD);
                self.head.length = 0;
                match self.begin_frame(&header, length) {
                    Ok(frame) => self.frame = Some(frame),
                    Err(end) => self.end = Some(end),
                }
                end.saturating_sub(before)
            }
            Err(_) => {
                self.end = Some(protocol("there is no such kind of frame"));
                more
            }
        }
    }

    fn begin_frame(&mut self, header: &FrameHeader, length: u64) -> Result<Frame, End> {
        let mask = match (self.side, header.mask) {
            (Role::Server, Some(mask)) => mask,
            (Role::Client, None) => [0; 4],
            (Role::Server, None) => return Err(protocol("a client must mask its frames")),
            (Role::Client, Some(_)) => return Err(protocol("a server must not mask its frames")),
        };
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(protocol("no extension was agreed on"));
        }
        if length > i64::MAX.unsigned_abs() {
            return Err(protocol("no frame is that long"));
        }
        let control = match header.opcode {
            OpCode::Control(_) if !header.is_final || length > LONGEST_CONTROL => {
                return Err(protocol("a control frame must be short and whole"));
            }
            OpCode::Control(kind) => Some(kind),
            OpCode::Data(Data::Binary) if !self.in_message => None,
            OpCode::Data(Data::Continue) if self.in_message => None,
            // [MQTT-6.0.0-1]
            OpCode::Data(Data::Text) => {
                return Err(End::Broken { code: CloseCode::Unsupported, why: "MQTT needs binary frames" });
            }
            OpCode::Data(_) => return Err(protocol("a message must end before the next one begins")),
        };
        if control.is_none() {
            self.in_message = !header.is_final;
        }
        Ok(Frame { control, rest: length, mask })
    }

    /// Does what a frame asks for if all of it has been read.
    fn finish_frame(&mut self) {
        let Some(frame) = self.frame.take_if(|frame| frame.rest == 0) else { return };
        let Some(kind) = frame.control else { return };
        let payload = std::mem::take(&mut self.control);
        match kind {
            Control::Ping => self.ping = Some(payload),
            Control::Close => self.end = Some(closed(&payload)),
            // Nobody has asked, and it may be said all the same.
            Control::Pong | Control::Reserved(_) => {}
        }
    }
}

impl Frame {
    fn unmask(&mut self, bytes: &mut [u8]) {
        let mut words = bytes.chunks_exact_mut(4);
        for word in &mut words {
            for (byte, mask) in word.iter_mut().zip(self.mask) {
                *byte ^= mask;
            }
        }
        let rest = words.into_remainder();
        for (byte, mask) in rest.iter_mut().zip(self.mask) {
            *byte ^= mask;
        }
        self.mask.rotate_left(rest.len());
        // Never more than the rest.
        self.rest -= bytes.len() as u64;
    }
}

impl End {
    /// Returns what is inside the close frame that answers this.
    pub(super) fn answer(&self) -> Vec<u8> {
        match self {
            Self::Closed(None) => Vec::new(),
            Self::Closed(Some(code)) => code.to_be_bytes().to_vec(),
            Self::Broken { code, why } => [&u16::from(*code).to_be_bytes()[..], why.as_bytes()].concat(),
        }
    }
}

fn closed(payload: &[u8]) -> End {
    match payload {
        [] => End::Closed(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !CloseCode::from(code).is_allowed() {
                protocol("there is no such code of a close")
            } else if std::str::from_utf8(reason).is_err() {
                End::Broken { code: CloseCode::Invalid, why: "the reason of a close must be UTF-8" }
            } else {
                End::Closed(Some(code))
            }
        }
        [_] => protocol("the code of a close has two bytes"),
    }
}

fn protocol(why: &'static str) -> End {
    End::Broken { code: CloseCode::Protocol, why }
}
