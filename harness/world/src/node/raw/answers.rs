use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use halfopen_protocol::packet::{Ack, ConnAck, PacketId, QoS, SubAck, UnsubAck, UserProperties};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Role, Version};

use halfopen_tcp::SynDecision;

use crate::network::AcceptPolicy;
use crate::plan::{Answer, AnswerKind, Answers};
use crate::trace::ConnectionId;

/// Gives the answers of a raw peer to packets in their turn.
pub(super) struct AnswerScript {
    answers: Answers,
    turns: BTreeMap<PacketType, usize>,
}

/// Gives the answers of a raw broker to connections in their turn, and refuses or ignores them before they are there.
#[derive(Default)]
pub(super) struct RawAcceptPolicy(RefCell<ConnectionAnswers>);

#[derive(Default)]
struct ConnectionAnswers {
    answers: Vec<Answer>,
    turn: usize,
    /// The answers to connections that are not accepted yet, or never will be.
    given: BTreeMap<ConnectionId, Answer>,
}

impl RawAcceptPolicy {
    pub(super) fn new(answers: &Answers) -> Rc<Self> {
        Rc::new(Self(RefCell::new(ConnectionAnswers { answers: answers.to_open(), ..ConnectionAnswers::default() })))
    }

    /// Changes the answers, also for connections that were ignored and decide again.
    pub(super) fn change(&self, change: &Answers) {
        let mut policy = self.0.borrow_mut();
        if change.open.is_empty() && !change.packets.is_empty() {
            return;
        }
        policy.answers = change.to_open();
        policy.turn = 0;
        policy.given.retain(|_, answer| answer.kind != AnswerKind::Ignore);
    }

    /// The answer to a connection that was accepted.
    pub(super) fn admit(&self, connection: ConnectionId) -> Answer {
        let mut policy = self.0.borrow_mut();
        let given = policy.given.remove(&connection);
        given.unwrap_or_else(|| policy.next())
    }
}

impl ConnectionAnswers {
    fn next(&mut self) -> Answer {
        let answer = self.answers[self.turn.min(self.answers.len() - 1)].clone();
        self.turn += 1;
        answer
    }
}

impl AcceptPolicy for RawAcceptPolicy {
    fn decide(&self, connection: ConnectionId) -> SynDecision {
        let mut policy = self.0.borrow_mut();
        let answer = match policy.given.get(&connection) {
            Some(answer) => answer.clone(),
            None => policy.next(),
        };
        let decide = match answer.kind {
            AnswerKind::Refuse => return SynDecision::Reset,
            AnswerKind::Ignore => SynDecision::Drop,
            _ => SynDecision::Accept,
        };
        policy.given.insert(connection, answer);
        decide
    }
}

impl AnswerScript {
    pub(super) fn new(answers: Answers) -> Self {
        Self { answers, turns: BTreeMap::new() }
    }

    /// The answer to the next packet of this type.
    pub(super) fn next(&mut self, packet: PacketType) -> Answer {
        let answers = self.answers.to(packet);
        let turn = self.turns.entry(packet).or_default();
        let answer = answers[(*turn).min(answers.len() - 1)].clone();
        *turn += 1;
        answer
    }

    /// Changes the answers; those that are listed begin again.
    pub(super) fn change(&mut self, change: Answers) {
        if change.open.is_empty() && change.packets.is_empty() {
            self.turns.clear();
        }
        self.turns.retain(|packet, _| !change.packets.contains_key(packet));
        self.answers.change(change);
    }

    /// Returns whether packets of this type stay unanswered.
    pub(super) fn is_silent_on(&self, packet: PacketType) -> bool {
        self.answers.is_silent_on(packet)
    }
}

/// Returns what the standard's flows ask of who is on this side; none where nothing is due.
pub(super) fn standard(side: Role, packet: &Packet, version: Version) -> Option<Packet> {
    Some(match packet {
        Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => Packet::PubAck(Ack::new(id)),
            (QoS::ExactlyOnce, Some(id)) => Packet::PubRec(Ack::new(id)),
            _ => return None,
        },
        Packet::PubRec(ack) => Packet::PubRel(Ack::new(ack.packet_id)),
        Packet::PubRel(ack) => Packet::PubComp(Ack::new(ack.packet_id)),
        _ if side == Role::Client => return None,
        Packet::Connect(connect) => {
            // Who has no name gets one, which only 5.0 can say.
            let assigned = version.is_v5() && connect.client_id.is_empty();
            let assigned_client_id = assigned.then(|| "assigned".into());
            Packet::from(ConnAck { assigned_client_id, ..ConnAck::default() })
        }
        Packet::Subscribe(subscribe) => {
            let granted = |qos: QoS| ReasonCode::new(qos.level());
            let reasons = subscribe.subscriptions.iter().map(|subscription| granted(subscription.qos)).collect();
            suback(subscribe.packet_id, reasons)
        }
        Packet::Unsubscribe(unsubscribe) => {
            let count = if version.is_v5() { unsubscribe.filters.len() } else { 0 };
            unsuback(unsubscribe.packet_id, vec![ReasonCode::SUCCESS; count])
        }
        Packet::PingReq => Packet::PingResp,
        _ => return None,
    })
}

