use std::io;
use std::rc::Rc;

use halfopen_broker::core::{Broker, CloseReason, Config, Event};
use halfopen_broker::driver::{Listener, Observer, serve};
use halfopen_broker::log::{Detail, Log};
use halfopen_protocol::{Clock, Instant, ReasonCode};

use super::{Env, log, since_start};
use crate::plan::{Because, NodeId, Plan};
use crate::trace::Since;
use crate::world::network::{Network, Peer};
use crate::world::record::Recorder;

pub(super) async fn run<N: Network, C: Clock>(env: Env<N, C>, config: Config) {
    let Ok(listener) = env.network.listen().await else {
        // The node has one program and the port is its own; a world in which it is taken is broken.
        unreachable!("the MQTT port of a node is taken");
    };
    let listener = NodeListener { network: env.network, listener };
    let log = Log::new(Detail::Packets);
    let observer = Witness { plan: env.plan, node: env.node, recorder: env.recorder, log };
    // Served until the node is dropped; a listener of the world does not fail.
    let _ = serve(Broker::new(config), listener, env.clock, observer, std::future::pending()).await;
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
struct Witness {
    plan: Rc<Plan>,
    node: NodeId,
    recorder: Recorder,
    /// The log that the real server writes, for people.
    log: Log,
}

impl Observer<Peer> for Witness {
    fn event(&mut self, now: Instant, peer: &Peer, event: &Event) {
        log(&self.plan, self.node, now, || self.log.lines(&self.plan.node(peer.node).name, event));
        if let Event::Closing { reason, .. } = event {
            let (because, since) = because(reason);
            self.recorder.closing(self.node, peer.node, peer.connection, because, since);
        }
    }
}

fn because(reason: &CloseReason) -> (Because, Option<Since>) {
    let because = match reason {
        CloseReason::KeepAlive { since, at, due } => {
            let since = Since { packet: *since, at: since_start(*at), due: since_start(*due) };
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
