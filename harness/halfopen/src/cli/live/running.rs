//! A broker that runs already: its address, and whether it lets clients in.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use bytes::BytesMut;
use halfopen_protocol::packet::Connect;
use halfopen_protocol::{Packet, Version, encode};
use halfopen_websocket::{Carried, PATH, WebSocket};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::login::Login;
use super::tls::Tls;
use crate::cli::options::LiveArgs;
use crate::plan::Transport;
use crate::world::{RemoteStream, connect_by_tcp};

/// Time within which each address of a host, and the first CONNECT, has to be answered.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// A broker that runs already.
#[derive(Clone)]
pub(super) struct Running {
    address: SocketAddr,
    tls: Option<Tls>,
    transport: Transport,
}

impl Running {
    /// Finds the broker that `--live` names, if it names one by its address.
    ///
    /// # Errors
    /// If the address is written otherwise, or nobody listens there.
    pub(super) fn of(text: &str, args: &LiveArgs) -> Result<Option<Self>, String> {
        let Some((scheme, place)) = text.split_once("://") else {
            return if args.tls || args.ca.is_some() {
                Err("`--tls` and `--ca` are for a broker that runs already, `tcp://HOST:PORT`".to_owned())
            } else {
                Ok(None)
            };
        };
        let (is_encrypted, transport) = match scheme {
            "tcp" | "mqtt" => (args.tls, Transport::Tcp),
            "mqtts" => (true, Transport::Tcp),
            "ws" => (args.tls, Transport::WebSocket),
            "wss" => (true, Transport::WebSocket),
            _ => {
                return Err(
                    "an address is written `tcp://HOST:PORT`, `mqtts://HOST:PORT` for TLS, `ws://HOST:PORT` for \
                            WebSocket, or `wss://HOST:PORT` for both"
                        .to_owned(),
                );
            }
        };
        let place = match transport {
            Transport::Tcp => place,
            Transport::WebSocket => place.strip_suffix(PATH).unwrap_or(place),
        };
        if args.ca.is_some() && !is_encrypted {
            return Err("`--ca` is for TLS: add `--tls`, or write `mqtts://HOST:PORT`".to_owned());
        }
        let (host, port) = host_and_port(place)?;
        let address = answering(host, port)?;
        let tls = is_encrypted.then(|| Tls::new(host, args.ca.as_deref())).transpose()?;
        Ok(Some(Self { address, tls, transport }))
    }

    /// Returns the address of the broker.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns what carries MQTT to its port.
    pub(super) fn transport(&self) -> Transport {
        self.transport
    }

