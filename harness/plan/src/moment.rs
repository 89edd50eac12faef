use halfopen_protocol::PacketType;

use super::{NodeId, NthConnection};

/// A point in time, relative to something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What it hangs on.
    pub event: EventRef,
    /// Milliseconds after it; negative for before it.
    pub offset_ms: i64,
    /// As it stands in the file, parameters filled in: for messages.
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
        /// Which of several.
        ordinal: Ordinal,
        /// Which packet.
        packet: PacketKind,
        /// The sender.
        from: Option<NodeId>,
        /// The receiver.
        to: Option<NodeId>,
        /// Through whose eyes, where that is said.
        at: Option<NodeId>,
        /// Only on this connection, if one is named.
        on: Option<NthConnection>,
    },
    /// Something that happens to a node.
    Point {
        /// Which of several.
        ordinal: Ordinal,
        /// What.
        point: Point,
        /// The node.
        of: NodeId,
        /// Through whose eyes, where that is said.
        at: Option<NodeId>,
        /// For the beginning and the end of a connection: only of this one, if one is named.
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

/// Which of several events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ordinal {
    /// In a step the next one from now on, in an expectation the latest before what is judged.
    #[default]
    Nearest,
    /// The first of the run.
    First,
    /// The second of the run.
    Second,
    /// The third of the run.
    Third,
    /// In an expectation the last before what is judged.
    Last,
    /// The n-th of the run, from 1. A sweep says it, no scenario can.
    Nth(usize),
}

/// Which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketKind {
    /// Any whole control packet.
    Any,
    /// One type.
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
    /// It starts again.
    Restart,
    /// The process stands still.
    Pause,
    /// It goes on.
    Resume,
}
