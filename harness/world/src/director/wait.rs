use std::collections::BTreeSet;
use std::fmt;

use halfopen_protocol::{Packet, PacketType};

use super::PollContext;
use super::inbox::Inboxes;
use crate::plan::{Action, Answers, Command, Node, NodeFault, NodeId, NthConnection, PacketPattern, Plan, Program};
use crate::trace::{ConnectionId, Event, EventKind, Transmission, field_text, fields, pattern_matches};

/// The condition that an action waits for at one node. A step that waits for an answer checks it.
pub(super) struct AwaitedAnswers {
    pub(super) node: NodeId,
    /// The answers that are to come, in order.
    answers: Vec<Answer>,
    /// Number of the node's events that have been looked at.
    cursor: usize,
    /// True if the end of a connection leaves the answer to a later one.
    reconnects: bool,
    /// The latest connection that the node has opened: the end of an earlier one says nothing.
    latest: Option<ConnectionId>,
    /// The connections on which something must come; any if empty.
    on: Vec<NthConnection>,
    /// True if the node takes some packets on its own, by the standard answers.
    answers_itself: bool,
    /// True if nothing more is waited for once the connection has ended: a client of others may or may not ask again for what a
    /// lost connection left unanswered.
    may_be_lost: bool,
}

/// An answer that is to come.
enum Answer {
    /// The connection is open.
    Established,
    /// The next packet that is not taken by the standard answers: it must match.
    Packet(Box<PacketPattern>),
    /// The next packet of this type: it must match, or by default be a success.
    Reply(PacketType, Option<Box<PacketPattern>>),
}

impl AwaitedAnswers {
    /// Returns what `action` waits for at `node`, if it waits.
    pub(super) fn new(action: &Action, node: NodeId, stage: &PollContext<'_>) -> Option<Self> {
        let plan = stage.plan;
        let now = stage.inboxes.borrow().len(node);
        let Action::Command { command, on } = action else { return None };
        let wait = match command {
            Command::Connect(connect) if !connect.waits => None,
            Command::Connect(connect) if connect.connack.is_none() => {
                Some(Self { cursor: now, ..Self::connected(node, plan) })
            }
            Command::Connect(connect) => Some(Self::of(
                node,
                plan,
                now,
                Answer::Reply(PacketType::ConnAck, connect.connack.clone().map(Box::new)),
            )),
            Command::Open => Some(Self::of(node, plan, now, Answer::Established)),
            Command::Subscribe { .. } => Some(Self::of(node, plan, now, Answer::Reply(PacketType::SubAck, None))),
            Command::Unsubscribe(_) => Some(Self::of(node, plan, now, Answer::Reply(PacketType::UnsubAck, None))),
            Command::Receive(pattern) => {
                Some(Self::of(node, plan, stage.unread[node.0], Answer::Packet(Box::new(pattern.clone()))))
            }
            _ => None,
        };
        let is_request = matches!(command, Command::Subscribe { .. } | Command::Unsubscribe(_));
        wait.map(|wait| {
            stage.inboxes.borrow_mut().begin_wait(node);
            let may_be_lost = is_request && wait.reconnects && plan.node(node).played_by.is_some();
            Self { latest: stage.recorder.latest_connection(node), on: on.clone(), may_be_lost, ..wait }
        })
    }

    /// AwaitedByNodes until `node` is connected, from the start of the run on.
    pub(super) fn connected(node: NodeId, plan: &Plan) -> Self {
        let mut wait = Self::of(node, plan, 0, Answer::Reply(PacketType::ConnAck, None));
        if subscribes(plan, node) {
            wait.answers.push(Answer::Reply(PacketType::SubAck, None));
        }
        wait
    }

    fn of(node: NodeId, plan: &Plan, cursor: usize, answer: Answer) -> Self {
        let (reconnects, answers_itself) = match &plan.node(node).program {
            Program::Client(client) => (client.options.reconnect.is_some(), true),
            Program::RawClient(_) => (false, true),
            // One of its connections may end while another says what is waited for.
            Program::RawBroker(_) => (true, true),
            Program::Broker(_) => (false, false),
        };
        Self {
            node,
            answers: vec![answer],
            cursor,
            reconnects,
            latest: None,
            on: Vec::new(),
            answers_itself,
            may_be_lost: false,
        }
    }

