//! `halfopen-broker`: the broker on a real port.

mod access;
mod args;
mod passwd;
mod reactor;
mod reload;
mod settings;
mod tcp;
mod terminal;

use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::rc::Rc;

use clap::Parser;
use clap::error::ErrorKind;
use halfopen_broker::log::Log;
use halfopen_broker::{Broker, TokioClock, serve_verifying};
use tokio::sync::mpsc;

use self::access::{Gate, judge_by};
use self::args::{Args, Command};
use self::reactor::Reactor;
use self::tcp::{Tcp, Transport};
use self::terminal::Terminal;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return wrong_usage(&error),
    };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Input(mistakes)) => {
            mistakes.iter().for_each(|mistake| eprintln!("halfopen-broker: {mistake}"));
            ExitCode::from(2)
        }
        Err(Failure::System(error)) => {
            eprintln!("halfopen-broker: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The reason for which the program ends early.
enum Failure {
    /// The user's input is wrong; one line for each mistake.
    Input(Vec<String>),
    /// The system refuses something.
    System(io::Error),
}

impl Failure {
    fn input(mistake: impl Into<String>) -> Self {
        Self::Input(vec![mistake.into()])
    }
}

impl From<Vec<String>> for Failure {
    fn from(mistakes: Vec<String>) -> Self {
        Self::Input(mistakes)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

fn run(mut args: Args) -> Result<(), Failure> {
    match args.command.take() {
        Some(Command::Passwd { file, user, scram, delete }) => passwd::change(&file, &user, scram, delete),
        None => listen(args),
    }
}

fn listen(args: Args) -> Result<(), Failure> {
    let settings = args.clone().settings()?;
    let (access, passwords) = Gate::open(&settings.access)?.split();
    let judge = judge_by(Rc::clone(&passwords));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before the port is open: a process that sees it may already send a signal.
        let stop = stop_signal()?;
        let (sender, changes) = mpsc::channel(1);
        let reload = reload::watch(args, settings.clone(), passwords, sender)?;
        terminal::log(concat!("halfopen-broker ", env!("CARGO_PKG_VERSION"), " starting"));
        terminal::log(
            "Sessions, queued and retained messages are held in memory: they are lost when this process ends.",
        );
        let reactor = Reactor::new()?;
        let listener = Tcp::bind(&reactor, &settings.listen, &settings.websocket).await?;
        for (address, transport) in listener.addresses() {
            let kind = match transport {
                Transport::WebSocket => "websockets",
                Transport::Tcp if address.is_ipv4() => "ipv4",
                Transport::Tcp => "ipv6",
            };
            terminal::log(&format!("Opening {kind} listen socket on port {}.", address.port()));
        }

        let broker = Broker::with_access(settings.config, access, random()?);
        let terminal = Terminal::new(Log::new(settings.detail));
        let served = serve_verifying(broker, listener, TokioClock::new(), terminal, judge, changes, stop);
        tokio::select! {
            biased;
            error = reactor.run() => return Err(error.into()),
            served = served => served?,
            () = async { reload.await; pending().await } => {}
        }
        terminal::log(concat!("halfopen-broker ", env!("CARGO_PKG_VERSION"), " terminating"));
        Ok(())
    })
}

/// Bytes that nobody can foresee.
fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(format!("no randomness: {error}")))?;
    Ok(bytes)
}

/// Prints one line with the nearest known word, unless help was asked for.
fn wrong_usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody is left to be told that this could not be written.
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    let text = error.to_string();
    // What is missing, or the values that there are, stands in the lines below the first.
    let lines = text.lines().take_while(|line| !line.trim().is_empty()).map(str::trim);
    let tip = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).next();
    let line =
        [lines.collect::<Vec<_>>().join(" ")].into_iter().chain(tip.map(str::to_owned)).collect::<Vec<_>>().join("; ");
    eprintln!("halfopen-broker: {} (--help shows what there is)", line.trim_start_matches("error: "));
    ExitCode::from(2)
}

#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(not(unix))]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    Ok(async {
        // Without the signal there is nothing to wait for: the console's close ends the process anyway.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
