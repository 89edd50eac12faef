//! What a broker's log says, in the words of Mosquitto.
//!
//! Knows neither the time nor where the lines go.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use halfopen_protocol::packet::{Ack, Connect, Publish};
use halfopen_protocol::{Packet, ReasonCode};

use crate::core::{CloseReason, ConnectionId, Event};

/// The kinds of lines that are logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Detail {
    /// Says nothing of what clients do.
    Nothing,
    /// Connections as they begin and end.
    Connections,
    /// Every packet besides.
    Packets,
}

/// Turns events into lines.
#[derive(Debug)]
pub struct Log {
    detail: Detail,
    /// CONNECT packets that are not answered yet.
    connects: BTreeMap<ConnectionId, Arc<Connect>>,
}

impl Log {
    /// A log with this much detail.
    pub fn new(detail: Detail) -> Self {
        Self { detail, connects: BTreeMap::new() }
    }

    /// Returns whether nothing is said of what clients do.
    pub fn is_silent(&self) -> bool {
        self.detail == Detail::Nothing
    }

    /// The lines about one event, without a timestamp. `peer` is the address of the other end.
    pub fn lines(&mut self, peer: &dyn Display, event: &Event) -> Vec<String> {
        if self.is_silent() {
            return Vec::new();
        }
        match event {
            Event::Received { connection, packet: Packet::Connect(connect), .. } => {
                self.connects.insert(*connection, connect.clone());
                Vec::new()
            }
            Event::Sending { connection, client_id, packet } => {
                let mut lines = match packet {
                    Packet::ConnAck(connack) => match self.connects.remove(connection) {
                        Some(connect) if connack.reason == ReasonCode::SUCCESS => {
                            self.connected(peer, client_id, &connect)
                        }
                        _ => Vec::new(),
                    },
                    _ => Vec::new(),
                };
                lines.extend(self.packet_lines(|| sending(&who(peer, client_id), packet)));
                lines
            }
            Event::Received { client_id, packet, .. } => self.packet_lines(|| received(&who(peer, client_id), packet)),
            Event::Closing { connection, client_id, reason } => {
                let connect = self.connects.remove(connection);
                match (reason, connect) {
                    (CloseReason::NoConnect { .. }, Some(connect)) => vec![undecided(peer, &connect)],
                    _ => vec![closing(&who(peer, client_id), reason)],
                }
            }
            Event::Denied { client_id, operation, topic, .. } => {
                vec![format!("Client {} may not {operation} '{}'.", who(peer, client_id), printable(topic))]
            }
            Event::Closed { connection, client_id, after_disconnect } => {
                self.connects.remove(connection);
                let what = if *after_disconnect { "disconnected" } else { "closed its connection" };
                vec![format!("Client {} {what}.", who(peer, client_id))]
            }
        }
    }

    fn connected(&self, peer: &dyn Display, client_id: &str, connect: &Connect) -> Vec<String> {
        // Mosquitto counts the protocols from MQTT 3.1, which is p1.
        let protocol = if connect.version.is_v5() { 5 } else { 2 };
        let clean = u8::from(connect.clean_start);
        let user = connect.username.as_ref().map(|name| format!(", u'{}'", printable(name))).unwrap_or_default();
        let mut lines = vec![format!(
            "New client connected from {peer} as {} (p{protocol}, c{clean}, k{}{user}).",
            printable(client_id),
            connect.keep_alive
        )];
        lines.extend(self.packet_lines(|| match &connect.will {
            None => vec!["No will message specified.".to_owned()],
            Some(will) => vec![
                format!(
                    "Will message specified ({} bytes) (r{}, q{}).",
                    will.payload.len(),
                    u8::from(will.retain),
                    will.qos.level()
                ),
                format!("\t{}", printable(&will.topic)),
            ],
        }));
        lines
    }

    fn packet_lines(&self, lines: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.detail >= Detail::Packets { lines() } else { Vec::new() }
    }
}

