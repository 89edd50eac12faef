use std::num::NonZero;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::args::{EXIT_CODES, RunArgs};
use super::forms::Forms;
use super::live::Live;
use crate::programs::VirtualLimit;

/// What `halfopen run` can be told.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct RunCommand {
    #[command(flatten)]
    pub(super) run: RunArgs,
    #[command(flatten)]
    pub(super) select: Selection,
    #[command(flatten)]
    pub(super) output: Outputs,
    /// Number of runs at the same time [default: the number of cores]. The output does not depend on it.
    #[arg(short, long, value_parser = clap::value_parser!(u16).range(1..=256), value_name = "N")]
    jobs: Option<u16>,
    #[command(flatten)]
    pub(super) live: LiveArgs,
    /// Stop at the first run that does not pass.
    #[arg(long)]
    pub(super) fail_fast: bool,
}

/// Runs in real time.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Real time")]
pub(super) struct LiveArgs {
    /// Run in real time, over real TCP, against a broker that runs already: `tcp://HOST:PORT`, or `mqtts://HOST:PORT` with TLS; or
    /// one that is started for each run: the name or the path of a profile. With an address, `--broker PROFILE` says which versions
    /// the broker there speaks, and what it lacks.
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["client", "engine", "defect"])]
    pub(super) live: Option<String>,
    /// With `--live`: skip runs that take longer, `90s`, `30m` or `1h`; `none` is no limit.
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "live")]
    pub(super) time_limit: VirtualLimit,
    /// Gives all clients this user name, with `--live`; runs in which one has another are skipped.
    #[arg(long, value_name = "NAME", requires = "live")]
    pub(super) user: Option<String>,
    /// Log in with this password. It stands in the list of processes, where `--password-file` and the environment variable
    /// HALFOPEN_PASSWORD do not.
    #[arg(long, value_name = "PASSWORD", requires = "user", conflicts_with = "password_file")]
    pub(super) password: Option<String>,
    /// Log in with the password in this file.
    #[arg(long, value_name = "FILE", requires = "user")]
    pub(super) password_file: Option<PathBuf>,
    /// Speak TLS with the broker at `--live tcp://HOST:PORT`.
    #[arg(long, requires = "live")]
    pub(super) tls: bool,
    /// Trust the certificates in this file, in PEM, and no others, for TLS [default: those that this machine trusts].
    #[arg(long, value_name = "FILE", requires = "live")]
    pub(super) ca: Option<PathBuf>,
}

impl LiveArgs {
    /// Returns the arguments that run the same again, but for a password, and the limit of time.
    pub(super) fn again(&self) -> String {
        let Some(live) = &self.live else { return String::new() };
        let tls = if self.tls { " --tls" } else { "" };
        let ca = self.ca.as_ref().map(|ca| format!(" --ca {}", ca.display())).unwrap_or_default();
        let user = self.user.as_ref().map(|user| format!(" --user {user}")).unwrap_or_default();
        let file = self.password_file.as_ref().map(|file| format!(" --password-file {}", file.display()));
        format!(" --live {live}{tls}{ca}{user}{}", file.unwrap_or_default())
    }
}

/// Which runs.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct Selection {
    /// Select the scenarios of this area, which is their folder; may be repeated.
    #[arg(long, value_name = "NAME")]
    pub(super) area: Vec<String>,
    /// Select the scenarios with this tag; may be repeated.
    #[arg(long, value_name = "TAG")]
    pub(super) tag: Vec<String>,
    /// Select the runs that check this statement of the standard, such as `MQTT-3.1.2-22`; may be repeated.
    #[arg(long, value_name = "ID")]
    pub(super) clause: Vec<String>,
    /// Select the runs of this version of MQTT.
    #[arg(long, value_name = "VERSION", value_parser = ["3.1.1", "5.0"])]
    pub(super) mqtt: Option<String>,
    /// Select the runs that did not pass the last time.
    #[arg(long)]
    pub(super) failed_last: bool,
    /// Select one part of the runs, such as `3/16`. A run is always in the same part, whatever other runs there are.
    #[arg(long, value_name = "K/N")]
    pub(super) shard: Option<Shard>,
    /// Run each with the seeds 1 to N, instead of the seeds in the files.
    #[arg(long, value_name = "N", conflicts_with = "seed", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub(super) seeds: Option<u64>,
}

/// What is written.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Outputs {
    #[command(flatten)]
    pub(super) forms: Forms,
    /// Write a capture of each run into this folder, as pcapng with virtual time.
    #[arg(long, value_name = "DIR")]
    pub(super) pcap: Option<PathBuf>,
    /// The folder in which each run that does not pass leaves a folder for `halfopen replay`.
    #[arg(long, value_name = "DIR", default_value = "target/halfopen")]
    pub(super) artifacts: PathBuf,
    /// Write no such folders.
    #[arg(long)]
    pub(super) no_artifacts: bool,
    /// Print only the runs that do not pass, and the summary.
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Also print the traces of runs that pass.
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Whether to print in colour; `auto`: on a terminal, unless `NO_COLOR` is set.
    #[arg(long, value_enum, default_value_t = Colour::Auto, value_name = "WHEN")]
    pub(super) color: Colour,
}

/// When to print in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    /// On a terminal that wants it.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// One of several parts of all runs, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    pub(super) number: u64,
    pub(super) of: u64,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Self { number, of }),
            _ => Err("a part is written `3/16`: the third of sixteen, counted from 1".to_owned()),
        }
    }
}

impl RunCommand {
    /// Returns how many runs go on at the same time.
    pub(super) fn jobs(&self) -> usize {
        match self.jobs {
            Some(jobs) => jobs.into(),
            // The lines of the programs' logs do not say which run they are from.
            None if self.run.log => 1,
            None if self.live.live.is_some() => Live::JOBS,
            None => std::thread::available_parallelism().map_or(1, NonZero::get),
        }
    }
}

impl Outputs {
    /// Sets for the whole process when to print in colour.
    pub(super) fn set_colour(&self) {
        match self.color {
            Colour::Auto => {}
            Colour::Always => anstream::ColorChoice::Always.write_global(),
            Colour::Never => anstream::ColorChoice::Never.write_global(),
        }
    }
}
