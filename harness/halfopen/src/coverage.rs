//! Which statements of the standards the scenarios show, and which of these are proven: a program that breaks the rule fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use halfopen_protocol::Version;
use halfopen_protocol::normative::{Side, Statement, statements};

use crate::check::Verdict;
use crate::defects::Defect;
use crate::plan::Plan;
use crate::run::{Ending, Runner, on_all_cores};
use crate::scenario::Scenario;

/// A run that takes longer, in virtual time, is not tried with defects: some of them make millions of packets of it, and
/// its file has shorter runs.
const LONGEST: Duration = Duration::from_secs(3600);

/// What scenarios show of both standards.
#[derive(Clone, Debug)]
pub struct Coverage {
    rows: Vec<Row>,
    /// Scenarios that do not pass without any defect, and so prove nothing.
    pub unfit: Vec<String>,
}

/// One statement.
#[derive(Clone, Debug)]
struct Row {
    version: Version,
    statement: Statement,
    /// The scenarios that name it.
    shown: BTreeSet<String>,
    /// The defects that make a scenario fail that names it, or that make the reference model name it.
    proven: BTreeSet<Defect>,
}

/// How many statements there are of one side of one version, and what is known of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub statements: usize,
    /// Those that no peer can observe.
    pub unobservable: usize,
    /// Those that a scenario or a finding names.
    pub shown: usize,
    /// Those for which a program that breaks them fails.
    pub proven: usize,
}

/// The statements that a run names, and what it comes to.
struct Judged<'s> {
    scenario: &'s str,
    version: Version,
    has_passed: bool,
    /// What the findings of the reference model name.
    named: BTreeSet<String>,
}

impl Coverage {
    /// Runs all scenarios once without any defect, and those that end within an hour once with each of `defects`, each of
    /// which it tells `begins` before.
    pub fn of(scenarios: Vec<(Scenario, Vec<Plan>)>, defects: &[Defect], begins: impl Fn(Defect)) -> Self {
        let mut clauses: BTreeMap<(String, Version), Vec<String>> = BTreeMap::new();
        let mut plans: Vec<(String, Arc<Plan>)> = Vec::new();
        for (scenario, runs) in scenarios {
            for (version, ids) in scenario.about.clauses {
                clauses.insert((scenario.name.clone(), version), ids);
            }
            plans.extend(runs.into_iter().map(|plan| (scenario.name.clone(), Arc::new(plan))));
        }
        let clean = judge(&plans, None);
        let unfit: BTreeSet<String> =
            clean.iter().filter(|run| !run.has_passed).map(|run| run.scenario.to_owned()).collect();
        let mut rows: Vec<Row> = Vec::new();
        for version in Version::ALL {
            for statement in statements(version) {
                let names = |(_, ids): &(&(String, Version), &Vec<String>)| ids.iter().any(|id| id == statement.id);
                let of_version = clauses.iter().filter(|((_, its), _)| *its == version);
                let shown = of_version.filter(names).map(|((name, _), _)| name.clone()).collect();
                rows.push(Row { version, statement, shown, proven: BTreeSet::new() });
            }
        }
        let mut coverage = Self { rows, unfit: unfit.into_iter().collect() };
        let ends =
            on_all_cores(&plans, |(_, plan)| Runner::default().trace(plan).map_or(Duration::ZERO, |trace| trace.end));
        let mut ends = ends.into_iter();
        plans.retain(|_| ends.next().is_some_and(|end| end <= LONGEST));
        for &defect in defects {
            begins(defect);
            for run in judge(&plans, Some(defect)).into_iter().filter(|run| !run.has_passed) {
                if coverage.unfit.iter().any(|name| name == run.scenario) {
                    continue;
                }
                let ids = clauses.get(&(run.scenario.to_owned(), run.version)).into_iter().flatten();
                let named = run.named.iter().chain(ids);
                named.for_each(|id| coverage.prove(run.version, id, defect));
            }
        }
        coverage
    }

