use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use halfopen_broker::Config;
use halfopen_broker::auth::{Acl, Scripted};
use halfopen_broker::core::{Access, Authorize, Broker, CloseReason, Event, Login, Mechanism};
use halfopen_broker::driver::{Change, Listener, Observer, serve_verifying};
use halfopen_broker::log::{Detail, Log};
use halfopen_protocol::{Instant, ReasonCode};
use tokio::sync::mpsc;

use super::pace::{Pace, Paced};
use super::queue::QueueReceiver;
use super::settings::broker_config;
use super::{Command, Directive, Disk, Env, WorldClock, log, port};
use crate::defect::Defect;
use crate::network::{Network, Peer};
use crate::plan::{
    AccessList, AccessRights, Because, BrokerProgram, BrokerSettings, Dialogue, Expectation, NodeFault, NodeId, Plan,
    Verb,
};
use crate::record::Recorder;
use crate::trace::{Held, SessionState, Since};

pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, program: &BrokerProgram) {
    let listener = port(&env.network).await;
    let pace = program.handles.map(Pace::new);
    let listener = NodeListener { network: env.network, listener, pace: pace.clone() };
    let log = Log::new(Detail::Packets);
    let watch = StateProbe::new(&env.plan.expectations, env.node);
    let clock = env.clock.clone();
    let started = clock.world_time(clock.now());
    let seed = env.plan.seed.derive(&format!("broker {} started at {started:?}", env.plan.node(env.node).name));
    let config = with_room_for_all(&program.config, &env.plan);
    let mut broker = Broker::with_access(config, access(program), seed.bytes());
    if let Some(Defect::Broker(defect)) = env.defect {
        broker = broker.with_defect(defect);
    }
    let disk = program.durable.then_some(env.disk);
    if let Some(state) = disk.as_ref().and_then(Disk::read) {
        broker.handle_durable_state(clock.now(), state);
    }
    let users = program.auth.as_ref().map(|auth| auth.users.clone()).unwrap_or_default();
    let verify = move |login: Login| std::future::ready(users.get(&*login.username) == Some(&login.password));
    let (node, recorder) = (env.node, env.recorder.clone());
    let pace_clock = env.clock.clone();
    let observer = TraceObserver {
        pace: pace.clone(),
        plan: Arc::clone(&env.plan),
        node,
        recorder: env.recorder,
        clock,
        log,
        watch,
        disk,
    };
    let (sender, changes) = mpsc::channel(1);
    let shutdown = obey(env.commands, sender, env.plan);
    let serve = serve_verifying(broker, listener, env.clock, observer, verify, changes, shutdown);
    // Served until the node is dropped or the story ends it; a listener of the world does not fail.
    match pace {
        None => drop(serve.await),
        Some(pace) => tokio::select! {
            biased;
            never = pace.run(pace_clock) => match never {},
            _ = serve => {}
        },
    }
    recorder.node(node, NodeFault::Shutdown);
}

/// A broker takes all clients of its world, also at one instant: the bounds by which it protects itself are those of a
/// machine that the world does not have.
fn with_room_for_all(settings: &BrokerSettings, plan: &Plan) -> Config {
    let (config, clients) = (broker_config(settings), plan.nodes.len());
    Config {
        pending_connections: settings.pending_connections_among(clients),
        sessions: settings.sessions_among(clients),
        ..config
    }
}

/// Does what the story asks of the broker. Completes when it is to end.
async fn obey(mut commands: QueueReceiver<Directive>, changes: mpsc::Sender<Change>, plan: Arc<Plan>) {
    while let Some(told) = commands.recv().await {
        match told.command {
            Command::Shutdown => return,
            Command::Configure(program) => {
                let config = with_room_for_all(&program.config, &plan);
                let change = move |broker: &mut Broker, now| {
                    broker.handle_config(now, config);
                    broker.handle_access(access(&program));
                };
                // The broker takes them for as long as it runs.
                let _ = changes.send(Box::new(change)).await;
            }
            // The loader gives a broker no other.
            _ => {}
        }
    }
    std::future::pending().await
}

fn access(program: &BrokerProgram) -> Access {
    let authorizer = program.access.as_ref().map(|access| -> Box<dyn Authorize> { Box::new(acl(access)) });
    let Some(auth) = &program.auth else { return Access { authorizer, ..Access::default() } };
    let mechanism = |dialogue: &Dialogue| -> Box<dyn Mechanism> {
        Box::new(Scripted::with_choices(dialogue.method.clone(), dialogue.words.clone()))
    };
    Access {
        anonymous: auth.anonymous,
        passwords: !auth.users.is_empty(),
        mechanisms: auth.dialogue.iter().map(mechanism).collect(),
        authorizer,
    }
}

