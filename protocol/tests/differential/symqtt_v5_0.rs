//! Packets of `symqtt-codec`, version 5.0, as ours.

use bytestring::ByteString;
use halfopen_protocol::packet::{
    Ack, Auth, ConnAck, Connect, Disconnect, PacketId, Publish, RetainHandling, SubAck, Subscribe, Subscription,
    UnsubAck, Unsubscribe, UserProperties, Will,
};
use halfopen_protocol::{Packet, ReasonCode, Version};
use symqtt_codec::v5;

use crate::qos;

pub(crate) fn ours(packet: &v5::Packet) -> Packet {
    macro_rules! ack {
        ($ack:expr) => {
            Ack {
                packet_id: id($ack.pkid),
                reason: reason($ack.reason_code),
                reason_string: text(&$ack.properties.reason_string),
                user_properties: pairs(&$ack.properties.user_properties),
            }
        };
    }
    match packet {
        v5::Packet::Connect(connect) => Packet::from(self::connect(connect)),
        v5::Packet::ConnAck(connack) => Packet::from(self::connack(connack)),
        v5::Packet::Publish(publish) => Packet::from(self::publish(publish)),
        v5::Packet::PubAck(ack) => Packet::PubAck(ack!(ack)),
        v5::Packet::PubRec(ack) => Packet::PubRec(ack!(ack)),
        v5::Packet::PubRel(ack) => Packet::PubRel(ack!(ack)),
        v5::Packet::PubComp(ack) => Packet::PubComp(ack!(ack)),
        v5::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            packet_id: id(subscribe.pkid),
            subscription_id: subscribe.properties.subscription_identifier,
            user_properties: pairs(&subscribe.properties.user_properties),
            subscriptions: subscribe.filters.iter().map(subscription).collect(),
        }),
        v5::Packet::SubAck(suback) => Packet::SubAck(SubAck {
            packet_id: id(suback.pkid),
            reason_string: text(&suback.properties.reason_string),
            user_properties: pairs(&suback.properties.user_properties),
            reasons: suback.reason_codes.iter().copied().map(reason).collect(),
        }),
        v5::Packet::Unsubscribe(unsubscribe) => Packet::Unsubscribe(Unsubscribe {
            packet_id: id(unsubscribe.pkid),
            user_properties: pairs(&unsubscribe.properties.user_properties),
            filters: unsubscribe.topics.iter().map(|topic| topic.as_str().into()).collect(),
        }),
        v5::Packet::UnsubAck(unsuback) => Packet::UnsubAck(UnsubAck {
            packet_id: id(unsuback.pkid),
            reason_string: text(&unsuback.properties.reason_string),
            user_properties: pairs(&unsuback.properties.user_properties),
            reasons: unsuback.reason_codes.iter().copied().map(reason).collect(),
        }),
        v5::Packet::PingReq(_) => Packet::PingReq,
        v5::Packet::PingResp(_) => Packet::PingResp,
        v5::Packet::Disconnect(disconnect) => Packet::Disconnect(Disconnect {
            reason: reason(disconnect.reason_code),
            session_expiry: disconnect.properties.session_expiry_interval,
            reason_string: text(&disconnect.properties.reason_string),
            user_properties: pairs(&disconnect.properties.user_properties),
            server_reference: text(&disconnect.properties.server_reference),
        }),
        v5::Packet::Auth(auth) => Packet::Auth(Auth {
            reason: ReasonCode::new(auth.status as u8),
            authentication_method: text(&auth.properties.authentication_method),
            authentication_data: auth.properties.authentication_data.clone(),
            reason_string: text(&auth.properties.reason_string),
            user_properties: pairs(&auth.properties.user_properties),
        }),
    }
}

