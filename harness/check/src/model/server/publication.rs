use std::cell::{Cell, RefCell};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use halfopen_protocol::Instant;
use halfopen_protocol::packet::{Publish, QoS};

use super::access::Permission;
use super::owed::Match;
use crate::model::finding::shown;
use crate::model::properties::Properties;

/// An application message that a server has taken over and has to pass on.
#[derive(Clone, Debug)]
pub(super) struct Publication {
    /// The order in which the server took it over.
    pub(super) number: u64,
    pub(super) topic: ByteString,
    pub(super) payload: Bytes,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// The client identifier of its publisher, also for a will.
    pub(super) publisher: ByteString,
    /// True if it is the will of its publisher.
    pub(super) is_will: bool,
    /// Time at which the server took it over, since the start of the run.
    pub(super) at: Instant,
    /// The Message Expiry Interval in seconds (§3.3.2.3.3).
    pub(super) expiry: Option<u32>,
    properties: Properties,
    /// The permission of its publisher.
    pub(super) permission: Permission,
    /// True if the server may not have read it, since it came behind something that breaks a rule.
    pub(super) may_be_unread: Cell<bool>,
    /// True if somebody was surely subscribed to its topic when it came.
    pub(super) has_subscriber: Cell<bool>,
    /// The client identifiers of the sessions that are owed it, and the filters of the groups.
    pub(super) owed_to: RefCell<Vec<ByteString>>,
    pub(super) owed_to_groups: RefCell<Vec<ByteString>>,
}

/// Returns how many bytes a Variable Byte Integer has (§1.5.5).
fn variable(value: usize) -> usize {
    match value {
        0..128 => 1,
        128..16_384 => 2,
        16_384..2_097_152 => 3,
        _ => 4,
    }
}

impl Publication {
    /// A message that came in a PUBLISH on this topic, which an alias may stand for.
    pub(super) fn of(
        publish: &Publish,
        topic: ByteString,
        publisher: ByteString,
        permission: Permission,
        number: u64,
        at: Instant,
    ) -> Self {
        Self {
            number,
            topic,
            payload: publish.payload.clone(),
            qos: publish.qos,
            retain: publish.retain,
            publisher,
            is_will: false,
            at,
            expiry: publish.message_expiry,
            properties: Properties::of(publish),
            permission,
            may_be_unread: Cell::new(false),
            has_subscriber: Cell::new(false),
            owed_to: RefCell::default(),
            owed_to_groups: RefCell::default(),
        }
    }

    /// Returns how a finding names the message, of the given kind.
    pub(super) fn named(&self, kind: &str) -> String {
        let Self { topic, publisher, at, .. } = self;
        match self.is_will {
            true => format!("the will of {publisher} on {topic}, due at {}", shown(*at)),
            false => format!("the {kind} on {topic} that {publisher} published at {}", shown(*at)),
        }
    }

    /// Returns about how many bytes the message takes in a server.
    pub(super) fn size(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.bytes() + 32
    }

    /// Returns whether the message has at most this many bytes as a PUBLISH of 5.0 for these matches, whose identifiers all stand
    /// in it (§3.3).
    pub(super) fn fits(&self, matches: &[Match], maximum: usize) -> bool {
        if maximum == usize::MAX {
            return true;
        }
        let identifiers = matches.iter().filter_map(|one| one.id).map(|id| 1 + variable(id as usize));
        let expiry = if self.expiry.is_some() { 5 } else { 0 };
        let properties = self.properties.bytes() + expiry + identifiers.sum::<usize>();
        let packet_id = if matches.iter().any(|one| one.qos > QoS::AtMostOnce) { 2 } else { 0 };
        let rest = 2 + self.topic.len() + packet_id + variable(properties) + properties + self.payload.len();
        1 + variable(rest) + rest <= maximum
    }

    /// Returns whether the server took this message over after another one: at one instant, the messages of different
    /// clients, and wills, come in any order.
    pub(super) fn is_surely_after(&self, other: &Self) -> bool {
        let is_ordered = self.publisher == other.publisher && !self.is_will && !other.is_will;
        other.at < self.at || is_ordered && other.number < self.number
    }

    /// Returns when the message expires, since the start of the run; `None` for never.
    pub(super) fn expires_at(&self) -> Option<Instant> {
        self.expiry.map(|seconds| self.at + Duration::from_secs(seconds.into()))
    }

    /// Returns what a PUBLISH of 5.0 that forwards this message says otherwise, if anything.
    pub(super) fn altered_by(&self, sent: &Publish) -> Option<(&'static str, &'static str)> {
        self.properties.altered_by(sent)
    }
}
