use std::future::Future;
use std::io;
use std::rc::Rc;

use halfopen_tcp::SynDecision;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::plan::NodeId;
use crate::trace::ConnectionId;

/// The network as a program on a node sees it: the same on every engine.
///
/// The streams are tapped: what passes through them stands in the trace, and so do the opening and the end of each
/// connection, without the program's doing.
pub(crate) trait Network: Clone + Unpin + 'static {
    /// An end of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// A bound port.
    type Listener: 'static;

    /// Binds the MQTT port of this node.
    fn listen(&self) -> impl Future<Output = io::Result<Self::Listener>>;

    /// Waits for a connection.
    fn accept(&self, listener: &mut Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, Peer)>>;

    /// Opens a connection to the MQTT port of `to`. Dropping the future gives up.
    fn connect(&self, to: NodeId) -> impl Future<Output = io::Result<(Self::Stream, Peer)>>;

    /// Sets the policy that is asked about each SYN while this node listens.
    fn set_accept_policy(&self, policy: Rc<dyn AcceptPolicy>);

    /// Ends a connection by RST instead of FIN.
    fn abort(&self, stream: Self::Stream);
}

/// Decides what becomes of a connection when its SYN arrives, before any program sees it.
pub(crate) trait AcceptPolicy {
    /// Decides about this connection. Called again each time its SYN arrives.
    fn decide(&self, connection: ConnectionId) -> SynDecision;
}

/// The node at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The node there.
    pub(crate) node: NodeId,
    /// The connection's name in the trace.
    pub(crate) connection: ConnectionId,
    /// The number among the client's connections, from 1.
    pub(crate) number: u32,
}
