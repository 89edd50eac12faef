//! The runs of a file: versions, rows of the table, the product of the matrix, seeds.

use std::collections::{BTreeMap, BTreeSet};

use halfopen_protocol::Version;

use super::error::Sink;
use super::judged::{SWEEP, same};
use super::names::check_letters;
use super::params::{Params, computed};
use super::race::{self, Orders, Race, races};
use super::range;
use super::reference::see;
use super::suggest::did_you_mean;
use super::time;
use super::tree::{Kind, Node};

/// How many runs a file may have.
pub const MAX_RUNS: u64 = 10_000;

/// How many names `let`, and how many `matrix` may have.
const MAX_NAMES: usize = 500;

/// How many rows of a table are read: each is held against those before it.
const MAX_ROWS_READ: usize = 2_000;

/// Columns of the table that mean something to the harness.
const MQTT: &str = "mqtt";
const CASE: &str = "case";
const CLAUSE: &str = "clause";

/// One run: its name and what its parameters stand for.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) version: Version,
    pub(super) case: Option<String>,
    /// `name=value` of each axis.
    pub(super) printed: Vec<String>,
    pub(super) params: Params,
    /// What `when` can ask for.
    pub(super) values: BTreeMap<String, Node>,
    pub(super) seed: u64,
    /// In which order the steps of each race come.
    pub(super) orders: Orders,
}

/// All axes of a file.
#[derive(Debug, Default)]
pub(super) struct Axes {
    pub(super) versions: Vec<Version>,
    parts: Vec<Part>,
    races: Vec<Race>,
    excluded: Vec<Combination>,
    seeds: Vec<u64>,
    /// Names whose definition is wrong.
    broken: Vec<String>,
}

/// In the order of the file: a value may use the names above it.
#[derive(Debug)]
enum Part {
    Let(String, Node),
    Axis(String, Vec<Node>),
    /// `A .. B step C`, whose values may depend on the names above it.
    Range(String, Node),
    Table(Vec<Row>),
}

/// Runs that are left out: all that have one of the values of each of these axes.
#[derive(Debug)]
struct Combination {
    node: Node,
    axes: Vec<(Node, Vec<Node>)>,
}

#[derive(Debug)]
struct Row {
    case: Node,
    versions: Option<Vec<Version>>,
    columns: Vec<(String, Node)>,
}

impl Axes {
    pub(super) fn read(root: &Node, sink: &Sink) -> Self {
        let mut axes = Self { versions: Version::ALL.to_vec(), seeds: vec![1], ..Self::default() };
        if let Some(mqtt) = root.get(MQTT) {
            axes.versions = versions(mqtt, sink).unwrap_or(axes.versions);
        }
        let mut seen = BTreeSet::new();
        for (key, value) in root.entries() {
            match key.text() {
                Some("let") => axes.read_names(value, &mut seen, sink, false),
                Some("matrix") => axes.read_names(value, &mut seen, sink, true),
                Some("table") => axes.read_table(value, &mut seen, sink),
                Some("steps") => axes.races = races(value, sink),
                Some("exclude") => axes.excluded = excluded(value, sink),
                Some("seeds") => axes.seeds = seeds(value, sink).unwrap_or(axes.seeds.clone()),
                _ => {}
            }
        }
        axes.check_size(root, sink);
        axes
    }

