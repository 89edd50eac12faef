use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use crate::connection::State;
use crate::{ConnectionId, FaultId, HostId, Network, Side, Socket};

/// The rules of a middlebox: a NAT, a firewall or a load balancer that remembers each connection through it. Packets of a
/// connection that it does not know vanish.
///
/// It remembers a connection from the SYN that it lets pass until both ends have closed it, RST has passed, or a rule
/// makes it forget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MiddleboxRules {
    /// Maximum number of connections that it remembers; there is no limit if it is `None`.
    pub connections: Option<NonZeroU32>,
    /// Maximum number of connections that it lets begin in any second; there is no limit if it is `None`.
    pub new_per_second: Option<NonZeroU32>,
    /// Time that it remembers a connection on which no packet passes either way; for ever if it is `None`.
    pub idle_limit: Option<Duration>,
    /// The treatment of a new connection while it remembers as many as it can.
    pub when_full: WhenFull,
}

/// The treatment of a new connection by a middlebox that remembers as many as it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// The SYN vanishes, as with the connection tracking of Linux.
    #[default]
    DropNew,
    /// The connection that has been without packets for longest is forgotten, as in many a home router.
    ForgetOldest,
}

/// Identifies a middlebox: its place among those of the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MiddleboxId(u32);

/// A middlebox on one or more links.
pub(crate) struct Middlebox {
    rules: MiddleboxRules,
    /// The time of the last packet on each connection that it remembers.
    last_packets: BTreeMap<ConnectionId, Duration>,
    /// The connections that it remembers, by the time of the last packet on each.
    by_time: BTreeSet<(Duration, ConnectionId)>,
    /// The times at which the latest connections began, as far as they are less than a second ago.
    begun: VecDeque<Duration>,
}

impl Middlebox {
    fn new(rules: MiddleboxRules) -> Self {
        Self { rules, last_packets: BTreeMap::new(), by_time: BTreeSet::new(), begun: VecDeque::new() }
    }

    fn knows(&self, connection: ConnectionId) -> bool {
        self.last_packets.contains_key(&connection)
    }

    /// A packet passes on a connection.
    fn passed(&mut self, now: Duration, connection: ConnectionId) {
        if let Some(before) = self.last_packets.insert(connection, now) {
            self.by_time.remove(&(before, connection));
        }
        self.by_time.insert((now, connection));
    }

    fn forget(&mut self, connection: ConnectionId) {
        if let Some(last) = self.last_packets.remove(&connection) {
            self.by_time.remove(&(last, connection));
        }
    }

    /// Forgets the connections on which nothing has passed for longer than it remembers.
    fn forget_idle(&mut self, now: Duration) {
        let Some(limit) = self.rules.idle_limit else { return };
        while let Some(&(last, connection)) = self.by_time.first()
            && now.saturating_sub(last) > limit
        {
            self.forget(connection);
        }
    }

    /// Remembers a connection that begins, if the rules allow it.
    fn begin(&mut self, now: Duration, connection: ConnectionId) {
        while self.begun.front().is_some_and(|at| now.saturating_sub(*at) >= Duration::from_secs(1)) {
            self.begun.pop_front();
        }
        let is_fast = self.rules.new_per_second.is_some_and(|limit| self.begun.len() >= limit.get() as usize);
        if self.knows(connection) || is_fast {
            return;
        }
        if self.rules.connections.is_some_and(|limit| self.last_packets.len() >= limit.get() as usize) {
            match (self.rules.when_full, self.by_time.first()) {
                (WhenFull::ForgetOldest, Some(&(_, oldest))) => self.forget(oldest),
                _ => return,
            }
        }
        if self.rules.new_per_second.is_some() {
            self.begun.push_back(now);
        }
        self.passed(now, connection);
    }
}

/// Middleboxes on links.
impl Network {
    /// Puts a middlebox on these directions. Each direction has one at most, the latest that was put there.
    pub fn add_middlebox(&mut self, rules: MiddleboxRules, links: &[(HostId, HostId)]) {
        let id = MiddleboxId(self.middleboxes.len() as u32);
        self.middleboxes.push(Middlebox::new(rules));
        for &(from, to) in links {
            self.link_mut(from, to).middlebox = Some(id);
        }
    }

    fn middlebox_of(&self, socket: Socket) -> Option<MiddleboxId> {
        if self.middleboxes.is_empty() {
            return None;
        }
        self.links[self.end(socket)?.link as usize].middlebox
    }

    /// Lets the middlebox on the way from this socket, if there is one, see a packet that is about to leave: it forgets
    /// what has been idle for too long, and remembers a connection that begins.
    pub(crate) fn ask_middlebox(&mut self, now: Duration, socket: Socket) {
        let Some(id) = self.middlebox_of(socket) else { return };
        let is_opening = socket.side == Side::Client && self.end(socket).is_some_and(|end| end.state == State::Opening);
        let middlebox = &mut self.middleboxes[id.0 as usize];
        middlebox.forget_idle(now);
        if is_opening {
            middlebox.begin(now, socket.connection);
        }
    }

    /// Returns the fault of a middlebox that does not know the connection of this socket.
    pub(crate) fn middlebox_obstacle(&self, socket: Socket) -> Option<FaultId> {
        let id = self.middlebox_of(socket)?;
        (!self.middleboxes[id.0 as usize].knows(socket.connection)).then_some(FaultId::MIDDLEBOX)
    }

    /// A packet passes the middlebox on the way from this socket, if there is one.
    pub(crate) fn pass_middlebox(&mut self, now: Duration, socket: Socket, is_rst: bool) {
        let Some(id) = self.middlebox_of(socket) else { return };
        let middlebox = &mut self.middleboxes[id.0 as usize];
        match is_rst {
            true => middlebox.forget(socket.connection),
            false => middlebox.passed(now, socket.connection),
        }
    }

    /// Lets the middleboxes on its way forget a connection that both ends have closed.
    pub(crate) fn close_in_middleboxes(&mut self, connection: ConnectionId) {
        for side in [Side::Client, Side::Server] {
            if let Some(id) = self.middlebox_of(Socket::new(connection, side)) {
                self.middleboxes[id.0 as usize].forget(connection);
            }
        }
    }
}
