use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use crate::ConnectionId;

/// Identifies a host: its place among the hosts of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(pub u32);

/// The state of a host in the network.
#[derive(Default)]
pub(crate) struct Host {
    /// True if it is without power.
    pub(crate) is_down: bool,
    /// True if a program accepts connections.
    pub(crate) is_listening: bool,
    /// Number of connections that it has opened.
    pub(crate) opened_count: u32,
    /// The connections it has opened, by their ordinals.
    opened: Vec<(u32, ConnectionId)>,
    /// The connections that others have opened to it, if any have.
    pub(crate) served: Option<Box<Served>>,
}

/// The connections that others have opened to a host.
#[derive(Default)]
pub(crate) struct Served {
    /// All of them, by client and ordinal.
    pub(crate) all: BTreeMap<(HostId, u32), ConnectionId>,
    /// The open ones that wait to be accepted.
    pub(crate) backlog: VecDeque<ConnectionId>,
}

impl Host {
    /// Returns the connections that others have opened to it, to be changed.
    pub(crate) fn served_mut(&mut self) -> &mut Served {
        self.served.get_or_insert_default()
    }

    /// Returns all connections that others have opened to it, in the order of client and ordinal.
    pub(crate) fn served(&self) -> impl Iterator<Item = ConnectionId> {
        self.served.iter().flat_map(|served| served.all.values().copied())
    }

    /// Forgets the connections that wait to be accepted.
    pub(crate) fn clear_backlog(&mut self) {
        if let Some(served) = &mut self.served {
            served.backlog.clear();
        }
    }

    /// Adds a connection that the host has opened. Its ordinal is greater than those before.
    pub(crate) fn add_opened(&mut self, ordinal: u32, id: ConnectionId) {
        if self.opened.is_empty() {
            // Mostly it stays alone, and a list that grows by itself makes room for four.
            self.opened.reserve_exact(1);
        }
        self.opened.push((ordinal, id));
    }

    /// Removes a connection that the host has opened.
    pub(crate) fn remove_opened(&mut self, ordinal: u32) {
        if let Ok(place) = self.opened.binary_search_by_key(&ordinal, |(ordinal, _)| *ordinal) {
            self.opened.remove(place);
        }
    }

    /// Returns the connections that the host has opened with these ordinals.
    pub(crate) fn opened(&self, ordinals: RangeInclusive<u32>) -> impl Iterator<Item = ConnectionId> {
        let first = self.opened.partition_point(|(ordinal, _)| ordinal < ordinals.start());
        let rest = self.opened[first..].iter();
        rest.take_while(move |(ordinal, _)| ordinal <= ordinals.end()).map(|(_, id)| *id)
    }
}
