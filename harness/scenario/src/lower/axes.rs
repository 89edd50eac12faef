//! The runs of a file: versions, rows of the table, the product of the matrix, seeds.

use std::collections::{BTreeMap, BTreeSet};

use halfopen_protocol::Version;

use super::any_order::{self, Orders, Permuted};
use super::names::check_letters;
use super::pairs::{self, Forbidden, MAX_AXES, MAX_VALUES};
use super::params::{MEMBER, ROUND};
use super::params::{Params, computed};
use super::range;
use super::when::{SWEEP, same};
use crate::ast::{Axis, Combination, File, Fragment, Lets, Matrix, Name, Raw, Row, RowClauses, Rows, value_of};
use crate::error::{Diagnostics, Span};
use crate::reference::see;
use crate::suggest::did_you_mean;
use crate::time;
use crate::tree::Node;

/// Number of runs that a file may have.
pub const MAX_RUNS: u64 = 10_000;

/// Number of names `let`, and how many `matrix` that may have.
const MAX_NAMES: usize = 500;

/// The name of the version and the row in `when` and `exclude`.
const MQTT: &str = "mqtt";
const CASE: &str = "case";

/// A run: its name and the values of its parameters.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(super) version: Version,
    pub(super) case: Option<String>,
    /// `name=value` of each axis.
    pub(super) printed: Vec<String>,
    pub(super) params: Params,
    /// The values that `when` can ask for.
    pub(super) values: BTreeMap<String, Node>,
    pub(super) seed: u64,
    /// The statements that the row of the table names.
    pub(super) clauses: Option<RowClauses>,
    /// The order of the steps of each `any_order`.
    pub(super) orders: Orders,
}

/// All axes of a file.
#[derive(Debug, Default)]
pub(crate) struct Axes {
    pub(crate) versions: Vec<Version>,
    parts: Vec<Part>,
    permuted: Vec<Permuted>,
    excluded: Vec<Combination>,
    seeds: Vec<u64>,
    /// Names whose definition is wrong.
    broken: Vec<String>,
}

/// A part of the file, in the file's order: a value may use the names above it.
#[derive(Debug)]
enum Part {
    Let(Name, Raw),
    Axis(Name, Vec<Raw>),
    /// `A .. B step C`, whose values may depend on the names above it.
    Range(Name, Raw),
    /// Axes of which each two values meet, and the values of each.
    Pairs(Vec<Name>, Vec<Vec<Raw>>),
    Table(Vec<Row>, Vec<Name>),
}

