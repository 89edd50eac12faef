use std::rc::Rc;

use halfopen_protocol::Role;
use turmoil_net::{EnterGuard, Packet, TcpFlags, TcpSegment, Transport};

use super::address::{Key, PORT, address};
use super::flow::Flow;
use super::own::Way;
use crate::conversation::Conversation;
use crate::plan::NodeId;
use crate::trace::Item;

/// A TCP connection as the world sees it from outside of the kernels at its ends.
pub(super) struct Connection {
    pub(super) key: Key,
    pub(super) conversation: Rc<Conversation>,
    pub(super) client: End,
    pub(super) server: End,
    /// The client knows that it is open.
    pub(super) established: bool,
    /// The server's kernel knows that it is open.
    pub(super) confirmed: bool,
}

/// One end of it.
pub(super) struct End {
    pub(super) node: NodeId,
    pub(super) program: ProgramEnd,
    /// The kernel knows nothing of the connection any more.
    pub(super) is_gone: bool,
    /// Why: the kernel gave up, which the program is to see as a time-out.
    pub(super) has_timed_out: bool,
    /// What it sends.
    pub(super) flow: Flow,
}

/// What a program has of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum ProgramEnd {
    /// Not yet a socket: it is connecting, or has not accepted.
    Waiting,
    /// A socket.
    Open,
    /// No socket any more.
    Closed,
}

impl Connection {
    /// A connection whose SYN is about to leave.
    pub(super) fn new(key: Key, conversation: Rc<Conversation>) -> Self {
        let end = |side| End {
            node: conversation.node(side),
            program: ProgramEnd::Waiting,
            is_gone: false,
            has_timed_out: false,
            flow: Flow::default(),
        };
        let (client, server) = (end(Role::Client), end(Role::Server));
        Self { key, conversation, client, server, established: false, confirmed: false }
    }

    /// The end on this side.
    pub(super) fn end(&self, side: Role) -> &End {
        match side {
            Role::Client => &self.client,
            Role::Server => &self.server,
        }
    }

    /// The end on this side, to be changed.
    pub(super) fn end_mut(&mut self, side: Role) -> &mut End {
        match side {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    /// The direction in which this side sends.
    pub(super) fn link(&self, side: Role) -> (NodeId, NodeId) {
        match side {
            Role::Client => (self.client.node, self.server.node),
            Role::Server => (self.server.node, self.client.node),
        }
    }

    /// Whether nobody has a use for it any more.
    pub(super) fn is_over(&self) -> bool {
        let closed = |end: &End| end.program == ProgramEnd::Closed || (end.is_gone && end.program != ProgramEnd::Open);
        let quiet = |end: &End| end.flow.in_flight == 0 && !end.flow.has_losses();
        closed(&self.client) && closed(&self.server) && quiet(&self.client) && quiet(&self.server)
    }

    /// A segment of this side has come to the other host, whose program will never read it.
    pub(super) fn reached_host(&self, side: Role, segment: &TcpSegment) {
        self.conversation.reached_host(side, self.end(side).flow.bytes_up_to(segment));
        if segment.flags.fin {
            self.conversation.end_arrived(side, &Item::Fin);
        }
    }

    /// A bare segment from this side to the other.
    pub(super) fn bare(&self, side: Role, flags: TcpFlags, ack: u32) -> Packet {
        let (client, port) = self.key;
        let (client, server) = (address(client), address(self.server.node));
        let (src, dst, src_port, dst_port) = match side {
            Role::Client => (client, server, port, PORT),
            Role::Server => (server, client, PORT, port),
        };
        let payload = bytes::Bytes::new();
        let segment = TcpSegment { src_port, dst_port, seq: 0, ack, flags, window: u16::MAX, payload };
        Packet { src, dst, ttl: 64, payload: Transport::Tcp(segment) }
    }

    /// Whether it is the so many-th of its client's connections; any is, where no number is asked for.
    pub(super) fn is_nth(&self, number: Option<u32>) -> bool {
        number.is_none_or(|number| number == self.conversation.number())
    }

    /// Its direction away from this side.
    pub(super) fn way(&self, side: Role) -> Way {
        let (from, to) = self.link(side);
        (from, to, self.conversation.number())
    }

    /// An abort by this side.
    pub(super) fn rst(&self, side: Role) -> Packet {
        self.bare(side, TcpFlags { rst: true, ..TcpFlags::default() }, 0)
    }

    /// Makes the kernel of this side forget the connection without sending anything.
    ///
    /// A kernel forgets when it gets an RST. One that has not seen the end of the handshake would keep an entry that
    /// nothing can remove; so the handshake is ended first, and the entry goes by way of the listener's queue.
    pub(super) fn clear_kernel(&mut self, side: Role, kernels: &EnterGuard) {
        let other = match side {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        self.promote(side, kernels);
        kernels.deliver(self.rst(other));
        let end = self.end_mut(side);
        end.is_gone = true;
        end.flow.forget();
    }

    /// Ends the handshake at the server, if this is the server and it has not been ended.
    pub(super) fn promote(&mut self, side: Role, kernels: &EnterGuard) {
        if side == Role::Server && !self.confirmed && self.server.flow.is_outstanding() {
            self.confirmed = true;
            let ack = self.server.flow.next_sequence();
            kernels.deliver(self.bare(Role::Client, TcpFlags { ack: true, ..TcpFlags::default() }, ack));
        }
    }
}
