//! What a broker of 5.0 says beside its reason codes reaches the application.

use halfopen_protocol::packet::{Ack, Disconnect, QoS, SubAck, Subscription, UnsubAck};
use halfopen_protocol::{Packet, ReasonCode, Version};
use rstest::rstest;

use super::bench::{Bench, id, options};
use crate::core::{AckDetails, DisconnectReason, Event};

fn said() -> AckDetails {
    AckDetails { reason_string: Some("too much".into()), user_properties: vec![("limit".into(), "3".into())] }
}

fn ack(reason: ReasonCode) -> Ack {
    let AckDetails { reason_string, user_properties } = said();
    Ack { packet_id: id(1), reason, reason_string, user_properties }
}

#[rstest]
#[case::puback(QoS::AtLeastOnce, Packet::PubAck(ack(ReasonCode::NO_MATCHING_SUBSCRIBERS)))]
#[case::puback_that_refuses(QoS::AtLeastOnce, Packet::PubAck(ack(ReasonCode::QUOTA_EXCEEDED)))]
#[case::pubrec_that_refuses(QoS::ExactlyOnce, Packet::PubRec(ack(ReasonCode::QUOTA_EXCEEDED)))]
fn with_what_becomes_of_a_message(#[case] qos: QoS, #[case] answer: Packet) {
    let mut bench = Bench::connected(options(Version::V5_0, 60));
    let token = bench.publish(qos, "1");
    bench.take();
    let (Packet::PubAck(Ack { reason, .. }) | Packet::PubRec(Ack { reason, .. })) = answer else { unreachable!() };
    bench.receive(answer);
    assert_eq!(bench.events(), [Event::Published { token, reason, details: said() }]);
}

#[test]
fn with_subscriptions() {
    let mut bench = Bench::connected(options(Version::V5_0, 60));
    let AckDetails { reason_string, user_properties } = said();
    let filters = vec![Subscription::new("a", QoS::AtMostOnce)];
    let token = bench.client.subscribe(bench.now, filters).expect("it is valid");
    let reasons = vec![ReasonCode::NOT_AUTHORIZED];
    bench.take();
    let suback = SubAck { packet_id: id(1), reason_string, user_properties, reasons: reasons.clone() };
    bench.receive(Packet::SubAck(suback.clone()));
    assert_eq!(bench.events(), [Event::Subscribed { token, reasons: reasons.clone(), details: said() }]);

    let token = bench.client.unsubscribe(bench.now, vec!["a".into()]).expect("it is valid");
    bench.take();
    let SubAck { reason_string, user_properties, .. } = suback;
    bench.receive(Packet::UnsubAck(UnsubAck {
        packet_id: id(2),
        reason_string,
        user_properties,
        reasons: reasons.clone(),
    }));
    assert_eq!(bench.events(), [Event::Unsubscribed { token, reasons, details: said() }]);
}

#[test]
fn with_the_end_of_the_connection() {
    let mut bench = Bench::connected(options(Version::V5_0, 60));
    let AckDetails { reason_string, user_properties } = said();
    let disconnect = Disconnect {
        reason: ReasonCode::USE_ANOTHER_SERVER,
        reason_string,
        user_properties,
        server_reference: Some("other.example:1883".into()),
        ..Disconnect::default()
    };
    bench.receive(Packet::Disconnect(disconnect.clone()));
    assert_eq!(bench.ended(), Some(DisconnectReason::Server(Box::new(disconnect))));
}
