//! What a broker was given to pass on, what it owes to each subscriber, and what it sends to it.
//!
//! [MQTT-4.3.2-4], [MQTT-4.3.3-10] (5.0): each message of QoS 1 and 2 that the broker has taken reaches each session that
//! is subscribed at QoS 1 or 2; of QoS 2 only once. [MQTT-4.6.0-6]: in the order in which it came from its client.
//!
//! A message has no name that the broker would send on. So what is sent to a subscriber is counted against what is owed
//! to it, first come first served, and what is owed does not wait for ever: a second after the broker could have sent it,
//! it is missing, and an equal message that is sent later is not taken for it.

mod intake;
mod pressure;
mod subscriber;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, Publish, QoS, SubAck, Subscribe, Subscription};
use halfopen_protocol::{Packet, topic};

use self::intake::Intake;
use self::subscriber::{Subscriber, SubscriberLimits};
use super::exchanges::PublishSent;
use super::filters::FilterTree;
use super::index::{EndId, Fact, Seen, SessionId};
use super::report::Report;
use super::table::Table;
use super::{Context, LARGE, Rule};
use crate::plan::{BrokerProgram, NodeId, Program};

/// A message that a broker received.
pub(super) struct Message {
    at: Duration,
    from: ByteString,
    content: Content,
    qos: QoS,
    /// Time at which it expires, if it does.
    expires: Option<Duration>,
    /// An upper bound of the size of the packet in which it is sent on, in bytes.
    size: usize,
    fate: Cell<Fate>,
    /// Time since which it has to be passed on: a message of QoS 2 may wait for its PUBREL (§4.3.3).
    owed_since: Cell<Option<Duration>>,
    /// True if a member of a shared subscription got it.
    is_shared_out: Cell<bool>,
}

/// Topic and payload.
type Content = (ByteString, Bytes);

/// The answer of the broker to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// No answer yet.
    Pending,
    /// The broker accepts it; QoS 0 needs no answer.
    Taken,
    /// The broker refuses it.
    Refused,
    /// No answer before the connection ended, or it repeats a message that was not answered yet: the broker may pass it
    /// on.
    Open,
}

/// A subscription of one session.
struct Grant {
    subscription: Subscription,
    /// Time at which it was granted, and at which QoS; `None` before SUBACK.
    granted: Option<(Duration, QoS)>,
    /// The highest QoS at which it has been asked for since, before SUBACK.
    changes_to: Option<QoS>,
    is_shared: bool,
}

/// A subscription that was asked for.
struct Asked {
    subscription: Subscription,
    /// UNSUBSCRIBE has come since.
    is_given_up: bool,
}

/// The messages that all brokers of a run pass on.
#[derive(Default)]
pub(super) struct Routing {
    brokers: BTreeMap<NodeId, Broker>,
}

/// The messages that one broker passes on.
#[derive(Default)]
struct Broker {
    intake: Intake,
    filters: FilterTree<Grant>,
    subscribers: Table<SessionId, Box<Subscriber>>,
    /// SUBSCRIBEs that are not answered yet.
    asked: BTreeMap<(EndId, PacketId), Vec<Asked>>,
    /// Ends that closed at an instant, with their sessions: an answer that was written before may still follow at it.
    closed: (Duration, Vec<(EndId, SessionId)>),
    /// Wills that were announced: how many with this content.
    wills: BTreeMap<Content, usize>,
    /// True if a message has come that may not be written at once.
    has_large: bool,
    /// Messages of QoS 2 that were owed to groups: how many with this content.
    of_groups: BTreeMap<Content, usize>,
    /// Contents that were to be retained, by messages or wills.
    retained: BTreeSet<Content>,
}

impl Rule for Routing {
    fn observe(&mut self, fact: &Fact<'_>, context: &Context<'_>, report: &mut Report) {
        let node = match fact {
            Fact::Packet(Seen { end, .. })
            | Fact::Exchanged(_, Seen { end, .. })
            | Fact::PublishSent(PublishSent { seen: Seen { end, .. }, .. })
            | Fact::Accepted { end, .. }
            | Fact::Read { end, .. }
            | Fact::Ended { end, .. } => context.index.end(*end).node,
            Fact::Died { node, .. } | Fact::DiskLost { node, .. } => *node,
            Fact::Delivered { .. } | Fact::Step { .. } => return,
        };
        let Program::Broker(program) = &context.plan.node(node).program else { return };
        self.brokers.entry(node).or_default().observe(fact, program, context, report);
    }

