//! The broker as a state machine: bytes, closes and the passing of time go in; bytes, closes and statements come out.

mod access;
mod aliases;
mod authenticate;
mod authorize;
mod available;
mod broker;
mod closing;
mod config;
mod connect;
mod connection;
mod counters;
#[cfg(feature = "defects")]
mod defects;
#[cfg(not(feature = "defects"))]
#[path = "defects/none.rs"]
mod defects;
mod deliver;
mod drops;
mod durable_state;
mod held;
mod inspect;
mod keep_alive;
mod load;
mod message;
mod packets;
mod publish;
mod queue;
mod reasons;
mod reconfigure;
mod retained;
mod session;
mod shared;
mod subscribe;
mod subscriptions;
mod sys;
mod timers;
mod topic_tree;
mod will;

use std::fmt;

use bytes::Bytes;
use halfopen_protocol::{Instant, Packet, PacketType, ReasonCode};

pub use self::access::{Access, Authorize, Exchange, Login, Mechanism, Operation, Step, Who};
pub use self::broker::Broker;
pub use self::config::{Config, QueuePolicy, Referral};
#[cfg(feature = "defects")]
pub use self::defects::Defect;
pub use self::durable_state::DurableState;
pub use self::inspect::ClientState;
pub use self::keep_alive::FACTOR as KEEP_ALIVE_FACTOR;

/// Names one transport connection for as long as the broker runs; never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// What the driver has to do, or may want to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes to the connection, after those before.
    Send {
        /// Where.
        connection: ConnectionId,
        /// What.
        bytes: Bytes,
    },
    /// Close the connection once what was to be sent is written, or sooner if it cannot be. Nothing more comes for it,
    /// and `handle_closed` is not wanted for it any more.
    Close {
        /// Which.
        connection: ConnectionId,
    },
    /// Find out whether this is the user's password, however long that takes, and tell
    /// [`handle_verified`](Broker::handle_verified). Until then nothing that the client sends is looked at: better do
    /// not read it.
    Verify {
        /// Whose.
        connection: ConnectionId,
        /// What is to be judged.
        login: Login,
    },
    /// Nothing to do: a statement for logs and traces, in its place between the others.
    Event(Event),
    /// Nothing to do: tells the operator that messages to a client were dropped, because its queue or write buffer had
    /// no room. Comes at the first message, and for later ones at most every ten seconds.
    Dropped {
        /// The client, which need not be connected.
        client_id: bytestring::ByteString,
        /// How many messages were dropped since this was last said of the client.
        messages: u64,
    },
}

/// What the broker states about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole packet came.
    Received {
        /// On which connection.
        connection: ConnectionId,
        /// From whom; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// The packet.
        packet: Packet,
    },
    /// A packet goes out.
    Sending {
        /// On which connection.
        connection: ConnectionId,
        /// To whom.
        client_id: bytestring::ByteString,
        /// The packet.
        packet: Packet,
    },
    /// The broker is about to end a connection.
    Closing {
        /// Which.
        connection: ConnectionId,
        /// Whose; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// Why.
        reason: CloseReason,
    },
    /// A client wants to do what it may not.
    Denied {
        /// On which connection.
        connection: ConnectionId,
        /// Who.
        client_id: bytestring::ByteString,
        /// What.
        operation: Operation,
        /// To this topic or filter.
        topic: bytestring::ByteString,
    },
    /// The client's side ended the connection.
    Closed {
        /// Which.
        connection: ConnectionId,
        /// Whose; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// Whether a DISCONNECT came before.
        after_disconnect: bool,
    },
}

/// Why the broker ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No packet for 1.5 times the keep-alive [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0).
    KeepAlive {
        /// The last packet of the client.
        since: PacketType,
        /// When it came.
        at: Instant,
        /// When the time was over.
        due: Instant,
    },
    /// No CONNECT in time (§3.1.4).
    NoConnect {
        /// When the connection was opened.
        opened: Instant,
        /// When the time was over.
        due: Instant,
    },
    /// The same client connected again [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5.0).
    Takeover,
    /// The client broke a rule of the protocol.
    Protocol {
        /// What 5.0 says about it.
        reason: ReasonCode,
        /// The statement that it broke, or the section.
        clause: &'static str,
        /// What is wrong, in words.
        what: &'static str,
    },
    /// The connection was refused in CONNACK, or in DISCONNECT after a re-authentication.
    Refused {
        /// With this reason of 5.0 or return code of 3.1.1.
        reason: ReasonCode,
    },
    /// The client sent DISCONNECT and the broker closes after it.
    Disconnected,
    /// The client does not read what it is sent.
    Quota,
    /// Too many connections wait to be accepted.
    TooManyConnections,
    /// The broker stops.
    Shutdown,
}

/// Why [`Broker::poll_timeout`] wants to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// No CONNECT yet.
    Connect,
    /// A client is silent.
    KeepAlive,
    /// A will waits for its delay.
    WillDelay,
    /// A session without a connection ends.
    SessionExpiry,
    /// The broker publishes what it counts.
    Statistics,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect timeout",
            Self::KeepAlive => "keep-alive",
            Self::WillDelay => "will delay",
            Self::SessionExpiry => "session expiry",
            Self::Statistics => "statistics",
        })
    }
}
