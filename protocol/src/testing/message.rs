use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::text::{binary, filter, name, string, user_properties};
use super::{only_v5, packet_id};
use crate::packet::{Publish, QoS, RetainHandling, Subscribe, Subscription, Unsubscribe};
use crate::{Role, Version, topic};

pub(super) fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn subscription_id() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..300, 1_u32..=268_435_455]
}

/// A PUBLISH that `sender` may send.
pub fn publish(version: Version, sender: Role) -> impl Strategy<Value = Publish> {
    let ids = if version.is_v5() && sender == Role::Server { 0..3 } else { 0..1 };
    let header = (qos(), any::<bool>(), any::<bool>(), name(), packet_id());
    let alias = only_v5(version, (any::<bool>(), 1_u16..));
    let properties = (
        only_v5(version, any::<bool>()),
        only_v5(version, any::<u32>()),
        only_v5(version, name()),
        only_v5(version, binary()),
        user_properties(version),
        vec(subscription_id(), ids),
        only_v5(version, string()),
    );
    let payload = prop_oneof![10 => binary(), 1 => (0_usize..20_000).prop_map(|len| Bytes::from(vec![b'x'; len]))];
    (header, alias, properties, payload).prop_map(|((qos, dup, retain, name, id), alias, properties, payload)| {
        let (payload_format, message_expiry, response_topic, correlation_data, user_properties, ids, content_type) =
            properties;
        let stands_for_name = alias.is_some_and(|(stands_for_name, _)| stands_for_name);
        Publish {
            dup: dup && qos != QoS::AtMostOnce,
            qos,
            retain,
            topic: if stands_for_name { "".into() } else { name },
            packet_id: (qos != QoS::AtMostOnce).then_some(id),
            payload_format,
            message_expiry,
            topic_alias: alias.map(|(_, alias)| alias),
            response_topic,
            correlation_data,
            user_properties,
            subscription_ids: ids,
            content_type,
            payload,
        }
    })
}

/// A SUBSCRIBE.
pub fn subscribe(version: Version) -> impl Strategy<Value = Subscribe> {
    (packet_id(), only_v5(version, subscription_id()), user_properties(version), vec(subscription(version), 1..4))
        .prop_map(|(packet_id, subscription_id, user_properties, subscriptions)| Subscribe {
            packet_id,
            subscription_id,
            user_properties,
            subscriptions,
        })
}

fn subscription(version: Version) -> impl Strategy<Value = Subscription> {
    let handling =
        prop_oneof![Just(RetainHandling::Send), Just(RetainHandling::SendIfNew), Just(RetainHandling::DoNotSend)];
    let options = only_v5(version, (any::<bool>(), any::<bool>(), handling));
    (filter(version.is_v5()), qos(), options).prop_map(|(filter, qos, options)| {
        let (no_local, retain_as_published, retain_handling) = options.unwrap_or_default();
        let no_local = no_local && topic::shared(&filter).is_none();
        Subscription { filter, qos, no_local, retain_as_published, retain_handling }
    })
}

/// An UNSUBSCRIBE.
pub fn unsubscribe(version: Version) -> impl Strategy<Value = Unsubscribe> {
    (packet_id(), user_properties(version), vec(filter(version.is_v5()), 1..4))
        .prop_map(|(packet_id, user_properties, filters)| Unsubscribe { packet_id, user_properties, filters })
}
