//! Groups of shared subscriptions are owed each message once, by any of their members (§4.8.2).

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::QoS;

use super::owed::{Content, Copy, Match, Owed, OwedMessage, Which};
use super::publication::Publication;
use super::session::Subscribed;

/// Number of messages of a group with equal content of which it is remembered to whom they went.
const GIVEN: usize = 64;

/// The messages that the groups of shared subscriptions are owed (§4.8.2): each once, by any of their members.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<ByteString, Group>);

#[derive(Default)]
struct Group {
    /// The size in bytes of the largest message so far.
    largest: usize,
    /// Number of the messages that wait in `messages`, and of the bytes of their payloads.
    unsent: (usize, usize),
    /// Messages that no member has been sent.
    messages: BTreeMap<Content, VecDeque<GroupMessage>>,
    /// The latest that were taken for a PUBLISH to a member.
    given: BTreeMap<Content, VecDeque<Given>>,
    /// Messages of QoS 1 that a member had not acknowledged when its session ended, and how many of each: they should
    /// go to another (§4.8.2).
    given_back: BTreeMap<Content, usize>,
}

/// A message of a group that was taken for a PUBLISH to a member.
struct Given {
    to: ByteString,
    qos: QoS,
    members: BTreeMap<ByteString, Vec<Match>>,
    /// True if the session of the member has ended, and was owed an equal one that no copy was taken for.
    may_be_own: bool,
}

/// A message in a chain of exchanges: one that was given to a member.
struct Link {
    filter: ByteString,
    /// Its place among what its group was given.
    place: usize,
    /// The place in the list of the link whose holder gets it; `None` for the first.
    before: Option<usize>,
}

/// The end of a chain of exchanges.
pub(super) enum Left {
    /// A message that no member had been sent, or that a session was owed that has ended.
    Waiting,
    /// A message that this client is owed for its own subscriptions.
    Own(ByteString),
}

/// Returns whether a member may be sent a message at this QoS.
fn takes(members: &BTreeMap<ByteString, Vec<Match>>, member: &ByteString, qos: QoS) -> bool {
    members.get(member).is_some_and(|matches| matches.iter().any(|one| one.qos == qos))
}

impl Group {
    /// Takes note that one more message with this content waits.
    fn waits(&mut self, content: &Content) {
        self.unsent.0 += 1;
        self.unsent.1 += content.1.len();
    }

    /// Takes note that one of the messages with this content does not wait any longer.
    fn waits_no_longer(&mut self, content: &Content) {
        self.unsent.0 -= 1;
        self.unsent.1 -= content.1.len();
    }

    /// Gives the first message that fits to a member, at this QoS, and returns it.
    fn give(
        &mut self,
        member: &ByteString,
        content: &Content,
        fits: impl Fn(&GroupMessage) -> bool,
        qos: QoS,
    ) -> Option<GroupMessage> {
        let queue = self.messages.get_mut(content)?;
        // One that may have been lost must not hide one that cannot.
        let place = queue.iter().position(|message| message.is_must && fits(message));
        let place = place.or_else(|| queue.iter().position(fits));
        let message = queue.remove(place?)?;
        self.waits_no_longer(content);
        let given = self.given.entry(content.clone()).or_default();
        given.push_back(Given { to: member.clone(), qos, members: message.members.clone(), may_be_own: false });
        if given.len() > GIVEN {
            given.pop_front();
        }
        Some(message)
    }
}

/// Returns those of a session's filters that are shared subscriptions.
fn shared(filters: &BTreeMap<ByteString, Subscribed>) -> impl Iterator<Item = &ByteString> + Clone {
    filters.iter().filter(|(_, subscribed)| subscribed.filter.group.is_some()).map(|(text, _)| text)
}

/// A message that a group is owed.
#[derive(Clone, Debug)]
pub(super) struct GroupMessage {
    pub(super) publication: Rc<Publication>,
    /// The members to whom it may go, each with what its subscription asks of it, or may ask if it is made anew.
    pub(super) members: BTreeMap<ByteString, Vec<Match>>,
    /// The members that have left the group since, and may have been sent it before.
    pub(super) left: BTreeMap<ByteString, Vec<Match>>,
    pub(super) is_must: bool,
    pub(super) is_held: bool,
    pub(super) since: Instant,
}

