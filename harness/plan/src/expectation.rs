use std::time::Duration;

use halfopen_protocol::ReasonCode;
use serde::{Deserialize, Serialize};

use super::{CloseHow, ExpectationId, FieldPattern, Moment, NodeId, NthConnection, PacketPattern};

/// An expectation: one line that must hold.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// The name within the plan; [`Plan::origins`](super::Plan::origins) knows where it stands.
    pub id: ExpectationId,
    /// The text in the file, on one line, parameters filled in: for messages.
    pub text: String,
    /// Whether it must hold or must never hold.
    pub mode: Mode,
    /// Whether it is required or advised.
    pub weight: Weight,
    /// The nodes, each judged on its own; empty for [`Verb::AnyOf`], whose lines name their own.
    pub nodes: Vec<NodeId>,
    /// The verb.
    pub verb: Verb,
    /// The count; without it at least once.
    pub count: Option<CountRange>,
    /// `count` is about any window this long: a half-open one, so that what comes exactly one length later is outside.
    pub per: Option<Duration>,
    /// Time between neighbours that match; each must lie in it.
    pub gap: Option<DurationRange>,
    /// The receiver, if only what goes to this node counts.
    pub to: Option<NodeId>,
    /// The sender, if only what comes from this node counts.
    pub from: Option<NodeId>,
    /// The connections on which something counts; any if empty.
    pub on: Vec<NthConnection>,
    /// The time at which each that counts comes.
    pub timing: Option<Timing>,
    /// The period outside of which nothing counts.
    pub during: Option<(Moment, Moment)>,
    /// The programs that are judged by it only if they are the project's own, since the standard leaves the choice to them.
    pub only_builtin: OnlyBuiltin,
}

/// The programs that an expectation judges only if they are the project's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnlyBuiltin {
    /// Programs of others are judged, too.
    #[default]
    Neither,
    /// Brokers of others are not judged.
    Broker,
    /// Clients of others are not judged.
    Client,
    /// Neither brokers nor clients of others are judged.
    Both,
}

impl OnlyBuiltin {
    /// Returns whether brokers of others are not judged.
    pub const fn is_of_broker(self) -> bool {
        matches!(self, Self::Broker | Self::Both)
    }

    /// Returns whether clients of others are not judged.
    pub const fn is_of_client(self) -> bool {
        matches!(self, Self::Client | Self::Both)
    }
}

impl Expectation {
    /// Creates a required expectation that these nodes do this, with nothing said of how often or when, and neither identity nor
    /// text.
    pub fn new(nodes: Vec<NodeId>, verb: Verb) -> Self {
        Self {
            id: ExpectationId::default(),
            text: String::new(),
            mode: Mode::Must,
            weight: Weight::Required,
            nodes,
            verb,
            count: None,
            per: None,
            gap: None,
            to: None,
            from: None,
            on: Vec::new(),
            timing: None,
            during: None,
            only_builtin: OnlyBuiltin::Neither,
        }
    }

    /// Returns the other end, if only what happens with one node counts.
    pub fn peer(&self) -> Option<NodeId> {
        match &self.verb {
            Verb::Closes { peer, .. } | Verb::Loses { peer, .. } | Verb::Attempts { peer } => Some(*peer),
            Verb::Receives(_) => self.from,
            Verb::Sends(_) => self.to,
            Verb::Delivers(_) | Verb::Is(_) | Verb::Has(_) | Verb::AnyOf(_) => None,
        }
    }
}

/// The mode of an expectation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The behaviour must occur.
    Must,
    /// The behaviour must not occur.
    Never,
}

/// The weight of an expectation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Otherwise the run fails.
    #[default]
    Required,
    /// Otherwise there is a warning; a strict run fails.
    Advised,
}

/// The verb of an expectation.
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
        /// The reason that the node itself reports.
        because: Option<Because>,
        /// The way in which it ends.
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
        /// The way in which it ends.
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

/// The content of a broker's memory, as far as it is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The client identifier of the session that all but `retained` is about; that there is one.
    pub session: Option<String>,
    /// Number of topic filters that the session is subscribed to.
    pub subscriptions: Option<CountRange>,
    /// Number of messages that wait in it.
    pub queued: Option<CountRange>,
    /// Number of unacknowledged messages of QoS 1 and 2 to its client.
    pub in_flight: Option<CountRange>,
    /// Whether a will is stored.
    pub will: Option<bool>,
    /// Number of messages that the broker retains.
    pub retained: Option<CountRange>,
}

/// The state of a client as its own statements tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientState {
    /// The state between a successful CONNACK and the end of that connection.
    Connected,
    /// The state between the opening of a connection and CONNACK.
    Connecting,
    /// Neither connected nor connecting nor down.
    Disconnected,
    /// Crashed or without power.
    Down,
}

/// The reason for which a node ends a connection.
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

/// A range of counts: both ends included, `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountRange {
    /// The minimum.
    pub min: u64,
    /// The maximum.
    pub max: Option<u64>,
}

impl CountRange {
    /// Returns whether a number lies in it.
    pub fn contains(self, number: u64) -> bool {
        number >= self.min && self.max.is_none_or(|max| number <= max)
    }
}

/// A range of durations: both ends included, `None` is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// The minimum.
    pub min: Duration,
    /// The maximum.
    pub max: Option<Duration>,
}

/// The time at which something must come; the plan's tolerance is added on both sides.
#[derive(Clone, Debug)]
pub enum Timing {
    /// The given moment.
    At(Moment),
    /// The time from the moment's own event (offset 0) to the offset after it: `within: 50ms after close of sensor`.
    Within {
        /// The event, offset 0.
        after: Moment,
        /// The length of the time.
        duration: Duration,
    },
    /// The time from one moment to another.
    Between(Moment, Moment),
    /// The given moment or later.
    NotBefore(Moment),
}
