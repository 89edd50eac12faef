//! The flags of CONNECT and its payload say the same: what is announced is there, in its order, and nothing else.

use bytes::{Bytes, BytesMut};
use halfopen_protocol::packet::{Connect, QoS, Will};
use halfopen_protocol::{Packet, Version, encode};
use rstest::rstest;

// Shows 3.1.1 MQTT-3.1.2-9, 3.1.1 MQTT-3.1.2-11, 3.1.1 MQTT-3.1.2-13, 3.1.1 MQTT-3.1.2-14, 3.1.1 MQTT-3.1.2-15,
// 3.1.1 MQTT-3.1.2-18, 3.1.1 MQTT-3.1.2-19, 3.1.1 MQTT-3.1.2-20, 3.1.1 MQTT-3.1.2-21, 3.1.1 MQTT-3.1.3-1,
// 3.1.1 MQTT-3.1.3-3, 5.0 MQTT-3.1.2-9, 5.0 MQTT-3.1.2-11, 5.0 MQTT-3.1.2-12, 5.0 MQTT-3.1.2-13, 5.0 MQTT-3.1.2-16,
// 5.0 MQTT-3.1.2-17, 5.0 MQTT-3.1.2-18, 5.0 MQTT-3.1.2-19, 5.0 MQTT-3.1.3-1, 5.0 MQTT-3.1.3-3.
#[rstest]
fn the_payload_has_what_the_flags_announce(
    #[values(Version::V3_1_1, Version::V5_0)] version: Version,
    #[values(None, Some(QoS::AtMostOnce), Some(QoS::AtLeastOnce), Some(QoS::ExactlyOnce))] will: Option<QoS>,
    #[values(false, true)] retain: bool,
    #[values(false, true)] username: bool,
    #[values(false, true)] password: bool,
) {
    let will = will.map(|qos| Will {
        topic: "w".into(),
        payload: Bytes::from_static(b"gone"),
        qos,
        retain,
        ..Will::default()
    });
    let connect = Connect {
        will: will.clone().map(Box::new),
        username: username.then(|| "u".into()),
        password: password.then(|| Bytes::from_static(b"p")),
        ..Connect::new(version, "c")
    };
    let mut bytes = BytesMut::new();
    let encoded = encode(&Packet::from(connect), version, &mut bytes);
    if password && !username && !version.is_v5() {
        // 3.1.1 MQTT-3.1.2-22
        assert!(encoded.is_err());
        return;
    }
    encoded.unwrap();

    let no_properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
    let will_flags = will.as_ref().map_or(0, |will| 4 | will.qos.level() << 3 | u8::from(will.retain) << 5);
    let flags = 2 | will_flags | u8::from(password) << 6 | u8::from(username) << 7;
    let mut expected = [b"\0\x04MQTT", &[version.level(), flags, 0, 0][..], no_properties, b"\0\x01c"].concat();
    if will.is_some() {
        expected.extend([no_properties, b"\0\x01w\0\x04gone"].concat());
    }
    if username {
        expected.extend(b"\0\x01u");
    }
    if password {
        expected.extend(b"\0\x01p");
    }
    assert_eq!(bytes[..2], [0x10, u8::try_from(expected.len()).unwrap()]);
    assert_eq!(bytes[2..], expected);
}