impl GroupMessage {
    /// Returns the message as one of its members is owed it.
    fn owed_to(&self, member: &ByteString) -> Option<OwedMessage> {
        Some(OwedMessage {
            publication: Rc::clone(&self.publication),
            matches: self.members.get(member)?.clone(),
            is_must: self.is_must,
            is_held: self.is_held,
            sent: self.members.get(member)?.len(),
            named: Vec::new(),
            since: self.since,
            is_retained: false,
            may_be_live: false,
            is_ordered: false,
        })
    }
}

impl Groups {
    /// Adds a message for the group with this filter.
    pub(super) fn push(&mut self, filter: &ByteString, message: GroupMessage) {
        let content = (message.publication.topic.clone(), message.publication.payload.clone());
        let group = self.0.entry(filter.clone()).or_default();
        group.largest = group.largest.max(content.1.len());
        group.waits(&content);
        group.messages.entry(content).or_default().push_back(message);
    }

    /// Takes note that a client that joins the group at this instant may be sent this message, and whether it takes one of
    /// this size.
    pub(super) fn may_join(
        &mut self,
        filter: &ByteString,
        member: &ByteString,
        publication: &Rc<Publication>,
        of: Match,
        fits: bool,
    ) {
        let mut is_known = false;
        let content = (publication.topic.clone(), publication.payload.clone());
        let group = self.0.entry(filter.clone()).or_default();
        let queue = group.messages.entry(content.clone()).or_default();
        for message in queue.iter_mut().filter(|message| message.publication.number == publication.number) {
            let matches = message.members.entry(member.clone()).or_default();
            matches.iter_mut().for_each(|before| before.is_sure = false);
            matches.push(Match { is_sure: matches.is_empty(), ..of.clone() });
            message.is_must &= fits;
            is_known = true;
        }
        if !is_known {
            queue.push_back(GroupMessage {
                publication: Rc::clone(publication),
                members: BTreeMap::from([(member.clone(), vec![of])]),
                left: BTreeMap::new(),
                is_must: false,
                is_held: false,
                since: publication.at,
            });
            group.waits(&content);
        }
    }

    /// Returns how many messages wait that a member of these groups may be sent, and how many bytes they have.
    pub(super) fn unsent(&self, filters: &BTreeMap<ByteString, Subscribed>) -> (usize, usize) {
        let all = shared(filters).filter_map(|filter| self.0.get(filter)).map(|group| group.unsent);
        all.fold((0, 0), |(count, bytes), (more, larger)| (count + more, bytes + larger))
    }

    /// Returns since when the latest message of at least this many bytes has waited that this member of some of these groups may
    /// be sent.
    pub(super) fn large_since(
        &self,
        bytes: usize,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
    ) -> Option<Instant> {
        let groups = shared(filters).filter_map(|filter| self.0.get(filter)).filter(|group| group.largest >= bytes);
        let own = groups.clone().flat_map(|group| group.messages.values().flatten());
        let own = own.filter(|message| message.members.contains_key(member));
        // What was taken for one of its groups may have been an equal one of another group, which waits.
        let to_others = |given: &Given| given.to != *member && given.members.contains_key(member);
        let given = groups.flat_map(|group| &group.given).filter(|(_, given)| given.iter().any(to_others));
        let equal = given.flat_map(|(content, _)| self.0.values().filter_map(|group| group.messages.get(content)));
        let large = own.chain(equal.flatten()).filter(|message| message.publication.payload.len() >= bytes);
        large.map(|message| message.since).max()
    }

