//! Packets of `symqtt-codec`, version 3.1.1, as ours.

use halfopen_protocol::packet::{
    Ack, ConnAck, Connect, Disconnect, PacketId, Publish, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, Will,
};
use halfopen_protocol::{Packet, ReasonCode, Version};
use symqtt_codec::v3;

use crate::qos;

pub(crate) fn ours(packet: &v3::Packet) -> Packet {
    match packet {
        v3::Packet::Connect(connect) => Packet::from(self::connect(connect)),
        v3::Packet::ConnAck(connack) => Packet::from(ConnAck {
            session_present: connack.session_present,
            reason: ReasonCode::new(connack.return_code as u8),
            ..ConnAck::default()
        }),
        v3::Packet::Publish(publish) => Packet::from(Publish {
            dup: publish.dup,
            qos: qos(publish.qos),
            retain: publish.retain,
            topic: publish.topic.as_str().into(),
            packet_id: publish.pkid.map(id),
            payload: publish.payload.clone(),
            ..Publish::default()
        }),
        v3::Packet::PubAck(ack) => Packet::PubAck(Ack::new(id(ack.pkid))),
        v3::Packet::PubRec(ack) => Packet::PubRec(Ack::new(id(ack.pkid))),
        v3::Packet::PubRel(ack) => Packet::PubRel(Ack::new(id(ack.pkid))),
        v3::Packet::PubComp(ack) => Packet::PubComp(Ack::new(id(ack.pkid))),
        v3::Packet::Subscribe(subscribe) => Packet::Subscribe(Subscribe {
            packet_id: id(subscribe.pkid),
            subscription_id: None,
            user_properties: Vec::new(),
            subscriptions: subscribe
                .filters
                .iter()
                .map(|filter| Subscription::new(filter.topic.as_str(), qos(filter.qos)))
                .collect(),
        }),
        v3::Packet::SubAck(suback) => Packet::SubAck(SubAck {
            packet_id: id(suback.pkid),
            reason_string: None,
            user_properties: Vec::new(),
            reasons: suback.return_codes.iter().map(return_code).collect(),
        }),
        v3::Packet::Unsubscribe(unsubscribe) => Packet::Unsubscribe(Unsubscribe {
            packet_id: id(unsubscribe.pkid),
            user_properties: Vec::new(),
            filters: unsubscribe.topics.iter().map(|topic| topic.as_str().into()).collect(),
        }),
        v3::Packet::UnsubAck(unsuback) => Packet::UnsubAck(UnsubAck {
            packet_id: id(unsuback.pkid),
            reason_string: None,
            user_properties: Vec::new(),
            reasons: Vec::new(),
        }),
        v3::Packet::PingReq(_) => Packet::PingReq,
        v3::Packet::PingResp(_) => Packet::PingResp,
        v3::Packet::Disconnect(_) => Packet::Disconnect(Disconnect::default()),
    }
}

fn connect(connect: &v3::Connect) -> Connect {
    Connect {
        clean_start: connect.clean_session,
        keep_alive: connect.keep_alive,
        will: connect.will.as_ref().map(|will| {
            Box::new(Will {
                topic: will.topic.as_str().into(),
                payload: will.message.clone(),
                qos: qos(will.qos),
                retain: will.retain,
                ..Will::default()
            })
        }),
        username: connect.username.as_deref().map(Into::into),
        password: connect.password.clone(),
        ..Connect::new(Version::V3_1_1, connect.client_id.as_str())
    }
}

fn return_code(code: &v3::SubscribeReturnCode) -> ReasonCode {
    match code {
        v3::SubscribeReturnCode::Success(granted) => ReasonCode::new(*granted as u8),
        v3::SubscribeReturnCode::Failure => ReasonCode::UNSPECIFIED_ERROR,
    }
}

fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}