/// The answer that says no, where there is one.
pub(super) fn refusal(packet: &Packet, version: Version) -> Option<Packet> {
    let no = ReasonCode::new(0x87);
    let ack = |id: PacketId, reason| Ack { reason, ..Ack::new(id) };
    Some(match packet {
        Packet::Connect(_) => {
            let reason = if version.is_v5() { no } else { ReasonCode::new(5) };
            Packet::from(ConnAck { reason, ..ConnAck::default() })
        }
        Packet::Subscribe(subscribe) => {
            let reason = if version.is_v5() { no } else { ReasonCode::new(0x80) };
            suback(subscribe.packet_id, vec![reason; subscribe.subscriptions.len()])
        }
        _ if !version.is_v5() => return None,
        Packet::Unsubscribe(unsubscribe) => unsuback(unsubscribe.packet_id, vec![no; unsubscribe.filters.len()]),
        Packet::Publish(publish) => match (publish.qos, publish.packet_id) {
            (QoS::AtLeastOnce, Some(id)) => Packet::PubAck(ack(id, no)),
            (QoS::ExactlyOnce, Some(id)) => Packet::PubRec(ack(id, no)),
            _ => return None,
        },
        Packet::PubRec(received) => Packet::PubRel(ack(received.packet_id, ReasonCode::new(0x92))),
        Packet::PubRel(released) => Packet::PubComp(ack(released.packet_id, ReasonCode::new(0x92))),
        _ => return None,
    })
}

/// The packet id that an answer to this packet repeats.
pub(super) fn id_of(packet: &Packet) -> Option<PacketId> {
    match packet {
        Packet::Publish(publish) => publish.packet_id,
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => Some(ack.packet_id),
        Packet::Subscribe(subscribe) => Some(subscribe.packet_id),
        Packet::Unsubscribe(unsubscribe) => Some(unsubscribe.packet_id),
        _ => None,
    }
}

fn suback(packet_id: PacketId, reasons: Vec<ReasonCode>) -> Packet {
    Packet::SubAck(SubAck { packet_id, reason_string: None, user_properties: UserProperties::new(), reasons })
}

fn unsuback(packet_id: PacketId, reasons: Vec<ReasonCode>) -> Packet {
    Packet::UnsubAck(UnsubAck { packet_id, reason_string: None, user_properties: UserProperties::new(), reasons })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(kinds: &[AnswerKind]) -> Answers {
        Answers { open: kinds.iter().cloned().map(Answer::now).collect(), ..Answers::all(true) }
    }

    #[test]
    fn each_connection_takes_a_turn_however_often_it_knocks() {
        let policy = RawAcceptPolicy::new(&open(&[AnswerKind::Ignore, AnswerKind::Refuse, AnswerKind::Nothing]));
        let [first, second, third, fourth] = [0, 1, 2, 3].map(ConnectionId);
        assert_eq!([first, first].map(|id| policy.decide(id)), [SynDecision::Drop; 2]);
        assert_eq!(
            [second, third, first].map(|id| policy.decide(id)),
            [SynDecision::Reset, SynDecision::Accept, SynDecision::Drop]
        );
        assert_eq!(policy.admit(third).kind, AnswerKind::Nothing);
        // The last one stays, also for who is accepted without having knocked.
        assert_eq!((policy.decide(fourth), policy.admit(fourth).kind), (SynDecision::Accept, AnswerKind::Nothing));
        assert_eq!(policy.admit(ConnectionId(4)).kind, AnswerKind::Nothing);
    }

    #[test]
    fn who_was_ignored_is_taken_by_another_answer() {
        let policy = RawAcceptPolicy::new(&open(&[AnswerKind::Ignore]));
        assert_eq!(policy.decide(ConnectionId(0)), SynDecision::Drop);
        let packets = BTreeMap::from([(PacketType::PingReq, vec![Answer::now(AnswerKind::Nothing)])]);
        policy.change(&Answers { packets, ..Answers::all(true) });
        assert_eq!(policy.decide(ConnectionId(0)), SynDecision::Drop, "packets are another matter");
        policy.change(&open(&[AnswerKind::Standard]));
        assert_eq!(policy.decide(ConnectionId(0)), SynDecision::Accept);
    }

    #[test]
    fn answers_to_everything_are_answers_to_connections() {
        let policy = RawAcceptPolicy::new(&open(&[AnswerKind::Refuse]));
        policy.change(&Answers::all(true));
        assert_eq!(policy.decide(ConnectionId(0)), SynDecision::Accept);
    }
}