    /// Returns `None` while still waiting, and otherwise the result.
    pub(super) fn poll(&mut self, stage: &mut PollContext<'_>) -> Option<Result<(), String>> {
        let usual = Answers::default();
        let answers = stage.answers.get(&self.node).unwrap_or(&usual);
        let outcome = self.read(&stage.inboxes.borrow(), stage.plan, answers)?;
        stage.unread[self.node.0] = self.cursor;
        Some(outcome)
    }

    /// Looks at the events of the node that have come since the last time, until one decides.
    fn read(&mut self, inboxes: &Inboxes, plan: &Plan, answers: &Answers) -> Option<Result<(), String>> {
        while let Some(event) = inboxes.event(self.node, self.cursor) {
            self.cursor += 1;
            if !inboxes.is_on(event, &self.on) {
                continue;
            }
            if let Err(why) = self.look_at(event, plan, answers) {
                return Some(Err(why));
            }
            if self.answers.is_empty() {
                return Some(Ok(()));
            }
        }
        None
    }

    fn look_at(&mut self, event: &Event, plan: &Plan, answers: &Answers) -> Result<(), String> {
        match &event.kind {
            EventKind::Sent { connection, from, item: Transmission::Open, .. } if *from == self.node => {
                self.latest = Some(*connection);
                if self.may_be_lost {
                    self.answers.clear();
                }
                Ok(())
            }
            EventKind::Established { node, .. } if *node == self.node => {
                if matches!(self.answers[0], Answer::Established) {
                    self.answers.remove(0);
                }
                Ok(())
            }
            EventKind::Received { connection, to, item, .. } if *to == self.node => {
                let is_old = self.latest.is_some_and(|latest| latest != *connection) && self.on.is_empty();
                self.receive(item, is_old, plan, answers)
            }
            EventKind::Node { node, change }
                if *node == self.node && (change.ends_process() || *change == NodeFault::Restart) =>
            {
                Err(format!("{} went down before {self} came", plan.node(self.node).name))
            }
            _ => Ok(()),
        }
    }

    /// Takes note of what was received. `is_old`: on a connection that is not what the step is about, because a later
    /// one has been opened.
    fn receive(&mut self, item: &Transmission, is_old: bool, plan: &Plan, answers: &Answers) -> Result<(), String> {
        match item {
            Transmission::Packet(packet)
                if is_old && matches!(**packet, Packet::ConnAck(_)) && matches!(self.answers[0], Answer::Reply(..)) =>
            {
                Ok(())
            }
            Transmission::Packet(packet) => self.receive_packet(packet, plan, answers),
            Transmission::Fin | Transmission::Rst | Transmission::TimedOut
                if !(is_old || self.reconnects && self.on.is_empty()) =>
            {
                Err(format!("the connection ended before {self} came"))
            }
            _ => Ok(()),
        }
    }

    fn receive_packet(&mut self, packet: &Packet, plan: &Plan, answers: &Answers) -> Result<(), String> {
        let name = packet.packet_type();
        match &self.answers[0] {
            Answer::Packet(pattern) if pattern_matches(pattern, packet) => {}
            Answer::Packet(_) if self.answers_itself && is_taken(packet, plan.node(self.node), answers) => {
                return Ok(());
            }
            Answer::Packet(_) => return Err(format!("{name}{} came instead of {self}", described(packet))),
            Answer::Reply(packet_type, _) if *packet_type != name => return Ok(()),
            Answer::Reply(_, Some(pattern)) if pattern_matches(pattern, packet) => {}
            Answer::Reply(_, None) if is_success(packet) => {}
            Answer::Reply(..) => return Err(format!("{name}{} came instead of {self}", described(packet))),
            Answer::Established => return Ok(()),
        }
        self.answers.remove(0);
        if matches!(packet, Packet::ConnAck(connack) if connack.session_present) {
            // The session was there, and with it its subscriptions: nobody subscribes again.
            self.answers.retain(|answer| !matches!(answer, Answer::Reply(PacketType::SubAck, _)));
        }
        Ok(())
    }
}

/// The conditions of the nodes of a step. Only those are looked at to whose node something has happened.
#[derive(Default)]
pub(super) struct AwaitedByNodes {
    /// Emptied one by one.
    waits: Vec<Option<AwaitedAnswers>>,
    /// The places in `waits` of each node.
    places: BTreeSet<(NodeId, usize)>,
    /// The conditions that have not been looked at at all.
    unseen: Vec<usize>,
    /// Number of events of all nodes that have been taken into account.
    seen: usize,
    left: usize,
}

