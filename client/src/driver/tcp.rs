use std::io;

use super::Connector;
use tokio::net::TcpStream;

/// Connects to a port of a host, by name or address, over TCP.
#[derive(Clone, Debug)]
pub struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    /// For this host and port, which are looked up at each attempt.
    pub fn new(host: String, port: u16) -> Self {
        Self { host, port }
    }
}

impl Connector for Tcp {
    type Stream = TcpStream;

    async fn connect(&mut self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        // Packets are small and each is wanted soon. A socket that refuses the option works all the same.
        let _ = stream.set_nodelay(true);
        Ok(stream)
    }
}
