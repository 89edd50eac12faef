//! A message that a session is owed, and what tells whether a PUBLISH is a copy of it.

use std::rc::Rc;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::packet::{Publish, QoS, Subscription};
use halfopen_protocol::{Instant, Version};

use crate::model::server::publication::Publication;
use crate::model::server::session::Subscribed;

/// Messages are recognised by topic and payload, in the order in which they became owed.
pub(in crate::model::server) type Content = (ByteString, Bytes);

/// A PUBLISH that a server sends to a client, to be recognised.
pub(in crate::model::server) struct Copy<'a> {
    pub(in crate::model::server) content: Content,
    pub(in crate::model::server) publish: &'a Publish,
    pub(in crate::model::server) now: Instant,
    /// The version of the receiver: a copy in 3.1.1 has no properties.
    pub(in crate::model::server) version: Version,
}

impl Copy<'_> {
    /// Returns whether the copy has the lifetime that is left of a message, within `slack` seconds; with DUP, if there is any slack, its
    /// delivery may have begun before.
    pub(super) fn has_lifetime_of(&self, message: &Publication, slack: u64) -> bool {
        let waited = self.now.saturating_since(message.at).as_secs();
        let lasts = message.expires_at().is_none_or(|at| at >= self.now);
        match (message.expiry, self.publish.message_expiry) {
            _ if !self.version.is_v5() => lasts,
            (Some(expiry), Some(sent)) if self.publish.dup && slack > 0 => sent <= expiry,
            (Some(expiry), Some(sent)) => {
                lasts && u64::from(expiry).saturating_sub(waited).abs_diff(sent.into()) <= slack
            }
            (expiry, sent) => expiry == sent,
        }
    }
}

/// A message that a session is owed.
#[derive(Clone, Debug)]
pub(in crate::model::server) struct OwedMessage {
    pub(in crate::model::server) publication: Rc<Publication>,
    /// One for each subscription that it matches; each may be a copy of its own (§3.3.4).
    pub(in crate::model::server) matches: Vec<Match>,
    /// True if at least one copy has to be sent.
    pub(in crate::model::server) is_must: bool,
    /// True if the server may still hold it back, for want of PUBREL (§4.3.3).
    pub(in crate::model::server) is_held: bool,
    /// Number of copies that were sent.
    pub(in crate::model::server) sent: usize,
    /// The Subscription Identifiers that these have named.
    pub(in crate::model::server) named: Vec<u32>,
    /// Time since which it could have been sent.
    pub(in crate::model::server) since: Instant,
    /// Sent because a subscription was made, not because the message was published.
    pub(in crate::model::server) is_retained: bool,
    /// True if a retained message may also be sent without RETAIN, as one that has just been published.
    pub(in crate::model::server) may_be_live: bool,
    /// True if it has a place in the order of its topic. The members of a group get messages in any order.
    pub(in crate::model::server) is_ordered: bool,
}

/// The demands of a subscription on a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::model::server) struct Match {
    pub(in crate::model::server) qos: QoS,
    pub(in crate::model::server) retain: bool,
    pub(in crate::model::server) id: Option<u32>,
    /// False if the server may not have made the subscription yet when the message came, or have replaced it.
    pub(in crate::model::server) is_sure: bool,
}

impl Match {
    /// Returns what a subscription asks of a message that is published [MQTT-3.8.4-8], [MQTT-3.3.1-12],
    /// [MQTT-3.3.1-13].
    pub(in crate::model::server) fn live(subscribed: &Subscribed, publication: &Publication) -> Self {
        Self {
            qos: publication.qos.min(subscribed.qos),
            retain: subscribed.retain_as_published && publication.retain,
            id: subscribed.id,
            is_sure: true,
        }
    }

    /// Returns what a subscription that was asked for, and not granted yet, may ask of a message that is published.
    pub(in crate::model::server) fn asked(
        subscription: &Subscription,
        id: Option<u32>,
        publication: &Publication,
    ) -> Self {
        Self {
            qos: publication.qos.min(subscription.qos),
            retain: subscription.retain_as_published && publication.retain,
            id,
            is_sure: false,
        }
    }
}

impl OwedMessage {
    /// A message that may be sent for a subscription, and need not be.
    pub(in crate::model::server) fn possible(publication: Rc<Publication>, subscribed: &Subscribed) -> Self {
        Self {
            matches: vec![Match::live(subscribed, &publication)],
            since: publication.at,
            publication,
            is_must: false,
            is_held: false,
            sent: 0,
            named: Vec::new(),
            is_retained: false,
            may_be_live: false,
            is_ordered: false,
        }
    }

    /// The highest QoS at which the message is owed [MQTT-3.3.4-2] (5.0), [MQTT-3.3.5-1] (3.1.1).
    pub(in crate::model::server) fn qos(&self) -> QoS {
        self.matches.iter().map(|one| one.qos).max().unwrap_or_default()
    }

