//! What is to happen and what must be true of it: a scenario with every name resolved, every parameter filled in and
//! every duration computed. One plan is one run. It knows no engine.

mod pattern;
mod seed;

use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::{Publish, Subscription};
use halfopen_protocol::{Packet, PacketType, ReasonCode, Version};

pub use self::pattern::{FieldPattern, Matcher, PacketPattern, Value};
pub use self::seed::Seed;

/// One run of one scenario.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which run of which scenario this is.
    pub run: RunName,
    /// The scenario file.
    pub source: Rc<Source>,
    /// The version that every node speaks unless it says otherwise.
    pub version: Version,
    /// Where all that is random in the run comes from.
    pub seed: Seed,
    /// All nodes; a [`NodeId`] is an index into this list. Brokers first, then clients, then raw clients, each in the
    /// order of the file, members of a group one after the other.
    pub nodes: Vec<Node>,
    /// Directed links that differ from [`LinkSettings::default`]: every ordered pair of nodes that the file sets.
    pub links: Vec<(NodeId, NodeId, LinkSettings)>,
    /// What links not in `links` are like.
    pub network: LinkSettings,
    /// The story.
    pub steps: Vec<Step>,
    /// What must be true of it.
    pub expectations: Vec<Expectation>,
    /// When the run ends, if the file says so. Otherwise when everything is decided, and one second more.
    pub until: Option<Moment>,
    /// How much earlier or later than expected something may come.
    pub tolerance: Duration,
}

impl Plan {
    /// The node with this id.
    ///
    /// # Panics
    /// If the id belongs to another plan.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// Ids of all nodes, in order.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The settings of the link from one node to another.
    pub fn link(&self, from: NodeId, to: NodeId) -> LinkSettings {
        self.links.iter().rev().find(|(a, b, _)| (*a, *b) == (from, to)).map_or(self.network, |(_, _, link)| *link)
    }
}

/// The scenario file a plan was made from: for messages and headings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    /// The path as the user gave it.
    pub path: String,
    /// The file's text.
    pub text: String,
}

impl Source {
    /// The text of a line, counted from 1, without its line break.
    pub fn line(&self, number: u32) -> &str {
        self.text.lines().nth(number.saturating_sub(1) as usize).unwrap_or_default()
    }
}

/// A place in a [`Source`]. Line and column count from 1, the column in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line, from 1.
    pub line: u32,
    /// Column, from 1, in characters.
    pub column: u32,
}

/// The name of a run: `keep_alive/silent_client[5.0 keep_alive=5s]`.
///
/// The path is below the folder the scenario was found in, without its ending. In brackets stand the version, the
/// table's `case`, and the matrix's values in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunName {
    /// `keep_alive/silent_client`.
    pub scenario: String,
    /// The version of the run.
    pub version: Version,
    /// `case`, then `name=value` for each axis, as printed.
    pub parameters: Vec<String>,
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}", self.scenario, self.version)?;
        for parameter in &self.parameters {
            write!(f, " {parameter}")?;
        }
        f.write_str("]")
    }
}

/// An index into [`Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// A host with one program on it.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name in the file, and its host name in the world. Members of a group are `fleet.1`, `fleet.2` …
    pub name: String,
    /// The program.
    pub program: Program,
}

impl Node {
    /// Whether other nodes connect to this one.
    pub fn is_broker(&self) -> bool {
        matches!(self.program, Program::Broker(_))
    }
}

/// What runs on a node.
#[derive(Clone, Debug)]
pub enum Program {
    /// The project's broker.
    Broker(halfopen_broker::Config),
    /// The project's client, up and connected when the story begins.
    Client(ClientProgram),
    /// A peer that does what the story says: it sends what it is told to send, well-formed or not.
    RawClient(RawClientProgram),
}

/// The project's client on a node.
#[derive(Clone, Debug)]
pub struct ClientProgram {
    /// What the client core is made with.
    pub options: halfopen_client::Options,
    /// The broker it connects to.
    pub to: NodeId,
    /// Whether it connects before the first step.
    pub autostart: bool,
}

