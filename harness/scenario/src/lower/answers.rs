//! Reads `answers` of a raw peer.

use std::time::Duration;

use halfopen_protocol::PacketType;
use halfopen_protocol::packet::Connect;

use super::Lower;
use super::names::Role;
use crate::ast::{self, Answered, Field, Param, Place, value_of};
use crate::plan::{Answer, AnswerKind, Answers, CloseHow};

impl Lower<'_> {
    pub(super) fn answers_or_standard(
        &self,
        answers: &Option<Field<Param<ast::Answers>>>,
        role: Role,
    ) -> Option<Answers> {
        match value_of(answers) {
            Some(written) => self.answers(&*written.get(self.env)?, role).filter(|_| written.is_right()),
            None => Some(Answers::default()),
        }
    }

    /// Returns what a raw peer answers.
    pub(super) fn answers(&self, answers: &ast::Answers, role: Role) -> Option<Answers> {
        let lines = match answers {
            ast::Answers::All(all) => return Some(Answers::all(*all == ast::AllAnswers::Standard)),
            ast::Answers::Some(lines) => lines,
        };
        let mut read = Answers::all(true);
        let mut complete = true;
        for line in lines {
            complete &= self.answer_line(line, role, &mut read).is_some();
        }
        complete.then_some(read)
    }

    fn answer_line(&self, line: &ast::AnswerLine, role: Role, answers: &mut Answers) -> Option<()> {
        let packet = match line.to {
            Answered::Open if !role.is_broker() => {
                let message = "a connection is opened by the client; a raw broker may answer `open`";
                self.error(&line.place, message);
                return None;
            }
            Answered::Open => None,
            Answered::Packet(packet) => Some(packet),
        };
        if let Some(packet) = packet {
            self.has_packet(packet, &line.place)?;
            if !comes_to(role, packet) {
                self.error(&line.place, format!("{packet} never comes to {}", role.with_article()));
                return None;
            }
        }
        let read = self.each(&line.answers.get(self.env)?.0, |answer| self.answer(answer, packet))?;
        match packet {
            None => answers.open = read,
            Some(packet) => drop(answers.packets.insert(packet, read)),
        }
        Some(())
    }

    fn answer(&self, answer: &ast::Answer, packet: Option<PacketType>) -> Option<Answer> {
        let keys = match answer {
            ast::Answer::Word(place, word) => return self.answer_word(*word, place, packet).map(Answer::now),
            ast::Answer::With(keys) => keys,
        };
        let after = match &keys.after {
            Some(_) => self.get(&keys.after)?.value(self.env)?,
            None => Duration::ZERO,
        };
        let kind = if keys.send.is_some() {
            AnswerKind::Send(self.sent(&*self.get(&keys.send)?, &Connect::new(self.version, ""), true)?)
        } else if keys.close.is_some() {
            AnswerKind::Close(close_how(*self.get(&keys.close)?))
        } else {
            AnswerKind::Standard
        };
        Some(Answer { after, kind })
    }

    fn answer_word(&self, word: ast::AnswerWord, place: &Place, packet: Option<PacketType>) -> Option<AnswerKind> {
        match (word, packet) {
            (ast::AnswerWord::Standard, _) => Some(AnswerKind::Standard),
            (ast::AnswerWord::Nothing, _) => Some(AnswerKind::Nothing),
            (ast::AnswerWord::Ignore, None) => Some(AnswerKind::Ignore),
            (ast::AnswerWord::Ignore, Some(_)) => {
                let message = "`ignore` is for `open`, whose SYN is lost; a packet is answered with `nothing`";
                self.error(place, message);
                None
            }
            (ast::AnswerWord::Refuse, Some(packet)) if !can_refuse(packet, self.version.is_v5()) => {
                self.error(place, format!("MQTT {} has no way to refuse a {packet}", self.version));
                None
            }
            (ast::AnswerWord::Refuse, _) => Some(AnswerKind::Refuse),
        }
    }
}

pub(super) fn close_how(word: ast::CloseWord) -> CloseHow {
    match word {
        ast::CloseWord::Fin => CloseHow::Fin,
        ast::CloseWord::Rst => CloseHow::Rst,
    }
}

/// Returns whether a packet can come to a peer of this role [MQTT-2.1.2 of both standards].
fn comes_to(role: Role, packet: PacketType) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe | PacketType::Unsubscribe | PacketType::PingReq => role.is_broker(),
        PacketType::ConnAck | PacketType::SubAck | PacketType::UnsubAck | PacketType::PingResp => !role.is_broker(),
        _ => true,
    }
}

fn can_refuse(packet: PacketType, is_v5: bool) -> bool {
    match packet {
        PacketType::Connect | PacketType::Subscribe => true,
        PacketType::Unsubscribe | PacketType::Publish | PacketType::PubRec | PacketType::PubRel => is_v5,
        _ => false,
    }
}
