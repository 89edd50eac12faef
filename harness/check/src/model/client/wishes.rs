//! What a client is to be subscribed to (§4.1): where the server has no session, the client makes all its subscriptions again
//! with the options that they had, those that were made while it ran among them, and none that it has given up.

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use halfopen_protocol::packet::{PacketId, SubAck, Subscribe, Subscription, UnsubAck, Unsubscribe};
use halfopen_protocol::{Empty, Instant, Rare};

use super::Client;
use crate::model::finding::{Findings, shown};
use crate::plan::Invariant;

/// The subscriptions of one client.
#[derive(Default)]
pub(super) struct Wishes {
    /// The subscriptions that the client makes on its own.
    own: Vec<Subscription>,
    /// True if it makes no others again: another program than the project's client leaves them to its application.
    only_own: bool,
    wanted: BTreeMap<ByteString, Wish>,
    /// The filters that were unsubscribed, and when the application asked for it.
    gone: BTreeMap<ByteString, Option<Instant>>,
    /// The latest requests of the application, by filter.
    told: BTreeMap<ByteString, Told>,
    /// Number of requests that the application has made.
    requests: usize,
    /// SUBSCRIBE and UNSUBSCRIBE that have no answer yet.
    subscribes: BTreeMap<PacketId, Subscribe>,
    unsubscribes: BTreeMap<PacketId, Unsubscribe>,
    /// The filters of a SUBSCRIBE that had no answer when its connection ended: it may be sent again, before what undoes it.
    unanswered: BTreeSet<ByteString>,
    /// The filters to be subscribed again on the present connection.
    owed: BTreeSet<ByteString>,
    owed_since: Instant,
    /// The filters that were asked for on the present connection.
    asked: BTreeSet<ByteString>,
}

impl Empty for Wishes {
    const EMPTY: &'static Self = &Self {
        own: Vec::new(),
        only_own: false,
        wanted: BTreeMap::new(),
        gone: BTreeMap::new(),
        told: BTreeMap::new(),
        requests: 0,
        subscribes: BTreeMap::new(),
        unsubscribes: BTreeMap::new(),
        unanswered: BTreeSet::new(),
        owed: BTreeSet::new(),
        owed_since: Instant::ZERO,
        asked: BTreeSet::new(),
    };
}

/// The latest requests of the application for one filter.
#[derive(Clone, Copy, Default)]
struct Told {
    /// The time at which it asked to subscribe.
    subscribe: Option<Instant>,
    /// The time at which it asked to unsubscribe.
    unsubscribe: Option<Instant>,
    /// True if the client surely had room for the request to unsubscribe.
    had_room: bool,
}

/// A subscription that was made.
struct Wish {
    subscription: Subscription,
    id: Option<u32>,
    /// Time at which it was granted; zero for what the client subscribes to on its own.
    since: Instant,
    /// The application has not asked to give it up.
    is_sure: bool,
}

impl Wishes {
    /// Creates the wishes of a client that makes these subscriptions on its own.
    pub(super) fn new(own: &[Subscription], only_own: bool) -> Rare<Self> {
        if own.is_empty() && !only_own {
            return Rare::new();
        }
        let mut wishes = Self { own: own.to_vec(), only_own, ..Self::default() };
        wishes.forget();
        wishes.into()
    }

    /// Forgets everything but what the client subscribes to on its own, as the process does when it ends.
    pub(super) fn forget(&mut self) {
        let own = std::mem::take(&mut self.own);
        let wish =
            |one: &Subscription| Wish { subscription: one.clone(), id: None, since: Instant::ZERO, is_sure: true };
        let wanted = own.iter().map(|one| (one.filter.clone(), wish(one))).collect();
        *self = Self { own, only_own: self.only_own, wanted, ..Self::default() };
    }

    /// Takes note that the application asks to subscribe to these filters.
    pub(super) fn told_to_subscribe(&mut self, filters: impl IntoIterator<Item = ByteString>, now: Instant) {
        self.requests += 1;
        for filter in filters {
            self.told.entry(filter).or_default().subscribe = Some(now);
        }
    }