impl Axes {
    /// The axes of a file and the values that its fragments bring; `place` is said to be wrong if there are too many
    /// runs.
    pub(crate) fn of(file: &File, fragments: &[Fragment], span: Span, diagnostics: &Diagnostics) -> Self {
        let mut axes = Self {
            versions: value_of(&file.mqtt).map_or_else(|| Version::ALL.to_vec(), |versions| versions.0.clone()),
            permuted: any_order::permuted(file, fragments),
            excluded: value_of(&file.exclude).map(|exclude| exclude.0.clone()).unwrap_or_default(),
            seeds: value_of(&file.seeds).map_or_else(|| vec![1], |seeds| seeds.list()),
            ..Self::default()
        };
        let mut seen = BTreeMap::new();
        for lets in fragments.iter().filter_map(|fragment| value_of(&fragment.values)) {
            axes.add_values(lets, span, &mut seen, diagnostics);
        }
        let mut sections: Vec<(Span, Section<'_>)> = Vec::new();
        sections.extend(file.values.as_ref().map(|field| (field.key.span, Section::Values(&field.value))));
        sections.extend(file.matrix.as_ref().map(|field| (field.key.span, Section::Matrix(&field.value))));
        sections.extend(file.pairs.as_ref().map(|field| (field.key.span, Section::Pairs(&field.value.0))));
        sections.extend(file.table.as_ref().map(|field| (field.key.span, Section::Table(&field.value))));
        sections.sort_by_key(|(span, _)| span.start);
        for (span, section) in sections {
            match section {
                Section::Values(lets) => axes.add_values(lets, span, &mut seen, diagnostics),
                Section::Matrix(matrix) => axes.add_matrix(matrix, span, &mut seen, diagnostics),
                Section::Pairs(matrix) => axes.add_pairs(matrix, span, &mut seen, diagnostics),
                Section::Table(rows) => axes.add_table(rows, &mut seen, diagnostics),
            }
        }
        let place = [
            file.matrix.as_ref().map(|field| field.key.span),
            file.pairs.as_ref().map(|field| field.key.span),
            file.table.as_ref().map(|field| field.key.span),
            file.seeds.as_ref().map(|field| field.key.span),
            file.steps.as_ref().map(|field| field.key.span),
        ];
        axes.check_size(place.into_iter().flatten().next().unwrap_or(span), diagnostics);
        axes
    }

    /// The names of parameters that the file itself defines.
    pub(super) fn own_names(&self) -> impl Iterator<Item = &Name> {
        let names = self.parts.iter().flat_map(|part| match part {
            // What a fragment offers need not be used.
            Part::Let(name, _) | Part::Axis(name, _) | Part::Range(name, _) => std::slice::from_ref(name),
            Part::Pairs(names, _) => names,
            Part::Table(_, columns) => columns,
        });
        names.filter(|name| name.place.span.start.file == 0)
    }

    fn add_values(&mut self, lets: &Lets, span: Span, seen: &mut BTreeMap<String, Span>, diagnostics: &Diagnostics) {
        check_number(lets.0.len(), span, diagnostics);
        for (name, value) in lets.0.iter().take(MAX_NAMES) {
            if self.is_new(name, seen, diagnostics) {
                self.parts.push(Part::Let(name.clone(), value.clone()));
            }
        }
    }

    fn add_matrix(
        &mut self,
        matrix: &Matrix,
        span: Span,
        seen: &mut BTreeMap<String, Span>,
        diagnostics: &Diagnostics,
    ) {
        check_number(matrix.0.len(), span, diagnostics);
        for (name, axis) in matrix.0.iter().take(MAX_NAMES) {
            if self.is_new(name, seen, diagnostics) {
                match axis {
                    Axis::Values(values) => self.parts.push(Part::Axis(name.clone(), values.clone())),
                    Axis::Range(range) => self.parts.push(Part::Range(name.clone(), range.clone())),
                    Axis::Broken => self.broken.push(name.text.clone()),
                }
            }
        }
    }

    fn add_pairs(&mut self, matrix: &Matrix, span: Span, seen: &mut BTreeMap<String, Span>, diagnostics: &Diagnostics) {
        let (mut names, mut values) = (Vec::new(), Vec::new());
        for (name, axis) in &matrix.0 {
            if !self.is_new(name, seen, diagnostics) {
                continue;
            }
            match axis {
                Axis::Values(all) => {
                    names.push(name.clone());
                    values.push(all.clone());
                }
                Axis::Range(_) | Axis::Broken => self.broken.push(name.text.clone()),
            }
        }
        let most = values.iter().map(Vec::len).max().unwrap_or(0);
        if names.len() > MAX_AXES || most > MAX_VALUES {
            let message = format!("pairs have at most {MAX_AXES} axes of {MAX_VALUES} values each");
            diagnostics.push(span, message, None);
            names.truncate(MAX_AXES);
            self.broken.extend(matrix.0.iter().skip(MAX_AXES).map(|(name, _)| name.text.clone()));
            values.truncate(MAX_AXES);
            values.iter_mut().for_each(|values| values.truncate(1));
        }
        self.parts.push(Part::Pairs(names, values));
    }

    fn add_table(&mut self, rows: &Rows, seen: &mut BTreeMap<String, Span>, diagnostics: &Diagnostics) {
        let mut columns = rows.columns.clone();
        columns.retain(|name| self.is_new(name, seen, diagnostics));
        match rows.rows.is_empty() {
            true => self.broken.extend(columns.into_iter().map(|name| name.text)),
            false => self.parts.push(Part::Table(rows.rows.clone(), columns)),
        }
    }

    fn is_new(&mut self, name: &Name, seen: &mut BTreeMap<String, Span>, diagnostics: &Diagnostics) -> bool {
        let (text, span) = (name.text.as_str(), name.place.span);
        if matches!(text, MEMBER | ROUND | "seed" | "any_order" | "sweep" | MQTT | CASE | "clause") {
            diagnostics.push(span, format!("`{text}` means something of its own and cannot name a parameter"), None);
            return false;
        }
        if !check_letters(text, span, "a parameter", diagnostics) {
            self.broken.push(text.to_owned());
            return false;
        }
        if let Some(first) = seen.get(text) {
            diagnostics.push_second(span, *first, format!("a second parameter called `{text}`"));
            return false;
        }
        seen.insert(text.to_owned(), span);
        true
    }

    fn check_size(&mut self, place: Span, diagnostics: &Diagnostics) {
        let mut factors = vec![(self.versions.len(), "versions".to_owned())];
        for part in &self.parts {
            match part {
                Part::Let(..) => {}
                Part::Axis(name, values) => factors.push((values.len(), format!("`{}`", name.text))),
                // With the values of names that are not known here, what it has is counted when it is expanded.
                Part::Range(name, range) if !range.flow().contains('<') => {
                    let values = range::values(&range.0, diagnostics).map_or(1, |values| values.len());
                    factors.push((values, format!("`{}`", name.text)));
                }
                Part::Range(..) => {}
                Part::Pairs(_, values) => {
                    factors.push((pairs::least(values.iter().map(Vec::len)), "runs of `pairs` at least".to_owned()));
                }
                Part::Table(rows, _) => factors.push((rows.len(), "rows".to_owned())),
            }
        }
        for list in &self.permuted {
            factors.push((list.orders().len(), "orders of `any_order`".to_owned()));
        }
        if self.seeds.len() > 1 {
            factors.push((self.seeds.len(), "seeds".to_owned()));
        }
        let runs = factors.iter().fold(1_u64, |runs, (factor, _)| runs.saturating_mul(*factor as u64));
        if runs > MAX_RUNS {
            let product: Vec<_> = factors.iter().map(|(factor, name)| format!("{factor} {name}")).collect();
            let message = format!("{} are {runs} runs; a file has at most {MAX_RUNS}", product.join(" * "));
            diagnostics.push(place, message, None);
            // One run is enough to find what else is wrong.
            self.parts.iter_mut().for_each(|part| match part {
                Part::Axis(_, values) => values.truncate(1),
                Part::Pairs(_, values) => values.iter_mut().for_each(|values| values.truncate(1)),
                Part::Table(rows, _) => rows.truncate(1),
                Part::Let(..) | Part::Range(..) => {}
            });
            self.parts.retain(|part| !matches!(part, Part::Range(..)));
            self.seeds.truncate(1);
            self.permuted.clear();
        }
    }

    /// Returns all runs, in the order of the file; `seed` instead of the file's own.
    pub(super) fn expand(&self, seed: Option<u64>, open: bool, diagnostics: &Diagnostics) -> Vec<Run> {
        let mut first = Params::default();
        first.open = open;
        self.broken.iter().for_each(|name| first.set_broken(name));
        let seeds = seed.map_or_else(|| self.seeds.clone(), |seed| vec![seed]);
        let mut expansion = Expansion { seeds, diagnostics, runs: Vec::new(), left_out: BTreeSet::new() };
        for version in &self.versions {
            let mut values = BTreeMap::new();
            values.insert(MQTT.to_owned(), Node::word(version.to_string()));
            let run = Run {
                version: *version,
                case: None,
                printed: Vec::new(),
                params: first.clone(),
                values,
                seed: 1,
                clauses: None,
                orders: Orders::new(),
            };
            self.expand_parts(&self.parts, run, &mut expansion);
        }
        let Expansion { mut runs, mut left_out, .. } = expansion;
        if runs.len() as u64 >= MAX_RUNS_OF_RANGES {
            let ranges = self.parts.iter().filter_map(|part| match part {
                Part::Range(_, range) => Some(range.0.span),
                _ => None,
            });
            for span in ranges {
                let message = format!("with this range there are more runs than {MAX_RUNS}, the most of a file");
                diagnostics.push(span, message, None);
            }
            runs.truncate(1);
        }
        runs.retain(|run| {
            let excluding = self.excluded.iter().enumerate().filter(|(_, combination)| has(combination, run));
            let places: Vec<_> = excluding.map(|(place, _)| place).collect();
            left_out.extend(places.iter().copied());
            places.is_empty()
        });
        for (place, combination) in self.excluded.iter().enumerate() {
            if !left_out.contains(&place) && !open {
                report_unused(combination, &runs, seed.is_some(), diagnostics);
            }
        }
        runs
    }

    fn expand_parts(&self, mut parts: &[Part], mut run: Run, expansion: &mut Expansion<'_>) {
        let diagnostics = expansion.diagnostics;
        if expansion.runs.len() as u64 >= MAX_RUNS_OF_RANGES {
            return;
        }
        // There may be thousands of names, and each would take room on the stack.
        while let Some((Part::Let(name, value), rest)) = parts.split_first() {
            run.params.set(&name.text, computed(run.params.substitute(&value.0, diagnostics)));
            parts = rest;
        }
        let Some((part, rest)) = parts.split_first() else {
            self.expand_orders(&self.permuted, &run, expansion);
            return;
        };
        match part {
            // None is left here.
            Part::Let(..) => {}
            Part::Axis(name, values) => {
                for value in run.values_of(values, diagnostics) {
                    self.expand_parts(rest, run.with(&name.text, value), expansion);
                }
            }
            Part::Range(name, range) => {
                let Some(values) = range::values(&run.params.substitute(&range.0, diagnostics), diagnostics) else {
                    run.params.set_broken(&name.text);
                    return self.expand_parts(rest, run, expansion);
                };
                for value in values {
                    self.expand_parts(rest, run.with(&name.text, value), expansion);
                }
            }
            Part::Pairs(names, values) => {
                let values: Vec<_> = values.iter().map(|values| run.values_of(values, diagnostics)).collect();
                let lengths: Vec<usize> = values.iter().map(Vec::len).collect();
                let forbidden = self.forbidden(&run, names, &values);
                let rows = pairs::rows(&lengths, |row| {
                    let found = forbidden.iter().find(|forbidden| forbidden.has(row));
                    expansion.left_out.extend(found.map(|forbidden| forbidden.place));
                    found.is_none()
                });
                for row in rows {
                    let chosen = names.iter().zip(&values).zip(row);
                    let run =
                        chosen.fold(run.clone(), |run, ((name, values), at)| run.with(&name.text, values[at].clone()));
                    self.expand_parts(rest, run, expansion);
                }
            }
            Part::Table(rows, _) => {
                let of_version =
                    |row: &&Row| row.versions.as_ref().is_none_or(|versions| versions.0.contains(&run.version));
                for row in rows.iter().filter(of_version) {
                    self.expand_parts(rest, run.with_row(row, diagnostics), expansion);
                }
            }
        }
    }

    /// The orders of the races, and then the seeds.
    fn expand_orders(&self, rest: &[Permuted], run: &Run, expansion: &mut Expansion<'_>) {
        let Some((first, rest)) = rest.split_first() else {
            for seed in &expansion.seeds {
                let mut run = Run { seed: *seed, ..run.clone() };
                run.values.insert("seed".to_owned(), Node::word(seed.to_string()));
                if expansion.seeds.len() > 1 {
                    run.printed.push(format!("seed={seed}"));
                }
                expansion.runs.push(run);
            }
            return;
        };
        for order in first.orders() {
            let mut run = run.clone();
            let shown = any_order::shown(&order);
            run.printed.push(format!("any_order={shown}"));
            run.values.insert("any_order".to_owned(), Node::word(shown));
            run.orders.insert(first.span, order);
            self.expand_orders(rest, &run, expansion);
        }
    }

    /// Returns what the combinations forbid to rows of pairs in this run. Those with an axis that is not known yet are looked at later.
    fn forbidden(&self, run: &Run, names: &[Name], values: &[Vec<Node>]) -> Vec<Forbidden> {
        let forbidden = |(place, combination): (usize, &Combination)| {
            let mut axes = Vec::new();
            for (name, excluded) in &combination.axes {
                let has = |actual: &Node| excluded.0.iter().any(|value| same(&value.0, actual));
                match names.iter().position(|axis| axis.text == name.text) {
                    Some(axis) => axes.push((axis, values[axis].iter().map(has).collect())),
                    None if run.values.get(&name.text).is_some_and(has) => {}
                    None => return None,
                }
            }
            Some(Forbidden { place, axes })
        };
        self.excluded.iter().enumerate().filter_map(forbidden).collect()
    }
}

/// The runs that have been found, and what each step of the search needs.
struct Expansion<'a> {
    seeds: Vec<u64>,
    diagnostics: &'a Diagnostics,
    runs: Vec<Run>,
    /// The places of combinations that have left something out.
    left_out: BTreeSet<usize>,
}

