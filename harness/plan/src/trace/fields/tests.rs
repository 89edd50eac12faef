use halfopen_protocol::Version;
use halfopen_protocol::packet::QoS;

use super::*;

fn names(packet: &Packet) -> Vec<&'static str> {
    fields(packet).iter().map(|field| field.name).collect()
}

fn printed(packet: &Packet) -> Vec<&'static str> {
    fields(packet).iter().filter(|field| !field.is_default).map(|field| field.name).collect()
}

fn string() -> Option<ByteString> {
    Some("text".into())
}

fn data() -> Option<Bytes> {
    Some(Bytes::from_static(&[0xff]))
}

fn properties() -> UserProperties {
    vec![("key".into(), "value".into())]
}

fn id() -> PacketId {
    PacketId::new(7).unwrap()
}

fn full_will() -> Will {
    Will {
        topic: "t".into(),
        payload: Bytes::from_static(b"p"),
        qos: QoS::ExactlyOnce,
        retain: true,
        delay: Some(3),
        payload_format: Some(true),
        message_expiry: Some(4),
        content_type: string(),
        response_topic: string(),
        correlation_data: data(),
        user_properties: properties(),
    }
}

fn full_connect() -> Connect {
    Connect {
        version: Version::V5_0,
        clean_start: false,
        keep_alive: 5,
        client_id: "sensor".into(),
        will: Some(full_will().into()),
        username: string(),
        password: data(),
        session_expiry: Some(30),
        receive_maximum: Some(2),
        maximum_packet_size: Some(100),
        topic_alias_maximum: Some(1),
        request_response_information: Some(true),
        request_problem_information: Some(false),
        user_properties: properties(),
        authentication_method: string(),
        authentication_data: data(),
    }
}

fn full_connack() -> ConnAck {
    ConnAck {
        session_present: true,
        reason: ReasonCode::SERVER_BUSY,
        session_expiry: Some(0),
        receive_maximum: Some(2),
        maximum_qos: Some(QoS::AtMostOnce),
        retain_available: Some(false),
        maximum_packet_size: Some(100),
        assigned_client_id: string(),
        topic_alias_maximum: Some(1),
        reason_string: string(),
        user_properties: properties(),
        wildcard_subscription_available: Some(false),
        subscription_identifiers_available: Some(false),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(0),
        response_information: string(),
        server_reference: string(),
        authentication_method: string(),
        authentication_data: data(),
    }
}

fn full_publish() -> Publish {
    Publish {
        dup: true,
        qos: QoS::AtLeastOnce,
        retain: true,
        topic: "t".into(),
        packet_id: Some(id()),
        payload_format: Some(true),
        message_expiry: Some(20),
        topic_alias: Some(1),
        response_topic: string(),
        correlation_data: data(),
        user_properties: properties(),
        subscription_ids: vec![1, 2],
        content_type: string(),
        payload: Bytes::from_static(b"p"),
    }
}

fn full_ack() -> Ack {
    Ack { packet_id: id(), reason: ReasonCode::QUOTA_EXCEEDED, reason_string: string(), user_properties: properties() }
}

/// One packet of each type with all that it can hold, nothing at its default.
fn full_packets() -> Vec<Packet> {
    let subscription = Subscription {
        filter: "a/+".into(),
        qos: QoS::AtLeastOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: halfopen_protocol::packet::RetainHandling::DoNotSend,
    };
    let refused = vec![ReasonCode::UNSPECIFIED_ERROR];
    vec![
        Packet::from(full_connect()),
        Packet::from(full_connack()),
        Packet::from(full_publish()),
        Packet::PubAck(full_ack()),
        Packet::PubRec(full_ack()),
        Packet::PubRel(full_ack()),
        Packet::PubComp(full_ack()),
        Packet::Subscribe(Subscribe {
            packet_id: id(),
            subscription_id: Some(1),
            user_properties: properties(),
            subscriptions: vec![subscription],
        }),
        Packet::SubAck(SubAck {
            packet_id: id(),
            reason_string: string(),
            user_properties: properties(),
            reasons: refused.clone(),
        }),
        Packet::Unsubscribe(Unsubscribe { packet_id: id(), user_properties: properties(), filters: vec!["a".into()] }),
        Packet::UnsubAck(UnsubAck {
            packet_id: id(),
            reason_string: string(),
            user_properties: properties(),
            reasons: refused,
        }),
        Packet::PingReq,
        Packet::PingResp,
        Packet::Disconnect(Disconnect {
            reason: ReasonCode::SERVER_BUSY,
            session_expiry: Some(1),
            reason_string: string(),
            user_properties: properties(),
            server_reference: string(),
        }),
        Packet::Auth(Auth {
            reason: ReasonCode::CONTINUE_AUTHENTICATION,
            authentication_method: string(),
            authentication_data: data(),
            reason_string: string(),
            user_properties: properties(),
        }),
    ]
}

#[test]
fn list_of_names_is_what_a_full_packet_has() {
    let packets = full_packets();
    assert_eq!(packets.len(), PacketType::ALL.len());
    for packet in packets {
        assert_eq!(names(&packet), field_names(PacketKind::Type(packet.packet_type())), "{}", packet.packet_type());
    }
}

#[test]
fn every_field_that_is_set_is_printed_but_the_version() {
    for packet in full_packets() {
        let mut expected = names(&packet);
        expected.retain(|&name| name != "protocol_level");
        assert_eq!(printed(&packet), expected, "{}", packet.packet_type());
    }
}

#[test]
fn every_name_has_a_type_and_every_value_is_of_it() {
    for packet in full_packets() {
        for field in fields(&packet) {
            let value = match &field.value {
                Value::List(items) => &items[0],
                single => single,
            };
            let fits = match field_type(field.name).unwrap_or_else(|| panic!("{} has no type", field.name)) {
                FieldType::Bool => matches!(value, Value::Bool(_)),
                FieldType::Number | FieldType::Reason => matches!(value, Value::Number(_)),
                FieldType::Text => matches!(value, Value::Text(_)),
                FieldType::Bytes => matches!(value, Value::Text(_) | Value::Bytes(_)),
                FieldType::Duration => matches!(value, Value::Duration(_)),
            };
            assert!(fits, "{} is {:?}", field.name, field.value);
        }
    }
}

#[test]
fn what_nobody_sets_is_not_printed() {
    assert_eq!(printed(&Packet::from(Connect::new(Version::V5_0, "sensor"))), ["client_id"]);
    assert_eq!(printed(&Packet::ConnAck(Default::default())), [""; 0]);
    assert_eq!(printed(&Packet::from(Publish { topic: "a".into(), ..Publish::default() })), ["topic", "payload"]);
    assert_eq!(printed(&Packet::Disconnect(Disconnect::default())), [""; 0]);
    assert_eq!(printed(&Packet::PubAck(Ack::new(id()))), ["id"]);
}
