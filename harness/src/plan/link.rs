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