/// Returns the line about messages to a client that were dropped for want of room.
pub fn dropped(client_id: &str, messages: u64) -> String {
    let client = printable(client_id);
    format!(
        "Outgoing messages are being dropped for client {client}: {messages} had no room (queue_messages, queue_bytes, \
         total_bytes and write_buffer limit what waits)."
    )
}

fn received(client: &str, packet: &Packet) -> Vec<String> {
    let name = packet.packet_type();
    let details = match packet {
        Packet::Publish(publish) => format!(" ({})", message(publish)),
        Packet::PubAck(ack) | Packet::PubComp(ack) => format!(" (Mid: {}, RC:{})", ack.packet_id, ack.reason.value()),
        Packet::PubRec(ack) | Packet::PubRel(ack) => format!(" (Mid: {})", ack.packet_id),
        _ => String::new(),
    };
    let mut lines = vec![format!("Received {name} from {client}{details}")];
    match packet {
        Packet::Subscribe(subscribe) => {
            lines.extend(subscribe.subscriptions.iter().map(|subscription| {
                format!("\t{} (QoS {})", printable(&subscription.filter), subscription.qos.level())
            }))
        }
        Packet::Unsubscribe(unsubscribe) => {
            lines.extend(unsubscribe.filters.iter().map(|filter| format!("\t{}", printable(filter))));
        }
        _ => {}
    }
    lines
}

fn sending(client: &str, packet: &Packet) -> Vec<String> {
    let details = match packet {
        Packet::ConnAck(connack) => format!(" ({}, {})", u8::from(connack.session_present), connack.reason.value()),
        Packet::Publish(publish) => format!(" ({})", message(publish)),
        Packet::PubAck(ack) | Packet::PubRec(ack) => acknowledged(ack),
        Packet::PubRel(ack) | Packet::PubComp(ack) => format!(" (m{})", ack.packet_id),
        Packet::Disconnect(disconnect) => format!(" (rc{})", disconnect.reason.value()),
        _ => String::new(),
    };
    vec![format!("Sending {} to {client}{details}", packet.packet_type())]
}

fn acknowledged(ack: &Ack) -> String {
    format!(" (m{}, rc{})", ack.packet_id, ack.reason.value())
}

fn message(publish: &Publish) -> String {
    format!(
        "d{}, q{}, r{}, m{}, '{}', ... ({} bytes)",
        u8::from(publish.dup),
        publish.qos.level(),
        u8::from(publish.retain),
        publish.packet_id.map_or(0, |id| id.get()),
        printable(&publish.topic),
        publish.payload.len()
    )
}

/// The time for a login is over, and the CONNECT did come.
fn undecided(peer: &dyn Display, connect: &Connect) -> String {
    let client = who(peer, &connect.client_id);
    let why = match connect.authentication_method {
        Some(_) => "did not complete its authentication in time",
        None => "waited too long for its password to be checked",
    };
    format!("Client {client} {why}, disconnecting.")
}

fn closing(client: &str, reason: &CloseReason) -> String {
    match reason {
        CloseReason::KeepAlive { .. } => format!("Client {client} has exceeded timeout, disconnecting."),
        CloseReason::NoConnect { .. } => format!("Client {client} sent no CONNECT in time, disconnecting."),
        CloseReason::Takeover => format!("Client {client} already connected, closing old connection."),
        CloseReason::Protocol { reason, clause, what } => {
            format!("Client {client} disconnected due to protocol error: {what} [{clause}] ({reason}).")
        }
        CloseReason::Refused { reason } => format!("Client {client} was refused ({reason})."),
        CloseReason::Disconnected => format!("Client {client} disconnected."),
        CloseReason::Quota => format!("Client {client} does not read what it is sent, disconnecting."),
        CloseReason::TooManyConnections => "Too many connections wait to be accepted, disconnecting one.".to_owned(),
        CloseReason::Shutdown => format!("Client {client} disconnected: the broker stops."),
    }
}

