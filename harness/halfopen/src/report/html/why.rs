//! The section of a page that says at which event a failure became likely, and when certain.

use super::curve::Curve;
use crate::report::diagram::escaped;

/// The answer to why a run fails, on its page.
#[derive(Clone, Debug, Default)]
pub struct WhySummary {
    /// The answer in sentences, one a paragraph.
    pub answer: Vec<String>,
    /// From the beginning of the run to its end: the number of lines of the trace that are the same, the share of the runs that fail
    /// from there on, from 0 to 1, and the last of those lines.
    pub shares: Vec<(usize, f64, String)>,
}

impl WhySummary {
    /// Returns the section.
    pub(super) fn section(&self) -> String {
        let paragraphs: String = self.answer.iter().map(|said| format!("<p>{}</p>", escaped(said))).collect();
        let rows: String = self
            .shares
            .iter()
            .map(|(_, share, line)| format!("<tr><td>{:.0} %</td><td>{}</td></tr>", share * 100.0, escaped(line)))
            .collect();
        format!(
            "<section id=\"campaign\"><figure>{}<figcaption>Share of the runs that fail, by the line of the trace up to which they \
             are the same.</figcaption></figure><div><h2>Why it fails</h2>{paragraphs}\
             <details><summary>Lines that were tried: {}</summary><table>{rows}</table></details></div></section>",
            self.curve(),
            self.shares.len(),
        )
    }

    fn curve(&self) -> String {
        let last = self.shares.iter().map(|(place, ..)| *place).max().unwrap_or(0);
        let point = |(place, share, line): &(usize, f64, String)| {
            (*place as f64 / last.max(1) as f64, *share, format!("{:.0} % after {}", share * 100.0, line.trim()))
        };
        Curve {
            label: "share of the runs that fail",
            points: self.shares.iter().map(point).collect(),
            from: "the beginning".to_owned(),
            to: format!("line {last} of the trace"),
            top: "100 %".to_owned(),
        }
        .svg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn section_shows_each_line_that_was_tried() {
        let summary = WhySummary {
            answer: vec!["It becomes certain with <this>".to_owned()],
            shares: vec![(0, 0.2, "before anything happens".to_owned()), (4, 1.0, "0.040 broker -> app".to_owned())],
        };
        let section = summary.section();
        assert_eq!((section.matches("<circle").count(), section.matches("<tr>").count()), (2, 2));
        for part in ["&lt;this&gt;", "20 % after before anything happens", "0.040 broker -&gt; app", "line 4 of"] {
            assert!(section.contains(part), "{part}: {section}");
        }
    }
}