    /// Takes note that the application asks to unsubscribe from these filters. `room` is the number of requests that wait at most: if the
    /// client does not send this one at once, it may be refused.
    pub(super) fn told_to_unsubscribe(&mut self, filters: &[String], now: Instant, is_at_once: bool, room: usize) {
        let has_room = is_at_once || self.requests < room;
        self.requests += 1;
        for filter in filters {
            let filter = ByteString::from(filter.as_str());
            if let Some(wish) = self.wanted.get_mut(&filter) {
                wish.is_sure = false;
            }
            self.owed.remove(&filter);
            let told = self.told.entry(filter).or_default();
            (told.unsubscribe, told.had_room) = (Some(now), has_room);
        }
    }

    /// Takes note that a connection begins: what was not answered on the last one never will be. If the server has no session,
    /// everything is to be subscribed to again.
    pub(super) fn connected(&mut self, now: Instant, has_session: bool) {
        let unanswered = std::mem::take(&mut self.subscribes).into_values().flat_map(|asked| asked.subscriptions);
        self.unanswered = unanswered.map(|one| one.filter).collect();
        self.unsubscribes.clear();
        self.owed.clear();
        self.asked.clear();
        if has_session {
            return;
        }
        self.owed = self.wanted.iter().filter(|(_, wish)| wish.is_sure).map(|(filter, _)| filter.clone()).collect();
        self.owed_since = now;
    }

    /// Takes note of a SUBSCRIBE on a connection that the client has given up.
    pub(super) fn never_answered(&mut self, subscribe: &Subscribe) {
        self.subscribes.insert(subscribe.packet_id, subscribe.clone());
    }

    /// Takes note of SUBACK: what it grants is wanted from then on.
    pub(super) fn granted(&mut self, ack: &SubAck, now: Instant) {
        let Some(asked) = self.subscribes.remove(&ack.packet_id) else { return };
        for (subscription, reason) in asked.subscriptions.into_iter().zip(&ack.reasons) {
            let filter = subscription.filter.clone();
            if reason.is_error() {
                // Whether it is asked for again is the client's choice.
                if let Some(wish) = self.wanted.get_mut(&filter) {
                    wish.is_sure = false;
                }
                continue;
            }
            self.gone.remove(&filter);
            let is_again = !self.only_own || self.own.iter().any(|own| own.filter == filter);
            // What was told at one instant has an order that the trace does not show.
            let told = self.told.get(&filter);
            let is_kept = told.is_none_or(|told| told.unsubscribe.is_none() || told.unsubscribe < told.subscribe);
            let is_sure = is_again && is_kept;
            self.wanted.insert(filter, Wish { subscription, id: asked.subscription_id, since: now, is_sure });
        }
    }

    /// Takes note that what was granted at this time or later may not have been taken in before the connection was lost.
    pub(super) fn doubt_granted_since(&mut self, accepted: Instant) {
        let granted = self.wanted.values_mut().filter(|wish| wish.since >= accepted && wish.since > Instant::ZERO);
        granted.for_each(|wish| wish.is_sure = false);
    }

    /// Takes note of UNSUBACK: what it names is not wanted any more.
    pub(super) fn given_up(&mut self, ack: &UnsubAck) {
        let Some(asked) = self.unsubscribes.remove(&ack.packet_id) else { return };
        for filter in asked.filters {
            self.wanted.remove(&filter);
            let told = self.told.get(&filter).and_then(|told| told.unsubscribe);
            self.gone.insert(filter, told);
        }
    }
}

