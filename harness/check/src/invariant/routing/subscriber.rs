use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, QoS, Subscription};
use halfopen_protocol::topic;

use super::intake::ADDED;
use super::pressure::Pressure;
use super::{Content, Fate, Grant, Message};
use crate::invariant::exchanges::{PublishSent, of_qos};
use crate::invariant::filters::unshared;
use crate::invariant::index::SessionId;
use crate::invariant::report::{Breach, Report};
use crate::invariant::sequence::Sequence;
use crate::invariant::{Context, SOON, shown};
use crate::plan::{BrokerProgram, Invariant, QueuePolicy};

/// Number of bytes under way to a subscriber from which on the network may be what holds up the next message.
const MANY_BYTES: usize = 32 * 1024;

/// The messages that one session is owed by its broker.
#[derive(Default)]
pub(super) struct Subscriber {
    pub(super) client_id: ByteString,
    /// The filters that were granted, with their QoS.
    filters: BTreeMap<ByteString, QoS>,
    has_retain_as_published: bool,
    /// Number of times that a subscription was granted: each may have brought retained messages.
    grants: usize,
    limits: Option<SubscriberLimits>,
    /// Time since which the broker could have sent what waits; `None` while something holds it up.
    able_since: Option<Duration>,
    pressure: Pressure,
    /// True if the broker has been given a message that may not be written at once.
    has_large: bool,
    /// The messages that are owed and not sent, in the order in which they came.
    queue: VecDeque<Rc<Owed>>,
    by_content: BTreeMap<(Content, QoS), Waiting>,
    /// Number of messages of `queue` that wait, and the most bytes that the broker holds for them.
    waiting: usize,
    waiting_bytes: usize,
    /// Number of copies that may be sent beyond the first, for subscriptions that overlap.
    copies: BTreeMap<(Content, QoS), usize>,
    /// Number of messages sent that are wills or retained.
    others: BTreeMap<Content, usize>,
    sequence: Sequence<Content, (ByteString, QoS), (ByteString, ByteString, QoS, QoS)>,
}

/// The limits of the present connection.
pub(super) struct SubscriberLimits {
    pub(super) client_id: ByteString,
    /// Number of messages that may be unacknowledged.
    pub(super) window: usize,
    /// The limit in bytes.
    pub(super) maximum_packet_size: usize,
}

/// The messages that may be sent besides those that came in by PUBLISH.
#[derive(Clone, Copy)]
pub(super) struct Spare {
    pub(super) wills: usize,
    pub(super) is_retained: bool,
    /// Messages of QoS 2 that came for groups: one that a member did not acknowledge may go to another (§4.8.2).
    pub(super) of_groups: usize,
}

/// A message that is owed to one session.
struct Owed {
    number: u64,
    message: Rc<Message>,
    /// The greatest QoS: the smaller of that at which it came and the greatest at which it is subscribed to.
    qos: QoS,
    copies: usize,
    state: Cell<State>,
    excuse: Cell<Option<Excuse>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Sent,
    /// The message will not be sent any more.
    Gone,
}

/// The reason why a message need not be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Excuse {
    /// The subscription began at that very instant, or has ended since.
    NotSubscribed,
    /// The queue of the session was full.
    QueueFull,
    /// A connection of the session took no packet of its size, and the message was dropped [MQTT-3.1.2-25].
    TooLarge,
    /// The broker chooses which member of a shared subscription gets it.
    Shared,
}

/// The messages of one content and QoS: those that must be sent, and those that only may.
#[derive(Default)]
struct Waiting {
    firm: VecDeque<Rc<Owed>>,
    loose: VecDeque<Rc<Owed>>,
}