    fn finish(&mut self, end: Duration, context: &Context<'_>, report: &mut Report) {
        for broker in self.brokers.values_mut() {
            for (session, subscriber) in broker.subscribers.iter_mut() {
                subscriber.finish(end, session, context, report);
            }
        }
    }
}

impl Broker {
    fn observe(&mut self, fact: &Fact<'_>, program: &BrokerProgram, context: &Context<'_>, report: &mut Report) {
        if self.closed.0 < fact.at() {
            self.refuse_unanswered();
        }
        match fact {
            Fact::Packet(seen) => self.note_will(seen),
            Fact::Accepted { at, end, session, .. } => {
                self.settle(*at, *session, context, report);
                self.intake.begin(*session, context.index.session(*session).is_resumed);
                if !context.index.session(*session).is_resumed {
                    self.forget(*session);
                }
                let subscriber = self.subscribers.get_or_default(*session);
                subscriber.connect(*at, limits(*end, program, context));
                if self.has_large {
                    subscriber.note_large();
                }
            }
            Fact::Exchanged(session, seen) => {
                self.settle(seen.at, *session, context, report);
                if let Some(subscriber) = self.subscribers.get_mut(*session) {
                    subscriber.note_packet(seen.at, seen.is_sent);
                }
                match seen.is_sent {
                    true => self.sent(*session, seen, context),
                    false => self.received(*session, seen, program, context, report),
                }
                self.note_room(seen.at, *session, seen.end, context);
            }
            Fact::PublishSent(sent) => self.pass_on(sent, context, report),
            Fact::Read { at, end } => {
                if let Some(session) = context.index.end(*end).session {
                    self.settle(*at, session, context, report);
                    self.note_room(*at, session, *end, context);
                }
            }
            Fact::Ended { at, end } => self.end(*at, *end, context, report),
            Fact::Died { .. } if program.durable => {}
            Fact::Died { .. } | Fact::DiskLost { .. } => {
                let sessions: Vec<SessionId> = self.subscribers.keys().collect();
                for session in sessions {
                    self.forget(session);
                }
            }
            Fact::Delivered { .. } | Fact::Step { .. } => {}
        }
    }

    fn settle(&mut self, now: Duration, session: SessionId, context: &Context<'_>, report: &mut Report) {
        if let Some(subscriber) = self.subscribers.get_mut(session) {
            subscriber.settle(now, session, context, report);
        }
    }

    fn note_room(&mut self, now: Duration, session: SessionId, end: EndId, context: &Context<'_>) {
        if let Some(subscriber) = self.subscribers.get_mut(session)
            && context.index.session(session).current == end
        {
            let end = context.index.end(end);
            subscriber.note_room(now, end.unacknowledged.len(), end.unread_bytes);
        }
    }

    fn end(&mut self, at: Duration, end: EndId, context: &Context<'_>, report: &mut Report) {
        let ended = context.index.end(end);
        let Some(session) = ended.session.filter(|session| context.index.session(*session).current == end) else {
            return;
        };
        self.settle(at, session, context, report);
        self.intake.end(session);
        if self.asked_on(end).next().is_some() {
            self.closed.0 = at;
            self.closed.1.push((end, session));
        }
        if let Some(subscriber) = self.subscribers.get_mut(session) {
            subscriber.disconnect();
        }
        if ended.session_expiry() == Some(0) {
            self.forget(session);
        }
    }

    /// Returns the SUBSCRIBEs of an end that are not answered.
    fn asked_on(&self, end: EndId) -> impl Iterator<Item = (EndId, PacketId)> {
        self.asked.range((end, PacketId::MIN)..).map(|(key, _)| *key).take_while(move |key| key.0 == end)
    }

    /// The instant is over at which some ends closed: what they had asked for and was not answered is not granted.
    fn refuse_unanswered(&mut self) {
        for (end, session) in std::mem::take(&mut self.closed.1) {
            for key in self.asked_on(end).collect::<Vec<_>>() {
                for asked in self.asked.remove(&key).unwrap_or_default() {
                    self.refuse(session, &asked.subscription.filter);
                }
            }
        }
    }

