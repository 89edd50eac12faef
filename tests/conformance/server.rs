//! The brokers as programs, each with its defaults, or one that runs already.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const OURS: &str = "halfopen-broker";

/// Whose broker it is, and with it what fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This project's: violations, and whatever a row is about and it does not offer.
    Ours,
    /// The one that the caller names: violations.
    Named,
    /// Played beside ours, for comparison: nothing.
    Compared,
}

/// A running broker. It is killed when this is dropped, if it was started here.
pub(crate) struct Server {
    child: Option<Child>,
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// The broker that `HALFOPEN_BROKER` names, such as `localhost:1883`, if something listens there.
    pub(crate) fn at(named: &str) -> Result<Self, String> {
        let wrong = |what: &str| Err(format!("HALFOPEN_BROKER={named}: {what}"));
        let is_host_and_port =
            named.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        if !is_host_and_port {
            return wrong("expected HOST:PORT, for example HALFOPEN_BROKER=localhost:1883");
        }
        let Ok(addresses) = named.to_socket_addrs() else { return wrong("there is no such host") };
        let listens = |address: &SocketAddr| TcpStream::connect_timeout(address, Duration::from_secs(3)).is_ok();
        match addresses.into_iter().find(listens) {
            Some(address) => Ok(Self { child: None, name: "broker", kind: Kind::Named, address }),
            None => wrong("nothing listens there; start the broker first"),
        }
    }

    /// This project's broker as it comes.
    pub(crate) fn halfopen() -> Result<Self, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_halfopen-broker"));
        Self::start(OURS, command.args(["--listen", "127.0.0.1:0"]), "Opening ipv4 listen socket")
    }

    /// Mosquitto as it comes, where it is installed.
    pub(crate) fn mosquitto() -> Option<Self> {
        // It cannot take a free port by itself and tell which.
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr()).ok()?.port();
        let start = |program: &str| {
            Self::start("Mosquitto", Command::new(program).args(["-p", &port.to_string()]), "running").ok()
        };
        let mut server = start("mosquitto").or_else(|| start("/usr/sbin/mosquitto"))?;
        server.address.set_port(port);
        Some(server)
    }

    fn start(name: &'static str, command: &mut Command, ready: &str) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{name} does not start: {error}"))?;
        let mut log = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        while !line.contains(ready) {
            line.clear();
            let read = log.read_line(&mut line).map_err(|error| format!("{name}: {error}"))?;
            if read == 0 {
                return Err(format!("{name} has ended"));
            }
        }
        let port = line.trim_end().trim_end_matches('.').rsplit(' ').next().and_then(|port| port.parse().ok());
        let address = (Ipv4Addr::LOCALHOST, port.unwrap_or(0)).into();
        drain(log);
        Ok(Self { child: Some(child), name, kind: if name == OURS { Kind::Ours } else { Kind::Compared }, address })
    }
}

/// What is said of a broker that cannot be played against.
pub(crate) fn wrong_brokers() -> Result<(), String> {
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
    let closed = closed.map_err(|error| error.to_string())?.to_string();
    for (named, expected) in [
        ("foo", "expected HOST:PORT"),
        (":1883", "expected HOST:PORT"),
        ("localhost:mqtt", "expected HOST:PORT"),
        ("no-such-host.invalid:1883", "there is no such host"),
        (&closed, "nothing listens there"),
    ] {
        let said = Server::at(named).err().unwrap_or_default();
        if !said.starts_with(&format!("HALFOPEN_BROKER={named}: {expected}")) || said.contains('\n') {
            return Err(format!("{named}: {said:?}"));
        }
    }
    // A name that stands for several addresses is that of the one where something listens.
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
    let port = open.local_addr().map_err(|error| error.to_string())?.port();
    Server::at(&format!("localhost:{port}")).map(|_| ())
}

/// Reads on, so that the program can go on logging.
#[expect(clippy::disallowed_methods, reason = "the real program logs at its own pace; no world is near")]
fn drain(mut log: impl io::Read + Send + 'static) {
    std::thread::spawn(move || io::copy(&mut log, &mut io::sink()));
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
