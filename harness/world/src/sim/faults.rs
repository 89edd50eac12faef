use std::rc::Rc;

use halfopen_protocol::{PacketType, Role};
use turmoil_net::EnterGuard;
use turmoil_net::shim::tokio::net::TcpStream;

use super::address::Key;
use super::connection::{Connection, ProgramEnd};
use super::wires::{Armed, ArmedFault, Wires};
use crate::conversation::{Conversation, other};
use crate::plan::{NetworkChange, NodeId, Position};

impl Wires {
    /// The network changes, because of the step at this position.
    pub(super) fn change(&mut self, position: Position, change: NetworkChange) {
        let (number, change) = match change {
            NetworkChange::OfConnection(number, change) => (Some(number), *change),
            change => (None, change),
        };
        let (links, starting_with, fault) = match change {
            NetworkChange::HalfOpen { links, starting_with } => (links, starting_with, ArmedFault::HalfOpen),
            NetworkChange::Partition { links, starting_with } => (links, starting_with, ArmedFault::Partition),
            NetworkChange::Reset { links, starting_with } => (links, starting_with, ArmedFault::Reset),
            NetworkChange::Heal(links) => return self.heal(position, &links, number),
            NetworkChange::Set(links, change) => {
                for (from, to) in links {
                    match number {
                        Some(number) => self.own((from, to, number)).change(position, change),
                        None => self.link(from, to).change(position, change),
                    }
                }
                return;
            }
            NetworkChange::OfConnection(..) => return,
        };
        match starting_with {
            Some(packet) => self.armed.push(Armed { position, links, number, packet, fault }),
            None => self.begin(position, &links, number, fault),
        }
    }

    fn begin(&mut self, position: Position, links: &[(NodeId, NodeId)], number: Option<u32>, fault: ArmedFault) {
        match fault {
            ArmedFault::HalfOpen => self.half_open(position, links, number),
            ArmedFault::Partition => self.partition(position, links, number),
            ArmedFault::Reset => self.reset(position, links, number),
        }
    }

    /// What was cut is whole again: for one connection if it was cut alone, or for a link and all of its connections.
    fn heal(&mut self, position: Position, links: &[(NodeId, NodeId)], number: Option<u32>) {
        for &(from, to) in links {
            let (first, last) = number.map_or((0, u32::MAX), |number| (number, number));
            let own = self.own.range_mut((from, to, first)..=(from, to, last));
            let mut healed = own.filter_map(|(_, own)| own.partition.take()).count() > 0;
            healed |= number.is_none() && self.link(from, to).partition.take().is_some();
            if healed {
                self.fault_hit(position);
            }
        }
    }

    /// The path forgets, in these directions, the connections that are open now: what is sent on them from now on
    /// vanishes. What is under way still arrives.
    fn half_open(&mut self, position: Position, links: &[(NodeId, NodeId)], number: Option<u32>) {
        let is_meant = |connection: &&mut Connection| connection.established && connection.is_nth(number);
        for connection in self.connections.values_mut().filter(is_meant) {
            for side in [Role::Client, Role::Server] {
                if links.contains(&connection.link(side)) {
                    connection.end_mut(side).flow.forgotten.get_or_insert(position);
                }
            }
        }
    }

    fn partition(&mut self, position: Position, links: &[(NodeId, NodeId)], number: Option<u32>) {
        for &(from, to) in links {
            match number {
                Some(number) => self.own((from, to, number)).partition = Some(position),
                None => self.link(from, to).partition = Some(position),
            }
        }
    }

    /// A middlebox aborts the connections that are open now: to the end at which a direction leads.
    fn reset(&mut self, position: Position, links: &[(NodeId, NodeId)], number: Option<u32>) {
        let mut directions = Vec::new();
        let is_meant = |connection: &&Connection| connection.established && connection.is_nth(number);
        for connection in self.connections.values().filter(is_meant) {
            for side in [Role::Client, Role::Server] {
                if links.contains(&connection.link(side)) && !connection.end(other(side)).is_gone {
                    directions.push((connection.key, side));
                }
            }
        }
        for (key, side) in directions {
            self.fault_hit(position);
            self.forge_abort(key, side);
        }
    }

