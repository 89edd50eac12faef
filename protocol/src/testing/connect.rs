use proptest::option;
use proptest::prelude::*;

use super::message::qos;
use super::only_v5;
use super::text::{binary, name, string, user_properties};
use crate::packet::{ConnAck, Connect, QoS, Will};
use crate::{ReasonCode, Version};

const CONNACK: &[u8] = &[
    0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8A, 0x8C, 0x90, 0x95, 0x97, 0x99, 0x9A, 0x9B, 0x9C,
    0x9D, 0x9F,
];

/// A CONNECT that names `version`.
pub fn connect(version: Version) -> impl Strategy<Value = Connect> {
    let credentials = (option::of(string()), option::of(binary()));
    let main = (any::<bool>(), any::<u16>(), string(), option::of(will(version)), credentials);
    let limits = (
        only_v5(version, any::<u32>()),
        only_v5(version, 1_u16..),
        only_v5(version, 1_u32..),
        only_v5(version, any::<u16>()),
        only_v5(version, any::<bool>()),
        only_v5(version, any::<bool>()),
    );
    let authentication = only_v5(version, (string(), option::of(binary())));
    (main, limits, user_properties(version), authentication).prop_map(
        move |((clean, keep_alive, client_id, will, (username, password)), limits, user_properties, authentication)| {
            let (authentication_method, authentication_data) =
                authentication.map_or((None, None), |(method, data)| (Some(method), data));
            Connect {
                version,
                clean_start: clean || client_id.is_empty(),
                keep_alive,
                client_id,
                will: will.map(Box::new),
                // 3.1.1 has no password without a user name.
                password: password.filter(|_| version.is_v5() || username.is_some()),
                username,
                session_expiry: limits.0,
                receive_maximum: limits.1,
                maximum_packet_size: limits.2,
                topic_alias_maximum: limits.3,
                request_response_information: limits.4,
                request_problem_information: limits.5,
                user_properties,
                authentication_method,
                authentication_data,
            }
        },
    )
}

fn will(version: Version) -> impl Strategy<Value = Will> {
    let properties = (
        only_v5(version, any::<u32>()),
        only_v5(version, any::<bool>()),
        only_v5(version, any::<u32>()),
        only_v5(version, string()),
        only_v5(version, name()),
        only_v5(version, binary()),
        user_properties(version),
    );
    (name(), binary(), qos(), any::<bool>(), properties).prop_map(|(topic, payload, qos, retain, properties)| Will {
        topic,
        payload,
        qos,
        retain,
        delay: properties.0,
        payload_format: properties.1,
        message_expiry: properties.2,
        content_type: properties.3,
        response_topic: properties.4,
        correlation_data: properties.5,
        user_properties: properties.6,
    })
}

/// A CONNACK that accepts or refuses.
pub fn connack(version: Version) -> BoxedStrategy<ConnAck> {
    let refusal = if version.is_v5() { proptest::sample::select(CONNACK).boxed() } else { (1_u8..=5).boxed() };
    let answer = prop_oneof![
        any::<bool>().prop_map(|session_present| (session_present, ReasonCode::SUCCESS)),
        refusal.prop_map(|reason| (false, ReasonCode::new(reason))),
    ];
    if !version.is_v5() {
        let connack = |(session_present, reason)| ConnAck { session_present, reason, ..ConnAck::default() };
        return answer.prop_map(connack).boxed();
    }
    (answer, connack_properties())
        .prop_map(|((session_present, reason), properties)| ConnAck { session_present, reason, ..properties })
        .boxed()
}

fn connack_properties() -> impl Strategy<Value = ConnAck> {
    let limits = (
        option::of(any::<u32>()),
        option::of(1_u16..),
        option::of(prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)]),
        option::of(1_u32..),
        option::of(any::<u16>()),
        option::of(any::<u16>()),
    );
    let available =
        (option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    let texts = (option::of(string()), option::of(string()), option::of(string()), option::of(string()));
    let authentication = (option::of(string()), option::of(binary()));
    (limits, available, texts, authentication, user_properties(Version::V5_0)).prop_map(
        |(limits, available, texts, authentication, user_properties)| ConnAck {
            session_present: false,
            reason: ReasonCode::SUCCESS,
            session_expiry: limits.0,
            receive_maximum: limits.1,
            maximum_qos: limits.2,
            maximum_packet_size: limits.3,
            topic_alias_maximum: limits.4,
            server_keep_alive: limits.5,
            retain_available: available.0,
            wildcard_subscription_available: available.1,
            subscription_identifiers_available: available.2,
            shared_subscription_available: available.3,
            assigned_client_id: texts.0,
            reason_string: texts.1,
            response_information: texts.2,
            server_reference: texts.3,
            user_properties,
            authentication_method: authentication.0,
            authentication_data: authentication.1,
        },
    )
}
