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

/// Makes a type that holds a number a key of [`Numbered`](halfopen_protocol::Numbered).
macro_rules! key_of_numbered {
    ($key:ident) => {
        impl From<u64> for $key {
            fn from(number: u64) -> Self {
                Self(number)
            }
        }

        impl From<$key> for u64 {
            fn from(key: $key) -> Self {
                key.0
            }
        }
    };
}
use key_of_numbered;

key_of_numbered!(ConnectionId);

/// An instruction for the driver, or a statement that it may want to report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Write these bytes to the connection, after those before.
    Send {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: Bytes,
    },
    /// Close the connection once what was to be sent is written, or sooner if it cannot be. Nothing more comes for it,
    /// and `handle_closed` is not wanted for it any more.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
    /// Find out whether this is the user's password, however long that takes, and tell
    /// [`handle_verified`](Broker::handle_verified). Until then nothing that the client sends is looked at: better do
    /// not read it.
    Verify {
        /// The connection.
        connection: ConnectionId,
        /// The user name and password to be checked.
        login: Login,
    },
    /// An event for logs and traces, in its place between the others. Nothing has to be done.
    Event(Event),
    /// Messages to a client were dropped, because its queue or write buffer had
    /// no room. Comes at the first message, and for later ones at most every ten seconds.
    Dropped {
        /// The client, which need not be connected.
        client_id: bytestring::ByteString,
        /// Number of messages that were dropped since this was last said of the client.
        messages: u64,
    },
}

/// An event that the broker reports about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A whole packet came.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// The sender; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// The packet.
        packet: Packet,
    },
    /// A packet goes out.
    Sending {
        /// The connection.
        connection: ConnectionId,
        /// The receiver.
        client_id: bytestring::ByteString,
        /// The packet.
        packet: Packet,
    },
    /// The broker is about to end a connection.
    Closing {
        /// The connection.
        connection: ConnectionId,
        /// The client; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// The reason.
        reason: CloseReason,
    },
    /// A client wants to do what it may not.
    Denied {
        /// The connection.
        connection: ConnectionId,
        /// The client.
        client_id: bytestring::ByteString,
        /// The operation.
        operation: Operation,
        /// The topic or filter.
        topic: bytestring::ByteString,
    },
    /// The client's side ended the connection.
    Closed {
        /// The connection.
        connection: ConnectionId,
        /// The client; empty before CONNECT.
        client_id: bytestring::ByteString,
        /// True if a DISCONNECT came before.
        after_disconnect: bool,
    },
}

/// The reason for which the broker closes a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// No packet was received for 1.5 times the keep-alive [MQTT-3.1.2-24] (3.1.1), [MQTT-3.1.2-22] (5.0).
    KeepAlive {
        /// The last packet of the client.
        since: PacketType,
        /// Time at which it was received.
        at: Instant,
        /// Time at which the time-out was due.
        due: Instant,
    },
    /// No CONNECT was received in time (§3.1.4).
    NoConnect {
        /// Time at which the connection was opened.
        opened: Instant,
        /// Time at which the time-out was due.
        due: Instant,
    },
    /// The same client connected again [MQTT-3.1.4-2] (3.1.1), [MQTT-3.1.4-3] (5.0).
    Takeover,
    /// The client broke a rule of the protocol.
    Protocol {
        /// The reason code of 5.0.
        reason: ReasonCode,
        /// The statement that it broke, or the section.
        clause: &'static str,
        /// Description of the violation.
        what: &'static str,
    },
    /// The connection was refused in CONNACK, or in DISCONNECT after a re-authentication.
    Refused {
        /// The reason code of 5.0 or return code of 3.1.1.
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

/// The reason for which [`Broker::poll_timeout`] asks to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The time for CONNECT to arrive.
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