    /// Names of parameters with their first place, for those that nobody uses.
    pub(super) fn names<'n>(&self, root: &'n Node) -> Vec<(&'n str, &'n Node)> {
        let mut names = Vec::new();
        let sections = root.entries().iter().filter(|(key, _)| matches!(key.text(), Some("let" | "matrix")));
        // What a fragment offers need not be used.
        names.extend(sections.flat_map(|(_, value)| value.entries()).map(|(key, _)| key).filter(|key| is_own(key)));
        if let Some(Kind::List(rows)) = root.get("table").map(|table| &table.kind) {
            let first = rows.first().map_or(&[][..], Node::entries);
            names.extend(first.iter().map(|(key, _)| key).filter(|key| !is_reserved(key)));
        }
        names.into_iter().filter_map(|key| key.text().map(|name| (name, key))).collect()
    }

    fn read_names(&mut self, node: &Node, seen: &mut BTreeSet<String>, sink: &Sink, is_axis: bool) {
        if !matches!(node.kind, Kind::Map(_)) {
            let example = if is_axis { "`{ keep_alive: [1s, 5s] }`" } else { "`{ patience: 5s }`" };
            sink.push(node.span, format!("expected a map of names and values, as in {example}"), None);
        }
        let entries = node.entries();
        if entries.len() > MAX_NAMES {
            sink.push(node.span, format!("{} names; a file has at most {MAX_NAMES}", entries.len()), None);
        }
        for (key, value) in &entries[..entries.len().min(MAX_NAMES)] {
            let Some(name) = self.new_name(key, seen, sink) else { continue };
            if !is_axis {
                self.parts.push(Part::Let(name, value.clone()));
                continue;
            }
            match &value.kind {
                Kind::List(items) if !items.is_empty() => self.parts.push(Part::Axis(name, items.clone())),
                Kind::Scalar(scalar) if range::is_range(&scalar.text) => {
                    self.parts.push(Part::Range(name, value.clone()));
                }
                Kind::Broken => self.broken.push(name),
                Kind::List(_) => {
                    sink.push(value.span, format!("the list of values of `{name}` is empty, so there is no run"), None);
                    self.broken.push(name);
                }
                _ => {
                    let message = format!(
                        "expected a list of values for `{name}`, or a range as in `1s .. 9s step 2s`; a value that is no axis stands in `let`"
                    );
                    sink.push(value.span, message, None);
                    self.broken.push(name);
                }
            }
        }
    }

    fn new_name(&mut self, key: &Node, seen: &mut BTreeSet<String>, sink: &Sink) -> Option<String> {
        let name = key.text()?.to_owned();
        if matches!(name.as_str(), "i" | "seed" | "race" | "sweep" | MQTT | CASE | CLAUSE) {
            sink.push(key.span, format!("`{name}` means something of its own and cannot name a parameter"), None);
            return None;
        }
        if !check_letters(key, "a parameter", sink) {
            self.broken.push(name);
            return None;
        }
        if !seen.insert(name.clone()) {
            sink.push(key.span, format!("a second parameter called `{name}`"), None);
            return None;
        }
        Some(name)
    }

    fn read_table(&mut self, node: &Node, seen: &mut BTreeSet<String>, sink: &Sink) {
        let Kind::List(items) = &node.kind else {
            sink.push(node.span, "expected a list of rows, as in `- { case: never, losses: 1 }`", None);
            return;
        };
        if items.is_empty() {
            sink.push(node.span, "a table without rows", None);
        }
        let mut rows: Vec<Row> = Vec::new();
        let mut columns: Vec<(String, &Node)> = Vec::new();
        if items.len() as u64 > MAX_RUNS {
            sink.push(node.span, format!("{} rows; a file has at most {MAX_RUNS} runs", items.len()), None);
        }
        let items = &items[..items.len().min(MAX_ROWS_READ)];
        for item in items {
            for (key, _) in item.entries().iter().filter(|(key, _)| !is_reserved(key)) {
                if !columns.iter().any(|(name, _)| Some(name.as_str()) == key.text())
                    && let Some(name) = self.new_name(key, seen, sink)
                {
                    columns.push((name, key));
                }
            }
        }
        for item in items {
            if let Some(row) = row(item, &columns, &rows, sink) {
                rows.push(row);
            }
        }
        if rows.is_empty() {
            self.broken.extend(columns.into_iter().map(|(name, _)| name));
        } else {
            self.parts.push(Part::Table(rows));
        }
    }

    fn check_size(&mut self, root: &Node, sink: &Sink) {
        let mut factors = vec![(self.versions.len(), "versions".to_owned())];
        for part in &self.parts {
            match part {
                Part::Let(..) => {}
                Part::Axis(name, values) => factors.push((values.len(), format!("`{name}`"))),
                // With the values of names that are not known here, what it has is counted when it is expanded.
                Part::Range(name, node) if !node.flow().contains('<') => {
                    let values = range::values(node, sink).map_or(1, |values| values.len());
                    factors.push((values, format!("`{name}`")));
                }
                Part::Range(..) => {}
                Part::Table(rows) => factors.push((rows.len(), "rows".to_owned())),
            }
        }
        for race in &self.races {
            factors.push((race.orders().len(), "orders of a race".to_owned()));
        }
        if self.seeds.len() > 1 {
            factors.push((self.seeds.len(), "seeds".to_owned()));
        }
        let runs = factors.iter().fold(1_u64, |runs, (factor, _)| runs.saturating_mul(*factor as u64));
        if runs > MAX_RUNS {
            let product: Vec<_> = factors.iter().map(|(factor, name)| format!("{factor} {name}")).collect();
            let message = format!("{} are {runs} runs; a file has at most {MAX_RUNS}", product.join(" * "));
            let place = ["matrix", "table", "seeds", "steps"].into_iter().find_map(|name| root.get(name));
            sink.push(place.unwrap_or(root).span, message, None);
            // One run is enough to find what else is wrong.
            self.parts.iter_mut().for_each(|part| match part {
                Part::Axis(_, values) => values.truncate(1),
                Part::Table(rows) => rows.truncate(1),
                Part::Let(..) | Part::Range(..) => {}
            });
            self.parts.retain(|part| !matches!(part, Part::Range(..)));
            self.seeds.truncate(1);
            self.races.clear();
        }
    }

    /// All runs, in the order of the file; `seed` instead of the file's own.
    pub(super) fn expand(&self, seed: Option<u64>, open: bool, sink: &Sink) -> Vec<Run> {
        let mut first = Params::default();
        first.open = open;
        self.broken.iter().for_each(|name| first.set_broken(name));
        let seeds = seed.map_or_else(|| self.seeds.clone(), |seed| vec![seed]);
        let mut runs = Vec::new();
        let mut left_out = BTreeSet::new();
        for version in &self.versions {
            let mut values = BTreeMap::new();
            values.insert(MQTT.to_owned(), word(version.to_string()));
            let run = Run {
                version: *version,
                case: None,
                printed: Vec::new(),
                params: first.clone(),
                values,
                seed: 1,
                orders: Orders::new(),
            };
            self.expand_parts(&self.parts, run, &seeds, &mut runs, sink);
        }
        if runs.len() as u64 >= MAX_RUNS_OF_RANGES {
            let ranges = self.parts.iter().filter_map(|part| match part {
                Part::Range(_, node) => Some(node.span),
                _ => None,
            });
            for span in ranges {
                sink.push(
                    span,
                    format!("with this range there are more runs than {MAX_RUNS}, the most of a file"),
                    None,
                );
            }
            runs.truncate(1);
        }
        runs.retain(|run| {
            let excluding = self.excluded.iter().enumerate().filter(|(_, combination)| combination.has(run));
            let places: Vec<_> = excluding.map(|(place, _)| place).collect();
            left_out.extend(places.iter().copied());
            places.is_empty()
        });
        for (place, combination) in self.excluded.iter().enumerate() {
            combination.check(&runs, left_out.contains(&place), seed.is_some(), open, sink);
        }
        runs
    }

    fn expand_parts(&self, parts: &[Part], run: Run, seeds: &[u64], runs: &mut Vec<Run>, sink: &Sink) {
        if runs.len() as u64 >= MAX_RUNS_OF_RANGES {
            return;
        }
        let Some((part, rest)) = parts.split_first() else {
            self.expand_races(&self.races, &run, seeds, runs);
            return;
        };
        match part {
            Part::Let(name, value) => {
                let mut run = run;
                run.params.set(name, computed(run.params.substitute(value, sink)));
                self.expand_parts(rest, run, seeds, runs, sink);
            }
            Part::Axis(name, values) => {
                let mut seen = BTreeSet::new();
                for written in values {
                    let value = computed(run.params.substitute(written, sink));
                    // Values that are computed may be the same here and there; what is written twice is a slip.
                    if seen.insert(plain(&value)) {
                        self.expand_parts(rest, run.with(name, value), seeds, runs, sink);
                    } else if value.flow() == written.flow() {
                        let message = format!("`{}` stands here twice; each value is a run of its own", value.flow());
                        sink.push(written.span, message, None);
                    }
                }
            }
            Part::Range(name, node) => {
                let Some(values) = range::values(&run.params.substitute(node, sink), sink) else {
                    let mut run = run;
                    run.params.set_broken(name);
                    return self.expand_parts(rest, run, seeds, runs, sink);
                };
                for value in values {
                    self.expand_parts(rest, run.with(name, value), seeds, runs, sink);
                }
            }
            Part::Table(rows) => {
                let of_version =
                    |row: &&Row| row.versions.as_ref().is_none_or(|versions| versions.contains(&run.version));
                for row in rows.iter().filter(of_version) {
                    self.expand_parts(rest, row.apply(run.clone(), sink), seeds, runs, sink);
                }
            }
        }
    }
}

