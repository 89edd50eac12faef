//! MQTT over WebSocket (§6).

use std::sync::Arc;

use super::*;
use crate::trace::WebSocketItem;

fn websocket(item: WebSocketItem) -> Transmission {
    Transmission::WebSocket(Arc::new(item))
}

fn request(subprotocols: &str) -> Transmission {
    let head = format!("GET /mqtt HTTP/1.1\r\nHost: b\r\nSec-WebSocket-Protocol: {subprotocols}\r\n\r\n");
    websocket(WebSocketItem::Request(head.into()))
}

fn response(status: u16, subprotocol: &str) -> Transmission {
    websocket(WebSocketItem::Response(
        format!("HTTP/1.1 {status} Word\r\nsec-websocket-protocol: {subprotocol}\r\n\r\n").into(),
    ))
}

fn text() -> Transmission {
    websocket(WebSocketItem::Text(Bytes::from_static(b"\xC0\0")))
}

#[rstest]
#[case::mqtt("mqttv3.1, mqtt", 101, "mqtt", &[])]
#[case::other("mqttv3.1, mqtt", 101, "mqttv3.1", &["broker_answers"])]
#[case::none_in_common("mqttv3.1", 101, "mqttv3.1", &[])]
#[case::refused("mqtt", 400, "", &[])]
fn server_selects_the_subprotocol(
    #[case] offered: &str,
    #[case] status: u16,
    #[case] selected: &str,
    #[case] expected: &[&str],
) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).item(0, SENSOR, BROKER, request(offered));
    tale.0.at(30).item(0, BROKER, SENSOR, response(status, selected));
    tale.0.at(40).item(0, SENSOR, BROKER, Transmission::Fin).item(0, BROKER, SENSOR, Transmission::Fin);
    assert_eq!(tale.broken(&plan(), 1000), expected);
}

#[rstest]
#[case::closes(true, &[])]
#[case::goes_on(false, &["broker_answers"])]
fn server_closes_after_a_text_frame(#[case] closes: bool, #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, SENSOR, BROKER, text());
    if closes {
        tale.0.at(110).item(0, BROKER, SENSOR, Transmission::Fin);
    }
    assert_eq!(tale.broken(&plan(), 20_000), expected);
}

#[test]
fn server_sends_no_text_frame() {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, BROKER, SENSOR, text());
    assert_eq!(tale.broken(&plan(), 1000), ["broker_answers"]);
}

#[rstest]
#[case::mqtt("mqtt", &[])]
#[case::among_others("mqttv3.1,mqtt", &[])]
#[case::another("mqttv3.1", &["client_answers"])]
fn client_offers_the_subprotocol(#[case] offered: &str, #[case] expected: &[&str]) {
    let mut tale = Tale::new();
    tale.0.at(0).item(0, SENSOR, BROKER, Transmission::Open);
    tale.0.at(20).item(0, SENSOR, BROKER, request(offered));
    tale.0.at(40).item(0, BROKER, SENSOR, Transmission::Fin).item(0, SENSOR, BROKER, Transmission::Fin);
    assert_eq!(broken_by_client_of(&ours(), tale, 1000), expected);
}

#[rstest]
#[case::closes(true, 500, &[])]
#[case::goes_on(false, 20_000, &["client_answers"])]
fn client_closes_after_a_text_frame(#[case] closes: bool, #[case] end: u64, #[case] expected: &[&str]) {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, BROKER, SENSOR, text());
    if closes {
        tale.0.at(110).item(0, SENSOR, BROKER, Transmission::Fin);
    }
    assert_eq!(broken_by_client_of(&ours(), tale, end), expected);
}

#[test]
fn client_sends_no_text_frame() {
    let mut tale = Tale::new().joins(0, 0, SENSOR, connect("sensor", 60), false);
    tale.0.at(100).item(0, SENSOR, BROKER, text());
    assert_eq!(broken_by_client_of(&ours(), tale, 1000), ["client_answers"]);
}