impl Subscriber {
    pub(super) fn connect(&mut self, now: Duration, limits: SubscriberLimits) {
        self.client_id = limits.client_id.clone();
        self.limits = Some(limits);
        self.able_since = Some(now);
        self.pressure = Pressure::default();
        let maximum = self.limits.as_ref().map_or(usize::MAX, |limits| limits.maximum_packet_size);
        for owed in self.queue.iter().filter(|owed| owed.message.size > maximum) {
            owed.excuse.set(Some(Excuse::TooLarge));
        }
        let waiting = self.queue.iter().filter(|owed| owed.is_waiting());
        let sizes: Vec<usize> = waiting.map(|owed| owed.message.content.1.len()).collect();
        sizes.into_iter().for_each(|bytes| self.pressure.add(now, bytes));
    }

    /// Takes note that the broker has been given a message that may not be written at once.
    pub(super) fn note_large(&mut self) {
        self.has_large = true;
    }

    /// Returns since when the broker could have sent a message; `None` if it may be in the middle of a large one that
    /// the client does not take: it has answered nothing at once.
    fn due(&self, owed: &Owed, able_since: Duration) -> Option<Duration> {
        let since = owed.message.owed_since.get()?.max(able_since);
        let may_be_stuck = self.has_large && self.pressure.answered.is_none_or(|answered| answered <= since);
        (!may_be_stuck).then_some(since + SOON)
    }

    pub(super) fn disconnect(&mut self) {
        self.limits = None;
        self.able_since = None;
    }

    /// The session is over; the filters that it had.
    pub(super) fn forget(&mut self) -> Vec<ByteString> {
        let old = std::mem::take(self);
        self.client_id = old.client_id;
        old.filters.into_keys().collect()
    }

    pub(super) fn is_subscribed(&self, filter: &ByteString) -> bool {
        self.filters.contains_key(filter)
    }

    pub(super) fn subscribe(&mut self, subscription: &Subscription, qos: QoS) {
        self.filters.insert(subscription.filter.clone(), qos);
        self.has_retain_as_published |= subscription.retain_as_published;
        self.grants += 1;
    }

    pub(super) fn unsubscribe(&mut self, filters: &[ByteString]) {
        for filter in filters {
            self.filters.remove(filter);
        }
        let is_wanted = |owed: &Owed| {
            let covers = |(filter, qos): (&ByteString, &QoS)| {
                *qos != QoS::AtMostOnce && matches(filter, &owed.message.content.0)
            };
            self.filters.iter().any(covers)
        };
        for owed in self.queue.iter().filter(|owed| !is_wanted(owed)) {
            owed.excuse.set(Some(Excuse::NotSubscribed));
        }
    }

    /// A packet was sent to the client or came from it, or the client has read one. What is on its way may hold up what
    /// waits.
    pub(super) fn note_room(&mut self, now: Duration, unacknowledged: usize, unread_bytes: usize) {
        self.pressure.unacknowledged = unacknowledged;
        self.pressure.unread_bytes = unread_bytes;
        self.update(now);
    }

    pub(super) fn note_packet(&mut self, now: Duration, is_sent: bool) {
        if !is_sent {
            self.pressure.heard = Some(now);
        } else if self.pressure.heard == Some(now) {
            self.pressure.relieve(now);
        }
    }

    fn update(&mut self, now: Duration) {
        let Some(limits) = &self.limits else { return };
        let has_room = self.pressure.unacknowledged < limits.window && self.pressure.bytes() < MANY_BYTES;
        self.able_since = has_room.then(|| self.able_since.unwrap_or(now));
    }

