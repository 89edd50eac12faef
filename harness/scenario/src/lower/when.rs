//! `when`: in which runs an expectation is judged.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::Lower;
use crate::ast::Condition;
use crate::error::Span;
use crate::reference::see;
use crate::suggest::did_you_mean;
use crate::time;
use crate::tree::Node;

/// The reason why `sweep` is no axis to ask for.
pub(super) const SWEEP: &str =
    "the runs of a sweep are known only once the script has run without the fault, so nothing can ask for one of them";

/// Whether each `when` of a file held in any run so far.
pub(super) type Held = RefCell<BTreeMap<Span, bool>>;

impl Lower<'_> {
    /// Returns whether a condition holds in this run; `None` if it is wrong, which is reported.
    pub(super) fn holds(&self, condition: &Condition) -> Option<bool> {
        let mut holds = true;
        if condition.axes.0.is_empty() {
            return None;
        }
        for (name, values) in &condition.axes.0 {
            let axis = name.text.as_str();
            let Some(actual) = self.run.values.get(axis) else {
                let hint = did_you_mean(axis, self.run.values.keys().map(String::as_str));
                if axis == "sweep" {
                    self.error_with_note(&name.place, SWEEP, see("`sweep`"));
                } else if !self.env.reading.outline.is_open {
                    self.error(&name.place, format!("unknown axis `{axis}`{hint}"));
                }
                return None;
            };
            self.run.params.used.borrow_mut().insert(axis.to_owned());
            holds &= values.0.iter().any(|value| self.env.fill(value).is_some_and(|value| same(&value, actual)));
        }
        *self.shared.held.borrow_mut().entry(condition.place.span).or_default() |= holds;
        Some(holds)
    }
}

/// Returns whether two values are equal as texts, or as durations.
pub(super) fn same(a: &Node, b: &Node) -> bool {
    if a.flow() == b.flow() {
        return true;
    }
    let duration = |node: &Node| node.text().and_then(|text| time::duration(text).ok());
    duration(a).is_some_and(|a| Some(a) == duration(b))
}