    /// Takes a message that a PUBLISH to a member is, out of one of the member's groups. Returns it as the member is owed it.
    pub(super) fn take(
        &mut self,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
        copy: &Copy<'_>,
        which: Which,
    ) -> Option<OwedMessage> {
        let qos = copy.publish.qos;
        let is_for = |message: &GroupMessage| match which {
            Which::Surely | Which::Held | Which::Exact => {
                let owed = message.owed_to(member).map(|owed| OwedMessage { sent: 0, ..owed });
                let is_wanted = match which {
                    Which::Surely => message.is_must && !message.is_held,
                    Which::Held => message.is_must && message.is_held,
                    _ => !message.is_must,
                };
                is_wanted && owed.is_some_and(|owed| owed.is_exactly(copy, 1))
            }
            // One that need not be sent is not taken for one that is sent otherwise than it should be.
            Which::FirstAltered => message.is_must && takes(&message.members, member, qos),
            _ => {
                let is_said = message.owed_to(member).is_some_and(|owed| owed.is_said_by(copy));
                is_said && takes(&message.members, member, qos)
            }
        };
        let group = |filter| self.0.get_mut(filter)?.give(member, &copy.content, is_for, qos)?.owed_to(member);
        shared(filters).find_map(group)
    }

    /// Returns whether the message that this member was just given is the only one with this content that any of its groups
    /// has been owed.
    pub(super) fn is_only(
        &self,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
        content: &Content,
    ) -> bool {
        let (mut given, mut waiting) = (0, 0);
        for group in shared(filters).filter_map(|filter| self.0.get(filter)) {
            given += group.given.get(content).map_or(0, VecDeque::len);
            let queue = group.messages.get(content).into_iter().flatten();
            waiting += queue.filter(|message| message.members.contains_key(member)).count();
        }
        given == 1 && waiting == 0
    }

    /// Takes a message that a PUBLISH to a member, which is `sent` at one QoS, is, and that is owed at another. Returns that.
    pub(super) fn take_at_other_qos(
        &mut self,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
        content: &Content,
        sent: QoS,
    ) -> Option<QoS> {
        let is_other =
            |message: &GroupMessage| message.members.contains_key(member) && !takes(&message.members, member, sent);
        shared(filters).find_map(|filter| {
            let group = self.0.get_mut(filter)?;
            let queue = group.messages.get_mut(content)?;
            let place = queue.iter().position(is_other)?;
            let taken = queue.remove(place)?;
            group.waits_no_longer(content);
            taken.members.get(member)?.iter().map(|one| one.qos).max()
        })
    }

    /// Gives a member a message that was taken for one to another member, who may have had an equal one of another group, or of its
    /// own subscriptions, if `has_own` says so; that may have been taken for one to a third, and so on: an augmenting path
    /// (Berge, 1957). Returns what was at its end, if there is such a chain.
    pub(super) fn exchange(
        &mut self,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
        content: &Content,
        qos: QoS,
        has_own: impl Fn(&ByteString) -> bool,
    ) -> Option<Left> {
        let mut links: Vec<Link> = Vec::new();
        let of_member: Vec<&ByteString> = shared(filters).collect();
        self.add_links(&mut links, None, (member, qos), content, |filter| of_member.contains(&filter));
        let mut next = 0;
        while let Some(Link { filter, place, .. }) = links.get(next) {
            let given = &self.0.get(filter)?.given.get(content)?[*place];
            let (other, others_qos) = (given.to.clone(), given.qos);
            if given.may_be_own {
                self.hand_on(&links, next, member, content, qos);
                return Some(Left::Waiting);
            }
            let is_for_him = |message: &GroupMessage| {
                takes(&message.members, &other, others_qos) || takes(&message.left, &other, others_qos)
            };
            let waits = |group: &Group| group.messages.get(content).is_some_and(|queue| queue.iter().any(is_for_him));
            let waiting = self.0.iter().find(|(_, group)| waits(group)).map(|(filter, _)| filter.clone());
            if let Some(waiting) = waiting {
                self.hand_on(&links, next, member, content, qos);
                self.0.get_mut(&waiting)?.give(&other, content, is_for_him, others_qos)?;
                return Some(Left::Waiting);
            }
            if has_own(&other) {
                self.hand_on(&links, next, member, content, qos);
                return Some(Left::Own(other));
            }
            self.add_links(&mut links, Some(next), (&other, others_qos), content, |_| true);
            next += 1;
        }
        None
    }

