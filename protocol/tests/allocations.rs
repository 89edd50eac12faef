//! What a peer can make us allocate: about what it has sent, never what it has only announced.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

use allocation_counter::{AllocationInfo, measure};
use bytes::BytesMut;
use halfopen_protocol::packet::Publish;
use halfopen_protocol::{DecodeOptions, Packet, Role, Version, decode, encode};
use rstest::rstest;

const LENGTH: usize = 16_000;

#[test]
fn an_announced_length_allocates_nothing() {
    for version in Version::ALL {
        let mut bytes = BytesMut::from(&b"\x30\xff\xff\xff\x7f\0\x01t"[..]);
        let allocated = measure(|| {
            assert_eq!(decode(&mut bytes, &options(version, Role::Server)), Ok(None));
        });
        assert_eq!(allocated.bytes_total, 0);
    }
}

/// What decoding allocates does not depend on the payload, and is little: the packet itself, which is shared, and its topic.
#[test]
fn a_payload_is_not_copied() {
    let decoding = |payload: usize| {
        let mut bytes = publish(payload);
        let allocated = measure(|| {
            assert!(decode(&mut bytes, &options(Version::V5_0, Role::Client)).unwrap().is_some());
        });
        (allocated.count_total, allocated.bytes_total)
    };
    let (count, bytes) = decoding(1_000_000);
    assert_eq!((count, bytes), decoding(1));
    let shared = size_of::<Publish>() + 2 * size_of::<usize>();
    assert!(count <= 2 && bytes <= shared as u64 + 64, "{count} allocations of {bytes} bytes");
}

#[test]
fn encoding_allocates_once() {
    let mut bytes = BytesMut::new();
    let packet = Packet::from(Publish {
        topic: "a/b".into(),
        user_properties: vec![("name".into(), "value".into()); 10],
        payload: vec![0; 1000].into(),
        ..Publish::default()
    });
    let allocated = measure(|| encode(&packet, Version::V5_0, &mut bytes).unwrap());
    assert_eq!(allocated.count_total, 1);
}

/// The packets with the most list items for each byte.
#[rstest]
#[case::user_properties(Role::Server, 0x30, &with_properties(b"\0\x01t", b"\x26\0\0\0\0"))]
#[case::subscription_ids(Role::Client, 0x30, &with_properties(b"\0\x01t", b"\x0b\x01"))]
#[case::subscriptions(Role::Server, 0x82, &with_items(b"\0\x01\0", b"\0\x01a\0"))]
#[case::filters(Role::Server, 0xa2, &with_items(b"\0\x01\0", b"\0\x01a"))]
#[case::reason_codes(Role::Client, 0x90, &with_items(b"\0\x01\0", b"\0"))]
fn lists_take_at_most_forty_times_what_was_received(#[case] reader: Role, #[case] first: u8, #[case] body: &[u8]) {
    let mut bytes = with_header(first, body);
    let len = bytes.len() as u64;
    let mut decoded = None;
    let allocated: AllocationInfo = measure(|| decoded = decode(&mut bytes, &options(Version::V5_0, reader)).unwrap());
    assert!(decoded.is_some());
    assert!(allocated.bytes_max <= 40 * len, "{} times", allocated.bytes_max / len);
}

fn options(version: Version, reader: Role) -> DecodeOptions {
    DecodeOptions { version, reader, maximum_packet_size: u32::MAX }
}

fn publish(len: usize) -> BytesMut {
    let packet = Packet::from(Publish { topic: "t".into(), payload: vec![0; len].into(), ..Publish::default() });
    let mut bytes = BytesMut::new();
    encode(&packet, Version::V5_0, &mut bytes).unwrap();
    bytes
}

fn with_properties(start: &[u8], property: &[u8]) -> Vec<u8> {
    let properties = property.repeat(LENGTH / property.len());
    [start, &length(properties.len()), &properties].concat()
}

fn with_items(start: &[u8], item: &[u8]) -> Vec<u8> {
    [start, &item.repeat(LENGTH / item.len())].concat()
}

fn with_header(first: u8, body: &[u8]) -> BytesMut {
    BytesMut::from(&[&[first][..], &length(body.len()), body].concat()[..])
}

/// A length of two bytes.
fn length(length: usize) -> [u8; 2] {
    assert!((0x80..0x4000).contains(&length));
    [(length & 0x7F) as u8 | 0x80, (length >> 7) as u8]
}
