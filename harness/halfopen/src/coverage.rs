//! Which statements of the standards the scenarios show, and which of these are proven: a program that breaks the rule fails.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use halfopen_protocol::normative::{Side, Statement, statements};
use halfopen_protocol::{Role, Version};

use crate::check::{Outcome, Verdict};
use crate::defects::Defect;
use crate::plan::{Plan, Program};
use crate::run::{Runner, on_all_cores};
use crate::scenario::Scenario;
use crate::world::{Breach, EngineError};

/// The coverage of both standards by scenarios.
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
    /// The scenarios that name it and have a client, and those that have a broker.
    shown: [BTreeSet<String>; 2],
    /// The defects that make a scenario fail that names it, or that make the reference model name it.
    proven: BTreeSet<Defect>,
}

/// The counts of statements for one side of one version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub statements: usize,
    /// Statements that no peer can observe.
    pub unobservable: usize,
    /// Statements that a scenario or a finding names.
    pub shown: usize,
    /// Statements for which a program that breaks them fails.
    pub proven: usize,
}

/// The statements that a defect proves, each with its version.
type Proofs = BTreeSet<(Version, String)>;

/// The runs of a scenario in one version that name the same statements.
struct ScenarioRuns {
    scenario: String,
    version: Version,
    clauses: Vec<String>,
    runs: Vec<Arc<Plan>>,
}

impl Coverage {
    /// Runs all scenarios once without any defect, and with each of `defects`, of which it tells `begins` before, until
    /// a run of a scenario fails.
    pub fn of(scenarios: Vec<(Scenario, Vec<Plan>)>, defects: &[Defect], begins: impl Fn(Defect) + Sync) -> Self {
        let (mut coverage, stories) = Self::with_breaches(scenarios);
        coverage.add(defects, |&defect| {
            begins(defect);
            let judging = judging(&stories, side_of(defect));
            proofs_by_defect(&judging, &judging, defect)
        });
        coverage
    }

