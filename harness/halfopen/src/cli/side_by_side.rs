//! `halfopen compare`: the same runs with several brokers, side by side.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::args::{ProgramArgs, tolerance};
use super::commands::counted;
use super::foreign::Foreign;
use super::interrupt;
use super::output::{ENGINE_TROUBLE, FAILURE, Failure, INTERRUPTED, SUCCESS, write_file};
use crate::check::Verdict;
use crate::diff::{ComparedRun, diff};
use crate::plan::Plan;
use crate::programs::{Role, VirtualLimit};
use crate::report::model::{Detail, RunRecord};
use crate::run::{Runner, load, on_all_cores};
use crate::scenario::{About, PlanOptions};

/// Run the same scenarios with several brokers, and show where their verdicts differ.
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 all brokers have the same verdicts, as far as they could be judged, 1 some differ, 2 bad input, 4 a run broke.")]
pub(super) struct CompareArgs {
    /// Scenario files, or folders with scenarios.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// The brokers: `builtin`, and names or paths of profiles. The others are compared with the first.
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',', default_value = "builtin,mosquitto")]
    broker: Vec<String>,
    /// Skip runs that take more virtual time, `90s`, `30m`, `1h` or `2d`; `none` is no limit.
    #[arg(long, value_name = "TIME", default_value_t)]
    virtual_limit: VirtualLimit,
    /// The time by which other programs may be earlier or later than a scenario says, as `10ms` or `1s`.
    #[arg(long, value_name = "TIME", default_value = "0ms", value_parser = tolerance)]
    tolerance: Duration,
    /// Select the runs whose name contains this text.
    #[arg(long, value_name = "TEXT", default_value = "")]
    only: String,
    /// Write all runs that differ as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables in Markdown.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

impl CompareArgs {
    /// Returns how programs of others are run.
    fn program(&self) -> ProgramArgs {
        ProgramArgs { virtual_limit: self.virtual_limit, tolerance: self.tolerance, ..ProgramArgs::default() }
    }
}

/// The results of several brokers in one run.
#[derive(Clone, Debug, Serialize)]
struct Row {
    run: String,
    scenario: String,
    area: String,
    cells: Vec<Cell>,
}

/// The result of one broker in one run.
#[derive(Clone, Debug, Serialize)]
struct Cell {
    broker: String,
    verdict: Verdict,
    /// The first thing that is wrong, or why it was not judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// The first event that is not as with the first broker, where the verdict is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_difference: Option<String>,
}

