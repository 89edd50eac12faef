use std::io;
use std::net::SocketAddr;

use halfopen_broker::Listener;
use tokio::net::{TcpListener, TcpStream};

/// Connections of a real port.
pub(crate) struct Tcp {
    listener: TcpListener,
    address: SocketAddr,
}

impl Tcp {
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { address: listener.local_addr()?, listener })
    }

    /// Where it listens, with the port that was chosen if 0 was asked for.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Listener for Tcp {
    type Stream = TcpStream;
    type Peer = SocketAddr;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.listener.accept().await?;
        // Packets are small and each is wanted soon. A socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }
}
