//! The command line.

mod args;
mod format;
mod log;
mod property;
mod publish;
mod signal;
mod subscribe;
mod text;
mod trouble;
mod values;

use std::io;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use halfopen_client::core::{Client, Options};
use halfopen_client::driver::{Command, Tcp};
use tokio::sync::mpsc;

use self::args::{Args, ProgramCommand};
use self::log::Log;

/// Parses the arguments and does what they say.
pub(crate) fn main() -> ExitCode {
    let args = match Args::try_parse_from(property::join(std::env::args())) {
        Ok(args) => args,
        Err(error) => return wrong_usage(&error),
    };
    let is_quiet = match &args.what {
        ProgramCommand::Pub(args) => args.connection.quiet,
        ProgramCommand::Sub(args) => args.connection.quiet,
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            if !is_quiet {
                eprintln!("Error: {what}");
            }
            // As mosquitto_sub says it.
            if what == subscribe::TIMED_OUT { ExitCode::from(27) } else { ExitCode::FAILURE }
        }
    }
}

fn run(args: Args) -> Result<(), String> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let result = runtime.block_on(async {
        match args.what {
            ProgramCommand::Pub(args) => publish::run(args).await,
            ProgramCommand::Sub(args) => subscribe::run(args).await,
        }
    });
    // Reading stdin blocks a thread that nothing can wake; it must not keep the process alive.
    runtime.shutdown_background();
    result
}

/// Prints one line, unless help was asked for.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told that this could not be written.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        eprintln!("Error: expected pub or sub (--help shows what there is)");
        return ExitCode::from(2);
    }
    let text = error.to_string();
    // What is missing stands in the lines below the first.
    let lines = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    let line = lines.collect::<Vec<_>>().join(" ");
    eprintln!("Error: {} (--help shows what there is)", line.trim_start_matches("error: "));
    ExitCode::from(2)
}

/// The handle by which both programs give commands to the client, until they have told it to stop.
struct Remote {
    commands: Option<mpsc::UnboundedSender<Command>>,
}

impl Remote {
    fn new() -> (Self, mpsc::UnboundedReceiver<Command>) {
        let (commands, receiver) = mpsc::unbounded_channel();
        (Self { commands: Some(commands) }, receiver)
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // Without a receiver the client has already ended.
            let _ = commands.send(command);
        }
    }

    /// The last command: with the channel closed, the driver ends once the client is disconnected.
    fn finish(&mut self, command: Command) {
        self.send(command);
        self.commands = None;
    }

    fn is_finished(&self) -> bool {
        self.commands.is_none()
    }
}

/// A client, its log and its way to the broker.
fn client(connection: &args::Connection, options: Options, seed: u64) -> Result<(Client, Log, Tcp), String> {
    let log = Log::new(connection.debug, &options);
    let tcp = Tcp::new(connection.host().to_owned(), connection.port()).from_address(connection.bind_address);
    let tcp = match connection.ws {
        // Masks must not be foreseeable (RFC 6455 §10.3).
        true => tcp
            .over_websocket(halfopen_websocket::PATH.to_owned(), getrandom::u64().map_err(|error| error.to_string())?),
        false => tcp,
    };
    let client = Client::new(options, seed);
    Ok(match connection.mechanism()? {
        Some(mechanism) => (client.with_mechanism(Box::new(mechanism)), log, tcp),
        None => (client, log, tcp),
    })
}

/// A number that differs from process to process: for the default client id and for the pauses between attempts, so
/// that many clients do not come back at one moment.
#[expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a program for people, not part of a world")]
fn seed() -> u64 {
    use std::time::{SystemTime, UNIX_EPOCH};
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now.as_nanos() as u64) ^ (u64::from(std::process::id()) << 40)
}

/// Writes a warning to stderr, unless none are wanted.
fn warn(connection: &args::Connection, warning: &str) {
    if !connection.quiet {
        eprintln!("{warning}");
    }
}

/// An error of the standard library without the number that it ends with.
fn words(error: &str) -> &str {
    error.split(" (os error").next().unwrap_or(error)
}

/// Flushes what was printed.
fn flush(out: &mut impl io::Write) -> Result<(), String> {
    out.flush().map_err(|error| words(&error.to_string()).to_owned())
}