    pub(super) fn owe(&mut self, message: &Rc<Message>, grants: &[&&Grant], program: &BrokerProgram) {
        let qos = |grant: &&&Grant| {
            let qos = grant.granted.map_or(grant.subscription.qos, |(_, qos)| qos);
            qos.max(grant.changes_to.unwrap_or_default())
        };
        let Some(qos) = grants.iter().map(qos).max().map(|granted| granted.min(message.qos)) else { return };
        if self.limits.is_some() {
            self.pressure.add(message.at, message.content.1.len());
            self.update(message.at);
        }
        // The members of a group get messages in any order [MQTT-4.6.0-6].
        let is_ordered = grants.iter().all(|grant| !grant.is_shared);
        if is_ordered && (qos != QoS::AtMostOnce || self.limits.is_some()) {
            let source = (message.from.clone(), message.qos);
            self.sequence.enter(message.content.clone(), source, grants.len());
        }
        if qos == QoS::AtMostOnce {
            return;
        }
        let is_firm = |grant: &&&Grant| {
            let is_old = grant.granted.is_some_and(|(since, qos)| since < message.at && qos != QoS::AtMostOnce);
            is_old && !grant.is_shared && grant.changes_to.is_none()
        };
        let is_too_large = self.limits.as_ref().is_some_and(|limits| message.size > limits.maximum_packet_size);
        let excuse = if is_too_large {
            Some(Excuse::TooLarge)
        } else if !grants.iter().any(is_firm) {
            Some(if grants.iter().any(|grant| grant.is_shared) { Excuse::Shared } else { Excuse::NotSubscribed })
        } else if self.is_full(message, program) {
            self.displace(program)
        } else {
            None
        };
        let owed = Rc::new(Owed {
            number: self.queue.back().map_or(0, |last| last.number + 1),
            message: Rc::clone(message),
            qos,
            copies: grants.len(),
            state: Cell::new(State::Waiting),
            excuse: Cell::new(excuse),
        });
        self.waiting += 1;
        self.waiting_bytes += message.held_bytes();
        let waiting = self.by_content.entry((message.content.clone(), qos)).or_default();
        waiting.firm.push_back(Rc::clone(&owed));
        self.queue.push_back(owed);
    }

    /// Returns whether the broker may have no room for one more message: `queue_messages` limits what it keeps for a
    /// client that is away, `queue_bytes` what it keeps for any.
    fn is_full(&self, message: &Message, program: &BrokerProgram) -> bool {
        let is_away = self.limits.is_none();
        is_away && self.waiting >= program.config.queue_messages
            || self.waiting_bytes + message.held_bytes() > program.config.queue_bytes
    }

    /// The queue is full: one message may be dropped, the new one or the oldest.
    fn displace(&self, program: &BrokerProgram) -> Option<Excuse> {
        match program.config.queue_policy {
            QueuePolicy::DropNewest => Some(Excuse::QueueFull),
            QueuePolicy::DropOldest => {
                if let Some(oldest) = self.queue.iter().find(|owed| owed.is_waiting() && owed.excuse.get().is_none()) {
                    oldest.excuse.set(Some(Excuse::QueueFull));
                }
                None
            }
        }
    }

    /// Judges what has been due for a second.
    pub(super) fn settle(&mut self, now: Duration, session: SessionId, context: &Context<'_>, report: &mut Report) {
        let Some(able_since) = self.able_since else { return };
        self.judge(session, context, report, |this, owed| this.due(owed, able_since).filter(|due| *due < now));
    }

    pub(super) fn finish(&mut self, end: Duration, session: SessionId, context: &Context<'_>, report: &mut Report) {
        if let Some(able_since) = self.able_since {
            self.judge(session, context, report, |this, owed| this.due(owed, able_since).filter(|due| *due <= end));
        }
        let Some(limits) = &self.limits else { return };
        let why = match self.able_since {
            Some(_) => "less than a second before the run ended",
            None => "when its window or the network was full until the run ended",
        };
        for owed in self.queue.iter().filter(|owed| owed.must_be_sent(end, limits)) {
            let why = format!("a message for {} came {why}", self.client_id);
            report.not_judged_of(of_qos(owed.qos), owed.message.at, &self.client_id, &why);
        }
    }

