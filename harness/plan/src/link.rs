use halfopen_protocol::PacketType;
pub use halfopen_tcp::{LinkChange, LinkSettings};

use super::NodeId;

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
