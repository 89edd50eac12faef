//! Arbitrary bytes for the decoder.

use bytes::BytesMut;
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};

/// The first byte chooses version, reader and the largest packet, the second where the bytes are cut; the rest is what
/// came over the wire.
///
/// # Panics
/// A rule of the decoder does not hold.
pub fn run(data: &[u8]) {
    let &[choices, cut, ref bytes @ ..] = data else { return };
    let options = DecodeOptions {
        version: if choices & 1 == 0 { Version::V3_1_1 } else { Version::V5_0 },
        reader: if choices & 2 == 0 { Role::Server } else { Role::Client },
        maximum_packet_size: if choices & 4 == 0 { u32::MAX } else { 64 },
    };
    let whole = decode_all(&options, &[bytes]);
    let (first, second) = bytes.split_at(usize::from(cut).min(bytes.len()));
    assert_eq!(whole, decode_all(&options, &[first, second]), "where the bytes are cut makes no difference");
    for packet in whole.0 {
        survives(packet, &options);
    }
}

/// All packets, how many bytes are left and whether there was an error.
fn decode_all(options: &DecodeOptions, pieces: &[&[u8]]) -> (Vec<Packet>, usize, bool) {
    let mut buffer = BytesMut::new();
    let mut packets = Vec::new();
    let mut failed = false;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while !failed {
            let before = buffer.clone();
            match decode(&mut buffer, options) {
                Ok(Some(packet)) => {
                    assert!(buffer.len() < before.len(), "a packet has bytes");
                    assert!(before.len() - buffer.len() <= options.maximum_packet_size as usize);
                    packets.push(packet);
                }
                Ok(None) => {
                    assert_eq!(buffer, before, "what is not complete stays");
                    break;
                }
                Err(_) => {
                    assert_eq!(buffer, before, "what is wrong stays");
                    failed = true;
                }
            }
        }
    }
    (packets, buffer.len(), failed)
}

/// What was decoded can be encoded, and is the same again.
fn survives(packet: Packet, options: &DecodeOptions) {
    let version = match &packet {
        Packet::Connect(connect) => connect.version,
        _ => options.version,
    };
    let mut bytes = BytesMut::new();
    encode(&packet, version, &mut bytes).expect("what was decoded has a form");
    let again = decode(&mut bytes, &DecodeOptions { maximum_packet_size: u32::MAX, ..*options });
    assert_eq!(again.expect("what was encoded is right"), Some(packet));
    assert!(bytes.is_empty());
}
