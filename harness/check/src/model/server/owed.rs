//! What a session is owed: messages to be sent to it, each for the subscriptions that it matches.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytestring::ByteString;
use halfopen_protocol::packet::QoS;
use halfopen_protocol::{Empty, Instant};

pub(super) use self::message::{Content, Copy, Match, OwedMessage};
use super::publication::Publication;
use super::session::Subscribed;
use crate::sequence::Sequence;

mod message;

/// Number of messages with equal content beyond which the oldest that need not be sent are no longer told apart.
const CANDIDATES: usize = 64;

/// The choice between messages with equal content that a PUBLISH may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The oldest that has to be sent, of which no copy was, and that is owed as it was sent, with the lifetime that is left of it, the
    /// identifiers of its subscriptions, and its properties.
    Surely,
    /// The oldest that fits in this way, but for identifiers that are not named: an equal message to a group may have these.
    Partly,
    /// The oldest that fits in this way, has to be sent, and may still be held back.
    Held,
    /// The oldest that fits in this way and need not be sent.
    Exact,
    /// One of which a copy was sent and a further one may be, with the lifetime that is left of it or an identifier that is missing.
    FurtherExact,
    /// The oldest of which no copy was sent and that is owed as it was sent, with any lifetime.
    First,
    /// One of which a copy was sent and a further one may be, with any lifetime.
    Further,
    /// As the first, with any properties.
    FirstAltered,
    /// As a further one, with any properties.
    FurtherAltered,
    /// One that is owed otherwise than it was sent.
    Other,
}

/// The messages that one session is owed.
#[derive(Default)]
pub(super) struct Owed {
    messages: BTreeMap<Content, VecDeque<OwedMessage>>,
    /// The messages of equal content beyond [`CANDIDATES`] that may be sent and need not be: how many, and one of them.
    alike: BTreeMap<Content, (usize, OwedMessage)>,
    /// Number and bytes of the messages above QoS 0 that have not been sent at all.
    pub(super) waiting: (usize, usize),
    /// Messages of QoS 0 that have not been sent.
    at_most_once: Unsent,
    /// Messages that may wait or be lost, since the queue was full.
    overflow: VecDeque<Overflowing>,
    /// The equal messages of which all copies were sent while others of them waited, if they expire.
    gone: BTreeMap<Content, Vec<Rc<Publication>>>,
    /// Messages with this number and below need not be sent: the queue has been full since.
    doubtful_up_to: u64,
    /// The size in bytes of the largest message so far.
    largest: usize,
    /// The order in which messages of one client on one topic were published, by the QoS with which they came and go out.
    order: Sequence<Content, (ByteString, QoS), (ByteString, ByteString, QoS, QoS)>,
}

impl Empty for Owed {
    const EMPTY: &'static Self = &Self {
        messages: BTreeMap::new(),
        alike: BTreeMap::new(),
        waiting: (0, 0),
        at_most_once: Unsent { count: 0, bytes: 0, since: Instant::ZERO },
        overflow: VecDeque::new(),
        gone: BTreeMap::new(),
        doubtful_up_to: 0,
        largest: 0,
        order: Sequence::new(),
    };
}

/// A message that may wait or be lost.
struct Overflowing {
    /// The number of its publication.
    number: u64,
    /// Size in bytes.
    size: usize,
    /// Time at which it became owed.
    at: Instant,
}

/// Messages that wait to be sent.
#[derive(Default)]
struct Unsent {
    count: usize,
    bytes: usize,
    /// Time since which there have been any.
    since: Instant,
}

impl Owed {
    /// Adds a message. Returns how many messages above QoS 0 wait now, and how many bytes they have.
    pub(super) fn push(&mut self, message: OwedMessage) -> (usize, usize) {
        self.largest = self.largest.max(message.size());
        if message.qos() > QoS::AtMostOnce {
            self.waiting.0 += 1;
            self.waiting.1 += message.size();
        } else {
            let Unsent { count, bytes, since } = self.at_most_once;
            let since = if count == 0 { message.since } else { since };
            self.at_most_once = Unsent { count: count + 1, bytes: bytes + message.size(), since };
        }
        let content = (message.publication.topic.clone(), message.publication.payload.clone());
        if message.is_ordered {
            let source = (message.publication.publisher.clone(), message.publication.qos);
            self.order.enter(content.clone(), &source, message.matches.len());
        }
        self.messages.entry(content).or_default().push_back(message);
        self.waiting
    }

