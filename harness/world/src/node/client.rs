use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use halfopen_client::Scripted;
use halfopen_client::core::{Client, DisconnectReason, Event, Servers, SubscribeRequest, Ticket};
use halfopen_client::driver::{self, Commands, Connector};
use halfopen_protocol::packet::Connect;
use halfopen_protocol::{Instant, PacketType, ReasonCode, Shared};

use super::abortable::Abortable;
use super::queue::{QueueReceiver, QueueSender, queue};
use super::settings::client_options;
use super::{Command, Directive, Env, WorldClock, log};
use crate::defect::Defect;
use crate::network::{Network, Peer};
use crate::plan::{Acknowledge, Because, ClientProgram, CloseHow, NodeId, Plan, Program};
use crate::record::Recorder;
use crate::script::NodeFuture;
use crate::trace::Since;

/// Runs the client. What it needs is made here and not in the future, which would hold it for as long as it lives: there may
/// be a million of them.
pub(super) fn run<N: Network, C: WorldClock>(env: Env<N, C>, program: &ClientProgram) -> NodeFuture {
    let seed = env.plan.seed.derive(&format!("client {}", env.plan.node(env.node).name));
    let mut client = Client::new(client_options(program), seed.0);
    if let Some(Defect::Client(defect)) = env.defect {
        client = client.with_defect(defect);
    }
    let connect = &program.options.connect;
    if let (Some(words), Some(method)) = (&program.options.dialogue, &connect.authentication_method) {
        client = client.with_mechanism(Box::new(Scripted::new(method.clone(), words.iter().cloned())));
    }
    let transport = Rc::new(Transport {
        network: env.network,
        servers: RefCell::new(Servers::new(program.to, program.further.to_vec())),
        peer: Cell::new(None),
        aborts: Cell::new(false),
        starts: Cell::new(program.autostart),
        recorder: env.recorder,
        clock: env.clock.clone(),
    });
    let connector = NodeConnector(Rc::clone(&transport));
    let mut witness = TraceObserver { plan: Arc::clone(&env.plan), node: env.node, transport: Rc::clone(&transport) };
    let mut commands =
        NodeCommands { directives: env.commands, own: program.options.connect.clone(), application: None, transport };
    // Most clients have an application that takes each message at once.
    let (is_busy, acknowledges) = (!program.handling.is_zero(), Arc::clone(&program.options.acknowledge));
    let (handed_on, messages) = is_busy.then(queue).unzip();
    let (unacknowledged, tickets) = (!acknowledges.is_empty()).then(queue).unzip();
    let application = (is_busy || !acknowledges.is_empty()).then(|| {
        let (sender, receiver) = queue();
        commands.application = Some(receiver);
        let handle = handle(messages, sender.clone(), env.clock.clone(), program.handling);
        let acknowledge = acknowledge(tickets, sender, env.clock.clone(), acknowledges);
        Box::pin(async move {
            tokio::join!(biased; handle, acknowledge);
        })
    });
    let client = driver::run(client, connector, env.clock, commands, move |now, event| {
        if let (Event::Unacknowledged { ticket, .. }, Some(unacknowledged)) = (&event, &unacknowledged) {
            // Its other end lives as long.
            unacknowledged.send((now, *ticket));
        }
        if let (Event::Message(_) | Event::Unacknowledged { .. }, Some(handed_on)) = (&event, &handed_on) {
            // Its other end lives as long.
            handed_on.send(now);
        }
        witness.event(now, event);
    });
    let Some(mut application) = application else { return Box::pin(client) };
    let mut client = Box::pin(client);
    Box::pin(poll_fn(move |cx| {
        // It never completes.
        let _ = application.as_mut().poll(cx);
        client.as_mut().poll(cx)
    }))
}

/// The orders of the client: those of the script first, as its user would give them, then those of its application. There is
/// always one to come, so that the client lives on and holds its node, also with nothing left to do.
struct NodeCommands<N, C> {
    directives: QueueReceiver<Directive>,
    /// The CONNECT that the client sends if it is not told otherwise.
    own: Shared<Connect>,
    /// The orders of an application that takes its time.
    application: Option<QueueReceiver<driver::Command>>,
    transport: Rc<Transport<N, C>>,
}

