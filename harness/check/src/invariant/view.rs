use std::collections::BTreeMap;
use std::time::Duration;

use bytestring::ByteString;
use halfopen_protocol::packet::{ConnAck, Connect, Publish};
use halfopen_protocol::{Packet, ReasonCode};

use crate::plan::{Because, NodeFault, NodeId, Plan, Program};
use crate::trace::{ConnectionId, EventKind, Item, Trace};

/// What one program of the project saw and did. Raw peers do what is written, and have none.
pub(super) struct View<'a> {
    pub(super) node: NodeId,
    pub(super) is_broker: bool,
    /// In the order in which they were opened.
    pub(super) connections: Vec<Connection<'a>>,
}

/// A connection through the eyes of one of its ends.
pub(super) struct Connection<'a> {
    pub(super) id: ConnectionId,
    /// Whether this end is the broker's.
    is_broker: bool,
    /// How often the node had been started again.
    pub(super) generation: u32,
    /// What this end sent, and what it received until it ended the connection, in order.
    pub(super) packets: Vec<Seen<'a>>,
    /// When it ended for this end: by its own statement, by FIN or RST of either side, or by its death.
    pub(super) ended: Option<Duration>,
    /// Whether it was this end that ended it, and why, as it says itself.
    pub(super) closing: Option<Because>,
    /// When FIN or RST left.
    pub(super) end_sent: Option<Duration>,
    /// Whether the node died.
    pub(super) died: bool,
}

/// A packet that was sent or received.
#[derive(Clone)]
pub(super) struct Seen<'a> {
    pub(super) at: Duration,
    pub(super) is_sent: bool,
    pub(super) packet: &'a Packet,
    /// Of a PUBLISH: the topic, also where an alias stands for it.
    pub(super) topic: ByteString,
}

impl<'a> Connection<'a> {
    /// The CONNECT of the connection.
    pub(super) fn connect(&self) -> Option<(Duration, &'a Connect)> {
        self.packets.iter().find_map(|seen| match seen.packet {
            Packet::Connect(connect) => Some((seen.at, &**connect)),
            _ => None,
        })
    }

    /// The successful CONNACK of the connection.
    pub(super) fn connack(&self) -> Option<(Duration, &'a ConnAck)> {
        self.packets.iter().find_map(|seen| match seen.packet {
            Packet::ConnAck(connack) if connack.reason == ReasonCode::SUCCESS => Some((seen.at, &**connack)),
            _ => None,
        })
    }

    /// The keep-alive that binds both sides; `None` without CONNACK, or if it is switched off.
    pub(super) fn keep_alive(&self) -> Option<Duration> {
        let seconds = self.connack()?.1.server_keep_alive.unwrap_or(self.connect()?.1.keep_alive);
        (seconds > 0).then(|| Duration::from_secs(seconds.into()))
    }

    /// The name that the client goes by.
    pub(super) fn client_id(&self) -> ByteString {
        let assigned = self.connack().and_then(|(_, connack)| connack.assigned_client_id.clone());
        assigned.or_else(|| Some(self.connect()?.1.client_id.clone())).unwrap_or_default()
    }

    /// How many messages this end may have unacknowledged.
    pub(super) fn window(&self) -> usize {
        let maximum = match self.is_broker {
            true => self.connect().and_then(|(_, connect)| connect.receive_maximum),
            false => self.connack().and_then(|(_, connack)| connack.receive_maximum),
        };
        maximum.unwrap_or(u16::MAX).into()
    }

    /// Whether it is up at this time, as far as this end knows.
    pub(super) fn is_up(&self, at: Duration) -> bool {
        self.connack().is_some_and(|(begun, _)| begun <= at) && self.ended.is_none_or(|ended| ended > at)
    }
}

impl<'a> Seen<'a> {
    /// The message, if this is a PUBLISH that was sent.
    pub(super) fn sent_publish(&self) -> Option<&'a Publish> {
        self.publish().filter(|_| self.is_sent)
    }

    /// The message, if this is a PUBLISH that was received.
    pub(super) fn received_publish(&self) -> Option<&'a Publish> {
        self.publish().filter(|_| !self.is_sent)
    }

    fn publish(&self) -> Option<&'a Publish> {
        match self.packet {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        }
    }
}

