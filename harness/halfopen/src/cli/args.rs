use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};

use super::compare::{DiffArgs, MetaArgs, ReplayArgs};
use super::explore::ExploreCommand;
use super::merge::ReportCommand;
use super::options::RunCommand;
use super::side_by_side::CompareArgs;
use super::why::WhyCommand;
use crate::defects::Defect;
use crate::programs::VirtualLimit;
use crate::run::Runner;
use crate::scenario::Scenario;
use crate::world::Engine;
use halfopen_protocol::Version;

/// The exit codes, for `--help`.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
    0  all runs pass
    1  at least one run failed
    2  bad input: a scenario or an argument is wrong
    3  no failures, but at least one run was vacuous (nothing was tested)
    4  the engine failed, or a file could not be written
  130  interrupted";

/// Runs MQTT scenarios in a simulated network and clock, and checks who noticed what and when.
#[derive(Debug, Parser)]
#[command(
    name = "halfopen",
    version,
    after_help = EXIT_CODES
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
    Trace(TraceArgs),
    /// Read scenarios and report what is wrong with them, without running them.
    Check(CheckArgs),
    /// Show which scenarios catch which defects of the broker and the client.
    Defects(DefectsArgs),
    /// Show which statements of the standards scenarios show, and which are proven by a defect.
    Coverage(CoverageArgs),
    /// Write a scenario to begin with, full of comments.
    New(NewArgs),
    /// List scenarios by area, with their runs, tags and clauses.
    List(ListArgs),
    /// Tell a scenario in plain words, with the times of a run.
    Explain(ExplainArgs),
    /// Draw stories with faults that nobody has written, run them, and file each kind of finding as a scenario.
    Explore(ExploreCommand),
    /// Print the JSON Schema by which editors complete and check scenarios.
    Schema,
    /// Run one scenario and draw what happens as an SVG picture.
    Draw(DrawArgs),
    /// Compare two traces: name the first event that differs, why, and what kind of change it is.
    Diff(DiffArgs),
    /// Repeat a failed run from the folder that it left, and say whether the trace is the same.
    Replay(ReplayArgs),
    /// Run scenarios twice in separate processes and name the first event that differs.
    Meta(MetaArgs),
    /// Run the same scenarios with several brokers, and show where their verdicts differ.
    Compare(CompareArgs),
    /// Say at which event of a failing run the failure became likely, and when certain.
    Why(WhyCommand),
    /// Merge reports.
    #[command(subcommand)]
    Report(ReportCommand),
}

#[derive(Debug, ClapArgs)]
pub(super) struct TraceArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Print one JSON object per event instead of text, for programs and for `halfopen diff`; `docs/report-format.md`
    /// describes it.
    #[arg(long)]
    pub(super) json: bool,
    /// Print one line per run instead: the SHA-256 of its trace, the number of its events, and its name. Two runs with
    /// one hash have the same trace.
    #[arg(long, conflicts_with = "json")]
    pub(super) hash: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// The engine that runs the scenarios.
    #[arg(long, value_enum, default_value_t = EngineName::Sim)]
    pub(super) engine: EngineName,
    /// The seed of everything random, instead of the seeds in the files.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) set: SetArgs,
    /// Select the runs whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// Switch on a defect in the project's brokers or clients, such as `broker:will_lost`, to see whether a scenario
    /// catches it.
    #[arg(long, value_name = "SIDE:NAME")]
    pub(super) defect: Option<Defect>,
    /// Treat a `should` that is not met as a failure instead of a warning.
    #[arg(long)]
    pub(super) strict: bool,
    /// Also print the logs of the programs to standard error, with virtual time. The broker's log has the words of
    /// `mosquitto -v`.
    #[arg(long, visible_alias = "no-capture")]
    pub(super) log: bool,
    #[command(flatten)]
    pub(super) program: ProgramArgs,
}

/// The other program that takes part.
#[derive(Clone, Debug, Default, ClapArgs)]
#[command(next_help_heading = "Programs of others")]
pub(super) struct ProgramArgs {
    /// Put this program in the place of the project's broker: the name of a profile, such as `mosquitto`, or the path
    /// of one. Linux only.
    #[arg(long, value_name = "PROFILE")]
    pub(super) broker: Option<String>,
    /// Put this program in the place of the project's client: the name of a profile, such as `paho` or `mqttjs`, or the path of
    /// one. Linux only.
    #[arg(long, value_name = "PROFILE")]
    pub(super) client: Option<String>,
    /// With `--broker` and `--client`: skip runs that take more virtual time, `90s`, `30m`, `1h` or `2d`; `none` is no limit.
    #[arg(long, value_name = "TIME", default_value_t)]
    pub(super) virtual_limit: VirtualLimit,
    /// With `--broker` and `--client`: by how much the programs may be earlier or later than a scenario says, as `10ms` or `1s`.
    #[arg(long, value_name = "TIME", default_value = TOLERANCE, value_parser = tolerance)]
    pub(super) tolerance: Duration,
}

/// The tolerance where none is given. Programs of others count milliseconds from one that has begun, so that an exact one may be
/// one off.
pub(super) const TOLERANCE: &str = "1ms";

