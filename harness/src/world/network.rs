use std::future::Future;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::plan::NodeId;
use crate::trace::ConnectionId;

/// What a program on a node sees of the network: the same on every engine.
///
/// The streams are tapped: what passes through them stands in the trace, and so do the opening and the end of each
/// connection, without the program's doing.
pub(crate) trait Network: Clone + Unpin + 'static {
    /// One end of a connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;
    /// A bound port.
    type Listener: 'static;

    /// Binds the MQTT port of this node.
    fn listen(&self) -> impl Future<Output = io::Result<Self::Listener>>;

    /// Waits for a connection.
    fn accept(&self, listener: &mut Self::Listener) -> impl Future<Output = io::Result<(Self::Stream, Peer)>>;

    /// Opens a connection to the MQTT port of `to`. Dropping the future gives up.
    fn connect(&self, to: NodeId) -> impl Future<Output = io::Result<(Self::Stream, Peer)>>;

    /// Ends a connection by RST instead of FIN.
    fn abort(&self, stream: Self::Stream);
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The node there.
    pub(crate) node: NodeId,
    /// The connection's name in the trace.
    pub(crate) connection: ConnectionId,
}