    fn prove(&mut self, version: Version, id: &str, defect: Defect) {
        let is_it = |row: &&mut Row| row.version == version && row.statement.id == id && row.is_bound(defect);
        if let Some(row) = self.rows.iter_mut().find(is_it) {
            row.proven.insert(defect);
        }
    }

    /// Returns what is known of the statements that bind a side, in this version. Those that bind both count for each.
    pub fn counts(&self, version: Version, side: Side) -> Counts {
        let of_side = self.rows.iter().filter(|row| row.version == version && row.binds(side));
        of_side.fold(Counts::default(), |counts, row| Counts {
            statements: counts.statements + 1,
            unobservable: counts.unobservable + usize::from(!row.is_observable()),
            shown: counts.shown + usize::from(row.is_shown()),
            proven: counts.proven + usize::from(row.is_proven_of(side)),
        })
    }

    /// Returns the page: counts for each version and side, then each statement.
    pub fn page(&self) -> String {
        let mut page = String::from(HEAD);
        page.push_str(TABLE);
        for (version, side) in sides() {
            let Counts { statements, unobservable, shown, proven } = self.counts(version, side);
            let _ =
                writeln!(page, "| {version} | {} | {statements} | {shown} | {proven} | {unobservable} |", word(side));
        }
        for version in Version::ALL {
            let _ = write!(
                page,
                "\n## MQTT {version}\n\n| statement | binds | shown by | proven by |\n|---|---|---|---|\n"
            );
            for row in self.rows.iter().filter(|row| row.version == version) {
                let Statement { id, applies_to, .. } = row.statement;
                let shown = match row.is_observable() {
                    true => few(row.shown.iter().map(String::as_str)),
                    false => "no peer can observe it".to_owned(),
                };
                let proven: Vec<String> = row.proven.iter().map(ToString::to_string).collect();
                let proven = few(proven.iter().map(String::as_str));
                let _ = writeln!(page, "| {id} | {} | {shown} | {proven} |", word(applies_to));
            }
        }
        page
    }

    /// Returns in which counts a page says more than is true now, a line each.
    ///
    /// # Errors
    /// Returns what is wrong with the page, if it is none.
    pub fn losses(&self, page: &str) -> Result<Vec<String>, String> {
        let mut losses = Vec::new();
        for (version, side) in sides() {
            let begin = format!("| {version} | {} | ", word(side));
            let line = page.lines().find_map(|line| line.strip_prefix(&begin));
            let cells: Vec<usize> =
                line.into_iter().flat_map(|line| line.split('|')).map_while(|cell| cell.trim().parse().ok()).collect();
            let [_, shown, proven, _] = cells[..] else {
                return Err(format!("it has no line for {version}, {}", word(side)));
            };
            let now = self.counts(version, side);
            for (what, before, now) in [("shown", shown, now.shown), ("proven", proven, now.proven)] {
                if now < before {
                    losses.push(format!("MQTT {version}, {}: {now} statements are {what}, {before} were", word(side)));
                }
            }
        }
        Ok(losses)
    }
}

impl Row {
    fn binds(&self, side: Side) -> bool {
        self.statement.applies_to == side || self.statement.applies_to == Side::Both
    }

    /// Whether the statement is a duty of the program that the defect is in.
    fn is_bound(&self, defect: Defect) -> bool {
        self.binds(side_of(defect))
    }

    fn is_observable(&self) -> bool {
        self.statement.observable != "none"
    }

    fn is_shown(&self) -> bool {
        self.is_observable() && !(self.shown.is_empty() && self.proven.is_empty())
    }

    fn is_proven_of(&self, side: Side) -> bool {
        self.is_observable() && self.proven.iter().any(|defect| side_of(*defect) == side)
    }
}

const HEAD: &str = "# Statements of the standards, and the scenarios that show them

