//! The client as a state machine: bytes, closes and the passing of time go in; bytes, closes and events come out.

mod ack_details;
mod aliases;
mod auth;
mod backoff;
mod client;
#[cfg(feature = "defects")]
mod defects;
#[cfg(not(feature = "defects"))]
#[path = "defects/none.rs"]
mod defects;
mod disconnect;
mod error;
mod flow;
mod incoming;
mod keep_alive;
mod limits;
mod link;
mod options;
mod outgoing;
mod receipts;
mod request;
mod servers;
mod session;
mod size;
#[cfg(test)]
mod tests;
mod violation;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use halfopen_protocol::packet::{ConnAck, Disconnect, Publish};
use halfopen_protocol::{Instant, Packet, ReasonCode};

pub use self::ack_details::AckDetails;
pub use self::auth::{AuthError, Mechanism};
pub use self::client::Client;
#[cfg(feature = "defects")]
pub use self::defects::Defect;
pub use self::error::CommandError;
pub use self::options::{Options, Reconnect};
pub use self::receipts::Ticket;
pub use self::request::{SubscribeRequest, UnsubscribeRequest};
pub use self::servers::Servers;

/// An instruction for the driver, or an event for the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a transport connection, then call `handle_connected` or `handle_connect_failed`.
    Connect,
    /// Write these bytes to the connection, after those before.
    Send(Bytes),
    /// Close the connection, in order (FIN) after what was to be written; or give up opening it. `handle_closed` is not
    /// wanted for it any more.
    Close,
    /// Something the application may want to know.
    Event(Event),
}

/// Names one publish, subscribe or unsubscribe until its [`Event`] comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

impl Token {
    /// Names what the client does on its own: the SUBSCRIBE of [`Options::subscriptions`] and, after a session was
    /// lost, of what was subscribed before.
    pub const OWN: Self = Self(0);
}

/// An event of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A successful CONNACK came.
    Connected(Arc<ConnAck>),
    /// The connection has ended, or could not be made. `retry_at` is when the next attempt begins, if there is one.
    Disconnected {
        /// The reason.
        reason: DisconnectReason,
        /// Time at which the next attempt to connect begins.
        retry_at: Option<Instant>,
    },
    /// A message for the application. QoS 2 messages come once.
    Message(Arc<Publish>),
    /// The same, where [`Options::manual_acknowledgement`] is set and the message is of QoS 1 or 2.
    Unacknowledged {
        /// The message.
        message: Arc<Publish>,
        /// The argument for [`Client::acknowledge`].
        ticket: Ticket,
    },
    /// The handshake of this publish is complete; for QoS 0, it was sent.
    Published {
        /// The request.
        token: Token,
        /// 5.0: what the broker said; `SUCCESS` in 3.1.1. Or why it was not sent at all, since the broker takes no
        /// such message: `PACKET_TOO_LARGE`, `QOS_NOT_SUPPORTED`, `RETAIN_NOT_SUPPORTED`.
        reason: ReasonCode,
        /// The reason string and user properties of PUBACK, PUBCOMP, or a PUBREC that refuses.
        details: AckDetails,
    },
    /// SUBACK came.
    Subscribed {
        /// The request.
        token: Token,
        /// The reason code of each filter: the broker's, or for a filter that was not sent because the broker said that
        /// it does not take it, the reason for that.
        reasons: Vec<ReasonCode>,
        /// The reason string and user properties of SUBACK.
        details: AckDetails,
    },
    /// UNSUBACK came.
    Unsubscribed {
        /// The request.
        token: Token,
        /// 5.0: one per filter; empty in 3.1.1.
        reasons: Vec<ReasonCode>,
        /// The reason string and user properties of UNSUBACK.
        details: AckDetails,
    },
    /// The message was not sent, since its expiry interval passed while it waited.
    Expired {
        /// The request.
        token: Token,
    },
    /// [`Client::reauthenticate`] was a success.
    Reauthenticated,
    /// A whole packet came: for logs.
    Received(Packet),
    /// A packet goes out: for logs.
    Sending(Packet),
    /// The client is about to end its connection.
    Closing(DisconnectReason),
    /// A command could not be accepted. Only from the [driver](crate::driver); a caller of [`Client`] has it as an
    /// error.
    Rejected(CommandError),
}

/// The reason for which a connection ended or could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The application asked for it.
    Asked,
    /// No PINGRESP was received in time (§3.1.2.10).
    NoPingresp {
        /// Time at which the PINGREQ was sent.
        at: Instant,
        /// Time at which the time-out was due.
        due: Instant,
    },
    /// No connection and CONNACK came in time (§3.2).
    NoConnack {
        /// Time at which the attempt began.
        at: Instant,
        /// Time at which the time-out was due.
        due: Instant,
    },
    /// Authenticating again took too long: no AUTH came in time (§4.12.1 of 5.0).
    NoAuth {
        /// Time at which the client asked for it.
        at: Instant,
        /// Time at which the time-out was due.
        due: Instant,
    },
    /// The transport could not be opened.
    ConnectFailed(String),
    /// The broker refused in CONNACK: a reason code of 5.0, a return code of 3.1.1.
    Refused(Arc<ConnAck>),
    /// 5.0: the broker sent DISCONNECT, with a reason and perhaps a Reason String, User Properties and a Server
    /// Reference.
    Server(Box<Disconnect>),
    /// The transport ended.
    Closed(Transport),
    /// 5.0: the [`Mechanism`] gave up.
    Authentication(AuthError),
    /// The broker broke a rule of the protocol.
    Protocol {
        /// The reason code of 5.0.
        reason: ReasonCode,
        /// The statement that it broke, or the section.
        clause: &'static str,
        /// Description of the violation.
        what: &'static str,
    },
}

/// The end of a transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// The stream ended in order (FIN).
    Eof,
    /// Aborted (RST).
    Reset,
    /// The peer's host did not answer (`ETIMEDOUT`).
    TimedOut,
    /// Something else.
    Other,
}

/// The reason for which `poll_timeout` asks to be called back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timer {
    /// The attempt to connect takes too long.
    Connect,
    /// The time for a PINGREQ.
    KeepAlive,
    /// PINGRESP is late.
    PingResponse,
    /// The time to connect again.
    Reconnect,
    /// Authenticating again takes too long.
    Authenticate,
}

impl fmt::Display for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connect timeout",
            Self::KeepAlive => "keep-alive",
            Self::PingResponse => "ping response timeout",
            Self::Reconnect => "reconnect",
            Self::Authenticate => "authentication timeout",
        })
    }
}