impl Client {
    /// Judges a SUBSCRIBE that the client sends.
    pub(super) fn send_subscribe(&mut self, subscribe: &Subscribe, findings: &mut Findings) {
        // A client that asks for anything on a new connection asks for this first.
        self.judge_subscribing(findings);
        let is_foreign = self.waits.is_foreign();
        let wishes = &mut *self.wishes;
        let mut broken = None;
        for one in &subscribe.subscriptions {
            let is_again = wishes.owed.remove(&one.filter);
            let Told { subscribe: told, unsubscribe, had_room } =
                wishes.told.get(&one.filter).copied().unwrap_or_default();
            let untold = unsubscribe.filter(|_| had_room);
            // Another program's application makes the same subscriptions again in each new session.
            let is_own = wishes.only_own && wishes.own.iter().any(|own| own.filter == one.filter);
            let is_gone = wishes
                .gone
                .get(&one.filter)
                .is_some_and(|given_up| told.is_none_or(|told| given_up.is_none_or(|given_up| told < given_up)));
            // What it was told while it was away holds, too, once it has a connection.
            let is_unwanted = untold.is_some_and(|untold| untold < self.now && told.is_none_or(|told| told < untold))
                && !wishes.unanswered.contains(&one.filter);
            if is_gone && !is_own || is_unwanted && !is_foreign && self.waits.is_known() {
                let owed = format!("subscribes no more to {}, which it has given up", one.filter);
                broken = Some((owed, "it did".to_owned()));
            }
            let is_known = |wish: &&Wish| wish.is_sure && told.is_none_or(|told| told < wish.since);
            let wish = wishes.wanted.get(&one.filter).filter(is_known).filter(|_| is_again && !is_own);
            if let Some(wish) = wish.filter(|wish| wish.subscription != *one || wish.id != subscribe.subscription_id) {
                let owed =
                    format!("subscribes to {} again as before, at QoS {}", one.filter, wish.subscription.qos as u8);
                broken = Some((owed, format!("with other options, at QoS {}", one.qos as u8)));
            }
            if told.is_none() && !is_foreign && wishes.asked.contains(&one.filter) {
                let owed = format!("subscribes once to {}, for which its application does not ask again", one.filter);
                broken = Some((owed, "it did so again".to_owned()));
            }
        }
        wishes.asked.extend(subscribe.subscriptions.iter().map(|one| one.filter.clone()));
        wishes.subscribes.insert(subscribe.packet_id, subscribe.clone());
        if let Some((owed, actual)) = broken {
            let (owed, actual) = (format!("{} {owed}", self.name), format!("{actual}, at {}", shown(self.now)));
            findings.push(Invariant::ClientReconnects, "§4.1", &owed, actual);
        }
    }

    /// Takes note of an UNSUBSCRIBE that the client sends.
    pub(super) fn send_unsubscribe(&mut self, unsubscribe: &Unsubscribe) {
        self.wishes.unsubscribes.insert(unsubscribe.packet_id, unsubscribe.clone());
    }

    /// Judges what the client has not subscribed to again.
    pub(super) fn judge_subscribing(&self, findings: &mut Findings) {
        let wishes = &self.wishes;
        let limits = self.connection.as_ref().and_then(|connection| connection.limits.as_ref());
        let takes = |filter: &&ByteString| {
            let id = wishes.wanted.get(*filter).and_then(|wish| wish.id);
            limits.is_some_and(|limits| limits.takes(filter, id))
        };
        // Another program may first finish what it has begun.
        let free = if self.is_foreign { self.sender.idle_since() } else { Some(Instant::ZERO) };
        let is_late = free.is_some_and(|free| self.is_overdue(wishes.owed_since.max(free)));
        if !is_late || !self.waits.is_known() {
            return;
        }
        if let Some(filter) = wishes.owed.iter().find(takes) {
            let owed = format!("{} subscribes to {filter}, since the server has no session of it", self.name);
            let actual = format!("not from {} to {}", shown(wishes.owed_since), shown(self.now));
            findings.push(Invariant::ClientReconnects, "§4.1", &owed, actual);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::beside_another_request(false, 2, true)]
    #[case::full(false, 1, false)]
    #[case::sent_at_once(true, 1, true)]
    fn unsubscribe_without_room_may_come_to_nothing(
        #[case] is_at_once: bool,
        #[case] room: usize,
        #[case] holds: bool,
    ) {
        let mut wishes = Wishes::default();
        wishes.told_to_subscribe(["a".into()], Instant::ZERO);
        wishes.told_to_unsubscribe(&["a".to_owned()], Instant::ZERO, is_at_once, room);
        assert_eq!(wishes.told.values().any(|told| told.had_room), holds);
    }
}
