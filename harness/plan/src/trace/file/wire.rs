//! Packets as the bytes of the standard, in hex.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::Connect;
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};

use crate::trace::ConnectionId;

/// The version of each connection, as its CONNECT names it.
#[derive(Default)]
pub(super) struct Versions(BTreeMap<ConnectionId, Version>);

impl Versions {
    /// Returns the bytes of a packet, and the version that they are of: that of its connection. Before CONNECT, and for a
    /// message outside of a connection, it is one in which the packet can be written.
    pub(super) fn encode(&mut self, connection: Option<ConnectionId>, packet: &Packet) -> Option<(Version, String)> {
        if let (Some(connection), Packet::Connect(connect)) = (connection, packet) {
            self.0.insert(connection, connect.version);
        }
        let known = match packet {
            Packet::Connect(connect) => Some(connect.version),
            _ => connection.and_then(|connection| self.0.get(&connection)).copied(),
        };
        let others = [Version::V5_0, Version::V3_1_1].into_iter().filter(|version| Some(*version) != known);
        known.into_iter().chain(others).find_map(|version| {
            let bytes = packet_bytes(packet, version)?;
            let is_same = packet_of(&bytes, version).is_some_and(|read| read == *packet);
            is_same.then(|| (version, hex(&bytes)))
        })
    }
}

/// Returns the bytes of a packet as a peer may have sent it, or `None` if it has no form in the version.
///
/// That is what the encoder makes of it, and one more: a CONNECT of 3.1.1 with an empty client identifier and a session to keep.
/// A server must read it to refuse it [MQTT-3.1.3-8], but no client may send it [MQTT-3.1.3-7], so the encoder does not.
pub fn packet_bytes(packet: &Packet, version: Version) -> Option<Bytes> {
    let mut bytes = BytesMut::new();
    if let Packet::Connect(connect) = packet
        && !version.is_v5()
        && connect.client_id.is_empty()
        && !connect.clean_start
    {
        let allowed = Connect { clean_start: true, ..(**connect).clone() };
        encode(&Packet::from(allowed), version, &mut bytes).ok()?;
        // The flags stand behind the Remaining Length, the name of the protocol (6 bytes) and its level.
        let length = bytes.iter().skip(1).position(|byte| byte & 0x80 == 0)? + 1;
        *bytes.get_mut(1 + length + 7)? &= !0x02;
    } else {
        encode(packet, version, &mut bytes).ok()?;
    }
    Some(bytes.freeze())
}

/// Returns the packet that these bytes are.
pub(super) fn packet_of(bytes: &[u8], version: Version) -> Option<Packet> {
    // What only one side may send is refused to readers of the other side, and means the same to those who read it.
    [Role::Server, Role::Client].into_iter().find_map(|reader| {
        let options = DecodeOptions { version, reader, maximum_packet_size: u32::MAX };
        let mut bytes = BytesMut::from(bytes);
        let packet = decode(&mut bytes, &options).ok().flatten()?;
        bytes.is_empty().then_some(packet)
    })
}

/// Returns bytes as hex digits, two for each.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

/// Returns the bytes that hex digits stand for.
pub fn from_hex(text: &str) -> Option<Bytes> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| Some(digit(*pair.first()?)? << 4 | digit(*pair.get(1)?)?))
        .collect::<Option<Vec<u8>>>()
        .map(Bytes::from)
}