fn connect(connect: &v5::Connect) -> Connect {
    let properties = &connect.properties;
    Connect {
        version: Version::V5_0,
        clean_start: connect.clean_start,
        keep_alive: connect.keep_alive,
        client_id: connect.client_id.as_str().into(),
        will: connect.will.as_ref().map(will).map(Box::new),
        username: text(&connect.username),
        password: connect.password.clone(),
        session_expiry: properties.session_expiry_interval,
        receive_maximum: properties.receive_maximum,
        maximum_packet_size: properties.maximum_packet_size,
        topic_alias_maximum: properties.topic_alias_maximum,
        request_response_information: flag(properties.request_response_information),
        request_problem_information: flag(properties.request_problem_information),
        user_properties: pairs(&properties.user_properties),
        authentication_method: text(&properties.authentication_method),
        authentication_data: properties.authentication_data.clone(),
    }
}

fn will(will: &v5::Will) -> Will {
    Will {
        topic: will.topic.as_str().into(),
        payload: will.payload.clone(),
        qos: qos(will.qos),
        retain: will.retain,
        delay: will.properties.will_delay_interval,
        payload_format: flag(will.properties.payload_format_indicator),
        message_expiry: will.properties.message_expiry_interval,
        content_type: text(&will.properties.content_type),
        response_topic: text(&will.properties.response_topic),
        correlation_data: will.properties.correlation_data.clone(),
        user_properties: pairs(&will.properties.user_properties),
    }
}

fn connack(connack: &v5::ConnAck) -> ConnAck {
    let properties = &connack.properties;
    ConnAck {
        session_present: connack.session_present,
        reason: reason(connack.reason_code),
        session_expiry: properties.session_expiry_interval,
        receive_maximum: properties.receive_maximum,
        maximum_qos: properties.maximum_qos.map(|qos| halfopen_protocol::packet::QoS::new(qos).unwrap()),
        retain_available: flag(properties.retain_available),
        maximum_packet_size: properties.maximum_packet_size,
        assigned_client_id: text(&properties.assigned_client_identifier),
        topic_alias_maximum: properties.topic_alias_maximum,
        reason_string: text(&properties.reason_string),
        user_properties: pairs(&properties.user_properties),
        wildcard_subscription_available: flag(properties.wildcard_subscription_available),
        subscription_identifiers_available: flag(properties.subscription_identifier_available),
        shared_subscription_available: flag(properties.shared_subscription_available),
        server_keep_alive: properties.server_keep_alive,
        response_information: text(&properties.response_information),
        server_reference: text(&properties.server_reference),
        authentication_method: text(&properties.authentication_method),
        authentication_data: properties.authentication_data.clone(),
    }
}

fn publish(publish: &v5::Publish) -> Publish {
    let properties = &publish.properties;
    Publish {
        dup: publish.dup,
        qos: qos(publish.qos),
        retain: publish.retain,
        topic: publish.topic.as_str().into(),
        packet_id: publish.pkid.map(id),
        payload_format: flag(properties.payload_format_indicator),
        message_expiry: properties.message_expiry_interval,
        topic_alias: properties.topic_alias,
        response_topic: text(&properties.response_topic),
        correlation_data: properties.correlation_data.clone(),
        user_properties: pairs(&properties.user_properties),
        subscription_ids: properties.subscription_identifiers.clone(),
        content_type: text(&properties.content_type),
        payload: publish.payload.clone(),
    }
}

fn subscription(filter: &v5::SubscribeFilter) -> Subscription {
    Subscription {
        filter: filter.topic.as_str().into(),
        qos: qos(filter.qos),
        no_local: filter.no_local,
        retain_as_published: filter.retain_as_published,
        retain_handling: match filter.retain_handling {
            v5::RetainHandling::SendAtSubscribe => RetainHandling::Send,
            v5::RetainHandling::SendAtSubscribeIfNew => RetainHandling::SendIfNew,
            v5::RetainHandling::DoNotSend => RetainHandling::DoNotSend,
        },
    }
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

fn reason(code: v5::ReasonCode) -> ReasonCode {
    ReasonCode::new(code as u8)
}

fn flag(byte: Option<u8>) -> Option<bool> {
    byte.map(|byte| byte == 1)
}

fn text(text: &Option<String>) -> Option<ByteString> {
    text.as_deref().map(ByteString::from)
}

fn pairs(pairs: &[(String, String)]) -> UserProperties {
    pairs.iter().map(|(name, value)| (name.as_str().into(), value.as_str().into())).collect()
}
