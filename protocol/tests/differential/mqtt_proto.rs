//! `mqtt-proto`, and where it is known to differ.

use halfopen_protocol::packet::{Connect, PacketId, Publish, SubAck, Will};
use halfopen_protocol::{Packet, ReasonCode, Role, Version};
use mqtt_proto::{v3, v5};
use rstest::rstest;

use crate::{decoded, encoded};

/// What is left of a packet that we encode, `mqtt-proto` decodes and encodes again, and we decode; or who could not.
pub(crate) fn there_and_back(packet: &Packet, version: Version, sender: Role) -> Result<Packet, String> {
    let ours = encoded(packet, version);
    let theirs = match version {
        Version::V3_1_1 => {
            let theirs = v3::Packet::decode(&ours).map_err(|error| format!("it cannot decode: {error}"))?;
            theirs.ok_or("it wants more")?.encode().map_err(|error| format!("it cannot encode: {error}"))?
        }
        Version::V5_0 => {
            let theirs = v5::Packet::decode(&ours).map_err(|error| format!("it cannot decode: {error}"))?;
            theirs.ok_or("it wants more")?.encode().map_err(|error| format!("it cannot encode: {error}"))?
        }
    };
    let packet = decoded(theirs.as_ref().into(), version, sender).map_err(|error| format!("we cannot: {error}"))?;
    packet.ok_or_else(|| "we want more".to_owned())
}

/// Why it is no surprise that the two differ about this packet.
pub(crate) fn disagreement(version: Version, packet: &Packet) -> Option<&'static str> {
    match packet {
        Packet::SubAck(suback) if !version.is_v5() && suback.reasons.iter().any(|reason| reason.is_error()) => {
            Some("it writes the failure code as 3; [MQTT-3.9.3-2] has 0x80")
        }
        Packet::Publish(publish) if publish.subscription_ids.len() > 1 => {
            Some("it holds one subscription identifier; §3.3.2.3.8 allows several from the server")
        }
        Packet::Publish(publish) if is_false_utf8(publish.payload_format, &publish.payload) => {
            Some("it checks the payload against its format, which §3.3.2.3.2 leaves to the receiver")
        }
        Packet::Connect(connect)
            if connect.will.as_ref().is_some_and(|will| is_false_utf8(will.payload_format, &will.payload)) =>
        {
            Some("it checks the will payload against its format, which §3.1.3.2.3 leaves to the server")
        }
        _ => None,
    }
}

fn is_false_utf8(payload_format: Option<bool>, payload: &[u8]) -> bool {
    payload_format == Some(true) && std::str::from_utf8(payload).is_err()
}

/// So that the list above holds nothing that has been mended.
#[rstest]
#[case::failure_code(Version::V3_1_1, Role::Server, Packet::SubAck(SubAck {
    packet_id: PacketId::MIN,
    reason_string: None,
    user_properties: Vec::new(),
    reasons: vec![ReasonCode::UNSPECIFIED_ERROR],
}))]
#[case::several_ids(Version::V5_0, Role::Server, Packet::from(Publish {
    topic: "t".into(),
    subscription_ids: vec![1, 2],
    ..Publish::default()
}))]
#[case::payload_format(Version::V5_0, Role::Client, Packet::from(Publish {
    topic: "t".into(),
    payload_format: Some(true),
    payload: b"\xff"[..].into(),
    ..Publish::default()
}))]
#[case::will_payload_format(Version::V5_0, Role::Client, Packet::from(Connect {
    will: Some(Box::new(Will {
        topic: "t".into(),
        payload_format: Some(true),
        payload: b"\xff"[..].into(),
        ..Will::default()
    })),
    ..Connect::new(Version::V5_0, "c")
}))]
fn a_known_disagreement_is_still_there(#[case] version: Version, #[case] sender: Role, #[case] packet: Packet) {
    assert!(disagreement(version, &packet).is_some());
    assert_ne!(there_and_back(&packet, version, sender), Ok(packet));
}
