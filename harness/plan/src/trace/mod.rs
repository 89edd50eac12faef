//! What happened: one ordered list of typed events with virtual time.
//!
//! The only thing that checks and reports read. Packets are seen by a tap in the socket of each node, not told by the
//! programs, so a trace does not depend on who wrote them; what only a program can know it states itself
//! ([`EventKind::Closing`], [`EventKind::Delivered`]).

mod cause;
mod connection_index;
mod fields;
mod file;
pub mod find;
#[cfg(any(test, feature = "fixture"))]
pub mod fixture;
mod hash;
mod index;
mod pattern;
mod text;
mod websocket;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::Publish;
use halfopen_protocol::{Packet, PacketType};
use serde::{Deserialize, Serialize};

pub use self::cause::{causes, step_of};
pub use self::connection_index::ConnectionIndex;
pub use self::fields::{Field, FieldType, field_names, field_type, fields};
pub(crate) use self::file::optional_duration;
pub use self::file::{NoEncoding, TraceFile, TraceFileError, TraceLineError, from_hex, hex, json, packet_bytes};
pub use self::hash::{TraceHash, TraceHasher};
pub use self::index::{ConnectionEnd, IndexedConnection, TraceIndex};
pub use self::pattern::{differences, kind_matches, message_matches, pattern_matches};
pub use self::text::TraceLine;
pub use self::text::{Repetition, details, field_text, item_word, repetitions, since_text, text, trace_lines};
pub use self::websocket::WebSocketItem;
use crate::{Because, CloseHow, NodeFault, NodeId, StepId};

/// The record of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// All events; those of one instant in the order in which they happened.
    pub events: Vec<Event>,
    /// Time at which the run ended, since its start.
    pub end: Duration,
}

/// Receives the events of a run while it happens.
///
/// A world knows nothing of what a run is judged by; the judge implements this.
pub trait RunObserver {
    /// Takes note of the next event. The arrival of what is sent is not known yet.
    fn event(&mut self, event: &Event);

    /// Takes note that something has arrived: `sent` is the index of the event that sent it. `before` is the arrival
    /// that was told for it earlier: it had reached the host, and now the program reads it.
    fn arrived(&mut self, _sent: usize, _before: Option<Duration>, _at: Duration) {}

    /// Returns the time since the start of the run at which everything is decided, so that the run may end. It lies
    /// ahead if only time must pass until then. Returns `None` while something has yet to happen.
    fn decided_at(&self) -> Option<Duration> {
        None
    }
}

impl<T: RunObserver + ?Sized> RunObserver for std::rc::Rc<std::cell::RefCell<T>> {
    fn event(&mut self, event: &Event) {
        self.borrow_mut().event(event);
    }

    fn arrived(&mut self, sent: usize, before: Option<Duration>, at: Duration) {
        self.borrow_mut().arrived(sent, before, at);
    }

    fn decided_at(&self) -> Option<Duration> {
        self.borrow().decided_at()
    }
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Virtual time since the start of the run.
    pub at: Duration,
    /// The kind.
    pub kind: EventKind,
}

