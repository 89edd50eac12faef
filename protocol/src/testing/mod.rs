//! Generators of valid packets, for property tests here and elsewhere (feature `testing`).
//!
//! Every packet that [`packet`] makes can be encoded in its version and decoded by the other side. All fields take
//! part, small values are more frequent than large ones.

mod connect;
mod message;
mod text;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

pub use self::connect::{connack, connect};
pub use self::message::{publish, subscribe, unsubscribe};
pub use self::text::{filter, name, string, user_properties};
use crate::packet::{Ack, Auth, Disconnect, PacketId, SubAck, UnsubAck};
use crate::{Packet, ReasonCode, Role, Version};

const RECEIPT: &[u8] = &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
const COMPLETION: &[u8] = &[0x00, 0x92];
const SUBACK: &[u8] = &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8F, 0x91, 0x97, 0x9E, 0xA1, 0xA2];
const UNSUBACK: &[u8] = &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8F, 0x91];
const DISCONNECT: &[u8] = &[0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99];
const DISCONNECT_BY_SERVER: &[u8] =
    &[0x87, 0x89, 0x8B, 0x8D, 0x8E, 0x8F, 0x9A, 0x9B, 0x9C, 0x9D, 0x9E, 0x9F, 0xA0, 0xA1, 0xA2];

/// Any packet that `sender` may send in this version.
pub fn packet(version: Version, sender: Role) -> BoxedStrategy<Packet> {
    let both = prop_oneof![
        4 => publish(version, sender).prop_map(Packet::from),
        1 => ack(version, RECEIPT).prop_map(Packet::PubAck),
        1 => ack(version, RECEIPT).prop_map(Packet::PubRec),
        1 => ack(version, COMPLETION).prop_map(Packet::PubRel),
        1 => ack(version, COMPLETION).prop_map(Packet::PubComp),
    ];
    let one = match sender {
        Role::Client => prop_oneof![
            3 => connect(version).prop_map(Packet::from),
            2 => subscribe(version).prop_map(Packet::Subscribe),
            1 => unsubscribe(version).prop_map(Packet::Unsubscribe),
            1 => Just(Packet::PingReq),
            1 => disconnect(version, sender).prop_map(Packet::Disconnect),
        ]
        .boxed(),
        Role::Server => prop_oneof![
            3 => connack(version).prop_map(Packet::from),
            1 => suback(version).prop_map(Packet::SubAck),
            1 => unsuback(version).prop_map(Packet::UnsubAck),
            1 => Just(Packet::PingResp),
        ]
        .boxed(),
    };
    if !version.is_v5() {
        return prop_oneof![8 => both, 8 => one].boxed();
    }
    let v5_0 =
        prop_oneof![disconnect(version, sender).prop_map(Packet::Disconnect), auth(sender).prop_map(Packet::Auth),];
    prop_oneof![8 => both, 8 => one, 2 => v5_0].boxed()
}

/// Any packet identifier.
pub fn packet_id() -> impl Strategy<Value = PacketId> {
    any::<PacketId>()
}

/// Draws one of these reason codes; in 3.1.1 always the first.
fn reason(version: Version, codes: &'static [u8]) -> BoxedStrategy<ReasonCode> {
    if version.is_v5() {
        proptest::sample::select(codes).prop_map(ReasonCode::new).boxed()
    } else {
        Just(ReasonCode::SUCCESS).boxed()
    }
}

/// A value that only 5.0 has.
fn only_v5<T: Clone + std::fmt::Debug + 'static>(
    version: Version,
    value: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if version.is_v5() { option::of(value).boxed() } else { Just(None).boxed() }
}

fn ack(version: Version, codes: &'static [u8]) -> impl Strategy<Value = Ack> {
    (packet_id(), reason(version, codes), only_v5(version, string()), user_properties(version)).prop_map(
        |(packet_id, reason, reason_string, user_properties)| Ack { packet_id, reason, reason_string, user_properties },
    )
}

fn suback(version: Version) -> impl Strategy<Value = SubAck> {
    let codes = if version.is_v5() { SUBACK } else { &SUBACK[..4] };
    let reasons = vec(proptest::sample::select(codes).prop_map(ReasonCode::new), 1..6);
    (packet_id(), only_v5(version, string()), user_properties(version), reasons).prop_map(
        |(packet_id, reason_string, user_properties, reasons)| SubAck {
            packet_id,
            reason_string,
            user_properties,
            reasons,
        },
    )
}

fn unsuback(version: Version) -> impl Strategy<Value = UnsubAck> {
    let size = if version.is_v5() { 1..6 } else { 0..1 };
    let reasons = vec(reason(version, UNSUBACK), size);
    (packet_id(), only_v5(version, string()), user_properties(version), reasons).prop_map(
        |(packet_id, reason_string, user_properties, reasons)| UnsubAck {
            packet_id,
            reason_string,
            user_properties,
            reasons,
        },
    )
}

fn disconnect(version: Version, sender: Role) -> impl Strategy<Value = Disconnect> {
    let (reason, session_expiry) = match sender {
        Role::Client => {
            let with_will = if version.is_v5() { ReasonCode::DISCONNECT_WITH_WILL } else { ReasonCode::SUCCESS };
            let reason = prop_oneof![3 => reason(version, DISCONNECT), 1 => Just(with_will)].boxed();
            (reason, only_v5(version, any::<u32>()))
        }
        Role::Server => {
            let reason = prop_oneof![reason(version, DISCONNECT), reason(version, DISCONNECT_BY_SERVER)].boxed();
            (reason, Just(None).boxed())
        }
    };
    (reason, session_expiry, only_v5(version, string()), user_properties(version), only_v5(version, string())).prop_map(
        |(reason, session_expiry, reason_string, user_properties, server_reference)| Disconnect {
            reason,
            session_expiry,
            reason_string,
            user_properties,
            server_reference,
        },
    )
}

fn auth(sender: Role) -> impl Strategy<Value = Auth> {
    let own = match sender {
        Role::Client => ReasonCode::RE_AUTHENTICATE,
        Role::Server => ReasonCode::SUCCESS,
    };
    let reason = prop_oneof![Just(own), Just(ReasonCode::CONTINUE_AUTHENTICATION)];
    (reason, string(), option::of(text::binary()), option::of(string()), user_properties(Version::V5_0)).prop_map(
        |(reason, method, authentication_data, reason_string, user_properties)| Auth {
            reason,
            authentication_method: Some(method),
            authentication_data,
            reason_string,
            user_properties,
        },
    )
}