impl<N: Network, C> Commands for NodeCommands<N, C> {
    type Order = driver::Command;

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<driver::Command>> {
        if self.transport.starts.take() {
            return Poll::Ready(Some(driver::Command::Connect { clean_start: None }));
        }
        while let Poll::Ready(Some(directive)) = self.directives.poll_recv(cx) {
            if let Command::Close(how) = directive.command {
                self.transport.aborts.set(how == CloseHow::Rst);
            }
            if let Some(command) = translate(directive.command, &self.own) {
                return Poll::Ready(Some(command));
            }
        }
        match self.application.as_mut().map(|application| application.poll_recv(cx)) {
            Some(Poll::Ready(Some(command))) => Poll::Ready(Some(command)),
            _ => Poll::Pending,
        }
    }
}

/// The application, which is busy with each message for a while and then takes the next. Never completes.
async fn handle<C: WorldClock>(
    messages: Option<QueueReceiver<Instant>>,
    client: QueueSender<driver::Command>,
    clock: C,
    busy: Duration,
) {
    let Some(mut messages) = messages else { return };
    while let Some(begun) = messages.recv().await {
        clock.sleep_until(begun + busy).await;
        client.send(driver::Command::Allow(1));
    }
    std::future::pending().await
}

/// The application, which acknowledges each message itself. Never completes.
async fn acknowledge<C: WorldClock>(
    tickets: Option<QueueReceiver<(Instant, Ticket)>>,
    client: QueueSender<driver::Command>,
    clock: C,
    how: Arc<[Acknowledge]>,
) {
    let (Some(last), Some(mut tickets)) = (how.last(), tickets) else { return };
    let mut ways = how.iter().chain(std::iter::repeat(last));
    // What is due first is acknowledged first, of one instant in the order in which it arrived.
    let mut pending: BTreeMap<(Instant, Ticket), ReasonCode> = BTreeMap::new();
    loop {
        let due = pending.first_key_value().map(|(&(due, _), _)| due);
        tokio::select! {
            biased;
            Some((arrived, ticket)) = tickets.recv() => {
                pending.extend(ways.next().map(|way| ((arrived + way.after, ticket), way.reason)));
            }
            () = clock.sleep_until(due.unwrap_or_default()), if due.is_some() => {
                if let Some(((_, ticket), reason)) = pending.pop_first() {
                    client.send(driver::Command::Acknowledge(ticket, reason));
                }
            }
            else => return std::future::pending().await,
        }
    }
}

/// Returns what only scripted clients do has no counterpart; the loader refuses it.
fn translate(order: Command, own: &Shared<Connect>) -> Option<driver::Command> {
    Some(match order {
        Command::Connect { connect } => driver::Command::ConnectAs(connect.unwrap_or_else(|| own.clone().into_arc())),
        Command::Subscribe { subscriptions, subscription_id } => driver::Command::SubscribeWith(SubscribeRequest {
            subscriptions,
            subscription_id,
            ..SubscribeRequest::default()
        }),
        Command::Unsubscribe(filters) => driver::Command::Unsubscribe(filters),
        Command::Publish(publish) => driver::Command::Publish(publish),
        Command::Disconnect(reason) => driver::Command::DisconnectWith(*reason),
        Command::Close(_) => driver::Command::Close,
        Command::StopPinging => driver::Command::StopPinging,
        Command::ResumePinging => driver::Command::ResumePinging,
        Command::Reauthenticate => driver::Command::Reauthenticate,
        Command::Open
        | Command::Send(_)
        | Command::Answer(_)
        | Command::SetReading(_)
        | Command::Shutdown
        | Command::Configure(_) => return None,
    })
}

/// The way of a client to its servers, which all parts of it share.
pub(super) struct Transport<N, C> {
    pub(super) network: N,
    servers: RefCell<Servers<NodeId>>,
    /// The other end of the latest connection, once that is open.
    peer: Cell<Option<Peer>>,
    /// True if the next end of a connection is an abort.
    pub(super) aborts: Cell<bool>,
    /// True until the client has begun to connect by itself.
    starts: Cell<bool>,
    recorder: Recorder,
    clock: C,
}

struct NodeConnector<N, C>(Rc<Transport<N, C>>);

