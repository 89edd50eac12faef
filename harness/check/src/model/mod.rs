//! A reference model of what the standards demand of a server and of a client, fed by the trace alone, event by event.
//!
//! It is a second reading of the two standards, written without the code of broker and client, so that two blind spots
//! rarely agree. For each program it follows what that program has seen and sent, and says what it *must* have sent by
//! now, what it *may* send, and what it *must not*. Raw peers may break rules on purpose and are not judged; those that
//! face them are.
//!
//! Where a standard leaves a choice, the model accepts each of the answers: one copy of a message or several for
//! overlapping subscriptions (§3.3.4), either order for what happens at one instant, DISCONNECT before a close or not.
//! What it cannot know it does not judge: what lies beyond a limit of the program (a full queue), what falls into the
//! instant in which a connection ends, and what depends on a clock that the scenario has changed.
//!
//! Every step costs a time that does not depend on the length of the trace.

mod client;
mod finding;
mod form;
mod properties;
mod sender;
mod server;
#[cfg(test)]
mod tests;
mod unanswered;
mod websocket;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use halfopen_protocol::packet::Connect;
use halfopen_protocol::{Instant, Numbered, Packet};

use self::client::{Client, Foretold};
pub use self::finding::without_clause;
pub(crate) use self::finding::{Finding, Findings, NotJudged};
use self::server::Server;
use crate::plan::{
    Action, AnswerKind, Answers, Command, NodeFault, NodeId, Outgoing, Plan, Program, Step, StepId, StepKind,
};
use crate::trace::{Event, EventKind, Transmission};

/// Time that a program may take for what it owes before it counts as not done.
const GRACE: Duration = Duration::from_secs(1);

/// Number of bytes that surely arrive as one piece, if nothing comes with them.
const PIECE: usize = 1_000;

/// The reference model of one run.
pub(crate) struct Model {
    servers: BTreeMap<NodeId, Server>,
    /// The client of each node that has one.
    clients: Vec<Option<Box<Client>>>,
    /// The items that were sent and have not arrived yet, by the index of their event: the size of each in bytes.
    under_way: Numbered<u64, usize>,
    index: usize,
    /// The steps in which nodes are told something, or the network changes.
    steps: BTreeMap<StepId, Step>,
    /// Time of the scenario's latest command; what a client does at that instant may not be its own doing.
    told_at: Rc<Cell<Option<Instant>>>,
    findings: Findings,
}

impl Model {
    /// Begins to judge a run of this plan.
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut servers = BTreeMap::new();
        let mut clients: Vec<Option<Box<Client>>> = plan.nodes.iter().map(|_| None).collect();
        let told_at = Rc::<Cell<_>>::default();
        let mut foretold = vec![Foretold::default(); plan.nodes.len()];
        let mut writes_in_parts = plan.nodes.iter().any(|node| writes_in_parts(&node.program));
        for_each_command(&plan.steps, &mut |_, node, command| {
            foretold[node.0].note(node, command);
            writes_in_parts |= is_written_in_parts(command);
        });
        foretold.iter_mut().for_each(|foretold| foretold.is_served_in_parts = writes_in_parts);
        for node in plan.node_ids() {
            match &plan.node(node).program {
                Program::Broker(broker) => drop(servers.insert(node, Server::new(plan, node, broker))),
                Program::Client(client) => {
                    clients[node.0] = Some(Box::new(Client::new(plan, node, client, foretold[node.0], &told_at)));
                }
                Program::RawClient(_) | Program::RawBroker(_) => {}
            }
        }
        let mut steps = BTreeMap::new();
        collect(&plan.steps, &mut steps);
        Self { servers, clients, under_way: Numbered::new(), index: 0, steps, told_at, findings: Findings::default() }
    }

    /// Takes note of the next event of the run.
    pub(crate) fn event(&mut self, event: &Event) {
        let (at, findings) = (Instant::new(event.at), &mut self.findings);
        match &event.kind {
            EventKind::Sent { connection, from, to, item, .. } => {
                if let Some(client) = &mut self.clients[from.0] {
                    client.sent(at, *connection, item, findings);
                }
                if let Some(client) = &mut self.clients[to.0] {
                    client.coming(*connection, size(item));
                }
                if let Some(server) = self.servers.get_mut(from) {
                    let size = size(item);
                    self.under_way.insert(self.index as u64, size);
                    server.sent(at, *connection, item, size, findings);
                } else if *item == Transmission::Open
                    && let Some(server) = self.servers.get_mut(to)
                {
                    server.opening(*connection, *from);
                }
            }
            EventKind::Received { connection, from, to, item, sent } => {
                if let Some(client) = &mut self.clients[to.0] {
                    client.received(at, *connection, item, findings);
                }
                if let Some(server) = self.servers.get_mut(to) {
                    server.received(at, *connection, item, findings);
                }
                if let Some(server) = self.servers.get_mut(from)
                    && let Some(size) = sent.and_then(|index| self.under_way.remove(&(index as u64)))
                {
                    server.arrived(at, *connection, size);
                }
            }
            EventKind::Closing { node, connection, because, .. } => {
                if let Some(client) = &mut self.clients[node.0] {
                    client.closing(at, *connection, *because, findings);
                }
                if let Some(server) = self.servers.get_mut(node) {
                    server.closing(at, *connection, *because, findings);
                }
            }
            EventKind::Delivered { node, message } => {
                if let Some(client) = &mut self.clients[node.0] {
                    client.delivered(at, message, findings);
                }
            }
            EventKind::Step { step, .. } => {
                self.told_at.set(Some(at));
                self.step(at, *step);
            }
            EventKind::Node { node, change } => {
                if let Some(client) = &mut self.clients[node.0] {
                    client.changed(at, *change, findings);
                }
                if let Some(server) = self.servers.get_mut(node) {
                    server.changed(at, *change, findings);
                }
                self.servers.values_mut().for_each(|server| server.peer_changed(at, *node, *change));
            }
            EventKind::Holds { node, held } => {
                if let Some(server) = self.servers.get_mut(node) {
                    server.holds(held);
                }
            }
            _ => {}
        }
        self.index += 1;
    }

    /// Takes note of what a step tells the programs.
    fn step(&mut self, now: Instant, step: StepId) {
        let Some(step) = self.steps.get(&step) else { return };
        let StepKind::Node { nodes, actions } = &step.kind else {
            return self.servers.values_mut().for_each(Server::network_changed);
        };
        for node in nodes {
            let mine = || actions.iter().filter_map(|action| action.of(*node)?.command());
            if let Some(client) = &mut self.clients[node.0] {
                client.told(now, &mine().collect::<Vec<_>>());
            }
            if let Some(server) = self.servers.get_mut(node) {
                for action in actions.iter().filter_map(|action| action.of(*node)) {
                    match action.command() {
                        Some(command) => server.told(now, *node, command, &mut self.findings),
                        None if action.fault() == Some(NodeFault::Restart) => {
                            server.told_to_restart(now, &mut self.findings);
                        }
                        None => {}
                    }
                }
            }
        }
    }

    /// Ends the run at this time, and returns what was found.
    pub(crate) fn finish(mut self, end: Duration) -> Findings {
        let end = Instant::new(end);
        for server in self.servers.values_mut() {
            server.finish(end, &mut self.findings);
        }
        for client in self.clients.iter_mut().flatten() {
            client.finish(end, &mut self.findings);
        }
        self.findings
    }
}