impl AwaitedByNodes {
    /// AwaitedByNodes for all of these.
    pub(super) fn new(waits: Vec<AwaitedAnswers>) -> Self {
        let mut all = Self { waits: Vec::with_capacity(waits.len()), ..Self::default() };
        waits.into_iter().for_each(|wait| all.add(Some(wait)));
        all
    }

    /// AwaitedByNodes for one more.
    pub(super) fn add(&mut self, wait: Option<AwaitedAnswers>) {
        let Some(wait) = wait else { return };
        let place = self.waits.len();
        self.places.insert((wait.node, place));
        self.unseen.push(place);
        self.waits.push(Some(wait));
        self.left += 1;
    }

    /// Returns whether nothing is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Returns the first that is still waited for.
    pub(super) fn first(&self) -> Option<&AwaitedAnswers> {
        self.waits.iter().flatten().next()
    }

    /// Looks at what has happened since the last time, and says of each that failed why.
    pub(super) fn poll(&mut self, stage: &mut PollContext<'_>, mut failed: impl FnMut(String, &PollContext<'_>)) {
        let mut due: BTreeSet<usize> = self.unseen.drain(..).collect();
        let inboxes = stage.inboxes.borrow();
        let (nodes, seen) = inboxes.nodes_since(self.seen);
        let of_node = |node: &NodeId| self.places.range((*node, 0)..=(*node, usize::MAX)).map(|(_, place)| *place);
        due.extend(nodes.iter().flat_map(of_node));
        self.seen = seen;
        drop(inboxes);
        for place in due {
            let Some(outcome) = self.waits[place].as_mut().and_then(|wait| wait.poll(stage)) else { continue };
            if let Some(wait) = self.waits[place].take() {
                stage.inboxes.borrow_mut().end_wait(wait.node);
            }
            self.left -= 1;
            if let Err(why) = outcome {
                failed(why, stage);
            }
        }
        if self.left == 0 {
            *self = Self { seen: self.seen, ..Self::default() };
        }
    }
}

impl fmt::Display for AwaitedAnswers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.answers.first() {
            None => f.write_str("nothing"),
            Some(Answer::Established) => f.write_str("the connection"),
            Some(Answer::Reply(packet_type, None)) => write!(f, "a successful {packet_type}"),
            Some(Answer::Packet(pattern) | Answer::Reply(_, Some(pattern))) => write!(f, "{pattern}"),
        }
    }
}

/// Returns whether the node subscribes by itself after CONNACK.
fn subscribes(plan: &Plan, node: NodeId) -> bool {
    match &plan.node(node).program {
        Program::Client(client) => !client.options.subscriptions.is_empty(),
        Program::RawClient(client) => !client.subscribe.is_empty(),
        Program::Broker(_) | Program::RawBroker(_) => false,
    }
}

/// Returns whether the standard answers take this packet, so that no step waits for it.
fn is_taken(packet: &Packet, node: &Node, answers: &Answers) -> bool {
    if answers.is_silent_on(packet.packet_type()) {
        return false;
    }
    match packet {
        _ if answers.packets.contains_key(&packet.packet_type()) => true,
        Packet::Publish(publish) => publish.qos.level() > 0,
        Packet::PubRec(_) | Packet::PubRel(_) => true,
        Packet::Connect(_)
        | Packet::Subscribe(_)
        | Packet::Unsubscribe(_)
        | Packet::PingReq
        | Packet::Disconnect(_) => node.is_broker(),
        _ => false,
    }
}

fn is_success(packet: &Packet) -> bool {
    match packet {
        Packet::ConnAck(connack) => connack.reason.value() == 0,
        Packet::SubAck(suback) => suback.reasons.iter().all(|reason| !reason.is_error()),
        Packet::UnsubAck(unsuback) => unsuback.reasons.iter().all(|reason| !reason.is_error()),
        _ => true,
    }
}

fn described(packet: &Packet) -> String {
    let set = fields(packet).into_iter().filter(|field| !field.is_default);
    set.map(|field| format!(" {}", field_text(&field))).collect()
}
