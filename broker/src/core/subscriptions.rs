use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

use bytestring::ByteString;
use halfopen_protocol::packet::{QoS, Subscription};
use halfopen_protocol::topic;

use super::message::{Delivery, own};
use super::session::SessionKey;
use super::topic_tree::TopicTree;

/// The subscriptions of all sessions, by filter.
#[derive(Clone, Debug)]
pub(super) struct Subscriptions {
    tree: TopicTree<Subscribers>,
    count: usize,
    shared_count: usize,
}

/// The subscribers of one filter.
#[derive(Clone, Debug, Default)]
struct Subscribers {
    each: BTreeMap<SessionKey, Options>,
    /// Shared subscriptions by their group, each with the group and filter as it is subscribed to (§4.8.2 of 5.0).
    groups: BTreeMap<ByteString, Group>,
}

/// The sessions that share a subscription.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// `$share/{group}/{filter}`.
    name: ByteString,
    members: BTreeMap<SessionKey, Options>,
    /// The session that got the last message.
    last: Cell<Option<SessionKey>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Options {
    qos: QoS,
    no_local: bool,
    retain_as_published: bool,
    id: Option<u32>,
}

impl Subscriptions {
    pub(super) fn new() -> Self {
        Self { tree: TopicTree::new(), count: 0, shared_count: 0 }
    }

    /// Returns how many there are, shared ones included.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// Returns how many of them are shared.
    pub(super) fn shared_len(&self) -> usize {
        self.shared_count
    }

    /// Adds a subscription, or replaces the one with the identical filter [MQTT-3.8.4-3]. True if there was none.
    pub(super) fn subscribe(&mut self, session: SessionKey, subscription: &Subscription, id: Option<u32>) -> bool {
        let options = Options {
            qos: subscription.qos,
            no_local: subscription.no_local,
            retain_as_published: subscription.retain_as_published,
            id,
        };
        let shared = topic::shared(&subscription.filter);
        let filter = shared.map_or(&*subscription.filter, |shared| shared.filter);
        let subscribers = self.tree.get_or_insert_with(filter, Subscribers::default);
        let members = match shared {
            None => &mut subscribers.each,
            Some(shared) => {
                let group = subscribers.groups.entry(shared.group.into()).or_default();
                if group.name.is_empty() {
                    group.name = own(&subscription.filter);
                }
                &mut group.members
            }
        };
        let is_new = members.insert(session, options).is_none();
        self.count += usize::from(is_new);
        self.shared_count += usize::from(is_new && shared.is_some());
        is_new
    }

    /// Removes a subscription with exactly this filter [MQTT-3.10.4-1]. False if there was none.
    pub(super) fn unsubscribe(&mut self, session: SessionKey, filter: &str) -> bool {
        let shared = topic::shared(filter);
        let filter = shared.map_or(filter, |shared| shared.filter);
        let Some(subscribers) = self.tree.get_mut(filter) else { return false };
        let existed = match shared {
            None => subscribers.each.remove(&session).is_some(),
            Some(shared) => subscribers.leave_group(shared.group, session),
        };
        if subscribers.each.is_empty() && subscribers.groups.is_empty() {
            self.tree.remove(filter);
        }
        self.count -= usize::from(existed);
        self.shared_count -= usize::from(existed && shared.is_some());
        existed
    }

    /// Returns how a session gets the retained messages of this QoS for its subscription with exactly this filter, with
    /// RETAIN 1 [MQTT-3.3.1-8] (3.1.1), (§3.3.1.3 of 5.0). `None` if it has no such subscription.
    pub(super) fn retained_delivery(&self, session: SessionKey, filter: &str, qos: QoS) -> Option<Delivery> {
        let options = self.tree.get(filter)?.each.get(&session)?;
        Some(Delivery { retain: true, ..options.delivery(qos, true) })
    }