/// A section that brings parameters.
enum Section<'a> {
    Values(&'a Lets),
    Matrix(&'a Matrix),
    Pairs(&'a Matrix),
    Table(&'a Rows),
}

fn check_number(names: usize, span: Span, diagnostics: &Diagnostics) {
    if names > MAX_NAMES {
        diagnostics.push(span, format!("{names} names; a file has at most {MAX_NAMES}"), None);
    }
}

/// A value such that those that mean the same are the same.
fn plain(value: &Node) -> String {
    let duration = value.text().and_then(|text| time::duration(text).ok());
    duration.map_or_else(|| value.flow(), time::format)
}

/// Number of runs at which expansion ends where the length of ranges depends on other values.
const MAX_RUNS_OF_RANGES: u64 = MAX_RUNS + 1;

impl Run {
    /// The values of an axis in this run, each once. What is written twice is a slip; values that are computed may be the
    /// same here and there.
    fn values_of(&self, written: &[Raw], diagnostics: &Diagnostics) -> Vec<Node> {
        let (mut seen, mut values) = (BTreeSet::new(), Vec::new());
        for written in written {
            let value = computed(self.params.substitute(&written.0, diagnostics));
            if seen.insert(plain(&value)) {
                values.push(value);
            } else if value.flow() == written.flow() {
                let message = format!("`{}` stands here twice; each value is a run of its own", value.flow());
                diagnostics.push(written.0.span, message, None);
            }
        }
        values
    }

    fn with(&self, name: &str, value: Node) -> Self {
        let mut run = self.clone();
        run.printed.push(format!("{name}={}", value.flow()));
        run.values.insert(name.to_owned(), value.clone());
        run.params.set(name, value);
        run
    }

    fn with_row(&self, row: &Row, diagnostics: &Diagnostics) -> Self {
        let mut run = self.clone();
        let case = &row.case.0;
        run.case = case.text().map(str::to_owned);
        run.clauses.clone_from(&row.clauses);
        run.values.insert(CASE.to_owned(), case.clone());
        run.params.set(CASE, case.clone());
        let value =
            |(name, value): &(Name, Raw)| (name.clone(), computed(run.params.substitute(&value.0, diagnostics)));
        let columns: Vec<_> = row.columns.iter().map(value).collect();
        for (name, value) in columns {
            run.values.insert(name.text.clone(), value.clone());
            run.params.set(&name.text, value);
        }
        run
    }
}

/// Returns whether a run has one of the values of each axis of a combination.
fn has(combination: &Combination, run: &Run) -> bool {
    combination.axes.iter().all(|(name, values)| {
        let actual = run.values.get(&name.text);
        actual.is_some_and(|actual| values.0.iter().any(|value| same(&value.0, actual)))
    })
}

/// Reports a combination that leaves nothing out.
fn report_unused(combination: &Combination, runs: &[Run], other_seed: bool, diagnostics: &Diagnostics) {
    let Some(run) = runs.first() else { return };
    let mut known = true;
    for (name, _) in &combination.axes {
        let (text, span) = (name.text.as_str(), name.place.span);
        if !runs.iter().any(|run| run.values.contains_key(text)) {
            let hint = did_you_mean(text, run.values.keys().map(String::as_str));
            match text {
                "sweep" => diagnostics.push(span, SWEEP, Some(see("`sweep`"))),
                _ => diagnostics.push(span, format!("unknown axis `{text}`{hint}"), None),
            }
            known = false;
        }
    }
    if known && !other_seed {
        diagnostics.push(combination.place.span, "no run has these values, so nothing is left out", None);
    }
}
