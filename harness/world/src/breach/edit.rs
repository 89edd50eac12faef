use bytes::{Buf, BytesMut};
use bytestring::ByteString;
use halfopen_protocol::{DecodeOptions, Packet, PacketType, Role, Version, decode, encode};

use super::frames::FrameEdit;

/// A change that a breach makes to what passes between a program and its socket.
pub(super) enum Edit {
    /// Packets of this type that the program sends get lost.
    Lose(PacketType),
    /// Packets of this kind that the program sends get lost.
    Drop(fn(&Packet) -> bool),
    /// Packets of this type are sent twice.
    Twice(PacketType),
    /// The later of two packets of this type is sent first.
    Swap(PacketType),
    /// A packet is changed, and stays one.
    Change(fn(&mut Packet)),
    /// The bytes of packets of this type are changed.
    Bytes(PacketType, fn(&mut Frame)),
    /// The first byte of a text in a packet is replaced.
    Spoil(fn(&Packet) -> Option<&ByteString>, u8),
    /// These bytes are sent before the first packet of this type.
    Before(PacketType, &'static [u8]),
    /// These bytes are sent behind each packet of this type.
    Behind(PacketType, &'static [u8]),
    /// Packets of this kind that arrive are not looked at.
    Ignore(fn(&Packet) -> bool),
    /// A packet that arrives is taken for another.
    Mistake(fn(&mut Packet)),
    /// Bytes that arrive and are no packet, or none that may come here, are not looked at.
    Tolerate,
    /// No connection is ever closed.
    KeepOpen,
    /// The frames of WebSocket are changed, below the packets.
    Frames(FrameEdit),
}

/// A packet as bytes.
pub(super) struct Frame {
    /// The first byte: type and flags.
    pub(super) first: u8,
    /// The bytes behind the Remaining Length.
    pub(super) body: Vec<u8>,
    pub(super) is_v5: bool,
    /// True if the Remaining Length takes a byte more than it needs.
    pub(super) is_long: bool,
}

/// The state of a breach at one end of a connection.
pub(super) struct Editor {
    edit: &'static Edit,
    /// The side of the program.
    side: Role,
    version: Version,
    /// Bytes that the program has written and that are no whole packet yet.
    written: BytesMut,
    /// Bytes for the socket.
    pub(super) outgoing: BytesMut,
    /// A packet that waits for the next of its type.
    held: Option<BytesMut>,
    is_first: bool,
    /// Bytes from the socket that are no whole packet yet.
    read: BytesMut,
    /// Bytes for the program.
    pub(super) incoming: BytesMut,
    has_connect: bool,
}

impl Editor {
    pub(super) fn new(edit: &'static Edit, side: Role, version: Version) -> Self {
        Self {
            edit,
            side,
            version,
            written: BytesMut::new(),
            outgoing: BytesMut::new(),
            held: None,
            is_first: true,
            read: BytesMut::new(),
            incoming: BytesMut::new(),
            has_connect: false,
        }
    }

    pub(super) fn keeps_open(&self) -> bool {
        matches!(self.edit, Edit::KeepOpen)
    }

    pub(super) fn filters_input(&self) -> bool {
        matches!(self.edit, Edit::Ignore(_) | Edit::Mistake(_) | Edit::Tolerate)
    }

    /// Takes what the program writes.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.written.extend_from_slice(bytes);
        while let Ok(Some(length)) = frame_length(&self.written) {
            let frame = self.written.split_to(length);
            self.learn_version(&frame);
            self.send(frame);
        }
    }

    /// Takes what arrives, without changing it.
    pub(super) fn look_at(&mut self, bytes: &[u8]) {
        if self.side == Role::Server && !self.has_connect {
            self.has_connect = true;
            self.learn_version(bytes);
        }
    }

    /// Takes what arrives, and leaves in `incoming` what the program is to see.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        self.read.extend_from_slice(bytes);
        loop {
            match frame_length(&self.read) {
                Ok(Some(length)) => {
                    let frame = self.read.split_to(length);
                    if self.side == Role::Server && frame[0] >> 4 == PacketType::Connect as u8 && !self.has_connect {
                        self.learn_version(&frame);
                    }
                    if self.lets_in(&frame) && !self.mistakes(&frame) {
                        self.incoming.extend_from_slice(&frame);
                    }
                }
                Ok(None) => return,
                Err(()) => return self.read.clear(),
            }
        }
    }

    fn lets_in(&mut self, frame: &BytesMut) -> bool {
        let packet = parse(frame, self.version, self.side);
        match self.edit {
            Edit::Ignore(is_it) => packet.is_none_or(|packet| !is_it(&packet)),
            Edit::Tolerate => {
                let Some(packet) = packet else { return false };
                let is_connect = matches!(packet, Packet::Connect(_));
                let is_expected = self.side == Role::Client || is_connect != self.has_connect;
                self.has_connect |= is_connect;
                is_expected
            }
            _ => true,
        }
    }

    /// Returns whether the packet was taken for another, which is what the program sees.
    fn mistakes(&mut self, frame: &[u8]) -> bool {
        let Edit::Mistake(change) = self.edit else { return false };
        let Some(mut packet) = parse(frame, self.version, self.side) else { return false };
        change(&mut packet);
        encode(&packet, self.version, &mut self.incoming).is_ok()
    }

    /// The version stands in CONNECT, behind the protocol name.
    fn learn_version(&mut self, bytes: &[u8]) {
        if bytes.first() == Some(&0x10) {
            let level = bytes.windows(5).find(|window| window.starts_with(b"MQTT")).map(|window| window[4]);
            let version = level.and_then(|level| Version::ALL.into_iter().find(|known| known.level() == level));
            self.version = version.unwrap_or(self.version);
        }
    }

