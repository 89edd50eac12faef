//! `halfopen compare`: the same runs with several brokers, or several clients, side by side.

mod compared;
mod page;
mod tables;

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use self::compared::Row;
use self::tables::{Form, by_area, by_class, by_statement, differences, written};
use super::args::{ProgramArgs, TOLERANCE, tolerance};
use super::foreign::Foreign;
use super::interrupt;
use super::output::{ENGINE_TROUBLE, FAILURE, Failure, INTERRUPTED, SUCCESS, write_file};
use crate::check::Verdict;
use crate::plan::Plan;
use crate::programs::{Role, VirtualLimit};
use crate::report::model::{Detail, RunRecord};
use crate::run::{Runner, load, on_all_cores};
use crate::scenario::{About, PlanOptions};

/// Run the same scenarios with several brokers, or several clients, and show where their verdicts differ.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all programs have the same verdicts, as far as they could be judged, 1 some differ, 2 bad input, 4 a run broke.")]
pub(super) struct CompareArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The brokers: `builtin`, and names or paths of profiles. The others are compared with the first. `builtin,mosquitto` if neither
    /// brokers nor clients are given.
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',', conflicts_with = "client")]
    broker: Vec<String>,
    /// The clients: `builtin`, and names or paths of profiles. The others are compared with the first.
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',')]
    client: Vec<String>,
    /// Skip runs that take more virtual time, `90s`, `30m`, `1h` or `2d`; `none` is no limit.
    #[arg(long, value_name = "TIME", default_value_t)]
    virtual_limit: VirtualLimit,
    /// The time by which other programs may be earlier or later than a scenario says, as `10ms` or `1s`.
    #[arg(long, value_name = "TIME", default_value = TOLERANCE, value_parser = tolerance)]
    tolerance: Duration,
    /// Select the runs whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Write the tables, and all runs that differ, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables, and the scenarios that differ, as a page.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the tables in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl CompareArgs {
    /// Returns the role of the programs, and their names.
    fn programs(&self) -> (Role, Vec<String>) {
        match (self.broker.as_slice(), self.client.as_slice()) {
            ([], []) => (Role::Broker, vec!["builtin".to_owned(), "mosquitto".to_owned()]),
            (brokers, []) => (Role::Broker, brokers.to_vec()),
            (_, clients) => (Role::Client, clients.to_vec()),
        }
    }

    /// Returns how programs of others are run.
    fn program(&self) -> ProgramArgs {
        ProgramArgs { virtual_limit: self.virtual_limit, tolerance: self.tolerance, ..ProgramArgs::default() }
    }
}

/// Compares.
pub(super) fn compare(args: &CompareArgs) -> Result<u8, Failure> {
    let (role, names) = args.programs();
    let programs: Vec<Option<Foreign>> =
        names.iter().map(|name| Foreign::named(name, role)).collect::<Result<_, _>>()?;
    let runs: Vec<(Arc<About>, Arc<Plan>)> = load(&args.paths, PlanOptions::default())?
        .into_iter()
        .flat_map(|(scenario, plans)| {
            let about = Arc::new(scenario.about);
            plans.into_iter().map(move |plan| (Arc::clone(&about), Arc::new(plan)))
        })
        .filter(|(_, plan)| plan.run.to_string().contains(&args.only))
        .collect();
    if runs.is_empty() {
        return Err(Failure::NothingToRun(args.only.clone()));
    }
    interrupt::watch();
    if programs.iter().any(Option::is_some) {
        args.program().print_tolerance()?;
    }
    let rows: Vec<Row> =
        on_all_cores(&runs, |(about, plan)| row(args, &names, &programs, about, plan)).into_iter().flatten().collect();
    write!(anstream::stdout().lock(), "{}", report(&names, &rows, Form::Text))?;
    if let Some(path) = &args.json {
        write_file(path, as_json(&names, &rows))?;
    }
    if let Some(path) = &args.markdown {
        write_file(path, report(&names, &rows, Form::Markdown))?;
    }
    if let Some(path) = &args.html {
        write_file(path, page::page(&names, &rows))?;
    }
    let is_broken = rows.iter().flat_map(|row| &row.cells).any(|cell| cell.verdict == Verdict::Broken);
    Ok(match () {
        () if rows.len() < runs.len() => {
            writeln!(anstream::stderr(), "interrupted: {} of {} runs were run", rows.len(), runs.len())?;
            INTERRUPTED
        }
        () if is_broken => ENGINE_TROUBLE,
        () if rows.iter().any(Row::differs) => FAILURE,
        () => SUCCESS,
    })
}

/// Returns the tables and the scenarios that differ.
fn report(names: &[String], rows: &[Row], form: Form) -> String {
    let table = |table| written(&table, form);
    let (verdicts, classes) = (table(by_area(names, rows)), table(by_class(names, rows)));
    let statements = table(by_statement(names, rows));
    format!("{verdicts}\n{classes}\n{statements}\n{}", differences(rows, form))
}

/// Returns the tables and the runs that differ as JSON.
fn as_json(names: &[String], rows: &[Row]) -> String {
    let differing: Vec<&Row> = rows.iter().filter(|row| row.differs()).collect();
    let report = json!({
        "format": "halfopen-comparison",
        "version": 1,
        "programs": names,
        "areas": by_area(names, rows),
        "classes": by_class(names, rows),
        "statements": by_statement(names, rows),
        "runs": differing,
    });
    serde_json::to_string_pretty(&report).expect("lists of texts are JSON")
}

/// Runs a plan with each of the programs; nothing after an interrupt.
fn row(
    args: &CompareArgs,
    names: &[String],
    programs: &[Option<Foreign>],
    about: &Arc<About>,
    plan: &Arc<Plan>,
) -> Option<Row> {
    if interrupt::came() {
        return None;
    }
    let records: Vec<RunRecord> = programs
        .iter()
        .map(|program| {
            let runner = Runner::default();
            let finished = match program {
                None => runner.run(plan),
                Some(foreign) => foreign.run(&runner, &args.program(), plan).finished,
            };
            let detail = Detail { events: true, ..Detail::default() };
            RunRecord::new(&finished, about, 0, Duration::ZERO, detail)
        })
        .collect();
    Row::new(names, &records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerance_is_read() {
        assert_eq!(tolerance("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(tolerance("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["", "ms", "10", "-1ms", "1h"] {
            assert!(tolerance(wrong).is_err(), "{wrong}");
        }
    }
}
