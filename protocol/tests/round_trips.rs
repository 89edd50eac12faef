//! What is encoded is decoded to the same, however it arrives; and bytes of any kind do no harm.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use std::ops::Range;

use bytes::BytesMut;
use halfopen_protocol::testing::packet;
use halfopen_protocol::{DecodeError, DecodeOptions, Packet, Role, Version, decode, decode_one, encode};
use proptest::collection::vec;
use proptest::prelude::*;

const LIMIT: u32 = 1 << 20;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_encoded_is_decoded_to_the_same((version, sender, packet) in any_packet()) {
        let mut bytes = encoded(&packet, version);
        prop_assert_eq!(decode(&mut bytes, &other_side(version, sender)), Ok(Some(packet)));
        prop_assert!(bytes.is_empty());
    }

    #[test]
    fn a_stream_decodes_the_same_however_it_is_cut(
        (version, sender, packets) in any_packets(1..5),
        cuts in vec(1_usize..40, 1..20),
    ) {
        let stream: Vec<u8> = packets.iter().flat_map(|packet| encoded(packet, version)).collect();
        let options = other_side(version, sender);
        let mut rest = &stream[..];
        let (mut buffer, mut decoded) = (BytesMut::new(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            buffer.extend_from_slice(now);
            rest = later;
            while let Some(packet) = decode(&mut buffer, &options).unwrap() {
                decoded.push(packet);
            }
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(decoded, packets);
        prop_assert!(buffer.is_empty());
    }

    /// `decode_one` says what `decode` says where that takes all of the bytes, and nothing otherwise: also with one byte less or
    /// more, or with one that is changed.
    #[test]
    fn bytes_that_are_one_packet_are_decoded_as_those_of_a_stream(
        (version, sender, packet) in any_packet(),
        change in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        size in -1_isize..=1,
    ) {
        let options = other_side(version, sender);
        let mut bytes = encoded(&packet, version);
        bytes.resize(bytes.len().saturating_add_signed(size), 0);
        if let Some((at, byte)) = change {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let one = decode_one(&bytes, &options);
        let of_stream = decode(&mut bytes, &options).ok().flatten().filter(|_| bytes.is_empty());
        prop_assert!(size != 0 || change.is_some() || of_stream == Some(packet));
        prop_assert_eq!(one, of_stream);
    }

    #[test]
    fn any_bytes_are_a_packet_or_an_error_or_too_few(bytes in vec(any::<u8>(), 0..200), version in any_version()) {
        for reader in [Role::Client, Role::Server] {
            let options = DecodeOptions { version, reader, maximum_packet_size: LIMIT };
            let mut left = BytesMut::from(&bytes[..]);
            while let Ok(Some(packet)) = decode(&mut left, &options) {
                check_decoded(&packet, version)?;
            }
        }
    }

    #[test]
    fn a_packet_with_some_bytes_changed_is_a_packet_or_an_error_or_too_few(
        (version, sender, packet) in any_packet(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = encoded(&packet, version);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(Some(packet)) = decode(&mut bytes, &other_side(version, sender)) {
            check_decoded(&packet, version)?;
        }
    }

    #[test]
    fn a_packet_that_is_cut_short_is_an_error((version, sender, packet) in any_packet(), cut in 1_usize..20) {
        // The length in the header agrees with what is there; only the fields inside do not.
        let whole = encoded(&packet, version);
        let (header_len, body_len) = header(&whole);
        let left = body_len.saturating_sub(cut);
        let cut = body_len - left;
        if cut == 0 {
            return Ok(());
        }
        let mut bytes = BytesMut::from(&whole[..1]);
        extend_with_length(&mut bytes, left);
        bytes.extend_from_slice(&whole[header_len..whole.len() - cut]);
        if let Ok(decoded) = decode(&mut bytes, &other_side(version, sender)) {
            // Where the end of a packet is optional or free, less is another packet, never the same.
            prop_assert_ne!(decoded, Some(packet));
        }
    }

    #[test]
    fn encoding_one_version_as_the_other_is_refused_or_decoded_to_the_same((version, _, packet) in any_packet()) {
        let other = if version.is_v5() { Version::V3_1_1 } else { Version::V5_0 };
        let mut bytes = BytesMut::from(&b"before"[..]);
        match encode(&packet, other, &mut bytes) {
            Err(_) => prop_assert_eq!(&bytes[..], b"before"),
            Ok(()) => check_decoded(&packet, other)?,
        }
    }
}

/// What was decoded can be encoded and decoded again, but for the one thing that a server must see and no client may
/// send.
fn check_decoded(packet: &Packet, version: Version) -> Result<(), TestCaseError> {
    let version = if let Packet::Connect(connect) = packet { connect.version } else { version };
    let mut bytes = BytesMut::new();
    match encode(packet, version, &mut bytes) {
        Ok(()) => {}
        Err(error) => {
            prop_assert_eq!(error.clause, "MQTT-3.1.3-7");
            return Ok(());
        }
    }
    let readers = [Role::Client, Role::Server];
    let decoded: Vec<Result<_, DecodeError>> = readers
        .map(|reader| {
            let options = DecodeOptions { version, reader, maximum_packet_size: LIMIT };
            decode(&mut bytes.clone(), &options)
        })
        .into();
    prop_assert!(decoded.contains(&Ok(Some(packet.clone()))), "{packet:?} became {decoded:?}");
    Ok(())
}

fn any_version() -> impl Strategy<Value = Version> {
    prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)]
}

fn any_side() -> impl Strategy<Value = (Version, Role)> {
    (any_version(), prop_oneof![Just(Role::Client), Just(Role::Server)])
}

fn any_packet() -> impl Strategy<Value = (Version, Role, Packet)> {
    any_side().prop_flat_map(|(version, sender)| (Just(version), Just(sender), packet(version, sender)))
}

fn any_packets(count: Range<usize>) -> impl Strategy<Value = (Version, Role, Vec<Packet>)> {
    any_side().prop_flat_map(move |(version, sender)| {
        (Just(version), Just(sender), vec(packet(version, sender), count.clone()))
    })
}

fn other_side(version: Version, sender: Role) -> DecodeOptions {
    let reader = match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    DecodeOptions { version, reader, maximum_packet_size: LIMIT }
}

fn encoded(packet: &Packet, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes).unwrap();
    bytes
}

/// The lengths of fixed header and body.
fn header(bytes: &[u8]) -> (usize, usize) {
    let len = 2 + bytes[1..].iter().take_while(|byte| **byte >= 0x80).count();
    (len, bytes.len() - len)
}

fn extend_with_length(bytes: &mut BytesMut, mut length: usize) {
    while length >= 0x80 {
        bytes.extend_from_slice(&[(length & 0x7F) as u8 | 0x80]);
        length >>= 7;
    }
    bytes.extend_from_slice(&[length as u8]);
}