impl<N: Network, C: WorldClock> Connector for NodeConnector<N, C> {
    type Stream = Abortable<N, C>;

    async fn connect(&mut self) -> io::Result<Abortable<N, C>> {
        let Self(transport) = self;
        transport.peer.set(None);
        let to = *transport.servers.borrow().current();
        let (stream, peer) = transport.network.connect(to).await?;
        transport.peer.set(Some(peer));
        Ok(Abortable::new(stream, transport))
    }
}

/// Brings what only the client can know into the trace: what it hands on, and why it closes.
struct TraceObserver<N, C> {
    plan: Arc<Plan>,
    node: NodeId,
    transport: Rc<Transport<N, C>>,
}

impl<N, C: WorldClock> TraceObserver<N, C> {
    fn event(&mut self, now: Instant, event: Event) {
        log(&self.plan, self.node, self.transport.clock.world_time(now), || vec![line(&event)]);
        match event {
            Event::Connected(connack) => self.transport.recorder.connected(self.node, connack.session_present),
            Event::Message(message) | Event::Unacknowledged { message, .. } => {
                self.transport.recorder.delivered(self.node, message);
            }
            Event::Closing(reason) => self.closing(&reason),
            Event::Disconnected { reason, .. } => {
                let find = |reference: &str| self.broker_of(reference).filter(|_| self.follows_references());
                self.transport.servers.borrow_mut().ended(&reason, find);
            }
            _ => {}
        }
    }

    fn closing(&self, reason: &DisconnectReason) {
        let connection = self.transport.peer.get().map(|peer| peer.connection);
        // A connection that is still being opened has no stream yet, but a name in the trace.
        let Some(connection) = connection.or_else(|| self.transport.recorder.latest_connection(self.node)) else {
            return;
        };
        let (because, since) = because(reason, &self.transport.clock);
        let to = *self.transport.servers.borrow().current();
        self.transport.recorder.closing(self.node, to, connection, because, since);
    }

    fn follows_references(&self) -> bool {
        matches!(&self.plan.node(self.node).program, Program::Client(client) if client.follows_references)
    }

    /// Returns the first broker of the world that a Server Reference names, as `NAME` or `NAME:PORT`.
    fn broker_of(&self, reference: &str) -> Option<NodeId> {
        let mut names = reference.split_whitespace().map(|one| one.split_once(':').map_or(one, |(name, _)| name));
        let broker = |name: &str| {
            self.plan.node_ids().find(|id| {
                let node = self.plan.node(*id);
                node.name == name && node.is_broker()
            })
        };
        names.find_map(broker)
    }
}

fn line(event: &Event) -> String {
    match event {
        Event::Received(packet) => format!("received {}", packet.packet_type()),
        Event::Sending(packet) => format!("sending {}", packet.packet_type()),
        Event::Connected(connack) => format!("connected, session present: {}", connack.session_present),
        Event::Message(message) | Event::Unacknowledged { message, .. } => format!("message on {}", message.topic),
        other => format!("{other:?}"),
    }
}

fn because(reason: &DisconnectReason, clock: &impl WorldClock) -> (Because, Option<Since>) {
    let since = |packet, at, due| Some(Since { packet, at: clock.world_time(at), due: clock.world_time(due) });
    match reason {
        DisconnectReason::NoPingresp { at, due } => (Because::NoPingresp, since(Some(PacketType::PingReq), *at, *due)),
        // The whole attempt is timed, of which perhaps no more than a SYN has left.
        DisconnectReason::NoConnack { at, due } => (Because::NoConnack, since(None, *at, *due)),
        DisconnectReason::Protocol { reason: ReasonCode::MALFORMED_PACKET, .. } => (Because::Malformed, None),
        DisconnectReason::Protocol { .. } => (Because::ProtocolError, None),
        DisconnectReason::Refused(_) | DisconnectReason::Authentication(_) | DisconnectReason::NoAuth { .. } => {
            (Because::NotAuthorized, None)
        }
        DisconnectReason::Asked
        | DisconnectReason::ConnectFailed(_)
        | DisconnectReason::Server(_)
        | DisconnectReason::Closed(_) => (Because::Asked, None),
    }
}
