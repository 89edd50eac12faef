use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use halfopen_broker::Listener;
use tokio::net::{TcpListener, TcpStream};

/// Connections of real ports.
pub(crate) struct Tcp {
    doors: Vec<Door>,
    /// Which one is asked first: each in turn, so that a busy one does not keep the others closed.
    first: usize,
}

struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    peer: SocketAddr,
    /// The port that it came to.
    pub(crate) port: u16,
}

impl Tcp {
    /// Listens on all of these.
    pub(crate) async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut doors = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let listener = TcpListener::bind(address)
                .await
                .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
            doors.push(Door { address: listener.local_addr()?, listener });
        }
        Ok(Self { doors, first: 0 })
    }

    /// Where it listens, with the ports that were chosen if 0 was asked for.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.doors.iter().map(|door| door.address)
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Origin)>> {
        for offset in 0..self.doors.len() {
            let index = (self.first + offset) % self.doors.len();
            let door = &self.doors[index];
            if let Poll::Ready(accepted) = door.listener.poll_accept(cx) {
                self.first = index + 1;
                let port = door.address.port();
                return Poll::Ready(accepted.map(|(stream, peer)| (stream, Origin { peer, port })));
            }
        }
        Poll::Pending
    }
}

impl Listener for Tcp {
    type Stream = TcpStream;
    type Peer = Origin;

    async fn accept(&mut self) -> io::Result<(TcpStream, Origin)> {
        let (stream, origin) = poll_fn(|cx| self.poll_accept(cx)).await?;
        // Packets are small and each is wanted soon. A socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        Ok((stream, origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.peer.fmt(f)
    }
}
