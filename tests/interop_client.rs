//! `halfopen-client` against Mosquitto, over real TCP.

#[path = "interop/command_line.rs"]
mod command_line;
#[path = "interop/plays.rs"]
mod plays;
#[path = "interop/server.rs"]
mod server;
#[path = "interop/trials.rs"]
mod trials;

use std::net::{Ipv4Addr, TcpListener};

use libtest_mimic::Arguments;
use tokio::process::Command;

use self::command_line::Programs;
use self::server::Server;
use self::trials::presence;

const HALFOPEN: &str = env!("CARGO_BIN_EXE_halfopen-client");
const PROGRAMS: Programs = Programs { publish: &[HALFOPEN, "pub"], subscribe: &[HALFOPEN, "sub"], keep_alive: "1" };
/// Debian puts it where not every user's path leads.
const PLACES: [&str; 3] = ["mosquitto", "/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"];

fn main() {
    let arguments = Arguments::from_args();
    let presence = mosquitto().map(drop);
    let trials = command_line::trials("mosquitto", &presence, PROGRAMS, start_mosquitto);
    libtest_mimic::run(&arguments, trials).exit();
}

/// The program, or why there is none.
fn mosquitto() -> Result<&'static str, String> {
    let is_there =
        |place: &&&str| presence("mosquitto", std::process::Command::new(place).arg("-h"), &[0, 1, 3]).is_ok();
    PLACES.iter().find(is_there).copied().ok_or_else(|| "mosquitto not found".to_owned())
}

async fn start_mosquitto() -> Server {
    let program = mosquitto().expect("the trial runs only where it is");
    // It takes no port 0. Another process that takes the port in between makes it end, and another is tried.
    for _ in 0..10 {
        let port = free_port();
        let configuration = tempfile::NamedTempFile::new().expect("a temporary file");
        let text = format!("listener {port} 127.0.0.1\nallow_anonymous true\nuser root\nlog_dest stderr\n");
        std::fs::write(configuration.path(), text).expect("it can be written");
        let mut command = Command::new(program);
        command.arg("-v").arg("-c").arg(configuration.path());
        if let Ok(server) = Server::start(command, "running").await {
            return server;
        }
    }
    panic!("Mosquitto does not start on any of ten free ports");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
    listener.local_addr().expect("it is bound").port()
}