    /// A message that the session is owed at this instant may be owed for one more subscription, which is as new.
    pub(super) fn may_match_too(&mut self, publication: &Publication, one: &Match) {
        let content = (publication.topic.clone(), publication.payload.clone());
        let queue = self.messages.get_mut(&content).into_iter().flatten();
        let is_it =
            |message: &&mut OwedMessage| message.publication.number == publication.number && !message.is_retained;
        for message in queue.filter(is_it) {
            let is_first_above_qos_0 = message.qos() == QoS::AtMostOnce && one.qos > QoS::AtMostOnce;
            if is_first_above_qos_0 && message.sent == 0 {
                self.at_most_once.count = self.at_most_once.count.saturating_sub(1);
                self.at_most_once.bytes = self.at_most_once.bytes.saturating_sub(message.size());
                self.waiting.0 += 1;
                self.waiting.1 += message.size();
            }
            // It may be the same subscription, made anew.
            message.matches.iter_mut().for_each(|before| before.is_sure = false);
            message.matches.push(Match { is_sure: false, ..one.clone() });
        }
    }

    /// A subscription takes the place of another one: what is retained and still waits for that need not be sent twice
    /// [MQTT-3.8.4-3], and may be sent as the new one asks for it.
    pub(super) fn made_anew(&mut self, before: &Subscribed, now: &Subscribed) {
        for message in
            self.all().filter(|message| message.is_retained && now.filter.matches(&message.publication.topic))
        {
            message.is_must = false;
            if message.sent == 0 && message.matches.iter().any(|one| one.id == before.id) {
                message.matches.iter_mut().for_each(|one| one.is_sure = false);
                let one = Match { retain: true, is_sure: false, ..Match::live(now, &message.publication) };
                if !message.matches.contains(&one) {
                    message.matches.push(one);
                }
            }
        }
    }

    /// Adds a retained message, for which no queue needs room.
    pub(super) fn push_retained(&mut self, message: OwedMessage) {
        self.largest = self.largest.max(message.size());
        let content = (message.publication.topic.clone(), message.publication.payload.clone());
        self.messages.entry(content).or_default().push_back(message);
    }

    /// Returns whether one of the messages with this content has to be sent.
    pub(super) fn has_must(&self, content: &Content) -> bool {
        self.messages.get(content).into_iter().flatten().any(|message| message.is_owed(self.doubtful_up_to))
    }

    /// Returns what the messages that are told apart say.
    pub(super) fn contents(&self) -> impl Iterator<Item = &Content> {
        self.messages.keys()
    }

    /// Returns whether one of the messages with this content may still be sent, in any way: [`Which::Other`].
    pub(super) fn has_other(&self, content: &Content) -> bool {
        let mut messages = self.messages.get(content).into_iter().flatten();
        messages.any(|owed| owed.sent == 0 || owed.sent < owed.matches.len())
    }

    /// Returns whether a PUBLISH may be a further copy of a message, with the identifiers of its subscriptions.
    pub(super) fn has_further(&self, copy: &Copy<'_>) -> bool {
        let ids = &copy.publish.subscription_ids;
        let is_it = |owed: &OwedMessage| owed.sent > 0 && owed.fits(copy.publish) && owed.is_identified_by(ids);
        self.messages.get(&copy.content).into_iter().flatten().any(is_it)
    }

    /// Returns whether a PUBLISH may be a copy of a message, with the identifiers of its subscriptions.
    pub(super) fn has_identified(&self, copy: &Copy<'_>) -> bool {
        let ids = &copy.publish.subscription_ids;
        let is_it =
            |owed: &OwedMessage| owed.fits(copy.publish) && (!copy.version.is_v5() || owed.is_identified_by(ids));
        self.messages.get(&copy.content).into_iter().flatten().any(is_it)
    }

