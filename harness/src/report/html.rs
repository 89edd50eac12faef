//! The page: one file that needs nothing else, with every run, its picture, its scenario, and what is wrong.

use std::collections::BTreeMap;

use super::diagram::{STYLE, escaped};
use super::model::{Report, RunRecord, Word};

const PAGE: &str = include_str!("html/page.html");
const LOOKS: &str = include_str!("html/page.css");
const PROGRAM: &str = include_str!("html/page.js");

/// From so many runs on a page leaves out pictures.
const MANY: usize = 100;

/// How many runs of a scenario that come to the same have their picture on a page of many runs, if they do not pass.
const BAD_PICTURES: usize = 3;

/// Which runs have their picture on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pictures {
    /// Of many runs the first of each scenario that passes, and the first few that do not.
    #[default]
    Some,
    /// All.
    All,
}

/// The page of a report whose runs have their diagrams. Pictures are drawn when they are looked at, so that many runs
/// cost no more than their data.
pub fn html(report: &Report, pictures: Pictures) -> String {
    let mut report = report.clone();
    if pictures == Pictures::Some && report.runs.len() >= MANY {
        leave_out_pictures(&mut report.runs);
    }
    for run in &mut report.runs {
        run.keep_drawn_events();
    }
    // Nothing in the data may end the script it stands in.
    let data = report.json().replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
    let bad = report.runs.iter().filter(|run| run.is_bad()).count();
    let title = format!("halfopen: {} of {} runs need attention", bad, report.runs.len());
    let title = if bad == 0 { format!("halfopen: {} runs, all well", report.runs.len()) } else { title };
    let mut page = String::with_capacity(data.len() + PAGE.len() + PROGRAM.len() + LOOKS.len());
    let parts: [(&str, String); 4] = [
        ("TITLE", escaped(&title)),
        ("STYLE", format!("{LOOKS}{STYLE}")),
        ("DATA", data),
        ("PROGRAM", PROGRAM.to_owned()),
    ];
    let mut rest = PAGE;
    for (name, part) in parts {
        let Some((before, after)) = rest.split_once(&format!("@@{name}@@")) else { continue };
        page.push_str(before);
        page.push_str(&part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// Of runs that differ in their parameters alone, a few tell what the others would.
fn leave_out_pictures(runs: &mut [RunRecord]) {
    let mut shown: BTreeMap<(String, Word), usize> = BTreeMap::new();
    for run in runs {
        let count = shown.entry((run.scenario.clone(), run.verdict)).or_default();
        *count += 1;
        if *count > if run.is_bad() { BAD_PICTURES } else { 1 } {
            run.diagram = None;
            run.text = None;
        }
    }
}