/// A scripted client on a node.
#[derive(Clone, Debug)]
pub struct RawClientProgram {
    /// The CONNECT it sends for `connect` and `send: CONNECT`.
    pub connect: halfopen_protocol::packet::Connect,
    /// The broker it connects to.
    pub to: NodeId,
    /// What `connect` subscribes to after the CONNACK.
    pub subscribe: Vec<Subscription>,
    /// Whether it gives the usual answers: PUBACK, PUBREC, PUBREL, PUBCOMP as the QoS flows ask.
    pub answers: bool,
}

/// What a link does to packets of one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// One-way travel time, whole milliseconds.
    pub latency: Duration,
    /// Up to so much more, whole milliseconds, uniformly distributed; order within a connection is kept.
    pub jitter: Duration,
    /// For how long a sender sends an unacknowledged segment again before its socket fails.
    pub give_up: Duration,
}

impl Default for LinkSettings {
    /// 10 ms one way, no jitter, and Linux's `tcp_retries2` of 15, which gives up after about 924.6 s.
    fn default() -> Self {
        Self { latency: Duration::from_millis(10), jitter: Duration::ZERO, give_up: Duration::from_secs(924) }
    }
}

/// One line of the story.
#[derive(Clone, Debug)]
pub struct Step {
    /// Where it stands.
    pub position: Position,
    /// The heading it gets in the trace: `sensor: power_loss`, `wait 1h`.
    pub text: String,
    /// What it is.
    pub kind: StepKind,
}

/// The kinds of steps. Time moves only at `Wait`, at `At`, and while an action waits for its answer.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Goes on so much later.
    Wait(Duration),
    /// Goes on at that moment.
    At(Moment),
    /// Names this instant.
    Mark(String),
    /// A node acts; members of a group one after the other at one instant.
    Node {
        /// Who.
        nodes: Vec<NodeId>,
        /// What, in order.
        actions: Vec<Action>,
    },
    /// The network changes.
    Network(NetworkChange),
    /// In the background from here on: `steps` at once and then once a period.
    Every {
        /// The time from one beginning to the next.
        period: Duration,
        /// How often; without end if neither this nor `until` is given.
        times: Option<u64>,
        /// No beginning after this moment.
        until: Option<Moment>,
        /// What is done each time.
        steps: Vec<Step>,
    },
    /// `steps` so many times, one after the other.
    Repeat {
        /// How often.
        times: u64,
        /// What is done each time.
        steps: Vec<Step>,
    },
}

/// What a node can be told to do.
#[derive(Clone, Debug)]
pub enum Action {
    /// Opens a connection, sends CONNECT, waits for CONNACK, and for SUBACK where the node subscribes.
    Connect(ConnectAction),
    /// Opens a TCP connection and waits until it is there; raw clients only.
    Open,
    /// Subscribes and waits for SUBACK.
    Subscribe(Vec<Subscription>),
    /// Unsubscribes and waits for UNSUBACK.
    Unsubscribe(Vec<String>),
    /// Publishes; over at once. The packet id is the client's to choose.
    Publish(Publish),
    /// Sends DISCONNECT with this reason (0x00 in 3.1.1) and closes.
    Disconnect(ReasonCode),
    /// Closes the connection without a word; a client does not reconnect on its own after this.
    Close(CloseHow),
    /// Writes packets or bytes in one piece; raw clients only.
    Send(Vec<Outgoing>),
    /// Waits for the next packet that the usual answers did not take; any other fails. Raw clients only.
    Receive(PacketPattern),
    /// The client sends no PINGREQ any more; its own check for PINGRESP stops with it.
    StopPinging,
    /// Ends `StopPinging`.
    ResumePinging,
    /// The process dies, its kernel lives: FIN, or RST where unread data was waiting.
    Crash,
    /// The host dies: nothing is sent.
    PowerLoss,
    /// The program starts again on the same address.
    Restart,
}

