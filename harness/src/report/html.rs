//! The page: one file that needs nothing else, with every run, its picture, its scenario, and what is wrong.

use super::diagram::{STYLE, escaped};
use super::model::Report;

const PAGE: &str = include_str!("html/page.html");
const LOOKS: &str = include_str!("html/page.css");
const PROGRAM: &str = include_str!("html/page.js");

/// The page of a report whose runs have their diagrams. Pictures are drawn when they are looked at, so that many runs
/// cost no more than their data.
pub fn html(report: &Report) -> String {
    let mut report = report.clone();
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
