use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
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

/// As Linux numbers it.
const EAFNOSUPPORT: i32 = 97;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    peer: SocketAddr,
    /// The port that it came to.
    pub(crate) port: u16,
}

impl Tcp {
    /// Listens on all of these, but not on `::1` after others if the machine has no IPv6.
    pub(crate) async fn bind(addresses: &[SocketAddr]) -> io::Result<Self> {
        let mut doors = Vec::with_capacity(addresses.len());
        for &address in addresses {
            let listener = match TcpListener::bind(address).await {
                Ok(listener) => listener,
                // Programs of this machine reach the broker over IPv4, too.
                Err(error) if address.ip() == Ipv6Addr::LOCALHOST && !doors.is_empty() && no_ipv6(&error) => continue,
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")));
                }
            };
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

/// Whether the machine has no address of this family, or does not know the family (EAFNOSUPPORT).
fn no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
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