    /// A packet has been written and is about to leave: what waited for it begins.
    pub(super) fn about_to_leave(&mut self, key: Key, side: Role, packet: PacketType) {
        let Some(connection) = self.connections.get(&key) else { return };
        let is_meant = |armed: &Armed| {
            armed.packet == packet && armed.links.contains(&connection.link(side)) && connection.is_nth(armed.number)
        };
        let (begins, waits): (Vec<Armed>, Vec<Armed>) = std::mem::take(&mut self.armed).into_iter().partition(is_meant);
        self.armed = waits;
        for Armed { position, links, number, fault, .. } in begins {
            self.begin(position, &links, number, fault);
        }
    }

    /// A program has given up connecting.
    pub(super) fn stop_dialing(&mut self, conversation: &Rc<Conversation>) {
        let client = conversation.node(Role::Client);
        for (dialed, is_given_up) in &mut self.hosts[client.0].dialing {
            *is_given_up |= Rc::ptr_eq(dialed, conversation);
        }
        let is_it = |connection: &&mut Connection| Rc::ptr_eq(&connection.conversation, conversation);
        let found = self.connections.values_mut().find(is_it).map(|connection| {
            connection.client.is_gone = true;
            connection.client.flow.forget();
            connection.key
        });
        if let Some(key) = found {
            self.close(key, Role::Client);
        }
    }

    /// Aborts the connections whose programs asked for it.
    pub(super) fn abort_sockets(&mut self, kernels: &EnterGuard, enter: impl Fn(NodeId)) {
        for (key, side, stream) in std::mem::take(&mut self.aborting) {
            let Some(connection) = self.connections.get_mut(&key) else {
                continue;
            };
            let node = connection.end(side).node;
            connection.clear_kernel(side, kernels);
            enter(node);
            drop(stream);
            let rst = connection.rst(side);
            self.depart(rst);
        }
    }

    /// Aborts the connections that nobody will accept any more.
    pub(super) fn abort_unaccepted(&mut self, kernels: &EnterGuard, enter: impl Fn(NodeId)) {
        for node in std::mem::take(&mut self.stopped_listening) {
            let is_waiting = |connection: &Connection| {
                let server = &connection.server;
                server.node == node
                    && server.program == ProgramEnd::Waiting
                    && !server.is_gone
                    && server.flow.next_sequence() != 0
            };
            let waiting = self.connections.values().filter(|connection| is_waiting(connection));
            let waiting: Vec<Key> = waiting.map(|connection| connection.key).collect();
            for key in waiting {
                let Some(connection) = self.connections.get_mut(&key) else { continue };
                connection.clear_kernel(Role::Server, kernels);
                let rst = connection.rst(Role::Server);
                self.depart(rst);
            }
            self.drain_listener(node, &enter);
        }
    }

    /// The host has no power any more: its kernel forgets everything, and nothing of that gets out.
    pub(super) fn forget_host(&mut self, node: NodeId, kernels: &EnterGuard, enter: impl Fn(NodeId)) {
        let connections = &self.connections;
        let is_of_host = |(key, side, _): &(Key, Role, TcpStream)| {
            connections.get(key).is_some_and(|connection| connection.end(*side).node == node)
        };
        let (closed, others) = std::mem::take(&mut self.aborting).into_iter().partition(is_of_host);
        self.aborting = others;
        enter(node);
        drop::<Vec<_>>(closed);
        let mut keys = Vec::new();
        for connection in self.connections.values_mut() {
            for side in [Role::Client, Role::Server] {
                if connection.end(side).node == node {
                    connection.clear_kernel(side, kernels);
                    // Nobody repeats an acknowledgement to somebody who sends nothing again.
                    connection.end_mut(other(side)).flow.drop_lost_ack();
                    keys.push((connection.key, side));
                }
            }
        }
        for (key, side) in keys {
            self.close(key, side);
        }
        self.stopped_listening.retain(|stopped| *stopped != node);
        self.hosts[node.0].dialing.clear();
        self.drain_listener(node, &enter);
    }

    /// Takes the connections that were aborted before anybody accepted them from the kernel's queue.
    fn drain_listener(&mut self, node: NodeId, enter: impl Fn(NodeId)) {
        let Some(listener) = self.hosts[node.0].listener.clone() else { return };
        enter(node);
        let nobody = &mut std::task::Context::from_waker(std::task::Waker::noop());
        while let std::task::Poll::Ready(Ok((stream, _))) = listener.poll_accept(nobody) {
            drop(stream);
        }
    }
}
