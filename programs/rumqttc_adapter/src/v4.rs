//! MQTT 3.1.1 by rumqttc.

use std::time::Duration;

use rumqttc::{
    AsyncClient, Event, EventLoop, LastWill, MqttOptions, NetworkOptions, Outgoing, Packet, QoS, SubscribeFilter,
};
use serde_json::{Value, json};

use crate::{Client, Commands, Driving, Events, Said, Session, Told, from_hex, number, text, to_hex};

/// Number of commands that wait while there is no connection.
pub(crate) const QUEUE: usize = 10_000;
/// Maximum size of a packet. The library's own, of 10 KiB, is smaller than what scenarios send.
const PACKET: usize = 256 * 1024 * 1024;

/// Makes a client.
pub(crate) fn make(line: &Value) -> Box<dyn Session> {
    let mut options =
        MqttOptions::new(text(&line["client_id"]), text(&line["host"]), number(&line["port"]).unwrap_or(1883));
    options.set_clean_session(line["clean"] == true);
    options.set_keep_alive(Duration::from_secs(number(&line["keep_alive"]).unwrap_or_default()));
    options.set_max_packet_size(PACKET, PACKET);
    if line["username"].is_string() {
        let password = String::from_utf8_lossy(&from_hex(&line["password"])).into_owned();
        options.set_credentials(text(&line["username"]), password);
    }
    let will = &line["will"];
    if will.is_object() {
        options.set_last_will(LastWill::new(
            text(&will["topic"]),
            from_hex(&will["payload"]),
            qos(&will["qos"]),
            will["retain"] == true,
        ));
    }
    let (client, mut events) = AsyncClient::new(options, QUEUE);
    let mut network = NetworkOptions::new();
    network.set_connection_timeout(number::<u64>(&line["connect_timeout_ms"]).unwrap_or(10_000).div_ceil(1000));
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    Box::new(Client { commands: client, driving: Driving::Idle(events) })
}

fn qos(value: &Value) -> QoS {
    match value.as_u64() {
        Some(1) => QoS::AtLeastOnce,
        Some(2) => QoS::ExactlyOnce,
        _ => QoS::AtMostOnce,
    }
}

impl Commands for AsyncClient {
    fn subscribe(&self, subscriptions: &Value, _subscription_id: &Value) -> Told {
        let filters = subscriptions.as_array().into_iter().flatten();
        let filters = filters.map(|each| SubscribeFilter::new(text(&each["filter"]), qos(&each["qos"])));
        self.try_subscribe_many(filters).map_err(|error| error.to_string())
    }

    fn unsubscribe(&self, filters: &[String]) -> Told {
        filters.iter().try_for_each(|filter| self.try_unsubscribe(filter).map_err(|error| error.to_string()))
    }

    fn publish(&self, line: &Value) -> Told {
        let (topic, payload) = (text(&line["topic"]), from_hex(&line["payload"]));
        self.try_publish(topic, qos(&line["qos"]), line["retain"] == true, payload).map_err(|error| error.to_string())
    }

    fn disconnect(&self) -> Told {
        self.try_disconnect().map_err(|error| error.to_string())
    }
}

impl Events for EventLoop {
    async fn next(&mut self) -> Result<Said, String> {
        let event = self.poll().await.map_err(|error| error.to_string())?;
        let packet = match event {
            Event::Incoming(packet) => packet,
            Event::Outgoing(Outgoing::Disconnect) => return Ok(Said::Disconnected),
            Event::Outgoing(_) => return Ok(Said::Nothing),
        };
        Ok(match packet {
            Packet::ConnAck(connack) => Said::Connected { session_present: connack.session_present },
            Packet::Publish(publish) => Said::Message(json!({
                "topic": publish.topic,
                "payload": to_hex(&publish.payload),
                "qos": publish.qos as u8,
                "retain": publish.retain,
                "dup": publish.dup,
                "id": Some(publish.pkid).filter(|id| *id > 0),
            })),
            Packet::PubAck(_) | Packet::PubComp(_) => Said::Acknowledged("publish"),
            Packet::SubAck(_) => Said::Acknowledged("subscribe"),
            Packet::UnsubAck(_) => Said::Acknowledged("unsubscribe"),
            _ => Said::Nothing,
        })
    }

    fn close(&mut self) {
        self.clean();
    }
}
