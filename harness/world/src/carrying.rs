use std::io;
use std::rc::Rc;
use std::sync::Arc;

use halfopen_websocket::{Carried, FrameKind, PATH, WebSocket};
use tokio::io::{AsyncRead, AsyncWrite};

use super::breach::{Breach, FrameBreach, Framed};
use super::network::{AcceptPolicy, Network, Peer};
use crate::plan::{NodeId, Plan, Transport};

/// A network on which programs exchange the bytes of MQTT, whatever the transport of a broker's port adds to them.
#[derive(Clone)]
pub(crate) struct CarryingNetwork<N> {
    network: N,
    plan: Arc<Plan>,
    node: NodeId,
    /// The breach of the program, if it shows in frames.
    breach: Option<FrameBreach>,
}

/// An end of a connection, on which a breach may change the frames of WebSocket.
pub(crate) type CarryingStream<S> = Carried<S, Framed<S>>;

impl<N: Network> CarryingNetwork<N> {
    /// Creates it for the program of a node, with this breach.
    pub(crate) fn new(network: N, plan: Arc<Plan>, node: NodeId, breach: Option<Breach>) -> Self {
        let breach = breach.filter(|breach| breach.is_of(&plan.node(node).program)).and_then(Breach::of_frames);
        Self { network, plan, node, breach }
    }

    fn is_websocket(&self, broker: NodeId) -> bool {
        self.plan.node(broker).transport() == Transport::WebSocket
    }
}

impl<N: Network> Network for CarryingNetwork<N> {
    type Stream = CarryingStream<N::Stream>;
    type Listener = N::Listener;

    async fn listen(&self) -> io::Result<Self::Listener> {
        self.network.listen().await
    }

    async fn accept(&self, listener: &mut Self::Listener) -> io::Result<(Self::Stream, Peer)> {
        let (stream, peer) = self.network.accept(listener).await?;
        let stream = match self.is_websocket(self.node) {
            true => Carried::WebSocket(Box::new(WebSocket::server(Framed::new(stream, self.breach)))),
            false => Carried::Plain(stream),
        };
        Ok((stream, peer))
    }

    async fn connect(&self, to: NodeId) -> io::Result<(Self::Stream, Peer)> {
        let (stream, peer) = self.network.connect(to).await?;
        if !self.is_websocket(to) {
            return Ok((Carried::Plain(stream), peer));
        }
        let seed = self.plan.seed.derive(&format!("websocket {}", peer.connection.0));
        let stream = Framed::new(stream, self.breach);
        let host = &self.plan.node(to).name;
        Ok((Carried::WebSocket(Box::new(WebSocket::client(stream, host, PATH, seed.0))), peer))
    }

    fn set_accept_policy(&self, policy: Rc<dyn AcceptPolicy>) {
        self.network.set_accept_policy(policy);
    }

    fn abort(&self, stream: Self::Stream) {
        self.network.abort(match stream {
            Carried::Plain(stream) => stream,
            Carried::WebSocket(stream) => stream.into_inner().into_inner(),
        });
    }
}

/// A stream on which a text frame of WebSocket can be sent.
pub(crate) trait TextFrames {
    /// Returns whether there are text frames on it.
    fn has_text(&self) -> bool;

    /// Sends a text frame with the next flush, and returns true; false before the upgrade is complete, or if there are none.
    fn push_text(&mut self, bytes: &[u8]) -> bool;
}

impl<S: AsyncRead + AsyncWrite + Unpin> TextFrames for CarryingStream<S> {
    fn has_text(&self) -> bool {
        matches!(self, Self::WebSocket(_))
    }

    fn push_text(&mut self, bytes: &[u8]) -> bool {
        let Self::WebSocket(socket) = self else { return false };
        if socket.is_open() {
            socket.push_frame(FrameKind::Text, bytes);
        }
        socket.is_open()
    }
}
