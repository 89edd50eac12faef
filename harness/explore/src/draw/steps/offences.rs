//! Draws what no client may do, done by a scripted one: how a server ends the connection is judged, and what is left of the session.

use std::time::Duration;

use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{ActionKind, ByteText, CloseWord, ConnectFields, FieldValue, Outgoing, Param};

use super::by_hand;
use crate::draw::{Draw, Peer};
use crate::make::{act, acts, field, given, number, packet, send, sized, text, wait};

impl Draw {
    /// A scripted client breaks a rule, and mostly connects again later.
    pub(super) fn offend(&mut self) {
        let may = |peer: &Peer| peer.is_raw && peer.is_connected && peer.is_up && !peer.is_deaf;
        let Some(place) = self.peer(may) else { return };
        let name = self.name(place);
        let outgoing = match (self.random.below(6), self.peers[place].is_v5) {
            (0, true) => self.use_alias_of_before(place),
            (1 | 2, is_v5) => vec![self.malformed(is_v5)],
            _ => self.offence(place),
        };
        self.push(act(name, send(outgoing)));
        self.peers[place].is_connected = false;
        if self.random.chance(60) {
            let time = self.time();
            self.push(wait(time));
            // With Clean Start 0 it shows what is left of the session.
            if self.random.chance(40) {
                self.connect_with(place, ConnectFields { clean: given(false), ..ConnectFields::default() });
            } else {
                self.connect(place, true);
            }
        }
    }

    /// Draws packets of which the last breaks a rule, with some brokers.
    fn offence(&mut self, place: usize) -> Vec<Outgoing> {
        let Peer { is_v5, expiry, .. } = self.peers[place];
        match self.random.below(if is_v5 { 9 } else { 3 }) {
            0 => vec![packet(PacketType::Connect, Vec::new())],
            1 => vec![packet(PacketType::PingResp, Vec::new())],
            2 => vec![packet(PacketType::ConnAck, Vec::new())],
            // More at once than a small window takes.
            3 | 4 => (0..self.random.pick(&[2, 3, 4, 5])).map(|_| self.unreleased()).collect(),
            5 if expiry.is_none() => {
                let expiry = Duration::from_secs(self.random.pick(&[2, 5, 60]));
                self.times.push(expiry);
                vec![packet(PacketType::Disconnect, vec![field("session_expiry", FieldValue::Duration(expiry.into()))])]
            }
            5 | 6 => {
                let (topic, alias) = (self.topic(), self.random.pick(&[3, 11, 65_535]));
                vec![aliased(topic, alias)]
            }
            7 => vec![aliased("", self.random.pick(&[1, 2]))],
            _ => {
                let fields = vec![field("topic", text("t/a")), field("payload", FieldValue::Payload(sized(300)))];
                vec![packet(PacketType::Publish, fields)]
            }
        }
    }

    /// Draws bytes that are no packet, for either side.
    pub(super) fn malformed(&mut self, is_v5: bool) -> Outgoing {
        let bytes: &[u8] = self.random.pick(&[
            // A packet type and flags that are reserved.
            &[0x00, 0x00],
            &[0xC1, 0x00],
            &[0xD1, 0x00],
            &[0x60, 0x02, 0x00, 0x01],
            // A Remaining Length of five bytes.
            &[0x30, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            // PUBLISH of QoS 3, with a wildcard, with what is no UTF-8, with a packet identifier of 0.
            if is_v5 {
                &[0x36, 0x06, 0x00, 0x01, b't', 0x00, 0x01, 0x00]
            } else {
                &[0x36, 0x05, 0x00, 0x01, b't', 0x00, 0x01]
            },
            if is_v5 { &[0x30, 0x04, 0x00, 0x01, b'+', 0x00] } else { &[0x30, 0x03, 0x00, 0x01, b'+'] },
            if is_v5 { &[0x30, 0x04, 0x00, 0x01, 0xFF, 0x00] } else { &[0x30, 0x03, 0x00, 0x01, 0xFF] },
            if is_v5 {
                &[0x32, 0x06, 0x00, 0x01, b't', 0x00, 0x00, 0x00]
            } else {
                &[0x32, 0x05, 0x00, 0x01, b't', 0x00, 0x00]
            },
        ]);
        Outgoing::Bytes(Param::new(ByteText::from(bytes)))
    }

    /// Draws a message of QoS 2 with an identifier of its own.
    fn unreleased(&mut self) -> Outgoing {
        self.payloads += 1;
        let (id, topic, payload) = (self.next_id(), self.topic(), format!("m{}", self.payloads));
        by_hand(id, 2, topic, &payload, false)
    }

    /// A topic alias is set on one connection, and named on the next, where it stands for nothing (§3.3.2.3.4).
    fn use_alias_of_before(&mut self, place: usize) -> Vec<Outgoing> {
        let topic = self.topic();
        let end = ActionKind::Close(Param::new(CloseWord::Fin));
        self.push(acts(self.name(place), vec![send(vec![aliased(topic, 1)]), end]));
        let time = self.random.pick(&[1, 100, 1_000]);
        self.push(wait(Duration::from_millis(time)));
        self.connect(place, true);
        vec![aliased("", 1)]
    }
}

/// A PUBLISH with a topic alias.
fn aliased(topic: &str, alias: u64) -> Outgoing {
    packet(PacketType::Publish, vec![field("topic", text(topic)), field("topic_alias", number(alias))])
}
