use std::future::Future;
use std::io;
use std::rc::Rc;

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

    /// From now on, while this node listens, `door` says what becomes of each connection that is about to be opened.
    fn guard(&self, door: Rc<dyn Door>);

    /// Ends a connection by RST instead of FIN.
    fn abort(&self, stream: Self::Stream);
}

/// Says what becomes of a connection when its SYN arrives, before any program sees it.
pub(crate) trait Door {
    /// Of this connection; asked anew each time its SYN arrives.
    fn knock(&self, connection: ConnectionId) -> Knock;
}

/// What becomes of a SYN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Knock {
    /// It is answered, and the connection goes to the program.
    Open,
    /// RST.
    Refused,
    /// As if it had been lost.
    Ignored,
}

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The node there.
    pub(crate) node: NodeId,
    /// The connection's name in the trace.
    pub(crate) connection: ConnectionId,
    /// Which of the client's connections it is, from 1.
    pub(crate) number: u32,
}