/// Names one TCP connection within a run, in the order in which they were opened, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A step of the story begins.
    Step {
        /// The step.
        step: StepId,
        /// The heading.
        text: String,
    },
    /// An instant is named.
    Mark(String),
    /// Something happens to a node.
    Node {
        /// The node.
        node: NodeId,
        /// The fault.
        change: NodeFault,
    },
    /// Something leaves a node on a connection.
    Sent {
        /// The connection.
        connection: ConnectionId,
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The transmission.
        item: Transmission,
        /// Time at which it arrived, once it has: the `at` of its [`EventKind::Received`]; for what no program
        /// reads any more, the time at which it reached the other host.
        arrival: Option<Duration>,
    },
    /// Something arrives at a node on a connection.
    Received {
        /// The connection.
        connection: ConnectionId,
        /// The sender.
        from: NodeId,
        /// The receiver.
        to: NodeId,
        /// The transmission.
        item: Transmission,
        /// The index of its [`EventKind::Sent`] in [`Trace::events`]; none for what the world itself made, as the
        /// failure of a socket after its give-up time.
        sent: Option<usize>,
    },
    /// A connection is up as its opener sees it: the handshake of TCP is over. Not printed.
    Established {
        /// The connection.
        connection: ConnectionId,
        /// The node that opened it.
        node: NodeId,
    },
    /// A program says that it is about to end a connection, and why.
    Closing {
        /// The node that closes.
        node: NodeId,
        /// The other end.
        peer: NodeId,
        /// The connection.
        connection: ConnectionId,
        /// The reason.
        because: Because,
        /// The packet from which a time-out was counted, its time, and when the time-out was due.
        since: Option<Since>,
    },
    /// A client hands a message to its application.
    Delivered {
        /// The client.
        node: NodeId,
        /// The message as it arrived.
        message: Arc<Publish>,
    },
    /// A client's connection is up: a successful CONNACK has come.
    Connected {
        /// The client.
        node: NodeId,
        /// True if the broker had a session of it.
        session_present: bool,
    },
    /// The content of a broker's memory has changed, as it reports itself. Only recorded of what the plan asks for
    /// ([`Verb::Has`](crate::Verb::Has)); before the first such statement, and after its process has ended, a
    /// broker holds nothing.
    Holds {
        /// The broker.
        node: NodeId,
        /// The content after this event.
        held: Held,
    },
    /// A step of the story could not be done as it was written: an answer was another one, or never came.
    StepFailed {
        /// The step.
        step: StepId,
        /// The reason.
        why: String,
    },
    /// A fault of the story met something: the first packet it delayed, dropped, or the first connection it hit.
    FaultHit {
        /// The step that began the fault.
        step: StepId,
    },
}

/// The content of a broker's memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Held {
    /// The session of this client; `None`: there is none.
    Session(String, Option<SessionState>),
    /// The number of retained messages.
    Retained(u64),
}

/// The knowledge of a broker about one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionState {
    /// Number of topic filters that it is subscribed to.
    pub subscriptions: u64,
    /// Number of messages that wait to be sent.
    pub queued: u64,
    /// Number of unacknowledged messages of QoS 1 and 2 to the client.
    pub in_flight: u64,
    /// True if it has a will.
    pub has_will: bool,
}

/// The begin of a time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Since {
    /// The packet; none for the opening of the connection.
    pub packet: Option<PacketType>,
    /// Time at which it was sent or received by the node that counts, or when the node began to open the connection.
    pub at: Duration,
    /// Time at which the time-out was due.
    pub due: Duration,
}

/// Data or an event of TCP that is transmitted on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transmission {
    /// The connection opens: SYN at the client, accept at the broker.
    Open,
    /// A whole control packet, which is shared: most events are about one, and many are kept.
    Packet(Arc<Packet>),
    /// Bytes that make no packet: a beginning that never went on, or something malformed.
    Bytes(Bytes),
    /// An item of WebSocket, where that carries the connection. It is rare, and shared so that others are not larger for it.
    WebSocket(Arc<WebSocketItem>),
    /// The end of the stream, in order.
    Fin,
    /// The connection is aborted. As an answer to [`Transmission::Open`]: refused.
    Rst,
    /// The socket fails because no answer came within the give-up time; only ever received.
    TimedOut,
}

thread_local! {
    /// The packets without content, which are most of those of a fleet that does nothing but live.
    static PINGS: [Arc<Packet>; 2] = [Arc::new(Packet::PingReq), Arc::new(Packet::PingResp)];
}

impl From<Packet> for Transmission {
    fn from(packet: Packet) -> Self {
        Self::Packet(match packet {
            Packet::PingReq => PINGS.with(|[request, _]| Arc::clone(request)),
            Packet::PingResp => PINGS.with(|[_, response]| Arc::clone(response)),
            packet => Arc::new(packet),
        })
    }
}

impl Transmission {
    /// Returns how this ends a connection, if it does.
    pub fn close(&self) -> Option<CloseHow> {
        match self {
            Self::Fin => Some(CloseHow::Fin),
            Self::Rst => Some(CloseHow::Rst),
            Self::TimedOut => Some(CloseHow::Timeout),
            Self::Open | Self::Packet(_) | Self::Bytes(_) | Self::WebSocket(_) => None,
        }
    }

    /// The packet, if it is one.
    pub fn packet(&self) -> Option<&Packet> {
        match self {
            Self::Packet(packet) => Some(packet),
            _ => None,
        }
    }
}
