//! Bytes to packets and packets to bytes, strictly (§1.5, §2, §3).

mod error;

use bytes::BytesMut;

pub use self::error::{DecodeError, EncodeError};
use crate::{Packet, Version};

/// Which side of a connection somebody is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// The side that sends CONNECT.
    Client,
    /// The side that answers with CONNACK.
    Server,
}

/// What a decoder must know of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// The version of the connection. CONNECT is decoded as the version that it names.
    pub version: Version,
    /// Who reads: a server accepts only what a client may send, and the other way round.
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
/// The bytes break a rule of the version; the error names it.
pub fn decode(bytes: &mut BytesMut, options: &DecodeOptions) -> Result<Option<Packet>, DecodeError> {
    let _ = (bytes, options);
    Ok(None)
}

/// Appends `packet` to `bytes`.
///
/// # Errors
/// The packet cannot be written in this version; `bytes` is as it was.
pub fn encode(packet: &Packet, version: Version, bytes: &mut BytesMut) -> Result<(), EncodeError> {
    let _ = (packet, version, bytes);
    Ok(())
}
