//! `when`: in which runs an expectation is judged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::error::Span;
use super::reader::Reader;
use super::reference::see;
use super::suggest::did_you_mean;
use super::time;
use super::tree::Node;

/// Why `sweep` is no axis to ask for.
pub(super) const SWEEP: &str =
    "the runs of a sweep are known only once the story has run without the fault, so nothing can ask for one of them";

/// For each `when` of a file, whether it held in any run so far.
pub(super) type Held = RefCell<BTreeMap<Span, bool>>;

/// The values of the axes of one run.
pub(super) struct Judged<'a> {
    /// Axes and columns of the table, `mqtt`, `case` and `seed`.
    pub(super) values: &'a BTreeMap<String, Node>,
    pub(super) used: &'a RefCell<BTreeSet<String>>,
    pub(super) held: &'a Held,
}

impl Judged<'_> {
    /// Whether a `when` holds in this run; `None` if it is wrong.
    pub(super) fn holds(&self, reader: &Reader<'_>, when: &Node) -> Option<bool> {
        let mut holds = true;
        let entries = reader.map(when, "a map of axes and values, as in `{ qos: 1 }`");
        if entries.is_empty() {
            return None;
        }
        for (name, values) in entries {
            let axis = name.text()?;
            let Some(actual) = self.values.get(axis) else {
                let hint = did_you_mean(axis, self.values.keys().map(String::as_str));
                if axis == "sweep" {
                    reader.error_with_note(name, SWEEP, see("`sweep`"));
                } else if !reader.names.open {
                    reader.error(name, format!("unknown axis `{axis}`{hint}"));
                }
                return None;
            };
            self.used.borrow_mut().insert(axis.to_owned());
            holds &= reader.one_or_more(values).iter().any(|value| same(value, actual));
        }
        *self.held.borrow_mut().entry(when.span).or_default() |= holds;
        Some(holds)
    }
}

/// Equal as texts, or as durations.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    if a.flow() == b.flow() {
        return true;
    }
    let duration = |node: &Node| node.text().and_then(|text| time::duration(text).ok());
    duration(a).is_some_and(|a| Some(a) == duration(b))
}
