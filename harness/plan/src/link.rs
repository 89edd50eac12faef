use halfopen_protocol::PacketType;
pub use halfopen_tcp::{LinkChange, LinkSettings, MiddleboxRules, WhenFull};

use super::NodeId;

/// A connection: the n-th that a client opens in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NthConnection {
    /// The client that opens it.
    pub client: NodeId,
    /// The number among those that it opens, refused ones included, from 1.
    pub number: u32,
}

impl NthConnection {
    /// The number that stands for the latest connection at the time of the step. No client opens as many.
    pub const LATEST: u32 = u32::MAX;

    /// Returns the name of the latest connection of a client.
    pub const fn latest_of(client: NodeId) -> Self {
        Self { client, number: Self::LATEST }
    }
}

/// Returns the number of a connection as scenarios write it behind `#`: `2`, `last`.
pub fn number_text(number: u32) -> String {
    if number == NthConnection::LATEST { "last".to_owned() } else { number.to_string() }
}

/// A middlebox on links, which remembers the connections through it by rules of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Middlebox {
    /// The name in the file.
    pub name: String,
    /// Directions, from and to, that lead through it.
    pub links: Vec<(NodeId, NodeId)>,
    /// The rules.
    pub rules: MiddleboxRules,
}

/// A change of the network, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkChange {
    /// The scope.
    pub scope: Scope,
    /// The fault.
    pub fault: NetworkFault,
}

/// The part of the network that a fault concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Directions, from and to. A pair of nodes is one direction; both directions are two pairs.
    pub links: Vec<(NodeId, NodeId)>,
    /// The number of the one connection on each of the links, as [`NthConnection`] counts; all connections if `None`.
    pub connection: Option<u32>,
}

/// A fault of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkFault {
    /// The established connections are forgotten by the path: their packets vanish. New connections work.
    HalfOpen {
        /// If set, the fault takes effect when the first packet of this type is sent in any of the directions, and that
        /// packet vanishes.
        starting_with: Option<PacketType>,
    },
    /// All packets vanish, those of new connections included, until `Heal`.
    Partition {
        /// If set, the fault takes effect when the first packet of this type is sent in any of the directions, and that
        /// packet vanishes.
        starting_with: Option<PacketType>,
    },
    /// Ends `Partition`; retransmission brings the bytes.
    Heal,
    /// A middlebox aborts the established connections: an RST comes to the end at which each of the directions leads.
    Reset {
        /// If set, the fault takes effect when the first packet of this type is sent in any of the directions; the RST
        /// overtakes it.
        starting_with: Option<PacketType>,
    },
    /// The link changes, for packets that are sent from this instant on.
    Set(LinkChange),
}

impl NetworkFault {
    /// Returns the change that it is on these directions, on all of their connections.
    pub const fn on(self, links: Vec<(NodeId, NodeId)>) -> NetworkChange {
        NetworkChange { scope: Scope { links, connection: None }, fault: self }
    }

    /// Returns the type of the packet that it waits for, if it does.
    pub const fn starting_with(&self) -> Option<PacketType> {
        match self {
            Self::HalfOpen { starting_with } | Self::Partition { starting_with } | Self::Reset { starting_with } => {
                *starting_with
            }
            Self::Heal | Self::Set(_) => None,
        }
    }
}