/// Compares.
pub(super) fn compare(args: &CompareArgs) -> Result<u8, Failure> {
    let brokers: Vec<Option<Foreign>> =
        args.broker.iter().map(|name| Foreign::named(name, Role::Broker)).collect::<Result<_, _>>()?;
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
    let rows: Vec<Row> =
        on_all_cores(&runs, |(about, plan)| row(args, &brokers, about, plan)).into_iter().flatten().collect();
    let mut out = anstream::stdout().lock();
    write!(out, "{}", table(&args.broker, &rows, Form::Text))?;
    write!(out, "\n{}", differences(&rows, Form::Text))?;
    if let Some(path) = &args.json {
        let differing: Vec<&Row> = rows.iter().filter(|row| row.differs()).collect();
        let text = serde_json::to_string_pretty(&differing).expect("a list of texts is JSON");
        write_file(path, text)?;
    }
    if let Some(path) = &args.markdown {
        let text = format!("{}\n{}", table(&args.broker, &rows, Form::Markdown), differences(&rows, Form::Markdown));
        write_file(path, text)?;
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

/// Runs a plan with each of the brokers; nothing after an interrupt.
fn row(args: &CompareArgs, brokers: &[Option<Foreign>], about: &Arc<About>, plan: &Arc<Plan>) -> Option<Row> {
    if interrupt::came() {
        return None;
    }
    let records: Vec<RunRecord> = brokers
        .iter()
        .map(|broker| {
            let runner = Runner::default();
            let finished = match broker {
                None => runner.run(plan),
                Some(foreign) => foreign.run(&runner, &args.program(), plan).finished,
            };
            let detail = Detail { events: true, ..Detail::default() };
            RunRecord::new(&finished, about, 0, Duration::ZERO, detail)
        })
        .collect();
    let first = records.first()?;
    let cell = |(broker, record): (&String, &RunRecord)| {
        let is_judged = |record: &RunRecord| !matches!(record.verdict, Verdict::Skipped | Verdict::Broken);
        let differs = record.verdict != first.verdict && is_judged(record) && is_judged(first);
        let difference = || Some(diff(&[first.into()], &[ComparedRun::from(record)]).into_iter().next()?.text);
        Cell {
            broker: broker.clone(),
            verdict: record.verdict,
            why: why(record),
            first_difference: if differs { difference() } else { None },
        }
    };
    let cells = args.broker.iter().zip(&records).map(cell).collect();
    Some(Row { run: first.name.clone(), scenario: first.scenario.clone(), area: first.area.clone(), cells })
}

/// Returns the first thing that is wrong with a run, or why it was not judged.
fn why(record: &RunRecord) -> Option<String> {
    let wrong = record.violations.first().map(|found| {
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        format!("{}\nexpected: {}\nactual:   {}", found.text, text(&found.expected), text(&found.actual))
    });
    let vacuous = || record.vacuous.first().and_then(|found| found.why.clone());
    wrong.or_else(vacuous).or_else(|| record.error.clone())
}

impl Row {
    /// Returns whether two brokers that were judged came to different verdicts.
    fn differs(&self) -> bool {
        let mut judged = self.cells.iter().map(|cell| cell.verdict);
        let mut judged = judged.by_ref().filter(|verdict| !matches!(verdict, Verdict::Skipped | Verdict::Broken));
        judged.next().is_some_and(|first| judged.any(|verdict| verdict != first))
    }
}

/// The formats of tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Markdown,
}

/// Returns how often each broker came to each verdict, by area.
fn table(brokers: &[String], rows: &[Row], form: Form) -> String {
    let mut areas: BTreeMap<&str, Vec<BTreeMap<Verdict, usize>>> = BTreeMap::new();
    for row in rows {
        for name in [row.area.as_str(), ""] {
            let counts = areas.entry(name).or_insert_with(|| vec![BTreeMap::new(); brokers.len()]);
            for (counts, cell) in counts.iter_mut().zip(&row.cells) {
                *counts.entry(cell.verdict).or_default() += 1;
            }
        }
    }
    let total = areas.remove("").map(|counts| ("all", counts));
    let cell = |counts: &BTreeMap<Verdict, usize>| {
        let shown: Vec<String> = counts.iter().map(|(verdict, count)| format!("{count} {}", verdict.word())).collect();
        shown.join(", ")
    };
    let mut lines: Vec<Vec<String>> = vec![[String::from("area")].into_iter().chain(brokers.iter().cloned()).collect()];
    for (area, counts) in areas.into_iter().chain(total) {
        lines.push([area.to_owned()].into_iter().chain(counts.iter().map(cell)).collect());
    }
    let mut text = String::new();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    for (place, line) in lines.iter().enumerate() {
        match form {
            Form::Markdown => {
                let _ = writeln!(text, "| {} |", line.join(" | "));
                if place == 0 {
                    let _ = writeln!(text, "|{}", "---|".repeat(line.len()));
                }
            }
            Form::Text => {
                let cells =
                    line.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
                let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
            }
        }
    }
    text
}

/// The scenarios in which verdicts differ: how often, and one run of each, with what is wrong and the first event that
/// is another one.
fn differences(rows: &[Row], form: Form) -> String {
    let mut scenarios: BTreeMap<(&str, &str), Vec<(&Row, &Cell)>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.differs()) {
        for cell in row.cells.iter().filter(|cell| cell.first_difference.is_some()) {
            scenarios.entry((&row.scenario, &cell.broker)).or_default().push((row, cell));
        }
    }
    let judged =
        rows.iter().filter(|row| row.cells.iter().filter(|cell| cell.verdict != Verdict::Skipped).count() > 1).count();
    let differing = rows.iter().filter(|row| row.differs()).count();
    let mut text = format!("{} compared, {differing} of them with different verdicts\n", counted(judged, "run"));
    let first_broker = rows.first().and_then(|row| row.cells.first()).map_or("", |cell| cell.broker.as_str());
    for ((scenario, broker), found) in scenarios {
        let Some((row, cell)) = found.first() else { continue };
        let code = if form == Form::Markdown { "`" } else { "" };
        let first = row.cells.first().map_or("", |cell| cell.verdict.word());
        let title = format!(
            "{code}{scenario}{code}: {} with {broker} otherwise than with {first_broker}, such as {code}{}{code} ({}, not {first})",
            counted(found.len(), "run"),
            row.run,
            cell.verdict.word(),
        );
        let mut detail = cell.why.clone().unwrap_or_default();
        if let Some(difference) = &cell.first_difference {
            let _ =
                write!(detail, "\nfirst event that differs (- {first_broker}, + {broker}):\n{}", difference.trim_end());
        }
        match form {
            Form::Markdown => {
                let _ = write!(text, "\n- {title}\n\n  ```text\n{}  ```\n", indented(&detail));
            }
            Form::Text => {
                let _ = write!(text, "\n{title}\n{}", indented(&detail));
            }
        }
    }
    text
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(area: &str, verdicts: [Verdict; 2]) -> Row {
        let differs = verdicts[0] != verdicts[1] && verdicts[1] != Verdict::Skipped;
        let cell = |(broker, verdict): (&str, Verdict)| Cell {
            broker: broker.to_owned(),
            verdict,
            why: (verdict == Verdict::Fail).then(|| "a: closes\nexpected: then\nactual:   never".to_owned()),
            first_difference: (differs && broker == "b").then(|| "  - one\n  + other\n".to_owned()),
        };
        let cells = ["a", "b"].into_iter().zip(verdicts).map(cell).collect();
        Row { run: format!("{area}/x[5.0]"), scenario: format!("{area}/x"), area: area.to_owned(), cells }
    }

    #[test]
    fn tolerance_is_read() {
        assert_eq!(tolerance("10ms"), Ok(Duration::from_millis(10)));
        assert_eq!(tolerance("2s"), Ok(Duration::from_secs(2)));
        for wrong in ["", "ms", "10", "-1ms", "1h"] {
            assert!(tolerance(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn verdicts_stand_side_by_side_by_area() {
        let rows = [
            row("will", [Verdict::Pass, Verdict::Fail]),
            row("qos", [Verdict::Pass, Verdict::Skipped]),
            row("qos", [Verdict::Pass, Verdict::Pass]),
        ];
        let brokers = ["a".to_owned(), "b".to_owned()];
        let shown = table(&brokers, &rows, Form::Text);
        assert_eq!(
            shown,
            "area  a     b\nqos   2 ok  1 ok, 1 skipped\nwill  1 ok  1 FAILED\nall   3 ok  1 ok, 1 FAILED, 1 skipped\n"
        );
        assert!(table(&brokers, &rows, Form::Markdown).starts_with("| area | a | b |\n|---|---|---|\n| qos | 2 ok | "));
    }

    #[test]
    fn each_scenario_with_other_verdicts_says_what_is_wrong_and_where_it_begins() {
        let rows = [row("will", [Verdict::Pass, Verdict::Fail]), row("qos", [Verdict::Pass, Verdict::Skipped])];
        assert_eq!(
            differences(&rows, Form::Text),
            "1 run compared, 1 of them with different verdicts\n\n\
             will/x: 1 run with b otherwise than with a, such as will/x[5.0] (FAILED, not ok)\n  \
             a: closes\n  expected: then\n  actual:   never\n  first event that differs (- a, + b):\n    - one\n    + other\n"
        );
    }
}
