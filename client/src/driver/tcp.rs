use std::io;
use std::net::{IpAddr, SocketAddr};

use halfopen_websocket::{Carried, WebSocket};
use tokio::net::{TcpSocket, TcpStream, lookup_host};

use super::Connector;

/// Connects to a port of a host, by name or address, over TCP, and over WebSocket if it is told to.
#[derive(Clone, Debug)]
pub struct Tcp {
    host: String,
    port: u16,
    from: Option<IpAddr>,
    websocket: Option<Path>,
}

/// The way to MQTT over WebSocket at a host.
#[derive(Clone, Debug)]
struct Path {
    path: String,
    /// The source of keys and masks: another one for each connection.
    seed: u64,
}

impl Tcp {
    /// Creates a connector for this host and port, which are looked up at each attempt.
    pub fn new(host: String, port: u16) -> Self {
        Self { host, port, from: None, websocket: None }
    }

    /// Connects from this address of the machine; `None`: from the one that the way to the broker needs.
    #[must_use]
    pub fn from_address(mut self, address: Option<IpAddr>) -> Self {
        self.from = address;
        self
    }

    /// Speaks MQTT over WebSocket at this path (§6). The key and the masks of each connection are drawn from `seed`.
    #[must_use]
    pub fn over_websocket(mut self, path: String, seed: u64) -> Self {
        self.websocket = Some(Path { path, seed });
        self
    }

    async fn open(&self) -> io::Result<TcpStream> {
        let Some(from) = self.from else { return TcpStream::connect((self.host.as_str(), self.port)).await };
        let mut error = io::Error::new(io::ErrorKind::AddrNotAvailable, "no address of the same family");
        for to in lookup_host((self.host.as_str(), self.port)).await? {
            if to.is_ipv4() != from.is_ipv4() {
                continue;
            }
            let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            socket.bind(SocketAddr::new(from, 0))?;
            match socket.connect(to).await {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }
}

impl Connector for Tcp {
    type Stream = Carried<TcpStream>;

    async fn connect(&mut self) -> io::Result<Carried<TcpStream>> {
        let stream = self.open().await?;
        // Packets are small and each is wanted soon. A socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        let Some(websocket) = &mut self.websocket else { return Ok(Carried::Plain(stream)) };
        websocket.seed = websocket.seed.wrapping_add(1);
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        let socket = WebSocket::client(stream, &format!("{host}:{}", self.port), &websocket.path, websocket.seed);
        Ok(Carried::WebSocket(Box::new(socket)))
    }
}