    /// The session is over: what it had subscribed to, and what it was owed.
    fn forget(&mut self, session: SessionId) {
        if let Some(subscriber) = self.subscribers.get_mut(session) {
            for filter in subscriber.forget() {
                self.filters.remove(session, &filter);
            }
        }
    }

    fn note_will(&mut self, seen: &Seen<'_>) {
        if let Packet::Connect(connect) = &*seen.packet
            && let Some(will) = &connect.will
        {
            let content = (will.topic.clone(), will.payload.clone());
            if will.retain {
                self.retained.insert(content.clone());
            }
            *self.wills.entry(content).or_default() += 1;
        }
    }

    fn sent(&mut self, session: SessionId, seen: &Seen<'_>, context: &Context<'_>) {
        match &*seen.packet {
            Packet::PubAck(ack) | Packet::PubRec(ack) => self.intake.answer(session, ack),
            Packet::SubAck(suback) => self.grant(session, seen, suback, context),
            _ => {}
        }
    }

    fn received(
        &mut self,
        session: SessionId,
        seen: &Seen<'_>,
        program: &BrokerProgram,
        context: &Context<'_>,
        report: &mut Report,
    ) {
        match &*seen.packet {
            Packet::Publish(publish) => {
                if publish.payload.len() >= LARGE && !self.has_large {
                    self.has_large = true;
                    self.subscribers.iter_mut().for_each(|(_, subscriber)| subscriber.note_large());
                }
                let from = &context.index.session(session).client_id;
                let may_refuse = program.access.is_some();
                if let Some(message) = self.intake.receive(session, from, seen, publish, may_refuse) {
                    self.owe(&message, publish, program, context, report);
                }
            }
            Packet::PubRel(ack) => {
                if let Some(message) = self.intake.release(session, ack.packet_id, seen.at) {
                    self.owe_at_release(&message, program);
                }
            }
            Packet::Subscribe(subscribe) => self.ask(session, seen, subscribe),
            Packet::Unsubscribe(unsubscribe) => {
                for filter in &unsubscribe.filters {
                    self.filters.remove(session, filter);
                }
                // A SUBACK that is still to come grants them no more.
                let asked = self.asked.range_mut((seen.end, PacketId::MIN)..).take_while(|(key, _)| key.0 == seen.end);
                for one in asked.flat_map(|(_, asked)| asked) {
                    one.is_given_up |= unsubscribe.filters.contains(&one.subscription.filter);
                }
                let Some(subscriber) = self.subscribers.get_mut(session) else { return };
                subscriber.unsubscribe(&unsubscribe.filters);
            }
            _ => {}
        }
    }

    fn ask(&mut self, session: SessionId, seen: &Seen<'_>, subscribe: &Subscribe) {
        for subscription in &subscribe.subscriptions {
            let is_shared = topic::shared(&subscription.filter).is_some();
            let make = || Grant { subscription: subscription.clone(), granted: None, changes_to: None, is_shared };
            let grant = self.filters.entry(session, &subscription.filter, make);
            grant.changes_to = grant.changes_to.max(Some(subscription.qos));
        }
        let asked = subscribe.subscriptions.iter().cloned();
        let asked = asked.map(|subscription| Asked { subscription, is_given_up: false }).collect();
        self.asked.insert((seen.end, subscribe.packet_id), asked);
    }

    fn grant(&mut self, session: SessionId, seen: &Seen<'_>, suback: &SubAck, context: &Context<'_>) {
        let asked = self.asked.remove(&(seen.end, suback.packet_id)).unwrap_or_default();
        if is_session_over(seen.end, session, context) {
            return asked.iter().for_each(|asked| self.refuse(session, &asked.subscription.filter));
        }
        for (Asked { subscription, .. }, reason) in
            asked.iter().zip(&suback.reasons).filter(|(asked, _)| !asked.is_given_up)
        {
            let Some(qos) = QoS::new(reason.value()) else {
                self.refuse(session, &subscription.filter);
                continue;
            };
            let is_shared = topic::shared(&subscription.filter).is_some();
            let make = || Grant { subscription: subscription.clone(), granted: None, changes_to: None, is_shared };
            let grant = self.filters.entry(session, &subscription.filter, make);
            grant.subscription = subscription.clone();
            (grant.granted, grant.changes_to) = (Some((seen.at, qos)), None);
            if let Some(subscriber) = self.subscribers.get_mut(session) {
                subscriber.subscribe(subscription, qos);
            }
        }
    }

