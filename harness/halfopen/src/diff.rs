//! What differs between two traces, and why: for changed snapshots, for replays, and for two runs that should be one.
//!
//! Works on the text form of traces, so it takes snapshots, printed traces and reports alike. For each run that is in
//! both it names the first event that differs, with the event that let it happen, and what kind of change it is:
//!
//! - *timing*: the same events in the same order at other times;
//! - *order*: the same events in another order;
//! - *content*: other events;
//! - *verdict*: another verdict, or a run that is in one only.

mod parse;

use std::collections::BTreeMap;
use std::fmt;

pub use self::parse::{Line, Run, parse};

/// What kind of change it is, the mildest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "explained at the head of the module")]
pub enum Class {
    Timing,
    Order,
    Content,
    Verdict,
}

/// A run that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub run: String,
    /// What kind of change it is.
    pub class: Class,
    /// What the first difference is, some lines.
    pub text: String,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Timing, Self::Order, Self::Content, Self::Verdict];

    /// The word on the command line and in reports.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Timing => "timing",
            Self::Order => "order",
            Self::Content => "content",
            Self::Verdict => "verdict",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.class.word(), self.run)?;
        f.write_str(&self.text)
    }
}

/// All runs that differ between two texts, in the order of the old one; those that are only in the new one last.
pub fn diff(old: &str, new: &str) -> Vec<Difference> {
    let (old, new) = (parse(old), parse(new));
    let known: BTreeMap<&str, &Run> = new.iter().map(|run| (run.name.as_str(), run)).collect();
    let one_sided = |run: &Run, side: &str| Difference {
        run: run.name.clone(),
        class: Class::Verdict,
        text: format!("  only in the {side}\n"),
    };
    let mut found: Vec<Difference> = old
        .iter()
        .filter_map(|run| match known.get(run.name.as_str()) {
            Some(other) => compare(run, other),
            None => Some(one_sided(run, "old")),
        })
        .collect();
    let gone = |run: &&Run| !old.iter().any(|other| other.name == run.name);
    found.extend(new.iter().filter(gone).map(|run| one_sided(run, "new")));
    found
}

fn compare(old: &Run, new: &Run) -> Option<Difference> {
    let difference = |class, text| Some(Difference { run: old.name.clone(), class, text });
    if old.verdict != new.verdict {
        let [was, is] = [old, new].map(|run| run.verdict.as_deref().unwrap_or("no verdict").to_owned());
        let first = first_difference(old, new).map(|at| told(old, new, at)).unwrap_or_default();
        return difference(Class::Verdict, format!("  was {was}, is {is}\n{first}"));
    }
    let at = first_difference(old, new)?;
    difference(class(old, new), told(old, new, at))
}

/// The index of the first line that is not the same.
fn first_difference(old: &Run, new: &Run) -> Option<usize> {
    let same = old.lines.iter().zip(&new.lines).take_while(|(old, new)| old.is_same(new)).count();
    (same < old.lines.len().max(new.lines.len())).then_some(same)
}

fn class(old: &Run, new: &Run) -> Class {
    let texts = |run: &Run| run.lines.iter().map(Line::words).collect::<Vec<_>>();
    let (mut old, mut new) = (texts(old), texts(new));
    if old == new {
        return Class::Timing;
    }
    old.sort_unstable();
    new.sort_unstable();
    if old == new { Class::Order } else { Class::Content }
}

fn told(old: &Run, new: &Run, at: usize) -> String {
    let mut text = String::new();
    let mut line = |sign: &str, run: &Run| match run.lines.get(at) {
        Some(line) => text.push_str(&format!("  {sign} {}\n", line.shown())),
        None => text.push_str(&format!("  {sign} (the trace is over)\n")),
    };
    line("-", old);
    line("+", new);
    // What came before is the same in both.
    let run = if new.lines.len() > at { new } else { old };
    if let Some(cause) = run.cause(at) {
        text.push_str(&format!("    because of {}\n", run.lines[cause].shown()));
    }
    text
}

#[cfg(test)]
mod tests;