Made by `halfopen coverage scenarios`. A statement is shown by the scenarios that name it in `clauses`; it is proven if a
defect of the side that it binds makes one of them fail, or makes the reference model name it. What other tests show stands
in [what shows what](coverage.md).

";

const TABLE: &str = "| MQTT | side | statements | shown | proven | no peer can observe |\n|---|---|---|---|---|---|\n";

fn sides() -> impl Iterator<Item = (Version, Side)> {
    Version::ALL.into_iter().flat_map(|version| [Side::Client, Side::Server].map(|side| (version, side)))
}

fn side_of(defect: Defect) -> Side {
    match defect {
        Defect::Broker(_) => Side::Server,
        Defect::Client(_) => Side::Client,
    }
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
        Side::Both => "both",
    }
}

/// Up to three, and how many more there are.
fn few<'a>(mut names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text: Vec<String> = names.by_ref().take(3).map(str::to_owned).collect();
    if count > 3 {
        text.push(format!("{} more", count - 3));
    }
    text.join(", ")
}

fn judge(plans: &[(String, Arc<Plan>)], defect: Option<Defect>) -> Vec<Judged<'_>> {
    let judge = |(_, plan): &(String, Arc<Plan>)| {
        let runner = Runner { defect, ..Runner::default() };
        let result = runner.run(plan);
        let has_passed = matches!(result.verdict(), Verdict::Pass | Verdict::Skipped);
        let named = match &result.ending {
            Ending::Judged(_, outcome) => outcome.violations.iter().filter_map(|one| named(&one.expected)).collect(),
            _ => BTreeSet::new(),
        };
        (has_passed, named)
    };
    let judged = on_all_cores(plans, judge).into_iter().zip(plans);
    let judged = judged.map(|((has_passed, named), (scenario, plan))| Judged {
        scenario,
        version: plan.version,
        has_passed,
        named,
    });
    judged.collect()
}

/// The statement that a finding names at its end, as `… [MQTT-3.3.4-2]`.
fn named(expected: &str) -> Option<String> {
    let (_, id) = expected.strip_suffix(']')?.rsplit_once('[')?;
    id.starts_with("MQTT-").then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coverage() -> Coverage {
        let defect = Defect::all().find(|defect| side_of(*defect) == Side::Server).unwrap();
        let rows = statements(Version::V5_0).filter(|statement| statement.applies_to == Side::Server).take(2);
        let row =
            |statement| Row { version: Version::V5_0, statement, shown: BTreeSet::new(), proven: BTreeSet::new() };
        let mut rows: Vec<Row> = rows.map(row).collect();
        rows[0].shown.insert("a/b".to_owned());
        rows[1].proven.insert(defect);
        Coverage { rows, unfit: Vec::new() }
    }

    #[test]
    fn statement_is_shown_where_it_is_named_and_proven_where_a_defect_is_caught() {
        let counts = coverage().counts(Version::V5_0, Side::Server);
        assert_eq!(counts, Counts { statements: 2, unobservable: 0, shown: 2, proven: 1 });
        assert_eq!(coverage().counts(Version::V5_0, Side::Client), Counts::default());
    }

    #[test]
    fn page_that_says_more_tells_what_was_lost() {
        let (before, mut now) = (coverage(), coverage());
        assert_eq!(now.losses(&before.page()), Ok(Vec::new()));
        now.rows[1].proven.clear();
        let expected = ["shown, 2 were", "proven, 1 were"].into_iter().zip([1, 0]);
        let expected =
            expected.map(|(text, count)| format!("MQTT 5.0, server: {count} statements are {text}")).collect();
        assert_eq!(now.losses(&before.page()), Ok(expected));
        assert!(now.losses("nothing").is_err());
    }

    #[test]
    fn finding_names_its_statement() {
        assert_eq!(named("broker answers [MQTT-3.1.4-5]").as_deref(), Some("MQTT-3.1.4-5"));
        assert_eq!(named("broker answers"), None);
    }
}
