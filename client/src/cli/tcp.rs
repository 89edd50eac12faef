use std::io;

use halfopen_client::driver::Connector;
use tokio::net::TcpStream;

/// Connects to a port of a host, by name or address.
pub(crate) struct Tcp {
    host: String,
    port: u16,
}

impl Tcp {
    pub(crate) fn new(host: String, port: u16) -> Self {
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
