use std::future::pending;
use std::io;
use std::net::SocketAddr;

pub(crate) use tokio::net::{TcpListener, TcpStream};

/// Where one poll cannot wait for another, the sockets are tokio's.
pub(crate) struct Reactor;

impl Reactor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Listens on an address.
    pub(crate) fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        TcpListener::from_std(listener)
    }

    /// Has nothing to do.
    pub(crate) async fn run(self) -> io::Error {
        pending().await
    }
}