/// `connect` with what may differ from the node's own settings.
#[derive(Clone, Debug, Default)]
pub struct ConnectAction {
    /// What the CONNACK must be; empty: a success.
    pub connack: Option<PacketPattern>,
    /// Clean Start for this connection, if other than the node's.
    pub clean_start: Option<bool>,
}

/// How a TCP connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseHow {
    /// In order: what was sent before still arrives.
    Fin,
    /// By abort.
    Rst,
    /// The other side did not answer for so long that the socket failed (`ETIMEDOUT`).
    Timeout,
}

/// What a raw client writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// The CONNECT of the node's settings.
    Connect,
    /// A packet.
    Packet(Packet),
    /// Any bytes.
    Bytes(Bytes),
}

/// A change of the network. A pair of nodes is one direction; both directions are two changes in one list.
#[derive(Clone, Debug)]
pub enum NetworkChange {
    /// The established connections of these directions are forgotten by the path: their packets vanish. New
    /// connections work.
    HalfOpen {
        /// Directions, from and to.
        links: Vec<(NodeId, NodeId)>,
        /// Not yet, but when the first packet of this type would leave in either direction; that packet vanishes.
        starting_with: Option<PacketType>,
    },
    /// All packets of these directions vanish, new connections included, until `Heal`.
    Partition(Vec<(NodeId, NodeId)>),
    /// Ends `Partition`; retransmission brings the bytes.
    Heal(Vec<(NodeId, NodeId)>),
    /// From now on, for packets that leave from now on.
    Set(Vec<(NodeId, NodeId)>, LinkChange),
}

/// What of a link changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkChange {
    /// One-way travel time.
    pub latency: Option<Duration>,
    /// Up to so much more.
    pub jitter: Option<Duration>,
    /// The time after which a sender's socket fails.
    pub give_up: Option<Duration>,
}

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
        /// Its sender.
        from: Option<NodeId>,
        /// Its receiver.
        to: Option<NodeId>,
        /// Through whose eyes, where that is said.
        at: Option<NodeId>,
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
    },
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
}

/// One line of what must be true.
#[derive(Clone, Debug)]
pub struct Expectation {
    /// Where it stands.
    pub position: Position,
    /// As it stands in the file, on one line, parameters filled in: for messages.
    pub text: String,
    /// How it is meant.
    pub mode: Mode,
    /// Who: each of these on its own.
    pub nodes: Vec<NodeId>,
    /// What.
    pub verb: Verb,
    /// How often; without it at least once.
    pub count: Option<CountRange>,
    /// Time between neighbours that match; each must lie in it.
    pub gap: Option<DurationRange>,
    /// Only what goes to this node.
    pub to: Option<NodeId>,
    /// Only what comes from this node.
    pub from: Option<NodeId>,
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

/// What an expectation is about.
#[derive(Clone, Debug)]
pub enum Verb {
    /// Packets arrive at the node: a list is an order with others between.
    Receives(Vec<PacketPattern>),
    /// Packets leave the node.
    Sends(Vec<PacketPattern>),
    /// A message is handed to the application of the node, a client.
    Delivers(Vec<FieldPattern>),
    /// The node ends its connection with the peer.
    Closes {
        /// The peer.
        peer: NodeId,
        /// Why, as the node itself states it.
        because: Option<Because>,
        /// How.
        how: Option<CloseHow>,
        /// 5.0: the reason of the DISCONNECT before the close, which must be there.
        says: Option<Vec<ReasonCode>>,
        /// 5.0: the reason of the DISCONNECT before the close, if there is one.
        may_say: Option<Vec<ReasonCode>>,
    },
    /// The node sees its connection with the peer end.
    Loses {
        /// The peer.
        peer: NodeId,
        /// How.
        how: Option<CloseHow>,
    },
    /// The node, a client, is in this state at the moment of `timing`, or at the end.
    Is(ClientState),
}

/// The state of a client as its own statements tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClientState {
    /// Between a successful CONNACK and the end of that connection.
    Connected,
    /// Neither connected nor down.
    Disconnected,
    /// Crashed or without power.
    Down,
}

/// Why a node ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