/// A value such that those that mean the same are the same.
fn plain(value: &Node) -> String {
    let duration = value.text().and_then(|text| time::duration(text).ok());
    duration.map_or_else(|| value.flow(), time::format)
}

/// With ranges whose length depends on other values, expansion ends here.
const MAX_RUNS_OF_RANGES: u64 = MAX_RUNS + 1;

impl Run {
    fn with(&self, name: &str, value: Node) -> Self {
        let mut run = self.clone();
        run.printed.push(format!("{name}={}", value.flow()));
        run.values.insert(name.to_owned(), value.clone());
        run.params.set(name, value);
        run
    }
}

impl Axes {
    /// The orders of the races, and then the seeds.
    fn expand_races(&self, rest: &[Race], run: &Run, seeds: &[u64], runs: &mut Vec<Run>) {
        let Some((first, rest)) = rest.split_first() else {
            for seed in seeds {
                let mut run = Run { seed: *seed, ..run.clone() };
                run.values.insert("seed".to_owned(), word(seed.to_string()));
                if seeds.len() > 1 {
                    run.printed.push(format!("seed={seed}"));
                }
                runs.push(run);
            }
            return;
        };
        for order in first.orders() {
            let mut run = run.clone();
            let shown = race::shown(&order);
            run.printed.push(format!("race={shown}"));
            run.values.insert("race".to_owned(), word(shown));
            run.orders.insert(first.span, order);
            self.expand_races(rest, &run, seeds, runs);
        }
    }
}