    /// A subscription was asked for and not granted; one that was granted before stays.
    fn refuse(&mut self, session: SessionId, filter: &ByteString) {
        let stays = self.subscribers.get(session).is_some_and(|subscriber| subscriber.is_subscribed(filter));
        if let Some(grant) = self.filters.remove(session, filter).filter(|_| stays) {
            self.filters.entry(session, filter, || Grant { changes_to: None, ..grant });
        }
    }

    /// The message is owed to all sessions that are subscribed to it.
    fn owe(
        &mut self,
        message: &Rc<Message>,
        publish: &Publish,
        program: &BrokerProgram,
        context: &Context<'_>,
        report: &mut Report,
    ) {
        if publish.retain {
            self.retained.insert(message.content.clone());
        }
        let mut is_of_group = false;
        for (session, grants) in self.filters.matching(&message.content.0) {
            is_of_group |= grants.iter().any(|grant| grant.is_shared);
            let Some(subscriber) = self.subscribers.get_mut(session) else { continue };
            let is_own = |grant: &&&Grant| grant.subscription.no_local && subscriber.client_id == message.from;
            let grants: Vec<&&Grant> = grants.iter().filter(|grant| !is_own(grant)).collect();
            subscriber.settle(message.at, session, context, report);
            subscriber.owe(message, &grants, program);
        }
        if is_of_group && message.qos == QoS::ExactlyOnce {
            *self.of_groups.entry(message.content.clone()).or_default() += 1;
        }
    }

    /// A broker may look for the subscribers of a message of QoS 2 when it is released (§4.3.3): a subscription that is newer
    /// than the message may be sent it.
    fn owe_at_release(&mut self, message: &Rc<Message>, program: &BrokerProgram) {
        for (session, grants) in self.filters.matching(&message.content.0) {
            let Some(subscriber) = self.subscribers.get_mut(session) else { continue };
            let is_newer = |grant: &&&Grant| grant.granted.is_none_or(|(since, _)| since >= message.at);
            let grants: Vec<&&Grant> = grants.iter().filter(is_newer).collect();
            subscriber.owe(message, &grants, program);
        }
    }

    fn pass_on(&mut self, sent: &PublishSent<'_>, context: &Context<'_>, report: &mut Report) {
        let Some(publish) = sent.seen.sent_publish() else { return };
        let Some(subscriber) = self.subscribers.get_mut(sent.session) else { return };
        // What is written after the end of a session went out of a queue that is gone.
        if !sent.is_new() || is_session_over(sent.seen.end, sent.session, context) {
            return;
        }
        let content = (sent.seen.topic.clone(), publish.payload.clone());
        let spare = subscriber::Spare {
            wills: self.wills.get(&content).copied().unwrap_or_default(),
            is_retained: self.retained.contains(&content),
            of_groups: self.of_groups.get(&content).copied().unwrap_or_default(),
        };
        subscriber.pass_on(sent, publish, &content, spare, context, report);
    }
}

/// Returns whether the session that an end belonged to ended with it, or another one has taken its place.
fn is_session_over(end: EndId, session: SessionId, context: &Context<'_>) -> bool {
    let (seen, session) = (context.index.end(end), context.index.session(session));
    seen.ended.is_some() && (seen.session_expiry() == Some(0) || session.current != end && !session.is_resumed)
}

fn limits(end: EndId, program: &BrokerProgram, context: &Context<'_>) -> SubscriberLimits {
    let end = context.index.end(end);
    let maximum_packet_size = end.connect.as_ref().and_then(|connect| connect.maximum_packet_size);
    SubscriberLimits {
        client_id: end.client_id(),
        window: end.window().min(program.config.in_flight_messages.into()),
        maximum_packet_size: maximum_packet_size.map_or(usize::MAX, |size| size as usize),
    }
}