/// Returns the access list in the form that the server reads.
fn acl(access: &AccessList) -> Acl {
    let mut text = String::new();
    let add = |text: &mut String, word: &str, rights: &AccessRights| {
        for (right, filters) in [("read", &rights.read), ("write", &rights.write), ("deny", &rights.deny)] {
            filters.iter().for_each(|filter| text.push_str(&format!("{word} {right} {filter}\n")));
        }
    };
    add(&mut text, "topic", &access.anonymous);
    add(&mut text, "pattern", &access.everybody);
    for (user, rights) in &access.users {
        text.push_str(&format!("user {user}\n"));
        add(&mut text, "topic", rights);
    }
    // The loader has checked names and filters.
    Acl::parse(&text).unwrap_or_default()
}

struct NodeListener<N: Network> {
    network: N,
    listener: N::Listener,
    pace: Option<Rc<Pace>>,
}

impl<N: Network> Listener for NodeListener<N> {
    type Stream = Paced<N::Stream>;
    type Peer = Peer;

    async fn accept(&mut self) -> io::Result<(Paced<N::Stream>, Peer)> {
        let (stream, peer) = self.network.accept(&mut self.listener).await?;
        Ok((Paced::new(stream, self.pace.as_ref()), peer))
    }
}

/// Brings what only the broker can know into the trace: why it closes.
struct TraceObserver<C> {
    plan: Arc<Plan>,
    node: NodeId,
    recorder: Recorder,
    clock: C,
    /// The log that the real server writes, for people.
    log: Log,
    watch: StateProbe,
    /// The pace of a broker that takes time for each packet.
    pace: Option<Rc<Pace>>,
    /// The disk on which a durable broker keeps its state.
    disk: Option<Disk>,
}

impl<C: WorldClock> Observer<Peer> for TraceObserver<C> {
    fn event(&mut self, now: Instant, peer: &Peer, event: &Event) {
        log(&self.plan, self.node, self.clock.world_time(now), || {
            self.log.lines(&self.plan.node(peer.node).name, event)
        });
        if let (Event::Received { .. }, Some(pace)) = (event, &self.pace) {
            pace.note_packet();
        }
        if let Event::Closing { reason, .. } = event {
            let (because, since) = because(reason, &self.clock);
            self.recorder.closing(self.node, peer.node, peer.connection, because, since);
        }
    }

    fn settled(&mut self, _now: Instant, broker: &Broker) {
        for held in self.watch.changes(broker) {
            self.recorder.holds(self.node, held);
        }
        if let Some(disk) = &self.disk {
            disk.write(broker.durable_state());
        }
    }
}

/// The questions of the plan about the broker's memory, and the known answers: nothing is held at first.
#[derive(Default)]
struct StateProbe {
    sessions: BTreeMap<String, Option<SessionState>>,
    retained: Option<u64>,
}

impl StateProbe {
    fn new(expectations: &[Expectation], node: NodeId) -> Self {
        let mut watch = Self::default();
        for expectation in expectations {
            watch.add(expectation, node);
        }
        watch
    }

    fn add(&mut self, expectation: &Expectation, node: NodeId) {
        match &expectation.verb {
            Verb::Has(holding) if expectation.nodes.contains(&node) => {
                self.sessions.extend(holding.session.clone().map(|session| (session, None)));
                self.retained = self.retained.or(holding.retained.map(|_| 0));
            }
            Verb::AnyOf(alternatives) => alternatives.iter().flatten().for_each(|line| self.add(line, node)),
            _ => {}
        }
    }

    fn changes(&mut self, broker: &Broker) -> Vec<Held> {
        let mut changes = Vec::new();
        for (client_id, known) in &mut self.sessions {
            let state = broker.client(client_id).map(|state| SessionState {
                subscriptions: state.subscriptions as u64,
                queued: state.queued as u64,
                in_flight: state.in_flight as u64,
                has_will: state.has_will,
            });
            if *known != state {
                *known = state;
                changes.push(Held::Session(client_id.clone(), state));
            }
        }
        if let Some(known) = &mut self.retained {
            let count = broker.retained_count() as u64;
            if *known != count {
                *known = count;
                changes.push(Held::Retained(count));
            }
        }
        changes
    }
}

fn because(reason: &CloseReason, clock: &impl WorldClock) -> (Because, Option<Since>) {
    let because = match reason {
        CloseReason::KeepAlive { since, at, due } => {
            let since = Since { packet: Some(*since), at: clock.world_time(*at), due: clock.world_time(*due) };
            return (Because::KeepAlive, Some(since));
        }
        CloseReason::NoConnect { .. } => Because::NoConnect,
        CloseReason::Takeover => Because::Takeover,
        CloseReason::Protocol { reason: ReasonCode::MALFORMED_PACKET, .. } => Because::Malformed,
        CloseReason::Protocol { .. } => Because::ProtocolError,
        CloseReason::Refused { .. } => Because::NotAuthorized,
        CloseReason::Disconnected => Because::Asked,
        CloseReason::Quota | CloseReason::TooManyConnections => Because::Quota,
        CloseReason::Shutdown => Because::Shutdown,
    };
    (because, None)
}
