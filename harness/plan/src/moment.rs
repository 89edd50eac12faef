use halfopen_protocol::PacketType;

use super::{NodeId, NthConnection};

/// A point in time, relative to something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The event.
    pub event: EventRef,
    /// Milliseconds after it; negative for before it.
    pub offset_ms: i64,
    /// The text in the file, parameters filled in: for messages.
    pub text: String,
}

/// Something that happens and that a moment may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventRef {
    /// The start of the run.
    Start,
    /// The end of the run.
    End,
    /// A named instant of the story.
    Mark(String),
    /// A packet, at its sender or its receiver.
    Packet {
        /// The ordinal.
        ordinal: Ordinal,
        /// The packet.
        packet: PacketKind,
        /// The sender.
        from: Option<NodeId>,
        /// The receiver.
        to: Option<NodeId>,
        /// Through whose eyes, where that is said.
        at: Option<NodeId>,
        /// The connection, if only one counts.
        on: Option<NthConnection>,
    },
    /// Something that happens to a node.
    Point {
        /// The ordinal.
        ordinal: Ordinal,
        /// The point.
        point: Point,
        /// The node.
        of: NodeId,
        /// Through whose eyes, where that is said.
        at: Option<NodeId>,
        /// The connection, for its beginning and its end, if only one counts.
        on: Option<NthConnection>,
    },
}

impl EventRef {
    /// Returns the connection on which it happens, if one is named.
    pub fn connection(&self) -> Option<NthConnection> {
        match self {
            Self::Packet { on, .. } | Self::Point { on, .. } => *on,
            Self::Start | Self::End | Self::Mark(_) => None,
        }
    }
}

/// The occurrence of an event that is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ordinal {
    /// The next one after this step begins, or, in an expectation, the latest before what is judged.
    #[default]
    Nearest,
    /// The first of the run.
    First,
    /// The second of the run.
    Second,
    /// The third of the run.
    Third,
    /// The last before what is judged, in an expectation.
    Last,
    /// The n-th of the run, from 1. A sweep says it, no scenario can.
    Nth(usize),
}

/// The kind of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketKind {
    /// Any whole control packet.
    Any,
    /// A packet of this type.
    Type(PacketType),
}

/// Things that happen to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A connection of the node opens: the SYN at the client, the accept at the broker.
    Open,
    /// A connection of the node ends.
    Close,
    /// The process dies.
    Crash,
    /// The host dies.
    PowerLoss,
    /// The process starts again.
    Restart,
    /// The process stands still.
    Pause,
    /// The process goes on.
    Resume,
}
