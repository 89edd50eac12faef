use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::packet::Subscription;

use super::{Answers, BrokerSettings, ClientSettings, NodeId};

/// A host with one program on it.
#[derive(Clone, Debug)]
pub struct Node {
    /// The name in the file, and its host name in the world. Members of a group are `fleet.1`, `fleet.2` …
    pub name: String,
    /// The program.
    pub program: Program,
    /// The name of the profile of the program in the place of the project's, if the scenario names one, or
    /// the path of one from the scenario's folder.
    pub played_by: Option<String>,
}

impl Node {
    /// Creates a host with a program of the project.
    pub fn new(name: impl Into<String>, program: Program) -> Self {
        Self { name: name.into(), program, played_by: None }
    }

    /// Returns the transport of its port; that of a node without one is TCP.
    pub fn transport(&self) -> Transport {
        match &self.program {
            Program::Broker(broker) => broker.transport,
            Program::RawBroker(broker) => broker.transport,
            Program::Client(_) | Program::RawClient(_) => Transport::Tcp,
        }
    }

    /// Returns whether other nodes connect to this one.
    pub fn is_broker(&self) -> bool {
        matches!(self.program, Program::Broker(_) | Program::RawBroker(_))
    }
}

/// The program of a node. What there are few of is boxed: there may be a million clients.
#[derive(Clone, Debug)]
pub enum Program {
    /// The project's broker.
    Broker(Box<BrokerProgram>),
    /// The project's client, up and connected when the story begins.
    Client(ClientProgram),
    /// A peer that does what the story says: it sends what it is told to send, well-formed or not.
    RawClient(Box<RawClientProgram>),
    /// A broker that answers as the story says.
    RawBroker(Box<RawBrokerProgram>),
}

impl Program {
    /// Returns whether it is a client whose application takes its time with each message.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Client(client) if !client.handling.is_zero())
    }
}

/// The transport by which MQTT is carried to a broker's port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// TCP alone.
    #[default]
    Tcp,
    /// WebSocket over TCP (§6).
    WebSocket,
}

/// The project's broker on a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerProgram {
    /// The settings of the scenario.
    pub config: BrokerSettings,
    /// True if what it remembers is there after the end of its process.
    pub durable: bool,
    /// Maximum number of packets that it handles in a second; as many as come if `None`.
    pub handles: Option<NonZeroU32>,
    /// The user names and passwords; everybody may connect if `None`.
    pub auth: Option<BrokerAuth>,
    /// The access list; everybody may do everything if `None`.
    pub access: Option<AccessList>,
    /// The transport of its port.
    pub transport: Transport,
}

/// An access list. Whatever no entry allows is forbidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    /// Rights of every client; `%c` is the client identifier, `%u` the user name.
    pub everybody: AccessRights,
    /// Rights of clients without a user name.
    pub anonymous: AccessRights,
    /// Rights by user name.
    pub users: BTreeMap<String, AccessRights>,
}

/// The rights of a client, as topic filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRights {
    /// The filters that may be subscribed to.
    pub read: Vec<String>,
    /// The topics that may be published to.
    pub write: Vec<String>,
    /// The filters that are forbidden, whatever else allows them.
    pub deny: Vec<String>,
}

/// The user names and passwords of a broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerAuth {
    /// True if a client may that names neither a user nor an authentication method.
    pub anonymous: bool,
    /// User names and their passwords; if there are none, a user name means nothing.
    pub users: BTreeMap<String, Bytes>,
    /// The enhanced authentication.
    pub dialogue: Option<Dialogue>,
}

/// An enhanced authentication that is learnt by heart (§4.12 of 5.0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialogue {
    /// The Authentication Method.
    pub method: String,
    /// The words of the exchange in turn, the client's first; each of the client's is one of several.
    pub words: Vec<Vec<Bytes>>,
}

/// The project's client on a node.
#[derive(Clone, Debug)]
pub struct ClientProgram {
    /// The settings of the scenario.
    pub options: ClientSettings,
    /// The broker it connects to, or the first of several.
    pub to: NodeId,
    /// The brokers that it takes in turn after the first, when a connection fails or is lost.
    pub further: Box<[NodeId]>,
    /// True if it goes where a Server Reference sends it.
    pub follows_references: bool,
    /// True if it connects before the first step.
    pub autostart: bool,
    /// Time that its application is busy with each message, before it takes another; zero for not at all.
    pub handling: Duration,
}

impl ClientProgram {
    /// Creates a client of one broker that connects before the first step.
    pub fn new(options: ClientSettings, to: NodeId) -> Self {
        Self {
            options,
            to,
            further: Box::default(),
            follows_references: false,
            autostart: true,
            handling: Duration::ZERO,
        }
    }

    /// Returns the brokers that it connects to on its own, in turn.
    pub fn brokers(&self) -> impl Iterator<Item = NodeId> {
        std::iter::once(self.to).chain(self.further.iter().copied())
    }
}

/// A scripted client on a node.
#[derive(Clone, Debug)]
pub struct RawClientProgram {
    /// The CONNECT it sends for `connect` and `send: CONNECT`.
    pub connect: halfopen_protocol::packet::Connect,
    /// The broker it connects to.
    pub to: NodeId,
    /// The subscriptions that `connect` makes after the CONNACK.
    pub subscribe: Vec<Subscription>,
    /// The answers; by default PUBACK, PUBREC, PUBREL, PUBCOMP as the QoS flows ask.
    pub answers: Answers,
}

/// A scripted broker on a node.
#[derive(Clone, Debug, Default)]
pub struct RawBrokerProgram {
    /// The answers; by default those of a broker that knows nobody and passes nothing on.
    pub answers: Answers,
    /// The transport of its port.
    pub transport: Transport,
}
