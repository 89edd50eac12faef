//! Our codec against two that others wrote, so that broker, client and harness do not share one blind spot.
//!
//! `symqtt-codec` is compared field by field, `mqtt-proto` by what it writes after it has read ours.

#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers with it")]

mod mqtt_proto;
mod symqtt_v3_1_1;
mod symqtt_v5_0;

use bytes::BytesMut;
use halfopen_protocol::packet::QoS;
use halfopen_protocol::testing::packet;
use halfopen_protocol::{DecodeError, DecodeOptions, Packet, Role, Version, decode, encode};
use proptest::prelude::*;
use symqtt_codec::{v3, v5};

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn symqtt_reads_ours_and_we_read_what_it_writes_3_1_1((sender, packet) in any_packet(Version::V3_1_1)) {
        let mut ours = encoded(&packet, Version::V3_1_1);
        let theirs = v3::Packet::decode(&mut ours).unwrap().unwrap();
        prop_assert_eq!(&symqtt_v3_1_1::ours(&theirs), &packet);
        let mut bytes = BytesMut::new();
        theirs.encode(&mut bytes).unwrap();
        prop_assert_eq!(decoded(bytes, Version::V3_1_1, sender), Ok(Some(packet)));
    }

    #[test]
    fn symqtt_reads_ours_and_we_read_what_it_writes_5_0((sender, packet) in any_packet(Version::V5_0)) {
        let mut ours = encoded(&packet, Version::V5_0);
        let theirs = v5::Packet::decode(&mut ours).unwrap().unwrap();
        prop_assert_eq!(&symqtt_v5_0::ours(&theirs), &packet);
        let mut bytes = BytesMut::new();
        theirs.encode(&mut bytes).unwrap();
        prop_assert_eq!(decoded(bytes, Version::V5_0, sender), Ok(Some(packet)));
    }

    #[test]
    fn mqtt_proto_agrees((version, sender, packet) in any_version_and_packet()) {
        prop_assume!(mqtt_proto::disagreement(version, &packet).is_none());
        prop_assert_eq!(mqtt_proto::there_and_back(&packet, version, sender), Ok(packet));
    }
}

fn any_packet(version: Version) -> impl Strategy<Value = (Role, Packet)> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
        .prop_flat_map(move |sender| (Just(sender), packet(version, sender)))
}

fn any_version_and_packet() -> impl Strategy<Value = (Version, Role, Packet)> {
    prop_oneof![Just(Version::V3_1_1), Just(Version::V5_0)]
        .prop_flat_map(|version| any_packet(version).prop_map(move |(sender, packet)| (version, sender, packet)))
}

fn encoded(packet: &Packet, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    encode(packet, version, &mut bytes).unwrap();
    bytes
}

fn decoded(mut bytes: BytesMut, version: Version, sender: Role) -> Result<Option<Packet>, DecodeError> {
    let reader = match sender {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    decode(&mut bytes, &DecodeOptions { version, reader, maximum_packet_size: 1 << 20 })
}

fn qos(qos: symqtt_codec::QoS) -> QoS {
    QoS::new(qos as u8).unwrap()
}
