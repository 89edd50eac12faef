use std::time::Duration;

use halfopen_protocol::PacketType;

use super::NodeId;

/// What a link does to packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// One-way travel time, whole milliseconds.
    pub latency: Duration,
    /// Up to so much more, whole milliseconds, uniformly distributed; order within a connection is kept.
    pub jitter: Duration,
    /// For how long a sender sends an unacknowledged segment again before its socket fails.
    pub give_up: Duration,
    /// How many of a million packets are lost at first: TCP sends them again, and what comes after them waits.
    pub loss: u32,
    /// How many bytes of the streams pass in a second, in each direction of the link by itself; no limit if none.
    pub bandwidth: Option<u64>,
}

impl Default for LinkSettings {
    /// 10 ms one way, no jitter, no losses, no limit of bandwidth, and Linux's `tcp_retries2` of 15, which gives up after about 924.6 s.
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(10),
            jitter: Duration::ZERO,
            give_up: Duration::from_secs(924),
            loss: 0,
            bandwidth: None,
        }
    }
}

impl LinkSettings {
    /// What they are after a change.
    #[must_use]
    pub fn changed(self, change: LinkChange) -> Self {
        Self {
            latency: change.latency.unwrap_or(self.latency),
            jitter: change.jitter.unwrap_or(self.jitter),
            give_up: change.give_up.unwrap_or(self.give_up),
            loss: change.loss.unwrap_or(self.loss),
            bandwidth: change.bandwidth.unwrap_or(self.bandwidth),
        }
    }
}

/// One connection: the n-th that a client opens in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NthConnection {
    /// Who opens it.
    pub client: NodeId,
    /// Which of those that it opens, refused ones included, from 1.
    pub number: u32,
}

/// A change of the network. A pair of nodes is one direction; both directions are two changes in one list.
#[derive(Clone, Debug)]
pub enum NetworkChange {
    /// The established connections of these directions are forgotten by the path: their packets vanish. New
    /// connections work.
    HalfOpen {
        /// Directions, from and to.
        links: Vec<(NodeId, NodeId)>,
        /// Not yet, but when the first packet of this type would leave in either direction; that packet vanishes.
        starting_with: Option<PacketType>,
    },
    /// All packets of these directions vanish, new connections included, until `Heal`.
    Partition {
        /// Directions, from and to.
        links: Vec<(NodeId, NodeId)>,
        /// Not yet, but when the first packet of this type would leave in any of them; that packet vanishes.
        starting_with: Option<PacketType>,
    },
    /// Ends `Partition`; retransmission brings the bytes.
    Heal(Vec<(NodeId, NodeId)>),
    /// A middlebox aborts the established connections: an RST comes to the end at which each of these directions leads.
    Reset {
        /// Directions, from and to.
        links: Vec<(NodeId, NodeId)>,
        /// Not yet, but when the first packet of this type leaves in any of them; the RST overtakes it.
        starting_with: Option<PacketType>,
    },
    /// From now on, for packets that leave from now on.
    Set(Vec<(NodeId, NodeId)>, LinkChange),
    /// A change that concerns one connection alone: on each of the links in it, the one with this number, as
    /// [`NthConnection`] counts.
    OfConnection(u32, Box<Self>),
}

impl NetworkChange {
    /// The change itself, and the number of the connection if it concerns one alone.
    pub fn parts(&self) -> (Option<u32>, &Self) {
        match self {
            Self::OfConnection(number, change) => (Some(*number), change),
            change => (None, change),
        }
    }

    /// Which directions it is about.
    pub fn links(&self) -> &[(NodeId, NodeId)] {
        match self {
            Self::HalfOpen { links, .. }
            | Self::Partition { links, .. }
            | Self::Reset { links, .. }
            | Self::Heal(links)
            | Self::Set(links, _) => links,
            Self::OfConnection(_, change) => change.links(),
        }
    }

    /// The packet that it waits for, if it does.
    pub fn starting_with(&self) -> Option<PacketType> {
        match self {
            Self::HalfOpen { starting_with, .. }
            | Self::Partition { starting_with, .. }
            | Self::Reset { starting_with, .. } => *starting_with,
            Self::Heal(_) | Self::Set(..) => None,
            Self::OfConnection(_, change) => change.starting_with(),
        }
    }
}

/// What of a link changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// One-way travel time.
    pub latency: Option<Duration>,
    /// Up to so much more.
    pub jitter: Option<Duration>,
    /// The time after which a sender's socket fails.
    pub give_up: Option<Duration>,
    /// How many of a million packets are lost at first.
    pub loss: Option<u32>,
    /// How many bytes pass in a second; without limit if `Some(None)`.
    pub bandwidth: Option<Option<u64>>,
}

impl LinkChange {
    /// This change, and a later one.
    pub fn and(self, later: Self) -> Self {
        Self {
            latency: later.latency.or(self.latency),
            jitter: later.jitter.or(self.jitter),
            give_up: later.give_up.or(self.give_up),
            loss: later.loss.or(self.loss),
            bandwidth: later.bandwidth.or(self.bandwidth),
        }
    }
}