    /// Adds what was given to others and a member may have had, if it is in no chain yet.
    fn add_links(
        &self,
        links: &mut Vec<Link>,
        before: Option<usize>,
        (member, qos): (&ByteString, QoS),
        content: &Content,
        is_of: impl Fn(&ByteString) -> bool,
    ) {
        for (filter, group) in self.0.iter().filter(|(filter, _)| is_of(filter)) {
            let given = group.given.get(content).into_iter().flatten().enumerate();
            for (place, _) in given.filter(|(_, given)| given.to != *member && takes(&given.members, member, qos)) {
                if !links.iter().any(|link| link.filter == *filter && link.place == place) {
                    links.push(Link { filter: filter.clone(), place, before });
                }
            }
        }
    }

    /// Gives each message of a chain to the one before, and the first to a member.
    fn hand_on(&mut self, links: &[Link], last: usize, member: &ByteString, content: &Content, qos: QoS) {
        let mut at = Some(last);
        while let Some(Link { filter, place, before }) = at.and_then(|at| links.get(at)) {
            at = *before;
            let holder = at.and_then(|at| links.get(at)).and_then(|link| {
                let given = self.0.get(&link.filter)?.given.get(content)?.get(link.place)?;
                Some((given.to.clone(), given.qos))
            });
            let given = self.0.get_mut(filter).and_then(|group| group.given.get_mut(content)?.get_mut(*place));
            if let Some(given) = given {
                (given.to, given.qos) = holder.unwrap_or_else(|| (member.clone(), qos));
                given.may_be_own = false;
            }
        }
    }

    /// Returns whether something waits that this member of some of these groups may be sent.
    pub(super) fn has_some_for(&self, member: &ByteString, filters: &BTreeMap<ByteString, Subscribed>) -> bool {
        shared(filters).filter_map(|filter| self.0.get(filter)).any(|group| {
            let mut waiting = group.messages.values().flatten();
            waiting.any(|message| message.members.contains_key(member))
                || group.given_back.values().any(|left| *left > 0)
        })
    }

    /// A member has left: what it may have been given already need not go to another, but may. Returns that: a session that
    /// goes on may be sent it all the same.
    pub(super) fn member_left(
        &mut self,
        member: &ByteString,
        filters: &BTreeMap<ByteString, Subscribed>,
    ) -> Vec<OwedMessage> {
        let mut given = Vec::new();
        for filter in filters.keys() {
            let Some(group) = self.0.get_mut(filter) else { continue };
            for message in group.messages.values_mut().flatten() {
                let Some(owed) = message.owed_to(member) else { continue };
                given.push(OwedMessage { is_must: false, sent: 0, ..owed });
                message.left.extend(message.members.remove_entry(member));
                message.is_must = false;
            }
        }
        given
    }

    /// The session of a member has ended that was owed this: what was taken for a message of a group may have been that.
    pub(super) fn session_ended(&mut self, member: &ByteString, owed: &Owed) {
        for content in owed.contents().filter(|content| owed.has_other(content)) {
            let given = self.0.values_mut().filter_map(|group| group.given.get_mut(content)).flatten();
            given.filter(|given| given.to == *member).for_each(|given| given.may_be_own = true);
        }
    }

    /// A member has lost its connection, and what it was to be sent at QoS 0 may be lost with that.
    pub(super) fn connection_lost(&mut self, member: &ByteString, filters: &BTreeMap<ByteString, Subscribed>) {
        for filter in shared(filters) {
            let Some(group) = self.0.get_mut(filter) else { continue };
            for message in group.messages.values_mut().flatten() {
                let is_at_most_once = takes(&message.members, member, QoS::AtMostOnce);
                message.is_must &= !is_at_most_once;
            }
        }
    }

