use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytes::BytesMut;
use bytestring::ByteString;
use halfopen_protocol::packet::{Ack, PacketId, Publish, QoS};
use halfopen_protocol::{Packet, Version, encode};

use super::{Fate, Message};
use crate::invariant::index::{Seen, SessionId};

/// The messages that a broker received, each once, however often it was sent.
#[derive(Default)]
pub(super) struct Intake {
    senders: BTreeMap<SessionId, Sender>,
}

#[derive(Default)]
struct Sender {
    /// Messages of QoS 2, from the first PUBLISH to PUBREL.
    open: BTreeMap<PacketId, Rc<Message>>,
    /// The messages that the answers still to come on this connection are about, in order; empty for a repetition.
    unanswered: BTreeMap<PacketId, VecDeque<Rc<Message>>>,
}

impl Intake {
    /// A connection of a session begins.
    pub(super) fn begin(&mut self, session: SessionId, is_resumed: bool) {
        self.end(session);
        if !is_resumed {
            self.senders.remove(&session);
        }
    }

    /// A connection has ended: what was not answered on it may or may not have been taken.
    pub(super) fn end(&mut self, session: SessionId) {
        let Some(sender) = self.senders.get_mut(&session) else { return };
        for message in std::mem::take(&mut sender.unanswered).into_values().flatten() {
            message.meet(Fate::Open);
        }
    }

    /// A PUBLISH has come; the message, if it is a new one. Whether the broker may refuse it and not say so, as it has to in
    /// 3.1.1, is `may_refuse`.
    pub(super) fn receive(
        &mut self,
        session: SessionId,
        from: &ByteString,
        seen: &Seen<'_>,
        publish: &Publish,
        may_refuse: bool,
    ) -> Option<Rc<Message>> {
        let Some(id) = publish.packet_id else { return Some(Rc::new(Message::new(from, seen, publish, Fate::Taken))) };
        let sender = self.senders.entry(session).or_default();
        let unanswered = sender.unanswered.entry(id).or_default();
        if let Some(message) = sender.open.get(&id).filter(|_| publish.qos == QoS::ExactlyOnce) {
            unanswered.push_back(Rc::clone(message));
            return None;
        }
        // What repeats a message that is not answered yet is a second question, but need not be a second message.
        let fate = if unanswered.is_empty() && !may_refuse { Fate::Pending } else { Fate::Open };
        let message = Rc::new(Message::new(from, seen, publish, fate));
        unanswered.push_back(Rc::clone(&message));
        if publish.qos == QoS::ExactlyOnce {
            sender.open.insert(id, Rc::clone(&message));
        }
        Some(message)
    }

    /// The broker answers with PUBACK or PUBREC.
    pub(super) fn answer(&mut self, session: SessionId, ack: &Ack) {
        let Some(sender) = self.senders.get_mut(&session) else { return };
        let answered = sender.unanswered.get_mut(&ack.packet_id).and_then(VecDeque::pop_front);
        if let Some(message) = answered {
            message.meet(if ack.reason.is_error() { Fate::Refused } else { Fate::Taken });
        }
        if sender.unanswered.get(&ack.packet_id).is_some_and(VecDeque::is_empty) {
            sender.unanswered.remove(&ack.packet_id);
        }
        if ack.reason.is_error() {
            sender.open.remove(&ack.packet_id);
        }
    }

    /// Takes note of a PUBREL, and returns the message that it releases, if there is one.
    pub(super) fn release(&mut self, session: SessionId, id: PacketId, at: Duration) -> Option<Rc<Message>> {
        let message = self.senders.get_mut(&session)?.open.remove(&id)?;
        message.owed_since.set(Some(at));
        Some(message)
    }
}

impl Message {
    fn new(from: &ByteString, seen: &Seen<'_>, publish: &Publish, fate: Fate) -> Self {
        Self {
            at: seen.at,
            from: from.clone(),
            content: (seen.topic.clone(), publish.payload.clone()),
            qos: publish.qos,
            expires: publish.message_expiry.map(|secs| seen.at + Duration::from_secs(secs.into())),
            size: size(&seen.topic, publish),
            fate: Cell::new(fate),
            owed_since: Cell::new((publish.qos != QoS::ExactlyOnce).then_some(seen.at)),
            is_shared_out: Cell::new(false),
        }
    }

    /// Returns how many bytes a broker may hold for it.
    pub(super) fn held_bytes(&self) -> usize {
        2 * self.size + HELD
    }

    /// Sets the fate unless it is known already.
    fn meet(&self, fate: Fate) {
        if self.fate.get() == Fate::Pending {
            self.fate.set(fate);
        }
    }
}

/// Room for what a broker may add to a PUBLISH: an identifier, an alias, identifiers of some subscriptions.
pub(super) const ADDED: usize = 64;

/// The bytes that a broker may count for a message besides its own.
const HELD: usize = 512;

fn size(topic: &ByteString, publish: &Publish) -> usize {
    let packet = Packet::from(Publish { topic: topic.clone(), topic_alias: None, ..publish.clone() });
    let mut bytes = BytesMut::new();
    // What cannot be encoded has only its payload.
    let encoded = encode(&packet, Version::V5_0, &mut bytes).map_or(publish.payload.len(), |()| bytes.len());
    encoded + ADDED
}