impl Combination {
    fn has(&self, run: &Run) -> bool {
        self.axes.iter().all(|(name, values)| {
            let actual = name.text().and_then(|name| run.values.get(name));
            actual.is_some_and(|actual| values.iter().any(|value| same(value, actual)))
        })
    }

    /// Reports what can never be left out.
    fn check(&self, runs: &[Run], used: bool, other_seed: bool, open: bool, sink: &Sink) {
        if used || open {
            return;
        }
        let Some(run) = runs.first() else { return };
        let mut known = true;
        for (name, _) in &self.axes {
            let text = name.text().unwrap_or_default();
            if !runs.iter().any(|run| run.values.contains_key(text)) {
                let hint = did_you_mean(text, run.values.keys().map(String::as_str));
                match text {
                    "sweep" => sink.push(name.span, SWEEP, Some(see("`sweep`"))),
                    _ => sink.push(name.span, format!("unknown axis `{text}`{hint}"), None),
                }
                known = false;
            }
        }
        if known && !other_seed {
            sink.push(self.node.span, "no run has these values, so nothing is left out", None);
        }
    }
}

/// A map of axes and values, or a list of them.
fn excluded(node: &Node, sink: &Sink) -> Vec<Combination> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut combinations = Vec::new();
    for item in items {
        if item.entries().is_empty() {
            if item.kind != Kind::Broken {
                sink.push(
                    item.span,
                    "expected a map of axes and values, as in `{ keep_alive: 1s, phase: [0s, 1s] }`",
                    None,
                );
            }
            continue;
        }
        let axes = item.entries().iter().map(|(name, values)| match &values.kind {
            Kind::List(values) => (name.clone(), values.clone()),
            _ => (name.clone(), vec![values.clone()]),
        });
        combinations.push(Combination { node: item.clone(), axes: axes.collect() });
    }
    combinations
}

