//! What a server announces in CONNACK binds its client (§3.2.2.3).

use bytes::BytesMut;
use halfopen_protocol::packet::{ConnAck, Publish, QoS};
use halfopen_protocol::{Packet, encode};

use super::Client;
use crate::model::finding::{Findings, shown};
use crate::plan::Invariant;

/// The limits of a server.
pub(super) struct Limits {
    maximum_qos: QoS,
    retains: bool,
    topic_alias_maximum: u16,
    maximum_packet_size: usize,
    takes_wildcards: bool,
    takes_identifiers: bool,
    takes_shared: bool,
}

impl Limits {
    /// The limits that a successful CONNACK announces.
    pub(super) fn of(connack: &ConnAck) -> Self {
        Self {
            maximum_qos: connack.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retains: connack.retain_available.unwrap_or(true),
            topic_alias_maximum: connack.topic_alias_maximum.unwrap_or(0),
            maximum_packet_size: connack.maximum_packet_size.map_or(usize::MAX, |size| size as usize),
            takes_wildcards: connack.wildcard_subscription_available.unwrap_or(true),
            takes_identifiers: connack.subscription_identifiers_available.unwrap_or(true),
            takes_shared: connack.shared_subscription_available.unwrap_or(true),
        }
    }
}

impl Limits {
    /// Returns whether the server takes messages of each QoS, and those with RETAIN.
    pub(super) fn takes_all_kinds(&self) -> bool {
        self.maximum_qos == QoS::ExactlyOnce && self.retains
    }

    /// Returns whether the server takes a subscription to this filter, with this identifier.
    pub(super) fn takes(&self, filter: &str, id: Option<u32>) -> bool {
        let is_small = self.maximum_packet_size == usize::MAX;
        is_small
            && (self.takes_wildcards || !filter.contains(['+', '#']))
            && (self.takes_shared || !filter.starts_with("$share/"))
            && (self.takes_identifiers || id.is_none())
    }

    /// Returns whether this QoS is the one that a client was given, or as much of it as the server takes.
    pub(super) fn is_as_given(&self, given: QoS, sent: QoS) -> bool {
        sent == given || sent == given.min(self.maximum_qos)
    }

    /// Returns whether this RETAIN is the one that a client was given, or as much of it as the server takes.
    pub(super) fn is_retain_as_given(&self, given: bool, sent: bool) -> bool {
        sent == given || (!sent && !self.retains)
    }

    /// Returns whether the server takes a message, as far as that is sure.
    pub(super) fn takes_message(&self, publish: &Publish) -> bool {
        let users: usize = publish.user_properties.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
        let size = publish.payload.len() + publish.topic.len() + users + 512;
        publish.qos <= self.maximum_qos && (self.retains || !publish.retain) && size <= self.maximum_packet_size
    }
}

impl Client {
    /// Judges a packet that the client sends against what the server has announced.
    pub(super) fn judge_limits(&self, packet: &Packet, findings: &mut Findings) {
        let version = self.version();
        let Some(limits) = self.connection.as_ref().and_then(|connection| connection.limits.as_ref()) else { return };
        if !version.is_v5() {
            return;
        }
        let mut broken = |clause: &str, owed: &str, actual: String| {
            let actual = format!("{actual} at {}", shown(self.now));
            findings.push(Invariant::ClientObeysLimits, clause, &format!("{} {owed}", self.name), actual);
        };
        match packet {
            Packet::Publish(publish) => {
                if publish.qos > limits.maximum_qos {
                    let owed = format!("publishes at most at QoS {}, the server's maximum", limits.maximum_qos as u8);
                    broken("MQTT-3.2.2-11", &owed, format!("QoS {}", publish.qos as u8));
                }
                if publish.retain && !limits.retains {
                    broken(
                        "MQTT-3.2.2-14",
                        "publishes without RETAIN, which the server has not",
                        "RETAIN 1".to_owned(),
                    );
                }
                if publish.topic_alias.is_some_and(|alias| alias > limits.topic_alias_maximum) {
                    let owed = format!("uses topic aliases up to {}", limits.topic_alias_maximum);
                    broken("MQTT-3.2.2-17", &owed, format!("alias {}", publish.topic_alias.unwrap_or(0)));
                }
            }
            Packet::Subscribe(subscribe) => {
                let has = |what: &[char]| subscribe.subscriptions.iter().any(|one| one.filter.contains(what));
                let is_shared = subscribe.subscriptions.iter().any(|one| one.filter.starts_with("$share/"));
                if !limits.takes_wildcards && has(&['+', '#']) {
                    broken("§3.2.2.3.11", "subscribes without wildcards, which the server has not", "one".to_owned());
                }
                if !limits.takes_identifiers && subscribe.subscription_id.is_some() {
                    broken("§3.2.2.3.12", "subscribes without a subscription identifier", "one".to_owned());
                }
                if !limits.takes_shared && is_shared {
                    broken("§3.2.2.3.13", "makes no shared subscription, which the server has not", "one".to_owned());
                }
            }
            _ => {}
        }
        if limits.maximum_packet_size < usize::MAX {
            let mut bytes = BytesMut::new();
            if encode(packet, version, &mut bytes).is_ok() && bytes.len() > limits.maximum_packet_size {
                let owed = format!("sends packets of at most {} bytes", limits.maximum_packet_size);
                broken("MQTT-3.2.2-15", &owed, format!("{} of {} bytes", packet.packet_type().name(), bytes.len()));
            }
        }
    }
}
