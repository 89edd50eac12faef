use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use halfopen_broker::Listener;
use halfopen_websocket::Carried;

use crate::reactor::{Reactor, TcpListener, TcpStream};
use crate::settings::Address;

/// Connections of real ports.
pub(crate) struct Tcp {
    doors: Vec<Door>,
    /// The listener that is asked first: each in turn, so that a busy one does not keep the others closed.
    first: usize,
}

struct Door {
    listener: TcpListener,
    address: SocketAddr,
    transport: Transport,
}

/// The transport that carries the bytes of MQTT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    WebSocket,
}

/// The error number of Linux.
const EAFNOSUPPORT: i32 = 97;

/// The origin of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    address: IpAddr,
    peer_port: u16,
    /// The port that it came to.
    pub(crate) port: u16,
}

impl Tcp {
    /// Listens on all of these, but not on `::1` after others of its kind if the machine has no IPv6.
    pub(crate) async fn bind(reactor: &Reactor, plain: &[Address], websocket: &[Address]) -> io::Result<Self> {
        let mut doors = Vec::with_capacity(plain.len() + websocket.len());
        for (addresses, transport) in [(plain, Transport::Tcp), (websocket, Transport::WebSocket)] {
            for (index, address) in resolve(addresses).await?.into_iter().enumerate() {
                let listener = match reactor.listen(address) {
                    Ok(listener) => listener,
                    // Programs of this machine reach the broker over IPv4, too.
                    Err(error) if address.ip() == Ipv6Addr::LOCALHOST && index > 0 && no_ipv6(&error) => continue,
                    Err(error) => {
                        return Err(io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")));
                    }
                };
                doors.push(Door { address: listener.local_addr()?, listener, transport });
            }
        }
        Ok(Self { doors, first: 0 })
    }

    /// Returns where it listens, with the ports that were chosen if 0 was asked for.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (SocketAddr, Transport)> {
        self.doors.iter().map(|door| (door.address, door.transport))
    }

    fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, Origin, Transport)>> {
        for offset in 0..self.doors.len() {
            let index = (self.first + offset) % self.doors.len();
            let door = &mut self.doors[index];
            if let Poll::Ready(accepted) = door.listener.poll_accept(cx) {
                self.first = index + 1;
                let (port, transport) = (door.address.port(), door.transport);
                return Poll::Ready(accepted.map(|(stream, peer)| {
                    (stream, Origin { address: peer.ip(), peer_port: peer.port(), port }, transport)
                }));
            }
        }
        Poll::Pending
    }
}

/// The addresses that these names stand for.
async fn resolve(addresses: &[Address]) -> io::Result<Vec<SocketAddr>> {
    let mut all = Vec::with_capacity(addresses.len());
    for address in addresses {
        let found = address.resolve().await;
        all.extend(found.map_err(|error| {
            io::Error::new(error.kind(), format!("cannot listen on {address}: there is no such host ({error})"))
        })?);
    }
    Ok(all)
}

/// Returns whether the machine has no address of this family, or does not know the family (EAFNOSUPPORT).
fn no_ipv6(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

impl Listener for Tcp {
    type Stream = Carried<TcpStream>;
    type Peer = Origin;

    async fn accept(&mut self) -> io::Result<(Carried<TcpStream>, Origin)> {
        let (stream, origin, transport) = poll_fn(|cx| self.poll_accept(cx)).await?;
        // Packets are small and each is wanted soon. A socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        Ok((Carried::server(stream, transport == Transport::WebSocket), origin))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        SocketAddr::new(self.address, self.peer_port).fmt(f)
    }
}