    /// Takes a message that a PUBLISH is a copy of, if there is such a one. The copy is counted.
    pub(super) fn take(&mut self, copy: &Copy<'_>, which: Which) -> Option<OwedMessage> {
        let (doubtful_up_to, sent) = (self.doubtful_up_to, copy.publish);
        self.gather_alike(&copy.content);
        let Some(queue) = self.messages.get_mut(&copy.content) else { return self.take_alike(copy, which) };
        let place = |wanted: &dyn Fn(&OwedMessage) -> bool| queue.iter().position(wanted);
        let is_any = matches!(which, Which::FirstAltered | Which::FurtherAltered);
        let place = match which {
            // One that may have been lost, or may still be held back, must not hide one that cannot.
            // Of several that are right within a second, the one that is right to the second.
            Which::Surely | Which::Partly | Which::Held | Which::Exact => {
                let is_sure = |owed: &OwedMessage| owed.is_owed(doubtful_up_to) && !owed.is_held;
                let is_wanted = |owed: &OwedMessage| match which {
                    Which::Surely => is_sure(owed) && owed.has_all_of(&sent.subscription_ids),
                    Which::Partly => is_sure(owed),
                    Which::Held => owed.is_owed(doubtful_up_to) && owed.is_held,
                    _ => !owed.is_owed(doubtful_up_to),
                };
                let is_it = |owed: &OwedMessage, slack| owed.is_exactly(copy, slack) && is_wanted(owed);
                place(&|owed| is_it(owed, 0)).or_else(|| place(&|owed| is_it(owed, 1)))
            }
            Which::First | Which::FirstAltered => {
                let is_it = |owed: &OwedMessage| owed.is_first(sent) && (is_any || owed.is_unaltered(copy));
                place(&|owed| is_it(owed) && owed.is_must).or_else(|| place(&is_it))
            }
            // A further copy with another lifetime than that of a message that waits is none of that message.
            // One with an identifier that no copy of a message has named is one of that message, and of no group.
            Which::FurtherExact => {
                let is_it = |owed: &OwedMessage| owed.sent > 0 && owed.fits(sent) && owed.is_like(copy, 1);
                place(&|owed| is_it(owed) && owed.lacks(&sent.subscription_ids))
                    .or_else(|| place(&|owed| is_it(owed) && owed.publication.expiry.is_some()))
            }
            Which::Further | Which::FurtherAltered => {
                place(&|owed| owed.sent > 0 && owed.fits(sent) && (is_any || owed.is_unaltered(copy)))
            }
            Which::Other => place(&|owed| owed.sent == 0).or_else(|| place(&|owed| owed.sent < owed.matches.len())),
        };
        let Some(place) = place else { return self.take_alike(copy, which) };
        let message = &mut queue[place];
        let was_sent = message.sent > 0;
        message.sent += 1;
        message.named.extend(&sent.subscription_ids);
        let mut taken = message.clone();
        if !was_sent {
            self.waits_no_longer(&taken);
        }
        // What waited before it is sent before it.
        self.overflow.retain(|one| one.number > taken.publication.number);
        let queue = self.messages.get_mut(&copy.content)?;
        // What is retained is sent once for each subscription, be it as that asks for it now or as it did before.
        if taken.sent >= taken.matches.len() || taken.is_retained {
            queue.remove(place);
            // An equal one that was taken for this one, or this one for it: only the lifetimes tell them apart.
            let gone = self.gone.get_mut(&copy.content).into_iter().flatten();
            let other = gone.filter(|_| !copy.has_lifetime_of(&taken.publication, 1));
            if let Some(other) = { other }.find(|other| copy.has_lifetime_of(other, 1)) {
                std::mem::swap(other, &mut taken.publication);
            } else if taken.publication.expiry.is_some() && !queue.is_empty() {
                self.gone.entry(copy.content.clone()).or_default().push(Rc::clone(&taken.publication));
            }
        }
        if queue.is_empty() {
            self.messages.remove(&copy.content);
            self.gone.remove(&copy.content);
        }
        Some(taken)
    }

