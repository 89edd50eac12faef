use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{PacketId, Publish, QoS};
use halfopen_protocol::{EncodeError, Packet, Version, encode};

/// The largest packet there is: type, four bytes of length, and what they can say.
pub(super) const LARGEST: usize = 1 + 4 + 268_435_455;

/// Returns how many bytes the PUBLISH takes, without copying its payload.
pub(super) fn publish_size(publish: &Publish, version: Version) -> Result<usize, EncodeError> {
    let packet_id = (publish.qos != QoS::AtMostOnce).then_some(PacketId::MIN);
    let head = Publish { packet_id, payload: Bytes::new(), ..publish.clone() };
    let size = packet_size(&Packet::from(head), version)?;
    let body = body_length(size) + publish.payload.len();
    Ok(1 + length_of_length(body) + body)
}

/// Returns how many bytes the packet takes.
pub(super) fn packet_size(packet: &Packet, version: Version) -> Result<usize, EncodeError> {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes)?;
    Ok(bytes.len())
}

/// The Remaining Length of a packet that has this many bytes in all.
fn body_length(size: usize) -> usize {
    (1..=4).map(|n| size.saturating_sub(1 + n)).find(|&body| 1 + length_of_length(body) + body == size).unwrap_or(0)
}

/// Returns how many bytes the Remaining Length itself takes (§2.1.4 of 5.0, §2.2.3 of 3.1.1).
fn length_of_length(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}
