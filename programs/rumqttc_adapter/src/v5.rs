//! MQTT 5.0 by rumqttc.

use std::time::Duration;

use rumqttc::Outgoing;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{
    ConnectProperties, Filter, LastWill, LastWillProperties, Packet, PublishProperties, RetainForwardRule,
    SubscribeProperties,
};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use serde_json::{Value, json};

use crate::v4::QUEUE;
use crate::{Client, Commands, Driving, Events, Said, Session, Told, from_hex, number, pairs, text, to_hex};

/// Makes a client.
pub(crate) fn make(line: &Value) -> Result<Box<dyn Session>, String> {
    let keep_alive = number(&line["keep_alive"]).unwrap_or_default();
    if keep_alive < 5 {
        return Err("rumqttc takes no keep-alive below 5 s with MQTT 5.0, and none of 0".to_owned());
    }
    let mut options =
        MqttOptions::new(text(&line["client_id"]), text(&line["host"]), number(&line["port"]).unwrap_or(1883));
    options.set_clean_start(line["clean"] == true);
    options.set_keep_alive(Duration::from_secs(keep_alive));
    options.set_connection_timeout(number::<u64>(&line["connect_timeout_ms"]).unwrap_or(10_000).div_ceil(1000));
    options.set_connect_properties(ConnectProperties {
        session_expiry_interval: number(&line["session_expiry"]),
        receive_maximum: number(&line["receive_maximum"]),
        max_packet_size: number(&line["maximum_packet_size"]),
        topic_alias_max: number(&line["topic_alias_maximum"]),
        request_response_info: line["request_response_information"].as_bool().map(u8::from),
        request_problem_info: line["request_problem_information"].as_bool().map(u8::from),
        user_properties: pairs(&line["user_properties"]),
        authentication_method: None,
        authentication_data: None,
    });
    if line["username"].is_string() {
        let password = String::from_utf8_lossy(&from_hex(&line["password"])).into_owned();
        options.set_credentials(text(&line["username"]), password);
    }
    let will = &line["will"];
    if will.is_object() {
        let (topic, payload) = (text(&will["topic"]), from_hex(&will["payload"]));
        options.set_last_will(LastWill::new(topic, payload, qos(&will["qos"]), will["retain"] == true, of_will(will)));
    }
    let mut network = options.network_options();
    network.set_tcp_nodelay(true);
    options.set_network_options(network);
    let (client, events) = AsyncClient::new(options, QUEUE);
    Ok(Box::new(Client { commands: client, driving: Driving::Idle(events) }))
}

/// Returns the properties of a will, if any is set.
fn of_will(will: &Value) -> Option<LastWillProperties> {
    let properties = LastWillProperties {
        delay_interval: number(&will["delay"]),
        payload_format_indicator: number(&will["payload_format"]),
        message_expiry_interval: number(&will["message_expiry"]),
        content_type: string(&will["content_type"]),
        response_topic: string(&will["response_topic"]),
        correlation_data: will["correlation_data"].is_string().then(|| from_hex(&will["correlation_data"]).into()),
        user_properties: pairs(&will["user_properties"]),
    };
    let nothing = LastWillProperties {
        delay_interval: None,
        payload_format_indicator: None,
        message_expiry_interval: None,
        content_type: None,
        response_topic: None,
        correlation_data: None,
        user_properties: Vec::new(),
    };
    Some(properties).filter(|properties| *properties != nothing)
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn qos(value: &Value) -> QoS {
    match value.as_u64() {
        Some(1) => QoS::AtLeastOnce,
        Some(2) => QoS::ExactlyOnce,
        _ => QoS::AtMostOnce,
    }
}

fn filter(each: &Value) -> Filter {
    let mut filter = Filter::new(text(&each["filter"]), qos(&each["qos"]));
    filter.nolocal = each["no_local"] == true;
    filter.preserve_retain = each["retain_as_published"] == true;
    filter.retain_forward_rule = match each["retain_handling"].as_u64() {
        Some(1) => RetainForwardRule::OnNewSubscribe,
        Some(2) => RetainForwardRule::Never,
        _ => RetainForwardRule::OnEverySubscribe,
    };
    filter
}

impl Commands for AsyncClient {
    fn subscribe(&self, subscriptions: &Value, subscription_id: &Value) -> Told {
        let filters: Vec<Filter> = subscriptions.as_array().into_iter().flatten().map(filter).collect();
        let told = match number(subscription_id) {
            Some(id) => self.try_subscribe_many_with_properties(
                filters,
                SubscribeProperties { id: Some(id), user_properties: Vec::new() },
            ),
            None => self.try_subscribe_many(filters),
        };
        told.map_err(|error| error.to_string())
    }

    fn unsubscribe(&self, filters: &[String]) -> Told {
        filters.iter().try_for_each(|filter| self.try_unsubscribe(filter).map_err(|error| error.to_string()))
    }

    fn publish(&self, line: &Value) -> Told {
        let properties = PublishProperties {
            payload_format_indicator: number(&line["payload_format"]),
            message_expiry_interval: number(&line["message_expiry"]),
            topic_alias: number(&line["topic_alias"]),
            response_topic: string(&line["response_topic"]),
            correlation_data: line["correlation_data"].is_string().then(|| from_hex(&line["correlation_data"]).into()),
            user_properties: pairs(&line["user_properties"]),
            subscription_identifiers: Vec::new(),
            content_type: string(&line["content_type"]),
        };
        let (topic, qos, retain) = (text(&line["topic"]), qos(&line["qos"]), line["retain"] == true);
        let payload = from_hex(&line["payload"]);
        let told = match properties == PublishProperties::default() {
            true => self.try_publish(topic, qos, retain, payload),
            false => self.try_publish_with_properties(topic, qos, retain, payload, properties),
        };
        told.map_err(|error| error.to_string())
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
            Packet::Publish(publish) => {
                let properties = publish.properties.unwrap_or_default();
                Said::Message(json!({
                    "topic": String::from_utf8_lossy(&publish.topic),
                    "payload": to_hex(&publish.payload),
                    "qos": publish.qos as u8,
                    "retain": publish.retain,
                    "dup": publish.dup,
                    "id": Some(publish.pkid).filter(|id| *id > 0),
                    "payload_format": properties.payload_format_indicator,
                    "message_expiry": properties.message_expiry_interval,
                    "response_topic": properties.response_topic,
                    "correlation_data": properties.correlation_data.map(|data| to_hex(&data)),
                    "user_properties": Some(properties.user_properties).filter(|pairs| !pairs.is_empty()),
                    "subscription_ids": Some(properties.subscription_identifiers).filter(|ids| !ids.is_empty()),
                    "content_type": properties.content_type,
                }))
            }
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
