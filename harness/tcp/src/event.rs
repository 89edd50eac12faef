use crate::{ConnectionId, FaultId, HostId, Socket};

/// An instruction for the driver of a [`Network`](crate::Network), or something that it may want to record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection waits to be accepted at this host.
    Acceptable(HostId),
    /// A connection attempt has a result: see [`Network::connect_result`](crate::Network::connect_result).
    Connected(ConnectionId),
    /// A read that was blocked may succeed or fail now.
    Readable(Socket),
    /// A write that was blocked may succeed or fail now.
    Writable(Socket),
    /// The host of this socket has sent RST on its connection.
    Aborted(Socket),
    /// The end of a stream has reached the other host, whether or not its program reads it.
    EndArrived {
        /// The socket that sent it.
        sender: Socket,
        /// The end of the stream.
        end: StreamEnd,
    },
    /// Bytes of a stream have reached a host that answers them with RST, so that no program will read them.
    ArrivedUnread {
        /// The socket that sent them.
        sender: Socket,
        /// Number of bytes of the stream from its beginning to the last one that arrived.
        bytes: u64,
    },
    /// A fault has had an effect for the first time.
    FaultHit(FaultId),
    /// The network has forgotten a connection. Its id is not used any more.
    Forgotten(ConnectionId),
}

/// The end of a stream: what a host receives instead of further bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// A SYN that the host refuses.
    Refused,
    /// FIN.
    Fin,
    /// RST.
    Rst,
}