    /// Keeps the number of messages with this content that are told apart small. Of the oldest, further copies may still come; they
    /// must not hide one of which none was sent.
    fn gather_alike(&mut self, content: &Content) {
        let Some(queue) = self.messages.get_mut(content) else { return };
        while queue.len() > CANDIDATES
            && let Some(first) = queue.front()
        {
            let is_forgotten = first.sent > 0;
            let is_alike = !first.is_must
                && first.publication.expiry.is_none()
                && self.alike.get(content).is_none_or(|(_, one)| one.is_owed_like(first));
            match queue.pop_front_if(|_| is_forgotten || is_alike) {
                None => break,
                Some(_) if is_forgotten => {}
                Some(first) => self.alike.entry(content.clone()).or_insert((0, first)).0 += 1,
            }
        }
    }

    /// Takes one of the messages that are not told apart.
    fn take_alike(&mut self, copy: &Copy<'_>, which: Which) -> Option<OwedMessage> {
        let (count, message) = self.alike.get_mut(&copy.content)?;
        if !matches!(which, Which::First | Which::FirstAltered) || !message.is_first(copy.publish) {
            return None;
        }
        *count -= 1;
        let taken = OwedMessage { sent: 1, ..message.clone() };
        if *count == 0 {
            self.alike.remove(&copy.content);
        }
        self.waits_no_longer(&taken);
        Some(taken)
    }

    /// Takes note that the first copy of a message goes out.
    fn waits_no_longer(&mut self, message: &OwedMessage) {
        let size = message.size();
        if !message.is_retained && message.qos() > QoS::AtMostOnce {
            self.waiting.0 = self.waiting.0.saturating_sub(1);
            self.waiting.1 = self.waiting.1.saturating_sub(size);
        } else {
            self.at_most_once.count = self.at_most_once.count.saturating_sub(1);
            self.at_most_once.bytes = self.at_most_once.bytes.saturating_sub(size);
        }
    }

    /// Returns whether the session is owed a message with this content, or a further copy of one.
    pub(super) fn knows(&self, content: &Content) -> bool {
        self.messages.contains_key(content) || self.alike.contains_key(content)
    }

    /// Returns the number and the bytes of the messages that may wait beside those that surely do.
    pub(super) fn overflow(&self) -> (usize, usize) {
        (self.overflow.len(), self.overflow.iter().map(|one| one.size).sum())
    }

    /// Takes note that of what became owed before this time only what surely waits still does.
    pub(super) fn forget_overflow(&mut self, before: Instant) {
        self.overflow.retain(|one| one.at >= before);
    }

    /// Takes note that there may have been no room for a message of this number and size in a queue for `most` messages.
    pub(super) fn overflows(&mut self, number: u64, size: usize, at: Instant, most: usize) {
        self.overflow.push_back(Overflowing { number, size, at });
        if self.overflow.len() > most {
            self.overflow.pop_front();
        }
    }

    /// Takes note that a copy of a message goes out. Returns whether it is in the order of its topic [MQTT-4.6.0-6]: of equal
    /// messages it is taken for the first that is.
    pub(super) fn is_in_order(&mut self, message: &OwedMessage, qos: QoS) -> bool {
        let Publication { topic, payload, .. } = &*message.publication;
        let lane = |(topic, _): &Content, (from, came): &(ByteString, QoS)| (from.clone(), topic.clone(), *came, qos);
        let content = (topic.clone(), payload.clone());
        let may_be = |other: &OwedMessage| !other.is_ordered && other.publication.number < message.publication.number;
        if message.is_ordered && self.messages.get(&content).into_iter().flatten().any(may_be) {
            // It may be an earlier one that has no place in the order, and need not be sent.
            self.order.pass(&content);
            return true;
        }
        !message.is_ordered || self.order.leave(&content, lane)
    }

    /// The server may have forgotten everything up to the publication with this number.
    pub(super) fn doubt_up_to(&mut self, number: u64) {
        self.doubtful_up_to = number;
    }

