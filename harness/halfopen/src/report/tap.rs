//! The Test Anything Protocol, in its version 13: Perl's `prove` reads no later one, and what we say needs none.

use std::fmt::Write as _;

use super::junit::{description, traced};
use super::model::Report;
use crate::check::Verdict;

/// A report in TAP: a line for each run, and below each bad one a YAML block with what is wrong.
pub fn tap(report: &Report) -> String {
    let mut text = format!("TAP version 13\n1..{}\n", report.runs.len());
    let traced = traced(report);
    for (number, run) in (1..).zip(&report.runs) {
        let ok = if run.is_bad() { "not ok" } else { "ok" };
        // A number sign begins a directive.
        let name = run.name.replace('\\', "\\\\").replace('#', "\\#");
        let directive = match (run.verdict, &run.error) {
            (Verdict::Skipped, why) => format!(" # SKIP {}", why.as_deref().unwrap_or_default()),
            _ => String::new(),
        };
        let _ = writeln!(text, "{ok} {number} - {name}{directive}");
        if run.is_bad() {
            let verdict = match run.verdict {
                Verdict::Vacuous => "vacuous",
                Verdict::Broken => "broken",
                _ => "fail",
            };
            let _ = writeln!(text, "  ---\n  verdict: {verdict}\n  message: |");
            // Not every reader takes an empty line in a block.
            for line in description(run, &traced).lines().filter(|line| !line.trim().is_empty()) {
                let _ = writeln!(text, "{}", format!("    {line}").trim_end());
            }
            text.push_str("  ...\n");
        }
    }
    text
}
