//! The axes of a file, and the runs that they make.

use std::collections::BTreeMap;

use super::file::{Clauses, Ids, MOST_SEEDS, Versions};
use super::list::OneOrMore;
use super::reading::Reading;
use super::scalar::Name;
use super::value::{Fill, Place, Raw, Value};
use crate::error::Span;
use crate::keys::ValueKind;
use crate::tree::{Node, NodeKind};

/// Names and values that are no axis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lets(pub Vec<(Name, Raw)>);

/// Axes: names, and the values of each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix(pub Vec<(Name, Axis)>);

/// Axes of which each two values meet in a run. None is a range.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs(pub Matrix);

/// The values of an axis.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// A list of values, one at least.
    Values(Vec<Raw>),
    /// `A .. B step C`.
    Range(Raw),
    /// Something about which an error has been reported.
    Broken,
}

/// An axis with several names.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// The values of the axis.
    pub rows: Vec<Row>,
    /// The names of the columns, those of rows that are wrong among them.
    pub(crate) columns: Vec<Name>,
}

impl From<Vec<Row>> for Rows {
    fn from(rows: Vec<Row>) -> Self {
        let mut columns: Vec<Name> = Vec::new();
        for (name, _) in rows.iter().flat_map(|row| &row.columns) {
            if !columns.contains(name) {
                columns.push(name.clone());
            }
        }
        Self { rows, columns }
    }
}

/// A value of the axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The name of its runs.
    pub case: Raw,
    /// The versions for which it is; all if none is given.
    pub versions: Option<Versions>,
    /// The statements that its runs check, besides those of the file.
    pub clauses: Option<RowClauses>,
    /// The values of the columns, by their names.
    pub columns: Vec<(Name, Raw)>,
}

/// The statements that the runs of a row check.
#[derive(Clone, Debug, PartialEq)]
pub enum RowClauses {
    /// Statements of the only version in which the row runs.
    Ids(Ids),
    /// Statements of each version.
    ByVersion(Clauses),
}

impl RowClauses {
    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        match node.kind {
            NodeKind::Map(_) => Clauses::read(cx, node).map(Self::ByVersion),
            _ => Ids::read(cx, node).map(Self::Ids),
        }
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        match self {
            Self::Ids(ids) => ids.write(fill),
            Self::ByVersion(clauses) => clauses.write(fill),
        }
    }
}

/// Combinations of values that are left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exclude(pub Vec<Combination>);

/// Runs that are left out: all that have one of the values of each of these axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Combination {
    pub(crate) place: Place,
    /// The axes, and the values of each.
    pub axes: Vec<(Name, OneOrMore<Raw>)>,
}

fn written<'a>(entries: impl Iterator<Item = (&'a Name, Node)>) -> Node {
    Node::map(entries.map(|(name, value)| (Node::word(&*name.text), value)))
}

/// The names and values of a map, whose form has been looked at with the axes.
fn entries(node: &Node) -> impl Iterator<Item = (Name, &Node)> {
    node.entries().iter().filter_map(|(name, value)| Name::of(name).map(|name| (name, value)))
}

impl Value for Lets {
    const TAKES: ValueKind = ValueKind::Named(&ValueKind::Anything);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            cx.error(node, "expected a map of names and values, as in `{ patience: 5s }`");
            return None;
        }
        Some(Self(entries(node).map(|(name, value)| (name, Raw(value.clone()))).collect()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        written(self.0.iter().map(|(name, value)| (name, value.write(fill))))
    }
}

impl Value for Matrix {
    const TAKES: ValueKind = ValueKind::Named(&ValueKind::Several(&ValueKind::Anything));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        if !matches!(node.kind, NodeKind::Map(_)) {
            cx.error(node, "expected a map of names and values, as in `{ keep_alive: [1s, 5s] }`");
            return None;
        }
        Some(Self(entries(node).map(|(name, value)| (name.clone(), Axis::read(cx, &name.text, value))).collect()))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        written(self.0.iter().map(|(name, axis)| {
            let values = match axis {
                Axis::Values(values) => Node::list(values.iter().map(|value| value.write(fill))),
                Axis::Range(range) => range.write(fill),
                Axis::Broken => Node::default(),
            };
            (name, values)
        }))
    }
}

impl Value for Pairs {
    const TAKES: ValueKind = Matrix::TAKES;

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let mut axes = Matrix::read(cx, node)?;
        for (name, axis) in &mut axes.0 {
            if let Axis::Range(range) = axis {
                cx.error(
                    &range.0,
                    format!("expected a list of values for `{}`; a range stands in `matrix`", name.text),
                );
                *axis = Axis::Broken;
            }
        }
        if axes.0.len() < 2 {
            cx.error(node, "pairs need two axes at least; one alone stands in `matrix`");
        }
        Some(Self(axes))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        self.0.write(fill)
    }
}

impl Axis {
    fn read(cx: &Reading<'_>, name: &str, value: &Node) -> Self {
        match &value.kind {
            NodeKind::List(items) if !items.is_empty() => {
                return Self::Values(items.iter().map(|item| Raw(item.clone())).collect());
            }
            NodeKind::Scalar(scalar) if crate::lower::range::is_range(&scalar.text) => {
                return Self::Range(Raw(value.clone()));
            }
            NodeKind::Broken => cx.fail(),
            NodeKind::List(_) => {
                cx.error(value, format!("the list of values of `{name}` is empty, so there is no run"));
            }
            _ => cx.error(
                value,
                format!(
                    "expected a list of values for `{name}`, or a range as in `1s .. 9s step 2s`; a value that is no axis stands in `let`"
                ),
            ),
        }
        Self::Broken
    }
}

