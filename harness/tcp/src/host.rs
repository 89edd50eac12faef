use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use crate::ConnectionId;
use crate::connection::Socket;
use crate::segment::Segment;

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
    /// Open connections that wait to be accepted.
    pub(crate) backlog: VecDeque<ConnectionId>,
    /// Number of connections that it has opened.
    pub(crate) opened_count: u32,
    /// The connections it has opened, by their ordinals.
    opened: Vec<(u32, ConnectionId)>,
    /// The connections that others have opened to it, by client and ordinal.
    pub(crate) served: BTreeMap<(HostId, u32), ConnectionId>,
    /// Segments of the handshake, acknowledgements and RSTs that leave with the next flush.
    pub(crate) control: Vec<(Socket, Segment)>,
    /// Sockets that may have bytes or FIN to send, with their ranks.
    pub(crate) writers: Vec<(u64, Socket)>,
}

impl Host {
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