    /// Returns who gets a message, each once whatever subscriptions of theirs overlap, at the highest QoS among these
    /// [MQTT-3.3.5-1] (3.1.1), [MQTT-3.3.4-2] (5.0), with the identifiers of all [MQTT-3.3.4-3], [MQTT-3.3.4-4].
    /// And beside that one member of each group that shares a matching subscription, as `rank` prefers them.
    ///
    /// `from` is the publisher, which does not get it by a subscription with No Local [MQTT-3.8.3-3].
    pub(super) fn receivers(
        &self,
        topic: &str,
        qos: QoS,
        retain: bool,
        from: Option<SessionKey>,
        rank: impl Fn(SessionKey) -> Rank,
    ) -> Vec<(SessionKey, Delivery)> {
        let mut receivers = Vec::new();
        let mut groups: Vec<&Group> = Vec::new();
        self.tree.matching_filters(topic, |subscribers| {
            for (&session, options) in &subscribers.each {
                if !(options.no_local && from == Some(session)) {
                    receivers.push((session, options.delivery(qos, retain)));
                }
            }
            groups.extend(subscribers.groups.values());
        });
        // A stable sort: the order does not depend on how the filters lie in the tree, except that of identifiers.
        receivers.sort_by_key(|(session, _)| *session);
        receivers.dedup_by(|(later, more), (earlier, delivery)| {
            let same = later == earlier;
            if same {
                delivery.merge(more);
            }
            same
        });
        receivers.extend(groups.into_iter().filter_map(|group| group.choose(qos, retain, &rank)));
        receivers
    }

    /// The member of a group that gets a message next; `None` if the group has none that can. `name` is
    /// `$share/{group}/{filter}`.
    pub(super) fn member(
        &self,
        name: &str,
        qos: QoS,
        retain: bool,
        rank: impl Fn(SessionKey) -> Rank,
    ) -> Option<(SessionKey, Delivery)> {
        let shared = topic::shared(name)?;
        self.tree.get(shared.filter)?.groups.get(shared.group)?.choose(qos, retain, &rank)
    }
}

/// The suitability of a member of a group for the next message, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Could send it on now.
    Ready,
    /// The member has a connection, but other messages wait before this one.
    Busy,
    /// The member has no connection: messages above QoS 0 would wait for one.
    Away,
    /// The member must not get the message.
    Never,
}

impl Group {
    /// The next in turn among those of the best rank.
    fn choose(&self, qos: QoS, retain: bool, rank: &impl Fn(SessionKey) -> Rank) -> Option<(SessionKey, Delivery)> {
        let last = self.last.get();
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let behind = self.members.range((after, Bound::Unbounded));
        let before = last.into_iter().flat_map(|last| self.members.range(..=last));
        let mut best: Option<(Rank, SessionKey, &Options)> = None;
        for (&session, options) in behind.chain(before) {
            let rank = match rank(session) {
                Rank::Away if qos.min(options.qos) == QoS::AtMostOnce => Rank::Never,
                rank => rank,
            };
            if rank < best.map_or(Rank::Never, |(rank, ..)| rank) {
                best = Some((rank, session, options));
            }
            if rank == Rank::Ready {
                break;
            }
        }
        let (_, session, options) = best?;
        self.last.set(Some(session));
        Some((session, Delivery { shared: Some(self.name.clone()), ..options.delivery(qos, retain) }))
    }
}

impl Subscribers {
    fn leave_group(&mut self, group: &str, session: SessionKey) -> bool {
        let Some(members) = self.groups.get_mut(group).map(|group| &mut group.members) else { return false };
        let existed = members.remove(&session).is_some();
        if members.is_empty() {
            self.groups.remove(group);
        }
        existed
    }
}

impl Options {
    fn delivery(&self, qos: QoS, retain: bool) -> Delivery {
        Delivery {
            qos: self.qos.min(qos),
            // Only a subscription of 5.0 that asks for it sees the flag as published: [MQTT-3.3.1-9] (3.1.1),
            // [MQTT-3.3.1-12], [MQTT-3.3.1-13] (5.0).
            retain: retain && self.retain_as_published,
            subscription_ids: self.id.into_iter().collect(),
            shared: None,
        }
    }
}

impl Delivery {
    fn merge(&mut self, other: &mut Self) {
        self.qos = self.qos.max(other.qos);
        self.retain |= other.retain;
        self.subscription_ids.append(&mut other.subscription_ids);
    }
}
