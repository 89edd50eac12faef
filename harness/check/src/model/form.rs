//! The form of what a program writes (§2.1): packets of the version of its connection, or the beginning of one that never
//! went on.

use bytes::BytesMut;
use halfopen_protocol::{DecodeError, DecodeOptions, Role, Version, decode};

/// Returns what is wrong with bytes that were written for this reader and that a trace shows as no packet.
pub(super) fn broken_form(bytes: &[u8], version: Version, reader: Role) -> Option<DecodeError> {
    let options = DecodeOptions { version, reader, maximum_packet_size: u32::MAX };
    decode(&mut BytesMut::from(bytes), &options).err()
}
