use std::collections::BTreeSet;
use std::time::Duration;

use crate::connection::{End, Program, State};
use crate::segment::{Flag, Segment};
use crate::{FaultId, HostId, LinkChange, Network, Side, Socket};

/// The part of the network that a fault concerns.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Directions, each from one host to another.
    pub links: &'a [(HostId, HostId)],
    /// The only connection it is about: its ordinal among those that its client opens, from 1. It may be opened later.
    pub connection: Option<u32>,
}

impl Network {
    /// Cuts links: their packets vanish, those of new connections included, until [`heal`](Self::heal).
    pub fn partition(&mut self, fault: FaultId, scope: Scope<'_>) {
        for &(from, to) in scope.links {
            match scope.connection {
                Some(ordinal) => self.override_mut(from, to, ordinal).partition = Some(fault),
                None => self.link_mut(from, to).partition = Some(fault),
            }
        }
    }

    /// Ends partitions: that of one connection if it was cut alone, or that of a link and all of its connections.
    pub fn heal(&mut self, fault: FaultId, scope: Scope<'_>) {
        for &(from, to) in scope.links {
            let (first, last) = scope.connection.map_or((0, u32::MAX), |ordinal| (ordinal, ordinal));
            let overrides = self.overrides.range_mut((from, to, first)..=(from, to, last));
            let mut has_healed = overrides.filter_map(|(_, own)| own.partition.take()).count() > 0;
            has_healed |= scope.connection.is_none()
                && self.link_places.contains_key(&(from, to))
                && self.link_mut(from, to).partition.take().is_some();
            if has_healed {
                self.fault_hit(fault);
            }
        }
    }

    /// Makes the path forget, in these directions, the connections that are open now: what is sent on them after this
    /// call vanishes, and what is under way still arrives.
    pub fn half_open(&mut self, fault: FaultId, scope: Scope<'_>) {
        for socket in self.established(scope) {
            if let Some(end) = self.end_mut(socket) {
                end.sender.forgotten.get_or_insert(fault);
            }
        }
    }

    /// Makes a middlebox abort the connections that are open now: RST travels to the end at which a direction leads.
    pub fn reset(&mut self, now: Duration, fault: FaultId, scope: Scope<'_>) {
        for socket in self.established(scope) {
            if self.end(socket.peer()).is_none_or(|end| end.is_gone()) {
                continue;
            }
            let Some(path) = self.path(socket) else { continue };
            self.fault_hit(fault);
            match self.partition_of(path) {
                Some(partition) => self.fault_hit(partition),
                None => self.put_on_path(now, socket, path, Segment::rst()),
            }
        }
    }

    /// Changes the settings of links, for the packets that leave after this call. What is set for one connection holds
    /// whatever is set for its link.
    pub fn change_link(&mut self, fault: FaultId, scope: Scope<'_>, change: LinkChange) {
        self.has_idle_limits |= change.idle_limit.is_some();
        for &(from, to) in scope.links {
            match scope.connection {
                Some(ordinal) => {
                    let own = self.override_mut(from, to, ordinal);
                    own.change = own.change.and(change);
                    own.link.change(fault, change);
                }
                None => self.link_mut(from, to).change(fault, change),
            }
        }
    }

    /// Takes the power from a host: it forgets everything, sends nothing, and receives nothing until
    /// [`power_on`](Self::power_on). Its programs are gone; their sockets may still be closed, without effect.
    pub fn power_off(&mut self, now: Duration, host: HostId) {
        let it = self.host_mut(host);
        it.is_down = true;
        it.is_listening = false;
        it.clear_backlog();
        let clients = it.opened(0..=u32::MAX).map(|id| Socket::new(id, Side::Client));
        let sockets: Vec<Socket> = clients.chain(it.served().map(|id| Socket::new(id, Side::Server))).collect();
        self.stopped_listening.retain(|stopped| *stopped != host);
        self.control.retain(|(of, ..)| *of != host);
        self.writers.retain(|(of, ..)| *of != host);
        for socket in sockets {
            let is_unanswered = self.is_unanswered(socket);
            // A SYN that is under way still finds the host when it has power again.
            if let Some(connection) = self.connection_mut(socket.connection)
                && connection.end(socket.side).state != State::Absent
            {
                connection.end_handshake(socket.side);
                let end = connection.end_mut(socket.side);
                end.state = State::Reset;
                end.program = Program::Closed;
                end.is_queued = false;
                end.sender.forget();
                end.receiver.clear();
                // Nobody repeats an acknowledgement to a host that sends nothing again.
                connection.end_mut(socket.side.other()).sender.drop_lost_ack();
            }
            self.ending.push(socket.connection);
            if is_unanswered {
                self.repeat_syn(now, socket);
            }
        }
    }

    /// A host forgets that it has received a SYN whose answer has not arrived: the client sends it again.
    fn repeat_syn(&mut self, now: Duration, server: Socket) {
        if let Some(end) = self.end_mut(server) {
            *end = End::new(end.host, end.link);
        }
        let syn = Segment { flag: Flag::Syn, window: u16::MAX, ..Segment::default() };
        let left = self.end(server.peer()).map_or(now, |client| client.sender.waiting_since());
        self.lose(now, server.peer(), syn, left);
    }

    /// Gives a host its power back. It knows nothing of the connections it had.
    pub fn power_on(&mut self, host: HostId) {
        self.host_mut(host).is_down = false;
    }

    /// Returns whether a host is without power.
    pub fn is_down(&self, host: HostId) -> bool {
        self.host(host).is_down
    }

    /// Returns whether this is the end of a server that has received a SYN and whose client waits for the answer.
    fn is_unanswered(&self, socket: Socket) -> bool {
        let Some(connection) = self.connection(socket.connection) else { return false };
        let has_syn = socket.side == Side::Server && connection.server.state == State::Opening;
        let is_answer_under_way = connection.server.sender.in_flight > 0;
        has_syn && !is_answer_under_way && connection.client.state == State::Opening
    }

    /// Returns the sockets that send in the given directions on connections that their clients know to be open, by
    /// client, ordinal and side.
    fn established(&self, scope: Scope<'_>) -> Vec<Socket> {
        let mut sockets = BTreeSet::new();
        for &(from, to) in scope.links {
            for (id, side) in self.connections_on(from, to, scope.connection) {
                if let Some(connection) = self.connection(id).filter(|connection| connection.is_established) {
                    sockets.insert((connection.client.host, connection.ordinal, Socket::new(id, side)));
                }
            }
        }
        sockets.into_iter().map(|(_, _, socket)| socket).collect()
    }
}