/// Columns of the table that mean something to the harness.
const MQTT: &str = "mqtt";
const CASE: &str = "case";
const CLAUSE: &str = "clause";

/// Maximum number of rows of a table that are read: each is compared with those before it.
const MAX_ROWS_READ: usize = 2_000;

impl Value for Rows {
    const TAKES: ValueKind = ValueKind::List(&ValueKind::Row);

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let NodeKind::List(items) = &node.kind else {
            cx.error(node, "expected a list of rows, as in `- { case: never, losses: 1 }`");
            return None;
        };
        if items.is_empty() {
            cx.error(node, "a table without rows");
        }
        if items.len() as u64 > MOST_SEEDS {
            cx.error(node, format!("{} rows; a file has at most {MOST_SEEDS} runs", items.len()));
        }
        let items = &items[..items.len().min(MAX_ROWS_READ)];
        let mut columns: Vec<Name> = Vec::new();
        for (key, _) in items.iter().flat_map(Node::entries).filter(|(key, _)| !is_reserved(key)) {
            columns.extend(Name::of(key).filter(|name| !columns.contains(name)));
        }
        let mut rows: Vec<Row> = Vec::new();
        let mut cases: BTreeMap<String, Span> = BTreeMap::new();
        for row in cx.each(items, |item| Row::read(cx, item, &columns)) {
            let case = row.case.flow();
            if let Some(first) = cases.get(&case) {
                cx.error_second(&row.case.0, *first, format!("a second case called `{case}`"));
                continue;
            }
            cases.insert(case, row.case.0.span);
            rows.push(row);
        }
        Some(Self { rows, columns })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        Node::list(self.rows.iter().map(|row| row.write(fill)))
    }
}

impl Row {
    fn read(cx: &Reading<'_>, item: &Node, columns: &[Name]) -> Option<Self> {
        if !matches!(item.kind, NodeKind::Map(_)) {
            cx.error(item, "expected a row: a map with `case` and the columns");
            return None;
        }
        let Some(case) = item.get(CASE) else {
            cx.error(item, "a row needs a `case`, which names its runs");
            return None;
        };
        if case.text().is_none_or(str::is_empty) {
            cx.error(case, "expected a text that names the case");
            return None;
        }
        let mut is_complete = true;
        for name in columns.iter().filter(|name| item.get(&name.text).is_none()) {
            cx.error(item, format!("the case `{}` has no `{}`, as other rows do", case.flow(), name.text));
            is_complete = false;
        }
        let versions = match item.get(MQTT) {
            Some(node) => Some(Versions::read(cx, node)?),
            None => None,
        };
        let clauses = item.get(CLAUSE).and_then(|node| RowClauses::read(cx, node));
        let own = item.entries().iter().filter(|(key, _)| !is_reserved(key));
        let columns = own.filter_map(|(key, value)| Some((Name::of(key)?, Raw(value.clone())))).collect();
        is_complete.then(|| Self { case: Raw(case.clone()), versions, clauses, columns })
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        entries.extend(self.versions.as_ref().map(|versions| (Node::word(MQTT), versions.write(fill))));
        entries.push((Node::word(CASE), self.case.write(fill)));
        entries.extend(self.clauses.as_ref().map(|clauses| (Node::word(CLAUSE), clauses.write(fill))));
        entries.extend(self.columns.iter().map(|(name, value)| (Node::word(&*name.text), value.write(fill))));
        Node::map(entries)
    }
}

fn is_reserved(key: &Node) -> bool {
    matches!(key.text(), Some(MQTT | CASE | CLAUSE))
}

impl Value for Exclude {
    const TAKES: ValueKind = ValueKind::Several(&ValueKind::Named(&ValueKind::Several(&ValueKind::Anything)));

    fn read(cx: &Reading<'_>, node: &Node) -> Option<Self> {
        let items = match &node.kind {
            NodeKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(node),
        };
        let combination = |item: &Node| {
            if item.entries().is_empty() {
                if item.kind != NodeKind::Broken {
                    let message = "expected a map of axes and values, as in `{ keep_alive: 1s, phase: [0s, 1s] }`";
                    cx.error(item, message);
                }
                return None;
            }
            let values = |values: &Node| match &values.kind {
                NodeKind::List(values) => OneOrMore(values.iter().map(|value| Raw(value.clone())).collect()),
                _ => OneOrMore(vec![Raw(values.clone())]),
            };
            let axes = entries(item).map(|(name, of)| (name, values(of))).collect();
            Some(Combination { place: Place::of(item), axes })
        };
        Some(Self(cx.each(items, combination)))
    }

    fn write(&self, fill: Fill<'_>) -> Node {
        let combination = |combination: &Combination| {
            written(combination.axes.iter().map(|(name, values)| (name, values.write(fill))))
        };
        match self.0.as_slice() {
            [only] => combination(only),
            all => Node::list(all.iter().map(combination)),
        }
    }
}