/// The sessions of a view by client identifier, each with its connections that were accepted, and whether the node
/// knew on each what it had known on the one before.
pub(super) fn sessions<'v, 'a>(view: &'v View<'a>) -> BTreeMap<ByteString, Vec<(&'v Connection<'a>, bool)>> {
    let mut sessions: BTreeMap<ByteString, Vec<(&Connection<'a>, bool)>> = BTreeMap::new();
    for connection in &view.connections {
        let Some((_, connack)) = connection.connack() else { continue };
        // A client has one session, whatever its name. With its process goes its memory; a broker's may last.
        let name = if view.is_broker { connection.client_id() } else { ByteString::new() };
        let earlier = sessions.entry(name).or_default();
        let knows = |before: &(&Connection<'_>, bool)| view.is_broker || before.0.generation == connection.generation;
        let is_resumed = connack.session_present && earlier.last().is_some_and(knows);
        earlier.push((connection, is_resumed));
    }
    sessions
}

/// What the project's programs saw.
pub(super) fn views<'a>(plan: &Plan, trace: &'a Trace) -> Vec<View<'a>> {
    let mut watchers: BTreeMap<NodeId, Watcher<'a>> = plan
        .node_ids()
        .filter_map(|node| match plan.node(node).program {
            Program::Broker(_) => Some((node, Watcher::new(node, true))),
            Program::Client(_) => Some((node, Watcher::new(node, false))),
            Program::RawClient(_) | Program::RawBroker(_) => None,
        })
        .collect();
    for event in &trace.events {
        let at = event.at;
        match &event.kind {
            EventKind::Sent { connection, from, item, .. } => {
                if let Some(watcher) = watchers.get_mut(from) {
                    watcher.sent(at, *connection, item);
                }
            }
            EventKind::Received { connection, to, item, .. } => {
                if let Some(watcher) = watchers.get_mut(to) {
                    watcher.received(at, *connection, item);
                }
            }
            EventKind::Closing { node, connection, because, .. } => {
                if let Some(watcher) = watchers.get_mut(node) {
                    watcher.closing(at, *connection, *because);
                }
            }
            EventKind::Node { node, change } => {
                if let Some(watcher) = watchers.get_mut(node) {
                    watcher.changed(at, *change);
                }
            }
            _ => {}
        }
    }
    watchers.into_values().map(|watcher| watcher.view).collect()
}

/// Makes a view of the events of its node.
struct Watcher<'a> {
    view: View<'a>,
    generation: u32,
    places: BTreeMap<ConnectionId, usize>,
    /// By connection and direction: what the aliases stand for.
    aliases: BTreeMap<(ConnectionId, bool, u16), ByteString>,
}

impl<'a> Watcher<'a> {
    fn new(node: NodeId, is_broker: bool) -> Self {
        let view = View { node, is_broker, connections: Vec::new() };
        Self { view, generation: 0, places: BTreeMap::new(), aliases: BTreeMap::new() }
    }

    fn sent(&mut self, at: Duration, id: ConnectionId, item: &'a Item) {
        if *item == Item::Open {
            return self.open(id);
        }
        let Some(connection) = self.connection(id) else { return };
        match item {
            Item::Packet(packet) => self.packet(at, id, true, packet),
            Item::Fin | Item::Rst => {
                connection.end_sent.get_or_insert(at);
                connection.ended.get_or_insert(at);
            }
            Item::Open | Item::Bytes(_) | Item::TimedOut => {}
        }
    }

    fn received(&mut self, at: Duration, id: ConnectionId, item: &'a Item) {
        if *item == Item::Open {
            return self.open(id);
        }
        // Who has closed still empties its socket, but nothing comes of it.
        let Some(connection) = self.connection(id).filter(|connection| connection.ended.is_none()) else { return };
        match item {
            Item::Packet(packet) => self.packet(at, id, false, packet),
            Item::Fin | Item::Rst | Item::TimedOut => connection.ended = Some(at),
            Item::Open | Item::Bytes(_) => {}
        }
    }

    fn closing(&mut self, at: Duration, id: ConnectionId, because: Because) {
        if let Some(connection) = self.connection(id).filter(|connection| connection.ended.is_none()) {
            connection.closing = Some(because);
            connection.ended = Some(at);
        }
    }

    fn changed(&mut self, at: Duration, change: NodeFault) {
        match change {
            NodeFault::Crash | NodeFault::PowerLoss => {
                for connection in &mut self.view.connections {
                    if connection.end_sent.is_none() {
                        connection.died = true;
                    }
                    connection.ended.get_or_insert(at);
                }
            }
            NodeFault::Restart => self.generation += 1,
            // Its process lives, and so do its connections.
            NodeFault::Pause(_)
            | NodeFault::Resume
            | NodeFault::StopReading
            | NodeFault::ResumeReading
            | NodeFault::ClockDrift(_)
            | NodeFault::ClockJump(_)
            | NodeFault::SetDate(_) => {}
        }
    }

    fn open(&mut self, id: ConnectionId) {
        self.places.insert(id, self.view.connections.len());
        self.view.connections.push(Connection {
            id,
            is_broker: self.view.is_broker,
            generation: self.generation,
            packets: Vec::new(),
            ended: None,
            closing: None,
            end_sent: None,
            died: false,
        });
    }

    fn packet(&mut self, at: Duration, id: ConnectionId, is_sent: bool, packet: &'a Packet) {
        let topic = match packet {
            Packet::Publish(publish) => self.topic(id, is_sent, publish),
            _ => ByteString::new(),
        };
        if let Some(connection) = self.connection(id) {
            connection.packets.push(Seen { at, is_sent, packet, topic });
        }
    }

    fn topic(&mut self, id: ConnectionId, is_sent: bool, publish: &Publish) -> ByteString {
        let Some(alias) = publish.topic_alias else { return publish.topic.clone() };
        let key = (id, is_sent, alias);
        if publish.topic.is_empty() {
            return self.aliases.get(&key).cloned().unwrap_or_default();
        }
        self.aliases.insert(key, publish.topic.clone());
        publish.topic.clone()
    }

    fn connection(&mut self, id: ConnectionId) -> Option<&mut Connection<'a>> {
        self.places.get(&id).map(|&place| &mut self.view.connections[place])
    }
}