    /// Is like [`of`](Self::of), but runs only what may still prove that as much is true as this page says: first the
    /// scenarios that name what nothing has proven, then, if that was not enough, all.
    ///
    /// # Errors
    /// Returns what is wrong with the page, if it is none.
    pub fn as_far_as(
        page: &str,
        scenarios: Vec<(Scenario, Vec<Plan>)>,
        defects: &[Defect],
        begins: impl Fn(Defect) + Sync,
    ) -> Result<Self, String> {
        let (coverage, stories) = Self::with_breaches(scenarios);
        coverage.losses(page)?;
        let coverage = Mutex::new(coverage);
        let lock = || coverage.lock().unwrap_or_else(PoisonError::into_inner);
        let prove = |defect: Defect, is_tried: &dyn Fn(&Self, &ScenarioRuns) -> bool| {
            let judging = judging(&stories, side_of(defect));
            let now = lock();
            if now.losses(page).is_ok_and(|losses| losses.is_empty()) {
                return;
            }
            let tried: Vec<_> = judging.iter().copied().filter(|story| is_tried(&now, story)).collect();
            drop(now);
            begins(defect);
            let proofs = proofs_by_defect(&tried, &judging, defect);
            lock().prove(&proofs, defect);
        };
        // Those that the page names most often prove the most, and leave the least to try for the others.
        let mut defects = defects.to_vec();
        defects.sort_by_cached_key(|defect| Reverse(page.matches(&defect.to_string()).count()));
        on_all_cores(&defects, |&defect| prove(defect, &|now, story| now.is_open(story, side_of(defect))));
        on_all_cores(&defects, |&defect| prove(defect, &|_, _| true));
        Ok(coverage.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what the scenarios name, and what the breaches prove of it.
    fn with_breaches(scenarios: Vec<(Scenario, Vec<Plan>)>) -> (Self, Vec<ScenarioRuns>) {
        let mut stories: Vec<ScenarioRuns> = Vec::new();
        for (scenario, runs) in scenarios {
            let mut of_scenario: BTreeMap<(Version, Vec<String>), Vec<Arc<Plan>>> = BTreeMap::new();
            for plan in runs {
                of_scenario.entry((plan.version, plan.clauses.clone())).or_default().push(Arc::new(plan));
            }
            let story =
                |((version, clauses), runs)| ScenarioRuns { scenario: scenario.name.clone(), version, clauses, runs };
            stories.extend(of_scenario.into_iter().map(story));
        }
        let failing = on_all_cores(&stories, |story| story.fails(None));
        let unfit: BTreeSet<String> = stories
            .iter()
            .zip(failing)
            .filter_map(|(story, failing)| failing.map(|_| story.scenario.clone()))
            .collect();
        stories.retain(|story| !unfit.contains(&story.scenario));
        let mut rows: Vec<Row> = Vec::new();
        for version in Version::ALL {
            for statement in statements(version) {
                let names = |story: &&ScenarioRuns| {
                    story.version == version && story.clauses.iter().any(|id| id == statement.id)
                };
                let of_side = |side| stories.iter().filter(names).filter(move |story| story.judges(side));
                let shown = |side| of_side(side).map(|story| story.scenario.clone()).collect();
                let shown = [shown(Side::Client), shown(Side::Server)];
                rows.push(Row { version, statement, shown, proven: BTreeSet::new() });
            }
        }
        let mut coverage = Self { rows, unfit: unfit.into_iter().collect() };
        let breaches: Vec<Defect> = Breach::all().map(Defect::from).collect();
        coverage.add(&breaches, |&breach| proofs_by_breach(&stories, breach));
        (coverage, stories)
    }

    /// Returns whether a story names a statement that nothing has proven of this side.
    fn is_open(&self, story: &ScenarioRuns, side: Side) -> bool {
        let is_open = |row: &&Row| row.binds(side) && row.is_observable() && !row.is_proven_of(side);
        let of_version = self.rows.iter().filter(|row| row.version == story.version);
        of_version.filter(is_open).any(|row| story.clauses.iter().any(|id| id == row.statement.id))
    }

    fn add(&mut self, defects: &[Defect], proofs: impl Fn(&Defect) -> Proofs + Sync) {
        for (defect, proofs) in defects.iter().zip(on_all_cores(defects, proofs)) {
            self.prove(&proofs, *defect);
        }
    }

    fn prove(&mut self, proofs: &Proofs, defect: Defect) {
        let bound = self.rows.iter_mut().filter(|row| row.is_bound(defect));
        for row in bound.filter(|row| proofs.contains(&(row.version, row.statement.id.to_owned()))) {
            row.proven.insert(defect);
        }
    }

    /// Returns what is known of the statements that bind a side, in this version. Those that bind both count for each.
    pub fn counts(&self, version: Version, side: Side) -> Counts {
        let of_side = self.rows.iter().filter(|row| row.version == version && row.binds(side));
        of_side.fold(Counts::default(), |counts, row| Counts {
            statements: counts.statements + 1,
            unobservable: counts.unobservable + usize::from(!row.is_observable()),
            shown: counts.shown + usize::from(row.is_shown_of(side)),
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
                let Statement { id, applies_to, note, .. } = row.statement;
                let shown: BTreeSet<&str> = [Side::Client, Side::Server]
                    .into_iter()
                    .filter(|side| row.binds(*side))
                    .flat_map(|side| row.shown_of(side).iter().map(String::as_str))
                    .collect();
                let shown = match row.is_observable() {
                    true => few(shown.into_iter()),
                    false => format!("no peer can observe it: {note}"),
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

    /// Returns whether the statement is a duty of the program that the defect is in.
    fn is_bound(&self, defect: Defect) -> bool {
        self.binds(side_of(defect))
    }

    fn is_observable(&self) -> bool {
        !matches!(self.statement.observable, "none" | "api")
    }

    fn shown_of(&self, side: Side) -> &BTreeSet<String> {
        &self.shown[usize::from(side == Side::Server)]
    }

    fn is_shown_of(&self, side: Side) -> bool {
        self.is_observable() && (!self.shown_of(side).is_empty() || self.is_proven_of(side))
    }

    fn is_proven_of(&self, side: Side) -> bool {
        self.is_observable() && self.proven.iter().any(|defect| side_of(*defect) == side)
    }
}

const HEAD: &str = "# Statements of the standards, and the scenarios that show them

Made by `halfopen coverage scenarios`. A statement is shown by the scenarios that name it, in `clauses` or in a row of their
table, and have a program of the side that it binds. It is proven if a defect of that side makes one of these runs fail, or makes the
reference model name it; a defect that makes more than a tenth of all runs fail proves only what the model names. A *breach*
is a defect at the sockets of a program, made for the statements that it breaks, and proves no others.
What other tests show stands in [what shows what](coverage.md).

";

/// A defect is broad if it makes more than one group of runs in this many fail.
const BROAD: usize = 10;

const TABLE: &str = "| MQTT | side | statements | shown | proven | no peer can observe |\n|---|---|---|---|---|---|\n";

fn sides() -> impl Iterator<Item = (Version, Side)> {
    Version::ALL.into_iter().flat_map(|version| [Side::Client, Side::Server].map(|side| (version, side)))
}

fn side_of(defect: Defect) -> Side {
    match defect {
        Defect::Broker(_) => Side::Server,
        Defect::Client(_) => Side::Client,
        Defect::Breach(breach) if breach.side() == Role::Client => Side::Client,
        Defect::Breach(_) => Side::Server,
    }
}

fn word(side: Side) -> &'static str {
    match side {
        Side::Client => "client",
        Side::Server => "server",
        Side::Both => "both",
    }
}

/// Lists up to three names, and the number of the others.
fn few<'a>(mut names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = names.len();
    let mut text: Vec<String> = names.by_ref().take(3).map(str::to_owned).collect();
    if count > 3 {
        text.push(format!("{} more", count - 3));
    }
    text.join(", ")
}

/// Returns the stories that have a program of this side.
fn judging(stories: &[ScenarioRuns], side: Side) -> Vec<&ScenarioRuns> {
    stories.iter().filter(|story| story.judges(side)).collect()
}

/// Returns what a defect proves in some of the stories that judge its side.
fn proofs_by_defect(tried: &[&ScenarioRuns], judging: &[&ScenarioRuns], defect: Defect) -> Proofs {
    let failing: Vec<(&ScenarioRuns, BTreeSet<String>)> =
        tried.iter().filter_map(|story| Some((*story, story.fails(Some(defect))?))).collect();
    // What breaks nearly everything says nothing about the statement of one scenario.
    let most = judging.len() / BROAD;
    let is_broad = match tried.len() == judging.len() {
        true => failing.len() > most,
        false if failing.is_empty() => false,
        false => judging.iter().filter(|story| story.fails(Some(defect)).is_some()).nth(most).is_some(),
    };
    let mut proofs = Proofs::new();
    for (story, named) in failing {
        proofs.extend(named.into_iter().map(|id| (story.version, id)));
        if !is_broad {
            proofs.extend(story.clauses.iter().map(|id| (story.version, id.clone())));
        }
    }
    proofs
}

/// A breach is made in the scenarios that name one of the statements that it breaks.
fn proofs_by_breach(stories: &[ScenarioRuns], defect: Defect) -> Proofs {
    let Defect::Breach(breach) = defect else { return Proofs::new() };
    let mut proofs = Proofs::new();
    for version in Version::ALL {
        let mut broken: Vec<String> = breach.statements(version).iter().map(|id| format!("MQTT-{id}")).collect();
        let of_version = |story: &&ScenarioRuns| story.version == version && story.judges(side_of(defect));
        for story in stories.iter().filter(of_version) {
            if story.clauses.iter().any(|id| broken.contains(id)) && story.fails(Some(defect)).is_some() {
                let proven = story.clauses.iter().filter(|id| broken.contains(id));
                proofs.extend(proven.map(|id| (version, id.clone())));
                broken.retain(|id| !story.clauses.contains(id));
            }
        }
    }
    proofs
}

impl ScenarioRuns {
    /// Returns whether one of the project's programs on this side takes part.
    fn judges(&self, side: Side) -> bool {
        self.runs.iter().flat_map(|plan| &plan.nodes).any(|node| match node.program {
            Program::Broker(_) => side == Side::Server,
            Program::Client(_) => side == Side::Client,
            Program::RawBroker(_) | Program::RawClient(_) => false,
        })
    }

    /// Returns what the findings of the first run that does not pass name, if there is one.
    fn fails(&self, defect: Option<Defect>) -> Option<BTreeSet<String>> {
        let runner = Runner { defect, ..Runner::default() };
        self.runs.iter().find_map(|plan| match runner.outcome(plan) {
            Ok(Outcome { verdict: Verdict::Pass, .. }) => None,
            Ok(outcome) => Some(outcome.violations.iter().filter_map(|one| named(&one.expected)).collect()),
            Err(EngineError::NotFor(_)) => None,
            Err(_) => Some(BTreeSet::new()),
        })
    }
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
            |statement| Row { version: Version::V5_0, statement, shown: Default::default(), proven: BTreeSet::new() };
        let mut rows: Vec<Row> = rows.map(row).collect();
        rows[0].shown[1].insert("a/b".to_owned());
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
    fn scenario_that_names_what_is_proven_is_not_tried_again() {
        let coverage = coverage();
        let naming = |row: &Row| {
            let (version, clauses) = (row.version, vec![row.statement.id.to_owned()]);
            ScenarioRuns { scenario: "a/b".to_owned(), version, clauses, runs: Vec::new() }
        };
        let open = coverage.rows.iter().map(|row| coverage.is_open(&naming(row), Side::Server));
        assert_eq!(open.collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn finding_names_its_statement() {
        assert_eq!(named("broker answers [MQTT-3.1.4-5]").as_deref(), Some("MQTT-3.1.4-5"));
        assert_eq!(named("broker answers"), None);
    }
}
