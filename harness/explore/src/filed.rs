//! A find as a file: a scenario with a few lines of comment that say what it shows.

use halfopen_plan::Seed;
use halfopen_scenario::Comments;

use crate::campaign::Find;
use crate::judge::FindingKind;

impl FindingKind {
    /// Returns the name of the file for finds of this kind, without its ending. Different kinds have different names.
    pub fn file_name(&self) -> String {
        let mark = Seed(0).derive(&self.to_string()).0 >> 32;
        format!("{}-{mark:08x}", self.invariant)
    }
}

impl Find {
    /// Returns the scenario that shows the find. Its first lines say what should have been and what was; `command`
    /// reproduces it.
    pub fn to_yaml(&self, command: &str) -> String {
        let head = vec![
            format!("Expected: {}", self.finding.expected),
            format!("Actual:   {}", self.finding.actual),
            format!("Found by the invariant `{}`. {command}", self.finding.kind.invariant),
        ];
        self.file.to_yaml(&Comments { head, ..Comments::default() })
    }
}
