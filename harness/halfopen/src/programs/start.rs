//! From a profile to a program that runs in a world.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll};

use halfopen_process::{Launch, NativeProcess};
use tempfile::TempDir;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::unix::pipe;

use super::settings::settings;
use super::{ConfigFile, Profile, Role};
use crate::plan::{Because, Program};
use crate::world::{
    ForeignOptions, ForeignProgram, ForeignRole, ProgramUnderTest, RemoteBroker, RemoteOptions, RemoteProcess,
    RemoteStream, StartedRemote, connect_by_tcp,
};

impl Profile {
    /// Returns the program as it stands in the place of the project's broker or client, for one run: with an empty
    /// folder for each node, which goes with it.
    ///
    /// # Errors
    /// If there is no room for folders.
    pub fn program_under_test(&self) -> io::Result<ForeignProgram> {
        let folder = tempfile::Builder::new().prefix("halfopen-").tempdir()?;
        let (profile, closes) = (self.clone(), self.closes.clone());
        let role = match self.role {
            Role::Client => ForeignRole::Client,
            Role::Broker => ForeignRole::Broker {
                port: self.port,
                read_log: Box::new(move |line| -> Option<(String, Because)> {
                    closes.iter().find_map(|close| Some((close.prints.client(line)?.to_owned(), close.because)))
                }),
            },
        };
        let options = ForeignOptions {
            launch: Box::new(move |node, program, starts| profile.launch(&folder, node, program, starts, profile.port)),
            role,
            ready_within: self.ready_within,
        };
        Ok(ForeignProgram::new(options))
    }

    /// Returns the program as a broker in real time, for one run: on a port of its own, with an empty folder for each
    /// node, which goes with it.
    ///
    /// # Errors
    /// If there is no room for folders.
    pub fn live_guest(&self) -> io::Result<ProgramUnderTest> {
        let folder = tempfile::Builder::new().prefix("halfopen-").tempdir()?;
        let (profile, closes) = (self.clone(), self.closes.clone());
        let options = RemoteOptions {
            start: Box::new(move |node, program, starts| {
                let port = free_port()?;
                let launch =
                    profile.launch(&folder, node, &Program::Broker(Box::new(program.clone())), starts, port)?;
                let mut process = NativeProcess::start(&launch).map_err(io::Error::other)?;
                let output = process.take_output().map(pipe::Receiver::from_owned_fd).transpose()?;
                let process = Box::new(LiveProcess { process, output });
                Ok(StartedRemote { address: (Ipv4Addr::LOCALHOST, port).into(), process: Some(process) })
            }),
            connect: Box::new(|address| {
                Box::pin(async move { Ok(Box::new(connect_by_tcp(address).await?) as Box<dyn RemoteStream>) })
            }),
            ready_within: self.ready_within,
            read_log: Box::new(move |line| -> Option<(String, Because)> {
                closes.iter().find_map(|close| Some((close.prints.client(line)?.to_owned(), close.because)))
            }),
        };
        Ok(ProgramUnderTest::remote(RemoteBroker::new(options)))
    }

    fn launch(&self, root: &TempDir, node: &str, program: &Program, starts: u64, port: u16) -> io::Result<Launch> {
        let folder = root.path().join(node);
        let broker = if let Program::Broker(broker) = program { Some(&**broker) } else { None };
        // What is not durable is gone with the process.
        if starts > 0 && !broker.is_some_and(|broker| broker.durable) {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let in_folder = |name: Option<&String>| name.map(|name| folder.join(name)).unwrap_or_default();
        let config_path = in_folder(self.config.as_ref().map(|config| &config.file));
        let adapter_path = in_folder(self.adapter.as_ref().map(|adapter| &adapter.name));
        let fill = |text: &str, value: &str| {
            text.replace("{port}", &port.to_string())
                .replace("{dir}", &folder.to_string_lossy())
                .replace("{config}", &config_path.to_string_lossy())
                .replace("{adapter}", &adapter_path.to_string_lossy())
                .replace("{value}", value)
        };
        if let Some(ConfigFile { text, .. }) = &self.config {
            let mut text = fill(text, "");
            for (name, value) in broker.map(settings).unwrap_or_default() {
                if let Some(line) = self.settings.get(name) {
                    text.push_str(&fill(line.trim(), &value));
                    text.push('\n');
                }
            }
            fs::write(&config_path, text)?;
        }
        if let Some(adapter) = &self.adapter {
            fs::write(&adapter_path, &adapter.text)?;
        }
        let mut launch = self.bare_launch(&folder);
        launch.args = self.args.iter().map(|arg| fill(arg, "")).collect();
        launch.env.extend(self.environment.iter().map(|(name, value)| (name.clone(), fill(value, ""))));
        Ok(launch)
    }

    /// Returns the launch of the command with what it inherits, and nothing more.
    fn bare_launch(&self, folder: &Path) -> Launch {
        let mut launch = Launch::new(&self.command, folder);
        launch.env.extend(self.inherited());
        launch.env.extend(self.environment.clone());
        launch
    }

    /// Returns the variables that the program has from this process.
    #[expect(
        clippy::disallowed_methods,
        reason = "a profile names what its program inherits, such as where libraries are"
    )]
    pub fn inherited(&self) -> Vec<(String, String)> {
        self.inherits.iter().filter_map(|name| Some((name.clone(), std::env::var(name).ok()?))).collect()
    }

    /// Returns whether the command is there to be started.
    ///
    /// # Errors
    /// If it is not, with what is to be done.
    pub fn check_command(&self) -> Result<(), String> {
        let launch = self.bare_launch(Path::new("/"));
        launch.find().map(drop).map_err(|error| format!("profile {}: {error}; install it, or name its path", self.name))
    }
}

/// A program in real time, with what it prints.
struct LiveProcess {
    process: NativeProcess,
    output: Option<pipe::Receiver>,
}

impl RemoteProcess for LiveProcess {
    fn pause(&mut self) {
        self.process.pause();
    }

    fn resume(&mut self) {
        self.process.resume();
    }

    fn ended(&mut self) -> Option<String> {
        self.process.ended().map(|status| status.to_string())
    }

    fn poll_output(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<usize> {
        let Some(output) = &mut self.output else { return Poll::Ready(0) };
        let mut buffer = ReadBuf::new(buffer);
        Pin::new(output).poll_read(cx, &mut buffer).map(|result| result.map_or(0, |()| buffer.filled().len()))
    }
}

/// Ports for programs: below those that systems choose for port 0.
const PORTS: u16 = 20_000;
/// Number of these ports.
const PORT_COUNT: u16 = 10_000;

/// Returns a port that nobody listens at, another one each time.
#[expect(clippy::disallowed_methods, reason = "several processes at the same time must not begin with the same port")]
fn free_port() -> io::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = std::process::id().wrapping_mul(97) as u16 % PORT_COUNT;
    let port = || PORTS + (first + NEXT.fetch_add(1, Ordering::Relaxed) % PORT_COUNT) % PORT_COUNT;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    let found = std::iter::repeat_with(port).take(PORT_COUNT.into()).find(is_free);
    found.ok_or_else(|| io::Error::new(io::ErrorKind::AddrInUse, "no port is free"))
}
