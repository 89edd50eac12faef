use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::compare::{DiffArgs, MetaArgs, ReplayArgs};
use super::merge::ReportCommand;
use super::options::RunCommand;
use crate::world::Engine;

/// Runs MQTT scenarios in a simulated network and clock, and checks who noticed what and when.
#[derive(Debug, Parser)]
#[command(
    name = "halfopen",
    version,
    after_help = "Exit codes: 0 all pass, 1 some fail, 2 bad input, 3 nothing is worse than vacuous, \
                           4 trouble of the engine itself."
)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run scenarios and check what they expect.
    Run(Box<RunCommand>),
    /// Run scenarios and print what happens, without a verdict.
    Trace(RunArgs),
    /// Read scenarios and report what is wrong with them, without running them.
    Check(CheckArgs),
    /// Show which scenarios catch which defects of the broker and the client.
    Defects(DefectsArgs),
    /// Run one scenario and draw what happens as an SVG picture.
    Draw(DrawArgs),
    /// Name the first event that differs between two traces, why, and what kind of change it is.
    Diff(DiffArgs),
    /// Run again what a failing run left in a folder, and say whether the trace is the same.
    Replay(ReplayArgs),
    /// Run scenarios twice in separate processes and name the first event that differs.
    Meta(MetaArgs),
    /// Work on reports.
    #[command(subcommand)]
    Report(ReportCommand),
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// What makes time pass and packets travel.
    #[arg(long, value_enum, default_value_t = EngineName::Sim)]
    pub(super) engine: EngineName,
    /// Take this seed for all that is random, instead of those that the files name.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Only runs whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// A run in which something is not as it `should` be fails; otherwise that is a warning.
    #[arg(long)]
    pub(super) strict: bool,
    /// Also print the programs' own logs (`tracing`) to standard error, with virtual time: the broker's is what `mosquitto -v` writes.
    #[arg(long, visible_alias = "no-capture")]
    pub(super) log: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DefectsArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Only defects whose name contains this text, as `broker: will`.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// Stop at the first scenario that catches a defect, instead of naming all.
    #[arg(long)]
    pub(super) first: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DrawArgs {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    pub(super) path: PathBuf,
    /// Where to write the picture; standard output if it is left out.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// The first run whose name contains this text, instead of the first.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// Take this seed for all that is random, instead of those that the file names.
    #[arg(long)]
    pub(super) seed: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum EngineName {
    /// Event-driven: time jumps to the next thing that happens.
    Sim,
    /// turmoil: time advances by ticks of 1 ms. Slow, to check the other engine against.
    Turmoil,
}

impl From<EngineName> for Engine {
    fn from(name: EngineName) -> Self {
        match name {
            EngineName::Sim => Self::Sim,
            EngineName::Turmoil => Self::Turmoil,
        }
    }
}
