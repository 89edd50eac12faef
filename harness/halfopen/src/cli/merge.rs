//! `halfopen report merge`: parts of a run as one.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::campaigns::CampaignsArgs;
use super::forms::Forms;
use super::output::{ENGINE_TROUBLE, FAILURE, Failure, SUCCESS, VACUOUS};
use crate::check::Verdict;
use crate::report::Terminal;
use crate::report::model::Report;

/// The commands for reports.
#[derive(Debug, Subcommand)]
pub(super) enum ReportCommand {
    /// Make one report of those that parts of the runs (`--shard`) wrote with `--json`.
    Merge(MergeArgs),
    /// Make one result of those that parts of a campaign (`explore --shard`) wrote with `--json`.
    Campaigns(CampaignsArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Exit codes: those of `halfopen run`, for all runs together.")]
pub(super) struct MergeArgs {
    /// Reports as JSON.
    #[arg(required = true, value_name = "FILE")]
    reports: Vec<PathBuf>,
    #[command(flatten)]
    forms: Forms,
}

/// Merges.
pub(super) fn merge(args: &MergeArgs) -> Result<u8, Failure> {
    let mut parts = Vec::new();
    for path in &args.reports {
        let text = fs::read_to_string(path).map_err(|error| Failure::File { path: path.clone(), error })?;
        let wrong = |error| Failure::Input(format!("{}: {error}", path.display()));
        parts.push(Report::read(&text).map_err(wrong)?);
    }
    let report = Report::merge(parts).map_err(|error| Failure::Input(error.to_string()))?;
    args.forms.write(&report)?;
    let mut terminal = Terminal::new(anstream::stdout().lock());
    let has = |word: Verdict| report.runs.iter().any(|run| run.verdict == word);
    let code = match () {
        () if has(Verdict::Broken) => ENGINE_TROUBLE,
        () if has(Verdict::Fail) => FAILURE,
        () if has(Verdict::Vacuous) || !has(Verdict::Pass) => VACUOUS,
        () => SUCCESS,
    };
    for run in report.runs {
        terminal.record(run)?;
    }
    terminal.finish()?;
    Ok(code)
}