/// Collects the steps in which a node acts or the network changes, those within others among them.
fn collect(steps: &[Step], all: &mut BTreeMap<StepId, Step>) {
    for step in steps {
        match &step.kind {
            StepKind::Node { .. } | StepKind::Network(_) => drop(all.insert(step.id, step.clone())),
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                collect(steps, all);
            }
            _ => {}
        }
    }
}

/// Calls `take` for each command of these steps and each node that it is for.
fn for_each_command(steps: &[Step], take: &mut impl FnMut(StepId, NodeId, &Command)) {
    for step in steps {
        match &step.kind {
            StepKind::Node { nodes, actions } => {
                for command in actions.iter().filter_map(Action::command) {
                    nodes.iter().for_each(|node| take(step.id, *node, command));
                }
            }
            StepKind::Every { steps, .. } | StepKind::Repeat { steps, .. } | StepKind::Whenever { steps, .. } => {
                for_each_command(steps, take);
            }
            _ => {}
        }
    }
}

/// Returns whether a node may send by itself what does not arrive as one piece.
fn writes_in_parts(program: &Program) -> bool {
    let will = |connect: &Connect| connect.will.as_ref().is_some_and(|will| will.payload.len() >= PIECE);
    match program {
        Program::Broker(_) => false,
        Program::Client(client) => will(&client.options.connect),
        Program::RawClient(raw) => will(&raw.connect) || answers_in_parts(&raw.answers),
        Program::RawBroker(raw) => answers_in_parts(&raw.answers),
    }
}

fn answers_in_parts(answers: &Answers) -> bool {
    answers.open.iter().chain(answers.packets.values().flatten()).any(|answer| match &answer.kind {
        AnswerKind::Send(all) => all.iter().any(is_in_parts),
        _ => false,
    })
}

/// Returns whether what a node is told to send may not arrive as one piece.
fn is_written_in_parts(command: &Command) -> bool {
    match command {
        Command::Publish(publish) => publish.payload.len() >= PIECE,
        Command::Send(all) => all.iter().any(is_in_parts),
        Command::Answer(answers) => answers_in_parts(answers),
        _ => false,
    }
}

fn is_in_parts(outgoing: &Outgoing) -> bool {
    match outgoing {
        Outgoing::Packet(Packet::Publish(publish)) | Outgoing::Reply(Packet::Publish(publish)) => {
            publish.payload.len() >= PIECE
        }
        Outgoing::Bytes(_) | Outgoing::Text(_) => true,
        _ => false,
    }
}

/// About how many bytes a thing takes on a connection; the fields of fixed size are not counted one by one.
fn size(item: &Transmission) -> usize {
    match item {
        Transmission::Packet(packet) => match &**packet {
            Packet::Publish(publish) => publish.payload.len() + publish.topic.len() + 16,
            _ => 16,
        },
        Transmission::Bytes(bytes) => bytes.len(),
        Transmission::WebSocket(item) => item.bytes().len(),
        Transmission::Open | Transmission::Fin | Transmission::Rst | Transmission::TimedOut => 0,
    }
}
