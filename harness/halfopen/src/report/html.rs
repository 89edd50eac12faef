//! The page: one file that needs nothing else, with every run, its picture, its scenario, and what is wrong.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;

use super::diagram::{STYLE, escaped};
use super::model::{Report, RunRecord};
use crate::check::Verdict;

mod campaign;
mod curve;
mod why;

pub use self::campaign::CampaignSummary;
pub use self::why::WhySummary;

const PAGE: &str = include_str!("html/page.html");
const LOOKS: &str = include_str!("html/page.css");
const PROGRAM: &str = include_str!("html/page.js");

/// Number of runs above which a page leaves out pictures.
const MANY: usize = 100;

/// The level of compression: above it packing only takes longer.
const LEVEL: u8 = 6;

/// Number of pictures per scenario and result for runs that do not pass, on a page of many runs.
const BAD_PICTURES: usize = 3;

/// The runs that have their picture on a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pictures {
    /// The first run of each scenario that passes, and the first few that do not.
    #[default]
    Some,
    /// Every run.
    All,
}

/// Number of bytes above which the data of a page is packed: pictures of many runs say much the same.
const LARGE: usize = 1 << 20;

/// The page of a report whose runs have their diagrams. Pictures are drawn when they are looked at, so that many runs
/// cost no more than their data.
pub fn html(report: &Report, pictures: Pictures) -> String {
    page(report, pictures, "")
}

/// The page of what a campaign of exploration has found, with all pictures, and what the campaign reached.
pub fn html_of_campaign(report: &Report, campaign: &CampaignSummary) -> String {
    page(report, Pictures::All, &campaign.section())
}

/// Returns the page of a run that fails: why it does, as far as its events tell, and its picture.
pub fn html_of_failure(report: &Report, why: &WhySummary) -> String {
    page(report, Pictures::All, &why.section())
}

fn page(report: &Report, pictures: Pictures, section: &str) -> String {
    let data = data(report, pictures);
    let (kind, data) = if data.len() < LARGE {
        // Nothing in the data may end the script it stands in.
        let data = data.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        ("application/json", data)
    } else {
        ("text/deflate", STANDARD.encode(compress_to_vec(data.as_bytes(), LEVEL)))
    };
    let bad = report.runs.iter().filter(|run| run.is_bad()).count();
    let title = format!("halfopen: {} of {} runs need attention", bad, report.runs.len());
    let title = if bad == 0 { format!("halfopen: {} runs, all well", report.runs.len()) } else { title };
    let mut page = String::with_capacity(data.len() + PAGE.len() + PROGRAM.len() + LOOKS.len() + STYLE.len());
    let title = escaped(&title);
    let parts = [
        ("TITLE", title.as_str()),
        ("STYLE", LOOKS),
        ("DIAGRAM", STYLE),
        ("SECTION", section),
        ("KIND", kind),
        ("DATA", &data),
        ("PROGRAM", PROGRAM),
    ];
    let mut rest = PAGE;
    for (name, part) in parts {
        let Some((before, after)) = rest.split_once(&format!("@@{name}@@")) else { continue };
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    page
}

/// The report as JSON with what the page shows of it. A run at a time: memory has no room for all of many twice.
pub(super) fn data(report: &Report, pictures: Pictures) -> String {
    let mut thin = Thin::new(pictures, report.runs.len());
    let mut data = String::from("{\"runs\":[");
    for (place, run) in report.runs.iter().enumerate() {
        let mut run = run.clone();
        thin.run(&mut run);
        data.push_str(if place == 0 { "" } else { "," });
        data.push_str(&serde_json::to_string(&run).unwrap_or_default());
    }
    data.push_str("],\"sources\":");
    data.push_str(&serde_json::to_string(&report.sources).unwrap_or_default());
    data.push('}');
    data
}

/// Takes from runs, in their order, what a page does not show.
#[derive(Clone, Debug)]
pub struct Thin {
    leaves_out: bool,
    keeps_text: bool,
    shown: BTreeMap<(String, Verdict), usize>,
}

impl Thin {
    /// Creates the choice for a page of the given number of runs.
    pub fn new(pictures: Pictures, runs: usize) -> Self {
        Self { leaves_out: pictures == Pictures::Some && runs >= MANY, keeps_text: false, shown: BTreeMap::new() }
    }

    /// Leaves the traces as text, which other forms show.
    #[must_use]
    pub fn keeping_text(mut self) -> Self {
        self.keeps_text = true;
        self
    }

    /// Removes the picture of a run if others show the same: of runs that differ in their parameters alone, a few are
    /// enough.
    pub fn run(&mut self, run: &mut RunRecord) {
        if self.leaves_out {
            let count = self.shown.entry((run.scenario.clone(), run.verdict)).or_default();
            *count += 1;
            if *count > if run.is_bad() { BAD_PICTURES } else { 1 } {
                run.diagram = None;
                if !self.keeps_text {
                    run.text = None;
                }
            }
        }
        run.keep_drawn_events();
    }
}
