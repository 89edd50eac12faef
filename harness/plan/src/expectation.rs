use std::time::Duration;

use halfopen_protocol::ReasonCode;
use serde::{Deserialize, Serialize};

use super::{CloseHow, ExpectationId, FieldPattern, Moment, NodeId, NthConnection, PacketPattern};

/// One line of what must be true.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The name within the plan; [`Plan::origins`](super::Plan::origins) knows where it stands.
    pub id: ExpectationId,
    /// As it stands in the file, on one line, parameters filled in: for messages.
    pub text: String,
    /// How it is meant.
    pub mode: Mode,
    /// How much it weighs.
    pub weight: Weight,
    /// Who: each of these on its own; nobody for [`Verb::AnyOf`], whose lines say it themselves.
    pub nodes: Vec<NodeId>,
    /// What.
    pub verb: Verb,
    /// How often; without it at least once.
    pub count: Option<CountRange>,
    /// `count` is about any window this long: a half-open one, so that what comes exactly so much later is outside.
    pub per: Option<Duration>,
    /// Time between neighbours that match; each must lie in it.
    pub gap: Option<DurationRange>,
    /// Only what goes to this node.
    pub to: Option<NodeId>,
    /// Only what comes from this node.
    pub from: Option<NodeId>,
    /// Only what happens on one of these connections; on any if there is none.
    pub on: Vec<NthConnection>,
    /// When each that counts comes.
    pub timing: Option<Timing>,
    /// Where to look; outside of it nothing counts.
    pub during: Option<(Moment, Moment)>,
}

/// How an expectation is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// It must be so.
    Must,
    /// It must not be so.
    Never,
}

/// How much an expectation weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Otherwise the run fails.
    #[default]
    Required,
    /// Otherwise there is a warning; a strict run fails.
    Advised,
}

/// What an expectation is about.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Packets arrive at the node: a list is an order with others between.
    Receives(Vec<PacketPattern>),
    /// Packets leave the node.
    Sends(Vec<PacketPattern>),
    /// Messages are handed to the application of the node, a client: a list is an order with others between. Of a raw
    /// client the messages that it takes.
    Delivers(Vec<Vec<FieldPattern>>),
    /// The node ends its connection with the peer.
    Closes {
        /// The peer.
        peer: NodeId,
        /// Why, as the node itself states it.
        because: Option<Because>,
        /// How.
        how: Option<CloseHow>,
        /// 5.0: the reason of the DISCONNECT before the close, which must be there.
        reason: Option<Vec<ReasonCode>>,
        /// 5.0: the reason of the DISCONNECT before the close, if there is one.
        reason_if_any: Option<Vec<ReasonCode>>,
    },
    /// The node sees its connection with the peer end.
    Loses {
        /// The peer.
        peer: NodeId,
        /// How.
        how: Option<CloseHow>,
    },
    /// The node tries to open a connection to the peer.
    Attempts {
        /// The peer.
        peer: NodeId,
    },
    /// The node, a client, is in this state at the moment of `timing`, or at the end.
    Is(ClientState),
    /// The node, a broker of the project, holds this at the moment of `timing`, or at the end.
    Has(Holding),
    /// All lines of one of these lists are true.
    AnyOf(Vec<Vec<Expectation>>),
}

/// What a broker holds, as far as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The client identifier of the session that all but `retained` is about; that there is one.
    pub session: Option<String>,
    /// Number of topic filters that the session is subscribed to.
    pub subscriptions: Option<CountRange>,
    /// Number of messages that wait in it.
    pub queued: Option<CountRange>,
    /// How many messages of QoS 1 and 2 to its client are not acknowledged.
    pub in_flight: Option<CountRange>,
    /// Whether it has a will.
    pub will: Option<bool>,
    /// Number of messages that the broker retains.
    pub retained: Option<CountRange>,
}

/// The state of a client as its own statements tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientState {
    /// Between a successful CONNACK and the end of that connection.
    Connected,
    /// Between the opening of a connection and CONNACK.
    Connecting,
    /// Neither connected nor connecting nor down.
    Disconnected,
    /// Crashed or without power.
    Down,
}

/// Why a node ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the scenario language, explained in its reference")]
pub enum Because {
    KeepAlive,
    NoPingresp,
    NoConnect,
    NoConnack,
    Takeover,
    Malformed,
    ProtocolError,
    SessionEnd,
    Quota,
    NotAuthorized,
    Shutdown,
    Asked,
}

impl Because {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::KeepAlive,
        Self::NoPingresp,
        Self::NoConnect,
        Self::NoConnack,
        Self::Takeover,
        Self::Malformed,
        Self::ProtocolError,
        Self::SessionEnd,
        Self::Quota,
        Self::NotAuthorized,
        Self::Shutdown,
        Self::Asked,
    ];

    /// The word in scenarios and traces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::KeepAlive => "keep_alive",
            Self::NoPingresp => "no_pingresp",
            Self::NoConnect => "no_connect",
            Self::NoConnack => "no_connack",
            Self::Takeover => "takeover",
            Self::Malformed => "malformed",
            Self::ProtocolError => "protocol_error",
            Self::SessionEnd => "session_end",
            Self::Quota => "quota",
            Self::NotAuthorized => "not_authorized",
            Self::Shutdown => "shutdown",
            Self::Asked => "asked",
        }
    }
}

/// How many: both ends included, `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRange {
    /// At least.
    pub min: u64,
    /// At most.
    pub max: Option<u64>,
}

impl CountRange {
    /// Returns whether a number lies in it.
    pub fn contains(self, number: u64) -> bool {
        number >= self.min && self.max.is_none_or(|max| number <= max)
    }
}

/// How long: both ends included, `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// At least.
    pub min: Duration,
    /// At most.
    pub max: Option<Duration>,
}

/// When something must come; the plan's tolerance is added on both sides.
#[derive(Clone, Debug)]
pub enum Timing {
    /// At that moment.
    At(Moment),
    /// From the moment's own event (offset 0) to the offset after it: `within: 50ms after close of sensor`.
    Within {
        /// The event, offset 0.
        after: Moment,
        /// How long from then on.
        duration: Duration,
    },
    /// From one moment to another.
    Between(Moment, Moment),
    /// At that moment or later.
    NotBefore(Moment),
}
