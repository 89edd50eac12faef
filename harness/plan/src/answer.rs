use std::collections::BTreeMap;
use std::time::Duration;

use halfopen_protocol::PacketType;

use super::{CloseHow, Outgoing};

/// The answers of a raw peer, packet type by packet type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// True if whatever is not listed gets the standard answers, false if it gets none.
    pub gives_standard: bool,
    /// The answers to connections that are opened, each in turn; the last stays.
    pub open: Vec<Answer>,
    /// The answers to packets, each in turn; the last stays.
    pub packets: BTreeMap<PacketType, Vec<Answer>>,
}

/// An answer of a raw peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The delay.
    pub after: Duration,
    /// The kind.
    pub kind: AnswerKind,
}

/// The kinds of answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerKind {
    /// The answer that the standard asks for.
    Standard,
    /// There is no answer; what stays unanswered is answered once the answer is another one.
    Nothing,
    /// The answer that says no; for a connection RST to its SYN.
    Refuse,
    /// The SYN of a connection is lost, however often it is sent again.
    Ignore,
    /// These bytes and packets, in one piece.
    Send(Vec<Outgoing>),
    /// The end of the connection.
    Close(CloseHow),
}

impl Answers {
    /// The same for everything.
    pub fn all(gives_standard: bool) -> Self {
        Self { gives_standard, open: Vec::new(), packets: BTreeMap::new() }
    }

    /// Replaces the answers that `change` lists, and keeps all others. One that lists nothing changes
    /// all.
    pub fn change(&mut self, change: Self) {
        if change.open.is_empty() && change.packets.is_empty() {
            *self = change;
            return;
        }
        if !change.open.is_empty() {
            self.open = change.open;
        }
        self.packets.extend(change.packets);
    }

    /// The answers to a packet of this type, in turn.
    pub fn to(&self, packet: PacketType) -> Vec<Answer> {
        self.packets.get(&packet).cloned().unwrap_or_else(|| vec![self.default_answer()])
    }

    /// The answers to a connection, in turn.
    pub fn to_open(&self) -> Vec<Answer> {
        if self.open.is_empty() { vec![Answer::now(AnswerKind::Standard)] } else { self.open.clone() }
    }

    /// Returns whether no packet of this type is answered.
    pub fn is_silent_on(&self, packet: PacketType) -> bool {
        let nothing = |answer: &Answer| answer.kind == AnswerKind::Nothing;
        self.packets.get(&packet).map_or(!self.gives_standard, |answers| answers.iter().all(nothing))
    }

    fn default_answer(&self) -> Answer {
        Answer::now(if self.gives_standard { AnswerKind::Standard } else { AnswerKind::Nothing })
    }
}

impl Default for Answers {
    /// The standard answers to everything.
    fn default() -> Self {
        Self::all(true)
    }
}

impl Answer {
    /// Creates an answer without delay.
    pub fn now(kind: AnswerKind) -> Self {
        Self { after: Duration::ZERO, kind }
    }
}
