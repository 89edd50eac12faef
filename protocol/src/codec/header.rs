use bytes::BufMut;

use super::{DecodeError, DecodeOptions, Role};
use crate::{PacketType, ReasonCode, Version};

/// The largest Remaining Length that four bytes can hold (§2.1.4 of 5.0, §2.2.3 of 3.1.1).
pub(crate) const MAXIMUM_REMAINING_LENGTH: usize = 268_435_455;

/// The fixed header of a packet, found to be in order for this version and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FixedHeader {
    pub(crate) packet_type: PacketType,
    /// The lower half of the first byte.
    pub(crate) flags: u8,
    /// The length of the fixed header itself.
    pub(crate) len: usize,
    pub(crate) remaining_length: usize,
    /// True if Remaining Length is written in the fewest bytes.
    pub(crate) is_minimal: bool,
}

impl FixedHeader {
    /// Reads and judges the fixed header as far as it is there; `None` if it is not complete.
    pub(crate) fn parse(bytes: &[u8], options: &DecodeOptions) -> Result<Option<Self>, DecodeError> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let packet_type = receivable(first >> 4, options)?;
        let flags = first & 0x0F;
        check_flags(packet_type, flags, options.version)?;

        let clause = options.version.clause("§2.2.3", "§1.5.5");
        let Some((remaining_length, len)) = parse_varint(rest, clause)? else { return Ok(None) };
        let remaining_length = remaining_length as usize;
        let header = Self {
            packet_type,
            flags,
            len: 1 + len,
            remaining_length,
            is_minimal: len == varint_len(remaining_length),
        };
        header.check_length(options)?;
        Ok(Some(header))
    }

    fn check_length(&self, options: &DecodeOptions) -> Result<(), DecodeError> {
        let version = options.version;
        // CONNECT is judged by the version it names, once that is known.
        if !self.is_minimal && version.is_v5() && self.packet_type != PacketType::Connect {
            return Err(DecodeError::malformed("MQTT-1.5.5-1", "remaining length takes more bytes than it needs"));
        }
        if !self.has_possible_length(version) {
            let clause = version.clause("§2.2.3", "§2.1.4");
            return Err(DecodeError::malformed(clause, "remaining length that this type of packet cannot have"));
        }
        if self.len + self.remaining_length > options.maximum_packet_size as usize {
            return Err(DecodeError {
                reason: ReasonCode::PACKET_TOO_LARGE,
                clause: match (version, options.reader) {
                    (Version::V3_1_1, _) => "§2.2.3",
                    (Version::V5_0, Role::Client) => "MQTT-3.1.2-24",
                    (Version::V5_0, Role::Server) => "MQTT-3.2.2-15",
                },
                what: "packet larger than the maximum packet size",
            });
        }
        Ok(())
    }

    /// Types of a fixed size are judged before their body is there.
    fn has_possible_length(&self, version: Version) -> bool {
        let n = self.remaining_length;
        match self.packet_type {
            PacketType::PingReq | PacketType::PingResp => n == 0,
            PacketType::Disconnect => version.is_v5() || n == 0,
            PacketType::PubAck
            | PacketType::PubRec
            | PacketType::PubRel
            | PacketType::PubComp
            | PacketType::UnsubAck
            | PacketType::ConnAck
                if !version.is_v5() =>
            {
                n == 2
            }
            PacketType::Auth => true,
            _ => n >= 2,
        }
    }
}

/// Refuses the types that do not exist and those that the other side may not send.
fn receivable(number: u8, options: &DecodeOptions) -> Result<PacketType, DecodeError> {
    let clause = options.version.clause("§2.2.1", "§2.1.2");
    let packet_type = match PacketType::new(number) {
        Some(PacketType::Auth) if !options.version.is_v5() => None,
        known => known,
    }
    .ok_or(DecodeError::malformed(clause, "reserved packet type"))?;
    let sent_by_other_side = match packet_type {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => {
            options.reader == Role::Server
        }
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => {
            options.reader == Role::Client
        }
        PacketType::Disconnect => options.version.is_v5() || options.reader == Role::Server,
        _ => true,
    };
    if sent_by_other_side {
        Ok(packet_type)
    } else {
        Err(DecodeError::protocol(clause, "packet type that only the other side may send"))
    }
}

fn check_flags(packet_type: PacketType, flags: u8, version: Version) -> Result<(), DecodeError> {
    if packet_type == PacketType::Publish {
        return if flags & 0b0110 == 0b0110 {
            Err(DecodeError::malformed("MQTT-3.3.1-4", "PUBLISH with QoS 3"))
        } else if flags & 0b1110 == 0b1000 {
            Err(DecodeError::protocol("MQTT-3.3.1-2", "DUP on a PUBLISH of QoS 0"))
        } else {
            Ok(())
        };
    }
    if flags == required_flags(packet_type) {
        return Ok(());
    }
    let clause = match packet_type {
        PacketType::PubRel => "MQTT-3.6.1-1",
        PacketType::Subscribe => "MQTT-3.8.1-1",
        PacketType::Unsubscribe => "MQTT-3.10.1-1",
        PacketType::Disconnect => "MQTT-3.14.1-1",
        PacketType::Auth => "MQTT-3.15.1-1",
        _ => version.clause("MQTT-2.2.2-2", "MQTT-2.1.3-1"),
    };
    Err(DecodeError::malformed(clause, "reserved flags of the fixed header"))
}

/// The lower half of the first byte of every type but PUBLISH (§2.1.3 of 5.0, §2.2.2 of 3.1.1).
pub(crate) fn required_flags(packet_type: PacketType) -> u8 {
    match packet_type {
        PacketType::PubRel | PacketType::Subscribe | PacketType::Unsubscribe => 0b0010,
        _ => 0,
    }
}

/// A variable byte integer and the bytes it took; `None` if more bytes are needed; whether it is minimal is the
/// caller's affair.
pub(crate) fn parse_varint(bytes: &[u8], clause: &'static str) -> Result<Option<(u32, usize)>, DecodeError> {
    let mut value = 0;
    for (i, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7F) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(Some((value, i + 1)));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(DecodeError::malformed(clause, "length of more than four bytes")) }
}

/// Returns how many bytes a variable byte integer takes: 1 to 4, for values up to [`MAXIMUM_REMAINING_LENGTH`].
pub(crate) fn varint_len(value: usize) -> usize {
    match value {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        _ => 4,
    }
}

pub(crate) fn put_varint(mut value: usize, out: &mut impl BufMut) {
    while value >= 0x80 {
        out.put_u8((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}