    fn judge(
        &mut self,
        session: SessionId,
        context: &Context<'_>,
        report: &mut Report,
        due: impl Fn(&Self, &Owed) -> Option<Duration>,
    ) {
        while let Some(owed) = self.queue.front() {
            if owed.is_waiting() {
                let Some(due) = due(self, owed) else { return };
                if let Some(limits) = &self.limits
                    && owed.must_be_sent(due, limits)
                {
                    let broker = context.name(context.index.session(session).node);
                    let (at, to) = (shown(owed.message.at), &self.client_id);
                    let expected = format!("{broker} passes the message of {at} on to {to}");
                    let actual = format!("not by {}, on {}", shown(due), owed.message.content.0);
                    report.breach(of_qos(owed.qos), Breach::new(expected, actual));
                }
                owed.excused(&self.client_id, self.limits.as_ref(), report);
                owed.state.set(State::Gone);
                self.waiting -= 1;
                self.waiting_bytes -= owed.message.held_bytes();
            }
            let owed = self.queue.pop_front();
            owed.into_iter().for_each(|owed| self.tidy(&owed));
        }
    }

    /// The broker begins to send a message to the session.
    pub(super) fn pass_on(
        &mut self,
        sent: &PublishSent<'_>,
        publish: &Publish,
        content: &Content,
        spare: Spare,
        context: &Context<'_>,
        report: &mut Report,
    ) {
        let broker = || context.name(context.index.session(sent.session).node);
        let (topic, to, at) = (&content.0, self.client_id.clone(), shown(sent.seen.at));
        self.pressure.remove(content.1.len());
        // A live message keeps RETAIN only where a subscription asks for it (§3.3.1.3 of 5.0).
        if !publish.retain {
            let lane = |(from, came): &(ByteString, QoS)| (from.clone(), topic.clone(), *came, publish.qos);
            if !self.sequence.leave(content, lane) {
                let expected = format!("{} sends messages on {topic} to {to} as they came", broker());
                report.breach(Invariant::TopicOrder, Breach::new(expected, format!("an earlier one at {at}")));
            }
        }
        self.update(sent.seen.at);
        let may_be_live = !publish.retain || self.has_retain_as_published;
        if publish.qos == QoS::AtMostOnce || may_be_live && self.take(sent.seen.at, content, publish.qos, report) {
            return;
        }
        let others = self.others.entry(content.clone()).or_default();
        let again = if spare.is_retained { self.grants } else { 0 };
        *others += 1;
        let is_member =
            self.filters.keys().any(|filter| topic::shared(filter).is_some() && matches(filter, &content.0));
        let of_groups = if is_member { spare.of_groups } else { 0 };
        if publish.qos == QoS::ExactlyOnce && *others > spare.wills * self.filters.len().max(1) + again + of_groups {
            let expected = format!("{} sends each message on {topic} to {to} once", broker());
            report.breach(Invariant::Qos2ExactlyOnce, Breach::new(expected, format!("one more than came in, at {at}")));
        }
    }

    /// Takes what is sent for one that is owed.
    fn take(&mut self, now: Duration, content: &Content, qos: QoS, report: &mut Report) -> bool {
        // An overlapping subscription may have lowered the QoS of a copy.
        let greater = [QoS::AtLeastOnce, QoS::ExactlyOnce].into_iter().filter(|owed| *owed >= qos);
        let keys: Vec<(Content, QoS)> = greater.map(|qos| (content.clone(), qos)).collect();
        for key in &keys {
            let Some(owed) = self.by_content.get_mut(key).and_then(|waiting| waiting.pop(now)) else {
                if self.take_copy(key) {
                    return true;
                }
                continue;
            };
            owed.state.set(State::Sent);
            self.waiting -= 1;
            self.waiting_bytes -= owed.message.held_bytes();
            if owed.excuse.get() == Some(Excuse::Shared) {
                owed.message.is_shared_out.set(true);
            }
            if owed.copies > 1 {
                *self.copies.entry(key.clone()).or_default() += owed.copies - 1;
            }
            self.tidy(&owed);
            self.skip(&owed, report);
            return true;
        }
        false
    }