/// Reads by how much programs of others may be earlier or later.
pub(super) fn tolerance(text: &str) -> Result<Duration, String> {
    let parse = |suffix: &str| -> Option<u64> { text.strip_suffix(suffix)?.parse().ok() };
    let millis = parse("ms").or_else(|| parse("s")?.checked_mul(1000)).map(Duration::from_millis);
    millis.ok_or_else(|| "a time is written `10ms` or `1s`".to_owned())
}

impl ProgramArgs {
    /// Returns the arguments that give these again.
    pub(super) fn again(&self) -> Vec<String> {
        let mut again = Vec::new();
        for (option, name) in [("--broker", &self.broker), ("--client", &self.client)] {
            again.extend(name.iter().flat_map(|name| [option.to_owned(), name.clone()]));
        }
        if !again.is_empty() {
            again.extend(["--virtual-limit".to_owned(), self.virtual_limit.to_string()]);
            again.extend(["--tolerance".to_owned(), self.tolerance_text()]);
        }
        again
    }

    /// Returns the tolerance as the option has it.
    fn tolerance_text(&self) -> String {
        format!("{}ms", self.tolerance.as_millis())
    }

    /// Returns the tolerance as the option has it, if it is not the one that is used where none is given.
    pub(super) fn chosen_tolerance(&self) -> Option<String> {
        Some(self.tolerance_text()).filter(|text| text != TOLERANCE)
    }

    /// Prints the tolerance by which programs of others are judged, if there is one.
    pub(super) fn print_tolerance(&self) -> io::Result<()> {
        if self.tolerance.is_zero() {
            return Ok(());
        }
        writeln!(anstream::stderr(), "programs of others: tolerance +-{} ms (--tolerance)", self.tolerance.as_millis())
    }
}

impl RunArgs {
    /// Returns what runs the plans.
    pub(super) fn runner(&self) -> Runner {
        Runner { defect: self.defect, ..Runner::new(self.engine.into()) }
    }
}

/// Which of the scenarios.
#[derive(Debug, Default, ClapArgs)]
pub(super) struct Select {
    /// Select the scenarios with this tag; may be repeated.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Select the scenarios that name this clause: `MQTT-3.1.2-24`, or `3.1.1:MQTT-3.1.2-24` for one version; may be
    /// repeated.
    #[arg(long, value_name = "CLAUSE")]
    pub(super) clause: Vec<String>,
}

impl Select {
    /// Whether a scenario is one of those.
    pub(super) fn has(&self, scenario: &Scenario) -> bool {
        let about = &scenario.about;
        let names_clause = |wanted: &String| {
            let (version, id) =
                wanted.split_once(':').map_or((None, wanted.as_str()), |(version, id)| (Some(version), id));
            let of_version =
                |(known, _): &(&Version, &Vec<String>)| version.is_none_or(|wanted| known.to_string() == wanted);
            about.clauses.iter().filter(of_version).any(|(_, ids)| ids.iter().any(|known| known == id))
        };
        let is_any = |wanted: &[String], is: &dyn Fn(&String) -> bool| wanted.is_empty() || wanted.iter().any(is);
        is_any(&self.tag, &|tag| about.tags.contains(tag)) && is_any(&self.clause, &names_clause)
    }
}

#[derive(Debug, ClapArgs)]
pub(super) struct NewArgs {
    /// The file to write; `.yaml` is added if it is missing.
    pub(super) name: PathBuf,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(value_name = "PATH", default_value = "scenarios")]
    pub(super) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) select: Select,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ExplainArgs {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    pub(super) path: PathBuf,
    /// Use the first run whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) only: String,
}

#[derive(Debug, ClapArgs)]
pub(super) struct DefectsArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Select the defects whose name contains this text, such as `broker: will`.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// Name only the first scenario that catches a defect for the right reason, instead of all.
    #[arg(long)]
    pub(super) first: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CoverageArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
    /// Print only what is less than in this page, which the command has printed before; then the exit code is 1.
    #[arg(long, value_name = "FILE")]
    pub(super) at_least: Option<PathBuf>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    pub(super) paths: Vec<PathBuf>,
}

/// Values from outside.
#[derive(Clone, Debug, Default, ClapArgs)]
pub(super) struct SetArgs {
    /// Give a name of the scenarios' `let` another value, as in `devices=50000`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    values: Vec<(String, String)>,
}

impl SetArgs {
    /// Returns the values by their names; the last of those that have one name.
    pub(super) fn values(&self) -> BTreeMap<String, String> {
        self.values.iter().cloned().collect()
    }
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write a name of `let`, `=` and a value, as in `devices=50000`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

#[derive(Debug, ClapArgs)]
pub(super) struct DrawArgs {
    /// The scenario file.
    #[arg(value_name = "FILE")]
    pub(super) path: PathBuf,
    /// Where to write the picture; standard output if it is left out.
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Use the first run whose name contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(super) only: Option<String>,
    /// The seed of everything random, instead of the seeds in the file.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    #[command(flatten)]
    pub(super) set: SetArgs,
    /// Switch on a defect, to see what it does.
    #[arg(long, value_name = "SIDE:NAME")]
    pub(super) defect: Option<Defect>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum EngineName {
    /// Event-driven: time jumps to the next event.
    Sim,
    /// turmoil: time advances in ticks of 1 ms. It is slow, and checks the other engine.
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
