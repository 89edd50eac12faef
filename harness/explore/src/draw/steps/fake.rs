//! Draws what a scripted broker does.

use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    ActionKind, AllAnswers, Answer, AnswerLine, AnswerWord, Answered, Answers, CloseWord, FieldValue, Outgoing, Param,
    Payload, Place,
};

use super::by_hand;
use crate::draw::{Draw, FAKE};
use crate::make::{act, field, number, packet, send, sized, text, wait};

impl Draw {
    /// Returns what a scripted broker may send to a client at any time; nothing with an identifier if it is to be sent
    /// again and again.
    pub(super) fn fake_says(&mut self, may_be_acknowledged: bool) -> Vec<Outgoing> {
        let id = self.next_id();
        self.payloads += 1;
        let payload = format!("m{}", self.payloads);
        let topic = self.topic();
        let plain = |payload| {
            packet(
                PacketType::Publish,
                vec![field("topic", text(topic)), field("payload", FieldValue::Payload(payload))],
            )
        };
        match self.random.below(if may_be_acknowledged { 9 } else { 4 }) {
            0 => vec![packet(PacketType::PingResp, Vec::new())],
            1 | 2 => vec![plain(Payload::text(payload))],
            3 => vec![plain(sized(20_000))],
            4 | 5 => vec![by_hand(id, 1, topic, &payload, false)],
            6 => vec![by_hand(id, 2, topic, &payload, false)],
            // 5.0 has no repetition on a live connection [MQTT-4.4.0-1].
            7 if !self.swarm.is_v5 => {
                vec![by_hand(id, 2, topic, &payload, false), by_hand(id, 2, topic, &payload, true)]
            }
            _ => vec![packet(PacketType::PubRel, vec![field("id", number(id))])],
        }
    }

    pub(super) fn fake_sends(&mut self) {
        // Clients of both versions may hear it.
        let outgoing = match self.swarm.has_offences && !self.swarm.is_mixed && self.random.chance(20) {
            true => vec![self.malformed(self.swarm.is_v5)],
            false => self.fake_says(true),
        };
        self.push(act(FAKE, send(outgoing)));
    }

    pub(super) fn fake_closes(&mut self) {
        let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
        self.push(act(FAKE, ActionKind::Close(Param::new(end))));
        for peer in &mut self.peers {
            peer.is_connected = peer.reconnects && peer.is_connected;
        }
        if self.random.chance(50) {
            let time = self.time();
            self.push(wait(time));
        }
    }

    /// The scripted broker falls silent in one way or another.
    pub(super) fn fake_silent(&mut self) {
        use PacketType::{Connect, PingReq, Publish};
        let packet = self.random.pick(&[PingReq, PingReq, Connect, Publish]);
        if self.random.chance(25) {
            self.fake_sends();
        }
        let nothing = Answer::Word(Place::default(), AnswerWord::Nothing);
        let answers = Answers::Some(vec![AnswerLine::new(Answered::Packet(packet), vec![nothing])]);
        self.push(act(FAKE, ActionKind::Answer(Param::new(answers))));
        if packet == Connect {
            let end = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
            self.push(act(FAKE, ActionKind::Close(Param::new(end))));
        }
        let time = self.time();
        self.push(wait(time));
        self.push(act(FAKE, ActionKind::Answer(Param::new(Answers::All(AllAnswers::Standard)))));
    }
}
