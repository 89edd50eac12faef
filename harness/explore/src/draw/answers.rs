//! Draws what scripted peers answer.

use std::time::Duration;

use halfopen_protocol::PacketType;
use halfopen_scenario::ast::{
    Answer, AnswerKeys, AnswerLine, AnswerWord, Answered, Answers, CloseWord, FieldValue, Number, OneOrMore, Param,
    Place, Sent,
};

use super::{Draw, Peer};
use crate::make::{field, given, number, packet};

impl Draw {
    /// Draws what a scripted peer answers; nothing for what the standard asks for.
    pub(super) fn answers(&mut self, is_broker: bool) -> Option<Answers> {
        use PacketType::{Connect, PingReq, PubRec, PubRel, Publish, Subscribe};
        let to: &[Answered] = if is_broker {
            &[
                Answered::Open,
                Answered::Packet(Connect),
                Answered::Packet(Connect),
                Answered::Packet(PingReq),
                Answered::Packet(PingReq),
                Answered::Packet(Publish),
                Answered::Packet(PubRel),
                Answered::Packet(Subscribe),
            ]
        } else {
            &[Answered::Packet(Publish), Answered::Packet(Publish), Answered::Packet(PubRel), Answered::Packet(PubRec)]
        };
        let mut lines: Vec<AnswerLine> = Vec::new();
        let count = self.random.below(3);
        for _ in 0..count {
            let to = self.random.pick(to);
            if lines.iter().any(|line| line.to == to) {
                continue;
            }
            let answers = self.answer_list(&to);
            lines.push(AnswerLine::new(to, answers));
        }
        if lines.is_empty() { None } else { Some(Answers::Some(lines)) }
    }

    fn answer_list(&mut self, to: &Answered) -> Vec<Answer> {
        let count = 1 + self.random.place(3);
        let mut answers: Vec<Answer> = (0..count).map(|_| self.answer(to)).collect();
        // Mostly all is well in the end, so that the story goes on.
        if self.random.chance(60) {
            answers.push(Answer::Word(Place::default(), AnswerWord::Standard));
        }
        answers
    }

    fn answer(&mut self, to: &Answered) -> Answer {
        let word = |word| Answer::Word(Place::default(), word);
        let with = |keys| Answer::With(Box::new(keys));
        let can_refuse = match to {
            Answered::Open => true,
            Answered::Packet(PacketType::Connect | PacketType::Subscribe) => true,
            Answered::Packet(PacketType::Publish | PacketType::PubRec | PacketType::PubRel) => self.swarm.is_v5,
            Answered::Packet(_) => false,
        };
        match self.random.below(8) {
            0 | 1 => word(AnswerWord::Standard),
            2 | 3 => word(AnswerWord::Nothing),
            4 if can_refuse
                && (self.swarm.is_fake || !self.swarm.is_mixed && *to == Answered::Packet(PacketType::Publish)) =>
            {
                word(AnswerWord::Refuse)
            }
            5 if *to == Answered::Open => word(AnswerWord::Ignore),
            5 if self.swarm.is_fake && *to == Answered::Packet(PacketType::Connect) && self.swarm.is_v5 => {
                with(AnswerKeys { send: given(self.connack()), ..AnswerKeys::default() })
            }
            6 if *to != Answered::Open => {
                let close = self.random.pick(&[CloseWord::Fin, CloseWord::Rst]);
                with(AnswerKeys { close: given(close), ..AnswerKeys::default() })
            }
            7 => {
                let times = [10, 500, 1_000, 1_500, 3_000, 5_000].map(Duration::from_millis);
                let after = if self.random.chance(50) { self.random.pick(&times) } else { self.time() };
                with(AnswerKeys { after: given(after.into()), ..AnswerKeys::default() })
            }
            _ => word(AnswerWord::Nothing),
        }
    }

    /// A CONNACK of 5.0 that announces limits.
    fn connack(&mut self) -> Sent {
        let mut fields = Vec::new();
        if self.random.chance(60) {
            let seconds = self.random.pick(&[1, 2, 5, 10]);
            let time = Duration::from_secs(seconds);
            self.times.extend([time, time * 3 / 2]);
            fields.push(field("server_keep_alive", FieldValue::Duration(time.into())));
        }
        if self.random.chance(40) {
            fields.push(field("receive_maximum", number(self.random.pick(&[1, 2]))));
        }
        if self.random.chance(20) {
            fields.push(field("topic_alias_maximum", number(self.random.pick(&[0, 2]))));
        }
        if self.random.chance(15) {
            fields.push(field("maximum_qos", FieldValue::Qos(Number::new(self.random.below(2)))));
        }
        if self.random.chance(15) {
            fields.push(field("retain_available", FieldValue::Bool(false)));
        }
        if self.random.chance(20) {
            fields.push(field("maximum_packet_size", number(self.random.pick(&[60, 200, 2_000]))));
        }
        Sent(OneOrMore(vec![Param::new(packet(PacketType::ConnAck, fields))]))
    }

    /// Draws whether a scripted broker says on all connections but the first that it has kept the session, if all clients keep theirs.
    pub(super) fn remembering(&mut self, answers: Option<Answers>) -> Option<Answers> {
        let keeps = |peer: &Peer| peer.keeps_session && (!peer.is_v5 || peer.expiry.is_some());
        let connect = Answered::Packet(PacketType::Connect);
        let mut lines = match answers {
            Some(Answers::Some(lines)) => lines,
            None => Vec::new(),
            other => return other,
        };
        // With one client alone it is known which connection is the first.
        if self.peers.len() == 1 && self.peers.iter().all(keeps) && self.random.chance(70) {
            lines.retain(|line| line.to != connect);
            let connack = packet(PacketType::ConnAck, vec![field("session_present", FieldValue::Bool(true))]);
            let kept = AnswerKeys { send: given(Sent(OneOrMore(vec![Param::new(connack)]))), ..AnswerKeys::default() };
            let standard = Answer::Word(Place::default(), AnswerWord::Standard);
            lines.push(AnswerLine::new(connect, vec![standard, Answer::With(Box::new(kept))]));
        }
        if lines.is_empty() { None } else { Some(Answers::Some(lines)) }
    }
}