    /// Opens a connection, with TLS if the broker is asked for it.
    ///
    /// # Errors
    /// If nobody answers, or TLS fails, with what is to be done.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn RemoteStream>> {
        let stream = connect_by_tcp(self.address).await?;
        match &self.tls {
            None => Ok(Box::new(stream)),
            Some(tls) => Ok(Box::new(tls.open(stream).await?)),
        }
    }

    /// Connects as a client does, to find out what would fail every run: encryption that does not fit, and a broker that
    /// lets nobody in with this login. A broker that answers anything else, or nothing, is for the scenarios to judge.
    ///
    /// # Errors
    /// If it is one of these, with what is to be done.
    pub(super) async fn greet(&self, client_id: &str, login: Option<&Login>) -> Result<(), String> {
        let stream = self.connect().await.map_err(|error| error.to_string())?;
        let mut stream = match self.transport {
            Transport::Tcp => Carried::Plain(stream),
            Transport::WebSocket => {
                let socket = WebSocket::client(stream, &self.address.to_string(), PATH, 0);
                Carried::WebSocket(Box::new(socket))
            }
        };
        let mut connect = Connect::new(Version::V3_1_1, client_id);
        connect.username = login.map(|login| login.user.as_str().into());
        connect.password = login.and_then(|login| login.password.clone());
        let mut bytes = BytesMut::new();
        encode(&Packet::from(connect), Version::V3_1_1, &mut bytes).map_err(|error| error.to_string())?;
        let exchange = async {
            let mut answer = [0; 64];
            let (mut reader, mut writer) = tokio::io::split(&mut stream);
            let write = async {
                writer.write_all(&bytes).await?;
                writer.flush().await
            };
            // Over WebSocket it is reading that completes the upgrade.
            let (written, read) = tokio::join!(biased; write, reader.read(&mut answer));
            let count = read?;
            written?;
            // DISCONNECT, so that no will and no session is left.
            stream.write_all(&[0xe0, 0]).await?;
            stream.flush().await?;
            Ok::<_, io::Error>(answer[..count].to_vec())
        };
        let exchanged = timeout(PATIENCE, exchange).await.unwrap_or_else(|_| Ok(Vec::new()));
        let wrong = match exchanged {
            Ok(answer) if !answer.is_empty() => complaint(&answer, login),
            Ok(_) if self.transport == Transport::WebSocket => {
                Some("nobody answers a CONNECT over WebSocket on this port".to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidData && self.transport == Transport::WebSocket => {
                Some(format!("no WebSocket for MQTT at {PATH}: {error}"))
            }
            Err(error) if self.tls.is_some() => Tls::explain(&error),
            Ok(_) | Err(_) if self.tls.is_none() && Tls::is_spoken_at(self.address).await => Some(IS_TLS.to_owned()),
            Ok(_) | Err(_) => None,
        };
        wrong.map_or(Ok(()), Err)
    }
}

const IS_TLS: &str = "it speaks TLS on this port: add `--tls`, or write `mqtts://HOST:PORT`";

/// Returns what the first bytes of a broker say that would fail every run.
fn complaint(answer: &[u8], login: Option<&Login>) -> Option<String> {
    match (answer, login) {
        // A record of TLS: an alert.
        ([0x15, 0x03, ..], _) => Some(IS_TLS.to_owned()),
        (answer, _) if answer.starts_with(b"HTTP/") => {
            Some("it speaks HTTP on this port: for WebSocket write `ws://HOST:PORT`".to_owned())
        }
        // CONNACK: bad user name or password, not authorized; of 3.1.1 and of 5.0.
        ([0x20, _, _, code @ (4 | 5 | 0x86 | 0x87), ..], None) => Some(format!(
            "it refuses a client without user name (CONNACK with code {code:#04x}): give `--user`, and a password in \
             `--password-file` or HALFOPEN_PASSWORD"
        )),
        ([0x20, _, _, code @ (4 | 5 | 0x86 | 0x87), ..], Some(Login { user, password })) => Some(format!(
            "it refuses the user `{user}` with {} (CONNACK with code {code:#04x})",
            if password.is_some() { "this password" } else { "no password; `--password-file` or HALFOPEN_PASSWORD" },
        )),
        _ => None,
    }
}

/// Splits what follows the scheme.
fn host_and_port(place: &str) -> Result<(&str, u16), String> {
    let place = place.trim_end_matches('/');
    if place.contains('@') {
        return Err("a user name is given with `--user`, and its password with `--password-file` or in the variable \
                    HALFOPEN_PASSWORD: an address stands in the list of processes"
            .to_owned());
    }
    let missing = || format!("`{place}` has no port, as in `tcp://HOST:1883`");
    let (host, port) = place.rsplit_once(':').filter(|(_, port)| !port.contains(']')).ok_or_else(missing)?;
    let port = port.parse().map_err(|_| format!("`{port}` is no port: a port is a number up to 65535"))?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(format!("`{place}` has no host")) } else { Ok((host, port)) }
}

/// Returns the first address of a host at which somebody listens: a name may stand for several.
fn answering(host: &str, port: u16) -> Result<SocketAddr, String> {
    let mut failure = "there is no such host".to_owned();
    for address in (host, port).to_socket_addrs().map_err(|error| error.to_string())? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(address),
            Err(error) => failure = format!("nothing answers at {address}: {error}"),
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("127.0.0.1:1883", "127.0.0.1", 1883)]
    #[case("[::1]:8883/", "::1", 8883)]
    #[case("broker.example:1", "broker.example", 1)]
    fn an_address_is_a_host_and_a_port(#[case] place: &str, #[case] host: &str, #[case] port: u16) {
        assert_eq!(host_and_port(place), Ok((host, port)));
    }

    #[rstest]
    #[case("127.0.0.1", "has no port")]
    #[case("[::1]", "has no port")]
    #[case(":1883", "has no host")]
    #[case("a:mqtt", "`mqtt` is no port")]
    #[case("a:65536", "`65536` is no port")]
    #[case("me:secret@a:1883", "`--user`")]
    fn what_is_no_address_is_said(#[case] place: &str, #[case] part: &str) {
        let refused = host_and_port(place).unwrap_err();
        assert!(refused.contains(part), "{refused}");
    }

    #[rstest]
    #[case::accepted(&[0x20, 2, 0, 0], false)]
    #[case::another_version_only(&[0x20, 2, 0, 1], false)]
    #[case::nothing(&[], false)]
    #[case::not_authorized(&[0x20, 2, 0, 5], true)]
    #[case::not_authorized_of_5_0(&[0x20, 3, 0, 0x87, 0], true)]
    #[case::alert(&[0x15, 3, 3, 0, 2, 2, 70], true)]
    #[case::http(b"HTTP/1.1 400 Bad Request\r\n\r\n", true)]
    fn only_what_fails_every_run_is_a_complaint(#[case] answer: &[u8], #[case] is_one: bool) {
        let login = Login { user: "me".to_owned(), password: None };
        for login in [None, Some(&login)] {
            assert_eq!(complaint(answer, login).is_some(), is_one);
        }
    }
}
