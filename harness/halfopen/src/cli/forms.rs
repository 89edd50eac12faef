use std::path::PathBuf;

use clap::Args;

use super::output::{Failure, write_file, write_to};
use crate::report::model::Report;
use crate::report::{Pictures, Thin, html, junit, tap};

/// Forms in which a report is written to files.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub(super) struct Forms {
    /// Write an HTML page: one file that needs no network.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Draw every run on that page. Without this flag a page of 100 runs or more draws a few runs of each scenario.
    #[arg(long, requires = "html")]
    html_all: bool,
    /// Write a JUnit report, for CI.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a JSON report with all traces; `docs/report-format.md` describes it.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write TAP version 13, which `prove` reads.
    #[arg(long, value_name = "FILE")]
    tap: Option<PathBuf>,
}

impl Forms {
    /// Returns whether any is asked for.
    pub(super) fn is_any(&self) -> bool {
        self.needs_events() || self.junit.is_some() || self.tap.is_some()
    }

    /// Returns whether one is asked for that shows events and pictures.
    pub(super) fn needs_events(&self) -> bool {
        self.json.is_some() || self.html.is_some()
    }

    /// Returns whether one is asked for that has the text of all traces.
    pub(super) fn needs_text(&self) -> bool {
        self.json.is_some()
    }

    fn pictures(&self) -> Pictures {
        if self.html_all { Pictures::All } else { Pictures::Some }
    }

    /// Returns what may be removed from runs as they come, for this number of runs; nothing if a form is asked for that
    /// has everything.
    pub(super) fn thin(&self, runs: usize) -> Option<Thin> {
        // JUnit and TAP show traces that a page leaves out.
        (self.html.is_some() && self.json.is_none()).then(|| Thin::new(self.pictures(), runs).keeping_text())
    }

    /// Writes those that are asked for.
    pub(super) fn write(&self, report: &Report) -> Result<(), Failure> {
        if let Some(path) = &self.json {
            write_to(path, |file| report.write(file))?;
        }
        if let Some(path) = &self.junit {
            write_file(path, junit(report))?;
        }
        if let Some(path) = &self.tap {
            write_file(path, tap(report))?;
        }
        if let Some(path) = &self.html {
            write_file(path, html(report, self.pictures()))?;
        }
        Ok(())
    }
}