    /// A member's session has ended before it acknowledged this message of QoS 1, which it may have had for any of
    /// these filters.
    pub(super) fn give_back(&mut self, filters: &BTreeMap<ByteString, Subscribed>, content: &Content) {
        for (filter, subscribed) in filters {
            if subscribed.filter.group.is_some() && subscribed.filter.matches(&content.0) {
                let group = self.0.entry(filter.clone()).or_default();
                *group.given_back.entry(content.clone()).or_default() += 1;
            }
        }
    }

    /// Takes a message that was given back to one of these filters; whether there was one.
    pub(super) fn take_back(&mut self, filters: &BTreeMap<ByteString, Subscribed>, content: &Content) -> bool {
        filters.keys().any(|filter| {
            let left = self.0.get_mut(filter).and_then(|group| group.given_back.get_mut(content));
            left.filter(|left| **left > 0).map(|left| *left -= 1).is_some()
        })
    }

    /// Takes a message that waited for other members, of whom a server may choose none, and that is sent to one who has
    /// joined the group since. Returns whether there was one.
    pub(super) fn take_over(&mut self, filters: &BTreeMap<ByteString, Subscribed>, content: &Content) -> bool {
        shared(filters).any(|filter| {
            let Some(group) = self.0.get_mut(filter) else { return false };
            let is_taken = group.messages.get_mut(content).is_some_and(|queue| queue.pop_front().is_some());
            if is_taken {
                group.waits_no_longer(content);
            }
            is_taken
        })
    }

    /// Takes note that nothing of what has come so far need be sent to a group.
    pub(super) fn doubt_all(&mut self) {
        let messages = self.0.values_mut().flat_map(|group| group.messages.values_mut().flatten());
        messages.for_each(|message| message.is_must = false);
    }

    /// Takes note that the queue of this member of some of these groups was full: what waits in it for a group may be lost.
    pub(super) fn doubt_what_waits_for(&mut self, member: &ByteString, filters: &BTreeMap<ByteString, Subscribed>) {
        for filter in shared(filters) {
            let Some(group) = self.0.get_mut(filter) else { continue };
            let waiting = group.messages.values_mut().flatten();
            waiting.filter(|message| message.members.contains_key(member)).for_each(|message| message.is_must = false);
        }
    }

    /// Takes note that this message need not be sent to this group.
    pub(super) fn doubt(&mut self, filter: &ByteString, publication: &Publication) {
        self.each(filter, publication, |message| message.is_must = false);
    }

    /// Takes note that this message cannot be held back any longer.
    pub(super) fn release(&mut self, filter: &ByteString, publication: &Publication, now: Instant) {
        self.each(filter, publication, |message| {
            message.is_held = false;
            message.since = now;
        });
    }

    fn each(&mut self, filter: &ByteString, publication: &Publication, change: impl Fn(&mut GroupMessage)) {
        let content = (publication.topic.clone(), publication.payload.clone());
        let queue = self.0.get_mut(filter).and_then(|group| group.messages.get_mut(&content));
        let queue = queue.into_iter().flatten();
        queue.filter(|message| message.publication.number == publication.number).for_each(change);
    }

    /// Returns whether what a member was sent for another one of its groups may have been this message of the group with this
    /// filter.
    pub(super) fn may_have_been_given(&self, filter: &ByteString, message: &GroupMessage) -> bool {
        let content = (message.publication.topic.clone(), message.publication.payload.clone());
        let others = self.0.iter().filter(|(other, _)| *other != filter);
        let given = others.filter_map(|(_, group)| group.given.get(&content)).flatten();
        given.into_iter().any(|given| message.members.contains_key(&given.to) && given.members.len() > 1)
    }

    /// Returns all that must still be sent, each with the filter of its group.
    pub(super) fn missing(&self) -> impl Iterator<Item = (&ByteString, &GroupMessage)> {
        let all =
            self.0.iter().flat_map(|(filter, group)| group.messages.values().flatten().map(move |one| (filter, one)));
        all.filter(|(_, message)| message.is_must && !message.is_held)
    }
}
