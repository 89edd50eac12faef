//! Changes that no peer can notice: `tests/mutants/equivalent.txt`, written by people.

use std::collections::BTreeMap;

use crate::build::Change;

/// The list, as a path from the root of the workspace.
pub(crate) const PATH: &str = "tests/mutants/equivalent.txt";

/// The changes that no peer can notice, each with the reason.
#[derive(Debug, Default)]
pub(crate) struct Equivalents(BTreeMap<String, String>);

impl Equivalents {
    /// Reads a list: a reason is a line that begins with `= `, and the changes below it, one a line, have it.
    ///
    /// # Errors
    /// If a change has no reason, or stands there twice.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut all = BTreeMap::new();
        let mut reason = None;
        for (line, number) in text.lines().zip(1..) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(next) = line.strip_prefix("= ") {
                reason = Some(next);
                continue;
            }
            let Some(reason) = reason else { return Err(format!("{PATH}:{number}: a change without a reason")) };
            if all.insert(line.to_owned(), reason.to_owned()).is_some() {
                return Err(format!("{PATH}:{number}: this change is listed twice"));
            }
        }
        Ok(Self(all))
    }

    /// Returns whether a change is listed.
    pub(crate) fn has(&self, change: &Change) -> bool {
        self.0.contains_key(&change.key())
    }

    /// Returns what is listed and is none of these changes.
    pub(crate) fn unknown(&self, changes: &[Change]) -> Vec<&str> {
        let keys: Vec<String> = changes.iter().map(Change::key).collect();
        self.0.keys().filter(|key| !keys.contains(key)).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn change_has_the_reason_above_it() {
        let list = Equivalents::parse("# a comment\n= why\na.rs f: x\n\n= why else\na.rs g: y\n").unwrap();
        assert_eq!(list.0["a.rs g: y"], "why else");
        assert!(list.has(&Change { number: 1, file: "a.rs".to_owned(), line: 3, name: "f: x".to_owned() }));
        assert_eq!(list.unknown(&[]), ["a.rs f: x", "a.rs g: y"]);
    }

    #[test]
    fn change_needs_a_reason_and_stands_there_once() {
        assert!(Equivalents::parse("a.rs f: x\n").unwrap_err().contains("without a reason"));
        assert!(Equivalents::parse("= why\na.rs f: x\na.rs f: x\n").unwrap_err().contains("equivalent.txt:3"));
    }
}