/// The client, or its address while it has not said who it is.
fn who(peer: &dyn Display, client_id: &str) -> String {
    if client_id.is_empty() { format!("<unknown> at {peer}") } else { printable(client_id) }
}

/// A client must not be able to write lines of its own.
fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { printable.extend(c.escape_default()) } else { printable.push(c) }
    }
    printable
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use halfopen_protocol::packet::{
        ConnAck, Disconnect, PacketId, QoS, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe, UserProperties,
        Will,
    };
    use halfopen_protocol::{Instant, PacketType, Version};

    use super::*;

    const PEER: &str = "127.0.0.1:51234";
    const ON: ConnectionId = ConnectionId(1);

    fn came(client_id: &'static str, packet: Packet) -> Event {
        Event::Received { connection: ON, client_id: client_id.into(), packet }
    }

    fn goes(client_id: &'static str, packet: Packet) -> Event {
        Event::Sending { connection: ON, client_id: client_id.into(), packet }
    }

    fn ends(client_id: &'static str, reason: CloseReason) -> Event {
        Event::Closing { connection: ON, client_id: client_id.into(), reason }
    }

    fn connect() -> Connect {
        Connect { keep_alive: 5, ..Connect::new(Version::V3_1_1, "1") }
    }

    fn publish() -> Publish {
        let payload = "hello".into();
        let topic = "home/kitchen/table".into();
        Publish { qos: QoS::AtLeastOnce, packet_id: PacketId::new(1), topic, payload, ..Publish::default() }
    }

    #[test]
    fn dropped_messages_are_told_with_the_settings_that_decide() {
        insta::assert_snapshot!(dropped("slow\nreader", 3), @r"Outgoing messages are being dropped for client slow\nreader: 3 had no room (queue_messages, queue_bytes, total_bytes and write_buffer limit what waits).");
    }

    fn one_of_everything() -> Vec<Event> {
        let id = PacketId::MIN;
        let ack = || Ack::new(id);
        let will = Will { topic: "gone".into(), payload: "bye".into(), retain: true, ..Will::default() };
        let unknown = Event::Closed { connection: ON, client_id: "".into(), after_disconnect: false };
        let silent = CloseReason::KeepAlive {
            since: PacketType::PingReq,
            at: Instant::from_secs(5),
            due: Instant::from_secs(5) + Duration::from_millis(7500),
        };
        let none = UserProperties::new();
        vec![
            came("", Packet::from(connect())),
            goes("1", Packet::ConnAck(Default::default())),
            came(
                "",
                Packet::from(Connect {
                    version: Version::V5_0,
                    clean_start: false,
                    will: Some(will.into()),
                    username: Some("ann".into()),
                    ..connect()
                }),
            ),
            goes("auto-1", Packet::from(ConnAck { session_present: true, ..ConnAck::default() })),
            came("", Packet::from(connect())),
            goes("", Packet::from(ConnAck { reason: ReasonCode::new(2), ..ConnAck::default() })),
            ends("", CloseReason::Refused { reason: ReasonCode::new(2) }),
            came("1", Packet::from(publish())),
            goes("1", Packet::PubAck(ack())),
            goes("2", Packet::from(Publish { dup: true, retain: true, ..publish() })),
            came("2", Packet::PubAck(ack())),
            came("2", Packet::PubRec(ack())),
            goes("2", Packet::PubRel(ack())),
            came("2", Packet::PubComp(ack())),
            goes("2", Packet::PubRec(ack())),
            came("2", Packet::PubRel(ack())),
            goes("2", Packet::PubComp(ack())),
            came(
                "2",
                Packet::Subscribe(Subscribe {
                    packet_id: id,
                    subscription_id: None,
                    user_properties: none.clone(),
                    subscriptions: vec![Subscription::new("home/#", QoS::ExactlyOnce)],
                }),
            ),
            goes(
                "2",
                Packet::SubAck(SubAck {
                    packet_id: id,
                    reason_string: None,
                    user_properties: none.clone(),
                    reasons: vec![ReasonCode::GRANTED_QOS_2],
                }),
            ),
            came(
                "2",
                Packet::Unsubscribe(Unsubscribe {
                    packet_id: id,
                    user_properties: none.clone(),
                    filters: vec!["home/#".into()],
                }),
            ),
            goes(
                "2",
                Packet::UnsubAck(UnsubAck {
                    packet_id: id,
                    reason_string: None,
                    user_properties: none,
                    reasons: Vec::new(),
                }),
            ),
            came("1", Packet::PingReq),
            goes("1", Packet::PingResp),
            ends("1", silent),
            goes("1", Packet::Disconnect(Disconnect::new(ReasonCode::KEEP_ALIVE_TIMEOUT))),
            came("2", Packet::Disconnect(Disconnect::default())),
            ends("2", CloseReason::Disconnected),
            ends("2", CloseReason::Takeover),
            ends("2", CloseReason::Quota),
            ends("2", CloseReason::Shutdown),
            ends("", CloseReason::NoConnect { opened: Instant::ZERO, due: Instant::from_secs(10) }),
            ends(
                "2",
                CloseReason::Protocol {
                    reason: ReasonCode::PROTOCOL_ERROR,
                    clause: "MQTT-3.1.0-2",
                    what: "second CONNECT",
                },
            ),
            Event::Closed { connection: ON, client_id: "1".into(), after_disconnect: false },
            unknown,
        ]
    }

    fn text(detail: Detail) -> String {
        let mut log = Log::new(detail);
        one_of_everything().iter().flat_map(|event| log.lines(&PEER, event)).map(|line| line + "\n").collect()
    }

    #[test]
    fn with_packets_it_reads_as_mosquitto_does() {
        insta::assert_snapshot!(text(Detail::Packets));
    }

    #[test]
    fn without_packets_it_shows_who_comes_and_goes() {
        insta::assert_snapshot!(text(Detail::Connections));
    }

    #[test]
    fn without_anything_it_says_nothing_of_clients() {
        assert_eq!(text(Detail::Nothing), "");
    }

    #[test]
    fn a_login_that_is_not_decided_in_time_is_not_said_to_have_sent_no_connect() {
        let lines = |connect: Connect| {
            let mut log = Log::new(Detail::Connections);
            let reason = CloseReason::NoConnect { opened: Instant::ZERO, due: Instant::from_secs(10) };
            let closing = Event::Closing { connection: ON, client_id: "".into(), reason };
            let received = came("", Packet::from(connect));
            [received, closing].iter().flat_map(|event| log.lines(&PEER, event)).collect::<Vec<_>>()
        };
        let connect = || Connect { username: Some("ann".into()), ..Connect::new(Version::V5_0, "1") };
        assert_eq!(lines(connect()), ["Client 1 waited too long for its password to be checked, disconnecting."]);
        let connect = Connect { authentication_method: Some("X".into()), ..connect() };
        assert_eq!(lines(connect), ["Client 1 did not complete its authentication in time, disconnecting."]);
    }

    #[test]
    fn a_client_cannot_write_lines_of_its_own() {
        let evil = came("x\nClient 1 disconnected.\u{1b}[2J", Packet::PingReq);
        let lines = Log::new(Detail::Packets).lines(&PEER, &evil);
        assert_eq!(lines, ["Received PINGREQ from x\\nClient 1 disconnected.\\u{1b}[2J"]);
    }

    #[test]
    fn nothing_is_kept_of_connections_that_are_gone() {
        let mut log = Log::new(Detail::Packets);
        log.lines(&PEER, &came("", Packet::from(connect())));
        log.lines(&PEER, &Event::Closed { connection: ON, client_id: "".into(), after_disconnect: false });
        assert!(log.connects.is_empty());
    }
}