/// Whether a key stands in the scenario's own file.
fn is_own(key: &Node) -> bool {
    key.span.start.file == 0
}

impl Row {
    fn apply(&self, mut run: Run, sink: &Sink) -> Run {
        run.case = self.case.text().map(str::to_owned);
        run.values.insert(CASE.to_owned(), self.case.clone());
        run.params.set(CASE, self.case.clone());
        let columns: Vec<_> =
            self.columns.iter().map(|(name, value)| (name, computed(run.params.substitute(value, sink)))).collect();
        for (name, value) in columns {
            run.values.insert(name.clone(), value.clone());
            run.params.set(name, value);
        }
        run
    }
}

fn row(item: &Node, columns: &[(String, &Node)], earlier: &[Row], sink: &Sink) -> Option<Row> {
    let Kind::Map(entries) = &item.kind else {
        sink.push(item.span, "expected a row: a map with `case` and the columns", None);
        return None;
    };
    let Some(case) = item.get(CASE) else {
        sink.push(item.span, "a row needs a `case`, which names its runs", None);
        return None;
    };
    if case.text().is_none_or(str::is_empty) {
        sink.push(case.span, "expected a text that names the case", None);
        return None;
    }
    if let Some(other) = earlier.iter().find(|row| row.case.text() == case.text()) {
        let line = other.case.span.start.line;
        sink.push(case.span, format!("a second case called `{}`, first in line {line}", case.flow()), None);
        return None;
    }
    let mut complete = true;
    for (name, _) in columns {
        if item.get(name).is_none() {
            sink.push(item.span, format!("the case `{}` has no `{name}`, as other rows do", case.flow()), None);
            complete = false;
        }
    }
    let versions = match item.get(MQTT) {
        Some(node) => Some(versions(node, sink)?),
        None => None,
    };
    let values = entries.iter().filter(|(key, _)| !is_reserved(key));
    let columns = values.filter_map(|(key, value)| Some((key.text()?.to_owned(), value.clone()))).collect();
    complete.then(|| Row { case: case.clone(), versions, columns })
}

fn is_reserved(key: &Node) -> bool {
    matches!(key.text(), Some(MQTT | CASE | CLAUSE))
}

/// `3.1.1`, `5.0` or a list of both.
fn versions(node: &Node, sink: &Sink) -> Option<Vec<Version>> {
    let items = match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => std::slice::from_ref(node),
    };
    let mut versions = Vec::new();
    for item in items {
        let version = match item.text() {
            Some("3.1.1") => Version::V3_1_1,
            Some("5.0" | "5") => Version::V5_0,
            _ => {
                let message = format!("unknown version `{}`; there are `3.1.1` and `5.0`", item.flow());
                sink.push(item.span, message, None);
                return None;
            }
        };
        if versions.contains(&version) {
            sink.push(item.span, format!("the version {version} twice"), None);
        } else {
            versions.push(version);
        }
    }
    versions.sort_unstable();
    if versions.is_empty() {
        sink.push(node.span, "no version; there are `3.1.1` and `5.0`", None);
        return None;
    }
    Some(versions)
}

/// A count, or a list of seeds.
fn seeds(node: &Node, sink: &Sink) -> Option<Vec<u64>> {
    let number = |node: &Node| {
        let number = node.text().and_then(|text| text.parse::<u64>().ok());
        if number.is_none() {
            sink.push(node.span, format!("expected how many seeds, or a list of them; found `{}`", node.flow()), None);
        }
        number
    };
    if let Kind::List(items) = &node.kind {
        let seeds: Vec<_> = items.iter().filter_map(number).collect();
        return (seeds.len() == items.len() && !seeds.is_empty()).then_some(seeds);
    }
    let count = number(node)?;
    if !(1..=MAX_RUNS).contains(&count) {
        sink.push(node.span, format!("{count} is not between 1 and {MAX_RUNS}"), None);
        return None;
    }
    Some((1..=count).collect())
}

fn word(text: String) -> Node {
    let scalar = super::tree::Scalar { text, quoted: false, offset: None };
    Node { span: super::error::Span::default(), kind: Kind::Scalar(scalar), used_as: None }
}