    /// Takes note that this message need not be sent; if one was taken for it, that may have been an equal one, which need not be
    /// sent again.
    pub(super) fn doubt(&mut self, publication: &Publication) {
        let content = (publication.topic.clone(), publication.payload.clone());
        let Some(queue) = self.messages.get_mut(&content) else { return };
        let mut is_taken = true;
        for message in queue.iter_mut().filter(|message| message.publication.number == publication.number) {
            message.is_must = false;
            is_taken &= message.sent > 0;
        }
        if is_taken && let Some(equal) = queue.iter_mut().find(|message| message.is_must && message.sent == 0) {
            equal.is_must = false;
        }
    }

    /// Takes note that this message cannot be held back any longer.
    pub(super) fn release(&mut self, publication: &Publication, now: Instant) {
        self.each(publication, |message| {
            if message.is_held {
                message.is_held = false;
                message.since = now;
            }
        });
    }

    /// Takes note that the retained message is published only now, so that it may be sent without RETAIN.
    pub(super) fn may_be_live(&mut self, publication: &Publication) {
        self.each(publication, |message| message.may_be_live |= message.is_retained);
    }

    fn each(&mut self, publication: &Publication, change: impl Fn(&mut OwedMessage)) {
        let content = (publication.topic.clone(), publication.payload.clone());
        let queue = self.messages.get_mut(&content).into_iter().flatten();
        queue.filter(|message| message.publication.number == publication.number).for_each(change);
    }

    /// Messages for a subscription that is gone need not be sent any more [MQTT-3.10.4-2], and those of a retained
    /// message that another one has replaced.
    pub(super) fn doubt_if(&mut self, is_doubtful: impl Fn(&OwedMessage) -> bool) {
        self.all().filter(|message| is_doubtful(message)).for_each(|message| message.is_must = false);
    }

    /// Returns since when the latest message of at least this many bytes has waited of which no copy was sent.
    pub(super) fn large_since(&self, bytes: usize) -> Option<Instant> {
        if self.largest < bytes {
            return None;
        }
        let large = self.messages.values().flatten().filter(|message| message.sent == 0 && message.size() >= bytes);
        large.map(|message| message.since).max()
    }

    /// Returns whether messages of QoS 0 wait since an earlier instant: the server cannot write as it would.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.at_most_once.count > 0 && self.at_most_once.since < now
    }

    /// Returns how many messages may wait to be sent at most.
    pub(super) fn possible(&self) -> usize {
        let alike: usize = self.alike.values().map(|(count, _)| count).sum();
        self.messages.values().map(VecDeque::len).sum::<usize>() + alike
    }

    /// Returns how many bytes wait to be sent.
    pub(super) fn unsent_bytes(&self) -> usize {
        self.waiting.1 + self.at_most_once.bytes
    }

    /// Messages of QoS 0 may be lost with the connection, and so may retained messages of which none was sent. Of a message of
    /// which a copy was sent, another one of a higher QoS may still come for another subscription.
    pub(super) fn connection_lost(&mut self) {
        self.at_most_once = Unsent::default();
        for queue in self.messages.values_mut() {
            queue.retain(|message| message.sent == 0 || message.qos() > QoS::AtMostOnce);
            let is_kept = |message: &OwedMessage| {
                message.sent == 0 && message.matches.iter().any(|one| one.is_sure && one.qos > QoS::AtMostOnce)
            };
            for message in queue.iter_mut().filter(|message| !is_kept(message)) {
                message.is_must = false;
            }
        }
        self.messages.retain(|_, queue| !queue.is_empty());
        self.gone.retain(|content, _| self.messages.contains_key(content));
    }

    /// A new connection goes on with the session: what is owed can be sent again from this time on.
    pub(super) fn resumed(&mut self, now: Instant) {
        self.all().for_each(|message| message.since = now);
    }

    /// Returns all that must still be sent and of which no copy was.
    pub(super) fn missing(&self) -> impl Iterator<Item = &OwedMessage> {
        self.messages.values().flatten().filter(|message| self.is_sure(message) && message.sent == 0)
    }

    /// Returns all of which copies were sent that do not name all subscriptions by which they are owed.
    pub(super) fn unnamed(&self) -> impl Iterator<Item = &OwedMessage> {
        let sent = self.messages.values().flatten().filter(|message| message.sent > 0 && self.is_sure(message));
        sent.filter(|message| {
            let mut sure = message.matches.iter().filter(|one| one.is_sure).filter_map(|one| one.id);
            sure.any(|id| !message.named.contains(&id))
        })
    }

    /// Returns whether a message has to be sent, and now.
    pub(super) fn is_sure(&self, message: &OwedMessage) -> bool {
        message.is_owed(self.doubtful_up_to) && !message.is_held
    }

    fn all(&mut self) -> impl Iterator<Item = &mut OwedMessage> {
        self.messages.values_mut().flatten()
    }
}

