use std::collections::{BTreeMap, BTreeSet, VecDeque};

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
    pub(crate) opened: BTreeMap<u32, ConnectionId>,
    /// The connections that others have opened to it, by client and ordinal.
    pub(crate) served: BTreeMap<(HostId, u32), ConnectionId>,
    /// Segments of the handshake, acknowledgements and RSTs that leave with the next flush.
    pub(crate) control: Vec<(Socket, Segment)>,
    /// Sockets that may have bytes or FIN to send, with their ranks.
    pub(crate) writers: BTreeSet<(u64, Socket)>,
}
