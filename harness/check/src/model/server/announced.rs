//! What a server announces in CONNACK (§3.2.2.3), which is what it is set to, and what a client has asked it to spare: large
//! packets, and explanations (§3.1.2.11).

use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, QoS};
use halfopen_protocol::{Packet, encode};

use super::Server;
use super::connection::Connection;
use crate::model::finding::{Findings, shown};
use crate::plan::{BrokerSettings, Invariant};
use crate::trace::ConnectionId;

impl Server {
    /// Judges the properties of a CONNACK that accepts a client of 5.0.
    pub(super) fn judge_announced(&self, connect: &Connect, connack: &ConnAck, findings: &mut Findings) {
        if !connect.version.is_v5() {
            return;
        }
        let mut expect = |clause: &str, what: &str, expected: String, actual: String| {
            if expected != actual {
                let owed = format!("{} announces {what} {expected} to {}", self.name, connect.client_id);
                findings.push(Invariant::BrokerAnswers, clause, &owed, format!("{actual} at {}", shown(self.now)));
            }
        };
        let is_assigned = connack.assigned_client_id.is_some();
        let word = |is: bool| if is { "a" } else { "no" }.to_owned();
        expect("MQTT-3.2.2-16", "Assigned Client Identifier:", word(connect.client_id.is_empty()), word(is_assigned));
        if connect.request_response_information != Some(true) {
            expect("MQTT-3.1.2-28", "Response Information:", word(false), word(connack.response_information.is_some()));
        }
        let method = |method: &Option<ByteString>| method.clone().unwrap_or_default().to_string();
        expect(
            "MQTT-4.12.0-5",
            "Authentication Method",
            method(&connect.authentication_method),
            method(&connack.authentication_method),
        );
        if self.configured_at == Some(self.now) {
            // At this instant it may have had the settings before.
            return;
        }
        let settings = &self.settings.announced;
        // What the scenario does not set is the program's own affair.
        let usual = BrokerSettings::default();
        let asked = connect.session_expiry.unwrap_or(0);
        let number = |is_set: bool, clause, what, expected: u32, actual: u32| (is_set, clause, what, expected, actual);
        let all = [
            number(
                settings.maximum_session_expiry != usual.maximum_session_expiry,
                "§3.2.2.3.2",
                "Session Expiry Interval",
                asked.min(settings.maximum_session_expiry),
                connack.session_expiry.unwrap_or(asked),
            ),
            number(
                settings.receive_maximum != usual.receive_maximum,
                "§3.2.2.3.3",
                "Receive Maximum",
                settings.receive_maximum.into(),
                connack.receive_maximum.unwrap_or(u16::MAX).into(),
            ),
            number(
                settings.maximum_qos != usual.maximum_qos,
                "§3.2.2.3.4",
                "Maximum QoS",
                settings.maximum_qos as u32,
                connack.maximum_qos.unwrap_or(QoS::ExactlyOnce) as u32,
            ),
            number(
                !settings.retain_available,
                "§3.2.2.3.5",
                "Retain Available",
                0,
                connack.retain_available.unwrap_or(true).into(),
            ),
            number(
                settings.maximum_packet_size != usual.maximum_packet_size,
                "§3.2.2.3.6",
                "Maximum Packet Size",
                settings.maximum_packet_size,
                connack.maximum_packet_size.unwrap_or(u32::MAX),
            ),
            number(
                settings.topic_alias_maximum != usual.topic_alias_maximum,
                "§3.2.2.3.8",
                "Topic Alias Maximum",
                settings.topic_alias_maximum.into(),
                connack.topic_alias_maximum.unwrap_or(0).into(),
            ),
            number(
                !settings.wildcard_subscriptions,
                "§3.2.2.3.11",
                "Wildcard Subscription Available",
                0,
                connack.wildcard_subscription_available.unwrap_or(true).into(),
            ),
            number(
                !settings.subscription_identifiers,
                "§3.2.2.3.12",
                "Subscription Identifiers Available",
                0,
                connack.subscription_identifiers_available.unwrap_or(true).into(),
            ),
            number(
                !settings.shared_subscriptions,
                "§3.2.2.3.13",
                "Shared Subscription Available",
                0,
                connack.shared_subscription_available.unwrap_or(true).into(),
            ),
            number(
                settings.server_keep_alive.or(settings.min_keep_alive).or(settings.max_keep_alive).is_some(),
                "§3.2.2.3.14",
                "Server Keep Alive",
                keep_alive(settings, connect.keep_alive).into(),
                connack.server_keep_alive.unwrap_or(connect.keep_alive).into(),
            ),
        ];
        for (_, clause, what, expected, actual) in all.into_iter().filter(|(is_set, ..)| *is_set) {
            expect(clause, what, expected.to_string(), actual.to_string());
        }
    }

    /// Judges a packet of the server against what its client has said in CONNECT.
    pub(super) fn judge_spared(&self, id: ConnectionId, packet: &Packet, findings: &mut Findings) {
        if *packet == Packet::PingResp {
            // It explains nothing, and is smaller than the CONNACK that went before it.
            return;
        }
        let Some(connection) = self.connections.get(&id) else { return };
        let Some(connect) = connection.connect.as_ref().filter(|connect| connect.version.is_v5()) else { return };
        let mut broken = |clause: &str, owed: String, actual: String| {
            let client = self.node_name(connection.client);
            let owed = format!("{} sends {client} {owed}", self.name);
            findings.push(Invariant::BrokerAnswers, clause, &owed, format!("{actual}, at {}", shown(self.now)));
        };
        let name = packet.packet_type().name();
        let mut bytes = BytesMut::new();
        if let Some(maximum) = connect.maximum_packet_size
            && encode(packet, connect.version, &mut bytes).is_ok()
            && bytes.len() > maximum as usize
        {
            broken(
                "MQTT-3.1.2-24",
                format!("no packet of more than {maximum} bytes"),
                format!("{name} of {} bytes", bytes.len()),
            );
        }
        if connect.request_problem_information == Some(false) && Connection::explains(packet) {
            let owed = "no Reason String and no User Property but in PUBLISH, CONNACK and DISCONNECT".to_owned();
            broken("MQTT-3.1.2-29", owed, format!("one in {name}"));
        }
    }
}

impl Connection {
    /// Returns whether a packet explains itself where a client may ask that none does.
    fn explains(packet: &Packet) -> bool {
        let (reason, properties) = match packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
                (&ack.reason_string, &ack.user_properties)
            }
            Packet::SubAck(ack) => (&ack.reason_string, &ack.user_properties),
            Packet::UnsubAck(ack) => (&ack.reason_string, &ack.user_properties),
            Packet::Auth(auth) => (&auth.reason_string, &auth.user_properties),
            _ => return false,
        };
        reason.is_some() || !properties.is_empty()
    }
}

/// Returns the keep-alive in seconds that a server demands of a client of 5.0 that asks for this one; 0 is the longest.
fn keep_alive(settings: &BrokerSettings, asked: u16) -> u16 {
    if let Some(seconds) = settings.server_keep_alive {
        return seconds;
    }
    let mut seconds = asked;
    if let Some(shortest) =
        settings.min_keep_alive.filter(|shortest| *shortest == 0 || seconds > 0 && seconds < *shortest)
    {
        seconds = shortest;
    }
    if let Some(longest) =
        settings.max_keep_alive.filter(|longest| *longest > 0 && (seconds == 0 || seconds > *longest))
    {
        seconds = longest;
    }
    seconds
}
