use std::collections::BTreeMap;
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
}

impl Node {
    /// Returns whether other nodes connect to this one.
    pub fn is_broker(&self) -> bool {
        matches!(self.program, Program::Broker(_) | Program::RawBroker(_))
    }
}

/// What runs on a node.
#[derive(Clone, Debug)]
pub enum Program {
    /// The project's broker.
    Broker(BrokerProgram),
    /// The project's client, up and connected when the story begins.
    Client(ClientProgram),
    /// A peer that does what the story says: it sends what it is told to send, well-formed or not.
    RawClient(RawClientProgram),
    /// A broker that answers as the story says.
    RawBroker(RawBrokerProgram),
}

/// The project's broker on a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BrokerProgram {
    /// What the scenario sets on it.
    pub config: BrokerSettings,
    /// True if what it remembers is there after the end of its process.
    pub durable: bool,
    /// Who may connect; everybody if there is none.
    pub auth: Option<BrokerAuth>,
    /// Who may publish and subscribe to what; everybody to everything if there is none.
    pub access: Option<AccessList>,
}

/// Who may publish and subscribe to what. What nothing allows is forbidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessList {
    /// Rights of every client; `%c` is the client identifier, `%u` the user name.
    pub everybody: AccessRights,
    /// Rights of clients without a user name.
    pub anonymous: AccessRights,
    /// Rights by user name.
    pub users: BTreeMap<String, AccessRights>,
}

/// What somebody may do, as topic filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccessRights {
    /// What may be subscribed to.
    pub read: Vec<String>,
    /// What may be published to.
    pub write: Vec<String>,
    /// What is forbidden, whatever else allows it.
    pub deny: Vec<String>,
}

/// Who may connect to a broker.
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
    /// What is said in turn, by the client first.
    pub words: Vec<Bytes>,
}

/// The project's client on a node.
#[derive(Clone, Debug)]
pub struct ClientProgram {
    /// What the scenario sets on it.
    pub options: ClientSettings,
    /// The broker it connects to.
    pub to: NodeId,
    /// True if it connects before the first step.
    pub autostart: bool,
    /// Time that its application is busy with each message, before it takes another; zero for not at all.
    pub handling: Duration,
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
    /// What it answers; usually PUBACK, PUBREC, PUBREL, PUBCOMP as the QoS flows ask.
    pub answers: Answers,
}

/// A scripted broker on a node.
#[derive(Clone, Debug, Default)]
pub struct RawBrokerProgram {
    /// What it answers; usually what a broker does that knows nobody and passes nothing on.
    pub answers: Answers,
}
