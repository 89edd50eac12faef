use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;

use halfopen_broker::core::{Broker, CloseReason, Config, Event};
use halfopen_broker::driver::{Listener, Observer, serve};
use halfopen_broker::log::{Detail, Log};
use halfopen_protocol::{Instant, ReasonCode};

use super::{Env, WorldClock, log};
use crate::defects::Defect;
use crate::plan::{Because, Expectation, NodeId, Plan, Verb};
use crate::trace::{Held, SessionState, Since};
use crate::world::network::{Network, Peer};
use crate::world::record::Recorder;

pub(super) async fn run<N: Network, C: WorldClock>(env: Env<N, C>, config: Config) {
    let Ok(listener) = env.network.listen().await else {
        // The node has one program and the port is its own; a world in which it is taken is broken.
        unreachable!("the MQTT port of a node is taken");
    };
    let listener = NodeListener { network: env.network, listener };
    let log = Log::new(Detail::Packets);
    let watch = Watch::new(&env.plan.expectations, env.node);
    let clock = env.clock.clone();
    let mut broker = Broker::new(config);
    if let Some(Defect::Broker(defect)) = env.plan.defect {
        broker = broker.with_defect(defect);
    }
    let observer = Witness { plan: env.plan, node: env.node, recorder: env.recorder, clock, log, watch };
    // Served until the node is dropped; a listener of the world does not fail.
    let _ = serve(broker, listener, env.clock, observer, std::future::pending()).await;
}

struct NodeListener<N: Network> {
    network: N,
    listener: N::Listener,
}

impl<N: Network> Listener for NodeListener<N> {
    type Stream = N::Stream;
    type Peer = Peer;

    async fn accept(&mut self) -> io::Result<(N::Stream, Peer)> {
        self.network.accept(&mut self.listener).await
    }
}

/// Brings what only the broker can know into the trace: why it closes.
struct Witness<C> {
    plan: Rc<Plan>,
    node: NodeId,
    recorder: Recorder,
    clock: C,
    /// The log that the real server writes, for people.
    log: Log,
    watch: Watch,
}

impl<C: WorldClock> Observer<Peer> for Witness<C> {
    fn event(&mut self, now: Instant, peer: &Peer, event: &Event) {
        log(&self.plan, self.node, self.clock.world_time(now), || {
            self.log.lines(&self.plan.node(peer.node).name, event)
        });
        if let Event::Closing { reason, .. } = event {
            let (because, since) = because(reason, &self.clock);
            self.recorder.closing(self.node, peer.node, peer.connection, because, since);
        }
    }

    fn settled(&mut self, _now: Instant, broker: &Broker) {
        for held in self.watch.changes(broker) {
            self.recorder.holds(self.node, held);
        }
    }
}

/// What the plan asks about the broker's memory, and what is known of it: nothing is held at first.
#[derive(Default)]
struct Watch {
    sessions: BTreeMap<String, Option<SessionState>>,
    retained: Option<u64>,
}

impl Watch {
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
            let since = Since { packet: *since, at: clock.world_time(*at), due: clock.world_time(*due) };
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