    /// Takes a further copy of a message that was sent.
    fn take_copy(&mut self, key: &(Content, QoS)) -> bool {
        let left = self.copies.get_mut(key).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    /// The queue is sent in its order: what need not be sent and stood before this one was dropped. An equal one may have
    /// been sent instead, and this one still be to come.
    fn skip(&mut self, sent: &Owed, report: &mut Report) {
        while let Some(front) = self.queue.front() {
            if front.is_waiting() {
                if front.number > sent.number || front.is_firm() {
                    return;
                }
                if front.qos == sent.qos && front.message.content == sent.message.content {
                    *self.copies.entry((sent.message.content.clone(), sent.qos)).or_default() += 1;
                }
                front.excused(&self.client_id, self.limits.as_ref(), report);
                front.state.set(State::Gone);
                self.waiting -= 1;
                self.waiting_bytes -= front.message.held_bytes();
            }
            let owed = self.queue.pop_front();
            owed.into_iter().for_each(|owed| self.tidy(&owed));
        }
    }

    /// Removes those that no longer wait.
    fn tidy(&mut self, owed: &Rc<Owed>) {
        let key = (owed.message.content.clone(), owed.qos);
        let is_shared = owed.excuse.get() == Some(Excuse::Shared);
        if owed.state.get() == State::Gone && is_shared {
            // It may come later, when the member that was chosen has gone.
            *self.copies.entry(key.clone()).or_default() += 1;
        }
        if let Some(waiting) = self.by_content.get_mut(&key)
            && waiting.is_over()
        {
            self.by_content.remove(&key);
        }
    }
}

impl Owed {
    fn is_waiting(&self) -> bool {
        self.state.get() == State::Waiting
    }

    fn is_firm(&self) -> bool {
        self.excuse.get().is_none() && matches!(self.message.fate.get(), Fate::Pending | Fate::Taken)
    }

    /// Returns whether it had to be sent by this time.
    fn must_be_sent(&self, due: Duration, limits: &SubscriberLimits) -> bool {
        self.is_waiting()
            && self.excuse.get().is_none()
            && self.message.fate.get() == Fate::Taken
            && self.message.owed_since.get().is_some()
            && self.message.expires.is_none_or(|expires| expires > due)
            && self.message.size <= limits.maximum_packet_size
    }

    /// Says that it was not sent, and need not be, where that is not plain.
    fn excused(&self, to: &ByteString, limits: Option<&SubscriberLimits>, report: &mut Report) {
        let maximum = limits.map_or(usize::MAX, |limits| limits.maximum_packet_size);
        let is_near = self.message.size > maximum && self.message.size <= maximum.saturating_add(ADDED);
        let why = match self.excuse.get() {
            None if is_near && self.message.fate.get() == Fate::Taken => {
                format!("a message for {to} may be larger than it takes")
            }
            Some(Excuse::QueueFull) => format!("a message for {to} came while its queue was full"),
            Some(Excuse::Shared) if !self.message.is_shared_out.get() => {
                format!("which member of a shared subscription gets a message: not {to}")
            }
            Some(Excuse::NotSubscribed | Excuse::TooLarge | Excuse::Shared) | None => return,
        };
        report.not_judged_of(of_qos(self.qos), self.message.at, to, &why);
    }
}

impl Waiting {
    /// The first that must be sent and has not expired; failing that, the first that may be.
    fn pop(&mut self, now: Duration) -> Option<Rc<Owed>> {
        while let Some(owed) = self.firm.pop_front() {
            if owed.is_waiting() && owed.is_firm() && owed.message.expires.is_none_or(|at| at > now) {
                return Some(owed);
            }
            if owed.is_waiting() && owed.message.fate.get() != Fate::Refused {
                self.loose.push_back(owed);
            }
        }
        std::iter::from_fn(|| self.loose.pop_front()).find(|owed| owed.is_waiting())
    }

    fn is_over(&mut self) -> bool {
        while self.firm.front().is_some_and(|owed| !owed.is_waiting()) {
            self.firm.pop_front();
        }
        while self.loose.front().is_some_and(|owed| !owed.is_waiting()) {
            self.loose.pop_front();
        }
        self.firm.is_empty() && self.loose.is_empty()
    }
}

fn matches(filter: &str, name: &str) -> bool {
    topic::matches(unshared(filter), name)
}
