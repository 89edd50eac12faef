use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use halfopen_protocol::Packet;
use halfopen_protocol::packet::{Connect, Disconnect, Publish, Subscription};

use super::{Answers, BrokerProgram, Moment, NetworkChange, NodeFault, NodeId, NthConnection, PacketPattern, StepId};

/// A step of the script.
#[derive(Clone, Debug)]
pub struct Step {
    /// The name within the plan; [`Plan::origins`](super::Plan::origins) knows where it stands.
    pub id: StepId,
    /// The heading it gets in the trace: `sensor: power_loss`, `wait 1h`.
    pub text: String,
    /// The kind.
    pub kind: StepKind,
}

/// The kinds of steps. Time moves only at `Wait`, at `At`, and while an action waits for its answer.
#[derive(Clone, Debug)]
pub enum StepKind {
    /// Waits for the given time.
    Wait(Duration),
    /// Goes on at that moment.
    At(Moment),
    /// Names this instant.
    Mark(String),
    /// A node acts; members of a group one after the other at one instant.
    Node {
        /// The nodes.
        nodes: Vec<NodeId>,
        /// The actions, in order.
        actions: Vec<Action>,
    },
    /// The network changes.
    Network(NetworkChange),
    /// In the background from this step on: `steps` at once and then once a period.
    Every {
        /// The time from one beginning to the next.
        period: Duration,
        /// Number of repetitions; without end if neither this nor `until` is given.
        times: Option<u64>,
        /// The moment after which no repetition begins.
        until: Option<Moment>,
        /// The number of `steps` that are done each time, one part of them after the other; all of them if `None`.
        per_round: Option<usize>,
        /// The steps of each repetition.
        steps: Vec<Step>,
    },
    /// In the background from this step on: `steps` each time that an event happens, also while those of an earlier one
    /// go on.
    Whenever {
        /// The event; what is after it begins after the delay.
        event: Moment,
        /// The maximum number of times; without it, as often as the event happens.
        times: Option<u64>,
        /// The number of `steps` that are done each time, one part of them after the other; all of them if `None`.
        per_round: Option<usize>,
        /// The steps of each repetition.
        steps: Vec<Step>,
    },
    /// Runs `steps` `times` times, one after the other.
    Repeat {
        /// Number of repetitions.
        times: u64,
        /// The steps of each repetition.
        steps: Vec<Step>,
    },
}

/// An action on a node, or by it.
#[derive(Clone, Debug)]
pub enum Action {
    /// The program on the node is told to do something.
    Command {
        /// The command.
        command: Command,
        /// The connections of a raw peer: the latest of these that is its own, or its latest of all if empty.
        on: Vec<NthConnection>,
    },
    /// Something happens to the node.
    Fault(NodeFault),
    /// Each node has an action of its own, all of one kind: what is said with the number of a member.
    Each(BTreeMap<NodeId, Self>),
}

impl Action {
    /// Returns the action of one of the nodes of a step; `None` if it has none.
    pub fn of(&self, node: NodeId) -> Option<&Self> {
        match self {
            Self::Each(actions) => actions.get(&node),
            action => Some(action),
        }
    }

    /// Returns the command, if it is one; of several nodes that of the first.
    pub fn command(&self) -> Option<&Command> {
        match self {
            Self::Command { command, .. } => Some(command),
            Self::Fault(_) => None,
            Self::Each(actions) => actions.values().next()?.command(),
        }
    }

    /// Returns all commands: one, or those of several nodes.
    pub fn commands(&self) -> Vec<&Command> {
        match self {
            Self::Each(actions) => actions.values().filter_map(Self::command).collect(),
            action => action.command().into_iter().collect(),
        }
    }

    /// Returns the fault, if it is one; of several nodes that of the first.
    pub fn fault(&self) -> Option<NodeFault> {
        match self {
            Self::Command { .. } => None,
            Self::Fault(fault) => Some(*fault),
            Self::Each(actions) => actions.values().next()?.fault(),
        }
    }
}

impl From<Command> for Action {
    fn from(command: Command) -> Self {
        Self::Command { command, on: Vec::new() }
    }
}

impl From<NodeFault> for Action {
    fn from(fault: NodeFault) -> Self {
        Self::Fault(fault)
    }
}

/// A command for the program on a node.
#[derive(Clone, Debug)]
pub enum Command {
    /// Opens a connection, sends CONNECT, waits for CONNACK, and for SUBACK where the node subscribes.
    Connect(ConnectAction),
    /// Opens a TCP connection and waits until it is there; raw clients only.
    Open,
    /// Subscribes and waits for SUBACK.
    Subscribe {
        /// The filters with their options.
        subscriptions: Vec<Subscription>,
        /// 5.0: the number that comes back with each message.
        subscription_id: Option<u32>,
    },
    /// Unsubscribes and waits for UNSUBACK.
    Unsubscribe(Vec<String>),
    /// Publishes; over at once. The packet id is the client's to choose.
    Publish(Publish),
    /// Sends this DISCONNECT (with reason 0x00 in 3.1.1) and closes.
    Disconnect(Disconnect),
    /// Closes the connection without a DISCONNECT; a client does not reconnect on its own after this.
    Close(CloseHow),
    /// Changes what is answered; what is owed is answered. Raw peers only.
    Answer(Answers),
    /// Writes packets or bytes in one piece; raw peers only.
    Send(Vec<Outgoing>),
    /// Reads on its connection or reads nothing more there; raw peers only.
    SetReading(bool),
    /// Waits for the next packet that the standard answers did not take; any other fails. Raw peers only.
    Receive(PacketPattern),
    /// The process of the broker ends in order: DISCONNECT 0x8B to clients of 5.0, then all connections are closed.
    Shutdown,
    /// The broker takes these settings while it runs. What it has announced to clients stays as it is.
    Configure(BTreeMap<NodeId, BrokerProgram>),
    /// Sends no PINGREQ any more; the client's own check for PINGRESP stops with it.
    StopPinging,
    /// Ends `StopPinging`.
    ResumePinging,
    /// A client authenticates again on the connection that it has; over at once.
    Reauthenticate,
}

/// `connect` with what may differ from the node's own settings.
#[derive(Clone, Debug)]
pub struct ConnectAction {
    /// The pattern that the CONNACK must match; empty for a success.
    pub connack: Option<PacketPattern>,
    /// The CONNECT of this connection, where it is another one than the node's own.
    pub with: BTreeMap<NodeId, Connect>,
    /// True if the step waits for the CONNACK.
    pub waits: bool,
}

impl Default for ConnectAction {
    fn default() -> Self {
        Self { connack: None, with: BTreeMap::new(), waits: true }
    }
}

/// The way in which a TCP connection is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CloseHow {
    /// By FIN: what was sent before still arrives.
    Fin,
    /// By RST.
    Rst,
    /// The other side did not answer for so long that the socket failed (`ETIMEDOUT`).
    Timeout,
}

/// Data that a raw peer writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// The CONNECT of the node's settings.
    Connect,
    /// A packet.
    Packet(Packet),
    /// A packet with the id of the one that it answers.
    Reply(Packet),
    /// Any bytes.
    Bytes(Bytes),
    /// These in a text frame of WebSocket, which MQTT forbids ([MQTT-6.0.0-1]).
    Text(Bytes),
}
