use crate::HostId;
use crate::receiver::Receiver;
use crate::sender::Sender;
use crate::time::StoredTime;

/// Identifies a connection for as long as the network knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId {
    pub(crate) index: u32,
    pub(crate) generation: u32,
}

impl ConnectionId {
    /// Returns the place of the connection in a table of all connections. Places are used again; at each time every
    /// connection has its own.
    pub fn index(self) -> usize {
        self.index as usize
    }
}

/// An end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The end that opened the connection.
    Client,
    /// The end that accepted it.
    Server,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Identifies one end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// The connection.
    pub connection: ConnectionId,
    /// The end.
    pub side: Side,
}

impl Socket {
    /// Returns the socket on this side of a connection.
    pub fn new(connection: ConnectionId, side: Side) -> Self {
        Self { connection, side }
    }

    /// Returns the socket at the other end.
    #[must_use]
    pub fn peer(self) -> Self {
        Self { side: self.side.other(), ..self }
    }
}

/// The reason for which a socket call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocketError {
    /// The connection attempt was answered with RST.
    #[error("connection refused")]
    Refused,
    /// The connection was aborted by RST.
    #[error("connection reset")]
    Reset,
    /// Nobody acknowledged what was sent for as long as the link allows.
    #[error("timed out")]
    TimedOut,
    /// The program has shut down its direction.
    #[error("broken pipe")]
    ShutDown,
    /// A program listens at this host already.
    #[error("address in use")]
    AddressInUse,
}

/// A connection with both of its ends.
pub(crate) struct Connection {
    /// Ordinal among the connections that its client has opened, from 1.
    pub(crate) ordinal: u32,
    pub(crate) client: End,
    pub(crate) server: End,
    /// True if the client knows that the connection is open.
    pub(crate) is_established: bool,
    /// True if the server knows that the connection is open.
    pub(crate) is_confirmed: bool,
    /// Time at which the last packet passed the path, either way.
    pub(crate) passed_at: StoredTime,
}

/// The state of one end of a connection.
pub(crate) struct End {
    pub(crate) host: HostId,
    /// Place of the link away from this end.
    pub(crate) link: u32,
    pub(crate) program: Program,
    pub(crate) state: State,
    /// Rank among the sockets of its host, by the order in which they came to be.
    pub(crate) rank: u32,
    /// The program has been told how the connection failed.
    pub(crate) knows_failure: bool,
    /// A read is blocked.
    pub(crate) wants_read: bool,
    /// A write is blocked.
    pub(crate) wants_write: bool,
    /// The host will look whether it has something to send.
    pub(crate) is_queued: bool,
    pub(crate) sender: Sender,
    pub(crate) receiver: Receiver,
}

/// The program's part of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The program has no socket yet: it is connecting, or has not accepted.
    Waiting,
    /// A socket.
    Open,
    /// The program has no socket any more.
    Closed,
}

/// The state of a connection in the TCP of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No SYN has arrived.
    Absent,
    /// The handshake is going on.
    Opening,
    /// The handshake is over.
    Synchronized,
    /// The connection was aborted, or its host lost power.
    Reset,
    /// The socket has failed for want of an answer.
    TimedOut,
}

impl End {
    pub(crate) fn new(host: HostId, link: u32) -> Self {
        Self {
            host,
            link,
            program: Program::Waiting,
            state: State::Absent,
            rank: 0,
            knows_failure: false,
            wants_read: false,
            wants_write: false,
            is_queued: false,
            sender: Sender::default(),
            receiver: Receiver::default(),
        }
    }

    /// Returns whether the TCP of the host has given up the connection.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.state, State::Reset | State::TimedOut)
    }

    /// Returns how the connection failed, if it did.
    pub(crate) fn failure(&self) -> Option<SocketError> {
        match self.state {
            State::Reset => Some(SocketError::Reset),
            State::TimedOut => Some(SocketError::TimedOut),
            State::Absent | State::Opening | State::Synchronized => None,
        }
    }

    fn is_quiet(&self) -> bool {
        self.sender.in_flight == 0 && !self.sender.has_losses()
    }
}

impl Connection {
    /// Returns the end on this side.
    pub(crate) fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    /// Returns the end on this side, to be changed.
    pub(crate) fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// Returns the direction in which this side sends.
    pub(crate) fn direction(&self, side: Side) -> (HostId, HostId) {
        (self.end(side).host, self.end(side.other()).host)
    }

    /// Returns whether neither program nor network has a use for it any more.
    pub(crate) fn is_over(&self) -> bool {
        // A client's program is told how its attempt ended, however late it asks.
        let is_client_done = self.client.program == Program::Closed;
        let is_server_done = match self.server.program {
            Program::Closed => true,
            Program::Open => false,
            Program::Waiting => self.server.is_gone() || self.server.state == State::Absent,
        };
        is_client_done && is_server_done && self.client.is_quiet() && self.server.is_quiet()
    }

    /// Makes the server take the handshake for ended, because its end of the connection goes.
    pub(crate) fn end_handshake(&mut self, side: Side) {
        if side == Side::Server && self.server.sender.is_outstanding() {
            self.is_confirmed = true;
        }
    }
}
