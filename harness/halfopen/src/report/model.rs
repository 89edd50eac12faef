//! A report as data: what every form of it is written from, and the format of `--json`.
//!
//! `docs/report-format.md` documents it for those who read it. Fields may be added to a version of the format, none is
//! taken out or changes its meaning.

mod event;
mod run;

use serde::{Deserialize, Serialize};

pub use self::event::EventRecord;
pub use self::run::{Detail, Diagram, Finding, NodeRecord, NotJudgedRecord, RunRecord, WaiverRecord};

/// The name of the format.
pub const FORMAT: &str = "halfopen-report";
/// The version.
pub const FORMAT_VERSION: u32 = 1;

/// The results of many runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Always [`FORMAT`].
    pub format: String,
    /// The version of the format: [`FORMAT_VERSION`].
    pub version: u32,
    /// The version of halfopen that wrote it.
    pub halfopen: String,
    /// The runs, in the order in which they were to be run.
    pub runs: Vec<RunRecord>,
    /// The scenario files that the runs come from.
    pub sources: Vec<SourceRecord>,
}

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceRecord {
    /// The path as it was given.
    pub path: String,
    /// The text.
    pub text: String,
}

/// The reason for which a report could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The file is no JSON, or lacks what a report has.
    #[error("this is no report of `halfopen run --json`: {0}")]
    Format(#[from] serde_json::Error),
    /// The report has another format.
    #[error("format `{format}` version {version}; this program knows `{FORMAT}` version {FORMAT_VERSION}")]
    Version {
        /// The name of its format.
        format: String,
        /// The version.
        version: u32,
    },
    /// Two reports tell different things of one run.
    #[error("`{0}` is in more than one of the reports")]
    Twice(String),
}

impl Default for Report {
    fn default() -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: FORMAT_VERSION,
            halfopen: env!("CARGO_PKG_VERSION").to_owned(),
            runs: Vec::new(),
            sources: Vec::new(),
        }
    }
}

impl Report {
    /// Adds a run and the file it comes from.
    pub fn add(&mut self, run: RunRecord, source: SourceRecord) {
        self.runs.push(run);
        if !self.sources.iter().any(|other| other.path == source.path) {
            self.sources.push(source);
        }
    }

    /// Reads a report.
    ///
    /// # Errors
    /// If it is none, or one of another version.
    pub fn read(text: &str) -> Result<Self, ReportError> {
        let report: Self = serde_json::from_str(text)?;
        if report.format != FORMAT || report.version != FORMAT_VERSION {
            return Err(ReportError::Version { format: report.format, version: report.version });
        }
        Ok(report)
    }

    /// Several reports of parts of the runs as one.
    ///
    /// # Errors
    /// If a run is in several of them.
    pub fn merge(reports: impl IntoIterator<Item = Self>) -> Result<Self, ReportError> {
        let mut all = Self::default();
        for report in reports {
            for source in report.sources {
                if !all.sources.iter().any(|other| other.path == source.path) {
                    all.sources.push(source);
                }
            }
            all.runs.extend(report.runs);
        }
        let mut known = std::collections::BTreeSet::new();
        if let Some(twice) = all.runs.iter().find(|run| !known.insert((&run.name, run.seed))) {
            return Err(ReportError::Twice(twice.name.clone()));
        }
        all.runs.sort_by(|a, b| (&a.file, a.place).cmp(&(&b.file, b.place)));
        all.sources.sort();
        Ok(all)
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Writes it as JSON, a piece at a time: all runs with all their events are much.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        Ok(serde_json::to_writer(out, self)?)
    }

    /// The text of a scenario file.
    pub fn source(&self, path: &str) -> &str {
        self.sources.iter().find(|source| source.path == path).map_or("", |source| &source.text)
    }
}

#[cfg(test)]
pub(super) mod tests;
