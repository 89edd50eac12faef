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
use super::{ConfigFile, Profile};
use crate::plan::{Because, BrokerProgram};
use crate::world::{
    ForeignOptions, ForeignProgram, ProgramUnderTest, RemoteBroker, RemoteOptions, RemoteProcess, StartedRemote,
};

impl Profile {
    /// Returns the program as it stands in the place of the project's broker, for one run: with an empty folder for each
    /// node, which goes with it.
    ///
    /// # Errors
    /// If there is no room for folders.
    pub fn program_under_test(&self) -> io::Result<ProgramUnderTest> {
        let folder = tempfile::Builder::new().prefix("halfopen-").tempdir()?;
        let (profile, closes) = (self.clone(), self.closes.clone());
        let options = ForeignOptions {
            launch: Box::new(move |node, program, starts| profile.launch(&folder, node, program, starts, profile.port)),
            port: self.port,
            ready_within: self.ready_within,
            read_log: Box::new(move |line| -> Option<(String, Because)> {
                closes.iter().find_map(|close| Some((close.prints.client(line)?.to_owned(), close.because)))
            }),
        };
        Ok(ProgramUnderTest::foreign(ForeignProgram::new(options)))
    }

    /// Returns the program as a broker in real time, for one run: on a port of its own, with an empty folder for each node,
    /// which goes with it.
    ///
    /// # Errors
    /// If there is no room for folders.
    pub fn live_guest(&self) -> io::Result<ProgramUnderTest> {
        let folder = tempfile::Builder::new().prefix("halfopen-").tempdir()?;
        let (profile, closes) = (self.clone(), self.closes.clone());
        let options = RemoteOptions {
            start: Box::new(move |node, program, starts| {
                let port = free_port()?;
                let launch = profile.launch(&folder, node, program, starts, port)?;
                let mut process = NativeProcess::start(&launch).map_err(io::Error::other)?;
                let output = process.take_output().map(pipe::Receiver::from_owned_fd).transpose()?;
                let process = Box::new(LiveProcess { process, output });
                Ok(StartedRemote { address: (Ipv4Addr::LOCALHOST, port).into(), process: Some(process) })
            }),
            ready_within: self.ready_within,
            read_log: Box::new(move |line| -> Option<(String, Because)> {
                closes.iter().find_map(|close| Some((close.prints.client(line)?.to_owned(), close.because)))
            }),
        };
        Ok(ProgramUnderTest::remote(RemoteBroker::new(options)))
    }

    fn launch(
        &self,
        root: &TempDir,
        node: &str,
        program: &BrokerProgram,
        starts: u64,
        port: u16,
    ) -> io::Result<Launch> {
        let folder = root.path().join(node);
        // What is not durable is gone with the process.
        if starts > 0 && !program.durable {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let config_path = self.config.as_ref().map(|config| folder.join(&config.file));
        let fill = |text: &str, value: &str| {
            let config = config_path.as_deref().unwrap_or(Path::new("")).to_string_lossy();
            text.replace("{port}", &port.to_string())
                .replace("{dir}", &folder.to_string_lossy())
                .replace("{config}", &config)
                .replace("{value}", value)
        };
        if let (Some(ConfigFile { text, .. }), Some(path)) = (&self.config, &config_path) {
            let mut text = fill(text, "");
            for (name, value) in settings(program) {
                if let Some(line) = self.settings.get(name) {
                    text.push_str(&fill(line.trim(), &value));
                    text.push('\n');
                }
            }
            fs::write(path, text)?;
        }
        let mut launch = Launch::new(&self.command, &folder);
        launch.args = self.args.iter().map(|arg| fill(arg, "")).collect();
        launch.env.extend(self.environment.iter().map(|(name, value)| (name.clone(), fill(value, ""))));
        Ok(launch)
    }

    /// Returns whether the command is there to be started.
    ///
    /// # Errors
    /// If it is not, with what is to be done.
    pub fn check_command(&self) -> Result<(), String> {
        let mut launch = Launch::new(&self.command, "/");
        launch.env.extend(self.environment.clone());
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

/// Ports for programs: below those that systems give to whoever asks for any.
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
