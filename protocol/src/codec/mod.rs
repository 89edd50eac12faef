//! Bytes to packets and packets to bytes, strictly (§1.5, §2, §3).
//!
//! The fixed header is judged here, the body of each packet in the file of that packet. What concerns the bytes is
//! judged where they are read; what concerns the values stands in a `check` that encoding uses, too.
//!
//! Strings and payloads are slices of the buffer. Beyond that, decoding allocates for lists only (user properties,
//! filters, subscription identifiers, reason codes), as they are read: at most some tens of bytes for each byte that
//! was received, and never for a length that was only announced.

mod error;
mod header;
mod properties;
mod reader;
mod writer;

use bytes::{BufMut, Bytes, BytesMut};

pub use self::error::{DecodeError, EncodeError};
use self::header::{FixedHeader, MAXIMUM_REMAINING_LENGTH, put_varint, required_flags, varint_len};
pub(crate) use self::properties::Property;
pub(crate) use self::reader::Reader;
pub(crate) use self::writer::Writer;
use crate::packet::{Ack, Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe};
use crate::{Packet, PacketType, Version};

/// The role of one side of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The side that sends CONNECT.
    Client,
    /// The side that answers with CONNACK.
    Server,
}

/// The facts about a connection that a decoder must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The version of the connection. CONNECT is decoded as the version that it names.
    pub version: Version,
    /// The reading side: a server accepts only what a client may send, and the other way round.
    pub reader: Role,
    /// The largest whole packet, fixed header included, in bytes. A larger one is an error as soon as its length has
    /// arrived, before any of its body is kept.
    pub maximum_packet_size: u32,
}

/// Takes one packet from the front of `bytes`.
///
/// `Ok(None)`: it is not complete yet, nothing was taken, and more bytes are needed. After an error the rest of the
/// stream has no meaning: the connection is to be closed [MQTT-4.8.0-1] (3.1.1), [MQTT-4.13.1-1] (5.0).
///
/// # Errors
/// The bytes break a rule of the version; the error names it, and `bytes` is as it was. Packet type, flags and size are
/// judged as soon as they are there. A CONNECT of a version that is neither 3.1.1 nor 5.0 gives reason 0x84 with clause
/// `MQTT-3.1.2-2`, one with another protocol name 0x84 with `MQTT-3.1.2-1`.
pub fn decode(bytes: &mut BytesMut, options: &DecodeOptions) -> Result<Option<Packet>, DecodeError> {
    let Some(header) = FixedHeader::parse(bytes, options)? else { return Ok(None) };
    let len = header.len + header.remaining_length;
    if bytes.len() < len {
        return Ok(None);
    }
    let whole = bytes.split_to(len).freeze();
    let packet = decode_whole(&header, whole.slice(header.len..), options);
    if packet.is_err() {
        let rest = std::mem::replace(bytes, BytesMut::from(whole));
        bytes.extend_from_slice(&rest);
    }
    packet.map(Some)
}

/// Decodes bytes that are exactly one packet, as those of a read mostly are: nothing has to be kept of them.
///
/// `None` if they are not one packet, or break a rule of the version: [`decode`] says which.
pub fn decode_one(bytes: &[u8], options: &DecodeOptions) -> Option<Packet> {
    let header = FixedHeader::parse(bytes, options).ok()??;
    let body = bytes.get(header.len..).filter(|body| body.len() == header.remaining_length)?;
    decode_whole(&header, Bytes::copy_from_slice(body), options).ok()
}

fn decode_whole(header: &FixedHeader, body: Bytes, options: &DecodeOptions) -> Result<Packet, DecodeError> {
    let mut reader = Reader::new(body, options.version, options.reader);
    let packet = decode_body(header, &mut reader)?;
    reader.finish()?;
    Ok(packet)
}

/// Appends `packet` to `bytes`.
///
/// # Errors
/// The packet cannot be written in this version, or no side may send it so; `bytes` is as it was.
pub fn encode(packet: &Packet, version: Version, bytes: &mut BytesMut) -> Result<(), EncodeError> {
    let mut counter = Writer::counting(version);
    encode_body(packet, &mut counter)?;
    let remaining_length = counter.len();
    if remaining_length > MAXIMUM_REMAINING_LENGTH {
        let clause = version.clause("§2.2.3", "§2.1.4");
        return Err(EncodeError { clause, what: "packet of more than 268,435,455 bytes" });
    }
    let start = bytes.len();
    bytes.reserve(1 + varint_len(remaining_length) + remaining_length);
    bytes.put_u8((packet.packet_type() as u8) << 4 | flags(packet));
    put_varint(remaining_length, bytes);
    encode_body(packet, &mut Writer::writing(version, bytes)).inspect_err(|_| bytes.truncate(start))
}

fn decode_body(header: &FixedHeader, reader: &mut Reader) -> Result<Packet, DecodeError> {
    Ok(match header.packet_type {
        PacketType::Connect => {
            let connect = Connect::decode(reader)?;
            if connect.version.is_v5() && !header.is_minimal {
                let what = "remaining length takes more bytes than it needs";
                return Err(DecodeError::malformed("MQTT-1.5.5-1", what));
            }
            Packet::from(connect)
        }
        PacketType::ConnAck => Packet::from(ConnAck::decode(reader)?),
        PacketType::Publish => Packet::from(Publish::decode(header.flags, reader)?),
        PacketType::PubAck => Packet::PubAck(Ack::decode(PacketType::PubAck, reader)?),
        PacketType::PubRec => Packet::PubRec(Ack::decode(PacketType::PubRec, reader)?),
        PacketType::PubRel => Packet::PubRel(Ack::decode(PacketType::PubRel, reader)?),
        PacketType::PubComp => Packet::PubComp(Ack::decode(PacketType::PubComp, reader)?),
        PacketType::Subscribe => Packet::Subscribe(Subscribe::decode(reader)?),
        PacketType::SubAck => Packet::SubAck(SubAck::decode(reader)?),
        PacketType::Unsubscribe => Packet::Unsubscribe(Unsubscribe::decode(reader)?),
        PacketType::UnsubAck => Packet::UnsubAck(UnsubAck::decode(reader)?),
        PacketType::PingReq => Packet::PingReq,
        PacketType::PingResp => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(Disconnect::decode(reader)?),
        PacketType::Auth => Packet::Auth(Auth::decode(reader)?),
    })
}

fn encode_body(packet: &Packet, writer: &mut Writer<'_>) -> Result<(), EncodeError> {
    match packet {
        Packet::Connect(connect) => connect.encode(writer),
        Packet::ConnAck(connack) => connack.encode(writer),
        Packet::Publish(publish) => publish.encode(writer),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            ack.encode(packet.packet_type(), writer)
        }
        Packet::Subscribe(subscribe) => subscribe.encode(writer),
        Packet::SubAck(suback) => suback.encode(writer),
        Packet::Unsubscribe(unsubscribe) => unsubscribe.encode(writer),
        Packet::UnsubAck(unsuback) => unsuback.encode(writer),
        Packet::PingReq | Packet::PingResp => Ok(()),
        Packet::Disconnect(disconnect) => disconnect.encode(writer),
        Packet::Auth(auth) => auth.encode(writer),
    }
}

fn flags(packet: &Packet) -> u8 {
    match packet {
        Packet::Publish(publish) => publish.flags(),
        other => required_flags(other.packet_type()),
    }
}