    fn send(&mut self, frame: BytesMut) {
        let reader = if self.side == Role::Client { Role::Server } else { Role::Client };
        let Some(packet) = parse(&frame, self.version, reader) else { return self.outgoing.extend_from_slice(&frame) };
        let is_of = |packet_type: &PacketType| packet.packet_type() == *packet_type;
        match self.edit {
            Edit::Lose(packet_type) if is_of(packet_type) => {}
            Edit::Drop(is_it) if is_it(&packet) => {}
            Edit::Twice(packet_type) if is_of(packet_type) => {
                self.outgoing.extend_from_slice(&frame);
                self.outgoing.extend_from_slice(&frame);
            }
            Edit::Swap(packet_type) if is_of(packet_type) => match self.held.take() {
                None => self.held = Some(frame),
                Some(earlier) => {
                    self.outgoing.extend_from_slice(&frame);
                    self.outgoing.extend_from_slice(&earlier);
                }
            },
            Edit::Change(change) => {
                let mut changed = packet;
                change(&mut changed);
                // What cannot be written stays as it was.
                if encode(&changed, self.version, &mut self.outgoing).is_err() {
                    self.outgoing.extend_from_slice(&frame);
                }
            }
            Edit::Bytes(packet_type, change) if is_of(packet_type) => {
                let mut changed = Frame::of(&frame, self.version);
                change(&mut changed);
                changed.write(&mut self.outgoing);
            }
            Edit::Spoil(text, byte) => {
                let mut changed = Frame::of(&frame, self.version);
                if let Some(text) = text(&packet).filter(|text| !text.is_empty()) {
                    let place = changed.body.windows(text.len()).position(|window| window == text.as_bytes().as_ref());
                    place.into_iter().for_each(|place| changed.body[place] = *byte);
                }
                changed.write(&mut self.outgoing);
            }
            Edit::Before(packet_type, bytes) if is_of(packet_type) && self.is_first => {
                self.is_first = false;
                self.outgoing.extend_from_slice(bytes);
                self.outgoing.extend_from_slice(&frame);
            }
            Edit::Behind(packet_type, bytes) if is_of(packet_type) => {
                self.outgoing.extend_from_slice(&frame);
                self.outgoing.extend_from_slice(bytes);
            }
            _ => self.outgoing.extend_from_slice(&frame),
        }
    }
}

impl Frame {
    fn of(bytes: &[u8], version: Version) -> Self {
        let length_bytes = bytes[1..].iter().take_while(|byte| **byte & 0x80 != 0).count() + 1;
        let body = bytes[1 + length_bytes..].to_vec();
        Self { first: bytes[0], body, is_v5: version.is_v5(), is_long: false }
    }

    fn write(&self, bytes: &mut BytesMut) {
        bytes.extend_from_slice(&[self.first]);
        let mut length = self.body.len();
        loop {
            let low = (length % 128) as u8;
            length /= 128;
            let is_last = length == 0;
            bytes.extend_from_slice(&[if is_last && !self.is_long { low } else { low | 0x80 }]);
            if is_last {
                break;
            }
        }
        if self.is_long {
            bytes.extend_from_slice(&[0]);
        }
        bytes.extend_from_slice(&self.body);
    }

    /// Returns the flags of a CONNECT.
    pub(super) fn connect_flags(&mut self) -> &mut u8 {
        &mut self.body[7]
    }

    /// Returns where the fields of the payload of a CONNECT begin, the properties of a will with its topic: identifier,
    /// will topic, will payload, user name, password, as far as they are there; and where the packet ends.
    pub(super) fn connect_fields(&mut self) -> Vec<usize> {
        let flags = *self.connect_flags();
        let mut at = 10;
        if self.is_v5 {
            // The properties of a test are shorter than 128 bytes.
            at += 1 + usize::from(self.body[at]);
        }
        let mut fields = vec![at];
        at = self.behind_text(at);
        if flags & 0x04 != 0 {
            fields.push(at);
            at += if self.is_v5 { 1 + usize::from(self.body[at]) } else { 0 };
            at = self.behind_text(at);
            fields.push(at);
            at = self.behind_text(at);
        }
        for flag in [0x80, 0x40] {
            if flags & flag != 0 {
                fields.push(at);
                at = self.behind_text(at);
            }
        }
        fields.push(at);
        fields
    }

    /// Takes out the last field but `behind` of a CONNECT.
    pub(super) fn cut_connect_field(&mut self, behind: usize) {
        let fields = self.connect_fields();
        let last = fields.len() - 1 - behind;
        self.body.drain(fields[last - 1]..fields[last]);
    }

    fn behind_text(&self, at: usize) -> usize {
        at + 2 + usize::from(u16::from_be_bytes([self.body[at], self.body[at + 1]]))
    }

    /// Returns where the part behind the topic name of a PUBLISH begins.
    pub(super) fn behind_topic(&self) -> usize {
        self.behind_text(0)
    }
}

/// Returns the length of the packet with which the bytes begin, if it is whole.
pub(super) fn frame_length(bytes: &[u8]) -> Result<Option<usize>, ()> {
    let mut length = 0;
    for (place, byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte & 0x80 == 0 {
            let whole = 2 + place + length;
            return Ok((bytes.len() >= whole).then_some(whole));
        }
    }
    if bytes.len() > 4 { Err(()) } else { Ok(None) }
}

fn parse(frame: &[u8], version: Version, reader: Role) -> Option<Packet> {
    let mut bytes = BytesMut::from(frame);
    let options = DecodeOptions { version, reader, maximum_packet_size: u32::MAX };
    decode(&mut bytes, &options).ok().flatten().filter(|_| !bytes.has_remaining())
}