#[cfg(test)]
mod tests {
    use halfopen_protocol::Version;
    use halfopen_protocol::packet::Publish;
    use rstest::rstest;

    use super::*;
    use crate::model::server::access::Permission;
    use crate::model::server::topic::Filter;

    /// A message that may be lost.
    fn message(publish: &Publish, number: u64) -> OwedMessage {
        let (topic, publisher) = (publish.topic.clone(), "boss".into());
        let publication = Publication::of(publish, topic, publisher, Permission::Granted, number, Instant::ZERO).into();
        let matching = Match { qos: QoS::AtMostOnce, retain: false, id: None, is_sure: true };
        OwedMessage {
            publication,
            matches: vec![matching],
            is_must: false,
            is_held: false,
            sent: 0,
            named: Vec::new(),
            since: Instant::ZERO,
            is_retained: false,
            may_be_live: false,
            is_ordered: true,
        }
    }

    fn publish() -> Publish {
        Publish { topic: "a".into(), payload: "x".into(), ..Publish::default() }
    }

    fn take(owed: &mut Owed, publish: &Publish) -> Option<OwedMessage> {
        let content = (publish.topic.clone(), publish.payload.clone());
        let copy = Copy { content, publish, now: Instant::ZERO, version: Version::V5_0 };
        let all = [
            Which::Surely,
            Which::Partly,
            Which::Held,
            Which::Exact,
            Which::FurtherExact,
            Which::First,
            Which::Further,
        ];
        all.into_iter().find_map(|which| owed.take(&copy, which))
    }

    #[rstest]
    fn equal_messages_that_may_be_lost_are_counted(#[values(CANDIDATES, 200)] count: usize) {
        let (publish, mut owed) = (publish(), Owed::default());
        for number in 0..count as u64 {
            owed.push(message(&publish, number));
        }
        let sent = (0..2 * count).map_while(|_| take(&mut owed, &publish));
        assert_eq!(sent.count(), count, "no more than were published");
        assert_eq!((owed.possible(), owed.unsent_bytes()), (0, 0));
    }

    #[test]
    fn message_that_may_be_held_back_does_not_hide_an_equal_one_that_has_to_be_sent() {
        let (publish, mut owed) = (publish(), Owed::default());
        owed.push(message(&publish, 0));
        owed.push(OwedMessage { is_must: true, is_held: true, ..message(&publish, 1) });
        owed.push(OwedMessage { is_must: true, ..message(&publish, 2) });
        let taken = std::iter::from_fn(|| take(&mut owed, &publish));
        assert_eq!(taken.map(|one| one.publication.number).collect::<Vec<_>>(), [2, 1, 0]);
    }

    #[test]
    fn retained_message_whose_subscription_is_made_anew_is_sent_once() {
        let (publish, mut owed) = (publish(), Owed::default());
        owed.push_retained(OwedMessage { is_retained: true, ..message(&publish, 0) });
        let subscribed = |id| Subscribed {
            filter: Filter::new("a"),
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            id,
            since: Instant::ZERO,
            is_leaving: false,
        };
        owed.made_anew(&subscribed(None), &subscribed(Some(1)));
        assert_eq!((0..2).map_while(|_| take(&mut owed, &publish)).count(), 1);
    }
}
