use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};

use tokio::net::TcpStream;

/// Which broker.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServerKind {
    Halfopen,
    Mosquitto,
}

impl ServerKind {
    /// The program, or what is missing.
    pub(crate) fn program(self) -> Result<&'static str, &'static str> {
        let places = match self {
            Self::Halfopen => &[env!("CARGO_BIN_EXE_halfopen-broker")][..],
            Self::Mosquitto => &["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"],
        };
        let is_there = |place: &&&str| Command::new(place).arg("--help").stdout(Stdio::null()).status().is_ok();
        places.iter().find(is_there).copied().ok_or("mosquitto not found")
    }
}

/// A running broker, which is killed when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts it on a free port and waits until it listens.
    pub(crate) async fn start(kind: ServerKind) -> Self {
        let port = free_port();
        let mut command = Command::new(kind.program().expect("it was there before"));
        let configuration = tempfile::NamedTempFile::new().expect("a temporary file");
        match kind {
            ServerKind::Halfopen => {
                command.args(["--log", "none", "--listen", &format!("127.0.0.1:{port}")]);
            }
            ServerKind::Mosquitto => {
                let text = format!(
                    "listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest none\nset_tcp_nodelay true\n"
                );
                std::fs::write(configuration.path(), text).expect("it can be written");
                command.arg("-c").arg(configuration.path());
            }
        }
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let server = Self { child: child.expect("the broker starts"), port };
        // The port says nothing when it opens, so it has to be asked. A broker that never listens ends the program.
        for _ in 0..2000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                return server;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("{kind:?} does not listen");
    }

    /// How much memory it has in use.
    pub(crate) fn resident_bytes(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        line.trim().trim_end_matches(" kB").parse::<f64>().unwrap_or(f64::NAN) * 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}