    /// Returns whether another message with equal content is owed for equal subscriptions.
    pub(super) fn is_owed_like(&self, other: &Self) -> bool {
        self.matches == other.matches && self.is_retained == other.is_retained
    }

    /// Returns whether it has to be sent, though the server may have forgotten everything up to the publication with this
    /// number.
    pub(super) fn is_owed(&self, doubtful_up_to: u64) -> bool {
        self.is_must && self.publication.number > doubtful_up_to
    }

    /// About how many bytes it has.
    pub(in crate::model::server) fn size(&self) -> usize {
        self.publication.payload.len() + self.publication.topic.len()
    }

    /// Returns whether a PUBLISH may be a copy of this message. A single copy for subscriptions that overlap may have the
    /// QoS of one and the RETAIN of another.
    pub(super) fn fits(&self, sent: &Publish) -> bool {
        self.sent < self.matches.len()
            && self.matches.iter().any(|one| one.qos == sent.qos)
            && self.matches.iter().any(|one| one.retain == sent.retain)
    }

    /// Returns whether a PUBLISH may be the first copy of this message.
    pub(super) fn is_first(&self, sent: &Publish) -> bool {
        self.sent == 0 && self.fits(sent)
    }

    /// Returns whether the identifiers of a copy are those of its subscriptions: a single copy carries all, several copies carry
    /// one each [MQTT-3.3.4-3], [MQTT-3.3.4-4], [MQTT-3.3.4-5].
    pub(in crate::model::server) fn is_identified_by(&self, ids: &[u32]) -> bool {
        let count = |id: u32| ids.iter().filter(|one| **one == id).count();
        let possible = |id: u32| self.matches.iter().filter(|one| one.id == Some(id)).count();
        let has_no_other = ids.iter().all(|id| count(*id) <= possible(*id));
        let is_one_of_several = self.matches.len() > 1
            && match ids {
                [] => self.matches.iter().any(|one| one.id.is_none()),
                [_] => true,
                _ => false,
            };
        has_no_other && (self.has_all_of(ids) || is_one_of_several)
    }

    /// Returns whether one of these identifiers is of a subscription that it matches, and no copy has named it.
    pub(super) fn lacks(&self, ids: &[u32]) -> bool {
        let mut new = ids.iter().filter(|id| !self.named.contains(id));
        new.any(|id| self.matches.iter().any(|one| one.id == Some(*id)))
    }

    /// Returns whether these are the identifiers of all its subscriptions.
    pub(super) fn has_all_of(&self, ids: &[u32]) -> bool {
        let count = |id: u32| ids.iter().filter(|one| **one == id).count();
        let sure = |id: u32| self.matches.iter().filter(|one| one.is_sure && one.id == Some(id)).count();
        self.matches.iter().filter_map(|one| one.id).all(|id| sure(id) <= count(id))
    }

    /// Returns whether a PUBLISH is for all its subscriptions, or for one of them at the QoS of that one (§3.3.4).
    fn is_at_its_qos(&self, sent: &Publish) -> bool {
        let is_it = |one: &Match| one.qos == sent.qos && one.id.as_slice() == sent.subscription_ids.as_slice();
        self.has_all_of(&sent.subscription_ids) || self.matches.iter().any(is_it)
    }

    /// Returns whether a PUBLISH is the first copy of this message, as it is owed in each respect. A copy of a lower QoS may be a
    /// further one for another subscription, or for a group. Its lifetime is right within `slack` seconds.
    pub(in crate::model::server) fn is_exactly(&self, copy: &Copy<'_>, slack: u64) -> bool {
        let is_at_its_qos = !copy.version.is_v5() || self.is_at_its_qos(copy.publish);
        self.is_first(copy.publish) && self.qos() == copy.publish.qos && is_at_its_qos && self.is_like(copy, slack)
    }

    /// Returns whether a copy has the properties that the message has, but for its lifetime.
    pub(super) fn is_unaltered(&self, copy: &Copy<'_>) -> bool {
        !copy.version.is_v5() || self.publication.altered_by(copy.publish).is_none()
    }

    /// Returns whether a copy has the identifiers and the properties of the message, but for its lifetime.
    pub(in crate::model::server) fn is_said_by(&self, copy: &Copy<'_>) -> bool {
        !copy.version.is_v5() || self.is_identified_by(&copy.publish.subscription_ids) && self.is_unaltered(copy)
    }

    /// Returns whether a copy says what the message says, now.
    pub(super) fn is_like(&self, copy: &Copy<'_>, slack: u64) -> bool {
        copy.has_lifetime_of(&self.publication, slack) && self.is_said_by(copy)
    }
}
